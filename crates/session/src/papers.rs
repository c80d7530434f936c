//! What a participant brings to a meeting: credential, invitation, memory, and what the relay adds.

use std::sync::Arc;

use bytes::Bytes;
use conclave_e2ee::{Memory, Rules, succession};
use conclave_identity::{Admission, Holder, Invitation, MemberError, Revocations, check_member};
use conclave_model::{Fingerprint, Level};

/// Everything by which a participant judges and is judged.
#[derive(Clone, Debug)]
pub(crate) struct Papers {
    holder: Holder,
    invitation: Invitation,
    /// The highest level that relay and app allow.
    ceiling: Level,
    memory: Option<Memory>,
    /// Lists that the relay gave, checked.
    revocations: Revocations,
}

impl Papers {
    pub(crate) fn new(holder: Holder, invitation: Invitation, ceiling: Level, memory: Option<Memory>) -> Self {
        Self { holder, invitation, ceiling, memory, revocations: Revocations::default() }
    }

    /// The rules that follow from them.
    pub(crate) fn rules(&self) -> Arc<Rules> {
        Arc::new(Rules {
            invitation: self.invitation.clone(),
            root: self.holder.root().clone(),
            revocations: self.revocations.clone(),
            ceiling: self.ceiling,
            memory: self.memory.clone(),
        })
    }

    /// Checks the own credential as every member would.
    ///
    /// The level is that at which the meeting was last seen, or else the invitation's: the group's own is learned inside.
    pub(crate) fn check_own(&self, wall: u64) -> Result<(), MemberError> {
        let seen = self.memory.as_ref().map(|memory| memory.state());
        let meeting = self.invitation.content();
        let level = seen.filter(|state| state.meeting == meeting.meeting).map_or(meeting.level, |state| state.level);
        let (chain, root) = (self.holder.chain(), self.holder.root());
        check_member(chain, &self.invitation, root, &self.revocations, level, wall).map(|_| ())
    }

    /// Takes over the revocation lists that the relay has, and checks the own credential again.
    ///
    /// Lists that do not hold are left out: a relay that would keep one from its clients need not send it.
    pub(crate) fn learn(&mut self, lists: &[Bytes], wall: u64) -> Result<(), MemberError> {
        let authorities = self.holder.chain().get(1..).unwrap_or_default();
        for list in lists {
            match Revocations::verify([list.as_ref()], authorities, self.holder.root()) {
                Ok(verified) => self.revocations = self.revocations.merged(&verified),
                Err(error) => tracing::warn!(%error, "a revocation list of the relay is left out"),
            }
        }
        self.check_own(wall)
    }

    /// Whether the participant waits in a lobby for the chair, as far as can be told from outside.
    pub(crate) fn waits_for_chair(&self) -> bool {
        let me = Fingerprint(self.holder.person().fingerprint);
        self.invitation.content().admission == Admission::Lobby && !succession(&self.invitation).contains(&me)
    }

    pub(crate) fn holder(&self) -> &Holder {
        &self.holder
    }

    pub(crate) fn invitation(&self) -> &Invitation {
        &self.invitation
    }

    pub(crate) fn ceiling(&self) -> Level {
        self.ceiling
    }

    pub(crate) fn memory(&self) -> Option<&Memory> {
        self.memory.as_ref()
    }
}
