//! What sessions tell.

use std::{sync::Arc, time::Duration};

use conclave_e2ee::{JoinError, Member, NewcomerError};
use conclave_model::wire::signal::Refusal;
use conclave_session::{Doubt, EndReason, Event, Governance, Standing};
use rand::RngExt;

use super::{PATH_UP, Simulation};
use crate::{checker::Violation, hostile::Sign};

impl Simulation {
    pub(super) fn on_event(&mut self, who: usize, event: Event) -> Result<(), Violation> {
        let now = self.now;
        if let Some(hostile) = &mut self.hostile {
            hostile.hear(who, &event, now);
        }
        let Some(presence) = &mut self.participants[who].presence else { return Ok(()) };
        match event {
            Event::Admitted { me } => {
                presence.me = Some(me);
                presence.path_due = (!presence.is_path_up).then(|| now + PATH_UP);
                self.checker.totals.admitted += 1;
            }
            Event::EpochChanged(epoch) => {
                presence.epoch = Some(epoch);
                presence.settled_at = now;
                if let Some(meter) = &mut self.meter {
                    meter.entered.entry(who).or_insert((now, epoch));
                }
            }
            Event::Roster(members) => return self.on_roster(who, members),
            Event::Governance(governance) => return self.on_governance(who, governance),
            Event::Lobby(waiting) => {
                presence.lobby = waiting;
                presence.lead_due = true;
            }
            Event::KeyFrameWanted { track, .. } => presence.source.key_wanted |= track.is_video(),
            Event::Squeezed(tracks) => presence.squeezed = tracks,
            Event::PathUp => (presence.is_path_up, presence.path_due) = (true, None),
            Event::PathDown => presence.is_path_up = false,
            Event::PathSilent => presence.move_due = true,
            Event::Ended(reason) => return self.on_ended(who, &reason),
            Event::NewcomerRefused { .. }
            | Event::Objected { .. }
            | Event::Standing { .. }
            | Event::TrackForged { .. }
            | Event::ScreenWithheld { .. }
                if self.hostile.is_some() => {}
            // Who was put out may come again before the relay has heard of it.
            Event::NewcomerRefused { error: NewcomerError::Ejected | NewcomerError::Member(_), .. }
                if self.leading.is_some() => {}
            Event::NewcomerRefused { error, .. } => {
                return Err(Violation::Refused { who, error: error.to_string() });
            }
            Event::Objected { committer, reason } => {
                return Err(Violation::Refused { who, error: format!("commit of leaf {}: {reason}", committer.0) });
            }
            Event::Standing { leaf, standing: Standing::Diverged } => {
                return Err(Violation::Suspected { who, leaf, what: "is in another state of the group" });
            }
            Event::TrackForged { leaf, .. } => {
                return Err(Violation::Suspected { who, leaf, what: "is not whose media they get" });
            }
            Event::ScreenWithheld { leaf, .. } => {
                return Err(Violation::Suspected { who, leaf, what: "shares a screen without leave" });
            }
            Event::TrackHeld { leaf, track, held } => return self.on_held(who, leaf, track, held),
            Event::MemberState { .. }
            | Event::LayersWanted { .. }
            | Event::Delayed(_)
            | Event::Revoked { .. }
            | Event::NobodyVouched
            | Event::Budget(_)
            | Event::Quality(_)
            | Event::Heard(_)
            | Event::Undecryptable { .. }
            | Event::Standing { standing: Standing::Confirmed | Standing::Silent, .. }
            | Event::Stage(_)
            | Event::Share(_)
            | Event::ShareRefused(_)
            | Event::OrderRefused(_) => {}
        }
        Ok(())
    }

    fn on_roster(&mut self, who: usize, members: Arc<[Member]>) -> Result<(), Violation> {
        let Some(presence) = &mut self.participants[who].presence else { return Ok(()) };
        presence.roster = members.clone();
        presence.wishes_due = true;
        let Some((epoch, connection)) = presence.epoch.zip(presence.connection) else { return Ok(()) };
        if !self.is_split() {
            self.checker.roster(connection, epoch, &members)?;
        }
        self.check_members(&members, connection, epoch)
    }

    fn on_governance(&mut self, who: usize, governance: Governance) -> Result<(), Violation> {
        let is_split = self.is_split();
        let Some(presence) = &mut self.participants[who].presence else { return Ok(()) };
        presence.lead_due = true;
        if let Some((epoch, connection)) = presence.epoch.zip(presence.connection)
            && !is_split
        {
            self.checker.governance(connection, epoch, &governance)?;
        }
        let level = governance.level;
        presence.governance = Some(governance);
        if let Some(hostile) = &mut self.hostile {
            if level < hostile.level {
                return Err(Violation::LevelFell { who, from: hostile.level, to: level });
            }
            hostile.level = level;
        }
        self.check_clearances(who, level)
    }

    /// Whether the honest may be in groups of their own for now.
    fn is_split(&self) -> bool {
        self.hostile.as_ref().is_some_and(|hostile| hostile.is_split)
    }

    pub(super) fn on_ended(&mut self, who: usize, reason: &EndReason) -> Result<(), Violation> {
        let again = self.now + Duration::from_millis(self.random.random_range(200..1500));
        let is_led = self.leading.is_some();
        let person = &mut self.participants[who];
        if let Some(presence) = &mut person.presence {
            presence.ended = Some(reason.clone());
            person.memory = presence.session.memory();
        }
        if let Some(hostile) = &mut self.hostile {
            hostile.signs.push((self.now, who, Sign::Ended));
            hostile.reasons.push(format!("{who}: {reason:?}"));
            person.comes_at = person.wants_in.then_some(again);
            return Ok(());
        }
        match reason {
            EndReason::Left => Ok(()),
            // Accidents: the app connects again.
            EndReason::NotAdmitted
            | EndReason::Refused(Refusal::Replaced)
            | EndReason::Removed
            | EndReason::Unvouched(Doubt::NobodyLeads | Doubt::Silent) => {
                person.comes_at = person.wants_in.then_some(again);
                Ok(())
            }
            EndReason::Ejected if is_led => self.put_out(who, true),
            EndReason::Refused(Refusal::Ejected) if is_led => self.put_out(who, false),
            // They had to go, or the others began anew below what their app remembers.
            EndReason::LevelRaised(_)
            | EndReason::Credential(_)
            | EndReason::Join(JoinError::LevelBelow { .. } | JoinError::Member { .. })
                if is_led =>
            {
                person.wants_in = false;
                Ok(())
            }
            EndReason::Refused(why) => Err(Violation::Accused { who, why: why.to_string() }),
            EndReason::Join(_)
            | EndReason::Commit(_)
            | EndReason::OutOfStep { .. }
            | EndReason::Create(_)
            | EndReason::Credential(_)
            | EndReason::Ejected
            | EndReason::LevelRaised(_)
            | EndReason::Unanswered
            | EndReason::Unvouched(Doubt::Elsewhere)
            | EndReason::Path(_) => {
                let reason = format!("{reason}: {reason:?}");
                Err(Violation::Ended { who, reason })
            }
        }
    }
}
