//! The newest picture of each track.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use arc_swap::{ArcSwap, ArcSwapOption};
use conclave_model::{LeafIndex, Picture, TrackKind};

/// The newest decoded picture of each track; decoders overwrite, the window reads.
///
/// Reading never waits. A track's generation grows with each picture, so a reader uploads only what is new.
#[derive(Default)]
pub struct Frames {
    slots: ArcSwap<BTreeMap<(LeafIndex, TrackKind), Arc<FrameSlot>>>,
    own: Arc<FrameSlot>,
    own_screen: Arc<FrameSlot>,
}

/// The newest picture of one track.
#[derive(Default)]
pub struct FrameSlot {
    picture: ArcSwapOption<Picture>,
    generation: AtomicU64,
}

impl Frames {
    /// The newest picture of a member's track; the own one is found under the own leaf.
    pub fn latest(&self, leaf: LeafIndex, track: TrackKind) -> Option<Arc<Picture>> {
        self.slots.load().get(&(leaf, track))?.latest()
    }

    /// How many times [`Frames::latest`] of this track has changed; 0 where there is none.
    pub fn generation(&self, leaf: LeafIndex, track: TrackKind) -> u64 {
        self.slots.load().get(&(leaf, track)).map_or(0, |slot| slot.generation())
    }

    /// The own camera's newest picture, before and while being a member.
    pub fn own(&self) -> Option<Arc<Picture>> {
        self.own.latest()
    }

    /// How many times [`Frames::own`] has changed.
    pub fn own_generation(&self) -> u64 {
        self.own.generation()
    }

    /// The newest picture of the own screen that is shared.
    pub fn own_screen(&self) -> Option<Arc<Picture>> {
        self.own_screen.latest()
    }

    /// How many times [`Frames::own_screen`] has changed.
    pub fn own_screen_generation(&self) -> u64 {
        self.own_screen.generation()
    }

    /// The slot of a track, made if there was none. Called by the engine thread only.
    pub(crate) fn slot(&self, leaf: LeafIndex, track: TrackKind) -> Arc<FrameSlot> {
        if let Some(slot) = self.slots.load().get(&(leaf, track)) {
            return Arc::clone(slot);
        }
        let slot = Arc::<FrameSlot>::default();
        self.insert(leaf, track, Arc::clone(&slot));
        slot
    }

    /// The slot of the own camera.
    pub(crate) fn own_slot(&self) -> Arc<FrameSlot> {
        Arc::clone(&self.own)
    }

    /// The slot of the own screen.
    pub(crate) fn own_screen_slot(&self) -> Arc<FrameSlot> {
        Arc::clone(&self.own_screen)
    }

    /// Makes the own camera known under the own leaf.
    pub(crate) fn set_me(&self, me: LeafIndex) {
        self.insert(me, TrackKind::Camera, self.own_slot());
    }

    /// Forgets the tracks that `keep` turns down.
    pub(crate) fn retain(&self, keep: impl Fn(LeafIndex, TrackKind) -> bool) {
        let mut slots = BTreeMap::clone(&self.slots.load());
        slots.retain(|(leaf, track), _| keep(*leaf, *track));
        self.slots.store(Arc::new(slots));
    }

    fn insert(&self, leaf: LeafIndex, track: TrackKind, slot: Arc<FrameSlot>) {
        let mut slots = BTreeMap::clone(&self.slots.load());
        slots.insert((leaf, track), slot);
        self.slots.store(Arc::new(slots));
    }
}

impl FrameSlot {
    /// The newest picture.
    pub fn latest(&self) -> Option<Arc<Picture>> {
        self.picture.load_full()
    }

    /// Replaces the picture.
    pub fn put(&self, picture: Arc<Picture>) {
        self.picture.store(Some(picture));
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// Takes the picture away: the camera was closed.
    pub fn clear(&self) {
        if self.picture.swap(None).is_some() {
            self.generation.fetch_add(1, Ordering::Release);
        }
    }

    /// How many times it changed.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use conclave_model::MediaTime;

    use super::*;

    fn picture(time: u64) -> Arc<Picture> {
        Arc::new(Picture::black(2, 2, MediaTime(time)).unwrap())
    }

    #[test]
    fn the_newest_picture_wins_and_is_counted() {
        let frames = Frames::default();
        let slot = frames.slot(LeafIndex(3), TrackKind::Camera);
        assert_eq!(frames.generation(LeafIndex(3), TrackKind::Camera), 0);
        slot.put(picture(1));
        slot.put(picture(2));
        assert_eq!(frames.latest(LeafIndex(3), TrackKind::Camera).unwrap().time, MediaTime(2));
        assert_eq!(frames.generation(LeafIndex(3), TrackKind::Camera), 2);
        assert!(Arc::ptr_eq(&slot, &frames.slot(LeafIndex(3), TrackKind::Camera)));
    }

    #[test]
    fn a_closed_camera_leaves_no_picture_behind() {
        let frames = Frames::default();
        let slot = frames.slot(LeafIndex(0), TrackKind::Camera);
        slot.put(picture(1));
        slot.clear();
        slot.clear();
        assert_eq!(frames.latest(LeafIndex(0), TrackKind::Camera), None);
        assert_eq!(frames.generation(LeafIndex(0), TrackKind::Camera), 2);
    }

    #[test]
    fn the_own_picture_is_found_under_the_own_leaf() {
        let frames = Frames::default();
        frames.own_slot().put(picture(5));
        assert_eq!(frames.latest(LeafIndex(7), TrackKind::Camera), None);
        frames.set_me(LeafIndex(7));
        assert_eq!(frames.latest(LeafIndex(7), TrackKind::Camera).unwrap().time, MediaTime(5));
        frames.retain(|_, _| false);
        assert_eq!(frames.latest(LeafIndex(7), TrackKind::Camera), None);
        assert!(frames.own().is_some());
    }
}
