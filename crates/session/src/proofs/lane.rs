//! One layer of a track, as a receiver knows it.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::{Forgery, Hash, PAUSE, Section};

/// A larger step ahead is a pause of the relay's, not loss.
const LONGEST_LOSS: u32 = 64;

/// No honest frame is further behind the newest: 2.5 s of the fastest source, twice what reassembly waits.
const FURTHEST_BEHIND: u32 = 256;

/// How many proven hashes of a layer are remembered, for frames that come after their proof.
const MAX_PROVEN: usize = 256;

/// How slowly the measured loss forgets, in frames, and the least that is assumed: loss comes in bursts.
const LOSS_MEMORY: f64 = 128.0;
const LEAST_LOSS: f64 = 0.02;

/// The slowest that honest proofs come while frames flow.
const SLOWEST: Duration = Duration::from_millis(300);

/// One layer of a track.
#[derive(Debug, Default)]
pub(super) struct Lane {
    newest: Option<u32>,
    /// When the newest came, on the track's clock.
    newest_came: u64,
    /// From here on it is known which frames came. None of an honest sender is more than [`FURTHEST_BEHIND`] older.
    oldest: u32,
    /// When [`Self::oldest`] began to be known.
    begun: u64,
    /// The newest number that a proof spoke of.
    covered: Option<u32>,
    /// Since when something is given out that is not remembered in [`Self::unproven`] any more.
    owed: Option<Instant>,
    /// Frames between the oldest and the newest that have not come, in the order of numbers.
    pub(super) missing: VecDeque<Missing>,
    /// In the order of opening.
    pub(super) unproven: VecDeque<Unproven>,
    /// In the order of numbers.
    proven: VecDeque<(u32, Hash)>,
    /// How long frames have flowed since the last proof.
    pub(super) silent: Duration,
    last: Option<Instant>,
    /// How long newer frames have come after newer frames.
    pub(super) advanced: Duration,
    last_advance: Option<Instant>,
    pub(super) suspicion: f64,
    /// Frames lost and received of late.
    missed: f64,
    came: f64,
}

/// An opened frame that no proof has spoken of yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unproven {
    pub(super) number: u32,
    hash: Hash,
    /// The track's flow, and how far the layer had advanced, at its opening.
    pub(super) flow: Duration,
    pub(super) advanced: Duration,
    /// Where it has its place on the track's clock, by its number.
    pub(super) place: u64,
    /// When it was given out, as long as a proof is waited for.
    given: Option<Instant>,
}

/// A frame that has not come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Missing {
    pub(super) number: u32,
    /// When the one before it came, and when it was missed, on the track's clock.
    place: u64,
    pub(super) missed: u64,
}

/// What a section of a proof comes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Taken {
    /// It speaks of a frame newer than all that were proven.
    pub(super) is_news: bool,
    /// Something was given out that lies before it and is not proven.
    pub(super) is_hole: bool,
}

/// What is known of a frame when it is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// A proof spoke of it before it came.
    Proven,
    /// A proof is to come.
    Open,
    /// What was sent after it is proven, and it is not.
    PassedOver,
}

impl Lane {
    /// Follows the numbers; returns the place of this one on the track's clock, on which it is `came` now.
    ///
    /// Late frames take the place that they would have had, so that what is missing is known exactly: neither does a
    /// frame that was lost excuse anything once it has come, nor is anything held against one that came after the
    /// frames that proved it.
    pub(super) fn follow(&mut self, number: u32, came: u64) -> Result<u64, Forgery> {
        let Some(newest) = self.newest else {
            self.begin(number, came);
            self.count(0.0);
            return Ok(came);
        };
        let (ahead, behind) = (number.wrapping_sub(newest), newest.wrapping_sub(number));
        if is_after(number, newest) {
            if ahead > LONGEST_LOSS {
                self.excuse();
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

    /// Takes the time of a frame that may be newer than the newest; returns how long after the one before it came.
    pub(super) fn take_time(&mut self, number: u32, now: Instant) -> Duration {
        if self.newest.is_none_or(|newest| is_after(number, newest)) {
            self.advanced += elapsed(&mut self.last_advance, now);
        }
        elapsed(&mut self.last, now)
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
    pub(super) fn note(&mut self, number: u32, hash: Hash, flow: Duration, place: u64) -> Result<Known, Forgery> {
        if let Some((_, proven)) = self.proven.iter().rev().find(|(other, _)| *other == number) {
            return if *proven == hash { Ok(Known::Proven) } else { Err(Forgery::Contradicted) };
        }
        if self.unproven.iter().any(|frame| frame.number == number) {
            return Err(Forgery::Twice);
        }
        self.unproven.push_back(Unproven { number, hash, flow, advanced: self.advanced, place, given: None });
        let is_passed_over = self.covered.is_some_and(|covered| !is_after(number, covered));
        Ok(if is_passed_over { Known::PassedOver } else { Known::Open })
    }

    /// The frame that was noted last is given out.
    pub(super) fn give(&mut self, now: Instant) {
        if let Some(frame) = self.unproven.back_mut() {
            frame.given = Some(now);
        }
    }

    /// Since when something is given out that a proof has yet to speak of.
    pub(super) fn open_since(&self) -> Option<Instant> {
        self.unproven.iter().filter_map(|frame| frame.given).chain(self.owed).min()
    }

    /// No proof of what was given out so far is waited for any more.
    pub(super) fn give_up_waiting(&mut self) {
        self.unproven.iter_mut().for_each(|frame| frame.given = None);
        self.owed = None;
    }

    /// Nobody is to blame where no proof of the frames so far comes; it is waited for all the same.
    pub(super) fn excuse(&mut self) {
        self.owed = self.open_since();
        self.unproven.clear();
    }

    /// The sender signed what it sent up to the end of this section. Says whether that is news, and whether there is a
    /// hole: something was given out before it of which no proof spoke.
    pub(super) fn take(&mut self, section: &Section) -> Result<Taken, Forgery> {
        section.numbered().try_for_each(|(number, hash)| self.prove(number, hash))?;
        let last = section.end().wrapping_sub(1);
        let is_news = self.covered.is_none_or(|covered| is_after(last, covered));
        if !is_news {
            return Ok(Taken::default());
        }
        self.covered = Some(last);
        let mut is_hole = self.owed.take().is_some();
        for frame in self.unproven.iter_mut().filter(|frame| !is_after(frame.number, last)) {
            is_hole |= frame.given.take().is_some();
        }
        Ok(Taken { is_news, is_hole })
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
    pub(super) fn improbability(&self) -> f64 {
        let missing = (self.silent.as_secs_f64() / SLOWEST.as_secs_f64() - 1.0).max(0.0);
        let loss = ((self.missed + 1.0) / (self.missed + self.came + 2.0)).clamp(LEAST_LOSS, 0.9);
        self.suspicion - missing * loss.ln()
    }
}

/// Whether a number follows another; numbers wrap.
pub(super) fn is_after(number: u32, other: u32) -> bool {
    (1..=u32::MAX / 2).contains(&number.wrapping_sub(other))
}

/// How long frames flowed since the one before.
pub(super) fn elapsed(last: &mut Option<Instant>, now: Instant) -> Duration {
    last.replace(now).map_or(Duration::ZERO, |last| now.saturating_duration_since(last).min(PAUSE))
}
