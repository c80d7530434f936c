//! The first screen: open an invitation, see a demonstration, settings.

pub mod data;
pub mod ui;
