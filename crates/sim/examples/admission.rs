//! What it takes to come in and to be put out: `cargo run --release -p conclave-sim --example admission`.
//!
//! Real sessions, a real relay and real keys on a simulated network of 10 ms each way; what is computed takes its real
//! time. Prints a table and, as its last line, the same in JSON. Fails where the ejected opens a frame.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use conclave_codec::{Av1Decoder, Av1Encoder, Content, VideoDecoder, VideoEncoder, VideoSettings};
use conclave_e2ee::{Leaf, Rules};
use conclave_identity::issue::{Rehearsal, RehearsalSpec};
use conclave_model::{Bitrate, Epoch, Layer, MediaTime, PeerId, Picture, TrackKind, wire::FrameHead};
use conclave_session::proofs::Prover;
use conclave_sim::measure::{Measured, measure, percentile};

const LATENCY: Duration = Duration::from_millis(10);
const WALL: u64 = 1_800_000_000;

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn row(what: &str, columns: &[String]) {
    println!("{what:<58}{}", columns.iter().map(|column| format!("{column:>24}")).collect::<String>());
}

fn spread(durations: &[Duration]) -> String {
    let at = |percent| millis(percentile(durations, percent));
    format!("{:.1} / {:.1} / {:.1}", at(50), at(95), at(100))
}

/// What proofs of authenticity cost a sender of sound (50 frames a second), for 10 s of it: bytes a second, and ms of CPU a
/// second to sign and to check.
fn proofs() -> (f64, f64, f64) {
    const SECONDS: u32 = 10;
    const FRAMES: u32 = 50;
    let rehearsal = Rehearsal::new(&RehearsalSpec::new(1, WALL)).unwrap();
    let rules = Rules::new(rehearsal.invitation.clone(), rehearsal.authority.root().clone());
    let group = Leaf::new(&rehearsal.holders[0], rules).unwrap().create(WALL).unwrap();
    let start = Instant::now();
    let mut prover = Prover::default();
    let (mut bytes, mut signed) = (0, Vec::new());
    let mut signing = Duration::ZERO;
    for number in 0..SECONDS * FRAMES {
        let now = start + Duration::from_millis(20) * number;
        let head = FrameHead {
            sender: PeerId(1),
            track: TrackKind::Microphone,
            layer: Layer(0),
            number,
            key: true,
            discardable: false,
            packets: 1,
        };
        let begun = Instant::now();
        let sign = |statement: &[u8]| {
            let signature = group.prove(statement);
            signed.push((statement.to_vec(), signature));
            signature
        };
        let proof = prover.due(TrackKind::Microphone, Layer(0), 0.0, Epoch(0), sign, now).unwrap_or_default();
        prover.sent(&head, &[7; 100], now);
        signing += begun.elapsed();
        bytes += proof.len();
    }
    let begun = Instant::now();
    for (statement, signature) in &signed {
        assert!(black_box(group.check_proof(group.me(), Epoch(0), statement, signature)));
    }
    let checking = begun.elapsed();
    let seconds = f64::from(SECONDS);
    (bytes as f64 / seconds, millis(signing) / seconds, millis(checking) / seconds)
}

/// What it takes to decode a key frame of 360 lines, the decoder's start included: the median of many.
fn decoding() -> Duration {
    const SIDES: (u32, u32) = (640, 360);
    let settings = VideoSettings {
        width: SIDES.0,
        height: SIDES.1,
        frames_per_second: 30,
        bitrate: Bitrate::kbps(500),
        threads: 1,
        content: Content::Camera,
    };
    let mut encoder = Av1Encoder::new(settings).unwrap();
    let mut took: Vec<Duration> = (0..21_u32)
        .map(|number| {
            let mut picture = Picture::black(SIDES.0, SIDES.1, MediaTime(u64::from(number) * 33_333)).unwrap();
            for (at, luma) in (0_u32..).zip(picture.planes_mut()[0].iter_mut()) {
                let (x, y) = (at % SIDES.0, at / SIDES.0);
                *luma = (64 + (x * (number + 3) / 16 + y / 3) % 128 + (x ^ y) % 8) as u8;
            }
            let frame = encoder.encode(&picture, true).unwrap().unwrap();
            let begun = Instant::now();
            assert!(Av1Decoder::new().unwrap().decode(&frame).unwrap().is_some(), "a key frame stands alone");
            begun.elapsed()
        })
        .collect();
    took.sort_unstable();
    took[took.len() / 2]
}

fn main() {
    let sizes: Vec<usize> = std::env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    let sizes = if sizes.is_empty() { vec![27, 100] } else { sizes };
    let all: Vec<Measured> = sizes.iter().map(|members| measure(*members, LATENCY, Instant::now).unwrap()).collect();
    let columns = |show: fn(&Measured) -> String| all.iter().map(show).collect::<Vec<_>>();
    let join = |one: &Measured| one.join_delays + one.join_cpu_newcomer + one.join_cpu_committer;
    row("lines of 10 ms each way; times in ms", &columns(|one| format!("{} members", one.members)));
    row(
        "join to first opened frame, all together",
        &all.iter().map(|one| format!("{:.0}", millis(join(one)))).collect::<Vec<_>>(),
    );
    row("  delays of network and protocol", &columns(|one| format!("{:.0}", millis(one.join_delays))));
    row("  CPU of the newcomer", &columns(|one| format!("{:.1}", millis(one.join_cpu_newcomer))));
    row(
        "  CPU of who adds it, the meeting's media included",
        &columns(|one| format!("{:.1}", millis(one.join_cpu_committer))),
    );
    let decoding = decoding();
    let picture = |one: &Measured| join(one) + one.picture_delay + decoding;
    row(
        "  until the first picture begins, a key frame is asked for",
        &columns(|one| format!("{:.0}", millis(one.picture_delay))),
    );
    row(
        "join to first decoded picture",
        &all.iter().map(|one| format!("{:.0}", millis(picture(one)))).collect::<Vec<_>>(),
    );
    row("eject to a member's new sending key, p50 / p95 / max", &columns(|one| spread(&one.switched)));
    row("frames sent after the last switch", &columns(|one| one.frames_after.to_string()));
    row("  that the ejected opens with its real keys", &columns(|one| one.opened_after.to_string()));
    row("  frames before it that the ejected opens", &columns(|one| one.opened_before.to_string()));
    row("CPU to follow a commit, p50 / p95 / max", &columns(|one| spread(&one.followed)));
    row("bytes of the commit that adds one", &columns(|one| one.added.0.to_string()));
    row("bytes of its welcome", &columns(|one| one.added.1.to_string()));
    row("bytes of the commit that ejects one", &columns(|one| one.ejected.to_string()));
    let (bytes, signing, checking) = proofs();
    println!(
        "proofs of authenticity for 1 s of sound: {bytes:.0} B, {signing:.2} ms to sign, {checking:.2} ms to check"
    );

    let json = all.iter().map(|one| {
        let at = |percent| millis(percentile(&one.switched, percent));
        let followed = |percent| millis(percentile(&one.followed, percent));
        format!(
            "{{\"members\":{},\"join_ms\":{:.1},\"picture_ms\":{:.1},\"join_delays_ms\":{:.1},\"join_cpu_newcomer_ms\":{:.1},\
             \"join_cpu_committer_ms\":{:.1},\"eject_p50_ms\":{:.1},\"eject_p95_ms\":{:.1},\"eject_max_ms\":{:.1},\
             \"frames_after\":{},\"opened_after\":{},\"follow_p50_ms\":{:.2},\"follow_p95_ms\":{:.2},\
             \"follow_max_ms\":{:.2},\"commit_add_bytes\":{},\"welcome_bytes\":{},\"commit_eject_bytes\":{}}}",
            one.members,
            millis(join(one)),
            millis(picture(one)),
            millis(one.join_delays),
            millis(one.join_cpu_newcomer),
            millis(one.join_cpu_committer),
            at(50),
            at(95),
            at(100),
            one.frames_after,
            one.opened_after,
            followed(50),
            followed(95),
            followed(100),
            one.added.0,
            one.added.1,
            one.ejected,
        )
    });
    println!(
        "{{\"latency_ms\":{},\"decode_ms\":{:.2},\"meetings\":[{}],\"proof_bytes_per_s\":{bytes:.0},\"proof_sign_ms_per_s\":{signing:.3},\
         \"proof_check_ms_per_s\":{checking:.3}}}",
        LATENCY.as_millis(),
        millis(decoding),
        json.collect::<Vec<_>>().join(","),
    );
    let leaked: usize = all.iter().map(|one| one.opened_after).sum();
    assert_eq!(leaked, 0, "the ejected opened frames");
}
