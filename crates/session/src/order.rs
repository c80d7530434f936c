//! Pictures of one track in the order in which a decoder can take them.
//!
//! A picture names the one that it needs, down to a key frame. It is given out as soon as that one was: what is missing
//! between the two belongs to nothing that is shown, and is not waited for, be it lost or left out by the relay on
//! purpose. What lacks the one that it needs waits for it; a retransmission may bring it. Where that takes too long, a
//! key frame is asked for, and whichever comes first mends the chain. A key frame never waits.
//!
//! A track comes in several layers, and at one time in one of them. Another takes over once its pictures, from a key
//! frame of its own on, have reached what is shown; what is left of the one before is dropped.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use conclave_model::{EncodedFrame, Layer, MediaTime};

/// How many pictures of one layer wait for others. At 30 a second more than any patience below.
const MAX_WAITING: usize = 48;

/// How many pictures that others may need are remembered as given out. An encoder of ours needs two.
const MAX_GIVEN: usize = 32;

/// Patience for a retransmission, within these bounds: one that was lost again may be asked for a second time.
const MIN_PATIENCE: Duration = Duration::from_millis(80);
const MAX_PATIENCE: Duration = Duration::from_millis(1000);

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
    /// The layer that comes: that of the newest picture, released or not.
    coming: Option<(Layer, MediaTime)>,
    chains: BTreeMap<Layer, Chain>,
    /// Pictures dropped since last asked.
    dropped: u64,
}

/// One layer.
#[derive(Debug, Default)]
struct Chain {
    /// The last picture that was released; `None` before a key frame came.
    last: Option<u32>,
    /// Those of the released ones that others may need, newest last.
    given: VecDeque<u32>,
    /// Pictures without what they need.
    waiting: BTreeMap<u32, OpenedFrame>,
    /// Released, while another layer is shown: from a key frame on.
    ready: Vec<OpenedFrame>,
    /// Since when something is missing.
    gap: Option<Instant>,
}

/// How long to wait for a retransmission at this round trip.
pub(crate) fn patience(round_trip: Option<Duration>) -> Duration {
    (round_trip.unwrap_or_default() * 2 + NOTICE).clamp(MIN_PATIENCE, MAX_PATIENCE)
}

impl VideoOrder {
    /// Takes in a picture; returns those whose turn has come.
    pub(crate) fn insert(&mut self, opened: OpenedFrame, now: Instant) -> Vec<OpenedFrame> {
        if opened.frame.data.is_empty() {
            // No picture; nothing needs it.
            return Vec::new();
        }
        let (layer, time) = (opened.frame.layer, opened.frame.time);
        if !self.chains.contains_key(&layer) && self.chains.len() >= MAX_LAYERS {
            self.dropped += 1;
            return Vec::new();
        }
        if self.coming.is_none_or(|(_, newest)| time > newest) {
            self.coming = Some((layer, time));
        }
        let chain = self.chains.entry(layer).or_default();
        self.dropped += chain.insert(opened);
        let (released, dropped) = chain.release(now);
        self.dropped += dropped;
        self.show(layer, released)
    }

    /// Gives up waiting where patience ran out. Returns whether a key frame is needed now.
    ///
    /// Only the layer that is shown or that comes, or any before the first, can need one: another's pictures are
    /// leftovers of a switch. What waits goes on waiting: the retransmission may be faster yet.
    pub(crate) fn expire(&mut self, patience: Duration, now: Instant) -> bool {
        let mut wanted = false;
        for (layer, chain) in &mut self.chains {
            if chain.gap.is_none_or(|since| now.saturating_duration_since(since) < patience) {
                continue;
            }
            let is_of = |of: Option<(Layer, MediaTime)>| of.is_none_or(|(of, _)| of == *layer);
            // A layer that begins without its key frame needs one as much as the shown one that lost a picture.
            let is_needed = is_of(self.current) || is_of(self.coming) || chain.last.is_none();
            self.dropped += if is_needed { chain.age(now) } else { chain.leave() };
            wanted |= is_needed;
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

    /// Picks what the one decoder of the track can take: the shown layer goes on, another takes over from a key frame
    /// on once it has something newer than what was shown.
    fn show(&mut self, layer: Layer, released: Vec<OpenedFrame>) -> Vec<OpenedFrame> {
        let Some(newest) = released.last().map(|opened| opened.frame.time) else { return Vec::new() };
        let shown = match self.current {
            Some((current, time)) if current != layer => {
                let Some(chain) = self.chains.get_mut(&layer) else { return Vec::new() };
                self.dropped += chain.hold(released);
                if chain.ready.is_empty() || newest <= time {
                    return Vec::new();
                }
                let ready = std::mem::take(&mut chain.ready);
                for (_, other) in self.chains.iter_mut().filter(|(other, _)| **other != layer) {
                    self.dropped += other.leave();
                }
                ready
            }
            Some(_) | None => released,
        };
        self.current = Some((layer, newest));
        shown
    }
}

impl Chain {
    /// Puts a picture in line; returns how many fell out.
    fn insert(&mut self, opened: OpenedFrame) -> u64 {
        if self.last.is_some_and(|last| !is_before(last, opened.number)) {
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
        while let Some(number) = self.newest_key().or_else(|| self.next()) {
            let Some(opened) = self.waiting.remove(&number) else { break };
            if opened.frame.key {
                self.given.clear();
            }
            if !opened.frame.discardable {
                if self.given.len() == MAX_GIVEN {
                    self.given.pop_front();
                }
                self.given.push_back(number);
            }
            self.last = Some(number);
            let before = self.waiting.len();
            self.waiting.retain(|other, _| is_before(number, *other));
            dropped += (before - self.waiting.len()) as u64;
            released.push(opened);
        }
        self.gap = match (self.waiting.is_empty(), self.gap) {
            (true, _) => None,
            (false, Some(since)) if released.is_empty() => Some(since),
            (false, _) => Some(now),
        };
        (released, dropped)
    }

    fn newest_key(&self) -> Option<u32> {
        let keys = self.waiting.values().filter(|opened| opened.frame.key).map(|opened| opened.number);
        keys.reduce(|a, b| if is_before(a, b) { b } else { a })
    }

    /// The first of those that wait which has what it needs.
    fn next(&self) -> Option<u32> {
        let has = |opened: &&OpenedFrame| {
            let needed = opened.number.wrapping_sub(u32::from(opened.frame.back));
            opened.frame.back != 0 && self.given.contains(&needed)
        };
        let ready = self.waiting.values().filter(has).map(|opened| opened.number);
        ready.reduce(|a, b| if is_before(b, a) { b } else { a })
    }

    /// Keeps pictures that are ready while another layer is shown; returns how many were dropped.
    fn hold(&mut self, released: Vec<OpenedFrame>) -> u64 {
        let mut dropped = 0;
        for opened in released {
            if opened.frame.key {
                dropped += self.ready.len() as u64;
                self.ready.clear();
            } else if self.ready.is_empty() {
                // It goes on from what was shown before another layer took over.
                dropped += 1;
                continue;
            }
            self.ready.push(opened);
        }
        if self.ready.len() > MAX_WAITING {
            dropped += self.ready.len() as u64;
            self.ready.clear();
        }
        dropped
    }

    /// Patience ran out: what waits has another chance, but not for ever. Returns how many were dropped.
    fn age(&mut self, now: Instant) -> u64 {
        let before = self.waiting.len();
        self.waiting.retain(|_, opened| now.saturating_duration_since(opened.received) < MAX_PATIENCE);
        self.gap = (!self.waiting.is_empty()).then_some(now);
        (before - self.waiting.len()) as u64
    }

    /// Another layer took over: only a key frame can bring this one back. Returns how many pictures were dropped.
    fn leave(&mut self) -> u64 {
        let dropped = self.waiting.len() + self.ready.len();
        self.waiting.clear();
        self.ready.clear();
        self.given.clear();
        self.gap = None;
        dropped as u64
    }
}

/// Whether `a` comes before `b`, where numbers wrap.
fn is_before(a: u32, b: u32) -> bool {
    a != b && b.wrapping_sub(a) <= u32::MAX / 2
}

#[cfg(test)]
mod tests;
