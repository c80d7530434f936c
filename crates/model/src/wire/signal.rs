//! The signalling messages between a client and its relay: CBOR (RFC 8949) in binary WebSocket messages.
//!
//! The relay sees who is connected, in which order commits came and who wishes for which track. What members say to
//! each other, key packages aside, is encrypted: [`ToRelay::Commit`], [`ToRelay::Broadcast`] and welcomes are opaque
//! MLS messages.
//!
//! The order on a fresh connection: [`ToRelay::Hello`], answered by [`FromRelay::Joined`] or [`FromRelay::Refused`].
//! A member that finds [`Joined::create`] set makes the group; every other waits until a member commits its key
//! package and the relay delivers [`FromRelay::Welcome`].

use std::net::SocketAddr;

use bytes::Bytes;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{Epoch, Layer, LeafRef, MeetingId, PeerId, TrackKind};

/// The version of these messages. A relay refuses any other.
pub const VERSION: u16 = 1;

/// The longest message that either side reads, in bytes. A post-quantum welcome to 100 members has 514 kB.
pub const MAX_MESSAGE: usize = 2 << 20;

/// The most entries that any list in a message may have.
pub const MAX_LIST: usize = 256;

/// How many levels of nesting a message may have.
const MAX_DEPTH: usize = 16;

/// What a client tells its relay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToRelay {
    /// The first message on a connection, exactly once.
    Hello(Hello),
    /// The first message on a connection that goes on with one that broke off, instead of a hello.
    Resume(Resume),
    /// Changes the group. Accepted only where `epoch` is the group's epoch as the relay has it.
    Commit(Commit),
    /// An MLS application message for all other members.
    Broadcast(Bytes),
    /// Which pictures the client wants; replaces the earlier wishes. Sound of all participants comes unasked.
    ///
    /// Their order is their importance: who speaks and what is pinned first. Where the line does not carry them all as
    /// large as they are shown, the later ones come smaller, or not at all; shared screens go before cameras.
    Wishes(Vec<Wish>),
    /// A decoder needs a key frame, of the encoding that this client is being given.
    NeedKeyFrame(TrackName),
    /// A sign of life for all other members: signed by its sender over the state of the group, opaque here.
    Pulse(Bytes),
    /// The client does not follow the commit that ended `epoch`: it breaks the rules. Where more than half of those
    /// who were to follow it object, the relay annuls it.
    Object {
        /// The epoch that the commit ended.
        epoch: Epoch,
    },
    /// Ends another's connection. Heard only from the member that is first in the signed succession of the chair.
    Dismiss {
        /// Whose.
        peer: PeerId,
        /// Why.
        why: Dismissal,
    },
    /// Tells somebody who waits why that takes longer. Heard only from the member that is first in the signed succession
    /// of the chair.
    Delay {
        /// Whom.
        peer: PeerId,
        /// Why; `None` where nothing more than usual keeps them out.
        why: Option<Delay>,
    },
    /// Goodbye.
    Leave,
}

/// What a relay tells a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromRelay {
    /// The answer to [`ToRelay::Hello`].
    Joined(Joined),
    /// Somebody wants to become a member. Some member checks them and commits.
    Arrived(Arrival),
    /// A connection is gone. Some member removes the leaf.
    Departed(Neighbour),
    /// The commit that ends `epoch`, in the one order that all members see; the committer receives it too.
    Committed {
        /// The epoch that it ends.
        epoch: Epoch,
        /// Who made it.
        from: PeerId,
        /// An MLS message.
        commit: Bytes,
    },
    /// Another commit ended `epoch` first; the client's own is void.
    CommitRefused {
        /// The epoch that is current at the relay.
        epoch: Epoch,
    },
    /// The client has been added to the group.
    Welcome {
        /// The epoch that it enters.
        epoch: Epoch,
        /// An MLS welcome with ratchet tree.
        welcome: Bytes,
    },
    /// An MLS application message of another member.
    Broadcast {
        /// The connection it came from.
        from: PeerId,
        /// An MLS message.
        message: Bytes,
    },
    /// A sign of life of another member.
    Pulse {
        /// The connection it came from.
        from: PeerId,
        /// What it signed.
        pulse: Bytes,
    },
    /// The commit that ended `epoch` does not count: most members object to it. The epoch is current again, and the
    /// connection that made the commit is gone.
    Annulled {
        /// The epoch.
        epoch: Epoch,
    },
    /// Some receiver needs a key frame of the client's own track.
    KeyFrameWanted {
        /// Which track.
        track: TrackKind,
        /// Which encoding of it.
        layer: Layer,
    },
    /// How the client's sound arrives at the one who receives it worst, so that the client adds what repairs that. Comes
    /// on change, at most once a second; before the first one, all receive it whole. It is the relay's word alone, and
    /// all it can do is to change how much redundancy is sent.
    Heard {
        /// Share of packets that are lost on the way there, in percent.
        loss: u8,
        /// Round trip between the relay and that one, in milliseconds; 0 where it is not known.
        round_trip: u16,
    },
    /// The answer to [`ToRelay::Resume`]; what the client missed follows.
    Resumed {
        /// How many messages the relay heard after the hello. The client says again what came after those.
        heard: u64,
    },
    /// Why the client waits so long, as the acting chair's app says. It may go on waiting.
    Delayed(Option<Delay>),
    /// Newer certificate revocation lists (DER) than those in [`Joined`]. Members check their signatures themselves.
    Revocations(Vec<Bytes>),
    /// The relay will not have the client, or no longer. The connection ends.
    Refused(Refusal),
    /// Which encodings of the client's own picture somebody watches. Comes on every change, a layer that is given up a
    /// little later, so that a viewer whose line wavers does not stop and start an encoder.
    ///
    /// The client sends these and no others; in place of one that it cannot send, for its line or its processor, the
    /// next lower one that it can. A layer that is taken up begins with a key frame. Before the first such message of a
    /// connection it goes on with what the connection before it said; where there was none, with `Layer(0)` alone.
    LayersWanted {
        /// Which track; never sound.
        track: TrackKind,
        /// One bit for each layer, [`Layer::bit`]; 0: nobody watches. What is outside of [`Layer::ALL`] means nothing.
        layers: u8,
    },
    /// Which of the pictures that the client wishes for come smaller than they could, or not at all, because its own
    /// line carries no more; all others are as good as their senders send them. Comes on change, every 2 s at most. For
    /// people to read; nothing depends on it.
    Squeezed(Vec<TrackName>),
}

/// Who wants to join what, and where media go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// [`VERSION`].
    pub version: u16,
    /// Which meeting.
    pub meeting: MeetingId,
    /// The signed invitation, as the file has it.
    pub invitation: Bytes,
    /// The short name of the leaf in `key_package`.
    pub leaf: LeafRef,
    /// An MLS key package.
    pub key_package: Bytes,
    /// The client's end of the media path.
    pub transport: Endpoint,
    /// Whether an older connection with the same certificate is to end. Without it the relay answers
    /// [`Refusal::AlreadyHere`] where there is one.
    pub take_over: bool,
}

/// Goes on with a connection that broke off: the same certificate, on another TCP connection. Both sides count the
/// messages from the first on (of the client's, the one after the hello) and say again what the other has not heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resume {
    /// [`VERSION`].
    pub version: u16,
    /// Which meeting.
    pub meeting: MeetingId,
    /// The connection's number and leaf.
    pub who: Neighbour,
    /// How many messages the client heard from the relay, [`FromRelay::Joined`] the first of them.
    pub heard: u64,
}

/// Why the chair ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Dismissal {
    /// Not let in from the lobby; may ask again.
    Denied,
    /// Put out of the meeting; the certificate is not let in again as long as it lasts.
    Ejected,
}

impl FromRelay {
    /// About how many bytes the message has, for whoever keeps a number of them.
    pub fn size(&self) -> usize {
        const HEAD: usize = 128;
        HEAD + match self {
            Self::Joined(joined) => {
                joined.neighbours.len() * size_of::<Neighbour>()
                    + joined.revocations.iter().map(Bytes::len).sum::<usize>()
            }
            Self::Revocations(lists) => lists.iter().map(Bytes::len).sum(),
            Self::Squeezed(tracks) => tracks.len() * size_of::<TrackName>(),
            Self::Arrived(arrival) => arrival.key_package.len(),
            Self::Committed { commit, .. } => commit.len(),
            Self::Welcome { welcome, .. } => welcome.len(),
            Self::Broadcast { message, .. } => message.len(),
            Self::Pulse { pulse, .. } => pulse.len(),
            Self::Departed(_)
            | Self::Annulled { .. }
            | Self::CommitRefused { .. }
            | Self::KeyFrameWanted { .. }
            | Self::LayersWanted { .. }
            | Self::Resumed { .. }
            | Self::Heard { .. }
            | Self::Delayed(_)
            | Self::Refused(_) => 0,
        }
    }
}

/// Why somebody waits who may come in later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Delay {
    /// The chair has locked the meeting.
    Locked,
}

/// One end of a media path: ICE credentials (RFC 8445) and the DTLS certificate's SHA-256.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// ICE user fragment.
    pub ufrag: String,
    /// ICE password.
    pub password: String,
    /// SHA-256 of the DTLS certificate.
    #[serde(with = "serde_bytes")]
    pub fingerprint: [u8; 32],
    /// Addresses at which the end receives; a client sends none, the relay learns them.
    pub candidates: Vec<SocketAddr>,
}

/// Keeps the password out of logs.
impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpoint").field("ufrag", &self.ufrag).finish_non_exhaustive()
    }
}

/// A connection and the leaf behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Neighbour {
    /// The number of the connection.
    pub peer: PeerId,
    /// The leaf that it said it has.
    pub leaf: LeafRef,
}

/// The relay took the client in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Joined {
    /// The client's number; it stands in each of its packets.
    pub peer: PeerId,
    /// The relay's end of the media path.
    pub transport: Endpoint,
    /// Whether nobody is there yet, so that the client makes the group.
    pub create: bool,
    /// Who is connected already.
    pub neighbours: Vec<Neighbour>,
    /// Certificate revocation lists (RFC 5280 section 5) that the relay's office gave it, DER. Members check their
    /// signatures themselves.
    pub revocations: Vec<Bytes>,
}

/// Somebody with a key package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrival {
    /// Their connection and leaf.
    pub who: Neighbour,
    /// An MLS key package. Members check it: the relay has not.
    pub key_package: Bytes,
}

/// A change of the group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// The epoch that it ends.
    pub epoch: Epoch,
    /// An MLS message.
    pub commit: Bytes,
    /// The MLS welcome, where somebody was added.
    pub welcome: Option<Bytes>,
    /// Who is to have the welcome.
    pub added: Vec<PeerId>,
}

/// A track of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TrackName {
    /// Whose.
    pub peer: PeerId,
    /// Which.
    pub track: TrackKind,
}

/// A picture that a client wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Wish {
    /// Whose track.
    pub track: TrackName,
    /// How high it is shown, in physical pixels; 0 stands for "not at all".
    pub height: u16,
}

/// Why a relay refuses a client. The words for people are the window's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    /// The message versions differ.
    #[error("relay and app speak different versions")]
    Version,
    /// The invitation is not signed by an office that the relay trusts, or was edited.
    #[error("the relay does not accept the invitation's signature")]
    Invitation,
    /// The certificate of the connection is not on the invitation's list.
    #[error("the credential is not on the list of participants")]
    NotInvited,
    /// The meeting has not begun.
    #[error("the meeting has not begun")]
    TooEarly,
    /// The meeting is over.
    #[error("the meeting is over")]
    Over,
    /// The relay may not carry meetings of this level.
    #[error("the relay is not accredited for the level of this meeting")]
    Level,
    /// No place is left, in the meeting or at the relay.
    #[error("the relay is full")]
    Full,
    /// The same credential connected again; the newer connection stays.
    #[error("the same credential joined from elsewhere")]
    Replaced,
    /// The credential has a connection already, and the client did not say that it takes over.
    #[error("the same credential is in the meeting already, from elsewhere")]
    AlreadyHere,
    /// The certificate has been revoked.
    #[error("the credential has been revoked")]
    Revoked,
    /// The chair did not let the client in.
    #[error("the chair did not let you in")]
    Denied,
    /// The chair put the client out of the meeting.
    #[error("the chair put you out of the meeting")]
    Ejected,
    /// The same certificate has connected too often of late.
    #[error("too many attempts to connect with the same credential")]
    TooOften,
    /// The client broke the protocol: a wrong order, garbage, too much.
    #[error("the app broke the protocol")]
    Misbehaved,
    /// The relay is shutting down.
    #[error("the relay is shutting down")]
    GoingAway,
    /// The relay does not know the connection that was to go on, or not any more. The client joins anew.
    #[error("the relay does not know the connection any more")]
    NotResumed,
}

/// Why bytes are no message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignalError {
    /// Longer than [`MAX_MESSAGE`].
    #[error("a message of {0} bytes; the longest allowed has {MAX_MESSAGE}")]
    TooLong(usize),
    /// No CBOR of a known message.
    #[error("not a message of this protocol")]
    Malformed,
    /// Bytes after the message.
    #[error("{0} bytes after the message")]
    Trailing(usize),
    /// A list with too many entries.
    #[error("a list of {0} entries; the most allowed are {MAX_LIST}")]
    ListTooLong(usize),
}

/// Writes a message.
pub fn encode<T: Serialize>(message: &T) -> Bytes {
    let mut bytes = Vec::new();
    #[expect(clippy::expect_used, reason = "plain data into memory; no serializer of ours returns an error")]
    ciborium::into_writer(message, &mut bytes).expect("a message serializes into memory");
    bytes.into()
}

/// Reads a message of a client.
///
/// # Errors
/// A [`SignalError`] for anything that [`encode`] could not have written, or that is past a limit.
pub fn decode_to_relay(bytes: &[u8]) -> Result<ToRelay, SignalError> {
    let message = decode(bytes)?;
    let longest = match &message {
        ToRelay::Hello(hello) => hello.transport.candidates.len(),
        ToRelay::Commit(commit) => commit.added.len(),
        ToRelay::Wishes(wishes) => wishes.len(),
        ToRelay::Broadcast(_)
        | ToRelay::Resume(_)
        | ToRelay::NeedKeyFrame(_)
        | ToRelay::Pulse(_)
        | ToRelay::Object { .. }
        | ToRelay::Dismiss { .. }
        | ToRelay::Delay { .. }
        | ToRelay::Leave => 0,
    };
    check_list(longest).map(|()| message)
}

/// Reads a message of a relay.
///
/// # Errors
/// A [`SignalError`] for anything that [`encode`] could not have written, or that is past a limit.
pub fn decode_from_relay(bytes: &[u8]) -> Result<FromRelay, SignalError> {
    let message = decode(bytes)?;
    let longest = match &message {
        FromRelay::Joined(joined) => {
            joined.neighbours.len().max(joined.transport.candidates.len()).max(joined.revocations.len())
        }
        FromRelay::Revocations(lists) => lists.len(),
        FromRelay::Squeezed(tracks) => tracks.len(),
        FromRelay::Arrived(_)
        | FromRelay::Departed(_)
        | FromRelay::Committed { .. }
        | FromRelay::CommitRefused { .. }
        | FromRelay::Welcome { .. }
        | FromRelay::Broadcast { .. }
        | FromRelay::Pulse { .. }
        | FromRelay::Annulled { .. }
        | FromRelay::KeyFrameWanted { .. }
        | FromRelay::LayersWanted { .. }
        | FromRelay::Resumed { .. }
        | FromRelay::Heard { .. }
        | FromRelay::Delayed(_)
        | FromRelay::Refused(_) => 0,
    };
    check_list(longest).map(|()| message)
}

fn check_list(entries: usize) -> Result<(), SignalError> {
    if entries > MAX_LIST { Err(SignalError::ListTooLong(entries)) } else { Ok(()) }
}

fn decode<T: DeserializeOwned>(mut bytes: &[u8]) -> Result<T, SignalError> {
    if bytes.len() > MAX_MESSAGE {
        return Err(SignalError::TooLong(bytes.len()));
    }
    let message =
        ciborium::de::from_reader_with_recursion_limit(&mut bytes, MAX_DEPTH).map_err(|_| SignalError::Malformed)?;
    if bytes.is_empty() { Ok(message) } else { Err(SignalError::Trailing(bytes.len())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello() -> ToRelay {
        ToRelay::Hello(Hello {
            version: VERSION,
            meeting: MeetingId([7; 16]),
            invitation: Bytes::from_static(b"cose"),
            leaf: LeafRef([9; 16]),
            key_package: Bytes::from_static(b"mls"),
            transport: Endpoint { ufrag: "u".into(), password: "p".into(), fingerprint: [3; 32], candidates: vec![] },
            take_over: false,
        })
    }

    #[test]
    fn messages_survive_the_wire() {
        assert_eq!(decode_to_relay(&encode(&hello())), Ok(hello()));
        let wanted = FromRelay::KeyFrameWanted { track: TrackKind::Booth(3), layer: Layer(1) };
        assert_eq!(decode_from_relay(&encode(&wanted)), Ok(wanted));
        let layers = FromRelay::LayersWanted { track: TrackKind::Camera, layers: 0b101 };
        assert_eq!(decode_from_relay(&encode(&layers)), Ok(layers));
    }

    #[test]
    fn byte_strings_stay_byte_strings() {
        let message = ToRelay::Broadcast(vec![0xff; 1000].into());
        assert!(encode(&message).len() < 1030);
    }

    #[test]
    fn garbage_trailing_bytes_and_long_lists_are_refused() {
        assert_eq!(decode_to_relay(b"\xff\x00garbage"), Err(SignalError::Malformed));
        let mut bytes = encode(&hello()).to_vec();
        bytes.push(0);
        assert_eq!(decode_to_relay(&bytes), Err(SignalError::Trailing(1)));
        bytes.truncate(bytes.len() / 2);
        assert_eq!(decode_to_relay(&bytes), Err(SignalError::Malformed));
        let track = TrackName { peer: PeerId(1), track: TrackKind::Camera };
        let wishes = vec![Wish { track, height: 360 }; MAX_LIST + 1];
        assert_eq!(decode_to_relay(&encode(&ToRelay::Wishes(wishes))), Err(SignalError::ListTooLong(MAX_LIST + 1)));
        assert_eq!(decode_to_relay(&vec![0; MAX_MESSAGE + 1]), Err(SignalError::TooLong(MAX_MESSAGE + 1)));
    }

    #[test]
    fn passwords_stay_out_of_debug_output() {
        let ToRelay::Hello(mut hello) = hello() else { unreachable!() };
        hello.transport.password = "hunter2".into();
        assert!(!format!("{hello:?}").contains("hunter2"));
    }
}
