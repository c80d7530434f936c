//! Participants whose address changes in the middle of a meeting.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use conclave_model::{LeafRef, TrackKind};
use conclave_session::Input;

use super::Simulation;
use crate::checker::Violation;

/// How long signalling still hangs once there is a new address.
const RESUMED: Duration = Duration::from_secs(1);

/// After how long nobody waits to hear and be heard any more.
const PATIENCE: Duration = Duration::from_secs(10);

const STEP: Duration = Duration::from_millis(10);

/// What a change of somebody's network cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Until everybody had heard that one, and that one everybody, again.
    pub gap: Duration,
    /// Whether anybody's roster changed.
    pub is_noticed: bool,
}

/// Plays the meeting of four that `seed` stands for, in which one of them changes the network; see
/// [`Simulation::change_network`]. `base` is some instant.
///
/// # Errors
/// The first [`Violation`].
pub fn moving(seed: u64, found: Duration, base: Instant) -> Result<Moved, Violation> {
    const PEOPLE: usize = 4;
    let made = Simulation::played(PEOPLE, false, seed, base);
    let mut simulation = made.map_err(|error| Violation::NotConverged(error.to_string()))?;
    for person in &mut simulation.participants {
        person.wants_in = true;
        person.comes_at = Some(base);
    }
    simulation.come_to_rest_soon()?;
    let who = usize::try_from(seed).unwrap_or(0) % PEOPLE;
    let moved = simulation.change_network(who, found)?;
    simulation.come_to_rest_soon()?;
    Ok(moved)
}

impl Simulation {
    /// Lets somebody's machine change from one network to another: their old address is dead at once, with all that is
    /// under way; after `found` their app has a socket on the new one. Signalling hangs until a second after that.
    ///
    /// # Errors
    /// The first [`Violation`]; not being heard for 10 s is one.
    pub fn change_network(&mut self, who: usize, found: Duration) -> Result<Moved, Violation> {
        let begun = self.now;
        let before = self.views();
        let person = &mut self.participants[who];
        if let Some(presence) = &mut person.presence {
            presence.up = person.weather.line(&mut self.random);
            presence.down = person.weather.line(&mut self.random);
            presence.up.darken(begun + found);
            presence.down.darken(begun + found);
            presence.to_relay.stall(begun + found + RESUMED);
            presence.from_relay.stall(begun + found + RESUMED);
        }
        self.run_until(begun + found)?;
        self.change_address(who)?;
        let there = self.now;
        let last = loop {
            if let Some(last) = self.heard_since(who, there) {
                break last;
            }
            if self.now > begun + PATIENCE {
                return Err(Violation::NotConverged(
                    "who changed the network is not heard, or does not hear".to_owned(),
                ));
            }
            self.run_until(self.now + STEP)?;
        };
        Ok(Moved { gap: last.duration_since(begun), is_noticed: self.views() != before })
    }

    /// When the last of the others heard `who` again and was heard there, once all have.
    fn heard_since(&self, who: usize, since: Instant) -> Option<Instant> {
        let number = |one: usize| self.participants[one].presence.as_ref().map(|presence| (one, presence.number));
        let here = number(who)?;
        let others = (0..self.participants.len()).filter(|one| *one != who).filter_map(number);
        let pairs = others.flat_map(|other| [(other, here), (here, other)]);
        let heard = pairs.map(|(receiver, sender)| self.checker.last(receiver, sender, TrackKind::Microphone));
        heard.map(|last| last.filter(|last| *last > since)).collect::<Option<Vec<_>>>()?.into_iter().max()
    }

    /// Binds another socket, on another network where the machine has one.
    pub(super) fn change_address(&mut self, who: usize) -> Result<(), Violation> {
        let Some(presence) = &mut self.participants[who].presence else { return Ok(()) };
        let port = presence.address.port();
        let port = if port == u16::MAX { 40_000 } else { port + 1 };
        presence.address = SocketAddr::new(presence.address.ip(), port);
        let address = presence.address;
        self.input(who, Input::LocalAddress(address))
    }

    /// Who is in the group, as everybody sees it.
    fn views(&self) -> Vec<Vec<LeafRef>> {
        let here = self.participants.iter().filter_map(|person| person.presence.as_ref());
        here.map(|presence| presence.roster.iter().map(|member| member.reference).collect()).collect()
    }
}
