//! The sender's side: collects hashes, makes proofs.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use conclave_model::{Epoch, Layer, TrackKind, wire::FrameHead};

use super::{Hash, INTERVAL, MAX_HASHES, PAUSE, Proof, REACH, Section, Signature, hash, statement};

/// However slowly frames come, so many proofs of their own layer speak of each.
const AT_LEAST: u8 = 2;

/// How far back a proof speaks of the other layers. The relay may stop passing on one of them just before its proof, pass
/// on nothing for as long as a [`PAUSE`], and go on with this one just after its proof: the next is to be in time.
const REACH_ELSEWHERE: Duration = Duration::from_millis(1000);

/// A layer that sends nothing for this long is not spoken of in the frames of the others any more.
const IDLE: Duration = Duration::from_secs(2);

/// From this share of lost packets on, proofs come twice as often.
const MUCH_LOSS: f32 = 0.03;

/// Makes the proofs for one's own frames.
///
/// A proof is due every 300 ms of a layer, every 150 ms where the line to the relay loses 3 % and more, so that each
/// frame is proven two or four times, and twice at least however unevenly frames come. For each frame [`Self::due`] comes first, then, with the sealed frame,
/// [`Self::sent`].
#[derive(Debug, Default)]
pub struct Prover {
    tracks: BTreeMap<TrackKind, BTreeMap<Layer, Lane>>,
}

/// What was sent of one layer.
#[derive(Debug, Default)]
struct Lane {
    /// Numbers are consecutive.
    sent: VecDeque<Sent>,
    /// The number of the newest.
    newest: u32,
    flow: Duration,
    last: Option<Instant>,
    proven: Option<Instant>,
}

/// A frame that was sent.
#[derive(Debug)]
struct Sent {
    hash: Hash,
    /// How long frames had flowed by then.
    flow: Duration,
    /// How many proofs of its own layer spoke of it.
    proofs: u8,
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
        let of = |(other, lane): (&Layer, &Lane)| lane.section(*other, lane.behind(*other == layer));
        let sections: Vec<Section> = lanes.iter().filter(is_spoken_of).map(of).collect();
        if let Some(lane) = lanes.get_mut(&layer) {
            let from = lane.behind(true);
            lane.sent.range_mut(from..).for_each(|sent| sent.proofs = sent.proofs.saturating_add(1));
        }
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
        lane.sent.push_back(Sent { hash: hash(head, sealed), flow: lane.flow, proofs: 0 });
        let keep = lane.behind(true).min(lane.behind(false)).max(lane.sent.len().saturating_sub(MAX_HASHES));
        lane.sent.drain(..keep);
    }
}

impl Lane {
    /// How many of the frames that are kept a proof of this layer (`own`) or of another does not speak of any more.
    fn behind(&self, own: bool) -> usize {
        let is_over = |sent: &Sent| match own {
            true => sent.flow + REACH < self.flow && sent.proofs >= AT_LEAST,
            false => sent.flow + REACH_ELSEWHERE < self.flow,
        };
        self.sent.iter().take_while(|sent| is_over(sent)).count()
    }

    fn section(&self, layer: Layer, from: usize) -> Section {
        let hashes: Vec<Hash> = self.sent.range(from..).map(|sent| sent.hash).collect();
        let back = u32::try_from(hashes.len()).unwrap_or(u32::MAX).saturating_sub(1);
        Section { layer, first: self.newest.wrapping_sub(back), hashes }
    }
}

fn interval(loss: f32) -> Duration {
    if loss >= MUCH_LOSS { INTERVAL / 2 } else { INTERVAL }
}
