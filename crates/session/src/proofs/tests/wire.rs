//! Proofs as they are carried, and what they cost.

use super::*;

#[test]
fn proofs_survive_the_wire_and_nothing_else_is_one() {
    let section = |layer, first, count| Section { layer: Layer(layer), first, hashes: vec![[9; 8]; count] };
    let proof = |sections| Proof { epoch: Epoch(u64::MAX), sections, signature: [5; 64] };
    let good = proof(vec![section(0, u32::MAX, 3), section(7, 5, MAX_HASHES)]);
    assert_eq!(good.sections[0].end(), 2);
    let bytes = good.to_bytes();
    assert!(bytes.len() <= MAX_PROOF);
    assert_eq!(Proof::from_bytes(&bytes), Some(good));
    for length in 0..bytes.len() {
        assert_eq!(Proof::from_bytes(&bytes[..length]), None, "{length} bytes");
    }
    for sections in [
        vec![],
        vec![section(1, 0, 1), section(1, 0, 1)],
        vec![section(2, 0, 1), section(1, 0, 1)],
        vec![section(8, 0, 1)],
        vec![section(0, 0, 0)],
        vec![section(0, 0, MAX_HASHES + 1)],
    ] {
        assert_eq!(Proof::from_bytes(&proof(sections).to_bytes()), None);
    }
    let all = (0..8).map(|layer| section(layer, 0, MAX_HASHES)).collect();
    assert_eq!(proof(all).to_bytes().len(), MAX_PROOF);
}

/// Bytes of proofs a second in each of these layers, the length in front of them included, and what else is inside the seal
/// of a frame of its own.
fn bytes_a_second(track: TrackKind, layers: u8, every: Duration, loss: f32) -> usize {
    let start = Instant::now();
    let mut sender = Sender::new(track);
    sender.loss = loss;
    let mut bytes = 0;
    let mut next = start;
    for step in 0..60_000_u32 {
        let now = start + Duration::from_millis(1) * step;
        if next <= now {
            next += every;
            for layer in 0..layers {
                let frame = if track.is_video() { sender.send_content(layer, now) } else { sender.send(layer, now) };
                bytes += 2 + frame.proof.len();
            }
        }
        for (_, layer) in sender.prover.late(loss, now) {
            bytes += sender.send_bare(layer.0, now).map_or(0, |bare| 15 + bare.proof.len());
        }
    }
    bytes / 60 / usize::from(layers)
}

#[test]
fn proofs_cost_what_the_documentation_says() {
    let picture = Duration::from_micros(33_333);
    let cost = [
        bytes_a_second(TrackKind::Microphone, 1, SOUND, 0.0),
        bytes_a_second(TrackKind::Microphone, 1, SOUND, 0.05),
        bytes_a_second(TrackKind::Microphone, 1, SOUND, 0.3),
        bytes_a_second(TrackKind::Camera, 1, picture, 0.0),
        bytes_a_second(TrackKind::Camera, 1, picture, 0.05),
        bytes_a_second(TrackKind::Camera, 3, picture, 0.0),
    ];
    assert_eq!(cost, [2475, 4854, 4854, 1956, 4250, 4357]);
}
