//! Meetings of 2 to 27 with loss, reordering, leaves, crashes and rejoins, by seed. Every third has a lobby and a chair
//! who admits, locks, ejects and changes the level.
//!
//! `CONCLAVE_SEEDS` says how many seeds are played (20 by default), `CONCLAVE_SEED` plays a single one.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::{
    env,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Instant,
};

use conclave_sim::{Outcome, run};

/// Seeds in the short form, as it runs with every change.
const DEFAULT_SEEDS: u64 = 20;

fn number(name: &str) -> Option<u64> {
    let word = env::var(name).ok()?;
    Some(word.trim().parse().unwrap_or_else(|_| panic!("{name} is \"{word}\"; a number is needed")))
}

fn play(seed: u64) -> Outcome {
    let begun = Instant::now();
    let outcome = run(seed, begun);
    println!(
        "seed {seed}: {} people, {} scenes, {:.0} simulated s in {:.1} s, {} frames sent, {} opened, {} epochs entered, \
         {} admissions, {} orders, at most {} rounds at once",
        outcome.people,
        outcome.scenes,
        outcome.elapsed.as_secs_f64(),
        begun.elapsed().as_secs_f64(),
        outcome.totals.sent,
        outcome.totals.opened,
        outcome.totals.epochs,
        outcome.totals.admitted,
        outcome.totals.orders,
        outcome.totals.longest_rush,
    );
    outcome
}

#[test]
fn meetings_keep_their_promises_whatever_the_network_and_people_do() {
    let seeds = match number("CONCLAVE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("CONCLAVE_SEEDS").unwrap_or(DEFAULT_SEEDS),
    };
    let next = AtomicU64::new(seeds.start);
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let failures: Vec<String> = thread::scope(|scope| {
        let work = || {
            let mut failures = Vec::new();
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= seeds.end {
                    return failures;
                }
                let outcome = play(seed);
                if let Some((scene, violation)) = outcome.violation {
                    let again = format!("CONCLAVE_SEED={seed} cargo nextest run -p conclave-simulation-tests");
                    failures.push(format!("seed {seed}, scene {scene}: {violation} (again: {again})"));
                }
            }
        };
        let started: Vec<_> = (0..workers)
            .map(|nth| thread::Builder::new().name(format!("meetings {nth}")).spawn_scoped(scope, work).unwrap())
            .collect();
        started.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    assert!(failures.is_empty(), "{} seeds failed:\n{}", failures.len(), failures.join("\n"));
}
