//! What simulated participants send: frames that say whose they are and when they were made.

use std::time::{Duration, Instant};

use bytes::Bytes;
use conclave_model::{EncodedFrame, Layer, MediaTime, TrackKind};

/// Between two frames of sound. Slower than real sound, so that large meetings are simulated quickly.
pub(crate) const SOUND_INTERVAL: Duration = Duration::from_millis(100);

/// Between two pictures.
pub(crate) const PICTURE_INTERVAL: Duration = Duration::from_millis(250);

/// A picture of a camera has some packets, a key frame more.
const PICTURE_BYTES: usize = 2500;
const KEY_PICTURE_BYTES: usize = 6000;
const SOUND_BYTES: usize = 80;

/// What is written into each frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Which participant.
    pub(crate) who: usize,
    /// Which of their sessions.
    pub(crate) session: u32,
    /// Which track.
    pub(crate) track: TrackKind,
    /// Counts the frames of the session and track.
    pub(crate) number: u32,
    /// When it was sent.
    pub(crate) sent: Instant,
}

impl Stamp {
    const LENGTH: usize = 8 + 4 + 1 + 4 + 8;

    /// The frame that bears this stamp. `epoch` is where times are counted from.
    pub(crate) fn to_frame(self, key: bool, epoch: Instant) -> EncodedFrame {
        let length = match (self.track.is_video(), key) {
            (false, _) => SOUND_BYTES,
            (true, false) => PICTURE_BYTES,
            (true, true) => KEY_PICTURE_BYTES,
        };
        let micros = u64::try_from(self.sent.duration_since(epoch).as_micros()).unwrap_or(u64::MAX);
        let mut data = Vec::with_capacity(length);
        data.extend_from_slice(&(self.who as u64).to_be_bytes());
        data.extend_from_slice(&self.session.to_be_bytes());
        data.push(self.track.code());
        data.extend_from_slice(&self.number.to_be_bytes());
        data.extend_from_slice(&micros.to_be_bytes());
        data.resize(length, filler(self.number));
        EncodedFrame {
            time: MediaTime(micros),
            encode_delay: Duration::ZERO,
            key,
            layer: Layer(0),
            discardable: false,
            back: u8::from(!key),
            data: Bytes::from(data),
        }
    }

    /// The stamp that a frame bears; `None` where any byte is not as it was sent.
    pub(crate) fn read(frame: &EncodedFrame, epoch: Instant) -> Option<Self> {
        let (stamp, rest) = frame.data.split_first_chunk::<{ Self::LENGTH }>()?;
        let word = |at: usize| -> Option<u64> { Some(u64::from_be_bytes(stamp[at..at + 8].try_into().ok()?)) };
        let half = |at: usize| -> Option<u32> { Some(u32::from_be_bytes(stamp[at..at + 4].try_into().ok()?)) };
        let number = half(13)?;
        let micros = word(17)?;
        let found = Self {
            who: usize::try_from(word(0)?).ok()?,
            session: half(8)?,
            track: TrackKind::from_code(stamp[12])?,
            number,
            sent: epoch + Duration::from_micros(micros),
        };
        (frame.time.0 == micros && rest.iter().all(|byte| *byte == filler(number))).then_some(found)
    }
}

fn filler(number: u32) -> u8 {
    number.to_le_bytes()[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_survives_and_a_changed_byte_shows() {
        let epoch = Instant::now();
        let sent = epoch + Duration::from_micros(1234);
        let stamp = Stamp { who: 3, session: 2, track: TrackKind::Camera, number: 700, sent };
        let mut frame = stamp.to_frame(true, epoch);
        assert_eq!(Stamp::read(&frame, epoch), Some(stamp));
        let mut data = frame.data.to_vec();
        *data.last_mut().unwrap() ^= 1;
        frame.data = data.into();
        assert_eq!(Stamp::read(&frame, epoch), None);
    }
}
