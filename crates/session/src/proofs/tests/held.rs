//! Tracks that are held because nothing proves them, and proofs in frames of their own.

use super::*;

const PICTURE: Duration = Duration::from_millis(33);
const TICK: Duration = Duration::from_millis(10);

/// The proofs that are due in frames of their own.
fn bare(sender: &mut Sender, now: Instant) -> Vec<Frame> {
    let late = sender.prover.late(sender.loss, now);
    late.into_iter().filter_map(|(_, layer)| sender.send_bare(layer.0, now)).collect()
}

/// Lets the receiver's timer run; whether the track is held from now on.
fn is_held(checker: &mut Checker, now: Instant) -> Option<bool> {
    if checker.deadline().is_some_and(|at| at <= now) {
        checker.handle_timeout(|_, _| true, now);
    }
    checker.take_changes().last().map(|change| change.held)
}

#[test]
fn last_words_are_proven_soon_and_often_and_then_nothing_is_sent() {
    for (track, every, loss, first, copies) in [
        (TrackKind::Microphone, SOUND, 0.0, 260, 5),
        (TrackKind::Microphone, SOUND, 0.1, 160, 7),
        (TrackKind::Camera, PICTURE, 0.0, 200, 5),
        (TrackKind::Screen, PICTURE, 0.1, 100, 10),
    ] {
        for count in [1, 2, 3, 7, 20, 50] {
            let (mut now, mut sender) = (Instant::now(), Sender::new(track));
            sender.loss = loss;
            let mut last = (now, 0);
            for _ in 0..count {
                last = (now, sender.send_content(0, now).head.number);
                let next = now + every;
                while now < next {
                    bare(&mut sender, now);
                    now += Duration::from_millis(1);
                }
            }
            let mut proven = Vec::new();
            while now < last.0 + SECOND * 5 {
                for frame in bare(&mut sender, now) {
                    assert!(!frame.has_content);
                    let proof = Proof::from_bytes(&frame.proof).unwrap();
                    if proof.sections[0].numbered().any(|(number, _)| number == last.1) {
                        proven.push(now - last.0);
                    }
                }
                now += Duration::from_millis(1);
            }
            let words = format!("{track:?} at {loss}, {count} frames: {proven:?}");
            assert!(proven.len() + 1 >= copies, "{words}");
            // The first may have been sent between the last frame and the end of its time.
            assert!(proven[0] <= Duration::from_millis(first * 2), "{words}");
            assert!(proven.last() <= Some(&(SECOND + Duration::from_millis(first))), "{words}");
            assert_eq!(sender.prover.deadline(loss), None, "{words}");
        }
    }
}

#[test]
fn a_proof_does_not_wait_for_a_source_that_pauses() {
    // A slide: one picture, and another after minutes.
    let (mut now, mut sender, mut checker) = (Instant::now(), Sender::new(TrackKind::Screen), Checker::default());
    for slide in 0..3 {
        let begun = now;
        let frame = sender.send_content(0, now);
        assert_eq!(check(&mut checker, &frame, now), Ok(Verdict::Give));
        let mut proven = None;
        while now < begun + SECOND * 100 {
            for frame in bare(&mut sender, now) {
                assert_eq!(check(&mut checker, &frame, now), Ok(Verdict::Keep));
                proven.get_or_insert(now - begun);
            }
            assert_eq!(is_held(&mut checker, now), None, "slide {slide}");
            now += TICK;
        }
        assert!(proven <= Some(TICK), "slide {slide}: {proven:?}");
        assert_eq!(checker.unproven(), 0);
    }
}

#[test]
fn a_forged_slide_that_nothing_follows_is_taken_down_after_a_second() {
    let (start, mut checker) = (Instant::now(), Checker::default());
    let mut sender = Sender::new(TrackKind::Screen);
    let slide = forged(sender.send_content(0, start));
    assert_eq!(check(&mut checker, &slide, start), Ok(Verdict::Give));
    assert_eq!(checker.deadline(), Some(start + SECOND));
    assert_eq!(is_held(&mut checker, start + SECOND - TICK), None);
    assert_eq!(is_held(&mut checker, start + SECOND), Some(true));
    assert_eq!(checker.deadline(), None);
    // Of what nobody wants to see any more the relay passes on nothing.
    let mut checker = Checker::default();
    assert_eq!(check(&mut checker, &slide, start), Ok(Verdict::Give));
    checker.handle_timeout(|_, _| false, start + SECOND);
    assert_eq!((checker.take_changes(), checker.deadline()), (vec![], None));
}

#[test]
fn a_held_track_gives_out_nothing_and_goes_on_with_the_first_proof() {
    let (start, mut checker, mut sender) = (Instant::now(), Checker::default(), Sender::new(TrackKind::Microphone));
    let mut noise = Noise(3);
    let (mut held, mut resumed, mut given) = (None, None, 0);
    for step in 0..400_u32 {
        let now = start + SOUND * step;
        // From the first second on for two seconds no proof comes through, and half of the rest is lost.
        let frame = sender.send(0, now);
        let is_dark = (50..150).contains(&step);
        if is_dark && (!frame.proof.is_empty() || noise.chance() < 0.5) {
            continue;
        }
        let verdict = check(&mut checker, &frame, now).unwrap();
        match is_held(&mut checker, now) {
            Some(true) => held = held.or(Some(step)),
            Some(false) => resumed = resumed.or(Some(step)),
            None => {}
        }
        let silent = held.is_some() && resumed.is_none();
        assert_eq!(verdict == Verdict::Give, !silent, "step {step}");
        given += u32::from(is_dark && verdict == Verdict::Give);
    }
    assert!((90..=102).contains(&held.unwrap()), "{held:?}");
    assert!((150..162).contains(&resumed.unwrap()), "{resumed:?}");
    assert!(given <= 51, "{given}");
}

#[test]
fn a_proof_of_nothing_new_does_not_let_a_held_track_go_on() {
    let (start, mut checker, mut sender) = (Instant::now(), Checker::default(), Sender::new(TrackKind::Microphone));
    let (mut noise, mut now, mut kept_back) = (Noise(3), start, None);
    for step in 0..200 {
        now = start + SOUND * step;
        let frame = sender.send(0, now);
        let has_proof = !frame.proof.is_empty();
        if has_proof && step >= 30 && kept_back.is_none() {
            kept_back = Some(frame);
        } else if step < 50 {
            assert_eq!(check(&mut checker, &frame, now), Ok(Verdict::Give));
        } else if !has_proof && noise.chance() < 0.5 {
            check(&mut checker, &frame, now).unwrap();
        }
        if is_held(&mut checker, now) == Some(true) {
            break;
        }
    }
    assert!(now < start + SOUND * 110, "it is held");
    // A later proof came before this one, so it vouches for nothing that was given out since.
    assert_eq!(check(&mut checker, &kept_back.unwrap(), now), Ok(Verdict::Keep));
    assert_eq!(is_held(&mut checker, now), None);
    let next = (1..30).map(|step| sender.send(0, now + SOUND * step)).find(|frame| !frame.proof.is_empty()).unwrap();
    assert_eq!(check(&mut checker, &next, now + SECOND), Ok(Verdict::Give));
    assert_eq!(is_held(&mut checker, now + SECOND), Some(false));
}

/// What somebody who owns the relay and the frame keys does with the next frame.
enum Act {
    Pass,
    Drop,
    Forge,
    Delay(Duration),
}

/// Whatever is forged and held back: within a second the track is named or held.
fn nothing_forged_lasts(seed: u64, mut act: impl FnMut(&mut Noise, &Frame, u32) -> Act) {
    let (start, mut noise, mut checker) = (Instant::now(), Noise(seed), Checker::default());
    let mut sender = Sender::new(if seed.is_multiple_of(2) { TrackKind::Microphone } else { TrackKind::Camera });
    let mut under_way: Vec<(Instant, Frame)> = Vec::new();
    let mut open: Vec<Instant> = Vec::new();
    for step in 0..3000_u32 {
        let now = start + TICK * step;
        let mut frames = bare(&mut sender, now);
        if step.is_multiple_of(2) {
            frames.push(if sender.track.is_video() { sender.send_content(0, now) } else { sender.send(0, now) });
        }
        for frame in frames {
            match act(&mut noise, &frame, step) {
                Act::Pass => under_way.push((now, frame)),
                Act::Drop => {}
                Act::Forge => under_way.push((now, forged(frame))),
                Act::Delay(time) => {
                    under_way.push((now + time, if noise.chance() < 0.5 { forged(frame) } else { frame }))
                }
            }
        }
        let (due, rest): (Vec<_>, Vec<_>) = under_way.into_iter().partition(|(at, _)| *at <= now);
        under_way = rest;
        for (_, frame) in due {
            match check(&mut checker, &frame, now) {
                Ok(Verdict::Give) if frame.sealed.len() > 4 => open.push(now),
                Ok(_) => {}
                Err(_) => return,
            }
            if checker.take_changes().iter().any(|change| change.held) {
                open.clear();
            }
        }
        if is_held(&mut checker, now) == Some(true) {
            open.clear();
        }
        let longest = open.first().map(|at| now - *at);
        assert!(longest <= Some(SECOND), "seed {seed}, step {step}: forged for {longest:?}");
    }
}

#[test]
fn whatever_a_relay_forges_holds_back_and_delays_is_named_or_held_within_a_second() {
    for seed in 0..200 {
        // Some seconds forged and some true; of what is true, proofs come through or not.
        nothing_forged_lasts(seed, |noise, frame, step| {
            let (is_forging, luck) = (step % 200 < seed as u32, noise.chance());
            match (is_forging, frame.proof.is_empty()) {
                (true, true) if luck < 0.9 => Act::Forge,
                (_, false) if luck < seed as f64 / 200.0 => Act::Drop,
                (false, _) if luck > 0.97 => Act::Drop,
                _ => Act::Pass,
            }
        });
        // A few words are forged, and each proof that speaks of them is held back, or nearly.
        nothing_forged_lasts(seed, |_, frame, step| {
            let (turn, forged, back) = (step % 170, seed as u32 % 41, seed as u32 % 113);
            match frame.proof.is_empty() {
                true if turn < forged => Act::Forge,
                false if turn < back => Act::Drop,
                _ => Act::Pass,
            }
        });
        // Frames are delayed against the proofs of later ones, as far as the seed has it.
        nothing_forged_lasts(seed, |noise, frame, step| {
            let is_quiet = step % 130 < 110;
            match frame.proof.is_empty() {
                true => Act::Delay(TICK * ((seed % 100) as u32)),
                false if is_quiet || noise.chance() < 0.1 => Act::Drop,
                false => Act::Pass,
            }
        });
    }
}

#[test]
fn what_comes_after_proofs_that_pass_over_it_is_not_given_out() {
    let (start, mut checker) = (Instant::now(), Checker::default());
    let frames: Vec<Frame> = {
        let mut sender = Sender::new(TrackKind::Microphone);
        (0..200).map(|step| sender.send(0, start + SOUND * step)).collect()
    };
    let now = start + SOUND * 200;
    let proof = (150..200).find(|at| !frames[*at].proof.is_empty()).unwrap();
    assert_eq!(check(&mut checker, &frames[proof], now), Ok(Verdict::Give));
    assert_eq!(check(&mut checker, &frames[proof - 45], now), Ok(Verdict::Give), "it is proven");
    assert_eq!(check(&mut checker, &frames[proof - 55], now), Ok(Verdict::Keep));
    assert_eq!(check(&mut checker, &frames[proof + 1], now), Ok(Verdict::Give), "its proof is to come");
}

#[test]
fn a_jump_of_the_numbers_does_not_make_up_for_a_proof() {
    let (start, mut checker, mut sender) = (Instant::now(), Checker::default(), Sender::new(TrackKind::Microphone));
    for step in 0..60 {
        let now = start + SOUND * step;
        let frame = sender.send(0, now);
        check(&mut checker, &frame, now).unwrap();
    }
    let now = start + SOUND * 60;
    assert_eq!(check(&mut checker, &forged(sender.send(0, now)), now), Ok(Verdict::Give));
    sender.next.entry(0).and_modify(|next| *next += 100);
    sender.prover = Prover::default();
    let mut held = None;
    for step in 61..90 {
        let now = start + SOUND * step;
        let frame = sender.send(0, now);
        check(&mut checker, &frame, now).unwrap();
        held = held.or(is_held(&mut checker, now).filter(|held| *held).map(|_| step));
    }
    assert!(held.is_some(), "what was given out before the jump was never proven");
}

#[test]
fn thinning_and_changes_of_layers_hold_nothing() {
    let start = Instant::now();
    for seed in 0..20 {
        let (mut noise, mut checker) = (Noise(seed), Checker::default());
        let mut sender = Sender::new(TrackKind::Camera);
        let (mut shown, mut thins) = (0, false);
        for step in 0..1500_u32 {
            let now = start + PICTURE * step;
            if noise.chance() < 0.02 {
                shown = (noise.chance() * 3.0) as u8;
            }
            if noise.chance() < 0.02 {
                thins = !thins;
            }
            for layer in 0..3 {
                let frame = sender.send_content(layer, now);
                // Every second picture needs no other.
                if layer == shown && !(thins && step % 2 == 1) {
                    assert_eq!(check(&mut checker, &frame, now), Ok(Verdict::Give), "seed {seed}, step {step}");
                }
            }
            for frame in bare(&mut sender, now).into_iter().filter(|frame| frame.head.layer == Layer(shown)) {
                assert_eq!(check(&mut checker, &frame, now), Ok(Verdict::Keep), "seed {seed}, step {step}");
            }
            assert_eq!(is_held(&mut checker, now), None, "seed {seed}, step {step}");
        }
    }
}

#[test]
fn loss_is_no_forgery_and_seldom_a_hold_where_the_sender_knows_of_it() {
    let mut holds = 0;
    for seed in 0..60 {
        let (start, mut noise, mut checker) = (Instant::now(), Noise(seed), Checker::default());
        let mut sender = Sender::new(if seed % 2 == 0 { TrackKind::Microphone } else { TrackKind::Camera });
        sender.loss = 0.2;
        for step in 0..6000_u32 {
            let now = start + TICK * step;
            let mut frames = bare(&mut sender, now);
            if step.is_multiple_of(2) {
                frames.push(if sender.track.is_video() { sender.send_content(0, now) } else { sender.send(0, now) });
            }
            for frame in frames.into_iter().filter(|_| noise.chance() >= 0.2) {
                check(&mut checker, &frame, now).unwrap();
            }
            holds += u32::from(is_held(&mut checker, now) == Some(true));
        }
    }
    assert_eq!(holds, 0, "in an hour");
}
