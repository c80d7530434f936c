//! Every move, and what it does.
#![allow(clippy::wildcard_enum_match_arm, reason = "each file has its own of many moves, and touches few messages")]

mod commits;
mod frames;
mod newcomers;
mod signals;

use rand_chacha::ChaCha8Rng;

use crate::{Simulation, Violation};

/// What somebody hostile does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is said in words in the table that drives the tests")]
pub enum Move {
    // The relay.
    GhostArrives,
    GarbageArrives,
    KeyPackagesSwapped,
    FalseDeparture,
    CommitReplayed,
    CommitsReordered,
    CommitWithheld,
    EverythingWithheld,
    CommitForged,
    PulseReplayed,
    PulseForged,
    WelcomeReplayed,
    SecondAnswer,
    FalseAnnulment,
    FalseRefusalOfCommit,
    FalseEjection,
    TenMegabytesFromRelay,
    ToldToCreate,
    // The relay with a member.
    GroupForked,
    VoiceForged,
    ProofsWithheld,
    // A member.
    AddsStranger,
    AddsImpostor,
    AddsExpired,
    AddsPastLobby,
    RemovesMember,
    Locks,
    Ejects,
    RaisesLevel,
    LowersLevel,
    GarbageCommit,
    CommitAgain,
    GarbageWelcome,
    FalseObjection,
    FalseDismissal,
    FalseFuture,
    GarbageMessage,
    FrameReplayed,
    CounterTwice,
    TagTruncated,
    FrameAltered,
    AnothersKeyId,
    AnothersNumber,
    OldEpochFrames,
    OtherLevelFrames,
    GarbageFrames,
    // Somebody who wants to come in.
    Unlisted,
    OtherCaSameName,
    ClearanceOver,
    WeakerSuite,
    Homograph,
    DirectionMarks,
    TenMegabyteCertificate,
    LargeKeyPackage,
    ClockAhead,
    SameCredentialTwice,
}

impl Move {
    /// Every move.
    pub const ALL: &[Self] = &[
        Self::GhostArrives,
        Self::GarbageArrives,
        Self::KeyPackagesSwapped,
        Self::FalseDeparture,
        Self::CommitReplayed,
        Self::CommitsReordered,
        Self::CommitWithheld,
        Self::EverythingWithheld,
        Self::CommitForged,
        Self::PulseReplayed,
        Self::PulseForged,
        Self::WelcomeReplayed,
        Self::SecondAnswer,
        Self::FalseAnnulment,
        Self::FalseRefusalOfCommit,
        Self::FalseEjection,
        Self::TenMegabytesFromRelay,
        Self::ToldToCreate,
        Self::GroupForked,
        Self::VoiceForged,
        Self::ProofsWithheld,
        Self::AddsStranger,
        Self::AddsImpostor,
        Self::AddsExpired,
        Self::AddsPastLobby,
        Self::RemovesMember,
        Self::Locks,
        Self::Ejects,
        Self::RaisesLevel,
        Self::LowersLevel,
        Self::GarbageCommit,
        Self::CommitAgain,
        Self::GarbageWelcome,
        Self::FalseObjection,
        Self::FalseDismissal,
        Self::FalseFuture,
        Self::GarbageMessage,
        Self::FrameReplayed,
        Self::CounterTwice,
        Self::TagTruncated,
        Self::FrameAltered,
        Self::AnothersKeyId,
        Self::AnothersNumber,
        Self::OldEpochFrames,
        Self::OtherLevelFrames,
        Self::GarbageFrames,
        Self::Unlisted,
        Self::OtherCaSameName,
        Self::ClearanceOver,
        Self::WeakerSuite,
        Self::Homograph,
        Self::DirectionMarks,
        Self::TenMegabyteCertificate,
        Self::LargeKeyPackage,
        Self::ClockAhead,
        Self::SameCredentialTwice,
    ];

    /// Whether the meeting in which it is made has no lobby and no chair.
    pub(crate) fn needs_open(self) -> bool {
        matches!(self, Self::GarbageWelcome)
    }

    /// Whether the meeting in which it is made has a lobby and a chair.
    pub(crate) fn needs_led(self) -> bool {
        matches!(
            self,
            Self::AddsPastLobby
                | Self::Locks
                | Self::Ejects
                | Self::RaisesLevel
                | Self::LowersLevel
                | Self::FalseDismissal
        )
    }

    /// Whether the rogue talks before it.
    pub(crate) fn needs_voice(self) -> bool {
        matches!(self, Self::VoiceForged | Self::ProofsWithheld)
    }
}

impl Simulation {
    /// Makes a move.
    pub(crate) fn strike(&mut self, action: Move, random: &mut ChaCha8Rng) -> Result<(), Violation> {
        match action {
            Move::GhostArrives
            | Move::GarbageArrives
            | Move::KeyPackagesSwapped
            | Move::Unlisted
            | Move::OtherCaSameName
            | Move::ClearanceOver
            | Move::WeakerSuite
            | Move::Homograph
            | Move::DirectionMarks
            | Move::TenMegabyteCertificate
            | Move::LargeKeyPackage
            | Move::ClockAhead
            | Move::SameCredentialTwice => self.strike_by_newcomer(action),
            Move::FalseDeparture
            | Move::CommitReplayed
            | Move::CommitsReordered
            | Move::CommitWithheld
            | Move::EverythingWithheld
            | Move::CommitForged
            | Move::PulseReplayed
            | Move::PulseForged
            | Move::WelcomeReplayed
            | Move::SecondAnswer
            | Move::FalseAnnulment
            | Move::FalseRefusalOfCommit
            | Move::FalseEjection
            | Move::TenMegabytesFromRelay
            | Move::ToldToCreate => self.strike_by_signal(action),
            Move::GroupForked
            | Move::AddsStranger
            | Move::AddsImpostor
            | Move::AddsExpired
            | Move::AddsPastLobby
            | Move::RemovesMember
            | Move::Locks
            | Move::Ejects
            | Move::RaisesLevel
            | Move::LowersLevel
            | Move::GarbageCommit
            | Move::CommitAgain
            | Move::GarbageWelcome
            | Move::FalseObjection
            | Move::FalseDismissal
            | Move::FalseFuture => self.strike_by_commit(action, random),
            Move::VoiceForged
            | Move::ProofsWithheld
            | Move::GarbageMessage
            | Move::FrameReplayed
            | Move::CounterTwice
            | Move::TagTruncated
            | Move::FrameAltered
            | Move::AnothersKeyId
            | Move::AnothersNumber
            | Move::OldEpochFrames
            | Move::OtherLevelFrames
            | Move::GarbageFrames => self.strike_by_frame(action),
        }
    }
}
