//! Who may connect: what the relay checks itself, before its state machine hears of a connection.

use std::time::Duration;

use bytes::Bytes;
use conclave_identity::{Invitation, Purpose, RevocationError, Revocations, WindowError, fingerprint, verify_chain};
use conclave_model::{
    Fingerprint, Level, MeetingId,
    wire::signal::{Hello, Refusal, VERSION},
};
use rustls_pki_types::CertificateDer;

/// What this relay accepts.
#[derive(Debug)]
pub(crate) struct Policy {
    /// The offices whose invitations count.
    offices: Vec<Office>,
    /// The highest level that this relay may carry.
    max_level: Level,
}

/// A root, and what is revoked under it.
#[derive(Debug)]
struct Office {
    root: CertificateDer<'static>,
    revocations: Revocations,
}

/// What the invitation says of somebody who may connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// For how long the meeting stays open.
    pub(crate) open_for: Duration,
    /// The place in the succession of the chair.
    pub(crate) rank: Option<u16>,
    /// Whether they may open the meeting.
    pub(crate) opens: bool,
}

/// Somebody may not connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) why: Refusal,
    /// The meeting, where the invitation to it is genuine.
    pub(crate) meeting: Option<MeetingId>,
}

/// Checks revocation lists (DER) against a root and the issuing CAs that are known.
///
/// # Errors
/// [`RevocationError`] of a list that a known CA should have signed and did not, or that is none.
pub(crate) fn check_lists(
    lists: &[Bytes],
    authorities: &[CertificateDer<'_>],
    root: &CertificateDer<'_>,
) -> Result<Revocations, RevocationError> {
    Revocations::verify(lists.iter().map(|list| &list[..]), authorities, root)
}

impl Policy {
    /// `lists` are the office's revocation lists; `authorities` the issuing CAs above the relay's own certificate.
    ///
    /// # Errors
    /// [`RevocationError`].
    pub(crate) fn new(
        roots: Vec<CertificateDer<'static>>,
        lists: &[Bytes],
        authorities: &[CertificateDer<'_>],
        max_level: Level,
    ) -> Result<Self, RevocationError> {
        let office = |root| Ok(Office { revocations: check_lists(lists, authorities, &root)?, root });
        Ok(Self { offices: roots.into_iter().map(office).collect::<Result<_, _>>()?, max_level })
    }

    /// Checks a client's first message against the certificate that it authenticated with, which is the first of
    /// `chain`.
    ///
    /// The order matters: who is not invited learns nothing else about the meeting.
    ///
    /// # Errors
    /// The [`Refusal`] to tell the client.
    pub(crate) fn admit(&self, hello: &Hello, chain: &[CertificateDer<'_>], wall: u64) -> Result<Entry, Refused> {
        let unknown = |why| Refused { why, meeting: None };
        if hello.version != VERSION {
            return Err(unknown(Refusal::Version));
        }
        let (invitation, office) = self.verify(&hello.invitation, wall).map_err(unknown)?;
        let content = invitation.content();
        if content.meeting != hello.meeting {
            return Err(unknown(Refusal::Invitation));
        }
        let refused = |why| Refused { why, meeting: Some(content.meeting) };
        let person = Fingerprint(chain.first().map(fingerprint).unwrap_or_default());
        // The handshake tried all roots; here it has to be the one that invites.
        let is_listed = invitation.place_of(&person.0).is_some();
        if !is_listed || verify_chain(chain, &office.root, wall, Purpose::Person).is_err() {
            return Err(refused(Refusal::NotInvited));
        }
        let lists = [&office.revocations, invitation.revocations()];
        if lists.iter().any(|lists| lists.check(chain, &office.root).is_err()) {
            return Err(refused(Refusal::Revoked));
        }
        if content.level > self.max_level {
            return Err(refused(Refusal::Level));
        }
        invitation.check_window(wall).map_err(|error| match error {
            WindowError::NotBegun { .. } => refused(Refusal::TooEarly),
            WindowError::Over { .. } => refused(Refusal::Over),
        })?;
        // The last second of the window is part of it.
        let open_for = Duration::from_secs(content.not_after.saturating_sub(wall).saturating_add(1).min(LONGEST));
        Ok(Entry { open_for, rank: invitation.rank(&person), opens: invitation.may_open(&person) })
    }

    /// Whether a certificate that was taken in, the first of `chain`, has been revoked since.
    pub(crate) fn is_revoked(&self, chain: &[CertificateDer<'_>], wall: u64) -> bool {
        let by = |office: &Office| {
            verify_chain(chain, &office.root, wall, Purpose::Person).is_ok()
                && office.revocations.check(chain, &office.root).is_err()
        };
        self.offices.iter().any(by)
    }

    fn verify(&self, bytes: &[u8], wall: u64) -> Result<(Invitation, &Office), Refusal> {
        let unverified = Invitation::parse(bytes).map_err(|error| {
            tracing::debug!(%error, "invitation refused");
            Refusal::Invitation
        })?;
        let by = |office: &Office| {
            let invitation = unverified.clone().verify(&office.root, wall).ok()?;
            invitation.check_signer(&office.revocations, &office.root).ok()?;
            Some(invitation)
        };
        let verified = self.offices.iter().find_map(|office| Some((by(office)?, office)));
        verified.ok_or(Refusal::Invitation)
    }
}

/// Thirty years: far enough for any meeting, and no clock overflows.
const LONGEST: u64 = 30 * 365 * 24 * 3600;
