//! Y4M files, played in real time.
//!
//! The format is a line of parameters, then for each picture a line that begins with `FRAME` and the raw planes
//! (`man yuv4mpeg` of mjpegtools). Only 8-bit 4:2:0 is played: it is what encoders take.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use conclave_model::{MediaTime, Picture, picture::MAX_SIDE};

use super::{CameraEvent, OpenedCamera, Sink};
use crate::{
    CaptureError, Clock,
    worker::{Pace, Worker},
};

const MAGIC: &[u8] = b"YUV4MPEG2";
/// Longest line that is read; real ones have some 60 bytes.
const LONGEST_LINE: u64 = 512;

/// What keeps a file from being played as Y4M, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Y4mProblem {
    /// It begins with something else.
    #[error("is no Y4M file: it does not begin with YUV4MPEG2; make one with: ffmpeg -i IN -pix_fmt yuv420p OUT.y4m")]
    NotY4m,
    /// A line is too long or has no end.
    #[error("is a broken Y4M file: the line at byte {at} has no end within 512 bytes")]
    EndlessLine {
        /// Where the line begins.
        at: u64,
    },
    /// A parameter of the first line is absent.
    #[error("is a broken Y4M file: its first line does not give {0}")]
    Missing(&'static str),
    /// A parameter of the first line makes no sense.
    #[error("is a broken Y4M file: \"{found}\" in its first line is wrong; right would be {right}")]
    Parameter {
        /// As it stands there.
        found: String,
        /// What would be right.
        right: &'static str,
    },
    /// Its pictures have another layout.
    #[error("has pictures of kind \"{0}\"; only 8-bit 4:2:0 is played: ffmpeg -i IN -pix_fmt yuv420p OUT.y4m")]
    Layout(String),
    /// Its pictures consist of two fields.
    #[error("is interlaced (\"{0}\"); make it progressive with: ffmpeg -i IN -vf yadif -pix_fmt yuv420p OUT.y4m")]
    Interlaced(String),
    /// A picture does not begin where it should.
    #[error("is a broken Y4M file: picture {number} does not begin with FRAME (byte {at})")]
    NoFrame {
        /// Which one, from 0.
        number: u64,
        /// Where.
        at: u64,
    },
    /// It ends within a picture.
    #[error("is cut off: picture {number} has {found} of {wanted} bytes")]
    Truncated {
        /// Which one, from 0.
        number: u64,
        /// Bytes that are there.
        found: u64,
        /// Bytes that belong there.
        wanted: u64,
    },
    /// It has a first line and nothing more.
    #[error("holds no picture")]
    Empty,
}

/// What the first line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Header {
    width: u32,
    height: u32,
    /// Pictures per second as a fraction.
    rate: (u64, u64),
    /// Whether black is 0 and white 255, and not 16 and 235.
    full_range: bool,
}

impl Header {
    fn parse(line: &[u8]) -> Result<Self, Y4mProblem> {
        let line = String::from_utf8_lossy(line);
        let (mut width, mut height, mut rate, mut full_range) = (None, None, None, false);
        for word in line.split_ascii_whitespace().skip(1) {
            let wrong = |right| Y4mProblem::Parameter { found: word.to_owned(), right };
            let side = |value: &str| {
                let right = "a width and a height from 16 to 4096, as W1280 H720";
                value.parse().ok().filter(|side| (16..=MAX_SIDE).contains(side)).ok_or_else(|| wrong(right))
            };
            let mut letters = word.chars();
            let letter = letters.next();
            let value = letters.as_str();
            match letter {
                Some('W') => width = Some(side(value)?),
                Some('H') => height = Some(side(value)?),
                Some('F') => rate = Some(parse_rate(value).ok_or_else(|| wrong("a rate from 1 to 240, as F30:1"))?),
                Some('I') if !matches!(value, "p" | "?") => return Err(Y4mProblem::Interlaced(word.to_owned())),
                Some('C') if !matches!(value, "420" | "420jpeg" | "420mpeg2" | "420paldv") => {
                    return Err(Y4mProblem::Layout(word.to_owned()));
                }
                Some('X') if value == "COLORRANGE=FULL" => full_range = true,
                _ => {}
            }
        }
        Ok(Self {
            width: width.ok_or(Y4mProblem::Missing("the width (W1280)"))?,
            height: height.ok_or(Y4mProblem::Missing("the height (H720)"))?,
            rate: rate.ok_or(Y4mProblem::Missing("the pictures per second (F30:1)"))?,
            full_range,
        })
    }

    /// Lengths of the planes in bytes.
    fn planes(self) -> [usize; 3] {
        let chroma = (self.width.div_ceil(2) * self.height.div_ceil(2)) as usize;
        [(self.width * self.height) as usize, chroma, chroma]
    }
}

fn parse_rate(value: &str) -> Option<(u64, u64)> {
    let (numerator, denominator) = value.split_once(':')?;
    let (numerator, denominator): (u32, u32) = (numerator.parse().ok()?, denominator.parse().ok()?);
    let (numerator, denominator) = (u64::from(numerator), u64::from(denominator));
    (denominator > 0 && numerator >= denominator && numerator <= 240 * denominator).then_some((numerator, denominator))
}

/// An open file, checked from its first line to its last picture.
struct Clip {
    path: PathBuf,
    reader: BufReader<File>,
    header: Header,
    /// Where the first picture begins.
    first: u64,
    /// Where the next picture begins, and which it is.
    place: (u64, u64),
    /// How many there are.
    pictures: u64,
}

impl Clip {
    fn open(path: &Path) -> Result<Self, CaptureError> {
        let unreadable =
            |error: std::io::Error| CaptureError::Unreadable { path: path.to_owned(), reason: error.to_string() };
        let wrong = |problem| CaptureError::Y4m { path: path.to_owned(), problem };
        let file = File::open(path).map_err(unreadable)?;
        let length = file.metadata().map_err(unreadable)?.len();
        let mut reader = BufReader::with_capacity(1 << 16, file);
        let line = match read_line(&mut reader, 0) {
            Ok(Ok(line)) if is_first_line(&line) => line,
            Ok(Err(problem)) => return Err(wrong(problem)),
            Ok(_) => return Err(wrong(Y4mProblem::NotY4m)),
            Err(error) => return Err(unreadable(error)),
        };
        let header = Header::parse(&line).map_err(wrong)?;
        let first = line.len() as u64 + 1;
        let mut clip = Self { path: path.to_owned(), reader, header, first, place: (first, 0), pictures: 0 };
        clip.check(length)?;
        Ok(clip)
    }

    /// Walks over all pictures without reading them, and returns to the first.
    fn check(&mut self, length: u64) -> Result<(), CaptureError> {
        let wanted: u64 = self.header.planes().iter().map(|plane| *plane as u64).sum();
        if length <= self.first {
            return Err(self.wrong(Y4mProblem::Empty));
        }
        let (mut at, mut number) = (self.first, 0);
        let plain = b"FRAME\n".len() as u64 + wanted;
        while at < length {
            self.place = (at, number);
            at += self.frame_line()? + wanted;
            if at > length {
                let found = (length + wanted).saturating_sub(at);
                return Err(self.wrong(Y4mProblem::Truncated { number, found, wanted }));
            }
            number += 1;
            // Without parameters all pictures are equally long: then the length tells that the rest is whole.
            if number == 1 && at == self.first + plain && (length - self.first).is_multiple_of(plain) {
                number = (length - self.first) / plain;
                break;
            }
            self.reader.seek(SeekFrom::Start(at)).map_err(|error| self.unreadable(&error))?;
        }
        self.pictures = number;
        self.rewind()
    }

    fn rewind(&mut self) -> Result<(), CaptureError> {
        self.place = (self.first, 0);
        self.reader.seek(SeekFrom::Start(self.first)).map(drop).map_err(|error| self.unreadable(&error))
    }

    /// Reads the line before a picture; returns its length.
    fn frame_line(&mut self) -> Result<u64, CaptureError> {
        let (at, number) = self.place;
        match read_line(&mut self.reader, at) {
            Ok(Ok(line)) if line == b"FRAME" || line.starts_with(b"FRAME ") => Ok(line.len() as u64 + 1),
            Ok(_) => Err(self.wrong(Y4mProblem::NoFrame { number, at })),
            Err(error) => Err(self.unreadable(&error)),
        }
    }

    /// Reads the line before the next picture; after the last comes the first. Returns its length.
    fn begin(&mut self) -> Result<u64, CaptureError> {
        let is_over = self.reader.fill_buf().map(<[u8]>::is_empty);
        if is_over.map_err(|error| self.unreadable(&error))? {
            self.rewind()?;
        }
        self.frame_line()
    }

    /// Leaves out so many pictures.
    fn skip(&mut self, pictures: u64) -> Result<(), CaptureError> {
        let length: usize = self.header.planes().iter().sum();
        for _ in 0..pictures % self.pictures.max(1) {
            let line = self.begin()?;
            self.reader.seek_relative(length as i64).map_err(|error| self.unreadable(&error))?;
            self.place = (self.place.0 + line + length as u64, self.place.1 + 1);
        }
        Ok(())
    }

    /// Reads the next picture; after the last comes the first.
    fn next(&mut self, time: MediaTime) -> Result<Picture, CaptureError> {
        let line = self.begin()?;
        let mut planes = self.header.planes().map(|length| vec![0; length]);
        let mut wanted = line;
        for (index, plane) in planes.iter_mut().enumerate() {
            self.reader.read_exact(plane).map_err(|error| self.unreadable(&error))?;
            wanted += plane.len() as u64;
            if self.header.full_range {
                let (share, base) = if index == 0 { (219, 16) } else { (224, 128) };
                let middle = if index == 0 { 0 } else { 128 };
                plane.iter_mut().for_each(|sample| *sample = narrow(*sample, share, base, middle));
            }
        }
        self.place = (self.place.0 + wanted, self.place.1 + 1);
        Picture::new(self.header.width, self.header.height, time, planes)
            .map_err(|_| self.wrong(Y4mProblem::Missing("a usable size")))
    }

    fn wrong(&self, problem: Y4mProblem) -> CaptureError {
        CaptureError::Y4m { path: self.path.clone(), problem }
    }

    fn unreadable(&self, error: &std::io::Error) -> CaptureError {
        CaptureError::Unreadable { path: self.path.clone(), reason: error.to_string() }
    }
}

/// From full to limited range.
fn narrow(sample: u8, share: i32, base: i32, middle: i32) -> u8 {
    let scaled = (i32::from(sample) - middle) * share;
    (base + (scaled + 127 * scaled.signum()) / 255).clamp(0, 255) as u8
}

fn is_first_line(line: &[u8]) -> bool {
    line.strip_prefix(MAGIC).is_some_and(|rest| rest.first().is_none_or(|byte| *byte == b' '))
}

/// Reads up to a line's end, which is left out.
fn read_line(reader: &mut BufReader<File>, at: u64) -> std::io::Result<Result<Vec<u8>, Y4mProblem>> {
    let mut line = Vec::new();
    reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line)?;
    if line.pop_if(|last| *last == b'\n').is_some() {
        return Ok(Ok(line));
    }
    // The magic word tells a broken file from a foreign one.
    Ok(if at == 0 && !is_first_line(&line) { Ok(line) } else { Err(Y4mProblem::EndlessLine { at }) })
}

/// Opens a file and starts to play it.
pub(super) fn play(path: &Path, clock: Clock, mut sink: Sink) -> Result<(OpenedCamera, Worker), CaptureError> {
    let mut clip = Clip::open(path)?;
    let Header { width, height, rate: (numerator, denominator), .. } = clip.header;
    let opened = OpenedCamera {
        name: path.display().to_string(),
        width,
        height,
        frames_per_second: ((numerator + denominator / 2) / denominator) as u32,
        format: "Y4M".to_owned(),
    };
    let worker = Worker::start("camera-file", move |stop| {
        let mut pace = Pace::new(numerator, denominator);
        while pace.wait(stop) {
            match clip.skip(pace.skipped()).and_then(|()| clip.next(pace.due(&clock))) {
                Ok(picture) => sink(CameraEvent::Picture(picture)),
                Err(error) => return sink(CameraEvent::Lost(error)),
            }
        }
    })?;
    Ok((opened, worker))
}

#[cfg(test)]
#[path = "y4m/tests.rs"]
mod tests;
