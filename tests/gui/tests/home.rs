//! From the first screen to the door of a meeting.
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use conclave_capture::{CaptureError, DeviceKind, SpeakerChoice};
use conclave_desktop::{
    app::{App, JoinStart, Options, Start},
    settings::{Recent, Settings},
    sketch::WALL,
};
use conclave_gui_tests::{SMALLEST, wait_for, window, window_at};
use conclave_identity::{
    Listed,
    credential::write_private,
    issue::{Rehearsal, RehearsalSpec, Validity, delegate},
};
use conclave_model::Level;
use egui::Key;
use egui_kittest::{
    Harness,
    kittest::{NodeT as _, Queryable as _},
};

const PASSWORD: &str = "correct horse battery";

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
fn enter_is_the_way_in_while_no_control_has_the_keyboard() {
    let (_folder, settings, mut start) = papers(|_| {});
    start.password.0.push_str(PASSWORD);
    let mut harness = window(Options { settings, start: Start::Join(start), tone: BUSY, ..Options::default() });
    wait_for(&mut harness, "Enter the meeting");
    harness.get_by_label("Play a test tone").focus();
    harness.step();
    harness.key_press(Key::Enter);
    wait_for(&mut harness, "in use by another program");
    harness.get_by_label("Enter the meeting");
    // While the tone played, the button was disabled, so that it may have lost the keyboard already.
    harness.ctx.memory_mut(|memory| memory.focused().into_iter().for_each(|control| memory.surrender_focus(control)));
    harness.step();
    harness.key_press(Key::Enter);
    harness.step();
    harness.step();
    assert!(harness.query_by_label("Enter the meeting").is_none());
}

/// An invitation that was edited after it was signed.
fn altered(bytes: &mut [u8]) {
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
}

#[test]
fn an_altered_invitation_is_refused_before_the_password_and_neither_shown_nor_kept() {
    let (folder, mut settings, start) = papers(|bytes| altered(bytes));
    settings.remember(Recent {
        path: fs::canonicalize(&start.invitation).unwrap(),
        title: "What it once was".into(),
        level: Level::Restricted,
        not_before: 0,
        not_after: u64::MAX,
    });
    let path = folder.path().join("settings.toml");
    let options =
        Options { settings, settings_path: Some(path.clone()), start: Start::Join(start), ..Options::default() };
    let mut harness = window(options);
    wait_for(&mut harness, "rehearsal.conclave: The invitation was altered after it was signed.");
    assert!(harness.query_by_label_contains("Password").is_none());
    for title in ["Rehearsal", "What it once was"] {
        assert!(harness.query_by_label_contains(title).is_none(), "{title} is shown");
    }
    assert_eq!(Settings::load(&path).unwrap().recent, []);
}

#[test]
fn nothing_of_an_invitation_is_shown_before_a_credential_vouches_for_it() {
    let (_folder, settings, start) = papers(|_| {});
    let credential = settings.credential.clone().unwrap();
    let mut harness = entering(Settings { credential: None, ..settings }, Start::Join(start));
    wait_for(&mut harness, "is checked with your credential before anything it says is shown");
    assert!(harness.query_by_label_contains("To enter").is_none());
    harness.get_by_label("Use a smart card");
    drop_file(&mut harness, credential);
    wait_for(&mut harness, "To enter “Rehearsal”");
    harness.get_by_label("Password");
}

#[derive(Debug)]
struct Dropped(PathBuf);

impl egui::DroppedFile for Dropped {
    fn path(&self) -> &Path {
        &self.0
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        fs::read(&self.0).map_err(|error| error.to_string())
    }
}

/// Drops a file onto the window.
fn drop_file(harness: &mut Harness<'_, App>, path: PathBuf) {
    harness.input_mut().dropped_files.push(Arc::new(Dropped(path)));
    harness.step();
}

#[test]
fn a_computer_without_a_file_dialog_says_so_and_takes_a_path() {
    let (_folder, settings, start) = papers(|_| {});
    let mut harness = window(Options { settings, has_dialog: || false, ..Options::default() });
    harness.get_by_label("Open invitation").click();
    harness.step();
    wait_for(&mut harness, "neither xdg-desktop-portal nor zenity is installed or works");
    harness.step();
    harness.get_by_label("Path of the invitation").focus();
    harness.step();
    harness.get_by_label("Path of the invitation").type_text(&start.invitation.display().to_string());
    harness.step();
    harness.key_press(Key::Enter);
    harness.step();
    wait_for(&mut harness, "To enter “Rehearsal”");
    assert!(harness.query_by_label_contains("neither xdg-desktop-portal").is_none());
}

#[test]
fn the_question_for_a_path_goes_away_by_escape_and_leaves_the_screen_as_it_was() {
    let mut harness = window(Options { has_dialog: || false, ..Options::default() });
    harness.get_by_label("Settings").click();
    harness.run_ok();
    harness.get_by_label("Choose credential").click();
    harness.step();
    wait_for(&mut harness, "Path of the credential");
    harness.key_press(Key::Escape);
    harness.run_ok();
    assert!(harness.query_by_label("Path of the credential").is_none());
    harness.get_by_label("Enter meetings with the camera on");
}

#[test]
fn a_smart_card_is_chosen_by_its_address_and_asks_for_its_pin() {
    let (_folder, settings, start) = papers(|_| {});
    let mut harness = window(Options { settings, ..Options::default() });
    harness.get_by_label("Settings").click();
    harness.run_ok();
    harness.get_by_label("Use a smart card").click();
    harness.step();
    harness.step();
    harness.get_by_label("Address of the card").focus();
    harness.step();
    harness.get_by_label("Address of the card").type_text("pkcs11:token=Anna");
    harness.step();
    harness.get_by_label("Use it").click();
    harness.step();
    harness.step();
    harness.get_by_label_contains("That is no address of a card: it names no module");
    harness.get_by_label("Address of the card").focus();
    harness.step();
    harness.get_by_label("Address of the card").type_text("?module-path=/nowhere/module.so");
    harness.step();
    harness.get_by_label("Use it").click();
    harness.step();
    harness.step();
    harness.get_by_label("Card: Anna");
    drop_file(&mut harness, start.invitation.clone());
    harness.key_press(Key::Escape);
    harness.step();
    harness.step();
    drop_file(&mut harness, start.invitation);
    wait_for(&mut harness, "Unlock your card");
    harness.step();
    harness.get_by_label("PIN").focus();
    harness.step();
    harness.get_by_label("PIN").type_text("1234");
    harness.step();
    harness.key_press(Key::Enter);
    harness.step();
    wait_for(&mut harness, "The driver for cards, /nowhere/module.so, is not installed here.");
}

#[test]
fn escape_leads_back_from_the_settings() {
    let mut harness = window(Options::default());
    harness.get_by_label("Settings").click();
    harness.run_ok();
    harness.get_by_label("Enter meetings with the camera on");
    harness.key_press(Key::Escape);
    harness.run_ok();
    harness.get_by_label("Open invitation");
}

/// Plays a tone in place of a device.
type Tone = fn(&SpeakerChoice) -> Result<String, CaptureError>;

const PLAYED: Tone = |_| Ok("Desk loudspeaker".to_owned());
const BUSY: Tone = |_| Err(CaptureError::Busy { kind: DeviceKind::Speaker, name: "Headset".into() });

#[test]
fn a_test_tone_says_what_played_it_or_why_nothing_did() {
    for (tone, said) in [(PLAYED, "played to Desk loudspeaker"), (BUSY, "in use by another program")] {
        let mut harness = window(Options { tone, ..Options::default() });
        harness.get_by_label("Settings").click();
        harness.run_ok();
        harness.get_by_label("Play a test tone").click();
        wait_for(&mut harness, said);
        harness.run_ok();
        harness.get_by_label("Play a test tone");
        harness.get_by_label("Back").click();
        harness.run_ok();
        harness.get_by_label("Settings").click();
        harness.run_ok();
        assert!(harness.query_by_label_contains(said).is_none(), "it is said once");
    }
}

#[test]
fn before_entering_one_tone_is_played_at_a_time_and_said_in_words() {
    /// Held as long as the tone is to last.
    static LASTS: Mutex<()> = Mutex::new(());
    let playing: Tone = |choice| {
        drop(LASTS.lock().unwrap());
        assert_eq!(*choice, SpeakerChoice::Null, "the one that is chosen");
        BUSY(choice)
    };
    let (_folder, settings, mut start) = papers(|_| {});
    start.password.0.push_str(PASSWORD);
    let mut harness = window(Options { settings, start: Start::Join(start), tone: playing, ..Options::default() });
    wait_for(&mut harness, "Enter the meeting");
    let lasts = LASTS.lock().unwrap();
    harness.get_by_label("Play a test tone").click();
    harness.run_steps(3);
    assert!(harness.get_by_label("Playing…").accesskit_node().is_disabled());
    drop(lasts);
    wait_for(&mut harness, "in use by another program");
    harness.get_by_label("Play a test tone");
}

#[test]
fn the_way_in_is_in_sight_in_the_smallest_window() {
    let (_folder, settings, mut start) = papers(|_| {});
    start.password.0.push_str(PASSWORD);
    let mut harness = window_at(Options { settings, start: Start::Join(start), ..Options::default() }, SMALLEST);
    wait_for(&mut harness, "Enter the meeting");
    harness.step();
    harness.step();
    let banner = harness
        .get_all_by_label_contains("Level of this meeting")
        .map(|node| node.rect())
        .max_by(|a, b| a.top().total_cmp(&b.top()))
        .unwrap();
    for label in ["Enter the meeting", "Back"] {
        let rect = harness.get_by_label(label).rect();
        assert!(rect.bottom() <= banner.top(), "{label} at {rect} is below {banner}");
    }
}

#[test]
fn everything_to_press_is_in_sight_in_the_smallest_window() {
    let mut settings = Settings { credential: Some("/nowhere/anna.pem".into()), ..Settings::default() };
    settings.remember(Recent {
        path: "/nowhere/council.conclave".into(),
        title: "Council".into(),
        level: Level::Secret,
        not_before: 1_795_442_400,
        not_after: 1_795_449_600,
    });
    let harness = window_at(Options { settings, ..Options::default() }, SMALLEST);
    for label in ["Open invitation", "Other credential", "Settings", "See a demonstration"] {
        let rect = harness.get_by_label(label).rect();
        assert!(rect.bottom() <= SMALLEST.y && rect.right() <= SMALLEST.x, "{label} is at {rect}");
    }
}
