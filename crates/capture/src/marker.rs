//! A machine-readable strip at the bottom of a test picture: which picture it is and when it was taken.
//!
//! Two rows of 52 black or white blocks, the most significant bit first: picture number (32 bits), time in µs (56 bits,
//! enough until the year 4253) and a CRC-16. Blocks scale with the picture, so the strip is still read after the picture
//! was made smaller or larger; at 320×180 a block has 6×5 pixels, which an AV1 encoder at video-call rates keeps.

use conclave_model::{MediaTime, Picture};

const COLUMNS: u32 = 52;
const ROWS: u32 = 2;
/// One row's share of the picture's height.
const ROW_SHARE: u32 = 36;
/// Least width that the blocks need.
const LEAST_WIDTH: u32 = COLUMNS * 3;
/// Least height that the blocks need.
const LEAST_HEIGHT: u32 = ROW_SHARE * 3;
/// Dark and light enough to survive coding, close enough to stay out of the eye's way.
const BLACK: u8 = 34;
const WHITE: u8 = 152;
const TIME_BITS: u32 = 56;

/// What the strip says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marker {
    /// Counts the pictures of a source from 0.
    pub number: u32,
    /// When the picture was drawn; its low 56 bits.
    pub time: MediaTime,
}

impl Marker {
    fn bits(self) -> u128 {
        let content = (u128::from(self.number) << TIME_BITS) | u128::from(self.time.0 & ((1 << TIME_BITS) - 1));
        (content << 16) | u128::from(checksum(content))
    }

    fn from_bits(bits: u128) -> Option<Self> {
        let content = bits >> 16;
        (checksum(content) == bits as u16).then_some(Self {
            number: (content >> TIME_BITS) as u32,
            time: MediaTime(content as u64 & ((1 << TIME_BITS) - 1)),
        })
    }
}

/// How many of the lowest lines of a picture of this size the strip takes; 0 where it does not fit.
pub(crate) fn strip_height(width: u32, height: u32) -> u32 {
    if width < LEAST_WIDTH || height < LEAST_HEIGHT { 0 } else { (height * ROWS).div_ceil(ROW_SHARE) }
}

/// Draws the strip; does nothing in a picture below 156×108 pixels, where it does not fit.
pub(crate) fn write_marker(picture: &mut Picture, marker: Marker) {
    let (width, height) = (picture.width(), picture.height());
    let strip = strip_height(width, height);
    if strip == 0 {
        return;
    }
    let bits = marker.bits();
    let (chroma_width, chroma_height) = picture.chroma_size();
    let [y, u, v] = picture.planes_mut();
    for row in 0..ROWS {
        let mut line = vec![BLACK; width as usize];
        for column in 0..COLUMNS {
            if bits >> (ROWS * COLUMNS - 1 - row * COLUMNS - column) & 1 == 1 {
                let (from, to) = (column * width / COLUMNS, (column + 1) * width / COLUMNS);
                line[from as usize..to as usize].fill(WHITE);
            }
        }
        let [from, to] = [row, row + 1].map(|row| height - strip + row * strip / ROWS);
        for target in y[(from * width) as usize..(to * width) as usize].chunks_exact_mut(width as usize) {
            target.copy_from_slice(&line);
        }
    }
    let colourless = ((chroma_height - strip.div_ceil(2)) * chroma_width) as usize;
    u[colourless..].fill(128);
    v[colourless..].fill(128);
}

/// Reads the strip at the bottom of a test picture, also after scaling and lossy coding.
///
/// Returns `None` where there is none, or where its checksum does not fit (a chance of 1 in 65,536 for any other
/// picture).
pub fn read_marker(picture: &Picture) -> Option<Marker> {
    let (width, height) = (picture.width() as f32, picture.height() as f32);
    if picture.width() < COLUMNS * 2 || picture.height() < ROW_SHARE * 2 {
        return None;
    }
    let luma = picture.planes()[0];
    let (block_width, block_height) = (width / COLUMNS as f32, height / ROW_SHARE as f32);
    let mut bits = 0_u128;
    for row in 0..ROWS {
        for column in 0..COLUMNS {
            // The middle half of a block: its edges suffer in scaling and coding.
            let left = (column as f32 + 0.25) * block_width;
            let top = height - (ROWS - row) as f32 * block_height + 0.25 * block_height;
            let columns =
                left.round() as usize..((left + block_width / 2.0).round() as usize).max(left.round() as usize + 1);
            let rows =
                top.round() as usize..((top + block_height / 2.0).round() as usize).max(top.round() as usize + 1);
            let (mut sum, mut count) = (0_u32, 0);
            for line in rows {
                for sample in &luma[line * picture.width() as usize..][columns.clone()] {
                    (sum, count) = (sum + u32::from(*sample), count + 1);
                }
            }
            bits = bits << 1 | u128::from(sum > count * (u32::from(BLACK) + u32::from(WHITE)) / 2);
        }
    }
    Marker::from_bits(bits)
}

/// CRC-16/CCITT-FALSE over the 11 bytes of the content.
fn checksum(content: u128) -> u16 {
    content.to_be_bytes()[5..].iter().fold(0xFFFF, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte) << 8, |crc, _| if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(width: u32, height: u32, marker: Marker) -> Picture {
        let mut picture = Picture::black(width, height, MediaTime(0)).expect("a size");
        write_marker(&mut picture, marker);
        picture
    }

    #[test]
    fn what_is_written_is_read_at_every_usual_size() {
        let marker = Marker { number: 0xDEAD_BEEF, time: MediaTime(1_700_000_123_456_789) };
        for (width, height) in [(320, 180), (426, 240), (640, 360), (640, 480), (854, 480), (1280, 720), (1919, 1079)] {
            assert_eq!(read_marker(&marked(width, height, marker)), Some(marker), "{width}x{height}");
        }
    }

    #[test]
    fn a_picture_without_a_strip_has_no_marker() {
        for luma in [16, 90, 235] {
            let mut picture = Picture::black(640, 360, MediaTime(0)).expect("a size");
            picture.planes_mut()[0].fill(luma);
            assert_eq!(read_marker(&picture), None);
        }
        assert_eq!(read_marker(&Picture::black(20, 20, MediaTime(0)).expect("a size")), None);
    }

    #[test]
    fn one_wrong_block_is_noticed() {
        let marker = Marker { number: 77, time: MediaTime(12_345_678) };
        let mut picture = marked(640, 360, marker);
        let width = 640;
        for line in picture.planes_mut()[0].chunks_exact_mut(width).skip(340).take(10) {
            line[..12].iter_mut().for_each(|sample| *sample = BLACK + WHITE - *sample);
        }
        assert_eq!(read_marker(&picture), None);
    }

    #[test]
    fn the_strip_survives_shrinking_to_a_quarter() {
        let marker = Marker { number: 4_000_000_000, time: MediaTime(1_763_000_000_000_001) };
        let large = marked(1280, 720, marker);
        let luma = (0..180 * 320)
            .map(|at| {
                let (x, y) = (at % 320 * 4, at / 320 * 4);
                let sum: u32 = (0..16).map(|i| u32::from(large.planes()[0][(y + i / 4) * 1280 + x + i % 4])).sum();
                (sum / 16) as u8
            })
            .collect();
        let small = Picture::new(320, 180, MediaTime(0), [luma, vec![128; 14_400], vec![128; 14_400]]).expect("planes");
        assert_eq!(read_marker(&small), Some(marker));
    }
}
