//! A tone to test a loudspeaker with.
#![allow(clippy::todo)]

/// A sine at 48 kHz that begins and ends softly.
#[derive(Clone, Debug)]
pub struct Tone {
    phase: f32,
}

impl Tone {
    /// A tone of `frequency` Hz at `amplitude` (0 to 1) for `length`; silence after it.
    pub fn new(frequency: f32, amplitude: f32, length: std::time::Duration) -> Self {
        let _ = (frequency, amplitude, length);
        todo!()
    }

    /// Writes the next samples.
    pub fn fill(&mut self, samples: &mut [f32]) {
        samples.fill(self.phase);
        todo!()
    }
}
