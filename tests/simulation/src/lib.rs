//! Seeded meetings on a simulated network; the tests are in `tests/`.
