//! Frames of others: opened, held, put in order, told of where they do not open.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use conclave_e2ee::{Group, Missing, OpenError};
use conclave_model::{
    Layer, LeafIndex, PeerId, TrackKind,
    wire::signal::{ToRelay, TrackName},
};

use crate::{
    Event, MemberWish, Output, RemoteFrame, UndecryptableCause,
    holding::Holding,
    link::{Link, earliest},
    neighbours::Neighbours,
    order::{OpenedFrame, VideoOrder, patience},
    packetizer::from_plaintext,
    proofs::{Change, Checker, Forgery, Opened, Signature, Verdict},
    reassembly::SealedFrame,
    reports::Reports,
    throttle::Throttle,
};

use super::sharing::Screens;

/// Another member is not asked for key frames of one track more often than this.
const KEY_FRAME_INTERVAL: Duration = Duration::from_millis(300);

/// For this long after admission, and after the keys of earlier epochs were dropped for a change of the level, frames of
/// those epochs are to be expected, and nothing to tell of.
const NEW_HERE: Duration = Duration::from_secs(3);

/// A track of another member.
type RemoteTrack = (LeafIndex, TrackKind);

/// What receives the frames of others.
#[derive(Debug)]
pub(super) struct Receiver {
    holding: Holding,
    checker: Checker,
    pictures: BTreeMap<RemoteTrack, VideoOrder>,
    key_frames: Throttle<RemoteTrack>,
    reports: Reports,
    pub(super) screens: Screens,
    /// When this member came, or the group to another level.
    began: Option<Instant>,
}

impl Receiver {
    pub(super) fn new(holding: Holding) -> Self {
        Self {
            holding,
            checker: Checker::default(),
            pictures: BTreeMap::new(),
            key_frames: Throttle::new(KEY_FRAME_INTERVAL),
            reports: Reports::default(),
            screens: Screens::default(),
            began: None,
        }
    }

    /// Frames of the epochs before cannot be opened from now on.
    pub(super) fn begin(&mut self, now: Instant) {
        self.began = Some(now);
    }

    /// Opens a frame and gives out whose turn it is.
    pub(super) fn on_frame(
        &mut self,
        frame: SealedFrame,
        group: &mut Group,
        neighbours: &Neighbours,
        link: &mut Link,
        now: Instant,
    ) {
        self.open(frame, now, group, neighbours, link, now);
        self.tell_reports(link, now);
    }

    /// Tries frames again that came before their epoch.
    pub(super) fn retry(&mut self, group: &mut Group, neighbours: &Neighbours, link: &mut Link, now: Instant) {
        for (frame, since) in self.holding.take() {
            self.open(frame, since, group, neighbours, link, now);
        }
        self.tell_reports(link, now);
    }

    /// Forgets a member who went; the leaf may be another's soon.
    pub(super) fn forget(&mut self, leaf: LeafIndex, link: &mut Link) {
        self.checker.forget(leaf);
        self.screens.forget(leaf);
        self.pictures.retain(|(other, _), _| *other != leaf);
        link.counters.received.retain(|(other, _), _| *other != leaf);
    }

    /// Asks for a key frame, not too often.
    pub(super) fn need_key_frame(
        &mut self,
        leaf: LeafIndex,
        track: TrackKind,
        neighbours: &Neighbours,
        link: &mut Link,
        now: Instant,
    ) {
        if track.is_video() && neighbours.peer_of(leaf).is_some() && self.key_frames.request((leaf, track), now) {
            ask(leaf, track, neighbours, link);
        }
    }

    /// Whose screen is given out from now on, if anybody's.
    pub(super) fn show_screen(
        &mut self,
        of: Option<LeafIndex>,
        neighbours: &Neighbours,
        link: &mut Link,
        now: Instant,
    ) {
        let Some(change) = self.screens.show(of) else { return };
        self.pictures.retain(|(leaf, track), _| *track != TrackKind::Screen || Some(*leaf) == of);
        // What was held back so far may have been its key frame.
        if change.missed
            && let Some(leaf) = of
        {
            self.need_key_frame(leaf, TrackKind::Screen, neighbours, link, now);
        }
    }

    /// `wishes` are those of which the relay knows: other pictures are not expected to come.
    pub(super) fn handle_timeout(
        &mut self,
        neighbours: &Neighbours,
        wishes: &[MemberWish],
        link: &mut Link,
        now: Instant,
    ) {
        let is_wished = |leaf: LeafIndex, track: TrackKind| {
            wishes.iter().any(|wish| (wish.leaf, wish.track) == (leaf, track) && wish.height > 0)
        };
        self.checker.handle_timeout(|leaf, track| !track.is_video() || is_wished(leaf, track), now);
        self.tell_held(neighbours, link, now);
        for sender in self.holding.expire(now) {
            self.not_opened(sender, UndecryptableCause::UnknownEpoch, neighbours, link, now);
        }
        let patience = patience(link.quality.round_trip);
        let mut wanted = Vec::new();
        for (track, order) in &mut self.pictures {
            if order.expire(patience, now) {
                wanted.push(*track);
            }
            link.counters.frames_out_of_chain += order.take_dropped();
        }
        for (leaf, track) in wanted {
            self.need_key_frame(leaf, track, neighbours, link, now);
        }
        for (leaf, track) in self.key_frames.due(now) {
            ask(leaf, track, neighbours, link);
        }
        self.tell_reports(link, now);
    }

    pub(super) fn deadline(&self, round_trip: Option<Duration>) -> Option<Instant> {
        let patience = patience(round_trip);
        let pictures = self.pictures.values().filter_map(|order| order.deadline(patience)).min();
        earliest([
            self.holding.deadline(),
            pictures,
            self.key_frames.deadline(),
            self.reports.deadline(),
            self.checker.deadline(),
        ])
    }

    /// `since` is when the frame was first tried.
    fn open(
        &mut self,
        frame: SealedFrame,
        since: Instant,
        group: &mut Group,
        neighbours: &Neighbours,
        link: &mut Link,
        now: Instant,
    ) {
        let head = frame.head;
        let cause = match group.open_frame(&head, &frame.sealed) {
            // The relay numbers connections; what contradicts the proven sender is not played as anybody's.
            Ok((leaf, _)) if neighbours.leaf_of(head.sender).is_some_and(|other| other != leaf) => {
                UndecryptableCause::Forged
            }
            // No sender has layers of sound.
            Ok(_) if !head.track.is_video() && head.layer != Layer(0) => UndecryptableCause::Malformed,
            Ok((leaf, plaintext)) => match from_plaintext(plaintext, &head) {
                Some((content, proof)) => {
                    let verify =
                        |epoch, statement: &[u8], by: &Signature| group.check_proof(leaf, epoch, statement, by);
                    // A proof may come in a frame of its own.
                    let has_content = !content.data.is_empty() || proof.is_empty();
                    let opened = Opened { head: &head, sealed: &frame.sealed, proof: &proof, has_content };
                    let verdict = self.checker.check(leaf, opened, verify, now);
                    self.tell_held(neighbours, link, now);
                    let opened = OpenedFrame { number: head.number, frame: content, received: frame.received };
                    return match verdict {
                        Ok(Verdict::Give) => self.give_out(leaf, head.track, opened, link, now),
                        Ok(Verdict::Keep) if has_content => link.counters.frames_unproven += 1,
                        Ok(Verdict::Keep) => self.step_over(leaf, head.track, opened, link, now),
                        Err(forgery) => self.forged(leaf, head.track, forgery, link),
                    };
                }
                None => UndecryptableCause::Malformed,
            },
            Err(OpenError::UnknownEpoch(Missing::Later)) => {
                for sender in self.holding.push(frame, since) {
                    self.not_opened(sender, UndecryptableCause::UnknownEpoch, neighbours, link, now);
                }
                return;
            }
            Err(OpenError::UnknownEpoch(Missing::Gone)) => {
                link.counters.frames_epoch_gone += 1;
                if self.began.is_none_or(|at| now.saturating_duration_since(at) > NEW_HERE) {
                    self.reports.note(neighbours.leaf_of(head.sender), UndecryptableCause::UnknownEpoch, now);
                }
                return;
            }
            Err(OpenError::NoMember(_)) => {
                link.counters.frames_of_strangers += 1;
                return;
            }
            Err(OpenError::Replay(_)) => UndecryptableCause::Replay,
            Err(OpenError::Forged(_) | OpenError::OwnKeyId) => UndecryptableCause::Forged,
            Err(OpenError::Malformed) => UndecryptableCause::Malformed,
        };
        self.not_opened(head.sender, cause, neighbours, link, now);
    }

    /// Passes on an opened frame: sound at once, pictures in their order.
    fn give_out(&mut self, leaf: LeafIndex, track: TrackKind, opened: OpenedFrame, link: &mut Link, now: Instant) {
        if !self.screens.admits(leaf, track, now) {
            link.counters.frames_without_leave += 1;
            return;
        }
        link.counters.received.entry((leaf, track)).or_default().add(opened.frame.data.len());
        self.order(leaf, track, opened, link, now);
    }

    fn order(&mut self, leaf: LeafIndex, track: TrackKind, opened: OpenedFrame, link: &mut Link, now: Instant) {
        let ready = if track.is_video() {
            let order = self.pictures.entry((leaf, track)).or_default();
            let ready = order.insert(opened, now);
            link.counters.frames_out_of_chain += order.take_dropped();
            ready
        } else {
            vec![opened]
        };
        let has_content = |opened: &OpenedFrame| !opened.frame.data.is_empty();
        for OpenedFrame { number, frame, received } in ready.into_iter().filter(has_content) {
            if frame.key {
                self.key_frames.satisfied((leaf, track));
            }
            link.put(Output::RemoteFrame(RemoteFrame { from: leaf, track, number, frame, received, opened: now }));
        }
    }

    /// A frame without content has its place among the pictures.
    fn step_over(&mut self, leaf: LeafIndex, track: TrackKind, opened: OpenedFrame, link: &mut Link, now: Instant) {
        if self.pictures.contains_key(&(leaf, track)) {
            self.order(leaf, track, opened, link, now);
        }
    }

    /// Tells which tracks are held until they are proven again, and which are not any more.
    fn tell_held(&mut self, neighbours: &Neighbours, link: &mut Link, now: Instant) {
        for Change { leaf, track, held } in self.checker.take_changes() {
            tracing::debug!(leaf = leaf.0, ?track, held, "track not proven");
            link.tell(Event::TrackHeld { leaf, track, held });
            match held {
                // What follows cannot be decoded without what is kept from now on.
                true => drop(self.pictures.remove(&(leaf, track))),
                false => self.need_key_frame(leaf, track, neighbours, link, now),
            }
        }
    }

    /// What comes in the name of this member is not theirs: nothing of the track is given out any more.
    fn forged(&mut self, leaf: LeafIndex, track: TrackKind, forgery: Forgery, link: &mut Link) {
        link.counters.frames_forged += 1;
        if forgery == Forgery::Before {
            return;
        }
        tracing::warn!(leaf = leaf.0, ?track, %forgery, "track forged");
        self.pictures.remove(&(leaf, track));
        link.tell(Event::TrackForged { leaf, track });
    }

    fn not_opened(
        &mut self,
        sender: PeerId,
        cause: UndecryptableCause,
        neighbours: &Neighbours,
        link: &mut Link,
        now: Instant,
    ) {
        let counter = match cause {
            UndecryptableCause::UnknownEpoch => &mut link.counters.frames_unknown_epoch,
            UndecryptableCause::Forged => &mut link.counters.frames_forged,
            UndecryptableCause::Replay => &mut link.counters.frames_replayed,
            UndecryptableCause::Malformed => &mut link.counters.frames_malformed,
        };
        *counter += 1;
        self.reports.note(neighbours.leaf_of(sender), cause, now);
    }

    fn tell_reports(&mut self, link: &mut Link, now: Instant) {
        for event in self.reports.due(now) {
            link.tell(event);
        }
    }
}

fn ask(leaf: LeafIndex, track: TrackKind, neighbours: &Neighbours, link: &mut Link) {
    if let Some(peer) = neighbours.peer_of(leaf) {
        link.counters.key_frames_requested += 1;
        link.say(ToRelay::NeedKeyFrame(TrackName { peer, track }));
    }
}

#[cfg(test)]
mod tests;
