//! A session before membership: it has a leaf, and waits to be made a member with it.

use std::time::{Duration, Instant};

use conclave_e2ee::{Leaf, LeafError};
use conclave_model::{
    Epoch, PeerId,
    wire::signal::{FromRelay, Joined},
};

use crate::{
    EndReason, Event, MemberState, MemberWish, SessionError,
    holding::Holding,
    link::{Link, earliest},
    member::Member,
    neighbours::Neighbours,
    papers::Papers,
    reassembly::SealedFrame,
    unvouched::{Entrance, Unvouched},
};

/// How long the relay may take to answer, and the members of a meeting without lobby to admit. Each of them gets a
/// second in turn, so some twenty may hang. In a lobby there is no end to waiting: it is the chair's to say.
const PATIENCE: Duration = Duration::from_secs(20);

/// Before membership.
#[derive(Debug)]
pub(crate) struct Joining {
    leaf: Leaf,
    papers: Papers,
    /// Whether the relay took the connection in, and who else is there.
    taken_in: Option<TakenIn>,
    since: Instant,
    /// Whether the chair keeps them waiting, as the relay says.
    is_delayed: bool,
    /// Frames that overtook the welcome.
    holding: Holding,
    pub(crate) wanted: Wanted,
}

/// What the participant said before anybody could hear it.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) state: Option<MemberState>,
    pub(crate) wishes: Vec<MemberWish>,
}

#[derive(Debug)]
struct TakenIn {
    me: PeerId,
    neighbours: Neighbours,
}

/// Where a signal leads from here.
pub(crate) enum Next {
    Joining(Box<Joining>),
    Unvouched(Box<Unvouched>),
    Member(Box<Member>),
    Ended(EndReason),
}

impl Joining {
    pub(crate) fn new(leaf: Leaf, papers: Papers, now: Instant) -> Self {
        let (holding, wanted) = (Holding::default(), Wanted::default());
        Self { leaf, papers, taken_in: None, since: now, is_delayed: false, holding, wanted }
    }

    /// Takes in what the relay says; consumes the state, for its leaf can be used once.
    pub(crate) fn on_signal(
        mut self,
        signal: FromRelay,
        link: &mut Link,
        now: Instant,
    ) -> (Next, Result<(), SessionError>) {
        match signal {
            FromRelay::Joined(joined) if self.taken_in.is_none() => (self.on_joined(joined, link, now), Ok(())),
            FromRelay::Welcome { epoch, welcome } => self.on_welcome(epoch, &welcome, link, now),
            FromRelay::Refused(refusal) => (Next::Ended(EndReason::Refused(refusal)), Ok(())),
            FromRelay::Arrived(arrival) => {
                if let Some(TakenIn { neighbours, .. }) = &mut self.taken_in
                    && neighbours.arrived(arrival)
                {
                    return (Next::Joining(Box::new(self)), Ok(()));
                }
                self.out_of_turn("an arrival", link)
            }
            FromRelay::Departed(who) => {
                link.forget_sender(who.peer);
                match &mut self.taken_in {
                    Some(TakenIn { neighbours, .. }) => {
                        neighbours.departed(who);
                        if neighbours.is_empty() {
                            // Nobody is left who could open the door.
                            (self.is_delayed, self.since) = (false, now);
                        }
                        (Next::Joining(Box::new(self)), Ok(()))
                    }
                    None => self.out_of_turn("a departure", link),
                }
            }
            FromRelay::Joined(_) => self.out_of_turn("a second answer to the hello", link),
            FromRelay::Committed { .. } => self.out_of_turn("a commit before membership", link),
            FromRelay::CommitRefused { .. } => self.out_of_turn("the refusal of no commit", link),
            FromRelay::Broadcast { .. } => self.out_of_turn("a message before membership", link),
            FromRelay::Pulse { .. } => self.out_of_turn("a sign of life before membership", link),
            FromRelay::Annulled { .. } => self.out_of_turn("an annulment before membership", link),
            FromRelay::KeyFrameWanted { .. } => self.out_of_turn("a key frame request before membership", link),
            FromRelay::Heard { .. } => self.out_of_turn("how it is heard before membership", link),
            FromRelay::Resumed { .. } => self.out_of_turn("the end of an interruption that is not the session's", link),
            FromRelay::LayersWanted { .. } => self.out_of_turn("viewers of a track before membership", link),
            FromRelay::Squeezed(_) => self.out_of_turn("what the line holds back before membership", link),
            FromRelay::Delayed(_) if self.taken_in.is_none() => self.out_of_turn("a delay before its answer", link),
            FromRelay::Delayed(why) => {
                (self.is_delayed, self.since) = (why.is_some(), now);
                link.tell(Event::Delayed(why));
                (Next::Joining(Box::new(self)), Ok(()))
            }
            FromRelay::Revocations(lists) => match self.papers.learn(&lists, link.wall(now)) {
                Ok(()) => {
                    self.leaf.set_rules(self.papers.rules());
                    (Next::Joining(Box::new(self)), Ok(()))
                }
                Err(error) => (Next::Ended(EndReason::Credential(error)), Ok(())),
            },
        }
    }

    /// Keeps a frame in case the welcome comes soon.
    pub(crate) fn on_frame(&mut self, frame: SealedFrame, link: &mut Link, now: Instant) {
        link.counters.frames_unknown_epoch += self.holding.push(frame, now).len() as u64;
    }

    /// Gives up where nobody admits; drops frames that waited too long.
    pub(crate) fn handle_timeout(&mut self, link: &mut Link, now: Instant) -> Option<EndReason> {
        link.counters.frames_unknown_epoch += self.holding.expire(now).len() as u64;
        self.patience().is_some_and(|end| now >= end).then_some(EndReason::NotAdmitted)
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        earliest([self.patience(), self.holding.deadline()])
    }

    /// When waiting ends by itself.
    fn patience(&self) -> Option<Instant> {
        let waits_for_chair = self.taken_in.is_some() && (self.is_delayed || self.papers.waits_for_chair());
        (!waits_for_chair).then_some(self.since + PATIENCE)
    }

    fn on_joined(mut self, joined: Joined, link: &mut Link, now: Instant) -> Next {
        self.since = now;
        if let Err(error) = link.path.connect(&joined.transport, now) {
            return Next::Ended(EndReason::Path(error));
        }
        let wall = link.wall(now);
        if let Err(error) = self.papers.learn(&joined.revocations, wall) {
            return Next::Ended(EndReason::Credential(error));
        }
        self.leaf.set_rules(self.papers.rules());
        let neighbours = Neighbours::new(&joined);
        let may_open = self.leaf.may_open(wall);
        if !joined.create || may_open == Err(LeafError::MayNotOpen) {
            // A relay that asks somebody to open the meeting who may not is wrong; it changes nothing.
            self.taken_in = Some(TakenIn { me: joined.peer, neighbours });
            return Next::Joining(Box::new(self));
        }
        let Self { leaf, papers, wanted, holding, .. } = self;
        match may_open.and_then(|()| leaf.create(wall)) {
            Ok(group) => Entrance { group, me: joined.peer, neighbours, papers, wanted, holding }.enter(link, now),
            Err(error) => Next::Ended(EndReason::Create(error)),
        }
    }

    fn on_welcome(
        mut self,
        epoch: Epoch,
        welcome: &[u8],
        link: &mut Link,
        now: Instant,
    ) -> (Next, Result<(), SessionError>) {
        let Some(TakenIn { me, neighbours }) = self.taken_in.take() else {
            return self.out_of_turn("a welcome before the answer to the hello", link);
        };
        let Self { leaf, papers, holding, wanted, .. } = self;
        let next = match leaf.join(welcome, link.wall(now)) {
            Ok(group) if group.epoch() == epoch => {
                Entrance { group, me, neighbours, papers, wanted, holding }.enter(link, now)
            }
            Ok(group) => Next::Ended(EndReason::OutOfStep { ours: group.epoch(), theirs: epoch }),
            Err(error) => Next::Ended(EndReason::Join(error)),
        };
        (next, Ok(()))
    }

    fn out_of_turn(self, what: &'static str, link: &mut Link) -> (Next, Result<(), SessionError>) {
        link.ignored();
        (Next::Joining(Box::new(self)), Err(SessionError::OutOfTurn(what)))
    }
}
