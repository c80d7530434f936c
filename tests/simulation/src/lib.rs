//! Seeded meetings on a simulated network.
