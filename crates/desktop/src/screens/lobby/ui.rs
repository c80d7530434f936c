//! The lobby, painted: a part of the list of people.

use egui::{CornerRadius, Frame, Pos2, Rect, Role, Sense, Stroke, Ui, Vec2, WidgetInfo};

use super::data::{LobbyAction, LobbyData, WaitingRow};
use crate::{
    icons::{self, Icon},
    theme::{Type, colour, radius, space},
    widgets::{self, PushButton, Weight},
    words::Words,
};

/// Shows who waits and returns what the person wants; nothing where nobody waits.
pub fn show(ui: &mut Ui, data: &LobbyData, words: &Words) -> Option<LobbyAction> {
    if data.rows.is_empty() {
        return None;
    }
    let mut action = None;
    let title = words.tell("lobby-title", [("count", data.rows.len().into())]);
    let heading = widgets::text(ui, Type::Heading, colour::TEXT, title.clone());
    heading.widget_info(|| WidgetInfo::labeled(Role::Heading, true, &title));
    let hint = if data.leads { "lobby-hint-chair" } else { "lobby-hint" };
    widgets::text(ui, Type::Small, colour::TEXT_MUTED, words.say(hint));
    ui.add_space(space::XS);
    let admissible = data.admissible();
    if data.leads && admissible.len() > 1 {
        let word = words.tell("lobby-admit-all", [("count", admissible.len().into())]);
        let all = PushButton::new(Weight::Secondary, word).icon(Icon::Check).min_width(ui.available_width());
        if ui.add(all).clicked() {
            action = Some(LobbyAction::Admit(admissible));
        }
    }
    ui.add_space(space::XS);
    for row in &data.rows {
        if let Some(wanted) = waiting(ui, row, data.leads, words) {
            action = Some(wanted);
        }
        ui.add_space(space::XS);
    }
    action
}

fn waiting(ui: &mut Ui, row: &WaitingRow, leads: bool, words: &Words) -> Option<LobbyAction> {
    let mut action = None;
    let frame = Frame::new()
        .fill(colour::RAISED)
        .stroke(Stroke::new(1.0, colour::LINE))
        .corner_radius(CornerRadius::same(radius::M))
        .inner_margin(space::M);
    let shown = frame.show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.spacing_mut().item_spacing.y = 3.0;
        head(ui, row);
        let tint = if row.admissible { colour::GOOD } else { colour::WARNING };
        let known = format!("{} · {}", row.clearance, row.since);
        widgets::text(ui, Type::Small, colour::TEXT_MUTED, known);
        widgets::text(ui, Type::Small, tint, row.state.clone());
        if leads {
            ui.add_space(space::S);
            ui.horizontal(|ui| {
                let half = (ui.available_width() - space::S) / 2.0;
                let spoken = words.tell("lobby-admit-spoken", [("name", row.name.as_str().into())]);
                let admit = PushButton::new(Weight::Primary, words.say("lobby-admit")).accessible(spoken).small();
                if ui.add(admit.min_width(half).enabled(row.admissible)).clicked() {
                    action = Some(LobbyAction::Admit(vec![row.reference]));
                }
                let spoken = words.tell("lobby-deny-spoken", [("name", row.name.as_str().into())]);
                let deny = PushButton::new(Weight::Secondary, words.say("lobby-deny")).accessible(spoken).small();
                if ui.add(deny.min_width(half)).clicked() {
                    action = Some(LobbyAction::Deny(row.reference));
                }
            });
        }
    });
    shown.response.widget_info(|| WidgetInfo::labeled(Role::ListItem, true, &row.spoken));
    action
}

fn head(ui: &mut Ui, row: &WaitingRow) {
    let (rect, _) = ui.allocate_exact_size(Vec2::new(ui.available_width(), 40.0), Sense::hover());
    let painter = ui.painter();
    let disc = rect.left_center() + Vec2::new(18.0, 0.0);
    if row.admissible {
        widgets::initials(painter, disc, 36.0, &row.name);
    } else {
        painter.circle_filled(disc, 18.0, colour::WARNING_GROUND);
        icons::paint(painter, Icon::Warning, Rect::from_center_size(disc, Vec2::splat(18.0)), colour::WARNING);
    }
    let left = rect.left() + 46.0;
    let name = widgets::line(painter, &row.name, Type::Strong, colour::TEXT, rect.right() - left);
    painter.galley(Pos2::new(left, rect.top() + 2.0), name, colour::TEXT);
    let detail = widgets::line(painter, &row.detail, Type::Small, colour::TEXT_MUTED, rect.right() - left);
    painter.galley(Pos2::new(left, rect.top() + 22.0), detail, colour::TEXT_MUTED);
}
