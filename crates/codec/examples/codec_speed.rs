//! Prints what the codecs cost on this machine, as one JSON object: milliseconds per frame, bitrate and PSNR.
//!
//! `cargo run --release -p conclave-codec --example codec_speed [FRAMES]`
#![allow(clippy::print_stdout)]

use std::{
    error::Error,
    time::{Duration, Instant},
};

use conclave_codec::{
    AudioDecoder, AudioEncoder, AudioSettings, Av1Decoder, Av1Encoder, Content, OpusDecoder, OpusEncoder,
    PictureScaler, VideoDecoder, VideoEncoder, VideoSettings, quality::psnr,
};
use conclave_model::{Bitrate, MediaTime, Picture, PictureError};

fn main() -> Result<(), Box<dyn Error>> {
    let frames = std::env::args().nth(1).map_or(Ok(150), |count| count.parse::<u32>())?;
    let video = [(640, 360, 500), (1280, 720, 1500)]
        .into_iter()
        .map(|(width, height, kbps)| measure_video(width, height, kbps, frames))
        .collect::<Result<Vec<_>, _>>()?;
    println!("{{\"video\": [{}], \"sound\": {}}}", video.join(", "), measure_sound()?);
    Ok(())
}

fn measure_video(width: u32, height: u32, kbps: u64, frames: u32) -> Result<String, Box<dyn Error>> {
    let settings = VideoSettings {
        width,
        height,
        frames_per_second: 30,
        bitrate: Bitrate::kbps(kbps),
        threads: 1,
        content: Content::Camera,
    };
    let (mut encoder, mut decoder) = (Av1Encoder::new(settings)?, Av1Decoder::new()?);
    let mut scaler = PictureScaler::default();
    let (mut encoding, mut decoding, mut scaling) = (Vec::new(), Vec::new(), Vec::new());
    let (mut bytes, mut decibels, mut left_out) = (0, 0.0, 0);
    for number in 0..frames {
        let picture = portrait(width, height, number)?;
        let (frame, took) = timed(|| encoder.encode(&picture, false));
        encoding.push(took);
        let Some(frame) = frame? else {
            left_out += 1;
            continue;
        };
        bytes += frame.data.len();
        let (back, took) = timed(|| decoder.decode(&frame));
        decoding.push(took);
        decibels += back?.as_ref().and_then(|back| psnr(&picture, back)).unwrap_or_default();
        let (scaled, took) = timed(|| scaler.scale(&picture, width / 2, height / 2));
        scaled?;
        scaling.push(took);
    }
    let shown = decoding.len().max(1) as f64;
    Ok(format!(
        "{{\"width\": {width}, \"height\": {height}, \"frames\": {frames}, \"left_out\": {left_out}, \
         \"target_kbps\": {kbps}, \"kbps\": {:.0}, \"psnr_db\": {:.1}, \"encode_ms\": {}, \"decode_ms\": {}, \
         \"halve_ms\": {}}}",
        bytes as f64 * 8.0 * 30.0 / f64::from(frames) / 1000.0,
        decibels / shown,
        percentiles(encoding),
        percentiles(decoding),
        percentiles(scaling),
    ))
}

fn measure_sound() -> Result<String, Box<dyn Error>> {
    let (mut encoder, mut decoder) = (OpusEncoder::new(AudioSettings::default())?, OpusDecoder::new()?);
    let (mut encoding, mut decoding, mut concealing) = (Vec::new(), Vec::new(), Vec::new());
    let mut bytes = 0;
    let packets = 500;
    for number in 0..packets {
        let samples: Vec<f32> = (0..960).map(|at| voice(number * 960 + at)).collect();
        let (packet, took) = timed(|| encoder.encode(&samples));
        encoding.push(took);
        let Some(packet) = packet? else { continue };
        bytes += packet.len();
        if number % 20 == 19 {
            let (sound, took) = timed(|| decoder.conceal(960));
            sound?;
            concealing.push(took);
        } else {
            let (sound, took) = timed(|| decoder.decode(&packet));
            sound?;
            decoding.push(took);
        }
    }
    Ok(format!(
        "{{\"frame_ms\": 20, \"kbps\": {:.1}, \"encode_ms\": {}, \"decode_ms\": {}, \"conceal_ms\": {}}}",
        bytes as f64 * 8.0 / (f64::from(packets) * 20.0),
        percentiles(encoding),
        percentiles(decoding),
        percentiles(concealing),
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

fn voice(sample: u32) -> f32 {
    let time = f64::from(sample) / 48_000.0;
    let tone: f64 = (1..10)
        .map(|harmonic| (time * 150.0 * f64::from(harmonic) * std::f64::consts::TAU).sin() / f64::from(harmonic))
        .sum();
    (tone * 0.2 * (time * 9.0).sin().max(0.0)) as f32
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
