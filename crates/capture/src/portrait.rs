//! The drawn delegate of test cameras.
#![allow(clippy::todo)]

use conclave_model::{MediaTime, Picture};

use crate::{CaptureError, TestPerson};

/// Draws one delegate at one size; everything that does not move is drawn once.
#[derive(Debug)]
pub struct Portrait {}

impl Portrait {
    /// Prepares a picture of `width` × `height` pixels.
    ///
    /// # Errors
    /// [`CaptureError::Wish`] for a side below 16 or above 4096.
    pub fn new(person: &TestPerson, width: u32, height: u32) -> Result<Self, CaptureError> {
        let _ = (person, width, height);
        todo!()
    }

    /// Draws picture `number`, taken at `time`.
    pub fn draw(&mut self, number: u32, time: MediaTime) -> Picture {
        let _ = (number, time);
        todo!()
    }
}
