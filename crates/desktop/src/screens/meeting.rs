//! The meeting itself: tiles, controls, the list of participants.

pub mod attention;
mod bar;
pub mod data;
pub mod devices;
mod header;
pub mod menu;
mod roster;
mod screen;
pub mod speakers;
pub mod tile;
pub mod toasts;
pub mod ui;
pub mod voice;
