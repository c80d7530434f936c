//! Prints what temporal layers cost: bitrate, PSNR and milliseconds per frame with one, two and three of them, of all frames
//! and of those that others need.
//!
//! `cargo run --release --workspace --example temporal_layers [FRAMES]`
#![allow(clippy::print_stdout)]

use std::{
    error::Error,
    time::{Duration, Instant},
};

use conclave_codec::{Av1Decoder, Av1Encoder, Content, VideoDecoder, VideoEncoder, VideoSettings, quality::psnr};
use conclave_model::{Bitrate, MediaTime, Picture, PictureError};

fn main() -> Result<(), Box<dyn Error>> {
    let frames = std::env::args().nth(1).map_or(Ok(240), |count| count.parse::<u32>())?;
    for (width, height, rates) in
        [(320, 180, [60, 120, 200]), (640, 360, [150, 300, 500]), (1280, 720, [500, 900, 1500])]
    {
        for kbps in rates {
            for temporal in 1..=3 {
                println!("{width}x{height} {kbps} L1T{temporal} {}", measure(width, height, kbps, temporal, frames)?);
            }
        }
    }
    Ok(())
}

fn measure(width: u32, height: u32, kbps: u64, temporal: u32, frames: u32) -> Result<String, Box<dyn Error>> {
    let settings = VideoSettings {
        width,
        height,
        frames_per_second: 30,
        bitrate: Bitrate::kbps(kbps),
        threads: 1,
        content: Content::Camera,
    };
    let mut encoder = Av1Encoder::layered(settings, temporal)?;
    let (mut all, mut kept) = (Av1Decoder::new()?, Av1Decoder::new()?);
    let mut times = Vec::new();
    let (mut bytes, mut bytes_kept, mut db, mut db_kept, mut n, mut n_kept) = (0, 0, 0.0, 0.0, 0, 0);
    for number in 0..frames {
        let picture = portrait(width, height, number)?;
        let (frame, took) = timed(|| encoder.encode(&picture, false));
        times.push(took);
        let Some(frame) = frame? else { continue };
        if number < 30 {
            all.decode(&frame)?;
            if !frame.discardable {
                kept.decode(&frame)?;
            }
            continue;
        }
        bytes += frame.data.len();
        n += 1;
        db += all.decode(&frame)?.as_ref().and_then(|back| psnr(&picture, back)).unwrap_or_default();
        if !frame.discardable {
            bytes_kept += frame.data.len();
            n_kept += 1;
            db_kept += kept.decode(&frame)?.as_ref().and_then(|back| psnr(&picture, back)).unwrap_or_default();
        }
    }
    let seconds = f64::from(frames - 30) / 30.0;
    Ok(format!(
        "n {n} kbps {:.0} psnr {:.2} | kept n {n_kept} kbps {:.0} psnr {:.2} | ms {}",
        bytes as f64 * 8e-3 / seconds,
        db / f64::from(n),
        bytes_kept as f64 * 8e-3 / seconds,
        db_kept / f64::from(n_kept),
        percentiles(times)
    ))
}

/// Something like a head that sways before a room, with sensor noise.
fn portrait(width: u32, height: u32, number: u32) -> Result<Picture, PictureError> {
    let mut picture = Picture::black(width, height, MediaTime(u64::from(number) * 33_333))?;
    let phase = f64::from(number) * 0.08;
    let (w, h) = (f64::from(width), f64::from(height));
    let (head_x, head_y) = (w * (0.5 + 0.04 * phase.sin()), h * (0.45 + 0.02 * (phase * 1.7).cos()));
    let mut seed = number.wrapping_mul(2_654_435_761) | 1;
    for (at, value) in picture.planes_mut()[0].iter_mut().enumerate() {
        let (x, y) = (f64::from(at as u32 % width), f64::from(at as u32 / width));
        let head = ((x - head_x) / (w * 0.12)).hypot((y - head_y) / (h * 0.28)) < 1.0;
        let room = 70.0 + 30.0 * (x / w * 9.0).sin() + 20.0 * (y / h * 5.0).cos();
        let skin = 150.0 + 30.0 * ((x - head_x) / w * 40.0).cos() * ((y - head_y) / h * 30.0 + phase).sin();
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *value = (if head { skin } else { room } + f64::from(seed >> 30)) as u8;
    }
    Ok(picture)
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = work();
    (result, start.elapsed())
}

fn percentiles(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at = |share: usize| times.get(times.len() * share / 100).map_or(0.0, |time| time.as_secs_f64() * 1000.0);
    format!("{{\"p50\": {:.2}, \"p95\": {:.2}}}", at(50), at(95))
}
