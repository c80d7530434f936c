//! Sharing a screen as people and screen readers meet it.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use conclave_capture::ScreenChoice;
use conclave_client::{
    ConnectError, Notice, OwnShare, Phase, RetryReason, ScreenError, ScreenPause, ShareError, SharingNotice,
};
use conclave_desktop::{
    app::App,
    sketch::{self, SketchEngine},
};
use conclave_gui_tests::{SIZE, SMALLEST, meeting, meeting_at, wait_for};
use conclave_model::{LeafIndex, Level};
use egui::{Key, Rect, Role, Vec2};
use egui_kittest::{
    Harness,
    kittest::{NodeT as _, Queryable as _},
};

/// A meeting that somebody else leads.
fn led_by_another(people: usize) -> SketchEngine {
    let engine = SketchEngine::new(people, false);
    engine.change(|snapshot| {
        snapshot.governance.as_mut().unwrap().chair = Some(LeafIndex(1));
        snapshot.stage.decides = Some(LeafIndex(1));
    });
    engine
}

/// `Share` and what was wanted, in words of Rust.
fn wanted(engine: &SketchEngine) -> Vec<String> {
    engine.take_commands().into_iter().filter(|command| command.starts_with("Share")).collect()
}

/// Opens the picker by its key and waits for the list.
fn pick(harness: &mut Harness<'_, App>) {
    harness.key_press(Key::S);
    harness.run_steps(3);
    wait_for(harness, "Whole screen HDMI-1");
    // The picker has grown by the list; from the next picture on it stands in the middle again.
    harness.run_steps(2);
}

fn own(sharing: OwnShare) -> SketchEngine {
    let engine = SketchEngine::new(4, false);
    engine.change(|snapshot| {
        sketch::share(snapshot, 0);
        snapshot.own_share = sharing;
    });
    engine
}

fn sharing(paused: Option<ScreenPause>) -> OwnShare {
    OwnShare::Sharing { name: "Budget 2027".to_owned(), label: Level::Restricted, paused }
}

#[test]
fn the_chair_picks_a_window_and_its_level_and_shares_at_once() {
    let engine = SketchEngine::new(3, false);
    let mut harness = meeting(&engine);
    pick(&mut harness);
    assert!(harness.get_by_label("Share").accesskit_node().is_disabled(), "nothing is chosen");
    harness.get_by_label_contains("Window Budget 2027").click();
    harness.run_steps(2);
    harness.get_by_label("What is shown is UNCLASSIFIED").click();
    harness.run_steps(2);
    assert!(harness.query_by_label_contains("What is shown is SECRET").is_none(), "no label above the level");
    harness.get_by_label_contains("raised first");
    harness.get_by_label("Share").click();
    harness.run_steps(2);
    assert_eq!(wanted(&engine), ["Share(Screen(Window(\"2\"), Unclassified))"]);
    assert!(harness.query_by_label("Share a screen").is_none(), "the picker is closed");
}

#[test]
fn others_ask_the_chair_first_and_can_take_it_back() {
    let engine = led_by_another(3);
    let mut harness = meeting(&engine);
    pick(&mut harness);
    harness.get_by_label_contains("Whole screen HDMI-1").click();
    harness.run_steps(2);
    harness.get_by_label_contains("messages that appear on it included");
    harness.get_by_label_contains("Nothing is captured before the chair says yes");
    harness.get_by_label("Ask the chair").click();
    harness.run_steps(2);
    assert_eq!(wanted(&engine), ["Share(Screen(Screen(\"HDMI-1\"), Restricted))"]);

    engine.change(|snapshot| snapshot.own_share = OwnShare::Asking { label: Level::Restricted });
    harness.run_steps(2);
    harness.get_by_role_and_label(Role::Alert, "You have asked the chair whether you may share a screen.");
    harness.get_by_label("Take back").click();
    harness.run_steps(2);
    assert_eq!(wanted(&engine), ["Share(Stop)"]);
}

#[test]
fn a_leave_that_came_later_waits_for_the_person() {
    let engine = led_by_another(3);
    let choice = ScreenChoice::Window("1".to_owned());
    engine.change(|snapshot| {
        snapshot.stage.holder = Some(LeafIndex(0));
        snapshot.own_share = OwnShare::Granted { wanted: Some((choice, Level::Unclassified)) };
    });
    let mut harness = meeting(&engine);
    harness.get_by_role_and_label(Role::Alert, "The chair lets you share a screen.");
    assert!(wanted(&engine).is_empty());
    harness.get_by_label("Share now").click();
    harness.run_steps(2);
    assert_eq!(wanted(&engine), ["Share(Screen(Window(\"1\"), Unclassified))"]);
    harness.get_by_label("Not now").click();
    harness.run_steps(2);
    assert_eq!(wanted(&engine), ["Share(Stop)"]);
}

#[test]
fn who_shares_is_told_with_how_many_and_stops_by_button_and_by_key_whatever_is_open() {
    let engine = own(sharing(None));
    for panel in [None, Some(Key::P)] {
        let mut harness = meeting(&engine);
        if let Some(key) = panel {
            harness.key_press(key);
            harness.run_steps(2);
        }
        harness.get_by_role_and_label(Role::Alert, "You share “Budget 2027” with 3 people");
        let buttons = harness.get_all_by_label("Stop sharing your screen. Shortcut: S").count();
        assert_eq!(buttons, 2, "in the bar over the tiles and in the controls");
        harness.key_press(Key::S);
        harness.run_steps(2);
        assert_eq!(wanted(&engine), ["Share(Stop)"]);
        harness.get_all_by_label("Stop sharing your screen. Shortcut: S").next().unwrap().click();
        harness.run_steps(2);
        assert_eq!(wanted(&engine), ["Share(Stop)"]);
    }
}

#[test]
fn sharing_is_stopped_while_the_connection_is_away_too() {
    let engine = own(sharing(None));
    engine.change(|snapshot| {
        let why = RetryReason::Connection(ConnectError::Refused { relay: "relay.example:7443".into() });
        snapshot.phase = Phase::Reconnecting { attempt: 1, retry_in: Duration::from_secs(3), why };
    });
    let mut harness = meeting(&engine);
    harness.key_press(Key::S);
    harness.run_steps(2);
    assert_eq!(wanted(&engine), ["Share(Stop)"]);
}

#[test]
fn whoever_waits_at_the_door_is_offered_nothing_to_share_and_nobody_to_see() {
    let engine = SketchEngine::new(3, false);
    engine.change(|snapshot| snapshot.phase = Phase::Waiting);
    let mut harness = meeting(&engine);
    for key in [Key::S, Key::P] {
        harness.key_press(key);
        harness.run_steps(2);
    }
    for label in ["Share a screen", "Show the list of participants", "Participants (3)"] {
        assert!(harness.query_by_label_contains(label).is_none(), "{label}");
    }
    harness.get_by_label_contains("Leave the meeting");
    assert!(wanted(&engine).is_empty());
    engine.change(|snapshot| snapshot.phase = Phase::Joined);
    harness.run_steps(2);
    harness.get_by_label_contains("Share a screen");
}

#[test]
fn what_another_begins_to_share_is_said_once_above_its_picture() {
    let engine = SketchEngine::new(3, false);
    engine.change(|snapshot| sketch::share(snapshot, 1));
    let mut harness = meeting(&engine);
    engine
        .notify(Notice::Sharing(SharingNotice::Began { who: Some(sketch::person(1).name), label: Level::Restricted }));
    harness.run_steps(3);
    let alerts: Vec<_> =
        harness.query_all_by_role(Role::Alert).filter_map(|node| node.accesskit_node().label()).collect();
    assert_eq!(alerts, ["Maria Dimitrova, Bulgaria, shares a screen"]);
}

#[test]
fn a_minimised_window_says_that_nobody_sees_it() {
    let harness = meeting(&own(sharing(Some(ScreenPause::Minimised))));
    harness.get_by_role_and_label(Role::Alert, "The window is minimised: the others see no picture of it.");
}

#[test]
fn a_shared_screen_is_large_has_its_label_and_nobody_lies_over_it() {
    for people in [2, 6, 27] {
        for size in [SIZE, SMALLEST, Vec2::new(1920.0, 1080.0)] {
            let engine = SketchEngine::new(people, false);
            engine.change(|snapshot| sketch::share(snapshot, 1));
            let harness = meeting_at(&engine, size);
            let screen = harness
                .get_by_role_and_label(
                    Role::Image,
                    "Maria Dimitrova, Bulgaria, shares a screen. Level of what is shown: RESTREINT UE/EU RESTRICTED.",
                )
                .rect();
            let tiles: Vec<Rect> = harness.query_all_by_role(Role::Group).map(|node| node.rect()).collect();
            assert!(!tiles.is_empty() && tiles.len() <= people);
            assert!(tiles.iter().all(|tile| !tile.shrink(1.0).intersects(screen)), "{people} at {size}");
            assert!(tiles.iter().all(|tile| tile.area() * 4.0 < screen.area()), "{people} at {size}: {screen}");
            assert!(screen.top() > 70.0 && screen.bottom() < size.y - 100.0, "{people} at {size}: {screen}");
            let hidden = people - tiles.len();
            assert_eq!(harness.query_by_label_contains("more people are in the meeting").is_some(), hidden > 0);
        }
    }
}

#[test]
fn fit_and_pixel_by_pixel_change_by_button_and_by_key() {
    let engine = SketchEngine::new(3, false);
    engine.change(|snapshot| sketch::share(snapshot, 1));
    let mut harness = meeting(&engine);
    harness.get_by_label_contains("pixel by pixel").click();
    harness.run_steps(2);
    harness.get_by_label_contains("Fit the shared screen");
    harness.key_press(Key::F);
    harness.run_steps(2);
    harness.get_by_label_contains("pixel by pixel");
}

#[test]
fn the_chair_sees_who_asks_and_lets_one_share_or_not() {
    let engine = SketchEngine::new(4, false);
    engine.change(sketch::ask_to_share);
    let mut harness = meeting(&engine);
    let (first, second) = (sketch::person(2).name, sketch::person(1).name);
    harness.get_by_label(&format!("{first} and 1 more would like to share a screen."));
    harness.get_by_label("Show").click();
    harness.run_steps(2);
    harness.get_by_label("Would like to share a screen (2)");
    harness.get_by_label_contains(&format!("{first}, {}, would like to share", sketch::person(2).seat));
    engine.take_commands();
    harness.get_by_label(&format!("Let {first} share a screen")).click();
    harness.run_steps(2);
    harness.get_by_label(&format!("Do not let {second} share a screen")).click();
    harness.run_steps(2);
    assert_eq!(wanted(&engine), ["Share(Grant(LeafIndex(2)))", "Share(Deny(LeafIndex(1)))"]);
}

#[test]
fn the_chair_stops_who_shares_and_others_cannot() {
    let engine = SketchEngine::new(4, false);
    engine.change(|snapshot| sketch::share(snapshot, 2));
    let said = format!("Stop the sharing of {}", sketch::person(2).name);
    let mut harness = meeting(&engine);
    harness.get_by_label(&said).click();
    harness.run_steps(2);
    assert_eq!(wanted(&engine), ["Share(StopSharer)"]);
    engine.change(|snapshot| snapshot.governance.as_mut().unwrap().chair = Some(LeafIndex(1)));
    harness.run_steps(2);
    assert!(harness.query_by_label(&said).is_none());
}

#[test]
fn each_failure_is_said_in_words() {
    let engine = SketchEngine::new(3, false);
    let mut harness = meeting(&engine);
    for (notice, said) in [
        (
            SharingNotice::Refused { error: ShareError::LabelAbove(Level::Restricted), busy: None },
            "Not shared: the meeting is at RESTREINT UE/EU RESTRICTED. Raise its level first, or choose a lower one for \
             what you show.",
        ),
        (SharingNotice::Denied, "The chair does not let you share a screen now."),
        (SharingNotice::Stopped, "Your sharing was ended by the chair."),
        (
            SharingNotice::Lost(ScreenError::WindowClosed),
            "Your sharing has ended: the window was closed; choose another to go on.",
        ),
    ] {
        engine.notify(Notice::Sharing(notice));
        harness.run_steps(3);
        harness.get_by_role_and_label(Role::Alert, said);
    }
}
