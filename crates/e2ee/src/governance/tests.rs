//! The rules, row by row.

#![allow(clippy::unwrap_used)]

use conclave_identity::issue::{Rehearsal, RehearsalSpec};
use conclave_model::{Clearance, LeafIndex};

use super::*;

const WALL: u64 = 1_800_000_000;

/// Six people: 0 is the certified chair; 2 and then 1 follow by the invitation; 3 is its originator.
struct Hall {
    invitation: Invitation,
    members: Vec<Member>,
}

fn hall(admission: Admission) -> Hall {
    let mut rehearsal = Rehearsal::new(&RehearsalSpec::new(6, WALL)).unwrap();
    let people: Vec<Person> = rehearsal.holders.iter().map(|holder| holder.person().clone()).collect();
    let invitation = rehearsal.reissue(|content| {
        content.admission = admission;
        content.succession = vec![fingerprint(&people[2]), fingerprint(&people[1]), fingerprint(&people[0])];
        content.originator = Some(fingerprint(&people[3]));
    });
    let member = |(number, person): (u8, &Person)| Member {
        leaf: LeafIndex(u32::from(number)),
        reference: leaf(usize::from(number)),
        person: person.clone(),
    };
    let members = (0..).zip(&people).map(member).collect();
    Hall { invitation: invitation.unwrap().clone(), members }
}

fn leaf(number: usize) -> LeafRef {
    LeafRef([u8::try_from(number).unwrap(); 16])
}

impl Hall {
    fn name(&self, number: usize) -> Fingerprint {
        fingerprint(&self.members[number].person)
    }

    /// The state after `admitted` came in.
    fn state(&self, admitted: &[usize]) -> State {
        let admitted = admitted.iter().map(|number| self.name(*number)).collect();
        State { admitted, ..State::initial(&self.invitation) }
    }

    /// Members of the group.
    fn inside(&self, numbers: &[usize]) -> Vec<Member> {
        numbers.iter().map(|number| self.members[*number].clone()).collect()
    }

    fn added(&self, numbers: &[usize]) -> Vec<(LeafRef, Person)> {
        numbers.iter().map(|number| (leaf(*number + 100), self.members[*number].person.clone())).collect()
    }
}

/// What [`next`] is given, and what is true around it.
#[derive(Clone)]
struct Case<'a> {
    hall: &'a Hall,
    state: State,
    inside: Vec<usize>,
    author: usize,
    absent: Vec<usize>,
    add: Vec<usize>,
    remove: Vec<usize>,
    order: Option<Order>,
    ceiling: Level,
    consent: Result<(), ConsentError>,
    uncleared: Vec<usize>,
    wall: u64,
}

impl<'a> Case<'a> {
    /// Everybody in `inside` is a member and was admitted.
    fn new(hall: &'a Hall, inside: &[usize], author: usize) -> Self {
        Self {
            hall,
            state: hall.state(inside),
            inside: inside.to_vec(),
            author,
            absent: Vec::new(),
            add: Vec::new(),
            remove: Vec::new(),
            order: None,
            ceiling: Level::TopSecret,
            consent: Err(ConsentError::Signature),
            uncleared: Vec::new(),
            wall: WALL,
        }
    }

    fn next(&self) -> Result<State, Rejection> {
        let mut members = self.hall.inside(&self.inside);
        for member in &mut members {
            if self.uncleared.iter().any(|number| leaf(*number) == member.reference) {
                member.person.clearance = Some(Clearance { level: Level::Restricted, expires: u64::MAX });
            }
        }
        let author = members.iter().find(|member| member.reference == leaf(self.author)).unwrap();
        let is_present = |other: LeafRef| !self.absent.iter().any(|number| leaf(*number) == other);
        let check_consent = |_: &Consent| self.consent;
        let scene = Scene {
            state: &self.state,
            invitation: &self.hall.invitation,
            members: &members,
            author,
            ceiling: self.ceiling,
            is_present: &is_present,
            check_consent: &check_consent,
            wall: self.wall,
        };
        let removed: Vec<LeafRef> = self.remove.iter().map(|number| leaf(*number)).collect();
        next(&scene, &self.hall.added(&self.add), &removed, self.order.as_ref())
    }
}

#[test]
fn the_succession_is_the_chairs_of_the_list_and_then_the_signed_order() {
    let hall = hall(Admission::Lobby);
    assert_eq!(succession(&hall.invitation), [hall.name(0), hall.name(2), hall.name(1)]);
}

#[test]
fn the_chair_is_the_first_of_the_succession_who_is_a_member() {
    let hall = hall(Admission::Lobby);
    let rows: &[(&[usize], Option<usize>)] = &[
        (&[0, 1, 2, 3], Some(0)),
        (&[1, 2, 3], Some(2)),
        (&[1, 3], Some(1)),
        (&[3, 4, 5], None),
        (&[], None),
        // Nobody is chair by having come first.
        (&[5, 4, 3, 2], Some(2)),
    ];
    for (inside, expected) in rows {
        let members = hall.inside(inside);
        let found = chair(&members, &hall.invitation).map(|member| member.reference);
        assert_eq!(found, expected.map(leaf), "{inside:?}");
    }
}

#[test]
fn a_meeting_with_a_lobby_is_opened_by_the_succession_only() {
    for (admission, person, expected) in [
        (Admission::Open, 0, true),
        (Admission::Open, 5, true),
        (Admission::Lobby, 0, true),
        (Admission::Lobby, 1, true),
        (Admission::Lobby, 3, false),
        (Admission::Lobby, 5, false),
    ] {
        let hall = hall(admission);
        let person = &hall.members[person].person;
        assert_eq!(may_open(&hall.invitation, person), expected, "{admission:?} {}", person.name);
    }
}

#[test]
fn who_may_be_added_depends_on_lobby_lock_and_who_adds() {
    use NewcomerError::{Ejected, Locked, NotAdmitted};
    // Admission, locked, admitted before, ejected, the author, the newcomer, the verdict.
    let rows = [
        (Admission::Open, false, false, false, 4, 5, Ok(())),
        (Admission::Open, true, false, false, 4, 5, Err(Locked)),
        (Admission::Open, true, false, false, 0, 5, Err(Locked)),
        (Admission::Open, true, true, false, 4, 5, Ok(())),
        (Admission::Open, true, false, false, 4, 1, Ok(())),
        (Admission::Open, false, false, true, 4, 5, Err(Ejected)),
        (Admission::Open, false, false, true, 0, 5, Err(Ejected)),
        (Admission::Lobby, false, false, false, 0, 5, Ok(())),
        (Admission::Lobby, false, false, false, 4, 5, Err(NotAdmitted)),
        // The next in the succession is not the chair while the chair is here.
        (Admission::Lobby, false, false, false, 2, 5, Err(NotAdmitted)),
        (Admission::Lobby, false, true, false, 4, 5, Ok(())),
        (Admission::Lobby, false, false, false, 4, 1, Ok(())),
        (Admission::Lobby, true, true, false, 4, 5, Ok(())),
        (Admission::Lobby, true, false, false, 4, 5, Err(Locked)),
        (Admission::Lobby, true, false, false, 0, 5, Err(Locked)),
        (Admission::Lobby, true, false, false, 4, 1, Ok(())),
        // Ejected counts even for the succession.
        (Admission::Lobby, false, false, true, 0, 1, Err(Ejected)),
        (Admission::Lobby, true, true, true, 0, 5, Err(Ejected)),
    ];
    for (number, (admission, locked, admitted, ejected, author, newcomer, verdict)) in rows.into_iter().enumerate() {
        let hall = hall(admission);
        let mut case = Case::new(&hall, &[0, 2, 4], author);
        case.state.locked = locked;
        if admitted {
            case.state.admitted.insert(hall.name(newcomer));
        }
        if ejected {
            case.state.ejected.insert(hall.name(newcomer));
        }
        case.add = vec![newcomer];
        let expected = match verdict {
            Ok(()) => {
                let mut state = case.state.clone();
                state.admitted.insert(hall.name(newcomer));
                Ok(state)
            }
            Err(error) => Err(Rejection::Newcomer { reference: leaf(newcomer + 100), error }),
        };
        assert_eq!(case.next(), expected, "row {number}");
    }
}

#[test]
fn without_the_chair_the_next_of_the_succession_admits() {
    let hall = hall(Admission::Lobby);
    let mut case = Case { add: vec![5], ..Case::new(&hall, &[1, 2, 4], 2) };
    assert!(case.next().is_ok());
    case.author = 1;
    assert!(case.next().is_err());
}

#[test]
fn a_member_is_removed_by_the_chair_when_gone_when_replaced_or_by_an_order() {
    let hall = hall(Admission::Open);
    let base = Case::new(&hall, &[0, 2, 4, 5], 4);
    let removal = |number| Err(Rejection::Removal { reference: leaf(number) });
    let rows = [
        (Case { remove: vec![5], ..base.clone() }, removal(5)),
        (Case { remove: vec![5], absent: vec![5], ..base.clone() }, Ok(())),
        (Case { remove: vec![5], absent: vec![2], ..base.clone() }, removal(5)),
        (Case { remove: vec![2, 5], absent: vec![5], ..base.clone() }, removal(2)),
        (Case { remove: vec![5], author: 0, ..base.clone() }, Ok(())),
        (Case { remove: vec![5], author: 2, ..base.clone() }, removal(5)),
        // The chair itself goes only when gone.
        (Case { remove: vec![0], ..base.clone() }, removal(0)),
        (Case { remove: vec![0], absent: vec![0], ..base.clone() }, Ok(())),
        (Case { remove: vec![5], add: vec![5], ..base.clone() }, Ok(())),
        (Case { remove: vec![5], add: vec![3], ..base.clone() }, removal(5)),
        // The newcomer is not connected: somebody brings an old key package.
        (Case { remove: vec![5], add: vec![5], absent: vec![105], ..base.clone() }, removal(5)),
        (Case { remove: vec![5], add: vec![5], absent: vec![5, 105], ..base.clone() }, Ok(())),
        (Case { remove: vec![3], absent: vec![3], ..base.clone() }, removal(3)),
    ];
    for (number, (case, expected)) in rows.into_iter().enumerate() {
        assert_eq!(case.next().map(|_| ()), expected, "row {number}");
    }
}

#[test]
fn only_the_acting_chair_gives_orders() {
    let hall = hall(Admission::Lobby);
    let orders = [Order::Lock(true), Order::Eject(leaf(5)), Order::Level { to: Level::Secret, consent: None }];
    for order in orders {
        for (inside, author, expected) in [
            (vec![0, 1, 2, 5], 0, true),
            (vec![0, 1, 2, 5], 2, false),
            (vec![0, 1, 2, 5], 5, false),
            (vec![1, 2, 5], 2, true),
            (vec![1, 2, 5], 1, false),
            (vec![3, 4, 5], 3, false),
        ] {
            let mut case = Case { order: Some(order.clone()), ..Case::new(&hall, &inside, author) };
            if let Order::Eject(_) = order {
                case.remove = vec![5];
            }
            let verdict = case.next();
            assert_eq!(verdict.is_ok(), expected, "{order:?} {inside:?} {author}: {verdict:?}");
            assert!(expected || verdict == Err(Rejection::NotChair));
        }
    }
}

#[test]
fn an_order_changes_just_what_it_says() {
    let hall = hall(Admission::Lobby);
    let base = Case::new(&hall, &[0, 4, 5], 0);

    let locked = Case { order: Some(Order::Lock(true)), ..base.clone() }.next().unwrap();
    assert_eq!(locked, State { locked: true, ..base.state.clone() });
    let again = Case { order: Some(Order::Lock(true)), state: locked.clone(), ..base.clone() };
    assert_eq!(again.next(), Err(Rejection::State));
    let unlocked = Case { order: Some(Order::Lock(false)), state: locked, ..base.clone() }.next().unwrap();
    assert_eq!(unlocked, base.state);

    let eject = Case { order: Some(Order::Eject(leaf(5))), ..base.clone() };
    assert_eq!(eject.next(), Err(Rejection::Stays { reference: leaf(5) }), "ejected, but left in");
    let ejected = Case { remove: vec![5], ..eject.clone() }.next().unwrap();
    let expected = State { ejected: [hall.name(5)].into(), ..hall.state(&[0, 4]) };
    assert_eq!(ejected, expected);
    // Not back in the same commit, nor by a commit that calls it a replacement.
    let error = NewcomerError::Ejected;
    let back = Case { remove: vec![5], add: vec![5], ..eject };
    assert_eq!(back.next(), Err(Rejection::Newcomer { reference: leaf(105), error }));

    // A lock holds for those whom the same commit would let in, and its end lets them in.
    let add = |locked: bool| {
        let mut case = Case { order: Some(Order::Lock(locked)), add: vec![3], ..base.clone() };
        case.state.locked = !locked;
        case.next().map(|state| state.admitted.contains(&hall.name(3)))
    };
    assert_eq!(add(true), Err(Rejection::Newcomer { reference: leaf(103), error: NewcomerError::Locked }));
    assert_eq!(add(false), Ok(true));

    let stranger = Case { order: Some(Order::Eject(leaf(9))), ..base.clone() };
    assert_eq!(stranger.next(), Err(Rejection::State));
    let oneself = Case { order: Some(Order::Eject(leaf(0))), ..base };
    assert_eq!(oneself.next(), Err(Rejection::Removal { reference: leaf(0) }));
}

#[test]
fn a_rise_puts_out_all_who_are_not_cleared_and_nobody_else() {
    let hall = hall(Admission::Open);
    let rise = |to| Some(Order::Level { to, consent: None });
    let base = Case { order: rise(Level::Secret), uncleared: vec![2, 5], ..Case::new(&hall, &[0, 2, 4, 5], 0) };
    let stays = |number| Err(Rejection::Stays { reference: leaf(number) });
    assert_eq!(base.next(), stays(2));
    assert_eq!(Case { remove: vec![2], ..base.clone() }.next(), stays(5));
    let risen = Case { remove: vec![2, 5], ..base.clone() }.next().unwrap();
    assert_eq!(risen, State { level: Level::Secret, level_changes: 1, ..base.state.clone() });

    // Whose clearance ends at this second is not cleared any more.
    let late = Case { uncleared: vec![], wall: WALL + 365 * 24 * 60 * 60, ..base.clone() };
    assert_eq!(late.next(), Err(Rejection::NotCleared));
    let chair = Case { uncleared: vec![0], remove: vec![0], ..base.clone() };
    assert_eq!(chair.next(), Err(Rejection::NotCleared));
    let high = Case { ceiling: Level::Confidential, remove: vec![2, 5], ..base.clone() };
    assert_eq!(high.next(), Err(Rejection::Ceiling(Level::Confidential)));
    let just = Case { ceiling: Level::Secret, remove: vec![2, 5], ..base.clone() };
    assert!(just.next().is_ok());
    let same = Case { order: rise(Level::Restricted), ..base };
    assert_eq!(same.next(), Err(Rejection::State));
}

/// What an originator might have signed; the tests' scenes decide whether it counts.
fn consent(hall: &Hall, from: Level, to: Level, level_changes: u32) -> Consent {
    let mut rehearsal = Rehearsal::new(&RehearsalSpec::new(1, WALL)).unwrap();
    let name = fingerprint(rehearsal.holders[0].person());
    let invitation = rehearsal.reissue(|content| content.originator = Some(name)).unwrap().clone();
    let rules = crate::Rules::new(invitation, rehearsal.authority.root().clone());
    let state = State { level: from, level_changes, ..hall.state(&[]) };
    Consent::make(&rehearsal.holders[0], &rules, &state, to).unwrap()
}

#[test]
fn a_fall_takes_the_originators_consent_to_just_that_level() {
    let hall = hall(Admission::Open);
    let given = consent(&hall, Level::Restricted, Level::Unclassified, 0);
    let fall = |to, consent| Some(Order::Level { to, consent });
    let base = Case::new(&hall, &[0, 3, 4], 0);
    let refused = |error| Err(Rejection::Consent(error));
    let none = Case { order: fall(Level::Unclassified, None), consent: Ok(()), ..base.clone() };
    assert_eq!(none.next(), refused(ConsentError::Missing));
    let bad = Case { order: fall(Level::Unclassified, Some(given.clone())), ..base.clone() };
    assert_eq!(bad.next(), refused(ConsentError::Signature));
    let good = Case { consent: Ok(()), ..bad.clone() };
    let fallen = good.next().unwrap();
    let expected =
        State { level: Level::Unclassified, level_changes: 1, consent: Some(given.clone()), ..base.state.clone() };
    assert_eq!(fallen, expected);
    let author = Case { author: 4, ..good };
    assert_eq!(author.next(), Err(Rejection::NotChair));
    let mut deep = Case { consent: Ok(()), ..base };
    deep.state.level = Level::Secret;
    deep.order = fall(Level::Restricted, Some(given));
    assert_eq!(deep.next(), refused(ConsentError::Other), "another level than was agreed to");
}

#[test]
fn an_order_is_read_from_what_a_commit_changes() {
    let hall = hall(Admission::Open);
    let members = hall.inside(&[0, 4, 5]);
    let before = hall.state(&[0, 4, 5]);
    let given = consent(&hall, Level::Restricted, Level::Unclassified, 0);
    let eject = |name| State { ejected: [name].into(), ..before.clone() };
    let fallen = State { level: Level::Unclassified, consent: Some(given.clone()), ..before.clone() };
    let both = State { locked: true, level: Level::Secret, ..before.clone() };
    let two = State { ejected: [hall.name(4), hall.name(5)].into(), ..before.clone() };
    let rows = [
        (before.clone(), Ok(None)),
        (State { locked: true, ..before.clone() }, Ok(Some(Order::Lock(true)))),
        (eject(hall.name(5)), Ok(Some(Order::Eject(leaf(5))))),
        (eject(hall.name(3)), Err(Rejection::State)),
        (two, Err(Rejection::State)),
        (both, Err(Rejection::State)),
        (
            State { level: Level::Secret, consent: Some(given.clone()), ..before.clone() },
            Ok(Some(Order::Level { to: Level::Secret, consent: None })),
        ),
        (fallen, Ok(Some(Order::Level { to: Level::Unclassified, consent: Some(given) }))),
    ];
    for (number, (after, expected)) in rows.into_iter().enumerate() {
        assert_eq!(order_between(&before, &after, &members), expected, "row {number}");
    }
}

#[test]
fn a_meeting_begins_with_what_its_opener_remembers() {
    let hall = hall(Admission::Lobby);
    let person = |number: usize| &hall.members[number].person;
    let open = |memory, number| opened_by(&hall.invitation, memory, person(number));
    assert_eq!(open(None, 0), Ok(hall.state(&[0])));
    assert_eq!(open(None, 4), Err(NewcomerError::NotAdmitted));
    let mut last = hall.state(&[0, 1, 4]);
    (last.level, last.level_changes, last.locked) = (Level::Secret, 1, true);
    last.ejected.insert(hall.name(2));
    let memory = Memory::of(&last);
    assert_eq!(open(Some(&memory), 0), Ok(last.clone()));
    assert_eq!(open(Some(&memory), 2), Err(NewcomerError::Ejected));
    // What is remembered of another meeting says nothing of this one.
    let other = Memory::of(&State { meeting: conclave_model::MeetingId([9; 16]), ..last });
    assert_eq!(open(Some(&other), 0), Ok(hall.state(&[0])));
}

#[test]
fn the_lowest_level_that_is_entered_falls_by_a_later_consent_only() {
    let hall = hall(Admission::Open);
    let seen = |level, level_changes| Some((level, level_changes));
    let agreed = |from, to, changes| Some(consent(&hall, from, to, changes));
    use Level::{Confidential, Restricted, Secret, Unclassified};
    // What is remembered (level, changes), the group's (level, changes, consent), whether it is signed, the floor.
    let rows = [
        (None, (Restricted, 0, None), true, Restricted),
        (None, (Secret, 1, None), true, Restricted),
        (None, (Unclassified, 1, None), true, Restricted),
        (None, (Unclassified, 1, agreed(Restricted, Unclassified, 0)), true, Unclassified),
        (None, (Unclassified, 1, agreed(Restricted, Unclassified, 0)), false, Restricted),
        (seen(Secret, 1), (Restricted, 0, None), true, Secret),
        (seen(Secret, 1), (Secret, 1, None), true, Secret),
        (seen(Secret, 1), (Restricted, 2, None), true, Secret),
        (seen(Secret, 1), (Restricted, 2, agreed(Secret, Restricted, 1)), true, Restricted),
        // The agreement was to a change before what is remembered.
        (seen(Secret, 2), (Restricted, 3, agreed(Secret, Restricted, 1)), true, Secret),
        // It was to a change that has not been made.
        (seen(Secret, 1), (Restricted, 1, agreed(Secret, Restricted, 1)), true, Secret),
        // The level is lower than was agreed to.
        (seen(Secret, 1), (Restricted, 2, agreed(Secret, Confidential, 1)), true, Secret),
        // Lowered twice since: the last agreement is what the group still has.
        (seen(Secret, 1), (Restricted, 3, agreed(Confidential, Restricted, 2)), true, Restricted),
    ];
    for (number, (remembered, (level, level_changes, consent), is_signed, expected)) in rows.into_iter().enumerate() {
        let memory =
            remembered.map(|(level, level_changes)| Memory::of(&State { level, level_changes, ..hall.state(&[]) }));
        let state = State { level, level_changes, consent, ..hall.state(&[]) };
        let check = |_: &Consent| if is_signed { Ok(()) } else { Err(ConsentError::Signature) };
        assert_eq!(floor(&hall.invitation, memory.as_ref(), &state, check), expected, "row {number}");
    }
}

#[test]
fn a_state_is_read_in_its_one_encoding_only() {
    let hall = hall(Admission::Open);
    let state = State {
        consent: Some(consent(&hall, Level::Restricted, Level::Unclassified, 0)),
        ejected: [hall.name(5)].into(),
        ..hall.state(&[0, 1, 2])
    };
    let bytes = state.to_bytes();
    assert_eq!(State::from_bytes(&bytes), Some(state.clone()));
    for length in 0..bytes.len() {
        assert_eq!(State::from_bytes(&bytes[..length]), None);
    }
    assert_eq!(State::from_bytes(&[&bytes[..], &[0]].concat()), None);
    // The same members in another order, or one twice, are another encoding.
    let sorted: Vec<Fingerprint> = state.admitted.iter().copied().collect();
    let at = |name: Fingerprint| bytes.windows(32).position(|window| window == name.0).unwrap();
    let (first, second) = (at(sorted[0]), at(sorted[1]));
    let mut swapped = bytes.clone();
    swapped[first..first + 32].copy_from_slice(&sorted[1].0);
    assert_eq!(State::from_bytes(&swapped), None, "twice");
    swapped[second..second + 32].copy_from_slice(&sorted[0].0);
    assert_eq!(State::from_bytes(&swapped), None, "out of order");
    let many = |count: u16| {
        (0..count).map(|number| {
            let mut name = [0; 32];
            name[..2].copy_from_slice(&number.to_be_bytes());
            Fingerprint(name)
        })
    };
    let full = State { admitted: many(512).collect(), ..state.clone() };
    assert!(State::from_bytes(&full.to_bytes()).is_some());
    let over = State { admitted: many(513).collect(), ..state };
    assert_eq!(State::from_bytes(&over.to_bytes()), None);
    assert_eq!(Memory::from_bytes(&bytes).unwrap().to_bytes(), bytes);
}
