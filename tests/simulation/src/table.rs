//! Every hostile move, and what the honest must see of it.

use std::time::Duration;

use conclave_sim::{By, HostileOutcome, Move, Row};

use By::{Both, Member, Outsider, Relay};
use HostileOutcome::{
    Annulled, AtTheDoor, Dropped, Held, Ignored, Named, NotFollowed, PutOut, Refused, Rejoined, Shown,
};

const fn row(action: Move, by: By, what: &'static str, outcome: HostileOutcome, within: u64) -> Row {
    Row { action, what, by, outcome, within: Duration::from_millis(within) }
}

/// The table that drives the tests: who makes which move, what comes of it, within how many milliseconds.
///
/// After each move the honest must be at rest in one group again, hear and see one another, at no lower level.
pub const TABLE: &[Row] = &[
    row(Move::GhostArrives, Relay, "a newcomer is made up, certified by an office of the same name", Refused, 1000),
    row(Move::GarbageArrives, Relay, "a newcomer is made up of garbage", Refused, 1000),
    row(Move::KeyPackagesSwapped, Relay, "a newcomer's key package is another's", Refused, 2000),
    row(Move::FalseDeparture, Relay, "a member is said to be gone, who is not", Rejoined, 6000),
    row(Move::CommitReplayed, Relay, "a commit is given out again", Dropped, 1000),
    row(Move::CommitsReordered, Relay, "two commits change places", Rejoined, 6000),
    row(Move::CommitWithheld, Relay, "a commit is kept from a member", Rejoined, 8000),
    row(Move::EverythingWithheld, Relay, "all that members say is kept from one of them", Shown, 10_000),
    row(Move::CommitForged, Relay, "a commit is made up", Rejoined, 8000),
    row(Move::PulseReplayed, Relay, "a sign of life is given out again", Dropped, 1000),
    row(Move::PulseForged, Relay, "a sign of life is made up", Dropped, 1000),
    row(Move::WelcomeReplayed, Relay, "a welcome is given out again", Dropped, 1000),
    row(Move::SecondAnswer, Relay, "a member is taken in a second time", Dropped, 1000),
    row(Move::FalseAnnulment, Relay, "a commit that all followed is annulled", Rejoined, 6000),
    row(Move::FalseRefusalOfCommit, Relay, "a commit is refused that nobody made", Dropped, 1000),
    row(Move::FalseEjection, Relay, "a member is said to be ejected", Rejoined, 6000),
    row(Move::TenMegabytesFromRelay, Relay, "10 MB are given out as a key package", Rejoined, 6000),
    row(Move::ToldToCreate, Relay, "somebody is told to make a group where there is one", Shown, 12_000),
    row(Move::GroupForked, Both, "each half gets another commit", Shown, 10_000),
    row(Move::VoiceForged, Both, "on undisturbed lines, a member's voice or picture is made up", Named, 1100),
    row(Move::ProofsWithheld, Both, "on lines that lose, a member's voice or picture is made up", Held, 1100),
    row(Move::AddsStranger, Member, "a commit adds somebody who is not on the list", NotFollowed, 2000),
    row(Move::AddsImpostor, Member, "a commit adds somebody of another office of the same name", NotFollowed, 2000),
    row(Move::AddsExpired, Member, "a clock that is behind lets a commit add an expired clearance", NotFollowed, 2000),
    row(Move::AddsPastLobby, Member, "a commit adds somebody past the lobby", NotFollowed, 2000),
    row(Move::RemovesMember, Member, "a commit forges the roster: it removes somebody who is here", NotFollowed, 2000),
    row(Move::Locks, Member, "somebody who is not the chair locks the meeting", NotFollowed, 2000),
    row(Move::Ejects, Member, "somebody who is not the chair ejects", NotFollowed, 2000),
    row(Move::RaisesLevel, Member, "somebody who is not the chair raises the level", NotFollowed, 2000),
    row(Move::LowersLevel, Member, "the level is lowered with a forged agreement", NotFollowed, 2000),
    row(Move::GarbageCommit, Member, "a commit is garbage", Annulled, 2000),
    row(Move::CommitAgain, Member, "a commit is made twice, and for a later epoch", Dropped, 1000),
    row(Move::GarbageWelcome, Member, "a newcomer's welcome is garbage", Rejoined, 8000),
    row(Move::FalseObjection, Member, "a member objects to every commit", Ignored, 5000),
    row(Move::FalseDismissal, Member, "somebody who is not the chair dismisses", PutOut, 1000),
    row(Move::FalseFuture, Member, "signs of life claim a later epoch", Ignored, 5000),
    row(Move::GarbageMessage, Member, "what is said to the members is garbage", Dropped, 1000),
    row(Move::FrameReplayed, Member, "a frame is sent again", Dropped, 1000),
    row(Move::CounterTwice, Member, "a counter is used for several frames", Dropped, 1000),
    row(Move::TagTruncated, Member, "a tag is cut to half", Dropped, 1000),
    row(Move::FrameAltered, Member, "a frame is altered", Dropped, 1000),
    row(Move::AnothersKeyId, Member, "a frame names another's key", Dropped, 1000),
    row(Move::AnothersNumber, Member, "a frame names another's connection", Dropped, 1000),
    row(Move::OldEpochFrames, Member, "frames are of an old epoch", Dropped, 5000),
    row(Move::OtherLevelFrames, Member, "frames are of another level", Dropped, 4000),
    row(Move::GarbageFrames, Member, "frames are garbage", Dropped, 1000),
    row(Move::Unlisted, Outsider, "somebody comes who is not on the list", Refused, 1000),
    row(
        Move::OtherCaSameName,
        Outsider,
        "somebody of a listed name comes, by an office of the same name",
        Refused,
        1000,
    ),
    row(Move::ClearanceOver, Outsider, "somebody comes whose clearance is over", Refused, 1000),
    row(Move::WeakerSuite, Outsider, "somebody comes with keys of a weaker suite", Refused, 1000),
    row(Move::Homograph, Outsider, "a name is written in letters that look alike", AtTheDoor, 100),
    row(Move::DirectionMarks, Outsider, "a name has marks that turn the direction", AtTheDoor, 100),
    row(Move::TenMegabyteCertificate, Outsider, "somebody comes with a certificate of 10 MB", AtTheDoor, 100),
    row(Move::LargeKeyPackage, Outsider, "somebody comes with a key package of 100 kB", Dropped, 1000),
    row(Move::ClockAhead, Outsider, "somebody comes whose clock is years ahead", AtTheDoor, 100),
    row(Move::SameCredentialTwice, Outsider, "somebody comes with the credential of a member", AtTheDoor, 100),
];
