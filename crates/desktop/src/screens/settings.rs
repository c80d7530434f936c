//! Credential and devices to begin with.

pub mod data;
pub mod ui;
