//! Temporal layers: which frame predicts from which, so that some can be left out.
//!
//! ```text
//! two layers      · ▪ · ▪        three layers     · ▪   ▪ · ▪   ▪
//!                 │╱  │╱                          │╱   ╱  │╱   ╱
//!                 ▪───▪───                        │  ▪────│──▪
//!                                                 ▪──┴────▪──┴───
//! ```
//! Each frame predicts from one other at most, the newest that its place allows, and an entropy coder goes on where
//! that frame left it. So a frame needs one chain of others down to a key frame, and nothing beside it.

/// The most layers.
pub(super) const MAX_TEMPORAL: u32 = 3;

/// Buffers that frames are kept in for prediction.
const BUFFERS: usize = 2;

/// Where a frame stands in the pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// 0 is the layer that all others need.
    pub(super) temporal: u8,
    /// The buffer that it predicts from.
    pub(super) uses: u8,
    /// The buffer that it is kept in; `None` where no other frame needs it.
    pub(super) updates: Option<u8>,
}

const BASE: Place = Place { temporal: 0, uses: 0, updates: Some(0) };
const TWO: [Place; 2] = [BASE, Place { temporal: 1, uses: 0, updates: None }];
const THREE: [Place; 4] = [
    BASE,
    Place { temporal: 2, uses: 0, updates: None },
    Place { temporal: 1, uses: 0, updates: Some(1) },
    Place { temporal: 2, uses: 1, updates: None },
];

/// The pattern of one stream and how far it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pattern {
    layers: u32,
    position: usize,
    /// How many frames ago each buffer was filled, from 1.
    age: [u8; BUFFERS],
}

impl Pattern {
    /// Begins with a key frame.
    pub(super) fn new(layers: u32) -> Self {
        Self { layers: layers.clamp(1, MAX_TEMPORAL), position: 0, age: [1; BUFFERS] }
    }

    /// The place of the next frame. A key frame begins the pattern anew.
    pub(super) fn next(&mut self, key: bool) -> Place {
        if key {
            self.position = 0;
        }
        let places = self.places();
        places[self.position % places.len()]
    }

    /// The frame at [`Self::next`]'s place came out; returns how many frames before it the one stands that it needs.
    ///
    /// A frame that the encoder left out does not come here: the next one has its place.
    pub(super) fn made(&mut self, place: Place, key: bool) -> u8 {
        let back = if key { 0 } else { self.age[usize::from(place.uses)] };
        for (buffer, age) in (0..).zip(&mut self.age) {
            let filled = key || place.updates == Some(buffer);
            *age = if filled { 1 } else { age.saturating_add(1) };
        }
        self.position = (self.position + 1) % self.places().len();
        back
    }

    /// How much of the bitrate the layers up to this one have, in percent (compare WebRTC's).
    pub(super) fn share(layers: u32, temporal: u32) -> u32 {
        match (layers, temporal) {
            (2, 0) => 60,
            (3, 0) => 40,
            (3, 1) => 60,
            _ => 100,
        }
    }

    /// Which part of the frames the layers up to this one have: one of so many.
    pub(super) fn divisor(layers: u32, temporal: u32) -> u32 {
        1 << layers.saturating_sub(1).saturating_sub(temporal)
    }

    fn places(&self) -> &'static [Place] {
        match self.layers {
            1 => &[BASE],
            2 => &TWO,
            _ => &THREE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Temporal layer, what it needs and whether no other needs it, frame by frame.
    fn run(layers: u32, keys: &[bool]) -> Vec<(u8, u8, bool)> {
        let mut pattern = Pattern::new(layers);
        let step = |key: &bool| {
            let place = pattern.next(*key);
            (place.temporal, pattern.made(place, *key), place.updates.is_none())
        };
        keys.iter().map(step).collect()
    }

    #[test]
    fn each_frame_needs_the_newest_that_its_place_allows() {
        let keys = [true, false, false, false, false, false];
        let (kept, spare) = (false, true);
        assert_eq!(run(1, &keys[..3]), [(0, 0, kept), (0, 1, kept), (0, 1, kept)]);
        assert_eq!(run(2, &keys[..4]), [(0, 0, kept), (1, 1, spare), (0, 2, kept), (1, 1, spare)]);
        let three = [(0, 0, kept), (2, 1, spare), (1, 2, kept), (2, 1, spare), (0, 4, kept), (2, 1, spare)];
        assert_eq!(run(3, &keys), three);
    }

    #[test]
    fn a_key_frame_anywhere_begins_the_pattern_anew() {
        for at in 1..9 {
            let keys: Vec<bool> = (0..12).map(|number| number == 0 || number == at).collect();
            let frames = run(3, &keys);
            let fresh: Vec<bool> = (at..12).map(|number| number == at).collect();
            assert_eq!(frames[at..], run(3, &fresh)[..], "key frame at {at}");
        }
    }

    #[test]
    fn nothing_needs_what_can_be_left_out() {
        for layers in 1..=MAX_TEMPORAL {
            let keys: Vec<bool> = (0..200).map(|number| number % 37 == 0).collect();
            let frames = run(layers, &keys);
            for (number, (_, back, _)) in frames.iter().enumerate() {
                let needed = number - usize::from(*back);
                assert!(*back == 0 || !frames[needed].2, "{number} needs {needed}");
            }
        }
    }

    #[test]
    fn shares_grow_up_to_the_whole() {
        for layers in 1..=MAX_TEMPORAL {
            let shares: Vec<u32> = (0..layers).map(|temporal| Pattern::share(layers, temporal)).collect();
            assert!(shares.is_sorted() && shares.last() == Some(&100));
            assert_eq!(Pattern::divisor(layers, layers - 1), 1);
        }
        assert_eq!((Pattern::divisor(3, 0), Pattern::divisor(2, 0)), (4, 2));
    }
}
