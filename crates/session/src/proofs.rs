//! Proofs that frames are their sender's own, against members who forge another's.
//!
//! All members of an epoch can derive each other's frame keys, so a member that colludes with the relay can seal
//! frames in another's name. Therefore each sender signs what it sent: every 200 ms, or 100 ms from 3 % loss on, a frame
//! carries, inside the seal, a *proof*: the hashes of the frames of the last second (of those that no two proofs spoke of,
//! however old they are), signed with the media key of its leaf. Receivers compare with what they opened.
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
//! and another next: what came of the first is proven by frames of the second. They reach back 800 ms.
//!
//! # Frames without content
//! A proof waits for nothing: where no frame of sound carries it within 60 ms, and for pictures always, it goes in a frame
//! of its own, numbered and sealed as any other, with nothing after the proof. So a frame is proven within 260 ms and again
//! within 460 ms, whether its source goes on, pauses or ends; the last words too, by five proofs or ten. Receivers take the
//! proof and hand nothing to a decoder. It is not marked as one that no other frame needs, so a relay that thins passes
//! it on; what it leaves out instead has not carried a proof.
//!
//! # What is found, and when
//! - *Forged*, said once, and the track is never played again: a frame that differs from what a proof says, two frames of
//!   one number, a proof that is wrong in itself, numbers that run backwards: at once, hence within 260 ms of a forged
//!   frame where proofs come through. Also frames without any proof after one second in which at most one frame was lost,
//!   since two would have to be (1.5 s and none, where the relay went on with another layer). What is lost is known
//!   by the numbers: a frame that was overtaken is lost until it comes.
//! - *Held*, said as such, and given out again with the next proof: where something was given out for a second and no
//!   proof has spoken of it, whatever the reason is, loss included. A proof reaches as far back as that second, so whoever
//!   keeps back all the proofs that speak of a forged frame has the track held; who lets one through is found. Where
//!   frames are delayed against proofs, so that one comes that passes over what was given out, the track is held too, and
//!   what comes after frames that were sent later and are proven is not given out at all.
//! - Where loss explains that proofs are missing, absence is weighed besides: each missing one counts the logarithm of
//!   the share that is lost, and 24 in all (a chance below one in ten million) is called forged.
//!
//! So whatever the relay does, no second is given out that nobody proved; less than one is, each time before the track is
//! held, and the person sees it.
//!
//! An honest sender must not be called forged, which would silence them for good: where both explanations are left, loss
//! it is.
//!
//! # How often an honest track is held
//! A hold takes five proofs in a row that are lost, ten where the sender knows of 3 % loss; it does on the way to the
//! relay, not of the receiver's. A minute's chance (the example `proofs` works it out), if each lost packet is asked for
//! again, at most five times within the second that is left, as transports here do, and if nothing is:
//!
//! | lost | knows, asked again at 100 ms | at 250 ms | never | does not know, 100 ms | 250 ms | never |
//! | --- | --- | --- | --- | --- | --- | --- |
//! | 5 % | 0 | 0 | 6e-11 | 7e-19 | 8e-11 | 9e-5 |
//! | 10 % | 0 | 3e-17 | 6e-8 | 2e-13 | 1e-7 | 3e-3 |
//! | 20 % | 3e-18 | 1e-10 | 6e-5 | 6e-8 | 2e-4 | 0.1 |
//! | 20 % in bursts of 3 | 3e-17 | 9e-10 | 5e-4 | 6e-8 | 2e-4 | 0.1 |
//! | 30 % | 6e-12 | 6e-7 | 4e-3 | 6e-5 | 0.01 | 0.7 |
//! | 50 % | 1e-4 | 0.01 | 0.6 | 0.2 | 2 | 9 |
//!
//! A line that is cut for a second holds every track of it; each goes on 200 ms after it is back.
//!
//! # What it costs
//! A second, the two bytes of the length in each frame included, and the 15 inside a frame without content, but not the
//! some 80 around each such frame (the test `proofs_cost_what_the_documentation_says` and the example `proofs`, the latter
//! in a development build on a busy machine, medians of eight runs, as a rule and from 3 % loss on):
//!
//! | track | bytes as a rule | from 3 % loss on | to make | to check |
//! | --- | --- | --- | --- | --- |
//! | microphone alone, 50 frames of 120 bytes | 2,475 (20 kbit/s) | 4,854 | 0.1 ms, 0.2 ms | 0.4 ms, 0.8 ms |
//! | camera, one layer, 30 pictures of 6 kB | 1,956 (16 kbit/s) | 4,250 | 0.3 ms, 0.4 ms | 0.6 ms, 0.8 ms |
//! | camera, three layers, each | 4,357 (35 kbit/s) | | 0.4 ms | 0.6 ms |

mod lane;
mod receiver;
mod sender;
#[cfg(test)]
mod tests;

use std::time::Duration;

use conclave_model::{Epoch, Layer, TrackKind, wire::FrameHead};
use sha2::{Digest, Sha256};

pub use receiver::{Change, Checker, Forgery, Opened, Verdict};
pub use sender::Prover;

/// An Ed25519 signature (RFC 8032).
pub type Signature = [u8; 64];

/// Proofs of one layer come this often while there is something to prove; twice as often where much is lost.
const INTERVAL: Duration = Duration::from_millis(200);

/// For how long what is given out may lack a proof: then nothing more is, until one comes.
const HOLD: Duration = Duration::from_millis(1000);

/// How far back a proof reaches. As far as a track may go on without one: whoever holds back all the proofs that speak of
/// a forged frame holds back so many that the track is held.
const REACH: Duration = HOLD;

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
