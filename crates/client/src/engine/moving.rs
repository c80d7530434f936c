//! What a client does when its way to the relay is gone: another socket, another connection, the same membership.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    time::Instant,
};

use conclave_session::Input;

use super::{meeting::Meeting, socket::MediaSocket};
use crate::ConnectError;

/// Where the relay is, and which other way to it was seen last.
#[derive(Debug)]
pub(super) struct Way {
    relay: SocketAddr,
    other: Option<IpAddr>,
}

impl Way {
    pub(super) fn new(relay: SocketAddr) -> Self {
        Self { relay, other: None }
    }

    /// The address from which this machine reaches the relay now, where that is not `used` any more and was so the last
    /// time already: addresses come and go for a moment while a network is set up.
    fn changed(&mut self, used: IpAddr) -> Option<IpAddr> {
        let found = way_to(self.relay)?;
        let before = self.other.replace(found);
        (found != used && before == Some(found)).then_some(found)
    }
}

impl Meeting<'_> {
    /// Looks whether the machine has changed to another network.
    pub(super) fn look_for_way(&mut self, now: Instant) {
        let Some(address) = self.way.changed(self.socket.local().ip()) else { return };
        tracing::info!("another network leads to the relay now");
        self.change_socket(address, now);
        if let Err(error) = self.signals.resume(ConnectError::Broken(io::ErrorKind::NetworkUnreachable)) {
            self.fail(error);
        }
    }

    /// Nothing comes from the relay: what kept the way open, as the memory of a firewall, may have lost it.
    pub(super) fn on_path_silent(&mut self, now: Instant) {
        // Where no way leads there at all, one will be seen as soon as it does.
        let Some(address) = way_to(self.way.relay) else { return };
        tracing::info!("the media path is silent; it goes on through another port");
        self.change_socket(address, now);
    }

    fn change_socket(&mut self, address: IpAddr, now: Instant) {
        match MediaSocket::bind(address, self.engine.config.impair) {
            Ok(socket) => {
                let old = std::mem::replace(&mut self.socket, socket);
                self.engine.tally.dropped.unsent += old.unsent();
                self.input(Input::LocalAddress(self.socket.local()), now);
            }
            // The address is gone again; the next look finds another.
            Err(error) => tracing::debug!(%error, "no other socket"),
        }
    }
}

/// The address from which the system would send to `relay`; `None` where no way leads there. Sends nothing.
fn way_to(relay: SocketAddr) -> Option<IpAddr> {
    let any: IpAddr = if relay.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(relay).ok()?;
    let found = socket.local_addr().ok()?.ip();
    (!found.is_unspecified()).then_some(found)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_way_that_has_not_changed_is_no_news() {
        let loopback = IpAddr::from(Ipv4Addr::LOCALHOST);
        let mut way = Way::new(SocketAddr::new(loopback, 7443));
        assert_eq!(way_to(way.relay), Some(loopback));
        assert_eq!((way.changed(loopback), way.changed(loopback)), (None, None));
    }

    #[test]
    fn another_way_is_news_once_it_has_been_seen_twice() {
        let (loopback, gone) = (IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from([192, 0, 2, 9]));
        let mut way = Way::new(SocketAddr::new(loopback, 7443));
        assert_eq!(way.changed(gone), None);
        assert_eq!(way.changed(gone), Some(loopback));
    }
}
