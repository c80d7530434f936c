//! Through which of a receiver's slots a picture goes.

use std::collections::BTreeMap;

use conclave_model::wire::signal::TrackName;
use conclave_transport::{Slot, VIDEO_SLOTS};

/// Which of a receiver's video slots carries which track.
///
/// A track keeps its slot for as long as it is wished for, since retransmissions live in the slot; a new one gets the
/// slot that carries the fewest.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    assigned: BTreeMap<TrackName, u8>,
}

impl Slots {
    pub(crate) fn set(&mut self, wished: impl Iterator<Item = TrackName> + Clone) {
        let mut before = std::mem::take(&mut self.assigned);
        let mut load = [0_u16; VIDEO_SLOTS as usize];
        for name in wished.clone() {
            if let Some(slot) = before.remove(&name) {
                load[usize::from(slot)] += 1;
                self.assigned.insert(name, slot);
            }
        }
        for name in wished {
            if self.assigned.contains_key(&name) {
                continue;
            }
            if let Some((slot, count)) = (0..).zip(&mut load).min_by_key(|(_, count)| **count) {
                *count += 1;
                self.assigned.insert(name, slot);
            }
        }
    }

    pub(crate) fn of(&self, name: TrackName) -> Option<Slot> {
        self.assigned.get(&name).copied().map(Slot::Video)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = TrackName> {
        self.assigned.keys().copied()
    }
}

#[cfg(test)]
mod tests {
    use conclave_model::{PeerId, TrackKind};

    use super::*;

    fn camera(peer: u16) -> TrackName {
        TrackName { peer: PeerId(peer), track: TrackKind::Camera }
    }

    #[test]
    fn tracks_spread_evenly_and_stay_where_they_are() {
        let mut slots = Slots::default();
        slots.set((0..8).map(camera));
        let before: Vec<_> = (0..8).map(|peer| slots.of(camera(peer))).collect();
        for number in 0..VIDEO_SLOTS {
            assert_eq!(before.iter().filter(|slot| **slot == Some(Slot::Video(number))).count(), 2);
        }
        slots.set((4..10).rev().map(camera));
        assert_eq!((4..8).map(|peer| slots.of(camera(peer))).collect::<Vec<_>>(), before[4..]);
        assert_eq!(slots.of(camera(0)), None);
        assert!(slots.of(camera(9)).is_some());
        assert_eq!(slots.names().count(), 6);
    }
}
