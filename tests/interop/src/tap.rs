//! An in-between of clients and relay that keeps all that passes: every byte of TCP, every datagram.

use std::{
    collections::HashMap,
    io::{self, Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::{Context, Result};
use memchr::memmem;

/// Listens at one port, TCP and UDP, and forwards to a relay. Ends when it goes out of scope.
#[derive(Debug)]
pub struct Tap {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    relay: OnceLock<SocketAddr>,
    /// One for each direction of each connection.
    streams: Mutex<Vec<Vec<u8>>>,
    datagrams: Mutex<Vec<Box<[u8]>>>,
    stop: AtomicBool,
}

/// How long a thread waits before it looks whether it is to end.
const LOOK: Duration = Duration::from_millis(200);

/// The longest datagram.
const DATAGRAM: usize = 65_536;

impl Tap {
    /// Takes a port; until [`Self::forward_to`] says where to, what comes is lost.
    ///
    /// # Errors
    /// Where the system gives no port or thread.
    pub fn new() -> Result<Self> {
        let (listener, socket) = (0..100)
            .find_map(|_| {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).ok()?;
                let socket = UdpSocket::bind(listener.local_addr().ok()?).ok()?;
                Some((listener, socket))
            })
            .context("no port that is free for TCP and UDP")?;
        let port = listener.local_addr()?.port();
        let shared = Arc::<Shared>::default();
        listener.set_nonblocking(true)?;
        let of_tcp = Arc::clone(&shared);
        start("tap-tcp", move || accept(&listener, &of_tcp))?;
        let of_udp = Arc::clone(&shared);
        start("tap-udp", move || forward_datagrams(&Arc::new(socket), &of_udp))?;
        Ok(Self { port, shared })
    }

    /// The port for clients.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where the relay is; the first answer counts.
    pub fn forward_to(&self, port: u16) {
        self.shared.relay.get_or_init(|| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    }

    /// How many bytes of TCP and how many datagrams have passed.
    pub fn passed(&self) -> (usize, usize) {
        (lock(&self.shared.streams).iter().map(Vec::len).sum(), lock(&self.shared.datagrams).len())
    }

    /// Whether `wanted` stands in any direction of any connection, or in any datagram.
    pub fn holds(&self, wanted: &[u8]) -> bool {
        let finder = memmem::Finder::new(wanted);
        lock(&self.shared.streams).iter().any(|stream| finder.find(stream).is_some())
            || lock(&self.shared.datagrams).iter().any(|datagram| finder.find(datagram).is_some())
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
    }
}

impl Shared {
    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn start(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name(name.to_owned()).spawn(run).map(drop)
}

/// Whether a socket only had nothing to give in time.
fn is_idle(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    while shared.goes_on() {
        match listener.accept() {
            // A connection that cannot be forwarded is closed; its client says so.
            Ok((client, _)) => drop(forward_connection(client, shared)),
            Err(_) => thread::sleep(LOOK / 10),
        }
    }
}

fn forward_connection(client: TcpStream, shared: &Arc<Shared>) -> Result<()> {
    let relay = TcpStream::connect(shared.relay.get().context("no relay yet")?)?;
    client.set_nonblocking(false)?;
    for (from, to) in [(client.try_clone()?, relay.try_clone()?), (relay, client)] {
        from.set_read_timeout(Some(LOOK))?;
        let shared = Arc::clone(shared);
        start("tap-stream", move || copy(from, to, &shared))?;
    }
    Ok(())
}

fn copy(mut from: TcpStream, mut to: TcpStream, shared: &Shared) {
    let number = {
        let mut streams = lock(&shared.streams);
        streams.push(Vec::new());
        streams.len() - 1
    };
    let mut buffer = vec![0; DATAGRAM];
    while shared.goes_on() {
        match from.read(&mut buffer) {
            Ok(count @ 1..) => {
                lock(&shared.streams)[number].extend_from_slice(&buffer[..count]);
                if to.write_all(&buffer[..count]).is_err() {
                    break;
                }
            }
            Err(error) if is_idle(&error) => {}
            Ok(0) | Err(_) => break,
        }
    }
    // The other end may have closed already.
    let _ = to.shutdown(Shutdown::Write);
}

/// Each client gets a socket of its own towards the relay, as behind NAT.
fn forward_datagrams(socket: &Arc<UdpSocket>, shared: &Arc<Shared>) {
    let mut outward = HashMap::<SocketAddr, Arc<UdpSocket>>::new();
    let mut buffer = vec![0; DATAGRAM];
    // Without a timeout it could not be ended.
    if socket.set_read_timeout(Some(LOOK)).is_err() {
        return;
    }
    while shared.goes_on() {
        let Ok((count, client)) = socket.recv_from(&mut buffer) else { continue };
        let Some(relay) = shared.relay.get() else { continue };
        lock(&shared.datagrams).push(buffer[..count].into());
        if !outward.contains_key(&client)
            && let Ok(out) = open_outward(client, *relay, socket, shared)
        {
            outward.insert(client, out);
        }
        if let Some(out) = outward.get(&client) {
            // Datagrams may be lost.
            let _ = out.send(&buffer[..count]);
        }
    }
}

fn open_outward(
    client: SocketAddr,
    relay: SocketAddr,
    inward: &Arc<UdpSocket>,
    shared: &Arc<Shared>,
) -> io::Result<Arc<UdpSocket>> {
    let out = Arc::new(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?);
    out.connect(relay)?;
    out.set_read_timeout(Some(LOOK))?;
    let (from, inward, shared) = (Arc::clone(&out), Arc::clone(inward), Arc::clone(shared));
    start("tap-answers", move || {
        let mut buffer = vec![0; DATAGRAM];
        while shared.goes_on() {
            if let Ok(count) = from.recv(&mut buffer) {
                lock(&shared.datagrams).push(buffer[..count].into());
                // Datagrams may be lost.
                let _ = inward.send_to(&buffer[..count], client);
            }
        }
    })?;
    Ok(out)
}
