//! What members tell each other, inside MLS application messages.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::stage::{Claim, Word};

/// Which sources a member has open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MemberState {
    /// The member's microphone.
    pub microphone: SourceState,
    /// The member's camera.
    pub camera: SourceState,
    /// The screen that the member shares; whether it may is another question.
    #[serde(default)]
    pub screen: SourceState,
}

/// How a source is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SourceState {
    /// Switched off by the member.
    #[default]
    Off,
    /// Open and sending.
    On,
    /// Wanted, but there is none, or it failed.
    Missing,
}

/// What a member tells the others: a kind, so that others can follow, and its content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Message {
    /// Which sources are open.
    State(MemberState),
    /// The originator agrees to a lower level; signed, and checked as such.
    Consent(Bytes),
    /// What the member wants or does about sharing a screen.
    Claim(Claim),
    /// Who may share a screen.
    Word(Word),
}

/// More than any message has. A consent brings a chain of certificates.
const MAX_LENGTH: usize = 16 << 10;

/// Nesting of [`Message`] with room to spare.
const MAX_DEPTH: usize = 8;

impl Message {
    /// The content of an MLS application message.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        #[expect(clippy::expect_used, reason = "plain data into memory")]
        ciborium::into_writer(self, &mut bytes).expect("plain data serializes into memory");
        bytes
    }

    /// Reads the content of an MLS application message; `None` where it is none of these.
    pub(crate) fn from_bytes(mut bytes: &[u8]) -> Option<Self> {
        if bytes.len() > MAX_LENGTH {
            return None;
        }
        let message = ciborium::de::from_reader_with_recursion_limit(&mut bytes, MAX_DEPTH).ok()?;
        bytes.is_empty().then_some(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_survive() {
        let state = MemberState { microphone: SourceState::On, camera: SourceState::Missing, screen: SourceState::On };
        for message in [Message::State(state), Message::Consent(Bytes::from_static(&[0xff; 4000]))] {
            let bytes = message.to_bytes();
            assert!(bytes.len() < 4040);
            assert_eq!(Message::from_bytes(&bytes), Some(message));
        }
    }

    /// The search of a relay's memory for what members tell each other looks for these bytes.
    #[test]
    fn a_state_is_written_as_the_search_for_plaintext_expects() {
        let state = MemberState { microphone: SourceState::On, camera: SourceState::On, ..MemberState::default() };
        let bytes = Message::State(state).to_bytes();
        let wanted: &[u8] = b"microphone\x62On\x66camera\x62On";
        assert!(bytes.windows(wanted.len()).any(|part| part == wanted), "{bytes:x?}");
    }

    #[test]
    fn what_is_no_message_is_refused() {
        let mut bytes = Message::State(MemberState::default()).to_bytes();
        bytes.push(0);
        assert_eq!(Message::from_bytes(&bytes), None);
        assert_eq!(Message::from_bytes(b""), None);
        assert_eq!(Message::from_bytes(&[0x9f; 200]), None);
        assert_eq!(Message::from_bytes(&Message::Consent(vec![0; MAX_LENGTH].into()).to_bytes()), None);
    }
}
