//! One person's tile, painted.

use conclave_client::{KeyState, Standing};
use conclave_session::SourceState;
use egui::{Color32, CornerRadius, Id, Painter, Pos2, Rect, Role, Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo};

use super::data::TileData;
use crate::{
    icons::{self, Icon},
    theme::{Type, colour, radius, space},
    video::{Screenery, Shown},
    widgets,
    words::Words,
};

/// Below this height in points a badge would cover the face.
const CRAMPED: f32 = 92.0;

/// How much fits on a tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Size {
    /// Name and seat on two lines.
    Large,
    /// Name and seat's code on one line.
    Medium,
    /// The same, tiny.
    Small,
}

impl Size {
    fn of(rect: Rect) -> Self {
        match rect.height() {
            190.0.. => Self::Large,
            118.0.. => Self::Medium,
            _ => Self::Small,
        }
    }

    fn plate(self) -> f32 {
        match self {
            Self::Large => 52.0,
            Self::Medium => 32.0,
            Self::Small => 24.0,
        }
    }
}

/// Paints a tile into `rect`. `shown` is the newest picture, where there is one.
pub fn show(ui: &Ui, rect: Rect, tile: &TileData, shown: Option<&Shown>, screenery: &Screenery, words: &Words, id: Id) {
    let size = Size::of(rect);
    let painter = ui.painter();
    let corner = if size == Size::Small { radius::M } else { radius::L };
    match shown.filter(|_| tile.show_picture) {
        Some(shown) => screenery.show(painter, rect, shown, tile.mine, f32::from(corner)),
        None => without_picture(painter, rect, tile, size, corner, words),
    }
    plate(painter, rect, tile, size, corner, words);
    if tile.show_picture && shown.is_some() {
        // Where the round corners of picture and plate meet, a bright picture would shine through as a hairline.
        let edge = Stroke::new(1.2, colour::CANVAS);
        painter.rect_stroke(rect, CornerRadius::same(corner), edge, StrokeKind::Middle);
    }
    if tile.speaking {
        let ring = Stroke::new(if size == Size::Small { 2.5 } else { 3.5 }, colour::SPEAKING);
        painter.rect_stroke(rect, CornerRadius::same(corner), ring, StrokeKind::Inside);
    }
    let response = ui.interact(rect, id, Sense::focusable_noninteractive() | Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Group, true, &tile.spoken));
    widgets::focus_ring(painter, &response, corner);
    // Over the words only: a face is not covered by an explanation of whose it is.
    let foot = rect.with_min_y(rect.bottom() - size.plate());
    if !response.hover_pos().is_some_and(|pointer| foot.contains(pointer)) {
        return;
    }
    response.on_hover_ui_at_pointer(|ui| {
        ui.set_max_width(320.0);
        widgets::text(ui, Type::Strong, colour::TEXT, tile.name.clone());
        widgets::text(ui, Type::Small, colour::TEXT_MUTED, format!("{}, {}", tile.seat, tile.role));
        widgets::text(ui, Type::Small, key_colour(tile), tile.state.clone());
    });
}

fn without_picture(painter: &Painter, rect: Rect, tile: &TileData, size: Size, corner: u8, words: &Words) {
    painter.rect(rect, CornerRadius::same(corner), colour::TILE, Stroke::new(1.0, colour::LINE), StrokeKind::Inside);
    let room = Rect::from_min_max(rect.min, rect.max - Vec2::new(0.0, size.plate()));
    let disc = (room.height() * 0.66).min(room.width() * 0.4).min(150.0);
    let says = if tile.key == KeyState::Failing {
        Some((words.say("tile-not-opened"), colour::BAD))
    } else if tile.key == KeyState::Forged {
        Some((words.say("tile-forged"), colour::BAD))
    } else if tile.key == KeyState::Unproven {
        Some((words.say("tile-unproven"), colour::WARNING))
    } else if tile.picture_fails {
        Some((words.say("tile-picture-fails"), colour::WARNING))
    } else if tile.show_picture && size == Size::Large {
        Some((words.say("tile-no-picture-yet"), colour::TEXT_MUTED))
    } else {
        None
    };
    let lift = if says.is_some() && size != Size::Small { 12.0 } else { 0.0 };
    widgets::initials(painter, room.center() - Vec2::new(0.0, lift), disc, &tile.name);
    if let Some((words, tint)) = says.filter(|_| size != Size::Small) {
        let galley = widgets::line(painter, &words, Type::Small, tint, room.width() - 2.0 * space::S);
        painter.galley(
            Pos2::new(room.center().x - galley.size().x / 2.0, room.center().y + disc / 2.0 - 6.0),
            galley,
            tint,
        );
    }
}

/// The strip at the foot: who it is at the left, how their devices and keys stand at the right.
fn plate(painter: &Painter, rect: Rect, tile: &TileData, size: Size, corner: u8, words: &Words) {
    let plate = Rect::from_min_max(Pos2::new(rect.left(), rect.bottom() - size.plate()), rect.max);
    painter.rect_filled(plate, CornerRadius { sw: corner, se: corner, ..CornerRadius::ZERO }, colour::SCRIM);
    let pad = if size == Size::Small { 7.0 } else { space::M };
    let right = match size {
        Size::Large => {
            let row = signs(tile).len() as f32 * 26.0;
            paint_signs(painter, Pos2::new(plate.right() - pad - row + 8.0, plate.center().y), 18.0, &signs(tile));
            plate.right() - pad - row
        }
        Size::Medium | Size::Small => {
            badge(painter, rect, tile, size);
            plate.right() - pad
        }
    };
    let left = plate.left() + pad;
    let name = if tile.mine { words.tell("tile-me", [("name", tile.name.as_str().into())]) } else { tile.name.clone() };
    match size {
        Size::Large => {
            let star = if tile.chair { 20.0 } else { 0.0 };
            if tile.chair {
                let at = Rect::from_center_size(Pos2::new(left + 8.0, plate.top() + 17.0), Vec2::splat(16.0));
                icons::paint(painter, Icon::Chair, at, colour::SPEAKING);
            }
            let galley = widgets::line(painter, &name, Type::Strong, colour::TEXT, right - left - star);
            painter.galley(Pos2::new(left + star, plate.top() + 8.0), galley, colour::TEXT);
            let code = Pos2::new(left, plate.top() + 37.0);
            let code = widgets::seat_code(painter, code, &tile.seat_code, Type::Tiny, colour::TEXT_MUTED);
            let galley =
                widgets::line(painter, &tile.seat, Type::Small, colour::TEXT_MUTED, right - code.right() - 6.0);
            painter.galley(Pos2::new(code.right() + 6.0, plate.top() + 28.0), galley, colour::TEXT_MUTED);
        }
        Size::Medium | Size::Small => {
            let kind = if size == Size::Medium { Type::SmallStrong } else { Type::Tiny };
            let star = if !tile.chair {
                0.0
            } else if size == Size::Medium {
                18.0
            } else {
                15.0
            };
            if tile.chair {
                let at = Pos2::new(left + star / 2.0 - 2.0, plate.center().y);
                let at = Rect::from_center_size(at, Vec2::splat(star - 3.0));
                icons::paint(painter, Icon::Chair, at, colour::SPEAKING);
            }
            let code = widgets::seat_code(
                painter,
                Pos2::new(left + star, plate.center().y),
                &tile.seat_code,
                Type::Tiny,
                colour::TEXT_MUTED,
            );
            let galley = widgets::line(painter, &name, kind, colour::TEXT, right - code.right() - 6.0);
            let top = plate.center().y - galley.size().y / 2.0;
            painter.galley(Pos2::new(code.right() + 6.0, top), galley, colour::TEXT);
        }
    }
}

/// Where the plate has room for the name only, the signs stand on a badge in the upper corner.
fn badge(painter: &Painter, rect: Rect, tile: &TileData, size: Size) {
    let sign = if size == Size::Medium { 14.0 } else { 12.0 };
    let mut shown = signs(tile).to_vec();
    if rect.height() < CRAMPED {
        // A face says more than three signs that all is well.
        shown.retain(|(_, tint)| [colour::BAD, colour::WARNING].contains(tint));
    }
    if shown.is_empty() {
        return;
    }
    let width = sign * 1.4 * shown.len() as f32 + 6.0;
    let corner = Pos2::new(rect.right() - width - 6.0, rect.top() + 6.0);
    let badge = Rect::from_min_size(corner, Vec2::new(width, sign + 8.0));
    painter.rect_filled(badge, CornerRadius::same(radius::S), colour::SCRIM);
    paint_signs(painter, badge.left_center() + Vec2::new(5.0, 0.0), sign, &shown);
}

/// Microphone, camera and key from left to right, beginning at `left`.
fn paint_signs(painter: &Painter, left: Pos2, sign: f32, signs: &[(Icon, Color32)]) {
    let step = if sign > 16.0 { 26.0 } else { sign * 1.4 };
    for (index, (icon, tint)) in signs.iter().rev().enumerate() {
        let centre = left + Vec2::new(index as f32 * step + sign / 2.0, 0.0);
        icons::paint(painter, *icon, Rect::from_center_size(centre, Vec2::splat(sign)), *tint);
    }
}

/// Key, camera and microphone, from right to left.
pub fn signs(tile: &TileData) -> [(Icon, Color32); 3] {
    let open = matches!(tile.key, KeyState::Failing | KeyState::Unproven | KeyState::Forged)
        || tile.standing == Standing::Diverged;
    let key = if open { Icon::LockOpen } else { Icon::Lock };
    let camera = match tile.camera {
        SourceState::On => (Icon::Camera, colour::TEXT_MUTED),
        SourceState::Off => (Icon::CameraOff, colour::TEXT_MUTED),
        SourceState::Missing => (Icon::CameraOff, colour::WARNING),
    };
    let microphone = match tile.microphone {
        SourceState::On if tile.speaking => (Icon::Microphone, colour::SPEAKING),
        SourceState::On => (Icon::Microphone, colour::TEXT),
        SourceState::Off => (Icon::MicrophoneOff, colour::BAD),
        SourceState::Missing => (Icon::MicrophoneOff, colour::WARNING),
    };
    [(key, key_colour(tile)), camera, microphone]
}

fn key_colour(tile: &TileData) -> Color32 {
    match tile.standing {
        Standing::Diverged => return colour::BAD,
        Standing::Silent => return colour::WARNING,
        Standing::Confirmed => {}
    }
    match tile.key {
        KeyState::Verified => colour::TEXT_MUTED,
        KeyState::Open => colour::GOOD,
        KeyState::Unproven => colour::WARNING,
        KeyState::Failing | KeyState::Forged => colour::BAD,
    }
}
