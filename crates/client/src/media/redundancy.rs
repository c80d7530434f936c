//! How much redundancy the own voice carries.

use std::time::{Duration, Instant};

use conclave_codec::{AudioSettings, Protection};
use conclave_model::Bitrate;

/// What is added to the sound, so that losses can be repaired without asking.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Redundancy {
    /// How many of the frames before it each frame repeats: 0 to 2.
    pub red: u8,
    /// How much of the past each frame describes by deep redundancy (DRED).
    pub dred: Duration,
    /// How many frames before it the farthest of those was; at least `red`. The nearer of two stands half as far.
    pub far: u8,
}

/// Decides what redundancy a line needs: none or a copy where asking again repairs in time, else copies and deep
/// redundancy.
///
/// `loss` is the share of packets that are lost (0 to 1), `round_trip` the time from asking for a packet again to its
/// coming (`None` where it is not known: nothing is asked for then), `jitter_budget` how long a receiver may hold sound
/// back. What counts is the loss that remains after as many retransmissions as fit into the budget. Pure; see
/// [`RedundancyControl`] for the memory of it.
///
/// Copies win random loss, deep redundancy wins bursts, and two copies at the bitrate of one are worth more than the
/// finer sound (DESIGN section 6, and the `speech` example's table).
pub fn redundancy(loss: f32, round_trip: Option<Duration>, jitter_budget: Duration) -> Redundancy {
    level(remaining(loss, round_trip, jitter_budget), 1.0, tries(round_trip, jitter_budget) > 0)
}

/// Follows the quality of a line and changes the redundancy seldom: up at once, down after a time without need.
#[derive(Clone, Copy, Debug, Default)]
pub struct RedundancyControl {
    now: Redundancy,
    loss: Option<f32>,
    /// How the one who receives worst does, from the relay on.
    heard: (f32, Option<Duration>),
    /// Since when less would do.
    less_since: Option<Instant>,
}

impl Redundancy {
    /// A copy for what is lost again where it is asked for again: far enough away for the usual burst, and all bits for
    /// the sound.
    pub const COPY: Self = Self { red: 1, far: 3, dred: Duration::ZERO };

    /// The copies and deep redundancy for little loss.
    pub const LIGHT: Self = Self { red: 1, far: 1, dred: Duration::from_millis(300) };

    /// The copies and deep redundancy for much loss.
    ///
    /// The copies stand apart: of a burst of three, the usual one, those in the next two frames would be lost together with
    /// what they repeat. Receivers wait for deep redundancy as long anyway.
    pub const STRONG: Self = Self { red: 2, far: 5, dred: Duration::from_millis(400) };

    /// How many frames before each one those were that it repeats, the farthest first.
    pub fn distances(self) -> impl Iterator<Item = u8> {
        (0..self.red.min(2)).map(move |copy| if copy == 0 { self.far } else { self.far / 2 })
    }

    /// Whether there is any.
    pub fn is_some(self) -> bool {
        self.red > 0 || !self.dred.is_zero()
    }

    /// What to ask of the encoder.
    pub fn protection(self) -> Protection {
        if !self.is_some() {
            return Protection::default();
        }
        // The share of bits that libopus gives to deep redundancy is at its largest from 25 % on; our own measurements
        // were made with 20 %.
        // Deep redundancy takes so much of them that what is left goes to what makes speech understood.
        Protection { dred: self.dred, loss: 20, wideband: !self.dred.is_zero(), inband: false }
    }

    /// The encoder's bitrate with which everything together stays within `total` on the average.
    ///
    /// Without redundancy it is what `settings` wish. At a constant bitrate copies are as long as frames.
    pub fn encoder_bitrate(self, settings: AudioSettings, total: Bitrate) -> Bitrate {
        let bits = match (self.red, settings.constant) {
            (0, _) => settings.bitrate.as_bps().min(total.as_bps()),
            (1, false) if self.dred.is_zero() => total.as_bps() * 30 / 64,
            (red, true) => total.as_bps().saturating_sub(OVERHEAD) / (u64::from(red) + 1),
            // Speech takes 62 kbit/s of 64 with one copy, 61 with two, the container included.
            (1, false) => total.as_bps() * 39 / 64,
            (_, false) => total.as_bps() * 27 / 64,
        };
        Bitrate(bits.clamp(LEAST, 256_000))
    }
}

impl RedundancyControl {
    /// Notes how the sound arrives at the one who receives it worst: the loss from the relay on, and the round trip
    /// there. Counts from the next [`RedundancyControl::observe`] on, until the next word.
    pub fn set_heard(&mut self, loss: f32, round_trip: Option<Duration>) {
        self.heard = (if loss.is_finite() { loss.clamp(0.0, 1.0) } else { 0.0 }, round_trip);
    }

    /// Takes the quality of the last second's line to the relay; returns what to use from now on, where that changed.
    pub fn observe(
        &mut self,
        loss: f32,
        round_trip: Option<Duration>,
        jitter_budget: Duration,
        now: Instant,
    ) -> Option<Redundancy> {
        let loss = if loss.is_finite() { loss.clamp(0.0, 1.0) } else { 0.0 };
        let before = self.loss.unwrap_or(loss);
        let share = if loss > before { RISE } else { FALL };
        let smooth = before + (loss - before) * share;
        self.loss = Some(smooth);
        let arrives = 1.0 - remaining(smooth, round_trip, jitter_budget);
        let is_heard = 1.0 - remaining(self.heard.0, self.heard.1, jitter_budget);
        let remains = 1.0 - arrives * is_heard;
        let asks = |loss: f32, round_trip| loss < LITTLE || tries(round_trip, jitter_budget) > 0;
        let is_asked = asks(smooth, round_trip) && asks(self.heard.0, self.heard.1);
        let (wanted, kept) = (level(remains, 1.0, is_asked), level(remains, KEEP, is_asked));
        if wanted > self.now {
            (self.now, self.less_since) = (wanted, None);
            return Some(wanted);
        }
        if kept >= self.now {
            self.less_since = None;
            return None;
        }
        let since = *self.less_since.get_or_insert(now);
        if now.saturating_duration_since(since) < PATIENCE {
            return None;
        }
        (self.now, self.less_since) = (kept, None);
        Some(kept)
    }

    /// What is in use.
    pub fn current(&self) -> Redundancy {
        self.now
    }
}

/// The loss that remains after the retransmissions that fit into the budget.
///
/// Losses come together: what is sent again into a burst is lost more often than what is sent at any time.
fn remaining(loss: f32, round_trip: Option<Duration>, jitter_budget: Duration) -> f32 {
    let loss = if loss.is_finite() { loss.clamp(0.0, 1.0) } else { 0.0 };
    loss * loss.max(AGAIN).powi(tries(round_trip, jitter_budget))
}

/// How often what is lost can be asked for again in time.
fn tries(round_trip: Option<Duration>, jitter_budget: Duration) -> i32 {
    let tries = round_trip.map_or(0, |round_trip| jitter_budget.as_micros() / (round_trip + REACTION).as_micros());
    i32::try_from(tries).unwrap_or(8).min(8)
}

/// The redundancy for what remains; `keep` below 1 lowers the thresholds. Where losses are asked for again
/// (`is_asked`), what remains is little sound in many places.
fn level(remains: f32, keep: f32, is_asked: bool) -> Redundancy {
    if remains >= MUCH * keep {
        Redundancy::STRONG
    } else if remains >= LITTLE * keep {
        if is_asked { Redundancy::COPY } else { Redundancy::LIGHT }
    } else {
        Redundancy::default()
    }
}

/// How long it takes until a gap is noticed, asked for and answered, beyond the round trip.
const REACTION: Duration = Duration::from_millis(40);

/// The least share of what is sent again that is lost, where anything is.
const AGAIN: f32 = 0.35;

/// Remaining loss that is heard, and that one copy does not bear.
const LITTLE: f32 = 0.01;
const MUCH: f32 = 0.08;

/// The share of a threshold at which its redundancy is still kept.
const KEEP: f32 = 0.5;

/// How long less must do before less is sent.
const PATIENCE: Duration = Duration::from_secs(10);

/// Shares of a new measurement in the average, for rising and falling loss.
const RISE: f32 = 0.5;
const FALL: f32 = 0.15;

/// Bits per second of the container with two copies.
const OVERHEAD: u64 = 3_200;

/// The least bitrate that is asked of the encoder.
const LEAST: u64 = 14_000;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const BUDGET: Duration = Duration::from_millis(120);

    fn ms(milliseconds: u64) -> Option<Duration> {
        Some(Duration::from_millis(milliseconds))
    }

    #[test]
    fn asking_again_does_where_the_round_trip_fits_and_copies_do_elsewhere() {
        assert_eq!(redundancy(0.05, ms(20), BUDGET), Redundancy::default());
        assert_eq!(redundancy(0.2, ms(20), BUDGET), Redundancy::COPY, "bursts take along what is sent again");
        assert_eq!(redundancy(0.2, ms(200), BUDGET), Redundancy::STRONG);
        assert_eq!(redundancy(0.05, ms(200), BUDGET), Redundancy::LIGHT);
        assert_eq!(redundancy(0.05, None, BUDGET), Redundancy::LIGHT);
        assert_eq!(redundancy(0.5, ms(20), BUDGET), Redundancy::STRONG);
        assert_eq!(redundancy(0.0, ms(800), BUDGET), Redundancy::default());
        assert_eq!(redundancy(f32::NAN, ms(0), Duration::MAX), Redundancy::default());
    }

    #[test]
    fn redundancy_never_falls_as_loss_or_round_trip_grow() {
        for trip in (0..400).step_by(10) {
            let mut before = Redundancy::default();
            for percent in 0_u8..=100 {
                let now = redundancy(f32::from(percent) / 100.0, ms(trip), BUDGET);
                assert!(now >= before);
                assert!(now <= redundancy(f32::from(percent) / 100.0, ms(trip + 10), BUDGET));
                before = now;
            }
        }
    }

    #[test]
    fn it_rises_within_two_seconds_and_falls_after_patience_without_swinging() {
        let (mut control, start) = (RedundancyControl::default(), Instant::now());
        let mut changes = Vec::new();
        for second in 0..120_u64 {
            // 20 % for half a minute, then around the threshold of one copy, then nothing.
            let loss = match second {
                0..5 => 0.0,
                5..35 => 0.2,
                35..80 => [0.004, 0.014][second as usize % 2],
                _ => 0.0,
            };
            let now = start + Duration::from_secs(second);
            if let Some(change) = control.observe(loss, ms(200), BUDGET, now) {
                changes.push((second, change));
            }
        }
        assert_eq!(changes[0], (5, Redundancy::STRONG));
        let levels: Vec<_> = changes.iter().map(|(_, level)| *level).collect();
        assert_eq!(levels[1..], [Redundancy::LIGHT, Redundancy::default()]);
        assert!(changes[1].0 >= 45 && changes[2].0 >= 90, "{changes:?}");
    }

    #[test]
    fn what_is_lost_behind_the_relay_counts_as_what_is_lost_before_it() {
        let (mut control, start) = (RedundancyControl::default(), Instant::now());
        let at = |second: u64, loss: f32, control: &mut RedundancyControl| {
            control.observe(loss, ms(200), BUDGET, start + Duration::from_secs(second))
        };
        assert_eq!(at(0, 0.0, &mut control), None);
        control.set_heard(0.2, ms(200));
        assert_eq!(at(1, 0.0, &mut control), Some(Redundancy::STRONG));
        // Asked for again in time, it is no loss.
        control.set_heard(0.03, ms(20));
        assert_eq!((2..14).find_map(|second| at(second, 0.0, &mut control)), Some(Redundancy::default()));
        // A little on both sides is more than a little.
        control.set_heard(0.07, ms(200));
        assert_eq!(at(20, 0.13, &mut control), Some(Redundancy::STRONG));
        control.set_heard(f32::NAN, None);
        assert_eq!(control.heard, (0.0, None));
    }

    #[test]
    fn the_encoder_gets_what_the_copies_leave() {
        let settings = AudioSettings::default();
        let total = Bitrate::kbps(64);
        assert_eq!(Redundancy::default().encoder_bitrate(settings, total), Bitrate::kbps(40));
        assert_eq!(Redundancy::COPY.encoder_bitrate(settings, total), Bitrate::kbps(30));
        assert_eq!(Redundancy::LIGHT.encoder_bitrate(settings, total), Bitrate::kbps(39));
        assert_eq!(Redundancy::STRONG.encoder_bitrate(settings, total), Bitrate::kbps(27));
        let constant = AudioSettings { constant: true, ..settings };
        let each = Redundancy::STRONG.encoder_bitrate(constant, total).as_bps();
        assert!(each * 3 <= 61_000, "{each}");
        assert!(Redundancy::STRONG.encoder_bitrate(settings, Bitrate(0)).as_bps() > 6_000);
    }
}
