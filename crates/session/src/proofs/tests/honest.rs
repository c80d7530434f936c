//! Honest senders whom the network makes look odd.

use super::*;

const PICTURE: Duration = Duration::from_millis(33);

/// Takes frames in, by their place in `frames`, each so long after the one before.
fn take_all(frames: &[Frame], order: impl IntoIterator<Item = usize>, every: Duration) -> Checker {
    let (mut checker, mut now) = (Checker::default(), Instant::now());
    for at in order {
        now += every;
        assert_eq!(take(&mut checker, &frames[at], now), Ok(()), "frame {at}");
    }
    checker
}

/// So many frames of one layer, one each `every`.
fn sent(track: TrackKind, every: Duration, count: u32) -> Vec<Frame> {
    let (start, mut sender) = (Instant::now(), Sender::new(track));
    (0..count).map(|step| sender.send(0, start + every * step)).collect()
}

#[test]
fn a_late_frame_from_before_the_first_whose_proofs_never_came_is_not_called_forged() {
    // Seed 17 of the simulation: a newcomer opens frame 29, then 25; what lies between was lost.
    for gap in 2..60 {
        let frames = sent(TrackKind::Camera, PICTURE, 300);
        take_all(&frames, [100, 100 - gap].into_iter().chain(101..300), PICTURE);
    }
    let frames = sent(TrackKind::Camera, Duration::from_millis(250), 60);
    take_all(&frames, [29, 25].into_iter().chain(30..60), Duration::from_millis(250));
}

#[test]
fn a_frame_that_comes_after_its_late_proof_is_not_called_forged() {
    // Seed 17 again: 71 and 72 first, then those before them, 63 last of all.
    let every = Duration::from_millis(100);
    let frames = sent(TrackKind::Microphone, every, 120);
    take_all(&frames, [71, 72, 62, 64, 65, 66, 67, 68, 69, 70, 63].into_iter().chain(73..120), every);
    let frames = sent(TrackKind::Microphone, SOUND, 400);
    for late in 100..130 {
        let order = [131, 132].into_iter().chain((98..131).filter(|at| *at != late)).chain([late]).chain(133..400);
        take_all(&frames, order, SOUND);
    }
}

#[test]
fn what_was_lost_before_and_came_late_does_not_make_up_for_proofs_that_are_lost() {
    let frames = sent(TrackKind::Camera, PICTURE, 300);
    let proofs: Vec<usize> = (100..300).filter(|at| !frames[*at].proof.is_empty()).take(3).collect();
    for at in proofs[0] + 3..proofs[1] {
        // Three frames come late, after this one; then both of its proofs are lost.
        let late = [at - 3, at - 2, at - 1];
        let is_lost = |other: &usize| proofs[1..].contains(other);
        let order = (0..at - 3).chain([at]).chain(late).chain((at + 1..300).filter(|other| !is_lost(other)));
        take_all(&frames, order, PICTURE);
    }
}

#[test]
fn silence_and_short_words_with_few_losses_are_not_called_forged() {
    for seed in 0..60 {
        let (mut noise, mut now) = (Noise(seed), Instant::now());
        let (mut sender, mut checker) = (Sender::new(TrackKind::Microphone), Checker::default());
        let loss = [0.0, 0.01, 0.04][seed as usize % 3];
        for word in 0..300 {
            let frames = (noise.chance() * 40.0) as u32;
            let pauses = (noise.chance() * 6.0) as u32;
            for step in 0..frames + pauses {
                now += if step < frames { SOUND } else { Duration::from_millis(400) };
                let frame = sender.send(0, now);
                if noise.chance() >= loss {
                    assert_eq!(take(&mut checker, &frame, now), Ok(()), "seed {seed}, word {word}, {loss} lost");
                }
            }
        }
    }
    // An hour of silence.
    take_all(&sent(TrackKind::Microphone, Duration::from_millis(400), 9000), 0..9000, Duration::from_millis(400));
}

#[test]
fn each_frame_is_proven_twice_however_unevenly_frames_come() {
    for seed in 0..100 {
        let (mut noise, mut now) = (Noise(seed), Instant::now());
        let mut sender = Sender::new(TrackKind::Microphone);
        let mut proven = BTreeMap::new();
        for _ in 0..500 {
            now += Duration::from_millis(1 + (noise.chance().powi(4) * 900.0) as u64);
            let frame = sender.send(0, now);
            let Some(proof) = Proof::from_bytes(&frame.proof) else { continue };
            for (number, _) in proof.sections[0].numbered() {
                *proven.entry(number).or_insert(0) += 1;
            }
        }
        assert!((0..400).all(|number| proven[&number] >= 2), "seed {seed}");
    }
}

#[test]
fn a_relay_that_changes_layers_with_a_pause_and_one_loss_is_no_forger() {
    // Which frame of the next layer is lost, and how long the relay passes nothing on before it.
    for (pause, lost) in (0..12).flat_map(|pause| (0..40).map(move |lost| (pause, lost))) {
        let start = Instant::now();
        let (mut sender, mut checker) = (Sender::new(TrackKind::Camera), Checker::default());
        for step in 0..220_u32 {
            let now = start + PICTURE * step;
            let frames = [0, 1].map(|layer| sender.send(layer, now));
            let shown = if step < 100 { &frames[0] } else { &frames[1] };
            if !(100..100 + pause).contains(&step) && step != 100 + pause + lost {
                assert_eq!(take(&mut checker, shown, now), Ok(()), "step {step}, pause {pause}, lost {lost}");
            }
        }
    }
}

#[test]
fn a_growing_delay_and_one_loss_are_not_called_forgery() {
    let frames = sent(TrackKind::Microphone, SOUND, 400);
    for lost in 100..140 {
        let (mut checker, mut now) = (Checker::default(), Instant::now());
        for (at, frame) in frames.iter().enumerate().filter(|(at, _)| *at != lost) {
            // For a while each frame takes longer than the one before: the queue on the way fills up.
            now += if (95..170).contains(&at) { SOUND * 2 } else { SOUND };
            assert_eq!(take(&mut checker, frame, now), Ok(()), "frame {at}, lost {lost}");
        }
    }
}

#[test]
fn frames_that_are_late_do_not_hide_forged_ones() {
    // Each forged frame takes the place of one that was held back, so that no number is missing in the end.
    let frames = sent(TrackKind::Microphone, SOUND, 400);
    let (mut checker, mut now, mut found) = (Checker::default(), Instant::now(), None);
    for at in 100..400 {
        let at = if at % 2 == 0 { at + 1 } else { at - 1 };
        now += SOUND;
        let result = take(&mut checker, &if at < 150 { frames[at].clone() } else { forged(frames[at].clone()) }, now);
        found = found.or(result.err().map(|forgery| (forgery, at)));
    }
    assert!(matches!(found, Some((Forgery::Unproven, 150..=227))), "{found:?}");
}

#[test]
fn what_another_layer_lost_before_does_not_excuse_forged_frames() {
    let (mut checker, start) = (Checker::default(), Instant::now());
    let frames = sent(TrackKind::Camera, SOUND, 200);
    let found = (0..200_u32).filter(|step| !(10..15).contains(step)).find_map(|step| {
        let now = start + SOUND * step;
        if (20..24).contains(&step) {
            let false_one =
                Frame { head: head(TrackKind::Camera, 5, step), sealed: vec![1], proof: vec![], has_content: true };
            assert_eq!(take(&mut checker, &false_one, now), Ok(()));
        }
        take(&mut checker, &frames[step as usize], now).err().map(|forgery| (forgery, SOUND * (step - 20)))
    });
    assert_eq!(found, Some((Forgery::Unproven, UNPROVEN_ELSEWHERE)));
}
