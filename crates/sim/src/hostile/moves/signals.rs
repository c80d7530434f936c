//! What a hostile relay says, or keeps to itself.

use std::time::Duration;

use bytes::Bytes;
use conclave_e2ee::Work;
use conclave_model::{
    Epoch, LeafRef, PeerId,
    wire::signal::{Arrival, FromRelay, Neighbour, Refusal, ToRelay},
};

use super::Move;
use crate::{Simulation, Violation};

impl Simulation {
    pub(super) fn strike_by_signal(&mut self, action: Move) -> Result<(), Violation> {
        let victim = self.victim();
        let epoch = self.epoch_of(victim);
        match action {
            Move::FalseDeparture => {
                let Some(gone) = self.neighbour(victim) else { return Ok(()) };
                for other in self.honest_but(victim) {
                    self.whisper(other, &FromRelay::Departed(gone));
                }
            }
            Move::CommitReplayed => self.again(victim, |message| matches!(message, FromRelay::Committed { .. }))?,
            Move::PulseReplayed => self.again(victim, |message| matches!(message, FromRelay::Pulse { .. }))?,
            Move::WelcomeReplayed => self.again(victim, |message| matches!(message, FromRelay::Welcome { .. }))?,
            Move::SecondAnswer => self.again(victim, |message| matches!(message, FromRelay::Joined(_)))?,
            Move::CommitsReordered => {
                let mut kept: Vec<FromRelay> = Vec::new();
                self.tamper(move |to, message| {
                    let is_commit = matches!(message, FromRelay::Committed { .. });
                    if to != victim || !is_commit || kept.len() > 1 {
                        return vec![message];
                    }
                    kept.insert(0, message);
                    if kept.len() == 2 { kept.clone() } else { Vec::new() }
                });
                self.rogue_renews()?;
                self.run_for(Duration::from_millis(100))?;
                self.rogue_renews()?;
            }
            Move::CommitWithheld => {
                let mut missing = 0;
                self.tamper(move |to, message| {
                    let is_it = to == victim && missing == 0 && matches!(message, FromRelay::Committed { .. });
                    missing += usize::from(is_it);
                    if is_it { Vec::new() } else { vec![message] }
                });
                self.rogue_renews()?;
            }
            Move::EverythingWithheld => {
                self.tamper(move |to, message| {
                    let is_kept = matches!(
                        message,
                        FromRelay::Committed { .. }
                            | FromRelay::CommitRefused { .. }
                            | FromRelay::Pulse { .. }
                            | FromRelay::Broadcast { .. }
                            | FromRelay::Arrived(_)
                            | FromRelay::Departed(_)
                    );
                    if to == victim && is_kept { Vec::new() } else { vec![message] }
                });
                self.rogue_renews()?;
            }
            Move::CommitForged => {
                let forged = FromRelay::Committed { epoch, from: PeerId(1), commit: Bytes::from_static(&[7; 900]) };
                self.whisper(victim, &forged);
            }
            Move::PulseForged => {
                // In the present epoch, of the first leaf, with a signature that is none.
                let pulse = [&epoch.0.to_be_bytes()[..], &[0; 92]].concat().into();
                self.whisper(victim, &FromRelay::Pulse { from: PeerId(1), pulse });
            }
            Move::FalseAnnulment => {
                self.whisper(victim, &FromRelay::Annulled { epoch: Epoch(epoch.0.saturating_sub(1)) })
            }
            Move::FalseRefusalOfCommit => self.whisper(victim, &FromRelay::CommitRefused { epoch: Epoch(epoch.0 + 5) }),
            Move::FalseEjection => self.whisper(victim, &FromRelay::Refused(Refusal::Ejected)),
            Move::TenMegabytesFromRelay => {
                let who = Neighbour { peer: PeerId(900), leaf: LeafRef([9; 16]) };
                let key_package = vec![0x30; 10 << 20].into();
                self.whisper(victim, &FromRelay::Arrived(Arrival { who, key_package }));
            }
            _ => self.two_creators(victim),
        }
        Ok(())
    }

    /// A member comes back and is told to make a group, while there is one.
    fn two_creators(&mut self, victim: usize) {
        if let Some(hostile) = &mut self.hostile {
            hostile.is_split = true;
        }
        let mut told = false;
        self.tamper(move |to, message| match message {
            FromRelay::Joined(mut joined) if to == victim && !told => {
                told = true;
                joined.create = true;
                vec![FromRelay::Joined(joined)]
            }
            message => vec![message],
        });
        self.crash(victim, Duration::ZERO);
        self.participants[victim].comes_at = Some(self.now + Duration::from_millis(300));
    }

    /// The relay says the last message of a kind once more.
    fn again(&mut self, victim: usize, is_it: fn(&FromRelay) -> bool) -> Result<(), Violation> {
        // There is one of each kind: somebody joined after the victim, and the signs of life go on.
        let find = |simulation: &Self| {
            let history = simulation.hostile.as_ref().map(|hostile| hostile.history.iter().rev());
            history.and_then(|mut history| history.find(|(to, message)| *to == victim && is_it(message)).cloned())
        };
        if find(self).is_none() {
            self.rogue_renews()?;
            self.run_for(Duration::from_millis(400))?;
        }
        if let Some((_, message)) = find(self) {
            self.whisper(victim, &message);
        }
        Ok(())
    }

    /// The first puppet renews its keys, as any member may.
    pub(crate) fn rogue_renews(&mut self) -> Result<(), Violation> {
        let wall = self.wall();
        // What is under way goes first.
        for _ in 0..20 {
            let made =
                self.puppets.first_mut().and_then(|rogue| rogue.make(&Work { renew: true, ..Work::default() }, wall));
            let Some(commit) = made else { break };
            let epoch = commit.epoch;
            self.rogue_says(ToRelay::Commit(commit))?;
            self.run_for(Duration::from_millis(5))?;
            let group = self.puppets.first().and_then(|rogue| rogue.group.as_ref());
            if group.is_some_and(|group| group.epoch() > epoch) {
                break;
            }
        }
        Ok(())
    }

    pub(crate) fn tamper(&mut self, tamper: impl FnMut(usize, FromRelay) -> Vec<FromRelay> + Send + 'static) {
        if let Some(hostile) = &mut self.hostile {
            hostile.tamper = Some(Box::new(tamper));
        }
    }

    pub(crate) fn victim(&self) -> usize {
        self.hostile.as_ref().map_or(0, |hostile| hostile.victim)
    }

    /// The honest members, as they stand.
    pub(crate) fn honest(&self) -> Vec<usize> {
        let is_in =
            |who: &usize| self.participants[*who].presence.as_ref().is_some_and(crate::participant::Presence::is_in);
        (0..self.participants.len()).filter(is_in).collect()
    }

    pub(crate) fn honest_but(&self, victim: usize) -> Vec<usize> {
        self.honest().into_iter().filter(|who| *who != victim).collect()
    }

    /// In which epoch somebody will be once everything has come that the relay has said to them.
    fn epoch_of(&self, who: usize) -> Epoch {
        let now = self.participants[who].presence.as_ref().and_then(|presence| presence.epoch);
        let mut history = self.hostile.iter().flat_map(|hostile| hostile.history.iter().rev());
        let coming = history.find_map(|(to, message)| match message {
            FromRelay::Committed { epoch, .. } if *to == who => Some(Epoch(epoch.0 + 1)),
            _ => None,
        });
        now.max(coming).unwrap_or(Epoch(0))
    }

    /// How the relay names somebody's connection.
    fn neighbour(&self, who: usize) -> Option<Neighbour> {
        let leaf = self.participants[who].presence.as_ref()?.leaf?;
        let history = self.hostile.as_ref()?.history.iter();
        let joined = history.rev().find_map(|(to, message)| match message {
            FromRelay::Joined(joined) if *to == who => Some(joined.peer),
            _ => None,
        });
        joined.map(|peer| Neighbour { peer, leaf })
    }
}
