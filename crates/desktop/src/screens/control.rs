//! The controls of microphone and camera, before and in the meeting.

pub mod data;
pub mod ui;
