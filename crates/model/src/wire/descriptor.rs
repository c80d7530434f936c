//! The clear descriptor in front of each media packet.
//!
//! A frame is encrypted whole, cut into packets, and each packet carries this: what a relay needs to forward and a
//! receiver to put the frame together again. The part that is the same in all packets of a frame, [`FrameHead`], is
//! additional authenticated data of the frame's encryption, so a relay that alters it makes the frame fail to open.
//! Compare draft-ietf-avtcore-rtp-sframe and the RTP dependency descriptor.

use crate::{Layer, PeerId, TrackKind};

/// What the clear says about one frame; the same in each of its packets, and authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FrameHead {
    /// The sender's number at its relay. It routes; who really sent is said by the SFrame key id.
    pub sender: PeerId,
    /// Which of the sender's tracks.
    pub track: TrackKind,
    /// Which encoding of the track.
    pub layer: Layer,
    /// Counts the frames of this sender, track and layer, one by one; wraps.
    pub number: u32,
    /// Whether a decoder can begin with it.
    pub key: bool,
    /// Whether no other frame needs it.
    pub discardable: bool,
    /// How many packets the frame is cut into, from 1.
    pub packets: u16,
}

/// What stands in front of one packet's payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// The frame that the packet belongs to.
    pub head: FrameHead,
    /// Which packet of the frame, from 0; from [`FrameHead::packets`] on, one that makes up for a lost one of these.
    pub index: u16,
}

/// Why bytes are no descriptor. The packet is dropped and counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DescriptorError {
    /// Too few bytes.
    #[error("{0} bytes, a descriptor has {LENGTH}", LENGTH = Descriptor::LENGTH)]
    Short(usize),
    /// A version that nobody here speaks.
    #[error("version {0}, known is 1")]
    Version(u8),
    /// Bits that must be zero.
    #[error("reserved flags {0:#04x}")]
    Flags(u8),
    /// A track code that stands for nothing.
    #[error("track code {0}")]
    Track(u8),
    /// A layer past the highest.
    #[error("layer {0}")]
    Layer(u8),
    /// A packet outside its frame, and none that makes up for one inside.
    #[error("packet {index} of {packets}")]
    Index {
        /// From 0.
        index: u16,
        /// How many the frame has.
        packets: u16,
    },
}

const VERSION: u8 = 1;
const KEY: u8 = 0b10;
const DISCARDABLE: u8 = 0b01;

impl FrameHead {
    /// Bytes of the authenticated part.
    pub const LENGTH: usize = 11;
    /// The most packets a frame may have: about 1.1 MB, several times the largest key frame that our encoder makes.
    pub const MAX_PACKETS: u16 = 1024;
    /// The highest layer.
    pub const MAX_LAYER: u8 = 7;

    /// The bytes that each packet of the frame begins with, big-endian.
    pub fn to_bytes(&self) -> [u8; Self::LENGTH] {
        let flags = if self.key { KEY } else { 0 } | if self.discardable { DISCARDABLE } else { 0 };
        let mut bytes = [0; Self::LENGTH];
        bytes[0] = VERSION << 4 | flags;
        bytes[1] = self.track.code();
        bytes[2] = self.layer.0;
        bytes[3..5].copy_from_slice(&self.sender.0.to_be_bytes());
        bytes[5..9].copy_from_slice(&self.number.to_be_bytes());
        bytes[9..11].copy_from_slice(&self.packets.to_be_bytes());
        bytes
    }
}

impl Descriptor {
    /// Bytes in front of each packet's payload.
    pub const LENGTH: usize = FrameHead::LENGTH + 2;

    /// Which of the packets that make up for lost ones it is, from 0; `None` for one of the frame itself. There are no
    /// more of them than the frame has packets.
    pub fn repair(&self) -> Option<u16> {
        self.index.checked_sub(self.head.packets)
    }

    /// Whether the packet begins its frame.
    pub fn is_first(&self) -> bool {
        self.index == 0
    }

    /// Whether the packet ends its frame.
    pub fn is_last(&self) -> bool {
        self.index + 1 == self.head.packets
    }

    /// The bytes in front of the payload.
    pub fn to_bytes(&self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        bytes[..FrameHead::LENGTH].copy_from_slice(&self.head.to_bytes());
        bytes[FrameHead::LENGTH..].copy_from_slice(&self.index.to_be_bytes());
        bytes
    }

    /// Splits a packet into its descriptor and its payload.
    ///
    /// # Errors
    /// A [`DescriptorError`] for anything that [`Self::to_bytes`] could not have written; nothing is guessed.
    pub fn split(packet: &[u8]) -> Result<(Self, &[u8]), DescriptorError> {
        let Some((bytes, payload)) = packet.split_first_chunk::<{ Self::LENGTH }>() else {
            return Err(DescriptorError::Short(packet.len()));
        };
        let &[first, track, layer, s0, s1, n0, n1, n2, n3, p0, p1, i0, i1] = bytes;
        if first >> 4 != VERSION {
            return Err(DescriptorError::Version(first >> 4));
        }
        let flags = first & 0x0f;
        if flags & !(KEY | DISCARDABLE) != 0 {
            return Err(DescriptorError::Flags(flags));
        }
        if layer > FrameHead::MAX_LAYER {
            return Err(DescriptorError::Layer(layer));
        }
        let packets = u16::from_be_bytes([p0, p1]);
        let index = u16::from_be_bytes([i0, i1]);
        if packets > FrameHead::MAX_PACKETS || index >= packets * 2 {
            return Err(DescriptorError::Index { index, packets });
        }
        let head = FrameHead {
            sender: PeerId(u16::from_be_bytes([s0, s1])),
            track: TrackKind::from_code(track).ok_or(DescriptorError::Track(track))?,
            layer: Layer(layer),
            number: u32::from_be_bytes([n0, n1, n2, n3]),
            key: flags & KEY != 0,
            discardable: flags & DISCARDABLE != 0,
            packets,
        };
        Ok((Self { head, index }, payload))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn descriptor() -> Descriptor {
        Descriptor {
            head: FrameHead {
                sender: PeerId(0x0102),
                track: TrackKind::Screen,
                layer: Layer(2),
                number: 0xdead_beef,
                key: true,
                discardable: false,
                packets: 7,
            },
            index: 6,
        }
    }

    #[test]
    fn a_descriptor_survives_the_wire() {
        let mut packet = descriptor().to_bytes().to_vec();
        packet.extend_from_slice(b"payload");
        assert_eq!(Descriptor::split(&packet), Ok((descriptor(), b"payload".as_slice())));
        assert!(descriptor().is_last());
    }

    #[test]
    fn what_cannot_have_been_written_is_refused() {
        let good = descriptor().to_bytes();
        let broken = |at: usize, value: u8| {
            let mut bytes = good;
            bytes[at] = value;
            Descriptor::split(&bytes).map(|(found, _)| found)
        };
        assert_eq!(Descriptor::split(&good[..12]), Err(DescriptorError::Short(12)));
        assert_eq!(broken(0, 0x20), Err(DescriptorError::Version(2)));
        assert_eq!(broken(0, 0x18), Err(DescriptorError::Flags(8)));
        assert_eq!(broken(1, 9), Err(DescriptorError::Track(9)));
        assert_eq!(broken(2, 8), Err(DescriptorError::Layer(8)));
        assert_eq!(broken(12, 7).map(|found| found.repair()), Ok(Some(0)));
        assert_eq!(broken(12, 14), Err(DescriptorError::Index { index: 14, packets: 7 }));
        assert_eq!(broken(9, 0xff), Err(DescriptorError::Index { index: 6, packets: 0xff07 }));
    }
}
