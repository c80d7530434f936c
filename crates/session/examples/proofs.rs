//! What proofs of authenticity cost, and how often an honest track is held:
//! `cargo run --release --package conclave-session --example proofs`.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement")]

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use conclave_e2ee::{Group, Leaf, Rules, Work};
use conclave_identity::issue::{Rehearsal, RehearsalSpec};
use conclave_model::{Layer, PeerId, TrackKind, wire::FrameHead};
use conclave_session::proofs::{Checker, Opened, Prover};

const WALL: u64 = 1_800_000_000;
const SECONDS: u32 = 60;
const TICK: Duration = Duration::from_millis(1);

/// Inside the seal of a frame that carries a proof: the length of the proof, and what else a frame without content has.
const LENGTH: usize = 2;
const BARE: usize = 15;

/// A track that is sent.
struct Source {
    name: &'static str,
    track: TrackKind,
    layers: u8,
    every: Duration,
    length: usize,
    loss: f32,
}

/// What its proofs take: bytes in all, and the time to make and to check them.
#[derive(Default)]
struct Cost {
    bytes: usize,
    making: Duration,
    checking: Duration,
}

/// A sender, and somebody who receives all layers.
struct Pair<'a> {
    groups: &'a [Group; 2],
    source: &'a Source,
    prover: Prover,
    checker: Checker,
    numbers: Vec<u32>,
    cost: Cost,
}

impl Pair<'_> {
    /// Sends a frame with content, or one for the proof that is due.
    fn send(&mut self, layer: u8, has_content: bool, now: Instant) {
        let (&Source { track, length, loss, .. }, [alice, bob]) = (self.source, self.groups);
        let number = self.numbers.get_mut(usize::from(layer)).unwrap();
        let head = FrameHead {
            sender: PeerId(1),
            track,
            layer: Layer(layer),
            number: *number,
            key: true,
            discardable: false,
            packets: 1,
        };
        *number += 1;
        let sealed = vec![head.number as u8; if has_content { length } else { 200 }];
        let begun = Instant::now();
        let may_carry = !has_content || !track.is_video();
        let sign = |statement: &[u8]| alice.prove(statement);
        let due = may_carry.then(|| self.prover.due(track, head.layer, loss, alice.sending_epoch(), sign, now));
        let proof = due.flatten().unwrap_or_default();
        match has_content {
            true => self.prover.sent(&head, &sealed, now),
            false => self.prover.sent_bare(&head, &sealed, now),
        }
        self.cost.making += begun.elapsed();
        self.cost.bytes += proof.len() + if has_content { LENGTH } else { BARE };
        let begun = Instant::now();
        let verify = |epoch, statement: &[u8], by: &[u8; 64]| bob.check_proof(alice.me(), epoch, statement, by);
        let opened = Opened { head: &head, sealed: &sealed, proof: &proof, has_content };
        black_box(self.checker.check(alice.me(), opened, verify, now)).unwrap();
        self.cost.checking += begun.elapsed();
    }

    fn run(mut self) -> Cost {
        let start = Instant::now();
        let mut next = start;
        for step in 0..SECONDS * 1000 {
            let now = start + TICK * step;
            if next <= now {
                next += self.source.every;
                (0..self.source.layers).for_each(|layer| self.send(layer, true, now));
            }
            for (_, layer) in self.prover.late(self.source.loss, now) {
                self.send(layer.0, false, now);
            }
        }
        self.cost
    }
}

fn costs() {
    let rehearsal = Rehearsal::new(&RehearsalSpec::new(2, WALL)).unwrap();
    let rules = Rules::new(rehearsal.invitation.clone(), rehearsal.holders[0].root().clone());
    let leaf = |number: usize| Leaf::new(&rehearsal.holders[number], rules.clone()).unwrap();
    let (mut alice, bob) = (leaf(0).create(WALL).unwrap(), leaf(1));
    let work = Work { add: vec![(bob.reference(), bob.key_package())], ..Work::default() };
    let welcome = alice.commit(&work, WALL).unwrap().pending.unwrap().welcome.unwrap();
    alice.commit_accepted().unwrap();
    alice.use_sending_epoch(alice.epoch());
    let groups = [alice, bob.join(&welcome, WALL).unwrap()];

    let (sound, picture) = (Duration::from_millis(20), Duration::from_micros(33_333));
    let source = |name, track, layers, every, length, loss| Source { name, track, layers, every, length, loss };
    for source in [
        source("microphone", TrackKind::Microphone, 1, sound, 120, 0.0),
        source("microphone, from 3 % loss on", TrackKind::Microphone, 1, sound, 120, 0.05),
        source("camera", TrackKind::Camera, 1, picture, 6000, 0.0),
        source("camera, from 3 % loss on", TrackKind::Camera, 1, picture, 6000, 0.05),
        source("camera, three layers together", TrackKind::Camera, 3, picture, 6000, 0.0),
    ] {
        let (prover, checker) = (Prover::default(), Checker::default());
        let numbers = vec![0; usize::from(source.layers)];
        let pair = Pair { groups: &groups, source: &source, prover, checker, numbers, cost: Cost::default() };
        let Cost { bytes, making, checking } = pair.run();
        let each = |time: Duration| time.as_secs_f64() * 1e3 / f64::from(SECONDS);
        let (making, checking) = (each(making), each(checking));
        let bytes = bytes / SECONDS as usize;
        println!("{:<30} {bytes:>6} bytes/s {making:>7.2} ms/s to make {checking:>7.2} ms/s to check", source.name);
    }
}

/// How often in a minute all the proofs of a second are lost, if so many milliseconds lie between two of them, each of the
/// line's packets is lost with this chance, in bursts of three packets of sound or by itself, and what is lost is asked
/// for again after `again` milliseconds, five times at most: the request and what it brings must both come, in time.
fn holds(every: u32, loss: f64, in_bursts: bool, again: Option<u32>) -> f64 {
    const SECOND: u32 = 1000;
    const REPEATS: u32 = 5;
    const PACKET: u32 = 20;
    let proofs = SECOND / every;
    // A line that is bad or good (Gilbert): it stays bad for three packets on average.
    let back = 1.0 / 3.0;
    let memory = if in_bursts { 1.0 - back - back * loss / (1.0 - loss) } else { 0.0 };
    let still = loss + (1.0 - loss) * memory.powi((every / PACKET).cast_signed());
    let left = |proof: u32| again.map_or(0, |again| ((SECOND - proof * every).div_ceil(again).max(1) - 1).min(REPEATS));
    let repeats: u32 = (1..=proofs).map(left).sum();
    let in_vain = (1.0 - (1.0 - loss) * (1.0 - loss)).powi(repeats.cast_signed());
    f64::from(60 * SECOND / every) * loss * still.powi(proofs.cast_signed() - 1) * in_vain
}

fn main() {
    costs();
    println!("\nholds of an honest track in a minute, what is lost asked for again after 100 ms, 250 ms, never");
    for (loss, in_bursts) in [(0.05, false), (0.1, false), (0.2, false), (0.2, true), (0.3, false), (0.5, false)] {
        let kind = if in_bursts { " in bursts" } else { "" };
        let row = |every| [Some(100), Some(250), None].map(|again| holds(every, loss, in_bursts, again));
        println!("{:>3.0} %{kind:<12} known {:>9.0e} unknown {:>9.0e}", loss * 100.0, Row(row(100)), Row(row(200)));
    }
}

/// Some chances beside each other.
struct Row([f64; 3]);

impl std::fmt::LowerExp for Row {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|chance| write!(formatter, "{chance:>7.0e} "))
    }
}
