//! The lines that the parts are measured on.

use std::time::Duration;

use conclave_sim::stage::{LineSpec, Loss, Stage, Way};

use super::Options;

/// One point of a table: which line is bad, and how.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Point {
    /// Whose line: 0 the sender's, 1 the receiver's.
    pub(crate) at: usize,
    pub(crate) loss: Loss,
    pub(crate) round_trip: Duration,
}

/// The mean length of a burst, in packets.
const BURST: f32 = 3.0;

/// The round trips of the tables, in milliseconds.
pub(crate) const ROUND_TRIPS: [u64; 2] = [20, 200];

impl Point {
    /// The points of the issue, and a few with the receiver's line in the place of the sender's.
    pub(crate) fn all(options: &Options) -> Vec<Self> {
        let short = options.short;
        let mut points = Vec::new();
        for milliseconds in ROUND_TRIPS {
            let round_trip = Duration::from_millis(milliseconds);
            for at in [0, 1] {
                for percent in [0_u8, 5, 10, 20, 30, 50] {
                    for burst in [false, true] {
                        let share = f32::from(percent) / 100.0;
                        let loss = match (percent, burst) {
                            (0, _) => Loss::None,
                            (_, false) => Loss::Random(share),
                            (_, true) => Loss::Bursts { share, mean: BURST },
                        };
                        let is_wanted = (percent > 0 || !burst) && (at == 0 || matches!(percent, 10 | 20));
                        let is_short = at == 0 && (milliseconds == 20 || !burst) && matches!(percent, 0 | 10);
                        let is_asked = options.shares.is_empty() || options.shares.contains(&percent);
                        if is_wanted && is_asked && (!short || is_short) {
                            points.push(Self { at, loss, round_trip });
                        }
                    }
                }
            }
        }
        points
    }

    /// The point that the design asks something of, without and with its loss.
    pub(crate) fn design() -> [Self; 2] {
        [Loss::None, Loss::Random(0.1)].map(|loss| Self { at: 0, loss, round_trip: Duration::from_millis(50) })
    }

    /// Each direction of the line.
    pub(crate) fn line(&self) -> LineSpec {
        LineSpec { latency: self.round_trip / 2, loss: self.loss, rate: None }
    }

    /// Makes the line as the point says, in both directions.
    pub(crate) fn apply(&self, stage: &mut Stage) {
        for way in [Way::Up, Way::Down] {
            stage.set_line(self.at, way, self.line());
        }
    }

    /// `none`, `random` or `bursts`.
    pub(crate) fn kind(&self) -> &'static str {
        match self.loss {
            Loss::None => "none",
            Loss::Random(_) => "random",
            Loss::Bursts { .. } => "bursts",
        }
    }

    /// From 0 to 1.
    pub(crate) fn share(&self) -> f64 {
        match self.loss {
            Loss::None => 0.0,
            Loss::Random(share) | Loss::Bursts { share, .. } => f64::from(share),
        }
    }

    /// `sender` or `receiver`.
    pub(crate) fn place(&self) -> &'static str {
        if self.at == 0 { "sender" } else { "receiver" }
    }
}
