//! The path of a file, written by hand where the system shows no file dialog.

pub mod data;
pub mod ui;
