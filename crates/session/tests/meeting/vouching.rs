//! Whether the group that the relay calls the meeting is one that somebody leads.

use std::time::Duration;

use bytes::Bytes;
use conclave_e2ee::{Group, Leaf, Rules, Work};
use conclave_identity::Admission;
use conclave_model::{
    LeafRef, PeerId,
    wire::signal::{FromRelay, Joined, ToRelay},
};
use conclave_session::{Command, Doubt, EndReason, Event};
use conclave_transport::Path;

use crate::world::{WALL, World};

const CHAIR: usize = 0;
const DEPUTY: usize = 1;
const MALICIOUS: usize = 2;
const VICTIM: usize = 3;

/// The victim asks to join, and a malicious relay answers; what the victim's app offers.
fn asks(world: &mut World) -> (LeafRef, Bytes) {
    world.catches = |seat, message| seat == VICTIM && matches!(message, ToRelay::Hello(_));
    world.join(VICTIM);
    world.run(Duration::from_millis(50));
    world.catches = |_, _| false;
    let Some((VICTIM, ToRelay::Hello(hello))) = world.caught.pop() else { panic!("no hello") };
    let mut path = Path::relay(&["10.0.0.200:7443".parse().unwrap()], world.now);
    let transport = path.local();
    let (neighbours, revocations) = (Vec::new(), Vec::new());
    let joined = Joined { peer: PeerId(9), transport, create: false, neighbours, revocations };
    assert!(world.whisper(VICTIM, FromRelay::Joined(joined)));
    (hello.leaf, hello.key_package)
}

/// The group of a listed member who may not open the meeting, made by another program, and the welcome to it.
fn made_by_delegate(world: &mut World, add: Vec<(LeafRef, Bytes)>) -> (Group, FromRelay) {
    let honest = world.rehearsal.invitation.clone();
    let open = world.rehearsal.reissue(|content| content.admission = Admission::Open).unwrap().clone();
    world.rehearsal.invitation = honest;
    let rules = Rules::new(open, world.rehearsal.authority.root().clone());
    let mut group = Leaf::new(&world.rehearsal.holders[MALICIOUS], rules).unwrap().create(WALL).unwrap();
    let made = group.commit(&Work { add, ..Work::default() }, WALL).unwrap().pending.unwrap();
    group.commit_accepted().unwrap();
    let epoch = group.epoch();
    (group, FromRelay::Welcome { epoch, welcome: made.welcome.unwrap() })
}

/// The key package of the chair, who asks to join as well.
fn chairs_key_package(world: &World) -> (LeafRef, Bytes) {
    let rules = Rules::new(world.rehearsal.invitation.clone(), world.rehearsal.authority.root().clone());
    let leaf = Leaf::new(&world.rehearsal.holders[CHAIR], rules).unwrap();
    (leaf.reference(), leaf.key_package())
}

fn was_shown_anything(world: &World) -> bool {
    world.seats[VICTIM].events.iter().any(|event| matches!(event, Event::Admitted { .. } | Event::Roster(_)))
}

#[test]
fn nobody_enters_a_group_that_a_delegate_made_and_calls_the_meeting() {
    let mut world = World::with_lobby(4);
    let victim = asks(&mut world);
    let (_, welcome) = made_by_delegate(&mut world, vec![victim]);
    assert!(world.whisper(VICTIM, welcome));
    assert_eq!(world.seats[VICTIM].ended(), Some(&EndReason::Unvouched(Doubt::NobodyLeads)));
    assert!(!was_shown_anything(&world));
    assert_eq!(world.seats[VICTIM].memory, None, "nothing of it is remembered");
}

#[test]
fn a_chair_who_was_put_into_a_group_unasked_does_not_vouch_for_it() {
    let mut world = World::with_lobby(4);
    let victim = asks(&mut world);
    let chair = chairs_key_package(&world);
    let (mut group, welcome) = made_by_delegate(&mut world, vec![chair, victim]);
    assert!(world.whisper(VICTIM, welcome));
    for _ in 0..3 {
        world.run(Duration::from_secs(3));
        let pulse = group.pulse();
        world.whisper(VICTIM, FromRelay::Pulse { from: PeerId(2), pulse });
        assert_eq!(world.seats[VICTIM].ended(), None);
    }
    world.run(Duration::from_secs(2));
    assert_eq!(world.seats[VICTIM].ended(), Some(&EndReason::Unvouched(Doubt::Silent)));
    assert!(!was_shown_anything(&world));
    let counters = world.seats[VICTIM].session.as_ref().unwrap().counters().clone();
    assert!(counters.frames_unsent > 400, "nothing was sent: {}", counters.frames_unsent);
}

/// A meeting in which a delegate has the lowest leaf, and so lets in who was in before: chair, deputy and 2 are in.
fn with_a_delegate_first() -> World {
    let mut world = World::with_lobby(5);
    world.join(DEPUTY);
    world.run(Duration::from_millis(300));
    world.join(CHAIR);
    world.run(Duration::from_millis(300));
    world.join(VICTIM);
    world.run(Duration::from_millis(100));
    world.command(CHAIR, Command::Admit(Vec::new()));
    world.run(Duration::from_secs(1));
    world.vanish(DEPUTY);
    world.run(Duration::from_secs(1));
    world.join(2);
    world.run(Duration::from_millis(100));
    world.command(CHAIR, Command::Admit(Vec::new()));
    world.run(Duration::from_secs(1));
    world.assert_agreed(&[CHAIR, 2, VICTIM]);
    assert!(world.leaf(2) < world.leaf(CHAIR), "the place that the deputy left");
    world
}

/// The app is started anew: it remembers nothing.
fn comes_back(world: &mut World, seat: usize) {
    world.vanish(seat);
    world.seats[seat].memory = None;
    world.run(Duration::from_millis(500));
    world.join(seat);
}

#[test]
fn who_comes_back_with_a_fresh_app_enters_as_soon_as_the_chair_shows_to_be_there() {
    let mut world = with_a_delegate_first();
    comes_back(&mut world, VICTIM);
    world.run(Duration::from_millis(500));
    assert!(world.seats[VICTIM].is_member());
    world.assert_agreed(&[CHAIR, 2, VICTIM]);
    world.assert_all_hear_all(&[CHAIR, 2, VICTIM]);
    assert_eq!(world.seats[VICTIM].errors, 0);
    let me = world.leaf(2);
    assert!(world.seats[VICTIM].state_of(me).is_some(), "what was said meanwhile is not lost");

    // The chair's signs of life are kept back.
    world.withholds = |seat, message| seat == VICTIM && matches!(message, FromRelay::Pulse { .. });
    comes_back(&mut world, VICTIM);
    world.run(Duration::from_secs(5));
    assert!(!was_shown_anything(&world));
    world.run(Duration::from_secs(6));
    assert_eq!(world.seats[VICTIM].ended(), Some(&EndReason::Unvouched(Doubt::Silent)));
}

#[test]
fn a_meeting_without_chair_goes_on_for_those_who_were_in_it_and_waits_for_others() {
    let mut world = with_a_delegate_first();
    world.vanish(CHAIR);
    world.run(Duration::from_secs(1));
    world.vanish(VICTIM);
    world.run(Duration::from_secs(1));
    world.join(VICTIM);
    world.run(Duration::from_millis(500));
    world.assert_agreed(&[2, VICTIM]);
    world.assert_all_hear_all(&[2, VICTIM]);
    assert_eq!(world.seats[VICTIM].governance().chair, None);

    comes_back(&mut world, VICTIM);
    world.run(Duration::from_secs(1));
    assert_eq!(world.seats[VICTIM].ended(), Some(&EndReason::Unvouched(Doubt::NobodyLeads)));

    world.seats[DEPUTY].memory = None;
    world.join(DEPUTY);
    world.run(Duration::from_secs(1));
    assert!(world.seats[DEPUTY].events.contains(&Event::NobodyVouched), "look who is at the table");
    world.join(VICTIM);
    world.run(Duration::from_secs(1));
    world.assert_agreed(&[DEPUTY, 2, VICTIM]);
    assert!(!world.seats[VICTIM].events.contains(&Event::NobodyVouched));
}

#[test]
fn who_opens_a_meeting_and_whom_the_chair_lets_in_hear_of_no_doubt() {
    let mut world = World::with_lobby(3);
    for seat in [CHAIR, DEPUTY] {
        world.join(seat);
        world.run(Duration::from_millis(300));
    }
    world.assert_agreed(&[CHAIR, DEPUTY]);
    for seat in [CHAIR, DEPUTY] {
        assert!(!world.seats[seat].events.contains(&Event::NobodyVouched));
    }
}
