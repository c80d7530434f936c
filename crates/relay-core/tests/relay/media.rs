//! What is forwarded to whom.

use std::{collections::BTreeSet, time::Duration};

use conclave_model::{
    Layer, TrackKind,
    wire::signal::{FromRelay, ToRelay},
};
use conclave_transport::Slot;

use crate::harness::Room;

const SOON: Duration = Duration::from_millis(60);

fn wanted() -> FromRelay {
    FromRelay::KeyFrameWanted { track: TrackKind::Camera, layer: Layer(0) }
}

fn watched(layers: u8) -> FromRelay {
    FromRelay::LayersWanted { track: TrackKind::Camera, layers }
}

/// The first client sends the lowest encoding for a while, beginning with a key frame.
fn film(room: &mut Room, time: Duration) {
    const FRAME: Duration = Duration::from_millis(40);
    for number in 0..u32::try_from(time.as_millis() / FRAME.as_millis()).unwrap() {
        let number = u32::try_from(room.now.duration_since(room.began).as_millis()).unwrap() + number;
        let packet = room.packet(0, TrackKind::Camera, number, true);
        room.send(0, &packet);
        room.run(FRAME);
    }
}

#[test]
fn sound_goes_to_every_other_member_unasked() {
    let mut room = Room::with_members(3);
    let packet = room.packet(0, TrackKind::Microphone, 1, true);
    room.send(0, &packet);
    room.run(SOON);
    for client in [1, 2] {
        assert_eq!(room.clients[client].packets, [(Slot::Audio, packet.clone())], "unchanged, in the audio slot");
    }
    assert_eq!(room.frames(0), []);
    let counters = room.relay.counters();
    assert_eq!((counters.packets_received, counters.packets_forwarded), (1, 2));
}

#[test]
fn pictures_go_to_those_who_wish_for_them() {
    let mut room = Room::with_members(3);
    room.wish(1, &[(0, 360)]);
    room.wish(2, &[(0, 0), (1, 180)]);
    room.run(SOON);
    let packet = room.packet(0, TrackKind::Camera, 1, true);
    room.send(0, &packet);
    room.run(SOON);
    let camera = (room.clients[0].number, TrackKind::Camera, 1);
    assert_eq!((room.frames(0), room.frames(1), room.frames(2)), (vec![], vec![camera], vec![]));

    room.wish(1, &[]);
    let packet = room.packet(0, TrackKind::Camera, 2, false);
    room.send(0, &packet);
    room.run(SOON);
    assert_eq!(room.frames(1), []);
}

#[test]
fn a_wish_may_come_before_its_track() {
    let mut room = Room::with_members(2);
    let late = room.join(7);
    room.wish(1, &[(late, 720)]);
    room.commit(0, 1, &[late]);
    room.run(Duration::from_millis(500));
    let packet = room.packet(late, TrackKind::Camera, 1, true);
    room.send(late, &packet);
    room.run(SOON);
    assert_eq!(room.frames(1).len(), 1);
}

#[test]
fn a_packet_with_anothers_number_goes_nowhere() {
    let mut room = Room::with_members(3);
    let forged = room.packet(1, TrackKind::Microphone, 1, true);
    room.send(0, &forged);
    room.send(0, b"no descriptor");
    room.run(SOON);
    assert_eq!((room.frames(1), room.frames(2)), (vec![], vec![]));
    let counters = room.relay.counters();
    assert_eq!((counters.packets_foreign, counters.packets_malformed, counters.packets_received), (1, 1, 0));
}

#[test]
fn who_waits_neither_sends_nor_receives() {
    let mut room = Room::with_members(2);
    let waiting = room.join(3);
    room.run(Duration::from_millis(500));
    room.wish(waiting, &[(0, 720)]);
    let packet = room.packet(waiting, TrackKind::Microphone, 1, true);
    room.send(waiting, &packet);
    let packet = room.packet(0, TrackKind::Microphone, 1, true);
    room.send(0, &packet);
    room.run(SOON);
    assert_eq!(room.relay.counters().packets_early, 1);
    assert_eq!((room.frames(waiting), room.frames(1).len()), (vec![], 1));

    room.commit(0, 1, &[waiting]);
    let packet = room.packet(0, TrackKind::Camera, 2, true);
    room.send(0, &packet);
    room.run(SOON);
    assert_eq!(room.frames(waiting).len(), 1, "the wish from before the welcome counts");
}

#[test]
fn many_tracks_share_the_video_slots() {
    let mut room = Room::with_members(9);
    room.wish(0, &(1..9).map(|client| (client, 180)).collect::<Vec<_>>());
    room.run(Duration::from_millis(100));
    for client in 1..9 {
        let packet = room.packet(client, TrackKind::Camera, 1, true);
        room.send(client, &packet);
    }
    room.run(SOON);
    let slots: BTreeSet<Slot> = room.clients[0].packets.iter().map(|(slot, _)| *slot).collect();
    assert_eq!(slots, (0..4).map(Slot::Video).collect());
    assert_eq!(room.frames(0).len(), 8);
}

#[test]
fn a_new_subscriber_brings_a_key_frame_of_what_comes() {
    let mut room = Room::with_members(3);
    room.wish(1, &[(0, 180)]);
    assert_eq!(room.heard(0), [watched(0b001)], "what does not come begins with a key frame by itself");
    film(&mut room, Duration::from_secs(1));
    assert_eq!(room.heard(0), []);
    room.wish(2, &[(0, 180)]);
    assert_eq!(room.heard(0), [wanted()]);
    film(&mut room, Duration::from_secs(1));
    room.wish(2, &[(0, 200)]);
    room.wish(1, &[]);
    assert_eq!(room.heard(0), [], "nobody new receives it");
}

#[test]
fn requests_for_key_frames_are_throttled_and_none_is_lost() {
    let mut room = Room::with_members(3);
    room.wish(1, &[(0, 180)]);
    film(&mut room, Duration::from_secs(1));
    room.heard(0);
    for _ in 0..20 {
        room.say(1, ToRelay::NeedKeyFrame(room.camera(0)));
        room.run(Duration::from_millis(10));
    }
    assert_eq!(room.heard(0), [wanted()]);
    room.run(Duration::from_millis(150));
    assert_eq!(room.heard(0), [wanted()], "the last request came after the first was passed on");
    room.run(Duration::from_millis(600));
    assert_eq!(room.heard(0), []);
}

#[test]
fn only_subscribers_may_ask_for_key_frames() {
    let mut room = Room::with_members(3);
    room.say(2, ToRelay::NeedKeyFrame(room.camera(0)));
    room.say(0, ToRelay::NeedKeyFrame(room.camera(0)));
    assert_eq!(room.heard(0), []);
}

#[test]
fn media_go_on_when_somebody_leaves() {
    let mut room = Room::with_members(4);
    let all: Vec<_> = (0..4).map(|client| (client, 180)).collect();
    (0..4).for_each(|client| room.wish(client, &all));
    room.run(SOON);
    room.cut(3);
    for client in 0..3 {
        let packet = room.packet(client, TrackKind::Camera, 1, true);
        room.send(client, &packet);
    }
    room.run(SOON);
    for client in 0..3 {
        assert_eq!(room.frames(client).len(), 2);
    }
}

/// How a meeting goes in which everybody sends sound and sees all pictures: 30 frames a second of `largest` bytes or less,
/// for the senders follow the estimate of their own line as an encoder does.
struct Run {
    /// Share of the packets that the second client received, 0 to 1: pictures and sound.
    came: [f64; 2],
    /// For each second: median, 95 % and the longest delay of its pictures and of its sound.
    delays: Vec<[[Duration; 3]; 2]>,
}

fn run_meeting(room: &mut Room, people: usize, seconds: u32, largest: usize) -> Run {
    const STEP: Duration = Duration::from_millis(1);
    let all: Vec<_> = (0..people).map(|client| (client, 360)).collect();
    (0..people).for_each(|client| room.wish(client, &all));
    room.run(Duration::from_millis(100));
    (0..people).for_each(|client| drop(room.frames(client)));
    let begin = room.now;
    let mut sent = [0_usize; 2];
    for tick in 0..seconds * 1000 {
        for client in 0..people {
            // Packets of a frame share their number, so that it says when they were sent.
            if (tick as usize + client * 5).is_multiple_of(33) {
                let budget = room.clients[client].estimate.map_or(600_000, |rate| rate.as_bps() * 8 / 10);
                let frame = usize::try_from(budget / 8 / 30).unwrap().clamp(100, largest);
                for _ in 0..frame.div_ceil(833) {
                    let mut packet = room.packet(client, TrackKind::Camera, tick, tick < 40);
                    packet.resize(frame.min(833), 0);
                    room.send(client, &packet);
                    sent[0] += usize::from(client != 1);
                }
            }
            if tick.is_multiple_of(20) {
                let mut packet = room.packet(client, TrackKind::Microphone, tick, true);
                packet.resize(120, 0);
                room.send(client, &packet);
                sent[1] += usize::from(client != 1);
            }
        }
        room.run_in_steps(STEP, STEP);
    }
    room.run(Duration::from_secs(1));
    let arrived = std::mem::take(&mut room.clients[1].arrived);
    let frames = room.frames(1);
    let is_sound = |track: TrackKind| usize::from(!track.is_video());
    let of = |second: u32, kind: usize| {
        let its = frames
            .iter()
            .zip(&arrived)
            .filter(|((_, track, tick), _)| tick / 1000 == second && is_sound(*track) == kind);
        let mut delays: Vec<Duration> = its.map(|((_, _, tick), at)| at.duration_since(begin + STEP * *tick)).collect();
        delays.sort_unstable();
        [delays.len() / 2, delays.len() * 95 / 100, delays.len() - 1].map(|index| delays[index])
    };
    let came = [0, 1].map(|kind| {
        let count = frames.iter().filter(|(_, track, _)| is_sound(*track) == kind).count();
        count as f64 / sent[kind] as f64
    });
    Run { came, delays: (0..seconds).map(|second| [of(second, 0), of(second, 1)]).collect() }
}

#[test]
fn a_meeting_of_six_is_forwarded_without_delay() {
    let mut room = Room::with_members(6);
    let Run { came, delays } = run_meeting(&mut room, 6, 6, 2500);
    assert!(came.iter().all(|share| *share > 0.98), "{came:?}");
    // One step of the clock each for the three packets of a frame, whose sender is woken once a step, and one more.
    let limit = Duration::from_millis(5);
    assert!(delays[1..].iter().flatten().all(|[_, p95, _]| *p95 <= limit), "{delays:?}");
}

/// Ten of a hundred datagrams lost on every way, 50 ms there and back: what is lost is sent again, and nothing piles up.
#[test]
fn a_meeting_goes_on_over_a_bad_line() {
    let mut room = Room::with_members(3);
    room.line = crate::harness::Line { delay: Duration::from_millis(25), lost: 10, ..Default::default() };
    let Run { came, delays } = run_meeting(&mut room, 3, 12, 1000);
    assert!(came.iter().all(|share| *share > 0.95), "{came:?}");
    let limit = Duration::from_millis(400);
    assert!(delays.iter().flatten().all(|[_, p95, _]| *p95 <= limit), "{delays:?}");
}
