use std::time::Duration;

use conclave_model::PeerId;

use super::*;

fn head(layer: u8, number: u32, key: bool) -> FrameHead {
    let discardable = !key && number % 2 == 1;
    FrameHead { sender: PeerId(1), track: TrackKind::Camera, layer: Layer(layer), number, key, discardable, packets: 3 }
}

fn give(layer: u8, whole: bool) -> Aim {
    Aim { given: Some(Given { layer: Layer(layer), whole }), hoped: None, at_once: false }
}

/// Passes the three packets of a frame and says how many of them a subscriber got.
fn pass(track: &mut Published, view: &mut View, head: FrameHead) -> usize {
    (0..3)
        .filter(|_| {
            let begins = track.on_picture(&head, 1000).unwrap_or_default();
            view.takes(&head, begins)
        })
        .count()
}

#[test]
fn the_old_encoding_goes_on_until_the_key_frame_of_the_new_one() {
    let now = Instant::now();
    let (mut track, mut view) = (Published::new(now), View::default());
    assert_eq!(view.aim(give(0, true), now), Some(Layer(0)));
    let got = [head(0, 7, false), head(0, 8, true), head(0, 9, false)].map(|head| pass(&mut track, &mut view, head));
    assert_eq!(got, [0, 3, 3], "a decoder cannot begin anywhere");
    assert_eq!(view.aim(give(2, true), now), Some(Layer(2)));
    assert_eq!(view.aim(give(2, true), now), None, "asked for already");
    let heads = [head(0, 10, false), head(2, 50, false), head(2, 51, true), head(0, 11, false), head(2, 52, false)];
    assert_eq!(heads.map(|head| pass(&mut track, &mut view, head)), [3, 0, 3, 0, 3]);
    assert!(!view.takes(&head(2, 49, false), false), "what is older than the key frame is of no use");
    assert_eq!(view.aim(give(0, true), now), Some(Layer(0)));
    assert_eq!(view.aim(give(2, true), now), None, "the line recovered before the switch");
    let heads = [head(0, 12, true), head(2, 54, false)];
    assert_eq!(heads.map(|head| pass(&mut track, &mut view, head)), [0, 3]);
}

#[test]
fn nobody_begins_in_the_middle_of_a_key_frame() {
    let now = Instant::now();
    let (mut track, mut view) = (Published::new(now), View::default());
    let key = head(0, 5, true);
    let begins = track.on_picture(&key, 1000).unwrap_or_default();
    assert!(begins);
    view.aim(give(0, true), now);
    assert!(!view.takes(&key, track.on_picture(&key, 1000).unwrap_or_default()));
    assert_eq!(pass(&mut track, &mut view, head(0, 6, true)), 3, "whichever of its packets comes first");
}

#[test]
fn frames_that_no_other_needs_are_left_out_between_two_encodings() {
    let now = Instant::now();
    let (mut track, mut view) = (Published::new(now), View::default());
    view.aim(give(1, false), now);
    let got = |track: &mut Published, view: &mut View, first: u32, layer: u8| {
        let heads = [0, 1, 2, 3].map(|step| head(layer, first + step, first + step == 0));
        heads.map(|head| pass(track, view, head))
    };
    assert_eq!(got(&mut track, &mut view, 0, 1), [3, 0, 3, 0]);
    view.aim(give(1, true), now);
    assert_eq!(got(&mut track, &mut view, 4, 1), [3; 4], "for that no key frame is needed");
    view.aim(give(0, true), now);
    assert_eq!(got(&mut track, &mut view, 8, 1), [3, 0, 3, 0], "on the way down at once");
    assert_eq!(got(&mut track, &mut view, 0, 0), [3; 4]);
}

#[test]
fn what_the_line_cannot_carry_stops_at_once() {
    let now = Instant::now();
    let (mut track, mut view) = (Published::new(now), View::default());
    view.aim(give(2, true), now);
    assert_eq!(pass(&mut track, &mut view, head(2, 0, true)), 3);
    view.aim(Aim { at_once: true, ..give(0, true) }, now);
    assert_eq!(pass(&mut track, &mut view, head(2, 2, false)), 0);
    assert_eq!(pass(&mut track, &mut view, head(0, 0, true)), 3);
    view.aim(Aim { given: None, hoped: Some(Layer(1)), at_once: true }, now);
    assert_eq!((view.layers(), pass(&mut track, &mut view, head(0, 2, true))), (0b010, 0));
}

#[test]
fn who_has_nothing_takes_the_next_best_that_begins() {
    let now = Instant::now();
    let (mut track, mut view) = (Published::new(now), View::default());
    view.aim(give(2, true), now);
    let heads = [head(1, 0, true), head(0, 0, true), head(1, 1, false), head(2, 0, true), head(1, 2, true)];
    assert_eq!(heads.map(|head| pass(&mut track, &mut view, head)), [3, 0, 3, 3, 0]);
}

#[test]
fn numbers_wrap() {
    assert!(is_before(u32::MAX, 0) && !is_before(0, u32::MAX) && !is_before(5, 5));
    let now = Instant::now();
    let (mut track, mut view) = (Published::new(now), View::default());
    view.aim(give(0, true), now);
    let heads = [head(0, u32::MAX, true), head(0, 0, false), head(0, 2, true)];
    assert_eq!(heads.map(|head| pass(&mut track, &mut view, head)), [3, 3, 3]);
}

#[test]
fn a_viewer_who_waits_in_vain_is_helped_out() {
    let now = Instant::now();
    let mut track = Published::new(now);
    let mut view = View::default();
    view.aim(give(2, true), now);
    let (connection, slot) = (crate::relay::ConnectionId(1), Slot::Video(0));
    track.subscribers.push(Subscriber { connection, slot, view });
    for (step, expected) in [(1, 0), (3, 0b010), (4, 0b010)] {
        let now = now + Duration::from_millis(200) * step;
        for layer in [0, 1] {
            track.on_picture(&head(layer, step, false), 1000);
        }
        track.look(now);
        assert_eq!(track.overdue(now), expected, "the best of what comes, after {step} looks");
    }
    track.on_picture(&head(2, 9, false), 1000);
    let now = now + Duration::from_secs(1);
    track.look(now);
    assert_eq!(track.overdue(now), 0b100, "it comes, and its key frame was lost");
}

#[test]
fn who_comes_to_a_layer_that_was_asked_for_in_vain_gets_what_there_is_at_once() {
    let start = Instant::now();
    for (asked, expected) in [(true, Some(Layer(1))), (false, None)] {
        let mut track = Published::new(start);
        if asked {
            track.viewers.set(0b100, start);
            track.viewers.news(start);
        }
        let now = start + LATE;
        for layer in [0, 1] {
            track.on_picture(&head(layer, 0, false), 1000);
        }
        track.look(now);
        let mut view = View::default();
        assert_eq!(view.aim(give(2, true), now), Some(Layer(2)));
        let connection = crate::relay::ConnectionId(1);
        track.subscribers.push(Subscriber { connection, slot: Slot::Video(0), view });
        assert_eq!(track.awaited_by(connection, now), expected, "asked before: {asked}");
        assert_eq!(track.awaited_by(crate::relay::ConnectionId(2), now), None);
    }
}

#[test]
fn a_layer_that_does_not_exist_is_refused() {
    let mut track = Published::new(Instant::now());
    assert_eq!([2, 3, 7].map(|layer| track.on_picture(&head(layer, 0, true), 1000).is_some()), [true, false, false]);
}
