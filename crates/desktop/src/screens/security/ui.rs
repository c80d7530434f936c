//! The panel on security, painted.

use egui::{CornerRadius, Frame, Pos2, Rect, Role, ScrollArea, Sense, Stroke, Ui, Vec2, WidgetInfo};

use super::data::{SecureRow, SecurityData};
use crate::{
    icons::{self, Icon},
    theme::{Type, colour, radius, space},
    widgets,
    words::Words,
};

/// Shows the panel in `rect`.
pub fn show(ui: &mut Ui, rect: Rect, data: &SecurityData, words: &Words) {
    ui.painter().rect_filled(rect, 0.0, colour::SURFACE);
    ui.painter().vline(rect.left() + 0.5, rect.y_range(), Stroke::new(1.0, colour::LINE));
    widgets::inside(ui, rect.shrink2(Vec2::new(space::L, space::M)), |ui| {
        widgets::text(ui, Type::Heading, colour::TEXT, words.say("security-title"));
        ui.add_space(space::XS);
        ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| {
            ui.set_max_width(ui.available_width() - space::S);
            safety_words(ui, data, words);
            ui.add_space(space::M);
            ui.spacing_mut().item_spacing.y = 2.0;
            for (name, value) in &data.facts {
                fact(ui, name, value);
            }
            ui.add_space(space::S);
            let title = words.tell("security-who", [("count", data.people.len().into())]);
            widgets::text(ui, Type::Heading, colour::TEXT, title);
            ui.add_space(space::XS);
            for person in &data.people {
                row(ui, person);
            }
            if let Some(waiting) = &data.waiting {
                ui.add_space(space::S);
                widgets::text(ui, Type::Small, colour::TEXT_MUTED, waiting.clone());
            }
        });
    });
}

fn safety_words(ui: &mut Ui, data: &SecurityData, words: &Words) {
    let frame = Frame::new()
        .fill(colour::RAISED)
        .stroke(Stroke::new(1.0, colour::LINE))
        .corner_radius(CornerRadius::same(radius::L))
        .inner_margin(space::L);
    frame.show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.spacing_mut().item_spacing.y = space::XS;
        widgets::text(ui, Type::SmallStrong, colour::TEXT_MUTED, words.say("security-words"));
        if data.words.is_empty() {
            widgets::text(ui, Type::Body, colour::TEXT, words.say("security-no-words"));
            return;
        }
        // Two columns of big type: read aloud across a room, word by word.
        let (area, response) = ui.allocate_exact_size(
            Vec2::new(ui.available_width(), data.words.len().div_ceil(2) as f32 * 34.0 + space::S),
            Sense::focusable_noninteractive(),
        );
        let spoken = words.tell("security-words-spoken", [("words", data.words.join(", ").into())]);
        response.widget_info(|| WidgetInfo::labeled(Role::Status, true, &spoken));
        for (index, word) in data.words.iter().enumerate() {
            let (column, line) = ((index % 2) as f32, (index / 2) as f32);
            let at = area.min + Vec2::new(column * area.width() / 2.0, line * 34.0 + space::XS);
            let galley = widgets::line(ui.painter(), word, Type::Word, colour::ACCENT_TEXT, area.width() / 2.0 - 6.0);
            ui.painter().galley(at, galley, colour::ACCENT_TEXT);
        }
        widgets::focus_ring(ui.painter(), &response, radius::S);
        widgets::text(ui, Type::Small, colour::TEXT, words.say("security-words-how"));
        widgets::text(ui, Type::Small, colour::TEXT_MUTED, words.say("security-words-change"));
    });
}

fn fact(ui: &mut Ui, name: &str, value: &str) {
    widgets::text(ui, Type::SmallStrong, colour::TEXT_MUTED, name);
    let response = widgets::text(ui, Type::Body, colour::TEXT, value);
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, format!("{name}: {value}")));
    ui.add_space(space::S);
}

fn row(ui: &mut Ui, person: &SecureRow) {
    let problem = person.problem.as_ref().map(|problem| {
        ui.painter().layout(problem.clone(), Type::Small.font(), colour::BAD, ui.available_width() - 32.0)
    });
    let height = 42.0 + problem.as_ref().map_or(0.0, |problem| problem.size().y + 4.0);
    let size = Vec2::new(ui.available_width(), height);
    let (rect, response) = ui.allocate_exact_size(size, Sense::focusable_noninteractive() | Sense::hover());
    let painter = ui.painter();
    let (icon, tint) = match person.problem {
        Some(_) => (Icon::Warning, colour::BAD),
        None => (Icon::Check, colour::GOOD),
    };
    let sign = Rect::from_center_size(rect.left_top() + Vec2::new(10.0, 12.0), Vec2::splat(16.0));
    icons::paint(painter, icon, sign, tint);
    let left = rect.left() + 28.0;
    let name = widgets::line(painter, &person.name, Type::Strong, colour::TEXT, rect.right() - left);
    painter.galley(Pos2::new(left, rect.top() + 2.0), name, colour::TEXT);
    let detail = widgets::line(painter, &person.detail, Type::Small, colour::TEXT_MUTED, rect.right() - left);
    painter.galley(Pos2::new(left, rect.top() + 22.0), detail, colour::TEXT_MUTED);
    if let Some(problem) = problem {
        painter.galley(Pos2::new(left, rect.top() + 41.0), problem, colour::BAD);
    }
    response.widget_info(|| WidgetInfo::labeled(Role::ListItem, true, &person.spoken));
    widgets::focus_ring(painter, &response, radius::M);
    response.on_hover_text(&person.spoken);
}
