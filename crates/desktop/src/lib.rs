//! The Conclave desktop app.
