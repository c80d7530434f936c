//! A frame of sound together with copies of earlier ones: what is inside the encryption of a sound track.
//!
//! The whole frame is ciphertext on its way, so redundancy in the manner of RFC 2198 would have to be inside anyway; this
//! is its idea without the fields that the encryption's own header has. Big-endian, no padding:
//!
//! ```text
//! header (1 byte)     version (upper 4 bits, 1), zero (2 bits), number of copies (lower 2 bits, 0 to 2)
//! for each copy       distance (1 byte, 1 to 15): how many frames before this one it was
//!                     length in bytes (RFC 6716 section 3.2.1: 1 byte up to 251, else 2; 1 to 1275)
//! the copies          in the same order, the farthest first
//! this frame          to the end, at least 1 byte
//! ```
//!
//! One byte without copies, three for one, five for two. Frames of a track follow each other at a fixed distance in time;
//! a sender does not copy across a gap, so `distance` frames are `distance` × the frame's length.

use bytes::{BufMut, Bytes, BytesMut};

/// A frame and the copies that come with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redundant {
    /// Copies of earlier frames, the farthest first; at most [`Redundant::MAX_COPIES`], each of another frame.
    pub copies: Vec<FrameCopy>,
    /// This frame's bitstream.
    pub frame: Bytes,
}

/// A copy of an earlier frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameCopy {
    /// How many frames before the one it travels with; 1 to [`Redundant::MAX_DISTANCE`].
    pub distance: u8,
    /// Its bitstream; 1 to [`Redundant::MAX_LENGTH`] bytes.
    pub data: Bytes,
}

impl Redundant {
    /// The most copies in one frame.
    pub const MAX_COPIES: usize = 2;

    /// The farthest frame that is copied.
    pub const MAX_DISTANCE: u8 = 15;

    /// The longest copy in bytes.
    pub const MAX_LENGTH: usize = 1275;

    /// The bytes to encrypt. Copies that the format cannot hold are left out, from the farthest on.
    pub fn to_bytes(&self) -> Bytes {
        let mut copies: Vec<&FrameCopy> = Vec::with_capacity(Self::MAX_COPIES);
        for copy in self.copies.iter().rev() {
            let farther = copies.last().is_none_or(|last| copy.distance > last.distance);
            let fits = (1..=Self::MAX_LENGTH).contains(&copy.data.len());
            if farther && fits && (1..=Self::MAX_DISTANCE).contains(&copy.distance) && copies.len() < Self::MAX_COPIES {
                copies.push(copy);
            }
        }
        let total: usize = copies.iter().map(|copy| copy.data.len() + 3).sum();
        let mut bytes = BytesMut::with_capacity(1 + total + self.frame.len());
        bytes.put_u8(VERSION | copies.len() as u8);
        for copy in copies.iter().rev() {
            bytes.put_u8(copy.distance);
            put_length(&mut bytes, copy.data.len());
        }
        for copy in copies.iter().rev() {
            bytes.put_slice(&copy.data);
        }
        bytes.put_slice(&self.frame);
        bytes.freeze()
    }

    /// Reads what was encrypted; `None` for bytes of any other form. Copies nothing, takes any bytes.
    pub fn parse(bytes: &Bytes) -> Option<Self> {
        let header = *bytes.first()?;
        let count = usize::from(header & COUNT);
        if header & !COUNT != VERSION || count > Self::MAX_COPIES {
            return None;
        }
        let mut at = 1;
        let mut heads: [(u8, usize); Self::MAX_COPIES] = [(0, 0); Self::MAX_COPIES];
        let mut nearest = Self::MAX_DISTANCE + 1;
        for head in heads.iter_mut().take(count) {
            let distance = *bytes.get(at)?;
            let (length, used) = length_at(bytes, at + 1)?;
            if !(1..nearest).contains(&distance) {
                return None;
            }
            (nearest, *head, at) = (distance, (distance, length), at + 1 + used);
        }
        let mut copies = Vec::with_capacity(count);
        for (distance, length) in heads.into_iter().take(count) {
            let end = at.checked_add(length).filter(|end| *end < bytes.len())?;
            copies.push(FrameCopy { distance, data: bytes.slice(at..end) });
            at = end;
        }
        let frame = bytes.slice(at..);
        (!frame.is_empty()).then_some(Self { copies, frame })
    }
}

/// The version in the header's upper bits.
const VERSION: u8 = 0x10;

/// The bits of the header that count copies.
const COUNT: u8 = 0x03;

/// RFC 6716 section 3.2.1.
fn put_length(bytes: &mut BytesMut, length: usize) {
    if length < 252 {
        bytes.put_u8(length as u8);
    } else {
        let first = 252 + (length & 3);
        bytes.put_u8(first as u8);
        bytes.put_u8(((length - first) / 4) as u8);
    }
}

/// The length at a place and how many bytes it takes there; `None` for 0 or beyond the end.
fn length_at(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    match *bytes.get(at)? {
        0 => None,
        first @ 1..=251 => Some((usize::from(first), 1)),
        first @ 252.. => Some((usize::from(first) + 4 * usize::from(*bytes.get(at + 1)?), 2)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn data(length: usize, value: u8) -> Bytes {
        Bytes::from(vec![value; length])
    }

    #[test]
    fn a_frame_comes_back_with_its_copies_at_every_length() {
        for length in [1, 2, 250, 251, 252, 253, 254, 255, 256, 700, 1274, 1275] {
            let copies = vec![
                FrameCopy { distance: 3, data: data(length, 1) },
                FrameCopy { distance: 1, data: data(1276 - length, 2) },
            ];
            let all = Redundant { copies, frame: data(80, 3) };
            let bytes = all.to_bytes();
            assert!(bytes.len() <= 1276 + 80 + 7);
            assert_eq!(Redundant::parse(&bytes), Some(all));
        }
        let alone = Redundant { copies: Vec::new(), frame: data(5, 9) };
        assert_eq!(alone.to_bytes().len(), 6);
        assert_eq!(Redundant::parse(&alone.to_bytes()), Some(alone));
    }

    #[test]
    fn copies_that_have_no_place_are_left_out() {
        let copy = |distance, length| FrameCopy { distance, data: data(length, distance) };
        let copies = vec![copy(16, 4), copy(9, 1276), copy(5, 0), copy(4, 4), copy(2, 4), copy(2, 5), copy(1, 4)];
        let parsed = Redundant::parse(&Redundant { copies, frame: data(7, 7) }.to_bytes()).unwrap();
        assert_eq!(parsed.copies, [copy(2, 5), copy(1, 4)]);
    }

    #[test]
    fn other_versions_empty_frames_and_lies_about_lengths_are_refused() {
        let refused = |bytes: &[u8]| assert_eq!(Redundant::parse(&Bytes::copy_from_slice(bytes)), None, "{bytes:?}");
        refused(&[]);
        refused(&[0x10]);
        refused(&[0x20, 1]);
        refused(&[0x14, 1]);
        refused(&[0x13, 3, 1, 2, 1, 1, 1, 0, 0, 0, 0]);
        refused(&[0x11, 1, 1, 7]);
        refused(&[0x11, 1, 0, 7]);
        refused(&[0x11, 0, 1, 7, 7]);
        refused(&[0x11, 16, 1, 7, 7]);
        refused(&[0x11, 1, 255, 255, 7]);
        refused(&[0x11, 1, 252]);
        refused(&[0x12, 1, 1, 2, 1, 7, 7, 7]);
        refused(&[0x12, 1, 1, 1, 1, 7, 7, 7]);
    }

    #[test]
    fn any_bytes_are_refused_or_come_back_the_same() {
        let mut seed = 7_u32;
        let mut next = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            seed >> 16
        };
        let mut taken = 0;
        for _ in 0..20_000 {
            let length = next() as usize % 40;
            let mut bytes: Vec<u8> = (0..length).map(|_| next() as u8 % 20).collect();
            if let Some(first) = bytes.first_mut() {
                *first = VERSION | (next() as u8 & 3);
            }
            let bytes = Bytes::from(bytes);
            if let Some(parsed) = Redundant::parse(&bytes) {
                taken += 1;
                assert_eq!(parsed.to_bytes(), bytes);
            }
        }
        assert!(taken > 100, "{taken}");
    }
}
