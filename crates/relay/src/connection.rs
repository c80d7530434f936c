//! One signalling connection, from the first byte to the last.

use std::{
    net::SocketAddr,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use conclave_identity::{audit, fingerprint};
use conclave_model::{
    Fingerprint,
    wire::signal::{self, FromRelay, Hello, Refusal, ToRelay},
};
use conclave_relay_core::{Admitted, ConnectionId};
use conclave_transport::Path;
use futures_util::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use rustls_pki_types::CertificateDer;
use tokio::{
    net::TcpStream,
    sync::{mpsc, oneshot, watch},
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_tungstenite::{
    WebSocketStream, accept_async_with_config,
    tungstenite::{Error as WebSocketError, Message, protocol::WebSocketConfig},
};
use tracing::{debug, info};

use crate::{
    admission::{Policy, Refused},
    audit::{Audit, word},
    clock,
    door::Place,
    engine::Command,
    heard::{Heard, LastHeard},
    outbox::{Waiting, outbox},
    tally::{Tally, count},
};

/// How long a client has from its first byte to its `Hello`.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// How often a client is asked for a sign of life.
const PING: Duration = Duration::from_secs(4);

/// How long a client may be silent on a connection that is asked so often.
const SILENCE: Duration = Duration::from_secs(13);

/// How long one message may take to leave; a welcome of 0.5 MB needs 16 s at 256 kbit/s.
const WRITE: Duration = Duration::from_secs(30);

/// How long to wait for a client to take note of the end.
const FAREWELL: Duration = Duration::from_secs(1);

/// How many WebSocket control frames a client may send between two pings.
const CONTROL_FRAMES: u32 = 20;

type Socket = WebSocketStream<TlsStream<Heard<TcpStream>>>;

/// What all connections share.
pub(crate) struct Shared {
    pub(crate) tls: TlsAcceptor,
    pub(crate) policy: Policy,
    /// The media socket's addresses as clients reach them.
    pub(crate) media: Vec<SocketAddr>,
    pub(crate) commands: mpsc::Sender<Command>,
    pub(crate) down: watch::Receiver<bool>,
    pub(crate) tally: Arc<Tally>,
    pub(crate) audit: Audit,
}

/// A connection that the state machine knows.
struct Open {
    id: ConnectionId,
    socket: Socket,
    waiting: Waiting,
    last: LastHeard,
}

/// Why a connection came to nothing; for the log.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("no {0} in time")]
    TimedOut(&'static str),
    #[error("no TLS: {0}")]
    Tls(std::io::Error),
    #[error("no certificate")]
    NoCertificate,
    #[error("no WebSocket: {0}")]
    WebSocket(#[from] WebSocketError),
    #[error("closed before hello")]
    Closed,
    #[error("refused: {0}")]
    Refused(Refusal),
    #[error("the relay is shutting down")]
    GoingAway,
}

impl Ended {
    /// Where it is counted, unless it is nobody's fault.
    fn counter<'a>(&self, tally: &'a Tally) -> Option<&'a AtomicU64> {
        match self {
            Self::TimedOut(_) => Some(&tally.idle),
            Self::Tls(_) | Self::NoCertificate => Some(&tally.tls),
            Self::WebSocket(_) => Some(&tally.websocket),
            Self::Closed => Some(&tally.closed),
            Self::Refused(_) => Some(&tally.refused),
            Self::GoingAway => None,
        }
    }
}

/// Serves one connection until it ends.
pub(crate) async fn serve(stream: TcpStream, place: Place, shared: Arc<Shared>) {
    let mut down = shared.down.clone();
    let opened = tokio::select! {
        opened = open(stream, &shared) => opened,
        _ = down.wait_for(|down| *down) => Err(Ended::GoingAway),
    };
    match opened {
        Ok(connection) => {
            drop(place);
            let id = connection.id;
            converse(connection, &shared).await;
            // Nobody to tell where the relay is shutting down.
            let _ = shared.commands.send(Command::Gone(id)).await;
        }
        // Who is refused has a certificate of ours, so this is somebody's mistake that an administrator wants to see; what
        // anybody can cause stays below.
        Err(error) => {
            if let Some(counter) = error.counter(&shared.tally) {
                count(counter);
            }
            if let Ended::Refused(_) = error {
                info!(%error, "connection not taken in");
            } else {
                debug!(%error, "connection not taken in");
            }
        }
    }
}

async fn open(stream: TcpStream, shared: &Shared) -> Result<Open, Ended> {
    let knocked = timeout(HANDSHAKE, knock(stream, shared)).await.map_err(|_| Ended::TimedOut("hello"))?;
    let (mut socket, last, first) = knocked?;
    let opened = match first {
        Ok((hello, chain)) => enter(hello, &chain, shared).await?,
        Err(refusal) => Err(refusal),
    };
    match opened {
        Ok((id, waiting)) => Ok(Open { id, socket, waiting, last }),
        Err(refusal) => {
            let message = Message::Binary(signal::encode(&FromRelay::Refused(refusal)));
            timeout(WRITE, socket.send(message)).await.map_err(|_| Ended::TimedOut("way out"))??;
            part(socket).await;
            Err(Ended::Refused(refusal))
        }
    }
}

type First = Result<(Hello, Vec<CertificateDer<'static>>), Refusal>;

/// Everything up to the first message.
async fn knock(stream: TcpStream, shared: &Shared) -> Result<(Socket, LastHeard, First), Ended> {
    // Small messages must not wait for each other. A socket without the option is only slower.
    let _ = stream.set_nodelay(true);
    let stream = Heard::new(stream);
    let last = stream.last();
    let stream = shared.tls.accept(stream).await.map_err(Ended::Tls)?;
    let certificates = stream.get_ref().1.peer_certificates();
    let chain = certificates.filter(|chain| !chain.is_empty()).ok_or(Ended::NoCertificate)?;
    let chain: Vec<_> = chain.iter().map(|certificate| certificate.clone().into_owned()).collect();
    let config = WebSocketConfig::default()
        .read_buffer_size(16 << 10)
        .max_message_size(Some(signal::MAX_MESSAGE))
        .max_frame_size(Some(signal::MAX_MESSAGE));
    let mut socket = accept_async_with_config(stream, Some(config)).await?;
    loop {
        let first = match socket.next().await.ok_or(Ended::Closed)?? {
            Message::Binary(bytes) => match signal::decode_to_relay(&bytes) {
                Ok(ToRelay::Hello(hello)) => Ok((hello, chain)),
                Ok(_) | Err(_) => Err(Refusal::Misbehaved),
            },
            Message::Ping(_) | Message::Pong(_) => continue,
            Message::Close(_) => return Err(Ended::Closed),
            Message::Text(_) | Message::Frame(_) => Err(Refusal::Misbehaved),
        };
        return Ok((socket, last, first));
    }
}

/// Checks a hello, here and at the state machine.
async fn enter(
    hello: Hello,
    chain: &[CertificateDer<'static>],
    shared: &Shared,
) -> Result<Result<(ConnectionId, Waiting), Refusal>, Ended> {
    let fingerprint = chain.first().map(fingerprint).unwrap_or_default();
    let meeting = hello.meeting;
    let refuse = |Refused { why, meeting }| {
        let record = match meeting {
            Some(meeting) => audit::Record::in_meeting(audit::Event::Refused, meeting),
            None => audit::Record::of(audit::Event::Refused),
        };
        shared.audit.note(record.person(Fingerprint(fingerprint)).because(word(why)));
        why
    };
    let entry = match shared.policy.admit(&hello, chain, clock::wall()) {
        Ok(entry) => entry,
        Err(refused) => return Ok(Err(refuse(refused))),
    };
    let now = clock::now();
    let until = now + entry.open_for;
    let admitted = Box::new(Admitted { fingerprint, hello, until, rank: entry.rank, opens: entry.opens });
    // Made here, for it takes longer than a packet may wait.
    let path = Box::new(Path::relay(&shared.media, now));
    let (outbox, waiting) = outbox();
    let (reply, answer) = oneshot::channel();
    shared.commands.send(Command::Open { path, admitted, outbox, reply }).await.map_err(|_| Ended::GoingAway)?;
    let result = answer.await.map_err(|_| Ended::GoingAway)?;
    Ok(result.map(|id| (id, waiting)).map_err(|why| refuse(Refused { why, meeting: Some(meeting) })))
}

/// Carries messages both ways until either side is done.
async fn converse(connection: Open, shared: &Shared) {
    let Open { id, socket, mut waiting, last } = connection;
    let (mut sink, mut stream) = socket.split();
    let is_open = tokio::select! {
        is_open = write(&mut sink, &mut waiting, &last, &shared.tally) => is_open,
        () = read(&mut stream, id, &shared.commands) => false,
    };
    if is_open && let Ok(socket) = sink.reunite(stream) {
        part(socket).await;
    }
}

/// Says what is to be said. Returns once nothing more will come, and then whether the connection still works.
async fn write(sink: &mut SplitSink<Socket, Message>, waiting: &mut Waiting, last: &LastHeard, tally: &Tally) -> bool {
    let mut ping = tokio::time::interval(PING);
    loop {
        let message = tokio::select! {
            message = waiting.next() => match message {
                Some(message) => Message::Binary(signal::encode(&message)),
                None => return true,
            },
            _ = ping.tick() => {
                if last.silence() > SILENCE {
                    count(&tally.silent);
                    debug!("a client fell silent");
                    return false;
                }
                Message::Ping(tokio_tungstenite::tungstenite::Bytes::new())
            }
        };
        match timeout(WRITE, sink.send(message)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return false,
            Err(_) => {
                count(&tally.slow);
                debug!("a client reads too slowly");
                return false;
            }
        }
    }
}

/// Hears what the client says. Returns once the client is gone; never where it misbehaves, for then the writing side
/// says so and ends.
async fn read(stream: &mut SplitStream<Socket>, id: ConnectionId, commands: &mpsc::Sender<Command>) {
    let mut control = 0;
    let mut since = clock::now();
    let accused = loop {
        let message = match stream.next().await {
            Some(Ok(message)) => message,
            Some(Err(WebSocketError::Capacity(_) | WebSocketError::Protocol(_))) => break true,
            Some(Err(_)) | None => break false,
        };
        let now = clock::now();
        if now.duration_since(since) > PING {
            (control, since) = (0, now);
        }
        match message {
            Message::Binary(bytes) => match signal::decode_to_relay(&bytes) {
                Ok(message) => {
                    if commands.send(Command::Signal(id, message)).await.is_err() {
                        break true;
                    }
                }
                Err(error) => {
                    debug!(%error, "not a message");
                    break true;
                }
            },
            Message::Ping(_) | Message::Pong(_) => {
                control += 1;
                if control > CONTROL_FRAMES {
                    break true;
                }
            }
            Message::Close(_) => break false,
            Message::Text(_) | Message::Frame(_) => break true,
        }
    };
    if accused {
        let _ = commands.send(Command::Misbehaved(id)).await;
        std::future::pending::<()>().await;
    }
}

/// Closes a connection so that the client can still read what was said last: unread input would reset it.
async fn part(mut socket: Socket) {
    let goodbye = async {
        if socket.close(None).await.is_ok() {
            while let Some(Ok(_)) = socket.next().await {}
        }
    };
    // A client that does not answer is cut off.
    let _ = timeout(FAREWELL, goodbye).await;
}
