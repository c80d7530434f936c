//! Hostile moves: by the relay, a member, both, and who wants to come in.

#![allow(clippy::print_stdout)]

use std::time::Instant;

use conclave_sim::{Move, run_hostile};
use conclave_simulation_tests::{Kind, TABLE, play_all, row, seeds};

/// Seeds in the short form: some of each move.
const DEFAULT_SEEDS: u64 = 2 * TABLE.len() as u64;

fn part(part: u64) {
    let test = format!("hostile_moves_come_to_what_the_table_says_{part}");
    play_all(&test, &seeds(Kind::Hostile, part, DEFAULT_SEEDS), |seed, base| run_hostile(row(seed), seed, base));
}

#[test]
fn hostile_moves_come_to_what_the_table_says_0() {
    part(0);
}

#[test]
fn hostile_moves_come_to_what_the_table_says_1() {
    part(1);
}

#[test]
fn hostile_moves_come_to_what_the_table_says_2() {
    part(2);
}

#[test]
fn hostile_moves_come_to_what_the_table_says_3() {
    part(3);
}

#[test]
fn a_forged_picture_is_named_to_all_who_watch_it_where_not_everybody_does() {
    let row = TABLE.iter().find(|row| row.action == Move::VoiceForged).expect("it is in the table");
    let mut people = Vec::new();
    for seed in [40, 81, 122, 163] {
        let played = run_hostile(row, seed, Instant::now());
        assert_eq!(played.violation, None, "seed {seed}");
        people.push(played.people);
    }
    assert!(people.iter().any(|people| *people > 7), "each watches six others: {people:?}");
}

#[test]
fn every_move_is_in_the_table_once() {
    println!("{:<9}{:<72}{:<12}within", "who", "what", "comes to");
    for row in TABLE {
        let (by, outcome) = (format!("{:?}", row.by), format!("{:?}", row.outcome));
        println!("{by:<9}{:<72}{outcome:<12}{:.1} s", row.what, row.within.as_secs_f64());
    }
    let mut moves: Vec<_> = TABLE.iter().map(|row| row.action).collect();
    moves.sort_unstable();
    moves.dedup();
    assert_eq!(moves.len(), TABLE.len(), "a move has two outcomes");
    assert_eq!(moves, conclave_sim::Move::ALL, "a move has no outcome");
}
