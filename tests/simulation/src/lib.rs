//! Seeded meetings on a simulated network; the tests are in `tests/`.
//!
//! `CONCLAVE_SEEDS` says how many seeds are played in all, two thirds of them with somebody hostile, and `CONCLAVE_FIRST` how
//! many are left out before them; `CONCLAVE_SEED` plays a single one of each kind; with `CONCLAVE_MOVE` all that are hostile
//! make that move, by its name in the table. The seeds are split over [`PARTS`] tests, so that the test runner's processes
//! share them.

#![allow(clippy::print_stdout, clippy::panic, reason = "for tests only")]

mod table;

use std::{env, time::Instant};

use conclave_sim::{Outcome, Row};

pub use table::TABLE;

/// Over how many tests the seeds of each kind are split.
pub const PARTS: u64 = 4;

/// The kinds of meetings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nobody in them is hostile.
    Honest,
    /// Somebody is.
    Hostile,
}

impl Kind {
    /// How many of so many seeds are of this kind.
    fn share(self, all: u64) -> u64 {
        let honest = all.div_ceil(3);
        match self {
            Self::Honest => honest,
            Self::Hostile => all - honest,
        }
    }
}

/// The seeds of a kind that one part plays; all parts together play `default` where nothing else is said.
pub fn seeds(kind: Kind, part: u64, default: u64) -> Vec<u64> {
    match number("CONCLAVE_SEED") {
        Some(seed) => (seed % PARTS == part).then_some(seed).into_iter().collect(),
        None => {
            let first = number("CONCLAVE_FIRST").unwrap_or(0);
            let begin = kind.share(first);
            let end = number("CONCLAVE_SEEDS").map_or(begin + default, |all| kind.share(first + all));
            (begin..end).filter(|seed| seed % PARTS == part).collect()
        }
    }
}

/// Plays seeds one after the other, tells of each, and fails with all that failed.
///
/// # Panics
/// Where a property did not hold, with the seeds.
pub fn play_all(test: &str, seeds: &[u64], play: impl Fn(u64, Instant) -> Outcome) {
    let failures: Vec<String> = seeds.iter().filter_map(|seed| play_one(test, *seed, &play)).collect();
    assert!(failures.is_empty(), "{} of {} seeds failed:\n{}", failures.len(), seeds.len(), failures.join("\n"));
}

fn play_one(test: &str, seed: u64, play: impl Fn(u64, Instant) -> Outcome) -> Option<String> {
    let begun = Instant::now();
    let outcome = play(seed, begun);
    let totals = outcome.totals;
    println!(
        "{test}, seed {seed}: {} people, {} scenes, {:.0} simulated s in {:.2} s, {} frames sent, {} opened, {} epochs \
         entered, {} admissions, {} orders, at most {} rounds at once",
        outcome.people,
        outcome.scenes,
        outcome.elapsed.as_secs_f64(),
        begun.elapsed().as_secs_f64(),
        totals.sent,
        totals.opened,
        totals.epochs,
        totals.admitted,
        totals.orders,
        totals.longest_rush,
    );
    let (scene, violation) = outcome.violation?;
    let again = format!("CONCLAVE_SEED={seed} cargo nextest run -p conclave-simulation-tests -E 'test({test})'");
    Some(format!("seed {seed}, scene {scene}: {violation} (again: {again})"))
}

/// The row of the table that a hostile seed plays.
///
/// # Panics
/// Where `CONCLAVE_MOVE` names none.
pub fn row(seed: u64) -> &'static Row {
    let turn = &TABLE[usize::try_from(seed).unwrap_or(0) % TABLE.len()];
    env::var("CONCLAVE_MOVE").map_or(turn, |name| {
        let row = TABLE.iter().find(|row| format!("{:?}", row.action) == name.trim());
        row.unwrap_or_else(|| panic!("{name} is no move of the table"))
    })
}

fn number(name: &str) -> Option<u64> {
    let word = env::var(name).ok()?;
    Some(word.trim().parse().unwrap_or_else(|_| panic!("{name} is \"{word}\"; a number is needed")))
}
