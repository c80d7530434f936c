//! Real loudspeakers.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread::{self, Thread},
    time::Duration,
};

use cpal::{
    FromSample, SampleFormat, SizedSample, StreamConfig,
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
    CaptureError, DeviceKind, SAMPLE_RATE,
    speaker::{Lost, Source},
    worker::{Stop, Worker, now},
};

const KIND: DeviceKind = DeviceKind::Speaker;
/// Samples that a source is asked for at once: 10 ms.
pub(crate) const PIECE: usize = 480;

/// What the stream's thread fills and the device's callback empties.
struct Line {
    samples: Producer<f32>,
    faults: Receiver<cpal::Error>,
    /// Samples that the device took in its largest gulp so far.
    gulp: Arc<AtomicU32>,
    /// Callbacks so far.
    calls: Arc<AtomicU32>,
}

/// The callback's end of a [`Line`].
struct Drain {
    samples: Consumer<f32>,
    gulp: Arc<AtomicU32>,
    calls: Arc<AtomicU32>,
    channels: usize,
    writer: Thread,
}

impl Drain {
    /// Hands out what waits, the same to left and right. Copies only; what is missing stays silent.
    fn give<T: SizedSample + FromSample<f32>>(&mut self, data: &mut [T]) {
        let frames = data.len() / self.channels;
        self.gulp.fetch_max(u32::try_from(frames).unwrap_or(u32::MAX), Ordering::Relaxed);
        self.calls.fetch_add(1, Ordering::Relaxed);
        for frame in data.chunks_exact_mut(self.channels) {
            let Ok(sample) = self.samples.pop() else { break };
            let sample = T::from_sample_(sample);
            frame.iter_mut().take(2).for_each(|channel| *channel = sample);
        }
        self.writer.unpark();
    }
}

/// Opens a loudspeaker and starts to play.
pub(crate) fn open(id: Option<&str>, source: Source, lost: Lost) -> Result<(OpenedSound, Worker), CaptureError> {
    let (tell, opened) = bounded(1);
    let id = id.map(str::to_owned);
    let worker = Worker::start("speaker", move |stop| play(id.as_deref(), source, lost, &tell, stop))?;
    device::await_opened(KIND, worker, &opened)
}

/// The stream's thread: opens the device and keeps it supplied.
fn play(
    id: Option<&str>,
    mut source: Source,
    lost: Lost,
    tell: &Sender<Result<OpenedSound, CaptureError>>,
    stop: &Stop,
) {
    let (mut period, mut first) = (Period::default(), true);
    loop {
        let opened = device::find(KIND, id).and_then(|found| device::open(KIND, &found, period.length(), build));
        let opened = opened.and_then(|(opened, parts)| {
            let reason = format!("{} samples per second", opened.rate);
            let unsupported = CaptureError::Unsupported { kind: KIND, name: opened.name.clone(), reason };
            Ok((Resampler::new(SAMPLE_RATE, opened.rate).ok_or(unsupported)?, opened, parts))
        });
        let (resampler, opened, (stream, line)) = match opened {
            Ok(opened) => opened,
            Err(error) if first => return drop(tell.send(Err(error))),
            Err(error) => return lost(error),
        };
        let (name, rate) = (opened.name.clone(), opened.rate);
        if first && tell.send(Ok(opened)).is_err() {
            return;
        }
        first = false;
        let end = supply(line, resampler, rate, &name, &mut period, &mut source, stop);
        drop(stream);
        match end {
            End::Stopped => return,
            End::Lost(error) => return lost(error),
            End::Reopen => tracing::info!(period = ?period.length(), "the loudspeaker is opened again, it stumbled"),
        }
    }
}

/// Keeps the ring filled for one gulp of the device and 10 ms, until the end.
fn supply(
    mut line: Line,
    mut resampler: Resampler,
    rate: u32,
    name: &str,
    period: &mut Period,
    source: &mut Source,
    stop: &Stop,
) -> End {
    let (mut last, mut calls) = (now(), 0);
    let capacity = line.samples.buffer().capacity();
    let (mut piece, mut ready) = ([0.0_f32; PIECE], Vec::new());
    while !stop.is_set() {
        while let Ok(fault) = line.faults.try_recv() {
            if !device::is_harmless(&fault) {
                return End::Lost(device::lost(KIND, name, &fault));
            }
            if fault.kind() == cpal::ErrorKind::Xrun && period.stumbles() {
                return End::Reopen;
            }
            tracing::debug!(%fault, "the loudspeaker stumbles");
        }
        let called = line.calls.load(Ordering::Relaxed);
        if called != calls {
            (last, calls) = (now(), called);
        } else if last.elapsed() > device::PATIENCE {
            let seconds = last.elapsed().as_secs();
            return End::Lost(CaptureError::Frozen { kind: KIND, name: name.to_owned(), seconds });
        }
        let ten = rate as usize / 100;
        let target = (line.gulp.load(Ordering::Relaxed) as usize).clamp(ten, capacity / 2) + ten;
        while capacity - line.samples.slots() < target {
            if ready.is_empty() {
                source(&mut piece);
                piece
                    .iter_mut()
                    .for_each(|sample| *sample = if sample.is_finite() { sample.clamp(-1.0, 1.0) } else { 0.0 });
                resampler.convert(&piece, &mut ready);
            }
            let (written, rest) = line.samples.push_partial_slice(&ready);
            let full = !rest.is_empty();
            let written = written.len();
            ready.drain(..written);
            if full {
                break;
            }
        }
        thread::park_timeout(Duration::from_millis(10));
    }
    End::Stopped
}

type Stream = <cpal::Device as DeviceTrait>::Stream;

/// Opens the device with one kind of settings and lets it run.
fn build(device: &cpal::Device, config: StreamConfig, format: SampleFormat) -> Result<(Stream, Line), cpal::Error> {
    // Room for half a second: some sound services take 100 ms at once.
    let (producer, consumer) = RingBuffer::new(config.sample_rate as usize / 2);
    let (report, faults) = bounded(16);
    let (gulp, calls) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let channels = usize::from(config.channels).max(1);
    let drain =
        Drain { samples: consumer, gulp: gulp.clone(), calls: calls.clone(), channels, writer: thread::current() };
    let fault = move |error| drop(report.try_send(error));
    macro_rules! build {
        ($($format:ident => $sample:ty),*) => {
            match format {
                $(SampleFormat::$format => {
                    let mut drain = drain;
                    let callback = move |data: &mut [$sample], _: &cpal::OutputCallbackInfo| drain.give(data);
                    device.build_output_stream(config, callback, fault, device::ATTEMPT)?
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
    Ok((stream, Line { samples: producer, faults, gulp, calls }))
}
