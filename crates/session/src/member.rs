//! A session as a member of the group.

mod receiving;
mod sending;

use std::{
    ops::ControlFlow,
    time::{Duration, Instant},
};

use bytes::Bytes;
use conclave_e2ee::{Change, CommitError, Group, Made, Refused, Work};
use conclave_model::{
    EncodedFrame, Epoch, LeafIndex, LeafRef, PeerId, TrackKind,
    wire::signal::{Commit, FromRelay, MAX_LIST, ToRelay, TrackName, Wish},
};

use crate::{
    EndReason, Event, MemberState, MemberWish, SessionError,
    duty::Duty,
    epochs::EpochSchedule,
    holding::Holding,
    joining::Wanted,
    link::{Link, earliest},
    neighbours::Neighbours,
    reassembly::SealedFrame,
};

use receiving::Receiver;
use sending::Sender;

/// A state announced so shortly before a change of the group may have missed somebody; it is said again.
const ANNOUNCEMENT_SETTLES: Duration = Duration::from_secs(2);

/// Whether the session goes on.
pub(crate) type Going = ControlFlow<EndReason>;

/// A member of the group.
#[derive(Debug)]
pub(crate) struct Member {
    group: Group,
    neighbours: Neighbours,
    duty: Duty,
    epochs: EpochSchedule,
    sender: Sender,
    receiver: Receiver,
    state: Option<MemberState>,
    announced: Option<Instant>,
    wishes: Vec<MemberWish>,
    /// The wishes as the relay has them.
    said: Vec<Wish>,
}

impl Member {
    pub(crate) fn new(group: Group, me: PeerId, neighbours: Neighbours, wanted: Wanted, holding: Holding) -> Self {
        Self {
            group,
            neighbours,
            duty: Duty::default(),
            epochs: EpochSchedule::default(),
            sender: Sender::new(me),
            receiver: Receiver::new(holding),
            state: wanted.state,
            announced: None,
            wishes: wanted.wishes,
            said: Vec::new(),
        }
    }

    /// The first moment of membership.
    pub(crate) fn begin(&mut self, link: &mut Link, now: Instant) -> Going {
        tracing::debug!(leaf = self.group.me().0, epoch = self.group.epoch().0, "admitted");
        link.tell(Event::Admitted { me: self.group.me() });
        self.receiver.admitted(now);
        self.tell_group(link);
        self.announce(link, now);
        self.receiver.retry(&mut self.group, &self.neighbours, link, now);
        self.fulfil_duty(link, now)
    }

    pub(crate) fn on_signal(
        &mut self,
        signal: FromRelay,
        link: &mut Link,
        now: Instant,
    ) -> Result<Going, SessionError> {
        match signal {
            FromRelay::Arrived(arrival) => {
                if !self.neighbours.arrived(arrival) {
                    link.ignored();
                    return Err(SessionError::Invalid("an arrival"));
                }
                self.neighbours.set_members(self.group.members());
                Ok(self.fulfil_duty(link, now))
            }
            FromRelay::Departed(who) => {
                self.neighbours.departed(who);
                link.forget_sender(who.peer);
                Ok(self.fulfil_duty(link, now))
            }
            FromRelay::Committed { epoch, commit, .. } => self.on_committed(epoch, &commit, link, now),
            FromRelay::CommitRefused { epoch } => self.on_commit_refused(epoch, link, now),
            FromRelay::Broadcast { message, .. } => self.on_broadcast(&message, link),
            FromRelay::KeyFrameWanted { track, layer } => {
                self.sender.on_key_frame_wanted((track, layer), self.epochs.is_switching(), link, now);
                Ok(Going::Continue(()))
            }
            FromRelay::Refused(refusal) => Ok(Going::Break(EndReason::Refused(refusal))),
            FromRelay::Pulse { .. } | FromRelay::Annulled { .. } => Ok(Going::Continue(())),
            FromRelay::Joined(_) => out_of_turn("an answer to the hello to a member", link),
            FromRelay::Welcome { .. } => out_of_turn("a welcome to a member", link),
        }
    }

    /// Sends an own frame.
    pub(crate) fn send_frame(
        &mut self,
        track: TrackKind,
        frame: &EncodedFrame,
        link: &mut Link,
        now: Instant,
    ) -> Result<(), SessionError> {
        self.sender.send(track, frame, &mut self.group, link, now)
    }

    /// Takes in a whole frame from the path.
    pub(crate) fn on_frame(&mut self, frame: SealedFrame, link: &mut Link, now: Instant) {
        self.receiver.on_frame(frame, &mut self.group, &self.neighbours, link, now);
    }

    /// Tells the members which sources are open.
    pub(crate) fn set_state(&mut self, state: MemberState, link: &mut Link, now: Instant) {
        self.state = Some(state);
        self.announce(link, now);
    }

    /// Replaces what pictures are wished for.
    pub(crate) fn set_wishes(&mut self, wishes: Vec<MemberWish>, link: &mut Link) {
        self.wishes = wishes;
        self.say_wishes(link);
    }

    /// Asks for a key frame of another member's track.
    pub(crate) fn need_key_frame(&mut self, leaf: LeafIndex, track: TrackKind, link: &mut Link, now: Instant) {
        self.receiver.need_key_frame(leaf, track, &self.neighbours, link, now);
    }

    pub(crate) fn handle_timeout(&mut self, link: &mut Link, now: Instant) -> Going {
        if self.epochs.handle_timeout(&mut self.group, now) && !self.epochs.is_switching() {
            self.sender.switched(link, now);
        }
        self.sender.handle_timeout(link, now);
        self.receiver.handle_timeout(&self.neighbours, link, now);
        self.fulfil_duty(link, now)
    }

    pub(crate) fn deadline(&self, link: &Link) -> Option<Instant> {
        earliest([
            self.duty.deadline(),
            self.epochs.deadline(),
            self.sender.deadline(),
            self.receiver.deadline(link.quality.round_trip),
        ])
    }

    fn on_committed(
        &mut self,
        epoch: Epoch,
        commit: &Bytes,
        link: &mut Link,
        now: Instant,
    ) -> Result<Going, SessionError> {
        let neighbours = &self.neighbours;
        let is_present = |leaf: LeafRef| neighbours.is_present(leaf);
        let change = match self.group.handle_commit(epoch, commit, &is_present, link.wall(now)) {
            Ok(change) => change,
            Err(CommitError::Epoch { expected, found }) if found < expected => {
                return out_of_turn("a commit a second time", link);
            }
            Err(CommitError::Epoch { expected, found }) => {
                return Ok(Going::Break(EndReason::OutOfStep { ours: expected, theirs: found }));
            }
            Err(error) => return Ok(Going::Break(EndReason::Commit(error))),
        };
        if self.duty.committed(commit) {
            link.counters.commits_refused += 1;
        }
        if change.me_removed {
            return Ok(Going::Break(EndReason::Removed));
        }
        self.on_change(&change, link, now);
        Ok(self.fulfil_duty(link, now))
    }

    fn on_change(&mut self, change: &Change, link: &mut Link, now: Instant) {
        for member in &change.removed {
            self.receiver.forget(member.leaf, link);
        }
        self.epochs.entered(change.epoch, !change.removed.is_empty(), &mut self.group, now);
        if !self.epochs.is_switching() {
            self.sender.switched(link, now);
        }
        self.tell_group(link);
        let is_fresh = self.announced.is_some_and(|at| now.saturating_duration_since(at) < ANNOUNCEMENT_SETTLES);
        if !change.added.is_empty() || is_fresh {
            self.announce(link, now);
        }
        self.receiver.retry(&mut self.group, &self.neighbours, link, now);
    }

    /// Takes over who is a member, and says so.
    fn tell_group(&mut self, link: &mut Link) {
        self.neighbours.set_members(self.group.members());
        link.tell(Event::EpochChanged(self.group.epoch()));
        link.tell(Event::Roster(self.group.members().into()));
        self.say_wishes(link);
    }

    fn on_commit_refused(&mut self, epoch: Epoch, link: &mut Link, now: Instant) -> Result<Going, SessionError> {
        if !self.duty.was_refused(now) {
            return out_of_turn("the refusal of no commit", link);
        }
        if self.group.has_pending_commit() {
            link.counters.commits_refused += 1;
            self.group.commit_refused();
        }
        if epoch > self.group.epoch() {
            return Ok(Going::Break(EndReason::OutOfStep { ours: self.group.epoch(), theirs: epoch }));
        }
        Ok(self.fulfil_duty(link, now))
    }

    fn on_broadcast(&mut self, message: &[u8], link: &mut Link) -> Result<Going, SessionError> {
        let (leaf, content) = self.group.open_message(message).inspect_err(|_| link.ignored())?;
        let Some(state) = MemberState::from_message(&content) else {
            link.ignored();
            return Err(SessionError::Invalid("a member's message"));
        };
        link.tell(Event::MemberState { leaf, state });
        Ok(Going::Continue(()))
    }

    /// Says the own state to all members.
    fn announce(&mut self, link: &mut Link, now: Instant) {
        let Some(state) = self.state else { return };
        self.announced = Some(now);
        if self.group.members().len() < 2 {
            return;
        }
        match self.group.seal_message(&state.to_message()) {
            Ok(message) => link.say(ToRelay::Broadcast(message)),
            Err(error) => tracing::warn!(%error, "state not announced"),
        }
    }

    /// Says the wishes to the relay, as far as it knows the members, where that is news.
    fn say_wishes(&mut self, link: &mut Link) {
        let wish = |wish: &MemberWish| {
            let peer = self.neighbours.peer_of(wish.leaf)?;
            Some(Wish { track: TrackName { peer, track: wish.track }, height: wish.height })
        };
        let wishes: Vec<Wish> = self.wishes.iter().filter_map(wish).take(MAX_LIST).collect();
        if wishes != self.said {
            self.said.clone_from(&wishes);
            link.say(ToRelay::Wishes(wishes));
        }
    }

    /// Commits what is this member's to commit now.
    fn fulfil_duty(&mut self, link: &mut Link, now: Instant) -> Going {
        self.duty.refresh(self.group.members(), self.group.me(), &self.neighbours, now);
        while let Some(work) = self.duty.due(now) {
            let arrivals = self.neighbours.arrivals();
            let package = |leaf: &LeafRef| arrivals.get(leaf).map(|newcomer| (*leaf, newcomer.key_package.clone()));
            let add: Vec<_> = work.add.iter().filter_map(package).collect();
            let work = Work { add, remove: work.remove, order: None, renew: false };
            let Made { pending, refused } = match self.group.commit(&work, link.wall(now)) {
                Ok(done) => done,
                Err(error) => return Going::Break(EndReason::Commit(error)),
            };
            let is_stuck = pending.is_none() && refused.is_empty();
            for Refused { reference, error, .. } in refused {
                tracing::debug!(%reference, %error, "newcomer refused");
                self.duty.refuse(reference);
                link.tell(Event::NewcomerRefused { reference, error });
            }
            if let Some(pending) = pending {
                let peer = |leaf: &LeafRef| arrivals.get(leaf).map(|newcomer| newcomer.peer);
                let added = pending.added.iter().filter_map(peer).collect();
                self.duty.sent(pending.commit.clone());
                let (epoch, commit, welcome) = (pending.epoch, pending.commit, pending.welcome);
                link.say(ToRelay::Commit(Commit { epoch, commit, welcome, added }));
            } else if is_stuck {
                debug_assert!(false, "work that the group has nothing to do for");
                break;
            }
        }
        Going::Continue(())
    }
}

/// Counts a signal that has no place here; the session goes on.
fn out_of_turn(what: &'static str, link: &mut Link) -> Result<Going, SessionError> {
    link.ignored();
    Err(SessionError::OutOfTurn(what))
}
