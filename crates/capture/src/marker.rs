//! A machine-readable strip in a test picture.
#![allow(clippy::todo)]

use conclave_model::{MediaTime, Picture};

/// What the strip says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marker {
    /// Counts the pictures of a source from 0.
    pub number: u32,
    /// When the picture was drawn.
    pub time: MediaTime,
}

/// Reads the strip at the bottom of a test picture, also after scaling and lossy coding.
///
/// Returns `None` where there is none, or where its checksum does not fit.
pub fn read_marker(picture: &Picture) -> Option<Marker> {
    let _ = picture;
    todo!()
}
