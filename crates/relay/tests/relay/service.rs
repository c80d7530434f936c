//! What a relay does for a meeting.

use std::time::{Duration, Instant};

use conclave_identity::issue::{Rehearsal, RehearsalSpec};
use conclave_model::{
    Epoch, Layer, TrackKind,
    wire::{
        Descriptor, FrameHead,
        signal::{Commit, FromRelay, Joined, Refusal, ToRelay},
    },
};
use conclave_relay::{StartError, start};
use conclave_transport::Slot;

use crate::client::{Client, PATIENCE, Scene, parts, wall};

/// Two members with their media paths up.
async fn pair(scene: &Scene) -> [(Client, Joined); 2] {
    let mut first = scene.hello(0).await;
    let first_joined = first.joined().await;
    let mut second = scene.hello(1).await;
    let second_joined = second.joined().await;
    assert!(matches!(first.hear().await, Some(FromRelay::Arrived(_))));
    let commit = Commit {
        epoch: Epoch(0),
        commit: "commit".into(),
        welcome: Some("welcome".into()),
        added: vec![second_joined.peer],
    };
    first.say(&ToRelay::Commit(commit)).await;
    let from = first_joined.peer;
    assert_eq!(first.hear().await, Some(FromRelay::Committed { epoch: Epoch(0), from, commit: "commit".into() }));
    assert_eq!(second.hear().await, Some(FromRelay::Welcome { epoch: Epoch(1), welcome: "welcome".into() }));
    let up = |client: &Client| client.path.is_connected();
    let (one, two) = tokio::join!(first.media(PATIENCE, up), second.media(PATIENCE, up));
    assert!(one && two, "media paths come up");
    // The relay's ends come up a round trip later.
    tokio::join!(
        first.media(Duration::from_millis(300), |_| false),
        second.media(Duration::from_millis(300), |_| false)
    );
    [(first, first_joined), (second, second_joined)]
}

fn packet(joined: &Joined, track: TrackKind, number: u32) -> Vec<u8> {
    let head =
        FrameHead { sender: joined.peer, track, layer: Layer(0), number, key: true, discardable: false, packets: 1 };
    let mut packet = Descriptor { head, index: 0 }.to_bytes().to_vec();
    packet.extend_from_slice(&[7; 1000]);
    packet
}

#[tokio::test(flavor = "multi_thread")]
async fn sound_crosses_the_relay() {
    let scene = Scene::new(2);
    let [(mut first, joined), (mut second, _)] = pair(&scene).await;
    for number in 0..50 {
        first.path.send(Slot::Audio, packet(&joined, TrackKind::Microphone, number), Instant::now()).unwrap();
        tokio::join!(
            first.media(Duration::from_millis(5), |_| false),
            second.media(Duration::from_millis(5), |_| false)
        );
    }
    let (_, all) =
        tokio::join!(first.media(Duration::from_secs(1), |_| false), second.media(PATIENCE, |c| c.packets.len() >= 50));
    assert!(all, "{} of 50 packets came", second.packets.len());
    assert_eq!(second.packets[0], (Slot::Audio, packet(&joined, TrackKind::Microphone, 0)));
    assert!(first.packets.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_vanishes_has_departed() {
    let scene = Scene::new(2);
    let [(mut first, _), (second, joined)] = pair(&scene).await;
    drop(second);
    loop {
        match first.hear().await {
            Some(FromRelay::Departed(who)) => {
                assert_eq!(who.peer, joined.peer);
                return;
            }
            Some(_) => {}
            None => panic!("the wrong one was cut off"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_shuts_down_says_so_and_ends_soon() {
    let scene = Scene::new(1);
    let mut client = scene.hello(0).await;
    client.joined().await;
    let _waits_for_hello = scene.connect(scene.holder(0)).await.unwrap();
    let began = Instant::now();
    let relay = scene.relay;
    let down = tokio::task::spawn_blocking(move || relay.shutdown());
    assert_eq!(client.hear().await, Some(FromRelay::Refused(Refusal::GoingAway)));
    assert_eq!(client.hear().await, None);
    down.await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}

#[test]
fn an_idle_relay_shuts_down_at_once() {
    let scene = Scene::new(1);
    let began = Instant::now();
    scene.relay.shutdown();
    assert!(began.elapsed() < Duration::from_secs(1));
}

#[test]
fn a_relay_that_cannot_start_says_why() {
    let rehearsal = Rehearsal::new(&RehearsalSpec::new(1, wall())).unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut busy = parts(&rehearsal);
    busy.listen = taken.local_addr().unwrap();
    let error = start(busy).unwrap_err();
    assert!(matches!(&error, StartError::Listen { address, .. } if *address == taken.local_addr().unwrap()), "{error}");

    let mut nowhere = parts(&rehearsal);
    nowhere.listen = "0.0.0.0:0".parse().unwrap();
    let error = start(nowhere).unwrap_err();
    assert!(error.to_string().contains("name the relay's public address"), "{error}");

    let mut mixed = parts(&rehearsal);
    mixed.key = Rehearsal::new(&RehearsalSpec::new(1, wall())).unwrap().relay.private_key();
    assert!(matches!(start(mixed), Err(StartError::Tls(_))));
}
