//! Which received pictures a decoder gets.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use conclave_model::Layer;
use conclave_session::RemoteFrame;

/// The pictures of one track that wait for their decoder; pure.
///
/// A picture can be decoded only after the one that it needs. Where that is missing, where the decoder fails or falls far
/// behind, everything up to the next key frame is dropped and a key frame is asked for. A decoder that falls behind a
/// little is spared the pictures that no other needs, and one whose sender sends more in a second than any of ours does is
/// spared the rest.
#[derive(Debug, Default)]
pub struct DecodeQueue {
    frames: VecDeque<RemoteFrame>,
    /// Layer and number of the last picture that was let in; `None` while only a key frame will do.
    last: Option<(Layer, u32)>,
    /// The numbers of those let in that others may need, newest last.
    kept: VecDeque<u32>,
    /// Pictures dropped since a key frame was last asked for.
    unanswered: u32,
    asks: bool,
    /// Until when the pictures let in so far last, at the most in a second that are let in.
    busy_until: Option<Instant>,
    dropped: u64,
}

/// What a decoder does next.
#[derive(Debug, PartialEq, Eq)]
pub enum Work {
    /// Decode this.
    Frame(RemoteFrame),
    /// Ask the sender for a key frame.
    AskForKeyFrame,
}

impl DecodeQueue {
    /// Takes in the next picture.
    pub fn push(&mut self, frame: RemoteFrame) {
        if !self.has_time_for(&frame) {
            self.dropped += 1;
            self.wait_for_key_frame();
            return;
        }
        if frame.frame.key {
            if self.frames.len() > CATCH_UP {
                self.drop_all();
            }
            self.unanswered = 0;
            self.asks = false;
            self.kept.clear();
        } else if self.is_stale(&frame) {
            self.dropped += 1;
            return;
        } else if !self.has_what_it_needs(&frame) {
            self.dropped += 1;
            self.wait_for_key_frame();
            return;
        } else if frame.frame.discardable && self.frames.len() >= CATCH_UP {
            self.dropped += 1;
            return;
        } else if self.frames.len() >= MAX_WAITING {
            self.dropped += 1;
            self.drop_all();
            self.wait_for_key_frame();
            return;
        }
        self.last = Some((frame.frame.layer, frame.number));
        if !frame.frame.discardable {
            if self.kept.len() == MAX_KEPT {
                self.kept.pop_front();
            }
            self.kept.push_back(frame.number);
        }
        self.frames.push_back(frame);
    }

    /// What the decoder does next; `None` where it waits.
    #[expect(clippy::should_implement_trait, reason = "more may come after `None`")]
    pub fn next(&mut self) -> Option<Work> {
        if std::mem::take(&mut self.asks) {
            return Some(Work::AskForKeyFrame);
        }
        self.frames.pop_front().map(Work::Frame)
    }

    /// The decoder could not decode the picture it was given.
    pub fn decoding_failed(&mut self) {
        while self.frames.front().is_some_and(|waiting| !waiting.frame.key) {
            self.frames.pop_front();
            self.dropped += 1;
        }
        if self.frames.is_empty() {
            self.wait_for_key_frame();
        }
    }

    /// Pictures that were received and never decoded.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Whether a picture belongs to what is over: another layer than the one that is shown, or a place before its end.
    fn is_stale(&self, frame: &RemoteFrame) -> bool {
        self.last.is_some_and(|(layer, number)| {
            layer != frame.frame.layer || frame.number.wrapping_sub(number).wrapping_sub(1) > u32::MAX / 2
        })
    }

    /// Whether the picture lies within the rate that is decoded at most.
    fn has_time_for(&mut self, frame: &RemoteFrame) -> bool {
        let begins = self.busy_until.map_or(frame.received, |until| until.max(frame.received));
        let has_time = begins.duration_since(frame.received) <= BURST;
        if has_time {
            self.busy_until = Some(begins + SHORTEST);
        }
        has_time
    }

    fn has_what_it_needs(&self, frame: &RemoteFrame) -> bool {
        let back = u32::from(frame.frame.back);
        self.last.is_some() && back != 0 && self.kept.contains(&frame.number.wrapping_sub(back))
    }

    fn drop_all(&mut self) {
        self.dropped += self.frames.len() as u64;
        self.frames.clear();
    }

    fn wait_for_key_frame(&mut self) {
        self.last = None;
        self.asks |= self.unanswered == 0;
        self.unanswered = (self.unanswered + 1) % ASK_AGAIN;
    }
}

/// Pictures that may wait: one second at 30 per second. More is not a burst but a decoder that is too slow.
const MAX_WAITING: usize = 30;

/// The time that each picture has on the average: 60 a second, twice as many as our senders send.
const SHORTEST: Duration = Duration::from_micros(16_667);

/// How far pictures may be ahead of that, as after the network stood still for seconds.
const BURST: Duration = Duration::from_secs(3);

/// Waiting pictures above which a key frame replaces them all.
const CATCH_UP: usize = 4;

/// How many pictures that others may need are remembered. An encoder of ours needs two.
const MAX_KEPT: usize = 32;

/// After how many more pictures without a key frame it is asked for again.
const ASK_AGAIN: u32 = 15;

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use conclave_model::{EncodedFrame, LeafIndex, MediaTime, TrackKind};

    use super::*;

    fn frame(number: u32, key: bool) -> RemoteFrame {
        let now = Instant::now();
        RemoteFrame {
            from: LeafIndex(1),
            track: TrackKind::Camera,
            number,
            frame: EncodedFrame {
                time: MediaTime(0),
                encode_delay: Duration::ZERO,
                key,
                layer: Layer(0),
                discardable: false,
                back: u8::from(!key),
                data: Bytes::new(),
            },
            received: now,
            opened: now,
        }
    }

    /// The numbers of the pictures to decode; −1 stands for a key frame asked for.
    fn drain(queue: &mut DecodeQueue) -> Vec<i64> {
        std::iter::from_fn(|| queue.next())
            .map(|work| match work {
                Work::Frame(frame) => i64::from(frame.number),
                Work::AskForKeyFrame => -1,
            })
            .collect()
    }

    fn queue_of(frames: impl IntoIterator<Item = (u32, bool)>) -> DecodeQueue {
        let mut queue = DecodeQueue::default();
        for (number, key) in frames {
            queue.push(frame(number, key));
        }
        queue
    }

    #[test]
    fn pictures_in_a_row_are_decoded_in_a_row() {
        let mut queue = queue_of([(u32::MAX - 1, true), (u32::MAX, false), (0, false), (1, false)]);
        assert_eq!(drain(&mut queue), [i64::from(u32::MAX) - 1, i64::from(u32::MAX), 0, 1]);
        assert_eq!(queue.dropped(), 0);
    }

    #[test]
    fn nothing_is_decoded_before_a_key_frame_and_it_is_asked_for_once() {
        let mut queue = queue_of([(5, false), (6, false), (7, false)]);
        assert_eq!(drain(&mut queue), [-1]);
        queue.push(frame(8, true));
        queue.push(frame(9, false));
        assert_eq!(drain(&mut queue), [8, 9]);
        assert_eq!(queue.dropped(), 3);
    }

    #[test]
    fn a_key_frame_that_does_not_come_is_asked_for_again() {
        let mut queue = queue_of((5..5 + ASK_AGAIN).map(|number| (number, false)));
        assert_eq!(drain(&mut queue), [-1]);
        queue.push(frame(100, false));
        assert_eq!(drain(&mut queue), [-1]);
        queue.push(frame(101, false));
        assert_eq!(drain(&mut queue), [0; 0]);
    }

    #[test]
    fn after_a_gap_what_was_there_is_decoded_and_what_follows_is_not() {
        let mut queue = queue_of([(0, true), (1, false), (3, false), (4, false)]);
        assert_eq!(drain(&mut queue), [-1, 0, 1]);
        queue.push(frame(5, true));
        assert_eq!(drain(&mut queue), [5]);
    }

    #[test]
    fn a_missing_picture_that_no_other_needs_is_no_gap() {
        let mut queue = DecodeQueue::default();
        for (number, back, discardable) in
            [(0, 0, false), (2, 2, false), (3, 1, true), (4, 4, false), (7, 1, true), (8, 4, false)]
        {
            let mut picture = frame(number, back == 0);
            (picture.frame.back, picture.frame.discardable) = (back, discardable);
            queue.push(picture);
        }
        assert_eq!(drain(&mut queue), [-1, 0, 2, 3, 4], "what 7 needs is missing");
    }

    #[test]
    fn a_decoder_that_falls_behind_is_spared_what_no_other_needs() {
        let mut queue = DecodeQueue::default();
        for number in 0..16 {
            let mut picture = frame(number, number == 0);
            picture.frame.discardable = number % 2 == 1;
            picture.frame.back = [2, 1][number as usize % 2].min(number as u8);
            queue.push(picture);
        }
        assert_eq!(drain(&mut queue), [0, 1, 2, 3, 4, 6, 8, 10, 12, 14]);
        assert_eq!(queue.dropped(), 6);
    }

    #[test]
    fn stale_pictures_are_dropped_and_break_nothing() {
        let mut queue = queue_of([(7, true), (8, false), (8, false), (3, false)]);
        let mut other = frame(9, false);
        other.frame.layer = Layer(2);
        queue.push(other);
        queue.push(frame(9, false));
        assert_eq!(drain(&mut queue), [7, 8, 9]);
        assert_eq!(queue.dropped(), 3);
    }

    #[test]
    fn a_slow_decoder_drops_to_a_key_frame_and_memory_is_bounded() {
        let mut queue = queue_of((0..100).map(|number| (number, number == 0)));
        assert!(queue.frames.len() <= MAX_WAITING);
        assert_eq!(drain(&mut queue).first(), Some(&-1));
        let mut behind = queue_of((0..10).map(|number| (number, number == 0 || number == 9)));
        assert_eq!(drain(&mut behind), [9], "a key frame replaces what waits");
        assert_eq!(behind.dropped(), 9);
    }

    #[test]
    fn of_an_absurd_rate_only_so_many_a_second_are_decoded_and_then_it_goes_on() {
        let (mut queue, start) = (DecodeQueue::default(), Instant::now());
        let mut decoded = 0;
        // A key frame each millisecond for ten seconds.
        for number in 0..10_000 {
            let mut picture = frame(number, true);
            picture.received = start + Duration::from_millis(number.into());
            queue.push(picture);
            decoded += drain(&mut queue).iter().filter(|number| **number >= 0).count();
        }
        // What ten seconds have room for, and what may come at once.
        assert!((750..=800).contains(&decoded), "{decoded}");
        assert_eq!(queue.dropped(), 10_000 - decoded as u64);
        let mut honest = Vec::new();
        for number in 0..300 {
            let mut picture = frame(20_000 + number, number == 0);
            picture.received = start + Duration::from_secs(11) + Duration::from_millis(33) * number;
            queue.push(picture);
            honest.extend(drain(&mut queue));
        }
        assert_eq!(honest, Vec::from_iter(20_000..20_300), "an honest rate is let in again");
    }

    #[test]
    fn a_second_that_comes_at_once_is_no_absurd_rate() {
        let (mut queue, start) = (DecodeQueue::default(), Instant::now());
        let mut decoded = 0;
        // The network stands still for a second out of two, at 30 pictures a second.
        for number in 0..600_u32 {
            let mut picture = frame(number, number == 0);
            let at = Duration::from_millis(33) * number;
            let still = Duration::from_secs(at.as_secs() + 1);
            picture.received = start + if at.as_secs().is_multiple_of(2) { still } else { at };
            queue.push(picture);
            decoded += drain(&mut queue).len();
        }
        assert_eq!((decoded, queue.dropped()), (600, 0));
    }

    #[test]
    fn a_failed_picture_takes_those_that_need_it_along() {
        let mut queue = queue_of([(0, true), (1, false), (2, false), (3, true), (4, false)]);
        assert!(matches!(queue.next(), Some(Work::Frame(first)) if first.number == 0));
        queue.decoding_failed();
        assert_eq!(drain(&mut queue), [3, 4]);
        queue.decoding_failed();
        assert_eq!(drain(&mut queue), [-1]);
    }
}
