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

/// S: shares a screen, and stops it.
pub fn share(ui: &Ui) -> bool {
    pressed(ui, Key::S)
}

/// F: fits a shared screen into the window, or shows it pixel by pixel.
pub fn fit(ui: &Ui) -> bool {
    pressed(ui, Key::F)
}

/// P: shows or hides the participants.
pub fn participants(ui: &Ui) -> bool {
    pressed(ui, Key::P)
}

/// Escape: back, unless it closes a menu or a question that is open over the screen of `ui`.
pub fn back(ui: &Ui) -> bool {
    !is_covered(ui) && alone(ui, Key::Escape)
}

/// Enter: what the screen of `ui` is for, unless a control has the keyboard or a menu or a question is open over it.
pub fn go(ui: &Ui) -> bool {
    let taken = is_covered(ui) || ui.memory(|memory| memory.focused().is_some());
    !taken && alone(ui, Key::Enter)
}

/// Whether a menu or a question is open over the screen of `ui`.
fn is_covered(ui: &Ui) -> bool {
    egui::Popup::is_any_open(ui.ctx()) || !ui.memory(|memory| memory.allows_interaction(ui.layer_id()))
}

/// Alone, and not while a person is writing.
fn pressed(ui: &Ui, wanted: Key) -> bool {
    !ui.ctx().text_edit_focused() && alone(ui, wanted)
}

/// Without others, pressed once: a held key must not flicker a microphone.
fn alone(ui: &Ui, wanted: Key) -> bool {
    ui.input(|input| {
        input.modifiers.is_none()
            && input.events.iter().any(
                |event| matches!(event, egui::Event::Key { key, pressed: true, repeat: false, .. } if *key == wanted),
            )
    })
}
