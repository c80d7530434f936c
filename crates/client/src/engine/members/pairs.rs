//! What was received of somebody, in numbers.

use std::time::Duration;

use crate::{
    PairReport,
    media::{SoundStatistics, VideoStatistics},
};

/// What was received of somebody in one session.
pub(super) fn pair_report(seen: &VideoStatistics, heard: Option<&SoundStatistics>) -> PairReport {
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    let mut pair = PairReport {
        video_frames_received: seen.received,
        video_frames_decoded: seen.decoded,
        video_fps: seen.frames_per_second,
        video_freezes: seen.freezes,
        video_longest_gap_ms: seen.longest_gap_ms,
        video_size: seen.size,
        video_layer: seen.layer.map(|layer| layer.0),
        video_layer_switches: seen.switches,
        video_kbps: seen.bits_per_second / 1e3,
        latency_ms: seen.latency,
        stages_ms: seen.stages,
        ..PairReport::default()
    };
    if let Some(heard) = heard {
        let sounded = (heard.played + heard.concealed).as_secs_f64();
        pair.audio_frames_received = heard.received;
        pair.audio_played_ms = milliseconds(heard.played);
        pair.audio_concealed_ms = milliseconds(heard.concealed);
        pair.audio_kbps = if sounded > 0.0 { heard.bytes as f64 * 8.0 / 1e3 / sounded } else { 0.0 };
    }
    pair
}

/// Adds what a later session received to what earlier ones did. Times are those of whichever saw more.
pub(super) fn fold(all: &mut PairReport, later: &PairReport) {
    let seconds = |pair: &PairReport| {
        if pair.video_fps > 0.0 { pair.video_frames_decoded as f64 / pair.video_fps } else { 0.0 }
    };
    let sounded = |pair: &PairReport| pair.audio_played_ms + pair.audio_concealed_ms;
    let mean = |(a, weight_a): (f64, f64), (b, weight_b): (f64, f64)| {
        let weight = weight_a + weight_b;
        if weight > 0.0 { (a * weight_a + b * weight_b) / weight } else { 0.0 }
    };
    let (before, after) = (seconds(all), seconds(later));
    all.video_kbps = mean((all.video_kbps, before), (later.video_kbps, after));
    all.video_fps = mean((all.video_fps, before), (later.video_fps, after));
    all.audio_kbps = mean((all.audio_kbps, sounded(all)), (later.audio_kbps, sounded(later)));
    if later.video_frames_decoded >= all.video_frames_decoded {
        all.latency_ms = later.latency_ms;
        all.stages_ms = later.stages_ms;
    }
    if later.video_frames_decoded > 0 {
        all.video_size = later.video_size;
        all.video_layer = later.video_layer;
    }
    all.video_frames_received += later.video_frames_received;
    all.video_frames_decoded += later.video_frames_decoded;
    all.video_freezes += later.video_freezes;
    all.video_layer_switches += later.video_layer_switches;
    all.video_longest_gap_ms = all.video_longest_gap_ms.max(later.video_longest_gap_ms);
    all.audio_frames_received += later.audio_frames_received;
    all.audio_played_ms += later.audio_played_ms;
    all.audio_concealed_ms += later.audio_concealed_ms;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_sessions_add_up_and_their_rate_is_that_of_the_time_together() {
        let mut all = PairReport::default();
        fold(&mut all, &PairReport { video_frames_decoded: 300, video_fps: 30.0, ..PairReport::default() });
        fold(&mut all, &PairReport { video_frames_decoded: 100, video_fps: 10.0, ..PairReport::default() });
        assert_eq!(all.video_frames_decoded, 400);
        assert!((all.video_fps - 20.0).abs() < 1e-9, "{}", all.video_fps);
    }
}
