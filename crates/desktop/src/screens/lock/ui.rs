//! The lock screen, painted.

use egui::{Key, Pos2, Rect, Role, Sense, TextEdit, Ui, Vec2, WidgetInfo};

use super::data::{LockAction, LockData};
use crate::{
    icons::{self, Icon},
    screens::unlock::data::Password,
    theme::{Type, colour, space},
    widgets::{self, PushButton, Urgency, Weight},
    words::Words,
};

/// Covers the whole window and returns what the person wants.
pub fn show(ui: &mut Ui, data: &LockData, password: &mut Password, words: &Words) -> Option<LockAction> {
    let area = ui.max_rect();
    ui.painter().rect_filled(area, 0.0, colour::CANVAS);
    let top = Rect::from_min_size(area.min, Vec2::new(area.width(), space::BANNER));
    let foot = Rect::from_min_max(Pos2::new(area.left(), area.bottom() - space::BANNER), area.max);
    widgets::level_banner(ui, top, data.level, words, ui.scope_id().with("lock-level-top"));
    widgets::level_banner(ui, foot, data.level, words, ui.scope_id().with("lock-level-foot"));
    let middle = Rect::from_min_max(top.left_bottom(), foot.right_top());
    widgets::page(ui, middle, 460.0, 0.12, |ui| widgets::card(ui, |ui| card(ui, data, password, words)))
}

/// Announces the lock over whatever is shown.
pub fn announce(ctx: &egui::Context, words: &Words) {
    let whole = ctx.content_rect();
    let width = (whole.width() - 2.0 * space::L).min(560.0);
    let place = Rect::from_min_size(
        Pos2::new(whole.center().x - width / 2.0, whole.top() + space::BANNER + space::HEADER + space::S),
        Vec2::new(width, 44.0),
    );
    let area = egui::Area::new(egui::Id::unique("lock-soon")).order(egui::Order::Foreground).interactable(false);
    area.fixed_pos(place.min).show(ctx, |ui| {
        let id = ui.scope_id().with("strip");
        widgets::strip(ui, place, Urgency::Warning, &words.say("lock-soon"), 0.0, id);
    });
}

fn card(ui: &mut Ui, data: &LockData, password: &mut Password, words: &Words) -> Option<LockAction> {
    let mut action = None;
    ui.set_width(ui.available_width());
    let (sign, _) = ui.allocate_exact_size(Vec2::splat(36.0), Sense::hover());
    icons::paint(ui.painter(), Icon::Lock, sign, colour::ACCENT_TEXT);
    let title = words.say("lock-title");
    let heading = widgets::text(ui, Type::Title, colour::TEXT, title.clone());
    heading.widget_info(|| WidgetInfo::labeled(Role::Heading, true, &title));
    widgets::text(ui, Type::Body, colour::TEXT_MUTED, words.say("lock-detail"));
    ui.add_space(space::S);
    let asked = words.say(if data.card { "unlock-pin" } else { "unlock-password" });
    let label = widgets::text(ui, Type::Strong, colour::TEXT, asked);
    let field = ui.add_enabled(
        !data.busy,
        TextEdit::singleline(&mut *password.0)
            .id_salt("lock-password")
            .password(true)
            .char_limit(200)
            .margin(egui::Margin::symmetric(12, 11))
            .desired_width(f32::INFINITY),
    );
    let field = field.labelled_by(label.id);
    let entered = field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
    if !data.busy && !field.has_focus() && !entered && ui.memory(|memory| memory.focused().is_none()) {
        field.request_focus();
    }
    if let Some(problem) = &data.problem {
        let response = widgets::text(ui, Type::Body, colour::BAD, problem.clone());
        response.widget_info(|| WidgetInfo::labeled(Role::Alert, true, problem));
    }
    ui.add_space(space::S);
    let width = ui.available_width();
    let word = words.say(if data.busy { "unlock-busy" } else { "unlock" });
    let ready = !data.busy && !password.0.is_empty();
    let unlock = PushButton::new(Weight::Primary, word).icon(Icon::LockOpen).large().enabled(ready).min_width(width);
    if ui.add(unlock).clicked() || (entered && ready) {
        action = Some(LockAction::Unlock);
    }
    if ui.add(PushButton::new(Weight::Quiet, words.say("lock-leave")).icon(Icon::Leave)).clicked() {
        action = Some(LockAction::Leave);
    }
    action
}
