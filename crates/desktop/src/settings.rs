//! What the app remembers between starts: a TOML file in the user's configuration folder.
//!
//! No secret is in it: where the credential lies, which devices to begin with, which invitations were opened.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use conclave_client::media::VoiceMode;
use conclave_model::Level;
use serde::{Deserialize, Serialize};

use crate::screens::preview::data::Kind;

/// How many invitations are remembered.
const MAX_RECENT: usize = 12;

/// What the app remembers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Settings {
    /// The credential's file.
    pub credential: Option<PathBuf>,
    /// The camera, in the words of the command line.
    pub camera: String,
    /// The microphone, in the words of the command line.
    pub microphone: String,
    /// The loudspeaker, in the words of the command line.
    pub speaker: String,
    /// Whether to enter with the microphone open.
    pub microphone_on: bool,
    /// Whether to enter with the camera open.
    pub camera_on: bool,
    /// Whether the microphone's sound is sent as it is, without echo cancellation, noise suppression and gain.
    pub original_sound: bool,
    /// Invitations opened before, newest first.
    pub recent: Vec<Recent>,
    /// A credential that somebody else named; used while the person chose none, and not remembered.
    #[serde(skip)]
    pub suggested: Option<PathBuf>,
}

/// An invitation opened before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Recent {
    /// The file.
    pub path: PathBuf,
    /// The title.
    pub title: String,
    /// The level.
    pub level: Level,
    /// When the meeting begins, in seconds since 1970-01-01 UTC.
    pub not_before: u64,
    /// When it is over, in seconds since 1970-01-01 UTC.
    pub not_after: u64,
}

/// Why settings were not read or written.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file cannot be read or written.
    #[error("{}: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The file is no settings file.
    #[error("{}: {error}", path.display())]
    Format {
        /// Which.
        path: PathBuf,
        /// What is wrong, with line and column.
        error: Box<toml::de::Error>,
    },
    /// The settings cannot be written as TOML.
    #[error("the settings cannot be written: {0}")]
    Write(#[from] toml::ser::Error),
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            credential: None,
            camera: "default".to_owned(),
            microphone: "default".to_owned(),
            speaker: "default".to_owned(),
            microphone_on: true,
            camera_on: true,
            original_sound: false,
            recent: Vec::new(),
            suggested: None,
        }
    }
}

impl Settings {
    /// Where settings are kept; `None` for a user without a home.
    pub fn path() -> Option<PathBuf> {
        directories::ProjectDirs::from("eu", "", "conclave").map(|dirs| dirs.config_dir().join("settings.toml"))
    }

    /// Reads the file; the defaults where there is none yet.
    ///
    /// # Errors
    /// [`SettingsError::File`], [`SettingsError::Format`].
    pub fn load(path: &Path) -> Result<Self, SettingsError> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(SettingsError::File { path: path.to_owned(), error }),
        };
        toml::from_str(&text).map_err(|error| SettingsError::Format { path: path.to_owned(), error: Box::new(error) })
    }

    /// Writes the file, as a whole or not at all.
    ///
    /// # Errors
    /// [`SettingsError::File`], [`SettingsError::Write`].
    pub fn save(&self, path: &Path) -> Result<(), SettingsError> {
        let chosen = self.credential.clone().filter(|credential| self.suggested.as_ref() != Some(credential));
        let text = toml::to_string(&Self { credential: chosen, ..self.clone() })?;
        let file = |error| SettingsError::File { path: path.to_owned(), error };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(file)?;
        }
        let draft = path.with_extension("toml.new");
        fs::write(&draft, text).map_err(file)?;
        fs::rename(&draft, path).map_err(file)
    }

    /// Uses a credential until the person chooses one.
    pub fn suggest_credential(&mut self, path: Option<PathBuf>) {
        if self.credential.is_none() {
            self.credential.clone_from(&path);
        }
        self.suggested = path;
    }

    /// How the own voice is prepared.
    pub fn voice(&self) -> VoiceMode {
        if self.original_sound { VoiceMode::FullBand } else { VoiceMode::Speech }
    }

    /// Uses the device with this word of the command line from now on.
    pub fn choose(&mut self, kind: Kind, word: String) {
        *match kind {
            Kind::Camera => &mut self.camera,
            Kind::Microphone => &mut self.microphone,
            Kind::Speaker => &mut self.speaker,
        } = word;
    }

    /// Remembers an invitation as the newest.
    pub fn remember(&mut self, recent: Recent) {
        self.recent.retain(|other| other.path != recent.path);
        self.recent.insert(0, recent);
        self.recent.truncate(MAX_RECENT);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn recent(number: usize) -> Recent {
        Recent {
            path: format!("/tmp/{number}.conclave").into(),
            title: format!("Meeting {number}"),
            level: Level::Restricted,
            not_before: 1,
            not_after: 2,
        }
    }

    #[test]
    fn settings_survive_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/settings.toml");
        let mut settings =
            Settings { camera: "device:usb-1".into(), camera_on: false, original_sound: true, ..Settings::default() };
        settings.remember(recent(1));
        settings.save(&path).unwrap();
        assert_eq!(Settings::load(&path).unwrap(), settings);
    }

    #[test]
    fn a_suggested_credential_is_used_and_not_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings.toml");
        let mut settings = Settings::default();
        settings.suggest_credential(Some("/media/card".into()));
        assert_eq!(settings.credential, Some("/media/card".into()));
        settings.save(&path).unwrap();
        assert_eq!(Settings::load(&path).unwrap().credential, None);
        settings.credential = Some("/home/anna.pem".into());
        settings.suggest_credential(Some("/media/card".into()));
        settings.save(&path).unwrap();
        assert_eq!(Settings::load(&path).unwrap().credential, Some("/home/anna.pem".into()));
    }

    #[test]
    fn a_missing_file_means_the_defaults_and_a_broken_one_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings.toml");
        assert_eq!(Settings::load(&path).unwrap(), Settings::default());
        fs::write(&path, "camera = 7").unwrap();
        let error = Settings::load(&path).unwrap_err().to_string();
        assert!(error.contains("settings.toml") && error.contains("line 1"), "{error}");
    }

    #[test]
    fn the_newest_invitations_are_remembered_once_each() {
        let mut settings = Settings::default();
        for number in 0..20 {
            settings.remember(recent(number));
        }
        settings.remember(recent(15));
        assert_eq!(settings.recent.len(), MAX_RECENT);
        assert_eq!(settings.recent[0], recent(15));
        assert_eq!(settings.recent.iter().filter(|entry| **entry == recent(15)).count(), 1);
    }
}
