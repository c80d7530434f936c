//! Why a group does not do what it is asked to.

use conclave_model::{Epoch, LeafIndex, LeafRef, Level};

use crate::{ConsentError, NewcomerError};

#[cfg(doc)]
use crate::MAX_MEMBERS;

/// Why an honest member does not follow a commit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// It adds somebody who may not be a member.
    #[error("it adds {reference}, who is refused: {error}")]
    Newcomer {
        /// Whom.
        reference: LeafRef,
        /// Why.
        error: NewcomerError,
    },
    /// It contains something that no commit of a meeting has: a key from outside, another group, other extensions.
    #[error("it contains a proposal that is not allowed")]
    Proposal,
    /// It gives the committer another identity.
    #[error("it changes the committer's identity")]
    Committer,
    /// It comes from outside the group.
    #[error("it comes from outside the group")]
    Outsider,
    /// More than [`MAX_MEMBERS`].
    #[error("it makes the group too large")]
    TooLarge,
    /// It removes a member whose connection stands, without being the chair's.
    #[error("it removes {reference}, who is here, without right")]
    Removal {
        /// Whom.
        reference: LeafRef,
    },
    /// It raises the level, or ejects somebody, and leaves in whom that puts out.
    #[error("it leaves in {reference}, who may not stay")]
    Stays {
        /// Whom.
        reference: LeafRef,
    },
    /// What the group agrees on afterwards is not what the commit may make of it.
    #[error("it changes what the group has agreed on")]
    State,
    /// Only the acting chair may lock, eject and change the level.
    #[error("only the acting chair may do this")]
    NotChair,
    /// It raises the level above what the relay may carry, or this app's policy allows.
    #[error("it raises the level above {0}")]
    Ceiling(Level),
    /// It raises the level above the chair's own clearance.
    #[error("the chair is not cleared for that level")]
    NotCleared,
    /// It lowers the level without the originator's agreement.
    #[error("it lowers the level: {0}")]
    Consent(ConsentError),
}

/// Why a commit is not made or not followed. The group stays as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// Our misuse: one's own commit still waits for the relay.
    #[error("a commit is pending already")]
    Pending,
    /// Our misuse: there is no commit to accept.
    #[error("no commit is pending")]
    NonePending,
    /// It does not follow the epoch that the group is in.
    #[error("a commit for epoch {found} in epoch {expected}")]
    Epoch {
        /// Which one it is.
        expected: Epoch,
        /// Which one it ends.
        found: Epoch,
    },
    /// No valid MLS commit of a member.
    #[error("not a valid commit of this group")]
    Malformed,
    /// A valid commit that breaks the rules: its author is at fault.
    #[error("the commit of leaf {} is rejected: {reason}", committer.0)]
    Rejected {
        /// Who made it; authenticated.
        committer: LeafIndex,
        /// Why.
        reason: Rejection,
    },
    /// An order that cannot be carried out; nothing else of the work was done either.
    #[error("the order cannot be carried out: {0}")]
    Order(Rejection),
    /// The client has been removed.
    #[error("no longer a member")]
    NoMember,
    /// The cryptographic library failed; the group cannot be used on.
    #[error("the MLS library failed")]
    Library,
}

/// Why a message is not sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// No valid application message of this group, or of an epoch too far back; a replay, too.
    #[error("not a valid message of this group")]
    Malformed,
    /// Its sender has been removed since.
    #[error("the message is of somebody who is no member any more")]
    SenderGone,
    /// The client has been removed.
    #[error("no longer a member")]
    NoMember,
    /// The cryptographic library failed.
    #[error("the MLS library failed")]
    Library,
}
