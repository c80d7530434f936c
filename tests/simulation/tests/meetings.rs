//! Meetings with loss, reordering, leaves, crashes and rejoins, by seed: most small and short, some of up to 27. Every
//! third has a lobby and a chair who admits, locks, ejects and changes the level.

use conclave_sim::{run, run_short};
use conclave_simulation_tests::{Kind, play_all, seeds};

/// Seeds in the short form, as it runs with every change.
const DEFAULT_SEEDS: u64 = 40;

/// Every so many seeds one is a long meeting.
const LONG_EVERY: u64 = 50;

fn part(part: u64) {
    let test = format!("meetings_keep_their_promises_whatever_the_network_and_people_do_{part}");
    play_all(&test, &seeds(Kind::Honest, part, DEFAULT_SEEDS), |seed, base| {
        if seed % LONG_EVERY == LONG_EVERY / 2 { run(seed / LONG_EVERY, base) } else { run_short(seed, base) }
    });
}

#[test]
fn meetings_keep_their_promises_whatever_the_network_and_people_do_0() {
    part(0);
}

#[test]
fn meetings_keep_their_promises_whatever_the_network_and_people_do_1() {
    part(1);
}

#[test]
fn meetings_keep_their_promises_whatever_the_network_and_people_do_2() {
    part(2);
}

#[test]
fn meetings_keep_their_promises_whatever_the_network_and_people_do_3() {
    part(3);
}
