//! What can be checked of the security of the meeting.

pub mod data;
pub mod ui;
