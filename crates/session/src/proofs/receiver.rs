//! The receiver's side: compares what was opened with what its sender signed.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use conclave_model::{Epoch, Layer, LeafIndex, TrackKind, wire::FrameHead};

use super::{
    HOLD, MAX_PROOF, PAUSE, Proof, Signature, hash,
    lane::{Known, Lane, Missing, Taken, Unproven, elapsed, is_after},
    statement,
};

/// A frame that no proof speaks of after its layer advanced for this long is judged. Of an honest frame two proofs have
/// been sent by then, 540 ms after it at the latest, even if frames take twice as long to come as they did to be sent.
const DEADLINE: Duration = Duration::from_millis(1000);

/// The same where the relay went on with another layer, whose frames prove it after a pause of the relay's.
const DEADLINE_ELSEWHERE: Duration = Duration::from_millis(1500);

/// With so many frames missing since, one of the two proofs that every frame has must have come. Where the relay went on
/// with another layer before they were sent there, a single one of that layer is sure to follow.
const EXCUSED_ABOVE: usize = 1;
const EXCUSED_ABOVE_ELSEWHERE: usize = 0;

/// How many unproven frames of a layer are remembered: 10 s of the fastest source, more than any honest one leaves.
const MAX_UNPROVEN: usize = 1024;

/// What missing proofs may add up to, in natural units of improbability, and how much each proof takes away.
const SUSPICION: f64 = 24.0;
const RELIEF: f64 = 0.8;

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

/// What is to be done with an opened frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is given out.
    Give,
    /// It is not: it has no content, its track is held, or what was sent after it is proven and it is not.
    Keep,
}

/// A frame that was opened.
#[derive(Clone, Copy, Debug)]
pub struct Opened<'a> {
    /// Its head, as it was authenticated.
    pub head: &'a FrameHead,
    /// The frame as it was sealed.
    pub sealed: &'a [u8],
    /// The proof that it carries; may be empty.
    pub proof: &'a [u8],
    /// Whether it has anything but a proof.
    pub has_content: bool,
}

/// Checks the frames of all other members.
///
/// Memory is bounded: at most 72 kB for each layer of each track of each member.
#[derive(Debug, Default)]
pub struct Checker {
    tracks: BTreeMap<(LeafIndex, TrackKind), Track>,
    changes: Vec<Change>,
}

/// A track of a member's is held from now on, or is not any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// Whose.
    pub leaf: LeafIndex,
    /// Which.
    pub track: TrackKind,
    /// Whether it is held: given out again as soon as it is proven.
    pub held: bool,
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
    /// Since when something is given out that a proof has yet to speak of.
    open_since: Option<Instant>,
    held: bool,
    forged: bool,
}

impl Checker {
    /// Takes in an opened frame and the proof that it carries, if any, and says whether it is given out. An error means
    /// that the track is forged from here on: the frame and all that follow are to be dropped.
    ///
    /// `verify` says whether the member signed a statement for an epoch; it is asked at most once, about 60 µs.
    /// Afterwards [`Self::take_changes`] may have something.
    ///
    /// # Errors
    /// A [`Forgery`].
    pub fn check(
        &mut self,
        leaf: LeafIndex,
        frame: Opened<'_>,
        verify: impl FnOnce(Epoch, &[u8], &Signature) -> bool,
        now: Instant,
    ) -> Result<Verdict, Forgery> {
        let kind = frame.head.track;
        let track = self.tracks.entry((leaf, kind)).or_default();
        if track.forged {
            return Err(Forgery::Before);
        }
        let was_held = track.held;
        let result = track.check(frame, verify, now);
        if result.is_err() {
            *track = Track { forged: true, ..Track::default() };
        } else if track.held != was_held {
            self.changes.push(Change { leaf, track: kind, held: track.held });
        }
        result
    }

    /// Forgets a member who went; the leaf may be another's soon.
    pub fn forget(&mut self, leaf: LeafIndex) {
        self.tracks.retain(|(other, _), _| *other != leaf);
    }

    /// Holds what was given out too long ago without a proof.
    ///
    /// Of a track for which `is_wanted` says no, the relay passes nothing on, and nothing is expected.
    pub fn handle_timeout(&mut self, is_wanted: impl Fn(LeafIndex, TrackKind) -> bool, now: Instant) {
        for ((leaf, kind), track) in &mut self.tracks {
            if !track.is_overdue(now) {
                continue;
            }
            track.give_up_waiting();
            if is_wanted(*leaf, *kind) {
                track.held = true;
                self.changes.push(Change { leaf: *leaf, track: *kind, held: true });
            }
        }
    }

    /// When [`Self::handle_timeout`] has something to do.
    pub fn deadline(&self) -> Option<Instant> {
        self.tracks.values().filter_map(|track| track.open_since).min().map(|since| since + HOLD)
    }

    /// Which tracks are held since the last call, and which are not any more.
    pub fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
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
        Opened { head, sealed, proof, has_content }: Opened<'_>,
        verify: impl FnOnce(Epoch, &[u8], &Signature) -> bool,
        now: Instant,
    ) -> Result<Verdict, Forgery> {
        let elapsed = elapsed(&mut self.last, now);
        self.flow += elapsed;
        if elapsed == PAUSE {
            // The relay may have passed on nothing for a while, and goes on with another layer.
            self.lanes.iter_mut().filter(|(layer, _)| **layer != head.layer).for_each(|(_, lane)| lane.excuse());
        }
        self.came += 1;
        let lane = self.lanes.entry(head.layer).or_default();
        let pause = lane.take_time(head.number, now);
        let place = lane.follow(head.number, self.came)?;
        let known = match has_content {
            true => Some(lane.note(head.number, hash(head, sealed), self.flow, place)?),
            false => None,
        };
        let mut taken = Taken::default();
        if proof.is_empty() {
            lane.silent += pause;
        } else {
            // Senders prove after a pause, not in it: the one before this frame is no sign of a missing proof.
            taken = self.take_proof(head, proof, verify)?;
        }
        self.open_since = self.lanes.values().filter_map(Lane::open_since).min();
        if taken.is_news {
            self.held = false;
        }
        if taken.is_hole || self.is_overdue(now) {
            self.held = true;
            self.give_up_waiting();
        }
        self.judge()?;
        let verdict = match known {
            Some(Known::Open | Known::Proven) if !self.held => Verdict::Give,
            Some(Known::Open | Known::Proven | Known::PassedOver) | None => Verdict::Keep,
        };
        if (known, verdict) == (Some(Known::Open), Verdict::Give)
            && let Some(lane) = self.lanes.get_mut(&head.layer)
        {
            lane.give(now);
        }
        self.open_since = self.lanes.values().filter_map(Lane::open_since).min();
        Ok(verdict)
    }

    /// Compares what was opened with what is proven.
    fn take_proof(
        &mut self,
        carrier: &FrameHead,
        bytes: &[u8],
        verify: impl FnOnce(Epoch, &[u8], &Signature) -> bool,
    ) -> Result<Taken, Forgery> {
        let proof = Some(bytes).filter(|bytes| bytes.len() <= MAX_PROOF).and_then(Proof::from_bytes);
        let Some(Proof { epoch, sections, signature }) = proof else { return Err(Forgery::Malformed) };
        let is_own = |section: &&super::Section| section.layer == carrier.layer;
        if sections.iter().find(is_own).is_none_or(|section| section.end() != carrier.number) {
            return Err(Forgery::Malformed);
        }
        if !verify(epoch, &statement(carrier.track, &sections), &signature) {
            return Err(Forgery::Signature);
        }
        let mut taken = Taken::default();
        for section in &sections {
            let Some(lane) = self.lanes.get_mut(&section.layer) else { continue };
            let of_lane = lane.take(section)?;
            taken.is_hole |= of_lane.is_hole;
            taken.is_news |= of_lane.is_news && section.layer == carrier.layer;
        }
        if let Some(lane) = self.lanes.get_mut(&carrier.layer) {
            lane.suspicion = (lane.improbability() - RELIEF).max(0.0);
            lane.silent = Duration::ZERO;
        }
        Ok(taken)
    }

    /// Whether what is not proven by now can be honest.
    fn judge(&mut self) -> Result<(), Forgery> {
        for (layer, lane) in &self.lanes {
            let is_late = |frame: &Unproven| {
                let went_on = lane.advanced >= frame.advanced + DEADLINE;
                let is_over = self.flow >= frame.flow + DEADLINE_ELSEWHERE;
                let excused = if went_on { EXCUSED_ABOVE } else { EXCUSED_ABOVE_ELSEWHERE };
                (went_on || is_over) && self.missing_since(*layer, frame) <= excused
            };
            let is_old = |frame: &&Unproven| frame.flow + DEADLINE <= self.flow;
            if lane.unproven.iter().take_while(is_old).any(is_late) {
                return Err(Forgery::Unproven);
            }
            if lane.unproven.len() > MAX_UNPROVEN || lane.improbability() > SUSPICION {
                return Err(Forgery::Withheld);
            }
        }
        for lane in self.lanes.values_mut() {
            while lane.unproven.pop_front_if(|frame| frame.flow + DEADLINE_ELSEWHERE <= self.flow).is_some() {}
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

    /// Whether something was given out too long ago without a proof.
    fn is_overdue(&self, now: Instant) -> bool {
        self.open_since.is_some_and(|since| since + HOLD <= now)
    }

    fn give_up_waiting(&mut self) {
        self.lanes.values_mut().for_each(Lane::give_up_waiting);
        self.open_since = None;
    }
}
