//! Whether somebody who may lead is in the group that one is brought into.

use super::*;
use crate::Vouching;

/// A group that a delegate has made past its own program's rules, with whomever's key packages came its way; the
/// delegate's own place in it comes first, then those of `leaves`.
fn made_by_delegate(meeting: &mut Meeting, leaves: Vec<Leaf>) -> (Group, Vec<Group>) {
    let honest = meeting.rehearsal.invitation.clone();
    let root = meeting.rehearsal.authority.root().clone();
    // The same meeting but for the lobby; the group does not show by which rules it was made.
    let own = meeting.rehearsal.reissue(|content| content.admission = Admission::Open).unwrap().clone();
    meeting.rehearsal.invitation = honest;
    let leaf = Leaf::new(&meeting.rehearsal.holders[DELEGATE], Rules::new(own, root)).unwrap();
    let mut group = leaf.create(WALL).unwrap();
    let add: Vec<_> = leaves.iter().map(announce).collect();
    let made = group.commit(&work(&add, &[]), WALL).unwrap();
    assert_eq!(made.refused, []);
    let pending = made.pending.unwrap();
    group.commit_accepted().unwrap();
    let welcome = pending.welcome.unwrap();
    (group, leaves.into_iter().map(|leaf| leaf.join(&welcome, WALL).unwrap()).collect())
}

#[test]
fn the_chairs_own_welcome_vouches_for_the_group_and_a_delegates_does_not() {
    let (meeting, mut groups) = Meeting::governed();
    assert!(groups.iter().all(|group| group.vouching() == Vouching::Given), "the chair let them in");
    change(&mut groups, CHAIR, vec![meeting.leaf(LATE)], &[]);
    assert_eq!(groups.last().unwrap().vouching(), Vouching::Given);
    // Who was in before is let in again by anybody.
    let gone = groups.pop().unwrap();
    let name = gone.members().iter().find(|member| member.leaf == gone.me()).unwrap().reference;
    change(&mut groups, DELEGATE, vec![meeting.leaf(LATE)], &[name]);
    let late = groups.last_mut().unwrap();
    assert_eq!(late.vouching(), Vouching::Awaited);
    let (originator, deputy) = (groups[ORIGINATOR].pulse(), groups[DEPUTY].pulse());
    let late = groups.last_mut().unwrap();
    late.hear_pulse(&originator).unwrap();
    assert_eq!(late.vouching(), Vouching::Awaited, "the originator does not lead");
    late.hear_pulse(&deputy).unwrap();
    assert_eq!(late.vouching(), Vouching::Given);
    let chair = groups[CHAIR].members()[CHAIR].reference;
    let deputy = groups[CHAIR].members()[DEPUTY].reference;
    let mut rest = groups.split_off(ORIGINATOR);
    change(&mut rest, 0, vec![], &[chair, deputy]);
    assert!(rest.iter().all(|group| group.vouching() == Vouching::Given), "they have gone since");
}

#[test]
fn a_commit_of_the_chair_vouches_for_the_group() {
    let (meeting, mut groups) = Meeting::governed();
    let name = groups[CHAIR].members()[LOW].reference;
    groups.pop();
    change(&mut groups, DELEGATE, vec![meeting.leaf(LOW)], &[name]);
    carry_out(&mut groups, DELEGATE, &Work { renew: true, ..Work::default() }, vec![]);
    assert_eq!(groups.last().unwrap().vouching(), Vouching::Awaited);
    carry_out(&mut groups, CHAIR, &Work { renew: true, ..Work::default() }, vec![]);
    assert_eq!(groups.last().unwrap().vouching(), Vouching::Given);
}

#[test]
fn nothing_that_the_chair_says_elsewhere_vouches_for_a_group_that_a_delegate_made() {
    let (mut meeting, mut real) = Meeting::governed();
    let (chair, late) = (meeting.leaf(CHAIR), meeting.leaf(LATE));
    let key_package = chair.key_package();
    let (_, mut brought) = made_by_delegate(&mut meeting, vec![late]);
    assert_eq!(brought[0].vouching(), Vouching::Nobody);

    // With the chair's leaf in it, whose key package the relay has passed on; the welcome never reaches the chair.
    let late = meeting.leaf(LATE);
    let (mut hostile, brought_again) = made_by_delegate(&mut meeting, vec![chair, late]);
    let [_, mut victim] = <[Group; 2]>::try_from(brought_again).unwrap();
    assert!(!key_package.is_empty() && victim.chair().is_some(), "it looks led");
    assert_eq!(victim.vouching(), Vouching::Awaited);
    let sign = real[CHAIR].pulse();
    assert!(victim.hear_pulse(&sign).is_err(), "of another leaf");
    let sign = hostile.pulse();
    victim.hear_pulse(&sign).unwrap();
    assert_eq!(victim.vouching(), Vouching::Awaited);
    brought[0].hear_pulse(&sign).unwrap_err();
}

#[test]
fn a_meeting_without_lobby_needs_nobody_and_who_opens_one_vouches_for_it() {
    let (_meeting, groups) = Meeting::started(3);
    assert!(groups.iter().all(|group| group.vouching() == Vouching::Given));
    let (meeting, _) = Meeting::governed();
    let opened = meeting.leaf(DEPUTY).create(WALL).unwrap();
    assert_eq!((opened.vouching(), opened.am_of_succession()), (Vouching::Given, true));
}
