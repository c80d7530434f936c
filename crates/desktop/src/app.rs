//! The window: which screen is shown, and what happens when a person wants something.
//!
//! [`App::advance`] takes what engine and jobs have to say and moves from screen to screen; [`App::show`] only paints
//! and collects wishes. Neither ever waits: files, passwords, dialogs and devices are [jobs](crate::jobs).

pub mod credential;
pub mod dialog;
mod entry;
mod home;
mod lock;
pub mod papers;
mod sitting;

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use conclave_capture::{CaptureError, Devices, Screens, SpeakerChoice};
use conclave_client::{play_test_tone, wall_clock};
use conclave_identity::Holder;

use crate::{
    demo::{Demo, PEOPLE},
    engine::{self, Engine},
    jobs::{Done, Jobs},
    policy::Policy,
    screens::{
        ended::{self, data::EndedAction, data::EndedData},
        home::data::HomeData,
        lead::data::Charter,
        path::data::Purpose,
        preview::data::ToneView,
        settings as settings_screen,
        unlock::{
            self,
            data::{MeetingFacts, Password, UnlockAction, UnlockData},
        },
    },
    settings::Settings,
    theme, time,
    video::Screenery,
    words::Words,
};
use dialog::Asking;
use entry::Entry;
use lock::Lock;
use papers::{Opened, State};
use sitting::Sitting;

/// What the window begins with.
#[derive(Debug, Default)]
pub enum Start {
    /// The first screen.
    #[default]
    Home,
    /// This invitation.
    Join(JoinStart),
    /// A demonstration for so many people.
    Demonstration(usize),
}

/// What a command line says about joining.
#[derive(Debug, Default)]
pub struct JoinStart {
    /// The invitation.
    pub invitation: PathBuf,
    /// A password that was read from a file.
    pub password: Password,
}

/// What can be put in place of the real thing in tests.
#[derive(Debug)]
pub struct Options {
    /// What the app remembers.
    pub settings: Settings,
    /// Where it is remembered; `None` forgets it with the window.
    pub settings_path: Option<PathBuf>,
    /// What the IT department decided.
    pub policy: Policy,
    /// What to begin with.
    pub start: Start,
    /// Set from outside to close the window.
    pub quit: Arc<AtomicBool>,
    /// The wall clock, in seconds since 1970-01-01 UTC.
    pub wall: fn() -> u64,
    /// The clock of the engine, which never jumps.
    pub instant: fn() -> Instant,
    /// Whether the system can show a file dialog; not called on the window's thread.
    pub has_dialog: fn() -> bool,
    /// What is plugged in; not called on the window's thread.
    pub devices: fn() -> Devices,
    /// What could be shared; not called on the window's thread.
    pub screens: fn() -> Screens,
    /// Plays a tone and says what played it; not called on the window's thread.
    pub tone: fn(&SpeakerChoice) -> Result<String, CaptureError>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            settings: Settings::default(),
            settings_path: None,
            policy: Policy::default(),
            start: Start::Home,
            quit: Arc::default(),
            wall: wall_clock,
            instant: Instant::now,
            has_dialog: dialog::has_dialog,
            devices: conclave_capture::devices,
            screens: conclave_capture::list_screens,
            tone: play_test_tone,
        }
    }
}

/// The window.
#[derive(Debug)]
pub struct App {
    words: Words,
    screenery: Screenery,
    jobs: Jobs,
    settings: Settings,
    settings_path: Option<PathBuf>,
    quit: Arc<AtomicBool>,
    wall: fn() -> u64,
    instant: fn() -> Instant,
    has_dialog: fn() -> bool,
    holder: Option<Holder>,
    list_devices: fn() -> Devices,
    list_screens: fn() -> Screens,
    play_tone: fn(&SpeakerChoice) -> Result<String, CaptureError>,
    tone: ToneView,
    devices: Devices,
    /// Whether they are being looked for.
    looking: bool,
    /// A path is being asked for, since there is no dialog.
    asking: Option<Asking>,
    demo: Option<Box<Demo>>,
    /// Whether a demonstration goes straight into its meeting.
    direct: bool,
    password: Password,
    problem: Option<String>,
    busy: Option<Busy>,
    policy: Policy,
    lock: Lock,
    screen: Screen,
}

/// What a job is doing that blocks the first screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Busy {
    Dialog,
    Opening,
    Demonstration,
}

/// What fills the window.
#[derive(Debug)]
enum Screen {
    Home,
    Settings,
    Unlock(Unlock),
    Entry(Box<Entry>),
    Meeting(Box<Sitting>),
    Ended(Box<Ended>),
}

/// The password is asked for.
#[derive(Debug)]
struct Unlock {
    /// What it is for, and how far that could be checked.
    file: PathBuf,
    opened: Opened,
    problem: Option<String>,
    busy: bool,
}

/// The meeting is over.
#[derive(Debug)]
struct Ended {
    data: EndedData,
    again: Option<Again>,
}

/// How somebody comes back into a meeting.
#[derive(Debug)]
enum Again {
    /// As before.
    Enter(Box<entry::Ticket>),
    /// By the PIN of the card that was taken out; with which file.
    Unlock(PathBuf),
}

impl App {
    /// The window's content, drawn into `ctx`.
    pub fn new(ctx: &egui::Context, options: Options) -> Self {
        theme::install(ctx);
        let mut app = Self {
            words: Words::english(),
            screenery: Screenery::default(),
            jobs: Jobs::new(ctx.clone()),
            settings: options.settings,
            settings_path: options.settings_path,
            quit: options.quit,
            wall: options.wall,
            instant: options.instant,
            has_dialog: options.has_dialog,
            holder: None,
            list_devices: options.devices,
            list_screens: options.screens,
            play_tone: options.tone,
            tone: ToneView::default(),
            devices: Devices::default(),
            looking: false,
            asking: None,
            demo: None,
            direct: matches!(options.start, Start::Demonstration(_)),
            password: Password::with_room(),
            problem: None,
            busy: None,
            lock: Lock::new(&options.policy),
            policy: options.policy,
            screen: Screen::Home,
        };
        match options.start {
            Start::Home => {}
            Start::Join(join) => {
                app.password = join.password;
                app.open(join.invitation);
            }
            Start::Demonstration(people) => app.demonstrate(people),
        }
        app
    }

    /// Begins with a meeting that is already running, in place of [`Options::start`].
    pub fn sit(&mut self, engine: Box<dyn Engine + Send>) {
        self.screen = Screen::Meeting(Box::new(Sitting::new(engine, None)));
    }

    /// Puts what an invitation would say in place of it, where a meeting is shown that came without one.
    pub fn set_charter(&mut self, charter: Charter) {
        if let Screen::Meeting(sitting) = &mut self.screen {
            sitting.set_charter(charter);
        }
    }

    /// Shows what can be checked of the security, where a meeting is shown.
    pub fn open_security(&mut self) {
        if let Screen::Meeting(sitting) = &mut self.screen {
            sitting.open_security();
        }
    }

    /// Shows the list of participants, where a meeting is shown.
    pub fn open_roster(&mut self) {
        if let Screen::Meeting(sitting) = &mut self.screen {
            sitting.open_roster();
        }
    }

    /// Shows what could be shared, where a meeting is shown. Waits for the list: for pictures of the window.
    pub fn open_picker(&mut self) {
        let screens = (self.list_screens)();
        if let Screen::Meeting(sitting) = &mut self.screen {
            sitting.open_picker(screens);
        }
    }

    /// Takes what engine, jobs and the system have to say. Paints nothing.
    pub fn advance(&mut self, ctx: &egui::Context) {
        if self.quit.load(Ordering::Relaxed) {
            ctx.send_viewport_cmd(egui::ViewportCommand::Close);
        }
        let dropped: Vec<PathBuf> =
            ctx.input(|input| input.raw.dropped_files.iter().map(|file| file.path().to_owned()).collect());
        if let Some(path) = dropped.into_iter().next() {
            self.dropped(path);
        }
        while let Some(done) = self.jobs.next() {
            self.on_done(done);
        }
        let now = ctx.time();
        if let Screen::Meeting(sitting) = &mut self.screen
            && let Some(reason) = sitting.advance(ctx, now, &self.words)
        {
            self.end_sitting(&reason);
        }
        self.watch_idle(ctx);
    }

    /// Paints the window into `ui` and does what the person wants.
    pub fn show(&mut self, ui: &mut egui::Ui) {
        if self.show_lock(ui) {
            return;
        }
        match &self.screen {
            Screen::Home => self.show_home(ui),
            Screen::Settings => self.show_settings(ui),
            Screen::Unlock(_) => self.show_unlock(ui),
            Screen::Entry(_) => self.show_entry(ui),
            Screen::Meeting(_) => self.show_meeting(ui),
            Screen::Ended(_) => self.show_ended(ui),
        }
        self.show_asking(ui);
        self.show_announcement(ui.ctx());
    }

    /// Closes everything that is open; waits for it, for the moment before the program ends.
    pub fn close(&mut self) {
        match std::mem::replace(&mut self.screen, Screen::Home) {
            Screen::Meeting(sitting) => sitting.into_engine().close(),
            Screen::Entry(entry) => entry.close(),
            Screen::Home | Screen::Settings | Screen::Unlock(_) | Screen::Ended(_) => {}
        }
        if let Some(demo) = self.demo.take() {
            demo.finish();
        }
    }

    /// Frees textures of people who are gone.
    pub fn tidy(&self, gl: &eframe::glow::Context) {
        self.screenery.forget_unused(gl);
    }

    /// Frees all textures.
    pub fn close_graphics(&self, gl: &eframe::glow::Context) {
        self.screenery.close(gl);
    }

    fn on_done(&mut self, done: Done) {
        match done {
            Done::Picked(purpose, picked) => self.on_picked(purpose, picked),
            Done::Invitation(path, result) => self.on_invitation(path, result),
            Done::Unlocked(result) => self.on_unlocked(result),
            Done::Reopened(result) => self.on_reopened(result),
            Done::Tone(result) => self.on_tone(result),
            Done::Devices(devices) => {
                self.devices = *devices;
                self.looking = false;
                if let Screen::Entry(entry) = &mut self.screen {
                    entry.devices_changed(&self.devices, &self.words);
                }
            }
            Done::Screens(screens) => {
                if let Screen::Meeting(sitting) = &mut self.screen {
                    sitting.screens_found(*screens);
                }
            }
            Done::Started(result) => self.on_started(result),
            Done::Demonstration(result) => self.on_demonstration(result),
        }
    }

    fn show_settings(&mut self, ui: &mut egui::Ui) {
        let data = self.settings_data();
        if let Some(action) = settings_screen::ui::show(ui, &data, &self.words) {
            self.on_settings(action);
        }
    }

    fn show_unlock(&mut self, ui: &mut egui::Ui) {
        let Screen::Unlock(state) = &self.screen else { return };
        let data = UnlockData {
            file: self.settings.credential.as_deref().map(credential::name),
            card: self.settings.credential.as_deref().and_then(credential::address).is_some(),
            meeting: match &state.opened.state {
                State::Checked(invitation) => {
                    let content = invitation.content();
                    let when = time::span(content.not_before, content.not_after, (self.wall)(), &self.words);
                    Some(MeetingFacts { title: content.title.clone(), when, level: content.level })
                }
                State::Unchecked(_) => None,
            },
            invitation: crate::screens::home::data::file_name(&state.file),
            problem: state.problem.clone(),
            busy: state.busy,
        };
        match unlock::ui::show(ui, &data, &mut self.password, &self.words) {
            Some(UnlockAction::Unlock) => self.unlock(),
            Some(UnlockAction::Choose) => self.pick(Purpose::Credential),
            Some(UnlockAction::ChooseCard) => self.ask(Purpose::Card),
            Some(UnlockAction::Back) => {
                self.password = Password::with_room();
                self.screen = Screen::Home;
            }
            None => {}
        }
    }

    fn show_ended(&mut self, ui: &mut egui::Ui) {
        let Screen::Ended(ended) = &mut self.screen else { return };
        let action = ended::ui::show(ui, &ended.data, &self.words);
        let again = match action {
            Some(EndedAction::Again) => ended.again.take(),
            Some(EndedAction::Home) => None,
            None => return,
        };
        match again {
            Some(Again::Enter(ticket)) => self.enter_hall(*ticket),
            Some(Again::Unlock(file)) => {
                self.screen = Screen::Home;
                self.open(file);
            }
            None => {
                self.end_demonstration();
                self.screen = Screen::Home;
            }
        }
    }

    fn home_data(&self, ctx: &egui::Context) -> HomeData {
        home::data(self, !ctx.input(|input| input.raw.hovered_files.is_empty()))
    }

    fn end_demonstration(&mut self) {
        if let Some(demo) = self.demo.take() {
            let closing = std::thread::Builder::new().name("conclave-closing".to_owned());
            if closing.spawn(move || demo.finish()).is_err() {
                tracing::error!("no thread to end the demonstration on");
            }
        }
    }

    fn save_settings(&self) {
        if let Some(path) = &self.settings_path
            && let Err(error) = self.settings.save(path)
        {
            tracing::warn!(%error, "settings were not saved");
        }
    }
}

/// The window in its frame.
pub struct Framed(pub App);

impl eframe::App for Framed {
    fn logic(&mut self, ctx: &egui::Context, _frame: &mut eframe::Frame) {
        self.0.advance(ctx);
    }

    fn ui(&mut self, ui: &mut egui::Ui, frame: &mut eframe::Frame) {
        self.0.show(ui);
        if let Some(gl) = frame.gl() {
            self.0.tidy(gl);
        }
    }

    fn on_exit(&mut self, gl: Option<&eframe::glow::Context>) {
        if let Some(gl) = gl {
            self.0.close_graphics(gl);
        }
        self.0.close();
    }

    fn clear_color(&self, _visuals: &egui::Visuals) -> [f32; 4] {
        theme::colour::CANVAS.to_normalized_gamma_f32()
    }
}

/// How many sit at the table of a demonstration that nobody asked more of.
const DEMONSTRATION: usize = PEOPLE;

/// Ends an engine that is needed no more.
fn dismiss(engine: Box<dyn Engine + Send>) {
    if engine::close_aside(engine).is_none() {
        tracing::error!("no thread to close the meeting on");
    }
}
