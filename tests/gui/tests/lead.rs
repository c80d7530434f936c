//! Lobby, lock, level, putting out and security as people and screen readers meet them.
#![allow(clippy::unwrap_used)]

use conclave_client::{KeyState, Phase, Standing};
use conclave_desktop::{
    screens::lead::data::Charter,
    sketch::{self, SketchEngine, WALL},
};
use conclave_gui_tests::{SMALLEST, meeting, meeting_at, meeting_under};
use conclave_model::{Clearance, LeafIndex, Level};
use conclave_session::NewcomerError;
use egui::{Key, Role};
use egui_kittest::kittest::{NodeT as _, Queryable as _};

/// A meeting that somebody else leads.
fn led_by_another(people: usize) -> SketchEngine {
    let engine = SketchEngine::new(people, false);
    engine.change(|snapshot| snapshot.governance.as_mut().unwrap().chair = Some(LeafIndex(1)));
    engine
}

/// Gives somebody a clearance.
fn clear(engine: &SketchEngine, index: usize, level: Level) {
    engine.change(|snapshot| {
        snapshot.participants[index].person.clearance = Some(Clearance { level, expires: WALL + 86_400 });
    });
}

/// `Lead` and what was ordered, in words of Rust.
fn orders(engine: &SketchEngine) -> Vec<String> {
    engine.take_commands().into_iter().filter(|command| command.starts_with("Lead") || command == "TakeOver").collect()
}

#[test]
fn the_chair_is_told_who_waits_and_admits_one_all_or_none() {
    let engine = SketchEngine::new(3, false);
    engine.change(|snapshot| snapshot.lobby = sketch::lobby(3).into());
    let mut harness = meeting(&engine);
    let first = sketch::person(20).name;
    harness.get_by_label(&format!("{first} and 2 more wait in the lobby."));
    harness.get_by_label("Show").click();
    harness.run();
    assert!(harness.query_by_label(&format!("{first} and 2 more wait in the lobby.")).is_none());
    harness.get_by_label("Waiting in the lobby (3)");
    harness.get_by_label_contains(&format!("{first}, {}, ", sketch::person(20).seat));
    engine.take_commands();

    harness.get_by_label(&format!("Admit {first}")).click();
    harness.run();
    let named = |number: u8| format!("{:?}", conclave_model::LeafRef([number; 16]));
    assert_eq!(orders(&engine), [format!("Lead(Admit([{}]))", named(20))]);

    harness.get_by_label(&format!("Send {first} away")).click();
    harness.run();
    assert_eq!(orders(&engine), [format!("Lead(Deny({}))", named(20))]);

    harness.get_by_label("Admit all on the list (3)").click();
    harness.run();
    assert_eq!(orders(&engine), [format!("Lead(Admit([{}, {}, {}]))", named(20), named(21), named(22))]);
}

#[test]
fn who_fails_a_check_cannot_be_admitted_and_is_left_out_of_all() {
    let engine = SketchEngine::new(3, false);
    engine.change(|snapshot| {
        let mut lobby = sketch::lobby(3);
        lobby[1].problem = Some(NewcomerError::Ejected);
        snapshot.lobby = lobby.into();
    });
    let mut harness = meeting(&engine);
    harness.key_press(Key::P);
    harness.run();
    harness.get_by_label("They were put out of this meeting.");
    let refused = format!("Admit {}", sketch::person(21).name);
    assert!(harness.get_by_label(&refused).accesskit_node().is_disabled());
    harness.get_by_label("Admit all on the list (2)");
}

#[test]
fn others_see_who_waits_and_can_do_nothing_about_it() {
    let engine = led_by_another(3);
    engine.change(|snapshot| snapshot.lobby = sketch::lobby(1).into());
    let mut harness = meeting(&engine);
    assert!(harness.query_by_label_contains("waits in the lobby").is_none());
    harness.key_press(Key::P);
    harness.run();
    harness.get_by_label("The chair decides who comes in.");
    for control in ["Admit", "Send", "Lock the meeting", "Change the level", "Put "] {
        assert!(harness.query_by_label_contains(control).is_none(), "{control} is there");
    }
}

#[test]
fn the_star_stands_for_who_leads_as_the_group_agrees() {
    let engine = led_by_another(3);
    let mut harness = meeting(&engine);
    harness.get_by_label("End-to-end encrypted. Only the 3 participants here can see and hear this meeting; the relay \
        cannot. Suite MLS_128_MLKEM768X25519_CHACHA20POLY1305_SHA384_MLDSA44, epoch 7. Show the security of this meeting")
        .click();
    harness.run();
    harness.get_by_label(&format!("Chair: {}", sketch::person(1).name));
}

#[test]
fn the_chair_locks_and_unlocks() {
    let engine = SketchEngine::new(2, false);
    let mut harness = meeting(&engine);
    harness.key_press(Key::P);
    harness.run();
    engine.take_commands();
    harness.get_by_label("Lock the meeting: only those let in before can come back").click();
    harness.run();
    assert_eq!(orders(&engine), ["Lead(Lock(true))"]);
    engine.change(|snapshot| snapshot.governance.as_mut().unwrap().locked = true);
    harness.run();
    harness.get_by_label("The meeting is locked. Only those let in before can come back.");
    harness.get_by_label("Unlock the meeting").click();
    harness.run();
    assert_eq!(orders(&engine), ["Lead(Lock(false))"]);
}

#[test]
fn nobody_is_put_out_without_a_second_word() {
    let engine = SketchEngine::new(3, false);
    let mut harness = meeting(&engine);
    harness.key_press(Key::P);
    harness.run();
    engine.take_commands();
    assert!(harness.query_by_label("Put Emma Peeters out of the meeting").is_none(), "nobody puts themselves out");
    harness.get_by_label("Put Maria Dimitrova out of the meeting").click();
    harness.run();
    harness.get_by_label("Put Maria Dimitrova out?");
    // The keyboard stands on the harmless answer.
    harness.key_press(Key::Enter);
    harness.run();
    assert_eq!(orders(&engine), Vec::<String>::new());
    harness.get_by_label("Put Maria Dimitrova out of the meeting").click();
    harness.run();
    harness.get_by_label("Put out").click();
    harness.run();
    assert_eq!(orders(&engine), ["Lead(Eject(LeafIndex(1)))"]);
    assert!(harness.query_by_label("Put Maria Dimitrova out?").is_none());
}

#[test]
fn a_place_that_has_become_somebody_elses_is_not_put_out() {
    let engine = SketchEngine::new(3, false);
    let mut harness = meeting(&engine);
    harness.key_press(Key::P);
    harness.run();
    harness.get_by_label("Put Maria Dimitrova out of the meeting").click();
    harness.run();
    engine.change(|snapshot| snapshot.participants[1].person = sketch::person(9));
    harness.run();
    assert!(harness.query_by_label("Put out").is_none());
}

#[test]
fn raising_the_level_names_who_has_to_leave() {
    let engine = SketchEngine::new(3, false);
    for (index, level) in [(0, Level::Secret), (1, Level::Secret), (2, Level::Restricted)] {
        clear(&engine, index, level);
    }
    let mut harness = meeting(&engine);
    harness.key_press(Key::P);
    harness.run();
    engine.take_commands();
    harness.get_by_label("Change the level of the meeting").click();
    harness.run();
    harness.get_by_label("Level SECRET UE/EU SECRET").click();
    harness.run();
    harness.get_by_label("One person is not cleared for it and is put out at once:");
    harness.get_by_label("Tereza Nováková, Czechia");
    harness.get_by_label("Raise to SECRET UE/EU SECRET").click();
    harness.run();
    assert_eq!(orders(&engine), ["Lead(SetLevel(Secret))"]);
}

#[test]
fn the_level_goes_no_higher_than_the_chairs_own_clearance() {
    let engine = SketchEngine::new(2, false);
    clear(&engine, 0, Level::Restricted);
    let mut harness = meeting(&engine);
    harness.key_press(Key::P);
    harness.run();
    harness.get_by_label("Change the level of the meeting").click();
    harness.run();
    harness.get_by_label("Level SECRET UE/EU SECRET").click();
    harness.run();
    harness.get_by_role_and_label(Role::Alert, "Your own clearance does not reach this level.");
    assert!(harness.get_by_label("Raise to SECRET UE/EU SECRET").accesskit_node().is_disabled());
}

#[test]
fn the_level_goes_down_only_once_the_originator_has_agreed() {
    let engine = SketchEngine::new(3, false);
    let mut harness = meeting_under(&engine, sketch::charter(1));
    harness.key_press(Key::P);
    harness.run();
    harness.get_by_label("Change the level of the meeting").click();
    harness.run();
    harness.get_by_label("Level UNCLASSIFIED").click();
    harness.run();
    harness.get_by_label("Maria Dimitrova has to agree first, as the originator.");
    assert!(harness.get_by_label("Lower to UNCLASSIFIED").accesskit_node().is_disabled());
    engine.change(|snapshot| snapshot.governance.as_mut().unwrap().consent = Some(Level::Unclassified));
    harness.run();
    harness.get_by_label("Maria Dimitrova, the originator, has agreed.");
    engine.take_commands();
    harness.get_by_label("Lower to UNCLASSIFIED").click();
    harness.run();
    assert_eq!(orders(&engine), ["Lead(SetLevel(Unclassified))"]);
}

#[test]
fn the_originator_agrees_to_a_lower_level() {
    let engine = led_by_another(3);
    let mut harness = meeting_under(&engine, sketch::charter(0));
    harness.key_press(Key::P);
    harness.run();
    engine.take_commands();
    harness.get_by_label("Agree to a lower level…").click();
    harness.run();
    assert!(harness.query_by_label("Level SECRET UE/EU SECRET").is_none(), "higher levels are none of it");
    harness.get_by_label("Level UNCLASSIFIED").click();
    harness.run();
    harness.get_by_label("Agree to UNCLASSIFIED").click();
    harness.run();
    assert_eq!(orders(&engine), ["Lead(Consent(Unclassified))"]);
    engine.change(|snapshot| snapshot.governance.as_mut().unwrap().consent = Some(Level::Unclassified));
    harness.run();
    harness.get_by_label("You have agreed to UNCLASSIFIED.");
}

#[test]
fn a_question_goes_away_with_the_right_to_answer_it() {
    let engine = SketchEngine::new(3, false);
    let mut harness = meeting(&engine);
    harness.key_press(Key::P);
    harness.run();
    harness.get_by_label("Change the level of the meeting").click();
    harness.run();
    engine.change(|snapshot| snapshot.governance.as_mut().unwrap().chair = Some(LeafIndex(1)));
    harness.run();
    assert!(harness.query_by_label("Level SECRET UE/EU SECRET").is_none());
}

#[test]
fn the_six_words_and_all_who_can_hear_are_shown() {
    let engine = SketchEngine::new(3, false);
    engine.change(|snapshot| {
        snapshot.participants[2].standing = Standing::Silent;
        snapshot.lobby = sketch::lobby(2).into();
    });
    let mut harness = meeting(&engine);
    harness.get_by_label_contains("Show the security of this meeting").click();
    harness.run();
    harness.get_by_label("Safety words: harbour, violin, meadow, copper, lantern, orchard");
    harness.get_by_label("Level: RESTREINT UE/EU RESTRICTED");
    harness.get_by_label("Who can see and hear (3)");
    harness.get_by_label_contains("Tereza Nováková. Czechia · Cleared up to");
    harness.get_by_label("2 people wait and can neither see nor hear.");
    let rows: Vec<_> =
        harness.query_all_by_role(Role::ListItem).filter_map(|node| node.accesskit_node().label()).collect();
    assert!(rows[2].ends_with("No sign of life for some seconds."), "{rows:#?}");
}

#[test]
fn being_kept_apart_is_said_above_everything() {
    let engine = SketchEngine::new(3, false);
    engine.change(|snapshot| {
        snapshot.participants[1].standing = Standing::Diverged;
        snapshot.participants[2].key = KeyState::Forged;
        snapshot.lobby = sketch::lobby(2).into();
    });
    let harness = meeting(&engine);
    harness.get_by_role_and_label(
        Role::Alert,
        "Maria Dimitrova and you are kept apart: you do not have the same meeting. Stop talking and tell your security \
         officer.",
    );
    harness.get_by_label_contains(
        "Maria Dimitrova, Bulgaria, Head of delegation. Microphone muted. Camera on. Is kept apart",
    );
    harness.get_by_label_contains("Security alert.");
    assert!(harness.query_by_label_contains("End-to-end encrypted.").is_none());
}

#[test]
fn escape_closes_what_is_open_at_the_right_and_no_more() {
    let engine = SketchEngine::new(2, false);
    let mut harness = meeting(&engine);
    harness.key_press(Key::P);
    harness.run();
    harness.get_by_label("Participants (2)");
    harness.get_by_label("Change the level of the meeting").click();
    harness.run();
    harness.key_press(Key::Escape);
    harness.run();
    assert!(harness.query_by_label("Level SECRET UE/EU SECRET").is_none());
    harness.get_by_label("Participants (2)");
    harness.key_press(Key::Escape);
    harness.run();
    assert!(harness.query_by_label("Participants (2)").is_none());
    harness.get_by_label("Leave the meeting");
}

#[test]
fn a_warning_is_read_to_its_end_in_the_smallest_window() {
    let engine = SketchEngine::new(3, false);
    engine.change(|snapshot| snapshot.participants[1].standing = Standing::Diverged);
    let mut harness = meeting_at(&engine, SMALLEST);
    harness.get_by_label_contains("Show the security").click();
    harness.run();
    let strip = harness.get_by_role(Role::Alert).rect();
    assert!(strip.height() > 60.0, "{strip} has no room for the whole sentence");
    for tile in harness.query_all_by_role(Role::Group) {
        assert!(tile.rect().top() >= strip.bottom(), "{} is below {strip}", tile.rect());
    }
}

#[test]
fn who_waits_in_the_lobby_is_told_so() {
    let engine = SketchEngine::new(0, false);
    engine.change(|snapshot| {
        snapshot.phase = Phase::Waiting;
        snapshot.governance = None;
    });
    let harness = meeting_under(&engine, Charter { has_lobby: true, ..Charter::default() });
    harness.get_by_label("You are in the lobby");
    harness.get_by_label("The chair sees your certified name and seat and lets you in. Nobody sees or hears you yet.");
    harness.get_by_label("Leave the meeting");
}

#[test]
fn the_meeting_moves_here_only_on_a_word() {
    let engine = SketchEngine::new(0, false);
    engine.change(|snapshot| {
        snapshot.phase = Phase::AskTakeOver;
        snapshot.governance = None;
    });
    let mut harness = meeting(&engine);
    engine.take_commands();
    harness.get_by_label("You are in this meeting already, from another place.");
    harness.get_by_label("Go on here").click();
    harness.run();
    assert_eq!(orders(&engine), ["TakeOver"]);
}
