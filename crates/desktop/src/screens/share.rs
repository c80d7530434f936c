//! Sharing a screen: what is shared and by whom, the chair's leave, and the picker.

pub mod data;
pub mod ui;
