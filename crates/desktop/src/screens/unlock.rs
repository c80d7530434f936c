//! The password of the credential.

pub mod data;
pub mod ui;
