//! The meeting itself: tiles, controls, the list of participants.

pub mod data;
pub mod speakers;
pub mod tile;
pub mod ui;
