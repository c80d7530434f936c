//! What members say about each other: signs of life, objections to a commit, and the acting chair's dismissals.
//!
//! The relay believes none of it. It counts objections, and it knows from the signed invitation who is first among those
//! connected; what a member may do in the *group* is checked by the other members.

use bytes::Bytes;
use conclave_model::{
    Epoch, Fingerprint, MeetingId, PeerId,
    wire::signal::{Delay, Dismissal, FromRelay, Refusal},
};
use tracing::debug;

use super::{ConnectionId, Output, Relay, delivery::Misbehaved};
use crate::{
    meeting::{Former, Vote},
    peer::Peer,
    record::Happening,
};

/// The longest sign of life, in bytes: an epoch, a leaf, a number and a signature have about 100.
const MAX_PULSE: usize = 256;

impl Relay {
    /// Passes a sign of life on; past the limit it is dropped, for the next one says the same.
    pub(super) fn on_pulse(&mut self, from: ConnectionId, pulse: &Bytes) -> Result<(), Misbehaved> {
        let now = self.now;
        let member = self.peers.get_mut(&from).filter(|peer| peer.is_member()).ok_or(Misbehaved)?;
        if pulse.is_empty() || pulse.len() > MAX_PULSE {
            return Err(Misbehaved);
        }
        if !member.may_pulse(now) {
            self.counters.pulses_dropped += 1;
            return Ok(());
        }
        let (id, number) = (member.meeting, member.who.peer);
        for other in self.members(id) {
            if other != from {
                self.say(other, FromRelay::Pulse { from: number, pulse: pulse.clone() });
            }
        }
        Ok(())
    }

    /// Counts an objection to a commit of the last seconds; annuls the commit where most who were to follow it object.
    ///
    /// Objections that come too late, twice, or from somebody who was no member in that epoch mean nothing: they happen
    /// where messages cross.
    pub(super) fn on_object(&mut self, from: ConnectionId, epoch: Epoch) -> Result<(), Misbehaved> {
        let member = self.peers.get(&from).ok_or(Misbehaved)?;
        let since = member.since().ok_or(Misbehaved)?;
        let (id, rank, peers) = (member.meeting, member.rank, &self.peers);
        // Somebody who left has nothing to lose.
        let outranks = |committer: ConnectionId| match peers.get(&committer) {
            Some(committer) => rank.is_some_and(|own| committer.rank.is_none_or(|its| own < its)),
            None => true,
        };
        let meeting = self.meetings.get_mut(&id).ok_or(Misbehaved)?;
        match if since <= epoch { meeting.object(epoch, from, outranks, self.now) } else { Vote::Void } {
            Vote::Void => self.counters.objections_ignored += 1,
            Vote::Counted => self.counters.objections += 1,
            Vote::Carried { committer } => {
                self.counters.objections += 1;
                self.annul(id, epoch, committer);
            }
        }
        Ok(())
    }

    /// Takes back the commit that ended `epoch`, and all that were built on it.
    ///
    /// Whoever came into the group since then was added by commits that do not count: their connections end without a
    /// word, and they come again.
    fn annul(&mut self, id: MeetingId, epoch: Epoch, committer: ConnectionId) {
        self.counters.annulled += 1;
        debug!(meeting = %id, epoch = epoch.0, "commit annulled");
        let by = self.peers.get(&committer).map(|peer| peer.fingerprint);
        if let Some(by) = by {
            self.note(id, Happening::Annulled { by });
        }
        let members = self.members(id).into_iter().filter(|member| *member != committer);
        let is_older =
            |member: &ConnectionId| self.peers.get(member).and_then(Peer::since).is_some_and(|at| at <= epoch);
        let (stay, go): (Vec<_>, Vec<_>) = members.partition(is_older);
        for member in stay {
            self.say(member, FromRelay::Annulled { epoch });
        }
        self.refuse(committer, Refusal::Misbehaved);
        for member in go {
            self.outputs.push_back(Output::Disconnect(member));
            self.remove(member, None);
        }
    }

    /// Sends somebody away where the acting chair says so.
    ///
    /// One who is not in the succession has no such command. One who is, may have lost the chair while the message was
    /// under way, and whom it means may have gone: that is no fault, and nothing happens.
    pub(super) fn on_dismiss(&mut self, from: ConnectionId, whom: PeerId, why: Dismissal) -> Result<(), Misbehaved> {
        let (id, rank, by) = match self.peers.get(&from) {
            Some(Peer { meeting, rank: Some(rank), fingerprint, .. }) => (*meeting, *rank, *fingerprint),
            Some(Peer { rank: None, .. }) | None => return Err(Misbehaved),
        };
        let found = if self.leader(id) == Some(from) { self.whom(id, whom) } else { None };
        // Nobody sends away themselves, or somebody before whom they would have to step back.
        let found = found.filter(|(target, _)| target.rank.is_none_or(|its| its > rank));
        let Some((Former { fingerprint: who, until, .. }, is_waiting)) = found else {
            self.counters.dismissals_ignored += 1;
            return Ok(());
        };
        let refusal = match why {
            Dismissal::Denied if is_waiting => Refusal::Denied,
            Dismissal::Denied => {
                self.counters.dismissals_ignored += 1;
                return Ok(());
            }
            Dismissal::Ejected => {
                self.banned.add(id, who, until, self.now);
                Refusal::Ejected
            }
        };
        self.counters.dismissed += 1;
        self.note(id, Happening::Dismissed { who, by, why });
        // Of somebody who was connected a moment ago there may be a newer connection.
        if let Some(connection) = self.connection_of(id, who) {
            self.refuse(connection, refusal);
        }
        Ok(())
    }

    /// Tells somebody who waits why, where the acting chair says so; nothing where they are in, or gone.
    pub(super) fn on_delay(&mut self, from: ConnectionId, whom: PeerId, why: Option<Delay>) -> Result<(), Misbehaved> {
        let id = self.peers.get(&from).filter(|peer| peer.rank.is_some()).ok_or(Misbehaved)?.meeting;
        let target = self.meetings.get(&id).and_then(|meeting| meeting.connection(whom));
        let waits = |target: &ConnectionId| self.peers.get(target).is_some_and(|peer| !peer.is_member());
        if self.leader(id) == Some(from)
            && let Some(target) = target.filter(waits)
        {
            self.say(target, FromRelay::Delayed(why));
        }
        Ok(())
    }

    /// The member that is first in the succession of the chair.
    fn leader(&self, meeting: MeetingId) -> Option<ConnectionId> {
        let members = self.members(meeting).into_iter();
        let ranked = members.filter_map(|member| Some((self.peers.get(&member)?.rank?, member)));
        ranked.min().map(|(_, member)| member)
    }

    /// Whom a number means, connected or just gone, and whether they wait.
    fn whom(&self, id: MeetingId, number: PeerId) -> Option<(Former, bool)> {
        let meeting = self.meetings.get(&id)?;
        match meeting.connection(number).and_then(|connection| self.peers.get(&connection)) {
            Some(peer) => Some((peer.former(), !peer.is_member())),
            None => meeting.former(number).map(|former| (former, false)),
        }
    }

    pub(super) fn is_banned(&mut self, meeting: MeetingId, who: Fingerprint) -> bool {
        self.banned.contains(meeting, who, self.now)
    }
}
