//! What proofs of authenticity cost: `cargo run --release --package conclave-session --example proofs`.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement")]

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use conclave_e2ee::{Leaf, Rules, Work};
use conclave_identity::issue::{Rehearsal, RehearsalSpec};
use conclave_model::{Layer, PeerId, TrackKind, wire::FrameHead};
use conclave_session::proofs::{Checker, Opened, Prover};

const WALL: u64 = 1_800_000_000;
const SECONDS: u32 = 60;

fn main() {
    let rehearsal = Rehearsal::new(&RehearsalSpec::new(2, WALL)).unwrap();
    let rules = Rules::new(rehearsal.invitation.clone(), rehearsal.holders[0].root().clone());
    let leaf = |number: usize| Leaf::new(&rehearsal.holders[number], rules.clone()).unwrap();
    let (mut alice, bob) = (leaf(0).create(WALL).unwrap(), leaf(1));
    let work = Work { add: vec![(bob.reference(), bob.key_package())], ..Work::default() };
    let welcome = alice.commit(&work, WALL).unwrap().pending.unwrap().welcome.unwrap();
    alice.commit_accepted().unwrap();
    alice.use_sending_epoch(alice.epoch());
    let bob = bob.join(&welcome, WALL).unwrap();

    for (name, track, rate, length) in
        [("microphone", TrackKind::Microphone, 50, 120), ("camera", TrackKind::Camera, 30, 6000)]
    {
        let (mut prover, mut checker) = (Prover::default(), Checker::default());
        let (mut sending, mut receiving, mut bytes) = (Duration::ZERO, Duration::ZERO, 0);
        let start = Instant::now();
        for number in 0..rate * SECONDS {
            let now = start + Duration::from_secs(1) / rate * number;
            let (sender, layer) = (PeerId(1), Layer(0));
            let head = FrameHead { sender, track, layer, number, key: true, discardable: false, packets: 1 };
            let sealed = vec![number as u8; length];
            let begun = Instant::now();
            let sign = |statement: &[u8]| alice.prove(statement);
            let proof = prover.due(track, layer, 0.0, alice.sending_epoch(), sign, now).unwrap_or_default();
            prover.sent(&head, &sealed, now);
            sending += begun.elapsed();
            bytes += 2 + proof.len();
            let begun = Instant::now();
            let verify = |epoch, statement: &[u8], by: &[u8; 64]| bob.check_proof(alice.me(), epoch, statement, by);
            let opened = Opened { head: &head, sealed: &sealed, proof: &proof, has_content: true };
            black_box(checker.check(alice.me(), opened, verify, now)).unwrap();
            receiving += begun.elapsed();
        }
        let each = |time: Duration| time.as_secs_f64() * 1e6 / f64::from(SECONDS);
        println!(
            "{name}: {} bytes/s; {:.0} µs a second to make, {:.0} µs to check",
            bytes / SECONDS as usize,
            each(sending),
            each(receiving)
        );
    }
}
