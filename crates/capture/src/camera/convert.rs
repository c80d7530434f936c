//! From what cameras deliver to I420 in limited BT.709.
//!
//! Cameras encode their YUV in BT.601 (USB Video Class 1.5, section 3.9.2.6, as default) and JPEG in full BT.601, so
//! every format goes through RGB.

use conclave_model::{MediaTime, Picture};
use nokhwa::utils::FrameFormat;
use yuv::{
    BufferStoreMut, YuvBiPlanarImage, YuvConversionMode, YuvPackedImage, YuvPlanarImageMut, YuvRange, YuvStandardMatrix,
};
use zune_jpeg::{
    JpegDecoder,
    zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions},
};

/// Why one picture of a camera could not be used; the next may be fine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ConvertError {
    /// Fewer bytes than the size needs.
    #[error("{found} bytes where {wanted} belong")]
    Short { found: usize, wanted: usize },
    /// No JPEG, or a broken one.
    #[error("broken JPEG: {0}")]
    Jpeg(String),
    /// A JPEG of another size than the camera was set to.
    #[error("a JPEG of {found} bytes where {wanted} belong")]
    JpegSize { found: usize, wanted: usize },
    /// The size is beyond what a picture can have.
    #[error(transparent)]
    Picture(#[from] conclave_model::PictureError),
    /// The converter refused.
    #[error("{0}")]
    Colour(String),
}

/// Converts pictures of one size; keeps its buffer between them.
#[derive(Debug, Default)]
pub(super) struct Converter {
    rgb: Vec<u8>,
}

impl Converter {
    /// Makes a picture of `data` as a camera of `width` × `height` pixels delivered it.
    pub(super) fn convert(
        &mut self,
        format: FrameFormat,
        (width, height): (u32, u32),
        time: MediaTime,
        data: &[u8],
    ) -> Result<Picture, ConvertError> {
        let mut picture = Picture::black(width, height, time)?;
        let area = width as usize * height as usize;
        let enough = |wanted: usize| data.get(..wanted).ok_or(ConvertError::Short { found: data.len(), wanted });
        self.rgb.resize(area * 3, 0);
        let (matrix, limited) = (YuvStandardMatrix::Bt601, YuvRange::Limited);
        let colour = |error: yuv::YuvError| ConvertError::Colour(error.to_string());
        match format {
            FrameFormat::YUYV => {
                // A pair of pixels shares its colour, so an odd width is padded.
                let stride = width.div_ceil(2) * 4;
                let image = YuvPackedImage {
                    yuy: enough(stride as usize * height as usize)?,
                    yuy_stride: stride,
                    width,
                    height,
                };
                yuv::yuyv422_to_rgb(&image, &mut self.rgb, width * 3, limited, matrix).map_err(colour)?;
            }
            FrameFormat::NV12 => {
                let uv_stride = width.div_ceil(2) * 2;
                let data = enough(area + uv_stride as usize * height.div_ceil(2) as usize)?;
                let (y_plane, uv_plane) = data.split_at(area);
                let image = YuvBiPlanarImage { y_plane, y_stride: width, uv_plane, uv_stride, width, height };
                yuv::yuv_nv12_to_rgb(&image, &mut self.rgb, width * 3, limited, matrix, YuvConversionMode::Balanced)
                    .map_err(colour)?;
            }
            FrameFormat::MJPEG => self.decode_jpeg(data)?,
            FrameFormat::RAWRGB => self.rgb.copy_from_slice(enough(area * 3)?),
            FrameFormat::RAWBGR => {
                for (target, source) in self.rgb.chunks_exact_mut(3).zip(enough(area * 3)?.chunks_exact(3)) {
                    target.copy_from_slice(&[source[2], source[1], source[0]]);
                }
            }
            FrameFormat::GRAY => {
                for (target, source) in self.rgb.chunks_exact_mut(3).zip(enough(area)?) {
                    target.fill(*source);
                }
            }
        }
        let chroma_width = picture.chroma_size().0;
        let [y, u, v] = picture.planes_mut();
        let mut planes = YuvPlanarImageMut {
            y_plane: BufferStoreMut::Borrowed(y),
            y_stride: width,
            u_plane: BufferStoreMut::Borrowed(u),
            u_stride: chroma_width,
            v_plane: BufferStoreMut::Borrowed(v),
            v_stride: chroma_width,
            width,
            height,
        };
        let mode = YuvConversionMode::Balanced;
        yuv::rgb_to_yuv420(&mut planes, &self.rgb, width * 3, limited, YuvStandardMatrix::Bt709, mode)
            .map_err(colour)?;
        Ok(picture)
    }

    fn decode_jpeg(&mut self, data: &[u8]) -> Result<(), ConvertError> {
        let side = conclave_model::picture::MAX_SIDE as usize;
        let options = DecoderOptions::default()
            .jpeg_set_out_colorspace(ColorSpace::RGB)
            .set_max_width(side)
            .set_max_height(side)
            .set_strict_mode(false);
        let mut decoder = JpegDecoder::new_with_options(ZCursor::new(data), options);
        decoder.decode_headers().map_err(|error| ConvertError::Jpeg(error.to_string()))?;
        let wanted = self.rgb.len();
        let found = decoder.output_buffer_size().unwrap_or(0);
        if found != wanted {
            return Err(ConvertError::JpegSize { found, wanted });
        }
        decoder.decode_into(&mut self.rgb).map_err(|error| ConvertError::Jpeg(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(format: FrameFormat, data: &[u8]) -> [u8; 3] {
        let picture = Converter::default().convert(format, (16, 16), MediaTime(3), data).expect("a picture");
        assert_eq!(picture.time, MediaTime(3));
        picture.planes().map(|plane| plane[plane.len() / 2])
    }

    fn near(found: [u8; 3], wanted: [u8; 3]) {
        assert!(found.iter().zip(wanted).all(|(a, b)| a.abs_diff(b) <= 3), "{found:?} for {wanted:?}");
    }

    /// Pure red: BT.601 limited is 81, 90, 240; BT.709 limited is 63, 102, 240.
    #[test]
    fn red_stays_red_in_every_format() {
        let red = [63, 102, 240];
        near(first(FrameFormat::YUYV, &[81, 90, 81, 240].repeat(128)), red);
        near(first(FrameFormat::NV12, &[vec![81; 256], [90, 240].repeat(64)].concat()), red);
        near(first(FrameFormat::RAWRGB, &[255, 0, 0].repeat(256)), red);
        near(first(FrameFormat::RAWBGR, &[0, 0, 255].repeat(256)), red);
        near(first(FrameFormat::GRAY, &[255; 256]), [235, 128, 128]);
        near(first(FrameFormat::MJPEG, include_bytes!("convert/red.jpg")), red);
    }

    #[test]
    fn a_short_or_broken_picture_is_an_error_and_no_panic() {
        let mut converter = Converter::default();
        for format in
            [FrameFormat::YUYV, FrameFormat::NV12, FrameFormat::RAWRGB, FrameFormat::RAWBGR, FrameFormat::GRAY]
        {
            let result = converter.convert(format, (16, 16), MediaTime(0), &[0; 100]);
            assert!(matches!(result, Err(ConvertError::Short { found: 100, .. })), "{format:?}");
        }
        let jpeg = include_bytes!("convert/red.jpg");
        for length in [0, 1, 2, 20, jpeg.len() / 2] {
            let _ = converter.convert(FrameFormat::MJPEG, (16, 16), MediaTime(0), &jpeg[..length]);
        }
        for at in 0..jpeg.len() {
            let mut damaged = jpeg.to_vec();
            damaged[at] ^= 0x55;
            let _ = converter.convert(FrameFormat::MJPEG, (16, 16), MediaTime(0), &damaged);
        }
        let wrong_size = converter.convert(FrameFormat::MJPEG, (32, 32), MediaTime(0), jpeg);
        assert!(matches!(wrong_size, Err(ConvertError::JpegSize { .. })));
        assert!(converter.convert(FrameFormat::GRAY, (0, 16), MediaTime(0), &[]).is_err());
    }

    #[test]
    fn odd_sizes_are_converted() {
        let mut converter = Converter::default();
        for (width, height) in [(17, 17), (33, 19)] {
            let picture = converter.convert(FrameFormat::YUYV, (width, height), MediaTime(0), &[128; 8000]);
            assert!(picture.is_ok(), "{picture:?}");
            let picture = converter.convert(FrameFormat::NV12, (width, height), MediaTime(0), &[128; 8000]);
            assert!(picture.is_ok(), "{picture:?}");
        }
    }
}
