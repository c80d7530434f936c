//! Whole meetings in one process: a real relay on loopback, clients on test sources.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::{Table, is_connected, patiently, sees_and_hears, sees_everybody};
use conclave_capture::{CameraChoice, MicrophoneChoice, SpeakerChoice, TestPerson};
use conclave_client::{Command, EndReason, Impairment, KeyState, Notice, Phase, RetryReason};
use conclave_model::TrackKind;
use conclave_session::SourceState;

#[test]
fn everybody_decodes_everybody_and_one_may_leave() {
    let table = Table::new(3);
    let _relay = table.relay();
    let clients: Vec<_> = (0..3).map(|seat| table.client(seat)).collect();
    for client in &clients {
        patiently("everybody sees and hears everybody", || sees_and_hears(client, 3));
        let snapshot = client.snapshot();
        assert_eq!(snapshot.phase, Phase::Joined);
        assert!(snapshot.participants.iter().all(|participant| participant.key == KeyState::Open));
        assert!(snapshot.participants.windows(2).all(|pair| pair[0].leaf < pair[1].leaf));
        assert_eq!(snapshot.title, table.invitation().content().title);
    }
    patiently("the report has something of every pair", || {
        let pairs = clients[0].report().pairs;
        pairs.len() == 2 && pairs.iter().all(|pair| pair.video_frames_decoded > 15 && pair.audio_played_ms > 500.0)
    });
    let epoch = clients[0].snapshot().epoch;

    clients[2].try_send(Command::Leave).unwrap();
    clients[2].join();
    assert_eq!(clients[2].snapshot().phase, Phase::Ended(EndReason::Left));
    for client in &clients[..2] {
        patiently("the leaver is gone", || client.snapshot().participants.len() == 2);
        assert!(client.snapshot().epoch > epoch);
        let other = client.snapshot().participants.iter().find(|other| !other.is_me).unwrap().leaf;
        let before = client.frames().generation(other, TrackKind::Camera);
        patiently("pictures go on in the new epoch", || {
            client.frames().generation(other, TrackKind::Camera) > before + 10
        });
    }

    patiently("the report has who is still there", || clients[0].report().participants.len() == 2);
    let report = clients[0].report();
    assert_eq!(report.pairs.len(), 2, "what was received of the leaver is kept");
    for pair in &report.pairs {
        assert_eq!(pair.to, table.holder(0).person().name);
        assert!(pair.video_frames_decoded > 15 && pair.audio_played_ms > 500.0, "{pair:?}");
        assert!(pair.latency_ms.p50 > 0.0 && pair.stages_ms.decode.p50 > 0.0, "{pair:?}");
    }
}

#[test]
fn a_restarted_relay_is_found_again_by_everybody() {
    let table = Table::new(3);
    let relay = table.relay();
    let clients: Vec<_> = (0..3).map(|seat| table.client(seat)).collect();
    for client in &clients {
        patiently("everybody sees everybody", || sees_everybody(client, 3));
    }
    relay.shutdown();
    for client in &clients {
        patiently("the loss is shown", || matches!(client.snapshot().phase, Phase::Reconnecting { .. }));
        let snapshot = client.snapshot();
        assert!(snapshot.participants.is_empty() && snapshot.me.is_none());
        assert!(snapshot.camera.open_device.is_some(), "the camera stays open");
    }
    let _relay = table.relay();
    for client in &clients {
        patiently("everybody sees everybody again", || sees_everybody(client, 3));
        patiently("the report counts it", || client.report().reconnects == 1);
        let notices: Vec<_> = std::iter::from_fn(|| client.notices.try_next()).map(|(notice, _)| notice).collect();
        assert!(notices.iter().any(|notice| matches!(notice, Notice::ConnectionLost(_))), "{notices:?}");
        assert!(notices.contains(&Notice::Reconnected), "{notices:?}");
    }
}

#[test]
fn a_closed_camera_and_a_muted_microphone_are_gone_for_the_others() {
    let table = Table::new(2);
    let _relay = table.relay();
    let (anna, bo) = (table.client(0), table.client(1));
    patiently("they see and hear each other", || sees_and_hears(&anna, 2) && sees_and_hears(&bo, 2));
    anna.try_send(Command::Camera(false)).unwrap();
    anna.try_send(Command::Microphone(false)).unwrap();
    let seen_by_bo = || bo.snapshot().participants.iter().find(|other| !other.is_me).cloned().unwrap();
    patiently("the others are told", || {
        seen_by_bo().camera == SourceState::Off && seen_by_bo().microphone == SourceState::Off
    });
    patiently("the camera is closed", || anna.snapshot().camera.open_device.is_none() && anna.frames().own().is_none());
    patiently("no picture stays behind", || bo.frames().latest(seen_by_bo().leaf, TrackKind::Camera).is_none());
    assert!(anna.snapshot().microphone.open_device.is_some(), "the level meter still works");
    let sent = |client: &common::Member| {
        let report = client.report();
        (report.pairs[0].audio_frames_received, report.pairs[0].video_frames_received)
    };
    // What was on its way has arrived by now.
    std::thread::sleep(Duration::from_millis(1200));
    let before = sent(&bo);
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(sent(&bo), before, "nothing is sent while muted");
    anna.try_send(Command::Camera(true)).unwrap();
    patiently("the picture comes back", || seen_by_bo().picture_seen && seen_by_bo().camera == SourceState::On);
}

#[test]
fn the_meeting_goes_on_over_a_network_that_loses_a_tenth() {
    let table = Table::new(2);
    let _relay = table.relay();
    let bad = |seed| Some(Impairment { loss: 0.1, delay: Duration::from_millis(25), seed });
    let anna = table.client_with(0, |config| config.impair = bad(1));
    let bo = table.client_with(1, |config| config.impair = bad(2));
    patiently("they see and hear each other", || sees_and_hears(&anna, 2) && sees_and_hears(&bo, 2));
    let other = bo.snapshot().participants.iter().find(|other| !other.is_me).unwrap().leaf;
    let before = bo.frames().generation(other, TrackKind::Camera);
    // Longer than a media path may take to come about, so that no forgotten timer ends the meeting.
    std::thread::sleep(Duration::from_secs(14));
    assert_eq!((bo.snapshot().phase.clone(), bo.report().reconnects), (Phase::Joined, 0));
    assert!(bo.frames().generation(other, TrackKind::Camera) > before + 20, "the picture goes on");
}

#[test]
fn a_credential_that_is_not_invited_is_refused_for_good() {
    let mut table = Table::new(2);
    let _relay = table.relay();
    table.uninvite(1);
    let client = table.client(1);
    client.join();
    let phase = client.snapshot().phase.clone();
    // The app finds that out by itself, as every member would; it need not ask the relay.
    assert!(matches!(phase, Phase::Ended(EndReason::Credential(_))), "{phase:?}");
}

#[test]
fn a_relay_with_another_certificate_is_not_spoken_to() {
    let table = Table::new(1);
    let other = Table::at(1, table.port());
    let _relay = other.relay();
    let client = table.client(0);
    client.join();
    let Phase::Ended(EndReason::Connection(error)) = client.snapshot().phase.clone() else {
        panic!("{:?}", client.snapshot().phase)
    };
    assert!(error.to_string().contains("not the relay that the invitation names"), "{error}");
}

#[test]
fn a_missing_relay_is_named_and_leaving_does_not_wait_for_it() {
    let table = Table::new(1);
    let client = table.client(0);
    patiently("the refusal is shown", || {
        matches!(
            &client.snapshot().phase,
            Phase::Connecting { attempt, last_error: Some(RetryReason::Connection(error)) }
                if *attempt > 1 && error.to_string().contains("is not running")
        )
    });
    let start = std::time::Instant::now();
    client.try_send(Command::Leave).unwrap();
    client.join();
    assert!(start.elapsed() < Duration::from_secs(2));
    assert_eq!(client.snapshot().phase, Phase::Ended(EndReason::Left));
}

#[test]
fn a_meeting_that_has_not_begun_is_waited_for() {
    let mut table = Table::new(1);
    let _relay = table.relay();
    let begins = conclave_client::wall_clock() + 4;
    table.begin_at(begins);
    let client = table.client(0);
    patiently("the begin is shown", || client.snapshot().phase == Phase::TooEarly { begins });
    patiently("the client enters", || is_connected(&client));
    assert!(conclave_client::wall_clock() >= begins);
}

#[test]
fn a_meeting_that_is_over_is_said_to_be_over() {
    let mut table = Table::new(1);
    table.end_at(conclave_client::wall_clock() - 10);
    let client = table.client(0);
    client.join();
    assert_eq!(client.snapshot().phase, Phase::Ended(EndReason::Over));
}

#[test]
fn missing_devices_are_said_and_the_meeting_goes_on_without_them() {
    let table = Table::new(2);
    let _relay = table.relay();
    let anna = table.client_with(0, |config| {
        config.camera = CameraChoice::File("no/such/clip.y4m".into());
        config.microphone = MicrophoneChoice::File("no/such/voice.wav".into());
        config.speaker = SpeakerChoice::Device("no such loudspeaker".into());
    });
    let bo = table.client(1);
    patiently("each is told what the other lacks", || {
        bo.snapshot().participants.iter().any(|other| {
            !other.is_me && other.camera == SourceState::Missing && other.microphone == SourceState::Missing
        })
    });
    let snapshot = anna.snapshot();
    assert!(snapshot.camera.problem.as_ref().is_some_and(|problem| problem.to_string().contains("clip.y4m")));
    assert!(snapshot.microphone.problem.is_some() && snapshot.speaker.problem.is_some());
    let lost = std::iter::from_fn(|| anna.notices.try_next())
        .filter(|(notice, times)| matches!(notice, Notice::DeviceLost { .. }) && *times == 1);
    assert_eq!(lost.count(), 3, "each is said once");
    patiently("who speaks is seen even without a loudspeaker", || {
        anna.snapshot().participants.iter().any(|other| !other.is_me && other.speaking > 0.0)
    });
    anna.try_send(Command::SelectCamera(CameraChoice::Test(TestPerson::default()))).unwrap();
    patiently("another camera is opened and seen", || {
        anna.snapshot().camera.open_device.is_some() && sees_everybody(&bo, 2)
    });
}
