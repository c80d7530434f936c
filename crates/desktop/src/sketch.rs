//! Made-up meetings, for tests of the window and for pictures of it. No part of the product uses it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Instant,
};

use conclave_capture::{
    CameraChoice, Device, Devices, MicrophoneChoice, ScreenChoice, ScreenKind, ScreenSource, Screens, SpeakerChoice,
    TestPage, TestPerson, Turns, portrait::Portrait, screen::draw_page,
};
use conclave_client::{
    Command, Governance, KeyState, LocalSource, Notice, OwnShare, Participant, Phase, Quality, QueueFull, ShareRequest,
    Shared, Snapshot, SpeakerState, Stage, Waiting,
};
use conclave_identity::{Admission, issue};
use conclave_model::{Bitrate, Epoch, Fingerprint, LeafIndex, LeafRef, Level, MediaTime, Person, Picture, TrackKind};
use conclave_session::{SourceState, Standing};

use crate::{
    engine::Engine,
    screens::{
        lead::data::{Charter, Originator},
        meeting::ui::Pictures,
    },
    time::Now,
    video::{Canvas, Shown},
};

/// The moment at which made-up meetings are: 2026-11-23 13:20 UTC.
pub const WALL: u64 = 1_795_440_000;

/// An engine that shows what it is told and remembers what it is asked.
#[derive(Clone, Debug)]
pub struct SketchEngine {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    snapshot: Arc<Snapshot>,
    pictures: BTreeMap<LeafIndex, Arc<Picture>>,
    own: Option<Arc<Picture>>,
    commands: Vec<Command>,
    notices: Vec<Notice>,
    full: bool,
}

impl SketchEngine {
    /// A meeting of `people`; with pictures where `portraits` is set.
    pub fn new(people: usize, portraits: bool) -> Self {
        let snapshot = snapshot(people);
        let mut pictures = BTreeMap::new();
        if portraits {
            for participant in &snapshot.participants {
                if participant.camera == SourceState::On
                    && let Some(picture) = portrait(participant.leaf.0)
                {
                    pictures.insert(participant.leaf, picture);
                }
            }
        }
        let own = pictures.get(&LeafIndex(0)).cloned();
        let state = State {
            snapshot: Arc::new(snapshot),
            pictures,
            own,
            commands: Vec::new(),
            notices: Vec::new(),
            full: false,
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Changes what is shown.
    pub fn change(&self, change: impl FnOnce(&mut Snapshot)) {
        let mut state = self.lock();
        let mut snapshot = Snapshot::clone(&state.snapshot);
        change(&mut snapshot);
        state.snapshot = Arc::new(snapshot);
    }

    /// Says something once.
    pub fn notify(&self, notice: Notice) {
        self.lock().notices.push(notice);
    }

    /// Refuses all commands from now on.
    pub fn fill(&self) {
        self.lock().full = true;
    }

    /// What was asked for since the last call, in words of Rust.
    pub fn take_commands(&self) -> Vec<String> {
        self.lock().commands.drain(..).map(|command| format!("{command:?}")).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine for SketchEngine {
    fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.lock().snapshot)
    }

    /// Microphone, camera and their devices follow at once, as the real engine's snapshot does soon after.
    fn send(&self, command: Command) -> Result<(), QueueFull> {
        if self.lock().full {
            return Err(QueueFull);
        }
        if let Command::Microphone(on) = command {
            self.change(|snapshot| snapshot.microphone.on = on);
        }
        if let Command::Camera(on) = command {
            self.change(|snapshot| snapshot.camera.on = on);
        }
        let plugged = devices();
        if let Command::SelectCamera(CameraChoice::Device(id)) = &command {
            self.change(|snapshot| snapshot.camera.open_device = name_of(&plugged.cameras, id));
        }
        if let Command::SelectMicrophone(MicrophoneChoice::Device(id)) = &command {
            self.change(|snapshot| snapshot.microphone.open_device = name_of(&plugged.microphones, id));
        }
        if let Command::VoiceMode(mode) = command {
            self.change(|snapshot| snapshot.voice = mode);
        }
        if let Command::SelectSpeaker(SpeakerChoice::Device(id)) = &command {
            self.change(|snapshot| snapshot.speaker.open_device = name_of(&plugged.speakers, id));
        }
        self.lock().commands.push(command);
        Ok(())
    }

    fn notice(&self) -> Option<Notice> {
        self.lock().notices.pop()
    }

    fn close(self: Box<Self>) {}
}

impl Pictures for SketchEngine {
    fn of(&self, leaf: LeafIndex) -> Option<Shown> {
        let picture = Arc::clone(self.lock().pictures.get(&leaf)?);
        Some(Shown { canvas: Canvas::Member(leaf, TrackKind::Camera), generation: 1, picture })
    }

    fn screen(&self, leaf: LeafIndex) -> Option<Shown> {
        static PAGE: OnceLock<Option<Arc<Picture>>> = OnceLock::new();
        let page = PAGE.get_or_init(|| draw_page(TestPage::Text, 1920, 1080).map(Arc::new));
        let canvas = Canvas::Member(leaf, TrackKind::Screen);
        Some(Shown { canvas, generation: 1, picture: Arc::clone(page.as_ref()?) })
    }

    fn own(&self) -> Option<Shown> {
        let picture = self.lock().own.clone()?;
        Some(Shown { canvas: Canvas::Own, generation: 1, picture })
    }
}

/// Made-up screens and windows.
pub fn screens() -> Screens {
    let source = |choice: ScreenChoice, kind, name: &str, width, height| ScreenSource {
        choice,
        kind,
        name: name.to_owned(),
        width,
        height,
        own: false,
    };
    let screen = |name: &str, width, height| {
        source(ScreenChoice::Screen(name.to_owned()), ScreenKind::Screen, name, width, height)
    };
    let window =
        |id: &str, name: &str| source(ScreenChoice::Window(id.to_owned()), ScreenKind::Window, name, 1280, 900);
    let sources = vec![
        screen("HDMI-1", 1920, 1080),
        screen("eDP-1", 2560, 1600),
        window("1", "Draft conclusions, revision 3 – Writer"),
        window("2", "Budget 2027 – Calc"),
    ];
    Screens { sources, error: None }
}

/// Made-up devices.
pub fn devices() -> Devices {
    let list = |names: [&str; 2]| {
        names.map(|name| Device { id: name.to_lowercase().replace(' ', "-"), name: name.to_owned() }).to_vec()
    };
    Devices {
        cameras: list(["Desk camera", "Room camera"]),
        microphones: list(["Conference headset", "Desk microphone"]),
        speakers: list(["Conference headset", "Room loudspeakers"]),
        errors: Vec::new(),
    }
}

fn name_of(devices: &[Device], id: &str) -> Option<String> {
    devices.iter().find(|device| device.id == id).map(|device| device.name.clone())
}

/// A delegate as drawn by the test camera, without the name that the tile has anyway.
pub fn portrait(seed: u32) -> Option<Arc<Picture>> {
    // A control character is not drawn and still decides the background.
    let seat = char::from_u32(1 + seed % 31).map(String::from).unwrap_or_default();
    let test = TestPerson { name: String::new(), seat, seed: seed.into(), turns: Turns::NEVER };
    // The marker that machines read stands in the lowest rows: drawn higher than shown, it is cut off.
    let drawn = Portrait::new(&test, 720, 404).ok()?.draw(1, MediaTime(WALL * 1_000_000));
    let cut = |plane: &[u8], (width, height): (usize, usize), (w, h): (usize, usize)| {
        let left = (width - w) / 2;
        plane.chunks(width).take(height).take(h).flat_map(|row| row[left..left + w].to_vec()).collect::<Vec<u8>>()
    };
    let [y, u, v] = drawn.planes();
    let planes = [cut(y, (720, 404), (672, 378)), cut(u, (360, 202), (336, 189)), cut(v, (360, 202), (336, 189))];
    Picture::new(672, 378, drawn.time, planes).ok().map(Arc::new)
}

/// A made-up person of a made-up list of delegates.
pub fn person(number: usize) -> Person {
    let spec = issue::delegate(number, WALL);
    Person {
        name: spec.name,
        seat: spec.seat,
        seat_code: spec.seat_code,
        rank: spec.rank,
        role: spec.role,
        clearance: spec.clearance,
        fingerprint: [u8::try_from(number).unwrap_or(u8::MAX); 32],
    }
}

/// The moment at which made-up meetings are, on both clocks; the same for the whole program.
pub fn now() -> Now {
    static BEGIN: OnceLock<Instant> = OnceLock::new();
    Now { wall: WALL, instant: *BEGIN.get_or_init(Instant::now) }
}

/// People in the lobby of a made-up meeting, longest first.
pub fn lobby(people: usize) -> Vec<Waiting> {
    (20..20 + people)
        .map(|number| Waiting {
            reference: LeafRef([u8::try_from(number).unwrap_or(u8::MAX); 16]),
            person: Some(person(number)),
            problem: None,
            since: now().instant,
        })
        .collect()
}

/// What an invitation says that names this participant as the originator.
pub fn charter(originator: usize) -> Charter {
    let person = person(originator);
    let originator = Originator { fingerprint: Fingerprint(person.fingerprint), name: person.name };
    Charter { originator: Some(originator), has_lobby: true }
}

/// Makes a participant share a screen.
pub fn share(snapshot: &mut Snapshot, who: u32) {
    let leaf = LeafIndex(who);
    snapshot.stage.holder = Some(leaf);
    snapshot.stage.shared = Some(Shared { leaf, label: Level::Restricted, since: now().instant });
    for participant in snapshot.participants.iter_mut().filter(|participant| participant.leaf == leaf) {
        participant.screen = SourceState::On;
        participant.screen_seen = true;
    }
}

/// Makes two participants ask the chair whether they may share.
pub fn ask_to_share(snapshot: &mut Snapshot) {
    let asks = |leaf, label| ShareRequest { leaf: LeafIndex(leaf), label, since: now().instant };
    snapshot.stage.requests = vec![asks(2, Level::Restricted), asks(1, Level::Unclassified)];
}

/// A meeting in which some are muted, some have their camera off, and one speaks.
pub fn snapshot(people: usize) -> Snapshot {
    let participants = (0..people)
        .map(|number| Participant {
            leaf: LeafIndex(u32::try_from(number).unwrap_or(u32::MAX)),
            person: person(number),
            microphone: if number % 3 == 1 { SourceState::Off } else { SourceState::On },
            camera: if number % 7 == 4 { SourceState::Off } else { SourceState::On },
            speaking: if number == 2 { 0.7 } else { 0.05 },
            is_me: number == 0,
            key: KeyState::Open,
            standing: Standing::Confirmed,
            picture_seen: true,
            picture_fails: false,
            picture_layer: None,
            is_squeezed: false,
            screen: SourceState::Off,
            screen_seen: false,
        })
        .collect();
    let open = |name: &str, level| LocalSource { on: true, open_device: Some(name.to_owned()), level, problem: None };
    Snapshot {
        phase: Phase::Joined,
        title: "Foreign Affairs Council: preparation".to_owned(),
        warning: None,
        level: Level::Restricted,
        governance: Some(Governance {
            chair: Some(LeafIndex(0)),
            level: Level::Restricted,
            locked: false,
            admission: Admission::Lobby,
            consent: None,
            ejected: 0,
            words: vec!["harbour", "violin", "meadow", "copper", "lantern", "orchard"],
        }),
        lobby: Arc::from([]),
        keys_since: Some(now().instant),
        me: Some(LeafIndex(0)),
        participants,
        epoch: Epoch(7),
        suite: "MLS_128_MLKEM768X25519_CHACHA20POLY1305_SHA384_MLDSA44",
        stage: Stage { decides: Some(LeafIndex(0)), ..Stage::default() },
        own_share: OwnShare::Idle,
        microphone: open("Conference headset", 0.2),
        camera: open("Desk camera", 0.0),
        speaker: SpeakerState { open_device: Some("Conference headset".to_owned()), problem: None },
        voice: conclave_client::media::VoiceMode::Speech,
        quality: Quality {
            round_trip: Some(std::time::Duration::from_millis(23)),
            loss: 0.0,
            send_budget: Some(Bitrate::kbps(2400)),
            squeezed: 0,
            path_up: true,
        },
        relay: "relay.council.example:7443".to_owned(),
        relay_maximum: Some(Level::TopSecret),
        ceiling: Level::TopSecret,
    }
}
