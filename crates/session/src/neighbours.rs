//! Who is connected to the relay, as it says.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use conclave_e2ee::Member;
use conclave_model::{
    LeafIndex, LeafRef, PeerId,
    wire::signal::{Arrival, Joined, Neighbour},
};

/// The most connections that are remembered.
const MAX_NEIGHBOURS: usize = 512;

/// The longest key package that is kept, in bytes; one with a certificate chain has about 10 kB.
const MAX_KEY_PACKAGE: usize = 64 << 10;

/// The connections of the meeting, oneself excepted.
///
/// The relay's word: enough to route requests and to know whom to look at, never to believe in somebody.
#[derive(Debug, Default)]
pub(crate) struct Neighbours {
    leaves: BTreeMap<PeerId, LeafRef>,
    arrivals: BTreeMap<LeafRef, Newcomer>,
    /// Members whose certificates have been revoked.
    revoked: BTreeSet<LeafRef>,
    /// Leaf of each connection whose leaf is a member.
    routes: BTreeMap<PeerId, LeafIndex>,
}

/// Somebody who waits to be added.
#[derive(Clone, Debug)]
pub(crate) struct Newcomer {
    pub(crate) peer: PeerId,
    pub(crate) key_package: Bytes,
}

impl Neighbours {
    pub(crate) fn new(joined: &Joined) -> Self {
        let mut all = Self::default();
        for Neighbour { peer, leaf } in joined.neighbours.iter().take(MAX_NEIGHBOURS) {
            all.leaves.insert(*peer, *leaf);
        }
        all
    }

    /// Notes that somebody came; returns whether there was room for them.
    pub(crate) fn arrived(&mut self, arrival: Arrival) -> bool {
        let Arrival { who: Neighbour { peer, leaf }, key_package } = arrival;
        let is_full = self.leaves.len() >= MAX_NEIGHBOURS && !self.leaves.contains_key(&peer);
        if is_full || key_package.len() > MAX_KEY_PACKAGE {
            return false;
        }
        self.leaves.insert(peer, leaf);
        self.arrivals.insert(leaf, Newcomer { peer, key_package });
        true
    }

    /// Notes that somebody went.
    pub(crate) fn departed(&mut self, who: Neighbour) {
        self.leaves.remove(&who.peer);
        self.routes.remove(&who.peer);
        if !self.is_present(who.leaf) {
            self.arrivals.remove(&who.leaf);
        }
    }

    /// Takes over who is a member now.
    pub(crate) fn set_members(&mut self, members: &[Member]) {
        self.arrivals.retain(|leaf, _| members.iter().all(|member| member.reference != *leaf));
        self.routes.clear();
        for (peer, reference) in &self.leaves {
            if let Some(member) = members.iter().find(|member| member.reference == *reference) {
                self.routes.insert(*peer, member.leaf);
            }
        }
    }

    /// Those who wait to be added.
    pub(crate) fn arrivals(&self) -> &BTreeMap<LeafRef, Newcomer> {
        &self.arrivals
    }

    /// Whether a leaf has a connection, and nothing speaks against it.
    pub(crate) fn is_present(&self, leaf: LeafRef) -> bool {
        !self.revoked.contains(&leaf) && self.leaves.values().any(|other| *other == leaf)
    }

    /// Those whose certificates have been revoked count as gone: whoever's turn it is takes them out of the group.
    pub(crate) fn set_revoked(&mut self, revoked: BTreeSet<LeafRef>) {
        self.revoked = revoked;
    }

    pub(crate) fn is_revoked(&self, leaf: LeafRef) -> bool {
        self.revoked.contains(&leaf)
    }

    /// Whether nobody else is connected.
    pub(crate) fn is_empty(&self) -> bool {
        self.leaves.is_empty()
    }

    /// Which member a connection belongs to.
    pub(crate) fn leaf_of(&self, peer: PeerId) -> Option<LeafIndex> {
        self.routes.get(&peer).copied()
    }

    /// Which connection a member has.
    pub(crate) fn peer_of(&self, leaf: LeafIndex) -> Option<PeerId> {
        self.routes.iter().find(|(_, other)| **other == leaf).map(|(peer, _)| *peer)
    }
}
