//! Media: from a datagram to the paths of those who receive it.

use std::{net::SocketAddr, sync::Arc, time::Instant};

use conclave_model::wire::Descriptor;
use conclave_transport::{Event, Output as PathOutput, Path, Slot};
use tracing::{debug, trace};

use super::{ConnectionId, Output, Relay};
use crate::{forward::takers, stun};

/// How often a path is woken at one and the same moment before others have their turn.
const MAX_ROUNDS: u32 = 128;

impl Relay {
    /// Takes in a datagram that came from `from` to our address `to`.
    ///
    /// Media are known by the address they come from: one hash look-up. An address counts as a connection's from the
    /// first STUN request on that passed the connection's integrity check.
    pub fn handle_datagram(&mut self, from: SocketAddr, to: SocketAddr, datagram: &[u8], now: Instant) {
        self.now = now;
        let owner = if stun::is_stun(datagram) {
            self.learn_address(from, to, datagram)
        } else {
            self.addresses.get(&from).copied()
        };
        let Some((connection, peer)) = owner.and_then(|owner| self.peers.get_mut(&owner).map(|peer| (owner, peer)))
        else {
            self.counters.datagrams_unknown += 1;
            return;
        };
        if !peer.may_send(now) {
            self.counters.datagrams_flooded += 1;
            return;
        }
        if let Err(error) = peer.path.handle_datagram(from, to, datagram, now) {
            trace!(%error, "datagram dropped");
            self.counters.datagrams_malformed += 1;
        }
        // A path holds one received packet at a time.
        self.drain(connection);
    }

    /// Whose STUN message it is, checked by the path's password.
    fn learn_address(&mut self, from: SocketAddr, to: SocketAddr, datagram: &[u8]) -> Option<ConnectionId> {
        let connection = *self.ufrags.get(stun::our_ufrag(datagram)?)?;
        let peer = self.peers.get_mut(&connection)?;
        if !peer.path.accepts(from, to, datagram, self.now) {
            return None;
        }
        let displaced = peer.learn(from);
        if let Some(displaced) = displaced {
            self.addresses.remove(&displaced);
        }
        if let Some(before) = self.addresses.insert(from, connection)
            && before != connection
            && let Some(other) = self.peers.get_mut(&before)
        {
            other.forget(from);
        }
        Some(connection)
    }

    /// Marks a path to be drained.
    pub(super) fn touch(&mut self, connection: ConnectionId) {
        if let Some(peer) = self.peers.get_mut(&connection)
            && !peer.is_touched
        {
            peer.is_touched = true;
            self.touched.push(connection);
        }
    }

    /// Takes out of a path what it has to say.
    ///
    /// Between two packets str0m's pacer wants to be told the time, even where it lets the second go at once; so a
    /// path that wants to be woken now is woken here, and its packets leave one behind the other.
    pub(super) fn drain(&mut self, connection: ConnectionId) {
        let mut rounds = MAX_ROUNDS;
        loop {
            let Some(peer) = self.peers.get_mut(&connection) else { return };
            peer.is_touched = false;
            match peer.path.poll_output() {
                PathOutput::Transmit(transmit) => self.outputs.push_back(Output::Transmit(transmit)),
                PathOutput::Packet { payload, .. } => self.forward(connection, &payload),
                PathOutput::Event(event) => self.on_path_event(connection, event),
                PathOutput::Wake(due) if due <= self.now && rounds > 0 => {
                    rounds -= 1;
                    peer.path.handle_timeout(self.now);
                }
                PathOutput::Wake(due) => {
                    peer.path_due = due;
                    self.schedule(connection);
                    return;
                }
            }
        }
    }

    /// Says goodbye on a path that is not needed any more.
    pub(super) fn finish_path(&mut self, path: &mut Path) {
        path.close();
        loop {
            match path.poll_output() {
                PathOutput::Transmit(transmit) => self.outputs.push_back(Output::Transmit(transmit)),
                PathOutput::Packet { .. } | PathOutput::Event(_) => {}
                PathOutput::Wake(_) => return,
            }
        }
    }

    fn on_path_event(&mut self, connection: ConnectionId, event: Event) {
        let Some(peer) = self.peers.get_mut(&connection) else { return };
        match event {
            Event::Connected => {
                debug!(meeting = %peer.meeting, peer = peer.who.peer.0, "media path up");
                peer.is_up = true;
                self.share_out(connection);
            }
            Event::Disconnected => {
                debug!(meeting = %peer.meeting, peer = peer.who.peer.0, "media path down");
                peer.is_up = false;
                self.share_out(connection);
            }
            // Only a client's end says that.
            Event::Silent => {}
            Event::Estimate(rate) => {
                trace!(peer = peer.who.peer.0, %rate, "estimate");
                peer.watching.line.estimate = rate;
                self.share_soon(connection);
            }
            Event::Quality(quality) => {
                peer.watching.line.observe(quality, self.now);
                self.on_quality(connection, quality);
            }
        }
    }

    /// Sends a packet on to everybody who receives its track, and of a picture this encoding.
    fn forward(&mut self, sender: ConnectionId, packet: &Arc<[u8]>) {
        let Ok((Descriptor { head, .. }, _)) = Descriptor::split(packet) else {
            self.counters.packets_malformed += 1;
            return;
        };
        let Some(peer) = self.peers.get_mut(&sender) else { return };
        if head.sender != peer.who.peer {
            self.counters.packets_foreign += 1;
            return;
        }
        if !peer.is_member() {
            self.counters.packets_early += 1;
            return;
        }
        self.counters.packets_received += 1;
        if !peer.tracks.contains_key(&head.track) {
            self.refresh(sender, head.track);
        }
        let Some(track) = self.peers.get_mut(&sender).and_then(|peer| peer.tracks.get_mut(&head.track)) else { return };
        let begins = if head.track.is_video() {
            let Some(begins) = track.on_picture(&head, packet.len()) else {
                self.counters.packets_unknown_layer += 1;
                return;
            };
            begins
        } else {
            track.on_sound(packet.len());
            false
        };
        // Lent, not copied: nothing below touches the track.
        let mut subscribers = std::mem::take(&mut track.subscribers);
        for (to, slot) in takers(&mut subscribers, &head, begins) {
            self.send(to, slot, packet);
        }
        if let Some(track) = self.peers.get_mut(&sender).and_then(|peer| peer.tracks.get_mut(&head.track)) {
            track.subscribers = subscribers;
        }
    }

    fn send(&mut self, to: ConnectionId, slot: Slot, packet: &Arc<[u8]>) {
        let Some(peer) = self.peers.get_mut(&to) else { return };
        if !peer.is_up || peer.path.send(slot, Arc::clone(packet), self.now).is_err() {
            self.counters.packets_unsent += 1;
            return;
        }
        self.counters.packets_forwarded += 1;
        if !peer.is_touched {
            peer.is_touched = true;
            self.touched.push(to);
        }
    }
}
