//! How large a picture the network's budget is worth.

use conclave_codec::{Content, VideoSettings};
use conclave_model::Bitrate;

use crate::VideoQuality;

/// The steps of the ladder: from which budget on, how high, how many pictures per second at most.
const STEPS: [(Bitrate, u16, u8); 4] = [
    (Bitrate::kbps(0), 180, 10),
    (Bitrate::kbps(100), 180, 30),
    (Bitrate::kbps(200), 360, 30),
    (Bitrate::kbps(700), u16::MAX, u8::MAX),
];

/// Below this the picture gives way to the sound altogether.
const NOTHING: Bitrate = Bitrate::kbps(40);

/// How much more than a step's threshold the budget has to be for going up to it, in percent: no oscillation.
const UP: u64 = 125;

/// Where on the ladder the camera's encoder stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rung(usize);

impl Rung {
    /// The one for a budget, seen from where the encoder stands.
    pub(crate) fn for_budget(self, budget: Bitrate) -> Self {
        let fits = |factor: u64| {
            STEPS.iter().rposition(|(from, _, _)| budget.0 >= from.0.saturating_mul(factor) / 100).unwrap_or(0)
        };
        let (down, up) = (fits(100), fits(UP));
        Self(if up > self.0 { up } else { self.0.min(down) })
    }

    /// What to encode there.
    pub(crate) fn settings(self, wished: VideoQuality, budget: Bitrate) -> VideoSettings {
        let (_, height, rate) = STEPS[self.0.min(STEPS.len() - 1)];
        let quality = VideoQuality {
            height: wished.height.min(height),
            frames_per_second: wished.frames_per_second.min(rate),
            ..wished
        };
        VideoSettings {
            width: quality.width(),
            height: u32::from(quality.height),
            frames_per_second: u32::from(quality.frames_per_second),
            bitrate: budget.min(wished.max_bitrate).max(NOTHING),
            // One thread keeps up with 360p; the rest of the machine belongs to decoders.
            threads: if quality.height > 360 { 2 } else { 1 },
            content: Content::Camera,
        }
    }
}

/// Begins at the top: the first budget corrects it within a second.
impl Default for Rung {
    fn default() -> Self {
        Self(STEPS.len() - 1)
    }
}

/// Whether a budget bears a picture at all.
pub(crate) fn bears_picture(budget: Bitrate) -> bool {
    budget >= NOTHING
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn less_bandwidth_makes_the_picture_smaller_and_more_makes_it_larger_again() {
        let wished = VideoQuality::default();
        let mut rung = Rung::default();
        let mut heights = Vec::new();
        for kbps in [5000, 600, 150, 60, 150, 600, 5000] {
            rung = rung.for_budget(Bitrate::kbps(kbps));
            heights.push(rung.settings(wished, Bitrate::kbps(kbps)).height);
        }
        assert_eq!(heights, [720, 360, 180, 180, 180, 360, 720]);
        assert_eq!(rung.settings(wished, Bitrate::kbps(5000)).bitrate, wished.max_bitrate);
    }

    #[test]
    fn a_budget_that_wavers_around_a_step_does_not_change_the_picture_each_time() {
        let mut rung = Rung::default().for_budget(Bitrate::kbps(690));
        let low = rung;
        for kbps in [705, 690, 710, 699, 860] {
            rung = rung.for_budget(Bitrate::kbps(kbps));
            assert_eq!(rung, low);
        }
        assert_ne!(rung.for_budget(Bitrate::kbps(880)), low);
    }

    #[test]
    fn the_wish_is_never_exceeded() {
        let wished = VideoQuality { height: 120, frames_per_second: 5, max_bitrate: Bitrate::kbps(90) };
        let settings = Rung::default().settings(wished, Bitrate::kbps(9000));
        assert_eq!((settings.height, settings.frames_per_second, settings.bitrate), (120, 5, Bitrate::kbps(90)));
    }
}
