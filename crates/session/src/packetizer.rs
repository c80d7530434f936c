//! Cutting a sealed frame into packets, and what is inside the seal.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use conclave_model::{
    EncodedFrame, MediaTime,
    wire::{Descriptor, FrameHead},
};
use conclave_transport::MAX_PACKET;

use crate::{proofs::MAX_PROOF, repair};

/// Bytes of ciphertext that a packet has room for; one that makes up for it has to hold as many, and some more.
const CHUNK: usize = MAX_PACKET - Descriptor::LENGTH - repair::PREFIX;

/// Capture time, encoding delay, what it needs and the length of the proof, in front of proof and bitstream.
const PREFIX: usize = 8 + 4 + 1 + 2;

/// Into how many packets a sealed frame of this length is cut; `None` where a frame cannot be so long.
///
/// The number is part of what the seal authenticates, so it is asked for with the length that the seal will have.
pub(crate) fn packets_for(sealed_length: usize) -> Option<u16> {
    let packets = sealed_length.div_ceil(CHUNK).max(1);
    u16::try_from(packets).ok().filter(|packets| *packets <= FrameHead::MAX_PACKETS)
}

/// What is sealed: capture time in µs (8 bytes), encoding delay in µs (4), how many numbers before it the frame stands
/// that it needs (1) and length of the proof (2), big-endian, then the proof of earlier frames, if any (see
/// [`crate::proofs`]), and the bitstream.
pub(crate) fn to_plaintext(frame: &EncodedFrame, proof: &[u8]) -> Vec<u8> {
    const { assert!(MAX_PROOF <= u16::MAX as usize, "the length has 16 bits") };
    debug_assert!(proof.len() <= MAX_PROOF);
    let delay = u32::try_from(frame.encode_delay.as_micros()).unwrap_or(u32::MAX);
    let mut plaintext = Vec::with_capacity(PREFIX + proof.len() + frame.data.len());
    plaintext.extend_from_slice(&frame.time.0.to_be_bytes());
    plaintext.extend_from_slice(&delay.to_be_bytes());
    plaintext.push(frame.back);
    plaintext.extend_from_slice(&u16::try_from(proof.len()).unwrap_or_default().to_be_bytes());
    plaintext.extend_from_slice(proof);
    plaintext.extend_from_slice(&frame.data);
    plaintext
}

/// Reads what was sealed under this head: the frame and its proof, which may be empty. `None` where it is too short, or
/// where a key frame needs another.
pub(crate) fn from_plaintext(plaintext: Vec<u8>, head: &FrameHead) -> Option<(EncodedFrame, Bytes)> {
    let FrameHead { key, layer, discardable, .. } = *head;
    let (time, rest) = plaintext.split_first_chunk::<8>()?;
    let (delay, rest) = rest.split_first_chunk::<4>()?;
    let ([back], rest) = rest.split_first_chunk::<1>()?;
    let (length, rest) = rest.split_first_chunk::<2>()?;
    let end = PREFIX + usize::from(u16::from_be_bytes(*length));
    let back = *back;
    if end > PREFIX + rest.len() || (key && back != 0) {
        return None;
    }
    let time = MediaTime(u64::from_be_bytes(*time));
    let encode_delay = Duration::from_micros(u64::from(u32::from_be_bytes(*delay)));
    let plaintext = Bytes::from(plaintext);
    let (proof, data) = (plaintext.slice(PREFIX..end), plaintext.slice(end..));
    Some((EncodedFrame { time, encode_delay, key, layer, discardable, back, data }, proof))
}

/// Cuts a sealed frame into `head.packets` packets of nearly the same size, followed by so many that make up for lost
/// ones.
///
/// The caller took `head.packets` from [`packets_for`], so that each packet is within [`MAX_PACKET`] and none is empty.
pub(crate) fn cut(head: FrameHead, sealed: &[u8], repairs: u16) -> impl Iterator<Item = Arc<[u8]>> {
    let repairs = repairs.min(head.packets);
    let packet = move |index: u16, payload: &[u8]| -> Arc<[u8]> {
        Descriptor { head, index }.to_bytes().iter().chain(payload).copied().collect()
    };
    let own = (0..).zip(chunks(head.packets, sealed)).map(move |(index, chunk)| packet(index, chunk));
    let repair = (0..repairs).map(move |which| {
        let payload = repair::make(chunks(head.packets, sealed), which, repairs);
        packet(head.packets + which, &payload)
    });
    own.chain(repair)
}

/// So many pieces of nearly the same size.
fn chunks(packets: u16, sealed: &[u8]) -> impl Iterator<Item = &[u8]> {
    let count = usize::from(packets).max(1);
    let (base, longer) = (sealed.len() / count, sealed.len() % count);
    let mut rest = sealed;
    (0..count).map(move |index| {
        let (chunk, after) = rest.split_at(base + usize::from(index < longer));
        rest = after;
        chunk
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use conclave_model::{Layer, PeerId, TrackKind};

    use super::*;

    fn head(packets: u16) -> FrameHead {
        FrameHead {
            sender: PeerId(3),
            track: TrackKind::Camera,
            layer: Layer(0),
            number: 9,
            key: true,
            discardable: false,
            packets,
        }
    }

    #[test]
    fn every_length_is_cut_into_the_promised_number_of_packets_within_the_limit() {
        for length in (1..5000).chain([100_000, 1_000_000, CHUNK * 1024]) {
            let packets = packets_for(length).unwrap();
            let sealed: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
            let cut: Vec<_> = cut(head(packets), &sealed, 0).collect();
            assert_eq!(cut.len(), usize::from(packets));
            let mut together = Vec::new();
            for (index, packet) in cut.iter().enumerate() {
                assert!(packet.len() <= MAX_PACKET);
                let (descriptor, chunk) = Descriptor::split(packet).unwrap();
                assert_eq!(usize::from(descriptor.index), index);
                assert!(!chunk.is_empty());
                together.extend_from_slice(chunk);
            }
            assert_eq!(together, sealed);
        }
    }

    #[test]
    fn what_makes_up_for_lost_packets_stays_within_the_limit() {
        for length in [1, CHUNK, CHUNK * 2, CHUNK * 7 - 3] {
            let packets = packets_for(length).unwrap();
            let cut: Vec<_> = cut(head(packets), &vec![7; length], u16::MAX).collect();
            assert_eq!(cut.len(), usize::from(packets) * 2);
            assert!(cut.iter().all(|packet| packet.len() <= MAX_PACKET && Descriptor::split(packet).is_ok()));
        }
    }

    #[test]
    fn a_frame_that_needs_too_many_packets_is_refused() {
        assert_eq!(packets_for(CHUNK * 1024), Some(1024));
        assert_eq!(packets_for(CHUNK * 1024 + 1), None);
        assert_eq!(packets_for(usize::MAX), None);
    }

    #[test]
    fn content_survives_the_plaintext_and_short_ones_are_refused() {
        let frame = EncodedFrame {
            time: MediaTime(123_456_789),
            encode_delay: Duration::from_micros(14_200),
            key: false,
            layer: Layer(2),
            discardable: true,
            back: 3,
            data: Bytes::from_static(b"bitstream"),
        };
        let as_sent = FrameHead { key: false, layer: Layer(2), discardable: true, ..head(1) };
        let read = |plaintext| from_plaintext(plaintext, &as_sent);
        let proof = Bytes::from_static(b"proof");
        assert_eq!(read(to_plaintext(&frame, b"")), Some((frame.clone(), Bytes::new())));
        assert_eq!(read(to_plaintext(&frame, &proof)), Some((frame.clone(), proof)));
        assert_eq!(read(vec![0; 14]), None);
        let (empty, proof) = read(vec![0; 15]).unwrap();
        assert!(empty.data.is_empty() && proof.is_empty());
        let mut longer = to_plaintext(&frame, b"");
        longer[14] = 10;
        assert_eq!(read(longer), None, "a proof that is longer than all that is there");
        let key = FrameHead { key: true, ..as_sent };
        assert_eq!(from_plaintext(to_plaintext(&frame, b""), &key), None, "a key frame that needs another");
    }
}
