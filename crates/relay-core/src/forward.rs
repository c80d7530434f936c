//! Where packets of a track go: subscribers, slots, and when to ask for a key frame.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use conclave_model::{
    Layer,
    wire::{FrameHead, signal::TrackName},
};
use conclave_transport::{Slot, VIDEO_SLOTS};

use crate::relay::ConnectionId;

/// At most one request for a key frame of a track in this time: a key frame costs about ten others.
const KEY_FRAME_INTERVAL: Duration = Duration::from_millis(300);

/// Somebody who receives a track, and through which of their slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Subscriber {
    pub(crate) connection: ConnectionId,
    pub(crate) slot: Slot,
}

/// A track as its publisher sends it.
#[derive(Debug, Default)]
pub(crate) struct Published {
    /// Who receives it; kept ready, so that a packet needs no decision.
    pub(crate) subscribers: Vec<Subscriber>,
    pub(crate) key_frames: KeyFrames,
    /// One bit for each layer that was seen.
    layers: u8,
}

impl Published {
    pub(crate) fn on_packet(&mut self, head: &FrameHead, is_first: bool) {
        debug_assert!(head.layer.0 <= FrameHead::MAX_LAYER);
        self.layers |= 1 << head.layer.0;
        if head.key && is_first {
            self.key_frames.on_key_frame();
        }
    }

    /// The layers that were seen; the lowest where none was.
    pub(crate) fn layers(&self) -> impl Iterator<Item = Layer> + use<> {
        let seen = self.layers.max(1);
        (0..=FrameHead::MAX_LAYER).filter(move |layer| seen & 1 << layer != 0).map(Layer)
    }
}

/// When a publisher was and will be asked for a key frame of one track.
#[derive(Debug, Default)]
pub(crate) struct KeyFrames {
    last: Option<Instant>,
    /// Asked for again within the interval: ask at this moment, unless a key frame begins before it.
    due: Option<Instant>,
}

impl KeyFrames {
    /// Somebody needs one. `true`: ask now.
    pub(crate) fn want(&mut self, now: Instant) -> bool {
        match self.last.map(|last| last + KEY_FRAME_INTERVAL) {
            Some(next) if now < next => {
                self.due = Some(next);
                false
            }
            Some(_) | None => {
                self.last = Some(now);
                self.due = None;
                true
            }
        }
    }

    /// A key frame begins: whoever asked gets it.
    fn on_key_frame(&mut self) {
        self.due = None;
    }

    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// `true`: ask now.
    pub(crate) fn on_timeout(&mut self, now: Instant) -> bool {
        self.due.is_some_and(|due| due <= now) && self.want(now)
    }
}

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

    #[test]
    fn a_thousand_requests_cost_one_key_frame_per_interval() {
        let start = Instant::now();
        let mut state = KeyFrames::default();
        let mut asked = 0;
        for step in 0..1000 {
            let now = start + Duration::from_millis(step);
            asked += usize::from(state.on_timeout(now)) + usize::from(state.want(now));
        }
        assert_eq!(asked, 4);
    }

    #[test]
    fn a_key_frame_on_its_way_answers_the_pending_request() {
        let start = Instant::now();
        let mut state = KeyFrames::default();
        assert!(state.want(start));
        assert!(!state.want(start + Duration::from_millis(10)));
        assert_eq!(state.due(), Some(start + KEY_FRAME_INTERVAL));
        state.on_key_frame();
        assert_eq!(state.due(), None);
        assert!(!state.on_timeout(start + Duration::from_secs(1)));
    }

    #[test]
    fn a_request_within_the_interval_is_not_forgotten() {
        let start = Instant::now();
        let mut state = KeyFrames::default();
        assert!(state.want(start));
        assert!(!state.want(start + Duration::from_millis(10)));
        assert!(!state.on_timeout(start + Duration::from_millis(299)));
        assert!(state.on_timeout(start + Duration::from_millis(300)));
        assert_eq!(state.due(), None);
    }

    #[test]
    fn every_seen_layer_is_asked_for() {
        let mut track = Published::default();
        assert_eq!(track.layers().collect::<Vec<_>>(), [Layer(0)]);
        for layer in [1, 7] {
            let head = FrameHead {
                sender: PeerId(1),
                track: TrackKind::Camera,
                layer: Layer(layer),
                number: 1,
                key: true,
                discardable: false,
                packets: 1,
            };
            track.on_packet(&head, true);
        }
        assert_eq!(track.layers().collect::<Vec<_>>(), [Layer(1), Layer(7)]);
    }
}
