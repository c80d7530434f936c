//! A whole meeting on this machine: a throw-away CA, a relay on loopback, simulated delegates, and the person as chair.
//!
//! Nothing of it is special: the relay is the one that runs alone, the delegates are ordinary clients whose cameras and
//! microphones are test sources, and everything is encrypted as always.

use std::{sync::Arc, time::Duration};

use conclave_capture::{CameraChoice, MicrophoneChoice, SpeakerChoice, TestPerson, Turns};
use conclave_client::{Client, Command, Config, Notices, Report, StartError, VideoQuality, Watch};
use conclave_identity::{
    Holder, Invitation,
    issue::{IssueError, Rehearsal, RehearsalSpec},
};
use conclave_model::{Bitrate, Level};
use conclave_relay::{Parts, Running};

/// How many sit at the table, the person included.
pub const PEOPLE: usize = 6;

/// The most that a demonstration may have; every one of them encodes and decodes on this machine.
pub const MAX_PEOPLE: usize = 27;

/// How long each delegate speaks.
const TURN: Duration = Duration::from_secs(5);

/// What the delegates send: enough to look at, little enough for two cores.
pub(crate) const QUALITY: VideoQuality =
    VideoQuality { height: 360, frames_per_second: 25, max_bitrate: Bitrate::kbps(500) };

/// A meeting that waits for its chair.
#[derive(Debug)]
pub struct Demo {
    /// The chair's credential.
    pub holder: Holder,
    /// The invitation.
    pub invitation: Invitation,
    /// When a test source in the place of the chair speaks.
    pub turns: Turns,
    delegates: Vec<(Client, Notices)>,
    // After the delegates: they say goodbye to it.
    _relay: Running,
}

/// What a demonstration is to be like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DemoSpec {
    /// How many sit at the table, the person included.
    pub people: usize,
    /// For a window, in which the delegates need not decode each other's pictures and the tiles say who is who, or for
    /// a measurement.
    pub for_window: bool,
    /// Now, in seconds since 1970-01-01 UTC.
    pub wall: u64,
}

/// Why there is no demonstration.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// Nothing could be issued.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// No relay.
    #[error(transparent)]
    Relay(#[from] conclave_relay::StartError),
    /// No client.
    #[error(transparent)]
    Client(#[from] StartError),
    /// No chair.
    #[error("a meeting needs at least one person")]
    Nobody,
}

impl Demo {
    /// Starts relay and delegates; takes some hundred milliseconds.
    ///
    /// # Errors
    /// [`DemoError`], where the system has no port, thread or random bytes.
    pub fn start(spec: DemoSpec, title: String) -> Result<Self, DemoError> {
        let people = spec.people.clamp(1, MAX_PEOPLE);
        let mut rehearsal = Rehearsal::new(&RehearsalSpec {
            title,
            level: Level::Restricted,
            ..RehearsalSpec::new(people, spec.wall)
        })?;
        let relay = conclave_relay::start(Parts {
            listen: ([127, 0, 0, 1], 0).into(),
            media: None,
            public: Vec::new(),
            chain: rehearsal.relay.chain().to_vec(),
            key: rehearsal.relay.private_key(),
            roots: vec![rehearsal.relay.root().clone()],
            revocations: Vec::new(),
            max_level: Level::Restricted,
            max_participants: people + 2,
            max_participants_per_meeting: people + 2,
            audit: None,
        })?;
        let invitation = rehearsal.move_relay("127.0.0.1", relay.address().port())?.clone();
        let holder = rehearsal.holders.first().ok_or(DemoError::Nobody)?.clone();
        let mut delegates = Vec::new();
        for (index, delegate) in rehearsal.holders.iter().enumerate().skip(1) {
            let config = delegate_config(delegate, &invitation, index, people, spec.for_window);
            delegates.push(Client::start(config, Arc::new(|| {}))?);
        }
        Ok(Self { holder, invitation, turns: turns(0, people), delegates, _relay: relay })
    }

    /// What the delegates measured.
    pub fn reports(&self) -> Vec<Report> {
        self.delegates.iter().map(|(client, _)| client.report()).collect()
    }

    /// Lets the delegates leave and waits for them, so that their reports are final.
    pub fn finish(&self) {
        for (client, _) in &self.delegates {
            // An ended delegate takes no command and needs none.
            let _ = client.try_send(Command::Leave);
        }
        for (client, _) in &self.delegates {
            client.join();
        }
    }
}

/// When the person with this number speaks; the chair, number 0, has a turn as well, silent or not.
fn turns(index: usize, people: usize) -> Turns {
    let number = |value: usize| u16::try_from(value).unwrap_or(u16::MAX);
    Turns { index: number(index), count: number(people.max(2)), length: TURN }
}

/// An ordinary client on test sources.
fn delegate_config(holder: &Holder, invitation: &Invitation, index: usize, people: usize, for_window: bool) -> Config {
    let person = holder.person();
    let turns = turns(index, people);
    let seed = index as u64;
    let test = if for_window {
        // The tile has the name already. A control character is not drawn, and still gives each their own background.
        let background = char::from_u32(1 + u32::from(turns.index % 31)).map(String::from).unwrap_or_default();
        TestPerson { name: String::new(), seat: background, seed, turns }
    } else {
        TestPerson { name: person.name.clone(), seat: person.seat.clone(), seed, turns }
    };
    Config {
        camera: CameraChoice::Test(test),
        microphone: MicrophoneChoice::Test { seed, turns },
        speaker: SpeakerChoice::Null,
        video: QUALITY,
        watch: if for_window { Watch::Named } else { Watch::All { height: QUALITY.height } },
        ..Config::new(holder.clone(), invitation.clone())
    }
}
