//! Everybody's sound in one.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use bytes::Bytes;
use conclave_capture::{FRAME_SAMPLES, Level};
use conclave_codec::{AudioDecoder, CodecError, OpusDecoder};
use conclave_model::{LeafIndex, MediaTime, TrackKind};
use conclave_session::{
    RemoteFrame,
    jitter::{FRAME, JitterBuffer, Pull},
};

use super::{Limiter, SoundEvent, SoundStatistics};

/// Who speaks: a member's voice or another of its sounds.
pub(super) type SourceName = (LeafIndex, TrackKind);

/// De-jitters, decodes and adds up all sources, one frame of 20 ms at a time.
#[derive(Debug, Default)]
pub(super) struct Mixer {
    sources: BTreeMap<SourceName, Source>,
    limiter: Limiter,
    refused: u64,
}

#[derive(Debug)]
struct Source {
    packets: JitterBuffer<Bytes>,
    decoder: OpusDecoder,
    /// Concealed frames whose end has not been seen: a loss if sound goes on after them, else only how it ended.
    unsettled: u32,
    /// Capture time of the next sample, as far as known.
    next: MediaTime,
    statistics: SoundStatistics,
}

impl Mixer {
    /// Takes in a packet. A new source begins with its first.
    pub(super) fn insert(&mut self, frame: RemoteFrame) {
        let name = (frame.from, frame.track);
        if !self.sources.contains_key(&name) {
            match Source::new(name) {
                Ok(source) if self.sources.len() < MAX_SOURCES => {
                    self.sources.insert(name, source);
                }
                Ok(_) | Err(_) => {
                    self.refused += 1;
                    return;
                }
            }
        }
        if let Some(source) = self.sources.get_mut(&name) {
            source.statistics.received += 1;
            source.statistics.bytes += frame.frame.data.len() as u64;
            source.packets.insert(frame.number, frame.frame.time, frame.frame.data, frame.received);
        }
    }

    /// Forgets the sources of a member.
    pub(super) fn remove(&mut self, leaf: LeafIndex) {
        self.sources.retain(|(owner, _), _| *owner != leaf);
    }

    /// The next 20 ms of all sources together, limited. Each source's part is shown to `sink`.
    pub(super) fn frame(&mut self, now: Instant, sink: &mut dyn FnMut(SoundEvent<'_>)) -> [f32; FRAME_SAMPLES] {
        let mut mix = [0.0; FRAME_SAMPLES];
        for (name, source) in &mut self.sources {
            if let Some((time, concealed, samples)) = source.next_frame(now) {
                for (sum, sample) in mix.iter_mut().zip(&samples) {
                    *sum += sample;
                }
                sink(SoundEvent { from: name.0, track: name.1, time, concealed, samples: &samples });
            }
        }
        self.limiter.apply(&mut mix);
        mix
    }

    /// What has been counted, by source.
    pub(super) fn statistics(&self) -> Vec<SoundStatistics> {
        self.sources.values().map(|source| source.statistics).collect()
    }
}

impl Source {
    fn new((from, track): SourceName) -> Result<Self, CodecError> {
        Ok(Self {
            packets: JitterBuffer::new(),
            decoder: OpusDecoder::new()?,
            unsettled: 0,
            next: MediaTime(0),
            statistics: SoundStatistics::new(from, track),
        })
    }

    /// When the first sample was captured, whether it is made up, and always [`FRAME_SAMPLES`] samples; `None` where
    /// the source is silent.
    fn next_frame(&mut self, now: Instant) -> Option<(MediaTime, bool, Vec<f32>)> {
        let (time, concealed, decoded) = match self.packets.pull(now) {
            Pull::Packet { time, payload, .. } => {
                let decoded = self.decoder.decode(&payload);
                self.settle();
                match decoded {
                    Ok(samples) => {
                        self.statistics.played += FRAME;
                        (time, false, samples)
                    }
                    Err(_) => {
                        self.statistics.failed += 1;
                        self.statistics.concealed += FRAME;
                        (time, true, self.conceal())
                    }
                }
            }
            Pull::Missing => {
                self.unsettled += 1;
                (self.next, true, self.conceal())
            }
            Pull::Silence => {
                self.unsettled = 0;
                self.meter(&[]);
                return None;
            }
        };
        self.next = time + FRAME;
        self.statistics.target_delay = self.packets.target();
        let mut samples = decoded;
        // Our encoders send frames of 20 ms; whoever sends others is heard in pieces.
        samples.resize(FRAME_SAMPLES, 0.0);
        for sample in &mut samples {
            *sample = if sample.is_finite() { *sample } else { 0.0 };
        }
        self.meter(&samples);
        Some((time, concealed, samples))
    }

    /// Sound went on: what was concealed before was a loss.
    fn settle(&mut self) {
        self.statistics.concealed += FRAME * std::mem::take(&mut self.unsettled);
    }

    fn conceal(&mut self) -> Vec<f32> {
        self.decoder.conceal(FRAME_SAMPLES).unwrap_or_else(|_| vec![0.0; FRAME_SAMPLES])
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
            concealed: Duration::ZERO,
            failed: 0,
            target_delay: Duration::ZERO,
        }
    }
}

/// Sources that are played at once; a meeting has fewer, and what is more is somebody's attempt.
const MAX_SOURCES: usize = 256;

/// How far the level meter falls per frame: from full to nothing in half a second.
const FALL_PER_FRAME: f32 = 0.04;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use conclave_codec::{AudioEncoder, AudioSettings, OpusEncoder};
    use conclave_model::{EncodedFrame, Layer};

    use super::*;

    /// A source of tones and its place in time.
    struct Voice {
        leaf: u32,
        encoder: OpusEncoder,
        hertz: f32,
        amplitude: f32,
    }

    impl Voice {
        fn new(leaf: u32, hertz: f32, amplitude: f32) -> Self {
            Self { leaf, encoder: OpusEncoder::new(AudioSettings::default()).unwrap(), hertz, amplitude }
        }

        fn packet(&mut self, number: u32, received: Instant) -> RemoteFrame {
            let samples: Vec<f32> = (0..FRAME_SAMPLES)
                .map(|i| {
                    let at = (number as usize * FRAME_SAMPLES + i) as f32 / 48_000.0;
                    self.amplitude * (at * self.hertz * std::f32::consts::TAU).sin()
                })
                .collect();
            let frame = EncodedFrame {
                time: MediaTime(1_000_000 + u64::from(number) * 20_000),
                encode_delay: Duration::ZERO,
                key: true,
                layer: Layer(0),
                data: self.encoder.encode(&samples).unwrap().unwrap(),
            };
            let from = LeafIndex(self.leaf);
            RemoteFrame { from, track: TrackKind::Microphone, number, frame, received, opened: received }
        }
    }

    /// Plays `frames` frames of the voices, without the packets that `lost` names.
    fn play(voices: &mut [Voice], frames: u32, lost: impl Fn(u32) -> bool) -> (Mixer, Vec<f32>) {
        let mut mixer = Mixer::default();
        let start = Instant::now();
        let mut sound = Vec::new();
        for number in 0..frames {
            let now = start + FRAME * number;
            for voice in &mut *voices {
                let packet = voice.packet(number, now);
                if !lost(number) {
                    mixer.insert(packet);
                }
            }
            sound.extend(mixer.frame(now + FRAME / 4, &mut |_| {}));
        }
        (mixer, sound)
    }

    fn rms(samples: &[f32]) -> f32 {
        (samples.iter().map(|sample| sample * sample).sum::<f32>() / samples.len() as f32).sqrt()
    }

    #[test]
    fn voices_add_up() {
        let (_, one) = play(&mut [Voice::new(1, 300.0, 0.2)], 100, |_| false);
        let (_, two) = play(&mut [Voice::new(1, 300.0, 0.2), Voice::new(2, 470.0, 0.2)], 100, |_| false);
        let (one, two) = (rms(&one[48_000..]), rms(&two[48_000..]));
        assert!((one - 0.141).abs() < 0.02, "{one}");
        assert!((two - 0.2).abs() < 0.03, "{two}");
    }

    #[test]
    fn many_loud_voices_do_not_clip() {
        let mut voices: Vec<_> = (0..12).map(|leaf| Voice::new(leaf, 200.0 + leaf as f32 * 13.0, 0.9)).collect();
        let (_, sound) = play(&mut voices, 60, |_| false);
        assert!(sound.iter().all(|sample| sample.abs() <= Limiter::CEILING));
        assert!(rms(&sound[24_000..]) > 0.2);
    }

    #[test]
    fn losses_are_concealed_and_counted() {
        let (mixer, sound) = play(&mut [Voice::new(1, 300.0, 0.2)], 100, |number| number == 50 || number == 70);
        let statistics = mixer.statistics()[0];
        assert_eq!(statistics.concealed, FRAME * 2);
        assert!(statistics.played >= FRAME * 95, "{statistics:?}");
        let quietest = sound[24_000..].chunks(FRAME_SAMPLES).map(rms).fold(1.0, f32::min);
        assert!(quietest > 0.02, "a gap was heard: {quietest}");
    }

    #[test]
    fn the_end_of_speech_is_no_loss_and_the_meter_falls() {
        let (mut mixer, _) = play(&mut [Voice::new(1, 300.0, 0.5)], 50, |_| false);
        assert!(mixer.statistics()[0].level > 0.5);
        let later = Instant::now() + Duration::from_secs(60);
        for tick in 0..50 {
            mixer.frame(later + FRAME * tick, &mut |_| {});
        }
        let statistics = mixer.statistics()[0];
        assert_eq!((statistics.level, statistics.concealed), (0.0, Duration::ZERO));
    }

    #[test]
    fn garbage_is_counted_and_does_not_spoil_the_mix() {
        let mut mixer = Mixer::default();
        let start = Instant::now();
        let mut voice = Voice::new(1, 300.0, 0.2);
        for number in 0..50 {
            let now = start + FRAME * number;
            let mut packet = voice.packet(number, now);
            packet.frame.data = vec![0xff; 3 + number as usize].into();
            mixer.insert(packet);
            let mix = mixer.frame(now + FRAME / 4, &mut |_| {});
            assert!(mix.iter().all(|sample| sample.is_finite() && sample.abs() <= Limiter::CEILING));
        }
        let statistics = mixer.statistics()[0];
        assert!(statistics.failed > 0, "{statistics:?}");
    }

    #[test]
    fn each_source_is_shown_with_its_time_and_a_member_who_left_is_forgotten() {
        let mut mixer = Mixer::default();
        let start = Instant::now();
        let mut voice = Voice::new(7, 300.0, 0.2);
        let mut seen = Vec::new();
        for number in 0..10 {
            let now = start + FRAME * number;
            mixer.insert(voice.packet(number, now));
            mixer.frame(now + FRAME / 4, &mut |event| seen.push((event.from, event.time, event.concealed)));
        }
        assert_eq!(seen.first(), Some(&(LeafIndex(7), MediaTime(1_000_000), false)));
        assert!(seen.windows(2).all(|pair| pair[1].1 == pair[0].1 + FRAME));
        mixer.remove(LeafIndex(7));
        assert_eq!(mixer.statistics(), []);
    }
}
