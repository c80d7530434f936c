#![allow(clippy::todo, unused)]
//! The session: a thin dispatcher over the media path and the state of membership.

use std::{net::SocketAddr, time::Instant};

use crate::{Counters, Input, Output, SessionConfig, SessionError};

/// One participant's connection to one meeting.
#[derive(Debug)]
pub struct Session {}

impl Session {
    /// Begins to join; the first output is the hello to the relay.
    ///
    /// `local` is the address of the bound UDP socket.
    ///
    /// # Errors
    /// [`SessionError::Crypto`] where no key package can be made, [`SessionError::Path`] where `local` is unusable.
    pub fn new(config: SessionConfig, local: SocketAddr, now: Instant) -> Result<Self, SessionError> {
        todo!()
    }

    /// Takes in what happened. Drain [`Self::poll_output`] afterwards.
    ///
    /// # Errors
    /// A [`SessionError`] says why the input was not taken. None of them is fatal by itself.
    pub fn handle_input(&mut self, input: Input<'_>, now: Instant) -> Result<(), SessionError> {
        todo!()
    }

    /// What is to be done next; [`Output::Wake`] ends the drain.
    pub fn poll_output(&mut self) -> Output {
        todo!()
    }

    /// What was counted so far.
    pub fn counters(&self) -> Counters {
        todo!()
    }
}
