//! The receiver's side: compares what was opened with what its sender signed.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use conclave_model::{Epoch, Layer, LeafIndex, TrackKind, wire::FrameHead};

use super::{Hash, INTERVAL, MAX_PROOF, PAUSE, Proof, REACH, Section, Signature, hash, statement};

/// A frame that no proof speaks of after frames flowed for this long is judged. Of an honest frame both proofs have been
/// sent by then: in the worst case, where the sender pauses before each, after twice [`INTERVAL`] and [`PAUSE`].
const DEADLINE: Duration = Duration::from_millis(1500);

/// With so many frames missing since, one of the two proofs that every frame has must have come. Where the relay went on
/// with another layer before they were sent there, a single one of that layer is sure to follow.
const EXCUSED_ABOVE: usize = 1;
const EXCUSED_ABOVE_ELSEWHERE: usize = 0;

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
/// Memory is bounded: at most 56 kB for each layer of each track of each member.
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
    /// How many frames came: a clock that orders what is known of different layers.
    came: u64,
    forged: bool,
}

/// One layer of a track.
#[derive(Debug, Default)]
struct Lane {
    newest: Option<u32>,
    /// When the newest came, on the track's clock.
    newest_came: u64,
    /// From here on it is known which frames came. None of an honest sender is more than [`FURTHEST_BEHIND`] older.
    oldest: u32,
    /// When [`Self::oldest`] began to be known.
    begun: u64,
    /// Frames between the oldest and the newest that have not come, in the order of numbers.
    missing: VecDeque<Missing>,
    /// In the order of opening.
    unproven: VecDeque<Unproven>,
    /// In the order of numbers.
    proven: VecDeque<(u32, Hash)>,
    /// The track's flow at the last frame.
    flow: Duration,
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
    /// Where it has its place on the track's clock, by its number.
    place: u64,
}

/// A frame that has not come.
#[derive(Clone, Copy, Debug)]
struct Missing {
    number: u32,
    /// When the one before it came, and when it was missed, on the track's clock.
    place: u64,
    missed: u64,
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
        self.came += 1;
        let lane = self.lanes.entry(head.layer).or_default();
        lane.flow = self.flow;
        let pause = self::elapsed(&mut lane.last, now);
        let place = lane.follow(head.number, self.came)?;
        lane.note(head.number, hash(head, sealed), self.flow, place)?;
        if proof.is_empty() {
            lane.silent += pause;
        } else {
            // Senders prove after a pause, not in it: the one before this frame is no sign of a missing proof.
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
        let is_due = |frame: &Unproven| frame.flow + DEADLINE <= self.flow;
        for (layer, lane) in &self.lanes {
            let is_late = |frame: &Unproven| {
                let went_on = lane.flow >= frame.flow + REACH + PAUSE;
                let excused = if went_on { EXCUSED_ABOVE } else { EXCUSED_ABOVE_ELSEWHERE };
                self.missing_since(*layer, frame) <= excused
            };
            if lane.unproven.iter().take_while(|frame| is_due(frame)).any(is_late) {
                return Err(Forgery::Unproven);
            }
            if lane.unproven.len() > MAX_UNPROVEN || lane.improbability() > SUSPICION {
                return Err(Forgery::Withheld);
            }
        }
        for lane in self.lanes.values_mut() {
            while lane.unproven.pop_front_if(|frame| frame.flow + DEADLINE <= self.flow).is_some() {}
        }
        Ok(())
    }

    /// How many frames have not come that may have carried a proof of this one.
    fn missing_since(&self, layer: Layer, frame: &Unproven) -> usize {
        let count = |(of, lane): (&Layer, &Lane)| {
            let could_tell = |missing: &&Missing| {
                if *of == layer { is_after(missing.number, frame.number) } else { missing.missed > frame.place }
            };
            lane.missing.iter().filter(could_tell).count()
        };
        self.lanes.iter().map(count).sum()
    }
}

impl Lane {
    /// Follows the numbers; returns the place of this one on the track's clock, on which it is `came` now.
    ///
    /// Late frames take the place that they would have had, so that what is missing is known exactly: neither does a
    /// frame that was lost excuse anything once it has come, nor is anything held against one that came after the
    /// frames that proved it.
    fn follow(&mut self, number: u32, came: u64) -> Result<u64, Forgery> {
        let Some(newest) = self.newest else {
            self.begin(number, came);
            self.count(0.0);
            return Ok(came);
        };
        let (ahead, behind) = (number.wrapping_sub(newest), newest.wrapping_sub(number));
        if is_after(number, newest) {
            if ahead > LONGEST_LOSS {
                self.unproven.clear();
                self.begin(number, came);
                self.count(0.0);
                return Ok(came);
            }
            let place = self.newest_came;
            self.missing.extend((1..ahead).map(|step| Missing {
                number: newest.wrapping_add(step),
                place,
                missed: came,
            }));
            (self.newest, self.newest_came) = (Some(number), came);
            let furthest = number.wrapping_sub(FURTHEST_BEHIND);
            if is_after(furthest, self.oldest) {
                self.oldest = furthest;
                while self.missing.pop_front_if(|missing| is_after(furthest, missing.number)).is_some() {}
            }
            self.count(f64::from(ahead - 1));
            return Ok(came);
        }
        if behind > FURTHEST_BEHIND {
            return Err(Forgery::Backwards);
        }
        if let Some(at) = self.missing.iter().position(|missing| missing.number == number) {
            self.count(-1.0);
            return Ok(self.missing.remove(at).map_or(came, |missing| missing.place));
        }
        let place = self.begun;
        if is_after(self.oldest, number) {
            // From before anything came: whatever lies between was sent as well, and may have carried the proofs.
            let between = (1..self.oldest.wrapping_sub(number)).rev();
            for step in between {
                self.missing.push_front(Missing { number: number.wrapping_add(step), place, missed: came });
            }
            self.oldest = number;
        }
        // The same number again is no late frame; `note` finds it.
        self.count(0.0);
        Ok(place)
    }

    /// Nothing is known of the frames before this one.
    fn begin(&mut self, number: u32, came: u64) {
        self.missing.clear();
        (self.newest, self.newest_came) = (Some(number), came);
        (self.oldest, self.begun) = (number, came);
    }

    /// Measures the loss: a frame came, and so many more (or fewer, where it is late) are missing.
    fn count(&mut self, missed: f64) {
        let scale = 1.0 - 1.0 / LOSS_MEMORY;
        self.missed = (self.missed + missed).max(0.0) * scale;
        self.came = (self.came + 1.0) * scale;
    }

    /// Remembers an opened frame until it is proven.
    fn note(&mut self, number: u32, hash: Hash, flow: Duration, place: u64) -> Result<(), Forgery> {
        if let Some((_, proven)) = self.proven.iter().rev().find(|(other, _)| *other == number) {
            return if *proven == hash { Ok(()) } else { Err(Forgery::Contradicted) };
        }
        if self.unproven.iter().any(|frame| frame.number == number) {
            return Err(Forgery::Twice);
        }
        self.unproven.push_back(Unproven { number, hash, flow, place });
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
        // Proofs come late as frames do, and what they prove may come later still: each has its place.
        let at = self.proven.iter().rposition(|(other, _)| !is_after(*other, number)).map_or(0, |before| before + 1);
        let is_known = at.checked_sub(1).and_then(|before| self.proven.get(before)).is_some_and(|(n, _)| *n == number);
        if !is_known {
            self.proven.insert(at, (number, hash));
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

/// Whether a number follows another; numbers wrap.
fn is_after(number: u32, other: u32) -> bool {
    (1..=u32::MAX / 2).contains(&number.wrapping_sub(other))
}

/// How long frames flowed since the one before.
fn elapsed(last: &mut Option<Instant>, now: Instant) -> Duration {
    last.replace(now).map_or(Duration::ZERO, |last| now.saturating_duration_since(last).min(PAUSE))
}
