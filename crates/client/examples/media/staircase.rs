//! A line whose bandwidth falls in steps and comes back.

use std::time::{Duration, Instant};

use conclave_model::Bitrate;
use conclave_sim::stage::{LineSpec, StageError, Traffic, Way};
use serde_json::Value;

use super::{
    Options,
    clip::Clip,
    median, percentile,
    picture::Call,
    table::{Cell, Table, number, word},
    viewer::Seen,
};

/// The steps, in kbit/s.
const STEPS: [u64; 5] = [5_000, 1_000, 300, 100, 5_000];

/// Whose line it is.
const PLACES: [&str; 2] = ["sender", "receiver"];

/// Each way of the line.
const LATENCY: Duration = Duration::from_millis(20);

/// What happened on one step.
struct Step {
    seen: Seen,
    used: f64,
    height: f64,
    /// Until what is shown is as later on the step.
    recovery: f64,
    /// Changes of layer in the second half of the step.
    switches: f64,
    sound_made_up: f64,
    sound_delay_p95: f64,
}

/// Measures the staircase on the sender's line and on the receiver's; returns the rows.
pub(crate) fn measure(options: &Options) -> Value {
    let clip = Clip::load(options);
    let length = if options.short { Duration::from_secs(2) } else { Duration::from_secs(20) };
    let places = if options.short { 1 } else { PLACES.len() };
    let jobs: Vec<(usize, u64)> = (0..places).flat_map(|at| (0..options.seeds).map(move |seed| (at, seed))).collect();
    let all = options.spread(&jobs, |(at, seed)| climb(&clip, *at, *seed, length).unwrap());
    let mut table =
        Table::new(format!("staircase: {}, {} s a step × {} seeds", clip.name, length.as_secs(), options.seeds));
    for (place, runs) in PLACES.into_iter().zip(all.chunks(options.seeds as usize)) {
        for (number, kbps) in STEPS.into_iter().enumerate() {
            let steps: Vec<&Step> = runs.iter().map(|run| &run[number]).collect();
            table.add(row(place, kbps, &steps));
        }
    }
    table.finish()
}

fn row(place: &str, kbps: u64, steps: &[&Step]) -> Vec<(&'static str, Cell)> {
    let middle = |of: fn(&Step) -> f64| median(&steps.iter().map(|step| of(step)).collect::<Vec<_>>());
    let worst = |of: fn(&Step) -> f64| steps.iter().map(|step| of(step)).fold(0.0, f64::max);
    vec![
        ("where", word(place)),
        ("kbps_line", Cell::Number(kbps as f64, 0)),
        ("used", Cell::Share(middle(|step| step.used))),
        ("picture_kbps", Cell::Number(middle(|step| step.seen.kbps), 0)),
        ("height", Cell::Number(middle(|step| step.height), 0)),
        ("fps", number(middle(|step| step.seen.fps))),
        ("psnr", number(middle(|step| step.seen.psnr))),
        ("freezes", Cell::Number(worst(|step| step.seen.freezes), 0)),
        ("longest_gap", Cell::Number(worst(|step| step.seen.longest_gap), 0)),
        ("recovery", Cell::Number(worst(|step| step.recovery), 0)),
        ("switches", Cell::Number(worst(|step| step.switches), 0)),
        ("sound_made_up", Cell::Share(worst(|step| step.sound_made_up))),
        ("sound_delay_p95", number(worst(|step| step.sound_delay_p95))),
    ]
}

fn climb(clip: &Clip, at: usize, seed: u64, length: Duration) -> Result<Vec<Step>, StageError> {
    let mut call = Call::new(clip, seed, 15)?;
    let mut steps = Vec::new();
    for kbps in STEPS {
        for way in [Way::Up, Way::Down] {
            call.stage.set_line(at, way, LineSpec { rate: Some(Bitrate::kbps(kbps)), ..LineSpec::plain(LATENCY) });
        }
        let from = call.stage.now();
        let (traffic, heard) = (passed(call.stage.traffic(at), at), call.listener.statistics().concealed);
        call.run(length)?;
        let until = call.stage.now();
        let bytes = passed(call.stage.traffic(at), at) - traffic;
        let shown = &call.viewer.shown;
        let middle = from + length / 2;
        let usual = Seen::usual_layer(shown, middle, until);
        let delays: Vec<f64> =
            call.delays.iter().filter(|(when, _)| (from..until).contains(when)).map(|(_, delay)| *delay).collect();
        let recovered = |when: Instant| when.duration_since(from).as_secs_f64() * 1e3;
        let settled = shown.iter().find(|shown| shown.at >= from && Some((shown.layer, shown.height)) == usual);
        steps.push(Step {
            seen: Seen::between(shown, from, until),
            used: bytes as f64 * 8.0 / 1e3 / length.as_secs_f64() / kbps as f64,
            height: usual.map_or(0.0, |(_, height)| f64::from(height)),
            recovery: settled.map_or(f64::NAN, |shown| recovered(shown.at)),
            switches: Seen::between(shown, middle, until).switches,
            sound_made_up: (call.listener.statistics().concealed - heard).as_secs_f64() / length.as_secs_f64(),
            sound_delay_p95: percentile(&delays, 95),
        });
    }
    Ok(steps)
}

/// What came over the line that is narrow, in the direction of the media.
fn passed(traffic: Traffic, at: usize) -> u64 {
    if at == 0 { traffic.up } else { traffic.down }
}
