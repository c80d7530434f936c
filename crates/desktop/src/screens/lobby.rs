//! Who waits to be let in.

pub mod data;
pub mod ui;
