//! The sockets: one for TCP, one for all media.

use std::{
    io,
    net::{IpAddr, Ipv6Addr, SocketAddr},
};

use quinn_udp::{BATCH_SIZE, RecvMeta, Transmit, UdpSocketState};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::{io::Interest, net::UdpSocket};

/// Room for a burst: one key frame to a hundred receivers is some 5,000 packets.
const BUFFER: usize = 8 << 20;

/// Longer than any datagram that a path takes.
const DATAGRAM: usize = 2048;

/// The most bytes that one call sends or one buffer takes in: a UDP datagram before it is cut.
const TRAIN: usize = 65_000;

/// How many TCP connections may wait to be accepted.
const BACKLOG: i32 = 256;

/// A listening TCP socket. `[::]` takes in IPv4 as well.
pub(crate) fn listen(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    accept_both(&socket, address)?;
    // A relay that restarts must not wait for its old connections to time out.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// The media socket. `[::]` takes in IPv4 as well.
pub(crate) fn bind_media(address: SocketAddr) -> io::Result<std::net::UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    accept_both(&socket, address)?;
    // The system gives what it allows; less only means drops under bursts.
    let _ = socket.set_recv_buffer_size(BUFFER);
    let _ = socket.set_send_buffer_size(BUFFER);
    socket.bind(&address.into())?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

fn accept_both(socket: &Socket, address: SocketAddr) -> io::Result<()> {
    if address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) { socket.set_only_v6(false) } else { Ok(()) }
}

/// The media socket in the media thread.
///
/// Packets of one frame to one receiver leave in one call, cut by the kernel or the network card (generic segmentation
/// offload): the kernel's way out is what a relay spends most of its time on. In the other direction one call takes in
/// all that waits.
#[derive(Debug)]
pub(crate) struct MediaSocket {
    socket: UdpSocket,
    state: UdpSocketState,
    /// Whether IPv4 addresses must be written as IPv6 (RFC 4291 section 2.5.5.2).
    is_v6: bool,
    /// Our address as IPv4 and IPv6 clients know it.
    own: [Option<SocketAddr>; 2],
    /// What leaves with the next call.
    train: Train,
}

/// Datagrams of one length to one receiver, the last of which may be shorter.
#[derive(Debug, Default)]
struct Train {
    to: Option<SocketAddr>,
    bytes: Vec<u8>,
    segment: usize,
    segments: usize,
    /// The last one is shorter: nothing can follow it.
    is_closed: bool,
}

/// Room for what one call takes in.
#[derive(Debug)]
pub(crate) struct Intake {
    buffers: Vec<Vec<u8>>,
    received: Vec<RecvMeta>,
}

impl Train {
    /// Whether one more datagram fits.
    fn takes(&self, length: usize, to: SocketAddr, most: usize) -> bool {
        self.to == Some(to)
            && !self.is_closed
            && length <= self.segment
            && self.segments < most
            && self.bytes.len() + length <= TRAIN
    }

    fn push(&mut self, bytes: &[u8], to: SocketAddr) {
        if self.segments == 0 {
            (self.to, self.segment) = (Some(to), bytes.len());
        }
        self.is_closed = bytes.len() < self.segment;
        self.segments += 1;
        self.bytes.extend_from_slice(bytes);
    }

    fn clear(&mut self) {
        self.bytes.clear();
        (self.to, self.segments, self.is_closed) = (None, 0, false);
    }
}

impl Intake {
    pub(crate) fn new(socket: &MediaSocket) -> Self {
        let room = DATAGRAM * socket.state.gro_segments().min(TRAIN / DATAGRAM);
        Self { buffers: vec![vec![0; room]; BATCH_SIZE], received: vec![RecvMeta::default(); BATCH_SIZE] }
    }
}

impl MediaSocket {
    /// Wraps a bound socket; `public` are its addresses as clients reach it.
    pub(crate) fn new(socket: std::net::UdpSocket, public: &[SocketAddr]) -> io::Result<Self> {
        let is_v6 = socket.local_addr()?.is_ipv6();
        let own = [SocketAddr::is_ipv4, SocketAddr::is_ipv6]
            .map(|family: fn(&SocketAddr) -> bool| public.iter().copied().find(family));
        let state = UdpSocketState::new((&socket).into())?;
        Ok(Self { socket: UdpSocket::from_std(socket)?, state, is_v6, own, train: Train::default() })
    }

    /// Waits until something can be received.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        self.socket.readable().await
    }

    /// Takes in what has come, without waiting, and gives each datagram out with where it came from and which address of
    /// ours it was sent to. Returns how many there were.
    ///
    /// # Errors
    /// `WouldBlock` where none is there. Other errors are of one datagram; the socket goes on.
    pub(crate) fn receive(
        &self,
        intake: &mut Intake,
        mut give: impl FnMut(SocketAddr, SocketAddr, &[u8]),
    ) -> io::Result<usize> {
        let Intake { buffers, received } = intake;
        let mut slices: Vec<_> = buffers.iter_mut().map(|buffer| io::IoSliceMut::new(buffer)).collect();
        let calls =
            self.socket.try_io(Interest::READABLE, || self.state.recv((&self.socket).into(), &mut slices, received))?;
        let mut count = 0;
        for (buffer, meta) in buffers.iter().zip(received.iter()).take(calls) {
            let from = SocketAddr::new(meta.addr.ip().to_canonical(), meta.addr.port());
            let bytes = buffer.get(..meta.len).unwrap_or_default();
            // An empty datagram has no length to divide by.
            for datagram in bytes.chunks(meta.stride.max(1)) {
                count += 1;
                if let Some(to) = self.own[usize::from(from.is_ipv6())] {
                    give(from, to, datagram);
                }
            }
        }
        Ok(count)
    }

    /// Queues a datagram. It leaves with the next that cannot join it, or with [`Self::flush`]. Returns how many could
    /// not be sent.
    pub(crate) fn send(&mut self, bytes: &[u8], to: SocketAddr) -> u64 {
        let unsent = if self.train.takes(bytes.len(), to, self.state.max_gso_segments()) { 0 } else { self.flush() };
        self.train.push(bytes, to);
        unsent
    }

    /// Sends what is queued, without waiting. Returns how many could not be sent.
    pub(crate) fn flush(&mut self) -> u64 {
        let Some(to) = self.train.to else { return 0 };
        let destination = match to.ip() {
            IpAddr::V4(ip) if self.is_v6 => SocketAddr::new(IpAddr::V6(ip.to_ipv6_mapped()), to.port()),
            IpAddr::V4(_) | IpAddr::V6(_) => to,
        };
        let Train { bytes, segment, segments, .. } = &self.train;
        let whole = (*segments > 1).then_some(*segment);
        let unsent = match self.transmit(destination, bytes, whole) {
            Ok(()) => 0,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => *segments as u64,
            // A card that cannot cut; it is not asked again.
            Err(_) if whole.is_some() => {
                let failed =
                    bytes.chunks((*segment).max(1)).filter(|one| self.transmit(destination, one, None).is_err());
                failed.count() as u64
            }
            Err(error) => {
                tracing::trace!(%error, "datagram not sent");
                1
            }
        };
        self.train.clear();
        unsent
    }

    fn transmit(&self, destination: SocketAddr, contents: &[u8], segment_size: Option<usize>) -> io::Result<()> {
        let transmit = Transmit { destination, ecn: None, contents, segment_size, src_ip: None };
        self.socket.try_io(Interest::WRITABLE, || self.state.try_send((&self.socket).into(), &transmit))
    }
}

#[cfg(test)]
mod tests;
