//! What the screen for the password shows.

use conclave_model::Level;
use zeroize::Zeroizing;

use crate::words::Words;

/// Everything on the screen for the password.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnlockData {
    /// The name of the credential's file; `None` where none was chosen.
    pub file: Option<String>,
    /// Whether it is on a card, which has a PIN.
    pub card: bool,
    /// The meeting that it is for; `None` while its invitation is not verified.
    pub meeting: Option<MeetingFacts>,
    /// The name of the invitation's file.
    pub invitation: String,
    /// What went wrong, in words.
    pub problem: Option<String>,
    /// Whether the password is being tried.
    pub busy: bool,
}

/// What a card is called that has this label; none where an office's policy takes whatever is in the reader.
pub fn card_name(label: &str, words: &Words) -> String {
    match label {
        "" => words.say("unlock-card-any"),
        label => words.tell("unlock-card", [("file", label.into())]),
    }
}

/// What a verified invitation says of its meeting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeetingFacts {
    /// The title.
    pub title: String,
    /// When it is, in words.
    pub when: String,
    /// The level.
    pub level: Level,
}

/// A password while it is being written; wiped when dropped, never shown by `Debug`.
#[derive(Clone, Default)]
pub struct Password(pub Zeroizing<String>);

impl Password {
    /// Room for the longest password that anybody writes, so that growing leaves no copy behind in freed memory.
    pub fn with_room() -> Self {
        Self(Zeroizing::new(String::with_capacity(256)))
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password")
    }
}

/// What the person wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnlockAction {
    /// Try the password.
    Unlock,
    /// Choose another file.
    Choose,
    /// Use the one on a smart card.
    ChooseCard,
    /// Back to the first screen.
    Back,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_shown() {
        let mut password = Password::with_room();
        password.0.push_str("hunter2");
        assert!(!format!("{password:?}").contains("hunter"));
    }
}
