#![allow(clippy::unwrap_used)]

use std::time::Duration;

use conclave_model::LeafIndex;

use super::*;
use crate::stage::Place;

const CHAIR: usize = 0;
const DEPUTY: usize = 1;
const CARLA: usize = 2;
const DINO: usize = 3;

use Level::{Confidential, Restricted, Unclassified};

fn reference(number: usize) -> LeafRef {
    LeafRef([u8::try_from(number).unwrap() + 1; 16])
}

fn leaf(number: usize) -> LeafIndex {
    LeafIndex(u32::try_from(number).unwrap())
}

/// Some members who hear each other at once. The first two are of the succession, where there is one.
struct Room {
    shares: Vec<Shares>,
    present: Vec<usize>,
    level: Level,
    has_succession: bool,
    news: Vec<(usize, ShareNews)>,
    /// Whom what others say does not reach.
    deaf: Option<usize>,
    now: Instant,
}

impl Room {
    fn new(rule: Sharing, people: usize) -> Self {
        let now = Instant::now();
        let mut room = Self {
            shares: (0..people).map(|number| Shares::new(reference(number), rule, now)).collect(),
            present: (0..people).collect(),
            level: Restricted,
            has_succession: true,
            news: Vec::new(),
            deaf: None,
            now,
        };
        room.settle();
        room.pass(10);
        room
    }

    fn places(&self) -> Vec<Place> {
        let is_successor = |number: usize| self.has_succession && number <= DEPUTY;
        let place = |number: &usize| Place {
            reference: reference(*number),
            leaf: leaf(*number),
            is_successor: is_successor(*number),
        };
        self.present.iter().map(place).collect()
    }

    fn chair(&self) -> Option<usize> {
        self.present.iter().copied().filter(|number| self.has_succession && *number <= DEPUTY).min()
    }

    fn with<T>(&mut self, number: usize, act: impl FnOnce(&mut Shares, &Scene<'_>, Instant) -> T) -> T {
        let (places, chair) = (self.places(), self.chair());
        let leads = chair == Some(number);
        let scene = Scene { members: &places, level: self.level, chair: chair.map(reference), leads };
        let done = act(&mut self.shares[number], &scene, self.now);
        self.settle();
        done
    }

    /// Lets everybody hear everything.
    fn settle(&mut self) {
        let places = self.places();
        let chair = self.chair();
        for _ in 0..20 {
            let mut said = Vec::new();
            for number in self.present.clone() {
                let leads = chair == Some(number);
                let scene = Scene { members: &places, level: self.level, chair: chair.map(reference), leads };
                self.shares[number].refresh(&scene, self.now);
                said.extend(self.shares[number].take_say().into_iter().map(|said| (number, said)));
                let news = self.shares[number].take_news();
                self.news.extend(news.into_iter().map(|news| (number, news)));
            }
            if said.is_empty() {
                return;
            }
            for (from, said) in said {
                self.tell(from, said);
            }
        }
        panic!("they do not come to an end");
    }

    /// Everybody but the speaker hears this.
    fn tell(&mut self, from: usize, said: Say) -> Vec<Taken> {
        let (places, chair) = (self.places(), self.chair());
        let mut taken = Vec::new();
        for to in self.present.clone() {
            if to == from || self.deaf == Some(to) {
                continue;
            }
            let leads = chair == Some(to);
            let scene = Scene { members: &places, level: self.level, chair: chair.map(reference), leads };
            match said {
                Say::Claim(claim) => drop(self.shares[to].hear_claim(reference(from), claim, self.now)),
                Say::Word(word) => taken.push(self.shares[to].hear_word(reference(from), word, &scene, self.now)),
            }
        }
        taken
    }

    /// Somebody comes who knows nothing, and is told what newcomers are told.
    fn come(&mut self, number: usize) {
        let rule = self.shares[number].rule;
        self.shares[number] = Shares::new(reference(number), rule, self.now);
        self.present.push(number);
        self.present.sort_unstable();
        self.settle();
        for other in self.present.clone() {
            for said in self.shares[other].repeat() {
                self.tell(other, said);
            }
        }
        self.settle();
    }

    fn leave(&mut self, number: usize) {
        self.present.retain(|other| *other != number);
        self.settle();
    }

    fn pass(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        self.settle();
    }

    /// Who shares, as all agree.
    fn shared(&self) -> Option<(usize, Level)> {
        let places = self.places();
        let chair = self.chair().map(reference);
        let scene = Scene { members: &places, level: self.level, chair, leads: false };
        let seen: Vec<_> = self
            .present
            .iter()
            .map(|number| self.shares[*number].stage(&scene).shared.map(|shared| (shared.leaf, shared.label)))
            .collect();
        assert!(seen.iter().all(|one| *one == seen[0]), "they see different things: {seen:?}");
        seen[0].map(|(of, label)| (usize::try_from(of.0).unwrap(), label))
    }

    fn requests(&self, seen_by: usize) -> Vec<LeafIndex> {
        let places = self.places();
        let scene = Scene { members: &places, level: self.level, chair: self.chair().map(reference), leads: false };
        self.shares[seen_by].stage(&scene).requests.iter().map(|request| request.leaf).collect()
    }

    fn ask(&mut self, number: usize, label: Level) -> Result<(), ShareError> {
        self.with(number, |shares, scene, now| shares.ask(label, scene, now))
    }

    fn share(&mut self, number: usize, label: Level) -> Result<(), ShareError> {
        self.with(number, |shares, scene, now| shares.share(label, scene, now))
    }

    fn stop(&mut self, number: usize) {
        self.with(number, |shares, scene, now| shares.stop(scene, now));
    }

    fn grant(&mut self, by: usize, to: usize) -> Result<(), ShareError> {
        self.with(by, |shares, scene, now| shares.grant(reference(to), scene, now))
    }

    fn granted(rule: Sharing, people: usize, sharer: usize) -> Self {
        let mut room = Self::new(rule, people);
        room.ask(sharer, Restricted).unwrap();
        if rule == Sharing::Granted {
            room.grant(CHAIR, sharer).unwrap();
        }
        room.share(sharer, Restricted).unwrap();
        assert_eq!(room.shared(), Some((sharer, Restricted)));
        room
    }
}

#[test]
fn who_decides_follows_from_the_group() {
    let places: Vec<Place> =
        [2, 3].map(|number| Place { reference: reference(number), leaf: leaf(number), is_successor: false }).into();
    let scene =
        |chair: Option<usize>| Scene { members: &places, level: Restricted, chair: chair.map(reference), leads: false };
    for (rule, chair, wanted) in [
        (Sharing::Granted, Some(3), Some(3)),
        (Sharing::Open, Some(3), Some(3)),
        (Sharing::Granted, None, None),
        (Sharing::Open, None, Some(2)),
    ] {
        assert_eq!(decides(rule, &scene(chair)), wanted.map(reference), "{rule:?} {chair:?}");
    }
}

#[test]
fn a_screen_is_shown_where_leave_claim_and_label_agree() {
    let (me, other) = (reference(0), reference(1));
    for (holder, claim, wanted) in [
        (Some(me), What::Shares(Restricted), Ok(Restricted)),
        (Some(me), What::Shares(Unclassified), Ok(Unclassified)),
        (Some(me), What::Shares(Confidential), Err(ShareFault::LabelAbove(Confidential))),
        (Some(me), What::Asks(Restricted), Err(ShareFault::NoLabel)),
        (Some(me), What::Nothing, Err(ShareFault::NoLabel)),
        (Some(other), What::Shares(Restricted), Err(ShareFault::NoLeave)),
        (None, What::Shares(Confidential), Err(ShareFault::NoLeave)),
    ] {
        assert_eq!(may_show(me, holder, claim, Restricted), wanted, "{holder:?} {claim:?}");
    }
}

#[test]
fn a_member_asks_the_chair_grants_the_member_shares_and_stops() {
    let mut room = Room::new(Sharing::Granted, 4);
    assert_eq!(room.share(CARLA, Restricted), Err(ShareError::NoLeave));
    room.ask(CARLA, Restricted).unwrap();
    assert_eq!(room.requests(CHAIR), [leaf(CARLA)]);
    assert_eq!(room.shared(), None);
    room.grant(CHAIR, CARLA).unwrap();
    assert_eq!(room.news, [(CARLA, ShareNews::Granted)]);
    assert_eq!(room.requests(CHAIR), []);
    room.share(CARLA, Unclassified).unwrap();
    assert_eq!(room.shared(), Some((CARLA, Unclassified)));
    room.share(CARLA, Restricted).unwrap();
    assert_eq!(room.shared(), Some((CARLA, Restricted)), "another label");
    room.stop(CARLA);
    assert_eq!(room.shared(), None);
    assert_eq!(room.share(CARLA, Restricted), Err(ShareError::NoLeave), "the leave was for once");
    assert_eq!(room.news.len(), 1, "what somebody does is no news to them: {:?}", room.news);
}

#[test]
fn the_chair_shares_at_once_denies_and_stops_anybody() {
    let mut room = Room::granted(Sharing::Granted, 4, CARLA);
    room.ask(DINO, Restricted).unwrap();
    let deny = |room: &mut Room, by| room.with(by, |shares, scene, now| shares.deny(reference(DINO), scene, now));
    assert_eq!(deny(&mut room, DEPUTY), Err(ShareError::NotChair));
    deny(&mut room, CHAIR).unwrap();
    assert_eq!(room.news.pop(), Some((DINO, ShareNews::Denied)));
    assert_eq!(room.requests(CHAIR), []);
    assert_eq!(room.shared(), Some((CARLA, Restricted)), "nobody else is touched");
    room.ask(DINO, Restricted).unwrap();
    assert_eq!(room.requests(CHAIR), [leaf(DINO)], "who was denied may ask again");

    let stop = |room: &mut Room, by| room.with(by, |shares, scene, now| shares.stop_sharer(scene, now));
    assert_eq!(stop(&mut room, DEPUTY), Err(ShareError::NotChair));
    stop(&mut room, CHAIR).unwrap();
    assert_eq!(room.news.pop(), Some((CARLA, ShareNews::Stopped)));
    assert_eq!(room.shared(), None);
    assert_eq!(stop(&mut room, CHAIR), Err(ShareError::Gone));

    room.grant(CHAIR, DINO).unwrap();
    room.share(DINO, Restricted).unwrap();
    room.share(CHAIR, Restricted).unwrap();
    assert_eq!(room.shared(), Some((CHAIR, Restricted)));
    assert_eq!(room.news.pop(), Some((DINO, ShareNews::Stopped)), "one at a time");
    room.grant(CHAIR, CARLA).unwrap();
    assert_eq!(room.news[room.news.len() - 2..], [(CHAIR, ShareNews::Stopped), (CARLA, ShareNews::Granted)]);
}

#[test]
fn a_request_taken_back_or_a_leave_given_back_is_over() {
    let mut room = Room::new(Sharing::Granted, 4);
    room.ask(CARLA, Restricted).unwrap();
    room.stop(CARLA);
    assert_eq!(room.requests(CHAIR), []);
    room.grant(CHAIR, DINO).unwrap();
    assert_eq!(room.news, [(DINO, ShareNews::Granted)], "unasked");
    room.stop(DINO);
    assert_eq!(room.share(DINO, Restricted), Err(ShareError::NoLeave));
    room.grant(CHAIR, CARLA).unwrap();
    room.share(CARLA, Restricted).unwrap();
    assert_eq!(room.shared(), Some((CARLA, Restricted)));
}

#[test]
fn a_label_above_the_level_is_refused_and_a_lowered_level_ends_the_sharing() {
    let mut room = Room::granted(Sharing::Granted, 4, CARLA);
    assert_eq!(room.share(CARLA, Confidential), Err(ShareError::LabelAbove(Restricted)));
    assert_eq!(room.ask(DINO, Confidential), Err(ShareError::LabelAbove(Restricted)));
    assert_eq!(room.shared(), Some((CARLA, Restricted)));
    room.level = Confidential;
    room.share(CARLA, Confidential).unwrap();
    assert_eq!(room.shared(), Some((CARLA, Confidential)));
    room.level = Restricted;
    room.settle();
    assert_eq!(room.shared(), None);
    assert_eq!(room.news.pop(), Some((CARLA, ShareNews::LevelLowered(Restricted))));
}

#[test]
fn nobody_shares_by_the_word_of_somebody_who_is_not_the_chair() {
    let mut room = Room::granted(Sharing::Granted, 4, CARLA);
    for by in [DEPUTY, CARLA, DINO] {
        let word = Word { turn: 99, holder: Some(reference(DINO)), denied: Some((reference(CARLA), 99)) };
        let taken = room.tell(by, Say::Word(word));
        assert!(taken.iter().all(|taken| *taken == Taken::Usurped), "{by}: {taken:?}");
        room.settle();
        assert_eq!(room.shared(), Some((CARLA, Restricted)));
    }
    let claim = Claim { number: 99, what: What::Shares(Restricted) };
    room.tell(DINO, Say::Claim(claim));
    room.settle();
    assert_eq!(room.shared(), Some((CARLA, Restricted)), "two at a time");
    assert_eq!(room.shares[CHAIR].fault_of(reference(DINO), Restricted), Some(ShareFault::NoLeave));
}

#[test]
fn what_is_late_or_comes_twice_changes_nothing() {
    let mut room = Room::new(Sharing::Granted, 4);
    room.ask(CARLA, Restricted).unwrap();
    let asked = Say::Claim(room.shares[CARLA].claims[&reference(CARLA)].claim);
    room.grant(CHAIR, CARLA).unwrap();
    let granted = Say::Word(room.shares[CHAIR].word);
    room.share(CARLA, Restricted).unwrap();
    room.tell(CARLA, asked);
    assert_eq!(room.shared(), Some((CARLA, Restricted)));
    room.stop(CARLA);
    assert_eq!(room.tell(CHAIR, granted), [Taken::Late; 3]);
    room.settle();
    assert_eq!(room.shared(), None);
    assert_eq!(room.share(CARLA, Restricted), Err(ShareError::NoLeave));
}

#[test]
fn whoever_comes_learns_who_shares() {
    let mut room = Room::granted(Sharing::Granted, 4, CARLA);
    room.leave(DINO);
    room.come(DINO);
    assert_eq!(room.shared(), Some((CARLA, Restricted)));
    room.ask(DINO, Restricted).unwrap();
    room.leave(DEPUTY);
    room.come(DEPUTY);
    assert_eq!(room.requests(DEPUTY), [leaf(DINO)]);
    room.leave(CARLA);
    assert_eq!(room.shared(), None);
    room.come(CARLA);
    assert_eq!(room.share(CARLA, Restricted), Err(ShareError::NoLeave), "who comes again asks again");
}

#[test]
fn the_leave_outlives_a_change_of_the_chair_there_and_back() {
    let mut room = Room::granted(Sharing::Granted, 4, CARLA);
    room.leave(CHAIR);
    assert_eq!(room.shared(), Some((CARLA, Restricted)));
    assert_eq!(room.chair(), Some(DEPUTY));
    room.leave(DINO);
    room.come(DINO);
    assert_eq!(room.shared(), Some((CARLA, Restricted)), "the successor tells newcomers");
    room.pass(20);
    room.come(CHAIR);
    assert_eq!(room.shared(), Some((CARLA, Restricted)), "the chair takes over what is");
    assert_eq!(room.with(DEPUTY, |shares, scene, now| shares.stop_sharer(scene, now)), Err(ShareError::NotChair));
    room.with(CHAIR, |shares, scene, now| shares.stop_sharer(scene, now)).unwrap();
    assert_eq!(room.shared(), None);
    assert_eq!(room.news.pop(), Some((CARLA, ShareNews::Stopped)));
}

#[test]
fn a_successor_cannot_speak_for_a_chair_who_has_been_there_for_a_while() {
    let mut room = Room::new(Sharing::Granted, 4);
    room.pass(10);
    let word = Word { turn: 1, holder: Some(reference(DEPUTY)), denied: None };
    assert_eq!(room.tell(DEPUTY, Say::Word(word)), [Taken::Usurped; 3]);
    room.settle();
    assert_eq!(room.share(DEPUTY, Restricted), Err(ShareError::NoLeave));
}

#[test]
fn where_nobody_of_the_succession_is_left_who_shares_goes_on_and_nobody_else_begins() {
    let mut room = Room::granted(Sharing::Granted, 4, CARLA);
    room.leave(CHAIR);
    room.leave(DEPUTY);
    assert_eq!(room.shared(), Some((CARLA, Restricted)));
    assert_eq!(room.ask(DINO, Restricted), Err(ShareError::NobodyDecides));
    room.stop(CARLA);
    assert_eq!(room.shared(), None);
}

#[test]
fn where_sharing_is_open_whoever_asks_while_nobody_shares_may() {
    let mut room = Room::granted(Sharing::Open, 4, CARLA);
    assert_eq!(room.ask(DINO, Restricted), Err(ShareError::Busy(leaf(CARLA))));
    room.with(CHAIR, |shares, scene, now| shares.stop_sharer(scene, now)).unwrap();
    assert_eq!(room.shared(), None);
    room.ask(DINO, Restricted).unwrap();
    assert_eq!(room.news.pop(), Some((DINO, ShareNews::Granted)));
}

#[test]
fn where_sharing_is_open_and_two_ask_at_once_one_may() {
    let mut room = Room::new(Sharing::Open, 4);
    let claim = Say::Claim(Claim { number: 1, what: What::Asks(Restricted) });
    // Both are under way before the chair has heard of either.
    for who in [CARLA, DINO] {
        room.shares[who].claim(What::Asks(Restricted), room.now);
        room.shares[who].take_say();
    }
    room.tell(DINO, claim);
    room.tell(CARLA, claim);
    room.settle();
    room.news.sort_by_key(|(who, _)| *who);
    assert_eq!(room.news, [(CARLA, ShareNews::Granted), (DINO, ShareNews::Denied)]);
    assert_eq!(room.requests(CHAIR), []);
}

#[test]
fn an_open_meeting_without_a_chair_shares_as_well() {
    let mut room = Room::new(Sharing::Open, 4);
    room.has_succession = false;
    room.settle();
    room.ask(DINO, Restricted).unwrap();
    room.share(DINO, Restricted).unwrap();
    assert_eq!(room.shared(), Some((DINO, Restricted)));
    for who in [CHAIR, CARLA] {
        assert!(room.share(who, Restricted).is_err(), "not even the one whose app decides");
        assert_eq!(room.grant(who, CARLA), Err(ShareError::NotChair));
    }
    // The one whose app decides goes and comes again, knowing nothing.
    room.leave(CHAIR);
    room.pass(5);
    room.come(CHAIR);
    assert_eq!(room.shared(), Some((DINO, Restricted)));
    room.stop(DINO);
    room.ask(CARLA, Restricted).unwrap();
    room.share(CARLA, Restricted).unwrap();
    assert_eq!(room.shared(), Some((CARLA, Restricted)));
}

#[test]
fn somebody_who_missed_the_word_shows_nothing_without_it() {
    let mut room = Room::new(Sharing::Granted, 4);
    room.deaf = Some(DINO);
    room.ask(CARLA, Restricted).unwrap();
    room.grant(CHAIR, CARLA).unwrap();
    room.share(CARLA, Restricted).unwrap();
    assert!(room.shares[CHAIR].fault_of(reference(CARLA), Restricted).is_none());
    assert_eq!(room.shares[DINO].fault_of(reference(CARLA), Restricted), Some(ShareFault::NoLeave));
    room.deaf = None;
    for said in room.shares[CARLA].repeat().into_iter() {
        room.tell(CARLA, said);
    }
    assert_eq!(room.shares[DINO].fault_of(reference(CARLA), Restricted), Some(ShareFault::NoLeave), "a claim alone");
    for said in room.shares[CHAIR].repeat().into_iter() {
        room.tell(CHAIR, said);
    }
    assert_eq!(room.shared(), Some((CARLA, Restricted)));
}
