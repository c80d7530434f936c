//! The sender's side: collects hashes, makes proofs.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use conclave_model::{Epoch, Layer, TrackKind, wire::FrameHead};

use super::{Hash, INTERVAL, MAX_HASHES, PAUSE, Proof, REACH, Section, Signature, hash, statement};

/// However slowly frames come, a proof speaks of this many.
const AT_LEAST: usize = 2;

/// A layer that sends nothing for this long is not spoken of in the frames of the others any more.
const IDLE: Duration = Duration::from_secs(2);

/// From this share of lost packets on, proofs come twice as often.
const MUCH_LOSS: f32 = 0.03;

/// Makes the proofs for one's own frames.
///
/// A proof is due every 300 ms of a layer, every 150 ms where the line to the relay loses 3 % and more, so that each
/// frame is proven two or four times. For each frame [`Self::due`] comes first, then, with the sealed frame,
/// [`Self::sent`].
#[derive(Debug, Default)]
pub struct Prover {
    tracks: BTreeMap<TrackKind, BTreeMap<Layer, Lane>>,
}

/// What was sent of one layer.
#[derive(Debug, Default)]
struct Lane {
    /// Hash of each frame, and how long frames had flowed by then. Numbers are consecutive.
    sent: VecDeque<(Hash, Duration)>,
    /// The number of the newest.
    newest: u32,
    flow: Duration,
    last: Option<Instant>,
    proven: Option<Instant>,
}

impl Prover {
    /// The proof that the next frame of this layer is to carry, if one is due.
    ///
    /// `loss` is the share of packets that is lost on the way to the relay, 0 to 1; `sign` signs for `epoch`, the one
    /// that the frame is sealed in. Costs one signature, 30 µs or so.
    pub fn due(
        &mut self,
        track: TrackKind,
        layer: Layer,
        loss: f32,
        epoch: Epoch,
        sign: impl FnOnce(&[u8]) -> Signature,
        now: Instant,
    ) -> Option<Vec<u8>> {
        let lanes = self.tracks.get_mut(&track)?;
        let lane = lanes.get_mut(&layer)?;
        let since = |at: Option<Instant>| at.map(|at| now.saturating_duration_since(at));
        // The frame after this one would be too late.
        let next = since(lane.proven).map(|elapsed| elapsed + since(lane.last).unwrap_or_default());
        if next.is_some_and(|next| next < interval(loss)) {
            return None;
        }
        lane.proven = Some(now);
        let is_spoken_of = |(of, lane): &(&Layer, &Lane)| **of == layer || since(lane.last).is_some_and(|at| at < IDLE);
        let sections: Vec<Section> =
            lanes.iter().filter(is_spoken_of).map(|(layer, lane)| lane.section(*layer)).collect();
        let signature = sign(&statement(track, &sections));
        Some(Proof { epoch, sections, signature }.to_bytes())
    }

    /// Notes a frame that was sealed; numbers of a layer are consecutive.
    pub fn sent(&mut self, head: &FrameHead, sealed: &[u8], now: Instant) {
        let lane = self.tracks.entry(head.track).or_default().entry(head.layer).or_default();
        if !lane.sent.is_empty() && lane.newest.wrapping_add(1) != head.number {
            debug_assert!(false, "numbers are consecutive");
            lane.sent.clear();
        }
        lane.flow += lane.last.map_or(Duration::ZERO, |last| now.saturating_duration_since(last).min(PAUSE));
        lane.last = Some(now);
        lane.newest = head.number;
        lane.sent.push_back((hash(head, sealed), lane.flow));
        while lane.sent.len() > AT_LEAST && lane.sent.front().is_some_and(|(_, at)| *at + REACH < lane.flow)
            || lane.sent.len() > MAX_HASHES
        {
            lane.sent.pop_front();
        }
    }
}

impl Lane {
    fn section(&self, layer: Layer) -> Section {
        let behind = u32::try_from(self.sent.len()).unwrap_or(u32::MAX).saturating_sub(1);
        let hashes = self.sent.iter().map(|(hash, _)| *hash).collect();
        Section { layer, first: self.newest.wrapping_sub(behind), hashes }
    }
}

fn interval(loss: f32) -> Duration {
    if loss >= MUCH_LOSS { INTERVAL / 2 } else { INTERVAL }
}
