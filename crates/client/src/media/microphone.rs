//! From microphone samples to encoded frames.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use conclave_capture::{Clock, Level, PIECE_SAMPLES, SAMPLE_RATE};
use conclave_codec::{AudioSettings, CodecError};
use conclave_model::{Bitrate, EncodedFrame, Layer, MediaTime};

use super::{
    MediaError, Redundancy, Reference, VoiceEncoder, VoiceMode, VoiceProcessor, inbox::Inbox, processing::SharedMode,
    spawn,
};

/// Encodes the own voice on a thread of its own, behind a hard mute gate.
///
/// While muted, samples are measured for the level meter and dropped before anything else sees them.
#[derive(Debug)]
pub struct MicrophonePipeline {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// Where the microphone's samples go in; clones feed the same pipeline.
#[derive(Clone, Debug)]
pub struct MicrophoneInput(Arc<Shared>);

/// What comes out of a [`MicrophonePipeline`], on its voice thread.
#[derive(Debug)]
pub enum MicrophoneOutput {
    /// The next 20 ms, or 10 ms; never while muted.
    Frame(EncodedFrame),
    /// The encoder failed. The next samples are tried with a new one.
    Failed(CodecError),
}

/// What a [`MicrophonePipeline`] has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MicrophoneCounters {
    /// Frames that came out.
    pub frames: u64,
    /// Bytes of these frames.
    pub bytes: u64,
    /// Pieces of sound that were lost because the voice thread did not keep up.
    pub overruns: u64,
}

#[derive(Debug)]
struct Shared {
    chunks: Inbox<VecDeque<Chunk>>,
    muted: AtomicBool,
    /// Bits of an f32.
    level: AtomicU32,
    /// What the line asks for.
    line: Mutex<Line>,
    /// What the person asks for.
    mode: SharedMode,
    /// Samples in a row that were digital silence.
    silent: AtomicU64,
    frames: AtomicU64,
    bytes: AtomicU64,
    overruns: AtomicU64,
}

/// What the line asks for.
#[derive(Clone, Copy, Debug)]
struct Line {
    redundancy: Redundancy,
    /// How much sound a frame holds.
    frame: Duration,
    /// Whether all frames have one size.
    constant: bool,
    /// What sound and all that is added to it take together at most.
    total: Bitrate,
}

#[derive(Debug)]
struct Chunk {
    time: MediaTime,
    samples: Vec<f32>,
}

impl MicrophonePipeline {
    /// Starts the voice thread, which encodes what the microphone gives as it is; see [`MicrophonePipeline::start_in`].
    ///
    /// # Errors
    /// [`MediaError`] where the encoder or the thread cannot be had.
    pub fn start(
        settings: AudioSettings,
        muted: bool,
        clock: Clock,
        sink: impl FnMut(MicrophoneOutput) + Send + 'static,
    ) -> Result<Self, MediaError> {
        Self::start_in(VoiceMode::FullBand, Reference::default(), settings, muted, clock, sink)
    }

    /// Starts the voice thread. `muted` is where the gate stands from the first sample on.
    ///
    /// The voice is prepared as `mode` says, after the gate; `reference` is what the loudspeaker plays, from
    /// [`SoundReceiver::reference`](super::SoundReceiver::reference). `sink` is called on the voice thread and should not block for longer than a frame lasts.
    ///
    /// # Errors
    /// [`MediaError`] where the encoder or the thread cannot be had.
    pub fn start_in(
        mode: VoiceMode,
        reference: Reference,
        settings: AudioSettings,
        muted: bool,
        clock: Clock,
        sink: impl FnMut(MicrophoneOutput) + Send + 'static,
    ) -> Result<Self, MediaError> {
        let shared = Arc::new(Shared {
            chunks: Inbox::new(VecDeque::with_capacity(QUEUE)),
            muted: AtomicBool::new(muted),
            level: AtomicU32::new(0),
            line: Mutex::new(Line {
                redundancy: Redundancy::default(),
                frame: settings.frame,
                constant: settings.constant,
                total: VoiceEncoder::TOTAL,
            }),
            mode: SharedMode::default(),
            silent: AtomicU64::new(0),
            frames: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            overruns: AtomicU64::new(0),
        });
        let encoder = VoiceEncoder::new(settings)?;
        shared.mode.set(mode);
        let voice = VoiceProcessor::new(reference, mode);
        let mut worker = Worker {
            shared: Arc::clone(&shared),
            settings,
            encoder,
            voice,
            next: None,
            frame: Vec::new(),
            begins: MediaTime(0),
            clock,
            sink,
        };
        let thread = spawn("voice-encoder", move || worker.run())?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Where samples go in.
    pub fn input(&self) -> MicrophoneInput {
        MicrophoneInput(Arc::clone(&self.shared))
    }

    /// Closes or opens the gate; closed, not one sample passes from the call on.
    pub fn set_muted(&self, muted: bool) {
        self.shared.muted.store(muted, Ordering::SeqCst);
    }

    /// Changes what is added for lossy lines, from the next frame on.
    pub fn set_redundancy(&self, redundancy: Redundancy) {
        self.shared.line.lock().unwrap_or_else(PoisonError::into_inner).redundancy = redundancy;
    }

    /// Changes how much sound a frame holds, from the next frame on: 10 or 20 ms.
    pub fn set_frame(&self, frame: Duration) {
        self.shared.line.lock().unwrap_or_else(PoisonError::into_inner).frame = frame;
    }

    /// Changes what the sound and all that is added to it take together at most, from the next frame on.
    pub fn set_total(&self, total: Bitrate) {
        self.shared.line.lock().unwrap_or_else(PoisonError::into_inner).total = total;
    }

    /// Changes whether all frames have the same size, from the next frame on, so that an eavesdropper learns nothing from
    /// it.
    pub fn set_constant(&self, constant: bool) {
        self.shared.line.lock().unwrap_or_else(PoisonError::into_inner).constant = constant;
    }

    /// Changes how the voice is prepared, from the next frame on.
    pub fn set_mode(&self, mode: VoiceMode) {
        self.shared.mode.set(mode);
    }

    /// Whether the gate is closed.
    pub fn is_muted(&self) -> bool {
        self.shared.muted.load(Ordering::SeqCst)
    }

    /// How loud the microphone is, before the gate: 0 at −60 dBFS and below, 1 at full scale; falls slowly.
    pub fn level(&self) -> f32 {
        f32::from_bits(self.shared.level.load(Ordering::Relaxed))
    }

    /// For how long the microphone has given nothing but digital silence, which no open microphone in a room does:
    /// its own switch, the system's mixer or a permission keeps the sound back.
    pub fn silence(&self) -> Duration {
        Duration::from_micros(self.shared.silent.load(Ordering::Relaxed) * 1_000_000 / u64::from(SAMPLE_RATE))
    }

    /// Begins to time the silence anew, for another device.
    pub fn forget_silence(&self) {
        self.shared.silent.store(0, Ordering::Relaxed);
    }

    /// What has been done so far.
    pub fn counters(&self) -> MicrophoneCounters {
        MicrophoneCounters {
            frames: self.shared.frames.load(Ordering::Relaxed),
            bytes: self.shared.bytes.load(Ordering::Relaxed),
            overruns: self.shared.overruns.load(Ordering::Relaxed),
        }
    }
}

impl Drop for MicrophonePipeline {
    fn drop(&mut self) {
        self.shared.chunks.close();
        if let Some(thread) = self.thread.take() {
            // A panic of the voice thread has been reported by the panic hook already.
            let _ = thread.join();
        }
    }
}

impl MicrophoneInput {
    /// Gives the next samples: mono at 48 kHz, 10 or 20 ms of them, the first captured at `time`.
    ///
    /// Measures them, passes them through the gate and never waits.
    pub fn push(&self, time: MediaTime, samples: &[f32]) {
        let shared = &self.0;
        let now = Level::of(samples).bar();
        let before = f32::from_bits(shared.level.load(Ordering::Relaxed));
        let fall = FALL_PER_PIECE * samples.len() as f32 / PIECE_SAMPLES as f32;
        shared.level.store(now.max(before - fall).to_bits(), Ordering::Relaxed);
        let is_silent = samples.iter().all(|sample| *sample == 0.0);
        let silent =
            if is_silent { shared.silent.load(Ordering::Relaxed).saturating_add(samples.len() as u64) } else { 0 };
        shared.silent.store(silent, Ordering::Relaxed);
        if shared.muted.load(Ordering::SeqCst) {
            return;
        }
        let taken = shared.chunks.change(|chunks| {
            let room = chunks.len() < QUEUE;
            if room {
                chunks.push_back(Chunk { time, samples: samples.to_vec() });
            }
            room
        });
        if !taken {
            shared.overruns.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The voice thread's own.
struct Worker<S> {
    shared: Arc<Shared>,
    settings: AudioSettings,
    encoder: VoiceEncoder,
    voice: VoiceProcessor,
    /// When the next piece of sound is expected to have been captured.
    next: Option<MediaTime>,
    /// Prepared, and no whole frame yet.
    frame: Vec<f32>,
    /// When the first sample of `frame` was captured.
    begins: MediaTime,
    clock: Clock,
    sink: S,
}

impl<S: FnMut(MicrophoneOutput)> Worker<S> {
    fn run(&mut self) {
        while let Some(mut chunk) = self.shared.chunks.wait(VecDeque::pop_front) {
            // The gate may have closed while the samples waited.
            if self.shared.muted.load(Ordering::SeqCst) {
                self.frame.clear();
                continue;
            }
            let length = chunk.samples.len();
            if length == 0 || !length.is_multiple_of(PIECE_SAMPLES) {
                (self.sink)(MicrophoneOutput::Failed(CodecError::FrameLength { found: length, wanted: PIECE_SAMPLES }));
                continue;
            }
            let gap = self.next.is_none_or(|next| chunk.time.since(next) > GAP);
            self.next = Some(chunk.time + duration_of(length));
            self.voice.set_mode(self.shared.mode.current());
            self.voice.process(&mut chunk.samples, gap);
            if gap || self.frame.is_empty() {
                self.frame.clear();
                self.begins = chunk.time;
            }
            self.frame.extend_from_slice(&chunk.samples);
            self.encode();
        }
    }

    /// Encodes what has become a whole frame.
    fn encode(&mut self) {
        self.follow_orders();
        let wanted = samples_in(self.encoder.frame());
        while wanted > 0 && self.frame.len() >= wanted {
            let rest = self.frame.split_off(wanted);
            let samples = std::mem::replace(&mut self.frame, rest);
            let time = self.begins;
            self.begins = time + self.encoder.frame();
            match self.encoder.encode(time, &samples) {
                Ok(Some(data)) => {
                    self.shared.frames.fetch_add(1, Ordering::Relaxed);
                    self.shared.bytes.fetch_add(data.len() as u64, Ordering::Relaxed);
                    let encode_delay = (self.clock)().since(time);
                    (self.sink)(MicrophoneOutput::Frame(EncodedFrame {
                        time,
                        encode_delay,
                        key: true,
                        layer: Layer::default(),
                        discardable: false,
                        back: 0,
                        data,
                    }));
                }
                Ok(None) => {}
                Err(error) => {
                    if let Ok(fresh) = VoiceEncoder::new(self.settings) {
                        self.encoder = fresh;
                    }
                    (self.sink)(MicrophoneOutput::Failed(error));
                }
            }
        }
    }

    /// Brings the encoder to what was asked for meanwhile.
    fn follow_orders(&mut self) {
        let Line { redundancy, frame, constant, total } =
            *self.shared.line.lock().unwrap_or_else(PoisonError::into_inner);
        let encoder = &mut self.encoder;
        let followed = encoder.set_constant(constant).and_then(|()| encoder.set_frame(frame));
        let followed = followed.and_then(|()| encoder.set_redundancy(redundancy));
        let followed = followed.and_then(|()| encoder.set_total(total));
        if let Err(error) = followed {
            tracing::warn!(%error, ?redundancy, ?frame, "the encoder does not follow the line");
        }
    }
}

fn duration_of(samples: usize) -> Duration {
    Duration::from_micros(samples as u64 * 1_000_000 / u64::from(SAMPLE_RATE))
}

fn samples_in(length: Duration) -> usize {
    usize::try_from(length.as_micros() * u128::from(SAMPLE_RATE) / 1_000_000).unwrap_or(usize::MAX)
}

/// From this much missing sound on the canceller forgets what was played meanwhile.
const GAP: Duration = Duration::from_millis(60);

/// Pieces of 10 ms that may wait for the voice thread; more would only be delay.
const QUEUE: usize = 20;

/// How far the level meter falls per piece of sound: from full to nothing in half a second.
const FALL_PER_PIECE: f32 = 0.02;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::mpsc;

    use super::*;

    fn start(muted: bool) -> (MicrophonePipeline, mpsc::Receiver<EncodedFrame>) {
        let (sender, frames) = mpsc::sync_channel(100);
        let clock: Clock = Arc::new(|| MediaTime(50_000));
        let pipeline = MicrophonePipeline::start(AudioSettings::default(), muted, clock, move |output| match output {
            MicrophoneOutput::Frame(frame) => sender.send(frame).unwrap(),
            MicrophoneOutput::Failed(error) => panic!("{error}"),
        });
        (pipeline.unwrap(), frames)
    }

    fn tone() -> Vec<f32> {
        (0..960).map(|i| (i as f32 * 0.05).sin() * 0.5).collect()
    }

    #[test]
    fn sound_comes_out_with_its_time_and_delay() {
        let (pipeline, frames) = start(false);
        pipeline.input().push(MediaTime(20_000), &tone());
        let frame = frames.recv_timeout(Duration::from_secs(10)).unwrap();
        assert_eq!((frame.time, frame.encode_delay), (MediaTime(20_000), Duration::from_millis(30)));
        assert!(frame.key && !frame.data.is_empty());
    }

    #[test]
    fn nothing_passes_the_closed_gate_but_the_meter_still_moves() {
        let (pipeline, frames) = start(true);
        let input = pipeline.input();
        for number in 0..20 {
            input.push(MediaTime(number * 20_000), &tone());
        }
        assert!(pipeline.level() > 0.5);
        pipeline.set_muted(false);
        input.push(MediaTime(400_000), &tone());
        let first = frames.recv_timeout(Duration::from_secs(10)).unwrap();
        assert_eq!(first.time, MediaTime(400_000));
        assert_eq!(pipeline.counters().frames, 1);
    }

    #[test]
    fn digital_silence_is_timed_open_or_muted_and_the_quietest_noise_ends_it() {
        let (pipeline, _frames) = start(true);
        let input = pipeline.input();
        input.push(MediaTime(0), &tone());
        assert_eq!(pipeline.silence(), Duration::ZERO);
        for _ in 0..150 {
            input.push(MediaTime(0), &[0.0; 960]);
        }
        assert_eq!(pipeline.silence(), Duration::from_secs(3));
        let mut noise = [0.0; 960];
        noise[7] = 1e-5;
        input.push(MediaTime(0), &noise);
        assert_eq!(pipeline.silence(), Duration::ZERO);
        input.push(MediaTime(0), &[0.0; 960]);
        pipeline.forget_silence();
        assert_eq!(pipeline.silence(), Duration::ZERO);
    }

    #[test]
    fn the_meter_falls_slowly_to_nothing() {
        let (pipeline, _frames) = start(true);
        let input = pipeline.input();
        input.push(MediaTime(0), &tone());
        let loud = pipeline.level();
        input.push(MediaTime(0), &[0.0; 960]);
        assert!(pipeline.level() > loud - 0.1);
        for _ in 0..30 {
            input.push(MediaTime(0), &[0.0; 960]);
        }
        assert!(pipeline.level() <= 0.0);
    }

    #[test]
    fn pieces_of_10_ms_become_frames_of_the_length_that_is_asked_for() {
        let (pipeline, frames) = start(false);
        let input = pipeline.input();
        let next = |frames: &mpsc::Receiver<EncodedFrame>| {
            let frame = frames.recv_timeout(Duration::from_secs(10)).unwrap();
            let sound = conclave_codec::Redundant::parse(&frame.data).unwrap().frame;
            (frame.time.0, conclave_codec::packet_length(&sound).unwrap().as_millis())
        };
        for piece in 0..4 {
            input.push(MediaTime(piece * 10_000), &tone()[..480]);
        }
        assert_eq!([next(&frames), next(&frames)], [(0, 20), (20_000, 20)]);
        pipeline.set_frame(Duration::from_millis(10));
        for piece in 4..7 {
            input.push(MediaTime(piece * 10_000), &tone()[..480]);
        }
        assert_eq!([next(&frames), next(&frames), next(&frames)], [(40_000, 10), (50_000, 10), (60_000, 10)]);
        // Half a frame before a gap is left out: it would be heard in the wrong place.
        pipeline.set_frame(Duration::from_millis(20));
        input.push(MediaTime(70_000), &tone()[..480]);
        input.push(MediaTime(900_000), &tone()[..480]);
        input.push(MediaTime(910_000), &tone()[..480]);
        assert_eq!(next(&frames), (900_000, 20));
    }

    #[test]
    fn a_wrong_number_of_samples_is_an_error_and_not_the_end() {
        let (sender, outputs) = mpsc::sync_channel(100);
        let clock: Clock = Arc::new(|| MediaTime(0));
        let pipeline = MicrophonePipeline::start(AudioSettings::default(), false, clock, move |output| {
            sender.send(matches!(output, MicrophoneOutput::Frame(_))).unwrap();
        })
        .unwrap();
        pipeline.input().push(MediaTime(0), &[0.0; 7]);
        pipeline.input().push(MediaTime(0), &tone());
        let outcome: Vec<_> = (0..2).map(|_| outputs.recv_timeout(Duration::from_secs(10)).unwrap()).collect();
        assert_eq!(outcome, [false, true]);
    }
}
