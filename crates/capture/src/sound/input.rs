//! Real microphones.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread::{self, Thread},
    time::Duration,
};

use conclave_model::MediaTime;
use cpal::{
    FromSample, InputCallbackInfo, SampleFormat, SizedSample, StreamConfig,
    traits::{DeviceTrait, StreamTrait},
};
use crossbeam_channel::{Receiver, Sender, bounded};
use rtrb::{Consumer, Producer, RingBuffer};

use super::{
    OpenedSound,
    device::{self, End, Period},
    resample::Resampler,
};
use crate::{
    CaptureError, Clock, DeviceKind, PIECE_SAMPLES, SAMPLE_RATE,
    microphone::{MicrophoneEvent, Sink},
    worker::{Stop, Worker, now},
};

const KIND: DeviceKind = DeviceKind::Microphone;

/// What the device's callback fills and the stream's thread empties.
struct Line {
    samples: Consumer<f32>,
    faults: Receiver<cpal::Error>,
    /// Age of a sample when the callback gets it, in µs.
    latency: Arc<AtomicU32>,
}

/// The callback's end of a [`Line`].
struct Feed {
    samples: Producer<f32>,
    latency: Arc<AtomicU32>,
    channels: usize,
    reader: Thread,
}

impl Feed {
    /// Mixes what the device heard to mono. Copies only; what finds no room is dropped.
    fn take<T: SizedSample>(&mut self, data: &[T], info: &InputCallbackInfo)
    where
        f32: FromSample<T>,
    {
        for frame in data.chunks_exact(self.channels) {
            // Of a mixing desk's many channels the first two are the desk's sum.
            let left = f32::from_sample_(frame[0]);
            let mono = frame.get(1).map_or(left, |right| (left + f32::from_sample_(*right)) * 0.5);
            if self.samples.push(mono).is_err() {
                break;
            }
        }
        let stamp = info.timestamp();
        let latency = stamp.callback.checked_duration_since(stamp.capture).unwrap_or_default();
        self.latency.store(u32::try_from(latency.as_micros()).unwrap_or(0), Ordering::Relaxed);
        self.reader.unpark();
    }
}

/// Opens a microphone and starts to listen.
pub(crate) fn open(id: Option<&str>, clock: Clock, sink: Sink) -> Result<(OpenedSound, Worker), CaptureError> {
    let (tell, opened) = bounded(1);
    let id = id.map(str::to_owned);
    let worker = Worker::start("microphone", move |stop| listen(id.as_deref(), &clock, sink, &tell, stop))?;
    device::await_opened(KIND, worker, &opened)
}

/// The stream's thread: opens the device and passes on what it hears.
fn listen(
    id: Option<&str>,
    clock: &Clock,
    mut sink: Sink,
    tell: &Sender<Result<OpenedSound, CaptureError>>,
    stop: &Stop,
) {
    let (mut period, mut first) = (Period::default(), true);
    loop {
        let opened = device::find(KIND, id).and_then(|found| device::open(KIND, &found, period.length(), build));
        let opened = opened.and_then(|(opened, parts)| {
            let reason = format!("{} samples per second", opened.rate);
            let unsupported = CaptureError::Unsupported { kind: KIND, name: opened.name.clone(), reason };
            Ok((Resampler::new(opened.rate, SAMPLE_RATE).ok_or(unsupported)?, opened, parts))
        });
        let (resampler, opened, (stream, line)) = match opened {
            Ok(opened) => opened,
            Err(error) if first => return drop(tell.send(Err(error))),
            Err(error) => return sink(MicrophoneEvent::Lost(error)),
        };
        let name = opened.name.clone();
        if first && tell.send(Ok(opened)).is_err() {
            return;
        }
        first = false;
        let end = pass_on(line, resampler, &name, &mut period, clock, &mut sink, stop);
        drop(stream);
        match end {
            End::Stopped => return,
            End::Lost(error) => return sink(MicrophoneEvent::Lost(error)),
            End::Reopen => tracing::info!(period = ?period.length(), "the microphone is opened again, it stumbled"),
        }
    }
}

/// Passes on what comes, in pieces of 10 ms, until the end.
fn pass_on(
    mut line: Line,
    mut resampler: Resampler,
    name: &str,
    period: &mut Period,
    clock: &Clock,
    sink: &mut Sink,
    stop: &Stop,
) -> End {
    let (mut last, mut timeline) = (now(), Timeline::default());
    let (mut heard, mut ready) = (Vec::new(), Vec::new());
    while !stop.is_set() {
        while let Ok(fault) = line.faults.try_recv() {
            if !device::is_harmless(&fault) {
                return End::Lost(device::lost(KIND, name, &fault));
            }
            if fault.kind() == cpal::ErrorKind::Xrun && period.stumbles() {
                return End::Reopen;
            }
            tracing::debug!(%fault, "the microphone stumbles");
        }
        let count = line.samples.slots();
        if count == 0 {
            if last.elapsed() > device::PATIENCE {
                let seconds = last.elapsed().as_secs();
                return End::Lost(CaptureError::Frozen { kind: KIND, name: name.to_owned(), seconds });
            }
            thread::park_timeout(Duration::from_millis(20));
            continue;
        }
        last = now();
        heard.resize(count, 0.0);
        let _ = line.samples.pop_partial_slice(&mut heard);
        resampler.convert(&heard, &mut ready);
        let held = ready.len() as f64 / f64::from(SAMPLE_RATE) + resampler.delay();
        let age = (held * 1e6) as u64 + u64::from(line.latency.load(Ordering::Relaxed));
        // Some sound services drop sound without a word: then only the clock tells.
        if timeline.measure(clock().0.saturating_sub(age)) && period.stumbles() {
            return End::Reopen;
        }
        let mut sent = 0;
        while ready.len() - sent >= PIECE_SAMPLES {
            let frame = &ready[sent..sent + PIECE_SAMPLES];
            sink(MicrophoneEvent::Samples { time: timeline.next_frame(), samples: frame });
            sent += PIECE_SAMPLES;
        }
        ready.drain(..sent);
    }
    End::Stopped
}

/// When the samples were heard: counts them, and follows the clock slowly, since each measurement is a little off.
#[derive(Default)]
struct Timeline {
    /// Time of the first sample that waits, in µs.
    next: Option<f64>,
}

impl Timeline {
    /// Beyond this a gap is real: the machine slept, or samples were lost.
    const JUMP: f64 = 100_000.0;

    /// The first sample that waits was heard at `measured`, by the clock; true where sound is missing before it.
    fn measure(&mut self, measured: u64) -> bool {
        let measured = measured as f64;
        let off = self.next.map_or(0.0, |counted| measured - counted);
        let is_gap = off.abs() >= Self::JUMP;
        self.next = Some(match self.next {
            Some(counted) if !is_gap => counted + off / 64.0,
            _ => measured,
        });
        is_gap
    }

    /// The time of a frame that is taken away.
    fn next_frame(&mut self) -> MediaTime {
        let time = self.next.unwrap_or_default();
        self.next = Some(time + PIECE_SAMPLES as f64 / f64::from(SAMPLE_RATE) * 1e6);
        MediaTime(time as u64)
    }
}

type Stream = <cpal::Device as DeviceTrait>::Stream;

/// Opens the device with one kind of settings and lets it run.
fn build(device: &cpal::Device, config: StreamConfig, format: SampleFormat) -> Result<(Stream, Line), cpal::Error> {
    let (producer, samples) = RingBuffer::new(config.sample_rate as usize);
    let (report, faults) = bounded(16);
    let latency = Arc::new(AtomicU32::new(0));
    let channels = usize::from(config.channels).max(1);
    let feed = Feed { samples: producer, latency: latency.clone(), channels, reader: thread::current() };
    let fault = move |error| drop(report.try_send(error));
    macro_rules! build {
        ($($format:ident => $sample:ty),*) => {
            match format {
                $(SampleFormat::$format => {
                    let mut feed = feed;
                    let callback = move |data: &[$sample], info: &InputCallbackInfo| feed.take(data, info);
                    device.build_input_stream(config, callback, fault, device::ATTEMPT)?
                })*
                _ => return Err(cpal::ErrorKind::UnsupportedConfig.into()),
            }
        };
    }
    let stream = build!(
        I8 => i8, I16 => i16, I24 => cpal::I24, I32 => i32, I64 => i64,
        U8 => u8, U16 => u16, U24 => cpal::U24, U32 => u32, U64 => u64,
        F32 => f32, F64 => f64
    );
    stream.play()?;
    Ok((stream, Line { samples, faults, latency }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_go_on_evenly_though_measurements_are_off() {
        let mut timeline = Timeline::default();
        let mut last = None;
        for step in 0..500_u64 {
            let off = [0, 9_000, 3_000, 12_000][step as usize % 4];
            assert!(!timeline.measure(1_000_000 + step * 10_000 + off));
            let time = timeline.next_frame().0;
            if let Some(last) = last {
                let gap: u64 = time - last;
                assert!((9_500..10_750).contains(&gap), "{gap} µs");
            }
            last = Some(time);
        }
        let end = last.expect("times");
        assert!(end.abs_diff(1_000_000 + 499 * 10_000 + 6_000) < 6_000, "{end}");
    }

    #[test]
    fn a_real_gap_is_followed_at_once() {
        let mut timeline = Timeline::default();
        assert!(!timeline.measure(1_000_000), "the first is no gap");
        timeline.next_frame();
        assert!(timeline.measure(9_000_000));
        assert_eq!(timeline.next_frame(), MediaTime(9_000_000));
    }
}
