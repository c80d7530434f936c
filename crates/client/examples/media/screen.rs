//! A shared screen of 1920×1080: what its pipeline sends, and when the picture is sharp.
//!
//! By the real clock: capture, encoder and decoder are those of a client, on their own threads. The line is reckoned: a
//! frame arrives when all before it have passed at the bitrate that the encoder was given.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError, mpsc},
    time::{Duration, Instant},
};

use conclave_capture::{ScreenChoice, ScreenEvent, ScreenStream, ScreenWish, TestPage};
use conclave_client::{
    FrameSlot,
    media::{ScreenOutput, ScreenPipeline},
    media_clock,
};
use conclave_codec::{Av1Decoder, VideoDecoder, quality::ssim};
use conclave_model::{Bitrate, EncodedFrame, Picture};
use serde_json::Value;

use super::{
    Options, percentile,
    table::{Cell, Table, number, word},
};

const PAGES: [(&str, TestPage); 3] =
    [("text page", TestPage::Text), ("scrolling page", TestPage::Scroll), ("slide change", TestPage::Slides)];

/// What the line has for the screen.
const LINE: [Bitrate; 2] = [Bitrate::kbps(500), Bitrate::kbps(1500)];

/// A picture from here on cannot be told from its source by a reader.
const SHARP: f64 = 0.98;

/// What was shown, when.
type Changes = Arc<Mutex<VecDeque<(Instant, Arc<Picture>)>>>;

/// Measures all pages; returns their rows.
pub(crate) fn measure(options: &Options) -> Value {
    let length = Duration::from_secs(if options.short { 2 } else { 16 });
    let lines = if options.short { &LINE[1..] } else { &LINE[..] };
    let pages = if options.short { &PAGES[..1] } else { &PAGES[..] };
    let mut table = Table::new(format!("screen: 1920×1080, {} s each", length.as_secs()));
    for line in lines {
        for (name, page) in pages {
            // One after the other: each wants the machine for itself.
            table.add(one(name, *page, *line, length));
        }
    }
    table.finish()
}

fn one(name: &str, page: TestPage, line: Bitrate, length: Duration) -> Vec<(&'static str, Cell)> {
    let changes = Changes::default();
    let (sender, frames) = mpsc::sync_channel::<(Instant, EncodedFrame)>(1000);
    let pipeline =
        ScreenPipeline::start(line, media_clock(), Arc::<FrameSlot>::default(), move |output| match output {
            ScreenOutput::Frame(frame) => sender.send((Instant::now(), frame)).unwrap_or(()),
            ScreenOutput::Failed(error) => panic!("{error}"),
        });
    let pipeline = pipeline.unwrap();
    let (input, noted) = (pipeline.input(), Arc::clone(&changes));
    let wish = ScreenWish { long_side: 1920, short_side: 1080, frames_per_second: 15 };
    let stream = ScreenStream::start(&ScreenChoice::Test(page), wish, media_clock(), move |event| {
        if let ScreenEvent::Picture(picture) = event {
            let shown = (Instant::now(), Arc::new(picture.clone()));
            noted.lock().unwrap_or_else(PoisonError::into_inner).push_back(shown);
            input.push(picture);
        }
    });
    let stream = stream.unwrap();
    let begun = Instant::now();
    std::thread::sleep(length);
    drop(stream);
    drop(pipeline);
    let seconds = begun.elapsed().as_secs_f64();
    let frames: Vec<_> = frames.try_iter().collect();
    let changes: Vec<_> = changes.lock().unwrap_or_else(PoisonError::into_inner).drain(..).collect();
    let seen = look(&frames, &changes, line);
    let bytes: usize = frames.iter().map(|(_, frame)| frame.data.len()).sum();
    let later: usize =
        frames.iter().filter(|(at, _)| *at > begun + length / 2).map(|(_, frame)| frame.data.len()).sum();
    let encode: Vec<f64> = frames.iter().map(|(_, frame)| frame.encode_delay.as_secs_f64() * 1e3).collect();
    let kbps = |bytes: usize, seconds: f64| bytes as f64 * 8.0 / 1e3 / seconds;
    vec![
        ("page", word(name)),
        ("line_kbps", Cell::Number(line.as_bps() as f64 / 1e3, 0)),
        ("kbps", number(kbps(bytes, seconds))),
        ("kbps_later", number(kbps(later, seconds / 2.0))),
        ("frames", Cell::Number(frames.len() as f64, 0)),
        ("first_p50", Cell::Number(percentile(&seen.first, 50), 0)),
        ("sharp_p50", Cell::Number(percentile(&seen.sharp, 50), 0)),
        ("sharp_max", Cell::Number(percentile(&seen.sharp, 100), 0)),
        ("ssim", Cell::Number(percentile(&seen.ssim, 50), 4)),
        ("ssim_end", Cell::Number(seen.ssim.last().copied().unwrap_or(f64::NAN), 4)),
        ("encode_p50", number(percentile(&encode, 50))),
    ]
}

/// What a viewer sees: times from a change to its first frame and to a sharp one, in milliseconds, and how like its source
/// each frame is.
#[derive(Default)]
struct Seen {
    first: Vec<f64>,
    sharp: Vec<f64>,
    ssim: Vec<f64>,
}

fn look(frames: &[(Instant, EncodedFrame)], changes: &[(Instant, Arc<Picture>)], line: Bitrate) -> Seen {
    let mut decoder = Av1Decoder::new().unwrap();
    let mut seen = Seen::default();
    let (mut free, mut began, mut sharp) = (None, 0, 0);
    for (sent, frame) in frames {
        let passing = Duration::from_secs_f64(frame.data.len() as f64 * 8.0 / line.as_bps() as f64);
        let arrived = free.map_or(*sent, |free: Instant| free.max(*sent)) + passing;
        free = Some(arrived);
        let Ok(Some(picture)) = decoder.decode(frame) else { continue };
        // The newest that the encoder can have had.
        let Some(which) = changes.iter().rposition(|(at, _)| *at <= *sent - frame.encode_delay.min(LATEST)) else {
            continue;
        };
        let (at, source) = &changes[which];
        let after = arrived.duration_since(*at).as_secs_f64() * 1e3;
        let likeness = ssim(&picture, source).unwrap_or(f64::NAN);
        seen.ssim.push(likeness);
        if which + 1 > began {
            began = which + 1;
            seen.first.push(after);
        }
        if which + 1 > sharp && likeness >= SHARP {
            sharp = which + 1;
            seen.sharp.push(after);
        }
    }
    seen
}

/// An encoder never takes longer; a refined picture has the time of its encoding.
const LATEST: Duration = Duration::from_millis(500);
