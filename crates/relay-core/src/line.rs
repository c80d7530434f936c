//! What a receiver's line bears.
//!
//! The estimate of the path comes from how delays and losses move (Google Congestion Control). After a line broke down it
//! is too low for long, and where little is sent it cannot rise by itself. So two things are believed besides: what
//! passed for a second without loss or delay, and, now and then, that a little more may pass.

use std::time::{Duration, Instant};

use conclave_model::Bitrate;
use conclave_transport::{Quality, RoundTrips};

use crate::allocate::for_pictures;

/// A second in which fewer were lost than this, and which was not slow, was calm.
const LOST: f32 = 0.02;

/// What a picture takes wavers: what passed and is given on may take this much, in percent.
const WAVER: u64 = 112;
const LONG_CALM: Duration = Duration::from_secs(6);

/// How long all must be calm before more is tried than the estimate says; twice as long each time that it failed.
const TRY_AFTER: Duration = Duration::from_secs(4);
const TRY_AFTER_AT_MOST: Duration = Duration::from_secs(64);

/// How long a trial takes: the first whole second of it must be over.
const TRIAL: Duration = Duration::from_millis(2_100);

/// How much more is tried at least: the smallest picture.
const LEAST: u64 = 150_000;

/// A second in which more were lost than this, and which was slow as well, was a jam: what did not pass stays away for
/// this long, whatever the estimate says, which falls slowly.
const JAMMED: f32 = 0.08;
const JAM: Duration = Duration::from_millis(2_500);

/// What is given after a jam, in percent of what passed.
const AFTER_JAM: f64 = 85.0;

/// What is known of a line.
#[derive(Debug)]
pub(crate) struct Line {
    /// What its path says.
    pub(crate) estimate: Bitrate,
    round_trips: RoundTrips,
    calm_since: Option<Instant>,
    /// What pictures took at least since the last look at the quality, in bits per second.
    least: u64,
    /// What passed in the last second, if it was a calm one.
    passed: u64,
    trial: Option<Trial>,
    try_after: Duration,
    /// What pictures took at most since then, and all sound.
    most: u64,
    sound: Bitrate,
    /// What pictures may take after a jam, and until when.
    jam: Option<(u64, Instant)>,
}

/// More than the estimate says, for a while.
#[derive(Clone, Copy, Debug)]
struct Trial {
    pictures: u64,
    until: Instant,
}

impl Line {
    pub(crate) fn new(estimate: Bitrate) -> Self {
        Self {
            estimate,
            round_trips: RoundTrips::default(),
            calm_since: None,
            least: u64::MAX,
            passed: 0,
            trial: None,
            try_after: TRY_AFTER,
            most: 0,
            sound: Bitrate(0),
            jam: None,
        }
    }

    /// Takes how the line did in the last second.
    pub(crate) fn observe(&mut self, quality: Quality, now: Instant) {
        let Quality { round_trip, loss } = quality;
        let loss = if loss.is_finite() { loss.clamp(0.0, 1.0) } else { 0.0 };
        let is_fast = self.round_trips.observe(round_trip);
        let least = std::mem::replace(&mut self.least, u64::MAX);
        let most = std::mem::take(&mut self.most);
        self.jam = self.jam.filter(|(_, until)| now < *until);
        if !is_fast && loss > JAMMED {
            let passed = (most + self.sound.as_bps()) as f64 * f64::from(1.0 - loss) * AFTER_JAM / 100.0;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "no more than what was sent")]
            let pictures = (passed as u64).saturating_sub(self.sound.as_bps());
            self.jam = Some((pictures, now + JAM));
        }
        if is_fast && loss <= LOST {
            self.calm_since.get_or_insert(now);
            self.passed = if least == u64::MAX { 0 } else { least };
        } else {
            self.calm_since = None;
            self.passed = 0;
            if self.trial.take().is_some() {
                self.try_after = (self.try_after * 2).min(TRY_AFTER_AT_MOST);
            }
        }
        if self.trial.is_some_and(|trial| trial.until <= now) {
            self.trial = None;
            self.calm_since = Some(now);
            self.try_after = TRY_AFTER;
        }
    }

    /// The shortest round trip of late.
    pub(crate) fn fastest(&self) -> Option<Duration> {
        self.round_trips.fastest()
    }

    /// What there is for pictures now, besides `sound`.
    pub(crate) fn pictures(&self, sound: Bitrate) -> Bitrate {
        let trial = self.trial.map_or(0, |trial| trial.pictures);
        let most = self.jam.map_or(u64::MAX, |(pictures, _)| pictures);
        Bitrate(for_pictures(self.estimate, sound).as_bps().max(self.passed).max(trial).min(most))
    }

    /// What those pictures may take that are given already: more than [`Self::pictures`] where they have passed a line that
    /// has long been calm.
    pub(crate) fn kept(&self, sound: Bitrate, now: Instant) -> Bitrate {
        let is_calm = self.calm_since.is_some_and(|since| since + LONG_CALM <= now);
        Bitrate(if is_calm { self.passed / 100 * WAVER } else { 0 }).max(self.pictures(sound))
    }

    /// Lets more be tried than the estimate says, where all has been calm for long enough.
    pub(crate) fn try_more(&mut self, sound: Bitrate, now: Instant) {
        let is_calm = self.calm_since.is_some_and(|since| now.saturating_duration_since(since) >= self.try_after);
        if is_calm && self.trial.is_none() {
            let more = ((self.passed + sound.as_bps()) / 2).max(LEAST);
            self.trial = Some(Trial { pictures: self.passed + more, until: now + TRIAL });
        }
    }

    /// Takes what pictures took until now, and take from now on, and what all sound takes.
    pub(crate) fn give(&mut self, before: u64, after: u64, sound: Bitrate) {
        self.least = self.least.min(before).min(after);
        self.most = self.most.max(before).max(after);
        self.sound = sound;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOUND: Bitrate = Bitrate::kbps(60);

    fn quality(millis: u64, loss: f32) -> Quality {
        Quality { round_trip: Some(Duration::from_millis(millis)), loss }
    }

    #[test]
    fn what_passed_without_loss_or_delay_is_believed() {
        let mut line = Line::new(Bitrate::kbps(100));
        let now = Instant::now();
        assert_eq!(line.pictures(SOUND), Bitrate::kbps(32));
        line.give(200_000, 90_000, SOUND);
        line.observe(quality(40, 0.01), now);
        assert_eq!(line.pictures(SOUND), Bitrate::kbps(90), "the least of the second");
        assert_eq!(line.kept(SOUND, now), Bitrate::kbps(90));
        assert_eq!(line.kept(SOUND, now + LONG_CALM), Bitrate(100_800), "which wavers");
        for bad in [quality(40, 0.05), quality(140, 0.0), Quality { round_trip: None, loss: 0.0 }] {
            line.give(90_000, 90_000, SOUND);
            line.observe(bad, now);
            assert_eq!(line.pictures(SOUND), Bitrate::kbps(32), "{bad:?}");
        }
        line.observe(quality(40, 0.0), now);
        assert_eq!(line.pictures(SOUND), Bitrate::kbps(32), "nothing was given");
    }

    #[test]
    fn more_is_tried_rarely_and_more_rarely_where_it_fails() {
        let start = Instant::now();
        let mut trials = Vec::new();
        let mut line = Line::new(Bitrate::kbps(80));
        for second in 0..300 {
            let now = start + Duration::from_secs(second);
            let pictures = line.pictures(SOUND).as_bps();
            line.give(pictures, pictures, SOUND);
            // The line carries nothing besides sound.
            line.observe(if pictures > 50_000 { quality(300, 0.3) } else { quality(40, 0.0) }, now);
            line.try_more(SOUND, now);
            if line.trial.is_some() {
                trials.push(second);
            }
        }
        assert_eq!(trials.len(), 7, "{trials:?}");
    }

    #[test]
    fn a_line_that_bears_more_is_found_out_step_by_step() {
        let start = Instant::now();
        let mut line = Line::new(Bitrate::kbps(80));
        for second in 0..60 {
            let now = start + Duration::from_secs(second);
            let pictures = line.pictures(SOUND).as_bps();
            line.give(pictures, pictures, SOUND);
            line.observe(quality(40, 0.0), now);
            line.try_more(SOUND, now);
        }
        assert!(line.pictures(SOUND) > Bitrate::kbps(600), "{}", line.pictures(SOUND));
    }

    #[test]
    fn after_a_jam_there_is_no_more_than_what_passed() {
        let mut line = Line::new(Bitrate::kbps(1_000));
        let now = Instant::now();
        line.observe(quality(40, 0.0), now);
        line.give(640_000, 640_000, SOUND);
        line.observe(quality(45, 0.3), now);
        assert_eq!(line.pictures(SOUND), Bitrate::kbps(860), "loss without delay is no jam");
        line.give(640_000, 640_000, SOUND);
        line.observe(quality(300, 0.5), now);
        assert_eq!(line.pictures(SOUND), Bitrate(237_500));
        line.observe(quality(300, 0.0), now + JAM);
        assert_eq!(line.pictures(SOUND), Bitrate::kbps(860));
    }
}
