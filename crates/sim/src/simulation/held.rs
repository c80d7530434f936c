//! Tracks that are held because nothing proves them.

use std::time::Duration;

use conclave_model::{LeafIndex, TrackKind};

use super::Simulation;
use crate::checker::Violation;

/// For so long after an incident on somebody's lines proofs may be missing.
const SETTLES: Duration = Duration::from_secs(4);

impl Simulation {
    /// Somebody is told that a track is held, or is not any more: on undisturbed lines that happens to no honest track.
    pub(super) fn on_held(
        &mut self,
        who: usize,
        leaf: LeafIndex,
        track: TrackKind,
        held: bool,
    ) -> Result<(), Violation> {
        if held && self.hostile.is_none() && self.is_undisturbed(who) && self.is_sent_undisturbed(who, leaf) {
            return Err(Violation::Suspected { who, leaf, what: "does not prove what they get" });
        }
        if let Some(presence) = &mut self.participants[who].presence {
            match held {
                true => presence.held.insert((leaf, track)),
                false => presence.held.remove(&(leaf, track)),
            };
        }
        Ok(())
    }

    /// Notes that something happens to somebody's lines or program.
    pub(crate) fn disturb(&mut self, who: usize, for_now: Duration) {
        let person = &mut self.participants[who];
        person.disturbed_until = person.disturbed_until.max(Some(self.now + for_now + SETTLES));
    }

    fn is_undisturbed(&self, who: usize) -> bool {
        let person = &self.participants[who];
        person.weather.is_plain && person.disturbed_until.is_none_or(|until| until < self.now)
    }

    /// Whether the leaf is of somebody on undisturbed lines who is still there.
    fn is_sent_undisturbed(&self, who: usize, leaf: LeafIndex) -> bool {
        let Some(presence) = &self.participants[who].presence else { return false };
        let Some(member) = presence.roster.iter().find(|member| member.leaf == leaf) else { return false };
        self.participants.iter().enumerate().any(|(other, person)| {
            let session = person.presence.as_ref();
            session.is_some_and(|session| session.leaf == Some(member.reference) && session.ended.is_none())
                && self.is_undisturbed(other)
        })
    }
}
