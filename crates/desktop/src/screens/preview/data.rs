//! What the screen before entering shows.

use conclave_model::Level;

use crate::video::Shown;

/// Everything on the screen before entering.
#[derive(Clone, Debug)]
pub struct PreviewData {
    /// The meeting's title.
    pub title: String,
    /// The meeting's level.
    pub level: Level,
    /// When it is, in words.
    pub when: String,
    /// The invitation's warning.
    pub warning: Option<String>,
    /// How many are invited.
    pub invited: usize,
    /// As whom the person enters: name and seat.
    pub me: (String, String),
    /// The own picture.
    pub picture: Option<Shown>,
    /// The own camera.
    pub camera: SourceView,
    /// The own microphone.
    pub microphone: SourceView,
    /// Which camera.
    pub cameras: Picker,
    /// Which microphone.
    pub microphones: Picker,
    /// Which loudspeaker.
    pub speakers: Picker,
    /// The test of the loudspeaker.
    pub tone: ToneView,
    /// What happens at the door, in words, where it is not plain.
    pub door: Option<String>,
    /// Whether the meeting can be entered, or why not, in words.
    pub entry: Result<(), String>,
    /// Whether the person is on the way in.
    pub entering: bool,
}

/// A camera or microphone of the person.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SourceView {
    /// Whether the person wants it open.
    pub on: bool,
    /// What is really open.
    pub device: Option<String>,
    /// Why nothing is, in words.
    pub problem: Option<String>,
    /// How loud, from 0 to 1.
    pub level: f32,
}

/// How a test of the loudspeaker stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToneView {
    /// Whether a tone is being played.
    pub playing: bool,
    /// What came of the last one, in words.
    pub said: Option<String>,
}

/// A list to choose a device from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Picker {
    /// The words of the command line, and what people call it.
    pub entries: Vec<(String, String)>,
    /// The chosen one's word.
    pub chosen: String,
}

/// What was done with a picker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PickerAction {
    /// It was opened.
    Opened,
    /// The one with this word was chosen.
    Chosen(String),
}

/// Which device a picker is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Picture.
    Camera,
    /// Voice.
    Microphone,
    /// The others' voices.
    Speaker,
}

/// What the person wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PreviewAction {
    /// Play a tone to the loudspeaker.
    TestTone,
    /// Into the meeting.
    Enter,
    /// Back to the first screen.
    Back,
    /// Open or close the microphone.
    Microphone(bool),
    /// Open or close the camera.
    Camera(bool),
    /// See what is plugged in now.
    LookForDevices,
    /// Use the device with this word.
    Choose(Kind, String),
}

impl Picker {
    /// The system's default, then the devices, then what was chosen before and is not there.
    ///
    /// A device with the default's name is the default by another way, and is left out unless it was chosen.
    pub fn new(
        default_name: String,
        devices: impl IntoIterator<Item = (String, String)>,
        chosen: &str,
        missing: impl FnOnce(&str) -> String,
    ) -> Self {
        let mut entries = vec![("default".to_owned(), default_name.clone())];
        let devices = devices.into_iter().map(|(id, name)| (format!("device:{id}"), name));
        entries.extend(devices.filter(|(word, name)| *name != default_name || word == chosen));
        if !entries.iter().any(|(word, _)| word == chosen) {
            entries.push((chosen.to_owned(), missing(chosen)));
        }
        Self { entries, chosen: chosen.to_owned() }
    }

    /// What people call the chosen one.
    pub fn chosen_name(&self) -> &str {
        self.entries.iter().find(|(word, _)| *word == self.chosen).map_or("", |(_, name)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chosen_device_that_is_gone_stays_in_the_list() {
        let devices = || [("usb".to_owned(), "Headset".to_owned())];
        let there = Picker::new("Default".into(), devices(), "device:usb", |_| unreachable!());
        assert_eq!((there.entries.len(), there.chosen_name()), (2, "Headset"));
        let gone = Picker::new("Default".into(), devices(), "device:hdmi", |word| format!("{word} (gone)"));
        assert_eq!((gone.entries.len(), gone.chosen_name()), (3, "device:hdmi (gone)"));
    }

    #[test]
    fn the_systems_default_is_listed_once() {
        let devices = || [("alsa:default".to_owned(), "Default".to_owned()), ("usb".to_owned(), "Headset".to_owned())];
        let picker = Picker::new("Default".into(), devices(), "default", |_| unreachable!());
        let names: Vec<&str> = picker.entries.iter().map(|(_, name)| name.as_str()).collect();
        assert_eq!(names, ["Default", "Headset"]);
        let picker = Picker::new("Default".into(), devices(), "device:alsa:default", |_| unreachable!());
        assert_eq!((picker.entries.len(), picker.chosen_name()), (3, "Default"));
    }
}
