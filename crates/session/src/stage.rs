//! Who may share a screen: one member at a time.
//!
//! Two kinds of messages make it up, both authenticated by the leaf that sends them. A member's [`Claim`] says what it
//! wants or does: nothing, ask, share. The [`Word`] of the one who decides says who may. A screen is shown where both
//! agree and its label is no higher than the meeting's level. Who decides follows from the group alone: the first of the
//! signed succession who is a member; in a meeting where sharing is open and none of these is there, the member with
//! the lowest leaf, whose app says yes to whoever asks while nobody shares. Neither kind undoes or repeats what a later
//! one of the same sender said, in whatever order a relay delivers them.

mod shares;

use std::time::{Duration, Instant};

use conclave_identity::Sharing;
use conclave_model::{LeafIndex, LeafRef, Level};
use serde::{Deserialize, Serialize};

pub(crate) use shares::{Shares, Taken};

/// Who shares a screen, who may, and who would like to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stage {
    /// By whose leave, as the invitation says.
    pub rule: Sharing,
    /// Who gives it at the moment; `None` where nobody can.
    pub decides: Option<LeafIndex>,
    /// Who may share at the moment.
    pub holder: Option<LeafIndex>,
    /// What is shared.
    pub shared: Option<Shared>,
    /// Who asks, longest first.
    pub requests: Vec<ShareRequest>,
}

/// A shared screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shared {
    /// Who shares it.
    pub leaf: LeafIndex,
    /// The level of what it shows, as the sharer says; at most the meeting's.
    pub label: Level,
    /// Since when, as far as this member knows.
    pub since: Instant,
}

/// Somebody who would like to share a screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShareRequest {
    /// Who.
    pub leaf: LeafIndex,
    /// The level of what they would show.
    pub label: Level,
    /// Since when, as far as this member knows.
    pub since: Instant,
}

/// What a participant wants of sharing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ShareCommand {
    /// Asks for the leave to share something of this level; where sharing is open it comes by itself.
    Ask(Level),
    /// Shares something of this level from now on; needs the leave, or to be the chair, who shares in the place of
    /// whoever does. Again with another level it changes the label.
    Begin(Level),
    /// Ends the own sharing, takes the request back, or gives the leave back.
    Stop,
    /// Lets a member share, in the place of whoever does. The chair's.
    Grant(LeafIndex),
    /// Does not let a member share who asks. The chair's.
    Deny(LeafIndex),
    /// Ends the sharing of whoever does, and takes back a leave that nobody uses yet. The chair's.
    StopSharer,
}

/// What became of the own wish to share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ShareNews {
    /// The own screen may be shared now.
    Granted,
    /// It may not.
    Denied,
    /// It may not any more: the chair stopped it, or gave the leave to somebody else.
    Stopped,
    /// The level of the meeting went below the label, so the sharing ended.
    LevelLowered(Level),
}

/// Why a wish about sharing cannot be met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ShareError {
    /// The chair has not let this member share.
    #[error("the chair has not let you share")]
    NoLeave,
    /// The label is above the level of the meeting, which this is.
    #[error("the meeting is at {0}; raise its level first")]
    LabelAbove(Level),
    /// Somebody else shares, and it is not the chair who asks.
    #[error("somebody else shares a screen")]
    Busy(LeafIndex),
    /// Nobody is here who could let anybody share.
    #[error("nobody is here who could let you share")]
    NobodyDecides,
    /// Somebody else leads the meeting, or nobody.
    #[error("only the chair can do this")]
    NotChair,
    /// Whom it concerns is not there any more, does not ask or does not share.
    #[error("they do not ask or share any more")]
    Gone,
}

/// Why a member's screen is not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ShareFault {
    /// Nobody who may has let the member share.
    NoLeave,
    /// The member does not say which level the screen has.
    NoLabel,
    /// The label is above the meeting's level.
    LabelAbove(Level),
    /// The member lets others share without being the one who decides; no frames come with it.
    NotDeciding,
}

/// What a member wants or does, as a whole; the one with the highest number counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claim {
    pub(crate) number: u64,
    pub(crate) what: What,
}

/// The content of a [`Claim`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum What {
    #[default]
    Nothing,
    /// Would like to share something of this level.
    Asks(Level),
    /// Shares something of this level.
    Shares(Level),
}

/// Who may share, by the one who decides; of one sender the one with the highest turn counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Word {
    pub(crate) turn: u64,
    pub(crate) holder: Option<LeafRef>,
    /// Whose request is denied, and the number of the claim that made it.
    pub(crate) denied: Option<(LeafRef, u64)>,
}

/// What a member of the group is, as far as sharing is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) reference: LeafRef,
    pub(crate) leaf: LeafIndex,
    /// Whether the member is of the signed succession.
    pub(crate) is_successor: bool,
}

/// What the group says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scene<'a> {
    /// The members.
    pub(crate) members: &'a [Place],
    pub(crate) level: Level,
    /// The first of the succession who is a member.
    pub(crate) chair: Option<LeafRef>,
    /// Whether this member leads, with the patience that those before it deserve.
    pub(crate) leads: bool,
}

/// What is to be said to the members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Say {
    Claim(Claim),
    Word(Word),
}

/// Words of who decided before, and frames of who shared before, may be under way for this long.
pub(crate) const GRACE: Duration = Duration::from_secs(3);

/// Who decides: a pure function of what the group agrees on.
pub(crate) fn decides(rule: Sharing, scene: &Scene<'_>) -> Option<LeafRef> {
    let lowest = || scene.members.iter().min_by_key(|place| place.leaf).map(|place| place.reference);
    match (scene.chair, rule) {
        (Some(chair), _) => Some(chair),
        (None, Sharing::Open) => lowest(),
        (None, Sharing::Granted) => None,
    }
}

/// Whether a screen is shown, and why not: a pure function of the holder and of what the member claims.
pub(crate) fn may_show(who: LeafRef, holder: Option<LeafRef>, claim: What, level: Level) -> Result<Level, ShareFault> {
    match claim {
        _ if holder != Some(who) => Err(ShareFault::NoLeave),
        What::Shares(label) if label > level => Err(ShareFault::LabelAbove(label)),
        What::Shares(label) => Ok(label),
        What::Nothing | What::Asks(_) => Err(ShareFault::NoLabel),
    }
}

/// Whether something of this level may be shown at all.
pub(crate) fn check_label(label: Level, level: Level) -> Result<(), ShareError> {
    if label > level { Err(ShareError::LabelAbove(level)) } else { Ok(()) }
}
