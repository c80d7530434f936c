//! Which encodings of the own picture are sent, how large, how often and at which bitrate.
//!
//! Sent is what somebody watches, as far as line and processor bear it; in the place of an encoding that they do not
//! bear, or that the camera is too small for, comes the next lower one. Pure.

use conclave_codec::{Content, VideoSettings};
use conclave_model::{Bitrate, Layer};

use super::strain::Strain;
use crate::{VideoQuality, media::fitted};

/// How many encodings there are at most.
pub(crate) const LAYERS: usize = Layer::COUNT as usize;

/// The encodings to be made, by layer. Width and height are those of a box that the picture has to fit into.
pub type Plan = [Option<VideoSettings>; LAYERS];

/// Heights of the lower encodings; the highest has the wished one.
const HEIGHTS: [u16; LAYERS - 1] = [180, 360];

/// From which bitrate on an encoding is worth its place, in kbit/s; the highest at [`FULL`] pixels.
const LEAST: [u64; LAYERS] = [100, 200, 700];

/// More than this gains little; the highest may have what is wished.
const MOST: [u64; LAYERS - 1] = [150, 500];

/// Pixels of the highest encoding for which [`LEAST`] is said; smaller ones need less.
const FULL: u64 = 1280 * 720;

/// Below this the picture gives way to the sound altogether. More than the least that a session's budget says, which it says
/// of a line without any room.
const NOTHING: Bitrate = Bitrate::kbps(60);

/// How many more pixels, in percent, make an encoding of its own.
const WORTH: u64 = 150;

/// How much more than what an encoding needs the budget has to be before it is taken up, in percent: no oscillation.
const UP: u64 = 125;

/// Pictures per second of the lowest encoding where the line bears no more.
const SLOW: u32 = 10;

/// What decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Circumstances {
    /// Width and height of the camera's pictures; `None` before the first.
    pub camera: Option<(u32, u32)>,
    /// What is to be sent at best.
    pub wish: VideoQuality,
    /// One bit for each encoding that somebody watches.
    pub wanted: u8,
    /// What the line bears for the camera.
    pub budget: Bitrate,
    /// What the processor does not bear.
    pub strain: Strain,
}

/// Where the line stood last, so that a wavering one does not change the picture each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rung {
    /// The highest encoding that it bore.
    top: usize,
    /// Whether it bore all pictures of the lowest.
    whole: bool,
    /// Whether it bore a picture at all.
    any: bool,
}

/// Begins at the top: the first budget corrects it within a second.
impl Default for Rung {
    fn default() -> Self {
        Self { top: LAYERS - 1, whole: true, any: true }
    }
}

/// What to encode, and where the line stands now.
///
/// The lower encodings are served first, since many small tiles hang on them; none gets less than makes it worth its
/// place, except the lowest.
pub fn plan(before: Rung, at: &Circumstances) -> (Rung, Plan) {
    let boxes = boxes(at.camera, at.wish);
    let bears = |need: u64, was: bool| at.budget.0 >= need.saturating_mul(1000) * if was { 100 } else { UP } / 100;
    let any = bears(NOTHING.0 / 1000, before.any);
    if at.wanted == 0 || !any {
        return (Rung { any, ..before }, [None; LAYERS]);
    }
    let highest = at.strain.top().min(boxes.len() - 1);
    let sent = |top: usize| (0..=top).filter(move |layer| sends(at.wanted, *layer, top));
    let needs = |top: usize| -> u64 { sent(top).map(|layer| least(layer, &boxes)).sum() };
    let top = (1..=highest).rev().find(|top| bears(needs(*top), *top <= before.top)).unwrap_or(0);
    let whole = top > 0 || bears(LEAST[0], before.whole);
    // Where the processor or the camera is the limit, the line has not said anything about what is above.
    let rung = Rung { top: if top == highest { top.max(before.top) } else { top }, whole, any };
    let mut plan = [None; LAYERS];
    let mut rest = at.budget.0 / 1000;
    let mut due = needs(top);
    for layer in sent(top) {
        due -= least(layer, &boxes);
        let Side { width, height, pixels } = boxes[layer];
        let wished = at.wish.max_bitrate.0 / 1000;
        let most = MOST.get(layer).copied().unwrap_or((wished * pixels / FULL).max(MOST[LAYERS - 2])).min(wished);
        let kbps = rest.saturating_sub(due).min(most).max(NOTHING.0 / 1000);
        rest = rest.saturating_sub(kbps);
        let rate = u32::from(at.wish.frames_per_second).max(1);
        let rate = if layer == at.strain.top() && at.strain.halves() { rate.div_ceil(2) } else { rate };
        plan[layer] = Some(VideoSettings {
            width,
            height,
            frames_per_second: if whole { rate } else { rate.min(SLOW) },
            bitrate: Bitrate::kbps(kbps),
            // One thread keeps up with 360 lines; the rest of the machine belongs to decoders.
            threads: if pixels > FULL / 2 { 2 } else { 1 },
            content: Content::Camera,
        });
    }
    (rung, plan)
}

/// What all encodings together would take at best.
pub fn desired(wish: VideoQuality) -> Bitrate {
    let boxes = boxes(None, wish);
    let lower: u64 = MOST.iter().take(boxes.len() - 1).sum();
    Bitrate(wish.max_bitrate.0.saturating_add(lower * 1000))
}

/// The boxes that the camera's pictures fill, lowest first; one at least.
fn boxes(camera: Option<(u32, u32)>, wish: VideoQuality) -> Vec<Side> {
    let camera = camera.unwrap_or((wish.width(), u32::from(wish.height)));
    let heights = HEIGHTS.into_iter().chain([wish.height]).map(|height| height.min(wish.height));
    let mut boxes: Vec<Side> = Vec::with_capacity(LAYERS);
    for height in heights {
        let (width, height) = (VideoQuality { height, ..wish }.width(), u32::from(height));
        let filled = fitted(camera, (width, height));
        let side = Side { width, height, pixels: u64::from(filled.0) * u64::from(filled.1) };
        match boxes.last_mut() {
            // Hardly larger than the one below, so it takes that one's place.
            Some(below) if side.pixels * 100 < below.pixels * WORTH => *below = side,
            Some(_) | None => boxes.push(side),
        }
    }
    boxes
}

/// Whether this encoding is sent, where none above `top` is.
fn sends(wanted: u8, layer: usize, top: usize) -> bool {
    let above = u32::from(wanted & Layer::ALL) >> layer;
    if layer == top { above != 0 } else { layer < top && above & 1 == 1 }
}

/// What an encoding needs at least, in kbit/s.
fn least(layer: usize, boxes: &[Side]) -> u64 {
    let full = LEAST[layer.min(LAYERS - 1)];
    match boxes.get(layer) {
        Some(side) if layer == LAYERS - 1 => (full * side.pixels / FULL).clamp(LEAST[layer - 1] * 3 / 2, full * 2),
        Some(_) | None => full,
    }
}

/// A box that pictures fill, and how many pixels those of the camera have in it.
#[derive(Clone, Copy, Debug)]
struct Side {
    width: u32,
    height: u32,
    pixels: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: u8 = Layer::ALL;

    fn at(kbps: u64, wanted: u8) -> Circumstances {
        Circumstances {
            camera: Some((1280, 720)),
            wish: VideoQuality::default(),
            wanted,
            budget: Bitrate::kbps(kbps),
            strain: Strain::default(),
        }
    }

    /// Height, rate and kbit/s of each encoding.
    fn shown(plan: &Plan) -> Vec<Option<(u32, u32, u64)>> {
        let show = |settings: VideoSettings| (settings.height, settings.frames_per_second, settings.bitrate.0 / 1000);
        plan.iter().map(|settings| settings.map(show)).collect()
    }

    fn at_once(at: &Circumstances) -> Vec<Option<(u32, u32, u64)>> {
        shown(&plan(Rung::default(), at).1)
    }

    #[test]
    fn line_and_viewers_decide_what_is_sent() {
        let table = [
            (5000, ALL, [Some((180, 30, 150)), Some((360, 30, 500)), Some((720, 30, 1500))]),
            (1000, ALL, [Some((180, 30, 100)), Some((360, 30, 200)), Some((720, 30, 700))]),
            (900, ALL, [Some((180, 30, 150)), Some((360, 30, 500)), None]),
            (250, ALL, [Some((180, 30, 150)), None, None]),
            (80, ALL, [Some((180, 10, 80)), None, None]),
            // A session's budget says no less than this of any line.
            (50, ALL, [None, None, None]),
            (30, ALL, [None, None, None]),
            (5000, 0b001, [Some((180, 30, 150)), None, None]),
            (5000, 0b100, [None, None, Some((720, 30, 1500))]),
            (600, 0b100, [None, Some((360, 30, 500)), None]),
            (600, 0b101, [Some((180, 30, 150)), Some((360, 30, 450)), None]),
            (150, 0b110, [Some((180, 30, 150)), None, None]),
            (5000, 0, [None, None, None]),
            (5000, 0b1111_1000, [None, None, None]),
        ];
        for (kbps, wanted, expected) in table {
            assert_eq!(at_once(&at(kbps, wanted)), expected, "{kbps} kbit/s for {wanted:#b}");
        }
    }

    #[test]
    fn small_and_odd_cameras_give_the_encodings_that_make_sense() {
        let heights = |camera: (u32, u32)| -> Vec<(u32, u32)> {
            let (_, plan) = plan(Rung::default(), &Circumstances { camera: Some(camera), ..at(5000, ALL) });
            plan.iter().flatten().map(|settings| fitted(camera, (settings.width, settings.height))).collect()
        };
        assert_eq!(heights((1280, 720)), [(320, 180), (640, 360), (1280, 720)]);
        assert_eq!(heights((1920, 1080)), [(320, 180), (640, 360), (1280, 720)]);
        assert_eq!(heights((640, 360)), [(320, 180), (640, 360)]);
        assert_eq!(heights((640, 480)), [(240, 180), (480, 360), (640, 480)]);
        assert_eq!(heights((320, 240)), [(240, 180), (320, 240)]);
        assert_eq!(heights((160, 120)), [(160, 120)]);
        assert_eq!(heights((720, 1280)), [(100, 180), (202, 360), (404, 720)]);
        assert_eq!(heights((641, 401)), [(286, 180), (640, 400)]);
        assert_eq!(heights((1, 1)), [(16, 16)]);
    }

    #[test]
    fn the_wish_is_never_exceeded() {
        let wish = VideoQuality { height: 120, frames_per_second: 5, max_bitrate: Bitrate::kbps(90) };
        assert_eq!(at_once(&Circumstances { wish, ..at(9000, ALL) }), [Some((120, 5, 90)), None, None]);
        let wish = VideoQuality { height: 360, frames_per_second: 25, max_bitrate: Bitrate::kbps(500) };
        let two = [Some((180, 25, 150)), Some((360, 25, 500)), None];
        assert_eq!(at_once(&Circumstances { wish, ..at(9000, ALL) }), two);
        assert_eq!(desired(wish), Bitrate::kbps(650));
    }

    #[test]
    fn a_budget_that_wavers_around_a_step_does_not_change_the_picture_each_time() {
        let wavering: Vec<u64> = (0..200).map(|at| 1000 + [60, 0, 130, 30, 190][at % 5] - 100).collect();
        let (mut rung, mut changes, mut before) = (Rung::default(), 0, None);
        for kbps in wavering {
            let (next, plan) = plan(rung, &at(kbps, ALL));
            rung = next;
            let set = plan.map(|settings| settings.is_some());
            changes += u32::from(before.replace(set).is_some_and(|before| before != set));
        }
        assert!(changes <= 1, "{changes}");
        assert!(plan(rung, &at(1300, ALL)).1[2].is_some(), "and up again");
    }

    #[test]
    fn more_budget_never_means_less_and_the_sum_is_kept() {
        for wanted in 1..=ALL {
            let mut before = 0;
            for kbps in (40..6000).step_by(7) {
                let (_, plan) = plan(Rung::default(), &at(kbps, wanted));
                let sum: u64 = plan.iter().flatten().map(|settings| settings.bitrate.0 / 1000).sum();
                assert!(sum <= kbps, "{sum} of {kbps} for {wanted:#b}");
                let top = plan.iter().rposition(Option::is_some).unwrap_or(0);
                assert!(top >= before, "{kbps} for {wanted:#b}");
                before = top;
            }
        }
    }

    #[test]
    fn the_processor_takes_from_the_top() {
        let of = |steps: u8| {
            at_once(&Circumstances { strain: Strain::after(steps), ..at(5000, ALL) })
                .into_iter()
                .map(|layer| layer.map_or(0, |(_, rate, _)| rate))
                .collect::<Vec<_>>()
        };
        let found: Vec<_> = (0..=5).map(of).collect();
        assert_eq!(found, [[30, 30, 30], [30, 30, 15], [30, 30, 0], [30, 15, 0], [30, 0, 0], [15, 0, 0]]);
    }

    #[test]
    fn what_the_processor_held_back_comes_at_once_when_it_is_free() {
        let strained = Circumstances { strain: Strain::after(4), ..at(1050, ALL) };
        let (rung, _) = plan(Rung::default(), &strained);
        assert!(plan(rung, &at(1050, ALL)).1[2].is_some());
    }
}
