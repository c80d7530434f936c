//! How long the frames of a track took, stage by stage.

use std::{collections::VecDeque, time::Duration};

use conclave_model::MediaTime;

use crate::report::{LatencyReport, StagesReport};

/// The moments in the life of one frame, all on the clock that captured it (as far as clocks agree).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameTimes {
    /// In memory at the sender.
    pub captured: MediaTime,
    /// Out of the sender's encoder.
    pub encoded: MediaTime,
    /// Its last packet came in.
    pub received: MediaTime,
    /// Decrypted, and its turn.
    pub opened: MediaTime,
    /// Out of the decoder.
    pub decoded: MediaTime,
    /// In the slot from which the window takes it.
    pub ready: MediaTime,
}

/// Times of the last frames of one track; bounded.
#[derive(Clone, Debug, Default)]
pub struct Stages {
    frames: VecDeque<FrameTimes>,
}

impl Stages {
    /// Adds a frame.
    pub fn add(&mut self, times: FrameTimes) {
        if self.frames.len() == WINDOW {
            self.frames.pop_front();
        }
        self.frames.push_back(times);
    }

    /// From captured to ready.
    pub fn latency(&self) -> LatencyReport {
        self.percentiles(|times| times.ready.since(times.captured))
    }

    /// The stages, which tile the latency frame by frame (their percentiles need not add up).
    pub fn report(&self) -> StagesReport {
        StagesReport {
            encode: self.percentiles(|times| times.encoded.since(times.captured)),
            network: self.percentiles(|times| times.received.since(times.encoded)),
            open: self.percentiles(|times| times.opened.since(times.received)),
            decode: self.percentiles(|times| times.decoded.since(times.opened)),
            ready: self.percentiles(|times| times.ready.since(times.decoded)),
        }
    }

    fn percentiles(&self, stage: impl Fn(&FrameTimes) -> Duration) -> LatencyReport {
        let mut times: Vec<Duration> = self.frames.iter().map(stage).collect();
        times.sort_unstable();
        let at = |share: usize| {
            let index = (times.len() * share).div_ceil(100).saturating_sub(1);
            times.get(index).map_or(0.0, |time| time.as_secs_f64() * 1000.0)
        };
        LatencyReport { p50: at(50), p95: at(95) }
    }
}

/// Frames that are remembered: a good minute at 30 per second.
const WINDOW: usize = 2048;

#[cfg(test)]
mod tests {
    use super::*;

    fn times(milliseconds: [u64; 6]) -> FrameTimes {
        let [captured, encoded, received, opened, decoded, ready] =
            milliseconds.map(|time| MediaTime(1_000_000 + time * 1000));
        FrameTimes { captured, encoded, received, opened, decoded, ready }
    }

    #[test]
    fn the_stages_of_a_frame_tile_its_latency() {
        let mut stages = Stages::default();
        stages.add(times([0, 8, 20, 21, 25, 26]));
        let report = stages.report();
        let sum: f64 = [report.encode, report.network, report.open, report.decode, report.ready]
            .iter()
            .map(|stage| stage.p50)
            .sum();
        assert!((sum - stages.latency().p50).abs() < 1e-9);
        assert!((report.network.p50 - 12.0).abs() < 1e-9);
    }

    #[test]
    fn percentiles_name_real_frames() {
        let mut stages = Stages::default();
        for ready in 1..=100 {
            stages.add(times([0, 0, 0, 0, 0, ready]));
        }
        assert_eq!(stages.latency(), LatencyReport { p50: 50.0, p95: 95.0 });
        assert_eq!(Stages::default().latency(), LatencyReport::default());
    }

    #[test]
    fn memory_is_bounded() {
        let mut stages = Stages::default();
        for _ in 0..WINDOW + 10 {
            stages.add(times([0; 6]));
        }
        assert_eq!(stages.frames.len(), WINDOW);
    }
}
