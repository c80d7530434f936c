//! Lips in step with sound.
//!
//! Sound waits for what is late or lost, pictures do not. Where sound waits long, the picture waits with it, so that sound
//! comes at most 45 ms before the lips and 125 ms after them (ITU-R BT.1359). Sound never waits for pictures: whoever
//! listens notices a late word before a late picture.

use std::{sync::Arc, time::Duration};

use conclave_model::{LeafIndex, MediaTime, TrackKind};

use super::SoundReceiver;

/// How long a picture captured at a time has to wait for its sound, at a moment; both by the same clock.
pub type Hold = Arc<dyn Fn(MediaTime, MediaTime) -> Duration + Send + Sync>;

/// Holds nothing back.
pub fn no_hold() -> Hold {
    Arc::new(|_, _| Duration::ZERO)
}

impl SoundReceiver {
    /// Keeps pictures of a member in step with the member's voice.
    pub fn lips(self: &Arc<Self>, leaf: LeafIndex) -> Hold {
        let sound = Arc::clone(self);
        Arc::new(move |captured, now| {
            let statistics = sound.statistics();
            let voice = statistics.iter().find(|of| of.from == leaf && of.track == TrackKind::Microphone);
            voice.and_then(|voice| voice.offset).map_or(Duration::ZERO, |offset| hold(offset, captured, now))
        })
    }
}

/// How long a picture captured at `captured` has to wait from `now` on, where sound is given to the loudspeaker `offset`
/// µs after it was captured. The senders' clocks may be off: both times of theirs are by the same one.
fn hold(offset: i64, captured: MediaTime, now: MediaTime) -> Duration {
    let captured = i64::try_from(captured.0).unwrap_or(i64::MAX);
    let now = i64::try_from(now.0).unwrap_or(i64::MAX);
    let sounds = captured.saturating_add(offset).saturating_add(LOUDSPEAKER_US);
    let wait = sounds.saturating_sub(AHEAD_US).saturating_sub(now);
    Duration::from_micros(u64::try_from(wait).unwrap_or(0)).min(LONGEST)
}

/// How much longer sound takes from the mixer to the ear than a picture from its slot to the eye: two periods of a device
/// against one of a display.
const LOUDSPEAKER_US: i64 = 10_000;

/// How far a picture may be ahead of its sound: half of what is allowed, for what is not known of the devices.
const AHEAD_US: i64 = 60_000;

/// No picture waits longer, so that no more than a handful of them wait.
const LONGEST: Duration = Duration::from_millis(160);

#[cfg(test)]
mod tests {
    use super::*;

    /// Where the clock of the sender stands when ours is at 0.
    const SENDER: u64 = 1_700_000_000_000_000;

    /// How much later than its picture a sound is perceived: it waits `sound` ms from capture to loudspeaker, the picture
    /// is there after `picture` ms.
    fn lateness_ms(sound: i64, picture: u64) -> i64 {
        let captured = MediaTime(SENDER);
        // Our clock is a minute behind.
        let off = -60_000_000_i64;
        let ready = MediaTime((SENDER + picture * 1000).saturating_add_signed(off));
        let waited = hold(off + sound * 1000, captured, ready).as_millis();
        sound + LOUDSPEAKER_US / 1000 - i64::try_from(picture).unwrap_or(0) - i64::try_from(waited).unwrap_or(0)
    }

    #[test]
    fn sound_that_waits_long_takes_the_picture_along() {
        for sound in (20..=250).step_by(10) {
            for picture in (20..=120).step_by(10) {
                let late = lateness_ms(sound, picture);
                assert!(late <= 125, "sound after {sound} ms, picture after {picture} ms: {late} ms late");
                let alone = sound + LOUDSPEAKER_US / 1000 - i64::try_from(picture).unwrap_or(0);
                assert!(late >= alone.min(60), "held longer than is needed: {late} ms, {alone} ms without");
            }
        }
    }

    #[test]
    fn on_a_short_line_no_picture_waits() {
        assert_eq!(lateness_ms(45, 25), 30);
        assert_eq!(hold(i64::MAX, MediaTime(u64::MAX), MediaTime(0)), LONGEST, "whatever a sender claims");
        assert_eq!(hold(i64::MIN, MediaTime(0), MediaTime(u64::MAX)), Duration::ZERO);
    }
}
