//! Sharing, painted: the picker, the bar over the own sharing, and the chair's part in the list of people.

use conclave_capture::{ScreenKind, Screens};
use conclave_client::{ScreenChoice, Share};
use conclave_model::Level;
use egui::{
    Align, Context, CornerRadius, Frame, Layout, Modal, Pos2, Rect, Role, ScrollArea, Sense, Stroke, StrokeKind, Ui,
    Vec2, WidgetInfo,
};

use super::data::{Own, RequestRow, ShareData, SourceRow, Way, rows};
use crate::{
    explain,
    icons::{self, Icon},
    theme::{self, Type, colour, radius, space},
    widgets::{self, PushButton, Weight},
    words::Words,
};

/// What sharing remembers between frames.
#[derive(Clone, Debug, Default)]
pub struct ShareView {
    /// The picker, while it is open.
    pub picker: Option<Picker>,
    /// What could be shared; `None` while that is being found out.
    pub sources: Option<Screens>,
    /// Whether the shared screen is shown pixel by pixel, and which part of it: its upper left corner in its pixels.
    pub pixels: Option<Vec2>,
    /// What the person wanted to share when they asked for the leave.
    pub chosen: Option<(ScreenChoice, Level)>,
}

/// What is chosen in the picker so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picker {
    /// What to share.
    pub choice: Option<ScreenChoice>,
    /// Its level.
    pub label: Level,
}

/// What the person wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShareAction {
    /// See what could be shared now.
    Look,
    /// Something of the engine.
    Do(Share),
}

impl ShareView {
    /// Opens the picker with what was chosen before.
    pub fn pick(&mut self, data: &ShareData) -> ShareAction {
        let before = match &data.own {
            Own::Granted(Some(wanted)) => Some(wanted.clone()),
            Own::Granted(None) | Own::Idle | Own::Asking | Own::Opening | Own::Sharing { .. } => self.chosen.clone(),
        };
        let (choice, label) = before.map_or((None, data.level), |(choice, label)| (Some(choice), label));
        self.picker = Some(Picker { choice, label: label.min(data.level) });
        self.sources = None;
        ShareAction::Look
    }
}

/// The height of the bar over the own sharing.
const BAR: f32 = 48.0;

/// Shows how the own sharing stands in a bar at the top of `area`; returns its place, where there is one.
pub fn own(
    ui: &mut Ui,
    area: Rect,
    data: &ShareData,
    view: &mut ShareView,
    words: &Words,
    action: &mut Option<ShareAction>,
) -> Option<Rect> {
    let rect = area.with_max_y(area.top() + BAR);
    let (sentence, live) = match &data.own {
        Own::Idle => return None,
        Own::Asking => (words.say("share-asking"), false),
        Own::Granted(_) => (words.say("share-granted"), false),
        Own::Opening => (words.say("share-opening"), true),
        Own::Sharing { paused: Some(why), .. } => (why.clone(), true),
        Own::Sharing { sentence, paused: None, .. } => (sentence.clone(), true),
    };
    let (ground, text) = if live { (colour::DANGER, colour::ON_ACCENT) } else { (colour::RAISED, colour::TEXT) };
    ui.painter().rect_filled(rect, CornerRadius::same(radius::M), ground);
    let sign = Rect::from_center_size(rect.left_center() + Vec2::new(24.0, 0.0), Vec2::splat(20.0));
    icons::paint(ui.painter(), Icon::Screen, sign, text);
    let buttons = Rect::from_min_max(Pos2::new(rect.center().x, rect.top()), rect.max - Vec2::new(8.0, 0.0));
    let left = widgets::over(ui, buttons, Layout::right_to_left(Align::Center), |ui| {
        own_buttons(ui, data, view, words, action);
        if let Own::Sharing { label, .. } = &data.own {
            widgets::level_chip(ui, *label, words);
        }
        ui.min_rect().left()
    });
    let at = Pos2::new(rect.left() + 46.0, rect.center().y);
    let galley = widgets::line(ui.painter(), &sentence, Type::Strong, text, left - at.x - space::S);
    ui.painter().galley(at - Vec2::new(0.0, galley.size().y / 2.0), galley, text);
    let response = ui.interact(rect.with_max_x(left), ui.scope_id().with("own-share"), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Alert, true, &sentence));
    response.on_hover_text(sentence);
    Some(rect)
}

fn own_buttons(ui: &mut Ui, data: &ShareData, view: &mut ShareView, words: &Words, action: &mut Option<ShareAction>) {
    match &data.own {
        Own::Idle => {}
        Own::Asking => {
            if ui.add(PushButton::new(Weight::Secondary, words.say("share-take-back")).small()).clicked() {
                *action = Some(ShareAction::Do(Share::Stop));
            }
        }
        Own::Granted(wanted) => {
            if ui.add(PushButton::new(Weight::Quiet, words.say("share-decline")).small()).clicked() {
                *action = Some(ShareAction::Do(Share::Stop));
            }
            if ui.add(PushButton::new(Weight::Secondary, words.say("share-begin-choose")).small()).clicked() {
                *action = Some(view.pick(data));
            }
            if let Some((choice, label)) = wanted
                && ui.add(PushButton::new(Weight::Primary, words.say("share-begin")).small()).clicked()
            {
                *action = Some(ShareAction::Do(Share::Screen(choice.clone(), *label)));
            }
        }
        Own::Opening | Own::Sharing { .. } => {
            let stop = PushButton::new(Weight::Secondary, words.say("share-stop")).icon(Icon::Close).small();
            if ui.add(stop.accessible(words.say("share-stop-spoken"))).clicked() {
                *action = Some(ShareAction::Do(Share::Stop));
            }
        }
    }
}

/// A red frame around everything while the others see the own screen.
pub fn frame(ui: &Ui, area: Rect, data: &ShareData) {
    if data.button.live {
        let stroke = Stroke::new(5.0, colour::SHARING);
        ui.painter().rect_stroke(area, CornerRadius::ZERO, stroke, StrokeKind::Inside);
    }
}

/// Shows the picker over everything else, while it is open.
pub fn pick(ctx: &Context, data: &ShareData, view: &mut ShareView, words: &Words) -> Option<ShareAction> {
    let picker = view.picker.as_mut()?;
    picker.label = picker.label.min(data.level);
    let size = ctx.content_rect().size();
    let width = (size.x - 2.0 * space::XXL).min(620.0);
    let list = (size.y - 420.0).clamp(96.0, 300.0);
    let sources = view.sources.as_ref();
    let modal = Modal::new(egui::Id::unique("share")).frame(widgets::card_frame()).backdrop_color(colour::BEHIND).show(
        ctx,
        |ui| {
            ui.set_width(width - 2.0 * space::XL);
            let title = widgets::text(ui, Type::Title, colour::TEXT, words.say("share-title"));
            title.widget_info(|| WidgetInfo::labeled(Role::Heading, true, words.say("share-title")));
            if let Some(name) = &data.replaces {
                let said = words.tell("share-replaces", [("name", name.as_str().into())]);
                widgets::text(ui, Type::Body, colour::WARNING, said);
            }
            let looks = choose_source(ui, list, sources, picker, words);
            ui.add_space(space::XS);
            choose_level(ui, data.level, picker, words);
            ui.add_space(space::XS);
            let obstacle = obstacle(data, picker, words);
            let hint = if data.way == Way::Asks { Some(words.say("share-asks-first")) } else { None };
            if let Some(said) = obstacle.clone().or(hint) {
                widgets::text(ui, Type::Small, colour::TEXT_MUTED, said);
            }
            ui.add_space(space::S);
            let answer = answers(ui, data, obstacle.is_none(), words);
            (looks, answer)
        },
    );
    let closed = modal.should_close();
    let (looks, answer) = modal.inner;
    if looks {
        view.sources = None;
        return Some(ShareAction::Look);
    }
    if !closed && answer.is_none() {
        return None;
    }
    let picked = view.picker.take().filter(|_| answer == Some(true))?;
    let choice = picked.choice?;
    view.chosen = Some((choice.clone(), picked.label));
    Some(ShareAction::Do(Share::Screen(choice, picked.label)))
}

/// The two answers; `None` while none is given.
fn answers(ui: &mut Ui, data: &ShareData, ready: bool, words: &Words) -> Option<bool> {
    let word = match (&data.own, &data.way) {
        (Own::Sharing { .. } | Own::Opening, _) => "share-do-other",
        (Own::Idle | Own::Asking | Own::Granted(_), Way::Asks) => "share-do-ask",
        (Own::Idle | Own::Asking | Own::Granted(_), Way::AtOnce | Way::Busy(_) | Way::Nobody) => "share-do",
    };
    ui.horizontal(|ui| {
        let yes = ui.add(PushButton::new(Weight::Primary, words.say(word)).icon(Icon::Screen).enabled(ready));
        let no = ui.add(PushButton::new(Weight::Quiet, words.say("cancel")));
        match (yes.clicked(), no.clicked()) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            (false, false) => None,
        }
    })
    .inner
}

/// Why it cannot begin now.
fn obstacle(data: &ShareData, picker: &Picker, words: &Words) -> Option<String> {
    match &data.way {
        Way::Busy(name) => Some(words.tell("share-busy", [("name", name.as_str().into())])),
        Way::Nobody => Some(words.say("share-nobody")),
        Way::AtOnce | Way::Asks => picker.choice.is_none().then(|| words.say("share-choose-first")),
    }
}

/// What could be shared; returns whether the person wants to look again.
fn choose_source(ui: &mut Ui, height: f32, sources: Option<&Screens>, picker: &mut Picker, words: &Words) -> bool {
    let Some(sources) = sources else {
        widgets::text(ui, Type::Body, colour::TEXT_MUTED, words.say("share-looking"));
        return false;
    };
    let rows = rows(&sources.sources, words);
    if rows.is_empty() {
        let said = sources.error.as_ref().map_or_else(
            || words.say("share-none"),
            |error| words.tell("share-failed", [("reason", explain::sharing::lost(error, words).into())]),
        );
        let response = widgets::text(ui, Type::Body, colour::WARNING, said.clone());
        response.widget_info(|| WidgetInfo::labeled(Role::Alert, true, &said));
    }
    ScrollArea::vertical().max_height(height).auto_shrink([false, true]).show(ui, |ui| {
        ui.set_max_width(ui.available_width() - space::S);
        ui.spacing_mut().item_spacing.y = 6.0;
        for (kind, title) in [
            (ScreenKind::Picker, None),
            (ScreenKind::Screen, Some("share-screens")),
            (ScreenKind::Window, Some("share-windows")),
        ] {
            let mut of_kind = rows.iter().filter(|row| row.kind == kind).peekable();
            if let (Some(title), Some(_)) = (title, of_kind.peek()) {
                widgets::text(ui, Type::SmallStrong, colour::TEXT_MUTED, words.say(title));
            }
            for row in of_kind {
                if source_row(ui, row, picker.choice.as_ref() == Some(&row.choice)) {
                    picker.choice = Some(row.choice.clone());
                }
            }
        }
    });
    let whole = rows.iter().any(|row| row.kind == ScreenKind::Screen && picker.choice.as_ref() == Some(&row.choice));
    ui.horizontal(|ui| {
        let again = PushButton::new(Weight::Quiet, words.say("share-look-again")).small();
        let again = ui.add(again).clicked();
        if whole {
            widgets::text(ui, Type::Small, colour::WARNING, words.say("share-whole-hint"));
        }
        again
    })
    .inner
}

fn source_row(ui: &mut Ui, row: &SourceRow, selected: bool) -> bool {
    let (rect, response) = ui.allocate_exact_size(Vec2::new(ui.available_width(), 40.0), Sense::click());
    response.widget_info(|| WidgetInfo::selected(Role::RadioButton, true, selected, &row.spoken));
    let painter = ui.painter();
    let fill = if response.hovered() || selected { colour::RAISED_HOVER } else { colour::RAISED };
    let line = if selected { Stroke::new(1.5, colour::ACCENT_TEXT) } else { Stroke::new(1.0, colour::LINE) };
    painter.rect(rect, CornerRadius::same(radius::M), fill, line, StrokeKind::Inside);
    let sign = Rect::from_center_size(rect.left_center() + Vec2::new(22.0, 0.0), Vec2::splat(20.0));
    let icon = if row.kind == ScreenKind::Window { Icon::Window } else { Icon::Screen };
    icons::paint(painter, icon, sign, if selected { colour::ACCENT_TEXT } else { colour::TEXT_MUTED });
    let right = if selected { rect.right() - 40.0 } else { rect.right() - space::M };
    let detail = painter.layout_no_wrap(row.detail.clone(), Type::Small.font(), colour::TEXT_MUTED);
    let detail_left = right - detail.size().x;
    let left = rect.left() + 42.0;
    let name = widgets::line(painter, &row.name, Type::Strong, colour::TEXT, detail_left - left - space::M);
    painter.galley(Pos2::new(left, rect.center().y - name.size().y / 2.0), name, colour::TEXT);
    let at = Pos2::new(detail_left, rect.center().y - detail.size().y / 2.0);
    painter.galley(at, detail, colour::TEXT_MUTED);
    if selected {
        let at = Rect::from_center_size(rect.right_center() - Vec2::new(20.0, 0.0), Vec2::splat(18.0));
        icons::paint(painter, Icon::Check, at, colour::ACCENT_TEXT);
    }
    widgets::focus_ring(painter, &response, radius::M);
    response.clicked()
}

/// The levels that a label can have, each in its exact words.
fn choose_level(ui: &mut Ui, highest: Level, picker: &mut Picker, words: &Words) {
    widgets::text(ui, Type::SmallStrong, colour::TEXT_MUTED, words.say("share-level"));
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = Vec2::splat(6.0);
        for level in Level::ALL.into_iter().filter(|level| *level <= highest) {
            let marking = words.marking(level);
            let galley = ui.painter().layout_no_wrap(marking.clone(), Type::SmallStrong.font(), colour::TEXT);
            let size = Vec2::new(galley.size().x + 44.0, space::BUTTON_SMALL);
            let (rect, response) = ui.allocate_exact_size(size, Sense::click());
            let selected = picker.label == level;
            let spoken = words.tell("share-level-choose", [("level", marking.as_str().into())]);
            response.widget_info(|| WidgetInfo::selected(Role::RadioButton, true, selected, &spoken));
            let painter = ui.painter();
            let fill = if response.hovered() || selected { colour::RAISED_HOVER } else { colour::RAISED };
            let line = if selected { Stroke::new(1.5, colour::ACCENT_TEXT) } else { Stroke::new(1.0, colour::LINE) };
            painter.rect(rect, CornerRadius::same(radius::M), fill, line, StrokeKind::Inside);
            let (ground, _) = theme::level_colours(level);
            let edge = Rect::from_min_size(rect.min + Vec2::new(10.0, 8.0), Vec2::new(4.0, rect.height() - 16.0));
            painter.rect_filled(edge, 2.0, ground);
            painter.galley(rect.left_center() + Vec2::new(22.0, -galley.size().y / 2.0), galley, colour::TEXT);
            widgets::focus_ring(painter, &response, radius::M);
            if response.clicked() {
                picker.label = level;
            }
        }
    });
    if highest < Level::TopSecret {
        widgets::text(ui, Type::Small, colour::TEXT_MUTED, words.say("share-level-hint"));
    }
}

/// The chair's part in the list of people: who asks, and who shares.
pub fn requests(ui: &mut Ui, data: &ShareData, words: &Words) -> Option<ShareAction> {
    let mut action = None;
    if let Some(sharer) = &data.sharer {
        let size = Vec2::new(ui.available_width(), space::BUTTON);
        let (rect, response) = ui.allocate_exact_size(size, Sense::hover());
        response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &sharer.sentence));
        let left = widgets::over(ui, rect, Layout::right_to_left(Align::Center), |ui| {
            let end = PushButton::new(Weight::Secondary, sharer.end.clone()).accessible(sharer.spoken.clone()).small();
            if ui.add(end).clicked() {
                action = Some(ShareAction::Do(Share::StopSharer));
            }
            ui.min_rect().left()
        });
        let width = left - rect.left() - space::S;
        let line = widgets::line(ui.painter(), &sharer.sentence, Type::Strong, colour::TEXT, width);
        ui.painter().galley(rect.left_center() - Vec2::new(0.0, line.size().y / 2.0), line, colour::TEXT);
        ui.add_space(space::S);
    }
    if data.requests.is_empty() {
        return action;
    }
    let title = words.tell("share-requests", [("count", data.requests.len().into())]);
    let heading = widgets::text(ui, Type::Heading, colour::TEXT, title.clone());
    heading.widget_info(|| WidgetInfo::labeled(Role::Heading, true, &title));
    for row in &data.requests {
        action = request(ui, row, words).or(action);
        ui.add_space(space::XS);
    }
    ui.add_space(space::S);
    action
}

fn request(ui: &mut Ui, row: &RequestRow, words: &Words) -> Option<ShareAction> {
    let frame = Frame::new()
        .fill(colour::RAISED)
        .stroke(Stroke::new(1.0, colour::LINE))
        .corner_radius(CornerRadius::same(radius::M))
        .inner_margin(space::M);
    let mut action = None;
    let shown = frame.show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.spacing_mut().item_spacing.y = 3.0;
        let name = words.tell("share-of", [("name", row.name.as_str().into()), ("seat", row.seat.as_str().into())]);
        widgets::text(ui, Type::Strong, colour::TEXT, name);
        widgets::text(ui, Type::Small, colour::TEXT_MUTED, row.detail.clone());
        ui.add_space(space::S);
        ui.horizontal(|ui| {
            let half = (ui.available_width() - space::S) / 2.0;
            let gaps = || [("name", row.name.as_str().into())];
            let spoken = words.tell("share-let-spoken", gaps());
            let grant = PushButton::new(Weight::Primary, words.say("share-let")).accessible(spoken).small();
            if ui.add(grant.min_width(half)).clicked() {
                action = Some(ShareAction::Do(Share::Grant(row.leaf)));
            }
            let spoken = words.tell("share-let-not-spoken", gaps());
            let deny = PushButton::new(Weight::Secondary, words.say("share-let-not")).accessible(spoken).small();
            if ui.add(deny.min_width(half)).clicked() {
                action = Some(ShareAction::Do(Share::Deny(row.leaf)));
            }
        });
    });
    shown.response.widget_info(|| WidgetInfo::labeled(Role::ListItem, true, &row.spoken));
    action
}
