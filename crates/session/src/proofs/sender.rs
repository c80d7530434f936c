//! The sender's side: collects hashes, makes proofs.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use conclave_model::{Epoch, Layer, TrackKind, wire::FrameHead};

use super::{Hash, INTERVAL, MAX_HASHES, Proof, REACH, Section, Signature, hash, statement};

/// However slowly frames come, so many proofs of their own layer speak of each.
const AT_LEAST: u8 = 2;

/// How far back a proof speaks of the other layers. The relay may stop passing on one of them just before its proof, pass
/// on nothing for a while, and go on with this one just after its proof: the next is to be in time.
const REACH_ELSEWHERE: Duration = Duration::from_millis(800);

/// From this share of lost packets on, proofs come twice as often.
const MUCH_LOSS: f32 = 0.03;

/// How long a proof that is due waits for a frame of sound to carry it, before it goes in a frame of its own.
const CARRIER_COMES: Duration = Duration::from_millis(60);

/// Makes the proofs for one's own frames.
///
/// A proof is due every 200 ms of a layer while there is a frame of the last second in it, every 100 ms where the line to
/// the relay loses 3 % and more; so each frame is proven five or ten times, whether others follow it or not. For each
/// frame of sound [`Self::due`] comes first, then, with the sealed frame, [`Self::sent`]. A proof that no frame carries is
/// asked for by [`Self::deadline`] and [`Self::late`]: it is to go in a frame of its own, and so do all proofs of
/// pictures, since one of many packets is lost more often than one of a single, and a relay may leave out what no other
/// needs.
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
    proven: Option<Instant>,
}

/// A frame that was sent.
#[derive(Debug)]
struct Sent {
    hash: Hash,
    at: Instant,
    /// Whether it has content; a frame that only carries a proof needs none itself.
    has_content: bool,
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
        if lane.due(loss)? > now {
            return None;
        }
        if !lane.sent.range(lane.behind(now)..).any(|sent| sent.has_content) {
            // It came to be due long ago, and its frames have had their proofs.
            lane.proven = Some(now);
            return None;
        }
        let of = |(of, lane): (&Layer, &Lane)| {
            let from = if *of == layer { lane.behind(now) } else { lane.behind_elsewhere(now) };
            lane.section(*of, from)
        };
        let sections: Vec<Section> = lanes.iter().filter_map(of).collect();
        let signature = sign(&statement(track, &sections));
        lanes.get_mut(&layer)?.prove(now);
        Some(Proof { epoch, sections, signature }.to_bytes())
    }

    /// Notes a frame that was sealed; numbers of a layer are consecutive.
    pub fn sent(&mut self, head: &FrameHead, sealed: &[u8], now: Instant) {
        self.note(head, sealed, true, now);
    }

    /// Notes a frame that was sealed and has nothing but a proof.
    pub fn sent_bare(&mut self, head: &FrameHead, sealed: &[u8], now: Instant) {
        self.note(head, sealed, false, now);
    }

    /// The layers for which a frame is to be sent that carries nothing but the proof that [`Self::due`] gives.
    pub fn late(&self, loss: f32, now: Instant) -> Vec<(TrackKind, Layer)> {
        let is_late = |at: Instant| at <= now;
        self.dues(loss).filter(|(_, at)| is_late(*at)).map(|(of, _)| of).collect()
    }

    /// When [`Self::late`] has something next.
    pub fn deadline(&self, loss: f32) -> Option<Instant> {
        self.dues(loss).map(|(_, at)| at).min()
    }

    /// A proof that is due cannot be sent at the moment; it is due again after the usual time.
    pub fn put_off(&mut self, track: TrackKind, layer: Layer, now: Instant) {
        if let Some(lane) = self.tracks.get_mut(&track).and_then(|lanes| lanes.get_mut(&layer)) {
            lane.proven = Some(now);
        }
    }

    /// When each layer that needs a proof is to have one in a frame of its own.
    fn dues(&self, loss: f32) -> impl Iterator<Item = ((TrackKind, Layer), Instant)> {
        self.tracks.iter().flat_map(move |(track, lanes)| {
            let waits = if track.is_video() { Duration::ZERO } else { CARRIER_COMES };
            lanes.iter().filter_map(move |(layer, lane)| Some(((*track, *layer), lane.due(loss)? + waits)))
        })
    }

    fn note(&mut self, head: &FrameHead, sealed: &[u8], has_content: bool, now: Instant) {
        let lane = self.tracks.entry(head.track).or_default().entry(head.layer).or_default();
        if !lane.sent.is_empty() && lane.newest.wrapping_add(1) != head.number {
            debug_assert!(false, "numbers are consecutive");
            lane.sent.clear();
        }
        lane.newest = head.number;
        lane.sent.push_back(Sent { hash: hash(head, sealed), at: now, has_content, proofs: 0 });
        let keep = lane.behind(now).max(lane.sent.len().saturating_sub(MAX_HASHES));
        lane.sent.drain(..keep);
    }
}

impl Sent {
    /// Whether proofs need not speak of it any more.
    fn is_over(&self, now: Instant) -> bool {
        self.at + REACH < now && (self.proofs >= AT_LEAST || !self.has_content)
    }
}

impl Lane {
    /// When the next proof is due; `None` where nothing needs one.
    fn due(&self, loss: f32) -> Option<Instant> {
        let next = self.proven.map(|proven| proven + interval(loss));
        let needs = |sent: &&Sent| sent.has_content && next.is_none_or(|next| !sent.is_over(next));
        let first = self.sent.iter().find(needs)?;
        Some(next.map_or(first.at, |next| first.at.max(next)))
    }

    /// A proof is made that speaks of all that need one.
    fn prove(&mut self, now: Instant) {
        self.proven = Some(now);
        let from = self.behind(now);
        self.sent.range_mut(from..).for_each(|sent| sent.proofs = sent.proofs.saturating_add(1));
    }

    /// How many of the frames that are kept a proof does not speak of any more.
    fn behind(&self, now: Instant) -> usize {
        self.sent.iter().take_while(|sent| sent.is_over(now)).count()
    }

    /// How many of them a proof in another layer does not speak of.
    fn behind_elsewhere(&self, now: Instant) -> usize {
        self.sent.iter().take_while(|sent| sent.at + REACH_ELSEWHERE < now).count()
    }

    fn section(&self, layer: Layer, from: usize) -> Option<Section> {
        let hashes: Vec<Hash> = self.sent.range(from..).map(|sent| sent.hash).collect();
        let back = u32::try_from(hashes.len()).ok()?.checked_sub(1)?;
        Some(Section { layer, first: self.newest.wrapping_sub(back), hashes })
    }
}

fn interval(loss: f32) -> Duration {
    if loss >= MUCH_LOSS { INTERVAL / 2 } else { INTERVAL }
}
