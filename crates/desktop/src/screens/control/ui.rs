//! The controls of microphone and camera, painted.

use egui::{Rect, Response, Ui};

use super::data::{ControlData, ControlState};
use crate::{
    icons::Icon,
    screens::preview::data::Kind,
    widgets::{Control, Standing},
};

/// Shows the control of a microphone or camera in `rect`; `joined` where a caret stands at its right.
pub fn show(ui: &Ui, rect: Rect, kind: Kind, data: &ControlData, joined: bool) -> Response {
    let (open, closed, name) = match kind {
        Kind::Camera => (Icon::Camera, Icon::CameraOff, "camera"),
        Kind::Microphone | Kind::Speaker => (Icon::Microphone, Icon::MicrophoneOff, "microphone"),
    };
    let (icon, standing) = match data.state {
        ControlState::Open => (open, Standing::On),
        ControlState::Opening => (open, Standing::Plain),
        ControlState::Closed => (closed, Standing::Off),
        ControlState::Missing => (closed, Standing::Trouble),
    };
    let control = Control {
        icon,
        label: &data.label,
        accessible: &data.spoken,
        hover: &data.spoken,
        standing,
        level: data.level,
        joined,
    };
    control.show(ui, rect, ui.scope_id().with(name))
}
