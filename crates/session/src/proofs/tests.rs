#![allow(clippy::unwrap_used)]

use std::{collections::BTreeMap, time::Instant};

use conclave_model::{LeafIndex, PeerId};
use sha2::Sha512;

use super::*;

mod held;
mod honest;
mod wire;

const LEAF: LeafIndex = LeafIndex(1);

/// Stands in for Ed25519: what only the holder of `key` is taken to be able to make.
fn sign(key: u8, epoch: Epoch, statement: &[u8]) -> Signature {
    Sha512::new().chain_update([key]).chain_update(epoch.0.to_be_bytes()).chain_update(statement).finalize().into()
}

/// A generator without much quality, but with a seed (Numerical Recipes' constants).
struct Noise(u64);

impl Noise {
    fn chance(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f64 / (1_u64 << 24) as f64
    }
}

/// One frame under way.
#[derive(Clone)]
struct Frame {
    head: FrameHead,
    sealed: Vec<u8>,
    proof: Vec<u8>,
    has_content: bool,
}

impl Frame {
    fn opened(&self) -> Opened<'_> {
        Opened { head: &self.head, sealed: &self.sealed, proof: &self.proof, has_content: self.has_content }
    }
}

/// An honest sender.
struct Sender {
    prover: Prover,
    track: TrackKind,
    next: BTreeMap<u8, u32>,
    loss: f32,
    epoch: Epoch,
}

impl Sender {
    fn new(track: TrackKind) -> Self {
        Self { prover: Prover::default(), track, next: BTreeMap::new(), loss: 0.0, epoch: Epoch(3) }
    }

    /// A frame, with the proof that is due.
    fn send(&mut self, layer: u8, now: Instant) -> Frame {
        let proof = self.proof(layer, now).unwrap_or_default();
        self.next(layer, proof, true, now)
    }

    /// A frame without any proof.
    fn send_content(&mut self, layer: u8, now: Instant) -> Frame {
        self.next(layer, Vec::new(), true, now)
    }

    /// The proof that is due, in a frame of its own.
    fn send_bare(&mut self, layer: u8, now: Instant) -> Option<Frame> {
        let proof = self.proof(layer, now)?;
        Some(self.next(layer, proof, false, now))
    }

    fn proof(&mut self, layer: u8, now: Instant) -> Option<Vec<u8>> {
        let epoch = self.epoch;
        let signer = |statement: &[u8]| sign(1, epoch, statement);
        self.prover.due(self.track, Layer(layer), self.loss, epoch, signer, now)
    }

    fn next(&mut self, layer: u8, proof: Vec<u8>, has_content: bool, now: Instant) -> Frame {
        let number = self.next.entry(layer).or_default();
        let head = head(self.track, layer, *number);
        let frame = Frame { head, sealed: number.to_be_bytes().to_vec(), proof, has_content };
        *number = number.wrapping_add(1);
        match has_content {
            true => self.prover.sent(&frame.head, &frame.sealed, now),
            false => self.prover.sent_bare(&frame.head, &frame.sealed, now),
        }
        frame
    }
}

fn head(track: TrackKind, layer: u8, number: u32) -> FrameHead {
    FrameHead { sender: PeerId(7), track, layer: Layer(layer), number, key: true, discardable: false, packets: 1 }
}

fn take(checker: &mut Checker, frame: &Frame, now: Instant) -> Result<(), Forgery> {
    check(checker, frame, now).map(|_| ())
}

/// Whether a frame is given out.
fn check(checker: &mut Checker, frame: &Frame, now: Instant) -> Result<Verdict, Forgery> {
    let verify = |epoch: Epoch, statement: &[u8], signature: &Signature| *signature == sign(1, epoch, statement);
    checker.check(LEAF, frame.opened(), verify, now)
}

fn forged(mut frame: Frame) -> Frame {
    frame.sealed.push(0xff);
    frame.proof.clear();
    frame
}

const SOUND: Duration = Duration::from_millis(20);

/// Sound for a time, of which a share is lost; what was made of it in the end, and how long after the start.
fn listen(loss: f64, known: bool, seed: u64, time: Duration) -> Result<(), (Forgery, Duration)> {
    let start = Instant::now();
    let mut noise = Noise(seed);
    let (mut sender, mut checker) = (Sender::new(TrackKind::Microphone), Checker::default());
    sender.loss = if known { loss as f32 } else { 0.0 };
    let mut at = Duration::ZERO;
    while at < time {
        let frame = sender.send(0, start + at);
        if noise.chance() >= loss {
            // Up to 60 ms late, as jitter has it.
            let came = start + at + SOUND.mul_f64(noise.chance() * 3.0);
            take(&mut checker, &frame, came).map_err(|forgery| (forgery, at))?;
        }
        at += SOUND;
    }
    Ok(())
}

#[test]
fn loss_alone_is_never_called_forgery() {
    for loss in [0.0, 0.01, 0.1, 0.3, 0.5] {
        for known in [true, false] {
            for seed in 0..40 {
                let heard = listen(loss, known, seed, Duration::from_secs(60));
                assert_eq!(heard, Ok(()), "{loss} lost, known to the sender: {known}, seed {seed}");
            }
        }
    }
}

#[test]
fn bursts_stalls_and_reordering_are_not_called_forgery() {
    for seed in 0..40 {
        let start = Instant::now();
        let mut noise = Noise(seed);
        let (mut sender, mut checker) = (Sender::new(TrackKind::Camera), Checker::default());
        let (mut burst, mut delayed, mut stall) = (0_u32, Vec::new(), Duration::ZERO);
        for step in 0..1800_u32 {
            let sent = start + Duration::from_millis(33) * step;
            let frame = sender.send(0, sent);
            if noise.chance() < 0.01 {
                burst = 20;
            }
            if noise.chance() < 0.003 {
                stall = Duration::from_millis(900);
            }
            stall = stall.saturating_sub(Duration::from_millis(33));
            burst = burst.saturating_sub(1);
            if burst > 0 {
                continue;
            }
            // A retransmission takes its time.
            let late = if noise.chance() < 0.1 { Duration::from_millis(300) } else { Duration::ZERO };
            delayed.push((sent + late.max(stall), frame));
            delayed.sort_by_key(|(at, _)| *at);
            while delayed.first().is_some_and(|(at, _)| *at <= sent) {
                let (at, frame) = delayed.remove(0);
                assert_eq!(take(&mut checker, &frame, at), Ok(()), "seed {seed}, step {step}");
            }
        }
    }
}

/// After two honest seconds of sound `tamper` has its way with each frame; what is found, and after how long.
fn attack(loss: f64, mut tamper: impl FnMut(u32, Frame) -> Vec<Frame>) -> Option<(Forgery, Duration)> {
    let start = Instant::now();
    let begins = Duration::from_secs(2);
    let mut noise = Noise(5);
    let (mut sender, mut checker) = (Sender::new(TrackKind::Microphone), Checker::default());
    for step in 0..2000_u32 {
        let at = SOUND * step;
        let frame = sender.send(0, start + at);
        let frames = if at < begins { vec![frame] } else { tamper(step - 100, frame) };
        for frame in frames {
            if noise.chance() >= loss
                && let Err(forgery) = take(&mut checker, &frame, start + at)
            {
                assert_eq!(take(&mut checker, &frame, start + at), Err(Forgery::Before));
                return Some((forgery, at - begins));
            }
        }
    }
    None
}

const SECOND: Duration = Duration::from_secs(1);

/// Frames without proofs are found after this time where nothing is lost, and where the relay goes on with another layer.
const UNPROVEN: Duration = Duration::from_millis(1000);
const UNPROVEN_ELSEWHERE: Duration = Duration::from_millis(1500);

#[test]
fn one_forged_frame_among_true_ones_is_found_by_the_next_proof() {
    for at in 0..30 {
        let (forgery, after) = attack(0.0, |step, frame| vec![if step == at { forged(frame) } else { frame }]).unwrap();
        assert_eq!(forgery, Forgery::Contradicted);
        assert!(after <= SOUND * at + Duration::from_millis(300), "{after:?}");
    }
}

#[test]
fn a_forged_frame_under_loss_is_found_within_a_second() {
    for loss in [0.1, 0.3] {
        // All from there on, so that loss cannot take the forged one; true proofs come through now and then.
        let tamper = |_, frame: Frame| vec![if frame.proof.is_empty() { forged(frame) } else { frame }];
        let (forgery, after) = attack(loss, tamper).unwrap();
        assert_eq!(forgery, Forgery::Contradicted);
        assert!(after < SECOND, "{after:?}");
    }
}

#[test]
fn frames_without_any_proof_are_found_soon_where_nothing_is_lost() {
    let (forgery, after) = attack(0.0, |_, frame| vec![forged(frame)]).unwrap();
    assert_eq!(forgery, Forgery::Unproven);
    assert!(after <= UNPROVEN + SOUND, "{after:?}");
}

#[test]
fn a_relay_that_loses_more_to_hide_missing_proofs_only_gains_seconds() {
    for (loss, seconds) in [(0.05, 4), (0.1, 5), (0.3, 8), (0.5, 14)] {
        let (_, after) = attack(loss, |_, frame| vec![forged(frame)]).unwrap();
        assert!(after <= SECOND * seconds, "{after:?} at {loss}");
    }
}

#[test]
fn words_replaced_one_by_one_are_found_in_the_end() {
    // Every second 280 ms are forged, and the two frames that would prove it are kept back.
    let tamper = |step: u32, frame: Frame| match step % 50 {
        20..34 => vec![forged(frame)],
        34..70 if !frame.proof.is_empty() => vec![],
        _ => vec![frame],
    };
    let (forgery, after) = attack(0.0, tamper).unwrap();
    assert!(matches!(forgery, Forgery::Withheld | Forgery::Contradicted | Forgery::Unproven), "{forgery:?}");
    assert!(after < Duration::from_secs(15), "{after:?}");
}

#[test]
fn a_track_whose_owner_is_silent_cannot_be_spoken_on_for_long() {
    let start = Instant::now();
    let mut checker = Checker::default();
    let found = (0..100).find_map(|step| {
        let frame =
            Frame { head: head(TrackKind::Camera, 5, 1000 + step), sealed: vec![1], proof: vec![], has_content: true };
        take(&mut checker, &frame, start + SOUND * step).err().map(|forgery| (forgery, SOUND * step))
    });
    assert_eq!(found, Some((Forgery::Unproven, UNPROVEN)));
}

#[test]
fn forged_frames_in_a_layer_that_the_owner_does_not_use_are_found_by_the_true_layer() {
    let start = Instant::now();
    let (mut sender, mut checker) = (Sender::new(TrackKind::Camera), Checker::default());
    let mut found = None;
    for step in 0..100 {
        let now = start + SOUND * step;
        if (20..24).contains(&step) {
            let frame =
                Frame { head: head(TrackKind::Camera, 5, step), sealed: vec![1], proof: vec![], has_content: true };
            assert_eq!(take(&mut checker, &frame, now), Ok(()));
        }
        if let Err(forgery) = take(&mut checker, &sender.send(0, now), now) {
            found.get_or_insert((forgery, SOUND * (step - 20)));
        }
    }
    assert_eq!(found, Some((Forgery::Unproven, UNPROVEN_ELSEWHERE)));
}

#[test]
fn a_relay_may_switch_between_layers_and_stop_forwarding() {
    let start = Instant::now();
    let (mut sender, mut checker) = (Sender::new(TrackKind::Camera), Checker::default());
    for step in 0..2000_u32 {
        let now = start + Duration::from_millis(33) * step;
        let frames = [0, 1, 2].map(|layer| sender.send(layer, now));
        // Each layer for a second and a half; now and then none at all.
        if step % 300 < 250 {
            let shown = &frames[(step / 45 % 3) as usize];
            assert_eq!(take(&mut checker, shown, now), Ok(()), "step {step}");
        }
    }
}

#[test]
fn pauses_are_no_forgery_and_what_came_before_them_is_proven_after() {
    let start = Instant::now();
    let (mut sender, mut checker) = (Sender::new(TrackKind::Microphone), Checker::default());
    let mut now = start;
    for talk in 0..20_u32 {
        for _ in 0..(talk * 7) % 40 {
            now += SOUND;
            assert_eq!(take(&mut checker, &sender.send(0, now), now), Ok(()), "talk {talk}");
        }
        // Silence is sent as one frame now and then.
        for _ in 0..talk % 4 {
            now += Duration::from_millis(400);
            assert_eq!(take(&mut checker, &sender.send(0, now), now), Ok(()), "silence {talk}");
        }
        now += SECOND * (talk % 3) * 100;
    }
    let last = forged(sender.send(0, now));
    assert_eq!(take(&mut checker, &last, now), Ok(()));
    now += SECOND * 3600;
    let first = sender.send(0, now);
    assert_eq!(take(&mut checker, &first, now), Err(Forgery::Contradicted), "an hour later");
}

#[test]
fn numbers_wrap_without_a_trace() {
    let start = Instant::now();
    let (mut sender, mut checker) = (Sender::new(TrackKind::Microphone), Checker::default());
    sender.next.insert(0, u32::MAX - 100);
    for step in 0..300 {
        let now = start + SOUND * step;
        assert_eq!(take(&mut checker, &sender.send(0, now), now), Ok(()), "step {step}");
    }
}

/// An honest start, and the first frame after it that carries a proof.
fn honest_start(checker: &mut Checker) -> (Sender, Frame, Instant) {
    let mut now = Instant::now();
    let mut sender = Sender::new(TrackKind::Microphone);
    for _ in 0..50 {
        now += SOUND;
        assert_eq!(take(checker, &sender.send(0, now), now), Ok(()));
    }
    loop {
        now += SOUND;
        let frame = sender.send(0, now);
        if !frame.proof.is_empty() {
            return (sender, frame, now);
        }
        assert_eq!(take(checker, &frame, now), Ok(()));
    }
}

#[test]
fn a_proof_of_another_track_frame_epoch_or_member_fails() {
    let after = |change: &dyn Fn(&mut Frame)| {
        let mut checker = Checker::default();
        let (_, mut frame, now) = honest_start(&mut checker);
        change(&mut frame);
        take(&mut checker, &frame, now)
    };
    assert_eq!(after(&|_| {}), Ok(()));
    assert_eq!(after(&|frame| frame.head.number += 1), Err(Forgery::Malformed), "another frame");
    assert_eq!(after(&|frame| frame.proof[7] ^= 1), Err(Forgery::Signature), "another epoch");
    assert_eq!(after(&|frame| frame.proof[20] ^= 1), Err(Forgery::Signature), "another hash");
    assert_eq!(after(&|frame| *frame.proof.last_mut().unwrap() ^= 1), Err(Forgery::Signature));
    assert_eq!(after(&|frame| frame.proof.push(0)), Err(Forgery::Malformed));
    assert_eq!(after(&|frame| frame.proof.truncate(100)), Err(Forgery::Malformed));

    let mut checker = Checker::default();
    let (_, mut frame, now) = honest_start(&mut checker);
    frame.head.track = TrackKind::ScreenAudio;
    assert_eq!(take(&mut checker, &frame, now), Err(Forgery::Signature), "another track");

    let (_, frame, now) = honest_start(&mut Checker::default());
    let mine = |epoch: Epoch, statement: &[u8], signature: &Signature| *signature == sign(2, epoch, statement);
    let result = checker.check(LeafIndex(2), frame.opened(), mine, now);
    assert_eq!(result, Err(Forgery::Signature), "another member");
}

#[test]
fn the_head_of_a_frame_is_proven_with_it() {
    let found = attack(0.0, |step, mut frame| {
        frame.head.key ^= step == 5;
        vec![frame]
    });
    assert_eq!(found.map(|(forgery, _)| forgery), Some(Forgery::Contradicted));
}

#[test]
fn two_frames_of_one_number_and_numbers_that_run_backwards_are_forged() {
    let mut checker = Checker::default();
    let (mut sender, frame, now) = honest_start(&mut checker);
    assert_eq!(take(&mut checker, &frame, now), Ok(()));
    let next = sender.send(0, now + SOUND);
    assert_eq!(take(&mut checker, &next, now + SOUND), Ok(()));
    assert_eq!(take(&mut checker, &forged(next), now + SOUND), Err(Forgery::Twice));

    let mut checker = Checker::default();
    let (_, mut frame, now) = honest_start(&mut checker);
    let proven = Frame {
        head: head(TrackKind::Microphone, 0, frame.head.number - 20),
        sealed: vec![],
        proof: vec![],
        has_content: true,
    };
    assert_eq!(take(&mut checker, &frame, now), Ok(()));
    assert_eq!(take(&mut checker, &proven, now), Err(Forgery::Contradicted), "proven before it came");

    let mut checker = Checker::default();
    let (mut sender, ..) = honest_start(&mut checker);
    frame.head.number += 100_000;
    assert_eq!(take(&mut checker, &forged(frame), now), Ok(()));
    assert_eq!(take(&mut checker, &sender.send(0, now), now), Err(Forgery::Backwards));
}

#[test]
fn a_forged_track_stays_forged_until_its_member_goes_and_others_are_untouched() {
    let mut checker = Checker::default();
    let (mut sender, frame, now) = honest_start(&mut checker);
    let mut other = Sender::new(TrackKind::Camera);
    assert_eq!(take(&mut checker, &other.send(0, now), now), Ok(()));
    let mut bad = frame;
    *bad.proof.last_mut().unwrap() ^= 1;
    assert_eq!(take(&mut checker, &bad, now), Err(Forgery::Signature));
    assert_eq!(take(&mut checker, &sender.send(0, now), now), Err(Forgery::Before));
    assert_eq!(take(&mut checker, &other.send(0, now + SOUND), now + SOUND), Ok(()));
    checker.forget(LEAF);
    assert_eq!(take(&mut checker, &sender.send(0, now), now), Ok(()));
}

#[test]
fn memory_stays_bounded_under_a_flood() {
    let now = Instant::now();
    let mut checker = Checker::default();
    let mut most = 0;
    for number in 0..5000 {
        let frame =
            Frame { head: head(TrackKind::Microphone, 0, number), sealed: vec![], proof: vec![], has_content: true };
        let result = take(&mut checker, &frame, now);
        most = most.max(checker.unproven());
        assert_eq!(result.is_err(), number >= 1024, "{number}");
    }
    assert_eq!(most, 1024);
    assert_eq!(checker.unproven(), 0);
}
