//! Own frames on their way out, and the key frames that others want of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use bytes::Bytes;
use conclave_e2ee::Group;
use conclave_model::{EncodedFrame, Layer, MediaTime, PeerId, TrackKind, wire::FrameHead};
use conclave_transport::{Slot, VIDEO_SLOTS};

use crate::{
    Event, SessionError,
    lineage::Lineage,
    link::{Link, earliest},
    packetizer::{cut, packets_for, to_plaintext},
    proofs::Prover,
    repair::repairs,
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
    /// When the newest frame was captured.
    times: BTreeMap<Encoding, MediaTime>,
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
            times: BTreeMap::new(),
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
        // Pictures have their proofs in frames of their own, see `proofs::Prover`.
        let proof = match track.is_video() {
            true => None,
            false => self.prover.due(
                track,
                frame.layer,
                link.quality.loss,
                group.sending_epoch(),
                |statement| group.prove(statement),
                now,
            ),
        };
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
        let sealed = group.seal_frame(&head, &plaintext).inspect_err(|_| lineage.add(None))?;
        self.prover.sent(&head, &sealed, now);
        lineage.add(Some(*number));
        self.times.insert(encoding, frame.time);
        *number = number.wrapping_add(1);
        let slot = slot_for(track, frame.layer);
        let repairs = if track.is_video() && !frame.discardable { repairs(packets, link.loss()) } else { 0 };
        for packet in cut(head, &sealed, repairs) {
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

    pub(super) fn handle_timeout(&mut self, group: &mut Group, link: &mut Link, now: Instant) {
        for (track, layer) in self.prover.late(link.quality.loss, now) {
            if let Err(error) = self.send_proof((track, layer), group, link, now) {
                tracing::debug!(%error, ?track, "a proof is put off");
                self.prover.put_off(track, layer, now);
            }
        }
        for (track, layer) in self.key_frames.due(now) {
            link.tell(Event::KeyFrameWanted { track, layer });
        }
    }

    pub(super) fn deadline(&self, link: &Link) -> Option<Instant> {
        earliest([self.key_frames.deadline(), self.prover.deadline(link.quality.loss)])
    }

    /// Sends a frame that has nothing but the proof that is due.
    fn send_proof(
        &mut self,
        of: Encoding,
        group: &mut Group,
        link: &mut Link,
        now: Instant,
    ) -> Result<(), SessionError> {
        let (track, layer) = of;
        if !link.path.is_connected() {
            self.prover.put_off(track, layer, now);
            return Ok(());
        }
        let (epoch, loss) = (group.sending_epoch(), link.quality.loss);
        let proof = self.prover.due(track, layer, loss, epoch, |statement| group.prove(statement), now);
        let (Some(proof), Some(number)) = (proof, self.numbers.get_mut(&of)) else { return Ok(()) };
        let plaintext = to_plaintext(&without_content(layer, self.times.get(&of).copied()), &proof);
        let packets = packets_for(group.sealed_length(plaintext.len()));
        let packets = packets.ok_or(SessionError::FrameTooLarge(plaintext.len()))?;
        // A relay that leaves out what no other frame needs is not to leave out this.
        let head = FrameHead {
            sender: self.me,
            track,
            layer,
            number: *number,
            key: !track.is_video(),
            discardable: false,
            packets,
        };
        let sealed = group.seal_frame(&head, &plaintext)?;
        self.prover.sent_bare(&head, &sealed, now);
        *number = number.wrapping_add(1);
        let slot = slot_for(track, layer);
        // Else loss would take more of the proofs than of what they prove.
        let repairs = if track.is_video() { repairs(packets, link.loss()) } else { 0 };
        for packet in cut(head, &sealed, repairs) {
            link.path.send(slot, packet, now)?;
        }
        Ok(())
    }

    fn want_key_frame(&mut self, (track, layer): Encoding, link: &mut Link, now: Instant) {
        if self.key_frames.request((track, layer), now) {
            link.tell(Event::KeyFrameWanted { track, layer });
        }
    }
}

/// What carries nothing but a proof, captured when the frame before it was.
fn without_content(layer: Layer, time: Option<MediaTime>) -> EncodedFrame {
    EncodedFrame {
        time: time.unwrap_or_default(),
        encode_delay: Duration::ZERO,
        key: false,
        layer,
        discardable: false,
        back: 0,
        data: Bytes::new(),
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
