//! Commits that are kept back, forked or against the rules; signs of life; renewal of keys.

use std::time::Duration;

use conclave_identity::Admission;
use conclave_model::{
    Epoch, PeerId, TrackKind,
    wire::signal::{Commit, FromRelay, Refusal, ToRelay},
};
use conclave_session::{Command, EndReason, Event, RemoteFrame, Standing};

use crate::world::World;

/// What a member waits at most to notice that somebody keeps it apart.
const NOTICED_WITHIN: Duration = Duration::from_secs(10);

#[test]
fn who_is_kept_from_a_commit_notices_and_comes_anew() {
    let mut world = World::assembled(4);
    world.withholds = |to, signal| to == 2 && matches!(signal, FromRelay::Committed { .. });
    let epoch = world.assert_agreed(&[0, 1, 2, 3]);
    world.vanish(3);
    world.run(NOTICED_WITHIN);
    let ended = world.seats[2].ended();
    assert_eq!(ended, Some(&EndReason::OutOfStep { ours: epoch, theirs: epoch.next() }));
    world.withholds = |_, _| false;
    world.join(2);
    world.run(Duration::from_secs(1));
    world.assert_agreed(&[0, 1, 2]);
    world.assert_all_hear_all(&[0, 1, 2]);
}

#[test]
fn who_is_kept_from_commits_and_signs_of_life_is_noticed_and_notices() {
    let mut world = World::assembled(4);
    world.run(Duration::from_secs(4));
    // It is not told that somebody went either, or it would see to that itself and be refused.
    world.withholds = |to, signal| {
        let tells = matches!(signal, FromRelay::Committed { .. } | FromRelay::CommitRefused { .. });
        to == 2 && (tells || matches!(signal, FromRelay::Pulse { .. } | FromRelay::Departed(_)))
    };
    world.vanish(3);
    world.run(NOTICED_WITHIN + Duration::from_millis(200));
    assert_eq!(world.seats[2].ended(), None);
    assert_eq!(world.seats[2].standing(world.leaf(0)), Standing::Silent);
    assert_eq!(world.seats[0].standing(world.leaf(2)), Standing::Silent, "it stays in an old epoch");
    assert_eq!(world.seats[0].standing(world.leaf(1)), Standing::Confirmed);
}

#[test]
fn silence_is_shown_and_ends() {
    let mut world = World::assembled(3);
    world.withholds = |to, signal| to == 0 && matches!(signal, FromRelay::Pulse { .. });
    world.run(NOTICED_WITHIN + Duration::from_millis(200));
    for of in [1, 2] {
        assert_eq!(world.seats[0].standing(world.leaf(of)), Standing::Silent);
    }
    assert_eq!(world.seats[1].standing(world.leaf(0)), Standing::Confirmed);
    world.withholds = |_, _| false;
    world.run(Duration::from_secs(4));
    for of in [1, 2] {
        assert_eq!(world.seats[0].standing(world.leaf(of)), Standing::Confirmed);
    }
    let news = world.seats[1].events.iter().filter(|event| matches!(event, Event::Standing { .. }));
    assert_eq!(news.count(), 0, "nothing to tell where nothing is wrong");
}

#[test]
fn a_group_that_the_relay_splits_is_noticed() {
    let mut world = World::assembled(5);
    world.run(Duration::from_secs(60));
    let epoch = world.assert_agreed(&[0, 1, 2, 3, 4]);
    // The relay catches the commits that take the last one out, and gives one to each half.
    world.catches = |_, message| matches!(message, ToRelay::Commit(_));
    world.vanish(4);
    world.run(Duration::from_millis(2200));
    let commits: Vec<_> = world.caught.drain(..).collect();
    let of = |who: usize| {
        let mut own = commits.iter().filter(|(from, _)| *from == who);
        let Some((_, ToRelay::Commit(commit))) = own.next() else { panic!("no commit of {who}") };
        FromRelay::Committed { epoch: commit.epoch, from: PeerId(1), commit: commit.commit.clone() }
    };
    for (to, from) in [(0, 0), (1, 0), (2, 2), (3, 2)] {
        assert!(world.whisper(to, of(from)), "{to} does not follow {from}");
        assert_eq!(world.seats[to].view().0, epoch.next());
    }
    world.run(Duration::from_secs(4));
    for (member, same, other) in [(0, 1, 2), (1, 0, 3), (2, 3, 0), (3, 2, 1)] {
        assert_eq!(world.seats[member].standing(world.leaf(same)), Standing::Confirmed);
        assert_eq!(world.seats[member].standing(world.leaf(other)), Standing::Diverged);
    }
}

#[test]
fn a_relay_that_keeps_a_commit_to_itself_is_left() {
    let mut world = World::assembled(3);
    world.run(Duration::from_secs(30));
    world.catches = |from, message| from == 0 && matches!(message, ToRelay::Commit(_));
    world.vanish(2);
    world.run(Duration::from_millis(500));
    assert!(!world.caught.is_empty());
    // Meanwhile another member does what was to be done; where the relay hides that as well, the first gives up.
    world.withholds = |to, signal| to == 0 && matches!(signal, FromRelay::Committed { .. } | FromRelay::Pulse { .. });
    world.run(NOTICED_WITHIN);
    assert_eq!(world.seats[0].ended(), Some(&EndReason::Unanswered));
}

/// A meeting with a lobby, in which all but the last of `people` are. The app of `who`, the last of them, believes that
/// there is no lobby, and lets in whoever comes.
fn with_one_who_lets_in_anybody(people: usize, who: usize) -> World {
    let mut world = World::with_lobby(people);
    let meant = world.rehearsal.invitation.clone();
    let open = world.rehearsal.reissue(|content| content.admission = Admission::Open).unwrap().clone();
    world.rehearsal.invitation = meant;
    world.seats[who].invitation = Some(open);
    let inside: Vec<usize> = (0..=who).collect();
    for seat in &inside {
        world.join(*seat);
        world.run(Duration::from_millis(200));
        world.command(0, Command::Admit(Vec::new()));
        world.run(Duration::from_millis(500));
    }
    world.run(Duration::from_secs(30));
    world.assert_agreed(&inside);
    world
}

#[test]
fn a_commit_against_the_rules_is_annulled_and_media_go_on() {
    let mut world = with_one_who_lets_in_anybody(5, 3);
    world.assert_agreed(&[0, 1, 2, 3]);
    let before = world.seats[0].view().0;
    world.forget_frames();
    world.join(4);
    world.run(Duration::from_secs(6));
    let objected = |event: &Event| matches!(event, Event::Objected { .. });
    for seat in [0, 1, 2] {
        assert_eq!(world.seats[seat].ended(), None, "member {seat}");
        assert_eq!(world.seats[seat].events.iter().filter(|event| objected(event)).count(), 1, "member {seat}");
        let committer = world.leaf(3);
        let named = |event: &Event| matches!(event, Event::Objected { committer: by, .. } if *by == committer);
        assert!(world.seats[seat].events.iter().any(named));
    }
    assert_eq!(world.seats[3].ended(), Some(&EndReason::Refused(Refusal::Misbehaved)));
    assert!(world.seats[4].hung_up);
    assert_eq!(world.relay.counters().annulled, 1);
    // The one who broke the rules is out, by a commit of the honest.
    assert!(world.assert_agreed(&[0, 1, 2]) > before);
    for (to, from) in [(0, 1), (1, 2), (2, 0)] {
        let leaf = world.leaf(from);
        let frames = world.seats[to].frames.iter().filter(|frame| frame.from == leaf);
        let sound: Vec<u32> =
            frames.filter(|frame| frame.track == TrackKind::Microphone).map(|frame| frame.number).collect();
        assert!(sound.windows(2).all(|pair| pair[1] == pair[0] + 1), "a gap in what {to} hears of {from}");
        assert!(sound.len() >= 299);
    }
    world.assert_all_hear_all(&[0, 1, 2]);
}

#[test]
fn garbage_in_the_place_of_a_commit_is_annulled() {
    let mut world = World::assembled(4);
    world.run(Duration::from_secs(1));
    let epoch = world.assert_agreed(&[0, 1, 2, 3]);
    let garbage = Commit { epoch, commit: vec![0xa5; 300].into(), welcome: None, added: Vec::new() };
    let connection = world.seats[3].connection.unwrap();
    world.relay.handle_signal(connection, ToRelay::Commit(garbage), world.now);
    world.run(Duration::from_secs(6));
    assert_eq!(world.seats[3].ended(), Some(&EndReason::Refused(Refusal::Misbehaved)));
    assert!(world.assert_agreed(&[0, 1, 2]) > epoch, "without whoever sent it");
    world.assert_all_hear_all(&[0, 1, 2]);
}

#[test]
fn where_the_relay_does_not_annul_the_honest_leave() {
    let mut world = with_one_who_lets_in_anybody(4, 2);
    world.assert_agreed(&[0, 1, 2]);
    world.catches = |_, message| matches!(message, ToRelay::Object { .. });
    world.join(3);
    world.run(Duration::from_secs(8));
    for seat in [0, 1] {
        assert!(matches!(world.seats[seat].ended(), Some(EndReason::Commit(_))), "{:?}", world.seats[seat].ended());
    }
}

#[test]
fn who_objects_waits_for_the_answer_without_asking_to_be_woken_at_once() {
    let mut world = with_one_who_lets_in_anybody(4, 2);
    world.catches = |_, message| matches!(message, ToRelay::Object { .. });
    world.join(3);
    let objected = |world: &World| world.seats[0].events.iter().any(|event| matches!(event, Event::Objected { .. }));
    for _ in 0..1000 {
        if objected(&world) {
            break;
        }
        world.run(Duration::from_millis(5));
    }
    assert!(objected(&world));
    // There is something to commit, which has to wait until the relay has annulled the other's.
    world.command(0, Command::Admit(Vec::new()));
    assert!(world.seats[0].wake > world.now, "it would be woken again and again");
}

#[test]
fn keys_are_renewed_without_a_gap_in_the_media() {
    let mut world = World::assembled(4);
    world.run(Duration::from_secs(2));
    world.forget_frames();
    let before = world.assert_agreed(&[0, 1, 2, 3]);
    world.run(Duration::from_secs(60));
    let after = world.assert_agreed(&[0, 1, 2, 3]);
    assert!(after >= Epoch(before.0 + 3), "{before} to {after}");
    assert!(after <= Epoch(before.0 + 6), "{before} to {after}");
    for to in 0..4 {
        for from in (0..4).filter(|from| *from != to) {
            let leaf = world.leaf(from);
            for (track, least) in [(TrackKind::Microphone, 2990), (TrackKind::Camera, 1490)] {
                let frames = world.seats[to].frames.iter();
                let frames: Vec<_> = frames.filter(|frame| frame.from == leaf && frame.track == track).collect();
                // Between two pictures may be frames that only prove.
                let is_next = |pair: &[&RemoteFrame]| match track.is_video() {
                    true => pair[1].frame.key || pair[1].number == pair[0].number + u32::from(pair[1].frame.back),
                    false => pair[1].number == pair[0].number + 1,
                };
                assert!(frames.windows(2).all(is_next), "a gap in {track:?} of {from} to {to}");
                assert!(frames.len() >= least, "{} of {track:?}", frames.len());
            }
        }
    }
    world.run(Duration::from_secs(300));
    let later = world.assert_agreed(&[0, 1, 2, 3]);
    assert!(later >= Epoch(after.0 + 4), "each renews every five minutes: {after} to {later}");
    assert_eq!(world.seats.iter().map(|seat| seat.errors).sum::<usize>(), 0);
}
