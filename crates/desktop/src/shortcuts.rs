//! Keys that do something wherever the keyboard is, unless a person is writing.

use egui::{Key, Ui};

/// M: opens or mutes the microphone.
pub fn microphone(ui: &Ui) -> bool {
    pressed(ui, Key::M)
}

/// V: opens or closes the camera.
pub fn camera(ui: &Ui) -> bool {
    pressed(ui, Key::V)
}

/// P: shows or hides the participants.
pub fn participants(ui: &Ui) -> bool {
    pressed(ui, Key::P)
}

/// Alone, pressed once: a held key must not flicker a microphone.
fn pressed(ui: &Ui, wanted: Key) -> bool {
    if ui.ctx().text_edit_focused() {
        return false;
    }
    ui.input(|input| {
        input.modifiers.is_none()
            && input.events.iter().any(
                |event| matches!(event, egui::Event::Key { key, pressed: true, repeat: false, .. } if *key == wanted),
            )
    })
}
