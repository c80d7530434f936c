//! The last screen, painted.

use egui::{Sense, Ui, Vec2};

use super::data::{EndedAction, EndedData};
use crate::{
    icons::{self, Icon},
    shortcuts,
    theme::{Type, colour, space},
    widgets::{self, PushButton, Weight},
    words::Words,
};

/// Shows the screen and returns what the person wants.
pub fn show(ui: &mut Ui, data: &EndedData, words: &Words) -> Option<EndedAction> {
    let area = ui.max_rect();
    ui.painter().rect_filled(area, 0.0, colour::CANVAS);
    let mut action = None;
    if shortcuts::back(ui) {
        action = Some(EndedAction::Home);
    }
    widgets::page(ui, area, 520.0, 0.2, |ui| {
        widgets::card(ui, |ui| {
            ui.set_width(ui.available_width());
            let (sign, _) = ui.allocate_exact_size(Vec2::splat(36.0), Sense::hover());
            let (icon, tint) =
                if data.in_order { (Icon::Check, colour::GOOD) } else { (Icon::Warning, colour::WARNING) };
            icons::paint(ui.painter(), icon, sign, tint);
            widgets::text(ui, Type::Title, colour::TEXT, data.reason.clone());
            if let Some(advice) = &data.advice {
                widgets::text(ui, Type::Body, colour::TEXT_MUTED, advice.clone());
            }
            ui.add_space(space::S);
            widgets::text(ui, Type::Strong, colour::TEXT, data.title.clone());
            widgets::level_chip(ui, data.level, words);
            ui.add_space(space::L);
            ui.horizontal(|ui| {
                let (home, again) = if data.in_order || !data.can_return {
                    (Weight::Primary, Weight::Secondary)
                } else {
                    (Weight::Secondary, Weight::Primary)
                };
                if data.can_return
                    && ui.add(PushButton::new(again, words.say("ended-again")).icon(Icon::Play)).clicked()
                {
                    action = Some(EndedAction::Again);
                }
                if ui.add(PushButton::new(home, words.say("ended-home")).icon(Icon::Back)).clicked() {
                    action = Some(EndedAction::Home);
                }
            });
        });
    });
    action
}
