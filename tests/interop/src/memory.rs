//! The memory of a process that runs, as an image to search. Linux only.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt,
    process::Command,
};

use anyhow::{Context, Result, ensure};
use memchr::memmem;

/// All memory of a process that it can read itself, at one moment.
#[derive(Debug)]
pub struct Image {
    regions: Vec<Vec<u8>>,
}

/// How much is read at once; what of it cannot be read, as pages of a device, is left out.
const PIECE: usize = 1 << 20;

impl Image {
    /// Stops the process, copies its memory by `/proc/PID/mem` and lets it go on.
    ///
    /// The system allows that to root, and to the one who started the process unless it keeps its memory to itself;
    /// `None` where it does not.
    ///
    /// # Errors
    /// Where the process is gone, and where nearly nothing could be read.
    pub fn of(process: u32) -> Result<Option<Self>> {
        let _stopped = Stopped::new(process)?;
        let memory = match File::open(format!("/proc/{process}/mem")) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(None),
            memory => memory.context("no way to the memory")?,
        };
        let maps = fs::read_to_string(format!("/proc/{process}/maps")).context("no list of memory regions")?;
        let regions: Vec<_> = maps.lines().filter_map(region).map(|(from, to)| read(&memory, from, to)).collect();
        let image = Self { regions };
        ensure!(image.len() > 1 << 20, "only {} bytes of the memory of {process} could be read", image.len());
        Ok(Some(image))
    }

    /// How many bytes it has.
    pub fn len(&self) -> usize {
        self.regions.iter().map(Vec::len).sum()
    }

    /// Whether nothing could be read.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether `wanted` stands anywhere.
    pub fn holds(&self, wanted: &[u8]) -> bool {
        let finder = memmem::Finder::new(wanted);
        self.regions.iter().any(|region| finder.find(region).is_some())
    }

    /// Every place where `wanted` stands, with what follows it in its region: `length` bytes, `wanted` included.
    pub fn places<'a>(&'a self, wanted: &'a [u8], length: usize) -> impl Iterator<Item = &'a [u8]> {
        self.regions
            .iter()
            .flat_map(move |region| memmem::find_iter(region, wanted).filter_map(move |at| region.get(at..at + length)))
    }
}

/// Begin and end of a region that can be read, from a line of `/proc/PID/maps` (proc(5)).
fn region(line: &str) -> Option<(u64, u64)> {
    let mut words = line.split_ascii_whitespace();
    let (from, to) = words.next()?.split_once('-')?;
    let readable = words.next()?.starts_with('r');
    let from = u64::from_str_radix(from, 16).ok()?;
    readable.then_some((from, u64::from_str_radix(to, 16).ok()?))
}

fn read(memory: &File, from: u64, to: u64) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(to - from).unwrap_or(0)];
    let mut good = 0;
    for (number, piece) in bytes.chunks_mut(PIECE).enumerate() {
        if memory.read_exact_at(piece, from + (number * PIECE) as u64).is_ok() {
            good += piece.len();
        }
    }
    if good == 0 { Vec::new() } else { bytes }
}

/// A process that stands still.
struct Stopped(u32);

impl Stopped {
    fn new(process: u32) -> Result<Self> {
        signal("STOP", process).context("no way to stop the process")?;
        let stopped = Self(process);
        loop {
            let stat = fs::read_to_string(format!("/proc/{process}/stat")).context("the process is gone")?;
            // The state stands behind the name, which may hold anything: proc(5).
            if stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('T')) {
                return Ok(stopped);
            }
        }
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        // A process that is gone needs no sign to go on.
        let _ = signal("CONT", self.0);
    }
}

/// Every shell can do that; the program `kill` is not everywhere.
fn signal(name: &str, process: u32) -> io::Result<()> {
    Command::new("sh").args(["-c", &format!("kill -{name} {process}")]).status().map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_read_is_read() {
        let line = "7f0000001000-7f0000003000 rw-p 00000000 00:00 0   [heap]";
        assert_eq!(region(line), Some((0x7f00_0000_1000, 0x7f00_0000_3000)));
        assert_eq!(region("7f0000001000-7f0000003000 ---p 00000000 00:00 0"), None);
        assert_eq!(region("nonsense"), None);
    }

    #[test]
    fn what_a_process_holds_is_found_and_what_it_does_not_hold_is_not() {
        // The shell has its own arguments in memory; the needle in this process is of no matter.
        let mut child = Command::new("sh")
            .args(["-c", "echo ready; read line", "needle in a haystack"])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .expect("a shell");
        // Before that, it may not even be a shell yet.
        let said = child.stdout.as_mut().expect("its output is ours");
        std::io::Read::read_exact(said, &mut [0; 6]).expect("it says that it is ready");
        let image = Image::of(child.id()).expect("its memory").expect("which is open to its parent");
        assert!(image.holds(b"needle in a haystack"));
        assert!(!image.holds(b"pin in a haystack"));
        assert!(image.places(b"needle", 9).any(|found| found == b"needle in"));
        child.kill().expect("an end");
        child.wait().expect("an end");
    }
}
