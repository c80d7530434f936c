//! The properties that hold whatever happens.

use std::{collections::BTreeMap, time::Instant};

use conclave_e2ee::Member;
use conclave_model::{Epoch, LeafIndex, LeafRef, Level, TrackKind};
use conclave_relay_core::ConnectionId;
use conclave_session::Governance;

use crate::media::Stamp;

/// A property that did not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// Two members of one epoch see different members.
    #[error("the members of epoch {epoch} disagree on who is in it")]
    RostersDiffer {
        /// The epoch.
        epoch: Epoch,
    },
    /// Two members of one epoch see the meeting at different levels, locked or not, or with different words.
    #[error("the members of epoch {epoch} disagree on how the meeting is led")]
    StatesDiffer {
        /// The epoch.
        epoch: Epoch,
    },
    /// Somebody is in the group whom neither the invitation nor the chair let in.
    #[error("participant {who} is a member whom nobody let in")]
    Uninvited {
        /// Who.
        who: usize,
    },
    /// Somebody is in the group who was put out for good.
    #[error("participant {who}, ejected with epoch {} of group {}, is a member in epoch {} of group {}",
        since.1, since.0, found.1, found.0)]
    Returned {
        /// Who.
        who: usize,
        /// The group, counted from 1, and the epoch in which they were put out.
        since: (u32, Epoch),
        /// Where they are in again.
        found: (u32, Epoch),
    },
    /// Somebody is in the group whose clearance does not reach.
    #[error("participant {who} is a member at {level} without the clearance")]
    Uncleared {
        /// Who.
        who: usize,
        /// The level.
        level: Level,
    },
    /// A member sees the meeting at a lower level than before, and nobody agreed to that.
    #[error("participant {who} sees the level fall from {from} to {to}")]
    LevelFell {
        /// Who sees it.
        who: usize,
        /// The level before.
        from: Level,
        /// The level now.
        to: Level,
    },
    /// A hostile move did not come to what it must come to.
    #[error("{what} ({action:?}) was to come to {outcome:?}: {detail}")]
    Unseen {
        /// The move, in words.
        what: &'static str,
        /// The move.
        action: crate::Move,
        /// What it was to come to.
        outcome: crate::HostileOutcome,
        /// What was seen instead.
        detail: String,
    },
    /// A member believes that another is kept apart from it, or forges, though nobody does.
    #[error("participant {who} is led to believe that leaf {} {what}", leaf.0)]
    Suspected {
        /// Who believes it.
        who: usize,
        /// Of whom.
        leaf: LeafIndex,
        /// What.
        what: &'static str,
    },
    /// The group did not come to rest in time.
    #[error("the meeting did not converge: {0}")]
    NotConverged(String),
    /// A frame opened that was sent before its receiver became a member.
    #[error("participant {receiver} opened a frame that {sender} sent before {receiver} was a member")]
    OpenedEarlier {
        /// Who opened it.
        receiver: usize,
        /// Who sent it.
        sender: usize,
    },
    /// A frame was said to be of somebody else than who sent it, or of a session that is no member any more.
    #[error("participant {receiver} was told that leaf {} sent what participant {sender} did", leaf.0)]
    WrongSender {
        /// Who opened it.
        receiver: usize,
        /// Who sent it.
        sender: usize,
        /// Who is said to have sent it.
        leaf: LeafIndex,
    },
    /// The content of a frame was not what was sent.
    #[error("participant {receiver} opened a frame with altered content")]
    Altered {
        /// Who opened it.
        receiver: usize,
    },
    /// A frame was given out twice.
    #[error("participant {receiver} was given frame {number} of participant {sender} twice")]
    Twice {
        /// Who opened it.
        receiver: usize,
        /// Who sent it.
        sender: usize,
        /// Which.
        number: u32,
    },
    /// In a quiet meeting somebody hears or sees somebody else not at all.
    #[error("participant {receiver} gets no {track:?} of participant {sender}: {detail}")]
    Silence {
        /// Who gets nothing.
        receiver: usize,
        /// Whose.
        sender: usize,
        /// Which track.
        track: TrackKind,
        /// How long, and what the receiver and the lines were like.
        detail: String,
    },
    /// A queue grew past its bound.
    #[error("{what} holds {length}, more than {bound}")]
    Unbounded {
        /// What.
        what: &'static str,
        /// How many.
        length: usize,
        /// How many it may hold.
        bound: usize,
    },
    /// Something is due again and again without time passing.
    #[error("something is due without end: {0}")]
    Spinning(String),
    /// A session ended that should not have.
    #[error("the session of participant {who} ended: {reason}")]
    Ended {
        /// Whose.
        who: usize,
        /// Why, in words.
        reason: String,
    },
    /// A session refused an honest input.
    #[error("the session of participant {who} refused an input: {error}")]
    Refused {
        /// Whose.
        who: usize,
        /// Why, in words.
        error: String,
    },
    /// The relay accused an honest client.
    #[error("the relay refused participant {who}: {why}")]
    Accused {
        /// Whom.
        who: usize,
        /// Why, in words.
        why: String,
    },
}

/// What a run counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Frames sent.
    pub sent: u64,
    /// Frames opened by somebody.
    pub opened: u64,
    /// Epochs entered, once for each member.
    pub epochs: u64,
    /// Joins that led to membership.
    pub admitted: u64,
    /// What chairs ordered.
    pub orders: u64,
    /// The most rounds in a row in which something was due at once.
    pub longest_rush: u32,
}

/// Watches a run.
#[derive(Default)]
pub(crate) struct Checker {
    /// Counts the groups that were made; epochs begin anew in each.
    group: u32,
    /// Since when a connection is a member, by the relay's order, and of which group.
    member_since: BTreeMap<ConnectionId, (Instant, u32)>,
    /// The first roster seen of each epoch.
    rosters: BTreeMap<(u32, Epoch), Vec<(LeafIndex, LeafRef)>>,
    /// The first state seen of each epoch.
    states: BTreeMap<(u32, Epoch), State>,
    /// Who was put out, and from which group and epoch on.
    ejected: BTreeMap<[u8; 32], (u32, Epoch)>,
    /// The newest frame that each receiving session got of each sending session and track.
    received: BTreeMap<(Receiving, usize, u32, TrackKind), Received>,
    pub(crate) totals: Totals,
}

/// What all members of an epoch see alike: level, lock, how many were ejected, the words.
type State = (Level, bool, usize, Vec<&'static str>);

/// A participant's session.
type Receiving = (usize, u32);

/// What came of one track of one session.
#[derive(Default)]
struct Received {
    /// The numbers that came; few, for a session is short.
    numbers: std::collections::BTreeSet<u32>,
    last: Option<Instant>,
}

impl Checker {
    /// The relay let a connection make a group.
    pub(crate) fn created(&mut self, connection: ConnectionId, now: Instant) {
        self.group += 1;
        self.member_since.insert(connection, (now, self.group));
    }

    /// The relay passed a welcome on: from here on the connection may open frames.
    pub(crate) fn welcomed(&mut self, connection: ConnectionId, now: Instant) {
        self.member_since.insert(connection, (now, self.group));
    }

    /// A member sees this roster.
    pub(crate) fn roster(
        &mut self,
        connection: ConnectionId,
        epoch: Epoch,
        members: &[Member],
    ) -> Result<(), Violation> {
        let roster: Vec<_> = members.iter().map(|member| (member.leaf, member.reference)).collect();
        self.totals.epochs += 1;
        let group = self.group_of(connection);
        let first = self.rosters.entry((group, epoch)).or_insert_with(|| roster.clone());
        if *first == roster { Ok(()) } else { Err(Violation::RostersDiffer { epoch }) }
    }

    /// A member sees the meeting led so.
    pub(crate) fn governance(
        &mut self,
        connection: ConnectionId,
        epoch: Epoch,
        governance: &Governance,
    ) -> Result<(), Violation> {
        let state: State = (governance.level, governance.locked, governance.ejected, governance.words.clone());
        let first = self.states.entry((self.group_of(connection), epoch)).or_insert_with(|| state.clone());
        if *first == state { Ok(()) } else { Err(Violation::StatesDiffer { epoch }) }
    }

    /// Somebody was put out, with the commit that ended `last`.
    pub(crate) fn ejected(&mut self, who: [u8; 32], connection: ConnectionId, last: Epoch) {
        let since = (self.group_of(connection), last.next());
        self.ejected.entry(who).or_insert(since);
    }

    /// Checks that somebody was not put out before the epoch that a connection is in.
    pub(crate) fn not_ejected(
        &self,
        who: usize,
        name: &[u8; 32],
        connection: ConnectionId,
        epoch: Epoch,
    ) -> Result<(), Violation> {
        let found = (self.group_of(connection), epoch);
        match self.ejected.get(name) {
            Some(since) if *since <= found => Err(Violation::Returned { who, since: *since, found }),
            Some(_) | None => Ok(()),
        }
    }

    fn group_of(&self, connection: ConnectionId) -> u32 {
        self.member_since.get(&connection).map_or(self.group, |(_, group)| *group)
    }

    /// A session opened a frame.
    pub(crate) fn opened(
        &mut self,
        receiving: Receiving,
        connection: Option<ConnectionId>,
        stamp: &Stamp,
        now: Instant,
    ) -> Result<(), Violation> {
        let (receiver, sender) = (receiving.0, stamp.who);
        let since = connection.and_then(|connection| self.member_since.get(&connection));
        if since.is_none_or(|(since, _)| stamp.sent < *since) {
            return Err(Violation::OpenedEarlier { receiver, sender });
        }
        let track = self.received.entry((receiving, sender, stamp.session, stamp.track)).or_default();
        track.last = Some(now);
        if !track.numbers.insert(stamp.number) {
            return Err(Violation::Twice { receiver, sender, number: stamp.number });
        }
        self.totals.opened += 1;
        Ok(())
    }

    /// When the last frame of a track came.
    pub(crate) fn last(&self, receiving: Receiving, sending: (usize, u32), track: TrackKind) -> Option<Instant> {
        self.received.get(&(receiving, sending.0, sending.1, track)).and_then(|received| received.last)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const LISTENER: Receiving = (1, 1);

    /// A relay's connection of some checker under test: real ids are only made by a relay.
    fn connections() -> (ConnectionId, ConnectionId) {
        let base = Instant::now();
        let mut simulation = crate::Simulation::new(2, 0, base).unwrap();
        for (who, person) in simulation.participants.iter_mut().enumerate() {
            person.wants_in = true;
            person.comes_at = Some(base + Duration::from_millis(who as u64));
        }
        simulation.run_until(base + Duration::from_secs(2)).unwrap();
        let connection = |who: usize| simulation.participants[who].presence.as_ref().and_then(|here| here.connection);
        (connection(0).unwrap(), connection(1).unwrap())
    }

    fn stamp(number: u32, sent: Instant) -> Stamp {
        Stamp { who: 0, session: 1, track: TrackKind::Microphone, number, sent }
    }

    #[test]
    fn a_frame_from_before_membership_and_one_given_twice_are_violations() {
        let (first, second) = connections();
        let start = Instant::now();
        let later = start + Duration::from_secs(1);
        let mut checker = Checker::default();
        checker.created(first, start);
        let opened = Violation::OpenedEarlier { receiver: 1, sender: 0 };
        assert_eq!(checker.opened(LISTENER, Some(second), &stamp(1, later), later), Err(opened.clone()));
        assert_eq!(checker.opened(LISTENER, None, &stamp(1, later), later), Err(opened.clone()));
        checker.welcomed(second, later);
        assert_eq!(checker.opened(LISTENER, Some(second), &stamp(1, start), later), Err(opened));
        assert_eq!(checker.opened(LISTENER, Some(second), &stamp(2, later), later), Ok(()));
        let twice = Violation::Twice { receiver: 1, sender: 0, number: 2 };
        assert_eq!(checker.opened(LISTENER, Some(second), &stamp(2, later), later), Err(twice));
        assert_eq!(checker.last(LISTENER, (0, 1), TrackKind::Microphone), Some(later));
    }

    #[test]
    fn two_rosters_of_one_epoch_are_a_violation_and_a_new_group_begins_anew() {
        let (first, second) = connections();
        let now = Instant::now();
        let mut checker = Checker::default();
        let rehearsal = conclave_identity::issue::RehearsalSpec::new(1, 1_800_000_000);
        let rehearsal = conclave_identity::issue::Rehearsal::new(&rehearsal).unwrap();
        let person = rehearsal.holders[0].person().clone();
        let roster = [Member { leaf: LeafIndex(0), reference: LeafRef([1; 16]), person: person.clone() }];
        let other = [Member { leaf: LeafIndex(0), reference: LeafRef([2; 16]), person }];
        checker.created(first, now);
        assert_eq!(checker.roster(first, Epoch(1), &roster), Ok(()));
        assert_eq!(checker.roster(first, Epoch(1), &roster), Ok(()));
        assert_eq!(checker.roster(first, Epoch(1), &other), Err(Violation::RostersDiffer { epoch: Epoch(1) }));
        assert_eq!(checker.roster(first, Epoch(2), &other), Ok(()));
        checker.created(second, now);
        assert_eq!(checker.roster(second, Epoch(1), &other), Ok(()));
    }
}
