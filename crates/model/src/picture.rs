//! An uncompressed picture in memory.

use std::fmt;

use crate::MediaTime;

/// The widest and highest picture that anything here accepts, in pixels.
pub const MAX_SIDE: u32 = 4096;

/// One picture: 8-bit planar YUV 4:2:0, limited range BT.709, rows without padding.
///
/// `y` has `width × height` bytes; `u` and `v` each `ceil(width / 2) × ceil(height / 2)`.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    width: u32,
    height: u32,
    /// When it was captured.
    pub time: MediaTime,
    y: Vec<u8>,
    u: Vec<u8>,
    v: Vec<u8>,
}

impl Picture {
    /// Makes a picture of its planes.
    ///
    /// # Errors
    /// [`PictureError::Size`] for a side of 0 or above [`MAX_SIDE`], [`PictureError::Plane`] where a plane's length
    /// does not fit the size.
    pub fn new(width: u32, height: u32, time: MediaTime, [y, u, v]: [Vec<u8>; 3]) -> Result<Self, PictureError> {
        let (luma, chroma) = plane_lengths(width, height)?;
        for (plane, found, wanted) in [("Y", y.len(), luma), ("U", u.len(), chroma), ("V", v.len(), chroma)] {
            if found != wanted {
                return Err(PictureError::Plane { plane, found, wanted });
            }
        }
        Ok(Self { width, height, time, y, u, v })
    }

    /// A black picture.
    ///
    /// # Errors
    /// [`PictureError::Size`] for a side of 0 or above [`MAX_SIDE`].
    pub fn black(width: u32, height: u32, time: MediaTime) -> Result<Self, PictureError> {
        let (luma, chroma) = plane_lengths(width, height)?;
        Self::new(width, height, time, [vec![16; luma], vec![128; chroma], vec![128; chroma]])
    }

    /// Width in pixels.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Width and height of the two colour planes.
    pub fn chroma_size(&self) -> (u32, u32) {
        (self.width.div_ceil(2), self.height.div_ceil(2))
    }

    /// The planes Y, U, V.
    pub fn planes(&self) -> [&[u8]; 3] {
        [&self.y, &self.u, &self.v]
    }

    /// The planes Y, U, V, to draw into.
    pub fn planes_mut(&mut self) -> [&mut [u8]; 3] {
        [&mut self.y, &mut self.u, &mut self.v]
    }
}

/// Shows the size, never content.
impl fmt::Debug for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Picture({}x{} at {} µs)", self.width, self.height, self.time.0)
    }
}

/// Lengths in bytes of the luma plane and of each colour plane.
fn plane_lengths(width: u32, height: u32) -> Result<(usize, usize), PictureError> {
    if !(1..=MAX_SIDE).contains(&width) || !(1..=MAX_SIDE).contains(&height) {
        return Err(PictureError::Size { width, height });
    }
    let area = |w: u32, h: u32| w as usize * h as usize;
    Ok((area(width, height), area(width.div_ceil(2), height.div_ceil(2))))
}

/// Why something is no picture.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PictureError {
    /// A side is 0 or too long.
    #[error("a picture of {width}x{height} pixels; sides go from 1 to {MAX_SIDE}")]
    Size {
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
    },
    /// A plane's length does not fit the size.
    #[error("plane {plane} has {found} bytes where {wanted} belong")]
    Plane {
        /// Which one.
        plane: &'static str,
        /// Bytes found.
        found: usize,
        /// Bytes that the size asks for.
        wanted: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_sides_round_the_colour_planes_up() {
        let picture = Picture::black(5, 3, MediaTime(0)).expect("a small picture");
        assert_eq!(picture.planes().map(<[u8]>::len), [15, 6, 6]);
        assert_eq!(picture.chroma_size(), (3, 2));
    }

    #[test]
    fn absurd_sizes_and_short_planes_are_refused() {
        assert_eq!(Picture::black(0, 10, MediaTime(0)), Err(PictureError::Size { width: 0, height: 10 }));
        assert!(Picture::black(70_000, 70_000, MediaTime(0)).is_err());
        assert_eq!(
            Picture::new(2, 2, MediaTime(0), [vec![0; 4], vec![0; 1], vec![]]),
            Err(PictureError::Plane { plane: "V", found: 0, wanted: 1 })
        );
    }
}
