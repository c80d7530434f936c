//! How much sound a packet of the own voice holds.

use std::time::{Duration, Instant};

use conclave_model::Bitrate;

use super::VoiceEncoder;

/// Short packets of 10 ms where the line is good, which saves 10 ms of delay and costs 36 kbit/s of headers; else 20 ms.
///
/// Good is a line with next to no loss and a short round trip, as on a LAN: there the delay is ours to lose, and the
/// headers cost nothing. Long at once where the line gets worse, short again only after it was good for a while.
#[derive(Clone, Copy, Debug, Default)]
pub struct FrameControl {
    short: bool,
    /// The line has hardly room for more than the voice.
    narrow: bool,
    /// What is lost is not for want of room: nothing waits before it is lost.
    noisy: bool,
    /// The shortest round trip.
    fastest: Option<Duration>,
    /// Since when short packets would do.
    good_since: Option<Instant>,
}

impl FrameControl {
    /// What a packet holds.
    pub fn current(&self) -> Duration {
        if self.short { SHORT } else { LONG }
    }

    /// What sound, copies and deep redundancy may take together.
    pub fn total(&self) -> Bitrate {
        if self.narrow { VoiceEncoder::LEAST_TOTAL } else { VoiceEncoder::TOTAL }
    }

    /// Takes what the line bears for pictures beside the voice; returns what a packet is to hold from now on, where that
    /// changed. On a narrow line what is added against losses would be what is lost.
    pub fn set_room(&mut self, pictures: Bitrate) -> Option<Duration> {
        self.narrow = !self.noisy && pictures < if self.narrow { WIDE } else { NARROW };
        (self.narrow && std::mem::take(&mut self.short)).then_some(LONG)
    }

    /// Takes the quality of the last second, `loss` from 0 to 1; returns what a packet is to hold from now on, where that
    /// changed.
    pub fn observe(&mut self, loss: f32, round_trip: Option<Duration>, now: Instant) -> Option<Duration> {
        if let Some(trip) = round_trip {
            // Ways change: the fastest is forgotten over a minute.
            let fastest = self.fastest.map_or(trip, |fastest| fastest + trip.saturating_sub(fastest) / 64);
            self.fastest = Some(fastest.min(trip));
            self.noisy = loss > NOISE && trip <= fastest.min(trip) + SLOWER;
            // An estimate believes that what is lost had no room.
            self.narrow &= !self.noisy;
        }
        let is_bad = self.narrow || loss > BAD_LOSS || !loss.is_finite() || round_trip.is_none_or(|trip| trip > FAR);
        let is_good = !is_bad && loss <= GOOD_LOSS && round_trip.is_some_and(|trip| trip <= NEAR);
        if !is_good {
            self.good_since = None;
        }
        if self.short && is_bad {
            self.short = false;
            return Some(LONG);
        }
        if !self.short && is_good && now.saturating_duration_since(*self.good_since.get_or_insert(now)) >= PATIENCE {
            self.short = true;
            return Some(SHORT);
        }
        None
    }
}

/// What packets hold.
const SHORT: Duration = Duration::from_millis(10);
const LONG: Duration = Duration::from_millis(20);

/// A line is good up to these, and bad beyond those; in between it stays as it is.
const GOOD_LOSS: f32 = 0.002;
const BAD_LOSS: f32 = 0.01;
const NEAR: Duration = Duration::from_millis(25);
const FAR: Duration = Duration::from_millis(50);

/// A line is narrow below the one and until the other.
const NARROW: Bitrate = Bitrate::kbps(150);
const WIDE: Bitrate = Bitrate::kbps(250);

/// Loss above this is the line's own, where the round trip is no longer than the shortest by more than this.
const NOISE: f32 = 0.1;
const SLOWER: Duration = Duration::from_millis(60);

/// How long a line must have been good.
const PATIENCE: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    use super::*;

    fn run(control: &mut FrameControl, from: u64, line: &[(f32, u64)]) -> Vec<(u64, Duration)> {
        let start = Instant::now();
        let observed = line.iter().zip(from..).filter_map(|((loss, trip), second)| {
            let now = start + Duration::from_secs(second);
            Some((second, control.observe(*loss, Some(Duration::from_millis(*trip)), now)?))
        });
        observed.collect()
    }

    #[test]
    fn on_a_narrow_line_packets_are_long_at_once_and_little_is_added_to_them() {
        let mut control = FrameControl::default();
        run(&mut control, 0, &[(0.0, 10); 10]);
        assert_eq!((control.current(), control.total()), (SHORT, VoiceEncoder::TOTAL));
        assert_eq!(control.set_room(Bitrate::kbps(149)), Some(LONG));
        assert_eq!(control.set_room(Bitrate::kbps(240)), None, "no oscillation");
        assert_eq!(run(&mut control, 10, &[(0.0, 10); 10]), [], "however good it is");
        assert_eq!(control.total(), VoiceEncoder::LEAST_TOTAL);
        assert_eq!(control.set_room(Bitrate::kbps(250)), None);
        assert_eq!(control.total(), VoiceEncoder::TOTAL);
        assert_eq!(run(&mut control, 20, &[(0.0, 10); 10]).last().map(|(_, frame)| *frame), Some(SHORT));
    }

    #[test]
    fn a_line_that_loses_much_without_any_delay_is_not_narrow() {
        let mut control = FrameControl::default();
        run(&mut control, 0, &[(0.4, 200); 3]);
        control.set_room(Bitrate::kbps(50));
        assert_eq!(control.total(), VoiceEncoder::TOTAL, "what makes up for the loss stays");
        run(&mut control, 3, &[(0.4, 500)]);
        control.set_room(Bitrate::kbps(50));
        assert_eq!(control.total(), VoiceEncoder::LEAST_TOTAL, "a jam");
        run(&mut control, 4, &[(0.4, 200)]);
        assert_eq!(control.total(), VoiceEncoder::TOTAL);
    }

    #[test]
    fn packets_are_short_after_seconds_on_a_good_line_and_long_at_once_on_a_bad_one() {
        let mut control = FrameControl::default();
        assert_eq!(control.current(), LONG);
        assert_eq!(run(&mut control, 0, &[(0.0, 1); 6]), [(3, SHORT)]);
        assert_eq!(run(&mut control, 9, &[(0.0, 1), (0.05, 1)]), [(10, LONG)]);
        assert_eq!(run(&mut control, 20, &[(0.0, 200); 20]), []);
        assert_eq!(run(&mut control, 50, &[(0.0, 20); 5]), [(53, SHORT)]);
        assert_eq!(control.observe(0.0, None, Instant::now()), Some(LONG), "nothing is known of the line");
    }

    #[test]
    fn a_line_that_is_neither_good_nor_bad_changes_nothing() {
        let mut control = FrameControl::default();
        assert_eq!(run(&mut control, 0, &[(0.005, 30); 30]), []);
        run(&mut control, 40, &[(0.0, 1); 5]);
        assert_eq!(run(&mut control, 60, &[(0.005, 30), (0.0, 40), (0.008, 1)]), []);
        assert_eq!(control.current(), SHORT);
    }

    #[test]
    fn a_line_that_sways_does_not_change_often() {
        let mut control = FrameControl::default();
        let line: Vec<_> = (0..600).map(|second| if second % 3 == 0 { (0.02, 10) } else { (0.0, 10) }).collect();
        assert_eq!(run(&mut control, 0, &line), []);
    }
}
