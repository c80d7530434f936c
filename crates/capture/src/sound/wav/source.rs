//! The bytes of a WAV file, with a length of the sound that its writer could not know put right.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
    path::Path,
};

/// A file as the reader of WAV is to see it: where the header gives no length of the sound, that of what is there.
pub(super) struct Source {
    file: BufReader<File>,
    position: u64,
    /// Where the length stands in the file, and the right one.
    mended: Option<Mended>,
}

type Mended = (u64, [u8; 4]);

/// From here on, a length that goes beyond the file says that it was not known: programs that write into a pipe put
/// 0xFFFFFFFF (ffmpeg), 0x80000000 (arecord) or 0x7FFFF000 less a header (sox) there.
const UNKNOWN: u32 = 0x7FFF_0000;

/// Headers have a handful of chunks before the sound; a file with more is left to the reader.
const MOST_CHUNKS: usize = 64;

impl Source {
    /// Opens a file and looks for the length of its sound. A header that makes no sense is left to the reader to name.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut file = BufReader::new(File::open(path)?);
        let length = file.get_ref().metadata()?.len();
        let mended = match find(&mut file, length) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => None,
            found => found?,
        };
        file.rewind()?;
        Ok(Self { file, position: 0, mended })
    }
}

/// Where the length of the sound stands and what it should be, where the header of a file of `length` does not know it.
fn find(file: &mut (impl Read + Seek), length: u64) -> io::Result<Option<Mended>> {
    let (_, riff) = chunk(file, 0)?;
    let (mut at, mut block) = (12, 1);
    for _ in 0..MOST_CHUNKS {
        let (kind, announced) = chunk(file, at)?;
        let begin = at + 8;
        match &kind {
            b"data" => {
                let there = length.saturating_sub(begin);
                // A writer that knew that there is no sound also knew how long the file is.
                let open = announced == 0 && u64::from(riff) + 8 != length;
                let beyond = announced >= UNKNOWN && u64::from(announced) > there;
                let whole = u32::try_from(there).unwrap_or(u32::MAX);
                return Ok((open || beyond).then(|| (at + 4, (whole - whole % block).to_le_bytes())));
            }
            b"fmt " => {
                let mut format = [0; 14];
                file.read_exact(&mut format)?;
                block = u32::from(u16::from_le_bytes([format[12], format[13]])).max(1);
            }
            _ => {}
        }
        at = begin + u64::from(announced);
    }
    Ok(None)
}

/// Name and length of the chunk that begins at `at`.
fn chunk(file: &mut (impl Read + Seek), at: u64) -> io::Result<([u8; 4], u32)> {
    let (mut name, mut length) = ([0; 4], [0; 4]);
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(&mut name)?;
    file.read_exact(&mut length)?;
    Ok((name, u32::from_le_bytes(length)))
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        if let Some((at, right)) = self.mended {
            for (offset, byte) in (at..).zip(right) {
                let place = offset.checked_sub(self.position).and_then(|place| usize::try_from(place).ok());
                if let Some(read) = place.and_then(|place| buffer[..count].get_mut(place)) {
                    *read = byte;
                }
            }
        }
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for Source {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        // Without this every step of a few samples would empty the buffer.
        if let SeekFrom::Current(step) = to {
            self.file.seek_relative(step)?;
            self.position = self.file.stream_position()?;
        } else {
            self.position = self.file.seek(to)?;
        }
        Ok(self.position)
    }
}
