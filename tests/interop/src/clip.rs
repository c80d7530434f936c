//! A picture and a sound to send: as Y4M and WAV files, and in memory to compare with.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::Path,
};

use anyhow::{Context, Result, bail, ensure};

/// Samples per second of all sound here.
pub const SAMPLE_RATE: u32 = 48_000;

/// Luma planes of a clip, one after the other.
#[derive(Debug)]
pub struct Pictures {
    /// In pixels.
    pub width: usize,
    /// In pixels.
    pub height: usize,
    /// Frames per second.
    pub rate: f64,
    /// One luma plane a frame, `width × height` bytes each.
    pub luma: Vec<Vec<u8>>,
}

/// Writes a made-up clip of `seconds`: slowly panning texture with a moving disc, 320×180 at 20 frames per second. Small,
/// because the encoder is not optimised in builds for tests.
///
/// # Errors
/// Where the file cannot be written.
pub fn write_y4m(path: &Path, seconds: u32) -> Result<()> {
    const WIDTH: usize = 320;
    const HEIGHT: usize = 180;
    const RATE: u32 = 20;
    let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    let mut out = BufWriter::new(file);
    writeln!(out, "YUV4MPEG2 W{WIDTH} H{HEIGHT} F20:1 Ip A1:1 C420jpeg")?;
    for number in 0..seconds * RATE {
        let phase = f64::from(number) / f64::from(RATE);
        writeln!(out, "FRAME")?;
        out.write_all(&plane(WIDTH, HEIGHT, phase))?;
        let chroma = |tint: f64| {
            let (w, h) = (WIDTH / 2, HEIGHT / 2);
            (0..w * h)
                .map(|at| {
                    let (x, y) = ((at % w) as f64, (at / w) as f64);
                    (128.0 + 30.0 * ((x / 90.0 + phase * 0.4 + tint).sin() * (y / 70.0).cos())) as u8
                })
                .collect::<Vec<u8>>()
        };
        out.write_all(&chroma(0.0))?;
        out.write_all(&chroma(2.0))?;
    }
    out.flush()?;
    Ok(())
}

/// One luma plane: no two moments of a clip look alike, so that a frame can be told from its neighbours.
fn plane(width: usize, height: usize, phase: f64) -> Vec<u8> {
    let centre = (160.0 + 100.0 * (phase * 1.3).sin(), 90.0 + 50.0 * (phase * 0.9).cos());
    (0..width * height)
        .map(|at| {
            let (x, y) = ((at % width) as f64, (at / width) as f64);
            let texture = ((x + phase * 40.0) / 37.0).sin() * ((y - phase * 15.0) / 29.0).cos() * 35.0;
            let distance = ((x - centre.0).powi(2) + (y - centre.1).powi(2)).sqrt();
            let disc = if distance < 30.0 { 60.0 - distance } else { 0.0 };
            (110.0 + texture + disc).clamp(16.0, 235.0) as u8
        })
        .collect()
}

/// Writes a made-up voice of `seconds`: harmonics of a wandering pitch in syllables that never repeat.
///
/// # Errors
/// Where the file cannot be written.
pub fn write_wav(path: &Path, seconds: u32) -> Result<()> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: SAMPLE_RATE,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut out = hound::WavWriter::create(path, spec).with_context(|| format!("cannot write {}", path.display()))?;
    let mut angle = 0.0_f64;
    for number in 0..seconds * SAMPLE_RATE {
        let t = f64::from(number) / f64::from(SAMPLE_RATE);
        let pitch = 140.0 + 35.0 * (t * 1.7).sin() + 12.0 * (t * 5.3).sin();
        angle += std::f64::consts::TAU * pitch / f64::from(SAMPLE_RATE);
        let syllable = (0.5 + 0.5 * (t * 21.0 + 3.0 * (t * 2.9).sin()).sin()).powi(2);
        let colour = 2.0 + 1.5 * (t * 3.1).sin();
        let voice: f64 = (1..16).map(|k| (angle * f64::from(k)).sin() / (1.0 + (f64::from(k) / colour).powi(2))).sum();
        out.write_sample((voice * syllable * 5000.0).clamp(-30_000.0, 30_000.0) as i16)?;
    }
    out.finalize()?;
    Ok(())
}

/// Reads the luma planes of an 8-bit 4:2:0 Y4M file.
///
/// # Errors
/// Where the file is none.
pub fn read_y4m(path: &Path) -> Result<Pictures> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let end = bytes.iter().position(|byte| *byte == b'\n').context("no Y4M header")?;
    let header = std::str::from_utf8(&bytes[..end])?;
    ensure!(header.starts_with("YUV4MPEG2"), "no Y4M file: {}", path.display());
    let field = |letter| header.split(' ').skip(1).find_map(|word| word.strip_prefix(letter));
    let width: usize = field('W').context("no width")?.parse()?;
    let height: usize = field('H').context("no height")?.parse()?;
    let (over, under) = field('F').and_then(|rate| rate.split_once(':')).context("no frame rate")?;
    let rate = over.parse::<f64>()? / under.parse::<f64>()?;
    if field('C').is_some_and(|colour| !colour.starts_with("420") || colour.starts_with("420p1")) {
        bail!("not 8-bit 4:2:0: {header}");
    }
    let chroma = 2 * width.div_ceil(2) * height.div_ceil(2);
    let mut luma = Vec::new();
    let mut at = end + 1;
    while at < bytes.len() {
        let line = bytes[at..].iter().position(|byte| *byte == b'\n').context("a frame without header")?;
        let begin = at + line + 1;
        let plane = bytes.get(begin..begin + width * height).context("a frame that is cut off")?;
        luma.push(plane.to_vec());
        at = begin + width * height + chroma;
    }
    Ok(Pictures { width, height, rate, luma })
}

/// Reads a 48 kHz mono WAV of 16-bit samples, as −1 to 1.
///
/// # Errors
/// Where the file is none, or has another form.
pub fn read_wav(path: &Path) -> Result<Vec<f32>> {
    let mut file = hound::WavReader::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let spec = file.spec();
    ensure!(spec.channels == 1 && spec.sample_rate == SAMPLE_RATE, "{spec:?}");
    file.samples::<i16>().map(|sample| Ok(f32::from(sample?) / 32768.0)).collect()
}
