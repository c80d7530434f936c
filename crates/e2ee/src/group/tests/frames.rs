//! Who can open which frame.

use super::*;
use crate::{Missing, OpenError};
use conclave_model::LeafIndex;
use openmls::prelude::OpenMlsProvider;

#[test]
fn a_frame_opens_for_every_other_member_and_names_its_sender() {
    let (_meeting, mut groups) = Meeting::started(5);
    switch(&mut groups);
    for sender in 0..groups.len() {
        let leaf = groups[sender].me();
        let expected = groups[sender].sealed_length(1000);
        let sealed = groups[sender].seal_frame(&head(1), &[sender as u8; 1000]).unwrap();
        assert_eq!(sealed.len(), expected);
        for receiver in (0..groups.len()).filter(|receiver| *receiver != sender) {
            assert_eq!(groups[receiver].open_frame(&head(1), &sealed), Ok((leaf, vec![sender as u8; 1000])));
        }
    }
}

#[test]
fn the_sealed_length_is_known_before_for_every_counter() {
    let (_meeting, mut groups) = Meeting::started(2);
    for number in 0..70_000u32 {
        let expected = groups[1].sealed_length(3);
        assert_eq!(groups[1].seal_frame(&head(number), b"abc").unwrap().len(), expected);
    }
}

#[test]
fn a_removed_member_opens_nothing_of_the_next_epoch() {
    let (_meeting, mut groups) = Meeting::started(4);
    // The removed member never hears of the commit, and keeps every key it had.
    let mut removed = groups.remove(3);
    let name = groups[0].members()[3].reference;
    let old = groups[1].seal_frame(&head(0), b"before").unwrap();
    change(&mut groups, 0, vec![], &[name]);
    // Nobody has to ask for the switch.
    let mut sealed = groups[1].seal_frame(&head(1), b"after").unwrap().to_vec();
    assert_eq!(removed.open_frame(&head(1), &sealed), Err(OpenError::UnknownEpoch(Missing::Later)));
    // Nor does it help to name the old epoch: header byte 0, key id, counter; the epoch is the key id's last byte.
    assert_eq!(sealed[0] & 0x80, 0x80);
    let key_id_end = 1 + usize::from((sealed[0] >> 4) & 7) + 1;
    sealed[key_id_end - 1] -= 1;
    assert_eq!(removed.open_frame(&head(1), &sealed), Err(OpenError::Forged(groups[1].me())));
    // What was sealed before it was removed, it may open.
    assert!(removed.open_frame(&head(0), &old).is_ok());
}

#[test]
fn a_removed_member_is_heard_no_more() {
    let (_meeting, mut groups) = Meeting::started(3);
    let mut removed = groups.remove(2);
    let name = groups[0].members()[2].reference;
    change(&mut groups, 0, vec![], &[name]);
    let sealed = removed.seal_frame(&head(0), b"still here").unwrap();
    assert_eq!(groups[0].open_frame(&head(0), &sealed), Err(OpenError::NoMember(removed.me())));
}

#[test]
fn a_newcomer_opens_nothing_from_before_its_epoch() {
    let (meeting, mut groups) = Meeting::started(2);
    let mut sealed = groups[1].seal_frame(&head(0), b"before").unwrap().to_vec();
    groups.remove(0);
    change(&mut groups, 0, vec![meeting.leaf(0)], &[]);
    let sender = groups[0].me();
    let newcomer = groups.last_mut().unwrap();
    assert_eq!(newcomer.open_frame(&head(0), &sealed), Err(OpenError::UnknownEpoch(Missing::Gone)));
    let key_id_end = 1 + usize::from((sealed[0] >> 4) & 7) + 1;
    sealed[key_id_end - 1] += 1;
    assert_eq!(newcomer.open_frame(&head(0), &sealed), Err(OpenError::Forged(sender)));
}

#[test]
fn after_one_who_only_joined_the_sender_switches_when_told() {
    let (meeting, mut groups) = Meeting::started(3);
    groups.pop();
    let name = groups[0].members()[2].reference;
    change(&mut groups, 0, vec![], &[name]);
    let before = groups[0].epoch();
    change(&mut groups, 0, vec![meeting.leaf(2)], &[]);
    assert_eq!((groups[0].sending_epoch(), groups[0].epoch()), (before, before.next()));
    let sealed = groups[0].seal_frame(&head(0), b"old key").unwrap();
    assert!(groups[1].open_frame(&head(0), &sealed).is_ok());
    assert_eq!(groups[2].open_frame(&head(0), &sealed), Err(OpenError::UnknownEpoch(Missing::Gone)));
    switch(&mut groups);
    let sealed = groups[0].seal_frame(&head(1), b"new key").unwrap();
    assert!(groups[1].open_frame(&head(1), &sealed).is_ok());
    assert!(groups[2].open_frame(&head(1), &sealed).is_ok());
    // Never back.
    groups[0].use_sending_epoch(before);
    assert_eq!(groups[0].sending_epoch(), before.next());
}

#[test]
fn forgotten_epochs_open_no_more_but_the_sending_epoch_stays() {
    let (meeting, mut groups) = Meeting::started(3);
    groups.pop();
    let sealed = groups[1].seal_frame(&head(0), b"old").unwrap();
    change(&mut groups, 0, vec![meeting.leaf(2)], &[]);
    let newest = switch(&mut groups[..1]);
    for group in &mut groups[..2] {
        group.forget_epochs_before(newest);
    }
    assert_eq!(groups[0].open_frame(&head(0), &sealed), Err(OpenError::UnknownEpoch(Missing::Gone)));
    assert_eq!(groups[0].epochs_kept(), 1);
    assert!(groups[0].seal_frame(&head(0), b"").is_ok());
    assert!(groups[1].seal_frame(&head(1), b"").is_ok());
}

#[test]
fn a_storm_of_commits_keeps_few_keys() {
    let (_meeting, mut groups) = Meeting::started(2);
    for _ in 0..20 {
        carry_out(&mut groups, 0, &Work { renew: true, ..Work::default() }, vec![]);
        assert!(groups[0].epochs_kept() <= 16);
        let sealed = groups[1].seal_frame(&head(0), b"x").unwrap();
        assert!(groups[0].open_frame(&head(0), &sealed).is_ok());
    }
    assert_eq!(groups[0].epochs_kept(), 16);
}

#[test]
fn a_replay_is_refused_and_a_late_frame_is_not() {
    let (_meeting, mut groups) = Meeting::started(2);
    let leaf = groups[1].me();
    let frames: Vec<_> = (0..1500).map(|number| groups[1].seal_frame(&head(number), b"x").unwrap()).collect();
    let mut open = |number: usize| groups[0].open_frame(&head(number as u32), &frames[number]);
    assert!(open(1000).is_ok());
    assert_eq!(open(1000), Err(OpenError::Replay(leaf)));
    assert!(open(10).is_ok());
    assert_eq!(open(10), Err(OpenError::Replay(leaf)));
    assert!(open(1499).is_ok());
    // Past the window nobody knows, so it counts as a replay.
    assert_eq!(open(11), Err(OpenError::Replay(leaf)));
    assert!(open(900).is_ok());
}

#[test]
fn a_replay_window_is_not_moved_by_what_does_not_authenticate() {
    let (_meeting, mut groups) = Meeting::started(2);
    let first = groups[1].seal_frame(&head(0), b"first").unwrap();
    for _ in 0..5000 {
        groups[1].seal_frame(&head(1), b"").unwrap();
    }
    let mut far = groups[1].seal_frame(&head(2), b"far ahead").unwrap().to_vec();
    *far.last_mut().unwrap() ^= 1;
    assert_eq!(groups[0].open_frame(&head(2), &far), Err(OpenError::Forged(groups[1].me())));
    assert!(groups[0].open_frame(&head(0), &first).is_ok());
}

#[test]
fn a_frame_with_another_head_does_not_open() {
    let (_meeting, mut groups) = Meeting::started(2);
    let leaf = groups[1].me();
    let sealed = groups[1].seal_frame(&head(7), b"frame").unwrap();
    let others = [
        FrameHead { sender: PeerId(4), ..head(7) },
        FrameHead { track: TrackKind::Screen, ..head(7) },
        FrameHead { layer: Layer(0), ..head(7) },
        FrameHead { number: 8, ..head(7) },
        FrameHead { key: false, ..head(7) },
        FrameHead { discardable: true, ..head(7) },
        FrameHead { packets: 3, ..head(7) },
    ];
    for other in others {
        assert_eq!(groups[0].open_frame(&other, &sealed), Err(OpenError::Forged(leaf)));
    }
    assert!(groups[0].open_frame(&head(7), &sealed).is_ok());
}

#[test]
fn a_frame_with_any_bit_altered_or_cut_off_does_not_open() {
    let (_meeting, mut groups) = Meeting::started(2);
    let sealed = groups[1].seal_frame(&head(7), b"a frame of some length").unwrap();
    for bit in 0..sealed.len() * 8 {
        let mut altered = sealed.to_vec();
        altered[bit / 8] ^= 1 << (bit % 8);
        assert!(groups[0].open_frame(&head(7), &altered).is_err(), "bit {bit}");
    }
    for length in 0..sealed.len() {
        assert!(groups[0].open_frame(&head(7), &sealed[..length]).is_err(), "{length} bytes");
    }
    assert!(groups[0].open_frame(&head(7), &sealed).is_ok());
}

#[test]
fn ones_own_key_id_and_those_of_nobody_are_refused() {
    let (_meeting, mut groups) = Meeting::started(2);
    let reflected = groups[0].seal_frame(&head(0), b"mine").unwrap();
    assert_eq!(groups[0].open_frame(&head(0), &reflected), Err(OpenError::OwnKeyId));
    // A key id of three bytes: leaf 9, epoch 1.
    let stranger = [&[0x80 | 2 << 4, 9, 0, groups[0].epoch().0 as u8][..], &[0; 40]].concat();
    assert_eq!(groups[0].open_frame(&head(0), &stranger), Err(OpenError::NoMember(LeafIndex(9))));
    // A context id above leaf and epoch.
    let context = [&[0x80 | 4 << 4, 1, 0, 1, 0, 1][..], &[0; 40]].concat();
    assert_eq!(groups[0].open_frame(&head(0), &context), Err(OpenError::Malformed));
}

#[test]
fn members_of_another_meeting_have_other_keys() {
    let (_here, mut here) = Meeting::started(2);
    let (_there, mut there) = Meeting::started(2);
    assert_eq!(here[0].epoch(), there[0].epoch());
    let sealed = here[1].seal_frame(&head(0), b"here").unwrap();
    assert_eq!(there[0].open_frame(&head(0), &sealed), Err(OpenError::Forged(here[1].me())));
}

#[test]
fn a_frame_of_another_level_does_not_open() {
    let (_meeting, mut groups) = Meeting::started(2);
    let sealed = groups[1].seal_frame(&head(0), b"frame").unwrap();
    let epoch = groups[0].epoch();
    groups[0].frames.context_mut(epoch).unwrap()[0] += 1;
    assert_eq!(groups[0].open_frame(&head(0), &sealed), Err(OpenError::Forged(groups[1].me())));
    groups[0].frames.context_mut(epoch).unwrap()[0] -= 1;
    assert!(groups[0].open_frame(&head(0), &sealed).is_ok());
}

/// What RFC 9605 sections 4.4.2 and 5.2 say, written out on another library.
fn sealed_by_the_rfc(group: &Group, head: &FrameHead, counter: u64, plaintext: &[u8]) -> Vec<u8> {
    use aws_lc_rs::{aead, hkdf};

    struct Length(usize);
    impl hkdf::KeyType for Length {
        fn len(&self) -> usize {
            self.0
        }
    }
    // Leaf and epoch in 16 bits each: leaf above epoch, below a context of none.
    let key_id = u64::from(group.me().0) << 16 | group.epoch().0;
    let base = group.mls.export_secret(group.keys.vault.crypto(), "SFrame 1.0 Base Key", b"", 32).unwrap();
    let secret = hkdf::Salt::new(hkdf::HKDF_SHA512, b"").extract(&base);
    let derive = |label: &[u8], length| {
        let info = [label, &key_id.to_be_bytes(), &5u16.to_be_bytes()];
        let mut out = vec![0; length];
        secret.expand(&info, Length(length)).unwrap().fill(&mut out).unwrap();
        out
    };
    let key = derive(b"SFrame 1.0 Secret key ", 32);
    let mut nonce = derive(b"SFrame 1.0 Secret salt ", 12);
    for (byte, other) in nonce[4..].iter_mut().zip(counter.to_be_bytes()) {
        *byte ^= other;
    }
    // Key ids below 8 and counters below 8 stand in the header's one byte; longer ones after it.
    let long = |number: u64| number.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect::<Vec<u8>>();
    let field = |number: u64| match u8::try_from(number) {
        Ok(short) if short < 8 => (short, vec![]),
        _ => (8 | u8::try_from(long(number).len() - 1).unwrap(), long(number)),
    };
    let ((key_bits, key_bytes), (counter_bits, counter_bytes)) = (field(key_id), field(counter));
    let header = [vec![key_bits << 4 | counter_bits], key_bytes, counter_bytes].concat();
    let context = group.state().frame_context();
    let aad = [&header[..], &head.to_bytes(), &context].concat();
    let sealing = aead::LessSafeKey::new(aead::UnboundKey::new(&aead::AES_256_GCM, &key).unwrap());
    let mut sealed = plaintext.to_vec();
    let nonce = aead::Nonce::try_assume_unique_for_key(&nonce).unwrap();
    sealing.seal_in_place_append_tag(nonce, aead::Aad::from(aad), &mut sealed).unwrap();
    [header, sealed].concat()
}

#[test]
fn frames_are_sealed_as_rfc_9605_says_with_keys_from_the_mls_exporter() {
    let (_meeting, mut groups) = Meeting::started(3);
    switch(&mut groups);
    for group in &mut groups {
        for counter in 0..300 {
            let expected = sealed_by_the_rfc(group, &head(7), counter, b"a frame");
            assert_eq!(group.seal_frame(&head(7), b"a frame").unwrap(), expected, "{counter}");
        }
    }
}
