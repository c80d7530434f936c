//! A real relay on loopback: TLS, WebSocket, UDP.

#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

mod admission;
mod client;
mod hostile;
mod program;
mod service;
