//! Where packets of a track go.

use std::time::Instant;

use conclave_model::{Bitrate, Layer, TrackKind, wire::FrameHead};
use conclave_transport::Slot;

use crate::{
    allocate::{Given, LAYERS, Rate},
    key_frames::KeyFrames,
    meter::Meter,
    relay::ConnectionId,
    viewers::{LATE, Viewers},
};

/// What each encoding of a camera takes as a rule, lowest first, and what a screen takes on which something moves.
const CAMERA: [Bitrate; LAYERS] = [Bitrate::kbps(150), Bitrate::kbps(450), Bitrate::kbps(1_500)];
const SCREEN: Bitrate = Bitrate::kbps(400);

/// Somebody who receives a track, and through which of their slots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subscriber {
    pub(crate) connection: ConnectionId,
    pub(crate) slot: Slot,
    pub(crate) view: View,
}

/// Which encoding of a picture a subscriber gets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct View {
    /// Which it gets now.
    current: Option<Layer>,
    /// The number of the key frame that it began with.
    first: u32,
    /// Without the frames that no other needs.
    thin: bool,
    /// Which it gets from the next key frame of that one on.
    next: Option<Layer>,
    next_thin: bool,
    /// Since when it waits for that key frame.
    since: Option<Instant>,
    /// Which it would get if its publisher sent it.
    hoped: Option<Layer>,
}

/// What a receiver is to get of a track from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Aim {
    /// Nothing where there is no room.
    pub(crate) given: Option<Given>,
    /// What it would get if its publisher sent it.
    pub(crate) hoped: Option<Layer>,
    /// Whether the line can by no means carry what it got so far until something smaller begins.
    pub(crate) at_once: bool,
}

impl View {
    /// Changes what is to come. Returns the layer of which a key frame is wanted, where that is news.
    pub(crate) fn aim(&mut self, aim: Aim, now: Instant) -> Option<Layer> {
        let Aim { given, hoped, at_once } = aim;
        let Some(given) = given else {
            *self = Self { hoped, ..Self::default() };
            return None;
        };
        self.hoped = hoped;
        if self.current == Some(given.layer) {
            (self.next, self.since) = (None, None);
            self.thin = !given.whole;
            return None;
        }
        self.next_thin = !given.whole;
        if self.current.is_some_and(|current| current > given.layer) {
            self.thin = true;
            if at_once {
                self.current = None;
            }
        }
        if self.next == Some(given.layer) {
            return None;
        }
        (self.next, self.since) = (Some(given.layer), Some(now));
        self.next
    }

    /// Whether the subscriber gets a packet; `begins` where it is the first of a key frame that came.
    ///
    /// Until the key frame of the layer that it is to get begins, it gets the old one; and the next best where it has
    /// nothing.
    fn takes(&mut self, head: &FrameHead, begins: bool) -> bool {
        if begins && self.next.is_some_and(|next| head.layer <= next) {
            let is_it = self.next == Some(head.layer);
            if is_it || self.current.is_none_or(|current| current < head.layer) {
                (self.current, self.first) = (Some(head.layer), head.number);
                if is_it {
                    (self.next, self.since) = (None, None);
                    self.thin = self.next_thin;
                } else {
                    self.thin = false;
                }
            }
        }
        self.current == Some(head.layer) && !is_before(head.number, self.first) && !(self.thin && head.discardable)
    }

    /// The layers that must come for this subscriber, one bit for each.
    fn layers(&self) -> u8 {
        [self.current, self.next, self.hoped].into_iter().flatten().fold(0, |bits, layer| bits | layer.bit())
    }

    /// The layer of which it needs a key frame to go on: what it gets, or waits for.
    pub(crate) fn needs(&self) -> Option<Layer> {
        self.current.or(self.next)
    }
}

/// Whether a frame's number lies before another's; they wrap.
fn is_before(number: u32, other: u32) -> bool {
    number.wrapping_sub(other) > u32::MAX / 2
}

/// One encoding as it comes in.
#[derive(Debug, Default)]
pub(crate) struct Flow {
    pub(crate) key_frames: KeyFrames,
    meter: Meter,
    /// The number of the last key frame that began.
    last_key: Option<u32>,
}

impl Flow {
    /// Counts a packet. Returns whether a key frame begins with it, whichever of its packets came first.
    fn on_packet(&mut self, head: &FrameHead, length: usize) -> bool {
        self.meter.add(length, head.key, head.discardable);
        let begins = head.key && self.last_key.is_none_or(|last| is_before(last, head.number));
        if begins {
            self.last_key = Some(head.number);
            self.key_frames.on_key_frame();
        }
        begins
    }
}

/// An encoding that a receiver might get.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Encoding {
    /// What it takes.
    pub(crate) rate: Rate,
    /// Whether it is sent, or may be soon.
    pub(crate) is_offered: bool,
}

/// What there is of a track.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Offer {
    /// Lowest first; `None` for what such a track never has.
    pub(crate) encodings: [Option<Encoding>; LAYERS],
    /// Nothing is sent, though somebody waits for it: it takes nothing.
    pub(crate) is_silent: bool,
}

impl Offer {
    /// What is known of a track of which nobody has heard.
    pub(crate) fn unknown(kind: TrackKind) -> Self {
        let encoding = |rate| Encoding { rate: Rate { whole: rate, thin: rate }, is_offered: true };
        let encodings = match kind {
            TrackKind::Screen => [Some(encoding(SCREEN)), None, None],
            TrackKind::Camera | TrackKind::Microphone | TrackKind::ScreenAudio | TrackKind::Booth(_) => {
                CAMERA.map(|rate| Some(encoding(rate)))
            }
        };
        Self { encodings, is_silent: false }
    }

    /// What there is of a track whose publisher is not in the meeting: it takes nothing of a line.
    pub(crate) fn of_nobody(kind: TrackKind) -> Self {
        Self { is_silent: true, ..Self::unknown(kind) }
    }
}

/// A track as its publisher sends it.
#[derive(Debug)]
pub(crate) struct Published {
    /// Who receives it; kept ready, so that a packet needs no decision.
    pub(crate) subscribers: Vec<Subscriber>,
    /// Lowest first; sound has one.
    flows: [Flow; LAYERS],
    pub(crate) viewers: Viewers,
}

impl Published {
    pub(crate) fn new(now: Instant) -> Self {
        Self { subscribers: Vec::new(), flows: Default::default(), viewers: Viewers::new(now) }
    }

    /// Counts a packet of sound.
    pub(crate) fn on_sound(&mut self, length: usize) {
        self.flows[0].meter.add(length, false, false);
    }

    /// Counts a packet of a picture; `None` where its encoding does not exist, otherwise whether a key frame begins.
    pub(crate) fn on_picture(&mut self, head: &FrameHead, length: usize) -> Option<bool> {
        self.flow(head.layer).map(|flow| flow.on_packet(head, length))
    }

    pub(crate) fn flow(&mut self, layer: Layer) -> Option<&mut Flow> {
        self.flows.get_mut(usize::from(layer.0))
    }

    /// Whether an encoding is sent at the moment.
    pub(crate) fn comes(&self, layer: Layer) -> bool {
        self.coming() & layer.bit() != 0
    }

    /// When the next request for a key frame that was put off is to be made.
    pub(crate) fn key_frame_due(&self) -> Option<Instant> {
        self.flows.iter().filter_map(|flow| flow.key_frames.due()).min()
    }

    /// The layers whose requests were put off until now.
    pub(crate) fn due_key_frames(&mut self, now: Instant) -> impl Iterator<Item = Layer> {
        let flows = (0..).map(Layer).zip(&mut self.flows);
        flows.filter_map(move |(layer, flow)| flow.key_frames.on_timeout(now).then_some(layer))
    }

    fn flows(&self) -> impl Iterator<Item = (Layer, &Flow)> {
        (0..).map(Layer).zip(&self.flows)
    }

    /// Works out what comes, and brings together who watches what.
    pub(crate) fn look(&mut self, now: Instant) {
        for flow in &mut self.flows {
            flow.meter.look(now);
        }
        self.viewers.set_coming(self.coming(), now);
        self.see_viewers(now);
    }

    /// Brings together who watches what.
    pub(crate) fn see_viewers(&mut self, now: Instant) {
        let watched = self.subscribers.iter().fold(0, |bits, subscriber| bits | subscriber.view.layers());
        self.viewers.set(watched, now);
    }

    /// What all its encodings take together.
    pub(crate) fn rate(&self) -> Bitrate {
        let rates = self.flows.iter().filter_map(|flow| flow.meter.rate());
        Bitrate(rates.map(|rate| rate.whole.as_bps()).sum())
    }

    /// What receivers may count with.
    pub(crate) fn offer(&self, kind: TrackKind, now: Instant) -> Offer {
        let coming = self.coming();
        let mut offer = Offer::unknown(kind);
        for (number, encoding) in (0..).zip(&mut offer.encodings) {
            let Some(encoding) = encoding else { continue };
            let nominal = encoding.rate.whole;
            if let Some(flow) = self.flows.get(number) {
                encoding.rate = flow.meter.expected(nominal, now);
                encoding.is_offered = flow.meter.rate().is_some() || self.viewers.may_come(number, now);
            }
        }
        // Of a screen on which nothing moves nothing comes.
        offer.is_silent = coming == 0 && (kind == TrackKind::Screen || self.viewers.are_ignored(now));
        offer
    }

    /// The layers of which key frames are to be asked for, since subscribers wait and none came; one bit for each.
    pub(crate) fn overdue(&self, now: Instant) -> u8 {
        let waits = |subscriber: &Subscriber| self.awaited(&subscriber.view, now);
        self.subscribers.iter().filter_map(waits).fold(0, |bits, layer| bits | layer.bit())
    }

    /// The layer of which a key frame is to be asked for, since this receiver waits for it.
    pub(crate) fn awaited_by(&self, receiver: ConnectionId, now: Instant) -> Option<Layer> {
        let to = self.subscribers.iter().find(|to| to.connection == receiver)?;
        self.awaited(&to.view, now)
    }

    /// The same for one view: the next layer if it comes. One that does not begins with a key frame by itself; who has no
    /// picture gets a lower one in the meantime, if it takes long or should have come before.
    fn awaited(&self, view: &View, now: Instant) -> Option<Layer> {
        let (coming, (next, since)) = (self.coming(), view.next.zip(view.since)?);
        if coming & next.bit() != 0 {
            return Some(next);
        }
        let lower = (0..next.0).rev().map(Layer).find(|layer| coming & layer.bit() != 0);
        let is_long = since + LATE <= now || self.viewers.is_late(next, now);
        lower.filter(|_| view.current.is_none() && is_long)
    }

    fn coming(&self) -> u8 {
        let coming = self.flows().filter(|(_, flow)| flow.meter.rate().is_some());
        coming.fold(0, |bits, (layer, _)| bits | layer.bit())
    }
}

/// Passes a packet to those subscribers who get it.
pub(crate) fn takers<'s>(
    subscribers: &'s mut [Subscriber],
    head: &FrameHead,
    begins: bool,
) -> impl Iterator<Item = (ConnectionId, Slot)> + use<'s> {
    let head = *head;
    let is_picture = head.track.is_video();
    subscribers.iter_mut().filter_map(move |subscriber| {
        let takes = !is_picture || subscriber.view.takes(&head, begins);
        takes.then_some((subscriber.connection, subscriber.slot))
    })
}

#[cfg(test)]
mod tests;
