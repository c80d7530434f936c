//! Own frames on their way out, and the key frames that others want of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use conclave_e2ee::Group;
use conclave_model::{EncodedFrame, Layer, PeerId, TrackKind, wire::FrameHead};
use conclave_transport::{Slot, VIDEO_SLOTS};

use crate::{
    Event, SessionError,
    lineage::Lineage,
    link::Link,
    packetizer::{cut, packets_for, to_plaintext},
    proofs::Prover,
    throttle::Throttle,
};

/// An encoder is not asked for key frames more often than this.
const KEY_FRAME_INTERVAL: Duration = Duration::from_millis(250);

/// One encoding of an own track.
type Encoding = (TrackKind, Layer);

/// What sends own frames.
#[derive(Debug)]
pub(super) struct Sender {
    me: PeerId,
    /// The number of the next frame.
    numbers: BTreeMap<Encoding, u32>,
    lineages: BTreeMap<Encoding, Lineage>,
    prover: Prover,
    key_frames: Throttle<Encoding>,
    /// Key frames that were wanted while frames were still sealed under the epoch before: a newcomer can open none of
    /// those, so they are wanted again afterwards.
    after_switch: BTreeSet<Encoding>,
}

impl Sender {
    pub(super) fn new(me: PeerId) -> Self {
        Self {
            me,
            numbers: BTreeMap::new(),
            lineages: BTreeMap::new(),
            prover: Prover::default(),
            key_frames: Throttle::new(KEY_FRAME_INTERVAL),
            after_switch: BTreeSet::new(),
        }
    }

    /// Seals a frame together with the proof of earlier ones, cuts it and queues the packets.
    pub(super) fn send(
        &mut self,
        track: TrackKind,
        frame: &EncodedFrame,
        group: &mut Group,
        link: &mut Link,
        now: Instant,
    ) -> Result<(), SessionError> {
        if frame.layer.0 > FrameHead::MAX_LAYER {
            return Err(SessionError::Layer(frame.layer));
        }
        let encoding = (track, frame.layer);
        let lineage = self.lineages.entry(encoding).or_default();
        if !link.path.is_connected() {
            lineage.add(None);
            link.counters.frames_unsent += 1;
            return Ok(());
        }
        let number = self.numbers.entry(encoding).or_default();
        let Some(back) = lineage.back(frame, *number) else {
            // What it needs did not leave.
            lineage.add(None);
            link.counters.frames_unsent += 1;
            self.want_key_frame(encoding, link, now);
            return Ok(());
        };
        let (epoch, loss) = (group.sending_epoch(), link.quality.loss);
        let proof = self.prover.due(track, frame.layer, loss, epoch, |statement| group.prove(statement), now);
        let plaintext = to_plaintext(&EncodedFrame { back, ..frame.clone() }, &proof.unwrap_or_default());
        let Some(packets) = packets_for(group.sealed_length(plaintext.len())) else {
            lineage.add(None);
            self.want_key_frame(encoding, link, now);
            return Err(SessionError::FrameTooLarge(frame.data.len()));
        };
        let head = FrameHead {
            sender: self.me,
            track,
            layer: frame.layer,
            number: *number,
            key: frame.key,
            discardable: frame.discardable,
            packets,
        };
        let sealed = group.seal_frame(&head, &plaintext)?;
        self.prover.sent(&head, &sealed, now);
        lineage.add(Some(*number));
        *number = number.wrapping_add(1);
        let slot = slot_for(track, frame.layer);
        for packet in cut(head, &sealed) {
            link.path.send(slot, packet, now)?;
        }
        link.counters.sent.entry(track).or_default().add(frame.data.len());
        Ok(())
    }

    /// Somebody wants a key frame.
    pub(super) fn on_key_frame_wanted(&mut self, of: Encoding, switching: bool, link: &mut Link, now: Instant) {
        if of.1.0 > FrameHead::MAX_LAYER {
            link.ignored();
            return;
        }
        if switching {
            self.after_switch.insert(of);
        }
        self.want_key_frame(of, link, now);
    }

    /// Frames are sealed under the newest epoch from now on.
    pub(super) fn switched(&mut self, link: &mut Link, now: Instant) {
        for of in std::mem::take(&mut self.after_switch) {
            self.want_key_frame(of, link, now);
        }
    }

    pub(super) fn handle_timeout(&mut self, link: &mut Link, now: Instant) {
        for (track, layer) in self.key_frames.due(now) {
            link.tell(Event::KeyFrameWanted { track, layer });
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.key_frames.deadline()
    }

    fn want_key_frame(&mut self, (track, layer): Encoding, link: &mut Link, now: Instant) {
        if self.key_frames.request((track, layer), now) {
            link.tell(Event::KeyFrameWanted { track, layer });
        }
    }
}

/// Sound has one slot; the encodings of the camera and the screen each have their own, so that their retransmissions
/// do not mix.
fn slot_for(track: TrackKind, layer: Layer) -> Slot {
    const SCREEN: u8 = VIDEO_SLOTS - 1;
    match track {
        TrackKind::Camera => Slot::Video(layer.0.min(SCREEN - 1)),
        TrackKind::Screen => Slot::Video(SCREEN),
        TrackKind::Microphone | TrackKind::ScreenAudio | TrackKind::Booth(_) => Slot::Audio,
    }
}
