//! Who is in the group, and by which key they sign media.

use std::collections::BTreeMap;

use conclave_model::{LeafIndex, LeafRef};

use super::Member;
use crate::media_key::PUBLIC;

/// The members, by leaf, each with the media key that the identity key has signed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Roster {
    members: Vec<Member>,
    media: BTreeMap<LeafIndex, [u8; PUBLIC]>,
}

impl Roster {
    pub(crate) fn push(&mut self, member: Member, media: [u8; PUBLIC]) {
        self.media.insert(member.leaf, media);
        let place = self.members.partition_point(|other| other.leaf < member.leaf);
        self.members.insert(place, member);
    }

    /// The members, sorted by leaf.
    pub(crate) fn members(&self) -> &[Member] {
        &self.members
    }

    pub(crate) fn into_members(self) -> Vec<Member> {
        self.members
    }

    /// The media key of each leaf.
    pub(crate) fn media(&self) -> &BTreeMap<LeafIndex, [u8; PUBLIC]> {
        &self.media
    }

    /// A member and its media key.
    pub(crate) fn find(&self, reference: LeafRef) -> Option<(&Member, [u8; PUBLIC])> {
        let member = self.members.iter().find(|member| member.reference == reference)?;
        Some((member, *self.media.get(&member.leaf)?))
    }
}
