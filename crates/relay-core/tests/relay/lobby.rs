//! Who waits, who opens the meeting, and who is sent away.

use std::time::Duration;

use conclave_model::{
    Epoch, Fingerprint, PeerId,
    wire::signal::{Delay, Dismissal, FromRelay, Neighbour, Refusal, ToRelay},
};
use conclave_relay_core::{Happening, Record};

use crate::harness::{MEETING, Room};

/// Somebody who may not open the meeting.
fn guest(room: &mut Room, person: u8) -> usize {
    room.try_join(person, |admitted| admitted.opens = false).unwrap()
}

/// Somebody in the succession of the chair.
fn leader(room: &mut Room, person: u8, rank: u16) -> usize {
    room.try_join(person, |admitted| admitted.rank = Some(rank)).unwrap()
}

/// A chair (0), a deputy (1) and two more (2, 3), all members; what they heard is forgotten.
fn led() -> Room {
    let mut room = Room::new();
    leader(&mut room, 0, 0);
    leader(&mut room, 1, 1);
    guest(&mut room, 2);
    guest(&mut room, 3);
    room.commit(0, 0, &[1, 2, 3]);
    (0..4).for_each(|client| drop(room.heard(client)));
    room
}

fn dismiss(room: &mut Room, by: usize, whom: usize, why: Dismissal) {
    let peer = room.clients[whom].number;
    room.say(by, ToRelay::Dismiss { peer, why });
}

fn creates(heard: &[FromRelay]) -> bool {
    let Some(FromRelay::Joined(joined)) = heard.first() else { panic!("{heard:?}") };
    joined.create
}

fn arrived(heard: &[FromRelay]) -> Vec<PeerId> {
    let arrival = |message: &FromRelay| {
        if let FromRelay::Arrived(arrival) = message { Some(arrival.who.peer) } else { None }
    };
    heard.iter().filter_map(arrival).collect()
}

fn neighbour(room: &Room, client: usize) -> Neighbour {
    Neighbour { peer: room.clients[client].number, leaf: room.clients[client].leaf }
}

#[test]
fn the_named_wait_until_somebody_comes_who_may_open() {
    let mut room = Room::new();
    let (first, second) = (guest(&mut room, 5), guest(&mut room, 6));
    assert!(!creates(&room.heard(first)) && !creates(&room.heard(second)));
    room.run(Duration::from_secs(60));
    assert!(!room.clients[first].is_cut && !room.clients[second].is_cut);

    let chair = leader(&mut room, 0, 0);
    let heard = room.heard(chair);
    assert!(creates(&heard));
    assert_eq!(arrived(&heard), [room.clients[first].number, room.clients[second].number]);
    // They know the member that will add them.
    assert_eq!(arrived(&room.heard(first)), [room.clients[chair].number]);
    room.commit(chair, 0, &[first, second]);
    for client in [first, second] {
        assert!(matches!(room.heard(client).last(), Some(FromRelay::Welcome { epoch: Epoch(1), .. })));
    }
}

#[test]
fn those_who_wait_go_on_waiting_when_the_last_member_goes() {
    let mut room = Room::new();
    let chair = leader(&mut room, 0, 0);
    let (waiting, deputy) = (guest(&mut room, 5), leader(&mut room, 1, 1));
    for epoch in 0..5 {
        room.commit(chair, epoch, &[]);
    }
    (0..3).for_each(|client| drop(room.heard(client)));
    room.cut(chair);
    let gone = [neighbour(&room, chair), neighbour(&room, deputy)].map(FromRelay::Departed);
    assert!(!room.clients[waiting].is_cut);
    assert_eq!(room.heard(waiting), gone);
    assert!(room.clients[deputy].is_cut, "who may open comes again, and is told to");
    assert_eq!(room.heard(deputy), []);

    let again = leader(&mut room, 1, 1);
    let heard = room.heard(again);
    assert!(creates(&heard));
    assert_eq!(arrived(&heard), [room.clients[waiting].number]);
    // The new group begins anew.
    room.heard(waiting);
    room.commit(again, 0, &[waiting]);
    assert!(matches!(room.heard(waiting)[..], [FromRelay::Welcome { epoch: Epoch(1), .. }]));
}

#[test]
fn who_waits_and_leaves_has_departed_for_the_others() {
    let mut room = Room::new();
    let (first, second) = (guest(&mut room, 5), guest(&mut room, 6));
    room.heard(second);
    room.say(first, ToRelay::Leave);
    assert_eq!(room.heard(second), [FromRelay::Departed(neighbour(&room, first))]);
    room.cut(second);
    assert_eq!((room.relay.peers(), room.relay.meetings()), (0, 0));
}

#[test]
fn a_second_connection_of_a_credential_has_to_say_that_it_takes_over() {
    let mut room = Room::new();
    let chair = leader(&mut room, 0, 0);
    let waiting = guest(&mut room, 5);
    (0..2).for_each(|client| drop(room.heard(client)));
    for person in [0, 5] {
        let refused = room.try_join(person, |admitted| admitted.hello.take_over = false);
        assert_eq!(refused, Err(Refusal::AlreadyHere));
    }
    assert_eq!((room.heard(chair), room.heard(waiting)), (vec![], vec![]), "nobody notices");
    let newer = guest(&mut room, 5);
    assert_eq!(room.heard(waiting).last(), Some(&FromRelay::Refused(Refusal::Replaced)));
    room.cut(newer);
    room.try_join(5, |admitted| (admitted.hello.take_over, admitted.opens) = (false, false)).unwrap();
}

#[test]
fn the_chair_denies_one_who_waits_and_they_may_ask_again() {
    let mut room = led();
    let waiting = guest(&mut room, 9);
    dismiss(&mut room, 0, waiting, Dismissal::Denied);
    assert_eq!(room.heard(waiting).last(), Some(&FromRelay::Refused(Refusal::Denied)));
    assert!(room.clients[waiting].is_cut);
    guest(&mut room, 9);
    assert_eq!(room.relay.counters().dismissed, 1);
}

#[test]
fn a_member_cannot_be_denied() {
    let mut room = led();
    dismiss(&mut room, 0, 2, Dismissal::Denied);
    assert!(!room.clients[2].is_cut && !room.clients[0].is_cut);
    assert_eq!(room.relay.counters().dismissals_ignored, 1);
}

#[test]
fn who_is_ejected_does_not_come_back_while_the_meeting_lasts() {
    let mut room = led();
    dismiss(&mut room, 0, 2, Dismissal::Ejected);
    assert_eq!(room.heard(2), [FromRelay::Refused(Refusal::Ejected)]);
    assert!(room.clients[2].is_cut);
    for other in [0, 1, 3] {
        assert_eq!(room.heard(other), [FromRelay::Departed(neighbour(&room, 2))]);
    }
    assert_eq!(room.try_join(2, |_| {}), Err(Refusal::Ejected));
    for client in [0, 1, 3] {
        room.cut(client);
    }
    assert_eq!(room.relay.meetings(), 0);
    assert_eq!(room.try_join(2, |_| {}), Err(Refusal::Ejected), "not even where nobody is left");
    room.try_join(2, |admitted| admitted.hello.meeting.0[0] ^= 1).unwrap();
}

#[test]
fn who_is_ejected_and_gone_already_does_not_come_back_either() {
    let mut room = led();
    room.cut(2);
    let again = room.join(2);
    dismiss(&mut room, 0, 2, Dismissal::Ejected);
    assert_eq!(room.heard(again).last(), Some(&FromRelay::Refused(Refusal::Ejected)), "a newer connection ends");
    room.cut(3);
    dismiss(&mut room, 0, 3, Dismissal::Ejected);
    assert_eq!(room.try_join(3, |_| {}), Err(Refusal::Ejected));
}

#[test]
fn an_ejection_ends_with_the_meetings_time() {
    let mut room = Room::new();
    let until = room.now + Duration::from_secs(2);
    room.try_join(0, |admitted| (admitted.rank, admitted.until) = (Some(0), until)).unwrap();
    let waiting = room.try_join(5, |admitted| admitted.until = until).unwrap();
    dismiss(&mut room, 0, waiting, Dismissal::Ejected);
    assert_eq!(room.try_join(5, |admitted| admitted.until = until), Err(Refusal::Ejected));
    room.run(Duration::from_secs(3));
    room.try_join(5, |_| {}).unwrap();
}

#[test]
fn only_the_first_of_the_succession_dismisses() {
    let mut room = led();
    dismiss(&mut room, 1, 2, Dismissal::Ejected);
    dismiss(&mut room, 1, 0, Dismissal::Ejected);
    for client in 0..3 {
        assert!(!room.clients[client].is_cut, "{client}");
    }
    assert_eq!(room.relay.counters().dismissals_ignored, 2);
    // The deputy leads once the chair is gone.
    room.cut(0);
    dismiss(&mut room, 1, 2, Dismissal::Ejected);
    assert!(room.clients[2].is_cut);
}

#[test]
fn a_deputy_cannot_keep_the_chair_out() {
    let mut room = Room::new();
    leader(&mut room, 1, 1);
    let chair = leader(&mut room, 0, 0);
    dismiss(&mut room, 0, chair, Dismissal::Denied);
    dismiss(&mut room, 0, chair, Dismissal::Ejected);
    assert!(!room.clients[chair].is_cut);
    room.cut(chair);
    dismiss(&mut room, 0, chair, Dismissal::Ejected);
    leader(&mut room, 0, 0);
}

#[test]
fn a_chair_who_still_waits_leads_nobody() {
    let mut room = Room::new();
    leader(&mut room, 1, 1);
    let chair = leader(&mut room, 0, 0);
    let waiting = guest(&mut room, 5);
    dismiss(&mut room, chair, waiting, Dismissal::Denied);
    assert!(!room.clients[waiting].is_cut && !room.clients[chair].is_cut);
    dismiss(&mut room, 0, waiting, Dismissal::Denied);
    assert!(room.clients[waiting].is_cut);
}

#[test]
fn dismissals_of_oneself_and_of_nobody_mean_nothing() {
    let mut room = led();
    dismiss(&mut room, 0, 0, Dismissal::Ejected);
    for why in [Dismissal::Denied, Dismissal::Ejected] {
        room.say(0, ToRelay::Dismiss { peer: PeerId(999), why });
    }
    assert!(!room.clients[0].is_cut);
    assert_eq!(room.relay.counters().dismissals_ignored, 3);
    for client in 1..4 {
        assert_eq!(room.heard(client), []);
    }
}

#[test]
fn who_is_not_in_the_succession_and_dismisses_is_thrown_out() {
    for by in [3, 4] {
        let mut room = led();
        guest(&mut room, 9);
        dismiss(&mut room, by, 2, Dismissal::Ejected);
        assert_eq!(room.heard(by).last(), Some(&FromRelay::Refused(Refusal::Misbehaved)));
        assert!(room.clients[by].is_cut && !room.clients[2].is_cut);
        guest(&mut room, 2);
    }
}

#[test]
fn a_flood_of_dismissals_ends_its_sender() {
    let mut room = led();
    for _ in 0..300 {
        if !room.clients[0].is_cut {
            room.say(0, ToRelay::Dismiss { peer: PeerId(999), why: Dismissal::Denied });
        }
    }
    assert_eq!(room.heard(0).last(), Some(&FromRelay::Refused(Refusal::Misbehaved)));
    assert_eq!(room.heard(3), [FromRelay::Departed(neighbour(&room, 0))]);
}

#[test]
fn revocation_lists_go_to_everybody_who_comes() {
    let mut room = Room::new();
    let now = room.now;
    room.relay.set_revocations(vec!["a list".into(), "another".into()], now);
    for person in 0..2 {
        let client = room.join(person);
        let heard = room.heard(client);
        let Some(FromRelay::Joined(joined)) = heard.first() else { panic!("{heard:?}") };
        assert_eq!(joined.revocations, ["a list", "another"]);
    }
    let newer = vec!["a newer list".into()];
    room.relay.set_revocations(newer.clone(), now);
    room.settle();
    for client in 0..2 {
        assert_eq!(room.heard(client).last(), Some(&FromRelay::Revocations(newer.clone())));
    }
}

#[test]
fn those_who_wait_are_told_why_by_the_acting_chair_alone() {
    let mut room = led();
    let late = guest(&mut room, 5);
    drop(room.heard(late));
    let peer = room.clients[late].number;
    let delay = |why| ToRelay::Delay { peer, why };
    room.say(0, delay(Some(Delay::Locked)));
    room.say(0, delay(None));
    assert_eq!(room.heard(late), [FromRelay::Delayed(Some(Delay::Locked)), FromRelay::Delayed(None)]);
    // The deputy does not lead while the chair is there, which may have crossed on the way.
    room.say(1, delay(Some(Delay::Locked)));
    assert_eq!(room.heard(late), []);
    let member = room.clients[3].number;
    room.say(0, ToRelay::Delay { peer: member, why: Some(Delay::Locked) });
    assert_eq!(room.heard(3).iter().find(|message| matches!(message, FromRelay::Delayed(_))), None);
    room.say(2, delay(Some(Delay::Locked)));
    assert_eq!(room.heard(2).last(), Some(&FromRelay::Refused(Refusal::Misbehaved)));
}

#[test]
fn the_log_is_told_who_came_and_went_and_why() {
    let mut room = Room::new();
    room.relay.keep_records();
    let chair = leader(&mut room, 0, 0);
    let waiting = guest(&mut room, 5);
    room.commit(chair, 0, &[waiting]);
    dismiss(&mut room, chair, waiting, Dismissal::Ejected);
    self::guest(&mut room, 6);
    room.say(chair, ToRelay::Leave);
    let [chair, guest, late] = [0, 5, 6].map(|person| Fingerprint([person; 32]));
    let expected = [
        Happening::Connected(chair),
        Happening::Opened,
        Happening::Member(chair),
        Happening::Connected(guest),
        Happening::Waiting(guest),
        Happening::Member(guest),
        Happening::Dismissed { who: guest, by: chair, why: Dismissal::Ejected },
        Happening::Left { who: guest, why: Some(Refusal::Ejected) },
        Happening::Connected(late),
        Happening::Waiting(late),
        Happening::Left { who: chair, why: None },
        Happening::Ended,
    ];
    let records: Vec<_> = std::iter::from_fn(|| room.relay.poll_record()).collect();
    assert_eq!(records, expected.map(|what| Record { meeting: MEETING, what }));
}

#[test]
fn without_a_log_nothing_is_kept_for_it() {
    let mut room = led();
    assert_eq!(room.relay.poll_record(), None);
}
