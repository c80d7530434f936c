//! Why the meeting is over.

pub mod data;
pub mod ui;
