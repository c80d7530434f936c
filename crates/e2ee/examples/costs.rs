//! What an epoch and a frame cost: `cargo run --release -p conclave-e2ee --example costs`.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use conclave_e2ee::{Group, Leaf, Order, PendingCommit, Rules, Work};
use conclave_identity::issue::{Rehearsal, RehearsalSpec};
use conclave_model::{Fingerprint, Layer, LeafRef, Level, PeerId, TrackKind, wire::FrameHead};

const WALL: u64 = 1_800_000_000;

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let begun = Instant::now();
    let done = work();
    (done, begun.elapsed())
}

fn leaf(rehearsal: &Rehearsal, rules: &Arc<Rules>, person: usize) -> Leaf {
    Leaf::new(&rehearsal.holders[person], rules.clone()).unwrap()
}

fn show(what: &str, commit: &PendingCommit, made: Duration, followed: Duration) {
    let welcome = commit.welcome.as_ref().map_or(0, Bytes::len);
    println!(
        "  {what}: made in {:.1} ms, followed in {:.1} ms; commit {:.1} kB, welcome {:.1} kB",
        made.as_secs_f64() * 1e3,
        followed.as_secs_f64() * 1e3,
        commit.commit.len() as f64 / 1e3,
        welcome as f64 / 1e3,
    );
}

/// One commit of the first of `groups`, followed by the second.
fn commit(groups: &mut [Group], what: &str, work: &Work) -> PendingCommit {
    let (made, making) = timed(|| groups[0].commit(work, WALL).unwrap().pending.unwrap());
    let (_, following) = timed(|| groups[1].handle_commit(made.epoch, &made.commit, &|_| true, WALL).unwrap());
    groups[0].commit_accepted().unwrap();
    show(what, &made, making, following);
    made
}

fn add(add: Vec<(LeafRef, Bytes)>) -> Work {
    Work { add, ..Work::default() }
}

fn epochs(people: usize) {
    println!("{people} members");
    let mut rehearsal = Rehearsal::new(&RehearsalSpec::new(people, WALL)).unwrap();
    let originator = Fingerprint(rehearsal.holders[1].person().fingerprint);
    let invitation = rehearsal.reissue(|content| content.originator = Some(originator)).unwrap().clone();
    let mut rules = Rules::clone(&Rules::new(invitation, rehearsal.authority.root().clone()));
    rules.ceiling = Level::Secret;
    let rules = Arc::new(rules);
    let (second, making) = timed(|| leaf(&rehearsal, &rules, 1));
    println!(
        "  a leaf: {:.1} ms, key package {:.1} kB",
        making.as_secs_f64() * 1e3,
        second.key_package().len() as f64 / 1e3
    );
    let mut first = leaf(&rehearsal, &rules, 0).create(WALL).unwrap();
    let made = first.commit(&add(vec![(second.reference(), second.key_package())]), WALL).unwrap().pending.unwrap();
    first.commit_accepted().unwrap();
    let mut groups = vec![first, second.join(&made.welcome.unwrap(), WALL).unwrap()];

    let leaves: Vec<Leaf> = (2..people).map(|person| leaf(&rehearsal, &rules, person)).collect();
    let newcomers: Vec<_> = leaves.iter().map(|leaf| (leaf.reference(), leaf.key_package())).collect();
    let made = commit(&mut groups, "everybody at once", &add(newcomers));
    let welcome = made.welcome.unwrap();
    let (_, joining) = timed(|| leaves.into_iter().next_back().unwrap().join(&welcome, WALL).unwrap());
    println!("  joining: {:.1} ms", joining.as_secs_f64() * 1e3);

    let gone = groups[0].members().last().unwrap().reference;
    commit(&mut groups, "one goes", &Work { remove: vec![gone], ..Work::default() });
    let again = leaf(&rehearsal, &rules, people - 1);
    commit(&mut groups, "one comes", &add(vec![(again.reference(), again.key_package())]));
    for group in &mut groups {
        group.use_sending_epoch(group.epoch());
    }
    lead(&mut groups, &rehearsal);
    if people < 50 {
        signs(&mut groups);
        frames(&mut groups);
    }
}

/// Orders of the chair, the originator's consent, fresh keys.
fn lead(groups: &mut [Group], rehearsal: &Rehearsal) {
    let order = |order| Work { order: Some(order), ..Work::default() };
    commit(groups, "fresh keys", &Work { renew: true, ..Work::default() });
    commit(groups, "the meeting is locked", &order(Order::Lock(true)));
    commit(groups, "the level rises", &order(Order::Level { to: Level::Secret, consent: None }));
    let (consent, signing) = timed(|| groups[1].make_consent(&rehearsal.holders[1], Level::Restricted).unwrap());
    let (_, checking) = timed(|| groups[0].check_consent(&consent, WALL).unwrap());
    println!(
        "  the originator's consent: signed in {:.1} ms, checked in {:.1} ms, {:.1} kB",
        signing.as_secs_f64() * 1e3,
        checking.as_secs_f64() * 1e3,
        consent.to_bytes().len() as f64 / 1e3,
    );
    commit(groups, "the level falls", &order(Order::Level { to: Level::Restricted, consent: Some(consent) }));
    let gone = groups[0].members().last().unwrap().reference;
    commit(groups, "one is ejected", &order(Order::Eject(gone)));
    let (_, deriving) = timed(|| black_box(groups[0].words()));
    println!(
        "  words: {:.0} µs; memory {:.1} kB",
        deriving.as_secs_f64() * 1e6,
        groups[0].memory().to_bytes().len() as f64 / 1e3
    );
}

/// Signs of life, proofs about media.
fn signs(groups: &mut [Group]) {
    const ROUNDS: u32 = 2000;
    let micros = |time: Duration| time.as_secs_f64() * 1e6 / f64::from(ROUNDS);
    let (pulses, making) = timed(|| (0..ROUNDS).map(|_| groups[0].pulse()).collect::<Vec<_>>());
    let (_, hearing) = timed(|| pulses.iter().map(|pulse| black_box(groups[1].hear_pulse(pulse).unwrap())).count());
    println!(
        "  a sign of life of {} B: made in {:.1} µs, heard in {:.1} µs",
        pulses[0].len(),
        micros(making),
        micros(hearing)
    );
    // The hashes of 400 ms of a picture at 30 frames a second.
    let statement = [7; 12 * 8];
    let (leaf, epoch) = (groups[0].me(), groups[0].sending_epoch());
    let (proofs, proving) = timed(|| (0..ROUNDS).map(|_| groups[0].prove(&statement)).collect::<Vec<_>>());
    let (_, checking) =
        timed(|| proofs.iter().for_each(|proof| assert!(groups[1].check_proof(leaf, epoch, &statement, proof))));
    println!(
        "  a proof of {} B: made in {:.1} µs, checked in {:.1} µs",
        proofs[0].len(),
        micros(proving),
        micros(checking)
    );
}

fn frames(groups: &mut [Group]) {
    for length in [80, 1200, 50_000] {
        const ROUNDS: u32 = 2000;
        let plaintext = vec![7; length];
        let head = |number| FrameHead {
            sender: PeerId(1),
            track: TrackKind::Camera,
            layer: Layer(0),
            number,
            key: true,
            discardable: false,
            packets: 1,
        };
        let seal = |number| groups[0].seal_frame(&head(number), &plaintext).unwrap();
        let (sealed, sealing) = timed(|| (0..ROUNDS).map(seal).collect::<Vec<_>>());
        let (_, opening) = timed(|| {
            for (number, frame) in (0..ROUNDS).zip(&sealed) {
                black_box(groups[1].open_frame(&head(number), frame).unwrap());
            }
        });
        let micros = |time: Duration| time.as_secs_f64() * 1e6 / f64::from(ROUNDS);
        let overhead = sealed[0].len() - length;
        println!(
            "  a frame of {length} B: sealed in {:.2} µs, opened in {:.2} µs, {overhead} B more",
            micros(sealing),
            micros(opening)
        );
    }
}

fn main() {
    epochs(6);
    epochs(27);
    epochs(100);
}
