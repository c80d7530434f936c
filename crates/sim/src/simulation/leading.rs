//! Meetings with a lobby and a chair: what they do, and what must hold whatever they do.

use std::collections::BTreeSet;

use conclave_e2ee::{Member, succession};
use conclave_identity::{
    Admission, Invitation, Listed,
    issue::{IssueError, PersonSpec, Rehearsal, RehearsalSpec, Validity, delegate},
};
use conclave_model::{Clearance, Epoch, Level};
use conclave_relay_core::ConnectionId;
use conclave_session::{Command, Input};
use rand::{RngExt, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;

use super::{Simulation, WALL};
use crate::{checker::Violation, participant::Presence};

/// Of so many participants one is cleared for no more than the level at which the meeting begins.
const UNCLEARED_EVERY: usize = 5;

/// What is known of a meeting that is led.
pub(crate) struct Leading {
    /// Who leads, first to last.
    succession: Vec<[u8; 32]>,
    /// Whom some chair let in.
    granted: BTreeSet<[u8; 32]>,
    /// Whom some chair wanted to put out.
    ejecting: BTreeSet<usize>,
}

impl Leading {
    pub(super) fn new(invitation: &Invitation) -> Self {
        let succession = succession(invitation).into_iter().map(|name| name.0).collect();
        Self { succession, granted: BTreeSet::new(), ejecting: BTreeSet::new() }
    }
}

/// A meeting into which all who are listed may come.
pub(crate) fn open(people: usize) -> Result<Rehearsal, IssueError> {
    Rehearsal::new(&RehearsalSpec::new(people, WALL))
}

/// A meeting whose second and third follow the chair, whose second is the originator too, and where some are cleared
/// for no more than RESTRICTED.
pub(crate) fn with_lobby(people: usize) -> Result<Rehearsal, IssueError> {
    let (admission, succession, originator) = (Admission::Lobby, vec![1, 2], Some(1));
    let mut rehearsal =
        Rehearsal::new(&RehearsalSpec { admission, succession, originator, ..RehearsalSpec::new(people, WALL) })?;
    for who in (0..people).filter(|who| who % UNCLEARED_EVERY == UNCLEARED_EVERY - 1) {
        let clearance = Some(Clearance { level: Level::Restricted, expires: WALL + 1_000_000 });
        let spec = PersonSpec { clearance, ..delegate(who, WALL) };
        let holder = rehearsal.authority.issue_credential(&spec, Validity::days(WALL, 1))?.holder().clone();
        let listed = Listed::of(&holder, Vec::new());
        rehearsal.holders[who] = holder;
        rehearsal.reissue(|content| content.participants[who] = listed)?;
    }
    Ok(rehearsal)
}

impl Simulation {
    /// Lets somebody who leads do what a chair does by itself: let in those who wait, lower the level where the
    /// originator has agreed.
    pub(super) fn lead(&mut self, who: usize) -> Result<(), Violation> {
        let Some(leading) = &mut self.leading else { return Ok(()) };
        let Some(presence) = &mut self.participants[who].presence else { return Ok(()) };
        if !std::mem::take(&mut presence.lead_due) || !presence.leads() {
            return Ok(());
        }
        let good = presence.lobby.iter().filter(|waiting| waiting.problem.is_none());
        let people: Vec<[u8; 32]> =
            good.filter_map(|waiting| waiting.person.as_ref()).map(|person| person.fingerprint).collect();
        let consent = presence.governance.as_ref().and_then(|governance| governance.consent);
        if !people.is_empty() {
            leading.granted.extend(people);
            self.order(who, Command::Admit(Vec::new()))?;
        }
        match consent {
            Some(level) => self.order(who, Command::SetLevel(level)),
            None => Ok(()),
        }
    }

    /// Something that a chair decides; nothing where nobody leads.
    pub(crate) fn decide(&mut self, random: &mut ChaCha8Rng) -> Result<(), Violation> {
        let leads = |who: &usize| self.participants[*who].presence.as_ref().is_some_and(Presence::leads);
        let Some(chair) = (0..self.participants.len()).find(leads) else { return Ok(()) };
        let Some(presence) = &self.participants[chair].presence else { return Ok(()) };
        let Some(governance) = presence.governance.clone() else { return Ok(()) };
        match random.random_range(0..6) {
            0 | 1 => self.order(chair, Command::Lock(!governance.locked)),
            2 => {
                let others = presence.roster.iter().filter(|member| Some(member.leaf) != presence.me);
                let others: Vec<Member> = others.cloned().collect();
                let Some(member) = others.choose(random) else { return Ok(()) };
                let is_them = |person: &crate::participant::Participant| {
                    person.holder.person().fingerprint == member.person.fingerprint
                };
                let victim = self.participants.iter().position(is_them);
                if let (Some(leading), Some(victim)) = (&mut self.leading, victim) {
                    leading.ejecting.insert(victim);
                }
                self.order(chair, Command::Eject(member.leaf))
            }
            3 | 4 => {
                let higher = Level::ALL.into_iter().find(|level| *level > governance.level);
                higher.map_or(Ok(()), |higher| self.order(chair, Command::SetLevel(higher)))
            }
            _ => {
                let lower = Level::ALL.into_iter().rev().find(|level| *level < governance.level);
                // Their app knows whether the originator is who they are.
                let originator = 1;
                lower.map_or(Ok(()), |lower| self.order(originator, Command::Consent(lower)))
            }
        }
    }

    fn order(&mut self, who: usize, command: Command) -> Result<(), Violation> {
        self.checker.totals.orders += 1;
        self.input(who, Input::Command(command))
    }

    /// Somebody was put out by the group, or is not let in by the relay.
    pub(super) fn put_out(&mut self, who: usize, by_group: bool) -> Result<(), Violation> {
        let is_meant = self.leading.as_ref().is_some_and(|leading| leading.ejecting.contains(&who));
        if !is_meant {
            return Err(Violation::Ended { who, reason: "ejected without an order".to_owned() });
        }
        let person = &mut self.participants[who];
        person.wants_in = false;
        let presence = person.presence.as_ref();
        let connection = presence.and_then(|presence| presence.connection);
        // The relay may turn somebody away at the chair's word while a member still adds them; they get no welcome then.
        if let (Some(connection), Some(last), true) =
            (connection, presence.and_then(|presence| presence.epoch), by_group)
        {
            self.checker.ejected(person.holder.person().fingerprint, connection, last);
        }
        Ok(())
    }

    /// Everybody in a group was let in, by list or chair, and nobody who was put out is back.
    pub(super) fn check_members(
        &self,
        members: &[Member],
        connection: ConnectionId,
        epoch: Epoch,
    ) -> Result<(), Violation> {
        if self.hostile.is_some() {
            self.check_people(members)?;
        }
        let Some(leading) = &self.leading else { return Ok(()) };
        for member in members {
            let name = &member.person.fingerprint;
            let who = self.number_of(name);
            if !leading.succession.contains(name) && !leading.granted.contains(name) {
                return Err(Violation::Uninvited { who });
            }
            self.checker.not_ejected(who, name, connection, epoch)?;
        }
        Ok(())
    }

    /// Everybody in a group with somebody hostile is of the cast, and not the one whose clearance is over.
    fn check_people(&self, members: &[Member]) -> Result<(), Violation> {
        let cleared = self.participants.len().saturating_sub(1);
        let numbers = members.iter().map(|member| self.number_of(&member.person.fingerprint));
        match numbers.into_iter().find(|who| *who >= cleared) {
            Some(who) => Err(Violation::Uninvited { who }),
            None => Ok(()),
        }
    }

    /// Everybody whom a member sees in the group is cleared for the level that it sees.
    pub(super) fn check_clearances(&self, who: usize, level: Level) -> Result<(), Violation> {
        let Some(presence) = &self.participants[who].presence else { return Ok(()) };
        let wall = WALL + self.elapsed().as_secs();
        match presence.roster.iter().find(|member| !member.person.is_cleared(level, wall)) {
            Some(member) => Err(Violation::Uncleared { who: self.number_of(&member.person.fingerprint), level }),
            None => Ok(()),
        }
    }

    /// Whether somebody who wants in may be left waiting in a meeting at rest.
    pub(crate) fn may_wait(&self, who: usize) -> bool {
        let Some(leading) = &self.leading else { return false };
        let person = self.participants[who].holder.person();
        if leading.succession.contains(&person.fingerprint) {
            return false;
        }
        let members =
            || self.participants.iter().filter_map(|person| person.presence.as_ref()).filter(|one| one.is_in());
        let is_led = members().any(Presence::leads);
        let wall = WALL + self.elapsed().as_secs();
        // Where there is nobody who leads, or who leads does not want them.
        !is_led
            || members()
                .filter_map(|one| one.governance.as_ref())
                .any(|governance| governance.locked || !person.is_cleared(governance.level, wall))
    }

    /// Who has to lead in a meeting at rest: the first of the succession who is a member.
    pub(crate) fn rightful_chair(&self) -> Option<usize> {
        let leading = self.leading.as_ref()?;
        leading.succession.iter().map(|name| self.number_of(name)).find(|who| {
            self.participants.get(*who).and_then(|person| person.presence.as_ref()).is_some_and(Presence::is_in)
        })
    }

    fn number_of(&self, name: &[u8; 32]) -> usize {
        let same = |person: &crate::participant::Participant| person.holder.person().fingerprint == *name;
        self.participants.iter().position(same).unwrap_or(usize::MAX)
    }
}

impl Presence {
    /// Whether this session is a member's.
    pub(crate) fn is_in(&self) -> bool {
        self.me.is_some() && self.ended.is_none() && !self.hung_up
    }

    /// Whether this one leads, as its own app sees it.
    pub(crate) fn leads(&self) -> bool {
        self.is_in() && self.governance.as_ref().is_some_and(|governance| governance.chair == self.me)
    }
}
