//! Pictures of one track in the order in which a decoder can take them.
//!
//! A picture needs the one before it, up to a key frame. So a missing picture is waited for as long as a
//! retransmission can take; then the chain is broken, what depends on it is worthless, and a key frame is asked for.
//! A key frame never waits: it makes whatever is missing before it needless.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use conclave_model::{EncodedFrame, Layer, MediaTime};

/// How many pictures of one layer wait for others. At 30 a second more than any patience below.
const MAX_WAITING: usize = 48;

/// Patience for a retransmission: two round trips and what detecting the loss takes, within these bounds.
const MIN_PATIENCE: Duration = Duration::from_millis(80);
const MAX_PATIENCE: Duration = Duration::from_millis(500);

/// What a loss takes to be noticed and a retransmission to be paced out.
const NOTICE: Duration = Duration::from_millis(60);

/// Layers of one track that are followed at once.
const MAX_LAYERS: usize = 8;

/// A decrypted picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OpenedFrame {
    pub(crate) number: u32,
    pub(crate) frame: EncodedFrame,
    /// When its last packet came.
    pub(crate) received: Instant,
}

/// Orders the pictures of one track over all its layers.
#[derive(Debug, Default)]
pub(crate) struct VideoOrder {
    /// The layer that is being shown, and the capture time of its newest released picture.
    current: Option<(Layer, MediaTime)>,
    chains: BTreeMap<Layer, Chain>,
    /// Pictures dropped since last asked.
    dropped: u64,
}

/// One layer.
#[derive(Debug, Default)]
struct Chain {
    /// The number of the picture that the decoder can take next; `None` before a key frame came.
    next: Option<u32>,
    waiting: BTreeMap<u32, OpenedFrame>,
    /// Since when something is missing.
    gap: Option<Instant>,
    /// Patience ran out, and no key frame came since.
    broken: bool,
}

/// How long to wait for a retransmission at this round trip.
pub(crate) fn patience(round_trip: Option<Duration>) -> Duration {
    (round_trip.unwrap_or_default() * 2 + NOTICE).clamp(MIN_PATIENCE, MAX_PATIENCE)
}

impl VideoOrder {
    /// Takes in a picture; returns those whose turn has come.
    pub(crate) fn insert(&mut self, opened: OpenedFrame, now: Instant) -> Vec<OpenedFrame> {
        let layer = opened.frame.layer;
        if !self.chains.contains_key(&layer) && self.chains.len() >= MAX_LAYERS {
            self.dropped += 1;
            return Vec::new();
        }
        let chain = self.chains.entry(layer).or_default();
        self.dropped += chain.insert(opened);
        let (released, dropped) = chain.release(now);
        self.dropped += dropped;
        self.show(layer, released)
    }

    /// Gives up waiting where patience ran out. Returns whether a key frame is needed now.
    ///
    /// Only the layer that is shown, or any before the first, can need one: another's pictures are leftovers of a
    /// switch.
    pub(crate) fn expire(&mut self, patience: Duration, now: Instant) -> bool {
        let current = self.current.map(|(layer, _)| layer);
        let mut wanted = false;
        for (layer, chain) in &mut self.chains {
            if chain.gap.is_some_and(|since| now.saturating_duration_since(since) >= patience) {
                self.dropped += chain.break_off();
                // A layer that begins without its key frame needs one as much as the shown one that lost a picture.
                wanted |= current.is_none_or(|current| current == *layer) || chain.next.is_none();
            }
        }
        wanted
    }

    /// When [`Self::expire`] has something to do next.
    pub(crate) fn deadline(&self, patience: Duration) -> Option<Instant> {
        self.chains.values().filter_map(|chain| chain.gap).min().map(|since| since + patience)
    }

    /// Pictures dropped since the last call.
    pub(crate) fn take_dropped(&mut self) -> u64 {
        std::mem::take(&mut self.dropped)
    }

    /// Picks what the one decoder of the track can take: the shown layer goes on, another takes over with a key frame
    /// that is newer than what was shown.
    fn show(&mut self, layer: Layer, released: Vec<OpenedFrame>) -> Vec<OpenedFrame> {
        let mut shown = Vec::with_capacity(released.len());
        for opened in released {
            let takes = match self.current {
                None => true,
                Some((current, _)) if current == layer => true,
                Some((_, time)) => opened.frame.key && opened.frame.time > time,
            };
            if takes {
                self.current = Some((layer, opened.frame.time));
                shown.push(opened);
            } else {
                self.dropped += 1;
            }
        }
        shown
    }
}

impl Chain {
    /// Puts a picture in line; returns how many fell out.
    fn insert(&mut self, opened: OpenedFrame) -> u64 {
        if self.next.is_some_and(|next| is_before(opened.number, next)) {
            return 1;
        }
        let mut dropped = u64::from(self.waiting.insert(opened.number, opened).is_some());
        while self.waiting.len() > MAX_WAITING {
            let oldest = self.waiting.values().min_by_key(|opened| opened.received).map(|opened| opened.number);
            let Some(oldest) = oldest else { break };
            self.waiting.remove(&oldest);
            dropped += 1;
        }
        dropped
    }

    /// Takes out what can be decoded now, and how many were skipped for it.
    fn release(&mut self, now: Instant) -> (Vec<OpenedFrame>, u64) {
        let mut released = Vec::new();
        let mut dropped = 0;
        loop {
            if let Some(opened) = self.next.and_then(|next| self.waiting.remove(&next)) {
                self.next = Some(opened.number.wrapping_add(1));
                released.push(opened);
                continue;
            }
            let newest_key = self
                .waiting
                .values()
                .filter(|opened| opened.frame.key)
                .map(|opened| opened.number)
                .reduce(|a, b| if is_before(a, b) { b } else { a });
            let Some(key) = newest_key else { break };
            let before = self.waiting.len();
            self.waiting.retain(|number, _| !is_before(*number, key));
            dropped += (before - self.waiting.len()) as u64;
            self.next = Some(key);
            self.broken = false;
        }
        self.gap = match (self.waiting.is_empty(), self.gap) {
            (true, _) => None,
            (false, Some(since)) if released.is_empty() => Some(since),
            (false, _) => Some(now),
        };
        (released, dropped)
    }

    /// Patience ran out: whatever waits here depends on what is lost.
    fn break_off(&mut self) -> u64 {
        let dropped = self.waiting.len() as u64;
        self.waiting.clear();
        self.next = None;
        self.gap = None;
        self.broken = true;
        dropped
    }
}

/// Whether `a` comes before `b`, where numbers wrap.
fn is_before(a: u32, b: u32) -> bool {
    a != b && b.wrapping_sub(a) <= u32::MAX / 2
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    const PATIENCE: Duration = Duration::from_millis(100);

    fn picture(layer: u8, number: u32, key: bool, now: Instant) -> OpenedFrame {
        let frame = EncodedFrame {
            time: MediaTime(u64::from(number) * 33_333),
            encode_delay: Duration::ZERO,
            key,
            layer: Layer(layer),
            discardable: false,
            back: u8::from(!key),
            data: Bytes::from_static(b"picture"),
        };
        OpenedFrame { number, frame, received: now }
    }

    fn numbers(frames: &[OpenedFrame]) -> Vec<u32> {
        frames.iter().map(|opened| opened.number).collect()
    }

    /// Inserts pictures, given as (number, key), and returns all that came out.
    fn feed(order: &mut VideoOrder, layer: u8, pictures: &[(u32, bool)], now: Instant) -> Vec<u32> {
        pictures
            .iter()
            .flat_map(|(number, key)| numbers(&order.insert(picture(layer, *number, *key, now), now)))
            .collect()
    }

    #[test]
    fn pictures_come_in_order_from_a_key_frame_on() {
        let now = Instant::now();
        let mut order = VideoOrder::default();
        let fed = [(10, true), (12, false), (13, false), (11, false), (14, false)];
        assert_eq!(feed(&mut order, 0, &fed, now), [10, 11, 12, 13, 14]);
        assert_eq!(order.deadline(PATIENCE), None);
        assert_eq!(feed(&mut order, 0, &[(12, false)], now), [0; 0]);
        assert_eq!(order.take_dropped(), 1);
    }

    #[test]
    fn a_lost_picture_breaks_the_chain_after_patience_and_a_key_frame_mends_it() {
        let now = Instant::now();
        let mut order = VideoOrder::default();
        assert_eq!(feed(&mut order, 0, &[(1, true), (3, false), (4, false)], now), [1]);
        assert_eq!(order.deadline(PATIENCE), Some(now + PATIENCE));
        assert!(!order.expire(PATIENCE, now + PATIENCE / 2));
        assert!(order.expire(PATIENCE, now + PATIENCE));
        assert_eq!(order.take_dropped(), 2);
        let later = now + PATIENCE;
        assert_eq!(feed(&mut order, 0, &[(5, false)], later), [0; 0]);
        assert!(order.expire(PATIENCE, later + PATIENCE), "asked again as long as pictures come without a key frame");
        assert_eq!(feed(&mut order, 0, &[(7, false), (6, true)], later), [6, 7]);
    }

    #[test]
    fn a_key_frame_does_not_wait_for_what_is_missing_before_it() {
        let now = Instant::now();
        let mut order = VideoOrder::default();
        assert_eq!(feed(&mut order, 0, &[(1, true), (3, false), (5, true), (6, false)], now), [1, 5, 6]);
    }

    #[test]
    fn pictures_that_overtook_their_key_frame_are_not_lost() {
        let now = Instant::now();
        let mut order = VideoOrder::default();
        assert_eq!(feed(&mut order, 0, &[(2, false), (3, false), (1, true)], now), [1, 2, 3]);
    }

    #[test]
    fn another_layer_takes_over_with_a_newer_key_frame_only() {
        let now = Instant::now();
        let mut order = VideoOrder::default();
        assert_eq!(feed(&mut order, 0, &[(10, true), (11, false)], now), [10, 11]);
        assert_eq!(feed(&mut order, 1, &[(13, false), (12, true)], now), [12, 13]);
        assert_eq!(feed(&mut order, 0, &[(12, false)], now), [0; 0], "the old layer is over");
        assert_eq!(feed(&mut order, 0, &[(13, true)], now), [0; 0], "not newer than what was shown");
        assert_eq!(feed(&mut order, 0, &[(14, true)], now), [14]);
    }

    #[test]
    fn numbers_wrap_and_waiting_is_bounded() {
        let now = Instant::now();
        let mut order = VideoOrder::default();
        let fed = [(u32::MAX - 1, true), (0, false), (u32::MAX, false), (1, false)];
        assert_eq!(feed(&mut order, 0, &fed, now), [u32::MAX - 1, u32::MAX, 0, 1]);
        for number in 3..1000 {
            order.insert(picture(0, number, false, now), now);
        }
        assert!(order.chains.values().all(|chain| chain.waiting.len() <= MAX_WAITING));
    }

    #[test]
    fn patience_follows_the_round_trip_within_bounds() {
        assert_eq!(patience(None), MIN_PATIENCE);
        assert_eq!(patience(Some(Duration::from_millis(50))), Duration::from_millis(160));
        assert_eq!(patience(Some(Duration::from_secs(3))), MAX_PATIENCE);
    }
}
