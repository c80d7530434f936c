//! Own picture and voice before entering.

pub mod data;
pub mod ui;
