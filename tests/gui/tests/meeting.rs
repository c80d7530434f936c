//! The meeting as people and screen readers meet it.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use conclave_capture::{CaptureError, DeviceKind};
use conclave_client::{ConnectError, EndReason, KeyState, Notice, Phase, RetryReason};
use conclave_desktop::{app::Options, settings::Settings, sketch::SketchEngine};
use conclave_gui_tests::{SIZE, meeting, meeting_at, meeting_with, wait_for};
use conclave_model::Level;
use conclave_session::SourceState;
use egui::{Key, Role, Vec2};
use egui_kittest::kittest::{NodeT as _, Queryable as _};

/// Everybody's tile is a group whose name begins with theirs.
fn tiles(harness: &egui_kittest::Harness<'_, conclave_desktop::app::App>) -> Vec<egui::Rect> {
    harness.query_all_by_role(Role::Group).map(|node| node.rect()).collect()
}

#[test]
fn two_six_and_twenty_seven_people_all_have_a_tile_inside_the_window() {
    for people in [1, 2, 6, 27] {
        for size in [SIZE, Vec2::new(1920.0, 1080.0), Vec2::new(800.0, 560.0)] {
            let harness = meeting_at(&SketchEngine::new(people, false), size);
            let tiles = tiles(&harness);
            assert_eq!(tiles.len(), people, "{people} at {size}");
            for (index, tile) in tiles.iter().enumerate() {
                assert!(tile.top() >= 70.0 && tile.bottom() <= size.y - 100.0, "{people} at {size}: {tile}");
                assert!(tiles[..index].iter().all(|other| !other.shrink(1.0).intersects(*tile)), "{people} at {size}");
            }
        }
    }
}

#[test]
fn a_tile_says_in_words_who_it_is_and_how_their_devices_and_keys_stand() {
    let engine = SketchEngine::new(3, false);
    engine.change(|snapshot| {
        snapshot.participants[1].microphone = SourceState::Off;
        snapshot.participants[1].camera = SourceState::Missing;
        snapshot.participants[1].key = KeyState::Failing;
    });
    let harness = meeting(&engine);
    harness.get_by_label(
        "Maria Dimitrova, Bulgaria, Head of delegation. Microphone muted. No camera. What this person sends cannot be \
         decrypted. Nothing of it is shown or played.",
    );
    harness.get_by_label_contains("You: Emma Peeters, Belgium, Chair.");
    harness.get_by_label_contains("Tereza Nováková, Czechia, Head of delegation. Speaking.");
}

#[test]
fn a_picture_that_cannot_be_decoded_is_said_in_words() {
    let engine = SketchEngine::new(3, false);
    engine.change(|snapshot| snapshot.participants[1].picture_fails = true);
    let harness = meeting(&engine);
    harness.get_by_label_contains("Camera on, but what comes of it is damaged or no picture.");
    engine.change(|snapshot| snapshot.participants[1].camera = SourceState::Off);
    let harness = meeting(&engine);
    assert!(
        harness.query_by_label_contains("what comes of it is damaged").is_none(),
        "of a closed camera nothing comes"
    );
}

#[test]
fn keys_that_fail_are_named_above_the_tiles() {
    let engine = SketchEngine::new(3, false);
    engine.change(|snapshot| snapshot.participants[1].key = KeyState::Failing);
    let harness = meeting(&engine);
    harness.get_by_role_and_label(
        Role::Alert,
        "What Maria Dimitrova sends cannot be decrypted. Nothing of it is shown or played.",
    );
}

#[test]
fn the_exact_marking_stands_at_the_top_and_at_the_foot() {
    for level in Level::ALL {
        let engine = SketchEngine::new(2, false);
        engine.change(|snapshot| snapshot.level = level);
        let harness = meeting(&engine);
        let spoken = format!("Level of this meeting: {}", level.marking().unwrap_or("UNCLASSIFIED"));
        let mut banners: Vec<_> = harness.get_all_by_label(&spoken).map(|node| node.rect()).collect();
        banners.sort_by(|a, b| a.top().total_cmp(&b.top()));
        assert_eq!(banners.len(), 2);
        assert!(banners[0].top() < 1.0 && banners[1].bottom() > SIZE.y - 1.0, "{banners:?}");
    }
}

#[test]
fn microphone_and_camera_are_toggled_by_button_and_by_key() {
    let engine = SketchEngine::new(2, false);
    let mut harness = meeting(&engine);
    engine.take_commands();
    harness.get_by_label_contains("Microphone on. Conference headset").click();
    harness.run();
    assert_eq!(engine.take_commands(), ["Microphone(false)"]);
    harness.get_by_label_contains("Microphone muted. Conference headset");
    harness.key_press(Key::M);
    harness.run();
    assert_eq!(engine.take_commands(), ["Microphone(true)"]);
    harness.key_press(Key::V);
    harness.run();
    assert_eq!(engine.take_commands(), ["Camera(false)"]);
    harness.get_by_label_contains("Camera off. Desk camera").click();
    harness.run();
    assert_eq!(engine.take_commands(), ["Camera(true)"]);
}

#[test]
fn a_key_with_a_modifier_is_no_shortcut() {
    let engine = SketchEngine::new(2, false);
    let mut harness = meeting(&engine);
    engine.take_commands();
    harness.key_press_modifiers(egui::Modifiers::CTRL, Key::M);
    harness.run();
    assert_eq!(engine.take_commands(), Vec::<String>::new());
}

#[test]
fn the_list_of_participants_opens_by_key_and_makes_room() {
    let engine = SketchEngine::new(6, false);
    let mut harness = meeting(&engine);
    assert_eq!(harness.query_all_by_role(Role::ListItem).count(), 0);
    let wide: f32 = tiles(&harness).iter().map(|tile| tile.right()).fold(0.0, f32::max);
    harness.key_press(Key::P);
    harness.run();
    assert_eq!(harness.query_all_by_role(Role::ListItem).count(), 6);
    let narrow: f32 = tiles(&harness).iter().map(|tile| tile.right()).fold(0.0, f32::max);
    assert!(narrow < wide - 200.0);
    harness.get_by_label_contains("Hide the participants").click();
    harness.run();
    assert_eq!(harness.query_all_by_role(Role::ListItem).count(), 0);
}

#[test]
fn the_keyboard_alone_reaches_every_control() {
    let engine = SketchEngine::new(2, false);
    let mut harness = meeting(&engine);
    let mut reached = Vec::new();
    for _ in 0..12 {
        harness.key_press(Key::Tab);
        harness.run();
        let focused = harness.root().children_recursive().find(|node| node.is_focused()).and_then(|node| label(&node));
        reached.extend(focused);
    }
    for wanted in ["Microphone on", "Camera on", "Show the participants", "Leave the meeting", "You: Emma", "Relay"] {
        assert!(reached.iter().any(|label| label.contains(wanted)), "{wanted} is not among {reached:#?}");
    }
}

fn label(node: &egui_kittest::Node<'_>) -> Option<String> {
    node.accesskit_node().label()
}

#[test]
fn leaving_shows_that_one_has_left_and_leads_back() {
    let engine = SketchEngine::new(2, false);
    let mut harness = meeting(&engine);
    harness.get_by_label("Leave the meeting").click();
    harness.run();
    harness.get_by_label("You left the meeting");
    harness.get_by_label("To the first screen").click();
    harness.run();
    harness.get_by_label("Open invitation");
}

#[test]
fn a_lost_relay_is_said_in_words_and_can_be_tried_at_once() {
    let engine = SketchEngine::new(2, false);
    engine.change(|snapshot| {
        let why = RetryReason::Connection(ConnectError::Refused { relay: "relay.example:7443".into() });
        snapshot.phase = Phase::Reconnecting { attempt: 3, retry_in: Duration::from_secs(4), why };
    });
    let mut harness = meeting(&engine);
    engine.take_commands();
    harness.get_by_label("The relay relay.example:7443 is not running. Trying again in 4 s.");
    harness.get_by_label("Try now").click();
    harness.run();
    assert_eq!(engine.take_commands(), ["RetryNow"]);
}

#[test]
fn a_meeting_that_ends_by_itself_says_why() {
    let engine = SketchEngine::new(2, false);
    let mut harness = meeting(&engine);
    engine.change(|snapshot| snapshot.phase = Phase::Ended(EndReason::Removed));
    harness.run();
    harness.get_by_label("You were removed from the meeting");
    harness.get_by_label("Ask the chair if you think this is a mistake.");
}

#[test]
fn a_device_that_does_not_open_shows_what_is_really_open() {
    let engine = SketchEngine::new(2, false);
    engine.change(|snapshot| {
        snapshot.camera.open_device = None;
        snapshot.camera.problem = Some(conclave_capture_error());
    });
    let harness = meeting(&engine);
    harness.get_by_label_contains("The camera “Desk camera” is in use by another program.");
    harness.get_by_label_contains("You: Emma Peeters, Belgium, Chair. Microphone on. No camera.");
}

fn conclave_capture_error() -> CaptureError {
    CaptureError::Busy { kind: DeviceKind::Camera, name: "Desk camera".into() }
}

#[test]
fn devices_are_changed_in_the_meeting_and_the_choice_is_kept() {
    let engine = SketchEngine::new(3, false);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("settings.toml");
    let mut harness = meeting_with(&engine, Options { settings_path: Some(path.clone()), ..Options::default() });
    engine.take_commands();
    harness.get_by_label("Choose microphone and loudspeaker").click();
    // What is plugged in is looked up aside.
    wait_for(&mut harness, "Microphone: Desk microphone.");
    harness.run();
    harness.get_by_label("Microphone: System default, open. Conference headset");
    assert!(harness.query_by_label("Camera: Desk camera.").is_none());
    harness.get_by_label("Loudspeaker: Room loudspeakers.");
    harness.get_by_label("Microphone: Desk microphone.").click();
    harness.run();
    assert_eq!(engine.take_commands(), ["SelectMicrophone(Device(\"desk-microphone\"))"]);
    assert_eq!(Settings::load(&path).unwrap().microphone, "device:desk-microphone");
    assert!(harness.query_by_label("Microphone: Conference headset.").is_none(), "the menu stays open");
    harness.get_by_label("Choose microphone and loudspeaker").click();
    harness.run();
    harness.get_by_label("Microphone: Desk microphone, open.");
    harness.get_by_label("Microphone on. Desk microphone (M mutes it)");
}

#[test]
fn the_own_voice_is_sent_as_it_is_where_a_person_wants_that_and_the_choice_is_kept() {
    let engine = SketchEngine::new(3, false);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("settings.toml");
    let mut harness = meeting_with(&engine, Options { settings_path: Some(path.clone()), ..Options::default() });
    engine.take_commands();
    harness.get_by_label("Choose microphone and loudspeaker").click();
    wait_for(&mut harness, "Microphone: Desk microphone.");
    harness.run();
    harness.get_by_label("My voice: Made for speech, open. Without echo and noise, equally loud");
    harness.get_by_label("My voice: Original sound. As the microphone gives it; use headphones").click();
    harness.run();
    assert_eq!(engine.take_commands(), ["VoiceMode(FullBand)"]);
    assert!(Settings::load(&path).unwrap().original_sound);
    harness.get_by_label("Choose microphone and loudspeaker").click();
    harness.run();
    harness.get_by_label("My voice: Original sound, open. As the microphone gives it; use headphones");
}

#[test]
fn the_camera_is_changed_by_keyboard_alone() {
    let engine = SketchEngine::new(3, false);
    let mut harness = meeting(&engine);
    engine.take_commands();
    harness.get_by_label("Choose the camera").focus();
    harness.run();
    harness.key_press(Key::Enter);
    wait_for(&mut harness, "Camera: Room camera.");
    harness.run();
    assert!(harness.get_by_label_contains("Camera: System default, open.").is_focused());
    harness.key_press(Key::ArrowDown);
    harness.run();
    harness.key_press(Key::ArrowDown);
    harness.run();
    assert!(harness.get_by_label("Camera: Room camera.").is_focused());
    harness.key_press(Key::Enter);
    harness.run();
    assert_eq!(engine.take_commands(), ["SelectCamera(Device(\"room-camera\"))"]);
}

#[test]
fn a_microphone_that_is_not_there_is_never_said_to_be_on() {
    let engine = SketchEngine::new(2, false);
    engine.change(|snapshot| {
        snapshot.microphone.open_device = None;
        snapshot.microphone.problem =
            Some(CaptureError::NoDevice { kind: DeviceKind::Microphone, reason: "nothing is plugged in".into() });
    });
    let harness = meeting(&engine);
    harness.get_by_label("No microphone. No microphone found (nothing is plugged in).");
    assert!(harness.query_by_label_contains("Microphone on. (M").is_none());
}

#[test]
fn a_message_does_not_cover_the_own_tile() {
    for people in [2, 3, 6, 12] {
        let engine = SketchEngine::new(people, false);
        engine.notify(Notice::DeviceLost { device: DeviceKind::Camera, error: conclave_capture_error() });
        let harness = meeting(&engine);
        let toast = harness.get_by_role(Role::Alert).rect();
        let own = harness.get_by_label_contains("You: Emma Peeters").rect();
        assert!(!toast.intersects(own), "{people}: {toast} covers {own}");
    }
}

#[test]
fn a_busy_engine_is_said_and_nothing_waits() {
    let engine = SketchEngine::new(2, false);
    let mut harness = meeting(&engine);
    engine.fill();
    harness.key_press(Key::M);
    harness.run();
    harness.get_by_role_and_label(Role::Alert, "The app is busy. Please try again.");
    harness.get_by_label("Dismiss").click();
    harness.run();
    assert!(harness.query_by_label("The app is busy. Please try again.").is_none());
}
