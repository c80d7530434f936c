//! Sound devices of the system: which there are, how to open them, and words for what goes wrong.

use std::time::{Duration, Instant};

use cpal::{
    BufferSize, ErrorKind, SampleFormat, StreamConfig, SupportedBufferSize, SupportedStreamConfigRange,
    traits::{DeviceTrait, HostTrait},
};
use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::{OpenedSound, resample::RATES};
use crate::{
    CaptureError, Device, DeviceKind, SAMPLE_RATE,
    worker::{Worker, now},
};

/// How long the system may take to open a device.
const OPENING: Duration = Duration::from_secs(10);
/// How long a device may take or give nothing before it counts as frozen.
pub(super) const PATIENCE: Duration = Duration::from_secs(4);
/// How long the system may take within one attempt to open.
pub(super) const ATTEMPT: Option<Duration> = Some(Duration::from_secs(3));
/// How many kinds of samples are tried.
const TRIES: usize = 5;
/// What a device takes or gives at once, at first; it holds two of them.
const SHORTEST_PERIOD: Duration = Duration::from_millis(20);
/// What it is given when it stumbles again and again, on a machine that is too busy.
const LONGEST_PERIOD: Duration = Duration::from_millis(80);

/// A device and how the system calls it.
pub(crate) struct SoundDevice {
    pub(crate) device: Device,
    pub(super) inner: cpal::Device,
}

/// Lists microphones or loudspeakers, the default first.
pub(crate) fn list(kind: DeviceKind) -> Result<Vec<SoundDevice>, CaptureError> {
    quiet();
    let none = |reason: String| CaptureError::NoDevice { kind, reason };
    let host = cpal::default_host();
    let mut found: Vec<SoundDevice> = Vec::new();
    let all = host.devices().map_err(|error| none(sentence(&error)))?;
    for inner in curate(kind, all.collect()) {
        let (Ok(id), Ok(description)) = (inner.id(), inner.description()) else { continue };
        let mut name = match description.name().trim() {
            "Default Audio Device" => "System default".to_owned(),
            name => name.to_owned(),
        };
        let same = found.iter().filter(|other| other.device.name.starts_with(&name)).count();
        if same > 0 {
            name = format!("{name} ({})", same + 1);
        }
        found.push(SoundDevice { device: Device { id: id.to_string(), name }, inner });
    }
    if found.is_empty() {
        return Err(none("the system lists none; plug one in, or check that its sound service runs".to_owned()));
    }
    Ok(found)
}

/// Leaves out what is no device to a person, and puts the default first.
///
/// ALSA lists each card a dozen times (`front`, `surround51`, `dmix`, ...). What counts is the system's default, which
/// leads to the sound service where one runs, and each card with all conversions (`plughw`).
#[cfg(target_os = "linux")]
fn curate(kind: DeviceKind, all: Vec<cpal::Device>) -> Vec<cpal::Device> {
    let id = |device: &cpal::Device| device.id().map(|id| id.id().to_owned()).unwrap_or_default();
    let fits = |device: &cpal::Device| match kind {
        DeviceKind::Microphone => device.supports_input(),
        DeviceKind::Speaker => device.supports_output(),
        DeviceKind::Camera => false,
    };
    // The default is not always in the list, and not always anything that opens.
    let listed = |wanted: &str| all.iter().find(|device| id(device) == wanted).cloned();
    let default = || listed("default").or_else(|| cpal::default_host().default_output_device());
    let mut curated: Vec<cpal::Device> = default()
        .into_iter()
        .chain(["pipewire", "pulse"].into_iter().filter_map(listed))
        .find(|device| !offers(kind, device).is_empty())
        .into_iter()
        .collect();
    // The same card is listed by its name and by its number; the name stays when cards come and go.
    let card = |device: &cpal::Device| id(device).strip_prefix("plughw:CARD=").map(str::to_owned);
    let numbered = |card: &str| card.starts_with(|first: char| first.is_ascii_digit());
    let cards: Vec<_> =
        all.iter().filter(|device| fits(device)).filter_map(|device| Some((card(device)?, device))).collect();
    let any_named = cards.iter().any(|(card, _)| !numbered(card));
    curated
        .extend(cards.into_iter().filter(|(card, _)| !any_named || !numbered(card)).map(|(_, device)| device.clone()));
    curated
}

#[cfg(not(target_os = "linux"))]
fn curate(kind: DeviceKind, all: Vec<cpal::Device>) -> Vec<cpal::Device> {
    let host = cpal::default_host();
    let default = match kind {
        DeviceKind::Microphone => host.default_input_device(),
        DeviceKind::Speaker => host.default_output_device(),
        DeviceKind::Camera => None,
    };
    let first = default.as_ref().and_then(|device| device.id().ok());
    let fits = |device: &cpal::Device| match kind {
        DeviceKind::Microphone => device.supports_input(),
        DeviceKind::Speaker => device.supports_output(),
        DeviceKind::Camera => false,
    };
    let others = all.into_iter().filter(|device| fits(device) && device.id().ok() != first);
    default.into_iter().chain(others).collect()
}

/// What the device offers; empty where it cannot be asked.
fn offers(kind: DeviceKind, device: &cpal::Device) -> Vec<SupportedStreamConfigRange> {
    match kind {
        DeviceKind::Microphone => device.supported_input_configs().map(Iterator::collect),
        DeviceKind::Speaker => device.supported_output_configs().map(Iterator::collect),
        DeviceKind::Camera => Ok(Vec::new()),
    }
    .unwrap_or_default()
}

/// Keeps ALSA's own messages off the terminal, for what the calling thread does.
pub(crate) fn quiet() {
    #[cfg(target_os = "linux")]
    if let Err(error) = alsa::Output::local_error_handler() {
        tracing::debug!(%error, "ALSA stays talkative");
    }
}

/// Finds the device with `id`, or the default.
pub(super) fn find(kind: DeviceKind, id: Option<&str>) -> Result<SoundDevice, CaptureError> {
    let mut devices = list(kind)?.into_iter();
    match id {
        None => devices.next().ok_or_else(|| CaptureError::NoDevice { kind, reason: "the list is empty".to_owned() }),
        Some(id) => devices
            .find(|device| device.device.id == id)
            .ok_or_else(|| CaptureError::UnknownDevice { kind, id: id.to_owned() }),
    }
}

/// Opens `device` with the settings that suit best, falling back to what it accepts.
pub(super) fn open<S>(
    kind: DeviceKind,
    device: &SoundDevice,
    period: Duration,
    mut attempt: impl FnMut(&cpal::Device, StreamConfig, SampleFormat) -> Result<S, cpal::Error>,
) -> Result<(OpenedSound, S), CaptureError> {
    let name = &device.device.name;
    let mut last = None;
    let offered = offers(kind, &device.inner);
    for (range, sample_rate) in rank(kind, &offered).into_iter().take(TRIES) {
        for buffer_size in buffer_sizes(range.buffer_size(), sample_rate, period) {
            let config = StreamConfig { channels: range.channels(), sample_rate, buffer_size };
            match attempt(&device.inner, config, range.sample_format()) {
                Ok(stream) => {
                    let format = range.sample_format().to_string();
                    let opened =
                        OpenedSound { name: name.clone(), rate: sample_rate, channels: config.channels, format };
                    return Ok((opened, stream));
                }
                Err(error) if settles(&error) => return Err(explain(kind, name, &error)),
                Err(error) => {
                    tracing::debug!(%error, ?config, "a sound device refuses settings");
                    last = Some(error);
                }
            }
        }
    }
    Err(last.map_or_else(
        || CaptureError::Unsupported { kind, name: name.clone(), reason: "it lists no kind of samples".to_owned() },
        |error| explain(kind, name, &error),
    ))
}

/// Whether other settings would meet the same error.
fn settles(error: &cpal::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::DeviceBusy
            | ErrorKind::DeviceNotAvailable
            | ErrorKind::HostUnavailable
            | ErrorKind::PermissionDenied
    )
}

/// The wished period, the nearest to it that the device says it accepts, then whatever the device likes.
fn buffer_sizes(supported: &SupportedBufferSize, rate: u32, period: Duration) -> Vec<BufferSize> {
    let wish = (period.as_secs_f64() * f64::from(rate)) as u32;
    let mut sizes = vec![BufferSize::Fixed(wish)];
    if let SupportedBufferSize::Range { min, max } = supported
        && min <= max
        && !(*min..=*max).contains(&wish)
    {
        sizes = vec![BufferSize::Fixed(wish.clamp(*min, *max)), BufferSize::Fixed(wish)];
    }
    sizes.push(BufferSize::Default);
    sizes
}

/// Sorts what a device offers, the best first, each with the rate to use; drops what cannot be converted.
fn rank(kind: DeviceKind, offered: &[SupportedStreamConfigRange]) -> Vec<(SupportedStreamConfigRange, u32)> {
    let format_cost = |format: SampleFormat| {
        Some(match format {
            SampleFormat::F32 => 0,
            SampleFormat::I16 => 1,
            SampleFormat::I32 => 2,
            SampleFormat::I24 => 3,
            SampleFormat::F64 | SampleFormat::I64 | SampleFormat::U16 | SampleFormat::U24 | SampleFormat::U32 => 4,
            SampleFormat::U64 => 5,
            SampleFormat::I8 | SampleFormat::U8 => 60,
            SampleFormat::DsdU8 | SampleFormat::DsdU16 | SampleFormat::DsdU32 | _ => return None,
        })
    };
    let channel_cost = |channels: u16| match (kind, channels) {
        (DeviceKind::Speaker, 2) | (DeviceKind::Microphone | DeviceKind::Camera, 1) => 0,
        (_, 1 | 2) => 10,
        (_, more) => 20 + u32::from(more.min(64)),
    };
    let mut ranked: Vec<(u32, SupportedStreamConfigRange, u32)> = offered
        .iter()
        .filter_map(|range| {
            let (min, max) = (range.min_sample_rate().max(*RATES.start()), range.max_sample_rate().min(*RATES.end()));
            if min > max || range.channels() == 0 {
                return None;
            }
            let rate = SAMPLE_RATE.clamp(min, max);
            // Less than 48 kHz loses sound, more only costs.
            let rate_cost = if rate < SAMPLE_RATE { 200 } else { u32::from(rate > SAMPLE_RATE) * 100 };
            Some((rate_cost + channel_cost(range.channels()) + format_cost(range.sample_format())?, *range, rate))
        })
        .collect();
    ranked.sort_by_key(|(cost, ..)| *cost);
    ranked.into_iter().map(|(_, range, rate)| (range, rate)).collect()
}

/// How much a device takes or gives at once: short for little delay, longer where the machine cannot keep up.
pub(super) struct Period {
    length: Duration,
    stumbles: u32,
    since: Instant,
}

impl Default for Period {
    fn default() -> Self {
        Self { length: SHORTEST_PERIOD, stumbles: 0, since: now() }
    }
}

impl Period {
    /// So many stumbles ...
    const MANY: u32 = 4;
    /// ... within so much time are too many.
    const WITHIN: Duration = Duration::from_secs(5);

    pub(super) fn length(&self) -> Duration {
        self.length
    }

    /// Notes that the device ran dry or over; true where it should be opened again with the longer period.
    pub(super) fn stumbles(&mut self) -> bool {
        if self.since.elapsed() > Self::WITHIN {
            (self.stumbles, self.since) = (0, now());
        }
        self.stumbles += 1;
        let longer = self.stumbles >= Self::MANY && self.length < LONGEST_PERIOD;
        if longer {
            (self.length, self.stumbles, self.since) = (self.length * 2, 0, now());
        }
        longer
    }
}

/// How the work with an open stream ended.
pub(super) enum End {
    /// Nobody wants it any more.
    Stopped,
    /// The device is to blame.
    Lost(CaptureError),
    /// It should be opened again, with a longer period.
    Reopen,
}

/// Whether a stream goes on after this error.
pub(super) fn is_harmless(error: &cpal::Error) -> bool {
    matches!(error.kind(), ErrorKind::Xrun | ErrorKind::DeviceChanged | ErrorKind::RealtimeDenied)
}

/// Why an open device counts as lost.
pub(super) fn lost(kind: DeviceKind, name: &str, error: &cpal::Error) -> CaptureError {
    CaptureError::Lost { kind, name: name.to_owned(), reason: sentence(error) }
}

/// Why a device did not open.
fn explain(kind: DeviceKind, name: &str, error: &cpal::Error) -> CaptureError {
    let name = name.to_owned();
    match error.kind() {
        ErrorKind::DeviceBusy => CaptureError::Busy { kind, name },
        ErrorKind::PermissionDenied => CaptureError::Denied { kind, name },
        ErrorKind::UnsupportedConfig | ErrorKind::UnsupportedOperation => {
            CaptureError::Unsupported { kind, name, reason: sentence(error) }
        }
        ErrorKind::DeviceChanged
        | ErrorKind::DeviceNotAvailable
        | ErrorKind::HostUnavailable
        | ErrorKind::InvalidInput
        | ErrorKind::RealtimeDenied
        | ErrorKind::ResourceExhausted
        | ErrorKind::StreamInvalidated
        | ErrorKind::Xrun
        | ErrorKind::BackendError
        | ErrorKind::Other
        | _ => CaptureError::NotOpened { kind, name, reason: sentence(error) },
    }
}

/// What the system said, so that it fits into a sentence.
fn sentence(error: &cpal::Error) -> String {
    let words = error.to_string();
    let words = words.trim_end_matches(['.', ' ']);
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

/// Waits until a stream's thread has opened its device.
pub(super) fn await_opened(
    kind: DeviceKind,
    worker: Worker,
    opened: &Receiver<Result<OpenedSound, CaptureError>>,
) -> Result<(OpenedSound, Worker), CaptureError> {
    let not_opened =
        |reason: &str| CaptureError::NotOpened { kind, name: "system default".to_owned(), reason: reason.to_owned() };
    match opened.recv_timeout(OPENING) {
        Ok(Ok(opened)) => Ok((opened, worker)),
        Ok(Err(error)) => Err(error),
        Err(RecvTimeoutError::Timeout) => {
            worker.abandon();
            Err(not_opened("the sound system does not answer"))
        }
        Err(RecvTimeoutError::Disconnected) => Err(not_opened("its driver failed")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(channels: u16, min: u32, max: u32, format: SampleFormat) -> SupportedStreamConfigRange {
        SupportedStreamConfigRange::new(channels, min, max, SupportedBufferSize::Unknown, format)
    }

    #[test]
    fn what_needs_the_least_conversion_is_tried_first() {
        let offered = [
            range(2, 44_100, 44_100, SampleFormat::F32),
            range(8, 8_000, 192_000, SampleFormat::F32),
            range(2, 8_000, 192_000, SampleFormat::I16),
            range(1, 8_000, 192_000, SampleFormat::U8),
            range(2, 96_000, 96_000, SampleFormat::DsdU8),
        ];
        let best = |kind| {
            let (range, rate) = rank(kind, &offered)[0];
            (range.channels(), rate, range.sample_format())
        };
        assert_eq!(best(DeviceKind::Speaker), (2, 48_000, SampleFormat::I16));
        assert_eq!(best(DeviceKind::Microphone), (2, 48_000, SampleFormat::I16));
        assert_eq!(rank(DeviceKind::Speaker, &offered).len(), 4, "DSD is no sound for us");
        let only_slow = rank(DeviceKind::Microphone, &[range(1, 8_000, 16_000, SampleFormat::I16)]);
        assert_eq!(only_slow[0].1, 16_000);
    }

    #[test]
    fn a_device_that_refuses_20_ms_gets_its_own_size() {
        let range = SupportedBufferSize::Range { min: 1024, max: 1024 };
        let sizes = buffer_sizes(&range, 48_000, SHORTEST_PERIOD);
        assert_eq!(sizes, [BufferSize::Fixed(1024), BufferSize::Fixed(960), BufferSize::Default]);
        let sizes = buffer_sizes(&SupportedBufferSize::Unknown, 44_100, SHORTEST_PERIOD);
        assert_eq!(sizes, [BufferSize::Fixed(882), BufferSize::Default]);
    }

    #[test]
    fn a_device_that_stumbles_gets_a_longer_period_up_to_a_limit() {
        let mut period = Period::default();
        let stumble = |period: &mut Period| (0..Period::MANY).any(|_| period.stumbles());
        assert!(stumble(&mut period));
        assert_eq!(period.length(), Duration::from_millis(40));
        assert!(stumble(&mut period));
        assert!(!stumble(&mut period), "80 ms is enough for any machine");
        assert_eq!(period.length(), LONGEST_PERIOD);
    }

    #[test]
    fn errors_of_the_system_become_sentences() {
        let busy = explain(DeviceKind::Speaker, "Box", &ErrorKind::DeviceBusy.into());
        let words =
            "the loudspeaker \"Box\" is in use by another program; close that program or choose another loudspeaker";
        assert_eq!(busy.to_string(), words);
        let gone = lost(DeviceKind::Microphone, "Mic", &ErrorKind::DeviceNotAvailable.into()).to_string();
        assert!(gone.starts_with("the microphone \"Mic\" went away (the requested audio device"), "{gone}");
    }
}
