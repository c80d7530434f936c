//! What a hostile member commits.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use conclave_e2ee::{Order, Rules, Work};
use conclave_identity::{Admission, Holder, InvitationContent, Listed};
use conclave_model::{
    Epoch, Fingerprint, Level,
    wire::signal::{Commit, Dismissal, FromRelay, ToRelay},
};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::Move;
use crate::{Simulation, Violation, simulation::WALL};

impl Simulation {
    pub(super) fn strike_by_commit(&mut self, action: Move, random: &mut ChaCha8Rng) -> Result<(), Violation> {
        let Some(cast) = self.hostile.as_ref().map(|hostile| hostile.cast.clone()) else { return Ok(()) };
        let holder = self.rogue_holder();
        let me = Fingerprint(holder.person().fingerprint);
        let order = |order| Work { order: Some(order), ..Work::default() };
        let higher = self.higher();
        match action {
            Move::AddsStranger => self.adds(&cast.stranger.clone(), move |content, listed| {
                content.participants.push(listed);
            })?,
            Move::AddsImpostor => {
                // It believes in the other office.
                self.adds_by(&cast.impostor.clone(), true, |content, listed| content.participants.push(listed))?;
            }
            Move::AddsExpired => {
                let expired = cast.rehearsal.holders.last().cloned().unwrap_or(holder);
                self.adds(&expired, |_, _| ())?;
            }
            Move::AddsPastLobby => self.adds(&self.participants[self.late()].holder.clone(), |_, _| ())?,
            Move::RemovesMember => {
                let victim = self.participants[self.victim()].presence.as_ref().and_then(|presence| presence.leaf);
                self.commits(None, &Work { remove: victim.into_iter().collect(), ..Work::default() }, WALL)?;
            }
            Move::Locks => self.commits(self.as_chair(me), &order(Order::Lock(true)), WALL)?,
            Move::Ejects => {
                let victim = self.participants[self.victim()].presence.as_ref().and_then(|presence| presence.leaf);
                if let Some(victim) = victim {
                    self.commits(self.as_chair(me), &order(Order::Eject(victim)), WALL)?;
                }
            }
            Move::RaisesLevel => {
                self.commits(self.as_chair(me), &order(Order::Level { to: higher, consent: None }), WALL)?;
            }
            Move::LowersLevel => {
                self.rogue_believes(self.as_chair(me));
                let group = self.puppets.first().and_then(|rogue| rogue.group.as_ref());
                let consent = group.and_then(|group| group.make_consent(&holder, Level::Unclassified).ok());
                self.commits(None, &order(Order::Level { to: Level::Unclassified, consent }), WALL)?;
            }
            Move::GarbageCommit => {
                let (epoch, length) = (self.rogue_epoch(), random.random_range(1..3000));
                let commit = Bytes::from((0..length).map(|_| random.random()).collect::<Vec<u8>>());
                self.rogue_says(ToRelay::Commit(Commit { epoch, commit, welcome: None, added: Vec::new() }))?;
            }
            Move::CommitAgain => self.commits_again()?,
            Move::GarbageWelcome => self.welcomes_with_garbage()?,
            Move::FalseObjection => {
                if let Some(rogue) = self.puppets.first_mut() {
                    rogue.objects = true;
                }
                let victim = self.victim();
                self.crash(victim, Duration::ZERO);
                self.participants[victim].comes_at = Some(self.now + Duration::from_millis(300));
            }
            Move::FalseDismissal => self.dismisses()?,
            Move::FalseFuture => {
                self.forks(&Work { renew: true, ..Work::default() });
                for _ in 0..5 {
                    let pulse =
                        self.puppets.first_mut().and_then(|rogue| rogue.group.as_mut()).map(|group| group.pulse());
                    if let Some(pulse) = pulse {
                        self.rogue_says(ToRelay::Pulse(pulse))?;
                    }
                    self.run_for(Duration::from_millis(500))?;
                }
            }
            _ => self.two_histories(),
        }
        Ok(())
    }

    /// The same commit twice, and as one of a later epoch.
    fn commits_again(&mut self) -> Result<(), Violation> {
        let wall = self.wall();
        let rogue = self.puppets.first_mut();
        let made = rogue.and_then(|rogue| rogue.make(&Work { renew: true, ..Work::default() }, wall));
        let Some(commit) = made else { return Ok(()) };
        self.rogue_says(ToRelay::Commit(commit.clone()))?;
        for epoch in [commit.epoch, Epoch(commit.epoch.0 + 9)] {
            self.rogue_says(ToRelay::Commit(Commit { epoch, ..commit.clone() }))?;
        }
        Ok(())
    }

    /// Dismisses the victim, or itself where it knows no number of theirs.
    fn dismisses(&mut self) -> Result<(), Violation> {
        let victim = self.victim();
        let peer = self.puppets.first().map(|rogue| rogue.peer);
        let number = self.hostile.as_ref().and_then(|hostile| {
            hostile.history.iter().rev().find_map(|(to, message)| match message {
                FromRelay::Joined(joined) if *to == victim => Some(joined.peer),
                _ => None,
            })
        });
        match number.or(peer) {
            Some(peer) => self.rogue_says(ToRelay::Dismiss { peer, why: Dismissal::Ejected }),
            None => Ok(()),
        }
    }

    /// The relay gives one commit to one half, another to the other, both by the same member.
    fn two_histories(&mut self) {
        if let Some(hostile) = &mut self.hostile {
            hostile.is_split = true;
        }
        let wall = self.wall();
        let honest = self.honest();
        for half in 0..2 {
            let Some(rogue) = self.puppets.first_mut() else { return };
            let Some(commit) = rogue.make(&Work { renew: true, ..Work::default() }, wall) else { return };
            if let Some(group) = &mut rogue.group {
                group.commit_refused();
            }
            let message = FromRelay::Committed { epoch: commit.epoch, from: rogue.peer, commit: commit.commit };
            for who in honest.iter().filter(|who| **who % 2 == half) {
                self.whisper(*who, &message);
            }
        }
    }

    /// Goes on alone with a commit that nobody is told of.
    pub(super) fn forks(&mut self, work: &Work) {
        let wall = self.wall();
        let Some(rogue) = self.puppets.first_mut() else { return };
        if rogue.make(work, wall).is_some()
            && let Some(group) = &mut rogue.group
            && group.commit_accepted().is_ok()
        {
            let epoch = group.epoch();
            group.use_sending_epoch(epoch);
        }
        rogue.follows = false;
    }

    /// Adds somebody listed, and gives them a welcome that is none.
    fn welcomes_with_garbage(&mut self) -> Result<(), Violation> {
        self.late_comes();
        let late = self.late();
        if let Some(hostile) = &mut self.hostile {
            hostile.victim = late;
        }
        let wall = self.wall();
        for _ in 0..400 {
            let Some(rogue) = self.puppets.first_mut() else { return Ok(()) };
            let add: Vec<_> = rogue.arrivals.iter().map(|(leaf, (_, package))| (*leaf, package.clone())).collect();
            let members = rogue.group.as_ref().map(|group| group.members().to_vec()).unwrap_or_default();
            let add: Vec<_> =
                add.into_iter().filter(|(leaf, _)| members.iter().all(|member| member.reference != *leaf)).collect();
            if !add.is_empty()
                && let Some(commit) = rogue.make(&Work { add, ..Work::default() }, wall)
            {
                let welcome = Some(Bytes::from_static(&[8; 700]));
                return self.rogue_says(ToRelay::Commit(Commit { welcome, ..commit }));
            }
            self.run_for(Duration::from_micros(500))?;
        }
        Ok(())
    }

    /// Lets a newcomer come in past what the honest check.
    fn adds(
        &mut self,
        newcomer: &Holder,
        change: impl FnOnce(&mut InvitationContent, Listed),
    ) -> Result<(), Violation> {
        self.adds_by(newcomer, false, change)
    }

    fn adds_by(
        &mut self,
        newcomer: &Holder,
        by_their_office: bool,
        change: impl FnOnce(&mut InvitationContent, Listed),
    ) -> Result<(), Violation> {
        let Some(cast) = self.hostile.as_ref().map(|hostile| hostile.cast.clone()) else { return Ok(()) };
        let Some(rules) = cast.rules() else { return Ok(()) };
        let entered = self.enter_puppet(newcomer, rules, |_| ())?;
        if entered.is_err() {
            return Ok(());
        }
        let listed = Listed::of(newcomer, Vec::new());
        let belief = cast.belief(|content| {
            content.admission = Admission::Open;
            change(content, listed);
        });
        let belief = belief.map(|rules| {
            let root = newcomer.root().clone();
            if by_their_office { Arc::new(Rules { root, ..Rules::clone(&rules) }) } else { rules }
        });
        self.serve_puppets()?;
        let arrivals = self.puppets.first().map(|rogue| rogue.arrivals.clone()).unwrap_or_default();
        let peer = self.puppets.last().map(|puppet| puppet.peer);
        let add = arrivals.into_iter().filter(|(_, (number, _))| Some(*number) == peer);
        let add = add.map(|(leaf, (_, package))| (leaf, package)).collect();
        self.commits(belief, &Work { add, ..Work::default() }, WALL - 1)
    }

    /// Makes a commit by what the rogue believes, and gives it to the relay.
    fn commits(&mut self, belief: Option<Arc<Rules>>, work: &Work, wall: u64) -> Result<(), Violation> {
        self.rogue_believes(belief);
        for _ in 0..20 {
            let made = self.puppets.first_mut().and_then(|rogue| rogue.make(work, wall));
            let Some(commit) = made else { return Ok(()) };
            let epoch = commit.epoch;
            self.rogue_says(ToRelay::Commit(commit))?;
            self.run_for(Duration::from_millis(5))?;
            if self.rogue_epoch() > epoch {
                return Ok(());
            }
        }
        Ok(())
    }

    fn rogue_believes(&mut self, belief: Option<Arc<Rules>>) {
        if let (Some(rogue), Some(belief)) = (self.puppets.first_mut(), belief) {
            rogue.believe(belief);
        }
    }

    /// What the rogue believes where it takes itself for the chair and the originator.
    pub(super) fn as_chair(&self, me: Fingerprint) -> Option<Arc<Rules>> {
        self.hostile.as_ref()?.cast.belief(|content| {
            content.participants.retain(|listed| listed.role != conclave_model::Role::Chair);
            content.succession = vec![me];
            content.originator = Some(me);
        })
    }

    pub(super) fn rogue_holder(&self) -> Holder {
        self.participants[self.participants.len().saturating_sub(3)].holder.clone()
    }

    pub(super) fn rogue_epoch(&self) -> Epoch {
        self.puppets.first().and_then(|rogue| rogue.group.as_ref()).map_or(Epoch(0), conclave_e2ee::Group::epoch)
    }
}
