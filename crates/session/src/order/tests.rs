use bytes::Bytes;

use super::*;

const PATIENCE: Duration = Duration::from_millis(100);
const FRAME: Duration = Duration::from_millis(33);

fn opened(layer: u8, number: u32, back: u8, discardable: bool, now: Instant) -> OpenedFrame {
    let frame = EncodedFrame {
        time: MediaTime(u64::from(number) * 33_333),
        encode_delay: Duration::ZERO,
        key: back == 0,
        layer: Layer(layer),
        discardable,
        back,
        data: Bytes::from_static(b"picture"),
    };
    OpenedFrame { number, frame, received: now }
}

/// A picture that needs the one before it.
fn picture(layer: u8, number: u32, key: bool, now: Instant) -> OpenedFrame {
    opened(layer, number, u8::from(!key), false, now)
}

/// A picture of three temporal layers, with a key frame at the numbers that divide by 64.
fn layered(layer: u8, number: u32, now: Instant) -> OpenedFrame {
    match number % 4 {
        _ if number.is_multiple_of(64) => opened(layer, number, 0, false, now),
        0 => opened(layer, number, 4, false, now),
        2 => opened(layer, number, 2, false, now),
        _ => opened(layer, number, 1, true, now),
    }
}

fn numbers(frames: &[OpenedFrame]) -> Vec<u32> {
    frames.iter().map(|opened| opened.number).collect()
}

/// Inserts pictures, given as (number, key), and returns all that came out.
fn feed(order: &mut VideoOrder, layer: u8, pictures: &[(u32, bool)], now: Instant) -> Vec<u32> {
    pictures.iter().flat_map(|(number, key)| numbers(&order.insert(picture(layer, *number, *key, now), now))).collect()
}

/// Inserts pictures of three temporal layers and returns all that came out.
fn feed_layered(order: &mut VideoOrder, layer: u8, given: impl IntoIterator<Item = u32>, now: Instant) -> Vec<u32> {
    given.into_iter().flat_map(|number| numbers(&order.insert(layered(layer, number, now), now))).collect()
}

fn noise(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed
}

#[test]
fn pictures_come_in_order_from_a_key_frame_on() {
    let now = Instant::now();
    let mut order = VideoOrder::default();
    let fed = [(10, true), (12, false), (13, false), (11, false), (14, false)];
    assert_eq!(feed(&mut order, 0, &fed, now), [10, 11, 12, 13, 14]);
    assert_eq!(order.deadline(PATIENCE), None);
    assert_eq!(feed(&mut order, 0, &[(12, false)], now), [0; 0]);
    assert_eq!(order.take_dropped(), 1);
}

#[test]
fn a_lost_picture_breaks_the_chain_after_patience_and_a_key_frame_mends_it() {
    let now = Instant::now();
    let mut order = VideoOrder::default();
    assert_eq!(feed(&mut order, 0, &[(1, true), (3, false), (4, false)], now), [1]);
    assert_eq!(order.deadline(PATIENCE), Some(now + PATIENCE));
    assert!(!order.expire(PATIENCE, now + PATIENCE / 2));
    assert!(order.expire(PATIENCE, now + PATIENCE));
    let later = now + PATIENCE;
    assert_eq!(feed(&mut order, 0, &[(5, false)], later), [0; 0]);
    assert!(order.expire(PATIENCE, later + PATIENCE), "asked again as long as pictures come without a key frame");
    assert_eq!(feed(&mut order, 0, &[(7, false), (6, true)], later), [6, 7]);
    assert_eq!(order.take_dropped(), 3);
    assert_eq!(order.deadline(PATIENCE), None);
}

#[test]
fn a_retransmission_after_patience_still_mends_the_chain() {
    let now = Instant::now();
    let mut order = VideoOrder::default();
    assert_eq!(feed(&mut order, 0, &[(1, true), (3, false), (4, false)], now), [1]);
    assert!(order.expire(PATIENCE, now + PATIENCE));
    assert_eq!(feed(&mut order, 0, &[(2, false)], now + PATIENCE * 2), [2, 3, 4]);
}

#[test]
fn nobody_asks_for_ever_when_the_pictures_stop() {
    let now = Instant::now();
    let mut order = VideoOrder::default();
    feed(&mut order, 0, &[(1, true), (3, false)], now);
    let mut at = now;
    let mut asked = 0;
    while let Some(due) = order.deadline(PATIENCE) {
        at = due;
        asked += u32::from(order.expire(PATIENCE, at));
    }
    assert!((1..=11).contains(&asked) && at <= now + MAX_PATIENCE + PATIENCE, "{asked} times in {:?}", at - now);
    assert_eq!(order.take_dropped(), 1);
}

#[test]
fn a_key_frame_does_not_wait_for_what_is_missing_before_it() {
    let now = Instant::now();
    let mut order = VideoOrder::default();
    assert_eq!(feed(&mut order, 0, &[(1, true), (3, false), (5, true), (6, false)], now), [1, 5, 6]);
}

#[test]
fn pictures_that_overtook_their_key_frame_are_not_lost() {
    let now = Instant::now();
    let mut order = VideoOrder::default();
    assert_eq!(feed(&mut order, 0, &[(2, false), (3, false), (1, true)], now), [1, 2, 3]);
}

#[test]
fn what_nothing_shown_needs_is_not_waited_for() {
    // What of 64.. comes, what comes out, and whether something is waited for at the end.
    let table: [(&[u32], &[u32], bool); 6] = [
        (&[0, 2, 3, 4, 6, 8], &[0, 2, 3, 4, 6, 8], false),
        (&[0, 1, 3, 4, 5], &[0, 1, 4, 5], false),
        (&[0, 1, 3], &[0, 1], true),
        (&[0, 1, 2, 3, 5, 6, 7, 8], &[0, 1, 2, 3], true),
        (&[0, 1, 2, 3, 5, 6, 7, 8, 4], &[0, 1, 2, 3, 4, 5, 6, 7, 8], false),
        (&[0, 4, 1, 2, 3, 8], &[0, 4, 8], false),
    ];
    for (come, out, waits) in table {
        let now = Instant::now();
        let mut order = VideoOrder::default();
        let found = feed_layered(&mut order, 0, come.iter().map(|number| 64 + number), now);
        assert_eq!(found, out.iter().map(|number| 64 + number).collect::<Vec<_>>(), "of {come:?}");
        assert_eq!(order.deadline(PATIENCE).is_some(), waits, "of {come:?}");
    }
}

#[test]
fn thinning_delays_nothing_and_asks_for_nothing() {
    let now = Instant::now();
    let mut order = VideoOrder::default();
    let kept: Vec<u32> = (64..400).filter(|number| number % 2 == 0).collect();
    assert_eq!(feed_layered(&mut order, 0, kept.iter().copied(), now), kept);
    assert_eq!((order.deadline(PATIENCE), order.take_dropped()), (None, 0));
    assert_eq!(feed_layered(&mut order, 0, 400..420, now), (400..420).collect::<Vec<_>>(), "whole again");
}

#[test]
fn a_number_without_a_picture_is_neither_waited_for_nor_shown() {
    let now = Instant::now();
    let mut order = VideoOrder::default();
    let mut proof = opened(0, 65, 0, true, now);
    (proof.frame.key, proof.frame.data) = (false, Bytes::new());
    assert_eq!(feed(&mut order, 0, &[(64, true)], now), [64]);
    assert_eq!(order.insert(proof, now), []);
    assert_eq!(numbers(&order.insert(opened(0, 66, 2, false, now), now)), [66]);
    assert_eq!((order.deadline(PATIENCE), order.take_dropped()), (None, 0));
}

#[test]
fn whatever_is_lost_only_decodable_pictures_come_out_and_a_key_frame_mends_all() {
    for seed in 1..=300_u64 {
        let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let start = Instant::now();
        let mut order = VideoOrder::default();
        let loss = noise(&mut random) % 40;
        let mut late: Vec<(u32, u32)> = Vec::new();
        let mut out: Vec<OpenedFrame> = Vec::new();
        let (mut wanted, mut keys) = (false, Vec::new());
        for number in 64..704_u32 {
            let now = start + FRAME * (number - 64);
            let due: Vec<u32> = late.extract_if(.., |(at, _)| *at <= number).map(|(_, lost)| lost).collect();
            for lost in due {
                keys.extend((lost % 64 == 0).then_some(lost));
                out.extend(order.insert(layered(0, lost, now), now));
            }
            let lost = noise(&mut random) % 100 < loss;
            match (lost, noise(&mut random) % 3) {
                (false, _) => {
                    keys.extend((number % 64 == 0).then_some(number));
                    out.extend(order.insert(layered(0, number, now), now));
                }
                (true, 0) => {}
                (true, _) => late.push((number + 1 + (noise(&mut random) % 5) as u32, number)),
            }
            wanted |= order.expire(PATIENCE, now);
            assert!(order.chains.values().all(|chain| chain.waiting.len() <= MAX_WAITING) && out.len() <= 640);
        }
        let mut shown: Vec<u32> = Vec::new();
        for picture in &out {
            let needed = picture.number - u32::from(picture.frame.back);
            assert!(picture.frame.key || shown.contains(&needed), "seed {seed}: {} without {needed}", picture.number);
            assert!(shown.last().is_none_or(|last| *last < picture.number), "seed {seed}: out of order");
            shown.push(picture.number);
        }
        assert!(loss > 0 || (out.len() == 640 && !wanted), "seed {seed}");
        assert!(keys.iter().all(|key| shown.contains(key)), "seed {seed}: {keys:?}");
        assert!(out.len() > if loss < 5 { 400 } else { 60 }, "seed {seed}: {} of 640 at {loss} %", out.len());
    }
}

#[test]
fn losing_what_can_be_lost_never_asks_for_a_key_frame() {
    for seed in 1..=50_u64 {
        let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let start = Instant::now();
        let mut order = VideoOrder::default();
        for number in 64..264_u32 {
            let now = start + FRAME * (number - 64);
            let picture = layered(0, number, now);
            if picture.frame.discardable && noise(&mut random).is_multiple_of(2) {
                continue;
            }
            assert_eq!(numbers(&order.insert(picture, now)), [number], "seed {seed}");
            assert!(!order.expire(PATIENCE, now));
            assert_eq!(order.deadline(PATIENCE), None);
        }
    }
}

#[test]
fn another_layer_takes_over_with_a_newer_key_frame_only() {
    let now = Instant::now();
    let mut order = VideoOrder::default();
    assert_eq!(feed(&mut order, 0, &[(10, true), (11, false)], now), [10, 11]);
    assert_eq!(feed(&mut order, 1, &[(13, false), (12, true)], now), [12, 13]);
    assert_eq!(feed(&mut order, 0, &[(12, false)], now), [0; 0], "the old layer is over");
    assert_eq!(feed(&mut order, 0, &[(13, true)], now), [0; 0], "not newer than what was shown");
    assert_eq!(feed(&mut order, 0, &[(14, true)], now), [14]);
}

#[test]
fn a_key_frame_that_comes_late_takes_over_with_what_follows_it() {
    let now = Instant::now();
    let mut order = VideoOrder::default();
    assert_eq!(feed(&mut order, 0, &[(10, true), (11, false), (12, false)], now), [10, 11, 12]);
    assert_eq!(feed(&mut order, 1, &[(11, true), (12, false)], now), [0; 0], "nothing new yet");
    assert_eq!(feed(&mut order, 1, &[(13, false)], now), [11, 12, 13]);
    assert_eq!(feed(&mut order, 1, &[(14, false)], now), [14]);
    assert_eq!(feed(&mut order, 0, &[(13, false), (14, false)], now), [0; 0]);
    assert_eq!(order.take_dropped(), 0);
    assert!(!order.expire(PATIENCE, now + PATIENCE), "a leftover asks for nothing");
    assert_eq!((order.take_dropped(), order.deadline(PATIENCE)), (2, None));
}

#[test]
fn a_layer_that_comes_and_lost_its_beginning_asks_for_a_key_frame() {
    let now = Instant::now();
    for begins in [&[(12, false), (13, false)][..], &[(12, true), (14, false)][..]] {
        let mut order = VideoOrder::default();
        assert_eq!(feed(&mut order, 0, &[(10, true), (11, false), (12, false)], now), [10, 11, 12]);
        assert_eq!(feed(&mut order, 1, begins, now), [0; 0]);
        assert!(order.expire(PATIENCE, now + PATIENCE));
    }
}

#[test]
fn layers_that_take_turns_show_every_time_once() {
    for seed in 1..=100_u64 {
        let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let now = Instant::now();
        let mut order = VideoOrder::default();
        let (mut layer, mut since) = (0, 0);
        let mut out = Vec::new();
        for number in 64..1000_u32 {
            // Key frames are where the numbers divide by 64; the relay switches there and nowhere else.
            if number.is_multiple_of(64) && noise(&mut random).is_multiple_of(2) {
                layer = (noise(&mut random) % 3) as u8;
                since = number;
            }
            // Leftovers of other layers come again.
            if number > since + 2 {
                let other = (layer + 1) % 3;
                out.extend(order.insert(layered(other, number - 1 - (noise(&mut random) % 2) as u32, now), now));
            }
            out.extend(order.insert(layered(layer, number, now), now));
        }
        let times: Vec<_> = out.iter().map(|opened| opened.frame.time).collect();
        assert!(times.is_sorted_by(|a, b| a < b), "seed {seed}");
        assert_eq!(times.len(), 936, "seed {seed}");
    }
}

#[test]
fn numbers_wrap_and_waiting_is_bounded() {
    let now = Instant::now();
    let mut order = VideoOrder::default();
    let fed = [(u32::MAX - 1, true), (0, false), (u32::MAX, false), (1, false)];
    assert_eq!(feed(&mut order, 0, &fed, now), [u32::MAX - 1, u32::MAX, 0, 1]);
    for number in 3..1000 {
        order.insert(picture(0, number, false, now), now);
        order.insert(picture(1, number, number == 3, now), now);
    }
    let bounded = |chain: &Chain| {
        chain.waiting.len() <= MAX_WAITING && chain.ready.len() <= MAX_WAITING && chain.given.len() <= MAX_GIVEN
    };
    assert!(order.chains.values().all(bounded));
}

#[test]
fn patience_follows_the_round_trip_within_bounds() {
    assert_eq!(patience(None), MIN_PATIENCE);
    assert_eq!(patience(Some(Duration::from_millis(50))), Duration::from_millis(160));
    assert_eq!(patience(Some(Duration::from_secs(3))), MAX_PATIENCE);
}
