//! One signalling connection, from the first byte to the last.

use std::{
    net::SocketAddr,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use conclave_identity::{audit, fingerprint};
use conclave_model::{
    Fingerprint,
    wire::signal::{self, FromRelay, Hello, Refusal, Resume, ToRelay},
};
use conclave_relay_core::{Admitted, Resumed};
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
    tungstenite::{Error as WebSocketError, Message, error::ProtocolError, protocol::WebSocketConfig},
};
use tracing::{debug, info};

use crate::{
    admission::{Policy, Refused},
    attempts::{Attempt, Attempts},
    audit::{Audit, word},
    clock,
    door::Place,
    engine::{Command, Strand},
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
    pub(crate) policy: watch::Receiver<Arc<Policy>>,
    pub(crate) attempts: Attempts,
    /// The media socket's addresses as clients reach them.
    pub(crate) media: Vec<SocketAddr>,
    pub(crate) commands: mpsc::Sender<Command>,
    pub(crate) down: watch::Receiver<bool>,
    pub(crate) tally: Arc<Tally>,
    pub(crate) audit: Audit,
}

/// A connection that the state machine knows.
struct Open {
    strand: Strand,
    socket: Socket,
    waiting: Waiting,
    last: LastHeard,
    /// With what it authenticated.
    chain: Vec<CertificateDer<'static>>,
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
            let strand = connection.strand;
            let end = match converse(connection, &shared).await {
                End::Broken => Command::Broken(strand),
                End::Over => Command::Gone(strand),
            };
            // Nobody to tell where the relay is shutting down.
            let _ = shared.commands.send(end).await;
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
    let first = first.and_then(|(opening, chain)| attempt(&chain, shared).map(|()| (opening, chain)));
    let mut own = Vec::new();
    let opened = match first {
        Ok((opening, chain)) => {
            own = chain;
            match opening {
                Opening::Hello(hello) => enter(*hello, &own, shared).await?,
                Opening::Resume(resume) => go_on(resume, &own, shared).await?,
            }
        }
        Err(refusal) => Err(refusal),
    };
    match opened {
        Ok((strand, waiting)) => Ok(Open { strand, socket, waiting, last, chain: own }),
        Err(refusal) => {
            let message = Message::Binary(signal::encode(&FromRelay::Refused(refusal)));
            timeout(WRITE, socket.send(message)).await.map_err(|_| Ended::TimedOut("way out"))??;
            part(socket).await;
            Err(Ended::Refused(refusal))
        }
    }
}

/// Counts an attempt of a certificate to come in.
fn attempt(chain: &[CertificateDer<'_>], shared: &Shared) -> Result<(), Refusal> {
    let who = Fingerprint(chain.first().map(fingerprint).unwrap_or_default());
    let tried = shared.attempts.count(who, clock::now());
    if tried == Attempt::Fine {
        return Ok(());
    }
    count(&shared.tally.throttled);
    if tried == Attempt::FirstTooMany {
        shared.audit.note(audit::Record::of(audit::Event::Refused).person(who).because(word(Refusal::TooOften)));
    }
    Err(Refusal::TooOften)
}

/// What a connection begins with.
enum Opening {
    Hello(Box<Hello>),
    Resume(Resume),
}

type First = Result<(Opening, Vec<CertificateDer<'static>>), Refusal>;

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
                Ok(ToRelay::Hello(hello)) => Ok((Opening::Hello(Box::new(hello)), chain)),
                Ok(ToRelay::Resume(resume)) => Ok((Opening::Resume(resume), chain)),
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
) -> Result<Result<(Strand, Waiting), Refusal>, Ended> {
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
    let policy = Arc::clone(&shared.policy.borrow());
    let entry = match policy.admit(&hello, chain, clock::wall()) {
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
    Ok(result.map(|strand| (strand, waiting)).map_err(|why| refuse(Refused { why, meeting: Some(meeting) })))
}

/// Goes on with a connection. It was let in with this very certificate, by the same relay, and has not left since.
async fn go_on(
    resume: Resume,
    chain: &[CertificateDer<'static>],
    shared: &Shared,
) -> Result<Result<(Strand, Waiting), Refusal>, Ended> {
    let fingerprint = chain.first().map(fingerprint).unwrap_or_default();
    let (outbox, waiting) = outbox();
    let (reply, answer) = oneshot::channel();
    let resumed = Resumed { fingerprint, resume };
    shared.commands.send(Command::Resume { resumed, outbox, reply }).await.map_err(|_| Ended::GoingAway)?;
    let result = answer.await.map_err(|_| Ended::GoingAway)?;
    Ok(result.map(|strand| (strand, waiting)))
}

/// How a conversation ended.
enum End {
    /// The line broke; the client may come back.
    Broken,
    /// By a goodbye of either side, or because the client does not follow.
    Over,
}

/// Carries messages both ways until either side is done.
async fn converse(connection: Open, shared: &Shared) -> End {
    let Open { strand, socket, mut waiting, last, chain } = connection;
    let (mut sink, mut stream) = socket.split();
    let written = tokio::select! {
        written = write(&mut sink, &mut waiting, &last, &shared.tally) => written,
        end = read(&mut stream, strand, &shared.commands) => Written::End(end),
        () = revocation(&chain, strand, shared) => Written::All,
    };
    match written {
        Written::End(end) => end,
        Written::All => {
            if let Ok(socket) = sink.reunite(stream) {
                part(socket).await;
            }
            End::Over
        }
    }
}

/// Reports the connection once its certificate has been revoked; never returns, for the writing side says so and ends.
async fn revocation(chain: &[CertificateDer<'_>], strand: Strand, shared: &Shared) {
    let mut policy = shared.policy.clone();
    loop {
        let now = Arc::clone(&policy.borrow_and_update());
        if now.is_revoked(chain, clock::wall()) {
            let _ = shared.commands.send(Command::Revoked(strand)).await;
            break;
        }
        if policy.changed().await.is_err() {
            break;
        }
    }
    std::future::pending().await
}

/// How writing came to an end.
enum Written {
    /// All that will ever be said is said.
    All,
    /// It is of no use any more.
    End(End),
}

/// Says what is to be said, until nothing more will come or the connection does not work any more.
async fn write(
    sink: &mut SplitSink<Socket, Message>,
    waiting: &mut Waiting,
    last: &LastHeard,
    tally: &Tally,
) -> Written {
    let mut ping = tokio::time::interval(PING);
    loop {
        let message = tokio::select! {
            message = waiting.next() => match message {
                Some(message) => Message::Binary(signal::encode(&message)),
                None => return Written::All,
            },
            _ = ping.tick() => {
                if last.silence() > SILENCE {
                    count(&tally.silent);
                    debug!("a client fell silent");
                    return Written::End(End::Over);
                }
                Message::Ping(tokio_tungstenite::tungstenite::Bytes::new())
            }
        };
        match timeout(WRITE, sink.send(message)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Written::End(End::Broken),
            Err(_) => {
                count(&tally.slow);
                debug!("a client reads too slowly");
                return Written::End(End::Over);
            }
        }
    }
}

/// Hears what the client says. Returns once the client is gone; never where it misbehaves, for then the writing side
/// says so and ends.
async fn read(stream: &mut SplitStream<Socket>, strand: Strand, commands: &mpsc::Sender<Command>) -> End {
    let mut control = 0;
    let mut since = clock::now();
    let end = loop {
        let message = match stream.next().await {
            Some(Ok(message)) => message,
            Some(Err(WebSocketError::Protocol(ProtocolError::ResetWithoutClosingHandshake))) => {
                break Some(End::Broken);
            }
            Some(Err(WebSocketError::Capacity(_) | WebSocketError::Protocol(_))) => break None,
            Some(Err(_)) => break Some(End::Broken),
            None => break Some(End::Over),
        };
        let now = clock::now();
        if now.duration_since(since) > PING {
            (control, since) = (0, now);
        }
        match message {
            Message::Binary(bytes) => match signal::decode_to_relay(&bytes) {
                Ok(message) => {
                    if commands.send(Command::Signal(strand, message)).await.is_err() {
                        break None;
                    }
                }
                Err(error) => {
                    debug!(%error, "not a message");
                    break None;
                }
            },
            Message::Ping(_) | Message::Pong(_) => {
                control += 1;
                if control > CONTROL_FRAMES {
                    break None;
                }
            }
            Message::Close(_) => break Some(End::Over),
            Message::Text(_) | Message::Frame(_) => break None,
        }
    };
    match end {
        Some(end) => end,
        None => {
            let _ = commands.send(Command::Misbehaved(strand)).await;
            std::future::pending().await
        }
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
