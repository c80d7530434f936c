//! Starting and stopping a relay.

use std::{
    io,
    net::{IpAddr, SocketAddr, TcpListener},
    sync::Arc,
    thread::JoinHandle,
    time::Duration,
};

use conclave_identity::TlsError;
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
    connection::{self, Shared},
    door::Door,
    engine::{COMMANDS, Engine, FAREWELL},
    socket::{self, MediaSocket},
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
    /// The highest level that the relay may carry.
    pub max_level: Level,
    /// The most connections at once.
    pub max_participants: usize,
    /// The most connections in one meeting, up to 256.
    pub max_participants_per_meeting: usize,
}

/// Why a relay could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The port for signalling cannot be had.
    #[error("cannot listen at {address} (TCP): {source}")]
    Listen {
        /// Which one.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The port for media cannot be had.
    #[error("cannot receive media at {address} (UDP): {source}")]
    Media {
        /// Which one.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// Clients would be told an address that leads nowhere.
    #[error("{0} is no address that clients can reach; name the relay's public address")]
    Public(SocketAddr),
    /// Certificate, key or trust anchors are unusable.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The system gives no threads or no event queue.
    #[error("cannot start the relay's threads: {0}")]
    Threads(#[source] io::Error),
}

/// A relay at work. Dropping it shuts it down.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    media: Vec<SocketAddr>,
    shutdown: watch::Sender<bool>,
    threads: Vec<JoinHandle<()>>,
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

    /// Tells every client that the relay goes away, and ends. Takes up to some seconds where clients do not answer.
    pub fn shutdown(self) {
        drop(self);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
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
    let Parts { chain, key, roots, .. } = parts;
    let tls = conclave_identity::tls::server_config(chain, key, &roots)?;
    let listener =
        socket::listen(parts.listen).map_err(|source| StartError::Listen { address: parts.listen, source })?;
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
    let shared = Arc::new(Shared {
        tls: TlsAcceptor::from(Arc::new(tls)),
        policy: Policy { roots, max_level: parts.max_level },
        media: public.clone(),
        commands,
        down: down.clone(),
    });

    let media_runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(StartError::Threads)?;
    let engine = {
        let _inside = media_runtime.enter();
        Engine::new(config, MediaSocket::new(media, &public).map_err(StartError::Threads)?)
    };
    let signal_runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(SIGNAL_THREADS)
        .thread_name("relay-signal")
        .enable_all()
        .build()
        .map_err(StartError::Threads)?;

    let mut running = Running { address, media: public, shutdown, threads: Vec::new() };
    let media_down = down.clone();
    let media = move || media_runtime.block_on(engine.run(inbox, media_down));
    running.threads.push(spawn("relay-media", media)?);
    let door = move || {
        signal_runtime.block_on(accept(listener, shared, down));
        signal_runtime.shutdown_timeout(Duration::from_millis(200));
    };
    running.threads.push(spawn("relay-door", door)?);
    info!(%address, "relay is ready");
    Ok(running)
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
    with_address.map_err(|source| StartError::Media { address, source })
}

fn public_addresses(public: &[SocketAddr], bound: SocketAddr) -> Result<Vec<SocketAddr>, StartError> {
    let own = [bound];
    let named = if public.is_empty() { own.as_slice() } else { public };
    let reachable = |address: &SocketAddr| -> Result<SocketAddr, StartError> {
        let port = if address.port() == 0 { bound.port() } else { address.port() };
        let address = SocketAddr::new(address.ip(), port);
        let is_nowhere = match address.ip() {
            IpAddr::V4(ip) => ip.is_unspecified() || ip.is_multicast() || ip.is_broadcast(),
            IpAddr::V6(ip) => ip.is_unspecified() || ip.is_multicast(),
        };
        if is_nowhere { Err(StartError::Public(address)) } else { Ok(address) }
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
                None => debug!(%from, "too many at the door"),
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
