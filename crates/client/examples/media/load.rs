//! What one client takes of the machine: processor and memory by tiles, and the encoder by quality.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use conclave_client::{ProcessUse, VideoQuality, Watch};
use conclave_codec::{Av1Encoder, Content, PictureScaler, VideoEncoder, VideoSettings};
use conclave_model::{Bitrate, MediaTime};
use serde_json::Value;

use super::{
    Options,
    clip::Clip,
    percentile,
    room::{Member, Room, wait},
    table::{Cell, Table, number, word},
};

/// The word that makes this program the client that is measured.
const CHILD: &str = "--watch-tiles";

/// Tiles, and how high each is shown: as in a window of about 1280×720.
const TILES: [(usize, u16); 3] = [(1, 720), (9, 240), (25, 144)];

/// Measures all; returns the rows of the tiles.
pub(crate) fn measure(options: &Options) -> Value {
    let seconds: u64 = if options.short { 3 } else { 15 };
    let mut table = Table::new(format!("load: one client without its window, {seconds} s"));
    let tiles = if options.short { &TILES[..1] } else { &TILES[..] };
    for (tiles, height) in tiles {
        for sends in [false, true] {
            let folder = options.out.join(format!("guest-{}", std::process::id()));
            table.add(row(&folder, *tiles, *height, sends, seconds));
            let _ = std::fs::remove_dir_all(folder);
        }
    }
    table.finish()
}

fn row(folder: &Path, tiles: usize, height: u16, sends: bool, seconds: u64) -> Vec<(&'static str, Cell)> {
    let room = Room::with_guest(tiles, folder);
    let kbps = match height {
        720 => 1500,
        240 => 450,
        _ => 150,
    };
    let video =
        VideoQuality { height: height.next_multiple_of(180), frames_per_second: 30, max_bitrate: Bitrate::kbps(kbps) };
    // They show themselves and speak, and watch nobody: what they cost is not counted.
    let others: Vec<Member> = (0..tiles)
        .map(|seat| {
            room.client(seat, |config| {
                config.video = video;
                config.watch = Watch::Named;
            })
        })
        .collect();
    let words = [CHILD.to_owned(), tiles.to_string(), height.to_string(), sends.to_string(), seconds.to_string()];
    let program = std::env::current_exe().unwrap();
    let mut child = Command::new(program);
    child.args(words).arg(folder).stdout(Stdio::piped()).stderr(Stdio::inherit());
    let child = child.output().unwrap();
    assert!(child.status.success(), "the client that is measured: {}", child.status);
    drop(others);
    let text = String::from_utf8_lossy(&child.stdout).into_owned();
    let found: Value = text.lines().last().and_then(|line| serde_json::from_str(line).ok()).unwrap_or_default();
    let value = |key: &str| found[key].as_f64().unwrap_or(f64::NAN);
    vec![
        ("tiles", Cell::Number(tiles as f64, 0)),
        ("height", Cell::Number(f64::from(height), 0)),
        ("sends", word(if sends { "720p and voice" } else { "nothing" })),
        ("cores", Cell::Number(value("cores"), 2)),
        ("rss_mb", Cell::Number(value("rss_mb"), 0)),
        ("rss_peak_mb", Cell::Number(value("rss_peak_mb"), 0)),
        ("fps", number(value("fps"))),
        ("kbps", Cell::Number(value("kbps"), 0)),
        ("met", Cell::Met((!sends).then(|| value("cores") <= 1.0))),
    ]
}

/// Runs the client that is measured, where this process was started for that, and prints what it took.
pub(crate) fn child(words: &[String]) -> Option<()> {
    let [mode, tiles, height, sends, seconds, folder] = words else { return None };
    if mode != CHILD {
        return None;
    }
    let (tiles, height): (usize, u16) = (tiles.parse().unwrap(), height.parse().unwrap());
    let sends = sends == "true";
    let client = Member::guest(Path::new(folder), |config| {
        config.camera_on = sends;
        config.microphone_on = sends;
        config.video = VideoQuality::default();
        config.watch = Watch::All { height };
    });
    wait("all pictures", || client.frames_of_others() >= tiles);
    // What joining cost and what is made on first use is over.
    std::thread::sleep(Duration::from_secs(3));
    let (before, begun) = (ProcessUse::read(), Instant::now());
    std::thread::sleep(Duration::from_secs(seconds.parse().unwrap()));
    let (after, wall) = (ProcessUse::read(), begun.elapsed());
    let report = client.report();
    let rates: Vec<f64> = report.pairs.iter().map(|pair| pair.video_fps).collect();
    let kbps: f64 = report.pairs.iter().map(|pair| pair.video_kbps + pair.audio_kbps).sum();
    let found = serde_json::json!({
        "cores": (after.cpu - before.cpu).as_secs_f64() / wall.as_secs_f64(),
        "rss_mb": after.resident as f64 / 1e6,
        "rss_peak_mb": after.resident_peak as f64 / 1e6,
        "fps": percentile(&rates, 50),
        "kbps": kbps,
    });
    println!("{found}");
    Some(())
}

/// Measures the encoder at each quality; returns the rows.
pub(crate) fn encoder(options: &Options) -> Value {
    let clip = Clip::load(options);
    let mut table = Table::new(format!("encoder: {}, one thread", clip.name));
    for (height, kbps) in [(180, 150), (360, 450), (720, 1500)] {
        let width = height * 16 / 9;
        let settings = VideoSettings {
            width,
            height,
            frames_per_second: 30,
            bitrate: Bitrate::kbps(kbps),
            threads: 1,
            content: Content::Camera,
        };
        let mut encoder = Av1Encoder::new(settings).unwrap();
        let mut scaler = PictureScaler::default();
        let (mut times, mut bytes) = (Vec::new(), 0);
        let count = if options.short { 30 } else { 250 };
        for number in 0..count {
            let mut picture = scaler.scale(clip.picture(number), width, height).unwrap();
            picture.time = MediaTime(1_000_000) + clip.interval * u32::try_from(number).unwrap();
            let begun = Instant::now();
            let frame = encoder.encode(&picture, false).unwrap();
            times.push(begun.elapsed().as_secs_f64() * 1e3);
            bytes += frame.map_or(0, |frame| frame.data.len());
        }
        let seconds = clip.interval.as_secs_f64() * count as f64;
        table.add(vec![
            ("height", Cell::Number(f64::from(height), 0)),
            ("frame_p50", number(percentile(&times, 50))),
            ("frame_p95", number(percentile(&times, 95))),
            ("kbps", Cell::Number(bytes as f64 * 8.0 / 1e3 / seconds, 0)),
        ]);
    }
    table.finish()
}
