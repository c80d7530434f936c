//! What makes somebody a member.

use std::sync::Arc;

use conclave_identity::Invitation;
use conclave_model::{Level, MeetingId};
use openmls::prelude::{
    Capabilities, CredentialType, Extension, ExtensionType, Extensions, GroupContext, GroupId, Lifetime,
    PURE_CIPHERTEXT_WIRE_FORMAT_POLICY, RequiredCapabilitiesExtension, UnknownExtension,
};
use openmls::prelude::{Ciphersuite, MlsGroupJoinConfig};
use rustls_pki_types::CertificateDer;

/// The MLS suite of every meeting, [`crate::SUITE`].
pub(crate) const CIPHERSUITE: Ciphersuite = Ciphersuite::MLS_128_MLKEM768X25519_CHACHA20POLY1305_SHA384_MLDSA44;

/// The credential type of our leaves: an X.509 chain with a binding, from the private range of RFC 9420 section 17.5.
pub(crate) const CREDENTIAL_TYPE: CredentialType = CredentialType::Other(0xf0c1);

/// The group context extension with meeting and level, from the private range of RFC 9420 section 17.3.
pub(crate) const EXTENSION: u16 = 0xf0c1;

/// Epochs in which an application message that was on its way may still be read.
pub(crate) const PAST_EPOCHS: usize = 4;

/// Application messages are padded to a multiple of this, so that their lengths say less.
const PADDING: usize = 64;

/// Who may be a member of the group: the invitation and the root that its participants' certificates lead to.
///
/// Every member holds the same rules and checks every other by them; a relay has no say.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The verified invitation: meeting, level, who is listed.
    pub invitation: Invitation,
    /// The certificate that every chain must lead to.
    pub root: CertificateDer<'static>,
}

impl Rules {
    /// The rules, shared.
    pub fn new(invitation: Invitation, root: CertificateDer<'static>) -> Arc<Self> {
        Arc::new(Self { invitation, root })
    }

    /// Which meeting.
    pub fn meeting(&self) -> MeetingId {
        self.invitation.content().meeting
    }

    /// The classification of the meeting.
    pub fn level(&self) -> Level {
        self.invitation.content().level
    }

    /// Level and meeting as bytes: one byte of level code, 16 of meeting id.
    ///
    /// This is the content of our group context extension, and part of each frame's authenticated data.
    pub(crate) fn context(&self) -> [u8; 17] {
        let mut bytes = [self.level().code(); 17];
        bytes[1..].copy_from_slice(&self.meeting().0);
        bytes
    }

    /// The MLS group's name.
    pub(crate) fn group_id(&self) -> GroupId {
        GroupId::from_slice(&self.meeting().0)
    }

    /// The only group context extensions that a group of this meeting has.
    pub(crate) fn extensions(&self) -> Extensions<GroupContext> {
        let required =
            RequiredCapabilitiesExtension::new(&[ExtensionType::Unknown(EXTENSION)], &[], &[CREDENTIAL_TYPE]);
        #[expect(clippy::expect_used, reason = "two different extensions, both allowed in a group context")]
        Extensions::from_vec(vec![
            Extension::RequiredCapabilities(required),
            Extension::Unknown(EXTENSION, UnknownExtension(self.context().to_vec())),
        ])
        .expect("the extensions are distinct and belong in a group context")
    }
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
