//! Who commits what, and when.
//!
//! The group changes when a connection comes or goes. Every member sees that and any may commit, but one is enough:
//! the connected member with the lowest leaf acts at once, the n-th in that order after n seconds, so that a member
//! which hangs does not keep the others from changing the group. Whoever comes too late is refused by the relay, which
//! harms nobody. Whom only the chair lets in is the chair's to commit, at once; orders and the renewal of keys take
//! their turn with the rest, one commit at a time.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use bytes::Bytes;
use conclave_e2ee::Member;
use conclave_model::{LeafIndex, LeafRef};

use crate::{lobby::Way, neighbours::Neighbours};

/// How much later each next member acts.
const STEP: Duration = Duration::from_secs(1);

/// How long to wait after a refusal that no other commit explains.
const PAUSE: Duration = Duration::from_millis(500);

/// The relay answers a commit at once; one that says nothing for this long keeps it to itself.
const PATIENCE: Duration = Duration::from_secs(10);

/// The most that one commit adds, so that commit and welcome stay within a signalling message.
const MAX_ADDS: usize = 64;

/// What a member has to commit.
#[derive(Debug, Default)]
pub(crate) struct Duty {
    /// What is to be done, and since when.
    open: BTreeMap<LeafRef, Item>,
    /// How many committers are to act before this one.
    rank: u32,
    flight: Flight,
    /// When the own commit under way was sent.
    sent: Option<Instant>,
    not_before: Option<Instant>,
}

/// One thing to be done.
#[derive(Clone, Copy, Debug)]
struct Item {
    what: What,
    since: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Add(Way),
    Remove,
}

/// Where this member's own commit is. The relay answers each commit exactly once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Flight {
    /// None is under way.
    #[default]
    None,
    /// Sent, not answered.
    Sent(Bytes),
    /// Another's came first; the refusal is still to come.
    Void,
}

/// Whom to add and whom to remove, now.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Task {
    pub(crate) add: Vec<LeafRef>,
    pub(crate) remove: Vec<LeafRef>,
}

impl Duty {
    /// Finds out anew what is to be done. `way` says how somebody who waits comes in.
    pub(crate) fn refresh(
        &mut self,
        members: &[Member],
        me: LeafIndex,
        neighbours: &Neighbours,
        way: impl Fn(LeafRef) -> Option<Way>,
        now: Instant,
    ) {
        self.not_before.take_if(|at| *at <= now);
        let is_here = |member: &Member| member.leaf == me || neighbours.is_present(member.reference);
        let rank = members.iter().filter(|member| is_here(member)).position(|member| member.leaf == me);
        self.rank = u32::try_from(rank.unwrap_or(0)).unwrap_or(u32::MAX);
        let arrivals = neighbours.arrivals().keys();
        let mut wanted: BTreeMap<LeafRef, What> = arrivals
            .filter(|leaf| members.iter().all(|member| member.reference != **leaf))
            .filter_map(|leaf| Some((*leaf, What::Add(way(*leaf)?))))
            .collect();
        let ghosts = members.iter().filter(|member| !is_here(member));
        wanted.extend(ghosts.map(|member| (member.reference, What::Remove)));
        self.open.retain(|leaf, item| wanted.get(leaf) == Some(&item.what));
        for (leaf, what) in wanted {
            self.open.entry(leaf).or_insert(Item { what, since: now });
        }
    }

    /// What this member is to add and remove now, if anything.
    pub(crate) fn due(&self, now: Instant) -> Option<Task> {
        if self.deadline().is_none_or(|at| at > now) {
            return None;
        }
        // What is others' to do in their turn goes along.
        let adds = self.open.iter().filter(|(_, item)| matches!(item.what, What::Add(_)));
        let mut adds: Vec<_> = adds.map(|(leaf, item)| (self.turn(item), *leaf)).collect();
        adds.sort_unstable();
        let add = adds.into_iter().take(MAX_ADDS).map(|(_, leaf)| leaf).collect();
        let remove = self.open.iter().filter(|(_, item)| item.what == What::Remove).map(|(leaf, _)| *leaf).collect();
        Some(Task { add, remove })
    }

    /// When [`Self::due`] has something.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let due = self.open.values().map(|item| self.turn(item)).min()?;
        self.free_at(due)
    }

    /// Nothing is to be added or removed, by whomever.
    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// When something that is due at `due` can be committed; `None` while a commit is under way.
    pub(crate) fn free_at(&self, due: Instant) -> Option<Instant> {
        let waits = self.not_before.map_or(due, |at| at.max(due));
        (self.flight == Flight::None).then_some(waits)
    }

    /// When the pause after a refusal ends, where one is on.
    pub(crate) fn paused_until(&self) -> Option<Instant> {
        self.not_before.filter(|_| self.flight == Flight::None)
    }

    /// Leaves everything alone for a while.
    pub(crate) fn pause(&mut self, now: Instant) {
        self.not_before = Some(now + PAUSE);
    }

    /// An own commit went to the relay.
    pub(crate) fn sent(&mut self, commit: Bytes, now: Instant) {
        self.flight = Flight::Sent(commit);
        self.sent = Some(now);
    }

    /// When the relay's answer to an own commit is overdue.
    pub(crate) fn answer_due(&self) -> Option<Instant> {
        self.sent.filter(|_| self.flight != Flight::None).map(|sent| sent + PATIENCE)
    }

    /// When it is this member's turn.
    fn turn(&self, item: &Item) -> Instant {
        match item.what {
            What::Add(Way::Mine) => item.since,
            What::Add(Way::Anybody) | What::Remove => item.since + STEP * self.rank,
        }
    }

    /// A commit took effect. Returns whether it made an own one void.
    pub(crate) fn committed(&mut self, commit: &Bytes) -> bool {
        let Flight::Sent(own) = &self.flight else { return false };
        let forestalled = own != commit;
        self.flight = if forestalled { Flight::Void } else { Flight::None };
        forestalled
    }

    /// The relay refused an own commit. Returns whether one was under way at all.
    pub(crate) fn was_refused(&mut self, now: Instant) -> bool {
        let flight = std::mem::take(&mut self.flight);
        if matches!(flight, Flight::Sent(_)) {
            self.pause(now);
        }
        flight != Flight::None
    }
}

#[cfg(test)]
mod tests {
    use conclave_model::{
        PeerId, Person, Role, SeatRank,
        wire::signal::{Arrival, Endpoint, Joined, Neighbour},
    };

    use super::*;

    fn leaf(number: u8) -> LeafRef {
        LeafRef([number; 16])
    }

    fn members(numbers: &[u8]) -> Vec<Member> {
        let member = |number: &u8| Member {
            leaf: LeafIndex(u32::from(*number)),
            reference: leaf(*number),
            person: Person {
                name: String::new(),
                seat: String::new(),
                seat_code: String::new(),
                rank: SeatRank::Head,
                role: Role::Delegate,
                clearance: None,
                fingerprint: [*number; 32],
            },
        };
        numbers.iter().map(member).collect()
    }

    fn neighbour(number: u8) -> Neighbour {
        Neighbour { peer: PeerId(u16::from(number)), leaf: leaf(number) }
    }

    fn neighbours(numbers: &[u8]) -> Neighbours {
        let transport =
            Endpoint { ufrag: String::new(), password: String::new(), fingerprint: [0; 32], candidates: Vec::new() };
        let neighbours = numbers.iter().map(|number| neighbour(*number)).collect();
        Neighbours::new(&Joined { peer: PeerId(99), transport, create: false, neighbours, revocations: Vec::new() })
    }

    fn anybody(_: LeafRef) -> Option<Way> {
        Some(Way::Anybody)
    }

    fn arrival(number: u8) -> Arrival {
        Arrival { who: neighbour(number), key_package: Bytes::from_static(b"kp") }
    }

    #[test]
    fn the_lowest_connected_leaf_acts_at_once_and_the_others_in_turn() {
        let now = Instant::now();
        let group = members(&[1, 2, 3]);
        for (me, rank) in [(1, 0), (2, 1), (3, 2)] {
            let others: Vec<u8> = [1, 2, 3, 7].into_iter().filter(|other| *other != me).collect();
            let mut around = neighbours(&others);
            around.arrived(arrival(7));
            let mut duty = Duty::default();
            duty.refresh(&group, LeafIndex(u32::from(me)), &around, anybody, now);
            assert_eq!(duty.deadline(), Some(now + STEP * rank));
            let due = duty.due(now + STEP * rank);
            assert_eq!(due, Some(Task { add: vec![leaf(7)], remove: vec![] }), "member {me}");
            assert_eq!(duty.due(now + STEP * rank - Duration::from_millis(1)), None);
        }
    }

    #[test]
    fn whoever_is_gone_is_removed_and_passes_the_duty_on() {
        let now = Instant::now();
        let mut around = neighbours(&[1, 3]);
        let mut duty = Duty::default();
        duty.refresh(&members(&[1, 2, 3]), LeafIndex(2), &around, anybody, now);
        assert_eq!(duty.deadline(), None);
        around.departed(neighbour(1));
        duty.refresh(&members(&[1, 2, 3]), LeafIndex(2), &around, anybody, now);
        assert_eq!(duty.due(now), Some(Task { add: vec![], remove: vec![leaf(1)] }));
    }

    #[test]
    fn adds_and_removals_wait_for_the_answer_and_go_together() {
        let now = Instant::now();
        let mut around = neighbours(&[2]);
        let mut duty = Duty::default();
        around.arrived(arrival(7));
        duty.refresh(&members(&[1, 2]), LeafIndex(1), &around, anybody, now);
        duty.sent(Bytes::from_static(b"own"), now);
        around.arrived(arrival(8));
        around.departed(neighbour(2));
        duty.refresh(&members(&[1, 2]), LeafIndex(1), &around, anybody, now);
        assert_eq!(duty.due(now), None, "one at a time");
        assert!(!duty.committed(&Bytes::from_static(b"own")));
        around.set_members(&members(&[1, 2, 7]));
        duty.refresh(&members(&[1, 2, 7]), LeafIndex(1), &around, anybody, now);
        assert_eq!(duty.due(now), Some(Task { add: vec![leaf(8)], remove: vec![leaf(2)] }));
    }

    #[test]
    fn a_refused_commit_is_tried_again_after_the_refusal_only() {
        let now = Instant::now();
        let mut around = neighbours(&[2]);
        around.arrived(arrival(7));
        let mut duty = Duty::default();
        duty.refresh(&members(&[1, 2]), LeafIndex(1), &around, anybody, now);
        duty.sent(Bytes::from_static(b"own"), now);
        assert!(duty.committed(&Bytes::from_static(b"another")));
        assert_eq!(duty.due(now), None, "the relay's answer is still to come");
        assert!(duty.was_refused(now));
        assert!(duty.due(now).is_some());
        assert!(!duty.was_refused(now), "nothing was under way");
    }

    #[test]
    fn a_refusal_without_another_commit_is_not_answered_at_full_speed() {
        let now = Instant::now();
        let mut around = neighbours(&[]);
        around.arrived(arrival(7));
        let mut duty = Duty::default();
        duty.refresh(&members(&[1]), LeafIndex(1), &around, anybody, now);
        duty.sent(Bytes::from_static(b"own"), now);
        assert!(duty.was_refused(now));
        assert_eq!(duty.deadline(), Some(now + PAUSE));
    }

    #[test]
    fn whom_only_the_chair_lets_in_is_nobody_elses_duty() {
        let now = Instant::now();
        let mut around = neighbours(&[1]);
        around.arrived(arrival(7));
        around.arrived(arrival(8));
        let group = members(&[1, 2]);
        let mut duty = Duty::default();
        duty.refresh(&group, LeafIndex(2), &around, |_| None, now);
        assert_eq!((duty.deadline(), duty.is_empty()), (None, true));
        // The second member leads, and lets one of the two in: at once, though another commits the rest.
        let way = |waiting: LeafRef| (waiting == leaf(8)).then_some(Way::Mine);
        duty.refresh(&group, LeafIndex(2), &around, way, now + STEP);
        assert_eq!(duty.due(now + STEP), Some(Task { add: vec![leaf(8)], remove: vec![] }));
    }

    #[test]
    fn a_commit_that_the_relay_does_not_answer_is_noticed() {
        let now = Instant::now();
        let mut duty = Duty::default();
        assert_eq!((duty.answer_due(), duty.free_at(now)), (None, Some(now)));
        duty.sent(Bytes::from_static(b"own"), now);
        assert_eq!((duty.answer_due(), duty.free_at(now)), (Some(now + PATIENCE), None));
        assert!(!duty.committed(&Bytes::from_static(b"own")));
        assert_eq!((duty.answer_due(), duty.free_at(now)), (None, Some(now)));
    }

    #[test]
    fn one_commit_adds_no_more_than_a_message_can_carry() {
        let now = Instant::now();
        let mut around = neighbours(&[]);
        for number in 10..200 {
            assert!(around.arrived(arrival(number)));
        }
        let mut duty = Duty::default();
        duty.refresh(&members(&[1]), LeafIndex(1), &around, anybody, now);
        assert_eq!(duty.due(now).map(|work| work.add.len()), Some(MAX_ADDS));
    }
}
