//! How fast an encoding comes in.

use std::time::{Duration, Instant};

use conclave_model::Bitrate;

use crate::allocate::Rate;

/// What a packet has on the wire besides what we see of it: IP, UDP, RTP with extension, SRTP.
const PACKET_HEAD: usize = 60;

/// Over how long the rate is smoothed. A key frame counts over longer: it comes with each new viewer, and its size must
/// not drive that viewer away again.
const SMOOTH: Duration = Duration::from_millis(1500);
const SMOOTH_KEYS: Duration = Duration::from_secs(10);

/// Time between two looks at what came; earlier ones are put off.
const LOOK: Duration = Duration::from_millis(100);

/// An encoding of which nothing has come for this long is not sent.
const SILENT: Duration = Duration::from_millis(1200);

/// An encoding that began less than this ago may not yet have shown what it takes.
const YOUNG: Duration = Duration::from_secs(2);

/// How long it is remembered what an encoding took when it was sent last.
const REMEMBERED: Duration = Duration::from_secs(60);

/// Counts what comes in of one encoding; a packet costs three additions.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    /// Bytes since the last look: all but key frames, what of it no other frame needs, and key frames.
    whole: usize,
    loose: usize,
    keys: usize,
    looked: Option<Instant>,
    heard: Option<Instant>,
    /// Since when it comes.
    begun: Option<Instant>,
    /// Smoothed, in bits per second, in the order of the counts.
    levels: [f64; 3],
    /// What it took when it was sent last.
    before: Option<(Rate, Instant)>,
}

impl Meter {
    pub(crate) fn add(&mut self, length: usize, is_key: bool, is_loose: bool) {
        let bytes = length + PACKET_HEAD;
        if is_key {
            self.keys += bytes;
        } else {
            self.whole += bytes;
            if is_loose {
                self.loose += bytes;
            }
        }
    }

    /// Works out the rate of what came since the last time.
    pub(crate) fn look(&mut self, now: Instant) {
        let time = self.looked.map_or(LOOK, |looked| now.saturating_duration_since(looked));
        if time < LOOK {
            return;
        }
        let counts = [self.whole, self.loose, self.keys];
        if counts != [0; 3] {
            self.heard = Some(now);
        }
        if self.heard.is_none_or(|heard| now.saturating_duration_since(heard) > SILENT) {
            if let Some(rate) = self.rate() {
                self.before = Some((rate, now));
            }
            self.begun = None;
            self.levels = [0.0; 3];
            self.looked = Some(now);
            return;
        }
        // A pause is either followed by something, and counts then, or it is the end, and nothing has become cheaper.
        if counts == [0; 3] {
            return;
        }
        self.looked = Some(now);
        (self.whole, self.loose, self.keys) = (0, 0, 0);
        let age = now.saturating_duration_since(*self.begun.get_or_insert(now)) + time;
        for ((level, bytes), smooth) in self.levels.iter_mut().zip(counts).zip([SMOOTH, SMOOTH, SMOOTH_KEYS]) {
            let rate = bytes as f64 * 8.0 / time.as_secs_f64();
            let window = if smooth == SMOOTH { age.min(smooth) } else { smooth };
            *level += (rate - *level) * (time.as_secs_f64() / window.as_secs_f64()).min(1.0);
        }
    }

    /// What it takes; `None` where it is not sent.
    pub(crate) fn rate(&self) -> Option<Rate> {
        self.begun?;
        let [whole, loose, keys] = self.levels;
        Some(Rate { whole: bits(whole + keys), thin: bits(whole - loose + keys) })
    }

    /// What to count with, where `nominal` is what such an encoding takes as a rule: what it takes now; where it is young or
    /// not sent, no less than `nominal` and what it took last.
    pub(crate) fn expected(&self, nominal: Bitrate, now: Instant) -> Rate {
        let passed = |since: Instant| now.saturating_duration_since(since);
        let rate = self.rate();
        if let (Some(rate), Some(begun)) = (rate, self.begun)
            && passed(begun) > YOUNG
        {
            return rate;
        }
        let before = self.before.filter(|(_, at)| passed(*at) <= REMEMBERED).map(|(rate, _)| rate);
        let mut known = before.into_iter().chain(rate).filter(|rate| rate.whole > Bitrate(0));
        let whole = known.clone().map(|rate| rate.whole).fold(nominal, Bitrate::max);
        let share = known.next().map_or(1.0, Rate::share);
        Rate { whole, thin: bits(whole.as_bps() as f64 * share) }
    }
}

impl Rate {
    /// What is left without the frames that no other needs, from 0 to 1.
    fn share(self) -> f64 {
        self.thin.as_bps() as f64 / self.whole.as_bps() as f64
    }
}

fn bits(rate: f64) -> Bitrate {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a cast saturates, and no rate is negative"
    )]
    Bitrate(rate.max(0.0) as u64)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const STEP: Duration = Duration::from_millis(250);

    /// Feeds a meter with packets of 940 bytes, 60 of them heads apart, for `looks` looks.
    fn feed(meter: &mut Meter, now: &mut Instant, looks: u32, packets: usize) {
        for _ in 0..looks {
            for packet in 0..packets {
                meter.add(940, false, packet % 4 == 0);
            }
            *now += STEP;
            meter.look(*now);
        }
    }

    #[test]
    fn a_steady_stream_is_measured_and_a_change_shows_within_three_seconds() {
        let (mut meter, mut now) = (Meter::default(), Instant::now());
        meter.look(now);
        feed(&mut meter, &mut now, 4, 12);
        let rate = meter.rate().unwrap();
        assert_eq!((rate.whole, rate.thin), (Bitrate::kbps(384), Bitrate::kbps(288)));
        feed(&mut meter, &mut now, 12, 48);
        let rate = meter.rate().unwrap().whole;
        assert!(rate > Bitrate::kbps(1300) && rate < Bitrate::kbps(1536), "{rate}");
    }

    #[test]
    fn a_key_frame_for_a_newcomer_hardly_shows() {
        let (mut meter, mut now) = (Meter::default(), Instant::now());
        meter.look(now);
        feed(&mut meter, &mut now, 16, 12);
        (0..20).for_each(|_| meter.add(940, true, false));
        feed(&mut meter, &mut now, 1, 12);
        let rate = meter.rate().unwrap().whole;
        assert!(rate < Bitrate::kbps(404), "{rate}");
        for _ in 0..100 {
            (0..12).for_each(|_| meter.add(940, true, false));
            now += STEP;
            meter.look(now);
        }
        let rate = meter.rate().unwrap().whole;
        assert!(rate > Bitrate::kbps(300), "who sends nothing but key frames is found out: {rate}");
    }

    #[test]
    fn what_falls_silent_is_remembered_for_a_minute() {
        let (mut meter, mut now) = (Meter::default(), Instant::now());
        let nominal = Bitrate::kbps(100);
        assert_eq!(meter.expected(nominal, now).whole, nominal);
        feed(&mut meter, &mut now, 4, 2);
        assert_eq!(meter.expected(nominal, now).whole, nominal, "it is young, and may take more");
        feed(&mut meter, &mut now, 12, 12);
        let before = meter.rate();
        feed(&mut meter, &mut now, 3, 0);
        assert_eq!(meter.rate(), before, "nothing has become cheaper");
        feed(&mut meter, &mut now, 4, 0);
        assert_eq!(meter.rate(), None);
        assert!(meter.expected(nominal, now).whole > nominal);
        feed(&mut meter, &mut now, 240, 0);
        assert_eq!(meter.expected(nominal, now).whole, nominal);
    }
}
