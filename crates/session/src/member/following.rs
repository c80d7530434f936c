//! What the others make of the group: commits that are followed or not, and signs of life.

use std::time::{Duration, Instant};

use bytes::Bytes;
use conclave_e2ee::{Change, CommitError, PulseError};
use conclave_model::{Epoch, Fingerprint, LeafRef, PeerId, wire::signal::ToRelay};

use super::{ANNOUNCEMENT_SETTLES, Going, Member, out_of_turn};
use crate::{EndReason, Event, SessionError, link::Link};

/// How long the relay may take to annul a commit that most members object to.
const OBJECTION: Duration = Duration::from_secs(3);

/// A commit that this member does not follow.
#[derive(Debug)]
pub(super) struct Objection {
    since: Instant,
    error: CommitError,
}

impl Objection {
    pub(super) fn deadline(&self) -> Instant {
        self.since + OBJECTION
    }
}

impl Member {
    pub(super) fn on_committed(
        &mut self,
        epoch: Epoch,
        commit: &Bytes,
        link: &mut Link,
        now: Instant,
    ) -> Result<Going, SessionError> {
        let neighbours = &self.neighbours;
        let followed = self.group.handle_commit(epoch, commit, &|leaf| neighbours.is_present(leaf), link.wall(now));
        let change = match followed {
            Ok(change) => change,
            Err(CommitError::Epoch { expected, found }) if found < expected => {
                return out_of_turn("a commit a second time", link);
            }
            // What follows a commit that breaks the rules is not followed either.
            Err(CommitError::Epoch { .. }) if self.objection.is_some() => return Ok(Going::Continue(())),
            Err(CommitError::Epoch { expected, found }) => {
                return Ok(Going::Break(EndReason::OutOfStep { ours: expected, theirs: found }));
            }
            // Garbage in the place of a commit, too: whoever sent it must not end the meeting of the others.
            Err(error @ (CommitError::Rejected { .. } | CommitError::Malformed)) => {
                return Ok(self.object(epoch, error, link, now));
            }
            Err(error) => return Ok(Going::Break(EndReason::Commit(error))),
        };
        self.objection = None;
        if self.duty.committed(commit) {
            link.counters.commits_refused += 1;
        }
        if change.me_removed {
            return Ok(Going::Break(why_removed(&change, self.leading.me())));
        }
        self.on_change(&change, link, now);
        Ok(self.attend(link, now))
    }

    /// Does not follow a commit, and says so; it is annulled where most members do the same.
    fn object(&mut self, epoch: Epoch, error: CommitError, link: &mut Link, now: Instant) -> Going {
        tracing::warn!(%error, %epoch, "a commit is not followed");
        if let CommitError::Rejected { committer, reason } = &error {
            link.tell(Event::Objected { committer: *committer, reason: reason.clone() });
        }
        link.say(ToRelay::Object { epoch });
        self.pulses.stay();
        self.objection.get_or_insert(Objection { since: now, error });
        Going::Continue(())
    }

    pub(super) fn on_annulled(&mut self, epoch: Epoch, link: &mut Link, now: Instant) -> Result<Going, SessionError> {
        let ours = self.group.epoch();
        if ours < epoch {
            return out_of_turn("the annulment of a commit that is still to come", link);
        }
        if ours > epoch {
            // This member followed what most do not: it has no way back but to come anew.
            let _: Result<(), CommitError> = self.group.annul(epoch);
            return Ok(Going::Break(EndReason::OutOfStep { ours, theirs: epoch }));
        }
        self.objection = None;
        self.pulses.stay();
        Ok(self.attend(link, now))
    }

    pub(super) fn on_commit_refused(
        &mut self,
        epoch: Epoch,
        link: &mut Link,
        now: Instant,
    ) -> Result<Going, SessionError> {
        if !self.duty.was_refused(now) {
            return out_of_turn("the refusal of no commit", link);
        }
        if self.group.has_pending_commit() {
            link.counters.commits_refused += 1;
            self.group.commit_refused();
        }
        if epoch > self.group.epoch() && self.objection.is_none() {
            return Ok(Going::Break(EndReason::OutOfStep { ours: self.group.epoch(), theirs: epoch }));
        }
        Ok(self.attend(link, now))
    }

    pub(super) fn on_pulse(
        &mut self,
        from: PeerId,
        pulse: &[u8],
        link: &mut Link,
        now: Instant,
    ) -> Result<Going, SessionError> {
        match self.group.hear_pulse(pulse) {
            Ok(heard) => self.pulses.heard(heard.leaf, heard.epoch, self.group.epoch(), now),
            Err(PulseError::Later(epoch)) => {
                if self.objection.is_none() {
                    self.pulses.ahead(from, epoch, now);
                }
            }
            Err(PulseError::Diverged(leaf)) => self.pulses.diverged(leaf, self.group.epoch()),
            // One that was overtaken by a few commits.
            Err(PulseError::Gone) => {}
            Err(PulseError::Replay | PulseError::Malformed | PulseError::Stranger) => {
                link.ignored();
                return Err(SessionError::Invalid("a sign of life"));
            }
        }
        Ok(self.attend(link, now))
    }

    /// Takes over newer revocation lists; whoever is on one is taken out of the group, this member by itself.
    pub(super) fn on_revocations(&mut self, lists: &[Bytes], link: &mut Link, now: Instant) -> Going {
        let wall = link.wall(now);
        match self.leading.learn(lists, wall) {
            Ok(rules) => self.group.set_rules(rules),
            Err(error) => return Going::Break(EndReason::Credential(error)),
        }
        let revoked = self.group.revoked(wall);
        for member in revoked.iter().filter(|member| !self.neighbours.is_revoked(member.reference)) {
            link.tell(Event::Revoked { leaf: member.leaf });
        }
        self.neighbours.set_revoked(revoked.iter().map(|member| member.reference).collect());
        self.attend(link, now)
    }

    /// Ends the session where the relay or the other members have kept something from it for too long.
    pub(super) fn check_patience(&self, now: Instant) -> Going {
        let ours = self.group.epoch();
        if let Some(objection) = &self.objection
            && now >= objection.deadline()
        {
            return Going::Break(EndReason::Commit(objection.error.clone()));
        }
        if let Some(theirs) = self.pulses.out_of_reach(now) {
            return Going::Break(EndReason::OutOfStep { ours, theirs });
        }
        match self.duty.answer_due() {
            Some(due) if now >= due => Going::Break(EndReason::Unanswered),
            Some(_) | None => Going::Continue(()),
        }
    }

    /// Gives a sign of life where one is due, and draws from those of others what follows.
    pub(super) fn attend_pulses(&mut self, link: &mut Link, now: Instant) {
        let me = self.group.me();
        let others = self.group.members().iter().filter(|member| member.leaf != me);
        let present = others.filter(|member| self.neighbours.is_present(member.reference));
        self.pulses.set_others(present.map(|member| (member.reference, member.leaf)), now);
        if self.pulses.is_due(now) && self.group.members().len() > 1 {
            link.say(ToRelay::Pulse(self.group.pulse()));
        }
        if let Some(epoch) = self.pulses.ready()
            && self.epochs.ready(epoch, &mut self.group)
            && !self.epochs.is_switching()
        {
            self.sender.switched(link, now);
        }
        for (leaf, standing) in self.pulses.news(now) {
            link.tell(Event::Standing { leaf, standing });
        }
    }

    fn on_change(&mut self, change: &Change, link: &mut Link, now: Instant) {
        for member in &change.removed {
            self.receiver.forget(member.leaf, link);
        }
        let epoch = change.epoch;
        self.epochs.entered(epoch, !change.removed.is_empty(), &mut self.group, now);
        if change.level.is_some() {
            self.epochs.forget_others(epoch, &mut self.group);
            self.receiver.begin(now);
        }
        if !self.epochs.is_switching() {
            self.sender.switched(link, now);
        }
        self.note_renewal(change, now);
        self.pulses.entered(epoch, now);
        self.tell_group(link);
        let is_fresh = self.announced.is_some_and(|at| now.saturating_duration_since(at) < ANNOUNCEMENT_SETTLES);
        if !change.added.is_empty() || is_fresh {
            self.announce(link, now);
        }
        self.receiver.retry(&mut self.group, &self.neighbours, link, now);
    }

    fn note_renewal(&mut self, change: &Change, now: Instant) {
        let members = self.group.members();
        let added = change.added.iter().map(|member| member.reference);
        let is_member = |leaf: &LeafRef| members.iter().any(|member| member.reference == *leaf);
        self.renewal.committed(change.author.reference, added, is_member, now);
    }
}

/// Why the group removed this member.
pub(crate) fn why_removed(change: &Change, me: Fingerprint) -> EndReason {
    match change.level {
        _ if change.ejected.contains(&me) => EndReason::Ejected,
        Some((before, after)) if after > before => EndReason::LevelRaised(after),
        Some(_) | None => EndReason::Removed,
    }
}
