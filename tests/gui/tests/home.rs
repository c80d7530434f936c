//! From the first screen to the door of a meeting.
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    time::{Duration, Instant},
};

use conclave_desktop::{
    app::{App, JoinStart, Options, Start},
    settings::{Recent, Settings},
    sketch::WALL,
};
use conclave_gui_tests::window;
use conclave_identity::{
    Listed,
    credential::write_private,
    issue::{Rehearsal, RehearsalSpec, Validity, delegate},
};
use conclave_model::Level;
use egui::Key;
use egui_kittest::{Harness, kittest::Queryable as _};

const PASSWORD: &str = "correct horse battery";

/// Runs the window until `label` is shown, since jobs take their time.
fn wait_for(harness: &mut Harness<'_, App>, label: &str) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while harness.query_by_label_contains(label).is_none() {
        assert!(Instant::now() < deadline, "\"{label}\" never came: {harness:?}");
        std::thread::sleep(Duration::from_millis(20));
        harness.step();
    }
}

/// A folder with a credential and an invitation for its holder.
fn papers(change: impl FnOnce(&mut Vec<u8>)) -> (tempfile::TempDir, Settings, JoinStart) {
    let folder = tempfile::tempdir().unwrap();
    let wall = WALL;
    let mut rehearsal = Rehearsal::new(&RehearsalSpec::new(2, wall)).unwrap();
    let issued = rehearsal.authority.issue_credential(&delegate(0, wall), Validity::days(wall, 1)).unwrap();
    let credential = folder.path().join("chair.pem");
    write_private(&credential, &issued.to_pem(PASSWORD).unwrap()).unwrap();
    let listed = Listed::of(issued.holder(), Vec::new());
    rehearsal.reissue(|content| content.participants = vec![listed]).unwrap();
    let mut bytes = rehearsal.invitation.bytes().to_vec();
    change(&mut bytes);
    let invitation = folder.path().join("rehearsal.conclave");
    fs::write(&invitation, bytes).unwrap();
    let settings = Settings {
        credential: Some(credential),
        camera: "test".into(),
        microphone: "test".into(),
        speaker: "null".into(),
        ..Settings::default()
    };
    (folder, settings, JoinStart { invitation, ..JoinStart::default() })
}

fn entering(settings: Settings, start: Start) -> Harness<'static, App> {
    let mut harness = window(Options { settings, start, ..Options::default() });
    harness.step();
    harness
}

#[test]
fn the_first_screen_offers_an_invitation_a_demonstration_and_settings() {
    let mut harness = window(Options::default());
    for label in ["Open invitation", "See a demonstration", "Settings", "Choose credential"] {
        harness.get_by_label(label);
    }
    harness.get_by_label("Settings").click();
    harness.run_ok();
    harness.get_by_label("Enter meetings with the camera on").click();
    harness.run_ok();
    harness.get_by_label("Back").click();
    harness.run_ok();
    harness.get_by_label("Open invitation");
}

#[test]
fn the_keyboard_begins_at_the_invitation() {
    let mut harness = window(Options::default());
    harness.key_press(Key::Tab);
    harness.run();
    assert!(harness.get_by_label("Open invitation").is_focused());
}

#[test]
fn recent_invitations_say_when_and_at_which_level_and_can_be_forgotten() {
    let mut settings = Settings::default();
    settings.remember(Recent {
        path: "/nowhere/council.conclave".into(),
        title: "Council".into(),
        level: Level::Secret,
        not_before: 1_795_442_400,
        not_after: 1_795_449_600,
    });
    let mut harness = window(Options { settings, ..Options::default() });
    harness.get_by_label_contains("Open Council, Today,");
    assert!(harness.query_by_label_contains("SECRET UE/EU SECRET").is_some());
    harness.get_by_label("Remove Council from the list").click();
    harness.run();
    assert!(harness.query_by_label_contains("Open Council").is_none());
}

#[test]
fn an_invitation_that_is_gone_or_broken_is_said_on_the_first_screen() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("party.conclave");
    for (content, said) in [(None, "party.conclave cannot be read"), (Some("hello"), "The file is no invitation")] {
        if let Some(content) = content {
            fs::write(&path, content).unwrap();
        }
        let start = Start::Join(JoinStart { invitation: path.clone(), ..JoinStart::default() });
        let mut harness = window(Options { start, ..Options::default() });
        wait_for(&mut harness, said);
        harness.get_by_label("Dismiss").click();
        harness.run();
        assert!(harness.query_by_label_contains(said).is_none());
    }
}

#[test]
fn the_right_password_leads_to_the_preview_and_a_wrong_one_says_so() {
    let (_folder, settings, start) = papers(|_| {});
    let mut harness = entering(settings, Start::Join(start));
    wait_for(&mut harness, "Unlock your credential");
    harness.step();
    harness.get_by_label("Password").focus();
    harness.step();
    harness.get_by_label("Password").type_text("wrong");
    harness.step();
    harness.key_press(Key::Enter);
    harness.step();
    wait_for(&mut harness, "The password is wrong.");
    harness.get_by_label("Password").focus();
    harness.step();
    harness.get_by_label("Password").type_text(PASSWORD);
    harness.step();
    harness.key_press(Key::Enter);
    harness.step();
    wait_for(&mut harness, "Enter the meeting");
    harness.get_by_label_contains("You enter as Emma Peeters, Belgium.");
    harness.key_press(Key::M);
    harness.step();
    harness.step();
    harness.get_by_label("You will enter muted.");
    harness.get_by_label("Camera");
    assert!(harness.query_all_by_label_contains("RESTREINT UE/EU RESTRICTED").count() >= 2);
    harness.get_by_label("Back").click();
    harness.step();
    harness.step();
    harness.get_by_label("Open invitation");
}

#[test]
fn an_altered_invitation_is_refused_in_words() {
    let (_folder, settings, mut start) = papers(|bytes| {
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
    });
    start.password.0.push_str(PASSWORD);
    let mut harness = entering(settings, Start::Join(start));
    wait_for(&mut harness, "The invitation was altered after it was signed.");
}
