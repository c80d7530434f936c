//! What the development-only recorder writes, and how it is read back. The product records nothing.

use std::{
    fs::File,
    io::{BufReader, BufWriter, Read, Write},
    path::Path,
};

use anyhow::{Context, Result};

/// A luma plane as it was decoded.
#[derive(Debug)]
pub struct Frame {
    /// Its number on the wire.
    pub number: u32,
    /// When it was captured, in microseconds on the sender's clock.
    pub time: u64,
    /// In pixels.
    pub width: usize,
    /// In pixels.
    pub height: usize,
    /// `width × height` bytes.
    pub luma: Vec<u8>,
}

/// A piece of sound as it was decoded, mono at 48 kHz.
#[derive(Debug)]
pub struct Sound {
    /// When its first sample was captured, in microseconds on the sender's clock.
    pub time: u64,
    /// Whether it was made up because a packet was missing.
    pub concealed: bool,
    /// The samples.
    pub samples: Vec<f32>,
}

/// Writes a recording into `pictures.bin` and `sound.bin` of a folder.
#[derive(Debug)]
pub struct Writer {
    pictures: BufWriter<File>,
    sound: BufWriter<File>,
}

impl Writer {
    /// Begins a recording.
    ///
    /// # Errors
    /// Where the files cannot be made.
    pub fn create(folder: &Path) -> Result<Self> {
        let open = |name| {
            let path = folder.join(name);
            File::create(&path).map(BufWriter::new).with_context(|| format!("cannot write {}", path.display()))
        };
        Ok(Self { pictures: open("pictures.bin")?, sound: open("sound.bin")? })
    }

    /// Adds a frame.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn frame(&mut self, frame: &Frame) -> Result<()> {
        self.pictures.write_all(&frame.number.to_le_bytes())?;
        self.pictures.write_all(&frame.time.to_le_bytes())?;
        self.pictures.write_all(&u32::try_from(frame.width)?.to_le_bytes())?;
        self.pictures.write_all(&u32::try_from(frame.height)?.to_le_bytes())?;
        self.pictures.write_all(&frame.luma)?;
        Ok(())
    }

    /// Adds sound.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn sound(&mut self, sound: &Sound) -> Result<()> {
        self.sound.write_all(&sound.time.to_le_bytes())?;
        self.sound.write_all(&[u8::from(sound.concealed)])?;
        self.sound.write_all(&u32::try_from(sound.samples.len())?.to_le_bytes())?;
        for sample in &sound.samples {
            self.sound.write_all(&sample.to_le_bytes())?;
        }
        Ok(())
    }

    /// Ends the recording.
    ///
    /// # Errors
    /// Where the rest cannot be written.
    pub fn finish(mut self) -> Result<()> {
        self.pictures.flush()?;
        self.sound.flush()?;
        Ok(())
    }
}

/// Reads the frames of a recording.
///
/// # Errors
/// Where the file is missing or cut off.
pub fn read_frames(folder: &Path) -> Result<Vec<Frame>> {
    let mut input = Input::open(&folder.join("pictures.bin"))?;
    let mut frames = Vec::new();
    while let Some(number) = input.next_u32()? {
        let time = u64::from_le_bytes(input.exact()?);
        let width = u32::from_le_bytes(input.exact()?) as usize;
        let height = u32::from_le_bytes(input.exact()?) as usize;
        let mut luma = vec![0; width * height];
        input.0.read_exact(&mut luma)?;
        frames.push(Frame { number, time, width, height, luma });
    }
    Ok(frames)
}

/// Reads the sound of a recording.
///
/// # Errors
/// Where the file is missing or cut off.
pub fn read_sound(folder: &Path) -> Result<Vec<Sound>> {
    let mut input = Input::open(&folder.join("sound.bin"))?;
    let mut pieces = Vec::new();
    while let Some(low) = input.next_u32()? {
        let high = u32::from_le_bytes(input.exact()?);
        let [concealed] = input.exact::<1>()?;
        let count = u32::from_le_bytes(input.exact()?) as usize;
        let samples = (0..count).map(|_| Ok(f32::from_le_bytes(input.exact()?))).collect::<Result<_>>()?;
        let time = u64::from(low) | u64::from(high) << 32;
        pieces.push(Sound { time, concealed: concealed != 0, samples });
    }
    Ok(pieces)
}

struct Input(BufReader<File>);

impl Input {
    fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Self(BufReader::new(file)))
    }

    fn exact<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.0.read_exact(&mut bytes).context("a recording that is cut off")?;
        Ok(bytes)
    }

    /// The next number, or `None` at the end of the file.
    fn next_u32(&mut self) -> Result<Option<u32>> {
        let mut first = [0; 1];
        if self.0.read(&mut first)? == 0 {
            return Ok(None);
        }
        let [b, c, d] = self.exact()?;
        Ok(Some(u32::from_le_bytes([first[0], b, c, d])))
    }
}
