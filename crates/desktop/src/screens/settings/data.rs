//! What the settings show.

use crate::screens::preview::data::{Kind, Picker, ToneView};

/// Everything on the settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SettingsData {
    /// The credential's file.
    pub credential: Option<String>,
    /// Which camera to begin with.
    pub cameras: Picker,
    /// Which microphone to begin with.
    pub microphones: Picker,
    /// Which loudspeaker to begin with.
    pub speakers: Picker,
    /// Whether to enter with the camera open.
    pub camera_on: bool,
    /// Whether to enter with the microphone open.
    pub microphone_on: bool,
    /// Whether the microphone's sound is sent as it is.
    pub original_sound: bool,
    /// The test of the loudspeaker.
    pub tone: ToneView,
    /// The version of the app.
    pub version: &'static str,
}

/// What the person wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingsAction {
    /// Back to the first screen.
    Back,
    /// Choose a credential.
    ChooseCredential,
    /// Use the one on a smart card.
    ChooseCard,
    /// Forget where the credential lies.
    ForgetCredential,
    /// See what is plugged in now.
    LookForDevices,
    /// Begin with this device.
    Choose(Kind, String),
    /// Enter with the camera open, or not.
    CameraOn(bool),
    /// Enter with the microphone open, or not.
    MicrophoneOn(bool),
    /// Send the microphone's sound as it is, or prepared.
    OriginalSound(bool),
    /// Play a tone.
    TestTone,
}
