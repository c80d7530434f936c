//! Sharing a screen in words: what came of it, and what is wrong.

use conclave_client::{ScreenError, ShareError, ShareFault, SharingNotice};

use crate::words::Words;

/// What must be said about the sharing of screens.
pub fn notice(notice: &SharingNotice, words: &Words) -> String {
    let named = |who: &Option<String>| who.as_deref().unwrap_or("nobody").to_owned();
    match notice {
        SharingNotice::Granted => words.say("sharing-granted"),
        SharingNotice::Denied => words.say("sharing-denied"),
        SharingNotice::Stopped => words.say("sharing-stopped"),
        SharingNotice::LevelLowered(level) => {
            words.tell("sharing-level-lowered", [("level", words.marking(*level).into())])
        }
        SharingNotice::Refused { error, busy } => refused(error, busy.as_deref(), words),
        SharingNotice::Lost(error) => words.tell("sharing-lost", [("reason", lost(error, words).into())]),
        SharingNotice::Disconnected => words.say("sharing-disconnected"),
        SharingNotice::EncoderFailed(reason) => words.tell("sharing-encoder", [("reason", reason.as_str().into())]),
        SharingNotice::Began { who, label } => {
            words.tell("sharing-began", [("who", named(who).into()), ("level", words.marking(*label).into())])
        }
        SharingNotice::Withheld { who, why, .. } => {
            let message = match why {
                ShareFault::NoLeave => "sharing-withheld-leave",
                ShareFault::NoLabel => "sharing-withheld-label",
                ShareFault::NotDeciding => "sharing-withheld-usurped",
                ShareFault::LabelAbove(level) => {
                    let gaps = [("who", named(who).into()), ("level", words.marking(*level).into())];
                    return words.tell("sharing-withheld-above", gaps);
                }
            };
            words.tell(message, [("who", named(who).into())])
        }
    }
}

/// Why a wish about sharing cannot be met.
fn refused(error: &ShareError, busy: Option<&str>, words: &Words) -> String {
    words.say(match error {
        ShareError::NoLeave => "sharing-no-leave",
        ShareError::NobodyDecides => "sharing-nobody-decides",
        ShareError::NotChair => "sharing-not-chair",
        ShareError::Gone => "sharing-gone",
        ShareError::Busy(_) => return words.tell("sharing-busy", [("who", busy.unwrap_or("nobody").into())]),
        ShareError::LabelAbove(level) => {
            return words.tell("sharing-label-above", [("level", words.marking(*level).into())]);
        }
    })
}

/// Why there is no picture of a screen; half a sentence.
pub fn lost(error: &ScreenError, words: &Words) -> String {
    let because = |message: &str, reason: &str| words.tell(message, [("reason", reason.into())]);
    match error {
        ScreenError::NoDisplay { reason } => because("screen-no-display", reason),
        ScreenError::UnknownScreen { id } => words.tell("screen-unknown", [("id", id.as_str().into())]),
        ScreenError::UnknownWindow => words.say("screen-unknown-window"),
        ScreenError::WindowClosed => words.say("screen-window-closed"),
        ScreenError::Unplugged => words.say("screen-unplugged"),
        ScreenError::Declined => words.say("screen-declined"),
        ScreenError::Ended => words.say("screen-ended"),
        ScreenError::NoPortal { reason } => because("screen-no-portal", reason),
        ScreenError::Unsupported { reason } => because("screen-unsupported", reason),
        ScreenError::Broken { reason } => because("screen-broken", reason),
        ScreenError::Source(error) => because("screen-other", &error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use conclave_model::Level;

    use super::*;

    #[test]
    fn a_label_above_the_level_says_what_to_do_first() {
        let error = ShareError::LabelAbove(Level::Restricted);
        let said = notice(&SharingNotice::Refused { error, busy: None }, &Words::english());
        assert!(said.contains("RESTREINT UE/EU RESTRICTED") && said.contains("Raise its level first"), "{said}");
    }

    #[test]
    fn whoever_sends_a_screen_without_leave_is_named() {
        for why in
            [ShareFault::NoLeave, ShareFault::NoLabel, ShareFault::NotDeciding, ShareFault::LabelAbove(Level::Secret)]
        {
            let who = Some("Jonas Weber".to_owned());
            let said = notice(&SharingNotice::Withheld { who, why, frames: 9 }, &Words::english());
            assert!(said.starts_with("Jonas Weber"), "{said}");
        }
    }
}
