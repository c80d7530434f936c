//! Starting and stopping a relay.

use std::{
    io,
    net::{IpAddr, SocketAddr, TcpListener},
    path::PathBuf,
    sync::Arc,
    thread::JoinHandle,
    time::Duration,
};

use bytes::Bytes;
use conclave_identity::{ProfileError, RevocationError, TlsError, read_relay_level};
use conclave_model::Level;
use conclave_relay_core::RelayConfig;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use tracing::{debug, info};

use crate::{
    admission::Policy,
    attempts::Attempts,
    audit::{self, Audit, AuditProblem},
    connection::{self, Shared},
    door::Door,
    engine::{COMMANDS, Command, Engine, FAREWELL},
    socket::{self, MediaSocket},
    tally::{DoorCounters, Tally, count},
};

/// How many threads do TLS and signalling.
const SIGNAL_THREADS: usize = 2;

/// How long to wait after the system had no resources for a new connection.
const BREATH: Duration = Duration::from_millis(100);

/// All that a relay needs, in memory.
#[derive(Debug)]
pub struct Parts {
    /// Where clients connect. Port 0 lets the system choose.
    pub listen: SocketAddr,
    /// The UDP socket for media; `None` stands for the address and port of `listen`.
    pub media: Option<SocketAddr>,
    /// The media socket's addresses as clients reach them; empty stands for its own.
    ///
    /// Port 0 in here stands for the port of the media socket.
    pub public: Vec<SocketAddr>,
    /// The relay's certificate, then those of issuing CAs.
    pub chain: Vec<CertificateDer<'static>>,
    /// Its private key.
    pub key: PrivateKeyDer<'static>,
    /// The offices whose credentials and invitations count.
    pub roots: Vec<CertificateDer<'static>>,
    /// Certificate revocation lists of the offices, DER; checked here, and given to every client.
    pub revocations: Vec<Bytes>,
    /// The highest level that the relay may carry; its certificate must allow it.
    pub max_level: Level,
    /// The most connections at once.
    pub max_participants: usize,
    /// The most connections in one meeting, up to 256.
    pub max_participants_per_meeting: usize,
    /// The file of the audit log; `None` for none.
    pub audit: Option<PathBuf>,
}

/// Why a relay could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The port for signalling cannot be had.
    #[error("cannot listen at {address} (TCP): {reason}")]
    Listen {
        /// Which one.
        address: SocketAddr,
        /// What the system says.
        reason: io::Error,
    },
    /// The port for media cannot be had.
    #[error("cannot receive media at {address} (UDP): {reason}")]
    Media {
        /// Which one.
        address: SocketAddr,
        /// What the system says.
        reason: io::Error,
    },
    /// Clients would be told an address that leads nowhere.
    #[error("{0} is no address that clients can reach; name the relay's public address")]
    Public(SocketAddr),
    /// Certificate, key or trust anchors are unusable.
    #[error("{0}")]
    Tls(TlsError),
    /// The relay's own certificate cannot be read.
    #[error("the relay's certificate: {0}")]
    Certificate(ProfileError),
    /// The relay is to carry more than its certificate allows.
    #[error("the relay's certificate allows meetings up to {certified}, not {asked}")]
    Level {
        /// What it is to carry.
        asked: Level,
        /// What the certificate allows.
        certified: Level,
    },
    /// A revocation list cannot be used.
    #[error("{0}")]
    Revocations(RevocationError),
    /// The audit log cannot be used.
    #[error("the audit log {}: {problem}", .file.display())]
    Audit {
        /// Which file.
        file: PathBuf,
        /// What is wrong with it.
        problem: AuditProblem,
    },
    /// The system gives no threads or no event queue.
    #[error("cannot start the relay's threads: {0}")]
    Threads(io::Error),
}

/// Why a running relay did not take newer revocation lists.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stopped {
    /// A list cannot be used; those from before stay in force.
    #[error("{0}")]
    Revocations(#[from] RevocationError),
    /// The relay has ended.
    #[error("the relay has ended")]
    Ended,
}

/// A relay at work. Dropping it shuts it down.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    media: Vec<SocketAddr>,
    shutdown: watch::Sender<bool>,
    threads: Vec<JoinHandle<()>>,
    tally: Arc<Tally>,
    office: OfficePapers,
    policy: watch::Sender<Arc<Policy>>,
    commands: mpsc::Sender<Command>,
    audit: Audit,
}

/// By what revocation lists are judged; the same for as long as the relay runs.
#[derive(Clone, Debug)]
struct OfficePapers {
    roots: Vec<CertificateDer<'static>>,
    /// The issuing CAs above the relay's own certificate.
    authorities: Vec<CertificateDer<'static>>,
    max_level: Level,
}

impl OfficePapers {
    fn policy(&self, lists: &[Bytes]) -> Result<Arc<Policy>, RevocationError> {
        Policy::new(self.roots.clone(), lists, &self.authorities, self.max_level).map(Arc::new)
    }
}

impl Running {
    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where clients send media.
    pub fn media(&self) -> &[SocketAddr] {
        &self.media
    }

    /// What came to nothing at the door so far.
    pub fn door(&self) -> DoorCounters {
        self.tally.counters()
    }

    /// Replaces the certificate revocation lists (DER) of the offices: everybody who is connected is given the new ones,
    /// and whoever is on one loses the connection. Not to be called from within an async runtime.
    ///
    /// # Errors
    /// A [`Stopped`]; the lists from before stay in force.
    pub fn set_revocations(&self, lists: Vec<Bytes>) -> Result<(), Stopped> {
        let policy = self.office.policy(&lists)?;
        // The members first, so that they know why somebody goes.
        self.commands.blocking_send(Command::Revocations(lists)).map_err(|_| Stopped::Ended)?;
        self.policy.send_replace(policy);
        Ok(())
    }

    /// Begins a new audit log where the present file was moved away; nothing otherwise. A failure is in the log.
    pub fn reopen_audit(&self) {
        self.audit.reopen();
    }

    /// Tells every client that the relay goes away, and ends. Takes up to some seconds where clients do not answer.
    pub fn shutdown(self) {
        drop(self);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The writer ends with the last who could tell it something.
        self.audit = Audit::default();
        // An error means that both threads are gone already.
        let _ = self.shutdown.send(true);
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of the relay panicked");
            }
        }
    }
}

/// Starts a relay on threads of its own.
///
/// # Errors
/// A [`StartError`] says which address, file or resource is missing.
pub fn start(parts: Parts) -> Result<Running, StartError> {
    let Parts { chain, key, roots, revocations, .. } = parts;
    check_level(&chain, parts.max_level)?;
    let tls = conclave_identity::tls::server_config(chain.clone(), key, &roots).map_err(StartError::Tls)?;
    let authorities = chain.get(1..).unwrap_or_default().to_vec();
    let office = OfficePapers { roots, authorities, max_level: parts.max_level };
    let policy = watch::Sender::new(office.policy(&revocations).map_err(StartError::Revocations)?);
    let listener =
        socket::listen(parts.listen).map_err(|reason| StartError::Listen { address: parts.listen, reason })?;
    let address = listener.local_addr().map_err(StartError::Threads)?;
    let (media, bound) = bind_media(parts.listen, address, parts.media)?;
    let public = public_addresses(&parts.public, bound)?;

    let (shutdown, down) = watch::channel(false);
    let (commands, inbox) = mpsc::channel(COMMANDS);
    let config = RelayConfig {
        addresses: public.clone(),
        max_peers: parts.max_participants,
        max_peers_per_meeting: parts.max_participants_per_meeting,
    };
    let tally = Arc::new(Tally::default());
    let (audit, writer) = open_audit(parts.audit, &tally)?;
    let shared = Arc::new(Shared {
        tls: TlsAcceptor::from(Arc::new(tls)),
        policy: policy.subscribe(),
        attempts: Attempts::default(),
        media: public.clone(),
        commands: commands.clone(),
        down: down.clone(),
        tally: Arc::clone(&tally),
        audit: audit.clone(),
    });

    let media_runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(StartError::Threads)?;
    let engine = {
        let _inside = media_runtime.enter();
        let socket = MediaSocket::new(media, &public).map_err(StartError::Threads)?;
        Engine::new(config, revocations, socket, Arc::clone(&tally), audit.clone())
    };
    let signal_runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(SIGNAL_THREADS)
        .thread_name("relay-signal")
        .enable_all()
        .build()
        .map_err(StartError::Threads)?;

    let threads = Vec::new();
    let mut running = Running { address, media: public, shutdown, threads, tally, office, policy, commands, audit };
    let media_down = down.clone();
    let media = move || media_runtime.block_on(engine.run(inbox, media_down));
    running.threads.push(spawn("relay-media", media)?);
    let door = move || {
        signal_runtime.block_on(accept(listener, shared, down));
        signal_runtime.shutdown_timeout(Duration::from_millis(200));
    };
    running.threads.push(spawn("relay-door", door)?);
    // The last to end: it writes until all others are gone.
    if let Some(writer) = writer {
        running.threads.push(spawn("relay-audit", move || writer.run())?);
    }
    info!(%address, "relay is ready");
    Ok(running)
}

/// Refuses a relay that is to carry more than its certificate allows.
fn check_level(chain: &[CertificateDer<'_>], asked: Level) -> Result<(), StartError> {
    let certified = match chain.first() {
        Some(own) => read_relay_level(own).map_err(StartError::Certificate)?,
        None => Level::Unclassified,
    };
    if asked > certified { Err(StartError::Level { asked, certified }) } else { Ok(()) }
}

fn open_audit(file: Option<PathBuf>, tally: &Arc<Tally>) -> Result<(Audit, Option<audit::Writer>), StartError> {
    let Some(file) = file else { return Ok((Audit::none(Arc::clone(tally)), None)) };
    match Audit::open(&file, Arc::clone(tally)) {
        Ok((audit, writer)) => Ok((audit, Some(writer))),
        Err(problem) => Err(StartError::Audit { file, problem }),
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StartError> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work).map_err(StartError::Threads)
}

/// The media socket: by default the number of the TCP port, so that a firewall has one number to open.
fn bind_media(
    asked: SocketAddr,
    listening: SocketAddr,
    media: Option<SocketAddr>,
) -> Result<(std::net::UdpSocket, SocketAddr), StartError> {
    let address = media.unwrap_or(listening);
    let mut bound = socket::bind_media(address);
    if bound.is_err() && media.is_none() && asked.port() == 0 {
        // The system chose a number that is taken for UDP; any other does where nobody chose.
        bound = socket::bind_media(SocketAddr::new(address.ip(), 0));
    }
    let with_address = bound.and_then(|socket| socket.local_addr().map(|address| (socket, address)));
    with_address.map_err(|reason| StartError::Media { address, reason })
}

/// Whether an address is that of no single machine, so that nobody reaches a relay there.
pub(crate) fn is_nowhere(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(ip) => ip.is_unspecified() || ip.is_multicast() || ip.is_broadcast(),
        IpAddr::V6(ip) => ip.is_unspecified() || ip.is_multicast(),
    }
}

fn public_addresses(public: &[SocketAddr], bound: SocketAddr) -> Result<Vec<SocketAddr>, StartError> {
    let own = [bound];
    let named = if public.is_empty() { own.as_slice() } else { public };
    let reachable = |address: &SocketAddr| -> Result<SocketAddr, StartError> {
        let port = if address.port() == 0 { bound.port() } else { address.port() };
        let address = SocketAddr::new(address.ip(), port);
        if is_nowhere(address.ip()) { Err(StartError::Public(address)) } else { Ok(address) }
    };
    named.iter().map(reachable).collect()
}

/// Accepts connections until the relay shuts down, then waits for those that are left.
async fn accept(listener: TcpListener, shared: Arc<Shared>, mut down: watch::Receiver<bool>) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(%error, "cannot accept connections");
            return;
        }
    };
    let door = Door::default();
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = connections.join_next(), if !connections.is_empty() => continue,
            _ = down.wait_for(|down| *down) => break,
        };
        match accepted {
            Ok((stream, from)) => match door.enter(from.ip()) {
                Some(place) => {
                    debug!(%from, "connection");
                    connections.spawn(connection::serve(stream, place, Arc::clone(&shared)));
                }
                None => {
                    count(&shared.tally.crowded);
                    debug!(%from, "too many at the door");
                }
            },
            Err(error) => {
                // Out of file descriptors, or a client that left again.
                debug!(%error, "connection not accepted");
                tokio::time::sleep(BREATH).await;
            }
        }
    }
    drop(listener);
    drop(shared);
    let _ = timeout(FAREWELL, async { while connections.join_next().await.is_some() {} }).await;
}
