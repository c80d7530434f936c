//! The sockets: one for TCP, one for all media.

use std::{
    io,
    net::{IpAddr, Ipv6Addr, SocketAddr},
};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

/// Room for a burst: one key frame to a hundred receivers is some 5,000 packets.
const BUFFER: usize = 8 << 20;

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
#[derive(Debug)]
pub(crate) struct MediaSocket {
    socket: UdpSocket,
    /// Whether IPv4 addresses must be written as IPv6 (RFC 4291 section 2.5.5.2).
    is_v6: bool,
    /// Our address as IPv4 and IPv6 clients know it.
    own: [Option<SocketAddr>; 2],
}

impl MediaSocket {
    /// Wraps a bound socket; `public` are its addresses as clients reach it.
    pub(crate) fn new(socket: std::net::UdpSocket, public: &[SocketAddr]) -> io::Result<Self> {
        let is_v6 = socket.local_addr()?.is_ipv6();
        let own = [SocketAddr::is_ipv4, SocketAddr::is_ipv6]
            .map(|family: fn(&SocketAddr) -> bool| public.iter().copied().find(family));
        Ok(Self { socket: UdpSocket::from_std(socket)?, is_v6, own })
    }

    /// Waits until something can be received.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        self.socket.readable().await
    }

    /// Takes one datagram without waiting: its length, where it came from, and which address of ours it was sent to.
    ///
    /// # Errors
    /// `WouldBlock` where none is there. Other errors are of one datagram; the socket goes on.
    pub(crate) fn receive(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr, SocketAddr)> {
        let (length, from) = self.socket.try_recv_from(buffer)?;
        let from = SocketAddr::new(from.ip().to_canonical(), from.port());
        let own = self.own[usize::from(from.is_ipv6())];
        let to = own.ok_or_else(|| io::Error::from(io::ErrorKind::AddrNotAvailable))?;
        Ok((length, from, to))
    }

    /// Sends one datagram without waiting.
    ///
    /// # Errors
    /// `WouldBlock` where the system has no room, or what the system says about the destination.
    pub(crate) fn send(&self, bytes: &[u8], to: SocketAddr) -> io::Result<()> {
        let to = match to.ip() {
            IpAddr::V4(ip) if self.is_v6 => SocketAddr::new(IpAddr::V6(ip.to_ipv6_mapped()), to.port()),
            IpAddr::V4(_) | IpAddr::V6(_) => to,
        };
        self.socket.try_send_to(bytes, to).map(|_| ())
    }
}
