//! What the first screen shows.

use std::path::{Path, PathBuf};

use conclave_model::{Level, Person};

use crate::{settings::Recent, time, words::Words};

/// Everything on the first screen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HomeData {
    /// Whose credential is at hand.
    pub credential: CredentialCard,
    /// Invitations opened before, newest first.
    pub recent: Vec<RecentRow>,
    /// What went wrong last, in words.
    pub problem: Option<String>,
    /// What is being done right now, in words; nothing can be pressed meanwhile.
    pub busy: Option<String>,
    /// Whether a file is being dragged over the window.
    pub dragging: bool,
}

/// The credential as the first screen shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CredentialCard {
    /// None was chosen yet.
    #[default]
    None,
    /// A file was chosen, and has not been unlocked since the program started.
    Locked {
        /// The name of the file.
        file: String,
    },
    /// Unlocked.
    Unlocked {
        /// The certified name.
        name: String,
        /// The seat.
        seat: String,
    },
}

/// One invitation opened before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecentRow {
    /// The title.
    pub title: String,
    /// When the meeting is, in words.
    pub when: String,
    /// Its level.
    pub level: Level,
    /// The file.
    pub path: PathBuf,
    /// Whether its time is over.
    pub over: bool,
}

/// What the person wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HomeAction {
    /// Choose an invitation by a dialog.
    OpenDialog,
    /// Open this invitation.
    Open(PathBuf),
    /// Forget the row with this number.
    Forget(usize),
    /// See a demonstration.
    Demonstration,
    /// Choose a credential.
    ChooseCredential,
    /// Go to the settings.
    Settings,
    /// Take the message away.
    Dismiss,
}

impl CredentialCard {
    /// From what is known of the credential: what people call it, and whose it is.
    pub fn new(file: Option<String>, unlocked: Option<&Person>) -> Self {
        match (unlocked, file) {
            (Some(person), _) => Self::Unlocked { name: person.name.clone(), seat: person.seat.clone() },
            (None, Some(file)) => Self::Locked { file },
            (None, None) => Self::None,
        }
    }
}

/// Rows for the invitations opened before, at `wall` seconds since 1970-01-01 UTC.
pub fn rows(recent: &[Recent], wall: u64, words: &Words) -> Vec<RecentRow> {
    recent
        .iter()
        .map(|recent| RecentRow {
            title: recent.title.clone(),
            when: time::span(recent.not_before, recent.not_after, wall, words),
            level: recent.level,
            path: recent.path.clone(),
            over: recent.not_after <= wall,
        })
        .collect()
}

/// The last part of a path.
pub fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meetings_whose_time_is_over_are_marked() {
        let recent = |not_after| Recent {
            path: "/a/council.conclave".into(),
            title: "Council".into(),
            level: Level::Secret,
            not_before: 1_000_000,
            not_after,
        };
        let rows = rows(&[recent(1_003_600), recent(2_000_000)], 1_500_000, &Words::english());
        assert_eq!(rows.iter().map(|row| row.over).collect::<Vec<_>>(), [true, false]);
    }

    #[test]
    fn an_unlocked_credential_is_shown_by_its_person_and_a_locked_one_by_its_file() {
        assert_eq!(CredentialCard::new(None, None), CredentialCard::None);
        let locked = CredentialCard::new(Some("anna.pem".into()), None);
        assert_eq!(locked, CredentialCard::Locked { file: "anna.pem".into() });
    }
}
