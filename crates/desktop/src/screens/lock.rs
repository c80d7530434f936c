//! What covers a meeting when nobody has touched the computer for a while.

pub mod data;
pub mod ui;
