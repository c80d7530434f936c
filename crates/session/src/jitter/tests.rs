#![allow(clippy::unwrap_used)]

use super::*;

const FRAME_US: u64 = 20_000;

/// A sender whose clock is far off, a network with given delays, and a loudspeaker.
struct Scene {
    start: Instant,
    buffer: JitterBuffer<u32>,
    /// Arrivals in order: (when, number, capture time).
    arrivals: Vec<(Duration, u32, MediaTime)>,
}

impl Scene {
    /// Sends `count` packets from `first` on, 20 ms apart, each delayed by `delay(number)`; `None` loses it.
    fn new(first: u32, count: u32, delay: impl Fn(u32) -> Option<Duration>) -> Self {
        let mut arrivals: Vec<_> = (0..count)
            .filter_map(|at| {
                let time = MediaTime(1_700_000_000_000_000 + u64::from(at) * FRAME_US);
                delay(at).map(|delay| (FRAME * at + delay, first.wrapping_add(at), time))
            })
            .collect();
        arrivals.sort();
        Self { start: Instant::now(), buffer: JitterBuffer::new(), arrivals }
    }

    /// Plays for `pulls` frames' time; returns what came out.
    fn play(&mut self, pulls: u32) -> Vec<Pull<u32>> {
        let mut arrivals = self.arrivals.iter().copied().peekable();
        let mut out = Vec::new();
        let mut at_ms = 7;
        while at_ms < u64::from(pulls) * 20 {
            let now = self.start + Duration::from_millis(at_ms);
            while let Some((at, number, time)) = arrivals.next_if(|(at, _, _)| self.start + *at <= now) {
                self.buffer.insert(number, time, number, self.start + at);
            }
            let pull = self.buffer.pull(now);
            at_ms += length_ms(&pull);
            out.push(pull);
        }
        out
    }
}

/// How long the loudspeaker plays what was pulled: a pitch period more or less where the pace says so.
fn length_ms(pull: &Pull<u32>) -> u64 {
    match pull {
        Pull::Packet { pace: Pace::Faster, .. } => 12,
        Pull::Packet { pace: Pace::Slower, .. } => 28,
        Pull::Packet { pace: Pace::Steady, .. } | Pull::Missing | Pull::Silence => 20,
    }
}

fn numbers(out: &[Pull<u32>]) -> Vec<u32> {
    out.iter()
        .filter_map(|pull| match pull {
            Pull::Packet { number, .. } => Some(*number),
            Pull::Missing | Pull::Silence => None,
        })
        .collect()
}

fn missing(out: &[Pull<u32>]) -> usize {
    out.iter().filter(|pull| **pull == Pull::Missing).count()
}

/// A small deterministic noise, 0 to 99.
fn noise(at: u32) -> u32 {
    let mixed = (at ^ 0x5bd1).wrapping_mul(0x9e37_79b9);
    (mixed ^ (mixed >> 15)).wrapping_mul(0x85eb_ca6b) >> 8 & 0xffff
}

#[test]
fn a_steady_source_plays_whole_with_one_packet_of_delay() {
    let mut scene = Scene::new(7, 200, |_| Some(Duration::from_millis(30)));
    let out = scene.play(190);
    let played = numbers(&out);
    assert_eq!(played, (7..7 + played.len() as u32).collect::<Vec<_>>());
    assert!(played.len() >= 185, "{}", played.len());
    assert_eq!(missing(&out), 0);
    assert_eq!(scene.buffer.target(), FRAME);
    assert!(scene.buffer.len() <= 2);
}

#[test]
fn a_lost_packet_is_missing_once_and_the_others_play() {
    let mut scene = Scene::new(0, 100, |at| (at != 40 && at != 60 && at != 61).then_some(Duration::from_millis(10)));
    let out = scene.play(95);
    assert_eq!(missing(&out), 3);
    let played = numbers(&out);
    assert!(played.contains(&41) && !played.contains(&40));
    assert!(played.windows(2).all(|pair| pair[0] < pair[1]));
}

#[test]
fn reordered_packets_play_in_order() {
    let mut scene = Scene::new(0, 300, |at| Some(Duration::from_millis(if at % 5 == 0 { 45 } else { 10 })));
    let out = scene.play(290);
    let played = numbers(&out);
    assert!(played.windows(2).all(|pair| pair[0] < pair[1]));
    assert!(scene.buffer.target() > FRAME);
    let late = scene.buffer.statistics();
    assert!(late.missing <= 6, "{late:?}");
}

#[test]
fn the_target_grows_with_jitter_and_comes_down_after_it() {
    let jitter = |at: u32| Some(Duration::from_millis(20 + if at < 250 { u64::from(noise(at) % 100) } else { 0 }));
    let mut scene = Scene::new(0, 2400, jitter);
    let arrivals = scene.arrivals.clone();
    scene.arrivals.retain(|(_, number, _)| *number < 250);
    scene.play(250);
    let high = scene.buffer.target();
    assert!(high > Duration::from_millis(80) && high <= Duration::from_millis(120), "{high:?}");
    scene.arrivals = arrivals.into_iter().filter(|(_, number, _)| *number >= 250).collect();
    let start = scene.start;
    for (at, number, time) in scene.arrivals.clone() {
        scene.buffer.insert(number, time, number, start + at);
        scene.buffer.pull(start + at);
    }
    assert_eq!(scene.buffer.target(), FRAME);
}

#[test]
fn under_jitter_few_packets_are_missing_once_adapted() {
    let mut scene = Scene::new(0, 1000, |at| Some(Duration::from_millis(20 + u64::from(noise(at) % 80))));
    let out = scene.play(990);
    let after = missing(&out[250..]);
    assert!(after <= 25, "{after} of 740 concealed, {:?}", scene.buffer.statistics());
    assert!(numbers(&out).len() >= 940);
}

#[test]
fn catching_up_after_a_stall_brings_the_delay_back() {
    // The network stops for 300 ms at packet 100, then delivers all at once.
    let stall = |at: u32| {
        let held = if (100..115).contains(&at) { (115 - u64::from(at)) * 20 } else { 0 };
        Some(Duration::from_millis(10 + held))
    };
    let mut scene = Scene::new(0, 3000, stall);
    let out = scene.play(2995);
    assert!(scene.buffer.len() <= 4, "{} wait", scene.buffer.len());
    assert!(missing(&out) < 40);
    let statistics = scene.buffer.statistics();
    assert!(statistics.faster > 10, "{statistics:?}");
    assert_eq!((statistics.skipped, statistics.overflowed), (0, 0));
}

#[test]
fn silence_is_not_concealed_and_speech_after_it_plays_whole() {
    let mut buffer = JitterBuffer::new();
    let start = Instant::now();
    let mut out = Vec::new();
    let mut number = 0;
    for tick in 0..300_u32 {
        let now = start + FRAME * tick;
        // Speaks for a second, pauses for two, speaks again: numbers go on without a gap, times do not.
        if !(50..150).contains(&tick) && tick < 250 {
            buffer.insert(number, MediaTime(u64::from(tick) * FRAME_US), number, now);
            number += 1;
        }
        out.push(buffer.pull(now + Duration::from_millis(5)));
    }
    assert_eq!(numbers(&out), (0..150).collect::<Vec<_>>());
    assert!(missing(&out) <= 2 * (MAX_CONCEALED.as_millis() / FRAME.as_millis()) as usize, "{}", missing(&out));
    assert_eq!(out[100], Pull::Silence);
    assert_eq!(out[299], Pull::Silence);
}

#[test]
fn numbers_wrap() {
    let mut scene = Scene::new(u32::MAX - 20, 60, |at| Some(Duration::from_millis(if at % 7 == 0 { 35 } else { 10 })));
    let out = scene.play(60);
    let played = numbers(&out);
    assert!(played.windows(2).all(|pair| pair[1].wrapping_sub(pair[0]) <= 3), "{played:?}");
    assert!(played.contains(&u32::MAX) && played.contains(&0) && played.len() > 50);
}

#[test]
fn hostile_numbers_and_times_neither_grow_nor_break_it() {
    let mut buffer = JitterBuffer::new();
    let start = Instant::now();
    for at in 0..20_000_u32 {
        let now = start + Duration::from_millis(u64::from(at));
        let number = if at % 3 == 0 { noise(at).wrapping_mul(0x0101_0101) } else { at };
        let time = if at % 5 == 0 { MediaTime(u64::MAX - u64::from(at)) } else { MediaTime(u64::from(noise(at))) };
        buffer.insert(number, time, (), now);
        assert!(buffer.len() <= MAX_PACKETS);
        if at % 20 == 0 {
            buffer.pull(now);
        }
        assert!((FRAME..=Duration::from_millis(200)).contains(&buffer.target()));
    }
}

#[test]
fn a_duplicate_and_a_late_packet_are_counted() {
    let mut buffer = JitterBuffer::new();
    let start = Instant::now();
    for (number, at) in [(0, 0), (1, 20), (1, 21), (2, 40)] {
        buffer.insert(number, MediaTime(u64::from(number) * FRAME_US), (), start + Duration::from_millis(at));
    }
    for pull in 2..8 {
        buffer.pull(start + FRAME * pull);
    }
    buffer.insert(0, MediaTime(0), (), start + FRAME * 9);
    let statistics = buffer.statistics();
    assert_eq!((statistics.duplicate, statistics.late, statistics.played), (1, 1, 3));
}

#[test]
fn a_senders_clock_that_is_set_costs_no_more_than_a_moment() {
    for step in [-3_600_000_000_i64, 3_600_000_000] {
        let mut scene = Scene::new(0, 400, |_| Some(Duration::from_millis(10)));
        for (_, number, time) in &mut scene.arrivals {
            if *number >= 200 {
                *time = MediaTime(time.0.saturating_add_signed(step));
            }
        }
        let out = scene.play(395);
        assert!(numbers(&out).len() >= 385, "{step}: {} played", numbers(&out).len());
        assert!(scene.buffer.target() <= FRAME * 2);
    }
}

#[test]
fn after_a_sleep_of_seconds_the_delay_is_back_at_once() {
    // Everything of 1.2 s comes in one moment.
    let stall = |at: u32| {
        let held = if (100..160).contains(&at) { (160 - u64::from(at)) * 20 } else { 0 };
        Some(Duration::from_millis(10 + held))
    };
    let mut scene = Scene::new(0, 400, stall);
    let out = scene.play(395);
    assert!(scene.buffer.statistics().skipped > 10, "{:?}", scene.buffer.statistics());
    // The jitter was real, so the target is at its bound for a while: ten packets.
    assert!(scene.buffer.len() <= 12, "{} wait", scene.buffer.len());
    assert!(numbers(&out).contains(&380));
}

/// Loses packets as `lost` says, each other bringing copies of the `copies` before it; returns what came out.
fn play_with_copies(
    buffer: &mut JitterBuffer<u32>,
    count: u32,
    copies: u32,
    lost: impl Fn(u32) -> bool,
) -> Vec<Pull<u32>> {
    let start = Instant::now();
    let time = |number: u32| MediaTime(5_000_000 + u64::from(number) * FRAME_US);
    let (mut out, mut at_ms, mut next) = (Vec::new(), 5, 0);
    while next < count {
        while next < count && u64::from(next) * 20 <= at_ms {
            let now = start + FRAME * next;
            if !lost(next) {
                buffer.insert(next, time(next), next, now);
                for before in 1..=copies.min(next) {
                    buffer.insert_copy(next - before, time(next - before), next - before, now);
                }
            }
            next += 1;
        }
        let pull = buffer.pull(start + Duration::from_millis(at_ms));
        at_ms += length_ms(&pull);
        out.push(pull);
    }
    out
}

#[test]
fn copies_fill_the_gaps_and_the_delay_grows_only_as_far_as_they_need() {
    let mut buffer = JitterBuffer::new();
    let out = play_with_copies(&mut buffer, 1000, 1, |number| number % 5 == 3);
    assert_eq!(missing(&out[50..]), 0, "{:?}", buffer.statistics());
    assert!(buffer.statistics().copies > 150);
    assert!((FRAME..=FRAME * 2).contains(&buffer.target()), "{:?}", buffer.target());
    let played = numbers(&out);
    assert!(played.windows(2).all(|pair| pair[1] == pair[0] + 1 || pair[1] < 20), "in a row once adapted");
    let mut without = JitterBuffer::new();
    let out = play_with_copies(&mut without, 1000, 0, |number| number % 5 == 3);
    assert!(missing(&out) > 190);
    assert_eq!(without.target(), FRAME, "nothing to wait for");
}

#[test]
fn a_copy_of_what_was_played_or_came_by_itself_is_of_no_use() {
    let mut buffer = JitterBuffer::new();
    let start = Instant::now();
    let time = |number: u32| MediaTime(u64::from(number) * FRAME_US);
    assert!(!buffer.insert_copy(1, time(1), 1, start), "nothing plays yet");
    buffer.insert(5, time(5), 5, start);
    assert!(matches!(buffer.pull(start + FRAME), Pull::Packet { number: 5, .. }));
    buffer.insert(7, time(7), 7, start + FRAME);
    assert!(!buffer.insert_copy(5, time(5), 0, start + FRAME));
    assert!(!buffer.insert_copy(7, time(7), 0, start + FRAME));
    assert!(!buffer.insert_copy(7_000, time(7_000), 0, start + FRAME));
    assert!(buffer.insert_copy(6, time(6), 60, start + FRAME));
    buffer.insert(6, time(6), 6, start + FRAME);
    assert!(matches!(buffer.pull(start + FRAME * 2), Pull::Packet { number: 6, payload: 6, .. }), "the packet itself");
    assert_eq!(buffer.statistics().duplicate, 0);
}

#[test]
fn a_loss_is_told_with_the_packet_that_may_restore_it() {
    let mut buffer = JitterBuffer::new();
    let start = Instant::now();
    let time = |number: u32| MediaTime(u64::from(number) * FRAME_US);
    buffer.insert(0, time(0), 0, start);
    buffer.pull(start + FRAME);
    buffer.insert(4, time(4), 4, start + FRAME);
    assert_eq!(buffer.gap_before(4), 3);
    buffer.insert_copy(3, time(3), 3, start + FRAME);
    assert_eq!(buffer.gap_before(4), 3, "two are left");
    assert_eq!(buffer.gap_before(5), 0, "the gap belongs to the packet after it");
    let mut found = Vec::new();
    for pull in 2..6 {
        let pulled = buffer.pull(start + FRAME * pull);
        found.push((pulled == Pull::Missing, buffer.later().map(|(after, payload)| (after, *payload))));
    }
    assert_eq!(found[..2], [(true, Some((3, 4))), (true, Some((2, 4)))]);
    assert_eq!(numbers(&[buffer.pull(start + FRAME * 7)]).len(), 0);
    assert!(!found[2].0 && !found[3].0, "{found:?}");
}

#[test]
fn what_can_be_restored_is_waited_for() {
    let mut buffer = JitterBuffer::new();
    let start = Instant::now();
    for number in 0..500_u32 {
        let now = start + FRAME * number;
        // Three of ten are lost in a row; each packet restores all before it.
        if number % 10 < 7 {
            let time = MediaTime(9_000_000 + u64::from(number) * FRAME_US);
            buffer.insert(number, time, (), now);
            let gap = buffer.gap_before(number);
            buffer.restorable(number, time, gap, now);
        }
        buffer.pull(now + FRAME / 4);
    }
    let target = buffer.target();
    assert!((FRAME * 3..FRAME * 4).contains(&target), "{target:?}");
}
