//! Before entering: the preview, and the step into the meeting.

use std::sync::Arc;

use conclave_capture::{CameraChoice, Device, Devices, MicrophoneChoice, TestPerson, Turns};
use conclave_client::{Client, Config, LocalSource, Preview, StartError, VideoQuality, Waker};
use conclave_identity::{Admission, Holder, Invitation, Revocations, WindowError, check_member};
use conclave_model::Role;

use super::{App, Screen, dismiss, sitting::Sitting};
use crate::{
    engine::{Engine, Live},
    explain,
    jobs::Done,
    policy::Policy,
    screens::preview::{
        self,
        data::{Kind, Picker, PreviewAction, PreviewData, SourceView, ToneView},
    },
    settings::Settings,
    time,
    video::{Canvas, Shown},
    words::Words,
};

/// What admits to one meeting.
#[derive(Clone, Debug)]
pub(super) struct Ticket {
    pub(super) holder: Holder,
    pub(super) invitation: Invitation,
    /// In a demonstration: when a test source in the place of the person speaks.
    pub(super) rehearsed: Option<Turns>,
}

/// Before entering.
pub(super) struct Entry {
    ticket: Ticket,
    /// Closed while the meeting takes the devices over.
    preview: Option<Preview>,
    camera_on: bool,
    microphone_on: bool,
    pickers: [Picker; 3],
    entry: Result<(), String>,
    entering: bool,
    problem: Option<String>,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entry").field("entry", &self.entry).field("entering", &self.entering).finish_non_exhaustive()
    }
}

impl Entry {
    pub(super) fn devices_changed(&mut self, devices: &Devices, words: &Words) {
        let chosen = self.choices();
        self.pickers = pickers_of(devices, [&chosen[0], &chosen[1], &chosen[2]], words);
    }

    pub(super) fn close(self) {
        if let Some(preview) = self.preview {
            preview.close();
        }
    }

    fn choices(&self) -> [String; 3] {
        self.pickers.each_ref().map(|picker| picker.chosen.clone())
    }
}

impl App {
    /// Shows the preview for a meeting, or says why there is none.
    pub(super) fn enter_hall(&mut self, ticket: Ticket) {
        let wall = (self.wall)();
        let entry = entry_of(&ticket, &self.policy, wall, &self.words);
        let pickers = pickers(&self.devices, &self.settings, &self.words);
        let waker = self.waker();
        let preview = Preview::start(
            camera(&pickers[0].chosen, self.settings.camera_on, ticket.rehearsed),
            microphone(&pickers[1].chosen, ticket.rehearsed),
            VideoQuality::default(),
            waker,
        );
        let (preview, problem) = match preview {
            Ok(preview) => (Some(preview), None),
            Err(error) => (None, Some(error.to_string())),
        };
        self.look_for_devices();
        self.forget_tone();
        self.screen = Screen::Entry(Box::new(Entry {
            ticket,
            preview,
            camera_on: self.settings.camera_on,
            microphone_on: self.settings.microphone_on,
            pickers,
            entry,
            entering: false,
            problem,
        }));
    }

    pub(super) fn show_entry(&mut self, ui: &mut egui::Ui) {
        let Screen::Entry(entry) = &mut self.screen else { return };
        let data = preview_data(entry, &self.tone, (self.wall)(), &self.words);
        let Some(action) = preview::ui::show(ui, &data, &self.screenery, &self.words) else { return };
        match action {
            PreviewAction::Enter => self.enter(),
            PreviewAction::Back => {
                if let Screen::Entry(entry) = std::mem::replace(&mut self.screen, Screen::Home) {
                    // Dropping the preview closes the devices without waiting for them.
                    drop(entry);
                }
                self.forget_tone();
                self.end_demonstration();
            }
            PreviewAction::LookForDevices => self.look_for_devices(),
            PreviewAction::TestTone => self.test_tone(),
            PreviewAction::Microphone(on) => entry.microphone_on = on,
            PreviewAction::Camera(on) => {
                entry.camera_on = on;
                let choice = camera(&entry.pickers[0].chosen, on, entry.ticket.rehearsed);
                select(entry, |preview| preview.select_camera(choice));
            }
            PreviewAction::Choose(kind, word) => {
                match kind {
                    Kind::Camera => {
                        let choice = camera(&word, entry.camera_on, entry.ticket.rehearsed);
                        select(entry, |preview| preview.select_camera(choice));
                        entry.pickers[0].chosen.clone_from(&word);
                    }
                    Kind::Microphone => {
                        let choice = microphone(&word, entry.ticket.rehearsed);
                        select(entry, |preview| preview.select_microphone(choice));
                        entry.pickers[1].chosen.clone_from(&word);
                    }
                    Kind::Speaker => entry.pickers[2].chosen.clone_from(&word),
                }
                self.forget_tone();
                self.settings.choose(kind, word);
                self.save_settings();
            }
        }
    }

    /// Into the meeting.
    pub(super) fn enter(&mut self) {
        let waker = self.waker();
        let Screen::Entry(entry) = &mut self.screen else { return };
        if entry.entering {
            return;
        }
        entry.entering = true;
        let [camera_word, microphone_word, speaker_word] = entry.choices();
        let mut config = Config {
            camera: camera(&camera_word, true, entry.ticket.rehearsed),
            microphone: microphone(&microphone_word, entry.ticket.rehearsed),
            speaker: speaker_word.parse().unwrap_or_default(),
            camera_on: entry.camera_on,
            microphone_on: entry.microphone_on,
            voice: self.settings.voice(),
            ..Config::new(entry.ticket.holder.clone(), entry.ticket.invitation.clone())
        };
        if entry.ticket.rehearsed.is_none() {
            self.policy.apply(&mut config);
        }
        let preview = entry.preview.take();
        self.jobs.run("entering", move || {
            // The devices must be free before the meeting opens them.
            if let Some(preview) = preview {
                preview.close();
            }
            let live = |(client, notices)| Box::new(Live::new(client, notices)) as Box<dyn Engine + Send>;
            Done::Started(Client::start(config, waker).map(live))
        });
    }

    pub(super) fn on_started(&mut self, result: Result<Box<dyn Engine + Send>, StartError>) {
        let Screen::Entry(entry) = &mut self.screen else {
            // The person went back in the meantime.
            if let Ok(engine) = result {
                dismiss(engine);
            }
            return;
        };
        match result {
            Ok(engine) => {
                let ticket = entry.ticket.clone();
                self.screen = Screen::Meeting(Box::new(Sitting::new(engine, Some(ticket))));
            }
            Err(error) => {
                entry.entering = false;
                entry.problem = Some(self.words.tell("start-failed", [("reason", error.to_string().into())]));
            }
        }
    }

    fn waker(&self) -> Waker {
        let ctx = self.jobs.window();
        Arc::new(move || ctx.request_repaint())
    }
}

fn select(entry: &Entry, order: impl FnOnce(&Preview)) {
    if let Some(preview) = &entry.preview {
        order(preview);
    }
}

/// Whether the meeting can be entered. Entering early is allowed: the engine waits for the beginning.
fn entry_of(ticket: &Ticket, policy: &Policy, wall: u64, words: &Words) -> Result<(), String> {
    let (holder, level) = (&ticket.holder, ticket.invitation.content().level);
    // A demonstration carries nothing.
    if ticket.rehearsed.is_none() {
        policy.check_level(level).map_err(|above| explain::above_maximum(above, words))?;
    }
    check_member(holder.chain(), &ticket.invitation, holder.root(), &Revocations::default(), level, wall)
        .map_err(|error| explain::member(&error, words))?;
    match ticket.invitation.check_window(wall) {
        Ok(()) | Err(WindowError::NotBegun { .. }) => Ok(()),
        Err(error @ WindowError::Over { .. }) => Err(explain::window(error, wall, words)),
    }
}

/// Whether the person waits in the lobby first: all do but those who may lead the meeting.
fn waits(ticket: &Ticket) -> bool {
    let content = ticket.invitation.content();
    let me = ticket.holder.person().fingerprint;
    let chairs = content.participants.iter().filter(|listed| listed.role == Role::Chair).map(|chair| chair.fingerprint);
    let leads = chairs.chain(content.succession.iter().map(|name| name.0)).any(|fingerprint| fingerprint == me);
    content.admission == Admission::Lobby && !leads
}

fn preview_data(entry: &Entry, tone: &ToneView, wall: u64, words: &Words) -> PreviewData {
    let content = entry.ticket.invitation.content();
    let person = entry.ticket.holder.person();
    let view = |source: Option<Arc<LocalSource>>, on: bool, level: f32| {
        let source = source.unwrap_or_default();
        SourceView {
            on,
            device: source.open_device.clone(),
            problem: source.problem.as_ref().map(|problem| explain::capture(problem, words)),
            level,
        }
    };
    let preview = entry.preview.as_ref();
    let picture = preview.and_then(|preview| {
        Some(Shown { canvas: Canvas::Own, generation: preview.generation(), picture: preview.latest()? })
    });
    PreviewData {
        title: content.title.clone(),
        level: content.level,
        when: time::span(content.not_before, content.not_after, wall, words),
        warning: content.warning.clone(),
        invited: content.participants.len(),
        me: (person.name.clone(), person.seat.clone()),
        picture,
        camera: view(preview.map(Preview::camera), entry.camera_on, 0.0),
        microphone: view(preview.map(Preview::microphone), entry.microphone_on, preview.map_or(0.0, Preview::level)),
        cameras: entry.pickers[0].clone(),
        microphones: entry.pickers[1].clone(),
        speakers: entry.pickers[2].clone(),
        tone: tone.clone(),
        door: waits(&entry.ticket).then(|| words.say("preview-lobby")),
        entry: match &entry.problem {
            Some(problem) => Err(problem.clone()),
            None => entry.entry.clone(),
        },
        entering: entry.entering,
    }
}

/// Lists to choose camera, microphone and loudspeaker from, with the remembered ones chosen.
pub(super) fn pickers(devices: &Devices, settings: &Settings, words: &Words) -> [Picker; 3] {
    pickers_of(devices, [&settings.camera, &settings.microphone, &settings.speaker], words)
}

fn pickers_of(devices: &Devices, chosen: [&str; 3], words: &Words) -> [Picker; 3] {
    let lists = [&devices.cameras, &devices.microphones, &devices.speakers];
    std::array::from_fn(|index| {
        let named = |device: &Device| (device.id.clone(), device.name.clone());
        let default = words.say("device-default");
        Picker::new(default, lists[index].iter().map(named), chosen[index], |word| name_of(word, words))
    })
}

/// What a word of the command line is called where it names no device that is plugged in.
fn name_of(word: &str, words: &Words) -> String {
    match word.split_once(':') {
        Some(("file", path)) => words.tell("device-file", [("file", path.into())]),
        Some(("device", id)) => words.tell("device-gone", [("word", id.into())]),
        _ => match word {
            "test" => words.say("device-test"),
            "off" | "null" => words.say("device-none"),
            other => other.to_owned(),
        },
    }
}

/// The camera that a word names. A word that names none is the default's: the settings are written by hand at times.
///
/// In a demonstration a test picture leaves the name to the tile, and speaks in turn.
pub(super) fn camera(word: &str, on: bool, rehearsed: Option<Turns>) -> CameraChoice {
    match (word.parse().unwrap_or_default(), rehearsed) {
        _ if !on => CameraChoice::Off,
        (CameraChoice::Test(_), Some(turns)) => {
            CameraChoice::Test(TestPerson { name: String::new(), seat: String::new(), seed: 0, turns })
        }
        (choice, _) => choice,
    }
}

pub(super) fn microphone(word: &str, rehearsed: Option<Turns>) -> MicrophoneChoice {
    match (word.parse().unwrap_or_default(), rehearsed) {
        (MicrophoneChoice::Test { .. }, Some(turns)) => MicrophoneChoice::Test { seed: 0, turns },
        (choice, _) => choice,
    }
}
