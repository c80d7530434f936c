//! Everybody's sound in one.

use std::{collections::BTreeMap, time::Instant};

use conclave_capture::PIECE_SAMPLES;
use conclave_model::{LeafIndex, TrackKind};
use conclave_session::RemoteFrame;

use super::{
    Limiter, SoundEvent, SoundStatistics,
    source::{SoundSource, SourceFrame},
};

/// Who speaks: a member's voice or another of its sounds.
pub(super) type SourceName = (LeafIndex, TrackKind);

/// De-jitters, decodes and adds up all sources, 10 ms at a time.
#[derive(Debug, Default)]
pub(super) struct Mixer {
    sources: BTreeMap<SourceName, SoundSource>,
    limiter: Limiter,
    refused: u64,
}

impl Mixer {
    /// Takes in a packet. A new source begins with its first.
    pub(super) fn insert(&mut self, frame: RemoteFrame) {
        let name = (frame.from, frame.track);
        if !self.sources.contains_key(&name) {
            match SoundSource::new(frame.from, frame.track) {
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
            source.insert(frame);
        }
    }

    /// Forgets the sources of a member.
    pub(super) fn remove(&mut self, leaf: LeafIndex) {
        self.sources.retain(|(owner, _), _| *owner != leaf);
    }

    /// The next 10 ms of all sources together, limited. Each source's part is shown to `sink`.
    pub(super) fn piece(&mut self, now: Instant, sink: &mut dyn FnMut(SoundEvent<'_>)) -> [f32; PIECE_SAMPLES] {
        let mut mix = [0.0; PIECE_SAMPLES];
        for (name, source) in &mut self.sources {
            if let Some(SourceFrame { time, concealed, samples }) = source.piece(now) {
                for (sum, sample) in mix.iter_mut().zip(&samples) {
                    *sum += sample;
                }
                sink(SoundEvent { from: name.0, track: name.1, time, concealed, samples: &samples });
            }
        }
        self.limiter.apply(&mut mix);
        mix
    }

    /// Whether nobody has been heard.
    pub(super) fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    /// What has been counted, by source.
    pub(super) fn statistics(&self) -> Vec<SoundStatistics> {
        self.sources.values().map(SoundSource::statistics).collect()
    }
}

/// Sources that are played at once; a meeting has fewer, and what is more is somebody's attempt.
const MAX_SOURCES: usize = 256;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::Duration;

    use conclave_capture::FRAME_SAMPLES;
    use conclave_codec::AudioSettings;
    use conclave_model::{EncodedFrame, Layer, MediaTime};
    use conclave_session::jitter::FRAME;

    use super::*;
    use crate::media::{Redundancy, VoiceEncoder};

    /// A source of tones and its place in time.
    struct Voice {
        leaf: u32,
        encoder: VoiceEncoder,
        hertz: f32,
        amplitude: f32,
    }

    impl Voice {
        fn new(leaf: u32, hertz: f32, amplitude: f32) -> Self {
            Self { leaf, encoder: VoiceEncoder::new(AudioSettings::default()).unwrap(), hertz, amplitude }
        }

        fn packet(&mut self, number: u32, received: Instant) -> RemoteFrame {
            let samples: Vec<f32> = (0..FRAME_SAMPLES)
                .map(|i| {
                    let at = (number as usize * FRAME_SAMPLES + i) as f32 / 48_000.0;
                    self.amplitude * (at * self.hertz * std::f32::consts::TAU).sin()
                })
                .collect();
            let time = MediaTime(1_000_000 + u64::from(number) * 20_000);
            let frame = EncodedFrame {
                time,
                encode_delay: Duration::ZERO,
                key: true,
                layer: Layer(0),
                discardable: false,
                back: 0,
                data: self.encoder.encode(time, &samples).unwrap().unwrap(),
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
            for half in 0..2 {
                sound.extend(mixer.piece(now + FRAME / 4 + FRAME / 2 * half, &mut |_| {}));
            }
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
        let mut voices: Vec<_> = (0..27).map(|leaf| Voice::new(leaf, 200.0 + leaf as f32 * 13.0, 0.9)).collect();
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
    fn copies_and_deep_redundancy_restore_what_is_lost_and_nothing_is_made_up() {
        for (redundancy, burst, every, at_least) in [(Redundancy::LIGHT, 3, 10, 40), (Redundancy::STRONG, 7, 14, 30)] {
            let mut voice = Voice::new(1, 300.0, 0.2);
            voice.encoder.set_redundancy(redundancy).unwrap();
            // Copies reach one of each burst of three and five of each of seven, deep redundancy the rest.
            let (mixer, sound) = play(&mut [voice], 300, |number| number > 20 && number % every < burst);
            let statistics = mixer.statistics()[0];
            // The first bursts come before the delay has adapted.
            assert!(statistics.concealed <= FRAME * burst * 2, "{redundancy:?}: {statistics:?}");
            assert!(statistics.restored >= FRAME * at_least, "{redundancy:?}: {statistics:?}");
            assert!(statistics.target_delay >= FRAME * burst, "{redundancy:?}: {statistics:?}");
            let quietest = sound[72_000..240_000].chunks(FRAME_SAMPLES).map(rms).fold(1.0, f32::min);
            assert!(quietest > 0.01, "{redundancy:?}: a gap was heard: {quietest}");
        }
    }

    #[test]
    fn the_end_of_speech_is_no_loss_and_the_meter_falls() {
        let (mut mixer, _) = play(&mut [Voice::new(1, 300.0, 0.5)], 50, |_| false);
        assert!(mixer.statistics()[0].level > 0.5);
        let later = Instant::now() + Duration::from_secs(60);
        for tick in 0..100 {
            mixer.piece(later + FRAME / 2 * tick, &mut |_| {});
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
            // Neither a container, nor one with something in it that could be decoded.
            let mut data = vec![0xff; 3 + number as usize];
            data[0] = if number % 2 == 0 { 0xff } else { 0x10 };
            packet.frame.data = data.into();
            mixer.insert(packet);
            let mut mix = mixer.piece(now + FRAME / 4, &mut |_| {}).to_vec();
            mix.extend(mixer.piece(now + FRAME * 3 / 4, &mut |_| {}));
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
            for half in 0..2 {
                mixer.piece(now + FRAME / 4 + FRAME / 2 * half, &mut |event| {
                    seen.push((event.from, event.time, event.concealed));
                });
            }
        }
        assert_eq!(seen.first(), Some(&(LeafIndex(7), MediaTime(1_000_000), false)));
        assert!(seen.windows(2).all(|pair| pair[1].1 == pair[0].1 + FRAME / 2));
        mixer.remove(LeafIndex(7));
        assert_eq!(mixer.statistics(), []);
    }
}
