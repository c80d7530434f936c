//! The delivery service (RFC 9420 section 16.3; the messages are opaque here): one order of commits for all.

use std::time::Instant;

use bytes::Bytes;
use conclave_model::{
    Epoch, MeetingId,
    wire::signal::{Commit, FromRelay, Neighbour, Refusal, ToRelay, TrackName, Wish},
};

use super::{ConnectionId, Output, Relay};
use crate::{
    peer::{Peer, Standing},
    record::Happening,
};

/// The longest message of one member to the others: it is multiplied by the number of members.
const MAX_BROADCAST: usize = 64 << 10;

/// The client broke the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Misbehaved;

impl Relay {
    /// Takes in a message. One from a connection that is gone already is ignored.
    ///
    /// What breaks the protocol ends the connection with [`Refusal::Misbehaved`]: a second `Hello`; a commit, broadcast,
    /// sign of life or objection before the welcome; a dismissal by somebody whom no invitation puts into the succession
    /// of the chair; empty or oversized messages, too many of them.
    pub fn handle_signal(&mut self, connection: ConnectionId, message: ToRelay, now: Instant) {
        self.now = now;
        let Some(peer) = self.peers.get_mut(&connection) else { return };
        peer.backlog.heard += 1;
        let result =
            if peer.may_say(size(&message), now) { self.on_message(connection, message) } else { Err(Misbehaved) };
        if result == Err(Misbehaved) {
            self.refuse(connection, Refusal::Misbehaved);
        }
    }

    fn on_message(&mut self, from: ConnectionId, message: ToRelay) -> Result<(), Misbehaved> {
        match message {
            ToRelay::Hello(_) | ToRelay::Resume(_) => Err(Misbehaved),
            ToRelay::Commit(commit) => self.on_commit(from, commit),
            ToRelay::Broadcast(message) => self.on_broadcast(from, message),
            ToRelay::Wishes(wishes) => {
                self.on_wishes(from, &wishes);
                Ok(())
            }
            ToRelay::NeedKeyFrame(name) => {
                self.on_need_key_frame(from, name);
                Ok(())
            }
            ToRelay::Pulse(pulse) => self.on_pulse(from, &pulse),
            ToRelay::Object { epoch } => self.on_object(from, epoch),
            ToRelay::Dismiss { peer, why } => self.on_dismiss(from, peer, why),
            ToRelay::Delay { peer, why } => self.on_delay(from, peer, why),
            ToRelay::Leave => {
                self.outputs.push_back(Output::Disconnect(from));
                self.remove(from, None);
                Ok(())
            }
        }
    }

    fn on_commit(&mut self, from: ConnectionId, commit: Commit) -> Result<(), Misbehaved> {
        let Commit { epoch: ended, commit, welcome, added } = commit;
        let member = self.peers.get(&from).filter(|peer| peer.is_member()).ok_or(Misbehaved)?;
        let (id, committer) = (member.meeting, member.who.peer);
        if commit.is_empty() || (welcome.is_none() && !added.is_empty()) {
            return Err(Misbehaved);
        }
        let followers = self.members(id).len().saturating_sub(1);
        let meeting = self.meetings.get_mut(&id).ok_or(Misbehaved)?;
        let entered = match meeting.advance(ended, from, followers, self.now) {
            Ok(entered) => entered,
            Err(epoch) => {
                self.counters.late_commits += 1;
                self.say(from, FromRelay::CommitRefused { epoch });
                return Ok(());
            }
        };
        let mut newcomers = Vec::new();
        let mut vanished = Vec::new();
        for peer in added {
            if let Some(connection) = meeting.connection(peer) {
                newcomers.push(connection);
            } else if let Some(leaf) = meeting.leaf_of_gone(peer) {
                vanished.push(Neighbour { peer, leaf });
            }
        }
        for member in self.members(id) {
            self.say(member, FromRelay::Committed { epoch: ended, from: committer, commit: commit.clone() });
            // Somebody was added who left in the meantime: the members must take that leaf out again.
            for gone in &vanished {
                self.say(member, FromRelay::Departed(*gone));
            }
        }
        for newcomer in newcomers {
            self.welcome(newcomer, entered, welcome.as_ref());
        }
        self.refresh_meeting(id);
        Ok(())
    }

    fn welcome(&mut self, newcomer: ConnectionId, epoch: Epoch, welcome: Option<&Bytes>) {
        let (Some(peer), Some(welcome)) = (self.peers.get_mut(&newcomer), welcome) else { return };
        if peer.is_member() {
            return;
        }
        peer.standing = Standing::Member { since: epoch };
        let (id, who) = (peer.meeting, peer.fingerprint);
        self.note(id, Happening::Member(who));
        self.say(newcomer, FromRelay::Welcome { epoch, welcome: welcome.clone() });
    }

    fn on_broadcast(&mut self, from: ConnectionId, message: Bytes) -> Result<(), Misbehaved> {
        let member = self.peers.get(&from).filter(|peer| peer.is_member()).ok_or(Misbehaved)?;
        if message.is_empty() || message.len() > MAX_BROADCAST {
            return Err(Misbehaved);
        }
        let (id, number) = (member.meeting, member.who.peer);
        for other in self.members(id) {
            if other != from {
                self.say(other, FromRelay::Broadcast { from: number, message: message.clone() });
            }
        }
        Ok(())
    }

    /// Wishes for tracks that do not exist yet are kept; for sound, and for one's own, they mean nothing.
    fn on_wishes(&mut self, from: ConnectionId, wishes: &[Wish]) {
        let Some(peer) = self.peers.get_mut(&from) else { return };
        let own = peer.who.peer;
        let wished =
            wishes.iter().filter(|wish| wish.height > 0 && wish.track.track.is_video() && wish.track.peer != own);
        let wished: Vec<(TrackName, u16)> = wished.map(|wish| (wish.track, wish.height)).collect();
        let mut changed: Vec<TrackName> = peer.slots.names().collect();
        peer.slots.set(wished.iter().map(|(name, _)| *name));
        peer.watching.set(wished.into_iter());
        changed.extend(peer.slots.names());
        changed.sort_unstable();
        changed.dedup();
        let id = peer.meeting;
        for name in changed {
            if let Some(publisher) = self.meetings.get(&id).and_then(|meeting| meeting.connection(name.peer)) {
                self.refresh(publisher, name.track);
            }
        }
        self.share_out(from);
    }

    /// The members among those connected.
    pub(super) fn members(&self, meeting: MeetingId) -> Vec<ConnectionId> {
        let everybody = self.meetings.get(&meeting).into_iter().flat_map(|meeting| meeting.connections());
        everybody.filter(|connection| self.peers.get(connection).is_some_and(Peer::is_member)).collect()
    }
}

/// The part of a message whose size a client chooses.
fn size(message: &ToRelay) -> usize {
    match message {
        ToRelay::Commit(commit) => commit.commit.len() + commit.welcome.as_ref().map_or(0, Bytes::len),
        ToRelay::Broadcast(message) => message.len(),
        ToRelay::Wishes(wishes) => wishes.len() * size_of::<Wish>(),
        ToRelay::Pulse(pulse) => pulse.len(),
        ToRelay::Hello(_)
        | ToRelay::Resume(_)
        | ToRelay::NeedKeyFrame(_)
        | ToRelay::Object { .. }
        | ToRelay::Dismiss { .. }
        | ToRelay::Delay { .. }
        | ToRelay::Leave => 0,
    }
}
