//! Signs of life, proofs about media, words.

use super::*;
use crate::PulseError;
use conclave_model::LeafIndex;

#[test]
fn a_sign_of_life_names_its_sender_and_counts_once() {
    let (_meeting, mut groups) = Meeting::started(3);
    let sender = groups[1].me();
    let epoch = groups[0].epoch();
    let first = groups[1].pulse();
    let second = groups[1].pulse();
    assert!(first.len() <= 100, "{} bytes", first.len());
    let heard = groups[0].hear_pulse(&first).unwrap();
    assert_eq!((heard.leaf, heard.epoch), (sender, epoch));
    assert_eq!(groups[0].hear_pulse(&first), Err(PulseError::Replay));
    assert!(groups[0].hear_pulse(&second).is_ok());
    assert_eq!(groups[0].hear_pulse(&first), Err(PulseError::Replay), "an older one");
    assert!(groups[2].hear_pulse(&second).is_ok());
    assert_eq!(groups[1].hear_pulse(&second), Err(PulseError::Stranger), "one's own");
}

#[test]
fn a_sign_of_life_with_any_bit_altered_is_none() {
    let (_meeting, mut groups) = Meeting::started(2);
    let pulse = groups[1].pulse();
    for bit in 0..pulse.len() * 8 {
        let mut altered = pulse.to_vec();
        altered[bit / 8] ^= 1 << (bit % 8);
        let verdict = groups[0].hear_pulse(&altered);
        assert!(
            matches!(verdict, Err(PulseError::Malformed | PulseError::Gone | PulseError::Stranger)),
            "bit {bit}: {verdict:?}"
        );
    }
    for length in 0..pulse.len() {
        assert_eq!(groups[0].hear_pulse(&pulse[..length]), Err(PulseError::Malformed));
    }
    assert!(groups[0].hear_pulse(&pulse).is_ok());
}

#[test]
fn signs_of_life_of_other_epochs_are_told_apart() {
    let (_meeting, mut groups) = Meeting::started(3);
    let old = groups[1].pulse();
    let renew = Work { renew: true, ..Work::default() };
    let held_back = groups.remove(2);
    carry_out(&mut groups, 0, &renew, vec![]);
    // One of an epoch that has just ended counts.
    assert!(groups[0].hear_pulse(&old).is_ok());
    let later = groups[1].pulse();
    let mut held_back = held_back;
    let epoch = groups[0].epoch();
    assert_eq!(held_back.hear_pulse(&later), Err(PulseError::Later(epoch)));
    assert_eq!(held_back.hear_pulse(&later), Err(PulseError::Later(epoch)), "it may be heard again");
    // A relay cannot make one up.
    let mut forged = later.to_vec();
    forged[7] += 1;
    assert_eq!(held_back.hear_pulse(&forged), Err(PulseError::Malformed));
    let very_old = groups[1].pulse();
    for _ in 0..20 {
        carry_out(&mut groups, 0, &renew, vec![]);
    }
    assert_eq!(groups[0].hear_pulse(&very_old), Err(PulseError::Gone));
}

#[test]
fn members_that_a_relay_keeps_apart_find_out() {
    let (_meeting, mut groups) = Meeting::started(4);
    let renew = Work { renew: true, ..Work::default() };
    // The relay gives one commit to two members and another to the other two, for the same epoch.
    let one = groups[0].commit(&renew, WALL).unwrap().pending.unwrap();
    let two = groups[2].commit(&renew, WALL).unwrap().pending.unwrap();
    for (number, group) in groups.iter_mut().enumerate() {
        group.follow(if number < 2 { &one } else { &two }).unwrap();
    }
    assert_eq!(groups[0].epoch(), groups[2].epoch());
    assert_eq!(groups[0].words(), groups[2].words(), "words are of the members, and those are the same");
    for listener in 0..4 {
        for speaker in (0..4).filter(|speaker| *speaker != listener) {
            let (leaf, pulse) = (groups[speaker].me(), groups[speaker].pulse());
            let heard = groups[listener].hear_pulse(&pulse).map(|pulse| pulse.leaf);
            let expected = if (listener < 2) == (speaker < 2) { Ok(leaf) } else { Err(PulseError::Diverged(leaf)) };
            assert_eq!(heard, expected, "{speaker} to {listener}");
        }
    }
}

#[test]
fn a_sign_of_life_of_one_who_is_gone_is_nobodys() {
    let (_meeting, mut groups) = Meeting::started(3);
    let name = groups[0].members()[2].reference;
    let mut gone = groups.remove(2);
    change(&mut groups, 0, vec![], &[name]);
    // It says that it is still in the epoch before, which is true.
    assert!(groups[0].hear_pulse(&gone.pulse()).is_ok());
    let mut forged = gone.pulse().to_vec();
    forged[..8].copy_from_slice(&groups[0].epoch().0.to_be_bytes());
    assert_eq!(groups[0].hear_pulse(&forged), Err(PulseError::Stranger));
}

#[test]
fn a_proof_is_of_one_member_one_epoch_and_one_statement() {
    let (_meeting, mut groups) = Meeting::started(3);
    switch(&mut groups);
    let (leaf, epoch) = (groups[1].me(), groups[1].sending_epoch());
    let proof = groups[1].prove(b"hashes");
    assert!(groups[0].check_proof(leaf, epoch, b"hashes", &proof));
    assert!(groups[2].check_proof(leaf, epoch, b"hashes", &proof));
    assert!(!groups[0].check_proof(leaf, epoch, b"other", &proof));
    assert!(!groups[0].check_proof(groups[2].me(), epoch, b"hashes", &proof), "another's name");
    assert!(!groups[0].check_proof(LeafIndex(9), epoch, b"hashes", &proof));
    assert!(!groups[0].check_proof(leaf, epoch.next(), b"hashes", &proof));
    for bit in [0, 100, 511] {
        let mut altered = proof;
        altered[bit / 8] ^= 1 << (bit % 8);
        assert!(!groups[0].check_proof(leaf, epoch, b"hashes", &altered));
    }
    // After a change of the group, proofs of the epoch before still count.
    carry_out(&mut groups, 0, &Work { renew: true, ..Work::default() }, vec![]);
    assert!(groups[0].check_proof(leaf, epoch, b"hashes", &proof));
    assert_eq!(groups[1].sending_epoch(), epoch, "not switched yet");
    assert!(groups[0].check_proof(leaf, epoch, b"more", &groups[1].prove(b"more")));
}

#[test]
fn a_proof_from_another_meeting_is_worth_nothing() {
    let (_here, here) = Meeting::started(2);
    let (_there, there) = Meeting::started(2);
    let proof = there[1].prove(b"hashes");
    assert!(!here[0].check_proof(here[1].me(), here[0].epoch(), b"hashes", &proof));
}
