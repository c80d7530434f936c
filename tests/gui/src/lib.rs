//! The window's tests.
