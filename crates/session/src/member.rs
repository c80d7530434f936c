//! A session as a member of the group: a thin dispatcher over what each part of it owns.

mod following;
mod leading;
mod receiving;
mod sending;
mod sharing;

use std::{
    ops::ControlFlow,
    time::{Duration, Instant},
};

use conclave_e2ee::{CommitError, Group, Memory, Work};
use conclave_model::{
    EncodedFrame, LeafIndex, LeafRef, Level, PeerId, TrackKind,
    wire::signal::{Commit, FromRelay, MAX_LIST, ToRelay, TrackName, Wish},
};
use conclave_transport::Quality;

use crate::{
    EndReason, Event, MemberState, MemberWish, SessionError,
    duty::Duty,
    epochs::EpochSchedule,
    holding::Holding,
    joining::Wanted,
    link::{Link, earliest},
    neighbours::Neighbours,
    orders::Wanted as Order,
    papers::Papers,
    pulse::Pulses,
    reassembly::SealedFrame,
    renewal::Renewal,
    stage::Shares,
    state::Message,
    viewers::Viewers,
};

use following::Objection;
pub(crate) use following::why_removed;
use leading::Leading;
use receiving::Receiver;
use sending::Sender;

/// What was announced so shortly before a change of the group may have missed somebody; it is said again.
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
    leading: Leading,
    shares: Shares,
    pulses: Pulses,
    renewal: Renewal,
    objection: Option<Objection>,
    sender: Sender,
    receiver: Receiver,
    viewers: Viewers,
    state: Option<MemberState>,
    announced: Option<Instant>,
    wishes: Vec<MemberWish>,
    /// The wishes as the relay has them.
    said: Vec<Wish>,
}

/// What the participant wants of the group.
#[derive(Debug)]
pub(crate) enum Leadership {
    Admit(Vec<LeafRef>),
    Deny(LeafRef),
    Lock(bool),
    Eject(LeafIndex),
    SetLevel(Level),
    Consent(Level),
}

impl Member {
    pub(crate) fn new(
        group: Group,
        me: PeerId,
        neighbours: Neighbours,
        papers: Papers,
        wanted: Wanted,
        holding: Holding,
        now: Instant,
    ) -> Self {
        let members = group.members().iter().map(|member| member.reference);
        let renewal = Renewal::new(members, reference_of(&group), now);
        let shares = Shares::new(reference_of(&group), papers.invitation().content().sharing, now);
        Self {
            leading: Leading::new(papers, &group, now),
            renewal,
            shares,
            group,
            neighbours,
            duty: Duty::default(),
            epochs: EpochSchedule::default(),
            pulses: Pulses::new(now),
            objection: None,
            sender: Sender::new(me),
            receiver: Receiver::new(holding),
            viewers: Viewers::default(),
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
        self.receiver.begin(now);
        self.tell_group(link);
        self.announce(link, now);
        self.receiver.retry(&mut self.group, &self.neighbours, link, now);
        self.attend(link, now)
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
                Ok(self.attend(link, now))
            }
            FromRelay::Departed(who) => {
                self.neighbours.departed(who);
                self.pulses.departed(who.peer, now);
                link.forget_sender(who.peer);
                Ok(self.attend(link, now))
            }
            FromRelay::Committed { epoch, commit, .. } => self.on_committed(epoch, &commit, link, now),
            FromRelay::CommitRefused { epoch } => self.on_commit_refused(epoch, link, now),
            FromRelay::Annulled { epoch } => self.on_annulled(epoch, link, now),
            FromRelay::Pulse { from, pulse } => self.on_pulse(from, &pulse, link, now),
            FromRelay::Broadcast { message, .. } => self.on_broadcast(&message, link, now),
            FromRelay::KeyFrameWanted { track, layer } => {
                self.sender.on_key_frame_wanted((track, layer), self.epochs.is_switching(), link, now);
                Ok(Going::Continue(()))
            }
            FromRelay::Squeezed(tracks) => {
                let named = |name: &TrackName| Some((self.neighbours.leaf_of(name.peer)?, name.track));
                link.tell(Event::Squeezed(tracks.iter().filter_map(named).collect()));
                Ok(Going::Continue(()))
            }
            FromRelay::LayersWanted { track, layers } => {
                self.viewers.on_layers_wanted(track, layers, link, now);
                Ok(Going::Continue(()))
            }
            FromRelay::Revocations(lists) => Ok(self.on_revocations(&lists, link, now)),
            FromRelay::Delayed(_) => out_of_turn("a delay to a member", link),
            FromRelay::Refused(refusal) => Ok(Going::Break(EndReason::Refused(refusal))),
            FromRelay::Joined(_) => out_of_turn("an answer to the hello to a member", link),
            FromRelay::Heard { loss, round_trip } => {
                let round_trip = (round_trip > 0).then(|| Duration::from_millis(round_trip.into()));
                let loss = f32::from(loss.min(100)) / 100.0;
                link.on_heard(loss);
                link.tell(Event::Heard(Quality { loss, round_trip }));
                Ok(Going::Continue(()))
            }
            FromRelay::Resumed { .. } => out_of_turn("the end of an interruption that is not the session's", link),
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
        self.check_leave(track, link)?;
        self.sender.send(track, frame, &mut self.group, link, now)
    }

    /// Takes in a whole frame from the path.
    pub(crate) fn on_frame(&mut self, frame: SealedFrame, link: &mut Link, now: Instant) {
        self.receiver.on_frame(frame, &mut self.group, &self.neighbours, link, now);
        self.tell_withheld(link, now);
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

    /// Does what the chair or the originator wants.
    pub(crate) fn lead(&mut self, wanted: Leadership, link: &mut Link, now: Instant) -> Going {
        match wanted {
            Leadership::Admit(waiting) => self.leading.admit(&waiting, &self.group, link),
            Leadership::Deny(leaf) => self.leading.deny(leaf, &self.group, &self.neighbours, link),
            Leadership::Lock(locked) => self.leading.order(Order::Lock(locked)),
            Leadership::Eject(leaf) => self.leading.eject(leaf, &self.group, &self.neighbours, link),
            Leadership::SetLevel(level) => self.leading.order(Order::Level(level)),
            Leadership::Consent(level) => {
                if let Some(consent) = self.leading.agree(level, &self.group, link, now) {
                    self.broadcast(&Message::Consent(consent.to_bytes().into()), link);
                    self.announced = Some(now);
                }
            }
        }
        self.attend(link, now)
    }

    /// What the app remembers of the meeting for the next session.
    pub(crate) fn memory(&self) -> Memory {
        self.group.memory()
    }

    pub(crate) fn handle_timeout(&mut self, link: &mut Link, now: Instant) -> Going {
        if self.epochs.handle_timeout(&mut self.group, now) && !self.epochs.is_switching() {
            self.sender.switched(link, now);
        }
        self.sender.handle_timeout(&mut self.group, link, now);
        self.viewers.handle_timeout(link, now);
        self.receiver.handle_timeout(&self.neighbours, &self.wishes, link, now);
        self.check_patience(now)?;
        self.attend(link, now)
    }

    pub(crate) fn deadline(&self, link: &Link) -> Option<Instant> {
        // While a commit is objected to, nothing is committed: what is due waits for the answer.
        let duty = self.duty.deadline().filter(|_| self.objection.is_none());
        earliest([
            duty,
            self.duty.answer_due(),
            self.renewal_due().and_then(|due| self.duty.free_at(due)),
            self.duty.paused_until(),
            self.epochs.deadline(),
            self.leading.deadline(),
            self.pulses.deadline(),
            self.objection.as_ref().map(Objection::deadline),
            self.sender.deadline(link),
            self.viewers.deadline(),
            self.receiver.deadline(link.quality.round_trip),
        ])
    }

    /// Takes over who is a member, and says so.
    fn tell_group(&mut self, link: &mut Link) {
        self.neighbours.set_members(self.group.members());
        link.tell(Event::EpochChanged(self.group.epoch()));
        link.tell(Event::Roster(self.group.members().into()));
        self.say_wishes(link);
    }

    fn on_broadcast(&mut self, message: &[u8], link: &mut Link, now: Instant) -> Result<Going, SessionError> {
        let (leaf, content) = self.group.open_message(message).inspect_err(|_| link.ignored())?;
        let counts = match Message::from_bytes(&content) {
            Some(Message::State(state)) => {
                link.tell(Event::MemberState { leaf, state });
                true
            }
            Some(Message::Consent(bytes)) => conclave_e2ee::Consent::from_bytes(&bytes)
                .is_some_and(|consent| self.leading.hear_consent(consent, &self.group, link, now)),
            Some(Message::Claim(claim)) => self.hear_claim(leaf, claim, now),
            Some(Message::Word(word)) => self.hear_word(leaf, word, link, now),
            None => false,
        };
        if counts {
            return Ok(self.attend(link, now));
        }
        link.ignored();
        Err(SessionError::Invalid("a member's message"))
    }

    /// Says to all members what they do not know by themselves: the own state, and what this member agreed to.
    fn announce(&mut self, link: &mut Link, now: Instant) {
        self.announced = Some(now);
        if let Some(state) = self.state {
            self.broadcast(&Message::State(state), link);
        }
        if let Some(consent) = self.leading.own_consent() {
            let message = Message::Consent(consent.to_bytes().into());
            self.broadcast(&message, link);
        }
        for said in self.shares.repeat() {
            self.broadcast(&said.into(), link);
        }
    }

    fn broadcast(&mut self, message: &Message, link: &mut Link) {
        if self.group.members().len() < 2 {
            return;
        }
        match self.group.seal_message(&message.to_bytes()) {
            Ok(message) => link.say(ToRelay::Broadcast(message)),
            Err(error) => tracing::warn!(%error, "not told to the members"),
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

    /// Looks at everything that may have changed: who leads and waits, who is ready, what is to be committed.
    fn attend(&mut self, link: &mut Link, now: Instant) -> Going {
        self.leading.refresh(&self.group, &self.neighbours, link, now);
        self.leading.dismiss(&self.group, &self.neighbours, link);
        self.attend_sharing(link, now);
        self.attend_pulses(link, now);
        let (members, me) = (self.group.members(), self.group.me());
        self.duty.refresh(members, me, &self.neighbours, |leaf| self.leading.way(leaf), now);
        while let Some(work) = self.work(link, now) {
            self.commit(&work, link, now)?;
            let (members, me) = (self.group.members(), self.group.me());
            self.duty.refresh(members, me, &self.neighbours, |leaf| self.leading.way(leaf), now);
        }
        Going::Continue(())
    }

    /// What this member is to commit now: one thing at a time, the chair's orders first.
    fn work(&mut self, link: &mut Link, now: Instant) -> Option<Work> {
        if self.objection.is_some() || self.duty.free_at(now)? > now {
            return None;
        }
        if let Some(order) = self.leading.next_order(&self.group, link, now) {
            return Some(Work { order: Some(order), ..Work::default() });
        }
        if let Some(task) = self.duty.due(now) {
            let arrivals = self.neighbours.arrivals();
            let package = |leaf: LeafRef| Some((leaf, arrivals.get(&leaf)?.key_package.clone()));
            let add = task.add.into_iter().filter_map(package).collect();
            return Some(Work { add, remove: task.remove, ..Work::default() });
        }
        let renew = self.renewal_due().is_some_and(|at| at <= now);
        renew.then(|| Work { renew, ..Work::default() })
    }

    fn commit(&mut self, work: &Work, link: &mut Link, now: Instant) -> Going {
        let made = match self.group.commit(work, link.wall(now)) {
            Ok(made) => made,
            Err(CommitError::Order(reason)) if work.order.is_some() => {
                tracing::debug!(%reason, "an order that the group does not make");
                self.leading.give_up_order(&reason, link);
                return Going::Continue(());
            }
            Err(error) => return Going::Break(EndReason::Commit(error)),
        };
        let is_stuck = made.pending.is_none() && made.refused.is_empty();
        for refused in made.refused {
            tracing::debug!(reference = %refused.reference, error = %refused.error, "newcomer refused");
            self.leading.refuse(refused.reference, refused.error.clone());
            link.tell(Event::NewcomerRefused { reference: refused.reference, error: refused.error });
        }
        if let Some(pending) = made.pending {
            let arrivals = self.neighbours.arrivals();
            let added = pending.added.iter().filter_map(|leaf| arrivals.get(leaf)).map(|newcomer| newcomer.peer);
            let added = added.collect();
            self.duty.sent(pending.commit.clone(), now);
            link.say(ToRelay::Commit(Commit {
                epoch: pending.epoch,
                commit: pending.commit,
                welcome: pending.welcome,
                added,
            }));
        } else if is_stuck {
            // The group has no room, or nothing to do here: what there is to do may look different in a while.
            self.duty.pause(now);
        }
        Going::Continue(())
    }

    /// When this member's keys are to be renewed; not while somebody comes or goes.
    fn renewal_due(&self) -> Option<Instant> {
        let is_present = |leaf: &LeafRef| self.neighbours.is_present(*leaf);
        let due = self.renewal.deadline(reference_of(&self.group), is_present);
        due.filter(|_| self.duty.is_empty() && self.objection.is_none())
    }
}

/// The name of the own leaf.
fn reference_of(group: &Group) -> LeafRef {
    let mine = group.members().iter().find(|member| member.leaf == group.me());
    mine.map_or(LeafRef([0; 16]), |member| member.reference)
}

/// Counts a signal that has no place here; the session goes on.
fn out_of_turn(what: &'static str, link: &mut Link) -> Result<Going, SessionError> {
    link.ignored();
    Err(SessionError::OutOfTurn(what))
}
