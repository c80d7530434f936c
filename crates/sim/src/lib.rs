//! Development only: simulated network, clock and participants.
