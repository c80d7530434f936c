#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use conclave_model::{Bitrate, Layer, MediaTime};

use super::*;

fn sound(number: u64) -> EncodedFrame {
    EncodedFrame {
        time: MediaTime(1_000_000 + number * 20_000),
        encode_delay: Duration::ZERO,
        key: true,
        layer: Layer(0),
        discardable: false,
        back: 0,
        data: Bytes::from_static(&[7; 100]),
    }
}

/// The numbers of frames that came to the second, with their delays.
fn speak(stage: &mut Stage, frames: u64) -> Vec<Duration> {
    let start = stage.now();
    let mut delays = Vec::new();
    for number in 0..frames {
        let at = start + Duration::from_millis(20 * number);
        while let Some((who, happening)) = stage.advance(at).unwrap() {
            if let (1, Happening::Frame(frame)) = (who, happening) {
                let sent = start + frame.frame.time.since(MediaTime(1_000_000));
                delays.push(frame.received.duration_since(sent));
            }
        }
        stage.send(0, TrackKind::Microphone, sound(number)).unwrap();
    }
    delays
}

#[test]
fn frames_arrive_after_both_lines_and_a_line_loses_its_share() {
    let mut stage = Stage::assemble(2, 1, Instant::now()).unwrap();
    stage.set_line(0, Way::Up, LineSpec::plain(Duration::from_millis(30)));
    let delays = speak(&mut stage, 100);
    assert!(delays.len() > 95, "{}", delays.len());
    assert!(delays.iter().all(|delay| (30..40).contains(&delay.as_millis())), "{delays:?}");
    // Too far for asking again in time.
    let lossy = LineSpec { latency: Duration::from_millis(400), loss: Loss::Random(0.3), rate: None };
    stage.set_line(0, Way::Up, lossy);
    let late = speak(&mut stage, 500).into_iter().filter(|delay| delay.as_millis() > 405).count();
    assert!(late < 300, "{late}");
    assert!(stage.traffic(0).sent > stage.traffic(0).up);
}

#[test]
fn a_narrow_line_lets_no_more_through_than_its_rate() {
    let mut stage = Stage::assemble(2, 1, Instant::now()).unwrap();
    let rate = Bitrate::kbps(30);
    stage.set_line(0, Way::Up, LineSpec { rate: Some(rate), ..LineSpec::plain(Duration::from_millis(5)) });
    let before = stage.traffic(0);
    speak(&mut stage, 500);
    let after = stage.traffic(0);
    let kbps = |bytes: u64| bytes as f64 * 8.0 / 10_000.0;
    assert!(kbps(after.sent - before.sent) > 50.0, "{}", kbps(after.sent - before.sent));
    let passed = kbps(after.up - before.up);
    assert!((15.0..40.0).contains(&passed), "{passed}");
}
