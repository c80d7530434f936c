//! What went wrong, in the person's language: what, where, and what to do.
//!
//! The errors of the other crates have English words of their own, for logs and command lines. Here each is a message
//! of the language files; only what no language can say better, as the reason that a driver gave, goes in as it is.

pub mod sharing;

use conclave_capture::{CaptureError, DeviceKind};
use conclave_client::{ConnectError, Doubt, EndReason, Notice, OrderError, RetryReason};
use conclave_identity::{CardError, ChainError, CredentialError, InvitationError, MemberError, WindowError};
use conclave_model::wire::signal::Refusal;
use conclave_session::NewcomerError;

use crate::{
    app::{credential::UnlockError, papers::Refused},
    policy::AboveMaximum,
    time,
    words::Words,
};

/// Why there is no picture or sound.
pub fn capture(error: &CaptureError, words: &Words) -> String {
    let named = |message: &str, kind: DeviceKind, name: &str, reason: &str| {
        let device = words.say(match kind {
            DeviceKind::Camera => "device-camera",
            DeviceKind::Microphone => "device-microphone",
            DeviceKind::Speaker => "device-speaker",
        });
        words.tell(message, [("device", device.into()), ("name", name.into()), ("reason", reason.into())])
    };
    match error {
        CaptureError::Off(kind) => named("capture-off", *kind, "", ""),
        CaptureError::NoDevice { kind, reason } => named("capture-none", *kind, "", reason),
        CaptureError::UnknownDevice { kind, id } => named("capture-unknown", *kind, id, ""),
        CaptureError::Busy { kind, name } => named("capture-busy", *kind, name, ""),
        CaptureError::Denied { kind, name } => named("capture-denied", *kind, name, ""),
        CaptureError::Unsupported { kind, name, reason } => named("capture-unsupported", *kind, name, reason),
        CaptureError::NotOpened { kind, name, reason } => named("capture-not-opened", *kind, name, reason),
        CaptureError::Lost { kind, name, reason } => named("capture-lost", *kind, name, reason),
        CaptureError::Frozen { kind, name, seconds } => named("capture-frozen", *kind, name, &seconds.to_string()),
        CaptureError::Silent { kind, name, seconds } => named("capture-silent", *kind, name, &seconds.to_string()),
        CaptureError::NoThread { .. }
        | CaptureError::Wish { .. }
        | CaptureError::Unreadable { .. }
        | CaptureError::Y4m { .. }
        | CaptureError::Wav { .. } => words.tell("capture-other", [("reason", error.to_string().into())]),
    }
}

/// Whether an error is about devices of this kind.
pub fn is_about(error: &CaptureError, wanted: DeviceKind) -> bool {
    match error {
        CaptureError::Off(kind)
        | CaptureError::NoDevice { kind, .. }
        | CaptureError::UnknownDevice { kind, .. }
        | CaptureError::Busy { kind, .. }
        | CaptureError::Denied { kind, .. }
        | CaptureError::Unsupported { kind, .. }
        | CaptureError::NotOpened { kind, .. }
        | CaptureError::Lost { kind, .. }
        | CaptureError::Frozen { kind, .. }
        | CaptureError::Silent { kind, .. } => *kind == wanted,
        CaptureError::NoThread { .. }
        | CaptureError::Wish { .. }
        | CaptureError::Unreadable { .. }
        | CaptureError::Y4m { .. }
        | CaptureError::Wav { .. } => false,
    }
}

/// Why there is no connection.
pub fn connect(error: &ConnectError, words: &Words) -> String {
    let relay = |message: &str, relay: &str, reason: &str| {
        words.tell(message, [("relay", relay.into()), ("reason", reason.into())])
    };
    match error {
        ConnectError::Resolve { host } => relay("connect-name", host, ""),
        ConnectError::Refused { relay: at } => relay("connect-refused", at, ""),
        ConnectError::Unreachable { relay: at, kind } => relay("connect-unreachable", at, &kind.to_string()),
        ConnectError::TimedOut { relay: at, .. } => relay("connect-timeout", at, ""),
        ConnectError::WrongRelay { relay: at, reason } => relay("connect-wrong-relay", at, reason),
        ConnectError::CredentialRefused { relay: at, reason } => relay("connect-credential", at, reason),
        ConnectError::Tls { relay: at, reason } => relay("connect-tls", at, reason),
        ConnectError::NotARelay { relay: at, reason } => relay("connect-not-a-relay", at, reason),
        ConnectError::Closed | ConnectError::Broken(_) => words.say("connect-lost"),
        ConnectError::Silent(time) => words.tell("connect-silent", [("seconds", time.as_secs().into())]),
        ConnectError::Garbage => words.say("connect-garbage"),
        ConnectError::Stuck => words.say("connect-stuck"),
        ConnectError::Socket(kind) => words.tell("connect-socket", [("reason", kind.to_string().into())]),
    }
}

/// Why a relay refuses.
pub fn refusal(refusal: Refusal, words: &Words) -> String {
    words.say(match refusal {
        Refusal::Version => "refusal-version",
        Refusal::Invitation => "refusal-invitation",
        Refusal::NotInvited => "refusal-not-invited",
        Refusal::TooEarly => "refusal-too-early",
        Refusal::Over => "refusal-over",
        Refusal::Level => "refusal-level",
        Refusal::Full => "refusal-full",
        Refusal::Replaced => "refusal-replaced",
        Refusal::AlreadyHere => "refusal-already-here",
        Refusal::Revoked => "refusal-revoked",
        Refusal::Denied => "refusal-denied",
        Refusal::Ejected => "refusal-ejected",
        Refusal::TooOften => "refusal-too-often",
        Refusal::Misbehaved => "refusal-misbehaved",
        Refusal::GoingAway => "refusal-going-away",
        Refusal::NotResumed => "refusal-not-resumed",
    })
}

/// Why a connection is made again.
pub fn retry(reason: &RetryReason, words: &Words) -> String {
    match reason {
        RetryReason::Connection(error) => connect(error, words),
        RetryReason::Refused(reason) => refusal(*reason, words),
        RetryReason::MediaPath => words.say("retry-media-path"),
        RetryReason::NotLetIn => words.say("retry-not-let-in"),
        RetryReason::OutOfStep => words.say("retry-out-of-step"),
        RetryReason::Unvouched(Doubt::NobodyLeads) => words.say("retry-nobody-leads"),
        RetryReason::Unvouched(Doubt::Silent | Doubt::Elsewhere) => words.say("retry-unvouched"),
    }
}

/// Why the meeting is over.
pub fn end(reason: &EndReason, words: &Words) -> String {
    match reason {
        EndReason::Left => words.say("end-left"),
        EndReason::Over => words.say("end-over"),
        EndReason::Refused(reason) => refusal(*reason, words),
        EndReason::CardRemoved => words.say("end-card-removed"),
        EndReason::LevelRaised(level) => words.tell("end-level-raised", [("level", words.marking(*level).into())]),
        EndReason::Removed => words.say("end-removed"),
        EndReason::Connection(error) => connect(error, words),
        EndReason::Credential(reason) => words.tell("end-credential", [("reason", reason.as_str().into())]),
        EndReason::Untrustworthy(reason) => words.tell("end-untrustworthy", [("reason", reason.as_str().into())]),
        EndReason::Failed(reason) => words.tell("end-failed", [("reason", reason.as_str().into())]),
    }
}

/// What can be done once the meeting is over, where there is something.
pub fn advice(reason: &EndReason, words: &Words) -> Option<String> {
    match reason {
        EndReason::Left => Some(words.say("advice-left")),
        EndReason::Over => None,
        EndReason::CardRemoved => Some(words.say("advice-insert-card")),
        EndReason::Removed | EndReason::LevelRaised(_) => Some(words.say("advice-ask-chair")),
        EndReason::Refused(reason) => match reason {
            Refusal::Version => Some(words.say("advice-update")),
            Refusal::Invitation | Refusal::NotInvited | Refusal::Level | Refusal::Revoked => {
                Some(words.say("advice-ask-registry"))
            }
            Refusal::Ejected => Some(words.say("advice-ejected")),
            Refusal::Replaced => Some(words.say("advice-replaced")),
            Refusal::AlreadyHere
            | Refusal::Denied
            | Refusal::TooEarly
            | Refusal::Over
            | Refusal::Full
            | Refusal::TooOften
            | Refusal::Misbehaved
            | Refusal::GoingAway
            | Refusal::NotResumed => None,
        },
        EndReason::Connection(_) | EndReason::Untrustworthy(_) => Some(words.say("advice-report")),
        EndReason::Credential(_) => Some(words.say("advice-ask-registry")),
        EndReason::Failed(_) => Some(words.say("advice-again")),
    }
}

/// Why a credential cannot be used.
pub fn credential(error: &CredentialError, words: &Words) -> String {
    match error {
        CredentialError::WrongPassword => words.say("credential-wrong-password"),
        CredentialError::Read { path, kind } => words.tell(
            "credential-unreadable",
            [("file", path.display().to_string().into()), ("reason", file_problem(*kind, words).into())],
        ),
        CredentialError::Permissions { path, .. } => {
            words.tell("credential-permissions", [("file", path.display().to_string().into())])
        }
        CredentialError::Expired { not_after } => {
            words.tell("credential-expired", [("when", time::moment(*not_after, 0, words).into())])
        }
        CredentialError::NotYetValid { not_before } => {
            words.tell("credential-early", [("when", time::moment(*not_before, 0, words).into())])
        }
        CredentialError::KeyMismatch => words.say("credential-mismatch"),
        CredentialError::TooLarge | CredentialError::Broken => words.say("credential-broken"),
        CredentialError::Keys(_)
        | CredentialError::Unencrypted
        | CredentialError::Encryption
        | CredentialError::NoCertificate
        | CredentialError::Root
        | CredentialError::Key
        | CredentialError::Chain(_)
        | CredentialError::Profile(_) => words.tell("credential-unusable", [("reason", error.to_string().into())]),
    }
}

/// Why a file cannot be read, for the end of a sentence.
pub fn file_problem(kind: std::io::ErrorKind, words: &Words) -> String {
    use std::io::ErrorKind;
    #[allow(clippy::wildcard_enum_match_arm, reason = "the enum is non-exhaustive, and its own words do for the rest")]
    match kind {
        ErrorKind::NotFound => words.say("file-missing"),
        ErrorKind::PermissionDenied => words.say("file-denied"),
        ErrorKind::IsADirectory => words.say("file-folder"),
        ErrorKind::InvalidInput => words.say("file-not-ordinary"),
        other => other.to_string(),
    }
}

/// Why a credential was not unlocked.
pub fn unlock(error: &UnlockError, words: &Words) -> String {
    match error {
        UnlockError::File(error) => credential(error, words),
        UnlockError::Card(error) => card(error, words),
    }
}

/// Why a card cannot be used.
pub fn card(error: &CardError, words: &Words) -> String {
    match error {
        CardError::Uri(reason) => words.tell("card-address", [("reason", reason.to_string().into())]),
        CardError::Module(file) => words.tell("card-module", [("file", file.display().to_string().into())]),
        CardError::NoModule(file) => words.tell("card-no-module", [("file", file.display().to_string().into())]),
        CardError::ModuleStart { module, reason } => words.tell(
            "card-module-start",
            [("file", module.display().to_string().into()), ("reason", reason.as_str().into())],
        ),
        CardError::OtherTokens { wanted, found } => {
            words.tell("card-other", [("wanted", wanted.as_str().into()), ("found", found.as_str().into())])
        }
        CardError::NoToken => words.say("card-none"),
        CardError::SeveralTokens => words.say("card-several"),
        CardError::Pin { last } => words.say(if *last { "card-pin-last" } else { "card-pin" }),
        CardError::PinLocked => words.say("card-locked"),
        CardError::NoCredential => words.say("card-empty"),
        CardError::SeveralCredentials => words.say("card-many"),
        CardError::NoRoot => words.say("card-root"),
        CardError::Credential(error) => credential(error, words),
        CardError::Refused(_) => words.say("card-refused"),
    }
}

/// Why an invitation cannot be used.
pub fn invitation(error: &InvitationError, words: &Words) -> String {
    match error {
        InvitationError::NoInvitation | InvitationError::TooLarge(_) => words.say("invitation-broken"),
        InvitationError::Signature => words.say("invitation-altered"),
        InvitationError::Signer(reason) => words.tell("invitation-foreign", [("reason", reason.to_string().into())]),
        InvitationError::Algorithm
        | InvitationError::Content(_)
        | InvitationError::Revoked(_)
        | InvitationError::Revocations(_) => words.tell("invitation-unusable", [("reason", error.to_string().into())]),
    }
}

/// Why a meeting cannot be entered now, at `wall` seconds since 1970-01-01 UTC.
pub fn window(error: WindowError, wall: u64, words: &Words) -> String {
    match error {
        WindowError::NotBegun { not_before } => {
            words.tell("window-early", [("when", time::moment(not_before, wall, words).into())])
        }
        WindowError::Over { not_after } => {
            words.tell("window-over", [("when", time::moment(not_after, wall, words).into())])
        }
    }
}

/// Why the invitation in `file` is not used, at `wall` seconds since 1970-01-01 UTC.
pub fn refused(refused: &Refused, file: &str, wall: u64, words: &Words) -> String {
    let reason = match refused {
        Refused::File(error) => {
            let gaps = [("file", file.into()), ("reason", file_problem(error.kind(), words).into())];
            return words.tell("home-not-a-file", gaps);
        }
        Refused::Invitation(error) => invitation(error, words),
        Refused::Window(error) => window(*error, wall, words),
        Refused::Member(error) => member(error, words),
    };
    words.tell("home-refused", [("file", file.into()), ("reason", reason.into())])
}

/// Why this computer takes no part in a meeting.
pub fn above_maximum(above: AboveMaximum, words: &Words) -> String {
    let marking = |level| words.marking(level).into();
    words.tell("entry-above-maximum", [("found", marking(above.found)), ("allowed", marking(above.allowed))])
}

/// Why the person's own credential does not fit the invitation.
pub fn member(error: &MemberError, words: &Words) -> String {
    match error {
        MemberError::NotListed => words.say("member-not-listed"),
        MemberError::NotCleared { .. } => words.say("member-clearance"),
        MemberError::ClearanceExpired(when) => {
            words.tell("member-clearance-expired", [("when", time::moment(*when, 0, words).into())])
        }
        MemberError::NotReleasable(seat) => words.tell("member-not-releasable", [("seat", seat.as_str().into())]),
        MemberError::Chain(ChainError::Expired { not_after }) => {
            credential(&CredentialError::Expired { not_after: *not_after }, words)
        }
        MemberError::Chain(ChainError::NotYetValid { not_before }) => {
            credential(&CredentialError::NotYetValid { not_before: *not_before }, words)
        }
        MemberError::Revoked { since } => {
            words.tell("member-revoked", [("when", time::moment(*since, 0, words).into())])
        }
        MemberError::Chain(_) | MemberError::Profile(_) | MemberError::ListDiffers(_) => {
            words.tell("member-other", [("reason", error.to_string().into())])
        }
    }
}

/// Why somebody in the lobby cannot be let in; `None` where the chair can.
pub fn newcomer(error: &NewcomerError, words: &Words) -> Option<String> {
    let said = match error {
        NewcomerError::NotAdmitted => return None,
        NewcomerError::KeyPackage | NewcomerError::Reference | NewcomerError::Credential | NewcomerError::Binding => {
            words.say("newcomer-package")
        }
        NewcomerError::Own => words.say("newcomer-own"),
        NewcomerError::Twice => words.say("newcomer-twice"),
        NewcomerError::Ejected => words.say("newcomer-ejected"),
        NewcomerError::Locked => words.say("newcomer-locked"),
        NewcomerError::Member(error) => match error {
            MemberError::NotListed => words.say("newcomer-not-listed"),
            MemberError::ListDiffers(_) => words.say("newcomer-list-differs"),
            MemberError::NotCleared { needed, .. } => {
                words.tell("newcomer-not-cleared", [("level", words.marking(*needed).into())])
            }
            MemberError::ClearanceExpired(when) => {
                words.tell("newcomer-clearance-ended", [("when", time::moment(*when, 0, words).into())])
            }
            MemberError::NotReleasable(seat) => words.tell("newcomer-not-releasable", [("seat", seat.as_str().into())]),
            MemberError::Revoked { .. } => words.say("newcomer-revoked"),
            MemberError::Chain(_) | MemberError::Profile(_) => {
                words.tell("newcomer-certificate", [("reason", error.to_string().into())])
            }
        },
    };
    Some(said)
}

/// Why an order of the chair or the originator was not carried out.
pub fn order(error: &OrderError, words: &Words) -> String {
    let key = match error {
        OrderError::NotChair => "order-not-chair",
        OrderError::NotOriginator => "order-not-originator",
        OrderError::NoOriginator => "order-no-originator",
        OrderError::NoConsent => "order-no-consent",
        OrderError::Ceiling(level) => return words.tell("order-ceiling", [("level", level.to_string().into())]),
        OrderError::NotCleared => "order-not-cleared",
        OrderError::Gone => "order-gone",
        OrderError::Sign => "order-sign",
    };
    words.say(key)
}

/// What a member or the relay did against the rules; `None` for other notices.
pub fn foul(notice: &Notice, words: &Words) -> Option<String> {
    let name = |who: &Option<String>| who.as_deref().unwrap_or("nobody").to_owned();
    #[allow(clippy::wildcard_enum_match_arm, reason = "the others are no fouls")]
    match notice {
        Notice::Objected { who, reason } => {
            Some(words.tell("toast-objected", [("who", name(who).into()), ("reason", reason.as_str().into())]))
        }
        Notice::Forged { who, .. } => Some(words.tell("toast-forged", [("who", name(who).into())])),
        Notice::Diverged { who } => Some(words.tell("toast-diverged", [("who", name(who).into())])),
        Notice::Revoked { who } => Some(words.tell("toast-revoked", [("who", name(who).into())])),
        Notice::NobodyVouched => Some(words.say("toast-nobody-vouched")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relay_that_is_not_running_is_named() {
        let error = ConnectError::Refused { relay: "relay.example:4433".into() };
        assert!(connect(&error, &Words::english()).contains("relay.example:4433"));
    }

    #[test]
    fn nothing_left_to_do_gives_no_advice() {
        let words = Words::english();
        assert_eq!(advice(&EndReason::Over, &words), None);
        assert!(advice(&EndReason::Removed, &words).is_some());
    }

    #[test]
    fn a_busy_camera_says_which_and_what_to_do() {
        let error = CaptureError::Busy { kind: DeviceKind::Camera, name: "HD Webcam".into() };
        let said = capture(&error, &Words::english());
        assert!(said.contains("HD Webcam") && said.contains("another program"), "{said}");
    }
}
