//! One screen at a time, by the chair's leave.

use std::time::Duration;

use conclave_identity::{
    Admission, Sharing,
    issue::{Rehearsal, RehearsalSpec},
};
use conclave_model::{LeafIndex, Level, TrackKind};
use conclave_session::{
    Command, Event, MemberWish, SessionError, ShareCommand, ShareError, ShareNews, SourceState, Stage,
};

use crate::world::{WALL, World};

const CHAIR: usize = 0;
const DEPUTY: usize = 1;
const CARLA: usize = 2;
const DINO: usize = 3;

/// A meeting with a chair and a successor in which `seats` are.
fn meeting(rule: Sharing, seats: &[usize]) -> World {
    let spec = RehearsalSpec {
        admission: Admission::Open,
        succession: vec![DEPUTY],
        originator: Some(CHAIR),
        ..RehearsalSpec::new(5, WALL)
    };
    let mut world = World::of(&spec);
    world.rehearsal.reissue(|content| content.sharing = rule).unwrap();
    for seat in seats {
        world.join(*seat);
        world.run(Duration::from_millis(300));
    }
    world.run(Duration::from_millis(500));
    world
}

fn share(world: &mut World, seat: usize, wanted: ShareCommand) {
    world.command(seat, Command::Sharing(wanted));
    world.run(Duration::from_millis(100));
}

fn stage(world: &World, seat: usize) -> Stage {
    let last = |event: &Event| if let Event::Stage(stage) = event { Some(stage.clone()) } else { None };
    world.seats[seat].events.iter().rev().find_map(last).unwrap()
}

fn sharer(world: &World, seat: usize) -> Option<(LeafIndex, Level)> {
    stage(world, seat).shared.map(|shared| (shared.leaf, shared.label))
}

fn news(world: &World, seat: usize) -> Vec<ShareNews> {
    let news = |event: &Event| if let Event::Share(news) = event { Some(*news) } else { None };
    world.seats[seat].events.iter().filter_map(news).collect()
}

fn refused(world: &World, seat: usize) -> Vec<ShareError> {
    let refused = |event: &Event| if let Event::ShareRefused(error) = event { Some(*error) } else { None };
    world.seats[seat].events.iter().filter_map(refused).collect()
}

/// Somebody's screen for a second, watched by all `seats`; returns how many pictures of it each of them got.
fn watch(world: &mut World, from: usize, seats: &[usize]) -> Vec<usize> {
    let leaf = world.leaf(from);
    for seat in seats {
        let wish = |track| MemberWish { leaf, track, height: 720 };
        world.command(*seat, Command::Wishes(vec![wish(TrackKind::Screen)]));
    }
    world.run(Duration::from_millis(100));
    world.forget_frames();
    for number in 0..20 {
        let _ = world.send(from, TrackKind::Screen, number == 0);
        world.run(Duration::from_millis(50));
    }
    seats.iter().map(|seat| world.received(*seat, from, TrackKind::Screen)).collect()
}

#[test]
fn a_screen_goes_to_everybody_once_the_chair_has_granted_it_and_no_longer() {
    let mut world = meeting(Sharing::Granted, &[CHAIR, DEPUTY, CARLA, DINO]);
    assert_eq!(watch(&mut world, CARLA, &[CHAIR, DINO]), [0, 0]);
    assert!(matches!(world.send(CARLA, TrackKind::Screen, true), Err(SessionError::NoLeave)));
    share(&mut world, CARLA, ShareCommand::Begin(Level::Restricted));
    assert_eq!(refused(&world, CARLA), [ShareError::NoLeave]);

    share(&mut world, CARLA, ShareCommand::Ask(Level::Restricted));
    let carla = world.leaf(CARLA);
    assert_eq!(stage(&world, CHAIR).requests.iter().map(|one| one.leaf).collect::<Vec<_>>(), [carla]);
    share(&mut world, DINO, ShareCommand::Grant(carla));
    assert_eq!(refused(&world, DINO), [ShareError::NotChair]);
    share(&mut world, CHAIR, ShareCommand::Grant(carla));
    assert_eq!(news(&world, CARLA), [ShareNews::Granted]);
    assert_eq!(sharer(&world, DINO), None);
    share(&mut world, CARLA, ShareCommand::Begin(Level::Unclassified));
    for seat in [CHAIR, DEPUTY, CARLA, DINO] {
        assert_eq!(sharer(&world, seat), Some((carla, Level::Unclassified)), "as {seat} sees it");
    }
    let got = watch(&mut world, CARLA, &[CHAIR, DEPUTY, DINO]);
    assert!(got.iter().all(|pictures| *pictures >= 18), "{got:?}");

    share(&mut world, CHAIR, ShareCommand::StopSharer);
    assert_eq!(news(&world, CARLA), [ShareNews::Granted, ShareNews::Stopped]);
    assert_eq!(sharer(&world, DINO), None);
    assert_eq!(watch(&mut world, CARLA, &[CHAIR, DINO]), [0, 0]);
    let withheld = |event: &Event| matches!(event, Event::ScreenWithheld { .. });
    assert!(!world.seats.iter().any(|seat| seat.events.iter().any(withheld)), "nobody did anything wrong");
}

#[test]
fn a_label_above_the_level_needs_the_level_raised_first() {
    let mut world = meeting(Sharing::Granted, &[CHAIR, CARLA]);
    share(&mut world, CHAIR, ShareCommand::Begin(Level::Confidential));
    assert_eq!(refused(&world, CHAIR), [ShareError::LabelAbove(Level::Restricted)]);
    world.command(CHAIR, Command::SetLevel(Level::Confidential));
    world.run(Duration::from_secs(1));
    share(&mut world, CHAIR, ShareCommand::Begin(Level::Confidential));
    let chair = world.leaf(CHAIR);
    assert_eq!(sharer(&world, CARLA), Some((chair, Level::Confidential)));
    world.command(CHAIR, Command::Consent(Level::Restricted));
    world.run(Duration::from_millis(100));
    world.command(CHAIR, Command::SetLevel(Level::Restricted));
    world.run(Duration::from_secs(1));
    assert_eq!(sharer(&world, CARLA), None);
    assert_eq!(news(&world, CHAIR), [ShareNews::LevelLowered(Level::Restricted)]);
}

#[test]
fn a_newcomer_sees_what_is_shared_and_the_leave_outlives_the_chair() {
    let mut world = meeting(Sharing::Granted, &[CHAIR, DEPUTY, CARLA]);
    let carla = world.leaf(CARLA);
    share(&mut world, CHAIR, ShareCommand::Grant(carla));
    share(&mut world, CARLA, ShareCommand::Begin(Level::Restricted));
    world.join(DINO);
    world.run(Duration::from_secs(1));
    assert_eq!(sharer(&world, DINO), Some((carla, Level::Restricted)));
    assert!(watch(&mut world, CARLA, &[DINO])[0] >= 18);

    world.vanish(CHAIR);
    world.run(Duration::from_secs(15));
    assert_eq!(world.seats[DINO].governance().chair, Some(world.leaf(DEPUTY)));
    assert_eq!(sharer(&world, DINO), Some((carla, Level::Restricted)));
    world.vanish(DINO);
    world.run(Duration::from_secs(2));
    world.join(DINO);
    world.run(Duration::from_secs(1));
    assert_eq!(sharer(&world, DINO), Some((carla, Level::Restricted)), "the successor tells newcomers");

    world.join(CHAIR);
    world.run(Duration::from_secs(2));
    assert_eq!(sharer(&world, CHAIR), Some((carla, Level::Restricted)), "the chair takes over what is");
    share(&mut world, DEPUTY, ShareCommand::StopSharer);
    assert_eq!(sharer(&world, DINO), Some((carla, Level::Restricted)));
    share(&mut world, CHAIR, ShareCommand::StopSharer);
    assert_eq!(sharer(&world, DINO), None);
}

#[test]
fn whoever_is_put_out_or_goes_shares_no_longer() {
    let mut world = meeting(Sharing::Granted, &[CHAIR, CARLA, DINO]);
    for (who, goes) in [(CARLA, true), (DINO, false)] {
        let leaf = world.leaf(who);
        share(&mut world, CHAIR, ShareCommand::Grant(leaf));
        share(&mut world, who, ShareCommand::Begin(Level::Restricted));
        assert_eq!(sharer(&world, CHAIR), Some((leaf, Level::Restricted)));
        world.command(if goes { who } else { CHAIR }, if goes { Command::Leave } else { Command::Eject(leaf) });
        world.run(Duration::from_secs(1));
        assert_eq!((sharer(&world, CHAIR), stage(&world, CHAIR).holder), (None, None));
    }
}

#[test]
fn where_sharing_is_open_whoever_asks_first_may() {
    let mut world = meeting(Sharing::Open, &[CHAIR, CARLA, DINO]);
    // At the same moment, before either has heard of the other.
    world.command(CARLA, Command::Sharing(ShareCommand::Ask(Level::Restricted)));
    world.command(DINO, Command::Sharing(ShareCommand::Ask(Level::Restricted)));
    world.run(Duration::from_millis(200));
    let both = [news(&world, CARLA), news(&world, DINO)];
    assert!(both.contains(&vec![ShareNews::Granted]) && both.contains(&vec![ShareNews::Denied]), "{both:?}");
    let (first, second) = if both[0] == [ShareNews::Granted] { (CARLA, DINO) } else { (DINO, CARLA) };
    share(&mut world, first, ShareCommand::Begin(Level::Restricted));
    let leaf = world.leaf(first);
    assert_eq!(sharer(&world, second), Some((leaf, Level::Restricted)));
    share(&mut world, second, ShareCommand::Ask(Level::Restricted));
    assert_eq!(refused(&world, second), [ShareError::Busy(leaf)]);
    share(&mut world, first, ShareCommand::Stop);
    share(&mut world, second, ShareCommand::Ask(Level::Restricted));
    assert_eq!(news(&world, second).last(), Some(&ShareNews::Granted));
}

#[test]
fn others_are_told_that_a_screen_is_open() {
    let mut world = meeting(Sharing::Granted, &[CHAIR, CARLA]);
    let state = conclave_session::MemberState { screen: SourceState::On, ..Default::default() };
    world.command(CHAIR, Command::Announce(state));
    world.run(Duration::from_millis(100));
    assert_eq!(world.seats[CARLA].state_of(world.leaf(CHAIR)), Some(state));
}

#[test]
fn an_invitation_that_says_nothing_leaves_it_to_the_chair() {
    let rehearsal = Rehearsal::new(&RehearsalSpec::new(1, WALL)).unwrap();
    assert_eq!(rehearsal.invitation.content().sharing, Sharing::Granted);
}
