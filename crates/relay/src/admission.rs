//! Who may connect: what the relay checks itself, before its state machine hears of a connection.

use std::time::Duration;

use conclave_identity::{Invitation, WindowError};
use conclave_model::{
    Level,
    wire::signal::{Hello, Refusal, VERSION},
};
use rustls_pki_types::CertificateDer;

/// What this relay accepts.
#[derive(Debug)]
pub(crate) struct Policy {
    /// The offices whose invitations count.
    pub(crate) roots: Vec<CertificateDer<'static>>,
    /// The highest level that this relay may carry.
    pub(crate) max_level: Level,
}

impl Policy {
    /// Checks a client's first message against the certificate that it authenticated with. Returns for how long the
    /// meeting stays open.
    ///
    /// The order matters: who is not invited learns nothing else about the meeting.
    ///
    /// # Errors
    /// The [`Refusal`] to tell the client.
    pub(crate) fn admit(&self, hello: &Hello, fingerprint: &[u8; 32], wall: u64) -> Result<Duration, Refusal> {
        if hello.version != VERSION {
            return Err(Refusal::Version);
        }
        let invitation = self.verify(&hello.invitation, wall)?;
        let content = invitation.content();
        if content.meeting != hello.meeting {
            return Err(Refusal::Invitation);
        }
        if invitation.place_of(fingerprint).is_none() {
            return Err(Refusal::NotInvited);
        }
        if content.level > self.max_level {
            return Err(Refusal::Level);
        }
        invitation.check_window(wall).map_err(|error| match error {
            WindowError::NotBegun { .. } => Refusal::TooEarly,
            WindowError::Over { .. } => Refusal::Over,
        })?;
        // The last second of the window is part of it.
        Ok(Duration::from_secs(content.not_after.saturating_sub(wall).saturating_add(1).min(LONGEST)))
    }

    fn verify(&self, bytes: &[u8], wall: u64) -> Result<Invitation, Refusal> {
        let unverified = Invitation::parse(bytes).map_err(|error| {
            tracing::debug!(%error, "invitation refused");
            Refusal::Invitation
        })?;
        let verified = self.roots.iter().find_map(|root| unverified.clone().verify(root, wall).ok());
        verified.ok_or(Refusal::Invitation)
    }
}

/// Thirty years: far enough for any meeting, and no clock overflows.
const LONGEST: u64 = 30 * 365 * 24 * 3600;
