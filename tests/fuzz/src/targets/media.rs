//! Media packets, and what is inside the seal.
#![allow(clippy::unwrap_used, reason = "what is not under test works")]

use std::time::Duration;

use conclave_model::{
    Layer, PeerId, TrackKind,
    wire::{Descriptor, FrameHead},
};
use conclave_transport::Slot;

use super::Case;
use crate::stage::{PEER, Stage};

fn head(track: TrackKind, number: u32, packets: u16) -> FrameHead {
    FrameHead { sender: PEER, track, layer: Layer(0), number, key: number == 0, discardable: false, packets }
}

fn packet(head: FrameHead, index: u16, content: &[u8]) -> Vec<u8> {
    [&Descriptor { head, index }.to_bytes()[..], content].concat()
}

pub(super) fn descriptor() -> Case {
    let valid = vec![
        packet(head(TrackKind::Microphone, 0, 1), 0, b"sound"),
        packet(head(TrackKind::Booth(23), u32::MAX, 1024), 1023, b""),
        packet(FrameHead { layer: Layer(7), discardable: true, ..head(TrackKind::Screen, 9, 2) }, 1, b"picture"),
    ];
    Case::new(valid, |input| {
        if let Ok((descriptor, content)) = Descriptor::split(input) {
            assert_eq!([&descriptor.to_bytes()[..], content].concat(), input);
        }
    })
}

/// A stream of packets, each after its kind (even: as it is, odd: a frame that the other member seals, the head in
/// front of the plaintext) and its length in two bytes.
fn stream(packets: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let length = |packet: &Vec<u8>| u16::try_from(packet.len()).unwrap().to_be_bytes();
    packets.iter().flat_map(|(kind, packet)| [&[*kind][..], &length(packet), packet].concat()).collect()
}

/// Reassembly, decryption, frame content, proofs: nothing that comes by the media path ends a session.
pub(super) fn packets() -> Case {
    let mut stage = Stage::new();
    let proof = [&[0; 8][..], &[1, 0, 1, 0, 0, 0, 0], &[9; 8], &[5; 64]].concat();
    let plaintext = |proof: &[u8]| {
        let length = u16::try_from(proof.len()).unwrap().to_be_bytes();
        [&[0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0][..], &length, proof, b"bitstream"].concat()
    };
    let sealed = |track, number, proof: &[u8]| (1, packet(head(track, number, 1), 0, &plaintext(proof)));
    let valid = vec![
        stream(&[sealed(TrackKind::Microphone, 0, b""), sealed(TrackKind::Microphone, 1, &proof)]),
        stream(&[
            sealed(TrackKind::Camera, 0, b""),
            sealed(TrackKind::Camera, 1, b""),
            sealed(TrackKind::Camera, 3, b""),
        ]),
        stream(&(0..4).map(|index| (0, packet(head(TrackKind::Camera, 9, 4), index, &[7; 100]))).collect::<Vec<_>>()),
        stream(
            &(0..9).map(|number| (0, packet(head(TrackKind::Screen, number * 999, 1024), 1, b"x"))).collect::<Vec<_>>(),
        ),
        stream(&[(0, packet(FrameHead { sender: PeerId(99), ..head(TrackKind::Camera, 0, 1) }, 0, &[1; 40]))]),
    ];
    Case::new(valid, move |mut input| {
        while let Some((&[kind, high, low], rest)) = input.split_first_chunk::<3>() {
            let (packet, after) = rest.split_at(usize::from(u16::from_be_bytes([high, low])).min(rest.len()));
            input = after;
            match Descriptor::split(packet) {
                Ok((descriptor, plaintext)) if kind % 2 == 1 => stage.frame(descriptor.head, plaintext),
                Ok(_) | Err(_) => stage.packet(Slot::Video(kind / 2 % 4), packet),
            }
        }
        for _ in 0..4 {
            stage.pass(Duration::from_millis(10));
        }
        assert_eq!(stage.ended, None);
    })
}
