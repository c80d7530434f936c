//! How signalling goes on over another TCP connection.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use conclave_identity::RelayAddress;
use conclave_model::{
    LeafRef, MeetingId,
    wire::signal::{self, FromRelay, Neighbour, Resume, ToRelay, VERSION},
};
use futures_util::{SinkExt, StreamExt};
use rustls::ClientConfig;
use tokio::{task::JoinHandle, time::timeout};
use tokio_tungstenite::tungstenite::Message;

use super::Socket;
use crate::{
    ConnectError,
    clock::now,
    connect::{dial, from_websocket, relay_name},
};

/// How long signalling may take to go on. The relay waits as long for it.
const PATIENCE: Duration = Duration::from_secs(6);

/// How long one connection may take to come about, before another is tried: the network may be just about to change.
const ATTEMPT: Duration = Duration::from_secs(3);

/// The pause between two attempts.
const PAUSE: Duration = Duration::from_millis(250);

/// How much is kept of what was said, in messages and bytes.
const KEPT_MESSAGES: usize = 192;
const KEPT_BYTES: usize = 4 << 20;

/// Where a relay is and how to prove who one is.
#[derive(Clone)]
pub(in crate::engine) struct Door {
    pub(in crate::engine) relay: RelayAddress,
    pub(in crate::engine) tls: Arc<ClientConfig>,
}

/// What was said lately, and how much was heard.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    meeting: Option<(MeetingId, LeafRef)>,
    who: Option<Neighbour>,
    /// How many messages were said before those that are kept.
    forgotten: u64,
    kept: VecDeque<Bytes>,
    bytes: usize,
    heard: u64,
}

impl Backlog {
    /// Takes note of what is said; keeps it, unless it begins a connection.
    pub(super) fn on_said(&mut self, message: &ToRelay, bytes: &Bytes) {
        if let ToRelay::Hello(hello) = message {
            self.meeting = Some((hello.meeting, hello.leaf));
            return;
        }
        self.bytes += bytes.len();
        self.kept.push_back(bytes.clone());
        while self.kept.len() > KEPT_MESSAGES || self.bytes > KEPT_BYTES {
            let Some(oldest) = self.kept.pop_front() else { return };
            self.bytes -= oldest.len();
            self.forgotten += 1;
        }
    }

    /// Takes note of what the relay said.
    pub(super) fn on_heard(&mut self, message: &FromRelay) {
        self.heard += 1;
        if let (FromRelay::Joined(joined), Some((_, leaf))) = (message, self.meeting) {
            self.who = Some(Neighbour { peer: joined.peer, leaf });
        }
    }

    /// Whether the relay would know the connection again.
    pub(super) fn may_go_on(&self) -> bool {
        self.who.is_some()
    }

    /// What to say to the relay so that it goes on; `None` where it would not know the connection.
    pub(super) fn resume(&self) -> Option<Resume> {
        let (meeting, _) = self.meeting?;
        Some(Resume { version: VERSION, meeting, who: self.who?, heard: self.heard })
    }

    /// What follows the first `heard` messages; `None` where some of that is forgotten, or was never said.
    pub(super) fn after(&self, heard: u64) -> Option<Vec<Bytes>> {
        let skipped = usize::try_from(heard.checked_sub(self.forgotten)?).ok()?;
        (skipped <= self.kept.len()).then(|| self.kept.iter().skip(skipped).cloned().collect())
    }
}

/// Another connection that is being made.
pub(super) struct Resumption {
    task: JoinHandle<Result<(Socket, u64), ConnectError>>,
    since: Instant,
    why: ConnectError,
}

impl Resumption {
    /// Begins to connect; `since` is when the line broke.
    pub(super) fn start(door: Door, resume: Resume, why: ConnectError, since: Instant) -> Self {
        let left = (since + PATIENCE).saturating_duration_since(now());
        let last = why.clone();
        let task = tokio::spawn(async move { timeout(left, connect(door, resume)).await.unwrap_or(Err(last)) });
        Self { task, since, why }
    }

    /// When the line broke.
    pub(super) fn since(&self) -> Instant {
        self.since
    }

    /// Waits for the connection: it, and how much the relay heard of the one before. Safe to cancel.
    ///
    /// # Errors
    /// Why the line broke, where there is no going on.
    pub(super) async fn done(&mut self) -> Result<(Socket, u64), ConnectError> {
        match (&mut self.task).await {
            Ok(Ok(connected)) => Ok(connected),
            Ok(Err(error)) => {
                tracing::info!(%error, "signalling cannot go on");
                Err(self.why.clone())
            }
            Err(_) => Err(self.why.clone()),
        }
    }
}

impl Drop for Resumption {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Tries until the relay answers, whatever it answers.
async fn connect(door: Door, resume: Resume) -> Result<(Socket, u64), ConnectError> {
    loop {
        match timeout(ATTEMPT, attempt(&door, resume)).await {
            Ok(Err(error)) if !is_final(&error) => tracing::debug!(%error, "no connection to go on with yet"),
            Ok(result) => return result,
            Err(_) => tracing::debug!("no connection to go on with in time"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn attempt(door: &Door, resume: Resume) -> Result<(Socket, u64), ConnectError> {
    let relay = relay_name(&door.relay);
    let mut socket = dial(&door.relay, Arc::clone(&door.tls)).await?.socket;
    let hello = Message::Binary(signal::encode(&ToRelay::Resume(resume)));
    socket.send(hello).await.map_err(|error| from_websocket(&error, &relay))?;
    loop {
        let message = socket.next().await.ok_or(ConnectError::Closed)?;
        match message.map_err(|error| from_websocket(&error, &relay))? {
            Message::Binary(bytes) => {
                return match signal::decode_from_relay(&bytes) {
                    Ok(FromRelay::Resumed { heard }) => Ok((socket, heard)),
                    // It says why, and the client joins anew, which has better words for it.
                    Ok(_) => Err(ConnectError::Closed),
                    Err(_) => Err(ConnectError::Garbage),
                };
            }
            Message::Ping(_) | Message::Pong(_) => {}
            Message::Close(_) => return Err(ConnectError::Closed),
            Message::Text(_) | Message::Frame(_) => return Err(ConnectError::Garbage),
        }
    }
}

/// Whether there is no use in trying again: something answered, and not as the relay of this connection does.
fn is_final(error: &ConnectError) -> bool {
    match error {
        ConnectError::Refused { .. }
        | ConnectError::WrongRelay { .. }
        | ConnectError::CredentialRefused { .. }
        | ConnectError::NotARelay { .. }
        | ConnectError::Closed
        | ConnectError::Garbage => true,
        ConnectError::Resolve { .. }
        | ConnectError::Unreachable { .. }
        | ConnectError::TimedOut { .. }
        | ConnectError::Tls { .. }
        | ConnectError::Broken(_)
        | ConnectError::Silent(_)
        | ConnectError::Stuck
        | ConnectError::Socket(_) => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use conclave_model::{
        PeerId,
        wire::signal::{Endpoint, Hello, Joined},
    };

    use super::*;

    fn endpoint() -> Endpoint {
        Endpoint { ufrag: "u".into(), password: "p".into(), fingerprint: [3; 32], candidates: vec![] }
    }

    fn said(backlog: &mut Backlog, message: &ToRelay) {
        backlog.on_said(message, &signal::encode(message));
    }

    #[test]
    fn a_connection_can_go_on_once_the_relay_has_taken_it_in() {
        let mut backlog = Backlog::default();
        said(
            &mut backlog,
            &ToRelay::Hello(Hello {
                version: VERSION,
                meeting: MeetingId([7; 16]),
                invitation: Bytes::new(),
                leaf: LeafRef([9; 16]),
                key_package: Bytes::new(),
                transport: endpoint(),
                take_over: false,
            }),
        );
        assert_eq!(backlog.resume(), None);
        backlog.on_heard(&FromRelay::Joined(Joined {
            peer: PeerId(5),
            transport: endpoint(),
            create: false,
            neighbours: vec![],
            revocations: vec![],
        }));
        let resume = backlog.resume().unwrap();
        assert_eq!((resume.who.peer, resume.who.leaf, resume.heard), (PeerId(5), LeafRef([9; 16]), 1));
        assert_eq!(backlog.after(0), Some(vec![]), "the hello is not said again");
    }

    #[test]
    fn what_the_relay_did_not_hear_is_said_again_as_far_as_it_is_kept() {
        let mut backlog = Backlog::default();
        for byte in 0..200_u8 {
            said(&mut backlog, &ToRelay::Broadcast(vec![byte].into()));
        }
        let missed = backlog.after(198).unwrap();
        let words: Vec<_> = missed.iter().map(|bytes| signal::decode_to_relay(bytes).unwrap()).collect();
        assert_eq!(words, [ToRelay::Broadcast(vec![198].into()), ToRelay::Broadcast(vec![199].into())]);
        assert_eq!(backlog.after(7), None, "forgotten");
        assert_eq!(backlog.after(201), None, "never said");
        assert_eq!(backlog.after(8).unwrap().len(), KEPT_MESSAGES);
    }
}
