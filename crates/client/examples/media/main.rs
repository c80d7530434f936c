//! Measures sound and picture from end to end: `cargo xtask bench media`.
//!
//! ```text
//! media [--only speech,picture,…] [--seeds N] [--shares 0,10] [--short] [--jobs N] [--out DIR] [--python PATH]
//!       [--clip CLIP.y4m] [--redundancy COPIES,FARTHEST,MILLISECONDS]
//! ```
//!
//! Sessions, relay, packets, encryption, jitter buffers and codecs are the real ones. Where a line is emulated, it is in
//! user space (`str0m-netem`) and on a simulated clock, so that a run takes the time of its computing, and what the line
//! does follows from the seed. What is measured by the real clock (stages, load, encoder time) wants a quiet machine.
//!
//! Writes one table for each part and `DIR/media.json` (DIR is `target/bench` where it is not given). Its keys, all times
//! in milliseconds, all rates in kbit/s, medians over voices and seeds where nothing else is said:
//!
//! - `settings`: `seeds`, `short`, `clip` (what the camera shows), `debug` (built without optimisation);
//! - `speech`, one for each `scheme`, line and loss: `scheme` is `conclave` (as a client does it), or Opus alone with its
//!   in-band error correction at 23 or 60 kbit/s on the same line (`in-band-23`, `in-band-60`); `where` is the lossy line:
//!   `sender`'s or `receiver`'s, the other one is undisturbed; `round_trip` of that line; `loss` is `none`, `random` or
//!   `bursts` (of 3 on the average), `share` how much, in both directions; `pesq_wb` (ITU-T P.862.2, null where there is
//!   no `pesq`), `delay_p50`, `delay_p95` (from the capture of a sample to its leaving the mixer, without the devices'
//!   buffers), `kbps` (Opus, copies and deep redundancy), `line_kbps` (everything that the sender sends), `restored` and
//!   `made_up` (shares of the sound), `target` and `met`;
//! - `picture`, for each line and loss: `where`, `round_trip`, `loss`, `share`; `psnr` and `ssim` of shown pictures against
//!   their sources, both at the camera's size; `loss_db` (below the line of the same length without loss), `fps`; `freezes`
//!   and `longest_freeze` (gaps above max(3 × mean, mean + 150 ms), W3C webrtc-stats) and `longest_gap`, all three of the
//!   worst seed; `frozen` (share of the time), `kbps`, `layers` (shares of the shown pictures by layer, low to high),
//!   `switches` of the layer, `key_frames`, `latency_p50`, `latency_p95` (captured to shown, computing left out), `met`;
//! - `staircase`, for each step of the bandwidth: `where`, `kbps_line`, `used` (share of the line), `picture_kbps`,
//!   `height` (of most pictures in the second half of the step), `fps`, `psnr`, `freezes`, `longest_gap`, `recovery` (from
//!   the step to the first picture of that height), `switches` (in the second half), `sound_made_up`, `sound_delay_p95`;
//!   from `freezes` on those of the worst seed;
//! - `stages`: `path` (`picture` or `sound`), `stage`, `p50`, `p95`; `whole` is their sum, frame by frame;
//! - `encoder`, for each quality: `height`, `frame_p50`, `frame_p95`, `kbps`;
//! - `load`: `tiles`, `height`, `sends`, `cores`, `rss_mb`, `rss_peak_mb`, `fps` (of a tile), `kbps`, `met`;
//! - `echo`: `room`, `decay`, `echo_dbfs`, `erle_db`, `double_talk_erle_db`, `near_db`, `near_likeness`, `core_percent`;
//! - `screen`: `page`, `line_kbps`, `kbps`, `kbps_later` (in the second half), `frames`, `first_p50` (from a change to its
//!   first frame), `sharp_p50`, `sharp_max` (to SSIM ≥ 0.98), `ssim`, `ssim_end`, `encode_p50`.

#[path = "suite.rs"]
mod suite;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(answer) = suite::child(&arguments) {
        return answer;
    }
    let options = suite::Options::parse(&arguments);
    suite::run(&options);
}

#[test]
fn the_short_form_measures_every_part_that_needs_no_quiet_machine() {
    let out = std::env::temp_dir().join(format!("conclave-bench-{}", std::process::id()));
    let words =
        ["--short", "--only", "speech,picture,staircase,echo", "--out", &out.to_string_lossy()].map(str::to_owned);
    let found = suite::run(&suite::Options::parse(&words));
    for part in ["speech", "picture", "staircase", "echo"] {
        assert!(found[part].as_array().is_some_and(|rows| !rows.is_empty()), "{part}: {found}");
    }
    assert!(out.join("media.json").exists());
    let _ = std::fs::remove_dir_all(out);
}
