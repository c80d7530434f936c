#![allow(clippy::unwrap_used)]

use std::sync::LazyLock;

use conclave_e2ee::Leaf;
use conclave_identity::issue::{Rehearsal, RehearsalSpec};
use conclave_model::Clearance;

use super::*;

const WALL: u64 = 1_800_000_000;

/// A meeting of three whose third is the originator, at CONFIDENTIAL.
static MEETING: LazyLock<Rehearsal> = LazyLock::new(|| {
    let spec = RehearsalSpec { level: Level::Confidential, originator: Some(2), ..RehearsalSpec::new(3, WALL) };
    Rehearsal::new(&spec).unwrap()
});

fn state() -> State {
    let rules = conclave_e2ee::Rules::new(MEETING.invitation.clone(), MEETING.holders[0].root().clone());
    Leaf::new(&MEETING.holders[0], rules).unwrap().create(WALL).unwrap().state().clone()
}

fn consent(to: Level) -> Consent {
    let rules = conclave_e2ee::Rules::new(MEETING.invitation.clone(), MEETING.holders[2].root().clone());
    let group = Leaf::new(&MEETING.holders[2], rules).unwrap().create(WALL).unwrap();
    group.make_consent(&MEETING.holders[2], to).unwrap()
}

fn view<'a>(state: &'a State, consent: Option<&'a Consent>) -> View<'a> {
    View {
        state,
        invitation: MEETING.invitation.content(),
        leads: true,
        me: MEETING.holders[0].person(),
        ceiling: Level::Secret,
        consent,
        wall: WALL,
    }
}

fn leaf(number: u8) -> LeafRef {
    LeafRef([number; 16])
}

fn name(number: u8) -> Fingerprint {
    Fingerprint([number; 32])
}

#[test]
fn an_order_is_repeated_until_the_state_shows_that_it_is_done() {
    let mut state = state();
    let mut orders = Orders::default();
    orders.push(Wanted::Lock(true));
    for _ in 0..3 {
        assert_eq!(orders.next(&view(&state, None), |_| None), (Some(Order::Lock(true)), vec![]));
    }
    state.locked = true;
    assert_eq!(orders.next(&view(&state, None), |_| None), (None, vec![]));
    state.locked = false;
    assert_eq!(orders.next(&view(&state, None), |_| None), (None, vec![]), "it was done");
}

#[test]
fn a_later_order_of_the_same_kind_replaces_the_first() {
    let state = state();
    let mut orders = Orders::default();
    orders.push(Wanted::Lock(true));
    orders.push(Wanted::Lock(false));
    assert_eq!(orders.next(&view(&state, None), |_| None), (None, vec![]), "unlocked it is");
    for number in 0..200 {
        orders.push(Wanted::Eject(name(number)));
        orders.push(Wanted::Eject(name(number)));
    }
    assert_eq!(orders.waiting.len(), MAX_ORDERS);
}

#[test]
fn who_is_to_be_ejected_is_ejected_whatever_leaf_they_come_back_with() {
    let mut state = state();
    let mut orders = Orders::default();
    orders.push(Wanted::Eject(name(7)));
    orders.note_connection(name(7), PeerId(3));
    let first = orders.next(&view(&state, None), |_| Some(leaf(1)));
    assert_eq!(first, (Some(Order::Eject(leaf(1))), vec![]));
    assert_eq!(orders.next(&view(&state, None), |_| None), (None, vec![]), "gone for the moment");
    assert_eq!(orders.ejecting().collect::<Vec<_>>(), [name(7)]);
    let again = orders.next(&view(&state, None), |_| Some(leaf(2)));
    assert_eq!(again, (Some(Order::Eject(leaf(2))), vec![]));
    assert_eq!(orders.dismissals(&state), []);
    state.ejected.insert(name(7));
    assert_eq!(orders.dismissals(&state), [PeerId(3)]);
    assert_eq!(orders.dismissals(&state), []);
    assert_eq!(orders.next(&view(&state, None), |_| Some(leaf(2))), (None, vec![]));
}

#[test]
fn an_order_that_the_group_does_not_carry_out_is_given_up_and_no_other() {
    let state = state();
    let mut orders = Orders::default();
    orders.push(Wanted::Eject(name(7)));
    orders.push(Wanted::Lock(true));
    assert_eq!(orders.next(&view(&state, None), |_| None), (Some(Order::Lock(true)), vec![]));
    orders.give_up();
    orders.give_up();
    assert_eq!(orders.ejecting().collect::<Vec<_>>(), [name(7)]);
    assert_eq!(orders.next(&view(&state, None), |_| None), (None, vec![]));
}

#[test]
fn who_does_not_lead_is_told_so_and_another_order_goes_on() {
    let state = state();
    let mut orders = Orders::default();
    orders.push(Wanted::Lock(true));
    orders.push(Wanted::Eject(name(7)));
    let follower = View { leads: false, ..view(&state, None) };
    assert_eq!(orders.next(&follower, |_| None), (None, vec![OrderError::NotChair; 2]));
    assert_eq!(orders.next(&view(&state, None), |_| Some(leaf(1))), (None, vec![]));
    orders.push(Wanted::Level(Level::TopSecret));
    orders.push(Wanted::Lock(true));
    let next = orders.next(&view(&state, None), |_| None);
    assert_eq!(next, (Some(Order::Lock(true)), vec![OrderError::Ceiling(Level::Secret)]));
}

#[test]
fn the_level_goes_up_as_far_as_allowed_and_down_with_the_originators_consent_only() {
    let state = state();
    let lower = consent(Level::Restricted);
    let uncleared = conclave_model::Person { clearance: None, ..MEETING.holders[0].person().clone() };
    let expired = Clearance { level: Level::TopSecret, expires: WALL };
    let expired = conclave_model::Person { clearance: Some(expired), ..uncleared.clone() };
    let mut alone = MEETING.invitation.content().clone();
    alone.originator = None;
    let order = |to, consent| Ok(Order::Level { to, consent });
    let free = view(&state, None);
    let agreed = view(&state, Some(&lower));
    for (to, view, expected) in [
        (Level::Secret, free, order(Level::Secret, None)),
        (Level::TopSecret, free, Err(OrderError::Ceiling(Level::Secret))),
        (Level::Secret, View { me: &uncleared, ..free }, Err(OrderError::NotCleared)),
        (Level::Secret, View { me: &expired, ..free }, Err(OrderError::NotCleared)),
        (Level::Restricted, free, Err(OrderError::NoConsent)),
        (Level::Restricted, View { invitation: &alone, ..free }, Err(OrderError::NoOriginator)),
        (Level::Restricted, agreed, order(Level::Restricted, Some(lower.clone()))),
        (Level::Unclassified, agreed, Err(OrderError::NoConsent)),
        (Level::Restricted, View { leads: false, ..agreed }, Err(OrderError::NotChair)),
    ] {
        let mut orders = Orders::default();
        orders.push(Wanted::Level(to));
        let found = orders.next(&view, |_| None);
        match expected {
            Ok(order) => assert_eq!(found, (Some(order), vec![])),
            Err(error) => assert_eq!(found, (None, vec![error]), "to {to}"),
        }
    }
}

#[test]
fn only_the_named_originator_agrees() {
    let content = MEETING.invitation.content();
    assert_eq!(check_originator(content, MEETING.holders[2].person()), Ok(()));
    assert_eq!(check_originator(content, MEETING.holders[0].person()), Err(OrderError::NotOriginator));
    let mut alone = content.clone();
    alone.originator = None;
    assert_eq!(check_originator(&alone, MEETING.holders[2].person()), Err(OrderError::NoOriginator));
}
