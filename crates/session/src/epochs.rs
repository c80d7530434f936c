//! When to seal under a new epoch, and when to forget an old one.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use conclave_e2ee::Group;
use conclave_model::Epoch;

/// The longest that frames are sealed under the old epoch while some members have not said that they are in the new.
const SWITCH_AFTER: Duration = Duration::from_millis(500);

/// How long frames of the epoch before may still be on their way.
const FORGET_AFTER: Duration = Duration::from_secs(2);

/// The changes of keys that are still to come.
#[derive(Debug, Default)]
pub(crate) struct EpochSchedule {
    switches: VecDeque<(Instant, Epoch)>,
    forgets: VecDeque<(Instant, Epoch)>,
}

impl EpochSchedule {
    /// The group entered `epoch`. Where somebody was removed (`at_once`), frames are sealed under it at once.
    pub(crate) fn entered(&mut self, epoch: Epoch, at_once: bool, group: &mut Group, now: Instant) {
        if at_once {
            self.switches.clear();
            group.use_sending_epoch(epoch);
        } else {
            self.switches.push_back((now + SWITCH_AFTER, epoch));
        }
        self.forgets.push_back((now + FORGET_AFTER, epoch));
    }

    /// The group's level changed with `epoch`: no frame of another level is sealed or opened any more.
    pub(crate) fn forget_others(&mut self, epoch: Epoch, group: &mut Group) {
        self.switches.clear();
        self.forgets.clear();
        group.use_sending_epoch(epoch);
        group.forget_epochs_before(epoch);
    }

    /// Every other member is in `epoch` or a later one. Returns whether frames are sealed under another epoch from now
    /// on.
    pub(crate) fn ready(&mut self, epoch: Epoch, group: &mut Group) -> bool {
        let mut switched = false;
        while let Some((_, ready)) = self.switches.pop_front_if(|(_, switch)| *switch <= epoch) {
            group.use_sending_epoch(ready);
            switched = true;
        }
        switched
    }

    /// Does what is due; returns whether frames are sealed under another epoch from now on.
    pub(crate) fn handle_timeout(&mut self, group: &mut Group, now: Instant) -> bool {
        let mut switched = false;
        while let Some((_, epoch)) = self.switches.pop_front_if(|(at, _)| *at <= now) {
            group.use_sending_epoch(epoch);
            switched = true;
        }
        while let Some((_, epoch)) = self.forgets.pop_front_if(|(at, _)| *at <= now) {
            group.forget_epochs_before(epoch);
        }
        switched
    }

    /// Whether frames are still sealed under an older epoch than the group's.
    pub(crate) fn is_switching(&self) -> bool {
        !self.switches.is_empty()
    }

    /// When [`Self::handle_timeout`] has something to do.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.switches.front().into_iter().chain(self.forgets.front()).map(|(at, _)| *at).min()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use conclave_e2ee::{Leaf, Rules, Work};
    use conclave_identity::issue::{Rehearsal, RehearsalSpec};

    use super::*;

    const WALL: u64 = 1_800_000_000;

    #[test]
    fn additions_are_followed_later_and_removals_at_once() {
        let now = Instant::now();
        let rehearsal = Rehearsal::new(&RehearsalSpec::new(2, WALL)).unwrap();
        let rules = Rules::new(rehearsal.invitation.clone(), rehearsal.holders[0].root().clone());
        let mut group = Leaf::new(&rehearsal.holders[0], rules.clone()).unwrap().create(WALL).unwrap();
        let newcomer = Leaf::new(&rehearsal.holders[1], rules).unwrap();
        let add = vec![(newcomer.reference(), newcomer.key_package())];
        group.commit(&Work { add, ..Work::default() }, WALL).unwrap();
        let change = group.commit_accepted().unwrap();
        let mut schedule = EpochSchedule::default();
        schedule.entered(change.epoch, false, &mut group, now);
        assert_eq!((group.sending_epoch(), group.epoch()), (Epoch(0), Epoch(1)));
        assert!(!schedule.handle_timeout(&mut group, now + SWITCH_AFTER / 2));
        assert!(schedule.handle_timeout(&mut group, now + SWITCH_AFTER));
        assert_eq!(group.sending_epoch(), Epoch(1));
        assert_eq!(group.epochs_kept(), 2);

        let remove = vec![newcomer.reference()];
        group.commit(&Work { remove, ..Work::default() }, WALL).unwrap();
        let change = group.commit_accepted().unwrap();
        schedule.entered(change.epoch, true, &mut group, now + FORGET_AFTER);
        assert_eq!(group.sending_epoch(), Epoch(2));
        assert!(!schedule.is_switching());
        schedule.handle_timeout(&mut group, now + FORGET_AFTER);
        assert_eq!(group.epochs_kept(), 2, "the first is forgotten");
        schedule.handle_timeout(&mut group, now + FORGET_AFTER * 2);
        assert_eq!((group.epochs_kept(), schedule.deadline()), (1, None));
    }
}
