//! The window that nobody has touched for as long as the policy allows.
#![allow(clippy::unwrap_used)]

use std::{path::PathBuf, time::Duration};

use conclave_client::{EndReason, Phase};
use conclave_desktop::{
    app::{App, JoinStart, Options, Start},
    policy::Policy,
    screens::unlock::data::Password,
    settings::Settings,
    sketch::{SketchEngine, WALL},
};
use conclave_gui_tests::{meeting_with, wait_for, window};
use conclave_identity::{
    Listed,
    credential::write_private,
    issue::{Rehearsal, RehearsalSpec, Validity, delegate},
};
use conclave_model::Level;
use egui::{Event, Key, Pos2};
use egui_kittest::{
    Harness,
    kittest::{NodeT as _, Queryable as _},
};

const PASSWORD: &str = "correct horse battery";

/// A policy of five minutes.
fn policy() -> Policy {
    Policy { lock_after: Some(Duration::from_secs(300)), ..Policy::default() }
}

/// A folder with a credential and an invitation for its holder.
fn papers() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let mut rehearsal = Rehearsal::new(&RehearsalSpec::new(2, WALL)).unwrap();
    let issued = rehearsal.authority.issue_credential(&delegate(0, WALL), Validity::days(WALL, 1)).unwrap();
    let credential = folder.path().join("chair.pem");
    write_private(&credential, &issued.to_pem(PASSWORD).unwrap()).unwrap();
    let listed = Listed::of(issued.holder(), Vec::new());
    rehearsal.reissue(|content| content.participants = vec![listed]).unwrap();
    let invitation = folder.path().join("rehearsal.conclave");
    std::fs::write(&invitation, rehearsal.invitation.bytes()).unwrap();
    (folder, credential, invitation)
}

fn seated(engine: &SketchEngine, credential: Option<PathBuf>) -> Harness<'static, App> {
    let settings = Settings { credential, ..Settings::default() };
    let mut harness = meeting_with(engine, Options { settings, policy: policy(), ..Options::default() });
    pass(&mut harness, 0.0);
    harness
}

/// Lets the window's clock stand at so many seconds.
fn pass(harness: &mut Harness<'_, App>, seconds: f64) {
    harness.input_mut().time = Some(1.0 + seconds);
    harness.run();
}

/// Everything that a screen reader finds in the window.
fn spoken(harness: &Harness<'_, App>) -> String {
    let nodes = harness.root().children_recursive();
    let said = nodes.map(|node| {
        let node = node.accesskit_node();
        [node.label(), node.value(), node.description()].into_iter().flatten().collect::<Vec<_>>().join(" ")
    });
    said.collect::<Vec<_>>().join("\n")
}

fn is_locked(harness: &Harness<'_, App>) -> bool {
    harness.query_by_label("Locked").is_some()
}

fn write_password(harness: &mut Harness<'_, App>, password: &str) {
    harness.step();
    harness.get_by_label("Password").type_text(password);
    harness.run_ok();
    harness.get_by_label("Unlock").click();
    harness.run_ok();
}

#[test]
fn nothing_of_the_meeting_can_be_read_in_a_locked_window_but_its_level() {
    let engine = SketchEngine::new(6, true);
    engine.change(|snapshot| snapshot.level = Level::Secret);
    let mut harness = seated(&engine, None);
    harness.state_mut().open_roster();
    harness.run();
    let snapshot = conclave_desktop::engine::Engine::snapshot(&engine);
    let hidden = |said: &str| {
        let people = snapshot.participants.iter();
        people.filter(|one| said.contains(&one.person.name) || said.contains(&one.person.seat)).count()
            + usize::from(said.contains(&snapshot.title))
    };
    assert!(hidden(&spoken(&harness)) > 6, "{}", spoken(&harness));
    pass(&mut harness, 301.0);
    let said = spoken(&harness);
    assert!(is_locked(&harness), "{said}");
    assert_eq!(hidden(&said), 0, "{said}");
    assert_eq!(harness.get_all_by_label("Level of this meeting: SECRET UE/EU SECRET").count(), 2);
    // Whatever comes in meanwhile stays behind the lock.
    engine.notify(conclave_client::Notice::Forged {
        who: Some(snapshot.participants[1].person.name.clone()),
        track: conclave_model::TrackKind::Camera,
    });
    harness.run();
    assert_eq!(hidden(&spoken(&harness)), 0);
}

#[test]
fn a_locked_window_closes_camera_and_microphone_and_is_silent() {
    let engine = SketchEngine::new(3, false);
    let mut harness = seated(&engine, None);
    engine.take_commands();
    pass(&mut harness, 301.0);
    let told = engine.take_commands();
    for command in ["Microphone(false)", "Camera(false)", "SelectSpeaker(Null)"] {
        assert!(told.iter().any(|said| said == command), "{command} of {told:?}");
    }
    harness.key_press(Key::M);
    harness.key_press(Key::V);
    harness.run();
    assert_eq!(engine.take_commands(), Vec::<String>::new());
}

#[test]
fn using_the_computer_keeps_the_window_open_and_the_lock_is_announced() {
    let mut harness = seated(&SketchEngine::new(3, false), None);
    pass(&mut harness, 200.0);
    assert!(harness.query_by_label_contains("about to lock").is_none());
    pass(&mut harness, 280.0);
    harness.get_by_label_contains("about to lock");
    harness.event(Event::PointerMoved(Pos2::new(400.0, 300.0)));
    harness.run();
    assert!(harness.query_by_label_contains("about to lock").is_none());
    pass(&mut harness, 310.0);
    assert!(!is_locked(&harness));
    // The system may say again where the pointer is, without anybody there.
    harness.event(Event::PointerMoved(Pos2::new(400.0, 300.0)));
    harness.run();
    pass(&mut harness, 581.0);
    assert!(is_locked(&harness));
    harness.event(Event::PointerMoved(Pos2::new(500.0, 300.0)));
    harness.run();
    assert!(is_locked(&harness), "only the password opens it");
}

#[test]
fn without_a_policy_the_window_stays_open() {
    let mut harness = meeting_with(&SketchEngine::new(3, false), Options::default());
    pass(&mut harness, 1e6);
    assert!(!is_locked(&harness));
}

#[test]
fn the_password_of_the_credential_opens_it_and_wrong_ones_lead_out() {
    let (_folder, credential, _) = papers();
    let engine = SketchEngine::new(3, false);
    let mut harness = seated(&engine, Some(credential));
    pass(&mut harness, 301.0);
    write_password(&mut harness, "wrong");
    wait_for(&mut harness, "The password is wrong. After 4 more wrong ones");
    assert!(is_locked(&harness));
    engine.take_commands();
    write_password(&mut harness, PASSWORD);
    wait_for(&mut harness, "Maria Dimitrova");
    assert!(!is_locked(&harness));
    assert_eq!(engine.take_commands().iter().filter(|said| said.starts_with("SelectSpeaker(Default")).count(), 1);
    // The count begins anew.
    pass(&mut harness, 700.0);
    for left in (1..5).rev() {
        write_password(&mut harness, "wrong");
        let said = if left == 1 { "With the next wrong one".to_owned() } else { format!("After {left} more") };
        wait_for(&mut harness, &said);
    }
    write_password(&mut harness, "wrong");
    wait_for(&mut harness, "wrong too often");
    harness.get_by_label("Open invitation");
}

#[test]
fn anybody_can_leave_and_nobody_can_return_without_the_password() {
    let mut harness = seated(&SketchEngine::new(3, false), None);
    pass(&mut harness, 301.0);
    harness.get_by_label("Leave the meeting").click();
    harness.run_ok();
    harness.get_by_label("Open invitation");
    assert!(harness.query_by_label("Return to the meeting").is_none());
}

#[test]
fn a_meeting_that_ends_behind_the_lock_leaves_nothing_but_the_reason() {
    let engine = SketchEngine::new(3, false);
    let mut harness = seated(&engine, None);
    pass(&mut harness, 301.0);
    engine.change(|snapshot| snapshot.phase = Phase::Ended(EndReason::Removed));
    harness.run();
    harness.get_by_label_contains("While the window was locked, the meeting ended for you.");
    assert!(harness.query_by_label("Return to the meeting").is_none());
}

#[test]
fn outside_of_a_meeting_the_credential_is_forgotten() {
    let (_folder, credential, invitation) = papers();
    let devices = ("test".to_owned(), "test".to_owned(), "null".to_owned());
    let settings = Settings {
        credential: Some(credential),
        camera: devices.0,
        microphone: devices.1,
        speaker: devices.2,
        ..Settings::default()
    };
    let mut password = Password::with_room();
    password.0.push_str(PASSWORD);
    let start = Start::Join(JoinStart { invitation, password });
    let mut harness = window(Options { settings, policy: policy(), start, ..Options::default() });
    harness.step();
    wait_for(&mut harness, "Enter the meeting");
    harness.input_mut().time = Some(10_000.0);
    harness.step();
    harness.step();
    assert!(harness.query_by_label("Enter the meeting").is_none());
    harness.get_by_label_contains("your credential was locked again");
    harness.get_by_label_contains("Locked until you join a meeting");
}

#[test]
fn a_meeting_above_the_policy_is_not_entered() {
    let (_folder, credential, invitation) = papers();
    let settings = Settings { credential: Some(credential), ..Settings::default() };
    let mut password = Password::with_room();
    password.0.push_str(PASSWORD);
    let start = Start::Join(JoinStart { invitation, password });
    let policy = Policy { max_level: Level::Unclassified, ..Policy::default() };
    let mut harness = window(Options { settings, policy, start, ..Options::default() });
    harness.step();
    wait_for(&mut harness, "Your IT department allows this computer to be used up to UNCLASSIFIED.");
}
