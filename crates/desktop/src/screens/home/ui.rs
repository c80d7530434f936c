//! The first screen, painted.

use egui::{
    Align, Color32, CornerRadius, Layout, Pos2, Rect, Role, Sense, Shape, Stroke, StrokeKind, Ui, Vec2, WidgetInfo,
};

use super::data::{CredentialCard, HomeAction, HomeData, RecentRow};
use crate::{
    icons::{self, Icon},
    theme::{self, Type, colour, radius, space},
    widgets::{self, PushButton, Weight},
    words::Words,
};

/// Width of the side with name and credential.
const SIDE: f32 = 300.0;

/// Shows the screen and returns what the person wants.
pub fn show(ui: &mut Ui, data: &HomeData, words: &Words) -> Option<HomeAction> {
    let area = ui.max_rect();
    ui.painter().rect_filled(area, 0.0, colour::CANVAS);
    let side = Rect::from_min_size(area.min, Vec2::new(SIDE.min(area.width() * 0.34), area.height()));
    let main = Rect::from_min_max(side.right_top(), area.max);
    let mut action = None;
    // Painted second in space but first in order: the keyboard comes to the invitation before anything else.
    let width = (main.width() - 2.0 * space::XXL).min(760.0);
    let left = main.left() + ((main.width() - width) / 2.0).max(space::XXL);
    let top = area.top() + (area.height() * 0.07).min(72.0);
    let column = Rect::from_min_max(Pos2::new(left, top), Pos2::new(left + width, area.bottom() - space::XL));
    widgets::inside(ui, column, |ui| {
        if area.height() < widgets::LOW {
            egui::ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| {
                main_column(ui, data, words, false, &mut action);
            });
        } else {
            main_column(ui, data, words, true, &mut action);
        }
    });
    side_column(ui, side, data, words, &mut action);
    action
}

/// `tall` where there is room for a list that scrolls on its own.
fn main_column(ui: &mut Ui, data: &HomeData, words: &Words, tall: bool, action: &mut Option<HomeAction>) {
    let free = data.busy.is_none();
    widgets::text(ui, Type::Title, colour::TEXT, words.say("home-title"));
    ui.add_space(space::S);
    if let Some(problem) = &data.problem {
        problem_card(ui, problem, words, action);
        ui.add_space(space::S);
    }
    drop_card(ui, data, words, if tall { 196.0 } else { 120.0 }, action);
    ui.add_space(space::L);
    if !data.recent.is_empty() {
        widgets::text(ui, Type::Heading, colour::TEXT, words.say("home-recent"));
        let rest = if tall { (ui.available_height() - 112.0).max(64.0) } else { f32::INFINITY };
        egui::ScrollArea::vertical().max_height(rest).auto_shrink([false, true]).show(ui, |ui| {
            for (index, row) in data.recent.iter().enumerate() {
                recent_row(ui, index, row, words, free, action);
            }
        });
        ui.add_space(space::S);
    }
    demonstration_card(ui, words, free, action);
}

fn drop_card(ui: &mut Ui, data: &HomeData, words: &Words, height: f32, action: &mut Option<HomeAction>) {
    /// Without this height there is no room for a sign above the button.
    const WITH_SIGN: f32 = 160.0;
    let free = data.busy.is_none();
    let (rect, _) = ui.allocate_exact_size(Vec2::new(ui.available_width(), height), Sense::hover());
    let (fill, line) =
        if data.dragging { (colour::RAISED, colour::ACCENT_TEXT) } else { (colour::SURFACE, colour::OUTLINE) };
    ui.painter().rect_filled(rect, CornerRadius::same(radius::L), fill);
    dashed(ui, rect.shrink(0.5), line);
    let top = if height < WITH_SIGN { space::L } else { 72.0 };
    if height >= WITH_SIGN {
        let sign = Rect::from_center_size(Pos2::new(rect.center().x, rect.top() + 42.0), Vec2::splat(34.0));
        icons::paint(ui.painter(), Icon::Document, sign, colour::ACCENT_TEXT);
    }
    let inner = Rect::from_min_max(Pos2::new(rect.left(), rect.top() + top), rect.max - Vec2::new(0.0, space::S));
    widgets::over(ui, inner, Layout::top_down(Align::Center), |ui| {
        let button = PushButton::new(Weight::Primary, words.say("home-open")).icon(Icon::Folder).large();
        if ui.add(button.enabled(free).min_width(240.0)).clicked() {
            *action = Some(HomeAction::OpenDialog);
        }
        ui.add_space(space::XS);
        let (kind, hint) = match &data.busy {
            Some(busy) => (colour::ACCENT_TEXT, busy.clone()),
            None if data.dragging => (colour::ACCENT_TEXT, words.say("home-drop-now")),
            None => (colour::TEXT_MUTED, words.say("home-drop-hint")),
        };
        widgets::text(ui, Type::Body, kind, hint);
    });
}

/// A dashed frame with round corners.
fn dashed(ui: &Ui, rect: Rect, line: Color32) {
    let corner = f32::from(radius::L);
    let mut path = Vec::new();
    for (centre, turn) in [
        (rect.right_top() + Vec2::new(-corner, corner), 0.75),
        (rect.right_bottom() + Vec2::new(-corner, -corner), 0.0),
        (rect.left_bottom() + Vec2::new(corner, -corner), 0.25),
        (rect.left_top() + Vec2::new(corner, corner), 0.5),
    ] {
        for step in 0..=6_u8 {
            let angle = (turn + 0.25 * f32::from(step) / 6.0) * std::f32::consts::TAU;
            path.push(centre + Vec2::angled(angle) * corner);
        }
    }
    path.extend(path.first().copied());
    ui.painter().extend(Shape::dashed_line(&path, Stroke::new(1.2, line), 6.0, 5.0));
}

fn recent_row(ui: &mut Ui, index: usize, row: &RecentRow, words: &Words, free: bool, action: &mut Option<HomeAction>) {
    let (rect, _) = ui.allocate_exact_size(Vec2::new(ui.available_width(), 58.0), Sense::hover());
    let forget = Rect::from_center_size(rect.right_center() - Vec2::new(28.0, 0.0), Vec2::splat(36.0));
    let body = Rect::from_min_max(rect.min, Pos2::new(forget.left() - space::XS, rect.bottom()));
    let sense = if free { Sense::click() } else { Sense::hover() };
    let response = ui.interact(body, ui.scope_id().with(("recent", index)), sense);
    let close = ui.interact(forget, ui.scope_id().with(("forget", index)), sense);
    let marking = words.marking(row.level);
    let spoken = words.tell(
        "home-recent-spoken",
        [("title", row.title.as_str().into()), ("when", row.when.as_str().into()), ("level", marking.as_str().into())],
    );
    response.widget_info(|| WidgetInfo::labeled(Role::Button, free, &spoken));
    let forget_words = words.tell("home-forget", [("title", row.title.as_str().into())]);
    close.widget_info(|| WidgetInfo::labeled(Role::Button, free, &forget_words));

    let painter = ui.painter();
    let fill = if response.hovered() { colour::RAISED } else { colour::SURFACE };
    painter.rect(rect, CornerRadius::same(radius::M), fill, Stroke::new(1.0, colour::LINE), StrokeKind::Inside);
    let (ground, _) = theme::level_colours(row.level);
    let edge = Rect::from_min_size(rect.min + Vec2::new(10.0, 12.0), Vec2::new(4.0, rect.height() - 24.0));
    painter.rect_filled(edge, 2.0, ground);
    let text = if row.over { colour::TEXT_MUTED } else { colour::TEXT };
    let left = rect.left() + 26.0;
    let width = forget.left() - left - space::S;
    let title = widgets::line(painter, &row.title, Type::Strong, text, width);
    painter.galley(Pos2::new(left, rect.top() + 10.0), title, text);
    let below = format!("{}  ·  {}", row.when, marking);
    let below = widgets::line(painter, &below, Type::Small, colour::TEXT_MUTED, width);
    painter.galley(Pos2::new(left, rect.top() + 32.0), below, colour::TEXT_MUTED);
    let cross = if close.hovered() { colour::TEXT } else { colour::TEXT_MUTED };
    icons::paint(painter, Icon::Close, forget.shrink(9.0), cross);
    widgets::focus_ring(painter, &response, radius::M);
    widgets::focus_ring(painter, &close, radius::M);
    if response.clicked() {
        *action = Some(HomeAction::Open(row.path.clone()));
    }
    if close.on_hover_text(forget_words).clicked() {
        *action = Some(HomeAction::Forget(index));
    }
}

fn demonstration_card(ui: &mut Ui, words: &Words, free: bool, action: &mut Option<HomeAction>) {
    let (rect, _) = ui.allocate_exact_size(Vec2::new(ui.available_width(), 76.0), Sense::hover());
    let frame = Stroke::new(1.0, colour::LINE);
    ui.painter().rect(rect, CornerRadius::same(radius::L), colour::SURFACE, frame, StrokeKind::Inside);
    let inner = rect.shrink2(Vec2::new(space::L, space::M));
    widgets::over(ui, inner, Layout::right_to_left(Align::Center), |ui| {
        let button = PushButton::new(Weight::Secondary, words.say("home-demo")).icon(Icon::Play);
        if ui.add(button.enabled(free)).clicked() {
            *action = Some(HomeAction::Demonstration);
        }
        ui.add_space(space::S);
        ui.with_layout(Layout::top_down(Align::Min), |ui| {
            ui.spacing_mut().item_spacing.y = 2.0;
            ui.add_space(3.0);
            widgets::text(ui, Type::Strong, colour::TEXT, words.say("home-demo-title"));
            widgets::text(ui, Type::Small, colour::TEXT_MUTED, words.say("home-demo-hint"));
        });
    });
}

fn problem_card(ui: &mut Ui, problem: &str, words: &Words, action: &mut Option<HomeAction>) {
    let dismiss = words.say("dismiss");
    let (left, right) = (48.0, 132.0);
    let text =
        ui.painter().layout(problem.to_owned(), Type::Body.font(), colour::TEXT, ui.available_width() - left - right);
    let height = (text.size().y + 2.0 * space::M).max(56.0);
    let (rect, response) = ui.allocate_exact_size(Vec2::new(ui.available_width(), height), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Alert, true, problem));
    let painter = ui.painter();
    painter.rect_filled(rect, CornerRadius::same(radius::M), colour::BAD_GROUND);
    let sign = Rect::from_center_size(rect.left_center() + Vec2::new(26.0, 0.0), Vec2::splat(20.0));
    icons::paint(painter, Icon::Warning, sign, colour::BAD);
    painter.galley(Pos2::new(rect.left() + left, rect.center().y - text.size().y / 2.0), text, colour::TEXT);
    let place = Rect::from_min_max(Pos2::new(rect.right() - right, rect.top()), rect.max - Vec2::new(space::XS, 0.0));
    widgets::over(ui, place, Layout::right_to_left(Align::Center), |ui| {
        if ui.add(PushButton::new(Weight::Quiet, dismiss).icon(Icon::Close)).clicked() {
            *action = Some(HomeAction::Dismiss);
        }
    });
}

fn side_column(ui: &mut Ui, side: Rect, data: &HomeData, words: &Words, action: &mut Option<HomeAction>) {
    ui.painter().rect_filled(side, 0.0, colour::SURFACE);
    ui.painter().vline(side.right(), side.y_range(), Stroke::new(1.0, colour::LINE));
    let inner = side.shrink(space::XL);
    let mark = Rect::from_min_size(inner.min + Vec2::new(0.0, space::S), Vec2::splat(44.0));
    icons::paint_mark(ui.painter(), mark, colour::TEXT, colour::SPEAKING);
    let name = Rect::from_min_max(Pos2::new(mark.right() + space::M, mark.top() - 2.0), inner.max);
    widgets::inside(ui, name, |ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        widgets::text(ui, Type::Title, colour::TEXT, words.say("app-name"));
        widgets::text(ui, Type::Small, colour::TEXT_MUTED, words.say("app-claim"));
    });
    let height = match data.credential {
        CredentialCard::None => 176.0,
        CredentialCard::Locked { .. } | CredentialCard::Unlocked { .. } => 190.0,
    };
    let settings = Rect::from_min_max(Pos2::new(inner.left(), inner.bottom() - space::BUTTON), inner.max);
    let card = Rect::from_min_max(
        Pos2::new(inner.left(), settings.top() - space::L - height),
        Pos2::new(inner.right(), settings.top() - space::L),
    );
    credential_card(ui, card, data, words, action);
    widgets::inside(ui, settings, |ui| {
        let button = PushButton::new(Weight::Quiet, words.say("settings")).icon(Icon::Gear).left();
        if ui.add(button.min_width(settings.width())).clicked() {
            *action = Some(HomeAction::Settings);
        }
    });
}

fn credential_card(ui: &mut Ui, rect: Rect, data: &HomeData, words: &Words, action: &mut Option<HomeAction>) {
    let frame = Stroke::new(1.0, colour::LINE);
    ui.painter().rect(rect, CornerRadius::same(radius::L), colour::RAISED, frame, StrokeKind::Inside);
    widgets::inside(ui, rect.shrink(space::L), |ui| {
        ui.horizontal(|ui| {
            let (sign, _) = ui.allocate_exact_size(Vec2::splat(22.0), Sense::hover());
            icons::paint(ui.painter(), Icon::Card, sign, colour::ACCENT_TEXT);
            widgets::text(ui, Type::Heading, colour::TEXT, words.say("credential"));
        });
        ui.spacing_mut().item_spacing.y = 3.0;
        match &data.credential {
            CredentialCard::None => {
                widgets::text(ui, Type::Small, colour::TEXT_MUTED, words.say("credential-none"));
            }
            CredentialCard::Locked { file } => {
                widgets::text(ui, Type::Strong, colour::TEXT, file.clone());
                widgets::text(ui, Type::Small, colour::TEXT_MUTED, words.say("credential-locked"));
            }
            CredentialCard::Unlocked { name, seat } => {
                widgets::text(ui, Type::Strong, colour::TEXT, name.clone());
                widgets::text(ui, Type::Small, colour::TEXT_MUTED, seat.clone());
                widgets::text(ui, Type::Small, colour::GOOD, words.say("credential-unlocked"));
            }
        }
        let rest = ui.available_height() - space::BUTTON;
        ui.add_space(rest.max(space::S));
        let label = match data.credential {
            CredentialCard::None => words.say("credential-choose"),
            CredentialCard::Locked { .. } | CredentialCard::Unlocked { .. } => words.say("credential-other"),
        };
        let width = ui.available_width();
        let button = PushButton::new(Weight::Secondary, label).min_width(width).enabled(data.busy.is_none());
        if ui.add(button).clicked() {
            *action = Some(HomeAction::ChooseCredential);
        }
    });
}
