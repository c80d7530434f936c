//! The one UDP socket of a client.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Instant,
};

use conclave_session::Transmit;
use socket2::{Domain, Protocol, Type};
use tokio::net::UdpSocket;

use crate::{ConnectError, Impairment, impair::Line};

/// What the system buffers in each direction, in bytes: a key frame of each of 27 cameras, while the engine is busy.
const BUFFER: usize = 4 << 20;

/// The largest datagram that media paths send.
const DATAGRAM: usize = 2048;

/// A received datagram.
pub(crate) struct Datagram {
    pub(crate) from: SocketAddr,
    pub(crate) bytes: Vec<u8>,
}

/// The socket for media, perhaps behind a line that tests make bad.
pub(crate) struct MediaSocket {
    socket: UdpSocket,
    local: SocketAddr,
    buffer: Vec<u8>,
    bad: Option<Box<BadLines>>,
    unsent: u64,
}

struct BadLines {
    out: Line<Transmit>,
    into: Line<Datagram>,
}

impl MediaSocket {
    /// Binds to any port of the address that leads to the relay.
    pub(crate) fn bind(local: IpAddr, impair: Option<Impairment>) -> Result<Self, ConnectError> {
        let failed = |error: io::Error| ConnectError::Socket(error.kind());
        let address = SocketAddr::new(local, 0);
        let socket =
            socket2::Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP)).map_err(failed)?;
        // The system grants what it allows; less means loss under load, not failure.
        let _ = socket.set_recv_buffer_size(BUFFER);
        let _ = socket.set_send_buffer_size(BUFFER);
        socket.set_nonblocking(true).map_err(failed)?;
        socket.bind(&address.into()).map_err(failed)?;
        let socket = UdpSocket::from_std(socket.into()).map_err(failed)?;
        let local = socket.local_addr().map_err(failed)?;
        let bad = impair
            .map(|how| Box::new(BadLines { out: Line::new(how, 0x6f75_7400), into: Line::new(how, 0x696e_0000) }));
        Ok(Self { socket, local, buffer: vec![0; DATAGRAM], bad, unsent: 0 })
    }

    /// The bound address.
    pub(crate) fn local(&self) -> SocketAddr {
        self.local
    }

    /// Waits until something may have been received.
    pub(crate) async fn readable(&self) {
        // An error shows in the next receive as well.
        let _ = self.socket.readable().await;
    }

    /// When a bad line delivers next.
    pub(crate) fn next_arrival(&self) -> Option<Instant> {
        let bad = self.bad.as_ref()?;
        [bad.out.next_arrival(), bad.into.next_arrival()].into_iter().flatten().min()
    }

    /// Sends, or drops where the system's buffer is full: media that wait are of no use.
    pub(crate) fn send(&mut self, transmit: Transmit, now: Instant) {
        match &mut self.bad {
            Some(bad) => bad.out.put(transmit, now),
            None => self.send_now(&transmit),
        }
    }

    /// Sends what a bad line has delayed until now.
    pub(crate) fn send_delayed(&mut self, now: Instant) {
        while let Some(transmit) = self.bad.as_mut().and_then(|bad| bad.out.take(now)) {
            self.send_now(&transmit);
        }
    }

    /// The next datagram, if there is one.
    pub(crate) fn receive(&mut self, now: Instant) -> Option<Datagram> {
        loop {
            let received = match self.socket.try_recv_from(&mut self.buffer) {
                Ok((length, from)) => Some(Datagram { from, bytes: self.buffer[..length].to_vec() }),
                // An ICMP answer to an earlier datagram, as when the relay restarts; the media path notices by itself.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => continue,
                Err(_) => None,
            };
            match (&mut self.bad, received) {
                (None, received) => return received,
                (Some(bad), Some(datagram)) => bad.into.put(datagram, now),
                (Some(bad), None) => return bad.into.take(now),
            }
        }
    }

    /// Datagrams that the system did not take.
    pub(crate) fn unsent(&self) -> u64 {
        self.unsent
    }

    fn send_now(&mut self, transmit: &Transmit) {
        if self.socket.try_send_to(&transmit.bytes, transmit.to).is_err() {
            self.unsent += 1;
        }
    }
}
