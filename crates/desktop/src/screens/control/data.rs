//! The controls of microphone and camera, which say what is really the case, not what was asked for.

use crate::{
    screens::preview::data::{Kind, SourceView},
    words::Words,
};

/// A control for microphone or camera.
#[derive(Clone, Debug, PartialEq)]
pub struct ControlData {
    /// Whether the person wants it to be sent.
    pub on: bool,
    /// What is really the case.
    pub state: ControlState,
    /// The word on it.
    pub label: String,
    /// What is open, or why nothing is, and what pressing does: for pointer and screen reader.
    pub spoken: String,
    /// How loud, from 0 to 1.
    pub level: f32,
}

/// Whether a microphone or camera is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ControlState {
    /// It is.
    Open,
    /// It will be, once the device has opened.
    Opening,
    /// The person does not want it.
    Closed,
    /// It should be, and there is no device.
    Missing,
}

/// The messages of a control: on it, and spoken.
struct Messages {
    open: (&'static str, &'static str),
    closed: (&'static str, &'static str),
    missing: (&'static str, &'static str),
}

const MICROPHONE: Messages = Messages {
    open: ("microphone-on", "control-microphone-on"),
    closed: ("microphone-off", "control-microphone-off"),
    missing: ("microphone-none", "control-microphone-none"),
};

const CAMERA: Messages = Messages {
    open: ("camera-on", "control-camera-on"),
    closed: ("camera-off", "control-camera-off"),
    missing: ("camera-none", "control-camera-none"),
};

/// The control of a microphone or camera that stands like this.
pub fn control(kind: Kind, source: &SourceView, words: &Words) -> ControlData {
    let messages = match kind {
        Kind::Camera => &CAMERA,
        Kind::Microphone | Kind::Speaker => &MICROPHONE,
    };
    let state = match (source.on, &source.device, &source.problem) {
        (false, _, _) => ControlState::Closed,
        (true, Some(_), _) => ControlState::Open,
        (true, None, None) => ControlState::Opening,
        (true, None, Some(_)) => ControlState::Missing,
    };
    let (label, spoken) = match state {
        ControlState::Open => messages.open,
        ControlState::Opening => ("device-opening", messages.open.1),
        ControlState::Closed => messages.closed,
        ControlState::Missing => messages.missing,
    };
    let device = source.device.as_ref().or(source.problem.as_ref()).cloned().unwrap_or_default();
    ControlData {
        on: source.on,
        state,
        label: words.say(label),
        spoken: words.tell(spoken, [("device", device.into())]),
        level: if source.device.is_some() { source.level } else { 0.0 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(on: bool, device: Option<&str>, problem: Option<&str>) -> ControlData {
        let source = SourceView { on, device: device.map(Into::into), problem: problem.map(Into::into), level: 0.5 };
        control(Kind::Microphone, &source, &Words::english())
    }

    #[test]
    fn a_microphone_that_is_not_there_is_never_said_to_be_on() {
        let missing = made(true, None, Some("No microphone found."));
        assert_eq!((missing.state, missing.label.as_str()), (ControlState::Missing, "No mic"));
        assert_eq!(missing.spoken, "No microphone. No microphone found.");
        assert_eq!(made(true, None, None).label, "Opening…");
        assert_eq!(made(true, Some("Headset"), None).label, "Mic on");
    }

    #[test]
    fn muted_is_said_whatever_is_plugged_in() {
        for device in [None, Some("Headset")] {
            assert_eq!(made(false, device, None).label, "Muted");
        }
    }
}
