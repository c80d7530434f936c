//! Who is lit as speaking.

use std::collections::BTreeMap;

use conclave_model::LeafIndex;

/// From this loudness on, somebody speaks. The scale is 0 at −60 dBFS and 1 at full scale; speech into a headset has
/// about −30, a quiet room −55.
const LOUD: f32 = 0.36;

/// How long the light stays after the last loud moment, in seconds: longer than the pauses between words.
const LINGER: f64 = 0.8;

/// Remembers who was loud when, so that a light does not flicker with every syllable.
#[derive(Clone, Debug, Default)]
pub struct Speakers {
    lit_until: BTreeMap<LeafIndex, f64>,
    now: f64,
}

impl Speakers {
    /// Takes the loudness of everybody, 0 to 1, at `now` seconds on any clock that only grows.
    pub fn update(&mut self, levels: impl IntoIterator<Item = (LeafIndex, f32)>, now: f64) {
        self.now = now;
        for (leaf, level) in levels {
            if level >= LOUD {
                self.lit_until.insert(leaf, now + LINGER);
            }
        }
        self.lit_until.retain(|_, until| *until > now);
    }

    /// Whether somebody is lit.
    pub fn is_lit(&self, leaf: LeafIndex) -> bool {
        self.lit_until.contains_key(&leaf)
    }

    /// Seconds until the next light goes out; `None` while none is lit.
    pub fn next_change(&self) -> Option<f64> {
        self.lit_until.values().copied().min_by(f64::total_cmp).map(|until| (until - self.now).max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANNA: LeafIndex = LeafIndex(3);

    #[test]
    fn the_light_bridges_pauses_between_words_and_then_goes_out() {
        let mut speakers = Speakers::default();
        speakers.update([(ANNA, 0.6)], 10.0);
        speakers.update([(ANNA, 0.1)], 10.5);
        assert!(speakers.is_lit(ANNA));
        assert!(speakers.next_change().is_some_and(|seconds| (seconds - 0.3).abs() < 1e-9));
        speakers.update([(ANNA, 0.1)], 11.0);
        assert!(!speakers.is_lit(ANNA));
        assert_eq!(speakers.next_change(), None);
    }

    #[test]
    fn a_quiet_room_lights_nobody() {
        let mut speakers = Speakers::default();
        speakers.update([(ANNA, 0.2)], 1.0);
        assert!(!speakers.is_lit(ANNA));
    }
}
