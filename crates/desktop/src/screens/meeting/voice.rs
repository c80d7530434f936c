//! How the own voice is prepared, as a list in the menu of sound devices.

use conclave_client::media::VoiceMode;

use super::devices::{DeviceEntry, DeviceList};
use crate::words::Words;

/// The words of the entries, as a menu gives them back.
const SPEECH: &str = "voice:speech";
const ORIGINAL: &str = "voice:original";

/// Makes the list; the mark stands at what is done at present. `microphone` is the word of the microphone that is chosen.
pub fn list(mode: VoiceMode, microphone: &str, words: &Words) -> DeviceList {
    let title = words.say("voice-title");
    let is_device = microphone == "default" || microphone.starts_with("device:");
    let entries = [(VoiceMode::Speech, SPEECH, "voice-speech"), (VoiceMode::FullBand, ORIGINAL, "voice-original")];
    let entries = entries.map(|(of, word, key)| {
        let name = words.say(key);
        let open = of == mode;
        let detail = match (of, is_device) {
            (VoiceMode::Speech, _) => words.say("voice-speech-detail"),
            (VoiceMode::FullBand, true) => words.say("voice-original-detail"),
            (VoiceMode::FullBand, false) => words.say("voice-untouched-detail"),
        };
        let gaps = [("kind", title.as_str().into()), ("name", name.as_str().into())];
        let spoken = words.tell(if open { "device-spoken-open" } else { "device-spoken" }, gaps);
        let spoken = format!("{spoken} {detail}");
        // What a person chooses again is said again, so that a file's own way can be left.
        DeviceEntry { word: word.to_owned(), name, detail: Some(detail), chosen: open, open, trouble: false, spoken }
    });
    DeviceList { title, entries: entries.into() }
}

/// What an entry's word stands for; `None` for a device's.
pub fn mode(word: &str) -> Option<VoiceMode> {
    match word {
        SPEECH => Some(VoiceMode::Speech),
        ORIGINAL => Some(VoiceMode::FullBand),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_stands_at_what_is_done_and_each_entry_says_what_it_means() {
        let words = Words::english();
        let prepared = list(VoiceMode::Speech, "default", &words);
        assert_eq!(prepared.entries.iter().map(|entry| entry.open).collect::<Vec<_>>(), [true, false]);
        assert_eq!(prepared.entries[0].spoken, "My voice: Made for speech, open. Without echo and noise, equally loud");
        let original = list(VoiceMode::FullBand, "device:b", &words);
        assert_eq!(original.entries.iter().map(|entry| entry.open).collect::<Vec<_>>(), [false, true]);
        let of_file = list(VoiceMode::FullBand, "test", &words);
        assert!(of_file.entries[1].spoken.ends_with("Files and test sources are sent as they are"));
    }

    #[test]
    fn each_entry_is_understood_when_it_comes_back() {
        let list = list(VoiceMode::Speech, "default", &Words::english());
        let modes: Vec<_> = list.entries.iter().map(|entry| mode(&entry.word)).collect();
        assert_eq!(modes, [Some(VoiceMode::Speech), Some(VoiceMode::FullBand)]);
        assert_eq!(mode("device:voice"), None);
    }
}
