//! What the chair and the originator do, painted: controls in the list of people, and questions over everything.

use conclave_model::Level;
use egui::{
    Context, CornerRadius, Modal, Pos2, Rect, Role, ScrollArea, Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo,
};

use super::data::{LeadAction, LeadData, LevelChoice, Question};
use crate::{
    icons::{self, Icon},
    theme::{self, Type, colour, radius, space},
    widgets::{self, PushButton, Weight},
    words::Words,
};

/// Shows what the person can do as chair or originator; nothing for others.
pub fn controls(ui: &mut Ui, data: &LeadData, question: &mut Option<Question>, words: &Words) -> Option<LeadAction> {
    let mut action = None;
    if data.leads {
        let heading = widgets::text(ui, Type::Small, colour::TEXT_MUTED, words.say("lead-title"));
        heading.widget_info(|| WidgetInfo::labeled(Role::Label, true, words.say("lead-title")));
        ui.horizontal(|ui| {
            let half = (ui.available_width() - space::S) / 2.0;
            let (word, spoken, icon) = if data.locked {
                ("lead-unlock", "lead-unlock-spoken", Icon::LockOpen)
            } else {
                ("lead-lock", "lead-lock-spoken", Icon::Lock)
            };
            let lock = PushButton::new(Weight::Secondary, words.say(word)).icon(icon).accessible(words.say(spoken));
            if ui.add(lock.min_width(half)).clicked() {
                action = Some(LeadAction::Lock(!data.locked));
            }
            let level = PushButton::new(Weight::Secondary, words.say("lead-level")).icon(Icon::Shield);
            if ui.add(level.accessible(words.say("lead-level-spoken")).min_width(half)).clicked() {
                *question = Some(Question::Level { chosen: None });
            }
        });
    }
    if data.originates {
        let consent = PushButton::new(Weight::Secondary, words.say("lead-consent")).min_width(ui.available_width());
        if ui.add(consent).clicked() {
            *question = Some(Question::Consent { chosen: None });
        }
        if let Some(level) = &data.consent {
            let given = words.tell("consent-given", [("level", level.as_str().into())]);
            widgets::text(ui, Type::Small, colour::GOOD, given);
        }
    }
    if data.leads || data.originates {
        ui.add_space(space::S);
    }
    action
}

/// Asks what is asked, over everything else. `level` is the present one.
pub fn ask(
    ctx: &Context,
    data: &LeadData,
    level: Level,
    question: &mut Option<Question>,
    words: &Words,
) -> Option<LeadAction> {
    let asked = question.as_mut()?;
    // Whoever leads no more has nothing to answer.
    let may = match asked {
        Question::Eject { .. } | Question::Level { .. } => data.leads,
        Question::Consent { .. } => data.originates,
    };
    if !may {
        *question = None;
        return None;
    }
    let width = (ctx.content_rect().width() - 2.0 * space::XXL).min(520.0);
    let modal = Modal::new(egui::Id::unique("lead")).frame(widgets::card_frame()).backdrop_color(colour::BEHIND).show(
        ctx,
        |ui| {
            ui.set_width(width - 2.0 * space::XL);
            match asked {
                Question::Eject { leaf, name, seat } => {
                    eject(ui, name, seat, words).map(|yes| yes.then_some(LeadAction::Eject(*leaf)))
                }
                Question::Level { chosen } => change_level(ui, data, level, chosen, words),
                Question::Consent { chosen } => agree(ui, data, chosen, words),
            }
        },
    );
    let closed = modal.should_close();
    let answer = modal.inner.or(closed.then_some(None))?;
    *question = None;
    answer
}

/// Asks whether to put somebody out; `None` while nothing is answered.
fn eject(ui: &mut Ui, name: &str, seat: &str, words: &Words) -> Option<bool> {
    alert(ui, &words.tell("eject-title", [("name", name.into())]));
    widgets::text(ui, Type::Body, colour::TEXT, words.tell("eject-detail", [("seat", seat.into())]));
    ui.add_space(space::M);
    ui.horizontal(|ui| {
        let cancel = ui.add(PushButton::new(Weight::Secondary, words.say("cancel")));
        // Enter alone must not put anybody out.
        focus_first(ui, &cancel);
        let out = ui.add(PushButton::new(Weight::Danger, words.say("eject-do")).icon(Icon::Leave));
        match (out.clicked(), cancel.clicked()) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            (false, false) => None,
        }
    })
    .inner
}

fn change_level(
    ui: &mut Ui,
    data: &LeadData,
    level: Level,
    chosen: &mut Option<Level>,
    words: &Words,
) -> Option<Option<LeadAction>> {
    alert(ui, &words.say("level-title"));
    widgets::text(
        ui,
        Type::Body,
        colour::TEXT_MUTED,
        words.tell("level-detail", [("level", words.marking(level).into())]),
    );
    ui.add_space(space::XS);
    choose(ui, data.choices.iter(), chosen, words);
    let choice = chosen.and_then(|level| data.choices.iter().find(|choice| choice.level == level));
    ui.add_space(space::XS);
    match choice {
        Some(choice) => consequences(ui, choice, words),
        None => drop(widgets::text(ui, Type::Small, colour::TEXT_MUTED, words.say("level-choose-first"))),
    }
    ui.add_space(space::M);
    let (word, ready) = match choice {
        Some(choice) => {
            let message = if choice.higher { "level-raise" } else { "level-lower" };
            (words.tell(message, [("level", choice.marking.as_str().into())]), choice.obstacle.is_none())
        }
        None => (words.say("level-title"), false),
    };
    answer(ui, word, ready, words).map(|yes| yes.then_some(()).and(*chosen).map(LeadAction::SetLevel))
}

fn agree(ui: &mut Ui, data: &LeadData, chosen: &mut Option<Level>, words: &Words) -> Option<Option<LeadAction>> {
    alert(ui, &words.say("consent-title"));
    widgets::text(ui, Type::Body, colour::TEXT, words.say("consent-detail"));
    ui.add_space(space::XS);
    choose(ui, data.choices.iter().filter(|choice| !choice.higher), chosen, words);
    ui.add_space(space::M);
    let choice = chosen.and_then(|level| data.choices.iter().find(|choice| choice.level == level && !choice.higher));
    let word = match choice {
        Some(choice) => words.tell("consent-do", [("level", choice.marking.as_str().into())]),
        None => words.say("consent-title"),
    };
    answer(ui, word, choice.is_some(), words).map(|yes| yes.then_some(()).and(*chosen).map(LeadAction::Consent))
}

/// Levels to choose from, each in its exact words and colour.
fn choose<'a>(ui: &mut Ui, choices: impl Iterator<Item = &'a LevelChoice>, chosen: &mut Option<Level>, words: &Words) {
    ui.spacing_mut().item_spacing.y = 6.0;
    for choice in choices {
        let (rect, response) = ui.allocate_exact_size(Vec2::new(ui.available_width(), 40.0), Sense::click());
        let selected = *chosen == Some(choice.level);
        let spoken = words.tell("level-choose", [("level", choice.marking.as_str().into())]);
        response.widget_info(|| WidgetInfo::selected(Role::RadioButton, true, selected, &spoken));
        let painter = ui.painter();
        let fill = if response.hovered() || selected { colour::RAISED_HOVER } else { colour::RAISED };
        let line = if selected { Stroke::new(1.5, colour::ACCENT_TEXT) } else { Stroke::new(1.0, colour::LINE) };
        painter.rect(rect, CornerRadius::same(radius::M), fill, line, StrokeKind::Inside);
        let (ground, _) = theme::level_colours(choice.level);
        let edge = Rect::from_min_size(rect.min + Vec2::new(10.0, 9.0), Vec2::new(4.0, rect.height() - 18.0));
        painter.rect_filled(edge, 2.0, ground);
        let galley = widgets::line(painter, &choice.marking, Type::Strong, colour::TEXT, rect.width() - 64.0);
        painter.galley(Pos2::new(rect.left() + 26.0, rect.center().y - galley.size().y / 2.0), galley, colour::TEXT);
        if selected {
            let at = Rect::from_center_size(rect.right_center() - Vec2::new(20.0, 0.0), Vec2::splat(18.0));
            icons::paint(painter, Icon::Check, at, colour::ACCENT_TEXT);
        }
        widgets::focus_ring(painter, &response, radius::M);
        if response.clicked() {
            *chosen = Some(choice.level);
        }
    }
}

/// What follows from a level: who has to leave, or why it cannot be.
fn consequences(ui: &mut Ui, choice: &LevelChoice, words: &Words) {
    if let Some(obstacle) = &choice.obstacle {
        let response = widgets::text(ui, Type::Body, colour::WARNING, obstacle.clone());
        response.widget_info(|| WidgetInfo::labeled(Role::Alert, true, obstacle));
    }
    if let Some(note) = &choice.note {
        widgets::text(ui, Type::Body, colour::GOOD, note.clone());
    }
    if !choice.higher {
        return;
    }
    if choice.leaving.is_empty() {
        widgets::text(ui, Type::Body, colour::TEXT, words.say("level-nobody-leaves"));
        return;
    }
    let said = words.tell("level-leave", [("count", choice.leaving.len().into())]);
    widgets::text(ui, Type::Strong, colour::WARNING, said);
    ScrollArea::vertical().max_height(120.0).show(ui, |ui| {
        ui.spacing_mut().item_spacing.y = 2.0;
        for person in &choice.leaving {
            widgets::text(ui, Type::Body, colour::TEXT, person.clone());
        }
    });
}

/// The two answers to a question; `None` while none is given.
fn answer(ui: &mut Ui, word: String, ready: bool, words: &Words) -> Option<bool> {
    ui.horizontal(|ui| {
        let yes = ui.add(PushButton::new(Weight::Primary, word).enabled(ready));
        let no = ui.add(PushButton::new(Weight::Quiet, words.say("cancel")));
        match (yes.clicked(), no.clicked()) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            (false, false) => None,
        }
    })
    .inner
}

fn alert(ui: &mut Ui, sentence: &str) {
    let response = widgets::text(ui, Type::Title, colour::TEXT, sentence);
    response.widget_info(|| WidgetInfo::labeled(Role::Heading, true, sentence));
}

fn focus_first(ui: &Ui, response: &egui::Response) {
    if ui.memory(|memory| memory.focused().is_none()) {
        response.request_focus();
    }
}
