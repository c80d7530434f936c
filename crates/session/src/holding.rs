//! Frames that came before the commit that makes their keys.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use conclave_model::PeerId;

use crate::reassembly::SealedFrame;

/// How long a frame may wait for its epoch.
const MAX_AGE: Duration = Duration::from_millis(500);

/// How many frames, and how many bytes, may wait.
const MAX_FRAMES: usize = 512;
const MAX_BYTES: usize = 4 << 20;

/// Sealed frames of an epoch that is not known here yet.
#[derive(Debug, Default)]
pub(crate) struct Holding {
    frames: VecDeque<Held>,
    bytes: usize,
}

#[derive(Debug)]
struct Held {
    frame: SealedFrame,
    since: Instant,
}

impl Holding {
    /// Keeps a frame; returns the senders of those that had to make room.
    pub(crate) fn push(&mut self, frame: SealedFrame, now: Instant) -> Vec<PeerId> {
        self.bytes += frame.sealed.len();
        self.frames.push_back(Held { frame, since: now });
        let mut dropped = Vec::new();
        while self.frames.len() > MAX_FRAMES || self.bytes > MAX_BYTES {
            dropped.extend(self.pop().map(|frame| frame.head.sender));
        }
        dropped
    }

    /// Takes all frames out, to try them with a new epoch, oldest first. Those that still do not open are pushed
    /// again with [`Self::push`], with the time at which they first came.
    pub(crate) fn take(&mut self) -> Vec<(SealedFrame, Instant)> {
        self.bytes = 0;
        self.frames.drain(..).map(|held| (held.frame, held.since)).collect()
    }

    /// Drops what waited too long; returns the senders.
    pub(crate) fn expire(&mut self, now: Instant) -> Vec<PeerId> {
        let mut dropped = Vec::new();
        while self.frames.front().is_some_and(|held| now.saturating_duration_since(held.since) >= MAX_AGE) {
            dropped.extend(self.pop().map(|frame| frame.head.sender));
        }
        dropped
    }

    /// When [`Self::expire`] has something to do next.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.frames.front().map(|held| held.since + MAX_AGE)
    }

    fn pop(&mut self) -> Option<SealedFrame> {
        let held = self.frames.pop_front()?;
        self.bytes -= held.frame.sealed.len();
        Some(held.frame)
    }
}

#[cfg(test)]
mod tests {
    use conclave_model::{Layer, TrackKind, wire::FrameHead};

    use super::*;

    fn frame(number: u32, length: usize, now: Instant) -> SealedFrame {
        let head = FrameHead {
            sender: PeerId(1),
            track: TrackKind::Microphone,
            layer: Layer(0),
            number,
            key: true,
            discardable: false,
            packets: 1,
        };
        SealedFrame { head, sealed: vec![0; length], received: now }
    }

    #[test]
    fn frames_wait_half_a_second_and_come_back_in_order() {
        let now = Instant::now();
        let mut holding = Holding::default();
        for number in 0..3 {
            assert!(holding.push(frame(number, 10, now), now + MAX_AGE / 4 * number).is_empty());
        }
        assert_eq!(holding.deadline(), Some(now + MAX_AGE));
        assert_eq!(holding.expire(now + MAX_AGE), [PeerId(1)]);
        let rest = holding.take();
        assert_eq!(rest.iter().map(|(frame, _)| frame.head.number).collect::<Vec<_>>(), [1, 2]);
        assert_eq!((holding.bytes, holding.deadline()), (0, None));
    }

    #[test]
    fn what_waits_is_bounded_in_number_and_bytes() {
        let now = Instant::now();
        let mut holding = Holding::default();
        for number in 0..2000 {
            holding.push(frame(number, 50, now), now);
        }
        assert_eq!(holding.frames.len(), MAX_FRAMES);
        for number in 0..20 {
            holding.push(frame(number, 1 << 20, now), now);
        }
        assert!(holding.bytes <= MAX_BYTES);
        let held: usize = holding.frames.iter().map(|held| held.frame.sealed.len()).sum();
        assert_eq!(held, holding.bytes);
    }
}
