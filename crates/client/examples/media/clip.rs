//! What the camera sees: a clip, or a drawn delegate.

use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
    time::Duration,
};

use conclave_capture::{TestPerson, portrait::Portrait};
use conclave_model::{MediaTime, Picture};

use super::Options;

/// Pictures that are shown one after the other, forwards and backwards, so that there is no cut.
#[derive(Debug)]
pub(crate) struct Clip {
    pub(crate) name: String,
    pub(crate) interval: Duration,
    pictures: Vec<Picture>,
}

impl Clip {
    /// The clip that was named, else a drawn delegate: 1280×720 at 30 pictures a second for 5 s. Small in the short form.
    pub(crate) fn load(options: &Options) -> Self {
        match &options.clip {
            Some(path) if !options.short => Self::read(path),
            Some(_) | None if options.short => Self::draw(640, 360, 15),
            Some(_) | None => Self::draw(1280, 720, 150),
        }
    }

    fn draw(width: u32, height: u32, count: u32) -> Self {
        let portrait = Portrait::new(&TestPerson::default(), width, height).unwrap();
        let interval = Duration::from_micros(33_333);
        let draw = |number| portrait.draw(number, MediaTime(1_000_000_000) + interval * number);
        Self { name: "drawn delegate".to_owned(), interval, pictures: (0..count).map(draw).collect() }
    }

    /// A Y4M file of 8-bit 4:2:0, whole.
    fn read(path: &Path) -> Self {
        let mut reader = BufReader::new(std::fs::File::open(path).unwrap());
        let mut head = String::new();
        reader.read_line(&mut head).unwrap();
        let of = |key: char| head.split_whitespace().find_map(|word| word.strip_prefix(key)).unwrap().to_owned();
        let (width, height): (u32, u32) = (of('W').parse().unwrap(), of('H').parse().unwrap());
        let rate = of('F');
        let (above, below) = rate.split_once(':').unwrap();
        let seconds = below.parse::<f64>().unwrap() / above.parse::<f64>().unwrap();
        let luma = (width * height) as usize;
        let chroma = (width.div_ceil(2) * height.div_ceil(2)) as usize;
        let mut pictures = Vec::new();
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).unwrap() > 0 {
            line.clear();
            let planes = [luma, chroma, chroma].map(|length| {
                let mut plane = vec![0; length];
                reader.read_exact(&mut plane).unwrap();
                plane
            });
            pictures.push(Picture::new(width, height, MediaTime(0), planes).unwrap());
        }
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        Self { name, interval: Duration::from_secs_f64(seconds), pictures }
    }

    /// Picture `number` of an endless row.
    pub(crate) fn picture(&self, number: u64) -> &Picture {
        let count = self.pictures.len() as u64;
        let place = number % (2 * count);
        &self.pictures[if place < count { place } else { 2 * count - 1 - place } as usize]
    }
}
