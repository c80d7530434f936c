//! How a simulation is made.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use conclave_identity::{
    Invitation,
    issue::{IssueError, Rehearsal},
};
use conclave_relay_core::{Relay, RelayConfig};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::{Leading, RELAY, Simulation, WALL, leading};
use crate::{checker::Checker, hostile::Hostile, network::Weather, participant::Participant};

impl Simulation {
    /// A meeting without a lobby to which `people` are invited, all of them away. `base` is some instant; time goes on
    /// from there.
    ///
    /// # Errors
    /// [`IssueError`] where no credentials can be made.
    pub fn new(people: usize, seed: u64, base: Instant) -> Result<Self, IssueError> {
        Self::of(&leading::open(people)?, None, seed, base)
    }

    /// A meeting with a lobby and a chair who locks, ejects and changes the level.
    ///
    /// # Errors
    /// [`IssueError`] where no credentials can be made.
    pub fn led(people: usize, seed: u64, base: Instant) -> Result<Self, IssueError> {
        let rehearsal = leading::with_lobby(people)?;
        let leading = Leading::new(&rehearsal.invitation);
        Self::of(&rehearsal, Some(leading), seed, base)
    }

    /// A meeting in which somebody is hostile; the last of the `cast` is listed and not cleared any more.
    pub(crate) fn hostile(
        cast: Arc<crate::hostile::Cast>,
        is_led: bool,
        seed: u64,
        base: Instant,
    ) -> Result<Self, IssueError> {
        let leading = is_led.then(|| Leading::new(&cast.rehearsal.invitation));
        let mut simulation = Self::of(&cast.rehearsal, leading, seed, base)?;
        let level = cast.rehearsal.invitation.content().level;
        simulation.hostile = Some(Hostile::new(cast, level));
        Ok(simulation)
    }

    /// A meeting by a cast that is made once for each size.
    pub(crate) fn played(people: usize, is_led: bool, seed: u64, base: Instant) -> Result<Self, IssueError> {
        let cast = crate::hostile::cast(people, is_led, false)?;
        let leading = is_led.then(|| Leading::new(&cast.rehearsal.invitation));
        Self::of(&cast.rehearsal, leading, seed, base)
    }

    /// Seconds since 1970-01-01 UTC.
    pub(crate) fn wall(&self) -> u64 {
        WALL + self.elapsed().as_secs()
    }

    /// The signed invitation.
    pub(crate) fn invitation(&self) -> &Invitation {
        &self.invitation
    }

    pub(crate) fn of(
        rehearsal: &Rehearsal,
        leading: Option<Leading>,
        seed: u64,
        base: Instant,
    ) -> Result<Self, IssueError> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let participants = rehearsal.holders.iter().map(|holder| Participant {
            holder: holder.clone(),
            weather: Weather::any(&mut random),
            sessions: 0,
            memory: None,
            wants_in: false,
            disturbed_until: None,
            comes_at: None,
            presence: None,
        });
        let participants = participants.collect();
        let config = RelayConfig { addresses: vec![RELAY], max_peers: 300, max_peers_per_meeting: 256 };
        Ok(Self {
            random,
            base,
            now: base,
            invitation: rehearsal.invitation.clone(),
            participants,
            relay: Relay::new(config, base),
            relay_wake: base,
            connections: BTreeMap::new(),
            lost: Vec::new(),
            checker: Checker::default(),
            leading,
            hostile: None,
            puppets: Vec::new(),
            meter: None,
            talkers: None,
            rounds: 0,
        })
    }
}
