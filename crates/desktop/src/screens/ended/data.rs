//! What the last screen shows.

use conclave_model::Level;

/// Everything on the last screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedData {
    /// The meeting's title.
    pub title: String,
    /// Its level.
    pub level: Level,
    /// Why it is over, in one sentence.
    pub reason: String,
    /// What can be done, in one sentence.
    pub advice: Option<String>,
    /// Whether it went as the person wanted.
    pub in_order: bool,
    /// Whether entering again makes sense.
    pub can_return: bool,
}

/// What the person wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedAction {
    /// To the first screen.
    Home,
    /// Into the meeting again.
    Again,
}
