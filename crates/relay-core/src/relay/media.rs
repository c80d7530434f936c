//! Media: from a datagram to the paths of those who receive it.

use std::{net::SocketAddr, sync::Arc, time::Instant};

use conclave_model::{
    Bitrate, MeetingId, TrackKind,
    wire::{
        Descriptor,
        signal::{FromRelay, TrackName},
    },
};
use conclave_transport::{Event, Output as PathOutput, Path};
use tracing::{debug, trace};

use super::{ConnectionId, Output, Relay};
use crate::{forward::Subscriber, stun};

/// What a path is told to be ready for, for each wished picture and for all sound.
const PICTURE_RATE: Bitrate = Bitrate::kbps(2_500);
const SOUND_RATE: Bitrate = Bitrate::kbps(1_000);

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
                let names: Vec<_> = peer.slots.names().collect();
                for name in names {
                    self.on_need_key_frame(connection, name);
                }
            }
            Event::Disconnected => {
                debug!(meeting = %peer.meeting, peer = peer.who.peer.0, "media path down");
                peer.is_up = false;
            }
            Event::Estimate(rate) => trace!(peer = peer.who.peer.0, %rate, "estimate"),
            Event::Quality(quality) => trace!(peer = peer.who.peer.0, ?quality, "quality"),
        }
    }

    /// Sends a packet on to everybody who receives its track.
    fn forward(&mut self, sender: ConnectionId, packet: &Arc<[u8]>) {
        let Ok((Descriptor { head, index }, _)) = Descriptor::split(packet) else {
            self.counters.packets_malformed += 1;
            return;
        };
        let Some(peer) = self.peers.get(&sender) else { return };
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
        track.on_packet(&head, index == 0);
        // Lent, not copied: nothing below touches the track.
        let subscribers = std::mem::take(&mut track.subscribers);
        for subscriber in &subscribers {
            self.send(*subscriber, packet);
        }
        if let Some(track) = self.peers.get_mut(&sender).and_then(|peer| peer.tracks.get_mut(&head.track)) {
            track.subscribers = subscribers;
        }
    }

    fn send(&mut self, to: Subscriber, packet: &Arc<[u8]>) {
        let Some(peer) = self.peers.get_mut(&to.connection) else { return };
        if !peer.is_up || peer.path.send(to.slot, Arc::clone(packet), self.now).is_err() {
            self.counters.packets_unsent += 1;
            return;
        }
        self.counters.packets_forwarded += 1;
        if !peer.is_touched {
            peer.is_touched = true;
            self.touched.push(to.connection);
        }
    }

    /// Works out anew who receives a track, and asks for a key frame where that is somebody new.
    pub(super) fn refresh(&mut self, publisher: ConnectionId, kind: TrackKind) {
        let Some(peer) = self.peers.get(&publisher) else { return };
        let name = TrackName { peer: peer.who.peer, track: kind };
        let Some(meeting) = self.meetings.get(&peer.meeting) else { return };
        // Nobody could open what it sends before its welcome.
        let receivers = peer.is_member().then(|| meeting.connections());
        let subscribers: Vec<Subscriber> = receivers
            .into_iter()
            .flatten()
            .filter_map(|connection| {
                let slot = self.peers.get(&connection)?.slot_for(name)?;
                Some(Subscriber { connection, slot })
            })
            .collect();
        let Some(peer) = self.peers.get_mut(&publisher) else { return };
        let track = peer.tracks.entry(kind).or_default();
        let knows = |new: &Subscriber| track.subscribers.iter().any(|old| old.connection == new.connection);
        let has_new = subscribers.iter().any(|new| !knows(new));
        track.subscribers = subscribers;
        if has_new && kind.is_video() {
            self.want_key_frame(publisher, kind);
        }
    }

    /// Works out anew who receives what, after somebody came or went.
    pub(super) fn refresh_meeting(&mut self, id: MeetingId) {
        let Some(meeting) = self.meetings.get(&id) else { return };
        let mut names: Vec<(ConnectionId, TrackKind)> = Vec::new();
        for connection in meeting.connections() {
            let Some(peer) = self.peers.get(&connection) else { continue };
            names.extend(peer.tracks.keys().map(|kind| (connection, *kind)));
            let wished = peer.slots.names();
            names.extend(wished.filter_map(|name| Some((meeting.connection(name.peer)?, name.track))));
        }
        names.sort_unstable();
        names.dedup();
        for (publisher, kind) in names {
            self.refresh(publisher, kind);
        }
    }

    /// Tells a path how much there may be to send, so that it looks for that much room.
    pub(super) fn expect_rate(&mut self, connection: ConnectionId) {
        let Some(peer) = self.peers.get_mut(&connection) else { return };
        let pictures = u64::try_from(peer.slots.names().count()).unwrap_or(u64::MAX);
        let rate = PICTURE_RATE.as_bps().saturating_mul(pictures).saturating_add(SOUND_RATE.as_bps());
        peer.path.set_desired_bitrate(Bitrate(rate));
        self.touch(connection);
    }

    /// Asks a publisher for a key frame, now or once the interval is over.
    pub(super) fn want_key_frame(&mut self, publisher: ConnectionId, kind: TrackKind) {
        let now = self.now;
        let Some(peer) = self.peers.get_mut(&publisher) else { return };
        if peer.tracks.entry(kind).or_default().key_frames.want(now) {
            self.ask_key_frame(publisher, kind);
        } else {
            self.schedule(publisher);
        }
    }

    pub(super) fn ask_due_key_frames(&mut self, publisher: ConnectionId) {
        let now = self.now;
        let Some(peer) = self.peers.get_mut(&publisher) else { return };
        let tracks = peer.tracks.iter_mut();
        let due: Vec<TrackKind> =
            tracks.filter_map(|(kind, track)| track.key_frames.on_timeout(now).then_some(*kind)).collect();
        for kind in due {
            self.ask_key_frame(publisher, kind);
        }
    }

    fn ask_key_frame(&mut self, publisher: ConnectionId, track: TrackKind) {
        let layers = self.peers.get(&publisher).and_then(|peer| peer.tracks.get(&track)).map(|track| track.layers());
        for layer in layers.into_iter().flatten() {
            self.say(publisher, FromRelay::KeyFrameWanted { track, layer });
        }
    }
}
