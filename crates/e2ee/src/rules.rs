//! What makes somebody a member.

use std::sync::Arc;

use conclave_identity::{Invitation, Revocations};
use conclave_model::{Fingerprint, Level, MeetingId};
use openmls::prelude::{
    Capabilities, CredentialType, Extension, ExtensionType, Extensions, GroupContext, GroupId, Lifetime,
    PURE_CIPHERTEXT_WIRE_FORMAT_POLICY, RequiredCapabilitiesExtension, UnknownExtension,
};
use openmls::prelude::{Ciphersuite, MlsGroupJoinConfig};
use rustls_pki_types::CertificateDer;

use crate::{Memory, State};

/// The MLS suite of every meeting, [`crate::SUITE`].
pub(crate) const CIPHERSUITE: Ciphersuite = Ciphersuite::MLS_128_MLKEM768X25519_CHACHA20POLY1305_SHA384_MLDSA44;

/// The credential type of our leaves: an X.509 chain with a binding, from the private range of RFC 9420 section 17.5.
pub(crate) const CREDENTIAL_TYPE: CredentialType = CredentialType::Other(0xf0c1);

/// The group context extension with the state, from the private range of RFC 9420 section 17.3.
pub(crate) const EXTENSION: u16 = 0xf0c1;

/// Epochs in which an application message that was on its way may still be read.
pub(crate) const PAST_EPOCHS: usize = 4;

/// Application messages are padded to a multiple of this, so that their lengths say less.
const PADDING: usize = 64;

/// By what a member judges: the signed invitation, the root, and what relay, office and app add to it.
///
/// Members check one another by their own rules; a relay has no say but for lowering the ceiling.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The verified invitation: meeting, level, who is listed, who leads.
    pub invitation: Invitation,
    /// The certificate that every chain must lead to.
    pub root: CertificateDer<'static>,
    /// Revocation lists, verified; those of the invitation count as well.
    pub revocations: Revocations,
    /// The highest level: the lower of the relay's certified maximum and of this app's policy. A group above it is
    /// neither made nor entered, and a rise above it not followed.
    pub ceiling: Level,
    /// What this app remembers of the meeting.
    pub memory: Option<Memory>,
}

impl Rules {
    /// Rules without memory or further revocations, up to the level of the invitation and no higher; shared.
    pub fn new(invitation: Invitation, root: CertificateDer<'static>) -> Arc<Self> {
        let ceiling = invitation.content().level;
        Arc::new(Self { invitation, root, revocations: Revocations::default(), ceiling, memory: None })
    }

    /// Which meeting.
    pub fn meeting(&self) -> MeetingId {
        self.invitation.content().meeting
    }

    /// Whose agreement it takes to lower the level.
    pub fn originator(&self) -> Option<Fingerprint> {
        self.invitation.content().originator
    }

    /// The MLS group's name.
    pub(crate) fn group_id(&self) -> GroupId {
        GroupId::from_slice(&self.meeting().0)
    }
}

/// The only group context extensions that a group with this state has.
pub(crate) fn extensions(state: &State) -> Extensions<GroupContext> {
    let required = RequiredCapabilitiesExtension::new(&[ExtensionType::Unknown(EXTENSION)], &[], &[CREDENTIAL_TYPE]);
    #[expect(clippy::expect_used, reason = "two different extensions, both allowed in a group context")]
    Extensions::from_vec(vec![
        Extension::RequiredCapabilities(required),
        Extension::Unknown(EXTENSION, UnknownExtension(state.to_bytes())),
    ])
    .expect("the extensions are distinct and belong in a group context")
}

/// The state that the extensions of a group context say, if they are of the one form that [`extensions`] makes.
pub(crate) fn state_of(found: &Extensions<GroupContext>) -> Option<State> {
    let state = State::from_bytes(&found.unknown(EXTENSION)?.0)?;
    (extensions(&state) == *found).then_some(state)
}

/// What our leaves can do: exactly what this meeting needs.
pub(crate) fn capabilities() -> Capabilities {
    Capabilities::builder()
        .ciphersuites(vec![CIPHERSUITE])
        .extensions(vec![ExtensionType::Unknown(EXTENSION)])
        .proposals(vec![])
        .credentials(vec![CREDENTIAL_TYPE])
        .build()
}

/// How long a leaf is valid as far as MLS is concerned: always.
///
/// The library would compare it with the system's clock. What limits a leaf is the certificate and the invitation,
/// against the wall clock that the caller passes.
pub(crate) fn lifetime() -> Lifetime {
    Lifetime::init(0, u64::MAX)
}

/// How a member reads and writes MLS messages: all of them encrypted, commits too.
pub(crate) fn join_config() -> MlsGroupJoinConfig {
    MlsGroupJoinConfig::builder()
        .wire_format_policy(PURE_CIPHERTEXT_WIRE_FORMAT_POLICY)
        .use_ratchet_tree_extension(true)
        .max_past_epochs(PAST_EPOCHS)
        .padding_size(PADDING)
        .build()
}
