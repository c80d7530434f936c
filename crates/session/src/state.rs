//! What members tell each other about their sources, inside MLS application messages.

use serde::{Deserialize, Serialize};

/// Which sources a member has open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MemberState {
    /// The member's microphone.
    pub microphone: SourceState,
    /// The member's camera.
    pub camera: SourceState,
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

/// The message: a kind, so that others can follow, and its content.
#[derive(Serialize, Deserialize)]
enum Message {
    State(MemberState),
}

/// More than any message of this kind has.
const MAX_LENGTH: usize = 256;

/// Nesting of [`Message`] with room to spare.
const MAX_DEPTH: usize = 8;

impl MemberState {
    /// The content of an MLS application message.
    pub(crate) fn to_message(self) -> Vec<u8> {
        let mut bytes = Vec::new();
        #[expect(clippy::expect_used, reason = "plain data into memory")]
        ciborium::into_writer(&Message::State(self), &mut bytes).expect("plain data serializes into memory");
        bytes
    }

    /// Reads the content of an MLS application message; `None` where it is no state.
    pub(crate) fn from_message(mut bytes: &[u8]) -> Option<Self> {
        if bytes.len() > MAX_LENGTH {
            return None;
        }
        let Message::State(state) = ciborium::de::from_reader_with_recursion_limit(&mut bytes, MAX_DEPTH).ok()?;
        bytes.is_empty().then_some(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_survives_its_message() {
        let state = MemberState { microphone: SourceState::On, camera: SourceState::Missing };
        assert_eq!(MemberState::from_message(&state.to_message()), Some(state));
    }

    #[test]
    fn what_is_no_state_is_refused() {
        let mut bytes = MemberState::default().to_message();
        bytes.push(0);
        assert_eq!(MemberState::from_message(&bytes), None);
        assert_eq!(MemberState::from_message(b""), None);
        assert_eq!(MemberState::from_message(&[0x9f; 200]), None);
        assert_eq!(MemberState::from_message(&[0x40; 300]), None);
    }
}
