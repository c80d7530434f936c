//! What members bring to the group: MLS messages and sealed frames.
//!
//! Messages that are valid once, or for one group only, are made anew or kept, and the input says how they are edited
//! ([`edited`]). All of them are authenticated, so no edited one may be taken.
#![allow(clippy::unwrap_used, reason = "what is not under test works")]

use std::sync::Arc;

use conclave_e2ee::{Group, Leaf, Memory, Rules, Work};
use conclave_identity::{
    Holder,
    issue::{Rehearsal, RehearsalSpec},
};
use conclave_model::{Layer, PeerId, TrackKind, wire::FrameHead};

use super::Case;
use crate::{mutate::edited, stage::WALL};

/// Two members, and somebody who is not one yet.
struct Table {
    alice: Group,
    bob: Group,
    carol: Holder,
    rules: Arc<Rules>,
}

fn table() -> Table {
    let rehearsal = Rehearsal::new(&RehearsalSpec::new(3, WALL)).unwrap();
    let rules = Rules::new(rehearsal.invitation.clone(), rehearsal.holders[0].root().clone());
    let leaf = |number: usize| Leaf::new(&rehearsal.holders[number], rules.clone()).unwrap();
    let mut alice = leaf(0).create(WALL).unwrap();
    let bob = leaf(1);
    let work = Work { add: vec![(bob.reference(), bob.key_package())], ..Work::default() };
    let pending = alice.commit(&work, WALL).unwrap().pending.unwrap();
    alice.commit_accepted().unwrap();
    alice.use_sending_epoch(alice.epoch());
    let bob = bob.join(&pending.welcome.unwrap(), WALL).unwrap();
    Table { alice, bob, carol: rehearsal.holders[2].clone(), rules }
}

/// Scripts for [`edited`]: in each part of a message, cuts, flips and insertions.
fn scripts() -> Vec<Vec<u8>> {
    let mut all = vec![Vec::new()];
    for at in [0_u8, 1, 2, 3, 4, 8, 16, 20, 40, 80, 120, 200] {
        all.extend((1..6).map(|what| vec![0, at, what, at]));
    }
    all.extend((0..40).map(|at| vec![at, 0x55, 0, 0xff]));
    all
}

pub(super) fn key_package() -> Case {
    let Table { mut alice, carol, rules, .. } = table();
    let leaf = Leaf::new(&carol, rules).unwrap();
    let (reference, valid) = (leaf.reference(), leaf.key_package().to_vec());
    Case::new(vec![valid], move |input| {
        if let Ok(person) = alice.check_newcomer(reference, input, WALL) {
            assert_eq!(person, *carol.person());
        }
        let work = Work { add: vec![(reference, input.to_vec().into())], ..Work::default() };
        if alice.commit(&work, WALL).unwrap().pending.is_some() {
            alice.commit_refused();
        }
    })
}

pub(super) fn welcome() -> Case {
    let Table { mut alice, carol, rules, .. } = table();
    Case::new(scripts(), move |script| {
        let leaf = Leaf::new(&carol, rules.clone()).unwrap();
        let work = Work { add: vec![(leaf.reference(), leaf.key_package())], ..Work::default() };
        let welcome = alice.commit(&work, WALL).unwrap().pending.unwrap().welcome.unwrap();
        alice.commit_refused();
        let edited = edited(&welcome, script);
        assert_eq!(leaf.join(&edited, WALL).is_ok(), edited == welcome);
    })
}

pub(super) fn commit() -> Case {
    let Table { mut alice, mut bob, .. } = table();
    let valid = alice.commit(&Work { renew: true, ..Work::default() }, WALL).unwrap().pending.unwrap().commit;
    Case::new(scripts(), move |script| {
        let edited = edited(&valid, script);
        if edited != valid {
            let epoch = bob.epoch();
            assert!(bob.handle_commit(epoch, &edited, &|_| true, WALL).is_err());
            assert_eq!(bob.epoch(), epoch);
        }
    })
}

pub(super) fn message() -> Case {
    let Table { mut alice, mut bob, .. } = table();
    Case::new(scripts(), move |script| {
        let valid = alice.seal_message(b"what members say").unwrap();
        let edited = edited(&valid, script);
        if edited != valid {
            assert!(bob.open_message(&edited).is_err());
        }
    })
}

pub(super) fn pulse() -> Case {
    let Table { mut alice, mut bob, .. } = table();
    Case::new(scripts(), move |script| {
        let valid = alice.pulse();
        let edited = edited(&valid, script);
        assert_eq!(bob.hear_pulse(&edited).is_ok(), edited == valid);
    })
}

pub(super) fn memory() -> Case {
    let Table { alice, .. } = table();
    Case::new(vec![alice.memory().to_bytes()], |input| {
        if let Some(memory) = Memory::from_bytes(input) {
            assert_eq!(Memory::from_bytes(&memory.to_bytes()), Some(memory));
        }
    })
}

pub(super) fn sframe() -> Case {
    let Table { mut alice, mut bob, .. } = table();
    let (sender, track, layer) = (PeerId(1), TrackKind::Microphone, Layer(0));
    let head = FrameHead { sender, track, layer, number: 7, key: true, discardable: false, packets: 1 };
    Case::new(scripts(), move |script| {
        let valid = alice.seal_frame(&head, b"some sound").unwrap();
        let edited = edited(&valid, script);
        assert_eq!(bob.open_frame(&head, &edited).is_ok(), edited == valid);
    })
}
