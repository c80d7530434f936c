//! AV1: libaom encodes, rav1d decodes.

mod aom;
mod decoder;
mod encoder;
mod layering;

pub use decoder::Av1Decoder;
pub use encoder::{Av1Encoder, Content, VideoSettings};

#[cfg(test)]
mod tests;
