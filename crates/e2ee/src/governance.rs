//! Who may change what in a meeting: pure rules, without MLS, keys or clocks.
//!
//! Every member computes by [`next`] what a commit may make of the group's [`State`], the committer no less than those
//! who follow it. A commit that makes anything else of it is followed by nobody.

use std::collections::BTreeSet;

use conclave_identity::{Admission, Invitation};
use conclave_model::{Fingerprint, LeafRef, Level, Person, Role};

use crate::{
    Consent, ConsentError, Member, NewcomerError, Rejection, State,
    state::{MAX_LISTED, Memory},
};

#[cfg(test)]
mod tests;

/// What the acting chair wants of the group, one thing in a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Lets in only those who were admitted before, or anybody on the list again.
    Lock(bool),
    /// Puts a member out for good.
    Eject(LeafRef),
    /// Changes the classification.
    Level {
        /// To which level.
        to: Level,
        /// The originator's agreement, where it goes down.
        consent: Option<Consent>,
    },
}

/// Before what a change is judged.
#[derive(Clone, Copy)]
pub(crate) struct Scene<'a> {
    /// What the group has agreed on so far.
    pub(crate) state: &'a State,
    pub(crate) invitation: &'a Invitation,
    /// Who is in the group so far.
    pub(crate) members: &'a [Member],
    /// Who makes the change; one of the members.
    pub(crate) author: &'a Member,
    /// The highest level that relay and app allow.
    pub(crate) ceiling: Level,
    /// Whether a leaf's connection stands, as far as whoever judges knows; that of a newcomer as well.
    pub(crate) is_present: &'a dyn Fn(LeafRef) -> bool,
    /// Whether the originator signed an agreement to the next change of the state's level.
    pub(crate) check_consent: &'a dyn Fn(&Consent) -> Result<(), ConsentError>,
    /// Seconds since 1970-01-01 UTC.
    pub(crate) wall: u64,
}

/// A certificate's name as the state has it.
pub(crate) fn fingerprint(person: &Person) -> Fingerprint {
    Fingerprint(person.fingerprint)
}

/// Who leads a meeting, first to last: the chairs in the order of the list, then the signed succession.
pub fn succession(invitation: &Invitation) -> Vec<Fingerprint> {
    let content = invitation.content();
    let chairs = content.participants.iter().filter(|listed| listed.role == Role::Chair);
    let mut order: Vec<Fingerprint> = Vec::new();
    for name in chairs.map(|listed| Fingerprint(listed.fingerprint)).chain(content.succession.iter().copied()) {
        if !order.contains(&name) {
            order.push(name);
        }
    }
    order
}

/// The acting chair: the first of the succession who is a member. Nothing that a relay or a member says changes it.
pub fn chair<'a>(members: &'a [Member], invitation: &Invitation) -> Option<&'a Member> {
    let of = |name: Fingerprint| members.iter().find(|member| fingerprint(&member.person) == name);
    succession(invitation).into_iter().find_map(of)
}

/// Whether somebody may be the first in the meeting, before whom the others wait.
pub fn may_open(invitation: &Invitation, person: &Person) -> bool {
    match invitation.content().admission {
        Admission::Open => true,
        Admission::Lobby => succession(invitation).contains(&fingerprint(person)),
    }
}

/// Whether somebody becomes a member only by the acting chair's own commit.
///
/// Not so where the meeting has no lobby, for those admitted before, and for the succession: the chair never waits in
/// the own lobby.
pub fn needs_chair(state: &State, invitation: &Invitation, person: &Person) -> bool {
    let name = fingerprint(person);
    match invitation.content().admission {
        Admission::Open => false,
        Admission::Lobby => !state.admitted.contains(&name) && !succession(invitation).contains(&name),
    }
}

/// Whether nothing keeps somebody out for good or for now, the chair's admission aside.
pub fn may_come(state: &State, invitation: &Invitation, person: &Person) -> Result<(), NewcomerError> {
    let name = fingerprint(person);
    if state.ejected.contains(&name) {
        return Err(NewcomerError::Ejected);
    }
    if state.locked && !state.admitted.contains(&name) && !succession(invitation).contains(&name) {
        return Err(NewcomerError::Locked);
    }
    Ok(())
}

/// Whether `author` may make `person` a member.
pub fn may_add(
    state: &State,
    invitation: &Invitation,
    members: &[Member],
    author: &Member,
    person: &Person,
) -> Result<(), NewcomerError> {
    may_come(state, invitation, person)?;
    let is_chair = chair(members, invitation).is_some_and(|chair| chair.leaf == author.leaf);
    if needs_chair(state, invitation, person) && !is_chair {
        return Err(NewcomerError::NotAdmitted);
    }
    Ok(())
}

/// Who has to go where the level becomes `level`: those whose clearance does not reach, or is over.
pub(crate) fn uncleared(members: &[Member], level: Level, wall: u64) -> impl Iterator<Item = &Member> {
    members.iter().filter(move |member| !member.person.is_cleared(level, wall))
}

impl Scene<'_> {
    /// Whether the author is the acting chair.
    fn is_chairs(&self) -> bool {
        chair(self.members, self.invitation).is_some_and(|chair| chair.leaf == self.author.leaf)
    }

    /// Whether an order may be given: by whom, and what it asks for.
    pub(crate) fn may_order(&self, order: &Order) -> Result<(), Rejection> {
        if !self.is_chairs() {
            return Err(Rejection::NotChair);
        }
        match order {
            Order::Lock(locked) if *locked == self.state.locked => Err(Rejection::State),
            Order::Lock(_) => Ok(()),
            Order::Eject(leaf) if *leaf == self.author.reference => Err(Rejection::Removal { reference: *leaf }),
            Order::Eject(leaf) => self.member(*leaf).map(|_| ()).ok_or(Rejection::State),
            Order::Level { to, consent } => self.may_set_level(*to, consent.as_ref()),
        }
    }

    fn may_set_level(&self, to: Level, consent: Option<&Consent>) -> Result<(), Rejection> {
        if to == self.state.level {
            return Err(Rejection::State);
        }
        if to < self.state.level {
            let consent = consent.ok_or(Rejection::Consent(ConsentError::Missing))?;
            if consent.to != to {
                return Err(Rejection::Consent(ConsentError::Other));
            }
            return (self.check_consent)(consent).map_err(Rejection::Consent);
        }
        if to > self.ceiling {
            return Err(Rejection::Ceiling(self.ceiling));
        }
        if !self.author.person.is_cleared(to, self.wall) {
            return Err(Rejection::NotCleared);
        }
        Ok(())
    }

    fn member(&self, leaf: LeafRef) -> Option<&Member> {
        self.members.iter().find(|member| member.reference == leaf)
    }

    /// Whom an order puts out.
    pub(crate) fn put_out_by(&self, order: &Order) -> Vec<LeafRef> {
        match order {
            Order::Lock(_) => Vec::new(),
            Order::Eject(leaf) => vec![*leaf],
            Order::Level { to, .. } if *to > self.state.level => {
                uncleared(self.members, *to, self.wall).map(|member| member.reference).collect()
            }
            Order::Level { .. } => Vec::new(),
        }
    }

    /// Whether a member may be removed: by the chair, replaced by the same certificate, or gone. `asked` are those
    /// whom the commit's order puts out.
    ///
    /// What replaces a leaf is itself here: an old key package of somebody does not serve to put them out.
    fn may_remove(&self, leaf: LeafRef, added: &[(LeafRef, Person)], asked: &[LeafRef]) -> bool {
        let Some(member) = self.member(leaf) else { return false };
        let replaces = |(reference, person): &(LeafRef, Person)| {
            person.fingerprint == member.person.fingerprint && (self.is_present)(*reference)
        };
        self.is_chairs() || added.iter().any(replaces) || asked.contains(&leaf) || !(self.is_present)(leaf)
    }
}

/// What the group agrees on after a commit of the scene's author that adds `added`, removes `removed` and carries out
/// `order`.
///
/// Those in `added` have passed the checks of certificate, list and clearance.
///
/// # Errors
/// A [`Rejection`], where the author has no right to it.
pub(crate) fn next(
    scene: &Scene<'_>,
    added: &[(LeafRef, Person)],
    removed: &[LeafRef],
    order: Option<&Order>,
) -> Result<State, Rejection> {
    let mut after = scene.state.clone();
    let mut asked = Vec::new();
    if let Some(order) = order {
        scene.may_order(order)?;
        asked = scene.put_out_by(order);
        if let Some(stays) = asked.iter().find(|leaf| !removed.contains(leaf)) {
            return Err(Rejection::Stays { reference: *stays });
        }
        match order {
            Order::Lock(locked) => after.locked = *locked,
            Order::Eject(leaf) => {
                let ejected = scene.member(*leaf).ok_or(Rejection::State)?;
                after.admitted.remove(&fingerprint(&ejected.person));
                after.ejected.insert(fingerprint(&ejected.person));
            }
            Order::Level { to, consent } => {
                after.level = *to;
                after.level_changes = after.level_changes.checked_add(1).ok_or(Rejection::State)?;
                if *to < scene.state.level {
                    after.consent.clone_from(consent);
                }
            }
        }
    }
    if let Some(leaf) = removed.iter().find(|leaf| !scene.may_remove(**leaf, added, &asked)) {
        return Err(Rejection::Removal { reference: *leaf });
    }
    for (reference, person) in added {
        // By the state after the order: whom this very commit puts out does not come back in it.
        may_add(&after, scene.invitation, scene.members, scene.author, person)
            .map_err(|error| Rejection::Newcomer { reference: *reference, error })?;
        after.admitted.insert(fingerprint(person));
    }
    let is_full = after.admitted.len() > MAX_LISTED || after.ejected.len() > MAX_LISTED;
    if is_full { Err(Rejection::TooLarge) } else { Ok(after) }
}

/// The order that makes of `before` what a commit says comes after, if there is one; admissions aside.
///
/// # Errors
/// [`Rejection::State`] for a difference that no single order makes.
pub(crate) fn order_between(before: &State, after: &State, members: &[Member]) -> Result<Option<Order>, Rejection> {
    let put_out: BTreeSet<_> = after.ejected.difference(&before.ejected).collect();
    let lock = (before.locked != after.locked).then_some(Order::Lock(after.locked));
    let consent = if after.level < before.level { after.consent.clone() } else { None };
    let level = (before.level != after.level).then_some(Order::Level { to: after.level, consent });
    let eject = match put_out.first() {
        None => None,
        Some(name) => {
            let member = members.iter().find(|member| fingerprint(&member.person) == **name);
            Some(Order::Eject(member.ok_or(Rejection::State)?.reference))
        }
    };
    let mut orders = [lock, level, eject].into_iter().flatten();
    match (orders.next(), orders.next()) {
        (order, None) if put_out.len() <= 1 => Ok(order),
        _ => Err(Rejection::State),
    }
}

/// Where a meeting begins that `person` opens, with what this app remembers of it.
///
/// # Errors
/// [`NewcomerError::Ejected`] or [`NewcomerError::NotAdmitted`]: they wait for somebody who may.
pub(crate) fn opened_by(
    invitation: &Invitation,
    memory: Option<&Memory>,
    person: &Person,
) -> Result<State, NewcomerError> {
    let mut state = remembered(invitation, memory).cloned().unwrap_or_else(|| State::initial(invitation));
    may_come(&state, invitation, person)?;
    if !may_open(invitation, person) {
        return Err(NewcomerError::NotAdmitted);
    }
    state.admitted.insert(fingerprint(person));
    Ok(state)
}

/// The memory, where it is of this meeting.
pub(crate) fn remembered<'a>(invitation: &Invitation, memory: Option<&'a Memory>) -> Option<&'a State> {
    memory.map(Memory::state).filter(|state| state.meeting == invitation.content().meeting)
}

/// The level below which a group with this state is not entered: that which was last seen, unless the originator has
/// agreed since to go lower.
///
/// The change that the agreement allowed has to come after what is remembered. What was agreed to between the two need
/// not be known: whoever signed the last of a number of changes was there.
pub(crate) fn floor(
    invitation: &Invitation,
    memory: Option<&Memory>,
    state: &State,
    check_signature: impl FnOnce(&Consent) -> Result<(), ConsentError>,
) -> Level {
    let (seen, changes) = match remembered(invitation, memory) {
        Some(last) => (last.level, last.level_changes),
        None => (invitation.content().level, 0),
    };
    let agreed = state.consent.as_ref().filter(|consent| {
        consent.level_changes >= changes && consent.level_changes < state.level_changes && consent.to <= state.level
    });
    match agreed {
        Some(consent) if state.level < seen && check_signature(consent).is_ok() => consent.to,
        _ => seen,
    }
}
