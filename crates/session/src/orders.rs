//! What the chair ordered and the group has not yet done.
//!
//! An order becomes a commit, and another's commit may come first; so it is kept until the group's state shows that it
//! is done, over as many epochs as that takes, or until it cannot be done any more.

use std::collections::VecDeque;

use conclave_e2ee::{Consent, Order, State};
use conclave_identity::InvitationContent;
use conclave_model::{Fingerprint, LeafRef, Level, PeerId, Person};

use crate::OrderError;

/// The most orders that wait.
const MAX_ORDERS: usize = 64;

/// Something that the chair ordered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Locked or not.
    Lock(bool),
    /// Somebody put out for good, whatever leaf they have by then.
    Eject(Fingerprint),
    /// Another classification.
    Level(Level),
}

/// What an order depends on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    /// What the group has agreed on.
    pub(crate) state: &'a State,
    pub(crate) invitation: &'a InvitationContent,
    /// Whether this member leads.
    pub(crate) leads: bool,
    /// This member.
    pub(crate) me: &'a Person,
    /// The highest level that this meeting may have here.
    pub(crate) ceiling: Level,
    /// What the originator agreed to, checked, while that is still open.
    pub(crate) consent: Option<&'a Consent>,
    /// Seconds since 1970-01-01 UTC.
    pub(crate) wall: u64,
}

/// What is to be done about an order now.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Verdict {
    Done,
    Commit(Order),
    /// Whom it concerns is away: it is done when they come back.
    Later,
    Refused(OrderError),
}

/// The orders that wait, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Orders {
    waiting: VecDeque<Wanted>,
    /// The one that [`Self::next`] gave out last.
    tried: Option<Wanted>,
    /// Whose connections the relay is to end once they are out.
    dismissals: Vec<(Fingerprint, PeerId)>,
}

impl Orders {
    /// Takes an order; one of the same kind that has not been done yet gives way to it.
    pub(crate) fn push(&mut self, wanted: Wanted) {
        self.waiting.retain(|other| *other != wanted && !wanted.replaces(other));
        if self.waiting.len() < MAX_ORDERS {
            self.waiting.push_back(wanted);
        }
    }

    /// Notes which connection somebody has who is to be put out.
    pub(crate) fn note_connection(&mut self, who: Fingerprint, peer: PeerId) {
        self.dismissals.retain(|(_, other)| *other != peer);
        if self.dismissals.len() < MAX_ORDERS {
            self.dismissals.push((who, peer));
        }
    }

    /// The connections that end now, for the group has put those people out.
    pub(crate) fn dismissals(&mut self, state: &State) -> Vec<PeerId> {
        let is_out = |(who, _): &&(Fingerprint, PeerId)| state.ejected.contains(who);
        let out = self.dismissals.iter().filter(is_out).map(|(_, peer)| *peer).collect();
        self.dismissals.retain(|(who, _)| !state.ejected.contains(who));
        out
    }

    /// Those who are to be put out when they come back.
    pub(crate) fn ejecting(&self) -> impl Iterator<Item = Fingerprint> {
        self.waiting.iter().filter_map(|wanted| if let Wanted::Eject(who) = wanted { Some(*who) } else { None })
    }

    /// The next order that a commit can do, and why others cannot be done. `leaf_of` finds a member by certificate.
    pub(crate) fn next(
        &mut self,
        view: &View<'_>,
        leaf_of: impl Fn(Fingerprint) -> Option<LeafRef>,
    ) -> (Option<Order>, Vec<OrderError>) {
        let mut refused = Vec::new();
        let mut next = None;
        let mut tried = None;
        self.waiting.retain(|wanted| match judge(wanted, view, &leaf_of) {
            Verdict::Done => false,
            Verdict::Later => true,
            Verdict::Refused(error) => {
                refused.push(error);
                false
            }
            Verdict::Commit(order) => {
                if next.is_none() {
                    tried = Some(wanted.clone());
                    next = Some(order);
                }
                true
            }
        });
        self.tried = tried;
        (next, refused)
    }

    /// Gives up the order that was given out last: the group does not carry it out after all.
    pub(crate) fn give_up(&mut self) {
        if let Some(tried) = self.tried.take() {
            self.waiting.retain(|wanted| *wanted != tried);
        }
    }
}

impl Wanted {
    fn replaces(&self, other: &Self) -> bool {
        matches!((self, other), (Self::Lock(_), Self::Lock(_)) | (Self::Level(_), Self::Level(_)))
    }
}

fn judge(wanted: &Wanted, view: &View<'_>, leaf_of: impl Fn(Fingerprint) -> Option<LeafRef>) -> Verdict {
    let state = view.state;
    let is_done = match wanted {
        Wanted::Lock(locked) => *locked == state.locked,
        Wanted::Eject(who) => state.ejected.contains(who),
        Wanted::Level(level) => *level == state.level,
    };
    if is_done {
        return Verdict::Done;
    }
    if !view.leads {
        return Verdict::Refused(OrderError::NotChair);
    }
    match wanted {
        Wanted::Lock(locked) => Verdict::Commit(Order::Lock(*locked)),
        Wanted::Eject(who) => leaf_of(*who).map_or(Verdict::Later, |leaf| Verdict::Commit(Order::Eject(leaf))),
        Wanted::Level(to) => match check_level(*to, view) {
            Ok(consent) => Verdict::Commit(Order::Level { to: *to, consent }),
            Err(error) => Verdict::Refused(error),
        },
    }
}

/// Whether the level may change, and with which agreement.
fn check_level(to: Level, view: &View<'_>) -> Result<Option<Consent>, OrderError> {
    if to > view.state.level {
        return if to > view.ceiling {
            Err(OrderError::Ceiling(view.ceiling))
        } else if !view.me.is_cleared(to, view.wall) {
            Err(OrderError::NotCleared)
        } else {
            Ok(None)
        };
    }
    if view.invitation.originator.is_none() {
        return Err(OrderError::NoOriginator);
    }
    match view.consent {
        Some(consent) if consent.to == to => Ok(Some(consent.clone())),
        Some(_) | None => Err(OrderError::NoConsent),
    }
}

/// Whether this member can agree to a lower level.
pub(crate) fn check_originator(invitation: &InvitationContent, me: &Person) -> Result<(), OrderError> {
    match invitation.originator {
        None => Err(OrderError::NoOriginator),
        Some(originator) if originator.0 == me.fingerprint => Ok(()),
        Some(_) => Err(OrderError::NotOriginator),
    }
}

#[cfg(test)]
mod tests;
