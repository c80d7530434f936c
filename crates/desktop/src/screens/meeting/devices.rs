//! The menus beside microphone and camera: which devices there are, and which one is really open.

use crate::{
    screens::preview::data::{Kind, Picker},
    words::Words,
};

/// The devices of one kind, as a menu lists them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceList {
    /// What they are.
    pub title: String,
    /// The system's default first.
    pub entries: Vec<DeviceEntry>,
}

/// A device to choose.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceEntry {
    /// Its word on the command line.
    pub word: String,
    /// What people call it.
    pub name: String,
    /// How it stands, in words, where that is not plain.
    pub detail: Option<String>,
    /// Whether it is the one to use.
    pub chosen: bool,
    /// Whether it is the one that is really open.
    pub open: bool,
    /// Whether it should be open and is not.
    pub trouble: bool,
    /// All of it in one sentence, for screen readers.
    pub spoken: String,
}

/// How the devices of one kind stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Openness<'a> {
    /// Whether one should be open.
    pub wanted: bool,
    /// The name of the one that is really open.
    pub open: Option<&'a str>,
    /// Why none is, in words.
    pub problem: Option<&'a str>,
}

/// Makes a list of what is plugged in and of how it stands.
///
/// The mark goes by what is open, not by what was chosen: while another device is being opened, the one that still hears
/// or sees keeps it.
pub fn list(kind: Kind, picker: &Picker, standing: Openness<'_>, words: &Words) -> DeviceList {
    let title = words.say(match kind {
        Kind::Camera => "camera",
        Kind::Microphone => "microphone",
        Kind::Speaker => "speaker",
    });
    let chosen = picker.entries.iter().position(|(word, _)| *word == picker.chosen);
    let marked = standing.open.and_then(|open| {
        // A default, file or test source is open under a name of its own.
        let fits = |index: &usize| {
            let (word, name) = &picker.entries[*index];
            !word.starts_with("device:") || name == open
        };
        chosen.filter(fits).or_else(|| picker.entries.iter().position(|(_, name)| name == open))
    });
    let entries = picker.entries.iter().enumerate().map(|(index, (word, name))| {
        let (is_chosen, open) = (chosen == Some(index), marked == Some(index));
        let trouble = is_chosen && !open && standing.wanted && standing.problem.is_some();
        let detail = match (open, is_chosen) {
            (true, _) => standing.open.filter(|open| *open != name).map(str::to_owned),
            (false, true) => Some(match standing.problem.filter(|_| standing.wanted) {
                Some(problem) => problem.to_owned(),
                None if standing.wanted => words.say("device-opening"),
                None => words.say("device-closed"),
            }),
            (false, false) => None,
        };
        let gaps = [("kind", title.as_str().into()), ("name", name.as_str().into())];
        let mut spoken = words.tell(if open { "device-spoken-open" } else { "device-spoken" }, gaps);
        if let Some(detail) = &detail {
            spoken = format!("{spoken} {detail}");
        }
        DeviceEntry { word: word.clone(), name: name.clone(), detail, chosen: is_chosen, open, trouble, spoken }
    });
    let entries = entries.collect();
    DeviceList { title, entries }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picker(chosen: &str) -> Picker {
        let devices = [("a", "Desk microphone"), ("b", "Headset")];
        let devices = devices.map(|(id, name)| (id.to_owned(), name.to_owned()));
        Picker::new("System default".into(), devices, chosen, |word| format!("{word} (not connected)"))
    }

    fn made(chosen: &str, wanted: bool, open: Option<&str>, problem: Option<&str>) -> Vec<DeviceEntry> {
        let standing = Openness { wanted, open, problem };
        list(Kind::Microphone, &picker(chosen), standing, &Words::english()).entries
    }

    fn marks(entries: &[DeviceEntry]) -> Vec<bool> {
        entries.iter().map(|entry| entry.open).collect()
    }

    #[test]
    fn the_open_device_is_marked_and_the_default_says_which_it_is() {
        assert_eq!(marks(&made("device:b", true, Some("Headset"), None)), [false, false, true]);
        let by_default = made("default", true, Some("Headset"), None);
        assert_eq!(marks(&by_default), [true, false, false]);
        assert_eq!(by_default[0].detail.as_deref(), Some("Headset"));
        assert_eq!(by_default[0].spoken, "Microphone: System default, open. Headset");
    }

    #[test]
    fn while_another_is_being_opened_the_open_one_keeps_the_mark() {
        let entries = made("device:b", true, Some("Desk microphone"), None);
        assert_eq!(marks(&entries), [false, true, false]);
        assert_eq!(entries[2].detail.as_deref(), Some("Opening…"));
        assert!(entries[2].chosen && !entries[2].trouble);
    }

    #[test]
    fn a_device_that_does_not_open_is_not_marked_and_says_why() {
        let entries = made("device:b", true, None, Some("The microphone “Headset” is in use."));
        assert_eq!(marks(&entries), [false; 3]);
        assert!(entries[2].trouble);
        assert_eq!(entries[2].spoken, "Microphone: Headset. The microphone “Headset” is in use.");
    }

    #[test]
    fn a_closed_camera_is_no_trouble() {
        let entries = made("device:a", false, None, Some("The camera is switched off."));
        assert!(!entries[1].trouble);
        assert_eq!(entries[1].detail.as_deref(), Some("Closed"));
    }

    #[test]
    fn a_test_source_is_marked_though_it_is_open_under_another_name() {
        let entries = made("test", true, Some("test picture"), None);
        assert_eq!(marks(&entries), [false, false, false, true]);
    }
}
