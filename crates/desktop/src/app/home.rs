//! What happens on the first screen, on the way through the password, and in the settings.

use std::{
    fs,
    path::{Path, PathBuf},
};

use conclave_capture::devices;
use conclave_identity::{
    CredentialError, Holder, Invitation, InvitationError, UnverifiedInvitation, invitation::MAX_INVITATION,
};

use super::{App, Busy, DEMONSTRATION, Password, Screen, Unlock, entry::Ticket};
use crate::{
    demo::{Demo, DemoSpec},
    explain,
    jobs::{Done, ReadError, read_bounded},
    screens::{
        home::{
            self,
            data::{CredentialCard, HomeAction, HomeData, file_name, rows},
        },
        preview::data::Kind,
        settings::data::{SettingsAction, SettingsData},
    },
    settings::Recent,
};

/// What the first screen shows.
pub(super) fn data(app: &App, dragging: bool) -> HomeData {
    HomeData {
        credential: CredentialCard::new(app.settings.credential.as_deref(), app.holder.as_ref().map(Holder::person)),
        recent: rows(&app.settings.recent, (app.wall)(), &app.words),
        problem: app.problem.clone(),
        busy: app.busy.and_then(|busy| match busy {
            Busy::Dialog => None,
            Busy::Opening => Some(app.words.say("home-opening")),
            Busy::Demonstration => Some(app.words.say("home-demo-busy")),
        }),
        dragging,
    }
}

impl App {
    pub(super) fn show_home(&mut self, ui: &mut egui::Ui) {
        let data = self.home_data(ui.ctx());
        let Some(action) = home::ui::show(ui, &data, &self.words) else { return };
        match action {
            HomeAction::OpenDialog => self.pick_invitation(),
            HomeAction::Open(path) => self.open(path),
            HomeAction::Forget(index) => {
                if index < self.settings.recent.len() {
                    self.settings.recent.remove(index);
                    self.save_settings();
                }
            }
            HomeAction::Demonstration => self.demonstrate(DEMONSTRATION),
            HomeAction::ChooseCredential => self.pick_credential(),
            HomeAction::Settings => {
                self.look_for_devices();
                self.screen = Screen::Settings;
            }
            HomeAction::Dismiss => self.problem = None,
        }
    }

    fn pick_invitation(&mut self) {
        self.busy = Some(Busy::Dialog);
        let (title, filter) = (self.words.say("home-dialog-title"), self.words.say("home-dialog-filter"));
        self.jobs.run("dialog", move || {
            let dialog = rfd::FileDialog::new().set_title(title).add_filter(filter, &["conclave"]);
            Done::PickedInvitation(dialog.pick_file())
        });
    }

    pub(super) fn pick_credential(&mut self) {
        self.busy = Some(Busy::Dialog);
        let title = self.words.say("credential-dialog-title");
        let filter = self.words.say("credential-dialog-filter");
        self.jobs.run("dialog", move || {
            let dialog = rfd::FileDialog::new().set_title(title).add_filter(filter, &["pem"]);
            Done::PickedCredential(dialog.pick_file())
        });
    }

    /// Uses another credential from now on.
    pub(super) fn use_credential(&mut self, path: PathBuf) {
        self.settings.credential = Some(path);
        self.holder = None;
        self.password = Password::with_room();
        self.save_settings();
        if let Screen::Unlock(unlock) = &mut self.screen {
            unlock.problem = None;
        }
    }

    /// Reads an invitation.
    pub(super) fn open(&mut self, path: PathBuf) {
        self.problem = None;
        self.busy = Some(Busy::Opening);
        self.jobs.run("invitation", move || {
            let read = read_bounded(&path, MAX_INVITATION).map_err(ReadError::File);
            let parsed = read.and_then(|bytes| Invitation::parse(&bytes).map(Box::new).map_err(ReadError::Content));
            Done::Invitation(path, parsed)
        });
    }

    pub(super) fn on_invitation(&mut self, path: &Path, result: Result<Box<UnverifiedInvitation>, ReadError>) {
        self.busy = None;
        match result {
            Ok(invitation) => {
                let content = invitation.peek();
                self.settings.remember(Recent {
                    path: fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()),
                    title: content.title.clone(),
                    level: content.level,
                    not_before: content.not_before,
                    not_after: content.not_after,
                });
                self.save_settings();
                match self.holder.clone() {
                    Some(holder) => self.verify(holder, *invitation),
                    None => {
                        self.screen =
                            Screen::Unlock(Unlock { invitation: Some(invitation), problem: None, busy: false });
                        // A password from a file is tried at once.
                        if !self.password.0.is_empty() {
                            self.unlock();
                        }
                    }
                }
            }
            Err(ReadError::Content(error)) => self.fail(explain::invitation(&error, &self.words)),
            Err(ReadError::File(error)) => {
                let gaps = [("file", file_name(path).into()), ("reason", error.to_string().into())];
                self.fail(self.words.tell("home-not-a-file", gaps));
            }
        }
    }

    /// Tries the password.
    pub(super) fn unlock(&mut self) {
        let Screen::Unlock(state) = &mut self.screen else { return };
        let Some(path) = self.settings.credential.clone() else { return };
        state.busy = true;
        state.problem = None;
        let (password, wall) = (std::mem::replace(&mut self.password, Password::with_room()), (self.wall)());
        self.jobs.run("unlock", move || Done::Unlocked(Holder::open(&path, &password.0, wall)));
    }

    pub(super) fn on_unlocked(&mut self, result: Result<Holder, CredentialError>) {
        let Screen::Unlock(state) = &mut self.screen else { return };
        state.busy = false;
        match result {
            Ok(holder) => {
                self.holder = Some(holder.clone());
                match state.invitation.take() {
                    Some(invitation) => self.verify(holder, *invitation),
                    None => self.screen = Screen::Home,
                }
            }
            Err(error) => state.problem = Some(explain::credential(&error, &self.words)),
        }
    }

    fn verify(&mut self, holder: Holder, invitation: UnverifiedInvitation) {
        let wall = (self.wall)();
        self.busy = Some(Busy::Opening);
        self.screen = Screen::Home;
        self.jobs.run("verify", move || {
            Done::Verified(invitation.verify(holder.root(), wall).map(|invitation| (holder, invitation)))
        });
    }

    pub(super) fn on_verified(&mut self, result: Result<(Holder, Invitation), InvitationError>) {
        self.busy = None;
        match result {
            Ok((holder, invitation)) => self.enter_hall(Ticket { holder, invitation, rehearsed: None }),
            Err(error) => self.fail(explain::invitation(&error, &self.words)),
        }
    }

    /// Prepares a demonstration.
    pub(super) fn demonstrate(&mut self, people: usize) {
        self.problem = None;
        self.busy = Some(Busy::Demonstration);
        let (spec, title) = (DemoSpec { people, for_window: true, wall: (self.wall)() }, self.words.say("demo-title"));
        self.jobs.run("demo", move || {
            Done::Demonstration(Demo::start(spec, title).map(Box::new).map_err(|error| error.to_string()))
        });
    }

    pub(super) fn on_demonstration(&mut self, result: Result<Box<Demo>, String>) {
        self.busy = None;
        match result {
            Ok(demo) => {
                let ticket = Ticket {
                    holder: demo.holder.clone(),
                    invitation: demo.invitation.clone(),
                    rehearsed: Some(demo.turns),
                };
                self.demo = Some(demo);
                self.enter_hall(ticket);
                if std::mem::take(&mut self.direct) {
                    self.enter();
                }
            }
            Err(reason) => self.fail(self.words.tell("start-failed", [("reason", reason.into())])),
        }
    }

    /// Back to the first screen with a message.
    pub(super) fn fail(&mut self, problem: String) {
        self.problem = Some(problem);
        self.screen = Screen::Home;
    }

    /// Lists what is plugged in.
    pub(super) fn look_for_devices(&self) {
        self.jobs.run("devices", || Done::Devices(Box::new(devices())));
    }

    pub(super) fn settings_data(&self) -> SettingsData {
        let [cameras, microphones, speakers] = super::entry::pickers(&self.devices, &self.settings, &self.words);
        SettingsData {
            credential: self.settings.credential.as_ref().map(|path| path.display().to_string()),
            cameras,
            microphones,
            speakers,
            camera_on: self.settings.camera_on,
            microphone_on: self.settings.microphone_on,
            version: env!("CARGO_PKG_VERSION"),
        }
    }

    pub(super) fn on_settings(&mut self, action: SettingsAction) {
        match action {
            SettingsAction::Back => self.screen = Screen::Home,
            SettingsAction::ChooseCredential => self.pick_credential(),
            SettingsAction::ForgetCredential => {
                self.settings.credential = None;
                self.holder = None;
            }
            SettingsAction::Choose(Kind::Camera, word) => self.settings.camera = word,
            SettingsAction::Choose(Kind::Microphone, word) => self.settings.microphone = word,
            SettingsAction::Choose(Kind::Speaker, word) => self.settings.speaker = word,
            SettingsAction::CameraOn(on) => self.settings.camera_on = on,
            SettingsAction::MicrophoneOn(on) => self.settings.microphone_on = on,
        }
        self.save_settings();
    }
}
