//! A meeting that is led: lobby, lock, ejection, level, memory.

use super::*;
use crate::{ConsentError, JoinError, LeafError, Memory, Rejection};
use conclave_identity::MemberError;

fn level(to: Level) -> Work {
    order(Order::Level { to, consent: None })
}

/// The originator agrees, and the chair lowers the level.
fn lower(meeting: &Meeting, groups: &mut Vec<Group>, to: Level) -> Change {
    let consent = groups[ORIGINATOR].make_consent(&meeting.rehearsal.holders[ORIGINATOR], to).unwrap();
    for group in groups.iter() {
        assert_eq!(group.check_consent(&consent, WALL), Ok(()));
    }
    carry_out(groups, CHAIR, &order(Order::Level { to, consent: Some(consent) }), vec![])
}

#[test]
fn the_chair_admits_and_a_delegate_cannot() {
    let (meeting, mut groups) = Meeting::governed();
    let late = meeting.leaf(LATE);
    let (reference, package) = announce(&late);
    for group in &groups {
        let person = group.check_newcomer(reference, &package, WALL).unwrap();
        assert_eq!(Fingerprint(person.fingerprint), meeting.name(LATE));
        assert!(group.needs_chair(&person));
    }
    let (commit, refused) = groups[DELEGATE].commit_members(&[announce(&late)], &[]);
    assert_eq!((commit, refused), (None, vec![(reference, NewcomerError::NotAdmitted)]));
    let change = change(&mut groups, CHAIR, vec![late], &[]);
    assert_eq!((change.author.leaf, change.added.len()), (groups[CHAIR].me(), 1));
    assert_converged(&groups);
    assert!(groups[DELEGATE].state().admitted.contains(&meeting.name(LATE)));
}

#[test]
fn the_deputy_leads_while_the_chair_is_gone_and_the_chair_on_return() {
    let (meeting, mut groups) = Meeting::governed();
    let chair = groups[CHAIR].members()[CHAIR].reference;
    groups.remove(CHAIR);
    change(&mut groups, 2, vec![], &[chair]);
    let deputy = groups[0].me();
    assert!(groups.iter().all(|group| group.chair().map(|chair| chair.leaf) == Some(deputy)));
    carry_out(&mut groups, 0, &order(Order::Lock(true)), vec![]);
    assert_eq!(groups[1].commit(&order(Order::Lock(false)), WALL).err(), Some(CommitError::Order(Rejection::NotChair)));
    // The chair never waits in the own lobby: a delegate may add them, even while it is locked.
    change(&mut groups, 2, vec![meeting.leaf(CHAIR)], &[]);
    assert_converged(&groups);
    let back = groups.last().unwrap().me();
    assert_eq!(groups[0].chair().map(|chair| chair.leaf), Some(back));
    assert_eq!(groups[0].commit(&order(Order::Lock(false)), WALL).err(), Some(CommitError::Order(Rejection::NotChair)));
    let last = groups.len() - 1;
    carry_out(&mut groups, last, &order(Order::Lock(false)), vec![]);
    assert_converged(&groups);
}

#[test]
fn in_a_locked_meeting_only_those_admitted_before_come_back() {
    let (meeting, mut groups) = Meeting::governed();
    let change_of_lock = carry_out(&mut groups, CHAIR, &order(Order::Lock(true)), vec![]);
    assert_eq!((change_of_lock.locked, change_of_lock.level), (Some(true), None));
    let late = meeting.leaf(LATE);
    let (commit, refused) = groups[CHAIR].commit_members(&[announce(&late)], &[]);
    assert_eq!((commit, refused), (None, vec![(late.reference(), NewcomerError::Locked)]));
    let refused = groups[DELEGATE].check_newcomer(late.reference(), &late.key_package(), WALL).unwrap_err();
    assert_eq!(refused.person.map(|person| person.name), Some(meeting.rehearsal.holders[LATE].person().name.clone()));
    // The lock and its end take effect for whom the same commit would let in.
    let both = Work { add: vec![announce(&late)], ..order(Order::Lock(false)) };
    let made = groups[CHAIR].commit(&both, WALL).unwrap();
    assert_eq!(made.pending.map(|pending| pending.added), Some(vec![late.reference()]));
    groups[CHAIR].commit_refused();
    let gone = groups[CHAIR].members()[LOW].reference;
    groups.remove(LOW);
    change(&mut groups, DELEGATE, vec![], &[gone]);
    let back = meeting.leaf(LOW);
    assert!(!groups[DELEGATE].needs_chair(meeting.rehearsal.holders[LOW].person()));
    change(&mut groups, DELEGATE, vec![back], &[]);
    assert_converged(&groups);
}

#[test]
fn who_is_ejected_has_no_keys_and_does_not_come_back() {
    let (meeting, mut groups) = Meeting::governed();
    let gone = groups[CHAIR].members()[DELEGATE].reference;
    let change = carry_out(&mut groups, CHAIR, &order(Order::Eject(gone)), vec![]);
    assert_eq!(change.ejected, [meeting.name(DELEGATE)]);
    assert_eq!(change.removed.len(), 1);
    let mut ejected = groups.remove(DELEGATE);
    assert_eq!((ejected.epochs_kept(), ejected.members()), (0, &[][..]));
    assert_converged(&groups);
    let sealed = groups[CHAIR].seal_frame(&head(0), b"after").unwrap();
    assert!(ejected.open_frame(&head(0), &sealed).is_err());
    let again = meeting.leaf(DELEGATE);
    for group in &mut groups {
        let (commit, refused) = group.commit_members(&[announce(&again)], &[]);
        assert_eq!((commit, refused), (None, vec![(again.reference(), NewcomerError::Ejected)]));
    }
    assert_eq!(
        groups[CHAIR].commit(&order(Order::Eject(gone)), WALL).err(),
        Some(CommitError::Order(Rejection::State)),
        "not there any more"
    );
}

#[test]
fn a_rise_puts_out_the_uncleared_in_the_commit_that_raises() {
    let (meeting, mut groups) = Meeting::governed();
    let old = groups[CHAIR].seal_frame(&head(0), b"restricted").unwrap();
    let change = carry_out(&mut groups, CHAIR, &level(Level::Secret), vec![]);
    assert_eq!(change.level, Some((Level::Restricted, Level::Secret)));
    assert_eq!(change.removed.len(), 1);
    assert_eq!(Fingerprint(change.removed[0].person.fingerprint), meeting.name(LOW));
    let mut low = groups.remove(LOW);
    assert_converged(&groups);
    assert!(groups.iter().all(|group| group.level() == Level::Secret));
    let sealed = groups[CHAIR].seal_frame(&head(1), b"secret").unwrap();
    assert!(low.open_frame(&head(1), &sealed).is_err());
    assert!(groups[DEPUTY].open_frame(&head(1), &sealed).is_ok());
    // What was sealed at the level before still opens at that level.
    assert!(groups[DEPUTY].open_frame(&head(0), &old).is_ok());
    let back = meeting.leaf(LOW);
    let (_, refused) = groups[CHAIR].commit_members(&[announce(&back)], &[]);
    let error = MemberError::NotCleared { needed: Level::Secret, found: Some(Level::Restricted) };
    assert_eq!(refused, [(back.reference(), NewcomerError::Member(error))]);
    let high = groups[CHAIR].commit(&level(Level::TopSecret), WALL).err();
    assert_eq!(high, Some(CommitError::Order(Rejection::Ceiling(Level::Secret))));
}

#[test]
fn a_newcomer_takes_the_level_from_the_group() {
    let (meeting, mut groups) = Meeting::governed();
    carry_out(&mut groups, CHAIR, &level(Level::Secret), vec![]);
    groups.remove(LOW);
    change(&mut groups, CHAIR, vec![meeting.leaf(LATE)], &[]);
    assert_converged(&groups);
    let newcomer = groups.last_mut().unwrap();
    assert_eq!(newcomer.level(), Level::Secret);
    // One whose relay or app allows less does not enter, whatever the invitation says.
    let mut lower = meeting.leaf(LATE);
    lower.set_rules(meeting.rules_with(|rules| rules.ceiling = Level::Confidential));
    let gone = groups[CHAIR].members().last().unwrap().reference;
    groups.pop();
    change(&mut groups, CHAIR, vec![], &[gone]);
    let (commit, _) = groups[CHAIR].commit_members(&[announce(&lower)], &[]);
    let above = JoinError::LevelAbove { found: Level::Secret, ceiling: Level::Confidential };
    assert_eq!(lower.join(&commit.unwrap().welcome.unwrap(), WALL).err(), Some(above));
}

#[test]
fn the_level_falls_with_the_originators_consent_which_counts_once() {
    let (meeting, mut groups) = Meeting::governed();
    carry_out(&mut groups, CHAIR, &level(Level::Secret), vec![]);
    groups.remove(LOW);
    let without = groups[CHAIR].commit(&level(Level::Restricted), WALL).err();
    assert_eq!(without, Some(CommitError::Order(Rejection::Consent(ConsentError::Missing))));
    let change = lower(&meeting, &mut groups, Level::Restricted);
    assert_eq!(change.level, Some((Level::Secret, Level::Restricted)));
    assert_converged(&groups);
    let used = groups[CHAIR].state().consent.clone().unwrap();
    // Up again: the same agreement is worth nothing now.
    carry_out(&mut groups, CHAIR, &level(Level::Secret), vec![]);
    let again = order(Order::Level { to: Level::Restricted, consent: Some(used) });
    let refused = groups[CHAIR].commit(&again, WALL).err();
    assert_eq!(refused, Some(CommitError::Order(Rejection::Consent(ConsentError::Other))));
    assert_eq!(groups[CHAIR].state().level_changes, 3);
}

#[test]
fn a_consent_is_the_originators_alone() {
    let (meeting, groups) = Meeting::governed();
    let holders = &meeting.rehearsal.holders;
    let make = |group: usize, holder: usize, to| groups[group].make_consent(&holders[holder], to).err();
    assert_eq!(make(CHAIR, CHAIR, Level::Unclassified), Some(ConsentError::NotOriginator));
    assert_eq!(make(ORIGINATOR, ORIGINATOR, Level::Restricted), Some(ConsentError::Other));
    assert_eq!(make(ORIGINATOR, ORIGINATOR, Level::Secret), Some(ConsentError::Other));
    let given = groups[ORIGINATOR].make_consent(&holders[ORIGINATOR], Level::Unclassified).unwrap();
    assert_eq!(given.signer(), Some(meeting.name(ORIGINATOR)));
    let bytes = given.to_bytes();
    assert_eq!(crate::Consent::from_bytes(&bytes), Some(given.clone()));
    assert_eq!(groups[CHAIR].check_consent(&given, WALL), Ok(()));
    let mut forged = given.clone();
    forged.signature_mut()[20] ^= 1;
    assert_eq!(groups[CHAIR].check_consent(&forged, WALL), Err(ConsentError::Signature));
    let expired = WALL + 400 * 24 * 60 * 60;
    assert_eq!(groups[CHAIR].check_consent(&given, expired), Err(ConsentError::Certificate));
    let (there, others) = Meeting::started(2);
    assert_eq!(others[0].check_consent(&given, WALL), Err(ConsentError::NoOriginator));
    assert_eq!(
        others[0].make_consent(&there.rehearsal.holders[0], Level::Unclassified).err(),
        Some(ConsentError::NoOriginator)
    );
}

#[test]
fn a_meeting_with_a_lobby_is_opened_by_the_succession() {
    let (meeting, _) = Meeting::governed();
    for (person, expected) in [
        (CHAIR, Ok(())),
        (DEPUTY, Ok(())),
        (ORIGINATOR, Err(LeafError::MayNotOpen)),
        (LATE, Err(LeafError::MayNotOpen)),
    ] {
        let leaf = meeting.leaf(person);
        assert_eq!(leaf.may_open(WALL), expected);
        assert_eq!(leaf.create(WALL).map(|_| ()), expected);
    }
    let mut leaf = meeting.leaf(CHAIR);
    leaf.set_rules(meeting.rules_with(|rules| rules.ceiling = Level::Unclassified));
    let above = LeafError::LevelAbove { found: Level::Restricted, ceiling: Level::Unclassified };
    assert_eq!(leaf.create(WALL).err(), Some(above));
}

#[test]
fn cutting_everybody_off_neither_lowers_the_level_nor_lets_the_ejected_in() {
    let (meeting, mut groups) = Meeting::governed();
    let gone = groups[CHAIR].members()[DELEGATE].reference;
    carry_out(&mut groups, CHAIR, &order(Order::Eject(gone)), vec![]);
    groups.remove(DELEGATE);
    carry_out(&mut groups, CHAIR, &level(Level::Secret), vec![]);
    groups.pop();
    carry_out(&mut groups, CHAIR, &order(Order::Lock(true)), vec![]);
    let memory = Memory::from_bytes(&groups[CHAIR].memory().to_bytes()).unwrap();
    let remembering = meeting.rules_with(|rules| rules.memory = Some(memory));

    // The chair's app remembers, so it goes on as before.
    let holders = &meeting.rehearsal.holders;
    let mut again = vec![Leaf::new(&holders[CHAIR], remembering.clone()).unwrap().create(WALL).unwrap()];
    assert_eq!(again[0].state(), groups[CHAIR].state());
    let (_, refused) = again[0].commit_members(&[announce(&meeting.leaf(DELEGATE))], &[]);
    assert_eq!(refused[0].1, NewcomerError::Ejected);
    change(&mut again, 0, vec![Leaf::new(&holders[DEPUTY], remembering.clone()).unwrap()], &[]);
    assert_converged(&again);

    // The deputy's remembers nothing: whoever does stays out of a meeting that has fallen behind.
    let mut fresh = meeting.leaf(DEPUTY).create(WALL).unwrap();
    let chair = Leaf::new(&holders[CHAIR], remembering.clone()).unwrap();
    let (commit, _) = fresh.commit_members(&[announce(&chair)], &[]);
    let below = JoinError::LevelBelow { found: Level::Restricted, floor: Level::Secret };
    assert_eq!(chair.join(&commit.unwrap().welcome.unwrap(), WALL).err(), Some(below));
    fresh.commit_refused();

    // Nor does it enter one where an ejected one is in.
    let (delegate, deputy) = (meeting.leaf(DELEGATE), Leaf::new(&holders[CHAIR], remembering).unwrap());
    let mut fresh = vec![fresh];
    change(&mut fresh, 0, vec![delegate], &[]);
    carry_out(&mut fresh, 0, &level(Level::Secret), vec![]);
    let (commit, _) = fresh[0].commit_members(&[announce(&deputy)], &[]);
    let refused = deputy.join(&commit.unwrap().welcome.unwrap(), WALL).unwrap_err();
    assert!(matches!(refused, JoinError::Member { error: NewcomerError::Ejected, .. }), "{refused}");
}

#[test]
fn whoever_remembers_a_higher_level_enters_after_the_originator_agreed_to_a_lower() {
    let (meeting, mut groups) = Meeting::governed();
    carry_out(&mut groups, CHAIR, &level(Level::Secret), vec![]);
    groups.remove(LOW);
    let memory = groups[DELEGATE].memory();
    let gone = groups[CHAIR].members()[DELEGATE].reference;
    groups.remove(DELEGATE);
    change(&mut groups, CHAIR, vec![], &[gone]);
    lower(&meeting, &mut groups, Level::Restricted);
    let rules = meeting.rules_with(|rules| rules.memory = Some(memory));
    let back = Leaf::new(&meeting.rehearsal.holders[DELEGATE], rules).unwrap();
    change(&mut groups, DEPUTY, vec![back], &[]);
    assert_converged(&groups);
}

#[test]
fn fresh_keys_are_made_where_nothing_else_is_to_do() {
    let (_meeting, mut groups) = Meeting::governed();
    let before = groups[CHAIR].epoch_authenticator();
    let change = carry_out(&mut groups, LOW, &Work { renew: true, ..Work::default() }, vec![]);
    assert_eq!((change.added.len(), change.removed.len(), change.level), (0, 0, None));
    assert_converged(&groups);
    assert_ne!(groups[CHAIR].epoch_authenticator(), before);
}

#[test]
fn words_last_while_keys_are_renewed_and_change_with_the_members_the_level_and_the_door() {
    let (meeting, mut groups) = Meeting::governed();
    let mut seen = vec![groups[CHAIR].words().to_vec()];
    let changed = |groups: &mut Vec<Group>, seen: &mut Vec<Vec<_>>| {
        assert_converged(groups);
        let words = groups[CHAIR].words().to_vec();
        assert!(words.len() == 6 && !seen.contains(&words), "{words:?} in {seen:?}");
        seen.push(words);
        let renewed = carry_out(groups, DEPUTY, &Work { renew: true, ..Work::default() }, vec![]);
        assert_eq!(renewed.epoch, groups[CHAIR].epoch());
        assert_converged(groups);
        assert_eq!(groups[CHAIR].words(), seen[seen.len() - 1]);
    };
    let gone = groups[CHAIR].members()[DELEGATE].reference;
    groups.remove(DELEGATE);
    change(&mut groups, CHAIR, vec![], &[gone]);
    changed(&mut groups, &mut seen);
    change(&mut groups, DEPUTY, vec![meeting.leaf(DELEGATE)], &[]);
    changed(&mut groups, &mut seen);
    carry_out(&mut groups, CHAIR, &order(Order::Lock(true)), vec![]);
    changed(&mut groups, &mut seen);
    carry_out(&mut groups, CHAIR, &level(Level::Secret), vec![]);
    groups.retain(|group| !group.members().is_empty());
    assert_converged(&groups);
    assert!(!seen.contains(&groups[CHAIR].words().to_vec()));
}

#[test]
fn whoever_did_not_follow_an_annulled_commit_goes_on() {
    let (_meeting, mut groups) = Meeting::governed();
    let epoch = groups[CHAIR].epoch();
    let before = groups[DELEGATE].memory();
    let raise = groups[CHAIR].commit(&level(Level::Secret), WALL).unwrap().pending.unwrap();
    groups[DELEGATE].follow(&raise).unwrap();
    // It followed: no way back. Its memory is that of what still counts.
    let lost = CommitError::Epoch { expected: epoch.next(), found: epoch };
    assert_eq!(groups[DELEGATE].annul(epoch), Err(lost));
    assert_eq!(groups[DELEGATE].seal_frame(&head(0), b"?"), Err(crate::SealError::NoMember));
    assert_eq!(groups[DELEGATE].memory(), before);
    let gone = groups[CHAIR].members()[DELEGATE].reference;
    groups.remove(DELEGATE);
    for group in &mut groups {
        group.commit_refused();
        assert_eq!(group.annul(epoch), Ok(()));
    }
    change(&mut groups, DEPUTY, vec![], &[gone]);
    assert_converged(&groups);
}
