//! The screen for the password, painted.

use egui::{Key, Role, Sense, TextEdit, Ui, Vec2, WidgetInfo};

use super::data::{MeetingFacts, Password, UnlockAction, UnlockData, card_name};
use crate::{
    icons::{self, Icon},
    shortcuts,
    theme::{Type, colour, space},
    widgets::{self, PushButton, Weight},
    words::Words,
};

/// Shows the screen and returns what the person wants.
pub fn show(ui: &mut Ui, data: &UnlockData, password: &mut Password, words: &Words) -> Option<UnlockAction> {
    let area = ui.max_rect();
    ui.painter().rect_filled(area, 0.0, colour::CANVAS);
    let mut action = None;
    if shortcuts::back(ui) && !data.busy {
        action = Some(UnlockAction::Back);
    }
    let shown = widgets::page(ui, area, 460.0, 0.14, |ui| widgets::card(ui, |ui| card(ui, data, password, words)));
    shown.or(action)
}

fn card(ui: &mut Ui, data: &UnlockData, password: &mut Password, words: &Words) -> Option<UnlockAction> {
    let mut action = None;
    ui.set_width(ui.available_width());
    let (sign, _) = ui.allocate_exact_size(Vec2::splat(36.0), Sense::hover());
    icons::paint(ui.painter(), Icon::Card, sign, colour::ACCENT_TEXT);
    widgets::text(
        ui,
        Type::Title,
        colour::TEXT,
        words.say(if data.card { "unlock-title-card" } else { "unlock-title" }),
    );
    match &data.meeting {
        Some(MeetingFacts { title, when, level }) => {
            widgets::text(ui, Type::Body, colour::TEXT, words.tell("unlock-for", [("title", title.as_str().into())]));
            widgets::text(ui, Type::Small, colour::TEXT_MUTED, when.clone());
            widgets::level_chip(ui, *level, words);
        }
        // What an invitation says is not shown before it is known to be true.
        None => {
            let said = words.tell("unlock-unchecked", [("file", data.invitation.as_str().into())]);
            widgets::text(ui, Type::Body, colour::TEXT_MUTED, said);
        }
    }
    ui.add_space(space::S);
    let Some(file) = &data.file else {
        widgets::text(ui, Type::Body, colour::TEXT_MUTED, words.say("credential-none"));
        problem(ui, data);
        ui.add_space(space::S);
        let width = ui.available_width();
        let choose = PushButton::new(Weight::Primary, words.say("credential-choose")).icon(Icon::Folder).large();
        if ui.add(choose.min_width(width)).clicked() {
            action = Some(UnlockAction::Choose);
        }
        let card = PushButton::new(Weight::Secondary, words.say("credential-card")).icon(Icon::Card).min_width(width);
        if ui.add(card).clicked() {
            action = Some(UnlockAction::ChooseCard);
        }
        if ui.add(PushButton::new(Weight::Quiet, words.say("back")).icon(Icon::Back)).clicked() {
            action = Some(UnlockAction::Back);
        }
        return action;
    };
    widgets::text(
        ui,
        Type::Small,
        colour::TEXT_MUTED,
        if data.card { card_name(file, words) } else { words.tell("unlock-file", [("file", file.as_str().into())]) },
    );
    let label = widgets::text(
        ui,
        Type::Strong,
        colour::TEXT,
        words.say(if data.card { "unlock-pin" } else { "unlock-password" }),
    );
    let field = ui.add_enabled(
        !data.busy,
        TextEdit::singleline(&mut *password.0)
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
    problem(ui, data);
    ui.add_space(space::S);
    let width = ui.available_width();
    let word = if data.busy { words.say("unlock-busy") } else { words.say("unlock") };
    let ready = !data.busy && !password.0.is_empty();
    let unlock = PushButton::new(Weight::Primary, word).icon(Icon::Lock).large().enabled(ready).min_width(width);
    if ui.add(unlock).clicked() || (entered && ready) {
        action = Some(UnlockAction::Unlock);
    }
    ui.horizontal(|ui| {
        let enabled = !data.busy;
        if ui.add(PushButton::new(Weight::Quiet, words.say("back")).icon(Icon::Back).enabled(enabled)).clicked() {
            action = Some(UnlockAction::Back);
        }
        if ui.add(PushButton::new(Weight::Quiet, words.say("credential-other")).enabled(enabled)).clicked() {
            action = Some(UnlockAction::Choose);
        }
    });
    action
}

fn problem(ui: &mut Ui, data: &UnlockData) {
    if let Some(problem) = &data.problem {
        let response = widgets::text(ui, Type::Body, colour::BAD, problem.clone());
        response.widget_info(|| WidgetInfo::labeled(Role::Alert, true, problem));
    }
}
