//! One meeting: who is connected, which epoch is current, and who objects to the commits that led to it.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::{Duration, Instant},
};

use conclave_model::{Bitrate, Epoch, Fingerprint, LeafRef, PeerId, wire::signal::Neighbour};

use crate::relay::ConnectionId;

/// How many of those who left are remembered, for what was under way when they did.
const REMEMBERED: usize = 64;

/// How long a commit may be objected to. Members check one as soon as it comes; the rest is for slow lines.
const CONTESTABLE: Duration = Duration::from_secs(10);

/// How many commits may be objected to at once. Not only the last: whoever makes a bad one could hide it under another.
const RECENT: usize = 1024;

/// A meeting for as long as somebody is connected.
#[derive(Debug, Default)]
pub(crate) struct Meeting {
    /// The epoch that the next commit ends.
    epoch: Epoch,
    peers: BTreeMap<PeerId, ConnectionId>,
    last_number: u16,
    gone: VecDeque<Former>,
    recent: VecDeque<Recent>,
    /// What the sound of all takes together.
    pub(crate) sound: Bitrate,
}

/// Somebody who is or was connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Former {
    pub(crate) who: Neighbour,
    pub(crate) fingerprint: Fingerprint,
    /// The place in the succession of the chair.
    pub(crate) rank: Option<u16>,
    /// When the meeting's time window ends.
    pub(crate) until: Instant,
}

/// A commit of the last seconds.
#[derive(Debug)]
struct Recent {
    /// The epoch that it ended.
    ended: Epoch,
    committer: ConnectionId,
    /// How many were to follow it.
    followers: usize,
    objectors: BTreeSet<ConnectionId>,
    at: Instant,
}

/// What an objection came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Vote {
    /// Nothing: no such commit, too late, said before, or by the one who made it.
    Void,
    /// It counts, and there are not enough.
    Counted,
    /// Most object. The epoch that the commit ended is current again.
    Carried { committer: ConnectionId },
}

impl Meeting {
    /// A number that nobody in the meeting has, the same again only after all others were used.
    ///
    /// `None` where 65,535 peers are connected.
    pub(crate) fn enter(&mut self, connection: ConnectionId) -> Option<PeerId> {
        let free = (1..=u16::MAX)
            .map(|step| PeerId(self.last_number.wrapping_add(step)))
            .find(|number| number.0 != 0 && !self.peers.contains_key(number))?;
        self.last_number = free.0;
        self.peers.insert(free, connection);
        Some(free)
    }

    pub(crate) fn leave(&mut self, former: Former) {
        self.peers.remove(&former.who.peer);
        if self.gone.len() == REMEMBERED {
            self.gone.pop_front();
        }
        self.gone.push_back(former);
    }

    /// Somebody makes the group anew. Returns its first epoch.
    pub(crate) fn begin(&mut self) -> Epoch {
        self.epoch = Epoch::default();
        self.recent.clear();
        self.epoch
    }

    pub(crate) fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Ends the epoch if it is the current one; otherwise says which is. `followers` members besides the committer are
    /// to follow.
    pub(crate) fn advance(
        &mut self,
        ended: Epoch,
        committer: ConnectionId,
        followers: usize,
        now: Instant,
    ) -> Result<Epoch, Epoch> {
        if ended != self.epoch {
            return Err(self.epoch);
        }
        self.epoch = self.epoch.next();
        self.forget(now);
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(Recent { ended, committer, followers, objectors: BTreeSet::new(), at: now });
        Ok(self.epoch)
    }

    /// Notes that a member of the epoch `ended` does not follow the commit that ended it.
    ///
    /// More than half of those who were to follow must say so. Who left since then still counts among them: a meeting
    /// that breaks up leaves nobody behind who alone could undo what all others followed. One objection alone is one
    /// word against another: it carries only where `outranks` says so of the committer.
    pub(crate) fn object(
        &mut self,
        ended: Epoch,
        who: ConnectionId,
        outranks: impl FnOnce(ConnectionId) -> bool,
        now: Instant,
    ) -> Vote {
        self.forget(now);
        let Some(place) = self.recent.iter().position(|recent| recent.ended == ended) else { return Vote::Void };
        let Recent { committer, followers, objectors, .. } = &mut self.recent[place];
        let committer = *committer;
        if committer == who || !objectors.insert(who) {
            return Vote::Void;
        }
        if 2 * objectors.len() <= *followers || (objectors.len() == 1 && !outranks(committer)) {
            return Vote::Counted;
        }
        self.recent.truncate(place);
        self.epoch = ended;
        Vote::Carried { committer }
    }

    fn forget(&mut self, now: Instant) {
        while self.recent.front().is_some_and(|recent| recent.at + CONTESTABLE <= now) {
            self.recent.pop_front();
        }
    }

    pub(crate) fn connection(&self, number: PeerId) -> Option<ConnectionId> {
        self.peers.get(&number).copied()
    }

    /// Everybody connected, in the order of their numbers.
    pub(crate) fn connections(&self) -> impl Iterator<Item = ConnectionId> {
        self.peers.values().copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.peers.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.peers.is_empty()
    }

    /// Somebody who left not long ago.
    pub(crate) fn former(&self, peer: PeerId) -> Option<Former> {
        self.gone.iter().rev().find(|gone| gone.who.peer == peer).copied()
    }

    /// The leaf of somebody who left not long ago.
    pub(crate) fn leaf_of_gone(&self, peer: PeerId) -> Option<LeafRef> {
        self.former(peer).map(|gone| gone.who.leaf)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn numbers_are_not_reused_while_others_are_free() {
        let mut meeting = Meeting::default();
        let first = meeting.enter(ConnectionId(1)).unwrap();
        let who = Neighbour { peer: first, leaf: LeafRef([1; 16]) };
        meeting.leave(Former { who, fingerprint: Fingerprint([1; 32]), rank: None, until: Instant::now() });
        assert_ne!(meeting.enter(ConnectionId(2)).unwrap(), first);
        assert_eq!(meeting.leaf_of_gone(first), Some(LeafRef([1; 16])));
    }

    #[test]
    fn numbers_wrap_around_those_in_use() {
        let mut meeting = Meeting { last_number: u16::MAX - 1, ..Meeting::default() };
        assert_eq!(meeting.enter(ConnectionId(1)), Some(PeerId(u16::MAX)));
        assert_eq!(meeting.enter(ConnectionId(2)), Some(PeerId(1)));
        meeting.last_number = u16::MAX - 1;
        assert_eq!(meeting.enter(ConnectionId(3)), Some(PeerId(2)));
    }

    #[test]
    fn only_the_current_epoch_can_be_ended() {
        let mut meeting = Meeting::default();
        let mut advance = |epoch| meeting.advance(Epoch(epoch), ConnectionId(1), 2, Instant::now());
        assert_eq!(advance(1), Err(Epoch(0)));
        assert_eq!(advance(0), Ok(Epoch(1)));
        assert_eq!(advance(0), Err(Epoch(1)));
    }

    #[test]
    fn it_takes_more_than_half() {
        for (followers, needed) in [(1, 1), (2, 2), (3, 2), (4, 3), (9, 5)] {
            let mut meeting = Meeting::default();
            let now = Instant::now();
            meeting.advance(Epoch(0), ConnectionId(0), followers, now).unwrap();
            let votes: Vec<_> =
                (1..=needed).map(|who| meeting.object(Epoch(0), ConnectionId(who), |_| true, now)).collect();
            let (last, before) = votes.split_last().unwrap();
            assert_eq!(*last, Vote::Carried { committer: ConnectionId(0) }, "{followers} followers");
            assert!(before.iter().all(|vote| *vote == Vote::Counted), "{followers} followers: {before:?}");
            assert_eq!(meeting.epoch(), Epoch(0));
        }
    }

    #[test]
    fn one_word_against_another_counts_by_rank() {
        let now = Instant::now();
        for (followers, outranks, carried) in [(1, true, true), (1, false, false), (2, true, false)] {
            let mut meeting = Meeting::default();
            meeting.advance(Epoch(0), ConnectionId(0), followers, now).unwrap();
            let vote = meeting.object(Epoch(0), ConnectionId(1), |_| outranks, now);
            assert_eq!(matches!(vote, Vote::Carried { .. }), carried, "{followers} followers, {outranks}");
        }
        let mut meeting = Meeting::default();
        meeting.advance(Epoch(0), ConnectionId(0), 2, now).unwrap();
        assert_eq!(meeting.object(Epoch(0), ConnectionId(1), |_| false, now), Vote::Counted);
        let vote = meeting.object(Epoch(0), ConnectionId(2), |_| false, now);
        assert_eq!(vote, Vote::Carried { committer: ConnectionId(0) }, "two are more than one, whoever they are");
    }

    #[test]
    fn a_commit_cannot_be_hidden_under_others() {
        let mut meeting = Meeting::default();
        let now = Instant::now();
        for epoch in 0..500 {
            meeting.advance(Epoch(epoch), ConnectionId(epoch), 1, now).unwrap();
        }
        let vote = meeting.object(Epoch(7), ConnectionId(1000), |_| true, now + Duration::from_secs(9));
        assert_eq!((vote, meeting.epoch()), (Vote::Carried { committer: ConnectionId(7) }, Epoch(7)));
        assert_eq!(
            meeting.object(Epoch(8), ConnectionId(1000), |_| true, now),
            Vote::Void,
            "what was built on it is gone too"
        );
        assert!(meeting.recent.len() <= 7);
    }

    #[test]
    fn late_double_and_own_objections_are_void() {
        let mut meeting = Meeting::default();
        let now = Instant::now();
        meeting.advance(Epoch(0), ConnectionId(1), 3, now).unwrap();
        assert_eq!(meeting.object(Epoch(0), ConnectionId(1), |_| true, now), Vote::Void);
        assert_eq!(meeting.object(Epoch(5), ConnectionId(2), |_| true, now), Vote::Void);
        assert_eq!(meeting.object(Epoch(0), ConnectionId(2), |_| true, now), Vote::Counted);
        assert_eq!(meeting.object(Epoch(0), ConnectionId(2), |_| true, now), Vote::Void);
        assert_eq!(meeting.object(Epoch(0), ConnectionId(3), |_| true, now + CONTESTABLE), Vote::Void);
        assert_eq!(meeting.epoch(), Epoch(1));
    }

    #[test]
    fn commits_that_nobody_objects_to_are_forgotten() {
        let mut meeting = Meeting::default();
        let now = Instant::now();
        for epoch in 0..5000 {
            meeting.advance(Epoch(epoch), ConnectionId(1), 1, now).unwrap();
        }
        assert_eq!(meeting.recent.len(), RECENT);
        meeting.advance(Epoch(5000), ConnectionId(1), 1, now + CONTESTABLE).unwrap();
        assert_eq!(meeting.recent.len(), 1);
    }
}
