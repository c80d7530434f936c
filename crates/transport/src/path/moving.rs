//! An end that changes its address: what the relay must notice, for its end of ICE only listens (ICE-lite).
//!
//! A client that moves keeps its ICE credentials and its DTLS session; it offers the new address to its own agent, which
//! checks and nominates it (RFC 8445 section 8.1.1). No ICE restart: that needs a word by signalling first, which is often
//! lost together with the old address. The relay's agent keeps the best of all nominated addresses for as long as their
//! requests are recent, 15 s, so somebody has to tell it that the newest nomination is where the client is.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use str0m::{Candidate, CandidateKind, net::Protocol};

use super::{End, Path, TransportError};

/// After how long without a datagram of the relay's, beyond a round trip, a client's path counts as silent: one check may
/// be lost.
const SILENCE: Duration = Duration::from_millis(1500);

/// The most addresses that one path may move to; whoever moves more often connects anew.
const MAX_MOVES: usize = 64;

/// Where the other end is, and where it was.
#[derive(Debug, Default)]
pub(super) struct Whereabouts {
    at: Option<SocketAddr>,
    left: Vec<SocketAddr>,
}

impl Whereabouts {
    /// Whether a valid nomination from `address` is a move. What comes late from an address that was left is none.
    fn is_move(&self, address: SocketAddr) -> bool {
        self.at != Some(address) && !self.has_left(address) && self.left.len() < MAX_MOVES
    }

    /// Whether the other end was at `address` and is not any more.
    fn has_left(&self, address: SocketAddr) -> bool {
        self.left.contains(&address)
    }

    /// Takes note of a move; returns which address does not count any more.
    fn arrive(&mut self, address: SocketAddr) -> Option<SocketAddr> {
        let old = self.at.replace(address);
        self.left.extend(old);
        old
    }
}

impl Path {
    /// Leaves all addresses of this end for `address`, another socket's: of a network that the machine changed to, or of
    /// the same one where the old way has become silent.
    ///
    /// The relay needs no word of it: its end learns the address from a check that only this end can sign. Media flow again
    /// after about two round trips; DTLS, SRTP and all that is queued stay.
    ///
    /// # Errors
    /// [`TransportError::Address`] for an unspecified address or port 0; the path stays where it is.
    pub fn move_to(&mut self, address: SocketAddr) -> Result<(), TransportError> {
        let old = std::mem::take(&mut self.addresses);
        if let Err(error) = self.add_local_address(address) {
            self.addresses = old;
            return Err(error);
        }
        for left in old.into_iter().filter(|old| *old != address) {
            if let Ok(candidate) = Candidate::host(left, "udp") {
                self.rtc.direct_api().invalidate_candidate(&candidate);
            }
        }
        // The new way has a time of its own to prove itself.
        self.heard = self.now;
        Ok(())
    }

    /// When a client's path counts as silent unless something is heard.
    pub(super) fn silent_at(&self) -> Option<Instant> {
        let is_watched = self.end == End::Client && self.secured && !self.closed;
        is_watched.then(|| self.heard + SILENCE + self.round_trip.min(SILENCE))
    }

    /// Whether a datagram says, signed, that the client is elsewhere now.
    pub(super) fn is_move(&self, from: SocketAddr, to: SocketAddr, datagram: &[u8], now: Instant) -> bool {
        self.end == End::Relay
            && self.whereabouts.is_move(from)
            && is_nomination(datagram)
            && self.accepts(from, to, datagram, now)
    }

    /// Sends to where the client is now, and not any more to where it was.
    pub(super) fn follow(&mut self, address: SocketAddr) {
        let Some(left) = self.whereabouts.arrive(address) else { return };
        tracing::debug!("the client moved to another address");
        // str0m finds what is meant by address, protocol and kind; a client's addresses are learned from its requests.
        let kind = CandidateKind::PeerReflexive;
        let candidate = Candidate::from_parts(String::new(), 1, Protocol::Udp, 1, left, kind, None, None, None);
        self.rtc.direct_api().invalidate_candidate(&candidate);
        self.touched = true;
    }
}

/// Whether a datagram is a STUN binding request that nominates the path it came by (RFC 8445 section 7.1.2: USE-CANDIDATE).
///
/// Proves nothing: the message's integrity is the agent's to check. Any bytes are safe to pass.
fn is_nomination(datagram: &[u8]) -> bool {
    const HEADER: usize = 20;
    const BINDING_REQUEST: [u8; 2] = [0, 1];
    const MAGIC: [u8; 4] = 0x2112_a442_u32.to_be_bytes();
    const USE_CANDIDATE: u16 = 0x0025;
    let is_request = datagram.get(..2) == Some(&BINDING_REQUEST) && datagram.get(4..8) == Some(&MAGIC);
    let Some(mut rest) = datagram.get(HEADER..).filter(|_| is_request) else { return false };
    while let Some((&[k0, k1, l0, l1], after)) = rest.split_first_chunk::<4>() {
        if u16::from_be_bytes([k0, k1]) == USE_CANDIDATE {
            return true;
        }
        let length = usize::from(u16::from_be_bytes([l0, l1])).next_multiple_of(4);
        let Some(next) = after.get(length..) else { return false };
        rest = next;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([198, 51, 100, 7], port))
    }

    #[test]
    fn what_comes_late_from_an_address_that_was_left_is_no_move() {
        let mut whereabouts = Whereabouts::default();
        assert!(whereabouts.is_move(address(1)));
        assert_eq!(whereabouts.arrive(address(1)), None);
        assert!(!whereabouts.is_move(address(1)));
        assert!(whereabouts.is_move(address(2)));
        assert_eq!(whereabouts.arrive(address(2)), Some(address(1)));
        assert!(whereabouts.has_left(address(1)) && !whereabouts.is_move(address(1)));
        assert!(!whereabouts.has_left(address(2)));
    }

    #[test]
    fn moving_without_end_is_not_remembered_without_end() {
        let mut whereabouts = Whereabouts::default();
        for port in 1..=1000 {
            if whereabouts.is_move(address(port)) {
                whereabouts.arrive(address(port));
            }
        }
        assert_eq!(whereabouts.left.len(), MAX_MOVES);
    }

    #[test]
    fn a_nomination_is_found_behind_other_attributes_and_nowhere_else() {
        let mut message = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
        message.resize(20, 7);
        assert!(!is_nomination(&message));
        message.extend_from_slice(&[0, 6, 0, 3, b'a', b':', b'b', 0]);
        assert!(!is_nomination(&message));
        message.extend_from_slice(&[0, 0x25, 0, 0]);
        assert!(is_nomination(&message));
        message[1] = 0x11;
        assert!(!is_nomination(&message));
        assert!(!is_nomination(&[]));
        let mut cut = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
        cut.resize(20, 7);
        cut.extend_from_slice(&[0, 6, 0xff, 0xff, 0, 0x25]);
        assert!(!is_nomination(&cut));
    }
}
