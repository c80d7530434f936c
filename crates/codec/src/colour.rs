//! Between planes of brightness and colour and interleaved RGBA: BT.709, limited range.

use conclave_model::{MediaTime, Picture, PictureError};
use yuv::{BufferStoreMut, YuvConversionMode, YuvPlanarImage, YuvPlanarImageMut, YuvRange, YuvStandardMatrix};

use crate::CodecError;

/// The picture as RGBA, four bytes a pixel, rows without padding, opaque.
///
/// For screenshots and tests; the window lets the graphics card do it.
///
/// # Errors
/// [`CodecError::Form`] where the converter refuses.
pub fn to_rgba(picture: &Picture) -> Result<Vec<u8>, CodecError> {
    let [y, u, v] = picture.planes();
    let (chroma, _) = picture.chroma_size();
    let image = YuvPlanarImage {
        y_plane: y,
        y_stride: picture.width(),
        u_plane: u,
        u_stride: chroma,
        v_plane: v,
        v_stride: chroma,
        width: picture.width(),
        height: picture.height(),
    };
    let mut rgba = vec![255; picture.width() as usize * picture.height() as usize * 4];
    yuv::yuv420_to_rgba(&image, &mut rgba, picture.width() * 4, YuvRange::Limited, YuvStandardMatrix::Bt709)
        .map_err(|_| CodecError::Form)?;
    Ok(rgba)
}

/// A picture of RGBA, four bytes a pixel, rows without padding; opacity is ignored.
///
/// # Errors
/// [`CodecError::Picture`] for an absurd size or a slice of another length than it asks for.
pub fn from_rgba(width: u32, height: u32, time: MediaTime, rgba: &[u8]) -> Result<Picture, CodecError> {
    let mut picture = Picture::black(width, height, time)?;
    let wanted = width as usize * height as usize * 4;
    if rgba.len() != wanted {
        return Err(PictureError::Plane { plane: "RGBA", found: rgba.len(), wanted }.into());
    }
    let (chroma, _) = picture.chroma_size();
    let [y, u, v] = picture.planes_mut();
    let mut image = YuvPlanarImageMut {
        y_plane: BufferStoreMut::Borrowed(y),
        y_stride: width,
        u_plane: BufferStoreMut::Borrowed(u),
        u_stride: chroma,
        v_plane: BufferStoreMut::Borrowed(v),
        v_stride: chroma,
        width,
        height,
    };
    let mode = YuvConversionMode::Balanced;
    yuv::rgba_to_yuv420(&mut image, rgba, width * 4, YuvRange::Limited, YuvStandardMatrix::Bt709, mode)
        .map_err(|_| CodecError::Form)?;
    Ok(picture)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn plain_colours_survive_both_ways() {
        for colour in [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [0, 0, 0], [200, 120, 40]] {
            let pixel = [colour[0], colour[1], colour[2], 255];
            let rgba = pixel.repeat(7 * 5);
            let picture = from_rgba(7, 5, MediaTime(3), &rgba).unwrap();
            let back = to_rgba(&picture).unwrap();
            for (found, wanted) in back.iter().zip(&rgba) {
                assert!(found.abs_diff(*wanted) <= 4, "{colour:?} became {:?}", &back[..4]);
            }
        }
    }

    #[test]
    fn white_is_limited_range() {
        let picture = from_rgba(2, 2, MediaTime(0), &[255; 16]).unwrap();
        assert_eq!(picture.planes().map(|plane| plane[0]), [235, 128, 128]);
    }

    #[test]
    fn a_slice_of_the_wrong_length_is_refused() {
        assert!(from_rgba(2, 2, MediaTime(0), &[0; 15]).is_err());
        assert!(from_rgba(0, 2, MediaTime(0), &[]).is_err());
    }
}
