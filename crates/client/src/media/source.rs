//! The sound of one member, from received frames to what is mixed.

use std::time::{Duration, Instant};

use bytes::Bytes;
use conclave_capture::{FRAME_SAMPLES, Level, SAMPLE_RATE};
use conclave_codec::{AudioDecoder, CodecError, OpusDecoder, Redundant};
use conclave_model::{LeafIndex, MediaTime, TrackKind};
use conclave_session::{
    RemoteFrame,
    jitter::{FRAME, JitterBuffer, JitterStatistics, Pace, Pull},
};

use super::{SoundStatistics, stretch::Stretch};

/// De-jitters and decodes one source; pure but for the codec.
///
/// What is lost is taken from copies in later frames, else restored by deep redundancy, else made up; the delay follows
/// the network by playing a little faster or slower (see [`conclave_session::jitter`]).
#[derive(Debug)]
pub struct SoundSource {
    packets: JitterBuffer<Bytes>,
    decoder: OpusDecoder,
    stretch: Stretch,
    /// Decoded, and not played yet: less than a frame between calls.
    ready: Vec<f32>,
    /// When the first of `ready` was captured, or would have been.
    ready_time: MediaTime,
    /// How many samples of `ready` lie before the end of what was made up of it.
    concealed: usize,
    /// Capture time of the next packet, as far as known.
    next: MediaTime,
    /// Concealed frames whose end has not been seen: a loss if sound goes on after them, else only how it ended.
    unsettled: u32,
    statistics: SoundStatistics,
}

/// 20 ms of one source.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceFrame {
    /// When its first sample was captured, or would have been; off by some milliseconds while the pace changes.
    pub time: MediaTime,
    /// Whether some of it was made up in the place of what was lost, without any knowledge of that.
    pub concealed: bool,
    /// Always [`FRAME_SAMPLES`] of them, finite, mono at 48 kHz.
    pub samples: Vec<f32>,
}

impl SoundSource {
    /// Opens a decoder for a source that nothing has been heard of.
    ///
    /// # Errors
    /// As [`OpusDecoder::new`].
    pub fn new(from: LeafIndex, track: TrackKind) -> Result<Self, CodecError> {
        Ok(Self {
            packets: JitterBuffer::new(),
            decoder: OpusDecoder::new()?,
            stretch: Stretch::default(),
            ready: Vec::with_capacity(FRAME_SAMPLES * 2),
            ready_time: MediaTime(0),
            concealed: 0,
            next: MediaTime(0),
            unsettled: 0,
            statistics: SoundStatistics::new(from, track),
        })
    }

    /// Takes in a frame as it comes, in any order. What is no [`Redundant`] is counted and dropped.
    pub fn insert(&mut self, frame: RemoteFrame) {
        self.statistics.received += 1;
        self.statistics.bytes += frame.frame.data.len() as u64;
        let Some(Redundant { copies, frame: own }) = Redundant::parse(&frame.frame.data) else {
            self.statistics.failed += 1;
            return;
        };
        let (number, time, now) = (frame.number, frame.frame.time, frame.received);
        self.packets.insert(number, time, own.clone(), now);
        for copy in copies {
            let before = FRAME * u32::from(copy.distance);
            let micros = u64::try_from(before.as_micros()).unwrap_or(u64::MAX);
            let then = MediaTime(time.0.saturating_sub(micros));
            self.packets.insert_copy(number.wrapping_sub(u32::from(copy.distance)), then, copy.data, now);
        }
        // Looking into the packet costs something, so only where something is missing.
        if self.packets.gap_before(number) > 0 {
            let reach = u32::try_from(self.decoder.reach(&own) / FRAME_SAMPLES).unwrap_or(0);
            self.packets.restorable(number, time, reach, now);
        }
    }

    /// The next 20 ms, which are heard from `now` on; `None` where the source is silent.
    pub fn frame(&mut self, now: Instant) -> Option<SourceFrame> {
        while self.ready.len() < FRAME_SAMPLES {
            match self.packets.pull(now) {
                Pull::Packet { time, payload, pace, .. } => self.play(time, &payload, pace),
                Pull::Missing => self.bridge(),
                Pull::Silence => {
                    self.unsettled = 0;
                    if self.ready.is_empty() {
                        self.meter(&[]);
                        return None;
                    }
                    self.ready.resize(FRAME_SAMPLES, 0.0);
                }
            }
        }
        self.statistics.target_delay = self.packets.target();
        let rest = self.ready.split_off(FRAME_SAMPLES);
        let samples = std::mem::replace(&mut self.ready, rest);
        let frame = SourceFrame { time: self.ready_time, concealed: self.concealed > 0, samples };
        self.ready_time = self.ready_time + FRAME;
        self.concealed = self.concealed.saturating_sub(FRAME_SAMPLES);
        self.stretch.played(&frame.samples);
        self.meter(&frame.samples);
        Some(frame)
    }

    /// What has been counted.
    pub fn statistics(&self) -> SoundStatistics {
        self.statistics
    }

    /// What the jitter buffer has counted.
    pub fn jitter(&self) -> JitterStatistics {
        self.packets.statistics()
    }

    /// Decodes a packet whose turn has come.
    fn play(&mut self, time: MediaTime, packet: &[u8], pace: Pace) {
        let decoded = self.decoder.decode(packet);
        // Sound went on: what was concealed before was a loss.
        self.statistics.concealed += FRAME * std::mem::take(&mut self.unsettled);
        match decoded {
            Ok(samples) => {
                self.statistics.played += FRAME;
                self.append(time, samples, false);
                self.change_pace(pace);
            }
            Err(_) => {
                self.statistics.failed += 1;
                self.statistics.concealed += FRAME;
                let samples = self.conceal();
                self.append(time, samples, true);
            }
        }
    }

    /// Fills the place of a packet that is not there.
    fn bridge(&mut self) {
        let restored = self.packets.later().and_then(|(after, packet)| {
            let before = usize::try_from(after).ok()?.checked_mul(FRAME_SAMPLES)?;
            self.decoder.recover(packet, before, FRAME_SAMPLES).ok().flatten()
        });
        let (samples, concealed) = match restored {
            Some(samples) => {
                self.statistics.restored += FRAME;
                (samples, false)
            }
            None => {
                self.unsettled += 1;
                (self.conceal(), true)
            }
        };
        self.append(self.next, samples, concealed);
    }

    fn conceal(&mut self) -> Vec<f32> {
        self.decoder.conceal(FRAME_SAMPLES).unwrap_or_else(|_| vec![0.0; FRAME_SAMPLES])
    }

    /// Adds a frame of sound captured at `time`.
    fn append(&mut self, time: MediaTime, mut samples: Vec<f32>, concealed: bool) {
        // Our encoders send frames of 20 ms; whoever sends others is heard in pieces.
        samples.resize(FRAME_SAMPLES, 0.0);
        for sample in &mut samples {
            *sample = if sample.is_finite() { *sample } else { 0.0 };
        }
        let held = self.ready.len() as u64 * 1_000_000 / u64::from(SAMPLE_RATE);
        self.ready_time = MediaTime(time.0.saturating_sub(held));
        self.next = time + FRAME;
        self.ready.extend(samples);
        if concealed {
            self.concealed = self.ready.len();
        }
    }

    /// Makes what waits shorter or longer.
    fn change_pace(&mut self, pace: Pace) {
        match pace {
            Pace::Steady => {}
            Pace::Faster => drop(self.stretch.shorten(&mut self.ready)),
            Pace::Slower => drop(self.stretch.lengthen(&mut self.ready)),
        }
    }

    fn meter(&mut self, samples: &[f32]) {
        let now = Level::of(samples).bar();
        self.statistics.level = now.max(self.statistics.level - FALL_PER_FRAME).max(0.0);
    }
}

impl SoundStatistics {
    fn new(from: LeafIndex, track: TrackKind) -> Self {
        Self {
            from,
            track,
            level: 0.0,
            received: 0,
            bytes: 0,
            played: Duration::ZERO,
            restored: Duration::ZERO,
            concealed: Duration::ZERO,
            failed: 0,
            target_delay: Duration::ZERO,
        }
    }
}

/// How far the level meter falls per frame: from full to nothing in half a second.
const FALL_PER_FRAME: f32 = 0.04;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn sound_after_a_loss_is_not_called_made_up_where_the_pace_left_a_rest() {
        let mut source = SoundSource::new(LeafIndex(1), TrackKind::Microphone).unwrap();
        // What a change of pace leaves: no whole frame, so that the store never runs empty.
        source.ready = vec![0.1; FRAME_SAMPLES / 3];
        let mut named = Vec::new();
        for (number, concealed) in [true, false, false, false].into_iter().enumerate() {
            let time = MediaTime(1_000_000) + FRAME * u32::try_from(number).unwrap();
            source.append(time, vec![0.1; FRAME_SAMPLES], concealed);
            named.push(source.frame(Instant::now()).unwrap().concealed);
        }
        assert_eq!(named, [true, true, false, false], "the made-up frame lies in the first two");
    }
}
