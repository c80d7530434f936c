//! What to open: the words of settings and command lines.

use std::{path::PathBuf, str::FromStr, time::Duration};

use conclave_model::MediaTime;

/// Which picture to send.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CameraChoice {
    /// The first camera of the system.
    #[default]
    Default,
    /// The camera with this [`Device::id`](crate::Device::id).
    Device(String),
    /// A Y4M file (8-bit 4:2:0), in real time, looping.
    File(PathBuf),
    /// A drawn delegate.
    Test(TestPerson),
    /// None.
    Off,
}

/// The delegate that a test camera draws.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestPerson {
    /// Written into the picture, as "Anna Virtanen".
    pub name: String,
    /// Written below the name and deciding the colour of the background, as "Finland".
    pub seat: String,
    /// Decides the look (odd: short hair and a tie, even: longer hair and a necklace) and the movement; the same as the
    /// voice's, so that the lips fit.
    pub seed: u64,
    /// When the mouth moves.
    pub turns: Turns,
}

/// Who speaks when, among test sources that share a clock: each has the word for one turn, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turns {
    /// Whose turn in the round it is, from 0.
    pub index: u16,
    /// How many take turns; 1 speaks always, 0 never.
    pub count: u16,
    /// How long one turn lasts.
    pub length: Duration,
}

/// Which sound to send.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum MicrophoneChoice {
    /// The system's default microphone.
    #[default]
    Default,
    /// The microphone with this [`Device::id`](crate::Device::id).
    Device(String),
    /// A WAV file of any rate and channel count, in real time, looping.
    File(PathBuf),
    /// A voice-like signal.
    Test {
        /// Decides pitch, timbre and rhythm.
        seed: u64,
        /// When it speaks.
        turns: Turns,
    },
    /// None.
    Off,
}

/// Where to play.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SpeakerChoice {
    /// The system's default loudspeaker.
    #[default]
    Default,
    /// The loudspeaker with this [`Device::id`](crate::Device::id).
    Device(String),
    /// No device: the source is pulled in real time and what it gives is dropped.
    Null,
}

impl Turns {
    /// Speaks all the time.
    pub const ALWAYS: Self = Self { index: 0, count: 1, length: Duration::from_secs(4) };

    /// Never speaks.
    pub const NEVER: Self = Self { index: 0, count: 0, length: Duration::from_secs(4) };

    /// Whether it is this one's turn at `time`.
    pub fn speaks_at(self, time: MediaTime) -> bool {
        match self.count {
            0 => false,
            1 => true,
            count => {
                let length = u64::try_from(self.length.as_micros()).unwrap_or(u64::MAX).max(1);
                (time.0 / length) % u64::from(count) == u64::from(self.index)
            }
        }
    }
}

impl Default for TestPerson {
    fn default() -> Self {
        Self { name: "Test".to_owned(), seat: "Conclave".to_owned(), seed: 1, turns: Turns::ALWAYS }
    }
}

/// A word on a command line that names no source.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{found}\" is no {what}; use {allowed}")]
pub struct UnknownChoice {
    /// What was given.
    pub found: String,
    /// What it was given for.
    pub what: &'static str,
    /// What may be given.
    pub allowed: &'static str,
}

/// Reads `default`, `off`, `test`, `file:PATH` and `device:ID`.
impl FromStr for CameraChoice {
    type Err = UnknownChoice;

    fn from_str(word: &str) -> Result<Self, UnknownChoice> {
        match word.split_once(':') {
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.into())),
            Some(("device", id)) if !id.is_empty() => Ok(Self::Device(id.to_owned())),
            _ => match word {
                "default" => Ok(Self::Default),
                "test" => Ok(Self::Test(TestPerson::default())),
                "off" => Ok(Self::Off),
                _ => Err(UnknownChoice {
                    found: word.to_owned(),
                    what: "camera",
                    allowed: "default, off, test, file:CLIP.y4m or device:ID",
                }),
            },
        }
    }
}

/// Reads `default`, `off`, `test`, `file:PATH` and `device:ID`.
impl FromStr for MicrophoneChoice {
    type Err = UnknownChoice;

    fn from_str(word: &str) -> Result<Self, UnknownChoice> {
        match word.split_once(':') {
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.into())),
            Some(("device", id)) if !id.is_empty() => Ok(Self::Device(id.to_owned())),
            _ => match word {
                "default" => Ok(Self::Default),
                "test" => Ok(Self::Test { seed: 1, turns: Turns::ALWAYS }),
                "off" => Ok(Self::Off),
                _ => Err(UnknownChoice {
                    found: word.to_owned(),
                    what: "microphone",
                    allowed: "default, off, test, file:VOICE.wav or device:ID",
                }),
            },
        }
    }
}

/// Reads `default`, `null` and `device:ID`.
impl FromStr for SpeakerChoice {
    type Err = UnknownChoice;

    fn from_str(word: &str) -> Result<Self, UnknownChoice> {
        match word.split_once(':') {
            Some(("device", id)) if !id.is_empty() => Ok(Self::Device(id.to_owned())),
            _ => match word {
                "default" => Ok(Self::Default),
                "null" => Ok(Self::Null),
                _ => Err(UnknownChoice {
                    found: word.to_owned(),
                    what: "loudspeaker",
                    allowed: "default, null or device:ID",
                }),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_one_of_those_who_take_turns_has_the_word() {
        let turn = |index| Turns { index, count: 5, length: Duration::from_secs(3) };
        for second in 0..60 {
            let time = MediaTime(1_700_000_000_000_000 + second * 1_000_000);
            assert_eq!((0..5).filter(|index| turn(*index).speaks_at(time)).count(), 1);
        }
        assert!(Turns::ALWAYS.speaks_at(MediaTime(7)));
        assert!(!Turns::NEVER.speaks_at(MediaTime(7)));
    }

    #[test]
    fn words_of_a_command_line_become_choices() {
        assert_eq!("file:a/b:c.y4m".parse(), Ok(CameraChoice::File("a/b:c.y4m".into())));
        assert_eq!("device:alsa:default".parse(), Ok(MicrophoneChoice::Device("alsa:default".into())));
        assert_eq!("null".parse(), Ok(SpeakerChoice::Null));
        assert!("file:".parse::<CameraChoice>().is_err());
        let error = "loud".parse::<SpeakerChoice>().expect_err("no such speaker").to_string();
        assert_eq!(error, "\"loud\" is no loudspeaker; use default, null or device:ID");
    }
}
