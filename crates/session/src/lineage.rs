//! From the frames that an encoder counts to the numbers under which they leave.

use std::collections::VecDeque;

use conclave_model::EncodedFrame;

/// How many frames of one encoding are remembered: `back` has eight bits.
const REMEMBERED: usize = u8::MAX as usize;

/// Knows of one encoding under which number each of its last frames left.
///
/// An encoder says by `back` what a frame needs in frames that it made; a receiver sees numbers. The two part where a
/// frame is not sent, and where a number goes to something that no encoder made.
#[derive(Debug, Default)]
pub(crate) struct Lineage {
    /// The encoder's frames, newest last; `None` for one that did not leave.
    frames: VecDeque<Option<u32>>,
}

impl Lineage {
    /// How many numbers before `number` the frame stands that this one needs, 0 where it needs none; `None` where that
    /// one did not leave, so that nobody can decode this one.
    pub(crate) fn back(&self, frame: &EncodedFrame, number: u32) -> Option<u8> {
        if frame.back == 0 {
            return Some(0);
        }
        let at = self.frames.len().checked_sub(usize::from(frame.back))?;
        let needed = self.frames.get(at).copied().flatten()?;
        u8::try_from(number.wrapping_sub(needed)).ok()
    }

    /// The encoder's next frame left under this number, or did not leave.
    pub(crate) fn add(&mut self, number: Option<u32>) {
        if self.frames.len() == REMEMBERED {
            self.frames.pop_front();
        }
        self.frames.push_back(number);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::Duration;

    use conclave_model::{Layer, MediaTime};

    use super::*;

    fn needing(back: u8) -> EncodedFrame {
        EncodedFrame {
            time: MediaTime(0),
            encode_delay: Duration::ZERO,
            key: back == 0,
            layer: Layer(0),
            discardable: false,
            back,
            data: bytes::Bytes::new(),
        }
    }

    #[test]
    fn what_takes_a_number_between_two_frames_is_counted_over() {
        let mut lineage = Lineage::default();
        for number in [7, 8, 10] {
            lineage.add(Some(number));
        }
        assert_eq!(lineage.back(&needing(1), 11), Some(1));
        assert_eq!(lineage.back(&needing(2), 11), Some(3));
        assert_eq!(lineage.back(&needing(3), 11), Some(4));
        assert_eq!(lineage.back(&needing(0), 11), Some(0));
    }

    #[test]
    fn what_needs_a_frame_that_did_not_leave_is_told_apart() {
        let mut lineage = Lineage::default();
        assert_eq!(lineage.back(&needing(1), 0), None, "nothing left yet");
        lineage.add(Some(0));
        lineage.add(None);
        assert_eq!(lineage.back(&needing(1), 1), None);
        assert_eq!(lineage.back(&needing(2), 1), Some(1));
    }

    #[test]
    fn numbers_wrap_and_memory_is_bounded() {
        let mut lineage = Lineage::default();
        let newest =
            (0..1000).map(|step| (u32::MAX - 500).wrapping_add(step)).inspect(|n| lineage.add(Some(*n))).last();
        let next = newest.unwrap().wrapping_add(1);
        assert_eq!(lineage.back(&needing(255), next), Some(255));
        assert_eq!(lineage.back(&needing(255), next + 1), None, "too far for eight bits");
        assert_eq!(lineage.frames.len(), REMEMBERED);
    }
}
