//! The list of participants, painted.

use egui::{CornerRadius, Pos2, Rect, Role, Sense, Stroke, Ui, Vec2, WidgetInfo};

use super::{
    data::{MeetingData, TileData},
    tile,
};
use crate::{
    icons,
    theme::{Type, colour, radius, space},
    widgets,
    words::Words,
};

/// Shows the list in `rect`.
pub(super) fn show(ui: &mut Ui, rect: Rect, data: &MeetingData, words: &Words) {
    ui.painter().rect_filled(rect, 0.0, colour::SURFACE);
    ui.painter().vline(rect.left() + 0.5, rect.y_range(), Stroke::new(1.0, colour::LINE));
    widgets::inside(ui, rect.shrink2(Vec2::new(space::L, space::M)), |ui| {
        widgets::text(
            ui,
            Type::Heading,
            colour::TEXT,
            words.tell("roster-title", [("count", data.tiles.len().into())]),
        );
        widgets::text(ui, Type::Small, colour::TEXT_MUTED, words.say("roster-hint"));
        ui.add_space(space::XS);
        egui::ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = 2.0;
            for person in &data.tiles {
                roster_row(ui, person, words);
            }
        });
    });
}

fn roster_row(ui: &mut Ui, person: &TileData, words: &Words) {
    let size = Vec2::new(ui.available_width(), 54.0);
    let (rect, response) = ui.allocate_exact_size(size, Sense::focusable_noninteractive() | Sense::hover());
    let painter = ui.painter();
    if response.hovered() {
        painter.rect_filled(rect, CornerRadius::same(radius::M), colour::RAISED);
    }
    let disc = Pos2::new(rect.left() + 24.0, rect.center().y);
    widgets::initials(painter, disc, 36.0, &person.name);
    if person.speaking {
        painter.circle_stroke(disc, 19.5, Stroke::new(2.5, colour::SPEAKING));
    }
    let mut right = rect.right() - 6.0;
    for (icon, tint) in tile::signs(person) {
        let at = Rect::from_center_size(Pos2::new(right - 8.0, rect.top() + 18.0), Vec2::splat(16.0));
        icons::paint(painter, icon, at, tint);
        right -= 22.0;
    }
    let left = rect.left() + 52.0;
    let name =
        if person.mine { words.tell("tile-me", [("name", person.name.as_str().into())]) } else { person.name.clone() };
    let name = widgets::line(painter, &name, Type::Strong, colour::TEXT, right - left);
    painter.galley(Pos2::new(left, rect.top() + 8.0), name, colour::TEXT);
    let below = format!("{}, {}", person.seat, person.role);
    let below = widgets::line(painter, &below, Type::Small, colour::TEXT_MUTED, rect.right() - left);
    painter.galley(Pos2::new(left, rect.top() + 29.0), below, colour::TEXT_MUTED);
    response.widget_info(|| WidgetInfo::labeled(Role::ListItem, true, &person.spoken));
    widgets::focus_ring(painter, &response, radius::M);
    response.on_hover_text(&person.spoken);
}
