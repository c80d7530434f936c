//! What happens on the first screen, on the way through the password, and in the settings.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use conclave_capture::CaptureError;
use conclave_identity::{Holder, InvitationContent};

use super::{
    App, Busy, DEMONSTRATION, Password, Screen, Unlock,
    credential::{self, UnlockError, Unlocked},
    entry::Ticket,
    papers::{self, Opened, Refused, State, With},
};
use crate::{
    demo::{Demo, DemoSpec},
    explain,
    jobs::Done,
    screens::{
        home::{
            self,
            data::{CredentialCard, HomeAction, HomeData, file_name, rows},
        },
        path::data::Purpose,
        preview::data::ToneView,
        settings::data::{SettingsAction, SettingsData},
        unlock::data::card_name,
    },
    settings::Recent,
};

/// What the first screen shows.
pub(super) fn data(app: &App, dragging: bool) -> HomeData {
    HomeData {
        credential: CredentialCard::new(
            app.settings.credential.as_deref().map(credential::name),
            app.holder.as_ref().map(Holder::person),
        ),
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
            HomeAction::OpenDialog => self.pick(Purpose::Invitation),
            HomeAction::Open(path) => self.open(path),
            HomeAction::Forget(index) => {
                if index < self.settings.recent.len() {
                    self.settings.recent.remove(index);
                    self.save_settings();
                }
            }
            HomeAction::Demonstration => self.demonstrate(DEMONSTRATION),
            HomeAction::ChooseCredential => self.pick(Purpose::Credential),
            HomeAction::Settings => {
                self.look_for_devices();
                self.screen = Screen::Settings;
            }
            HomeAction::Dismiss => self.problem = None,
        }
    }

    /// Uses another credential from now on.
    pub(super) fn use_credential(&mut self, path: PathBuf) {
        self.settings.credential = Some(path);
        self.holder = None;
        self.password = Password::with_room();
        self.save_settings();
        if let Screen::Unlock(unlock) = &mut self.screen {
            unlock.problem = None;
            // What the last credential said of the invitation says nothing for this one.
            unlock.opened.state = State::Unchecked(None);
            let (file, paper) = (unlock.file.clone(), unlock.opened.paper.clone());
            self.check(file, move |with, wall| papers::check(paper, with, wall));
        }
    }

    /// Reads an invitation and checks it.
    pub(super) fn open(&mut self, path: PathBuf) {
        self.problem = None;
        let from = path.clone();
        self.check(path, move |with, wall| papers::open(&from, with, wall));
    }

    fn check(&mut self, file: PathBuf, look: impl FnOnce(&With, u64) -> Result<Opened, Refused> + Send + 'static) {
        let with = match (&self.holder, &self.settings.credential) {
            (Some(holder), _) => With::Holder(holder.clone()),
            // What is on a card cannot be read without its PIN, on every card.
            (None, Some(path)) if credential::address(path).is_some() => With::Nothing,
            (None, Some(path)) => With::File(path.clone()),
            (None, None) => With::Nothing,
        };
        self.busy = Some(Busy::Opening);
        let wall = (self.wall)();
        self.jobs.run("invitation", move || Done::Invitation(file, look(&with, wall)));
    }

    pub(super) fn on_invitation(&mut self, path: PathBuf, result: Result<Opened, Refused>) {
        self.busy = None;
        let opened = match result {
            Ok(opened) => opened,
            Err(refused) => return self.refuse(&path, &refused),
        };
        let problem = match &opened.state {
            State::Checked(invitation) => {
                self.remember(&path, invitation.content());
                if let Some(holder) = self.holder.clone() {
                    return self.enter_hall(Ticket { holder, invitation: invitation.clone(), rehearsed: None });
                }
                None
            }
            State::Unchecked(error) => error.as_ref().map(|error| explain::credential(error, &self.words)),
        };
        self.screen = Screen::Unlock(Unlock { file: path, opened, problem, busy: false });
        // A password from a file is tried at once.
        if !self.password.0.is_empty() {
            self.unlock();
        }
    }

    /// Says why an invitation is not used. Its title is not shown, and it is not kept among the recent ones.
    fn refuse(&mut self, path: &Path, refused: &Refused) {
        let gone = matches!(refused, Refused::File(_));
        let resolved = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let kept = self.settings.recent.len();
        self.settings.recent.retain(|recent| gone || recent.path != resolved);
        if self.settings.recent.len() != kept {
            self.save_settings();
        }
        self.password = Password::with_room();
        self.fail(explain::refused(refused, &file_name(path), (self.wall)(), &self.words));
    }

    fn remember(&mut self, path: &Path, content: &InvitationContent) {
        self.settings.remember(Recent {
            path: fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()),
            title: content.title.clone(),
            level: content.level,
            not_before: content.not_before,
            not_after: content.not_after,
        });
        self.save_settings();
    }

    /// Tries the password.
    pub(super) fn unlock(&mut self) {
        let Screen::Unlock(state) = &mut self.screen else { return };
        let Some(path) = self.settings.credential.clone() else { return };
        state.busy = true;
        state.problem = None;
        let (password, wall) = (std::mem::replace(&mut self.password, Password::with_room()), (self.wall)());
        self.jobs.run("unlock", move || Done::Unlocked(credential::unlock(&path, &password.0, wall)));
    }

    pub(super) fn on_unlocked(&mut self, result: Result<Unlocked, UnlockError>) {
        let Screen::Unlock(state) = &mut self.screen else { return };
        state.busy = false;
        match result {
            Ok(Unlocked { holder, seal }) => {
                self.holder = Some(holder);
                self.lock.seal = seal.map(Arc::new);
                let (file, paper) = (state.file.clone(), state.opened.paper.clone());
                self.screen = Screen::Home;
                // Again, with the certificates of what was really unlocked: the file may have changed.
                self.check(file, move |with, wall| papers::check(paper, with, wall));
            }
            Err(error) => state.problem = Some(explain::unlock(&error, &self.words)),
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

    /// Lists what is plugged in, once at a time.
    pub(super) fn look_for_devices(&mut self) {
        let list = self.list_devices;
        self.looking = self.looking || self.jobs.run("devices", move || Done::Devices(Box::new(list())));
    }

    /// Plays a tone to the loudspeaker that is chosen.
    pub(super) fn test_tone(&mut self) {
        let (play, choice) = (self.play_tone, self.settings.speaker.parse().unwrap_or_default());
        let playing = self.jobs.run("tone", move || Done::Tone(play(&choice)));
        self.tone = ToneView { playing, said: None };
    }

    pub(super) fn on_tone(&mut self, result: Result<String, CaptureError>) {
        let said = match result {
            Ok(name) => self.words.tell("tone-played", [("name", name.into())]),
            Err(error) => explain::capture(&error, &self.words),
        };
        self.tone = ToneView { playing: false, said: Some(said) };
    }

    /// What was said of the last tone does not hold for another loudspeaker, and not for long.
    pub(super) fn forget_tone(&mut self) {
        self.tone.said = None;
    }

    pub(super) fn settings_data(&self) -> SettingsData {
        let [cameras, microphones, speakers] = super::entry::pickers(&self.devices, &self.settings, &self.words);
        SettingsData {
            credential: self.settings.credential.as_deref().map(|path| match credential::address(path) {
                Some(_) => card_name(&credential::name(path), &self.words),
                None => path.display().to_string(),
            }),
            cameras,
            microphones,
            speakers,
            camera_on: self.settings.camera_on,
            microphone_on: self.settings.microphone_on,
            original_sound: self.settings.original_sound,
            tone: self.tone.clone(),
            version: env!("CARGO_PKG_VERSION"),
        }
    }

    pub(super) fn on_settings(&mut self, action: SettingsAction) {
        match action {
            SettingsAction::Back => {
                self.forget_tone();
                self.screen = Screen::Home;
            }
            SettingsAction::ChooseCredential => self.pick(Purpose::Credential),
            SettingsAction::ChooseCard => self.ask(Purpose::Card),
            SettingsAction::ForgetCredential => {
                self.settings.credential = None;
                self.holder = None;
            }
            SettingsAction::Choose(kind, word) => {
                self.settings.choose(kind, word);
                self.forget_tone();
            }
            SettingsAction::TestTone => return self.test_tone(),
            SettingsAction::LookForDevices => return self.look_for_devices(),
            SettingsAction::CameraOn(on) => self.settings.camera_on = on,
            SettingsAction::MicrophoneOn(on) => self.settings.microphone_on = on,
            SettingsAction::OriginalSound(on) => self.settings.original_sound = on,
        }
        self.save_settings();
    }
}
