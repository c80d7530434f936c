//! The list of participants, painted.

use egui::{CornerRadius, Pos2, Rect, Role, Sense, Stroke, Ui, Vec2, WidgetInfo};

use super::{
    data::{MeetingData, TileData},
    tile,
    ui::{MeetingAction, MeetingView},
};
use crate::{
    icons::{self, Icon},
    screens::{
        lead::{self, data::Question},
        lobby, share,
    },
    theme::{Type, colour, radius, space},
    widgets,
    words::Words,
};

/// Shows who waits, who is there, and what the person can do about it, in `rect`.
pub(super) fn show(
    ui: &mut Ui,
    rect: Rect,
    data: &MeetingData,
    view: &mut MeetingView,
    words: &Words,
) -> Option<MeetingAction> {
    ui.painter().rect_filled(rect, 0.0, colour::SURFACE);
    ui.painter().vline(rect.left() + 0.5, rect.y_range(), Stroke::new(1.0, colour::LINE));
    let mut action = None;
    widgets::inside(ui, rect.shrink2(Vec2::new(space::L, space::M)), |ui| {
        egui::ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| {
            ui.set_max_width(ui.available_width() - space::S);
            if let Some(wanted) = lead::ui::controls(ui, &data.lead, &mut view.question, words) {
                action = Some(MeetingAction::Lead(wanted));
            }
            if let Some(wanted) = share::ui::requests(ui, &data.share, words) {
                action = Some(MeetingAction::Share(wanted));
            }
            if let Some(wanted) = lobby::ui::show(ui, &data.lobby, words) {
                action = Some(MeetingAction::Lobby(wanted));
            }
            if !data.lobby.rows.is_empty() {
                ui.add_space(space::M);
            }
            let title = words.tell("roster-title", [("count", data.tiles.len().into())]);
            widgets::text(ui, Type::Heading, colour::TEXT, title);
            widgets::text(ui, Type::Small, colour::TEXT_MUTED, words.say("roster-hint"));
            ui.add_space(space::XS);
            ui.spacing_mut().item_spacing.y = 2.0;
            for person in &data.tiles {
                let can_eject = data.lead.leads && !person.mine;
                if roster_row(ui, person, can_eject, words) {
                    view.question = Some(Question::Eject {
                        leaf: person.leaf,
                        name: person.name.clone(),
                        seat: person.seat.clone(),
                    });
                }
            }
        });
    });
    action
}

/// Returns whether the person is to be put out.
fn roster_row(ui: &mut Ui, person: &TileData, can_eject: bool, words: &Words) -> bool {
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
    // Beside the signs, where nobody presses it while looking for them.
    let out = Rect::from_min_size(rect.right_bottom() - Vec2::new(34.0, 27.0), Vec2::new(30.0, 24.0));
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
    let below = widgets::line(
        painter,
        &below,
        Type::Small,
        colour::TEXT_MUTED,
        if can_eject { out.left() } else { rect.right() } - left,
    );
    painter.galley(Pos2::new(left, rect.top() + 29.0), below, colour::TEXT_MUTED);
    response.widget_info(|| WidgetInfo::labeled(Role::ListItem, true, &person.spoken));
    widgets::focus_ring(painter, &response, radius::M);
    response.on_hover_text(&person.spoken);
    can_eject && eject(ui, out, person, words)
}

fn eject(ui: &Ui, rect: Rect, person: &TileData, words: &Words) -> bool {
    let response = ui.interact(rect, ui.scope_id().with(("eject", person.leaf.0)), Sense::click());
    let said = words.tell("eject-spoken", [("name", person.name.as_str().into())]);
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &said));
    let painter = ui.painter();
    let tint = if response.hovered() || response.has_focus() { colour::BAD } else { colour::TEXT_MUTED };
    if response.hovered() {
        painter.rect_filled(rect, CornerRadius::same(radius::S), colour::BAD_GROUND);
    }
    icons::paint(painter, Icon::Leave, rect.shrink(4.0), tint);
    widgets::focus_ring(painter, &response, radius::S);
    response.on_hover_text(said).clicked()
}
