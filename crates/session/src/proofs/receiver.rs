//! The receiver's side: compares what was opened with what its sender signed.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use conclave_model::{Epoch, Layer, LeafIndex, TrackKind, wire::FrameHead};

use super::{Hash, INTERVAL, MAX_PROOF, PAUSE, Proof, Section, Signature, hash, statement};

/// A frame that no proof speaks of after frames flowed for this long is judged.
const DEADLINE: Duration = Duration::from_millis(1000);

/// With so many frames lost since, one of the two proofs that every frame has must have come.
const EXCUSED_ABOVE: u64 = 1;

/// A larger step ahead is a pause of the relay's, not loss.
const LONGEST_LOSS: u32 = 64;

/// No honest frame is further behind the newest: 2.5 s of the fastest source, twice what reassembly waits.
const FURTHEST_BEHIND: u32 = 256;

/// How many unproven frames of a layer are remembered: 10 s of the fastest source, more than any honest one leaves.
const MAX_UNPROVEN: usize = 1024;

/// How many proven hashes of a layer are remembered, for frames that come after their proof.
const MAX_PROVEN: usize = 256;

/// What missing proofs may add up to, in natural units of improbability, and how much each proof takes away.
const SUSPICION: f64 = 24.0;
const RELIEF: f64 = 1.2;

/// How slowly the measured loss forgets, in frames, and the least that is assumed: loss comes in bursts.
const LOSS_MEMORY: f64 = 128.0;
const LEAST_LOSS: f64 = 0.02;

/// Why frames in the name of a member are not the member's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Forgery {
    /// A frame is another than the one that the member signed.
    #[error("a frame is not the one that its sender signed")]
    Contradicted,
    /// Two frames have the same number.
    #[error("two frames have one number")]
    Twice,
    /// A frame's number is far behind the newest.
    #[error("the numbers of the frames run backwards")]
    Backwards,
    /// A proof that no sender writes, or in a frame that it was not made for.
    #[error("a proof has no valid form or is not of the frame that carries it")]
    Malformed,
    /// A proof that the member did not sign.
    #[error("a proof is not signed by the sender")]
    Signature,
    /// Frames that no proof speaks of, though nothing was lost that could have carried one.
    #[error("frames are not proven")]
    Unproven,
    /// So many proofs are missing that chance cannot be why.
    #[error("more proofs are missing than loss explains")]
    Withheld,
    /// It was found before.
    #[error("the track has been forged before")]
    Before,
}

/// Checks the frames of all other members.
///
/// Memory is bounded: at most 48 kB for each layer of each track of each member.
#[derive(Debug, Default)]
pub struct Checker {
    tracks: BTreeMap<(LeafIndex, TrackKind), Track>,
}

/// One track of one member.
#[derive(Debug, Default)]
struct Track {
    lanes: BTreeMap<Layer, Lane>,
    /// How long frames have flowed.
    flow: Duration,
    last: Option<Instant>,
    /// Frames that never came.
    lost: u64,
    forged: bool,
}

/// One layer of a track.
#[derive(Debug, Default)]
struct Lane {
    newest: Option<u32>,
    /// Each frame that came in order, and how many of the track were lost by then.
    seen: VecDeque<(u32, u64)>,
    /// In the order of opening.
    unproven: VecDeque<Unproven>,
    /// In the order of numbers.
    proven: VecDeque<(u32, Hash)>,
    /// How long frames have flowed since the last proof.
    silent: Duration,
    last: Option<Instant>,
    suspicion: f64,
    /// Frames lost and received of late.
    missed: f64,
    came: f64,
}

/// An opened frame that no proof has spoken of yet.
#[derive(Clone, Copy, Debug)]
struct Unproven {
    number: u32,
    hash: Hash,
    /// The track's flow at its opening.
    flow: Duration,
    /// The track's lost frames before it.
    lost: u64,
}

impl Checker {
    /// Takes in an opened frame and the proof that it carries, if it is not empty. An error means that the track is
    /// forged from here on: the frame and all that follow are to be dropped.
    ///
    /// `verify` says whether the member signed a statement for an epoch; it is asked at most once, about 60 µs.
    ///
    /// # Errors
    /// A [`Forgery`].
    pub fn check(
        &mut self,
        leaf: LeafIndex,
        head: &FrameHead,
        sealed: &[u8],
        proof: &[u8],
        verify: impl FnOnce(Epoch, &[u8], &Signature) -> bool,
        now: Instant,
    ) -> Result<(), Forgery> {
        let track = self.tracks.entry((leaf, head.track)).or_default();
        if track.forged {
            return Err(Forgery::Before);
        }
        let result = track.check(head, sealed, proof, verify, now);
        if result.is_err() {
            *track = Track { forged: true, ..Track::default() };
        }
        result
    }

    /// Forgets a member who went; the leaf may be another's soon.
    pub fn forget(&mut self, leaf: LeafIndex) {
        self.tracks.retain(|(other, _), _| *other != leaf);
    }

    /// How many frames are remembered as not proven.
    #[cfg(test)]
    pub(super) fn unproven(&self) -> usize {
        self.tracks.values().flat_map(|track| track.lanes.values()).map(|lane| lane.unproven.len()).sum()
    }
}

impl Track {
    fn check(
        &mut self,
        head: &FrameHead,
        sealed: &[u8],
        proof: &[u8],
        verify: impl FnOnce(Epoch, &[u8], &Signature) -> bool,
        now: Instant,
    ) -> Result<(), Forgery> {
        let elapsed = elapsed(&mut self.last, now);
        self.flow += elapsed;
        if elapsed == PAUSE {
            // The relay may have passed on nothing for a while, and goes on with another layer.
            self.lanes
                .iter_mut()
                .filter(|(layer, _)| **layer != head.layer)
                .for_each(|(_, lane)| lane.unproven.clear());
        }
        let lane = self.lanes.entry(head.layer).or_default();
        lane.silent += self::elapsed(&mut lane.last, now);
        self.lost = self.lost.saturating_add_signed(lane.count(head.number)?);
        let lost = lane.lost_before(head.number, self.lost);
        lane.note(head.number, hash(head, sealed), self.flow, lost)?;
        if !proof.is_empty() {
            self.take_proof(head, proof, verify)?;
        }
        self.judge()
    }

    /// Compares what was opened with what is proven.
    fn take_proof(
        &mut self,
        carrier: &FrameHead,
        bytes: &[u8],
        verify: impl FnOnce(Epoch, &[u8], &Signature) -> bool,
    ) -> Result<(), Forgery> {
        let proof = Some(bytes).filter(|bytes| bytes.len() <= MAX_PROOF).and_then(Proof::from_bytes);
        let Some(Proof { epoch, sections, signature }) = proof else { return Err(Forgery::Malformed) };
        let ends_before = |section: &Section| section.layer == carrier.layer && section.end() == carrier.number;
        if !sections.iter().any(ends_before) {
            return Err(Forgery::Malformed);
        }
        if !verify(epoch, &statement(carrier.track, &sections), &signature) {
            return Err(Forgery::Signature);
        }
        for section in &sections {
            let Some(lane) = self.lanes.get_mut(&section.layer) else { continue };
            section.numbered().try_for_each(|(number, hash)| lane.prove(number, hash))?;
        }
        if let Some(lane) = self.lanes.get_mut(&carrier.layer) {
            lane.suspicion = (lane.improbability() - RELIEF).max(0.0);
            lane.silent = Duration::ZERO;
        }
        Ok(())
    }

    /// Whether what is not proven by now can be honest.
    fn judge(&mut self) -> Result<(), Forgery> {
        for lane in self.lanes.values_mut() {
            let (flow, lost) = (self.flow, self.lost);
            while let Some(oldest) = lane.unproven.pop_front_if(|frame| frame.flow + DEADLINE <= flow) {
                if lost.saturating_sub(oldest.lost) <= EXCUSED_ABOVE {
                    return Err(Forgery::Unproven);
                }
            }
            if lane.unproven.len() > MAX_UNPROVEN || lane.improbability() > SUSPICION {
                return Err(Forgery::Withheld);
            }
        }
        Ok(())
    }
}

impl Lane {
    /// Follows the numbers; returns how many more frames (or fewer, where one is late) are lost.
    fn count(&mut self, number: u32) -> Result<i64, Forgery> {
        self.came += 1.0;
        let Some(newest) = self.newest else {
            self.newest = Some(number);
            return Ok(0);
        };
        let (ahead, behind) = (number.wrapping_sub(newest), newest.wrapping_sub(number));
        let lost = if ahead <= u32::MAX / 2 {
            self.newest = Some(number);
            if ahead > LONGEST_LOSS {
                self.unproven.clear();
            }
            if ahead <= LONGEST_LOSS { i64::from(ahead) - 1 } else { 0 }
        } else if behind <= FURTHEST_BEHIND {
            -1
        } else {
            return Err(Forgery::Backwards);
        };
        #[expect(clippy::cast_precision_loss, reason = "at most 64")]
        let lost_now = lost as f64;
        self.missed = (self.missed + lost_now).max(0.0);
        let scale = 1.0 - 1.0 / LOSS_MEMORY;
        (self.missed, self.came) = (self.missed * scale, self.came * scale);
        // The same number again is no late frame; `note` finds it.
        Ok(if ahead == 0 { 0 } else { lost })
    }

    /// How many frames of the track were lost before this one, which is the newest or a late one; `lost` is how many
    /// are by now.
    fn lost_before(&mut self, number: u32, lost: u64) -> u64 {
        if self.newest != Some(number) {
            let is_before = |(other, _): &&(u32, u64)| (1..=FURTHEST_BEHIND).contains(&number.wrapping_sub(*other));
            return self.seen.iter().rev().find(is_before).map_or(0, |(_, lost)| *lost);
        }
        self.seen.push_back((number, lost));
        if self.seen.len() > FURTHEST_BEHIND as usize {
            self.seen.pop_front();
        }
        lost
    }

    /// Remembers an opened frame until it is proven.
    fn note(&mut self, number: u32, hash: Hash, flow: Duration, lost: u64) -> Result<(), Forgery> {
        if let Some((_, proven)) = self.proven.iter().rev().find(|(other, _)| *other == number) {
            return if *proven == hash { Ok(()) } else { Err(Forgery::Contradicted) };
        }
        if self.unproven.iter().any(|frame| frame.number == number) {
            return Err(Forgery::Twice);
        }
        self.unproven.push_back(Unproven { number, hash, flow, lost });
        Ok(())
    }

    /// The sender signed that it sent this frame.
    fn prove(&mut self, number: u32, hash: Hash) -> Result<(), Forgery> {
        if let Some(at) = self.unproven.iter().position(|frame| frame.number == number) {
            let opened = self.unproven.remove(at);
            if opened.is_some_and(|frame| frame.hash != hash) {
                return Err(Forgery::Contradicted);
            }
        }
        let is_new = |(newest, _): &(u32, Hash)| (1..=u32::MAX / 2).contains(&number.wrapping_sub(*newest));
        if self.proven.back().is_none_or(is_new) {
            self.proven.push_back((number, hash));
            if self.proven.len() > MAX_PROVEN {
                self.proven.pop_front();
            }
        }
        Ok(())
    }

    /// How improbable it is, as a negative logarithm, that chance alone took the proofs that are missing.
    fn improbability(&self) -> f64 {
        let missing = (self.silent.as_secs_f64() / INTERVAL.as_secs_f64() - 1.0).max(0.0);
        let loss = ((self.missed + 1.0) / (self.missed + self.came + 2.0)).clamp(LEAST_LOSS, 0.9);
        self.suspicion - missing * loss.ln()
    }
}

/// How long frames flowed since the one before.
fn elapsed(last: &mut Option<Instant>, now: Instant) -> Duration {
    last.replace(now).map_or(Duration::ZERO, |last| now.saturating_duration_since(last).min(PAUSE))
}
