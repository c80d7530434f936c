//! The controls of a bar: a sign over a word, and the caret beside it.

use egui::{
    Align2, Color32, CornerRadius, Id, Pos2, Rect, Response, Role, Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo,
};

use super::focus_ring;
use crate::{
    icons::{self, Icon},
    theme::{Type, colour, radius},
};

/// How a control of the bar stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Open, as it should be.
    On,
    /// Closed by the person.
    Off,
    /// There is none, or it failed.
    Trouble,
    /// Neither on nor off: it opens something.
    Plain,
    /// What it opens is open.
    Open,
    /// It ends the meeting.
    Danger,
}

/// A control of the bar: a sign over a word.
#[derive(Debug)]
pub struct Control<'a> {
    /// The sign.
    pub icon: Icon,
    /// The word below.
    pub label: &'a str,
    /// What a screen reader says: the state and what pressing does.
    pub accessible: &'a str,
    /// What is shown when pointed at.
    pub hover: &'a str,
    /// How it stands.
    pub standing: Standing,
    /// From 0 to 1: a light around the sign that follows the voice.
    pub level: f32,
    /// Whether a [`Caret`] stands at its right.
    pub joined: bool,
}

impl Control<'_> {
    /// Its size in points.
    pub const SIZE: Vec2 = Vec2::new(88.0, 60.0);

    /// Shows it in `rect`.
    pub fn show(&self, ui: &Ui, rect: Rect, id: Id) -> Response {
        let response = ui.interact(rect, id, Sense::click());
        response.widget_info(|| match self.standing {
            Standing::On => WidgetInfo::selected(Role::Button, true, true, self.accessible),
            Standing::Off | Standing::Trouble => WidgetInfo::selected(Role::Button, true, false, self.accessible),
            Standing::Plain | Standing::Open | Standing::Danger => {
                WidgetInfo::labeled(Role::Button, true, self.accessible)
            }
        });
        let hovered = response.hovered() || response.is_pointer_button_down_on();
        let (fill, text) = self.standing.colours(hovered);
        let painter = ui.painter();
        let whole = CornerRadius::same(radius::L);
        let corners = if self.joined { CornerRadius { ne: radius::S, se: radius::S, ..whole } } else { whole };
        let outline = match self.standing {
            Standing::Off | Standing::Trouble if hovered => Stroke::new(1.0, colour::BAD),
            Standing::Open => Stroke::new(1.0, colour::OUTLINE),
            Standing::On | Standing::Off | Standing::Trouble | Standing::Plain | Standing::Danger => Stroke::NONE,
        };
        painter.rect(rect, corners, fill, outline, StrokeKind::Inside);
        let sign = Rect::from_center_size(rect.center_top() + Vec2::new(0.0, 23.0), Vec2::splat(24.0));
        icons::paint(painter, self.icon, sign, text);
        if self.standing == Standing::On && self.level > 0.02 {
            let bar = Rect::from_min_size(Pos2::new(sign.right() + 7.0, sign.top() + 2.0), Vec2::new(4.0, 20.0));
            painter.rect_filled(bar, 2.0, colour::LINE);
            let lit = bar.with_min_y(bar.bottom() - bar.height() * self.level.clamp(0.0, 1.0));
            painter.rect_filled(lit, 2.0, colour::GOOD);
        }
        painter.text(
            rect.center_bottom() - Vec2::new(0.0, 9.0),
            Align2::CENTER_BOTTOM,
            self.label,
            Type::SmallStrong.font(),
            text,
        );
        if self.standing == Standing::Trouble {
            let mark = Rect::from_center_size(rect.right_top() + Vec2::new(-14.0, 14.0), Vec2::splat(14.0));
            icons::paint(painter, Icon::Warning, mark, colour::WARNING);
        }
        focus_ring(painter, &response, radius::L);
        response.on_hover_text(self.hover)
    }
}

impl Standing {
    /// The ground and what is on it.
    fn colours(self, hovered: bool) -> (Color32, Color32) {
        match self {
            Self::On | Self::Plain => (if hovered { colour::RAISED_HOVER } else { colour::RAISED }, colour::TEXT),
            Self::Open => (if hovered { colour::RAISED_ACTIVE } else { colour::RAISED_HOVER }, colour::ACCENT_TEXT),
            Self::Off | Self::Trouble => (colour::BAD_GROUND, colour::BAD),
            Self::Danger => (if hovered { colour::DANGER_HOVER } else { colour::DANGER }, colour::ON_ACCENT),
        }
    }
}

/// The narrow half of a split button: opens a menu about the control at its left.
#[derive(Clone, Copy, Debug)]
pub struct Caret<'a> {
    /// What a screen reader says, and what is shown when pointed at.
    pub accessible: &'a str,
    /// Whether the menu is open.
    pub open: bool,
}

impl Caret<'_> {
    /// Its width in points; it is as high as a [`Control`].
    pub const WIDTH: f32 = 28.0;

    /// Between the two halves.
    pub const GAP: f32 = 2.0;

    /// Shows it in `rect`.
    pub fn show(self, ui: &Ui, rect: Rect, id: Id) -> Response {
        let response = ui.interact(rect, id, Sense::click());
        response.widget_info(|| WidgetInfo::selected(Role::Button, true, self.open, self.accessible));
        let standing = if self.open { Standing::Open } else { Standing::Plain };
        let (fill, tint) = standing.colours(response.hovered());
        let corners = CornerRadius { ne: radius::L, se: radius::L, nw: radius::S, sw: radius::S };
        ui.painter().rect_filled(rect, corners, fill);
        icons::paint(ui.painter(), Icon::Up, Rect::from_center_size(rect.center(), Vec2::splat(16.0)), tint);
        focus_ring(ui.painter(), &response, radius::L);
        if self.open { response } else { response.on_hover_text(self.accessible) }
    }
}
