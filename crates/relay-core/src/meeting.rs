//! One meeting: who is connected, and which epoch is current.

use std::collections::{BTreeMap, VecDeque};

use conclave_model::{Epoch, LeafRef, PeerId, wire::signal::Neighbour};

use crate::relay::ConnectionId;

/// How many of those who left are remembered, for commits that were under way when they did.
const REMEMBERED: usize = 64;

/// A meeting for as long as somebody is connected.
#[derive(Debug, Default)]
pub(crate) struct Meeting {
    /// The epoch that the next commit ends.
    epoch: Epoch,
    peers: BTreeMap<PeerId, ConnectionId>,
    last_number: u16,
    gone: VecDeque<Neighbour>,
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

    pub(crate) fn leave(&mut self, who: Neighbour) {
        self.peers.remove(&who.peer);
        if self.gone.len() == REMEMBERED {
            self.gone.pop_front();
        }
        self.gone.push_back(who);
    }

    /// Ends the epoch if it is the current one; otherwise says which is.
    pub(crate) fn advance(&mut self, ended: Epoch) -> Result<Epoch, Epoch> {
        if ended != self.epoch {
            return Err(self.epoch);
        }
        self.epoch = self.epoch.next();
        Ok(self.epoch)
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

    /// The leaf of somebody who left not long ago.
    pub(crate) fn leaf_of_gone(&self, peer: PeerId) -> Option<LeafRef> {
        self.gone.iter().rev().find(|gone| gone.peer == peer).map(|gone| gone.leaf)
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
        meeting.leave(Neighbour { peer: first, leaf: LeafRef([1; 16]) });
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
        assert_eq!(meeting.advance(Epoch(1)), Err(Epoch(0)));
        assert_eq!(meeting.advance(Epoch(0)), Ok(Epoch(1)));
        assert_eq!(meeting.advance(Epoch(0)), Err(Epoch(1)));
    }
}
