//! The signalling connection: a reader that the engine polls, a writer on a task of its own, and a way to go on when the
//! line breaks.

mod resumption;

use std::{
    future::pending,
    time::{Duration, Instant},
};

use bytes::Bytes;
use conclave_model::wire::signal::{self, FromRelay, ToRelay};
use futures_util::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use tokio::{net::TcpStream, sync::mpsc, task::JoinHandle, time::timeout};
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{self, Message, error::ProtocolError},
};

use crate::{
    ConnectError,
    clock::now,
    connect::{from_websocket, relay_name},
};
pub(super) use resumption::Door;
use resumption::{Backlog, Resumption};

type Socket = WebSocketStream<TlsStream<TcpStream>>;

/// How many messages may wait for a slow network: those of a big meeting's first seconds.
const WAITING: usize = 256;

/// How often the relay is asked whether it is there, and how long it may be silent until another connection is tried.
const PING: Duration = Duration::from_secs(1);
const SILENCE: Duration = Duration::from_secs(4);

/// How long it may be silent where the connection cannot go on with another, for nobody knows it yet.
const LONG_SILENCE: Duration = Duration::from_secs(10);

/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_millis(500);

/// Both directions of signalling, over as many TCP connections, one after the other, as it takes.
pub(crate) struct Signals {
    door: Door,
    strand: Strand,
    backlog: Backlog,
    heard: Instant,
    pinged: Instant,
}

/// What carries messages at the moment.
enum Strand {
    Open(Open),
    /// It broke; another is being made.
    Resuming(Resumption),
    /// It broke, for good.
    Broken,
}

struct Open {
    reader: SplitStream<Socket>,
    outbox: mpsc::Sender<Message>,
    writer: JoinHandle<()>,
}

/// Why a strand carries nothing any more.
struct Lost {
    why: ConnectError,
    /// Whether it broke, and did not end.
    may_go_on: bool,
}

impl Signals {
    /// Takes over an open connection. Needs a tokio runtime.
    pub(crate) fn new(socket: Socket, door: Door, now: Instant) -> Self {
        let strand = Strand::Open(Open::new(socket));
        Self { door, strand, backlog: Backlog::default(), heard: now, pinged: now }
    }

    /// Waits for the relay to say something; `None` for what concerns the connection only. Safe to cancel.
    ///
    /// # Errors
    /// Why signalling is over, where it ended or cannot go on.
    pub(crate) async fn next(&mut self) -> Result<Option<FromRelay>, ConnectError> {
        match &mut self.strand {
            Strand::Broken => pending().await,
            Strand::Resuming(resumption) => {
                let result = resumption.done().await;
                self.strand = Strand::Broken;
                let (socket, heard) = result?;
                self.go_on(socket, heard)?;
                Ok(None)
            }
            Strand::Open(open) => match open.read(&self.door).await {
                Ok(Some(message)) => {
                    self.backlog.on_heard(&message);
                    Ok(Some(message))
                }
                Ok(None) => Ok(None),
                Err(Lost { why, may_go_on }) => {
                    if may_go_on {
                        self.resume(why)?;
                        return Ok(None);
                    }
                    Err(why)
                }
            },
        }
    }

    /// Takes note that the relay is alive.
    pub(crate) fn heard(&mut self, now: Instant) {
        self.heard = now;
    }

    /// Says something to the relay. Never waits; what is said while the line is broken follows when it goes on.
    ///
    /// # Errors
    /// [`ConnectError::Stuck`] where the network takes messages more slowly than they arise.
    pub(crate) fn send(&mut self, message: &ToRelay) -> Result<(), ConnectError> {
        let bytes = signal::encode(message);
        self.backlog.on_said(message, &bytes);
        match &self.strand {
            Strand::Open(open) if open.outbox.try_send(Message::Binary(bytes)).is_err() => {
                self.resume(ConnectError::Stuck)
            }
            Strand::Open(_) | Strand::Resuming(_) | Strand::Broken => Ok(()),
        }
    }

    /// Asks now and then whether the relay is there.
    ///
    /// # Errors
    /// [`ConnectError::Silent`] or [`ConnectError::Stuck`] where it is not, and the connection cannot go on.
    pub(crate) fn tick(&mut self, now: Instant) -> Result<(), ConnectError> {
        let Strand::Open(open) = &self.strand else { return Ok(()) };
        let patience = if self.backlog.may_go_on() { SILENCE } else { LONG_SILENCE };
        if now.duration_since(self.heard) >= patience {
            return self.resume(ConnectError::Silent(patience));
        }
        if now.duration_since(self.pinged) >= PING {
            self.pinged = now;
            if open.outbox.try_send(Message::Ping(Bytes::new())).is_err() {
                return self.resume(ConnectError::Stuck);
            }
        }
        Ok(())
    }

    /// Leaves the present TCP connection for another, which goes on where it breaks off: its network is gone.
    ///
    /// # Errors
    /// `why`, where the relay does not know the connection yet.
    pub(crate) fn resume(&mut self, why: ConnectError) -> Result<(), ConnectError> {
        let resume = self.backlog.resume().ok_or_else(|| why.clone())?;
        tracing::info!(%why, "signalling goes on with another connection");
        let since = match &self.strand {
            Strand::Resuming(resumption) => resumption.since(),
            Strand::Open(_) | Strand::Broken => now(),
        };
        self.strand = Strand::Resuming(Resumption::start(self.door.clone(), resume, why, since));
        Ok(())
    }

    /// Sends what is waiting and closes, within half a second.
    pub(crate) async fn close(self) {
        let Strand::Open(open) = self.strand else { return };
        open.close().await;
    }

    /// Says again what the relay has not heard, and goes on.
    fn go_on(&mut self, socket: Socket, heard: u64) -> Result<(), ConnectError> {
        let missed = self.backlog.after(heard).ok_or(ConnectError::Closed)?;
        let open = Open::new(socket);
        for message in missed {
            open.outbox.try_send(Message::Binary(message)).map_err(|_| ConnectError::Stuck)?;
        }
        self.heard = now();
        self.strand = Strand::Open(open);
        tracing::info!("signalling goes on");
        Ok(())
    }
}

impl Open {
    fn new(socket: Socket) -> Self {
        let (sink, reader) = socket.split();
        let (outbox, inbox) = mpsc::channel(WAITING);
        Self { reader, outbox, writer: tokio::spawn(write(sink, inbox)) }
    }

    async fn read(&mut self, door: &Door) -> Result<Option<FromRelay>, Lost> {
        let ended = |why| Lost { why, may_go_on: false };
        let broke =
            |error: &tungstenite::Error| Lost { why: from_websocket(error, &relay_name(&door.relay)), may_go_on: true };
        match self.reader.next().await {
            Some(Ok(Message::Binary(bytes))) => match signal::decode_from_relay(&bytes) {
                Ok(message) => Ok(Some(message)),
                Err(error) => {
                    tracing::warn!(%error, "the relay sent garbage");
                    Err(ended(ConnectError::Garbage))
                }
            },
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(None),
            Some(Ok(Message::Text(_) | Message::Frame(_))) => Err(ended(ConnectError::Garbage)),
            Some(Ok(Message::Close(_))) | None => Err(ended(ConnectError::Closed)),
            Some(Err(tungstenite::Error::Protocol(ProtocolError::ResetWithoutClosingHandshake))) => {
                Err(Lost { why: ConnectError::Closed, may_go_on: true })
            }
            Some(Err(error @ tungstenite::Error::Io(_))) => Err(broke(&error)),
            Some(Err(error)) => Err(ended(from_websocket(&error, &relay_name(&door.relay)))),
        }
    }

    async fn close(mut self) {
        let (outbox, _) = mpsc::channel(1);
        drop(std::mem::replace(&mut self.outbox, outbox));
        // What is not sent by then is given up when this is dropped.
        let _ = timeout(GOODBYE, &mut self.writer).await;
    }
}

/// Says no goodbye: the relay would take it as one.
impl Drop for Open {
    fn drop(&mut self) {
        self.writer.abort();
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
