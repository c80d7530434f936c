//! Signs, painted as vectors so that they are sharp at every scale and need no font.

use egui::{Color32, Painter, Pos2, Rect, Shape, Stroke, StrokeKind, Vec2, epaint::PathShape};

/// A sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Icon {
    /// Microphone open.
    Microphone,
    /// Microphone muted.
    MicrophoneOff,
    /// Camera open.
    Camera,
    /// Camera closed.
    CameraOff,
    /// Loudspeaker.
    Speaker,
    /// People at the table.
    People,
    /// Out of the meeting.
    Leave,
    /// A closed lock: keys are right.
    Lock,
    /// An open lock: keys are missing.
    LockOpen,
    /// A credential.
    Card,
    /// Settings.
    Gear,
    /// An invitation.
    Document,
    /// A folder to choose from.
    Folder,
    /// Begin.
    Play,
    /// Take note.
    Warning,
    /// All is well.
    Check,
    /// Back.
    Back,
    /// Away with it.
    Close,
    /// Chair of the meeting.
    Chair,
    /// Opens a menu above.
    Up,
    /// The level.
    Shield,
    /// A screen that is shared.
    Screen,
    /// A window on a screen.
    Window,
}

/// Draws in a square of 24 units.
struct Pen<'a> {
    painter: &'a Painter,
    origin: Pos2,
    unit: f32,
    stroke: Stroke,
}

impl Pen<'_> {
    fn at(&self, x: f32, y: f32) -> Pos2 {
        self.origin + Vec2::new(x, y) * self.unit
    }

    fn line(&self, points: &[(f32, f32)]) {
        let points: Vec<Pos2> = points.iter().map(|(x, y)| self.at(*x, *y)).collect();
        // Round ends and joints: the stroke alone has square ones.
        for point in &points {
            self.painter.circle_filled(*point, self.stroke.width / 2.0, self.stroke.color);
        }
        self.painter.add(PathShape::line(points, self.stroke));
    }

    fn closed(&self, points: &[(f32, f32)]) {
        let points: Vec<Pos2> = points.iter().map(|(x, y)| self.at(*x, *y)).collect();
        self.painter.add(PathShape::closed_line(points, self.stroke));
    }

    fn filled(&self, points: &[(f32, f32)]) {
        let points: Vec<Pos2> = points.iter().map(|(x, y)| self.at(*x, *y)).collect();
        self.painter.add(PathShape::convex_polygon(points, self.stroke.color, Stroke::NONE));
    }

    fn frame(&self, x: f32, y: f32, width: f32, height: f32, radius: f32) {
        let rect = Rect::from_min_max(self.at(x, y), self.at(x + width, y + height));
        self.painter.rect_stroke(rect, radius * self.unit, self.stroke, StrokeKind::Middle);
    }

    fn circle(&self, x: f32, y: f32, radius: f32) {
        self.painter.circle_stroke(self.at(x, y), radius * self.unit, self.stroke);
    }

    fn dot(&self, x: f32, y: f32, radius: f32) {
        self.painter.circle_filled(self.at(x, y), radius * self.unit, self.stroke.color);
    }

    /// An arc; angles in turns, 0 to the right, growing downwards.
    fn arc(&self, x: f32, y: f32, radius: f32, from: f32, to: f32) {
        let steps = 16;
        let points: Vec<(f32, f32)> = (0..=steps)
            .map(|step| {
                let angle = (from + (to - from) * step as f32 / steps as f32) * std::f32::consts::TAU;
                (x + radius * angle.cos(), y + radius * angle.sin())
            })
            .collect();
        self.line(&points);
    }

    fn slash(&self) {
        self.line(&[(4.0, 3.5), (20.0, 20.5)]);
    }
}

/// Paints a sign into the largest square in the middle of `rect`.
pub fn paint(painter: &Painter, icon: Icon, rect: Rect, colour: Color32) {
    let side = rect.width().min(rect.height());
    let unit = side / 24.0;
    let origin = rect.center() - Vec2::splat(side / 2.0);
    let pen = Pen { painter, origin, unit, stroke: Stroke::new((1.9 * unit).max(1.25), colour) };
    match icon {
        Icon::Microphone => microphone(&pen),
        Icon::MicrophoneOff => {
            microphone(&pen);
            pen.slash();
        }
        Icon::Camera => camera(&pen),
        Icon::CameraOff => {
            camera(&pen);
            pen.slash();
        }
        Icon::Speaker => {
            pen.closed(&[(4.0, 9.5), (7.5, 9.5), (12.0, 5.5), (12.0, 18.5), (7.5, 14.5), (4.0, 14.5)]);
            pen.arc(12.0, 12.0, 4.5, -0.14, 0.14);
            pen.arc(12.0, 12.0, 8.0, -0.14, 0.14);
        }
        Icon::People => people(&pen),
        Icon::Leave => {
            pen.line(&[(13.0, 4.0), (5.0, 4.0), (5.0, 20.0), (13.0, 20.0)]);
            pen.line(&[(10.0, 12.0), (20.0, 12.0)]);
            pen.line(&[(16.0, 8.0), (20.0, 12.0), (16.0, 16.0)]);
        }
        Icon::Lock => {
            lock_body(&pen);
            pen.arc(12.0, 8.0, 3.6, 0.5, 1.0);
            pen.line(&[(8.4, 8.0), (8.4, 11.0)]);
            pen.line(&[(15.6, 8.0), (15.6, 11.0)]);
        }
        Icon::LockOpen => {
            lock_body(&pen);
            pen.arc(12.0, 6.5, 3.6, 0.5, 0.95);
            pen.line(&[(8.4, 6.5), (8.4, 11.0)]);
        }
        Icon::Card => {
            pen.frame(3.0, 5.0, 18.0, 14.0, 2.0);
            pen.circle(8.5, 10.5, 1.9);
            pen.arc(8.5, 16.4, 3.0, 0.54, 0.96);
            pen.line(&[(14.0, 10.0), (18.0, 10.0)]);
            pen.line(&[(14.0, 14.0), (17.0, 14.0)]);
        }
        Icon::Gear => gear(&pen),
        Icon::Document => {
            pen.closed(&[(6.0, 3.0), (14.0, 3.0), (18.5, 7.5), (18.5, 21.0), (6.0, 21.0)]);
            pen.line(&[(9.0, 12.0), (15.5, 12.0)]);
            pen.line(&[(9.0, 16.0), (15.5, 16.0)]);
        }
        Icon::Folder => {
            pen.closed(&[(3.0, 5.5), (9.5, 5.5), (11.5, 8.0), (21.0, 8.0), (21.0, 19.0), (3.0, 19.0)]);
        }
        Icon::Play => pen.filled(&[(7.5, 4.5), (19.5, 12.0), (7.5, 19.5)]),
        Icon::Warning => {
            pen.closed(&[(12.0, 3.5), (21.5, 20.0), (2.5, 20.0)]);
            pen.line(&[(12.0, 9.5), (12.0, 14.0)]);
            pen.dot(12.0, 17.0, 1.1);
        }
        Icon::Check => pen.line(&[(5.0, 12.5), (10.0, 17.5), (19.5, 7.0)]),
        Icon::Back => {
            pen.line(&[(20.0, 12.0), (4.5, 12.0)]);
            pen.line(&[(10.5, 6.0), (4.5, 12.0), (10.5, 18.0)]);
        }
        Icon::Close => {
            pen.line(&[(6.0, 6.0), (18.0, 18.0)]);
            pen.line(&[(18.0, 6.0), (6.0, 18.0)]);
        }
        Icon::Shield => {
            pen.closed(&[
                (12.0, 3.0),
                (19.0, 6.0),
                (19.0, 12.0),
                (16.5, 17.0),
                (12.0, 21.0),
                (7.5, 17.0),
                (5.0, 12.0),
                (5.0, 6.0),
            ]);
        }
        Icon::Screen => {
            pen.frame(2.5, 4.0, 19.0, 13.0, 2.0);
            pen.line(&[(12.0, 14.0), (12.0, 7.5)]);
            pen.line(&[(9.0, 10.0), (12.0, 7.2), (15.0, 10.0)]);
            pen.line(&[(8.0, 20.5), (16.0, 20.5)]);
        }
        Icon::Window => {
            pen.frame(3.0, 4.5, 18.0, 15.0, 2.0);
            pen.line(&[(3.5, 9.0), (20.5, 9.0)]);
        }
        Icon::Up => pen.line(&[(6.0, 15.0), (12.0, 9.0), (18.0, 15.0)]),
        Icon::Chair => {
            // A chairman's gavel would be a courtroom's: a small star says "leads" in any country.
            let points: Vec<(f32, f32)> = (0..10)
                .map(|step| {
                    let radius = if step % 2 == 0 { 9.0 } else { 4.2 };
                    let angle = (step as f32 / 10.0 - 0.25) * std::f32::consts::TAU;
                    (12.0 + radius * angle.cos(), 12.6 + radius * angle.sin())
                })
                .collect();
            pen.closed(&points);
        }
    }
}

fn microphone(pen: &Pen<'_>) {
    pen.frame(8.7, 3.0, 6.6, 11.0, 3.3);
    pen.arc(12.0, 11.0, 6.6, 0.0, 0.5);
    pen.line(&[(12.0, 17.6), (12.0, 21.0)]);
}

fn camera(pen: &Pen<'_>) {
    pen.frame(2.5, 6.5, 12.5, 11.0, 2.2);
    pen.closed(&[(15.0, 10.6), (21.2, 7.4), (21.2, 16.6), (15.0, 13.4)]);
}

fn people(pen: &Pen<'_>) {
    pen.circle(9.0, 8.5, 3.5);
    pen.arc(9.0, 20.0, 6.0, 0.5, 1.0);
    pen.arc(16.2, 8.8, 3.0, -0.3, 0.26);
    pen.arc(15.5, 20.0, 6.0, 0.79, 1.0);
}

fn lock_body(pen: &Pen<'_>) {
    pen.frame(5.0, 11.0, 14.0, 9.5, 2.0);
    pen.dot(12.0, 15.7, 1.4);
}

fn gear(pen: &Pen<'_>) {
    pen.circle(12.0, 12.0, 3.0);
    pen.circle(12.0, 12.0, 6.8);
    for tooth in 0..8 {
        let (sin, cos) = (tooth as f32 / 8.0 * std::f32::consts::TAU).sin_cos();
        pen.line(&[(12.0 + 7.2 * cos, 12.0 + 7.2 * sin), (12.0 + 9.2 * cos, 12.0 + 9.2 * sin)]);
    }
}

/// Paints the mark of the app: seats around a table, one of them lit.
pub fn paint_mark(painter: &Painter, rect: Rect, seats: Color32, lit: Color32) {
    let side = rect.width().min(rect.height());
    let (centre, unit) = (rect.center(), side / 24.0);
    painter.circle_stroke(centre, 5.6 * unit, Stroke::new(1.8 * unit, seats));
    for seat in 0..9 {
        let angle = (seat as f32 / 9.0 - 0.25) * std::f32::consts::TAU;
        let at = centre + Vec2::angled(angle) * 9.8 * unit;
        painter.circle_filled(at, 1.75 * unit, if seat == 0 { lit } else { seats });
    }
}

/// Paints four bars of which `bars` (0 to 4) are lit.
pub fn paint_bars(painter: &Painter, rect: Rect, bars: u8, lit: Color32, dim: Color32) {
    let side = rect.width().min(rect.height());
    let (left, bottom, unit) = (rect.center().x - side / 2.0, rect.center().y + side / 2.0, side / 24.0);
    for bar in 0..4_u8 {
        let height = (6.0 + 4.5 * f32::from(bar)) * unit;
        let x = left + (2.5 + 5.2 * f32::from(bar)) * unit;
        let shape = Rect::from_min_max(
            Pos2::new(x, bottom - 2.0 * unit - height),
            Pos2::new(x + 3.6 * unit, bottom - 2.0 * unit),
        );
        painter.add(Shape::rect_filled(shape, 1.2 * unit, if bar < bars { lit } else { dim }));
    }
}
