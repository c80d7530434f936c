//! The question for a path, painted over the screen that asks.

use egui::{Context, Key, Modal, Role, TextEdit, Ui, WidgetInfo};

use super::data::{PathAction, PathData, Purpose};
use crate::{
    icons::Icon,
    theme::{Type, colour, space},
    widgets::{self, PushButton, Weight},
    words::Words,
};

/// Shows the question and returns what the person wants; `text` is what is being written.
pub fn show(ctx: &Context, data: &PathData, text: &mut String, words: &Words) -> Option<PathAction> {
    let width = (ctx.content_rect().width() - 2.0 * space::XXL).min(560.0);
    let modal = Modal::new(egui::Id::unique("path")).frame(widgets::card_frame()).backdrop_color(colour::BEHIND).show(
        ctx,
        |ui| {
            ui.set_width(width - 2.0 * space::XL);
            content(ui, data, text, words)
        },
    );
    modal.inner.or_else(|| modal.should_close().then_some(PathAction::Cancel))
}

fn content(ui: &mut Ui, data: &PathData, text: &mut String, words: &Words) -> Option<PathAction> {
    let (title, label, hint) = match data.purpose {
        Purpose::Invitation => ("home-dialog-title", "path-invitation", "path-hint-invitation"),
        Purpose::Credential => ("credential-dialog-title", "path-credential", "path-hint-credential"),
        Purpose::Card => ("path-card-title", "path-card", "path-hint-card"),
    };
    let mut action = None;
    widgets::text(ui, Type::Title, colour::TEXT, words.say(title));
    if data.purpose != Purpose::Card {
        let missing = words.say("path-no-dialog");
        let response = widgets::text(ui, Type::Body, colour::TEXT, missing.clone());
        response.widget_info(|| WidgetInfo::labeled(Role::Alert, true, &missing));
    }
    widgets::text(ui, Type::Body, colour::TEXT_MUTED, words.say(hint));
    ui.add_space(space::S);
    let label = widgets::text(ui, Type::Strong, colour::TEXT, words.say(label));
    let field = TextEdit::singleline(text).margin(egui::Margin::symmetric(12, 11)).desired_width(f32::INFINITY);
    let field = ui.add(field).labelled_by(label.id);
    let entered = field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
    if !entered && ui.memory(|memory| memory.focused().is_none()) {
        field.request_focus();
    }
    if let Some(problem) = &data.problem {
        let response = widgets::text(ui, Type::Body, colour::BAD, problem.clone());
        response.widget_info(|| WidgetInfo::labeled(Role::Alert, true, problem));
    }
    ui.add_space(space::M);
    ui.horizontal(|ui| {
        let ready = !text.trim().is_empty();
        let (word, icon) =
            if data.purpose == Purpose::Card { ("path-use", Icon::Card) } else { ("path-open", Icon::Folder) };
        let open = PushButton::new(Weight::Primary, words.say(word)).icon(icon).enabled(ready);
        if ui.add(open).clicked() || (entered && ready) {
            action = Some(PathAction::Open);
        }
        if ui.add(PushButton::new(Weight::Quiet, words.say("cancel"))).clicked() {
            action = Some(PathAction::Cancel);
        }
    });
    action
}
