//! An adaptive jitter buffer for one source of sound.
//!
//! Packets come when the network brings them, the loudspeaker takes one as often as one lasts: 20 ms, or 10 ms on a good
//! line, as the sender chooses and changes. The buffer delays each packet
//! to `capture time + fastest transit + target`, where *fastest transit* is the smallest difference between arrival and
//! capture time over the last seconds (it holds the clocks' offset too) and *target* follows the observed jitter,
//! between one packet and ten: at the 99th percentile of the lateness over that fastest transit (compare NetEq's delay
//! manager). A frame that was lost counts as late as what restores it: a copy that travels with a later packet, or a
//! later packet from which the decoder can restore it. So redundancy that needs time gets it, and no more.
//!
//! The buffer itself changes the delay only by leaving out what is hopelessly late. Else it asks for a [`Pace`]: who
//! decodes makes the sound a little shorter or longer, and pulls accordingly sooner or later.
//!
//! Pure: no clock, no codec, no thread. What is inserted and pulled is up to the caller, as `T`. While nobody speaks,
//! nothing is due and nothing is kept.

mod delay;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use conclave_model::MediaTime;

use delay::DelayEstimator;

/// What one packet holds on most lines.
pub const FRAME: Duration = Duration::from_millis(20);

/// What one packet holds on a good line.
pub const SHORT_FRAME: Duration = Duration::from_millis(10);

/// The most packets that wait; 1.28 s, or half of that where they are short.
const MAX_PACKETS: usize = 64;

/// How much sound in a row is concealed before the source counts as silent.
const MAX_CONCEALED: Duration = Duration::from_millis(120);

/// A number this far from the expected one means that the source began anew.
const MAX_JUMP: u32 = 1000;

/// How far sound may be off the target before its pace changes: too early costs packets that come too late, too late
/// costs only delay.
const EARLY: Duration = Duration::from_millis(4);
const LATE: Duration = Duration::from_millis(6);

/// How often the pace may change the delay: often enough to follow, seldom enough not to be heard.
const ADJUST_EVERY: u32 = 3;

/// How far off the target each packet changes the delay.
const FAR_OFF: Duration = Duration::from_millis(80);

/// Lateness at which packets are left out, as after the machine slept.
const MUCH_TOO_LATE: Duration = Duration::from_millis(500);

/// Puts the packets of one source in order and in time.
#[derive(Debug)]
pub struct JitterBuffer<T> {
    packets: BTreeMap<u32, Waiting<T>>,
    delay: DelayEstimator,
    playing: Option<Playing>,
    /// How often it is pulled at least: sound that is due may wait as long for its turn.
    beat: Duration,
    /// Packets since the pace last changed the delay.
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
        /// How fast to play it.
        pace: Pace,
    },
    /// Sound is going on, but its packet is lost or late: restore one frame from what [`JitterBuffer::later`] gives, or
    /// conceal it.
    Missing,
    /// Nobody speaks, or nothing has come for a while.
    Silence,
}

/// How fast a packet is to be played, so that the delay comes to its target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pace {
    /// As it was captured.
    #[default]
    Steady,
    /// A little shorter: there is too much delay.
    Faster,
    /// A little longer: there is too little.
    Slower,
}

/// What a [`JitterBuffer`] counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JitterStatistics {
    /// Packets played, copies included.
    pub played: u64,
    /// Copies played in the place of lost packets.
    pub copies: u64,
    /// Frames to restore or conceal because a packet was lost or late.
    pub missing: u64,
    /// Packets to be played slower in order to gain delay.
    pub slower: u64,
    /// Packets to be played faster in order to lose delay.
    pub faster: u64,
    /// Packets left out because they were much too late.
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
    length: Duration,
    payload: T,
    /// It came with a later packet, in the place of one that was lost.
    copy: bool,
}

/// Where the loudspeaker is.
#[derive(Clone, Copy, Debug)]
struct Playing {
    /// The number and capture time of the packet that was played last, or given up last.
    number: u32,
    time: MediaTime,
    /// How long it lasts.
    length: Duration,
    /// Frames of that length concealed since, without knowing whether their packets were lost or are late.
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
    /// An empty buffer that is pulled every [`FRAME`].
    pub fn new() -> Self {
        Self::pulled_every(FRAME)
    }

    /// An empty buffer. `beat` is how often the loudspeaker asks, which is how long sound that is due may have to wait.
    pub fn pulled_every(beat: Duration) -> Self {
        Self {
            packets: BTreeMap::new(),
            delay: DelayEstimator::new(),
            playing: None,
            beat,
            since_adjusted: 0,
            statistics: JitterStatistics::default(),
        }
    }

    /// Takes in a packet of [`FRAME`] as it arrives; see [`JitterBuffer::insert_of`].
    pub fn insert(&mut self, number: u32, time: MediaTime, payload: T, now: Instant) {
        self.insert_of(FRAME, number, time, payload, now);
    }

    /// Takes in a packet as it arrives, which lasts `length`: no other than [`SHORT_FRAME`] and [`FRAME`].
    ///
    /// `number` counts the packets of the source one by one and may wrap; `time` is when its first sample was captured.
    pub fn insert_of(&mut self, length: Duration, number: u32, time: MediaTime, payload: T, now: Instant) {
        let length = length.clamp(SHORT_FRAME, FRAME);
        let newest = self.packets.keys().next_back().copied().or(self.playing.map(|playing| playing.number));
        if newest.is_some_and(|newest| distance(newest, number) > MAX_JUMP) {
            self.packets.clear();
            self.playing = None;
            self.delay.forget();
        }
        self.delay.arrived(length, time, now);
        if self.playing.is_some_and(|playing| !is_after(number, playing.number)) {
            self.statistics.late += 1;
            return;
        }
        let waiting = Waiting { time, length, payload, copy: false };
        if self.packets.insert(number, waiting).is_some_and(|before| !before.copy) {
            self.statistics.duplicate += 1;
        }
        while self.packets.len() > MAX_PACKETS {
            self.take_first();
            self.statistics.overflowed += 1;
        }
    }

    /// Takes in a copy of [`FRAME`]; see [`JitterBuffer::insert_copy_of`].
    pub fn insert_copy(&mut self, number: u32, time: MediaTime, payload: T, now: Instant) -> bool {
        self.insert_copy_of(FRAME, number, time, payload, now)
    }

    /// Takes in a copy that came with a later packet, where the packet itself is missing and its turn has not passed. Both
    /// last `length`.
    ///
    /// To be called after [`JitterBuffer::insert_of`] of that later packet. Returns whether the copy was of use.
    pub fn insert_copy_of(&mut self, length: Duration, number: u32, time: MediaTime, payload: T, now: Instant) -> bool {
        let length = length.clamp(SHORT_FRAME, FRAME);
        let Some(playing) = self.playing else { return false };
        let reach = number.wrapping_sub(playing.number);
        if reach == 0 || reach > MAX_PACKETS as u32 || self.packets.contains_key(&number) {
            return false;
        }
        self.delay.arrived(length, time, now);
        self.packets.insert(number, Waiting { time, length, payload, copy: true });
        while self.packets.len() > MAX_PACKETS {
            self.take_first();
            self.statistics.overflowed += 1;
        }
        true
    }

    /// How far before `number` the farthest packet is that is missing between it and the one that came by itself before;
    /// 0 where none is, of those whose turn has not passed.
    pub fn gap_before(&self, number: u32) -> u32 {
        self.missing_before(number).last().unwrap_or(0)
    }

    /// Notes that the packet `number` of capture time `time`, which has just arrived, can restore what is missing up to
    /// `reach` packets before it (see [`JitterBuffer::gap_before`]), so that sound waits as long in future.
    pub fn restorable(&mut self, number: u32, time: MediaTime, reach: u32, now: Instant) {
        let length = self.packets.get(&number).map_or(FRAME, |waiting| waiting.length);
        let missing: Vec<u32> = self.missing_before(number).take_while(|before| *before <= reach).collect();
        for before in missing {
            let step = u64::try_from((length * before).as_micros()).unwrap_or(0);
            self.delay.arrived(length, MediaTime(time.0.saturating_sub(step)), now);
        }
    }

    /// How far before `number` packets are missing, the nearest first.
    fn missing_before(&self, number: u32) -> impl Iterator<Item = u32> {
        let playing = self.playing.filter(|playing| playing.sounding && is_after(number, playing.number));
        let between = playing.map_or(0, |playing| number.wrapping_sub(playing.number) - 1);
        (1..=between.min(MAX_PACKETS as u32))
            .map(move |before| (before, self.packets.get(&number.wrapping_sub(before))))
            .take_while(|(_, waiting)| waiting.is_none_or(|waiting| waiting.copy))
            .filter(|(_, waiting)| waiting.is_none())
            .map(|(before, _)| before)
    }

    /// The packet next in turn that came by itself, with how many frames it is after the one that is missing; for
    /// [`Pull::Missing`], which leaves it where it is.
    pub fn later(&self) -> Option<(u32, &T)> {
        // What was bridged without knowing of a loss has no certain place before what waits.
        let playing = self.playing.filter(|playing| playing.concealed == 0)?;
        self.packets
            .iter()
            .filter(|(_, waiting)| !waiting.copy)
            .map(|(number, waiting)| (number.wrapping_sub(playing.number), waiting))
            .min_by_key(|(after, _)| *after)
            .map(|(after, waiting)| (after, &waiting.payload))
    }

    /// Like [`JitterBuffer::later`], with how long after the missing one it was captured.
    pub fn later_by(&self) -> Option<(Duration, &T)> {
        let playing = self.playing?;
        let (after, payload) = self.later()?;
        let waiting = self.packets.get(&playing.number.wrapping_add(after))?;
        Some((waiting.time.since(playing.time), payload))
    }

    /// What the loudspeaker plays next; called whenever what was pulled before is used up, at the latest.
    pub fn pull(&mut self, now: Instant) -> Pull<T> {
        self.since_adjusted = self.since_adjusted.saturating_add(1);
        let Some((number, time, length)) = self.first() else { return self.bridge() };
        let lag = self.delay.lag(time, now);
        let is_due = lag + EARLY >= self.delay.target();
        let Some(playing) = self.playing.filter(|playing| playing.sounding) else {
            return if is_due { self.play(Pace::Steady) } else { Pull::Silence };
        };
        let lost = number.wrapping_sub(playing.number).saturating_sub(1);
        let elapsed = time.since(playing.time);
        let longest = length.max(playing.length);
        if elapsed > playing.length + longest.saturating_mul(lost) + longest / 2 {
            // The source paused.
            return match (is_due, elapsed > MAX_CONCEALED + playing.length) {
                (true, _) => self.play(Pace::Steady),
                (false, true) => self.fall_silent(),
                (false, false) => self.bridge(),
            };
        }
        if lost > playing.concealed && lost <= MAX_PACKETS as u32 && !is_hopeless(lag, self.delay.target()) {
            return self.give_up(lost, elapsed);
        }
        if is_hopeless(lag, self.delay.target()) && self.packets.len() > 1 {
            self.statistics.skipped += 1;
            self.take_first();
        }
        let pace = self.pace(lag);
        self.play(pace)
    }

    /// How long what is [`Pull::Missing`] lasts.
    pub fn missing_length(&self) -> Duration {
        self.playing.map_or(FRAME, |playing| playing.length)
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

    fn first(&self) -> Option<(u32, MediaTime, Duration)> {
        let number = self.first_number()?;
        self.packets.get(&number).map(|waiting| (number, waiting.time, waiting.length))
    }

    fn take_first(&mut self) -> Option<(u32, Waiting<T>)> {
        let number = self.first_number()?;
        self.packets.remove(&number).map(|waiting| (number, waiting))
    }

    /// What brings the delay to its target.
    fn pace(&mut self, lag: Duration) -> Pace {
        let target = self.delay.target();
        let late = self.beat + LATE;
        let may = |off: Duration, since: u32| since >= ADJUST_EVERY || off > FAR_OFF;
        let (pace, counter) = if lag > target + late && may(lag - target, self.since_adjusted) {
            (Pace::Faster, &mut self.statistics.faster)
        } else if lag + EARLY < target && may(target - lag, self.since_adjusted) {
            (Pace::Slower, &mut self.statistics.slower)
        } else {
            return Pace::Steady;
        };
        *counter += 1;
        self.since_adjusted = 0;
        pace
    }

    fn play(&mut self, pace: Pace) -> Pull<T> {
        let Some((number, Waiting { time, length, payload, copy })) = self.take_first() else {
            return self.bridge();
        };
        self.playing = Some(Playing { number, time, length, concealed: 0, sounding: true });
        self.statistics.played += 1;
        self.statistics.copies += u64::from(copy);
        Pull::Packet { number, time, payload, pace }
    }

    /// Passes over a packet that is lost for certain, since later ones have come: what is left of it has no place.
    ///
    /// `lost` of them are missing before the next, which was captured `elapsed` after the one that was played last.
    fn give_up(&mut self, lost: u32, elapsed: Duration) -> Pull<T> {
        let Some(playing) = &mut self.playing else { return Pull::Silence };
        let steps = playing.concealed + 1;
        playing.number = playing.number.wrapping_add(steps);
        playing.time = playing.time + playing.length * steps;
        playing.concealed = 0;
        // Where the sender has changed the length meanwhile, the times tell which one the lost ones have.
        let room = elapsed.saturating_sub(playing.length) / lost.max(1);
        playing.length = if room > (SHORT_FRAME + FRAME) / 2 { FRAME } else { SHORT_FRAME };
        self.statistics.missing += 1;
        Pull::Missing
    }

    /// Bridges a frame while sound goes on and nothing is there, up to a limit.
    fn bridge(&mut self) -> Pull<T> {
        match &mut self.playing {
            Some(playing) if playing.sounding && playing.length * playing.concealed < MAX_CONCEALED => {
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

/// Whether sound is so late that leaving out is better than hurrying.
fn is_hopeless(lag: Duration, target: Duration) -> bool {
    lag > target + MUCH_TOO_LATE
}

fn is_after(a: u32, b: u32) -> bool {
    a != b && a.wrapping_sub(b) <= u32::MAX / 2
}

fn distance(a: u32, b: u32) -> u32 {
    a.wrapping_sub(b).min(b.wrapping_sub(a))
}

#[cfg(test)]
mod tests;
