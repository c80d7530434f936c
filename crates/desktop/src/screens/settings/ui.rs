//! The settings, painted.

use egui::{Align, Layout, Rect, Ui, Vec2};

use super::data::{SettingsAction, SettingsData};
use crate::{
    icons::Icon,
    screens::preview::{
        data::{Kind, PickerAction},
        ui::{pick, tone},
    },
    shortcuts,
    theme::{Type, colour, space},
    widgets::{self, PushButton, Weight},
    words::Words,
};

/// Shows the settings and returns what the person wants.
pub fn show(ui: &mut Ui, data: &SettingsData, words: &Words) -> Option<SettingsAction> {
    let area = ui.max_rect();
    ui.painter().rect_filled(area, 0.0, colour::CANVAS);
    let mut action = None;
    let top = area.top() + (area.height() * 0.05).max(space::L);
    let column = Rect::from_min_max(egui::pos2(area.left(), top), area.max);
    widgets::column(ui, column, 560.0, |ui| {
        // Its sign, not its invisible edge, stands above the title.
        let place = Rect::from_min_size(ui.cursor().min - Vec2::new(space::L, 0.0), Vec2::new(200.0, space::BUTTON));
        let back = widgets::over(ui, place, Layout::left_to_right(Align::Center), |ui| {
            ui.add(PushButton::new(Weight::Quiet, words.say("back")).icon(Icon::Back)).clicked()
        });
        ui.add_space(space::BUTTON);
        if back || shortcuts::back(ui) {
            action = Some(SettingsAction::Back);
        }
        widgets::text(ui, Type::Title, colour::TEXT, words.say("settings"));
        egui::ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| {
            // Beside the scroll bar, not below it.
            ui.set_max_width(ui.available_width() - space::L);
            widgets::card(ui, |ui| credential(ui, data, words, &mut action));
            ui.add_space(space::S);
            widgets::card(ui, |ui| devices(ui, data, words, &mut action));
            ui.add_space(space::S);
            let version = words.tell("settings-version", [("version", data.version.into())]);
            widgets::text(ui, Type::Small, colour::TEXT_MUTED, version);
            ui.add_space(space::L);
        });
    });
    action
}

fn credential(ui: &mut Ui, data: &SettingsData, words: &Words, action: &mut Option<SettingsAction>) {
    ui.set_width(ui.available_width());
    widgets::text(ui, Type::Heading, colour::TEXT, words.say("credential"));
    let file = data.credential.clone().unwrap_or_else(|| words.say("credential-none"));
    widgets::text(ui, Type::Body, colour::TEXT_MUTED, file);
    ui.horizontal(|ui| {
        let choose = PushButton::new(Weight::Secondary, words.say("credential-choose")).icon(Icon::Folder);
        if ui.add(choose).clicked() {
            *action = Some(SettingsAction::ChooseCredential);
        }
        let card = PushButton::new(Weight::Secondary, words.say("credential-card")).icon(Icon::Card);
        if ui.add(card).clicked() {
            *action = Some(SettingsAction::ChooseCard);
        }
        if data.credential.is_some() && ui.add(PushButton::new(Weight::Quiet, words.say("credential-forget"))).clicked()
        {
            *action = Some(SettingsAction::ForgetCredential);
        }
    });
}

fn devices(ui: &mut Ui, data: &SettingsData, words: &Words, action: &mut Option<SettingsAction>) {
    ui.set_width(ui.available_width());
    widgets::text(ui, Type::Heading, colour::TEXT, words.say("settings-devices"));
    let pickers = [
        (Kind::Camera, words.say("camera"), &data.cameras),
        (Kind::Microphone, words.say("microphone"), &data.microphones),
        (Kind::Speaker, words.say("speaker"), &data.speakers),
    ];
    for (kind, name, picker) in pickers {
        match pick(ui, &name, picker) {
            Some(PickerAction::Opened) => *action = Some(SettingsAction::LookForDevices),
            Some(PickerAction::Chosen(word)) => *action = Some(SettingsAction::Choose(kind, word)),
            None => {}
        }
    }
    if tone(ui, &data.tone, words) {
        *action = Some(SettingsAction::TestTone);
    }
    ui.add_space(space::S);
    let mut camera = data.camera_on;
    if ui.checkbox(&mut camera, words.say("settings-camera-on")).changed() {
        *action = Some(SettingsAction::CameraOn(camera));
    }
    let mut microphone = data.microphone_on;
    if ui.checkbox(&mut microphone, words.say("settings-microphone-on")).changed() {
        *action = Some(SettingsAction::MicrophoneOn(microphone));
    }
    let mut original = data.original_sound;
    if ui.checkbox(&mut original, words.say("settings-original-sound")).changed() {
        *action = Some(SettingsAction::OriginalSound(original));
    }
}
