//! Controls and marks that several screens share.

mod control;

use std::sync::Arc;

use conclave_model::Level;
use egui::{
    Align2, Color32, CornerRadius, Galley, Id, Painter, Pos2, Rect, Response, RichText, Role, Sense, Stroke,
    StrokeKind, Ui, Vec2, Widget, WidgetInfo, text::LayoutJob,
};

use crate::{
    icons::{self, Icon},
    theme::{self, Type, colour, radius, space},
    words::Words,
};

pub use control::{Caret, Control, Standing};

/// How much a button asks to be pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// The one thing to do next.
    Primary,
    /// One of several things to do.
    Secondary,
    /// Hardly there until it is pointed at.
    Quiet,
    /// Ends something.
    Danger,
}

/// A button with a word, and a sign where it helps.
#[must_use = "a button is shown by adding it to a Ui"]
pub struct PushButton {
    label: String,
    icon: Option<Icon>,
    weight: Weight,
    height: f32,
    min_width: f32,
    enabled: bool,
    accessible: Option<String>,
    left: bool,
}

impl PushButton {
    /// A button with this word.
    pub fn new(weight: Weight, label: impl Into<String>) -> Self {
        Self {
            label: label.into(),
            icon: None,
            weight,
            height: space::BUTTON,
            min_width: 0.0,
            enabled: true,
            accessible: None,
            left: false,
        }
    }

    /// With a sign before the word.
    pub fn icon(mut self, icon: Icon) -> Self {
        self.icon = Some(icon);
        self
    }

    /// Higher than usual.
    pub fn large(mut self) -> Self {
        self.height = space::BUTTON_LARGE;
        self
    }

    /// Lower than usual, for rows of a list.
    pub fn small(mut self) -> Self {
        self.height = space::BUTTON_SMALL;
        self
    }

    /// At least so wide, in points.
    pub fn min_width(mut self, width: f32) -> Self {
        self.min_width = width;
        self
    }

    /// Whether it can be pressed now.
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.enabled = enabled;
        self
    }

    /// What a screen reader says, where the word alone is not enough.
    pub fn accessible(mut self, words: impl Into<String>) -> Self {
        self.accessible = Some(words.into());
        self
    }

    /// The word begins at the left instead of standing in the middle.
    pub fn left(mut self) -> Self {
        self.left = true;
        self
    }

    fn colours(&self, response: &Response) -> (Color32, Color32, Stroke) {
        if !self.enabled {
            return (colour::RAISED, colour::TEXT_DISABLED, Stroke::NONE);
        }
        let pick = |rest, hover, active| {
            if response.is_pointer_button_down_on() {
                active
            } else if response.hovered() {
                hover
            } else {
                rest
            }
        };
        let outline = Stroke::new(1.0, colour::OUTLINE);
        match self.weight {
            Weight::Primary => {
                (pick(colour::ACCENT, colour::ACCENT_HOVER, colour::ACCENT_ACTIVE), colour::ON_ACCENT, Stroke::NONE)
            }
            Weight::Secondary => {
                (pick(colour::RAISED, colour::RAISED_HOVER, colour::RAISED_ACTIVE), colour::TEXT, outline)
            }
            Weight::Quiet => (pick(colour::CLEAR, colour::RAISED, colour::RAISED_HOVER), colour::TEXT, Stroke::NONE),
            Weight::Danger => {
                (pick(colour::DANGER, colour::DANGER_HOVER, colour::DANGER_ACTIVE), colour::ON_ACCENT, Stroke::NONE)
            }
        }
    }
}

impl Widget for PushButton {
    fn ui(self, ui: &mut Ui) -> Response {
        let galley = ui.painter().layout_no_wrap(self.label.clone(), Type::Strong.font(), Color32::PLACEHOLDER);
        let sign = if self.icon.is_some() { 20.0 + space::S } else { 0.0 };
        let wanted = galley.size().x + sign + 2.0 * space::L;
        let size = Vec2::new(wanted.max(self.min_width).min(ui.available_width().max(wanted.min(96.0))), self.height);
        let sense = if self.enabled { Sense::click() } else { Sense::hover() };
        let (rect, response) = ui.allocate_exact_size(size, sense);
        let name = self.accessible.clone().unwrap_or_else(|| self.label.clone());
        response.widget_info(|| WidgetInfo::labeled(Role::Button, self.enabled, &name));
        if ui.is_rect_visible(rect) {
            let (fill, text, outline) = self.colours(&response);
            let corners = CornerRadius::same(radius::M);
            ui.painter().rect(rect, corners, fill, outline, StrokeKind::Inside);
            let content = galley.size().x + sign;
            let mut x = if self.left { rect.left() + space::M } else { rect.center().x - content / 2.0 };
            if let Some(icon) = self.icon {
                let at = Rect::from_center_size(Pos2::new(x + 10.0, rect.center().y), Vec2::splat(20.0));
                icons::paint(ui.painter(), icon, at, text);
                x += sign;
            }
            ui.painter().galley(Pos2::new(x, rect.center().y - galley.size().y / 2.0), galley, text);
            focus_ring(ui.painter(), &response, radius::M);
        }
        response
    }
}

/// Shows where the keyboard is.
pub fn focus_ring(painter: &Painter, response: &Response, corner: u8) {
    if response.has_focus() {
        let stroke = Stroke::new(2.0, colour::FOCUS);
        painter.rect_stroke(response.rect.expand(3.0), CornerRadius::same(corner + 3), stroke, StrokeKind::Inside);
    }
}

/// Words that are only read.
pub fn text(ui: &mut Ui, kind: Type, colour: Color32, words: impl Into<String>) -> Response {
    ui.add(egui::Label::new(RichText::new(words).font(kind.font()).color(colour)).wrap())
}

/// One line that ends in "…" where it is wider than `width`.
pub fn line(painter: &Painter, words: &str, kind: Type, colour: Color32, width: f32) -> Arc<Galley> {
    let mut job = LayoutJob::simple_singleline(words.to_owned(), kind.font(), colour);
    job.wrap.max_width = width.max(1.0);
    job.wrap.max_rows = 1;
    job.wrap.break_anywhere = true;
    painter.layout_job(job)
}

/// The banner with the level, over the whole width.
pub fn level_banner(ui: &Ui, rect: Rect, level: Level, words: &Words, id: Id) {
    let (ground, text) = theme::level_colours(level);
    let marking = words.marking(level);
    ui.painter().rect_filled(rect, 0.0, ground);
    ui.painter().text(rect.center(), Align2::CENTER_CENTER, &marking, Type::Heading.font(), text);
    let response = ui.interact(rect, id, Sense::hover());
    let spoken = words.tell("level-banner-spoken", [("level", marking.as_str().into())]);
    response.widget_info(|| WidgetInfo::labeled(Role::Banner, true, &spoken));
}

/// A small mark with the level.
pub fn level_chip(ui: &mut Ui, level: Level, words: &Words) -> Response {
    let (ground, colour) = theme::level_colours(level);
    chip(ui, &words.marking(level), ground, colour)
}

/// A small word on a ground.
pub fn chip(ui: &mut Ui, word: &str, ground: Color32, colour: Color32) -> Response {
    let galley = ui.painter().layout_no_wrap(word.to_owned(), Type::SmallStrong.font(), colour);
    let (rect, response) = ui.allocate_exact_size(galley.size() + Vec2::new(2.0 * space::S, 8.0), Sense::hover());
    ui.painter().rect_filled(rect, CornerRadius::same(radius::S), ground);
    ui.painter().galley(rect.center() - galley.size() / 2.0, galley, colour);
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, word));
    response
}

/// How many of something want attention, in a small disc. Painted only: whoever shows it says it in words.
pub fn count(painter: &Painter, centre: Pos2, count: usize) {
    let word = if count > 99 { "99+".to_owned() } else { count.to_string() };
    let galley = painter.layout_no_wrap(word, Type::Tiny.font(), colour::ON_ACCENT);
    let size = Vec2::new((galley.size().x + 10.0).max(18.0), 18.0);
    painter.rect_filled(Rect::from_center_size(centre, size), 9.0, colour::ACCENT);
    painter.galley(centre - galley.size() / 2.0, galley, colour::ON_ACCENT);
}

/// The code of a seat, as "FI", in a small frame. Painted only: whoever shows it says it in words.
pub fn seat_code(painter: &Painter, left_centre: Pos2, code: &str, kind: Type, colour: Color32) -> Rect {
    let galley = painter.layout_no_wrap(code.to_owned(), kind.font(), colour);
    let size = galley.size() + Vec2::new(10.0, 2.0);
    let rect = Rect::from_min_size(left_centre - Vec2::new(0.0, size.y / 2.0), size);
    painter.rect_stroke(
        rect,
        CornerRadius::same(radius::S),
        Stroke::new(1.0, colour.gamma_multiply(0.6)),
        StrokeKind::Inside,
    );
    painter.galley(rect.center() - galley.size() / 2.0, galley, colour);
    rect
}

/// A level meter in segments; `level` from 0 to 1.
pub fn meter(ui: &mut Ui, level: f32, name: &str) -> Response {
    let (rect, response) = ui.allocate_exact_size(Vec2::new(ui.available_width(), 10.0), Sense::hover());
    let segments = ((rect.width() / 10.0) as usize).max(1);
    let step = rect.width() / segments as f32;
    for segment in 0..segments {
        let part = segment as f32 / segments as f32;
        let lit = part < level.clamp(0.0, 1.0);
        let colour = match (lit, part) {
            (false, _) => colour::LINE,
            (true, ..0.75) => colour::GOOD,
            (true, ..0.92) => colour::WARNING,
            (true, _) => colour::BAD,
        };
        let left = rect.left() + segment as f32 * step;
        let shape = Rect::from_min_size(Pos2::new(left, rect.top()), Vec2::new(step - 3.0, rect.height()));
        ui.painter().rect_filled(shape, 2.0, colour);
    }
    let percent = f64::from((level.clamp(0.0, 1.0) * 20.0).round() * 5.0);
    response.widget_info(|| {
        let mut info = WidgetInfo::labeled(Role::Meter, true, name);
        info.value = Some(percent);
        info
    });
    response
}

/// What a strip across the screen says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// Something is to be decided.
    Notice,
    /// Something is being mended.
    Warning,
    /// Something failed.
    Bad,
}

/// A strip with a sign and a sentence, read out by screen readers when it appears. Returns its place.
///
/// It begins at `top` and is as high as the whole sentence needs: what it warns of must not end in dots. At its right,
/// `free` points are left for a button.
pub fn strip(ui: &Ui, top: Rect, urgency: Urgency, sentence: &str, free: f32, id: Id) -> Rect {
    let (ground, text, sign) = match urgency {
        Urgency::Notice => (colour::RAISED, colour::TEXT, colour::ACCENT_TEXT),
        Urgency::Warning => (colour::WARNING_GROUND, colour::TEXT, colour::WARNING),
        Urgency::Bad => (colour::BAD_GROUND, colour::TEXT, colour::BAD),
    };
    let painter = ui.painter();
    let galley = painter.layout(sentence.to_owned(), Type::Strong.font(), text, top.width() - 64.0 - free);
    let rect = top.with_max_y(top.top() + (galley.size().y + 2.0 * space::S).max(44.0));
    painter.rect_filled(rect, CornerRadius::same(radius::M), ground);
    let icon = Rect::from_center_size(rect.left_center() + Vec2::new(24.0, 0.0), Vec2::splat(20.0));
    let drawn = if urgency == Urgency::Notice { Icon::People } else { Icon::Warning };
    icons::paint(painter, drawn, icon, sign);
    painter.galley(Pos2::new(rect.left() + 46.0, rect.center().y - galley.size().y / 2.0), galley, text);
    let response = ui.interact(rect, id, Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Alert, true, sentence));
    rect
}

/// A card to put things on.
pub fn card<R>(ui: &mut Ui, add: impl FnOnce(&mut Ui) -> R) -> R {
    card_frame().show(ui, add).inner
}

/// The frame of a card.
pub fn card_frame() -> egui::Frame {
    egui::Frame::new()
        .fill(colour::SURFACE)
        .stroke(Stroke::new(1.0, colour::LINE))
        .corner_radius(CornerRadius::same(radius::L))
        .inner_margin(space::XL)
}

/// Shows `add` as a column of at most `width` points in the middle of `area`, from its top.
pub fn column<R>(ui: &mut Ui, area: Rect, width: f32, add: impl FnOnce(&mut Ui) -> R) -> R {
    let width = width.min(area.width() - 2.0 * space::L);
    let rect = Rect::from_min_max(
        Pos2::new(area.center().x - width / 2.0, area.top()),
        Pos2::new(area.center().x + width / 2.0, area.bottom()),
    );
    inside(ui, rect, add)
}

/// Shows `add` as a column of at most `width` points in the middle of `area`, which scrolls where it does not fit.
///
/// `share` of the height is left free above it, and almost nothing in a low window.
pub fn page<R>(ui: &mut Ui, area: Rect, width: f32, share: f32, add: impl FnOnce(&mut Ui) -> R) -> R {
    let free = if area.height() < LOW { space::L } else { (area.height() * share).max(space::XL) };
    let scrolled = inside(ui, area, |ui| {
        egui::ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| {
            let width = width.min(area.width() - 2.0 * space::L);
            ui.horizontal(|ui| {
                ui.add_space((area.width() - width) / 2.0);
                ui.vertical(|ui| {
                    ui.set_width(width);
                    ui.add_space(free);
                    let shown = add(ui);
                    ui.add_space(space::L);
                    shown
                })
                .inner
            })
            .inner
        })
    });
    scrolled.inner
}

/// Below this height in points a window is low, as on an old projector.
pub const LOW: f32 = 640.0;

/// Shows `add` from top to bottom inside `rect`.
pub fn inside<R>(ui: &mut Ui, rect: Rect, add: impl FnOnce(&mut Ui) -> R) -> R {
    let builder = egui::UiBuilder::new().max_rect(rect).layout(egui::Layout::top_down(egui::Align::Min));
    ui.scope_builder(builder, add).inner
}

/// Shows `add` inside `rect`, which has been allocated already: the place of what comes next does not change.
pub fn over<R>(ui: &mut Ui, rect: Rect, layout: egui::Layout, add: impl FnOnce(&mut Ui) -> R) -> R {
    add(&mut ui.new_child(egui::UiBuilder::new().max_rect(rect).layout(layout)))
}

/// The initials of a person in a disc, for where no picture is.
pub fn initials(painter: &Painter, centre: Pos2, size: f32, name: &str) {
    painter.circle_filled(centre, size / 2.0, theme::person_colour(name));
    let mut font = Type::Title.font();
    font.size = size * 0.38;
    painter.text(centre, Align2::CENTER_CENTER, initials_of(name), font, colour::TEXT);
}

/// The first letters of the first and the last name.
pub fn initials_of(name: &str) -> String {
    let mut words = name.split_whitespace().filter_map(|word| word.chars().find(|letter| letter.is_alphabetic()));
    let first = words.next();
    let last = words.next_back();
    first.into_iter().chain(last).flat_map(char::to_uppercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn initials_are_those_of_the_first_and_the_last_name() {
        assert_eq!(initials_of("Anna Virtanen"), "AV");
        assert_eq!(initials_of("José Manuel da Silva"), "JS");
        assert_eq!(initials_of("Élodie"), "É");
        assert_eq!(initials_of("  "), "");
    }
}
