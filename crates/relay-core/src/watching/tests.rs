#![allow(clippy::unwrap_used)]

use conclave_model::PeerId;

use super::*;

const SOUND: Bitrate = Bitrate::kbps(60);

fn camera(peer: u16) -> TrackName {
    TrackName { peer: PeerId(peer), track: TrackKind::Camera }
}

/// A camera whose encodings take 150, 450 and 1,500 kbit/s, two thirds of that when thinned; the lowest `sent` of them
/// are sent.
fn offer(sent: usize) -> Offer {
    let encoding = |(number, kbps): (usize, u64)| {
        let rate = Rate { whole: Bitrate::kbps(kbps), thin: Bitrate::kbps(kbps * 2 / 3) };
        Some(Encoding { rate, is_offered: number < sent })
    };
    Offer { encodings: [(0, 150), (1, 450), (2, 1500)].map(encoding), is_silent: sent == 0 }
}

struct Seat {
    watching: Watching,
    offers: Vec<Offer>,
    now: Instant,
}

impl Seat {
    fn new(kbps: u64, heights: &[u16], offers: &[Offer]) -> Self {
        let mut watching = Watching::new(Bitrate::kbps(kbps));
        watching.set((0..).zip(heights).map(|(peer, height)| (camera(peer), *height)));
        Self { watching, offers: offers.to_vec(), now: Instant::now() }
    }

    /// The layers that are given, and those that are hoped for, a quarter of a second later.
    fn share(&mut self, kbps: u64) -> (Vec<Option<u8>>, Vec<Option<u8>>) {
        self.now += Duration::from_millis(250);
        self.watching.line.estimate = Bitrate::kbps(kbps);
        let aims = self.watching.share(&self.offers, SOUND, self.now);
        let given = aims.iter().map(|aim| aim.given.map(|given| given.layer.0)).collect();
        (given, aims.iter().map(|aim| aim.hoped.map(|layer| layer.0)).collect())
    }
}

#[test]
fn what_is_not_sent_is_hoped_for_where_there_is_room() {
    let mut line = Seat::new(4_000, &[720, 720], &[offer(1), offer(3)]);
    assert_eq!(line.share(4_000), (vec![Some(0), Some(2)], vec![Some(2), Some(2)]));
    assert_eq!(line.share(2_600), (vec![Some(0), Some(2)], vec![Some(1), Some(2)]));
    assert_eq!(line.share(2_000), (vec![Some(0), Some(2)], vec![Some(0), Some(2)]));
}

#[test]
fn a_closed_camera_takes_nothing_and_is_still_waited_for() {
    let mut line = Seat::new(2_000, &[720, 180], &[offer(0), offer(3)]);
    assert_eq!(line.share(2_000), (vec![Some(1), Some(0)], vec![Some(1), Some(0)]));
    let mut line = Seat::new(300, &[720, 180], &[offer(0), offer(3)]);
    assert_eq!(line.share(300).0, [Some(0), Some(0)], "it is seen when it opens");
}

#[test]
fn a_line_at_its_limit_is_tried_less_and_less_often() {
    let mut line = Seat::new(4_000, &[720], &[offer(3)]);
    line.share(4_000);
    let mut rises = Vec::new();
    let mut before = Some(2);
    for step in 0..1200 {
        // The estimate climbs as long as little is sent, and falls as soon as more is.
        let kbps = if before == Some(2) { 900 } else { 2_500 };
        let layer = line.share(kbps).0[0];
        if layer > before {
            rises.push(step);
        }
        before = layer;
    }
    assert!(rises.len() <= 16, "{rises:?}");
    let gaps: Vec<_> = rises.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.last() > gaps.first(), "{gaps:?}");
}

#[test]
fn a_line_that_recovers_is_used_again_within_three_seconds() {
    let mut line = Seat::new(4_000, &[720], &[offer(3)]);
    assert_eq!(line.share(4_000).0, [Some(2)]);
    assert_eq!(line.share(250).0, [Some(0)]);
    let looks = (1..100).find(|_| line.share(4_000).0 == [Some(2)]).unwrap();
    assert!((3..=12).contains(&looks), "{looks}");
}

#[test]
fn another_arrangement_does_not_wait_for_the_line() {
    let mut line = Seat::new(2_500, &[720, 180], &[offer(3), offer(3)]);
    assert_eq!(line.share(2_500).0, [Some(2), Some(0)]);
    line.share(1_200);
    assert_eq!(line.share(2_500).0, [Some(1), Some(0)], "held back");
    line.watching.set([(camera(1), 720), (camera(0), 180)].into_iter());
    assert_eq!(line.share(2_500).0, [Some(1), Some(0)], "of the two the other is large now");
}

#[test]
fn what_the_line_holds_back_is_named() {
    let mut line = Seat::new(4_000, &[720, 180, 720], &[offer(3), offer(3), offer(1)]);
    line.share(4_000);
    assert_eq!(line.watching.squeezed_news(line.now), None);
    line.share(1_000);
    let third = "the third is small because its sender sends no more";
    assert_eq!(line.watching.squeezed_news(line.now), Some(vec![camera(0)]), "{third}");
    line.share(100);
    assert_eq!(line.watching.squeezed_news(line.now), None, "too soon");
    (0..8).for_each(|_| drop(line.share(100)));
    assert_eq!(line.watching.squeezed_news(line.now), Some(vec![camera(0), camera(1), camera(2)]));
}

#[test]
fn a_path_looks_for_what_would_be_useful() {
    let mut line = Seat::new(4_000, &[720, 720], &[offer(3), offer(3)]);
    line.share(4_000);
    assert_eq!(line.watching.desired(line.now), Bitrate::kbps((3_000 + 60) * 3 / 2));
    line.share(200);
    assert_eq!(line.watching.desired(line.now), Bitrate::kbps(400), "in strides");
}

#[test]
fn a_path_looks_again_while_pictures_are_held_back() {
    let mut line = Seat::new(4_000, &[720], &[offer(3)]);
    line.share(4_000);
    let mut dips = |kbps: u64| {
        let mut before = Bitrate(0);
        let mut looks = |_| {
            line.share(kbps);
            let desired = line.watching.desired(line.now);
            std::mem::replace(&mut before, desired) < desired
        };
        (0..80).map(&mut looks).skip(1).filter(|more| *more).count()
    };
    assert_eq!([dips(4_000), dips(1_000), dips(4_000)], [0, 4, 0]);
}
