//! Which screen to share: the words of the picker and of command lines.

use std::{fmt, path::PathBuf, str::FromStr};

use crate::UnknownChoice;

/// What to share.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ScreenChoice {
    /// The system's main screen, whole.
    Main,
    /// The whole screen with this id, from [`list_screens`](crate::list_screens).
    Screen(String),
    /// One window with this id, from [`list_screens`](crate::list_screens).
    Window(String),
    /// What the person picks in the system's own window, which opens then (the desktop portal of Wayland).
    Portal,
    /// A Y4M file (8-bit 4:2:0), in real time, looping.
    File(PathBuf),
    /// A drawn page.
    Test(TestPage),
}

/// What a test screen shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TestPage {
    /// A page of text on which nothing moves.
    #[default]
    Text,
    /// A long text that is scrolled all the time.
    Scroll,
    /// Slides, a new one every five seconds.
    Slides,
}

/// Reads `main`, `screen:ID`, `window:ID`, `portal`, `file:CLIP.y4m`, `test`, `test:scroll` and `test:slides`.
impl FromStr for ScreenChoice {
    type Err = UnknownChoice;

    fn from_str(word: &str) -> Result<Self, UnknownChoice> {
        match word.split_once(':') {
            Some(("screen", id)) if !id.is_empty() => Ok(Self::Screen(id.to_owned())),
            Some(("window", id)) if !id.is_empty() => Ok(Self::Window(id.to_owned())),
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.into())),
            Some(("test", "text")) => Ok(Self::Test(TestPage::Text)),
            Some(("test", "scroll")) => Ok(Self::Test(TestPage::Scroll)),
            Some(("test", "slides")) => Ok(Self::Test(TestPage::Slides)),
            _ => match word {
                "main" => Ok(Self::Main),
                "portal" => Ok(Self::Portal),
                "test" => Ok(Self::Test(TestPage::Text)),
                _ => Err(UnknownChoice {
                    found: word.to_owned(),
                    what: "screen",
                    allowed: "main, screen:ID, window:ID, portal, file:CLIP.y4m, test, test:scroll or test:slides",
                }),
            },
        }
    }
}

/// The word that [`ScreenChoice::from_str`] reads.
impl fmt::Display for ScreenChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Main => f.write_str("main"),
            Self::Screen(id) => write!(f, "screen:{id}"),
            Self::Window(id) => write!(f, "window:{id}"),
            Self::Portal => f.write_str("portal"),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Test(TestPage::Text) => f.write_str("test"),
            Self::Test(TestPage::Scroll) => f.write_str("test:scroll"),
            Self::Test(TestPage::Slides) => f.write_str("test:slides"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_command_line_become_choices_and_words_again() {
        let words = [
            "main",
            "screen:HDMI-1",
            "window:0x1400003",
            "portal",
            "file:a:b.y4m",
            "test",
            "test:scroll",
            "test:slides",
        ];
        for word in words {
            assert_eq!(word.parse::<ScreenChoice>().map(|choice| choice.to_string()), Ok(word.to_owned()));
        }
        for word in ["", "screen:", "window:", "file:", "test:cards", "whole"] {
            assert!(word.parse::<ScreenChoice>().is_err(), "{word}");
        }
    }
}
