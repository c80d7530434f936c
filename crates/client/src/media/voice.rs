//! The own voice, from samples to what is sent.

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;
use conclave_codec::{AudioEncoder, AudioSettings, CodecError, FrameCopy, OpusEncoder, Redundant, without_redundancy};
use conclave_model::{Bitrate, MediaTime};

use super::Redundancy;

/// An encoder that repeats earlier frames as its [`Redundancy`] says; pure but for the codec.
#[derive(Debug)]
pub struct VoiceEncoder {
    encoder: OpusEncoder,
    settings: AudioSettings,
    redundancy: Redundancy,
    total: Bitrate,
    /// The frames that may be repeated, the newest last.
    sent: VecDeque<(MediaTime, Bytes)>,
}

impl VoiceEncoder {
    /// What sound, copies and deep redundancy take together at most, on the average.
    pub const TOTAL: Bitrate = Bitrate::kbps(64);

    /// The same on a line that has hardly room for more than the voice, its headers and its proofs, which take 60 kbit/s
    /// besides.
    pub const LEAST_TOTAL: Bitrate = Bitrate::kbps(24);

    /// Opens an encoder without redundancy.
    ///
    /// # Errors
    /// As [`OpusEncoder::new`].
    pub fn new(settings: AudioSettings) -> Result<Self, CodecError> {
        Ok(Self {
            encoder: OpusEncoder::new(settings)?,
            settings,
            redundancy: Redundancy::default(),
            total: Self::TOTAL,
            sent: VecDeque::with_capacity(usize::from(Redundant::MAX_DISTANCE)),
        })
    }

    /// Changes the redundancy from the next frame on.
    ///
    /// # Errors
    /// [`CodecError`] where the codec refuses; the redundancy is then as before.
    pub fn set_redundancy(&mut self, redundancy: Redundancy) -> Result<(), CodecError> {
        if redundancy == self.redundancy {
            return Ok(());
        }
        self.encoder.protect(redundancy.protection())?;
        self.encoder.set_bitrate(redundancy.encoder_bitrate(self.settings, self.total))?;
        self.redundancy = redundancy;
        Ok(())
    }

    /// Changes what sound, copies and deep redundancy take together at most, from the next frame on.
    ///
    /// # Errors
    /// [`CodecError`] where the codec refuses; it is then as before.
    pub fn set_total(&mut self, total: Bitrate) -> Result<(), CodecError> {
        if total == self.total {
            return Ok(());
        }
        self.encoder.set_bitrate(self.redundancy.encoder_bitrate(self.settings, total))?;
        self.total = total;
        Ok(())
    }

    /// Changes how much sound a frame holds, from the next frame on.
    ///
    /// # Errors
    /// [`CodecError::Setting`] for a length that Opus has not; the length is then as before.
    pub fn set_frame(&mut self, frame: Duration) -> Result<(), CodecError> {
        if frame == self.settings.frame {
            return Ok(());
        }
        self.encoder.set_frame(frame)?;
        self.settings.frame = frame;
        // A receiver takes copies for as long as the frame that brings them.
        self.sent.clear();
        Ok(())
    }

    /// Changes whether what comes out always has the same size, from the next frame on: it tells nothing then of what is
    /// said, nor whether anything is.
    ///
    /// # Errors
    /// [`CodecError`] where the codec refuses.
    pub fn set_constant(&mut self, constant: bool) -> Result<(), CodecError> {
        if constant == self.settings.constant {
            return Ok(());
        }
        let settings = AudioSettings { constant, ..self.settings };
        self.encoder.set_constant(constant)?;
        self.encoder.set_bitrate(self.redundancy.encoder_bitrate(settings, self.total))?;
        self.settings = settings;
        // Their sizes tell of what was said.
        self.sent.clear();
        Ok(())
    }

    /// How much sound a frame holds.
    pub fn frame(&self) -> Duration {
        self.settings.frame
    }

    /// The redundancy in use.
    pub fn redundancy(&self) -> Redundancy {
        self.redundancy
    }

    /// Encodes one frame that was captured at `time`; `None` where there is nothing to send because of silence.
    ///
    /// What comes back is a [`Redundant`] in bytes.
    ///
    /// # Errors
    /// [`CodecError`] as [`AudioEncoder::encode`].
    pub fn encode(&mut self, time: MediaTime, samples: &[f32]) -> Result<Option<Bytes>, CodecError> {
        let Some(frame) = self.encoder.encode(samples)? else { return Ok(None) };
        let length = self.settings.frame;
        // A receiver knows a copy by its distance, which holds only where no frame is missing in between.
        if self.sent.back().is_some_and(|(last, _)| !follows(*last, time, length)) {
            self.sent.clear();
        }
        let copies = self.redundancy.distances().filter_map(|distance| {
            let at = self.sent.len().checked_sub(distance.into())?;
            Some(FrameCopy { distance, data: self.sent.get(at)?.1.clone() })
        });
        let all = Redundant { copies: copies.collect(), frame: frame.clone() }.to_bytes();
        // A copy needs no deep redundancy of its own. At a constant bitrate it keeps it, for its size.
        let copy = if self.settings.constant { Some(frame) } else { without_redundancy(&frame) };
        if self.sent.len() == usize::from(Redundant::MAX_DISTANCE) {
            self.sent.pop_front();
        }
        match copy {
            Some(copy) => self.sent.push_back((time, copy)),
            None => self.sent.clear(),
        }
        Ok(Some(all))
    }
}

/// Whether a frame at `time` directly follows one at `last`; capture times are a little off.
fn follows(last: MediaTime, time: MediaTime, length: Duration) -> bool {
    time.since(last).abs_diff(length) <= length / 4
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use conclave_capture::{Turns, voice::Voice};

    use super::*;

    fn tone(number: u64) -> Vec<f32> {
        (0..960).map(|i| ((number * 960 + i) as f32 * 0.05).sin() * 0.5).collect()
    }

    fn encode(encoder: &mut VoiceEncoder, number: u64) -> Redundant {
        let time = MediaTime(1_000_000 + number * 20_000 + number % 3);
        Redundant::parse(&encoder.encode(time, &tone(number)).unwrap().unwrap()).unwrap()
    }

    #[test]
    fn each_frame_repeats_those_before_it_but_not_across_a_gap() {
        let mut encoder = VoiceEncoder::new(AudioSettings::default()).unwrap();
        assert!((0..5).all(|number| encode(&mut encoder, number).copies.is_empty()));
        encoder.set_redundancy(Redundancy::STRONG).unwrap();
        let frames: Vec<_> = (5..13).map(|number| encode(&mut encoder, number)).collect();
        let bare = |at: usize| without_redundancy(&frames[at].frame).unwrap();
        let copy = |distance, at| FrameCopy { distance, data: bare(at) };
        assert_eq!(frames[7].copies, [copy(5, 2), copy(2, 5)]);
        assert!(frames[2].frame.len() > bare(2).len(), "a frame has deep redundancy, a copy has not");
        let distances = |frame: &Redundant| frame.copies.iter().map(|copy| copy.distance).collect::<Vec<_>>();
        // Muted for a moment.
        let after: Vec<_> = (16..22).map(|number| distances(&encode(&mut encoder, number))).collect();
        assert_eq!(after, [vec![], vec![], vec![2], vec![2], vec![2], vec![5, 2]]);
        encoder.set_redundancy(Redundancy::LIGHT).unwrap();
        assert_eq!(distances(&encode(&mut encoder, 22)), [1]);
    }

    #[test]
    fn from_the_change_to_a_constant_bitrate_on_sizes_tell_nothing_of_speech_or_silence() {
        for redundancy in [Redundancy::default(), Redundancy::STRONG] {
            let mut encoder = VoiceEncoder::new(AudioSettings { dtx: true, ..AudioSettings::default() }).unwrap();
            encoder.set_redundancy(redundancy).unwrap();
            let mut voice = Voice::new(4, Turns::ALWAYS);
            let mut sizes = Vec::new();
            for number in 0..600 {
                if number == 200 {
                    encoder.set_constant(true).unwrap();
                }
                let time = MediaTime(1_700_000_000_000_000 + number * 20_000);
                let mut sound = vec![0.0; 960];
                // Speaks for two seconds, is silent for one, and so on.
                if number % 150 < 100 {
                    voice.fill(time, &mut sound);
                }
                sizes.push(encoder.encode(time, &sound).unwrap().map_or(0, |packet| packet.len()));
            }
            let distinct = |sizes: &[usize]| sizes.iter().collect::<std::collections::BTreeSet<_>>().len();
            assert!(distinct(&sizes[..200]) > 20, "sizes tell much before");
            // The first copies come with the frames after the first.
            assert_eq!(distinct(&sizes[210..]), 1, "{redundancy:?}: {:?}", &sizes[200..]);
        }
    }

    #[test]
    fn everything_together_stays_within_64_kilobits_and_at_a_constant_bitrate_has_one_size() {
        for constant in [false, true] {
            for redundancy in [Redundancy::default(), Redundancy::COPY, Redundancy::LIGHT, Redundancy::STRONG] {
                let settings = AudioSettings { constant, ..AudioSettings::default() };
                let mut encoder = VoiceEncoder::new(settings).unwrap();
                encoder.set_redundancy(redundancy).unwrap();
                let mut voice = Voice::new(4, Turns::ALWAYS);
                let sizes: Vec<usize> = (0..400)
                    .map(|number| {
                        let time = MediaTime(1_700_000_000_000_000 + number * 20_000);
                        let mut sound = vec![0.0; 960];
                        voice.fill(time, &mut sound);
                        encoder.encode(time, &sound).unwrap().unwrap().len()
                    })
                    .collect();
                let settled = &sizes[10..];
                let kbps = settled.iter().sum::<usize>() as f64 * 8.0 / (settled.len() as f64 * 20.0);
                assert!(kbps <= 64.0, "{redundancy:?} constant {constant}: {kbps} kbit/s");
                if constant {
                    assert!(settled.iter().all(|size| *size == settled[0]), "{redundancy:?}: {settled:?}");
                }
            }
        }
    }
}
