//! What an eavesdropper and the relay's owner get: neither the wire nor the relay's memory nor its files hold what
//! members show, say and tell each other; and what the programs write down of a session, however much they log. Searched
//! with the running programs; that the search finds, is shown on the clients' own memory and on files.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use conclave_interop_tests::{
    clip,
    markers::Marker,
    memory::Image,
    recording,
    tap::Tap,
    world::{PASSWORD, TITLE, TLS_KEYS, World},
};

const PEOPLE: [(&str, &str, &str); 3] =
    [("Anna Virtanen", "Finland", "FI"), ("Luc Hoffmann", "Luxembourg", "LU"), ("Maria Borg", "Malta", "MT")];

/// How long the recorder listens, in seconds.
const LISTEN: u64 = 20;

/// How often memory is copied.
const IMAGES: usize = 6;

/// What stands in every row of the raw picture's upper edge.
fn picture_marker() -> Vec<u8> {
    (0..64_u32).map(|at| (40 + at.wrapping_mul(2_654_435_761) % 150) as u8).collect()
}

/// What stands in every 20 ms of the raw sound.
fn sound_marker() -> Vec<i16> {
    (0..48_u32).map(|at| (at.wrapping_mul(2_246_822_519) % 4001) as i16 - 2000).collect()
}

/// A clip whose every picture has the marker in its first rows, and a voice that has it in each frame.
fn write_clips(video: &Path, voice: &Path) {
    clip::write_y4m(video, 6).unwrap();
    let width = clip::read_y4m(video).unwrap().width;
    let mut bytes = fs::read(video).unwrap();
    let begins: Vec<_> = memchr::memmem::find_iter(&bytes, b"FRAME\n").map(|at| at + 6).collect();
    assert!(begins.len() >= 100);
    for begin in begins {
        for row in 0..8 {
            bytes[begin + row * width..][..64].copy_from_slice(&picture_marker());
        }
    }
    fs::write(video, bytes).unwrap();

    clip::write_wav(voice, 6).unwrap();
    let mut samples: Vec<i16> = hound::WavReader::open(voice).unwrap().samples().map(Result::unwrap).collect();
    for frame in samples.chunks_exact_mut(960) {
        frame[100..148].copy_from_slice(&sound_marker());
    }
    let spec = hound::WavReader::open(voice).unwrap().spec();
    let mut out = hound::WavWriter::create(voice, spec).unwrap();
    samples.into_iter().for_each(|sample| out.write_sample(sample).unwrap());
    out.finalize().unwrap();
}

/// Plaintexts that are known before the meeting, by name.
fn known() -> Vec<(&'static str, Vec<u8>)> {
    let sound = sound_marker();
    vec![
        ("a raw picture", picture_marker()),
        ("raw sound as the file has it", sound.iter().flat_map(|sample| sample.to_le_bytes()).collect()),
    ]
}

/// What members tell each other about their sources in MLS application messages, as far as it is the same for all
/// (CBOR; a test of the session keeps it so). Clients forget it at once, so it is no proof of the search.
const TOLD: &[u8] = b"microphone\x62On\x66camera\x62On";

/// A frame as it lies inside its seal: capture time, 8 bytes; encoding delay, 4; then the bitstream.
struct Opened {
    time: u64,
    bitstream: Vec<u8>,
}

/// How much of a bitstream is looked for.
const PIECE: usize = 20;

/// What may be frames: what begins with a time of the last minutes.
fn opened(image: &Image) -> Vec<Opened> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let heads: BTreeSet<[u8; 4]> = [now, now - Duration::from_secs(60)]
        .map(|time| *(time.as_micros() as u64).to_be_bytes().first_chunk().unwrap())
        .into();
    let mut found = Vec::new();
    for head in heads {
        for place in image.places(&head, 12 + PIECE) {
            let time = u64::from_be_bytes(*place.first_chunk().unwrap());
            found.push(Opened { time, bitstream: place[12..].to_vec() });
        }
    }
    found
}

/// Whether bytes are so many different ones that they stand nowhere by chance.
fn is_telling(bytes: &[u8]) -> bool {
    bytes.iter().collect::<BTreeSet<_>>().len() > PIECE / 2
}

#[test]
fn neither_the_wire_nor_the_relays_memory_holds_what_members_show_and_say() {
    let tap = Tap::new().unwrap();
    let world = World::new(&PEOPLE, Some(tap.port())).unwrap();
    tap.forward_to(world.port);
    let (video, voice) = (world.path("clip.y4m"), world.path("voice.wav"));
    write_clips(&video, &voice);
    let relay = world.relay().unwrap();
    let (camera, microphone) = (format!("file:{}", video.display()), format!("file:{}", voice.display()));
    let sender = world
        .join(0, "meeting.conclave", ["--camera", &camera, "--microphone", &microphone, "--height", "180"])
        .unwrap();
    let _second =
        world.join(1, "meeting.conclave", ["--camera", "test", "--microphone", "test", "--height", "90"]).unwrap();
    let output = world.path("recording");
    fs::create_dir(&output).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_conclave-recorder"));
    command.arg(world.path("meeting.conclave")).arg("--credential").arg(world.credential(2));
    command.args(["--password", PASSWORD, "--from", PEOPLE[0].0, "--seconds", &LISTEN.to_string(), "--height", "180"]);
    command.arg("--output").arg(&output);
    let mut recorder = world.start(command, "recorder").unwrap();
    let logs = || format!("{}\n{}\n{}", world.log("recorder"), world.log("join-0"), world.log("relay"));

    // While sound and picture flow, the memory of all three, several times.
    let pictures = || fs::metadata(output.join("pictures.bin")).map_or(0, |file| file.len());
    let (mut of_clients, mut candidates, mut of_relay) = (BTreeSet::new(), Vec::new(), Vec::new());
    let mut hidden_clients = 0;
    for round in 0..IMAGES {
        let (before, begun) = (pictures(), Instant::now());
        while pictures() <= before + 20 * 320 * 180 {
            assert!(begun.elapsed() < Duration::from_secs(40), "no pictures come: {}", logs());
            thread::sleep(Duration::from_millis(50));
        }
        for process in [sender.id(), recorder.id()] {
            // A client without a window keeps its memory from everybody but root, as the relay does.
            let Some(image) = Image::of(process).unwrap() else {
                hidden_clients += 1;
                continue;
            };
            let held = known().into_iter().filter(|(_, wanted)| image.holds(wanted)).map(|(name, _)| name);
            of_clients.extend(held);
            candidates.extend(opened(&image).into_iter().filter(|frame| is_telling(&frame.bitstream)));
        }
        // The relay keeps its memory from everybody but root, who is the one that this is about.
        let Some(image) = Image::of(relay.id()).unwrap() else {
            eprintln!("the system keeps the relay's memory from this user; its search needs root");
            continue;
        };
        eprintln!("image {round} of the relay: {} MB", image.len() / 1_000_000);
        of_relay.push(image);
    }
    assert!(recorder.wait(Duration::from_secs(LISTEN + 30)).unwrap(), "{}", logs());
    let mut times: BTreeSet<u64> = recording::read_frames(&output).unwrap().iter().map(|frame| frame.time).collect();
    times.extend(recording::read_sound(&output).unwrap().iter().map(|piece| piece.time));

    // The search finds what is there: in the clients all of it, in the relay what it is said to know.
    let names: BTreeSet<_> = known().into_iter().map(|(name, _)| name).collect();
    assert!(of_clients == names || hidden_clients > 0, "the search finds only {of_clients:?} in the clients");
    candidates.retain(|frame| times.contains(&frame.time));
    assert!(candidates.len() >= 3, "{} opened frames found in the clients", candidates.len());
    assert!(
        of_relay.is_empty() || of_relay.iter().any(|image| image.holds(PEOPLE[0].0.as_bytes())),
        "the relay knows who is connected"
    );
    let (stream, datagrams) = tap.passed();
    assert!(stream > 10_000 && datagrams > 500, "only {stream} bytes and {datagrams} datagrams passed the tap");
    eprintln!(
        "{} opened frames in the clients' memory; {stream} bytes of TCP and {datagrams} datagrams on the wire",
        candidates.len()
    );

    // What nobody but members may have.
    let files = [world.log("relay").into_bytes(), fs::read(world.path("relay/relay.toml")).unwrap()];
    let within = |wanted: &[u8]| {
        let files = files.iter().any(|file| memchr::memmem::find(file, wanted).is_some());
        let place = [
            ("the relay's memory", of_relay.iter().any(|image| image.holds(wanted))),
            ("the wire", tap.holds(wanted)),
            ("the relay's files", files),
        ];
        place.into_iter().filter(|(_, held)| *held).map(|(place, _)| place).collect::<Vec<_>>()
    };
    let nowhere: [&str; 0] = [];
    for (name, wanted) in known() {
        assert_eq!(within(&wanted), nowhere, "{name}");
    }
    assert_eq!(within(TOLD), nowhere, "what members tell each other");
    let floats: Vec<u8> =
        sound_marker().iter().flat_map(|sample| (f32::from(*sample) / 32768.0).to_le_bytes()).collect();
    assert_eq!(within(&floats), nowhere, "raw sound as numbers");
    for frame in &candidates {
        assert_eq!(within(&frame.bitstream), nowhere, "the bitstream of an opened frame");
    }
    for image in &of_relay {
        let held = opened(image).into_iter().filter(|frame| times.contains(&frame.time)).count();
        assert_eq!(held, 0, "opened frames in the relay's memory");
    }
    for time in &times {
        assert!(!tap.holds(&time.to_be_bytes()), "the head of an opened frame on the wire");
    }
    // The relay knows who is there; who listens on the way does not.
    for (name, ..) in PEOPLE {
        assert!(!tap.holds(name.as_bytes()), "{name} can be read on the wire");
        assert!(!world.log("relay").contains(name), "{name} stands in the relay's log");
    }
}

/// What unlocks the card of the third.
const PIN: &str = "4711-purple";

/// How long an end may take.
const LIMIT: Duration = Duration::from_secs(40);

/// All that programs may write to their logs, by name, and everything else that they left behind.
struct Written(Vec<(String, Vec<u8>)>);

impl Written {
    /// In which of them something stands.
    fn with(&self, marker: &Marker) -> Vec<&str> {
        self.0.iter().filter(|(_, text)| marker.is_in(text)).map(|(name, _)| name.as_str()).collect()
    }
}

/// A secret or name, and a file of the world that it must stand in, which shows that it would be found.
type Hidden = (Marker, Vec<u8>);

/// What nobody may find in what the programs write, but for the safety words.
fn hidden(world: &World) -> (Vec<Hidden>, Vec<Hidden>) {
    let file = |name: &str| fs::read(world.path(name)).unwrap();
    let said = world.log("join-0").into_bytes();
    let mut secrets = vec![
        (Marker::new("the password of the credentials", PASSWORD), file("password")),
        (Marker::new("the PIN of the card", PIN), file("pin")),
    ];
    for (number, (owner, ..)) in PEOPLE.iter().enumerate().take(2) {
        let key = world.private_number(number).unwrap();
        // In pieces, for the lines of a PEM file break it.
        for (place, piece) in key.chunks_exact(16).enumerate() {
            let what = format!("the private key of {owner}, part {place}");
            secrets.push((Marker::new(what, piece), file(&format!("{number}.der"))));
        }
        let in_pem = key.chunks_exact(16).filter(|piece| Marker::new("", piece).is_in(&file(&format!("{number}.key"))));
        assert!(in_pem.count() >= 1, "a key in a PEM file would not be found");
    }
    let mut known_to_relay = vec![(Marker::new("the title", TITLE), file("traced.conclave"))];
    for (name, ..) in PEOPLE {
        for part in name.split(' ').filter(|part| part.len() > 3).chain([name]) {
            known_to_relay.push((Marker::new(name, part), said.clone()));
        }
    }
    (secrets, known_to_relay)
}

/// The safety words of each epoch that a client has told its person.
fn safety_words(said: &str) -> Vec<Hidden> {
    let lines = said.lines().filter_map(|line| line.strip_prefix("words: ")?.split_once(" (epoch "));
    lines
        .map(|(words, _)| {
            let words: Vec<_> = words.split(' ').collect();
            (Marker::words("the safety words", &words), said.as_bytes().to_vec())
        })
        .collect()
}

/// How large a core dump of a process could be, as the system says it. What is piped to a program is nothing from one
/// byte on downwards: core(5).
fn largest_core_dump(process: u32) -> String {
    let limits = fs::read_to_string(format!("/proc/{process}/limits")).unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max core file size")).unwrap().trim();
    line.split_whitespace().next().unwrap().to_owned()
}

#[test]
fn what_the_programs_write_down_at_trace_level_holds_no_secret_and_no_name() {
    let mut world = World::by_openssl(&PEOPLE).unwrap();
    let card = world.card(2, (PEOPLE[2].1, PEOPLE[2].2), PIN).unwrap();
    world.configure("audit = \"audit.jsonl\"").unwrap();
    world.trace_relay().unwrap();
    world.invite_with("traced.conclave", world.port, "now", "+2h", &["--lobby"]).unwrap();
    let sources = ["--camera", "test", "--microphone", "test", "--height", "90"];
    let client = |number| world.client(number).with(sources).led().traced();

    // A lobby, orders, sound and picture, somebody put out, and the relay lost and found again.
    let mut relay = world.relay().unwrap();
    let mut chair = client(0).start("traced.conclave").unwrap();
    world.until("join-0", "chair: Anna Virtanen").unwrap();
    let mut luc = client(1).start("traced.conclave").unwrap();
    world.until("join-0", "lobby: Luc Hoffmann").unwrap();
    let maria = client(2).by(&card.uri, "pin").start("traced.conclave").unwrap();
    world.until("join-0", "lobby: Luc Hoffmann, Maria Borg").unwrap();
    chair.order("admit all").unwrap();
    world.until("join-1", "In the meeting").unwrap();
    world.until("join-2", "In the meeting").unwrap();
    chair.order("eject Luc Hoffmann").unwrap();
    assert!(!luc.wait(LIMIT).unwrap(), "{}", world.log("join-1"));
    let dumps: BTreeSet<_> = [relay.id(), chair.id(), maria.id()].into_iter().map(largest_core_dump).collect();
    let mut images: Vec<_> = Image::of(relay.id()).unwrap().into_iter().collect();
    let of_clients = [(chair.id(), PASSWORD), (maria.id(), PIN)].map(|(client, key)| (Image::of(client).unwrap(), key));
    relay.kill();
    let first_log = world.log("relay");
    let relay = world.relay().unwrap();
    world.until("join-0", "You are back in the meeting.").unwrap();
    let said = world.said("join-0");
    chair.order("lock").unwrap();
    world.until_after("join-0", said, "locked: yes").unwrap();
    images.extend(Image::of(relay.id()).unwrap());

    let mut written = Written(vec![("the relay's first log".to_owned(), first_log.into_bytes())]);
    for log in ["relay", "join-0.err", "join-1.err", "join-2.err"] {
        written.0.push((format!("the log of {log}"), world.log(log).into_bytes()));
    }
    written.0.push(("the audit log".to_owned(), fs::read(world.path("relay/audit.jsonl")).unwrap()));

    // All levels are there, and what is searched for is found where it is.
    let (mut secrets, known_to_relay) = hidden(&world);
    let words = safety_words(&world.log("join-0"));
    assert!(words.len() >= 3, "{}", world.log("join-0"));
    secrets.extend(words);
    for (marker, place) in secrets.iter().chain(&known_to_relay) {
        assert!(marker.is_in(place), "{} is not found where it is", marker.what);
    }
    for (name, text) in &written.0 {
        let level = if name.contains("audit") { "\"seq\":5" } else { "TRACE" };
        assert!(memchr::memmem::find(text, level.as_bytes()).is_some(), "{name}: {}", String::from_utf8_lossy(text));
    }

    let nowhere: [&str; 0] = [];
    for (marker, _) in secrets.iter().chain(&known_to_relay) {
        assert_eq!(written.with(marker), nowhere, "{}", marker.what);
    }
    // The libraries below have passwords of their own, which nobody knows before; but how they would write them.
    for shown in ["pass: \"", "password: \"", "IceCreds {", "CLIENT_HANDSHAKE_TRAFFIC_SECRET"] {
        assert_eq!(written.with(&Marker::new(shown, shown)), nowhere, "{shown}");
    }
    let library = Marker::new("", "Set remote credentials");
    assert!(written.with(&library).len() >= 3, "what the library for ICE logs is not there");
    assert!(!world.path(TLS_KEYS).exists(), "the keys of TLS were written to a file");
    assert!(dumps.iter().all(|largest| largest == "0" || largest == "1"), "core dumps of {dumps:?} bytes");
    for (marker, _) in &secrets {
        assert!(!images.iter().any(|image| marker.is_where(|form| image.holds(form))), "{}: the relay", marker.what);
    }
    // What unlocked a key is needed no more.
    for (image, key) in of_clients.iter().filter_map(|(image, key)| Some((image.as_ref()?, key))) {
        assert!(image.holds(PEOPLE[1].0.as_bytes()), "the search does not find what members' clients must hold");
        assert!(!image.holds(key.as_bytes()), "{key} outlives the unlocking");
    }
}
