//! Putting frames together from packets, within fixed bounds of memory.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use conclave_model::{
    Layer, PeerId, TrackKind,
    wire::{Descriptor, FrameHead},
};

use crate::repair::{Absurd, mend};

/// Bytes of all incomplete frames together, the bookkeeping of each packet included.
const MAX_BYTES: usize = 8 << 20;

/// Bookkeeping that a packet costs beside its bytes.
const PACKET_COST: usize = 64;

/// Streams (sender, track and layer) that are remembered.
const MAX_STREAMS: usize = 1024;

/// Incomplete frames of one stream. A picture is 33 ms, so this is half a second and more.
const MAX_PARTIAL: usize = 24;

/// How long a frame may stay incomplete. What NACK could not bring by then comes too late.
const MAX_AGE: Duration = Duration::from_millis(1000);

/// How many numbers behind the newest finished frame are remembered as finished or not.
const WINDOW: u32 = 64;

/// A number this far behind the newest is no straggler: the numbering jumped, and begins anew with it.
const STALE: u32 = 4096;

/// Which stream a frame is of.
type StreamKey = (PeerId, TrackKind, Layer);

/// Puts frames together.
///
/// Nothing here is authenticated yet: a relay can make up packets, and all that it gains is that they are dropped.
#[derive(Debug, Default)]
pub(crate) struct Reassembler {
    streams: BTreeMap<StreamKey, Stream>,
    bytes: usize,
    tally: Tally,
}

/// What [`Reassembler`] dropped since it was last asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Packets that contradict others of their frame, or are empty.
    pub(crate) malformed: u64,
    /// Packets that came twice or for a frame that is done with.
    pub(crate) late: u64,
    /// Frames given up.
    pub(crate) incomplete: u64,
}

/// A whole frame, still sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SealedFrame {
    pub(crate) head: FrameHead,
    pub(crate) sealed: Vec<u8>,
    /// When its last packet came.
    pub(crate) received: Instant,
}

#[derive(Debug)]
struct Stream {
    partial: BTreeMap<u32, Partial>,
    done: Done,
    used: Instant,
}

#[derive(Debug)]
struct Partial {
    head: FrameHead,
    chunks: BTreeMap<u16, Vec<u8>>,
    /// Packets that make up for lost ones.
    repairs: BTreeMap<u16, Vec<u8>>,
    cost: usize,
    since: Instant,
}

/// Which frames of a stream are done with.
#[derive(Debug, Default)]
struct Done {
    newest: Option<u32>,
    /// Bit n stands for the frame n numbers before the newest.
    before: u64,
}

impl Reassembler {
    /// Takes in a packet; returns the frame that it completes.
    pub(crate) fn insert(&mut self, descriptor: Descriptor, chunk: &[u8], now: Instant) -> Option<SealedFrame> {
        let head = descriptor.head;
        if chunk.is_empty() {
            self.tally.malformed += 1;
            return None;
        }
        let key = (head.sender, head.track, head.layer);
        if !self.streams.contains_key(&key) && self.streams.len() >= MAX_STREAMS {
            self.forget_least_used();
        }
        let stream = self.streams.entry(key).or_insert_with(|| Stream {
            partial: BTreeMap::new(),
            done: Done::default(),
            used: now,
        });
        stream.used = now;
        if stream.done.contains(head.number) {
            // What makes up for lost packets comes late where none was lost.
            self.tally.late += u64::from(descriptor.repair().is_none());
            return None;
        }
        if head.packets == 1 && descriptor.repair().is_none() {
            if let Some(partial) = stream.partial.remove(&head.number) {
                // Another packet claimed that there are several.
                self.bytes -= partial.cost;
                self.tally.malformed += 1;
            }
            stream.done.add(head.number);
            return Some(SealedFrame { head, sealed: chunk.to_vec(), received: now });
        }
        let partial = stream.partial.entry(head.number).or_insert_with(|| Partial {
            head,
            chunks: BTreeMap::new(),
            repairs: BTreeMap::new(),
            cost: 0,
            since: now,
        });
        if partial.head != head {
            self.tally.malformed += 1;
            return None;
        }
        let (place, index) = match descriptor.repair() {
            Some(which) => (&mut partial.repairs, which),
            None => (&mut partial.chunks, descriptor.index),
        };
        if place.contains_key(&index) {
            self.tally.late += 1;
            return None;
        }
        place.insert(index, chunk.to_vec());
        let cost = chunk.len() + PACKET_COST;
        let (mended, absurd) = partial.mend();
        partial.cost += cost + mended;
        self.bytes += cost + mended;
        self.tally.malformed += absurd;
        if partial.chunks.len() == usize::from(head.packets) {
            let partial = stream.partial.remove(&head.number)?;
            self.bytes -= partial.cost;
            stream.done.add(head.number);
            let sealed = partial.chunks.into_values().flatten().collect();
            return Some(SealedFrame { head, sealed, received: now });
        }
        if stream.partial.len() > MAX_PARTIAL {
            self.give_up_oldest_of(key);
        }
        while self.bytes > MAX_BYTES {
            self.give_up_oldest();
        }
        None
    }

    /// Gives up frames that stayed incomplete for too long.
    pub(crate) fn expire(&mut self, now: Instant) {
        for stream in self.streams.values_mut() {
            let old = |partial: &Partial| now.saturating_duration_since(partial.since) >= MAX_AGE;
            while let Some((number, partial)) = stream.partial.iter().find(|(_, partial)| old(partial)) {
                let number = *number;
                self.bytes -= partial.cost;
                self.tally.incomplete += 1;
                stream.partial.remove(&number);
                stream.done.add_gone(number);
            }
        }
    }

    /// Drops whatever a connection that is gone left behind.
    pub(crate) fn forget(&mut self, sender: PeerId) {
        let bytes = &mut self.bytes;
        self.streams.retain(|(peer, _, _), stream| {
            if *peer == sender {
                *bytes -= stream.partial.values().map(|partial| partial.cost).sum::<usize>();
            }
            *peer != sender
        });
    }

    /// When [`Self::expire`] has something to do next.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.streams.values().flat_map(|stream| stream.partial.values()).map(|partial| partial.since + MAX_AGE).min()
    }

    /// What was dropped since the last call.
    pub(crate) fn take_tally(&mut self) -> Tally {
        std::mem::take(&mut self.tally)
    }

    fn forget_least_used(&mut self) {
        let Some(key) = self.streams.iter().min_by_key(|(_, stream)| stream.used).map(|(key, _)| *key) else { return };
        if let Some(stream) = self.streams.remove(&key) {
            self.bytes -= stream.partial.values().map(|partial| partial.cost).sum::<usize>();
            self.tally.incomplete += stream.partial.len() as u64;
        }
    }

    fn give_up_oldest_of(&mut self, key: StreamKey) {
        let Some(stream) = self.streams.get_mut(&key) else { return };
        let oldest = stream.partial.iter().min_by_key(|(_, partial)| partial.since).map(|(number, _)| *number);
        if let Some(partial) = oldest.and_then(|number| stream.partial.remove(&number)) {
            self.bytes -= partial.cost;
            self.tally.incomplete += 1;
            stream.done.add_gone(partial.head.number);
        }
    }

    fn give_up_oldest(&mut self) {
        let oldest = self
            .streams
            .iter()
            .flat_map(|(key, stream)| stream.partial.values().map(|partial| (partial.since, *key)))
            .min_by_key(|(since, _)| *since);
        match oldest {
            Some((_, key)) => self.give_up_oldest_of(key),
            // Unreachable while the sum is right; a wrong sum must not become an endless loop.
            None => self.bytes = 0,
        }
    }
}

impl Partial {
    /// Makes what is missing and can be made; returns what that costs, and how many packets made no sense.
    fn mend(&mut self) -> (usize, u64) {
        let (mut cost, mut absurd) = (0, 0);
        self.repairs.retain(|which, repair| match mend(&self.chunks, self.head.packets, *which, repair) {
            Ok(Some((index, chunk))) => {
                // The repair packet's own cost stays booked until the frame is done with.
                cost += chunk.len() + PACKET_COST;
                self.chunks.insert(index, chunk);
                false
            }
            Ok(None) => true,
            Err(Absurd) => {
                absurd += 1;
                false
            }
        });
        (cost, absurd)
    }
}

impl Done {
    fn contains(&self, number: u32) -> bool {
        let Some(newest) = self.newest else { return false };
        match newest.wrapping_sub(number) {
            behind if behind < WINDOW => self.before & (1 << behind) != 0,
            // Beyond that it is ahead, or the numbering jumped.
            behind => behind < STALE,
        }
    }

    fn add(&mut self, number: u32) {
        let ahead = match self.newest {
            Some(newest) if newest.wrapping_sub(number) < STALE => {
                self.add_gone(number);
                return;
            }
            Some(newest) => number.wrapping_sub(newest),
            None => WINDOW,
        };
        self.before = if ahead >= WINDOW { 0 } else { self.before << ahead };
        self.before |= 1;
        self.newest = Some(number);
    }

    /// Marks a frame that was given up; unlike a whole one it does not move the window.
    fn add_gone(&mut self, number: u32) {
        let behind = self.newest.map(|newest| newest.wrapping_sub(number));
        if let Some(behind) = behind.filter(|behind| *behind < WINDOW) {
            self.before |= 1 << behind;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn packet(sender: u16, number: u32, index: u16, packets: u16) -> Descriptor {
        let head = FrameHead {
            sender: PeerId(sender),
            track: TrackKind::Camera,
            layer: Layer(0),
            number,
            key: false,
            discardable: false,
            packets,
        };
        Descriptor { head, index }
    }

    #[test]
    fn packets_in_any_order_make_the_frame_once() {
        let now = Instant::now();
        let mut all = Reassembler::default();
        assert_eq!(all.insert(packet(1, 5, 2, 3), b"c", now), None);
        assert_eq!(all.insert(packet(1, 5, 0, 3), b"a", now), None);
        assert_eq!(all.insert(packet(1, 5, 0, 3), b"a", now), None, "a duplicate changes nothing");
        let frame = all.insert(packet(1, 5, 1, 3), b"b", now + MAX_AGE / 2).unwrap();
        assert_eq!(frame.sealed, b"abc");
        assert_eq!(frame.received, now + MAX_AGE / 2);
        assert_eq!(all.insert(packet(1, 5, 1, 3), b"b", now), None, "it is done with");
        assert_eq!(all.take_tally(), Tally { late: 2, ..Tally::default() });
        assert_eq!(all.bytes, 0);
    }

    #[test]
    fn a_frame_is_whole_without_what_repair_packets_make_up_for() {
        let sealed: Vec<u8> = (0..=255).cycle().take(7000).collect();
        for seed in 0..200_u64 {
            let mut all = Reassembler::default();
            let now = Instant::now();
            let head =
                FrameHead { packets: crate::packetizer::packets_for(sealed.len()).unwrap(), ..packet(1, 7, 0, 1).head };
            let packets: Vec<_> = crate::packetizer::cut(head, &sealed, 3).collect();
            // One of each three, in any order, is lost.
            let lost = [seed % 3, seed / 3 % 3, seed / 9 % 3];
            let mut order: Vec<usize> = (0..packets.len()).collect();
            order.rotate_left(seed as usize % packets.len());
            // What is known so far, and of which thirds a repair packet came.
            let (mut whole, mut late) = (Vec::new(), 0);
            let (mut known, mut repaired) = (vec![false; head.packets.into()], [false; 3]);
            for at in order {
                let (descriptor, chunk) = Descriptor::split(&packets[at]).unwrap();
                let place = usize::from(descriptor.index);
                match descriptor.repair() {
                    None if lost[place % 3] == (place / 3) as u64 => continue,
                    None => late += u64::from(std::mem::replace(&mut known[place], true)),
                    Some(which) => repaired[usize::from(which)] = true,
                }
                for third in (0..3).filter(|third| repaired[*third]) {
                    let mut open = known.iter_mut().skip(third).step_by(3).filter(|known| !**known);
                    if let (Some(last), None) = (open.next(), open.next()) {
                        *last = true;
                    }
                }
                whole.extend(all.insert(descriptor, chunk, now));
                assert_eq!(whole.len(), usize::from(known.iter().all(|known| *known)), "seed {seed}");
            }
            assert_eq!((&whole[0].sealed, all.bytes), (&sealed, 0), "seed {seed}");
            assert_eq!(all.take_tally(), Tally { late, ..Tally::default() }, "seed {seed}");
        }
    }

    #[test]
    fn a_single_packet_is_made_up_for_by_its_copy() {
        let mut all = Reassembler::default();
        let now = Instant::now();
        let head = packet(1, 7, 0, 1).head;
        let packets: Vec<_> = crate::packetizer::cut(head, b"sealed", 1).collect();
        let (descriptor, chunk) = Descriptor::split(&packets[1]).unwrap();
        assert_eq!(all.insert(descriptor, chunk, now).unwrap().sealed, b"sealed");
        let (descriptor, chunk) = Descriptor::split(&packets[0]).unwrap();
        assert_eq!(all.insert(descriptor, chunk, now), None);
        assert_eq!(all.insert(Descriptor { head: FrameHead { number: 8, ..head }, index: 1 }, b"no", now), None);
        assert_eq!(all.take_tally(), Tally { malformed: 1, late: 1, incomplete: 0 });
    }

    #[test]
    fn senders_and_frames_do_not_mix() {
        let now = Instant::now();
        let mut all = Reassembler::default();
        for sender in 1..4 {
            for number in 0..3 {
                assert_eq!(all.insert(packet(sender, number, 0, 2), &[sender as u8, number as u8], now), None);
            }
        }
        for sender in 1..4 {
            for number in 0..3 {
                let frame = all.insert(packet(sender, number, 1, 2), b"!", now).unwrap();
                assert_eq!(frame.sealed, [sender as u8, number as u8, b'!']);
            }
        }
    }

    #[test]
    fn contradicting_heads_and_empty_packets_are_dropped() {
        let now = Instant::now();
        let mut all = Reassembler::default();
        assert_eq!(all.insert(packet(1, 5, 0, 2), b"a", now), None);
        assert_eq!(all.insert(packet(1, 5, 1, 3), b"x", now), None);
        assert_eq!(all.insert(packet(1, 5, 1, 2), b"", now), None);
        assert_eq!(all.take_tally().malformed, 2);
        assert_eq!(all.insert(packet(1, 5, 1, 2), b"b", now).unwrap().sealed, b"ab");
    }

    #[test]
    fn an_incomplete_frame_is_given_up_in_time_and_its_stragglers_do_not_revive_it() {
        let now = Instant::now();
        let mut all = Reassembler::default();
        assert!(all.insert(packet(1, 7, 0, 1), b"whole", now).is_some());
        assert!(all.insert(packet(1, 6, 0, 2), b"half", now).is_none());
        assert_eq!(all.deadline(), Some(now + MAX_AGE));
        all.expire(now + MAX_AGE);
        assert_eq!((all.deadline(), all.bytes), (None, 0));
        assert_eq!(all.insert(packet(1, 6, 1, 2), b"other half", now + MAX_AGE), None);
        assert_eq!(all.take_tally(), Tally { malformed: 0, late: 1, incomplete: 1 });
        assert_eq!(all.deadline(), None);
    }

    #[test]
    fn memory_stays_bounded_whatever_heads_claim() {
        let now = Instant::now();
        let mut all = Reassembler::default();
        for at in 0..20_000_u32 {
            let sender = (at % 3000) as u16;
            assert_eq!(all.insert(packet(sender, at.wrapping_mul(0x9e37_79b9), 0, 1024), &[0; 1137], now), None);
            assert!(all.bytes <= MAX_BYTES && all.streams.len() <= MAX_STREAMS);
        }
        let held: usize = all.streams.values().flat_map(|s| s.partial.values()).map(|p| p.cost).sum();
        assert_eq!(held, all.bytes);
        assert!(all.streams.values().all(|stream| stream.partial.len() <= MAX_PARTIAL + 1));
        for sender in 0..3000 {
            all.forget(PeerId(sender));
        }
        assert_eq!((all.bytes, all.streams.len()), (0, 0));
    }

    #[test]
    fn numbers_wrap_without_a_gap() {
        let now = Instant::now();
        let mut all = Reassembler::default();
        for step in 0..200_u32 {
            let number = u32::MAX.wrapping_sub(100).wrapping_add(step);
            assert!(all.insert(packet(1, number, 0, 1), b"x", now).is_some(), "{number}");
            assert!(all.insert(packet(1, number, 0, 1), b"x", now).is_none(), "{number} twice");
        }
        assert!(all.insert(packet(1, u32::MAX - 50, 0, 1), b"x", now).is_none(), "long gone");
    }

    #[test]
    fn one_absurd_number_does_not_silence_a_stream() {
        let now = Instant::now();
        let mut all = Reassembler::default();
        assert!(all.insert(packet(1, 7, 0, 1), b"x", now).is_some());
        assert!(all.insert(packet(1, 7 + u32::MAX / 2, 0, 1), b"made up", now).is_some());
        for number in 8..20 {
            assert!(all.insert(packet(1, number, 0, 1), b"x", now).is_some());
        }
    }
}
