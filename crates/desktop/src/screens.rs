//! What fills the window. Each screen is `data` (what it shows, made by pure functions) and `ui` (how it is painted);
//! a screen changes nothing itself but returns what the person wants.

pub mod control;
pub mod ended;
pub mod home;
pub mod lead;
pub mod lobby;
pub mod lock;
pub mod meeting;
pub mod path;
pub mod preview;
pub mod security;
pub mod settings;
pub mod share;
pub mod unlock;
