//! The headless engine: one participant of one meeting, with everything but a window.
//!
//! [`Client::start`] takes a credential, an invitation and a choice of devices, and runs the meeting on threads of its
//! own: one engine thread that owns the network and the [`conclave_session::Session`], capture threads, one encoder and
//! one decoder thread for each picture, one mixer. The window sends [`Command`]s and reads three lanes, none of which
//! ever makes it wait:
//!
//! - [`Client::snapshot`]: the state of everything, last value wins;
//! - [`Notices`]: what the person must be told once, kept until read;
//! - [`Client::frames`]: the newest picture of each track.
//!
//! The engine calls the waker after a change of any of them. A lost relay is no end: the engine reconnects with a fresh
//! [`Session`](conclave_session::Session) while cameras and microphones stay open, and says in [`Phase`] why. [`Preview`]
//! is the same device code before entering, [`check`] tests devices and the way to the relay, [`Report`] is what
//! scripts read.

#![forbid(unsafe_code)]

pub mod check;
mod client;
mod clock;
mod config;
mod connect;
mod devices;
mod engine;
mod frames;
mod impair;
pub mod media;
mod notice;
pub mod preview;
mod process;
mod report;
mod snapshot;
mod tone;

pub use client::{Client, Command, Order, QueueFull, Share, StartError, Waker, Watched};
pub use clock::{media_clock, wall_clock};
pub use conclave_capture::{ScreenChoice, ScreenError, ScreenPause};
pub use conclave_session::{
    Doubt, Governance, OrderError, ShareError, ShareFault, ShareRequest, Shared, Stage, Standing, Waiting,
};
pub use config::{Config, DecodedSink, VideoQuality, Watch};
pub use connect::{ConnectError, Step};
pub use frames::{FrameSlot, Frames};
pub use impair::Impairment;
pub use notice::{Notice, Notices, SharingNotice};
pub use preview::Preview;
pub use process::ProcessUse;
pub use report::{DroppedReport, LatencyReport, PairReport, ProcessReport, Report, SentReport, StagesReport};
pub use snapshot::{
    EndReason, KeyState, LocalSource, OwnShare, Participant, Phase, Quality, RetryReason, Snapshot, SpeakerState,
};
pub use tone::play_test_tone;

/// Development only: the decisions that measurements make on a clock of their own. No part of the interface.
#[doc(hidden)]
pub mod measured {
    pub use crate::engine::{
        ladder::{Circumstances, Plan, Rung, desired, plan},
        strain::Strain,
    };
}
