//! Who leads, who waits, and what was ordered: the part of a member that governs.

use std::{collections::BTreeSet, sync::Arc, time::Instant};

use bytes::Bytes;
use conclave_e2ee::{Consent, ConsentError, Group, NewcomerError, Order, Rejection, Rules, State, succession};
use conclave_identity::MemberError;
use conclave_model::{
    Fingerprint, LeafIndex, LeafRef, Level,
    wire::signal::{Delay, Dismissal, ToRelay},
};

use crate::{
    Event, Governance, OrderError,
    chair::Lead,
    link::Link,
    lobby::{Finding, Lobby, Way},
    neighbours::Neighbours,
    orders::{Orders, View, Wanted, check_originator},
    papers::Papers,
};

/// How a member sees the meeting led, and leads it where that is its part.
#[derive(Debug)]
pub(super) struct Leading {
    papers: Papers,
    succession: Vec<Fingerprint>,
    lead: Lead,
    lobby: Lobby,
    orders: Orders,
    /// What the originator agreed to, checked.
    consent: Option<Consent>,
    /// What was told last.
    told: Option<Governance>,
    /// The state by which those who wait were checked.
    checked: Option<State>,
    /// Who was told that only the lock keeps them out.
    locked_out: BTreeSet<LeafRef>,
}

impl Leading {
    pub(super) fn new(papers: Papers, group: &Group, now: Instant) -> Self {
        let succession = succession(papers.invitation());
        let me = Fingerprint(papers.holder().person().fingerprint);
        let mine = succession.iter().position(|name| *name == me);
        let found = group.members().len() > 1;
        Self {
            lead: Lead::new(mine, found, now),
            papers,
            succession,
            lobby: Lobby::default(),
            orders: Orders::default(),
            consent: None,
            told: None,
            checked: None,
            locked_out: BTreeSet::new(),
        }
    }

    /// Finds out anew who leads and who waits, and tells what has changed.
    pub(super) fn refresh(&mut self, group: &Group, neighbours: &Neighbours, link: &mut Link, now: Instant) {
        self.refresh_lead(group, now);
        self.refresh_lobby(group, neighbours, link, now);
        self.explain_lock(group, neighbours, link);
        let governance = self.governance(group);
        if self.told.as_ref() != Some(&governance) {
            self.told = Some(governance.clone());
            link.tell(Event::Governance(governance));
        }
        if let Some(waiting) = self.lobby.news() {
            link.tell(Event::Lobby(waiting));
        }
    }

    /// Takes over newer revocation lists; returns the rules that follow.
    pub(super) fn learn(&mut self, lists: &[Bytes], wall: u64) -> Result<Arc<Rules>, MemberError> {
        self.papers.learn(lists, wall)?;
        // Those who wait are to be looked at again.
        self.checked = None;
        Ok(self.papers.rules())
    }

    /// The own certificate's name.
    pub(super) fn me(&self) -> Fingerprint {
        Fingerprint(self.papers.holder().person().fingerprint)
    }

    /// How somebody who waits comes in.
    pub(super) fn way(&self, leaf: LeafRef) -> Option<Way> {
        self.lobby.way(leaf)
    }

    /// The group refused somebody after all.
    pub(super) fn refuse(&mut self, leaf: LeafRef, error: NewcomerError) {
        self.lobby.refuse(leaf, error);
    }

    /// The next order for the group, if there is one; tells of those that cannot be done.
    pub(super) fn next_order(&mut self, group: &Group, link: &mut Link, now: Instant) -> Option<Order> {
        let view = View {
            state: group.state(),
            invitation: self.papers.invitation().content(),
            leads: self.leads(group),
            me: self.papers.holder().person(),
            ceiling: self.papers.ceiling(),
            consent: self.consent.as_ref(),
            wall: link.wall(now),
        };
        let leaf_of = |who: Fingerprint| {
            group.members().iter().find(|member| member.person.fingerprint == who.0).map(|member| member.reference)
        };
        let (order, refused) = self.orders.next(&view, leaf_of);
        for error in refused {
            link.tell(Event::OrderRefused(error));
        }
        order
    }

    /// An order that the group does not carry out after all is given up.
    pub(super) fn give_up_order(&mut self, reason: &Rejection, link: &mut Link) {
        self.orders.give_up();
        let error = match reason {
            Rejection::Ceiling(level) => OrderError::Ceiling(*level),
            Rejection::NotCleared => OrderError::NotCleared,
            Rejection::Consent(_) => OrderError::NoConsent,
            Rejection::NotChair => OrderError::NotChair,
            Rejection::Newcomer { .. }
            | Rejection::Proposal
            | Rejection::Committer
            | Rejection::Outsider
            | Rejection::TooLarge
            | Rejection::Removal { .. }
            | Rejection::Stays { .. }
            | Rejection::State => OrderError::Gone,
        };
        link.tell(Event::OrderRefused(error));
    }

    /// Ends the connections of those whom the group has put out.
    pub(super) fn dismiss(&mut self, group: &Group, neighbours: &Neighbours, link: &mut Link) {
        let mut out = self.orders.dismissals(group.state());
        // Somebody who is to be put out and waits at the door again.
        let waiting = self.orders.ejecting().filter_map(|who| self.lobby.with_certificate(who.0));
        if self.leads(group) {
            out.extend(waiting.filter_map(|leaf| neighbours.arrivals().get(&leaf)).map(|newcomer| newcomer.peer));
        }
        for peer in out {
            link.say(ToRelay::Dismiss { peer, why: Dismissal::Ejected });
        }
    }

    pub(super) fn admit(&mut self, waiting: &[LeafRef], group: &Group, link: &mut Link) {
        if !self.leads(group) {
            link.tell(Event::OrderRefused(OrderError::NotChair));
        } else if waiting.is_empty() {
            self.lobby.grant_all();
        } else {
            for leaf in waiting {
                if !self.lobby.grant(*leaf) {
                    link.tell(Event::OrderRefused(OrderError::Gone));
                }
            }
        }
    }

    pub(super) fn deny(&mut self, leaf: LeafRef, group: &Group, neighbours: &Neighbours, link: &mut Link) {
        if !self.leads(group) {
            link.tell(Event::OrderRefused(OrderError::NotChair));
        } else if let Some(newcomer) = neighbours.arrivals().get(&leaf) {
            link.say(ToRelay::Dismiss { peer: newcomer.peer, why: Dismissal::Denied });
        } else {
            link.tell(Event::OrderRefused(OrderError::Gone));
        }
    }

    pub(super) fn eject(&mut self, leaf: LeafIndex, group: &Group, neighbours: &Neighbours, link: &mut Link) {
        let Some(member) = group.members().iter().find(|member| member.leaf == leaf && leaf != group.me()) else {
            link.tell(Event::OrderRefused(OrderError::Gone));
            return;
        };
        let who = Fingerprint(member.person.fingerprint);
        if self.leads(group)
            && let Some(peer) = neighbours.peer_of(leaf)
        {
            self.orders.note_connection(who, peer);
        }
        self.orders.push(Wanted::Eject(who));
    }

    pub(super) fn order(&mut self, wanted: Wanted) {
        self.orders.push(wanted);
    }

    /// Signs that the level may go down to `to`; returns what the other members are to be told.
    pub(super) fn agree(&mut self, to: Level, group: &Group, link: &mut Link, now: Instant) -> Option<Consent> {
        let holder = self.papers.holder();
        let made = check_originator(self.papers.invitation().content(), holder.person())
            .and_then(|()| group.make_consent(holder, to).map_err(|_: ConsentError| OrderError::Sign));
        match made {
            Ok(consent) => {
                self.hear_consent(consent.clone(), group, link, now);
                Some(consent)
            }
            Err(error) => {
                link.tell(Event::OrderRefused(error));
                None
            }
        }
    }

    /// Takes in what a member says that the originator signed; returns whether it counts.
    pub(super) fn hear_consent(&mut self, consent: Consent, group: &Group, link: &mut Link, now: Instant) -> bool {
        let counts = group.check_consent(&consent, link.wall(now)).is_ok();
        if counts {
            self.consent = Some(consent);
        }
        counts
    }

    /// What the originator, who is this member, has agreed to and is still open.
    pub(super) fn own_consent(&self) -> Option<&Consent> {
        let me = self.papers.holder().person();
        self.consent.as_ref().filter(|_| check_originator(self.papers.invitation().content(), me).is_ok())
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.lead.deadline()
    }

    fn refresh_lead(&mut self, group: &Group, now: Instant) {
        let place = |member: &conclave_e2ee::Member| {
            self.succession.iter().position(|name| name.0 == member.person.fingerprint)
        };
        let taken: Vec<usize> = group.members().iter().filter_map(place).collect();
        self.lead.refresh(taken, now);
        if !self.leads(group) {
            self.lobby.revoke();
        }
        // What was agreed to counts for one change of the level.
        let state = group.state();
        self.consent.take_if(|consent| consent.level_changes != state.level_changes || consent.from != state.level);
    }

    fn refresh_lobby(&mut self, group: &Group, neighbours: &Neighbours, link: &mut Link, now: Instant) {
        let again = self.checked.as_ref() != Some(group.state());
        if again {
            self.checked = Some(group.state().clone());
        }
        let wall = link.wall(now);
        let check = |leaf: LeafRef, key_package: &Bytes| match group.check_newcomer(leaf, key_package, wall) {
            Ok(person) if group.needs_chair(&person) => Finding::AskChair(person),
            Ok(person) => Finding::Free(person),
            Err(refused) if refused.error == NewcomerError::Own => Finding::Myself,
            Err(refused) => Finding::Refused(refused.person, refused.error),
        };
        for (reference, error) in self.lobby.refresh(neighbours.arrivals(), again, check, now) {
            tracing::debug!(%reference, %error, "newcomer refused");
            link.tell(Event::NewcomerRefused { reference, error });
        }
    }

    /// Tells those whom only the lock keeps out that it does, and that it does no more.
    fn explain_lock(&mut self, group: &Group, neighbours: &Neighbours, link: &mut Link) {
        if !self.leads(group) {
            self.locked_out.clear();
            return;
        }
        let arrivals = neighbours.arrivals();
        self.locked_out.retain(|leaf| arrivals.contains_key(leaf));
        let locked: BTreeSet<LeafRef> = self.lobby.locked_out().collect();
        for leaf in locked.symmetric_difference(&self.locked_out) {
            if let Some(newcomer) = arrivals.get(leaf) {
                let why = locked.contains(leaf).then_some(Delay::Locked);
                link.say(ToRelay::Delay { peer: newcomer.peer, why });
            }
        }
        self.locked_out = locked;
    }

    /// Who leads, as far as this member has the patience.
    fn leader(&self, group: &Group) -> Option<LeafIndex> {
        let place = self.lead.leads()?;
        let name = self.succession.get(place)?;
        group.members().iter().find(|member| member.person.fingerprint == name.0).map(|member| member.leaf)
    }

    /// Whether a member of the group is of the signed succession.
    pub(super) fn is_successor(&self, member: &conclave_e2ee::Member) -> bool {
        self.succession.iter().any(|name| name.0 == member.person.fingerprint)
    }

    /// Whether this member leads.
    pub(super) fn leads(&self, group: &Group) -> bool {
        self.leader(group) == Some(group.me())
    }

    fn governance(&self, group: &Group) -> Governance {
        let state = group.state();
        Governance {
            chair: self.leader(group),
            level: state.level,
            locked: state.locked,
            admission: self.papers.invitation().content().admission,
            consent: self.consent.as_ref().map(|consent| consent.to),
            ejected: state.ejected.len(),
            words: group.words().to_vec(),
        }
    }
}
