//! Proofs that frames are their sender's own, against members who forge another's.
//!
//! All members of an epoch can derive each other's frame keys, so a member that colludes with the relay can seal
//! frames in another's name. Therefore each sender signs what it sent: at least every 300 ms a frame carries, inside
//! the seal, a *proof*: the hashes of the frames of the last 600 ms (of those that no two proofs spoke of, however old
//! they are), signed with the media key of its leaf. Receivers compare with what they opened.
//!
//! ```text
//! proof     = epoch:u64 sections:u8 section* signature:64
//! section   = layer:u8 count:u8 first:u32 hash:8*          numbers first, first+1, … of one layer
//! hash      = first 8 bytes of SHA-256(frame head ‖ sealed frame)
//! signed    = "frames" ‖ track code:u8 ‖ sections:u8 section*, with meeting, epoch and leaf added by the group
//! ```
//!
//! Layers stand in ascending order. The section of the frame's own layer ends with the frame before it, so that a
//! proof is worth nothing in any other frame. The other sections are there because a relay may pass on one layer now
//! and another next: what came of the first is proven by frames of the second. They reach back 1 s.
//!
//! # What is found, and when
//! - A frame that differs from what a proof says, two frames of one number, a proof that is wrong in itself, numbers
//!   that run backwards: at once, hence within 300 ms of a forged frame where proofs come through.
//! - Proofs that do not come: after 1.5 s in which at most one frame was lost, since two frames would have to be (one,
//!   where the relay went on with another layer). What is lost is known by the numbers: a frame that was overtaken is
//!   lost until it comes, and what lies between a frame and those that overtook it may have carried its proofs. Where
//!   more is lost, by chance or by the relay's doing, absence is weighed: each missing proof counts the logarithm of
//!   the share that is lost, and 24 in all (a chance below one in ten million) is called forged. A run without any
//!   proof ends so after about 3 s at 5 % loss, 4 s at 10 %, 6 s at 30 % and 11 s at 50 %.
//! - Not found: less than 1.5 s of frames on a track whose owner sends nothing on it afterwards (a relay can always make
//!   the last words vanish), and single gaps of 300 ms that a relay buys with as much visible loss as would explain
//!   them.
//!
//! Time is that in which frames flow: a pause of the sender proves nothing and costs nothing. It is the receiver's, by
//! which frames may come more slowly than they were sent while a queue fills up; hence 1.5 s, though an honest frame's
//! second proof is sent after 600 ms as a rule, and 1.4 s where the sender pauses before both.
//!
//! An honest sender must not be called forged, which would silence them: where both explanations are left, loss it is.
//!
//! # What it costs
//! A second, the two bytes of the length in each frame included (the test `proofs_cost_what_the_documentation_says` and
//! the example `proofs`, the latter in a development build on a busy machine):
//!
//! | track | bytes as a rule | from 3 % loss on | to make | to check |
//! | --- | --- | --- | --- | --- |
//! | microphone alone, 50 frames of 120 bytes | 1,265 (10 kbit/s) | 2,427 | 0.21 ms | 0.35 ms |
//! | camera, one layer, 30 pictures of 6 kB | 826 (7 kbit/s) | 1,785 | 0.48 ms | 0.55 ms |
//! | camera, three layers, each | 2,502 (20 kbit/s) | | | |

mod receiver;
mod sender;
#[cfg(test)]
mod tests;

use std::time::Duration;

use conclave_model::{Epoch, Layer, TrackKind, wire::FrameHead};
use sha2::{Digest, Sha256};

pub use receiver::{Checker, Forgery};
pub use sender::Prover;

/// An Ed25519 signature (RFC 8032).
pub type Signature = [u8; 64];

/// Proofs of one layer come at least this often while frames flow.
const INTERVAL: Duration = Duration::from_millis(300);

/// How far back a proof reaches, so that each frame is proven at least twice.
const REACH: Duration = Duration::from_millis(600);

/// A longer pause between two frames counts as this long.
const PAUSE: Duration = Duration::from_millis(400);

/// The most hashes in a section: more than any source has frames in [`REACH`].
const MAX_HASHES: usize = 128;

/// The most sections: one for each layer.
const MAX_SECTIONS: usize = FrameHead::MAX_LAYER as usize + 1;

/// The longest proof, in bytes.
pub const MAX_PROOF: usize = 8 + 1 + MAX_SECTIONS * (6 + 8 * MAX_HASHES) + 64;

/// Short name of a sealed frame. 64 bits withstand a second preimage; there is no gain in a collision, since both
/// frames would be the signer's own.
type Hash = [u8; 8];

/// The hash of a frame as it is on the wire.
fn hash(head: &FrameHead, sealed: &[u8]) -> Hash {
    // The head as well: under a known key other authenticated data can be found for the same ciphertext and tag.
    let digest = Sha256::new().chain_update(head.to_bytes()).chain_update(sealed).finalize();
    let mut short = Hash::default();
    short.copy_from_slice(&digest[..size_of::<Hash>()]);
    short
}

/// Consecutive frames of one layer.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Section {
    layer: Layer,
    first: u32,
    hashes: Vec<Hash>,
}

impl Section {
    fn numbered(&self) -> impl Iterator<Item = (u32, Hash)> {
        (0..).zip(&self.hashes).map(|(nth, hash)| (self.first.wrapping_add(nth), *hash))
    }

    /// The number after the last.
    fn end(&self) -> u32 {
        (0..).zip(&self.hashes).last().map_or(self.first, |(nth, _): (u32, _)| self.first.wrapping_add(nth + 1))
    }
}

/// A proof as it is carried.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Proof {
    epoch: Epoch,
    sections: Vec<Section>,
    signature: Signature,
}

/// What is signed of the frames of one track.
fn statement(track: TrackKind, sections: &[Section]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(16 + sections.iter().map(|section| 6 + 8 * section.hashes.len()).sum::<usize>());
    bytes.extend_from_slice(b"frames");
    bytes.push(track.code());
    write_sections(&mut bytes, sections);
    bytes
}

fn write_sections(bytes: &mut Vec<u8>, sections: &[Section]) {
    bytes.push(u8::try_from(sections.len()).unwrap_or(u8::MAX));
    for Section { layer, first, hashes } in sections {
        bytes.push(layer.0);
        bytes.push(u8::try_from(hashes.len()).unwrap_or(u8::MAX));
        bytes.extend_from_slice(&first.to_be_bytes());
        bytes.extend(hashes.iter().flatten());
    }
}

impl Proof {
    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.epoch.0.to_be_bytes().to_vec();
        write_sections(&mut bytes, &self.sections);
        bytes.extend_from_slice(&self.signature);
        bytes
    }

    /// Reads what [`Self::to_bytes`] wrote; `None` for anything that it could not have written.
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (epoch, rest) = bytes.split_first_chunk::<8>()?;
        let (count, mut rest) = rest.split_first()?;
        let count = usize::from(*count);
        if !(1..=MAX_SECTIONS).contains(&count) {
            return None;
        }
        let mut sections: Vec<Section> = Vec::with_capacity(count);
        for _ in 0..count {
            let (&[layer, hashes, f0, f1, f2, f3], after) = rest.split_first_chunk::<6>()?;
            let length = usize::from(hashes);
            let in_order = sections.last().is_none_or(|before| before.layer.0 < layer);
            if layer > FrameHead::MAX_LAYER || !in_order || !(1..=MAX_HASHES).contains(&length) {
                return None;
            }
            let (hashes, after) = after.split_at_checked(length * size_of::<Hash>())?;
            let hashes = hashes.as_chunks().0.to_vec();
            sections.push(Section { layer: Layer(layer), first: u32::from_be_bytes([f0, f1, f2, f3]), hashes });
            rest = after;
        }
        let signature = rest.try_into().ok()?;
        Some(Self { epoch: Epoch(u64::from_be_bytes(*epoch)), sections, signature })
    }
}
