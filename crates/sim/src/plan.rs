//! What happens in a meeting, by its seed.

use std::time::{Duration, Instant};

use conclave_model::{LeafIndex, LeafRef, TrackKind};
use conclave_session::{Command, Input};
use rand::{RngExt, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

use crate::{
    Simulation, Totals, Violation,
    participant::{Participant, Presence},
};

/// How long a meeting may take to come to rest after a scene. Nobody admits a newcomer for 20 s at the most, and
/// they may have to come twice.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// How long a moment of rest may be waited for in a meeting that is at rest, for keys are renewed all the time.
const MOMENT: Duration = Duration::from_secs(10);

/// How long nothing changes where it has come to rest.
const REST: Duration = Duration::from_millis(400);

/// How long media are watched in a meeting at rest.
const WATCH: Duration = Duration::from_secs(4);

/// Each sound track is heard within this; ten frames a second are sent.
const HEARD_WITHIN: Duration = Duration::from_secs(2);

/// Each watched camera is seen within this; four pictures a second are sent.
const SEEN_WITHIN: Duration = Duration::from_millis(3500);

/// What one seed's meeting was like, for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// How many were invited.
    pub people: usize,
    /// How many scenes it had.
    pub scenes: usize,
    /// What was counted.
    pub totals: Totals,
    /// How long it took in the simulation.
    pub elapsed: Duration,
    /// The property that did not hold, and in which scene, from 0.
    pub violation: Option<(usize, Violation)>,
}

/// Something that happens to somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Incident {
    /// They join, or come back.
    Join,
    /// They leave in good order.
    Leave,
    /// Their program is gone; the relay notices later.
    Crash,
    /// Their program connects anew while the relay still has the old connection.
    Reconnect,
    /// No datagram gets through for some time.
    Blackout,
    /// Signalling is held up for some time.
    Stall,
}

/// Plays the long meeting that `seed` stands for: minutes, up to 27 people. `base` is some instant.
pub fn run(seed: u64, base: Instant) -> Outcome {
    let mut random = ChaCha8Rng::seed_from_u64(seed ^ 0x005e_ed0f_7e57);
    let (people, scenes) = match seed % 10 {
        0 => (random.random_range(10..=27), 3),
        1..=3 => (random.random_range(5..=9), 6),
        _ => (random.random_range(2..=5), 8),
    };
    play(seed, people, scenes, Some(WATCH), &mut random, base)
}

/// Plays the short meeting that `seed` stands for: a few people and seconds, so that many can be played. `base` is some
/// instant.
pub fn run_short(seed: u64, base: Instant) -> Outcome {
    let mut random = ChaCha8Rng::seed_from_u64(seed ^ 0x5_0000_7e57);
    let people = if seed % 8 == 7 { 5 } else { random.random_range(2..=4) };
    play(seed, people, 2, None, &mut random, base)
}

fn play(
    seed: u64,
    people: usize,
    scenes: usize,
    watch: Option<Duration>,
    random: &mut ChaCha8Rng,
    base: Instant,
) -> Outcome {
    let outcome = |simulation: Option<&Simulation>, violation| Outcome {
        people,
        scenes,
        totals: simulation.map_or(Totals::default(), Simulation::totals),
        elapsed: simulation.map_or(Duration::ZERO, Simulation::elapsed),
        violation,
    };
    // Every third meeting has a lobby and a chair.
    let made = Simulation::played(people, seed % 3 == 2, seed, base);
    let mut simulation = match made {
        Ok(simulation) => simulation,
        Err(error) => return outcome(None, Some((0, Violation::NotConverged(error.to_string())))),
    };
    for scene in 0..scenes {
        let played = if scene == 0 { opening(&mut simulation, random) } else { later(&mut simulation, random) };
        let rested = played.and_then(|()| match watch {
            Some(watch) => simulation.come_to_rest(watch),
            None => simulation.come_to_rest_soon(),
        });
        if let Err(violation) = rested {
            return outcome(Some(&simulation), Some((scene, violation)));
        }
    }
    outcome(Some(&simulation), None)
}

/// Most of the invited come, at about the same time.
fn opening(simulation: &mut Simulation, random: &mut ChaCha8Rng) -> Result<(), Violation> {
    let mut order: Vec<usize> = (0..simulation.participants.len()).collect();
    order.shuffle(random);
    let here = random.random_range(order.len().div_ceil(2)..=order.len());
    for who in order.into_iter().take(here) {
        let after = Duration::from_millis(random.random_range(0..2000));
        simulation.run_for(after / 4)?;
        simulation.befall(who, Incident::Join, random)?;
    }
    Ok(())
}

/// Some things happen to some people, close together.
fn later(simulation: &mut Simulation, random: &mut ChaCha8Rng) -> Result<(), Violation> {
    for _ in 0..random.random_range(1..=4) {
        if simulation.leading.is_some() && random.random_bool(0.5) {
            simulation.decide(random)?;
            simulation.run_for(Duration::from_millis(random.random_range(0..600)))?;
            continue;
        }
        let who = random.random_range(0..simulation.participants.len());
        let incident = if simulation.participants[who].wants_in {
            match random.random_range(0..10) {
                0..=2 => Incident::Leave,
                3..=4 => Incident::Crash,
                5..=6 => Incident::Reconnect,
                7 => Incident::Blackout,
                _ => Incident::Stall,
            }
        } else {
            Incident::Join
        };
        simulation.befall(who, incident, random)?;
        simulation.run_for(Duration::from_millis(random.random_range(0..600)))?;
    }
    Ok(())
}

impl Simulation {
    pub(crate) fn run_for(&mut self, time: Duration) -> Result<(), Violation> {
        let until = self.now + time;
        self.run_until(until)
    }

    fn befall(&mut self, who: usize, incident: Incident, random: &mut ChaCha8Rng) -> Result<(), Violation> {
        let now = self.now;
        let until = now + Duration::from_millis(random.random_range(200..3000));
        self.disturb(who, until - now);
        let notice = Duration::from_millis(random.random_range(0..3000));
        match incident {
            Incident::Join => {
                self.participants[who].wants_in = true;
                self.participants[who].comes_at = Some(now);
            }
            Incident::Leave => {
                self.participants[who].wants_in = false;
                self.participants[who].comes_at = None;
                self.input(who, Input::Command(Command::Leave))?;
            }
            Incident::Crash => {
                self.participants[who].wants_in = false;
                self.participants[who].comes_at = None;
                self.crash(who, notice);
            }
            Incident::Reconnect => {
                self.crash(who, notice);
                self.participants[who].comes_at = Some(now);
            }
            Incident::Blackout => {
                if let Some(presence) = &mut self.participants[who].presence {
                    presence.up.darken(until);
                    presence.down.darken(until);
                }
            }
            Incident::Stall => {
                if let Some(presence) = &mut self.participants[who].presence {
                    presence.to_relay.stall(until);
                    presence.from_relay.stall(until);
                }
            }
        }
        Ok(())
    }

    /// Lets time go on until everybody agrees on who is here, then watches that everybody is heard and seen.
    fn come_to_rest(&mut self, watch: Duration) -> Result<(), Violation> {
        self.rest_within(PATIENCE).map_err(Violation::NotConverged)??;
        let before = self.members();
        self.run_for(watch)?;
        let again = self.rest_within(MOMENT);
        again.map_err(|reason| Violation::NotConverged(format!("it came to rest and then {reason}")))??;
        if self.members() != before {
            return Err(Violation::NotConverged("it came to rest and then others were in it".to_owned()));
        }
        self.check_media()
    }

    /// Lets time go on until everybody agrees on who is here, and hears and sees the others: no longer than it takes.
    pub(crate) fn come_to_rest_soon(&mut self) -> Result<(), Violation> {
        let deadline = self.now + PATIENCE;
        loop {
            self.rest_within(PATIENCE).map_err(Violation::NotConverged)??;
            match self.check_media() {
                Err(violation) if self.now >= deadline => return Err(violation),
                Err(_) => self.run_for(MOMENT / 50)?,
                Ok(()) => return Ok(()),
            }
        }
    }

    /// Lets time go on until the meeting is at rest; says why it is not.
    pub(crate) fn rest_within(&mut self, patience: Duration) -> Result<Result<(), Violation>, String> {
        let deadline = self.now + patience;
        while let Some(reason) = self.unrest() {
            if self.now >= deadline {
                return Err(reason);
            }
            if let Err(violation) = self.run_for(Duration::from_millis(100)) {
                return Ok(Err(violation));
            }
        }
        Ok(Ok(()))
    }

    /// Who is in the group, as the first who is sees it.
    fn members(&self) -> Vec<LeafRef> {
        let mut here = self.participants.iter().filter_map(|person| person.presence.as_ref());
        let roster = here.find(|presence| presence.is_in()).map(|presence| presence.roster.clone());
        roster.iter().flat_map(|roster| roster.iter().map(|member| member.reference)).collect()
    }

    /// Why the meeting is not at rest.
    fn unrest(&self) -> Option<String> {
        if !self.has_noticed_all() {
            return Some("the relay has not noticed who is gone".to_owned());
        }
        let mut here: Vec<&Presence> = Vec::new();
        let mut waiting = 0;
        for (who, person) in self.participants.iter().enumerate() {
            match (&person.presence, person.wants_in) {
                (None, false) => {}
                (None, true) => return Some(format!("participant {who} is not there")),
                (Some(_), false) => return Some(format!("participant {who} is still there")),
                (Some(presence), true) if presence.is_waiting() && self.may_wait(who) => waiting += 1,
                (Some(presence), true) => {
                    if let Some(reason) = presence.unrest(self.now) {
                        return Some(format!("participant {who} {reason}"));
                    }
                    here.push(presence);
                }
            }
        }
        for pair in here.windows(2) {
            if pair[0].epoch != pair[1].epoch || pair[0].roster != pair[1].roster {
                return Some(format!("epochs {:?} and {:?} differ", pair[0].epoch, pair[1].epoch));
            }
        }
        let mut expected: Vec<_> = here.iter().filter_map(|presence| presence.leaf).collect();
        let roster = here.first().map(|presence| presence.roster.clone()).unwrap_or_default();
        let mut found: Vec<_> = roster.iter().map(|member| member.reference).collect();
        expected.sort();
        found.sort();
        if expected != found {
            return Some(format!("{} are here and {} are in the group", expected.len(), found.len()));
        }
        let connected = self.relay_peers();
        let present = here.len() + waiting;
        if connected != present {
            return Some(format!("the relay has {connected} connections for {present}"));
        }
        let chair = self.rightful_chair().and_then(|who| self.participants[who].presence.as_ref()?.me);
        let is_led = |presence: &&Presence| presence.governance.as_ref().is_some_and(|led| led.chair == chair);
        let astray = here.iter().filter(|presence| !is_led(presence)).count();
        (self.leading.is_some() && astray > 0).then(|| format!("{astray} do not see {chair:?} lead"))
    }

    /// Everybody hears everybody and sees whom they watch.
    pub(crate) fn check_media(&self) -> Result<(), Violation> {
        let present = |(who, person): (usize, &'_ Participant)| {
            person.presence.as_ref().filter(|presence| presence.is_in()).map(|_| who)
        };
        let here: Vec<usize> = self.participants.iter().enumerate().filter_map(present).collect();
        for receiver in &here {
            let Some(to) = &self.participants[*receiver].presence else { continue };
            let watched: Vec<_> = to.watched().collect();
            for sender in here.iter().filter(|sender| *sender != receiver) {
                let Some(from) = &self.participants[*sender].presence else { continue };
                let may_starve = self.participants[*receiver].weather.may_starve;
                let is_starved = |leaf: LeafIndex| may_starve && to.squeezed.contains(&(leaf, TrackKind::Camera));
                let seen = from.me.is_some_and(|leaf| watched.contains(&leaf) && !is_starved(leaf));
                let wanted = [(TrackKind::Microphone, HEARD_WITHIN, true), (TrackKind::Camera, SEEN_WITHIN, seen)];
                for (track, within, _) in wanted.into_iter().filter(|(_, _, wanted)| *wanted) {
                    let last = self.checker.last((*receiver, to.number), (*sender, from.number), track);
                    if last.is_none_or(|last| self.now.duration_since(last) > within) {
                        let silent = last.map(|last| self.now.duration_since(last));
                        let detail = format!(
                            "for {silent:?}; {:?}; {:?}; {:?}",
                            to.session.counters(),
                            self.participants[*receiver].weather,
                            self.participants[*sender].weather,
                        );
                        return Err(Violation::Silence { receiver: *receiver, sender: *sender, track, detail });
                    }
                }
            }
        }
        Ok(())
    }
}

impl Presence {
    /// Whether this session waits in a lobby, undisturbed.
    fn is_waiting(&self) -> bool {
        self.me.is_none() && self.ended.is_none() && !self.hung_up && self.connection.is_some()
    }

    /// Why this session is not at rest.
    fn unrest(&self, now: Instant) -> Option<&'static str> {
        if self.me.is_none() {
            Some("is no member yet")
        } else if self.ended.is_some() || self.hung_up {
            Some("is about to go")
        } else if self.up.is_dark(now) || self.to_relay.is_stalled(now) {
            Some("is cut off")
        } else if !self.is_path_up {
            Some("has no media path")
        } else if now.duration_since(self.settled_at) < REST {
            Some("has only just changed epochs")
        } else {
            None
        }
    }
}
