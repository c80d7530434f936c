//! A session that was let into a group for which nobody of the chair's succession vouches yet.
//!
//! A listed member together with the relay could make a group of their own, call it the meeting and bring others into
//! it. So whoever may not lead is no member for the participant before somebody who may has signed something in this
//! very group: the welcome itself, in most cases, or else the sign of life that each member gives on entering an
//! epoch, which comes a round trip later. Until then nothing is sent, shown or played.

use std::time::{Duration, Instant};

use bytes::Bytes;
use conclave_e2ee::{CommitError, Group, PulseError, Vouching};
use conclave_model::{
    Epoch, Fingerprint, PeerId,
    wire::signal::{FromRelay, ToRelay},
};

use crate::{
    Doubt, EndReason, Event, SessionError,
    holding::Holding,
    joining::{Next, Wanted},
    link::{Link, earliest},
    member::{Going, Member, why_removed},
    neighbours::Neighbours,
    papers::Papers,
    reassembly::SealedFrame,
};

/// How long somebody of the succession, who has a leaf in the group, may take to show that they are there.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many signals wait for membership; the relay can say them again.
const MAX_HELD: usize = 256;

/// All that a member takes over from before.
#[derive(Debug)]
pub(crate) struct Entrance {
    pub(crate) group: Group,
    pub(crate) me: PeerId,
    pub(crate) neighbours: Neighbours,
    pub(crate) papers: Papers,
    pub(crate) wanted: Wanted,
    pub(crate) holding: Holding,
}

/// In a group, and not sure whether it is the meeting.
#[derive(Debug)]
pub(crate) struct Unvouched {
    entrance: Entrance,
    /// What the relay said that is a member's to hear.
    held: Vec<FromRelay>,
    since: Instant,
}

impl Entrance {
    /// Makes a member where somebody vouches for the group, or where this participant may lead it or was in it.
    pub(crate) fn enter(mut self, link: &mut Link, now: Instant) -> Next {
        self.neighbours.set_members(self.group.members());
        let unvouched = Unvouched { entrance: self, held: Vec::new(), since: now };
        let mut next = unvouched.decide(link, now);
        if let Next::Unvouched(unvouched) = &mut next {
            // The others wait for it before they seal under the new epoch.
            link.say(ToRelay::Pulse(unvouched.entrance.group.pulse()));
        }
        next
    }

    /// Whether this app has been in the meeting before, by somebody's word who may lead it.
    fn is_remembered(&self) -> bool {
        let meeting = self.papers.invitation().content().meeting;
        let me = Fingerprint(self.papers.holder().person().fingerprint);
        let state = self.papers.memory().map(|memory| memory.state());
        state.is_some_and(|state| state.meeting == meeting && state.admitted.contains(&me))
    }
}

impl Unvouched {
    pub(crate) fn on_signal(
        mut self,
        signal: FromRelay,
        link: &mut Link,
        now: Instant,
    ) -> (Next, Result<(), SessionError>) {
        let mut result = Ok(());
        match signal {
            FromRelay::Pulse { pulse, .. } => match self.entrance.group.hear_pulse(&pulse) {
                Ok(_) | Err(PulseError::Later(_) | PulseError::Gone) => {}
                Err(PulseError::Diverged(leaf)) if self.entrance.group.is_of_succession(leaf) => {
                    return (Next::Ended(EndReason::Unvouched(Doubt::Elsewhere)), Ok(()));
                }
                Err(PulseError::Diverged(_)) => {}
                Err(PulseError::Replay | PulseError::Malformed | PulseError::Stranger) => {
                    link.ignored();
                    result = Err(SessionError::Invalid("a sign of life"));
                }
            },
            FromRelay::Committed { epoch, commit, .. } => {
                if let Some(reason) = self.follow(epoch, &commit, link, now) {
                    return (Next::Ended(reason), Ok(()));
                }
            }
            FromRelay::Annulled { epoch } if epoch < self.entrance.group.epoch() => {
                let reason = EndReason::OutOfStep { ours: self.entrance.group.epoch(), theirs: epoch };
                return (Next::Ended(reason), Ok(()));
            }
            FromRelay::Arrived(arrival) => {
                if self.entrance.neighbours.arrived(arrival) {
                    self.entrance.neighbours.set_members(self.entrance.group.members());
                } else {
                    link.ignored();
                    result = Err(SessionError::Invalid("an arrival"));
                }
            }
            FromRelay::Departed(who) => {
                link.forget_sender(who.peer);
                self.entrance.neighbours.departed(who);
            }
            FromRelay::Refused(refusal) => return (Next::Ended(EndReason::Refused(refusal)), Ok(())),
            later @ (FromRelay::Joined(_)
            | FromRelay::CommitRefused { .. }
            | FromRelay::Welcome { .. }
            | FromRelay::Broadcast { .. }
            | FromRelay::Annulled { .. }
            | FromRelay::KeyFrameWanted { .. }
            | FromRelay::LayersWanted { .. }
            | FromRelay::Squeezed(_)
            | FromRelay::Heard { .. }
            | FromRelay::Resumed { .. }
            | FromRelay::Delayed(_)
            | FromRelay::Revocations(_)) => {
                if self.held.len() < MAX_HELD {
                    self.held.push(later);
                } else {
                    link.ignored();
                }
            }
        }
        (self.decide(link, now), result)
    }

    /// Keeps a frame in case membership comes soon.
    pub(crate) fn on_frame(&mut self, frame: SealedFrame, link: &mut Link, now: Instant) {
        link.counters.frames_unknown_epoch += self.entrance.holding.push(frame, now).len() as u64;
    }

    pub(crate) fn handle_timeout(mut self, link: &mut Link, now: Instant) -> Next {
        link.counters.frames_unknown_epoch += self.entrance.holding.expire(now).len() as u64;
        self.decide(link, now)
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        earliest([Some(self.since + PATIENCE), self.entrance.holding.deadline()])
    }

    /// What the participant said before anybody could hear it.
    pub(crate) fn wanted(&mut self) -> &mut Wanted {
        &mut self.entrance.wanted
    }

    fn follow(&mut self, epoch: Epoch, commit: &Bytes, link: &mut Link, now: Instant) -> Option<EndReason> {
        let Entrance { group, neighbours, papers, .. } = &mut self.entrance;
        match group.handle_commit(epoch, commit, &|leaf| neighbours.is_present(leaf), link.wall(now)) {
            Ok(change) if change.me_removed => {
                Some(why_removed(&change, Fingerprint(papers.holder().person().fingerprint)))
            }
            Ok(_) => {
                neighbours.set_members(group.members());
                None
            }
            Err(CommitError::Epoch { expected, found }) if found < expected => {
                link.ignored();
                None
            }
            Err(CommitError::Epoch { expected, found }) => Some(EndReason::OutOfStep { ours: expected, theirs: found }),
            Err(error) => Some(EndReason::Commit(error)),
        }
    }

    /// Goes in, stays here, or gives up.
    fn decide(self, link: &mut Link, now: Instant) -> Next {
        let Entrance { group, .. } = &self.entrance;
        let may_lead = group.am_of_succession();
        match group.vouching() {
            Vouching::Given => self.become_member(false, link, now),
            Vouching::Awaited if may_lead => self.become_member(false, link, now),
            Vouching::Awaited if now < self.since + PATIENCE => Next::Unvouched(Box::new(self)),
            Vouching::Awaited => Next::Ended(EndReason::Unvouched(Doubt::Silent)),
            Vouching::Nobody if self.entrance.is_remembered() => self.become_member(false, link, now),
            Vouching::Nobody if may_lead => self.become_member(true, link, now),
            Vouching::Nobody => Next::Ended(EndReason::Unvouched(Doubt::NobodyLeads)),
        }
    }

    fn become_member(self, is_alone: bool, link: &mut Link, now: Instant) -> Next {
        let Self { entrance, held, .. } = self;
        let Entrance { group, me, neighbours, papers, wanted, holding } = entrance;
        let mut member = Member::new(group, me, neighbours, papers, wanted, holding, now);
        let mut going = member.begin(link, now);
        if is_alone {
            link.tell(Event::NobodyVouched);
        }
        for signal in held {
            if let Going::Break(reason) = going {
                return Next::Ended(reason);
            }
            // What has no place is counted, as if it came now.
            going = member.on_signal(signal, link, now).unwrap_or(Going::Continue(()));
        }
        match going {
            Going::Continue(()) => Next::Member(Box::new(member)),
            Going::Break(reason) => Next::Ended(reason),
        }
    }
}
