//! A table to meet at: a throw-away authority, a relay on loopback, and clients on test sources.
#![allow(clippy::unwrap_used, dead_code, missing_docs, unreachable_pub, reason = "each test file uses a part")]

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    ops::Deref,
    sync::Arc,
    time::{Duration, Instant},
};

use conclave_capture::{CameraChoice, MicrophoneChoice, SpeakerChoice, TestPerson, Turns};
use conclave_client::{Client, Config, Notices, Phase, VideoQuality, Watch, wall_clock};
use conclave_identity::{
    Holder, Invitation,
    issue::{Rehearsal, RehearsalSpec, RelayIdentity},
};
use conclave_model::{Bitrate, Level, TrackKind};
use conclave_relay::{Parts, Running};

/// Long enough for a machine that builds something else at the same time.
const PATIENCE: Duration = Duration::from_secs(45);

pub struct Table {
    rehearsal: Rehearsal,
}

/// A client and its notices.
pub struct Member {
    client: Client,
    pub notices: Notices,
}

impl Deref for Member {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Table {
    pub fn new(people: usize) -> Self {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        Self::at(people, free)
    }

    pub fn at(people: usize, port: u16) -> Self {
        let spec = RehearsalSpec { port, ..RehearsalSpec::new(people, wall_clock()) };
        Self { rehearsal: Rehearsal::new(&spec).unwrap() }
    }

    pub fn port(&self) -> u16 {
        self.invitation().content().relay.port
    }

    pub fn invitation(&self) -> &Invitation {
        &self.rehearsal.invitation
    }

    pub fn holder(&self, seat: usize) -> &Holder {
        &self.rehearsal.holders[seat]
    }

    pub fn relay_identity(&self) -> &RelayIdentity {
        &self.rehearsal.relay
    }

    pub fn move_relay(&mut self, host: &str) {
        let port = self.port();
        self.rehearsal.move_relay(host, port).unwrap();
    }

    /// Takes somebody off the list.
    pub fn uninvite(&mut self, seat: usize) {
        self.rehearsal.reissue(|content| drop(content.participants.remove(seat))).unwrap();
    }

    pub fn begin_at(&mut self, wall: u64) {
        self.rehearsal.reissue(|content| content.not_before = wall).unwrap();
    }

    pub fn end_at(&mut self, wall: u64) {
        self.rehearsal.reissue(|content| content.not_after = wall).unwrap();
    }

    pub fn relay(&self) -> Running {
        let identity = &self.rehearsal.relay;
        conclave_relay::start(Parts {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, self.port())),
            media: None,
            public: Vec::new(),
            chain: identity.chain().to_vec(),
            key: identity.private_key(),
            roots: vec![identity.root().clone()],
            revocations: Vec::new(),
            max_level: Level::TopSecret,
            max_participants: 100,
            max_participants_per_meeting: 100,
            audit: None,
        })
        .unwrap()
    }

    pub fn client(&self, seat: usize) -> Member {
        self.client_with(seat, |_| {})
    }

    pub fn client_with(&self, seat: usize, change: impl FnOnce(&mut Config)) -> Member {
        let holder = self.holder(seat).clone();
        let person = holder.person().clone();
        let seed = seat as u64 + 1;
        let mut config = Config {
            camera: CameraChoice::Test(TestPerson { name: person.name, seat: person.seat, seed, turns: Turns::ALWAYS }),
            microphone: MicrophoneChoice::Test { seed, turns: Turns::ALWAYS },
            speaker: SpeakerChoice::Null,
            video: VideoQuality { height: 180, frames_per_second: 15, max_bitrate: Bitrate::kbps(300) },
            watch: Watch::All { height: 180 },
            ..Config::new(holder, self.invitation().clone())
        };
        change(&mut config);
        let (client, notices) = Client::start(config, Arc::new(|| {})).unwrap();
        Member { client, notices }
    }
}

/// Waits for something that takes a while.
pub fn patiently(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub fn is_connected(client: &Client) -> bool {
    client.snapshot().phase == Phase::Joined
}

/// Whether the pictures of all `people` are there, the own one included.
pub fn sees_everybody(client: &Client, people: usize) -> bool {
    let snapshot = client.snapshot();
    snapshot.participants.len() == people
        && snapshot.participants.iter().all(|participant| {
            participant.picture_seen && client.frames().latest(participant.leaf, TrackKind::Camera).is_some()
        })
}

pub fn sees_and_hears(client: &Client, people: usize) -> bool {
    sees_everybody(client, people)
        && client.snapshot().participants.iter().all(|participant| participant.speaking > 0.0)
}
