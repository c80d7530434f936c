//! The screen before entering, painted.

use egui::{Align, ComboBox, CornerRadius, Layout, Pos2, Rect, Role, Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo};

use super::data::{Kind, Picker, PickerAction, PreviewAction, PreviewData, ToneView};
use crate::{
    icons::Icon,
    screens::control::{self, data::ControlData},
    shortcuts,
    theme::{Type, colour, radius, space},
    video::Screenery,
    widgets::{self, Control, PushButton, Weight},
    words::Words,
};

/// Room for everything beside the picture, a title and a warning of two lines each included.
const SIDE_HEIGHT: f32 = 620.0;

/// Height of the way in, while it has nothing to say.
const WAY_IN: f32 = 112.0;

/// Shows the screen and returns what the person wants.
pub fn show(ui: &mut Ui, data: &PreviewData, screenery: &Screenery, words: &Words) -> Option<PreviewAction> {
    let area = ui.max_rect();
    ui.painter().rect_filled(area, 0.0, colour::CANVAS);
    let banner = |top| Rect::from_min_size(Pos2::new(area.left(), top), Vec2::new(area.width(), space::BANNER));
    widgets::level_banner(ui, banner(area.top()), data.level, words, ui.scope_id().with("level-top"));
    let mut action = None;

    let room = area.shrink2(Vec2::new(space::XXL, space::BANNER + space::L));
    let width = room.width().min(1280.0);
    let room = Rect::from_center_size(room.center(), Vec2::new(width, room.height()));
    let side = (width * 0.36).clamp(320.0, 420.0);
    let picture_width = width - side - space::XXL;
    let picture_height = (picture_width * 9.0 / 16.0).min(room.height() - 120.0);
    let top = room.top() + ((room.height() - picture_height - 96.0) / 2.0).max(0.0);
    let picture = Rect::from_min_size(Pos2::new(room.left(), top), Vec2::new(picture_width, picture_height));
    let side = Rect::from_min_max(Pos2::new(room.right() - side, top), room.max);

    let foot = area.bottom() - space::BANNER - space::S;
    let side = Rect::from_min_max(
        Pos2::new(side.left(), side.top().min(foot - SIDE_HEIGHT).max(room.top())),
        Pos2::new(side.right(), foot),
    );
    if shortcuts::back(ui) {
        action = Some(PreviewAction::Back);
    }
    if side.height() < SIDE_HEIGHT {
        // On a small screen what is chosen scrolls, and the way in stays in sight, however much it has to say.
        let height = ui.data(|memory| memory.get_temp(ui.scope_id())).unwrap_or(WAY_IN).min(side.height() / 2.0);
        let (upper, lower) = side.split_top_bottom_at_y(side.bottom() - height);
        let used = widgets::inside(ui, lower, |ui| {
            way_in(ui, data, words, &mut action);
            ui.min_rect().height()
        });
        if (used - height).abs() > 0.5 {
            let id = ui.scope_id();
            ui.data_mut(|memory| memory.insert_temp(id, used));
            ui.request_repaint();
        }
        widgets::inside(ui, upper, |ui| {
            egui::ScrollArea::vertical()
                .auto_shrink([false, false])
                .show(ui, |ui| choices(ui, data, words, &mut action));
        });
    } else {
        widgets::inside(ui, side, |ui| {
            choices(ui, data, words, &mut action);
            way_in(ui, data, words, &mut action);
        });
    }
    own_picture(ui, picture, data, screenery, words);
    controls(ui, picture, data, words, &mut action);
    widgets::level_banner(
        ui,
        banner(area.bottom() - space::BANNER),
        data.level,
        words,
        ui.scope_id().with("level-bottom"),
    );
    action
}

fn own_picture(ui: &Ui, rect: Rect, data: &PreviewData, screenery: &Screenery, words: &Words) {
    let painter = ui.painter();
    let corners = CornerRadius::same(radius::L);
    painter.rect(rect, corners, colour::TILE, Stroke::new(1.0, colour::LINE), StrokeKind::Inside);
    let shown = data.picture.as_ref().filter(|_| data.camera.on);
    let state = match (shown, &data.camera.problem) {
        (Some(shown), _) => {
            screenery.show(painter, rect, shown, true, f32::from(radius::L));
            words.say("preview-picture-on")
        }
        (None, _) if !data.camera.on => words.say("preview-picture-off"),
        (None, Some(problem)) => problem.clone(),
        (None, None) => words.say("preview-picture-opening"),
    };
    if shown.is_none() {
        let disc = (rect.height() * 0.34).min(140.0);
        widgets::initials(painter, rect.center() - Vec2::new(0.0, 24.0), disc, &data.me.0);
        let galley = painter.layout(state.clone(), Type::Body.font(), colour::TEXT_MUTED, rect.width() * 0.8);
        let at = Pos2::new(rect.center().x - galley.size().x / 2.0, rect.center().y + disc / 2.0 - 8.0);
        painter.galley(at, galley, colour::TEXT_MUTED);
    }
    let response = ui.interact(rect, ui.scope_id().with("own-picture"), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &state));
}

fn controls(ui: &mut Ui, picture: Rect, data: &PreviewData, words: &Words, action: &mut Option<PreviewAction>) {
    let top = picture.bottom() + space::M;
    let size = Control::SIZE;
    let (microphone, camera) = (shortcuts::microphone(ui), shortcuts::camera(ui));
    let at = Rect::from_min_size(Pos2::new(picture.left(), top), size);
    // The meter beside it shows the loudness already.
    let first = ControlData { level: 0.0, ..control::data::control(Kind::Microphone, &data.microphone, words) };
    if control::ui::show(ui, at, Kind::Microphone, &first, false).clicked() || microphone {
        *action = Some(PreviewAction::Microphone(!data.microphone.on));
    }
    let second = control::data::control(Kind::Camera, &data.camera, words);
    let at = at.translate(Vec2::new(size.x + space::S, 0.0));
    if control::ui::show(ui, at, Kind::Camera, &second, false).clicked() || camera {
        *action = Some(PreviewAction::Camera(!data.camera.on));
    }

    let rest =
        Rect::from_min_max(Pos2::new(at.right() + space::XL, top + 6.0), Pos2::new(picture.right(), top + size.y));
    widgets::inside(ui, rest, |ui| {
        let (tint, said) = match (&data.microphone.problem, data.microphone.on) {
            (Some(problem), true) => (colour::WARNING, problem.clone()),
            (None, true) => (colour::TEXT_MUTED, words.say("preview-meter-hint")),
            (_, false) => (colour::TEXT_MUTED, words.say("preview-meter-muted")),
        };
        let level = if data.microphone.on { data.microphone.level } else { 0.0 };
        widgets::meter(ui, level, &words.say("preview-meter"));
        ui.add_space(2.0);
        widgets::text(ui, Type::Small, tint, said);
    });
}

fn choices(ui: &mut Ui, data: &PreviewData, words: &Words, action: &mut Option<PreviewAction>) {
    ui.spacing_mut().item_spacing.y = 6.0;
    widgets::text(ui, Type::Title, colour::TEXT, data.title.clone());
    widgets::text(ui, Type::Body, colour::TEXT_MUTED, data.when.clone());
    widgets::level_chip(ui, data.level, words);
    let me = words.tell(
        "preview-me",
        [("name", data.me.0.as_str().into()), ("seat", data.me.1.as_str().into()), ("count", data.invited.into())],
    );
    widgets::text(ui, Type::Small, colour::TEXT_MUTED, me);
    if let Some(warning) = &data.warning {
        egui::Frame::new().fill(colour::WARNING_GROUND).corner_radius(radius::M).inner_margin(space::M).show(
            ui,
            |ui| {
                ui.set_width(ui.available_width());
                widgets::text(ui, Type::Small, colour::TEXT, warning.clone());
            },
        );
    }
    ui.add_space(space::S);
    let pickers = [
        (Kind::Camera, words.say("camera"), &data.cameras),
        (Kind::Microphone, words.say("microphone"), &data.microphones),
        (Kind::Speaker, words.say("speaker"), &data.speakers),
    ];
    for (kind, name, picker) in pickers {
        match pick(ui, &name, picker) {
            Some(PickerAction::Opened) => *action = Some(PreviewAction::LookForDevices),
            Some(PickerAction::Chosen(word)) => *action = Some(PreviewAction::Choose(kind, word)),
            None => {}
        }
    }
    if tone(ui, &data.tone, words) {
        *action = Some(PreviewAction::TestTone);
    }
}

fn way_in(ui: &mut Ui, data: &PreviewData, words: &Words, action: &mut Option<PreviewAction>) {
    ui.add_space(space::M);
    if let Some(door) = data.door.as_ref().filter(|_| data.entry.is_ok()) {
        widgets::text(ui, Type::Small, colour::TEXT_MUTED, door.clone());
    }
    if let Err(reason) = &data.entry {
        let response = widgets::text(ui, Type::Body, colour::WARNING, reason.clone());
        response.widget_info(|| WidgetInfo::labeled(Role::Alert, true, reason));
    }
    let width = ui.available_width();
    let word = words.say(if data.entering { "preview-entering" } else { "preview-enter" });
    let enter = PushButton::new(Weight::Primary, word).large().min_width(width);
    let can_enter = data.entry.is_ok() && !data.entering;
    if ui.add(enter.enabled(can_enter)).clicked() || (can_enter && shortcuts::go(ui)) {
        *action = Some(PreviewAction::Enter);
    }
    ui.with_layout(Layout::top_down(Align::Center), |ui| {
        if ui.add(PushButton::new(Weight::Quiet, words.say("back")).icon(Icon::Back)).clicked() {
            *action = Some(PreviewAction::Back);
        }
    });
}

/// A button that plays a tone, and what came of it; returns whether it was pressed.
pub fn tone(ui: &mut Ui, data: &ToneView, words: &Words) -> bool {
    let word = words.say(if data.playing { "tone-playing" } else { "tone-play" });
    let pressed = ui.add(PushButton::new(Weight::Secondary, word).enabled(!data.playing)).clicked();
    if let Some(said) = &data.said {
        let response = widgets::text(ui, Type::Small, colour::TEXT_MUTED, said.clone());
        response.widget_info(|| WidgetInfo::labeled(Role::Alert, true, said));
    }
    pressed
}

/// A list of devices; returns what was done with it now.
pub fn pick(ui: &mut Ui, name: &str, picker: &Picker) -> Option<PickerAction> {
    let label = widgets::text(ui, Type::SmallStrong, colour::TEXT_MUTED, name);
    let width = ui.available_width();
    let mut chosen = None;
    let shown = ComboBox::from_id_salt(("picker", name))
        .width(width)
        .truncate()
        .selected_text(picker.chosen_name())
        .show_ui(ui, |ui| {
            for (word, entry) in &picker.entries {
                if ui.selectable_label(*word == picker.chosen, entry.as_str()).clicked() && *word != picker.chosen {
                    chosen = Some(PickerAction::Chosen(word.clone()));
                }
            }
        });
    let response = shown.response.labelled_by(label.id);
    widgets::focus_ring(ui.painter(), &response, radius::M);
    let opened = response.clicked() && shown.inner.is_some();
    chosen.or(opened.then_some(PickerAction::Opened))
}
