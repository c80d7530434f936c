//! The sound of one member, from received frames to what is mixed.

use std::time::{Duration, Instant};

use bytes::Bytes;
use conclave_capture::{FRAME_SAMPLES, Level, PIECE_SAMPLES, SAMPLE_RATE};
use conclave_codec::{AudioDecoder, CodecError, OpusDecoder, Redundant, packet_length};
use conclave_model::{LeafIndex, MediaTime, TrackKind};
use conclave_session::{
    RemoteFrame,
    jitter::{FRAME, JitterBuffer, JitterStatistics, Pace, Pull, SHORT_FRAME},
};

use super::{SoundStatistics, stretch::Stretch};
use crate::clock::media_time;

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
    /// Concealed sound whose end has not been seen: a loss if sound goes on after it, else only how it ended.
    unsettled: Duration,
    statistics: SoundStatistics,
}

/// A piece of one source.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceFrame {
    /// When its first sample was captured, or would have been; off by some milliseconds while the pace changes.
    pub time: MediaTime,
    /// Whether some of it was made up in the place of what was lost, without any knowledge of that.
    pub concealed: bool,
    /// As many as were asked for, finite, mono at 48 kHz.
    pub samples: Vec<f32>,
}

impl SoundSource {
    /// Opens a decoder for a source that nothing has been heard of.
    ///
    /// # Errors
    /// As [`OpusDecoder::new`].
    pub fn new(from: LeafIndex, track: TrackKind) -> Result<Self, CodecError> {
        Ok(Self {
            packets: JitterBuffer::pulled_every(SHORT_FRAME),
            decoder: OpusDecoder::new()?,
            stretch: Stretch::default(),
            ready: Vec::with_capacity(FRAME_SAMPLES * 2),
            ready_time: MediaTime(0),
            concealed: 0,
            next: MediaTime(0),
            unsettled: Duration::ZERO,
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
        // Copies are of frames as long as this one: a sender that changes the length begins to copy anew.
        let length = length_of(&own);
        self.packets.insert_of(length, number, time, own.clone(), now);
        for copy in copies {
            let before = length * u32::from(copy.distance);
            let micros = u64::try_from(before.as_micros()).unwrap_or(u64::MAX);
            let (number, then) =
                (number.wrapping_sub(u32::from(copy.distance)), MediaTime(time.0.saturating_sub(micros)));
            self.packets.insert_copy_of(length, number, then, copy.data, now);
        }
        // Looking into the packet costs something, so only where something is missing.
        if self.packets.gap_before(number) > 0 {
            let reach = u32::try_from(self.decoder.reach(&own) / samples_in(length)).unwrap_or(0);
            self.packets.restorable(number, time, reach, now);
        }
    }

    /// The next 20 ms ([`FRAME_SAMPLES`]), which are heard from `now` on; `None` where the source is silent.
    pub fn frame(&mut self, now: Instant) -> Option<SourceFrame> {
        self.take(FRAME_SAMPLES, now)
    }

    /// The next 10 ms ([`PIECE_SAMPLES`]), which are heard from `now` on; `None` where the source is silent.
    pub fn piece(&mut self, now: Instant) -> Option<SourceFrame> {
        self.take(PIECE_SAMPLES, now)
    }

    fn take(&mut self, wanted: usize, now: Instant) -> Option<SourceFrame> {
        while self.ready.len() < wanted {
            match self.packets.pull(now) {
                Pull::Packet { time, payload, pace, .. } => self.play(time, &payload, pace),
                Pull::Missing => self.bridge(),
                Pull::Silence => {
                    self.unsettled = Duration::ZERO;
                    if self.ready.is_empty() {
                        self.statistics.offset = None;
                        self.meter(&[], wanted);
                        return None;
                    }
                    self.ready.resize(wanted, 0.0);
                }
            }
        }
        self.statistics.target_delay = self.packets.target();
        let rest = self.ready.split_off(wanted);
        let samples = std::mem::replace(&mut self.ready, rest);
        let frame = SourceFrame { time: self.ready_time, concealed: self.concealed > 0, samples };
        self.statistics.offset = i64::try_from(media_time(now).0)
            .ok()
            .zip(i64::try_from(frame.time.0).ok())
            .map(|(now, captured)| now - captured);
        self.ready_time = self.ready_time + duration_of(wanted);
        self.concealed = self.concealed.saturating_sub(wanted);
        self.stretch.played(&frame.samples);
        self.meter(&frame.samples, wanted);
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
        self.statistics.concealed += std::mem::take(&mut self.unsettled);
        let length = length_of(packet);
        match decoded {
            Ok(samples) => {
                self.statistics.played += length;
                self.append(time, length, samples, false);
                self.change_pace(pace);
            }
            Err(_) => {
                self.statistics.failed += 1;
                self.statistics.concealed += length;
                let samples = self.conceal(length);
                self.append(time, length, samples, true);
            }
        }
    }

    /// Fills the place of a packet that is not there.
    fn bridge(&mut self) {
        let length = self.packets.missing_length();
        let restored = self.packets.later_by().and_then(|(after, packet)| {
            // Capture times are a little off; packets are not.
            let shorts = (after + SHORT_FRAME / 2).as_millis() / SHORT_FRAME.as_millis();
            let before = usize::try_from(shorts).ok()?.checked_mul(PIECE_SAMPLES)?;
            self.decoder.recover(packet, before, samples_in(length)).ok().flatten()
        });
        let (samples, concealed) = match restored {
            Some(samples) => {
                self.statistics.restored += length;
                (samples, false)
            }
            None => {
                self.unsettled += length;
                (self.conceal(length), true)
            }
        };
        self.append(self.next, length, samples, concealed);
    }

    fn conceal(&mut self, length: Duration) -> Vec<f32> {
        let samples = samples_in(length);
        self.decoder.conceal(samples).unwrap_or_else(|_| vec![0.0; samples])
    }

    /// Adds a frame of sound captured at `time`.
    fn append(&mut self, time: MediaTime, length: Duration, mut samples: Vec<f32>, concealed: bool) {
        // Our encoders send frames of 10 or 20 ms; whoever sends others is heard in pieces.
        samples.resize(samples_in(length), 0.0);
        for sample in &mut samples {
            *sample = if sample.is_finite() { *sample } else { 0.0 };
        }
        let held = self.ready.len() as u64 * 1_000_000 / u64::from(SAMPLE_RATE);
        self.ready_time = MediaTime(time.0.saturating_sub(held));
        self.next = time + length;
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

    fn meter(&mut self, samples: &[f32], wanted: usize) {
        let now = Level::of(samples).bar();
        let fall = FALL_PER_FRAME * wanted as f32 / FRAME_SAMPLES as f32;
        self.statistics.level = now.max(self.statistics.level - fall).max(0.0);
    }
}

/// How long what a packet holds is played: as long as one of ours does that comes nearest.
fn length_of(packet: &[u8]) -> Duration {
    match packet_length(packet) {
        Some(length) if length <= SHORT_FRAME => SHORT_FRAME,
        Some(_) | None => FRAME,
    }
}

fn samples_in(length: Duration) -> usize {
    if length <= SHORT_FRAME { PIECE_SAMPLES } else { FRAME_SAMPLES }
}

fn duration_of(samples: usize) -> Duration {
    Duration::from_micros(samples as u64 * 1_000_000 / u64::from(SAMPLE_RATE))
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
            offset: None,
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
            source.append(time, FRAME, vec![0.1; FRAME_SAMPLES], concealed);
            named.push(source.frame(Instant::now()).unwrap().concealed);
        }
        assert_eq!(named, [true, true, false, false], "the made-up frame lies in the first two");
    }
}
