//! Whether somebody who may lead the meeting has shown to be in this very group.
//!
//! A group is made by one client, and whoever comes later sees only what it has become. A listed member together with
//! the relay could make a group of their own and bring others into it, with the chair's leaf in it as well: the key
//! package passes through their hands. What they cannot make is a signature by a leaf of the succession over this
//! group's own secrets, and an honest app of the succession is in no group that let somebody in past the lobby.

use conclave_identity::Admission;
use conclave_model::{Epoch, LeafIndex};

use super::Group;
use crate::governance::{fingerprint, succession};

/// Whether somebody of the signed succession vouches for the group that this member is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Vouching {
    /// Somebody does: they opened it, signed the welcome or a commit since, or gave a sign of life in it. Meetings
    /// without lobby, which anybody on the list may open, need nobody.
    Given,
    /// Another of the succession has a leaf in the group, and has not shown that it is their doing.
    Awaited,
    /// Nobody else of the succession is in the group.
    Nobody,
}

impl Group {
    /// Whether somebody of the signed succession vouches for the group, with this member in it.
    ///
    /// Once given it stays so: every epoch contains what led to it.
    pub fn vouching(&self) -> Vouching {
        let needs_none = self.rules.invitation.content().admission == Admission::Open;
        let others = self.members().iter().filter(|member| member.leaf != self.me());
        match others.map(|member| member.leaf).find(|leaf| self.is_of_succession(*leaf)) {
            _ if needs_none || self.vouched => Vouching::Given,
            Some(_) => Vouching::Awaited,
            None => Vouching::Nobody,
        }
    }

    /// Whether this member may lead by the signed succession, when its turn comes.
    pub fn am_of_succession(&self) -> bool {
        self.is_of_succession(self.me())
    }

    /// The member at `leaf` has signed something that only a member of `epoch` can.
    pub(super) fn vouch(&mut self, leaf: LeafIndex, epoch: Epoch) {
        // The leaf of an older epoch may have another holder now.
        self.vouched |= epoch == self.epoch() && self.is_of_succession(leaf);
    }

    /// Whether the member at `leaf` is named in the signed succession of the chair.
    pub fn is_of_succession(&self, leaf: LeafIndex) -> bool {
        let name = self.member(leaf).map(|member| fingerprint(&member.person));
        name.is_some_and(|name| succession(&self.rules.invitation).contains(&name))
    }
}
