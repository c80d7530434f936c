//! Who receives which encoding of which track, and what publishers are told of it.

use std::time::Duration;

use conclave_model::{
    Bitrate, Layer, MeetingId, TrackKind,
    wire::signal::{FromRelay, TrackName},
};

use super::{ConnectionId, Relay};
use crate::{
    forward::{Aim, Offer, Published, Subscriber, View},
    watching::Wished,
};

/// How often it is looked at what comes in, and each line is shared out anew.
pub(crate) const LOOK: Duration = Duration::from_millis(250);

/// A line is not shared out more often than this.
const SOON: Duration = Duration::from_millis(50);

/// A path is told anew what it would be good for once that differs by this much, in percent: each time it may probe.
const NEWS: u64 = 10;

impl Relay {
    /// Works out anew who receives a track.
    pub(super) fn refresh(&mut self, publisher: ConnectionId, kind: TrackKind) {
        let now = self.now;
        let Some(peer) = self.peers.get_mut(&publisher) else { return };
        let name = TrackName { peer: peer.who.peer, track: kind };
        let is_member = peer.is_member();
        let track = peer.tracks.entry(kind).or_insert_with(|| Published::new(now));
        let mut before = std::mem::take(&mut track.subscribers);
        let Some(meeting) = self.meetings.get(&peer.meeting) else { return };
        // Nobody could open what it sends before its welcome.
        let receivers = is_member.then(|| meeting.connections());
        let mut newcomers = Vec::new();
        let mut subscribers = Vec::with_capacity(before.len());
        for connection in receivers.into_iter().flatten() {
            let Some(slot) = self.peers.get(&connection).and_then(|peer| peer.slot_for(name)) else { continue };
            let known = before.iter_mut().find(|known| known.connection == connection);
            let view = known.map(|known| std::mem::take(&mut known.view)).unwrap_or_else(|| {
                newcomers.push(connection);
                View::default()
            });
            subscribers.push(Subscriber { connection, slot, view });
        }
        if let Some(track) = self.peers.get_mut(&publisher).and_then(|peer| peer.tracks.get_mut(&kind)) {
            track.subscribers = subscribers;
        }
        if kind.is_video() {
            newcomers.into_iter().for_each(|newcomer| self.share_soon(newcomer));
            self.tell_viewers(publisher, kind);
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

    /// Has a receiver's line shared out anew before long.
    pub(super) fn share_soon(&mut self, receiver: ConnectionId) {
        let now = self.now;
        let Some(peer) = self.peers.get_mut(&receiver) else { return };
        let soon = now.max(peer.shared + SOON);
        if soon < peer.look_due {
            peer.look_due = soon;
            self.schedule(receiver);
        }
    }

    /// Shares a receiver's line out over what it wishes for.
    pub(super) fn share_out(&mut self, receiver: ConnectionId) {
        let now = self.now;
        let Some(peer) = self.peers.get(&receiver) else { return };
        let Some(meeting) = self.meetings.get(&peer.meeting) else { return };
        let (is_served, own) = (peer.is_up && peer.is_member(), peer.sound);
        let publisher = |name: TrackName| Some((meeting.connection(name.peer)?, name.track));
        let offer = |wish: &Wished| {
            let (publisher, kind) = publisher(wish.name)?;
            Some(self.peers.get(&publisher)?.tracks.get(&kind)?.offer(kind, now))
        };
        let wishes = peer.watching.wishes();
        let offers: Vec<Offer> =
            wishes.iter().map(|wish| offer(wish).unwrap_or_else(|| Offer::of_nobody(wish.name.track))).collect();
        let places: Vec<Option<(ConnectionId, TrackKind)>> = wishes.iter().map(|wish| publisher(wish.name)).collect();
        let sound = Bitrate(meeting.sound.as_bps().saturating_sub(own.as_bps()));
        let Some(peer) = self.peers.get_mut(&receiver) else { return };
        peer.shared = now;
        let aims = if is_served {
            peer.watching.share(&offers, sound, now)
        } else {
            peer.watching.forget();
            vec![Aim { given: None, hoped: None, at_once: true }; places.len()]
        };
        let squeezed = peer.watching.squeezed_news(now);
        if let Some(tracks) = squeezed {
            self.say(receiver, FromRelay::Squeezed(tracks));
        }
        self.expect_rate(receiver);
        for ((publisher, kind), aim) in places.into_iter().zip(aims).filter_map(|(place, aim)| place.zip(Some(aim))) {
            self.aim(receiver, publisher, kind, aim);
        }
    }

    fn aim(&mut self, receiver: ConnectionId, publisher: ConnectionId, kind: TrackKind, aim: Aim) {
        let now = self.now;
        let Some(track) = self.peers.get_mut(&publisher).and_then(|peer| peer.tracks.get_mut(&kind)) else { return };
        let Some(to) = track.subscribers.iter_mut().find(|to| to.connection == receiver) else { return };
        let before = to.view.clone();
        let wanted = to.view.aim(aim, now);
        if to.view == before {
            return;
        }
        self.tell_viewers(publisher, kind);
        let track = self.peers.get(&publisher).and_then(|peer| peer.tracks.get(&kind));
        if wanted.is_some()
            && let Some(layer) = track.and_then(|track| track.awaited_by(receiver, now))
        {
            self.want_key_frame(publisher, kind, layer);
        }
    }

    /// Tells a publisher which of its encodings somebody watches, where that is news.
    fn tell_viewers(&mut self, publisher: ConnectionId, kind: TrackKind) {
        let now = self.now;
        let Some(peer) = self.peers.get_mut(&publisher).filter(|peer| peer.is_member()) else { return };
        let Some(track) = peer.tracks.get_mut(&kind) else { return };
        track.see_viewers(now);
        if let Some(layers) = track.viewers.news(now) {
            self.say(publisher, FromRelay::LayersWanted { track: kind, layers });
        }
    }

    /// Looks at what came in of a connection's tracks, and at what it receives.
    pub(super) fn look(&mut self, connection: ConnectionId) {
        let now = self.now;
        let Some(peer) = self.peers.get_mut(&connection).filter(|peer| peer.look_due <= now) else { return };
        peer.look_due = now + LOOK;
        let id = peer.meeting;
        let mut sound = 0;
        let mut wanted = Vec::new();
        for (kind, track) in &mut peer.tracks {
            track.look(now);
            if kind.is_video() {
                wanted.push((*kind, track.overdue(now)));
            } else {
                sound += track.rate().as_bps();
            }
        }
        let before = std::mem::replace(&mut peer.sound, Bitrate(sound));
        if let Some(meeting) = self.meetings.get_mut(&id) {
            meeting.sound = Bitrate((meeting.sound.as_bps() + sound).saturating_sub(before.as_bps()));
        }
        for (kind, layers) in wanted {
            self.tell_viewers(connection, kind);
            for layer in (0..Layer::COUNT).map(Layer).filter(|layer| layers & layer.bit() != 0) {
                let track = self.peers.get_mut(&connection).and_then(|peer| peer.tracks.get_mut(&kind));
                if track.and_then(|track| track.flow(layer)).is_some_and(|flow| flow.key_frames.want_still(now)) {
                    self.say(connection, FromRelay::KeyFrameWanted { track: kind, layer });
                }
            }
        }
        self.share_out(connection);
    }

    /// Tells a path how much there may be to send, so that it looks for that much room.
    fn expect_rate(&mut self, connection: ConnectionId) {
        let now = self.now;
        let Some(peer) = self.peers.get_mut(&connection) else { return };
        let (wanted, told) = (peer.watching.desired(now).as_bps(), peer.desired.as_bps());
        if wanted.abs_diff(told) > told * NEWS / 100 {
            peer.desired = Bitrate(wanted);
            peer.path.set_desired_bitrate(Bitrate(wanted));
            self.touch(connection);
        }
    }

    /// A receiver's decoder needs a key frame of what it gets.
    pub(super) fn on_need_key_frame(&mut self, from: ConnectionId, name: TrackName) {
        let Some(peer) = self.peers.get(&from) else { return };
        let meeting = self.meetings.get(&peer.meeting);
        let Some(publisher) = meeting.and_then(|meeting| meeting.connection(name.peer)) else { return };
        let track = self.peers.get(&publisher).and_then(|peer| peer.tracks.get(&name.track));
        let view = track.and_then(|track| track.subscribers.iter().find(|to| to.connection == from));
        if let Some(layer) = view.and_then(|to| to.view.needs())
            && track.is_some_and(|track| track.comes(layer))
        {
            self.want_key_frame(publisher, name.track, layer);
        }
    }

    /// Asks a publisher for a key frame, now or once the interval is over.
    fn want_key_frame(&mut self, publisher: ConnectionId, kind: TrackKind, layer: Layer) {
        let now = self.now;
        let track = self.peers.get_mut(&publisher).and_then(|peer| peer.tracks.get_mut(&kind));
        let Some(flow) = track.and_then(|track| track.flow(layer)) else { return };
        if flow.key_frames.want(now) {
            self.say(publisher, FromRelay::KeyFrameWanted { track: kind, layer });
        } else {
            self.schedule(publisher);
        }
    }

    pub(super) fn ask_due_key_frames(&mut self, publisher: ConnectionId) {
        let now = self.now;
        let Some(peer) = self.peers.get_mut(&publisher) else { return };
        let mut due = Vec::new();
        for (kind, track) in &mut peer.tracks {
            due.extend(track.due_key_frames(now).map(|layer| (*kind, layer)));
        }
        for (track, layer) in due {
            self.say(publisher, FromRelay::KeyFrameWanted { track, layer });
        }
    }
}
