//! Head and shoulders of a delegate.

use std::f64::consts::TAU;

use conclave_model::MediaTime;

use super::canvas::{Canvas, Colour, Ellipse, both};
use crate::voice::{Articulation, hash, smoothstep, unit};

const SKINS: [[u8; 3]; 6] =
    [[244, 212, 188], [232, 190, 160], [214, 168, 134], [186, 136, 102], [146, 100, 72], [110, 76, 56]];
const HAIRS: [[u8; 3]; 7] =
    [[38, 32, 30], [66, 46, 36], [104, 72, 48], [132, 74, 48], [186, 150, 98], [150, 150, 152], [208, 206, 202]];
const SUITS: [[u8; 3]; 6] = [[38, 46, 66], [52, 54, 60], [70, 64, 60], [44, 60, 62], [76, 48, 60], [88, 92, 102]];
const ACCENTS: [[u8; 3]; 6] =
    [[150, 52, 56], [48, 84, 140], [190, 150, 70], [60, 112, 96], [118, 84, 140], [176, 96, 70]];

/// How the hair is worn.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Hair {
    Short,
    Parted,
    Receding,
    Long,
    Bun,
    Bob,
}

/// One delegate's look and place in the picture.
#[derive(Debug)]
pub(super) struct Figure {
    unit: f32,
    middle: f32,
    seed: u64,
    hair: Hair,
    beard: bool,
    glasses: bool,
    skin: Colour,
    hair_colour: Colour,
    suit: Colour,
    accent: Colour,
}

/// Where the parts of the body are at one moment, in pixels.
struct Pose {
    /// What one unit of the drawing measures.
    unit: f32,
    /// Middle and height of the shoulders' movement.
    body: (f32, f32),
    /// Middle of the head.
    head: (f32, f32),
    /// Middle of the face, which turns a little against the head.
    face: (f32, f32),
    /// How far the eyes are open, 0 to 1.
    lids: f32,
    /// Where the eyes look, −1 to 1.
    gaze: f32,
}

impl Figure {
    pub(super) fn new(seed: u64, width: u32, height: u32) -> Self {
        let look = hash(seed ^ 0x0F1E);
        let pick = |table: &[[u8; 3]], shift: u32| Colour::rgb(table[((look >> shift) % table.len() as u64) as usize]);
        let short = seed % 2 == 1;
        let styles =
            if short { [Hair::Short, Hair::Parted, Hair::Receding] } else { [Hair::Long, Hair::Bob, Hair::Bun] };
        let hair = styles[(look >> 57) as usize % 3];
        let skin = pick(&SKINS, 3);
        Self {
            unit: (height as f32).min(width as f32 * 0.8),
            middle: width as f32 / 2.0,
            seed,
            hair,
            beard: short && (look >> 11).is_multiple_of(3),
            glasses: (look >> 17).is_multiple_of(3),
            skin,
            // Dark skin goes with dark or grey hair.
            hair_colour: if skin.0[0] < 135.0 {
                Colour::rgb(HAIRS[[0, 1, 5][(look >> 23) as usize % 3]])
            } else {
                pick(&HAIRS, 23)
            },
            suit: pick(&SUITS, 31),
            accent: pick(&ACCENTS, 37),
        }
    }

    pub(super) fn draw(&self, canvas: &mut Canvas<'_>, speech: &Articulation, time: MediaTime) {
        let pose = self.pose(speech, time);
        self.draw_back_hair(canvas, &pose);
        self.draw_body(canvas, &pose);
        self.draw_head(canvas, &pose);
        self.draw_eyes(canvas, &pose);
        self.draw_mouth(canvas, &pose, speech);
        self.draw_hair(canvas, &pose);
    }

    fn pose(&self, speech: &Articulation, time: MediaTime) -> Pose {
        let person = hash(self.seed);
        // An hour of movement before it repeats keeps the sines precise.
        let seconds = (time.0 % 3_600_000_000) as f64 / 1e6;
        let wave = |period: f64, shift: u32| ((seconds / period + f64::from(unit(person >> shift))) * TAU).sin() as f32;
        let lively = 1.0 + 0.6 * speech.voiced;
        let sway = 0.010 * wave(6.3, 0) + 0.005 * wave(2.7, 16) * lively;
        let nod = 0.004 * wave(4.1, 32) + 0.003 * wave(1.3, 8) * lively - 0.004 * speech.openness;
        let turn = 0.010 * wave(7.7, 24) + 0.004 * wave(3.1, 40);
        let breath = 0.004 * wave(4.3, 48);
        let blink = time.0 / 1000 % (2600 + person % 2400);
        let at = |x: f32, y: f32| (self.middle + x * self.unit, y * self.unit);
        Pose {
            unit: self.unit,
            body: at(sway * 0.35, breath),
            head: at(sway, nod + breath * 0.6),
            face: at(sway + turn, nod * 1.4 + breath * 0.6),
            lids: 1.0 - smoothstep(0.0, 60.0, blink as f32) * (1.0 - smoothstep(80.0, 170.0, blink as f32)),
            gaze: (wave(5.3, 12) * 2.0).clamp(-1.0, 1.0),
        }
    }

    fn draw_back_hair(&self, canvas: &mut Canvas<'_>, pose: &Pose) {
        let shade = self.hair_colour.mix(Colour::BLACK, 0.25);
        match self.hair {
            Hair::Long => {
                canvas.ellipse(shade, 1.0, pose.head_ellipse(0.0, 0.42, 0.165, 0.20));
                canvas.polygon(
                    shade,
                    1.0,
                    &[
                        pose.head_point(-0.164, 0.42),
                        pose.head_point(0.164, 0.42),
                        pose.head_point(0.185, 0.68),
                        pose.head_point(-0.185, 0.68),
                    ],
                );
            }
            Hair::Bob => {
                canvas.ellipse(shade, 1.0, pose.head_ellipse(0.0, 0.40, 0.165, 0.175));
                canvas.polygon(
                    shade,
                    1.0,
                    &[
                        pose.head_point(-0.165, 0.40),
                        pose.head_point(0.165, 0.40),
                        pose.head_point(0.155, 0.545),
                        pose.head_point(-0.155, 0.545),
                    ],
                );
            }
            Hair::Bun => {
                canvas.ellipse(shade, 1.0, pose.head_ellipse(0.0, 0.235, 0.062, 0.055));
                canvas.ellipse(shade, 1.0, pose.head_ellipse(0.0, 0.385, 0.135, 0.16));
            }
            Hair::Receding => canvas.ellipse(shade, 1.0, pose.head_ellipse(0.0, 0.405, 0.130, 0.085)),
            Hair::Short | Hair::Parted => canvas.ellipse(shade, 1.0, pose.head_ellipse(0.0, 0.375, 0.130, 0.150)),
        }
    }

    fn draw_body(&self, canvas: &mut Canvas<'_>, pose: &Pose) {
        let shade = self.skin.mix(Colour::rgb([90, 50, 30]), 0.22);
        let bottom = 1.3;
        let shoulders = |y: f32, grow: f32| {
            let down = (y - pose.body.1) / pose.unit;
            let t = ((down - 0.605) / 0.33).clamp(0.0, 1.0);
            let half = (0.335 * (1.0 - (1.0 - t).powf(2.6)).powf(1.0 / 2.2) + 0.04 * (down - 0.6) + grow) * pose.unit;
            (t > 0.0).then_some((pose.body.0 - half, pose.body.0 + half))
        };
        let lines = (pose.body.1 + 0.605 * pose.unit, bottom * pose.unit);
        canvas.fill(self.suit, 1.0, lines, |y| shoulders(y, 0.0));
        // Light from the left: the far arm lies in shadow.
        canvas.fill(Colour::BLACK, 0.10, lines, |y| {
            let edge = pose.body.0 + 0.16 * pose.unit;
            both(shoulders(y, 0.0), Some((edge, f32::MAX)))
        });
        let point = |x: f32, y: f32| (pose.body.0 + x * pose.unit, pose.body.1 + y * pose.unit);
        let lady = matches!(self.hair, Hair::Long | Hair::Bob | Hair::Bun);
        let shirt = if lady { self.accent.mix(Colour::WHITE, 0.35) } else { Colour::rgb([236, 238, 242]) };
        canvas.polygon(shirt, 1.0, &[point(-0.088, 0.60), point(0.088, 0.60), point(0.0, 0.90)]);
        let neck =
            [pose.head_point(-0.056, 0.48), pose.head_point(0.056, 0.48), point(0.064, 0.625), point(-0.064, 0.625)];
        canvas.polygon(shade, 1.0, &neck);
        let hollow = if lady { 0.055 } else { 0.022 };
        canvas.polygon(shade, 1.0, &[point(-0.064, 0.62), point(0.064, 0.62), point(0.0, 0.63 + hollow)]);
        let lapel = self.suit.mix(Colour::WHITE, 0.09);
        for side in [-1.0, 1.0] {
            canvas.polygon(
                lapel,
                1.0,
                &[
                    point(side * 0.074, 0.597),
                    point(side * 0.118, 0.612),
                    point(side * 0.135, 0.72),
                    point(side * 0.0, 0.93),
                    point(side * 0.006, 0.86),
                ],
            );
        }
        if lady {
            for bead in -4_i8..=4 {
                let x = f32::from(bead) / 4.0;
                let Ellipse { x, y, across, down } =
                    pose.ellipse_at(pose.body, x * 0.058, 0.645 - 0.03 * x * x, 0.0055, 0.0055);
                canvas.ellipse(Colour::rgb([238, 230, 214]), 1.0, Ellipse { x, y, across, down });
            }
            return;
        }
        for side in [-1.0, 1.0] {
            let collar = [point(side * 0.066, 0.598), point(side * 0.072, 0.66), point(side * 0.012, 0.652)];
            canvas.polygon(shirt.mix(Colour::BLACK, 0.06), 1.0, &collar);
        }
        let knot = [point(-0.019, 0.646), point(0.019, 0.646), point(0.012, 0.684), point(-0.012, 0.684)];
        let blade =
            [point(-0.012, 0.684), point(0.012, 0.684), point(0.034, 0.87), point(0.0, 0.91), point(-0.034, 0.87)];
        canvas.polygon(self.accent, 1.0, &blade);
        canvas.polygon(self.accent.mix(Colour::BLACK, 0.18), 1.0, &knot);
    }

    fn draw_head(&self, canvas: &mut Canvas<'_>, pose: &Pose) {
        let dark = Colour::rgb([90, 50, 30]);
        for side in [-1.0, 1.0] {
            canvas.ellipse(self.skin.mix(dark, 0.12), 1.0, pose.head_ellipse(side * 0.117, 0.425, 0.020, 0.032));
        }
        let outline = |y: f32| pose.head_span(y);
        let lines = (pose.head.1 + 0.25 * pose.unit, pose.head.1 + 0.575 * pose.unit);
        // The chin's shadow on the neck.
        canvas.ellipse(dark, 0.16, pose.head_ellipse(0.0, 0.545, 0.058, 0.045));
        canvas.fill(self.skin, 1.0, lines, outline);
        canvas.fill(dark, 0.07, lines, |y| both(outline(y), Some((pose.face.0 + 0.035 * pose.unit, f32::MAX))));
        for side in [-1.0, 1.0] {
            canvas.ellipse(Colour::rgb([206, 96, 84]), 0.13, pose.face_ellipse(side * 0.064, 0.462, 0.027, 0.02));
        }
        if self.beard {
            canvas.fill(self.hair_colour, 0.88, (pose.face.1 + 0.455 * pose.unit, lines.1), |y| {
                let cheek = Ellipse {
                    x: pose.face.0,
                    y: pose.face.1 + 0.44 * pose.unit,
                    across: 0.083 * pose.unit,
                    down: 0.055 * pose.unit,
                };
                // The beard leaves the cheeks free: it is drawn around an ellipse by its two halves below.
                if cheek.span(y).is_some() { None } else { outline(y) }
            });
            canvas.ellipse(self.hair_colour, 0.88, pose.face_ellipse(0.0, 0.487, 0.048, 0.012));
        }
        let nose = self.skin.mix(dark, 0.24);
        canvas.polygon(
            nose,
            0.75,
            &[pose.face_point(0.004, 0.40), pose.face_point(0.022, 0.452), pose.face_point(-0.012, 0.458)],
        );
        canvas.ellipse(nose, 0.75, pose.face_ellipse(0.004, 0.455, 0.019, 0.0085));
    }

    fn draw_eyes(&self, canvas: &mut Canvas<'_>, pose: &Pose) {
        let brow = self.hair_colour.mix(Colour::BLACK, 0.3);
        for side in [-1.0, 1.0] {
            let x = side * 0.047;
            if self.glasses {
                canvas.ellipse(Colour::rgb([40, 40, 46]), 1.0, pose.face_ellipse(x, 0.402, 0.0385, 0.033));
                canvas.ellipse(self.skin.mix(Colour::WHITE, 0.12), 1.0, pose.face_ellipse(x, 0.402, 0.034, 0.0285));
            }
            let open = pose.lids.max(0.08);
            canvas.ellipse(Colour::rgb([246, 244, 240]), 1.0, pose.face_ellipse(x, 0.402, 0.0195, 0.0115 * open));
            let iris = pose.face_ellipse(x + pose.gaze * 0.005, 0.402, 0.0092, 0.0105 * open);
            canvas.ellipse(Colour::rgb([44, 34, 30]), 1.0, iris);
            canvas.ellipse(brow, 0.9, pose.face_ellipse(x, 0.3905, 0.0205, 0.0028));
            let (inner, outer) = (side * 0.022, side * 0.078);
            canvas.polygon(
                brow,
                0.95,
                &[
                    pose.face_point(inner, 0.364),
                    pose.face_point((inner + outer) / 2.0, 0.354),
                    pose.face_point(outer, 0.366),
                    pose.face_point((inner + outer) / 2.0, 0.363),
                    pose.face_point(inner, 0.373),
                ],
            );
        }
        if self.glasses {
            canvas.polygon(
                Colour::rgb([40, 40, 46]),
                1.0,
                &[
                    pose.face_point(-0.010, 0.396),
                    pose.face_point(0.010, 0.396),
                    pose.face_point(0.010, 0.401),
                    pose.face_point(-0.010, 0.401),
                ],
            );
        }
    }

    fn draw_mouth(&self, canvas: &mut Canvas<'_>, pose: &Pose, speech: &Articulation) {
        let lips = self.skin.mix(Colour::rgb([158, 52, 56]), 0.55);
        let width = 0.040 + 0.007 * speech.spread - 0.004 * speech.openness;
        let open = 0.031 * speech.openness;
        let (y, under) = (0.508 + open * 0.35, if self.beard { self.hair_colour } else { self.skin });
        if open > 0.003 {
            canvas.ellipse(lips, 1.0, pose.face_ellipse(0.0, y, width, 0.0085 + open));
            canvas.ellipse(Colour::rgb([74, 26, 30]), 1.0, pose.face_ellipse(0.0, y, width * 0.86, open + 0.002));
            let teeth = pose.face_ellipse(0.0, y, width * 0.70, open);
            let lines = (teeth.y - teeth.down, teeth.y - teeth.down * 0.35);
            canvas.fill(Colour::rgb([240, 236, 230]), 0.92, lines, |y| teeth.span(y));
        } else {
            // A closed mouth smiles a little: of an ellipse only the lower rim is left.
            let rim = pose.face_ellipse(0.0, y - 0.008, width, 0.015);
            let cover = pose.face_ellipse(0.0, y - 0.0155, width * 1.25, 0.0165);
            canvas.ellipse(lips, 1.0, rim);
            canvas
                .fill(under, 1.0, (rim.y - rim.down, rim.y + rim.down), |y| both(rim_and_edge(rim, y), cover.span(y)));
        }
    }

    fn draw_hair(&self, canvas: &mut Canvas<'_>, pose: &Pose) {
        let colour = self.hair_colour;
        let fringe = |canvas: &mut Canvas<'_>, cap: Ellipse, cut: Ellipse| {
            canvas.fill(colour, 1.0, (cap.y - cap.down, cap.y), |y| both(cap.span(y), cut.span(y)));
        };
        let cap = pose.head_ellipse(0.0, 0.382, 0.129, 0.155);
        match self.hair {
            Hair::Short => fringe(canvas, cap, pose.face_ellipse(0.0, 0.262, 0.150, 0.072)),
            Hair::Parted => {
                fringe(canvas, cap, pose.face_ellipse(-0.075, 0.262, 0.090, 0.085));
                fringe(canvas, cap, pose.face_ellipse(0.055, 0.252, 0.110, 0.080));
            }
            Hair::Receding => {
                for side in [-1.0, 1.0] {
                    canvas.ellipse(colour, 1.0, pose.head_ellipse(side * 0.121, 0.375, 0.013, 0.04));
                }
            }
            Hair::Long | Hair::Bob => {
                let crown = pose.head_ellipse(0.0, 0.395, 0.145, 0.17);
                fringe(canvas, crown, pose.face_ellipse(-0.100, 0.285, 0.088, 0.105));
                fringe(canvas, crown, pose.face_ellipse(0.062, 0.262, 0.115, 0.092));
                for side in [-1.0, 1.0] {
                    let strand = pose.head_ellipse(side * 0.132, 0.44, 0.024, 0.10);
                    canvas.ellipse(colour, 1.0, strand);
                }
            }
            Hair::Bun => {
                let crown = pose.head_ellipse(0.0, 0.385, 0.134, 0.158);
                fringe(canvas, crown, pose.face_ellipse(0.0, 0.250, 0.160, 0.082));
            }
        }
    }
}

/// An ellipse's span and a pixel more, so that no rim of what lies below is left.
fn rim_and_edge(ellipse: Ellipse, y: f32) -> Option<(f32, f32)> {
    Ellipse { across: ellipse.across + 1.0, down: ellipse.down + 1.0, ..ellipse }.span(y)
}

impl Pose {
    fn ellipse_at(&self, origin: (f32, f32), x: f32, y: f32, across: f32, down: f32) -> Ellipse {
        Ellipse {
            x: origin.0 + x * self.unit,
            y: origin.1 + y * self.unit,
            across: across * self.unit,
            down: down * self.unit,
        }
    }

    fn head_ellipse(&self, x: f32, y: f32, across: f32, down: f32) -> Ellipse {
        self.ellipse_at(self.head, x, y, across, down)
    }

    fn face_ellipse(&self, x: f32, y: f32, across: f32, down: f32) -> Ellipse {
        self.ellipse_at(self.face, x, y, across, down)
    }

    fn head_point(&self, x: f32, y: f32) -> (f32, f32) {
        (self.head.0 + x * self.unit, self.head.1 + y * self.unit)
    }

    fn face_point(&self, x: f32, y: f32) -> (f32, f32) {
        (self.face.0 + x * self.unit, self.face.1 + y * self.unit)
    }

    /// The outline of the head: an ellipse that narrows towards the chin.
    fn head_span(&self, y: f32) -> Option<(f32, f32)> {
        let (left, right) = self.head_ellipse(0.0, 0.408, 0.118, 0.158).span(y)?;
        let down = ((y - self.head.1) / self.unit - 0.42).max(0.0) / 0.146;
        let narrow = 0.10 * down * (right - left) / 2.0;
        Some((left + narrow, right - narrow))
    }
}
