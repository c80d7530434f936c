//! What the question for a path shows.

/// What a file is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To enter a meeting.
    Invitation,
    /// To prove who one is.
    Credential,
    /// The same, with a smart card: not a path, but an address.
    Card,
}

/// Everything in the question for a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathData {
    /// What the file is for.
    pub purpose: Purpose,
    /// What is wrong with what was written, in words.
    pub problem: Option<String>,
}

/// What the person wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathAction {
    /// Use the file at the path that was written.
    Open,
    /// No file.
    Cancel,
}
