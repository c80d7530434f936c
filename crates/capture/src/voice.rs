//! A voice-like signal.
#![allow(clippy::todo)]

use conclave_model::MediaTime;

use crate::Turns;

/// Synthesises one voice.
#[derive(Clone, Debug)]
pub struct Voice {}

impl Voice {
    /// A voice with the pitch, timbre and rhythm of `seed` that speaks when `turns` say so.
    pub fn new(seed: u64, turns: Turns) -> Self {
        let _ = (seed, turns);
        todo!()
    }

    /// Writes the samples from `time` on, mono at 48 kHz.
    pub fn fill(&mut self, time: MediaTime, samples: &mut [f32]) {
        let _ = (time, samples);
        todo!()
    }
}
