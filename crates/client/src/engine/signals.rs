//! The signalling connection: a reader that the engine polls, a writer on a task of its own.

use std::time::{Duration, Instant};

use bytes::Bytes;
use conclave_model::wire::signal::{self, FromRelay, ToRelay};
use futures_util::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use tokio::{net::TcpStream, sync::mpsc, task::JoinHandle, time::timeout};
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::{WebSocketStream, tungstenite::Message};

use crate::{ConnectError, connect::from_websocket};

type Socket = WebSocketStream<TlsStream<TcpStream>>;

/// How many messages may wait for a slow network: those of a big meeting's first seconds.
const WAITING: usize = 256;

/// How often the relay is asked whether it is there, and how long it may be silent.
const PING: Duration = Duration::from_secs(3);
const SILENCE: Duration = Duration::from_secs(10);

/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_millis(500);

/// Both directions of signalling.
pub(crate) struct Signals {
    reader: SplitStream<Socket>,
    outbox: mpsc::Sender<Message>,
    writer: JoinHandle<()>,
    heard: Instant,
    pinged: Instant,
    relay: String,
}

impl Signals {
    /// Takes over an open connection. Needs a tokio runtime.
    pub(crate) fn new(socket: Socket, relay: String, now: Instant) -> Self {
        let (sink, reader) = socket.split();
        let (outbox, inbox) = mpsc::channel(WAITING);
        Self { reader, outbox, writer: tokio::spawn(write(sink, inbox)), heard: now, pinged: now, relay }
    }

    /// Waits for the relay to say something; `None` for what concerns the connection only. Safe to cancel.
    pub(crate) async fn next(&mut self) -> Result<Option<FromRelay>, ConnectError> {
        match self.reader.next().await {
            Some(Ok(Message::Binary(bytes))) => match signal::decode_from_relay(&bytes) {
                Ok(message) => Ok(Some(message)),
                Err(error) => {
                    tracing::warn!(%error, "the relay sent garbage");
                    Err(ConnectError::Garbage)
                }
            },
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(None),
            Some(Ok(Message::Text(_) | Message::Frame(_))) => Err(ConnectError::Garbage),
            Some(Ok(Message::Close(_))) | None => Err(ConnectError::Closed),
            Some(Err(error)) => Err(from_websocket(&error, &self.relay)),
        }
    }

    /// Takes note that the relay is alive.
    pub(crate) fn heard(&mut self, now: Instant) {
        self.heard = now;
    }

    /// Says something to the relay. Never waits.
    pub(crate) fn send(&self, message: &ToRelay) -> Result<(), ConnectError> {
        self.outbox.try_send(Message::Binary(signal::encode(message))).map_err(|_| ConnectError::Stuck)
    }

    /// Asks now and then whether the relay is there.
    pub(crate) fn tick(&mut self, now: Instant) -> Result<(), ConnectError> {
        if now.duration_since(self.heard) >= SILENCE {
            return Err(ConnectError::Silent(SILENCE));
        }
        if now.duration_since(self.pinged) >= PING {
            self.pinged = now;
            self.outbox.try_send(Message::Ping(Bytes::new())).map_err(|_| ConnectError::Stuck)?;
        }
        Ok(())
    }

    /// Sends what is waiting and closes, within half a second.
    pub(crate) async fn close(self) {
        let Self { outbox, mut writer, .. } = self;
        drop(outbox);
        if timeout(GOODBYE, &mut writer).await.is_err() {
            writer.abort();
        }
    }
}

/// Writes until there is nothing more to come, or the connection breaks; the reader sees that as well.
async fn write(mut sink: SplitSink<Socket, Message>, mut inbox: mpsc::Receiver<Message>) {
    while let Some(message) = inbox.recv().await {
        if sink.feed(message).await.is_err() {
            return;
        }
        if inbox.is_empty() && sink.flush().await.is_err() {
            return;
        }
    }
    // A peer that is gone does not miss the goodbye.
    let _ = sink.close().await;
}
