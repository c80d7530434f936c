//! A relay on loopback and clients on test sources, for what is measured by the real clock.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    ops::Deref,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use conclave_capture::{CameraChoice, MicrophoneChoice, SpeakerChoice, TestPerson, Turns};
use conclave_client::{Client, Command, Config, Notices, VideoQuality, Watch, wall_clock};
use conclave_identity::{
    Holder, Invitation, Listed,
    credential::write_private,
    issue::{Rehearsal, RehearsalSpec, Validity, delegate},
};
use conclave_model::{Bitrate, Level};
use conclave_relay::{Parts, Running};

/// How long anything here may take to come about.
const PATIENCE: Duration = Duration::from_secs(60);

/// The password of a credential that is thrown away.
const PASSWORD: &str = "a bench is a long seat";

/// A meeting and its relay.
pub(crate) struct Room {
    rehearsal: Rehearsal,
    _relay: Running,
}

/// A client in it; leaves when dropped.
pub(crate) struct Member {
    client: Client,
    _notices: Notices,
}

impl Room {
    /// With seats for so many.
    pub(crate) fn new(people: usize) -> Self {
        Self::of(Self::rehearse(people))
    }

    /// With seats for so many and one more, whose credential and invitation are written to `folder`.
    pub(crate) fn with_guest(people: usize, folder: &Path) -> Self {
        // Nothing is valid for longer than its authority, which comes after.
        let wall = wall_clock();
        let mut rehearsal = Self::rehearse(people);
        let guest = rehearsal.authority.issue_credential(&delegate(people, wall), Validity::days(wall, 1)).unwrap();
        rehearsal.reissue(|content| content.participants.push(Listed::of(guest.holder(), Vec::new()))).unwrap();
        std::fs::create_dir_all(folder).unwrap();
        write_private(&folder.join(CREDENTIAL), &guest.to_pem(PASSWORD).unwrap()).unwrap();
        std::fs::write(folder.join(INVITATION), rehearsal.invitation.bytes()).unwrap();
        Self::of(rehearsal)
    }

    fn rehearse(people: usize) -> Rehearsal {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        Rehearsal::new(&RehearsalSpec { port, ..RehearsalSpec::new(people, wall_clock()) }).unwrap()
    }

    fn of(rehearsal: Rehearsal) -> Self {
        let identity = &rehearsal.relay;
        let relay = conclave_relay::start(Parts {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, rehearsal.invitation.content().relay.port)),
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
        });
        Self { _relay: relay.unwrap(), rehearsal }
    }

    /// Someone on a drawn camera of 180 lines and a made-up voice, who hears and sees everybody.
    pub(crate) fn client(&self, seat: usize, change: impl FnOnce(&mut Config)) -> Member {
        Member::start(self.rehearsal.holders[seat].clone(), self.rehearsal.invitation.clone(), seat, change)
    }

    /// Waits for something.
    pub(crate) fn wait(&self, what: &str, condition: impl FnMut() -> bool) {
        wait(what, condition);
    }
}

/// Waits for something.
pub(crate) fn wait(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

const CREDENTIAL: &str = "guest.pem";
const INVITATION: &str = "guest.invitation";

impl Member {
    /// The one whose papers are in `folder`.
    pub(crate) fn guest(folder: &Path, change: impl FnOnce(&mut Config)) -> Self {
        let holder = Holder::open(&folder.join(CREDENTIAL), PASSWORD, wall_clock()).unwrap();
        let bytes = std::fs::read(folder.join(INVITATION)).unwrap();
        let invitation = Invitation::parse(&bytes).unwrap().verify(holder.root(), wall_clock()).unwrap();
        Self::start(holder, invitation, 99, change)
    }

    fn start(holder: Holder, invitation: Invitation, seat: usize, change: impl FnOnce(&mut Config)) -> Self {
        let person = holder.person().clone();
        let seed = seat as u64 + 1;
        let mut config = Config {
            camera: CameraChoice::Test(TestPerson { name: person.name, seat: person.seat, seed, turns: Turns::ALWAYS }),
            microphone: MicrophoneChoice::Test { seed, turns: Turns::ALWAYS },
            speaker: SpeakerChoice::Null,
            video: VideoQuality { height: 180, frames_per_second: 30, max_bitrate: Bitrate::kbps(150) },
            watch: Watch::All { height: 180 },
            ..Config::new(holder, invitation)
        };
        change(&mut config);
        let (client, notices) = Client::start(config, Arc::new(|| {})).unwrap();
        Self { client, _notices: notices }
    }

    /// How many others are seen.
    pub(crate) fn frames_of_others(&self) -> usize {
        let snapshot = self.client.snapshot();
        snapshot.participants.iter().filter(|person| !person.is_me && person.picture_seen).count()
    }
}

impl Deref for Member {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        // One that has ended already takes no more commands.
        let _ = self.client.try_send(Command::Leave);
        self.client.join();
    }
}
