//! The head of the meeting, painted: title, lock, encryption, connection.

use egui::{CornerRadius, Pos2, Rect, Role, Sense, Stroke, Ui, Vec2, WidgetInfo};

use super::{
    data::{MeetingData, Stage},
    ui::{MeetingView, Panel, told},
};
use crate::{
    icons::{self, Icon},
    theme::{Type, colour, radius, space},
    widgets,
    words::Words,
};

/// Shows the head in `rect`.
pub(super) fn show(ui: &Ui, rect: Rect, data: &MeetingData, view: &mut MeetingView, words: &Words) {
    ui.painter().rect_filled(rect, 0.0, colour::SURFACE);
    ui.painter().hline(rect.x_range(), rect.bottom() - 0.5, Stroke::new(1.0, colour::LINE));
    let mark = Rect::from_center_size(Pos2::new(rect.left() + 30.0, rect.center().y), Vec2::splat(26.0));
    icons::paint_mark(ui.painter(), mark, colour::TEXT_MUTED, colour::SPEAKING);

    // From the right: connection, encryption; the title has what is left.
    let mut right = rect.right() - space::L;
    let galley = ui.painter().layout_no_wrap(data.quality.word.clone(), Type::SmallStrong.font(), colour::TEXT_MUTED);
    let place =
        Rect::from_min_max(Pos2::new(right - galley.size().x - 30.0, rect.top()), Pos2::new(right, rect.bottom()));
    let lit = match data.quality.bars {
        3.. => colour::GOOD,
        2 => colour::WARNING,
        _ => colour::BAD,
    };
    let bars = Rect::from_center_size(Pos2::new(place.left() + 11.0, place.center().y), Vec2::splat(22.0));
    icons::paint_bars(ui.painter(), bars, data.quality.bars, lit, colour::LINE);
    ui.painter().galley(
        Pos2::new(place.left() + 30.0, place.center().y - galley.size().y / 2.0),
        galley,
        colour::TEXT_MUTED,
    );
    told(ui, place, "quality", &format!("{}. {}", data.quality.word, data.quality.detail));
    right = place.left() - space::XL;

    if data.stage == Stage::Seated {
        let place = encryption(ui, rect, right, data, view, words);
        right = place.left() - space::XL;
    }
    if data.lead.locked {
        let said = words.say("lead-locked");
        let galley = ui.painter().layout_no_wrap(said, Type::SmallStrong.font(), colour::WARNING);
        let size = galley.size() + Vec2::new(2.0 * space::S, 6.0);
        let chip = Rect::from_min_size(Pos2::new(right - size.x, rect.center().y - size.y / 2.0), size);
        ui.painter().rect_filled(chip, CornerRadius::same(radius::S), colour::WARNING_GROUND);
        ui.painter().galley(chip.center() - galley.size() / 2.0, galley, colour::WARNING);
        let place = chip.with_min_y(rect.top()).with_max_y(rect.bottom());
        told(ui, place, "locked", &words.say("lead-locked-spoken"));
        right = chip.left() - space::L;
    }
    let left = mark.right() + space::M;
    let title = widgets::line(ui.painter(), &data.title, Type::Heading, colour::TEXT, right - left);
    ui.painter().galley(Pos2::new(left, rect.center().y - title.size().y / 2.0), title, colour::TEXT);
    let place = Rect::from_min_max(Pos2::new(left, rect.top()), Pos2::new(right.max(left), rect.bottom()));
    let response = ui.interact(place, ui.scope_id().with("title"), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Heading, true, &data.title));
}

/// That it is encrypted; opens and closes what can be checked of it. Ends at `right`; returns its place.
fn encryption(ui: &Ui, rect: Rect, right: f32, data: &MeetingData, view: &mut MeetingView, words: &Words) -> Rect {
    let (said, tint, icon) = if data.is_attacked() {
        (words.say("encrypted-attacked"), colour::BAD, Icon::Warning)
    } else {
        (words.say("encrypted"), colour::GOOD, Icon::Lock)
    };
    let galley = ui.painter().layout_no_wrap(said.clone(), Type::SmallStrong.font(), tint);
    let place =
        Rect::from_min_max(Pos2::new(right - galley.size().x - 24.0, rect.top()), Pos2::new(right, rect.bottom()));
    let open = view.panel == Some(Panel::Security);
    let does = words.say(if open { "security-hide" } else { "security-show" });
    let spoken = format!("{said}. {} {does}", data.encryption);
    let button = place.shrink2(Vec2::new(-10.0, 7.0));
    let response = ui.interact(button, ui.scope_id().with("encryption"), Sense::click());
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, open, &spoken));
    if open || response.hovered() {
        let fill = if open { colour::RAISED_HOVER } else { colour::RAISED };
        ui.painter().rect_filled(button, CornerRadius::same(radius::M), fill);
    }
    let lock = Rect::from_center_size(Pos2::new(place.left() + 8.0, place.center().y), Vec2::splat(18.0));
    icons::paint(ui.painter(), icon, lock, tint);
    let at = Pos2::new(place.left() + 24.0, place.center().y - galley.size().y / 2.0);
    ui.painter().galley(at, galley, tint);
    widgets::focus_ring(ui.painter(), &response, radius::M);
    if response.clicked() {
        view.panel = if open { None } else { Some(Panel::Security) };
    }
    response.on_hover_text(spoken);
    place
}
