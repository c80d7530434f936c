//! What the chair and the originator do: lock, put out, change the level.

pub mod data;
pub mod ui;
