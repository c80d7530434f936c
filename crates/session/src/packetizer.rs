//! Cutting a sealed frame into packets, and what is inside the seal.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use conclave_model::{
    EncodedFrame, Layer, MediaTime,
    wire::{Descriptor, FrameHead},
};
use conclave_transport::MAX_PACKET;

/// Bytes of ciphertext that a packet has room for.
const CHUNK: usize = MAX_PACKET - Descriptor::LENGTH;

/// Capture time and encoding delay, in front of the bitstream.
const PREFIX: usize = 8 + 4;

/// Into how many packets a sealed frame of this length is cut; `None` where a frame cannot be so long.
///
/// The number is part of what the seal authenticates, so it is asked for with the length that the seal will have.
pub(crate) fn packets_for(sealed_length: usize) -> Option<u16> {
    let packets = sealed_length.div_ceil(CHUNK).max(1);
    u16::try_from(packets).ok().filter(|packets| *packets <= FrameHead::MAX_PACKETS)
}

/// What is sealed: capture time in µs (8 bytes) and encoding delay in µs (4), big-endian, then the bitstream.
pub(crate) fn to_plaintext(frame: &EncodedFrame) -> Vec<u8> {
    let delay = u32::try_from(frame.encode_delay.as_micros()).unwrap_or(u32::MAX);
    let mut plaintext = Vec::with_capacity(PREFIX + frame.data.len());
    plaintext.extend_from_slice(&frame.time.0.to_be_bytes());
    plaintext.extend_from_slice(&delay.to_be_bytes());
    plaintext.extend_from_slice(&frame.data);
    plaintext
}

/// Reads what was sealed; `None` where it is too short.
pub(crate) fn from_plaintext(plaintext: Vec<u8>, key: bool, layer: Layer) -> Option<EncodedFrame> {
    let (time, rest) = plaintext.split_first_chunk::<8>()?;
    let (delay, _) = rest.split_first_chunk::<4>()?;
    let time = MediaTime(u64::from_be_bytes(*time));
    let encode_delay = Duration::from_micros(u64::from(u32::from_be_bytes(*delay)));
    let data = Bytes::from(plaintext).slice(PREFIX..);
    Some(EncodedFrame { time, encode_delay, key, layer, data })
}

/// Cuts a sealed frame into `head.packets` packets of nearly the same size.
///
/// The caller took `head.packets` from [`packets_for`], so that each packet is within [`MAX_PACKET`] and none is empty.
pub(crate) fn cut(head: FrameHead, sealed: &[u8]) -> impl Iterator<Item = Arc<[u8]>> {
    let count = usize::from(head.packets).max(1);
    let (base, longer) = (sealed.len() / count, sealed.len() % count);
    let mut rest = sealed;
    (0..head.packets).map(move |index| {
        let length = base + usize::from(usize::from(index) < longer);
        let (chunk, after) = rest.split_at(length);
        rest = after;
        Descriptor { head, index }.to_bytes().iter().chain(chunk).copied().collect()
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use conclave_model::{PeerId, TrackKind};

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
            let cut: Vec<_> = cut(head(packets), &sealed).collect();
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
            key: true,
            layer: Layer(2),
            data: Bytes::from_static(b"bitstream"),
        };
        assert_eq!(from_plaintext(to_plaintext(&frame), true, Layer(2)), Some(frame));
        assert_eq!(from_plaintext(vec![0; 11], true, Layer(2)), None);
        assert!(from_plaintext(vec![0; 12], true, Layer(2)).unwrap().data.is_empty());
    }
}
