//! What the window shows: the state of a meeting at one moment.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use conclave_capture::{CaptureError, ScreenChoice, ScreenPause};
use conclave_model::{Bitrate, Epoch, Layer, LeafIndex, Level, Person, wire::signal::Refusal};
use conclave_session::{Doubt, Governance, SourceState, Stage, Standing, Waiting};

use crate::{ConnectError, media::VoiceMode};

/// Everything about a meeting at one moment. Replaced as a whole, so its parts fit each other.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Where the client stands with the meeting.
    pub phase: Phase,
    /// The title, from the signed invitation.
    pub title: String,
    /// The warning that the invitation asks to show, if any.
    pub warning: Option<String>,
    /// The classification: the group's own while a member, the signed invitation's before.
    pub level: Level,
    /// How the meeting is led; `None` while not a member.
    pub governance: Option<Governance>,
    /// Who waits in the lobby, longest first. Everybody sees it, the chair acts on it.
    pub lobby: Arc<[Waiting]>,
    /// Since when the group has its present keys; `None` while not a member.
    pub keys_since: Option<Instant>,
    /// The own place in the group; `None` while not a member.
    pub me: Option<LeafIndex>,
    /// The members, the own one included, in the order of their leaves. Empty while not a member.
    pub participants: Vec<Participant>,
    /// The group's epoch.
    pub epoch: Epoch,
    /// The name of the cipher suite.
    pub suite: &'static str,
    /// Who shares a screen, who may, and who asks.
    pub stage: Stage,
    /// How the own screen stands.
    pub own_share: OwnShare,
    /// The own microphone.
    pub microphone: LocalSource,
    /// The own camera.
    pub camera: LocalSource,
    /// The own loudspeaker.
    pub speaker: SpeakerState,
    /// How the own voice is prepared at present. What comes from a file or test source is sent as it is.
    pub voice: VoiceMode,
    /// How good the connection is.
    pub quality: Quality,
    /// The relay, as `host:port`.
    pub relay: String,
    /// The highest level that the relay is certified to carry; `None` before the first connection.
    pub relay_maximum: Option<Level>,
    /// The highest level that the meeting can have here: neither the relay's maximum nor this app's policy allows more.
    pub ceiling: Level,
}

/// Where a client stands with its meeting.
#[derive(Clone, Debug, PartialEq)]
pub enum Phase {
    /// No connection yet.
    Connecting {
        /// Counts from 1.
        attempt: u32,
        /// Why the attempt before failed.
        last_error: Option<RetryReason>,
    },
    /// The meeting has not begun; the client waits.
    TooEarly {
        /// When it begins, in seconds since 1970-01-01 UTC.
        begins: u64,
    },
    /// Connected; in the lobby, or waiting for a member to let the client into the group.
    Waiting,
    /// Connected; the chair has locked the meeting, and may let the client in later.
    Locked,
    /// The credential is in the meeting from elsewhere; [`Command::TakeOver`](crate::Command::TakeOver) goes on here.
    AskTakeOver,
    /// A member of the group.
    Joined,
    /// The connection was lost after having been a member.
    Reconnecting {
        /// Counts from 1.
        attempt: u32,
        /// How long until the next attempt; zero while one is running.
        retry_in: Duration,
        /// What happened.
        why: RetryReason,
    },
    /// Over. Nothing more will change.
    Ended(EndReason),
}

/// Why a connection has to be made again.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RetryReason {
    /// No connection came about, or it broke.
    #[error(transparent)]
    Connection(#[from] ConnectError),
    /// The relay refuses for now.
    #[error(transparent)]
    Refused(Refusal),
    /// Signalling works, but the media path did not come about or was lost.
    #[error("no media arrive: a firewall may block UDP to the relay")]
    MediaPath,
    /// No member let the client into the group in time.
    #[error("nobody in the meeting has let us in yet")]
    NotLetIn,
    /// The client's group state did not fit what the relay delivered; a fresh start repairs it.
    #[error("the encryption lost step with the others")]
    OutOfStep,
    /// Nobody of the chair's succession vouches for what the relay calls the meeting.
    #[error("{0}")]
    Unvouched(Doubt),
}

/// Why a meeting ended for this client.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum EndReason {
    /// The person left.
    #[error("you left the meeting")]
    Left,
    /// The invitation's time is over.
    #[error("the meeting is over")]
    Over,
    /// The relay refuses, and will go on refusing.
    #[error(transparent)]
    Refused(Refusal),
    /// A member removed this client.
    #[error("you were removed from the meeting")]
    Removed,
    /// The card with the identity key was taken out.
    #[error("the card was removed")]
    CardRemoved,
    /// The level was raised above the own clearance.
    #[error("the meeting is at {0} now, above your clearance")]
    LevelRaised(Level),
    /// The relay is not the one that the invitation names.
    #[error(transparent)]
    Connection(ConnectError),
    /// The own credential cannot be used for this meeting.
    #[error("the credential cannot be used: {0}")]
    Credential(String),
    /// A member of the group failed the checks that every member makes, so nothing may be sent to it.
    #[error("the meeting is not trustworthy: {0}")]
    Untrustworthy(String),
    /// The engine failed to go on.
    #[error("the app could not go on: {0}")]
    Failed(String),
}

/// One member as the group and the signed list state them.
#[derive(Clone, Debug, PartialEq)]
pub struct Participant {
    /// The place in the group.
    pub leaf: LeafIndex,
    /// As certified.
    pub person: Person,
    /// What the member says of its microphone.
    pub microphone: SourceState,
    /// What the member says of its camera.
    pub camera: SourceState,
    /// What the member says of the screen that it shares: [`SourceState::Missing`] while it gives no picture.
    pub screen: SourceState,
    /// How loud the member is right now, from 0 to 1, measured here.
    pub speaking: f32,
    /// Whether it is this client.
    pub is_me: bool,
    /// Whether frames of the member open.
    pub key: KeyState,
    /// Whether the member confirms the state of the group.
    pub standing: Standing,
    /// Whether a picture of the current camera session was decoded.
    pub picture_seen: bool,
    /// Whether what comes of the camera cannot be decoded: it is damaged, absurdly large, or no picture at all.
    pub picture_fails: bool,
    /// In which size the camera's picture comes; `None` while none does.
    pub picture_layer: Option<Layer>,
    /// Whether it comes smaller than it could, or not at all, because the own line carries no more. Where it is small and
    /// this is not so, its sender sends it no larger.
    pub is_squeezed: bool,
    /// Whether a picture of the screen that it shares was decoded.
    pub screen_seen: bool,
}

/// How the own screen stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum OwnShare {
    /// Not shared, and nobody asked to.
    #[default]
    Idle,
    /// Asked for; it is the chair's to say.
    Asking {
        /// The level of what would be shared.
        label: Level,
    },
    /// It may be shared, and is not yet.
    Granted {
        /// What was chosen when it was asked for.
        wanted: Option<(ScreenChoice, Level)>,
    },
    /// Being opened; the system may ask which one.
    Opening {
        /// The level of what will be shared.
        label: Level,
    },
    /// The others see it.
    Sharing {
        /// What is shared: a screen's connector, a window's title. Confidential: shown, never logged.
        name: String,
        /// Its level.
        label: Level,
        /// Why it gives no picture for now.
        paused: Option<ScreenPause>,
    },
}

/// Whether what a member sends can be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// A member of the group; nothing has come from it yet.
    Verified,
    /// Its frames open.
    Open,
    /// Its recent frames did not open; nothing of them is shown or played.
    Failing,
    /// Nothing has proven for a second that its sound or picture is its own; nothing of it is shown or played until
    /// something does.
    Unproven,
    /// Frames came in its name that it did not send; nothing of them is shown or played.
    Forged,
}

/// The own microphone or camera.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LocalSource {
    /// Whether it is sent to the others.
    pub on: bool,
    /// The device that is really open.
    pub open_device: Option<String>,
    /// How loud, from 0 to 1; measured while muted as well. Always 0 for a camera.
    pub level: f32,
    /// Why there is none.
    pub problem: Option<CaptureError>,
}

/// The own loudspeaker.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SpeakerState {
    /// The device that is really open.
    pub open_device: Option<String>,
    /// Why there is none.
    pub problem: Option<CaptureError>,
}

/// How good the connection is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Quality {
    /// To the relay and back.
    pub round_trip: Option<Duration>,
    /// Share of own packets that the relay missed, from 0 to 1.
    pub loss: f32,
    /// What the network is estimated to take from here for pictures.
    pub send_budget: Option<Bitrate>,
    /// How many of the pictures that are asked for come smaller than they could, or not at all, because the line from
    /// the relay carries no more.
    pub squeezed: u16,
    /// Whether the media path stands.
    pub path_up: bool,
}
