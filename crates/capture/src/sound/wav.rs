//! WAV files, played in real time.

mod source;

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    time::Duration,
};

use conclave_model::MediaTime;
use hound::{SampleFormat, WavReader, WavSpec};
use source::Source;

use super::{
    OpenedSound,
    resample::{RATES, Resampler},
};
use crate::{
    CaptureError, Clock, PIECE_SAMPLES, SAMPLE_RATE,
    microphone::{MicrophoneEvent, Sink},
    worker::{Pace, Worker},
};

/// Most channels that are mixed; more are not believed.
const MOST_CHANNELS: u16 = 64;

/// What keeps a file from being played as WAV, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WavProblem {
    /// It begins with something else.
    #[error("is no WAV file: it does not begin with RIFF....WAVE; make one with: ffmpeg -i IN -ar 48000 OUT.wav")]
    NotWav,
    /// It begins as one and then makes no sense.
    #[error("is a broken WAV file: {0}")]
    Broken(String),
    /// Its samples are coded in a way that is not played.
    #[error(
        "has samples that are not played ({0}); right would be PCM of 8 to 32 bits: ffmpeg -i IN -c:a pcm_s16le OUT.wav"
    )]
    Format(String),
    /// A rate that is not believed.
    #[error("has {0} samples per second; from 4000 to 768000 would be right")]
    Rate(u32),
    /// A number of channels that is not believed.
    #[error("has {0} channels; from 1 to 64 would be right")]
    Channels(u16),
    /// It has a header and no sound.
    #[error("holds no sound")]
    Empty,
    /// It ends before its header says so.
    #[error("is cut off: its header announces {announced} samples per channel, sample {found} is not there")]
    Truncated {
        /// As the header says.
        announced: u32,
        /// The first that is not there.
        found: u32,
    },
}

/// An open file.
struct Clip {
    path: PathBuf,
    reader: WavReader<Source>,
    spec: WavSpec,
    /// Samples per channel that were read since the beginning.
    position: u32,
    resampler: Resampler,
    /// At 48 kHz, not yet played.
    ready: Vec<f32>,
}

impl Clip {
    fn open(path: &Path) -> Result<Self, CaptureError> {
        let unreadable =
            |error: std::io::Error| CaptureError::Unreadable { path: path.to_owned(), reason: error.to_string() };
        let wrong = |problem| CaptureError::Wav { path: path.to_owned(), problem };
        let mut head = Vec::new();
        File::open(path).and_then(|file| file.take(12).read_to_end(&mut head)).map_err(unreadable)?;
        if !(head.starts_with(b"RIFF") && head.ends_with(b"WAVE") && head.len() == 12) {
            return Err(wrong(WavProblem::NotWav));
        }
        let source = Source::open(path).map_err(unreadable)?;
        let reader = WavReader::new(source).map_err(|error| wrong(explain(error)))?;
        let spec = reader.spec();
        if !RATES.contains(&spec.sample_rate) {
            return Err(wrong(WavProblem::Rate(spec.sample_rate)));
        }
        if !(1..=MOST_CHANNELS).contains(&spec.channels) {
            return Err(wrong(WavProblem::Channels(spec.channels)));
        }
        if reader.duration() == 0 {
            return Err(wrong(WavProblem::Empty));
        }
        let resampler =
            Resampler::new(spec.sample_rate, SAMPLE_RATE).ok_or_else(|| wrong(WavProblem::Rate(spec.sample_rate)))?;
        let mut clip = Self { path: path.to_owned(), reader, spec, position: 0, resampler, ready: Vec::new() };
        clip.check_end()?;
        Ok(clip)
    }

    /// Whether the last sample is there, so that a file that is cut off is told when it is opened.
    fn check_end(&mut self) -> Result<(), CaptureError> {
        let last = self.reader.duration() - 1;
        self.seek(last)?;
        self.read(1, &mut Vec::new())?;
        self.seek(0)
    }

    fn seek(&mut self, position: u32) -> Result<(), CaptureError> {
        self.position = position;
        self.reader
            .seek(position)
            .map_err(|error| CaptureError::Unreadable { path: self.path.clone(), reason: error.to_string() })
    }

    /// Reads `count` samples per channel, mixed to mono.
    fn read(&mut self, count: usize, mono: &mut Vec<f32>) -> Result<(), CaptureError> {
        let (channels, wanted) = (usize::from(self.spec.channels), mono.len() + count);
        let scale = 1.0 / (1_i64 << (self.spec.bits_per_sample.clamp(1, 32) - 1)) as f32 / channels as f32;
        let result = match self.spec.sample_format {
            SampleFormat::Float => {
                let scale = 1.0 / channels as f32;
                mix(self.reader.samples::<f32>().map(|sample| sample.map(|value| value * scale)), channels, count, mono)
            }
            SampleFormat::Int => mix(
                self.reader.samples::<i32>().map(|sample| sample.map(|value| value as f32 * scale)),
                channels,
                count,
                mono,
            ),
        };
        let read = (count + mono.len() - wanted) as u32;
        let (announced, found) = (self.reader.duration(), self.position + read);
        self.position = found;
        match result {
            Ok(true) => Ok(()),
            Ok(false) => Err(self.wrong(WavProblem::Truncated { announced, found })),
            // What the system did not say is the reader's word for an early end.
            Err(hound::Error::IoError(error)) if error.raw_os_error().is_none() => {
                Err(self.wrong(WavProblem::Truncated { announced, found }))
            }
            Err(error) => Err(self.wrong(explain(error))),
        }
    }

    /// Fills `frame` with the next samples at 48 kHz; after the last comes the first.
    fn next(&mut self, frame: &mut [f32]) -> Result<(), CaptureError> {
        let mut mono = Vec::new();
        while self.ready.len() < frame.len() {
            let rest = self.reader.duration() - self.position;
            if rest == 0 {
                self.seek(0)?;
                continue;
            }
            // 10 ms at a time.
            let count = (self.spec.sample_rate / 100).min(rest) as usize;
            mono.clear();
            self.read(count, &mut mono)?;
            self.resampler.convert(&mono, &mut self.ready);
        }
        frame.copy_from_slice(&self.ready[..frame.len()]);
        self.ready.drain(..frame.len());
        Ok(())
    }

    /// Leaves out so many pieces of 10 ms.
    fn skip(&mut self, pieces: u64) -> Result<(), CaptureError> {
        if pieces == 0 {
            return Ok(());
        }
        let samples = pieces.saturating_mul(u64::from(self.spec.sample_rate)) / 100;
        let duration = u64::from(self.reader.duration());
        self.seek(((u64::from(self.position) + samples % duration) % duration) as u32)
    }

    fn wrong(&self, problem: WavProblem) -> CaptureError {
        CaptureError::Wav { path: self.path.clone(), problem }
    }
}

/// Adds up the channels of `count` samples; false where the file ends before.
fn mix(
    mut samples: impl Iterator<Item = hound::Result<f32>>,
    channels: usize,
    count: usize,
    mono: &mut Vec<f32>,
) -> hound::Result<bool> {
    for _ in 0..count {
        let mut sum = 0.0;
        for _ in 0..channels {
            match samples.next() {
                Some(sample) => sum += sample?,
                None => return Ok(false),
            }
        }
        mono.push(if sum.is_finite() { sum.clamp(-1.0, 1.0) } else { 0.0 });
    }
    Ok(true)
}

fn explain(error: hound::Error) -> WavProblem {
    match error {
        hound::Error::IoError(error) if error.raw_os_error().is_none() => {
            WavProblem::Broken("it ends within its header".to_owned())
        }
        hound::Error::IoError(error) => WavProblem::Broken(error.to_string()),
        hound::Error::FormatError(reason) => WavProblem::Broken(reason.to_owned()),
        error @ (hound::Error::Unsupported
        | hound::Error::TooWide
        | hound::Error::UnfinishedSample
        | hound::Error::InvalidSampleFormat) => WavProblem::Format(error.to_string().to_lowercase()),
    }
}

/// Opens a file and starts to play it.
pub(crate) fn play(path: &Path, clock: Clock, mut sink: Sink) -> Result<(OpenedSound, Worker), CaptureError> {
    let mut clip = Clip::open(path)?;
    let WavSpec { channels, sample_rate, bits_per_sample, sample_format } = clip.spec;
    let letter = match sample_format {
        SampleFormat::Float => 'f',
        SampleFormat::Int => 'i',
    };
    let format = format!("{letter}{bits_per_sample}");
    let opened = OpenedSound { name: path.display().to_string(), rate: sample_rate, channels, format };
    let worker = Worker::start("mic-file", move |stop| {
        let mut pace = Pace::new(u64::from(SAMPLE_RATE), PIECE_SAMPLES as u64);
        let mut frame = [0.0; PIECE_SAMPLES];
        while pace.wait(stop) {
            // Samples are heard one after the other: the first of them 10 ms ago.
            let time = MediaTime(pace.due(&clock).0.saturating_sub(PIECE_LENGTH.as_micros() as u64));
            match clip.skip(pace.skipped()).and_then(|()| clip.next(&mut frame)) {
                Ok(()) => sink(MicrophoneEvent::Samples { time, samples: &frame }),
                Err(error) => return sink(MicrophoneEvent::Lost(error)),
            }
        }
    })?;
    Ok((opened, worker))
}

/// How long [`PIECE_SAMPLES`] last.
pub(crate) const PIECE_LENGTH: Duration = Duration::from_millis(10);

#[cfg(test)]
#[path = "wav/tests.rs"]
mod tests;
