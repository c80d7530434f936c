//! An adaptive jitter buffer for one source of sound.
//!
//! Packets come when the network brings them, the loudspeaker takes one every [`FRAME`]. The buffer delays each packet
//! to `capture time + fastest transit + target`, where *fastest transit* is the smallest difference between arrival and
//! capture time over the last seconds (it holds the clocks' offset too) and *target* follows the observed jitter,
//! between one packet and ten: at the 97th percentile of the lateness over that fastest transit (compare NetEq's delay
//! manager).
//!
//! Pure: no clock, no codec, no thread. What is inserted and pulled is up to the caller, as `T`.

mod delay;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use conclave_model::MediaTime;

use delay::DelayEstimator;

/// What one packet holds, and how often [`JitterBuffer::pull`] is called.
pub const FRAME: Duration = Duration::from_millis(20);

/// The most packets that wait; 1.28 s.
const MAX_PACKETS: usize = 64;

/// How many packets in a row are concealed before the source counts as silent.
const MAX_CONCEALED: u32 = 6;

/// A number this far from the expected one means that the source began anew.
const MAX_JUMP: u32 = 1000;

/// How much later than the target sound may play before a packet is left out to catch up.
const SLACK: Duration = FRAME;

/// How often delay is shortened or lengthened by a packet: often enough to follow, seldom enough not to be heard.
const ADJUST_EVERY: u32 = 10;

/// Lateness at which catching up no longer waits for [`ADJUST_EVERY`].
const MUCH_TOO_LATE: Duration = Duration::from_millis(160);

/// Puts the packets of one source in order and in time.
#[derive(Debug)]
pub struct JitterBuffer<T> {
    packets: BTreeMap<u32, Waiting<T>>,
    delay: DelayEstimator,
    playing: Option<Playing>,
    /// Pulls since the delay was last shortened or lengthened.
    since_adjusted: u32,
    statistics: JitterStatistics,
}

/// What is taken out of a [`JitterBuffer`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pull<T> {
    /// The packet whose turn it is.
    Packet {
        /// Its number.
        number: u32,
        /// When it was captured.
        time: MediaTime,
        /// What was inserted.
        payload: T,
    },
    /// Sound is going on, but its packet is lost, late, or put off to gain delay: conceal one frame.
    Missing,
    /// Nobody speaks, or nothing has come for a while.
    Silence,
}

/// What a [`JitterBuffer`] counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JitterStatistics {
    /// Packets played.
    pub played: u64,
    /// Frames to conceal because a packet was lost or late.
    pub missing: u64,
    /// Frames to conceal in order to gain delay.
    pub stretched: u64,
    /// Packets left out in order to lose delay.
    pub skipped: u64,
    /// Packets that came after their turn.
    pub late: u64,
    /// Packets that came twice.
    pub duplicate: u64,
    /// Packets dropped because too many waited.
    pub overflowed: u64,
}

#[derive(Debug)]
struct Waiting<T> {
    time: MediaTime,
    payload: T,
}

/// Where the loudspeaker is.
#[derive(Clone, Copy, Debug)]
struct Playing {
    /// The number and capture time of the packet that was played last.
    number: u32,
    time: MediaTime,
    /// Frames concealed since.
    concealed: u32,
    /// Sound goes on; else the buffer fell silent after that packet.
    sounding: bool,
}

impl<T> Default for JitterBuffer<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> JitterBuffer<T> {
    /// An empty buffer.
    pub fn new() -> Self {
        Self {
            packets: BTreeMap::new(),
            delay: DelayEstimator::new(),
            playing: None,
            since_adjusted: 0,
            statistics: JitterStatistics::default(),
        }
    }

    /// Takes in a packet as it arrives.
    ///
    /// `number` counts the packets of the source one by one and may wrap; `time` is when its first sample was captured.
    pub fn insert(&mut self, number: u32, time: MediaTime, payload: T, now: Instant) {
        let newest = self.packets.keys().next_back().copied().or(self.playing.map(|playing| playing.number));
        if newest.is_some_and(|newest| distance(newest, number) > MAX_JUMP) {
            self.packets.clear();
            self.playing = None;
            self.delay.forget();
        }
        self.delay.arrived(time, now);
        if self.playing.is_some_and(|playing| !is_after(number, playing.number)) {
            self.statistics.late += 1;
            return;
        }
        if self.packets.insert(number, Waiting { time, payload }).is_some() {
            self.statistics.duplicate += 1;
        }
        while self.packets.len() > MAX_PACKETS {
            self.take_first();
            self.statistics.overflowed += 1;
        }
    }

    /// What the loudspeaker plays next; called once every [`FRAME`].
    pub fn pull(&mut self, now: Instant) -> Pull<T> {
        self.since_adjusted = self.since_adjusted.saturating_add(1);
        let Some((number, time)) = self.first() else { return self.conceal() };
        let lag = self.delay.lag(time, now);
        let target = self.delay.target();
        let is_due = lag + FRAME / 2 >= target;
        match self.playing.filter(|playing| playing.sounding) {
            Some(playing) if is_continuation(playing, number, time) => {
                if lag + FRAME + FRAME / 2 < target && self.since_adjusted >= ADJUST_EVERY {
                    self.since_adjusted = 0;
                    self.statistics.stretched += 1;
                    return Pull::Missing;
                }
                let is_late = lag > target + SLACK + FRAME / 2;
                let may_skip = self.since_adjusted >= ADJUST_EVERY || lag > target + MUCH_TOO_LATE;
                if is_late && may_skip && self.packets.len() > 1 {
                    self.since_adjusted = 0;
                    self.statistics.skipped += 1;
                    self.take_first();
                }
                self.play()
            }
            Some(_) if is_due => self.play(),
            Some(playing) if time.since(playing.time) > FRAME * (MAX_CONCEALED + 1) => self.fall_silent(),
            Some(_) => self.conceal(),
            None if is_due => self.play(),
            None => Pull::Silence,
        }
    }

    /// How long packets are delayed at present beyond the fastest of them.
    pub fn target(&self) -> Duration {
        self.delay.target()
    }

    /// How many packets wait.
    pub fn len(&self) -> usize {
        self.packets.len()
    }

    /// Whether no packet waits.
    pub fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    /// What was counted so far.
    pub fn statistics(&self) -> JitterStatistics {
        self.statistics
    }

    /// The number that is first in order, where numbers wrap.
    fn first_number(&self) -> Option<u32> {
        let first = *self.packets.keys().next()?;
        let last = *self.packets.keys().next_back()?;
        if last.wrapping_sub(first) <= u32::MAX / 2 {
            return Some(first);
        }
        // The numbers wrap within the buffer: the first is the lowest of the upper half.
        self.packets.range(u32::MAX / 2..).next().map(|(number, _)| *number)
    }

    fn first(&self) -> Option<(u32, MediaTime)> {
        let number = self.first_number()?;
        self.packets.get(&number).map(|waiting| (number, waiting.time))
    }

    fn take_first(&mut self) -> Option<(u32, Waiting<T>)> {
        let number = self.first_number()?;
        self.packets.remove(&number).map(|waiting| (number, waiting))
    }

    fn play(&mut self) -> Pull<T> {
        let Some((number, Waiting { time, payload })) = self.take_first() else { return self.conceal() };
        self.playing = Some(Playing { number, time, concealed: 0, sounding: true });
        self.statistics.played += 1;
        Pull::Packet { number, time, payload }
    }

    /// Bridges a frame while sound goes on, up to a limit.
    fn conceal(&mut self) -> Pull<T> {
        match &mut self.playing {
            Some(playing) if playing.sounding && playing.concealed < MAX_CONCEALED => {
                playing.concealed += 1;
                self.statistics.missing += 1;
                Pull::Missing
            }
            _ => self.fall_silent(),
        }
    }

    fn fall_silent(&mut self) -> Pull<T> {
        if let Some(playing) = &mut self.playing {
            playing.sounding = false;
        }
        Pull::Silence
    }
}

/// Whether a packet directly continues what was played, in number and in time.
fn is_continuation(playing: Playing, number: u32, time: MediaTime) -> bool {
    number == playing.number.wrapping_add(1) && time.since(playing.time) < FRAME * 3 / 2
}

fn is_after(a: u32, b: u32) -> bool {
    a != b && a.wrapping_sub(b) <= u32::MAX / 2
}

fn distance(a: u32, b: u32) -> u32 {
    a.wrapping_sub(b).min(b.wrapping_sub(a))
}

#[cfg(test)]
mod tests;
