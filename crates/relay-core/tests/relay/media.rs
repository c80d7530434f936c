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
fn a_new_subscriber_brings_a_key_frame() {
    let mut room = Room::with_members(3);
    room.wish(1, &[(0, 360)]);
    assert_eq!(room.heard(0), [wanted()]);
    room.run(Duration::from_secs(1));
    room.wish(2, &[(0, 360)]);
    assert_eq!(room.heard(0), [wanted()]);
    room.run(Duration::from_secs(1));
    room.wish(2, &[(0, 180)]);
    room.wish(1, &[]);
    assert_eq!(room.heard(0), [], "nobody new receives it");
}

#[test]
fn requests_for_key_frames_are_throttled_and_none_is_lost() {
    let mut room = Room::with_members(3);
    room.wish(1, &[(0, 360)]);
    room.run(Duration::from_secs(1));
    room.heard(0);
    for _ in 0..20 {
        room.say(1, ToRelay::NeedKeyFrame(room.camera(0)));
        room.run(Duration::from_millis(10));
    }
    assert_eq!(room.heard(0), [wanted()]);
    room.run(Duration::from_millis(150));
    assert_eq!(room.heard(0), [wanted()], "the last request came after the first was passed on");
    room.run(Duration::from_secs(1));
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
fn every_layer_that_is_sent_is_asked_for() {
    let mut room = Room::with_members(2);
    room.wish(1, &[(0, 360)]);
    for layer in [0, 2] {
        let mut packet = room.packet(0, TrackKind::Camera, 1, true);
        packet[2] = layer;
        room.send(0, &packet);
    }
    room.run(Duration::from_secs(1));
    room.heard(0);
    room.say(1, ToRelay::NeedKeyFrame(room.camera(0)));
    let layers = [0, 2].map(|layer| FromRelay::KeyFrameWanted { track: TrackKind::Camera, layer: Layer(layer) });
    assert_eq!(room.heard(0), layers);
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

/// Six people at 30 frames of 2.5 kB a second and sound, on a network without delay: what the relay's pacing adds.
#[test]
fn a_meeting_of_six_is_forwarded_without_delay() {
    const PEOPLE: usize = 6;
    const STEP: Duration = Duration::from_millis(1);
    let mut room = Room::with_members(6);
    let all: Vec<_> = (0..PEOPLE).map(|client| (client, 360)).collect();
    (0..PEOPLE).for_each(|client| room.wish(client, &all));
    room.run(Duration::from_millis(100));
    (0..PEOPLE).for_each(|client| drop(room.frames(client)));
    let begin = room.now;
    let mut sent = Vec::new();
    for tick in 0..6000_u32 {
        for client in 0..PEOPLE {
            if (tick as usize + client * 5) % 33 == 0 {
                // Three packets share a number here, so that the number says when they were sent.
                for _ in 0..3 {
                    let mut packet = room.packet(client, TrackKind::Camera, tick, false);
                    packet.resize(833, 0);
                    room.send(client, &packet);
                    sent.push(tick);
                }
            }
            if tick % 20 == 0 {
                let mut packet = room.packet(client, TrackKind::Microphone, tick, true);
                packet.resize(120, 0);
                room.send(client, &packet);
                sent.push(tick);
            }
        }
        room.run_in_steps(STEP, STEP);
    }
    let came = room.clients[1].packets.len();
    assert!(came * PEOPLE >= sent.len() * (PEOPLE - 1) * 98 / 100, "{came} of {} came", sent.len());
    let arrived = std::mem::take(&mut room.clients[1].arrived);
    let frames = room.frames(1);
    let mut delays: Vec<[u128; 2]> = Vec::new();
    for ((_, _, tick), at) in frames.iter().zip(&arrived) {
        let delay = at.duration_since(begin + STEP * *tick).as_millis();
        delays.push([u128::from(*tick / 1000), delay]);
    }
    let of_second = |second: u128| {
        let mut of: Vec<u128> = delays.iter().filter(|delay| delay[0] == second).map(|delay| delay[1]).collect();
        of.sort_unstable();
        (of[of.len() / 2], of[of.len() * 95 / 100], of[of.len() - 1])
    };
    let seconds: Vec<_> = (0..6).map(of_second).collect();
    assert!(seconds[2..].iter().all(|(_, p95, _)| *p95 <= 12), "p50, p95 and most for each second: {seconds:?}");
}
