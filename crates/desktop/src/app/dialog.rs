//! Choosing a file: by the system's dialog, or by its path where the system has none.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use conclave_identity::{CardError, CardUri};

use super::{App, Busy, Screen};
use crate::{
    explain,
    jobs::Done,
    screens::path::{
        self,
        data::{PathAction, PathData, Purpose},
    },
};

/// Nobody opens, reads and closes a dialog in so short a time: then none was shown.
const TOO_QUICK: Duration = Duration::from_millis(400);

/// What came of a dialog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Picked {
    /// This file.
    File(PathBuf),
    /// The person closed it.
    Closed,
    /// The system has no dialog to show.
    NoDialog,
}

/// A path is being written.
#[derive(Debug)]
pub(super) struct Asking {
    pub(super) purpose: Purpose,
    pub(super) text: String,
    pub(super) problem: Option<String>,
}

impl App {
    pub(super) fn pick(&mut self, purpose: Purpose) {
        let (title, filter, extension) = match purpose {
            Purpose::Card => return self.ask(purpose),
            Purpose::Invitation => (self.words.say("home-dialog-title"), "home-dialog-filter", "conclave"),
            Purpose::Credential => (self.words.say("credential-dialog-title"), "credential-dialog-filter", "pem"),
        };
        self.busy = Some(Busy::Dialog);
        let filter = self.words.say(filter);
        let has_dialog = self.has_dialog;
        self.jobs.run("dialog", move || {
            if !has_dialog() {
                return Done::Picked(purpose, Picked::NoDialog);
            }
            let began = Instant::now();
            let file = rfd::FileDialog::new().set_title(title).add_filter(filter, &[extension]).pick_file();
            Done::Picked(purpose, picked(file, began.elapsed()))
        });
    }

    pub(super) fn on_picked(&mut self, purpose: Purpose, picked: Picked) {
        self.busy = None;
        match picked {
            Picked::File(path) => self.take(purpose, path),
            Picked::Closed => {}
            Picked::NoDialog => self.ask(purpose),
        }
    }

    /// Asks for a path or an address by a field to write it in.
    pub(super) fn ask(&mut self, purpose: Purpose) {
        self.asking = Some(Asking { purpose, text: String::new(), problem: None });
    }

    /// Uses a file that the person named, whichever way.
    pub(super) fn take(&mut self, purpose: Purpose, path: PathBuf) {
        self.asking = None;
        match purpose {
            Purpose::Invitation => self.open(path),
            Purpose::Credential | Purpose::Card => self.use_credential(path),
        }
    }

    /// A file was dropped on the window. What it is for is said by what is asked for, else by its name.
    pub(super) fn dropped(&mut self, path: PathBuf) {
        if self.busy.is_some() {
            return;
        }
        let asked = self.asking.as_ref().map(|asking| asking.purpose).filter(|purpose| *purpose != Purpose::Card);
        let pem = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("pem"));
        let by_name = if pem { Purpose::Credential } else { Purpose::Invitation };
        match (&self.screen, asked) {
            (_, Some(purpose)) => self.take(purpose, path),
            (Screen::Home, None) => self.take(by_name, path),
            (Screen::Unlock(state), None) if !state.busy => self.take(by_name, path),
            (Screen::Settings, None) if pem => self.take(Purpose::Credential, path),
            (Screen::Unlock(_) | Screen::Settings | Screen::Entry(_) | Screen::Meeting(_) | Screen::Ended(_), None) => {
            }
        }
    }

    /// Shows the field for a path over everything else.
    pub(super) fn show_asking(&mut self, ui: &egui::Ui) {
        let Some(asking) = &mut self.asking else { return };
        let data = PathData { purpose: asking.purpose, problem: asking.problem.clone() };
        match path::ui::show(ui.ctx(), &data, &mut asking.text, &self.words) {
            Some(PathAction::Open) if asking.purpose == Purpose::Card => match asking.text.trim().parse::<CardUri>() {
                Ok(address) => self.take(Purpose::Card, address.to_string().into()),
                Err(error) => asking.problem = Some(explain::card(&CardError::Uri(error), &self.words)),
            },
            Some(PathAction::Open) => {
                let (purpose, path) = (asking.purpose, written(&asking.text, home().as_deref()));
                self.take(purpose, path);
            }
            Some(PathAction::Cancel) => self.asking = None,
            None => {}
        }
    }
}

/// What a dialog that ended after `time` with `file` was.
fn picked(file: Option<PathBuf>, time: Duration) -> Picked {
    match file {
        Some(file) => Picked::File(file),
        None if time < TOO_QUICK => Picked::NoDialog,
        None => Picked::Closed,
    }
}

/// Whether anything on this computer can show a file dialog.
#[cfg(all(unix, not(target_os = "macos")))]
pub(super) fn has_dialog() -> bool {
    /// What the portal's package installs, below each folder of shared data.
    const PORTAL: &str = "dbus-1/services/org.freedesktop.portal.Desktop.service";
    let folders = |name: &str, default: &str| {
        let value = std::env::var_os(name).filter(|value| !value.is_empty()).unwrap_or_else(|| default.into());
        std::env::split_paths(&value).collect::<Vec<_>>()
    };
    folders("PATH", "/usr/bin").iter().any(|folder| folder.join("zenity").is_file())
        || folders("XDG_DATA_DIRS", "/usr/local/share:/usr/share").iter().any(|folder| folder.join(PORTAL).is_file())
}

/// Whether anything on this computer can show a file dialog; these systems always can.
#[cfg(not(all(unix, not(target_os = "macos"))))]
pub(super) fn has_dialog() -> bool {
    true
}

fn home() -> Option<PathBuf> {
    directories::UserDirs::new().map(|dirs| dirs.home_dir().to_owned())
}

/// The path that somebody wrote: blanks and quotes around it are what copying leaves, `~` is their home.
fn written(text: &str, home: Option<&Path>) -> PathBuf {
    let text = text.trim().trim_matches(['"', '\'']);
    let text = text.strip_prefix("file://").unwrap_or(text);
    match (text.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dialog_that_is_gone_at_once_was_never_there() {
        assert_eq!(picked(None, Duration::from_millis(20)), Picked::NoDialog);
        assert_eq!(picked(None, Duration::from_secs(3)), Picked::Closed);
        assert_eq!(picked(Some("/a.conclave".into()), Duration::ZERO), Picked::File("/a.conclave".into()));
    }

    #[test]
    fn a_path_is_taken_as_people_copy_it() {
        let home = Path::new("/home/anna");
        assert_eq!(written(" \"/tmp/my council.conclave\" ", None), Path::new("/tmp/my council.conclave"));
        assert_eq!(written("~/council.conclave", Some(home)), Path::new("/home/anna/council.conclave"));
        assert_eq!(written("file:///tmp/a.conclave", None), Path::new("/tmp/a.conclave"));
    }
}
