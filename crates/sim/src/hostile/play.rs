//! A meeting in which a move is made, and what must come of it.

use std::time::{Duration, Instant};

use conclave_model::{Epoch, TrackKind, wire::signal::Refusal};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Hostile, Move, Outcome, Row, Sign, cast};
use crate::{Simulation, Violation, network::Weather, participant::Presence, plan};

/// How long a meeting may take until everybody is in.
const ASSEMBLY: Duration = Duration::from_secs(40);

/// How often it is looked whether a move has come to what it must.
const LOOK: Duration = Duration::from_millis(50);

/// How late lines and their weather may make a sign, beyond what the table says.
const LATE: Duration = Duration::from_millis(400);

/// Besides the honest who are in from the start: the rogue, one who comes late, one whose clearance is over.
const OTHERS: usize = 2;

/// Plays a meeting in which the move of `row` is made, as `seed` decides. `base` is some instant.
///
/// The violation of an outcome whose scene is 0 happened before the move, of 1 from it on, of 2 after it.
pub fn run_hostile(row: &Row, seed: u64, base: Instant) -> plan::Outcome {
    let mut random = ChaCha8Rng::seed_from_u64(seed ^ 0x0bad_5eed);
    // Shares no factor with the number of moves, so that each has its large meetings.
    let large = seed % 41 == 40;
    let is_led = row.action.needs_led() || (!row.action.needs_open() && random.random_bool(0.5));
    // Two honest are enough for most moves; in a led meeting the rogue comes after the three of the succession.
    let honest = match (large, is_led) {
        (true, _) => random.random_range(6..=9),
        (false, true) => 3,
        (false, false) => random.random_range(2..=3),
    };
    // In a led meeting every fifth is cleared for no more than RESTRICTED; the rogue is not held back by that.
    let honest = if is_led && honest % 5 == 4 { honest - 1 } else { honest };
    let made = cast(honest + OTHERS, is_led, true).and_then(|cast| Simulation::hostile(cast, is_led, seed, base));
    let outcome = |simulation: Option<&Simulation>, violation| plan::Outcome {
        people: honest + 1,
        scenes: 1,
        totals: simulation.map(Simulation::totals).unwrap_or_default(),
        elapsed: simulation.map_or(Duration::ZERO, Simulation::elapsed),
        violation,
    };
    let mut simulation = match made {
        Ok(simulation) => simulation,
        Err(error) => return outcome(None, Some((0, Violation::NotConverged(error.to_string())))),
    };
    let played = simulation
        .assemble(honest, row, &mut random)
        .map_err(|violation| (0, violation))
        .and_then(|()| simulation.suffer(row, &mut random).map_err(|violation| (1, violation)))
        .and_then(|()| simulation.recover().map_err(|violation| (2, violation)));
    outcome(Some(&simulation), played.err())
}

/// What is compared before and after a move.
struct Before {
    at: Instant,
    /// Who is in, with the number of the session.
    here: Vec<(usize, u32)>,
    dropped: u64,
    /// Who is not counted upon to see it, and the epoch that they were in.
    victim: usize,
    epoch: Option<Epoch>,
}

impl Simulation {
    /// The honest and the rogue become members.
    fn assemble(&mut self, honest: usize, row: &Row, random: &mut ChaCha8Rng) -> Result<(), Violation> {
        let victim = random.random_range(1..honest);
        let Some(cast) = self.hostile.as_mut().map(|hostile| {
            hostile.victim = victim;
            hostile.cast.clone()
        }) else {
            return Ok(());
        };
        for who in 0..honest {
            if row.action.needs_voice() {
                let latency = self.participants[who].weather.latency;
                // Where frames are lost, it takes longer to tell a forger from the weather.
                let is_lossy = row.action == Move::ProofsWithheld;
                let weather = if is_lossy { Weather::lossy(latency, random) } else { Weather::plain(latency) };
                self.participants[who].weather = weather;
            }
            self.participants[who].wants_in = true;
            let after = if who == 0 { 0 } else { random.random_range(150..400) };
            self.participants[who].comes_at = Some(self.now + Duration::from_millis(after));
        }
        self.run_for(Duration::from_millis(200))?;
        let Some(rules) = cast.rules() else { return Ok(()) };
        let holder = cast.rehearsal.holders[honest].clone();
        let entered = self.enter_puppet(&holder, rules, |_| ())?;
        if let Err(why) = entered {
            return Err(Violation::Accused { who: honest, why: why.to_string() });
        }
        let deadline = self.now + ASSEMBLY;
        while let Some(reason) = self.not_assembled(honest) {
            if self.now > deadline {
                return Err(Violation::NotConverged(reason));
            }
            self.run_for(LOOK)?;
        }
        if row.action.needs_voice() {
            if random.random_bool(0.5) {
                self.puppets[0].track = TrackKind::Camera;
            }
            self.puppets[0].voice = Some(true);
            self.run_for(Duration::from_millis(1500))?;
        }
        self.run_for(Duration::from_millis(random.random_range(0..300)))
    }

    fn not_assembled(&self, honest: usize) -> Option<String> {
        let rogue = self.puppets.first().and_then(|rogue| rogue.group.as_ref());
        let Some(group) = rogue else { return Some("the rogue is no member".to_owned()) };
        for who in 0..honest {
            let ready = |presence: &Presence| {
                presence.is_in()
                    && presence.is_path_up
                    && presence.epoch == Some(group.epoch())
                    && presence.roster.len() == honest + 1
            };
            if !self.participants[who].presence.as_ref().is_some_and(ready) {
                return Some(format!("{who} is not a member of {}", group.epoch()));
            }
        }
        None
    }

    /// The move is made; everybody sees of it what they must.
    fn suffer(&mut self, row: &Row, random: &mut ChaCha8Rng) -> Result<(), Violation> {
        let victim = self.victim();
        let number = |who: &usize| (*who, self.participants[*who].presence.as_ref().map_or(0, |here| here.number));
        let here = self.honest().iter().map(number).collect();
        let epoch = self.participants[victim].presence.as_ref().and_then(|presence| presence.epoch);
        let before = Before { at: self.now, here, dropped: self.dropped(), victim, epoch };
        if let Some(hostile) = &mut self.hostile {
            hostile.signs.clear();
            hostile.reasons.clear();
            hostile.heard_false.clear();
        }
        self.strike(row.action, random)?;
        let deadline = before.at + row.within + LATE;
        loop {
            let missing = self.missing(row, &before);
            let is_over = self.now >= deadline;
            // What must have no effect, or no more after a time, is watched to the end.
            match missing {
                None if !row.outcome.is_watched() || is_over => return self.spared(row, &before),
                Some(detail) if is_over => return Err(self.unseen(row, detail)),
                None | Some(_) => self.run_for(LOOK)?,
            }
        }
    }

    /// What is still missing of what a move must come to.
    fn missing(&self, row: &Row, before: &Before) -> Option<String> {
        let hostile = self.hostile.as_ref()?;
        let victim = hostile.victim;
        let by_all = |sign: Sign, but: Option<usize>| {
            let told = |who: usize| hostile.signs.iter().any(|(_, whose, what)| (*whose, *what) == (who, sign));
            let blind = before.here.iter().map(|(who, _)| *who).find(|who| Some(*who) != but && !told(*who));
            blind.map(|who| format!("{who} saw no {sign:?}"))
        };
        let put_out = self.puppets.first().map(|rogue| rogue.refused);
        let rogue_stays = (put_out != Some(Some(Refusal::Misbehaved))).then(|| format!("the rogue: {put_out:?}"));
        match row.outcome {
            Outcome::Refused => by_all(Sign::Refused, None),
            Outcome::AtTheDoor => (!hostile.at_the_door).then(|| "it got past the door".to_owned()),
            Outcome::NotFollowed => by_all(Sign::Objected, None).or(rogue_stays),
            Outcome::Annulled | Outcome::PutOut => rogue_stays,
            Outcome::Dropped => (self.dropped() <= before.dropped).then(|| "nothing was counted".to_owned()),
            Outcome::Shown if self.has_rejoined(victim) => None,
            // A true commit of the same epoch came after the false one: there was nothing to come back from.
            Outcome::Rejoined if row.action == Move::CommitForged && self.went_on(before) => None,
            Outcome::Rejoined => (!self.has_rejoined(victim)).then(|| format!("{victim} did not end and come back")),
            // Who may not lead makes no group, whatever the relay says, and comes in as everybody does.
            Outcome::Shown if row.action == Move::ToldToCreate && self.came_in_again(before) => None,
            Outcome::Shown => by_all(Sign::Apart, hostile.is_split.then_some(before.victim)),
            Outcome::Named => self.not_named(before),
            Outcome::Held => self.not_held(row),
            Outcome::Ignored => None,
        }
    }

    /// Who hears or watches the rogue, as everybody hears it and some watch it, and was not told that it is forged.
    fn not_named(&self, before: &Before) -> Option<String> {
        let hostile = self.hostile.as_ref()?;
        let rogue = self.puppets.first().and_then(|rogue| Some((rogue.track, rogue.group.as_ref()?.me())));
        let Some((track, leaf)) = rogue else { return Some("there is no rogue".to_owned()) };
        let gets = |who: usize| {
            let presence = self.participants[who].presence.as_ref();
            let watches = presence.is_some_and(|presence| presence.watched().any(|of| of == leaf));
            !track.is_video() || watches || hostile.heard_false.contains_key(&who)
        };
        let told = |who: usize| hostile.signs.iter().any(|(_, whose, sign)| (*whose, *sign) == (who, Sign::Forged));
        let mut concerned = before.here.iter().map(|(who, _)| *who).filter(|who| gets(*who)).peekable();
        if concerned.peek().is_none() {
            return Some("nobody gets what is forged".to_owned());
        }
        concerned.find(|who| !told(*who)).map(|who| format!("{who} was not told that it is forged"))
    }

    /// Who has something false played to them and was not told that it is held, or forged.
    fn not_held(&self, row: &Row) -> Option<String> {
        let Hostile { signs, heard_false, .. } = self.hostile.as_ref()?;
        let leaf = self.puppets.first()?.group.as_ref()?.me();
        let is_held = |who: usize| {
            let held = self.participants[who].presence.as_ref().map(|presence| &presence.held);
            held.is_some_and(|held| held.iter().any(|(of, _)| *of == leaf))
        };
        let told =
            |who: usize| is_held(who) || signs.iter().any(|(_, whose, sign)| (*whose, *sign) == (who, Sign::Forged));
        let is_blind =
            |(who, (first, _)): &(&usize, &(Instant, Instant))| *first + row.within <= self.now && !told(**who);
        heard_false.iter().find(is_blind).map(|(who, _)| format!("{who} was not told that anything is held"))
    }

    /// Whether the session of whom it hit ended, and they are a member again.
    fn has_rejoined(&self, victim: usize) -> bool {
        let signs = self.hostile.as_ref().map_or(&[][..], |hostile| &hostile.signs[..]);
        let ended = signs.iter().any(|(_, who, sign)| (*who, *sign) == (victim, Sign::Ended));
        ended && self.participants[victim].presence.as_ref().is_some_and(Presence::is_in)
    }

    /// Whether whom it hit is in one group with all others again, in another session than before.
    fn came_in_again(&self, before: &Before) -> bool {
        let victim = self.participants[before.victim].presence.as_ref();
        let is_new = victim.is_some_and(|presence| !before.here.contains(&(before.victim, presence.number)));
        is_new && self.is_with_all(before)
    }

    /// Whether whom it hit is in a later epoch than before with all others.
    fn went_on(&self, before: &Before) -> bool {
        let victim = self.participants[before.victim].presence.as_ref();
        victim.is_some_and(|presence| presence.epoch > before.epoch) && self.is_with_all(before)
    }

    /// Whether whom it hit is in one group with all others.
    fn is_with_all(&self, before: &Before) -> bool {
        let session = |who: usize| self.participants[who].presence.as_ref().filter(|presence| presence.is_in());
        let Some(victim) = session(before.victim) else { return false };
        let is_one =
            |who: usize| session(who).is_some_and(|other| other.epoch == victim.epoch && other.roster == victim.roster);
        victim.roster.len() > 2 && before.here.iter().all(|(who, _)| is_one(*who))
    }

    /// Whoever is not hit goes on undisturbed, and nothing false was played.
    fn spared(&self, row: &Row, before: &Before) -> Result<(), Violation> {
        let Some(hostile) = &self.hostile else { return Ok(()) };
        let may_end = |who: usize| match row.outcome {
            Outcome::Rejoined | Outcome::Shown => who == hostile.victim,
            Outcome::Refused
            | Outcome::AtTheDoor
            | Outcome::NotFollowed
            | Outcome::Annulled
            | Outcome::PutOut
            | Outcome::Dropped
            | Outcome::Named
            | Outcome::Held
            | Outcome::Ignored => false,
        };
        let is_ours = |who: usize| before.here.iter().any(|(other, _)| *other == who);
        let wrong = |(_, who, sign): &&(Instant, usize, Sign)| {
            let stray = match sign {
                Sign::Ended => !may_end(*who),
                Sign::Objected => row.outcome != Outcome::NotFollowed,
                Sign::Forged => !matches!(row.outcome, Outcome::Named | Outcome::Held),
                // On a line that loses much proofs may be missing for a second.
                Sign::Held => false,
                // Who comes with a package that is refused is seen to; a rogue that forks is shown to be apart.
                Sign::Refused | Sign::Apart => false,
            };
            stray && is_ours(*who)
        };
        if let Some((_, who, sign)) = hostile.signs.iter().find(wrong) {
            return Err(self.unseen(row, format!("{who} saw {sign:?}")));
        }
        let is_long = |(first, last): &&(Instant, Instant)| *last > *first + row.within;
        if let Some((first, last)) = hostile.heard_false.values().find(is_long) {
            return Err(self.unseen(row, format!("something false was played for {:?}", *last - *first)));
        }
        if hostile.played_false > 0 && !matches!(row.outcome, Outcome::Named | Outcome::Held) {
            return Err(self.unseen(row, format!("{} false frames were played", hostile.played_false)));
        }
        Ok(())
    }

    fn unseen(&self, row: &Row, detail: String) -> Violation {
        let ends = self.hostile.as_ref().map(|hostile| hostile.reasons.join(", ")).unwrap_or_default();
        let signs = self
            .hostile
            .as_ref()
            .map(|hostile| format!("{:?}", hostile.signs.iter().map(|(_, who, sign)| (who, sign)).collect::<Vec<_>>()));
        let detail = format!("{detail}; ended: [{ends}]; signs: {}", signs.unwrap_or_default());
        Violation::Unseen { what: row.what, action: row.action, outcome: row.outcome, detail }
    }

    /// What the honest and the relay dropped so far.
    fn dropped(&self) -> u64 {
        let sessions = self.participants.iter().filter_map(|person| person.presence.as_ref());
        let of_members = sessions.map(|presence| {
            let counters = presence.session.counters();
            counters.frames_forged
                + counters.frames_replayed
                + counters.frames_malformed
                + counters.frames_unknown_epoch
                + counters.frames_epoch_gone
                + counters.frames_of_strangers
                + counters.packets_malformed
                + counters.packets_late
                + counters.signals_ignored
        });
        let relay = self.relay.counters();
        let of_relay = relay.packets_foreign + relay.packets_malformed + relay.late_commits + relay.objections_ignored;
        of_members.sum::<u64>() + of_relay
    }

    /// The hostile part ends; the honest come to rest, and hear and see one another.
    fn recover(&mut self) -> Result<(), Violation> {
        self.dismiss_puppets()?;
        let was_split = self.hostile.as_mut().is_some_and(|hostile: &mut Hostile| {
            hostile.tamper = None;
            std::mem::take(&mut hostile.is_split)
        });
        let late = self.late();
        if self.participants[late].wants_in {
            // Whom the relay misrepresented comes anew.
            self.crash(late, Duration::ZERO);
            self.participants[late].comes_at = Some(self.now + Duration::from_millis(100));
        }
        if was_split {
            // Who is shown to be apart leaves, and comes again.
            for who in 0..self.participants.len() {
                if self.participants[who].wants_in {
                    self.crash(who, Duration::ZERO);
                    let after = Duration::from_millis(if who == 0 { 100 } else { 400 });
                    self.participants[who].comes_at = Some(self.now + after);
                }
            }
        }
        self.come_to_rest_soon()
    }
}
