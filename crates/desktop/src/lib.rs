//! The Conclave desktop app.
//!
//! [`cli`] is the command line; [`app`] the window, whose [`screens`] show what pure functions made of the engine's
//! state. How things look is in [`theme`], what they say in [`words`], how pictures reach the graphics card in
//! [`video`]. The engine itself is `conclave-client`, which knows no window.

pub mod app;
pub mod cli;
pub mod demo;
pub mod engine;
pub mod explain;
pub mod icons;
pub mod jobs;
pub mod layout;
pub mod policy;
pub mod screens;
pub mod settings;
pub mod shortcuts;
pub mod sketch;
pub mod theme;
pub mod time;
pub mod video;
pub mod widgets;
pub mod words;
