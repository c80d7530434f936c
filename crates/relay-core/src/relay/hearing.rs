//! How well those who receive somebody's sound receive it, told to who sends it: only the sender can add redundancy.

use std::time::{Duration, Instant};

use conclave_model::wire::signal::FromRelay;
use conclave_transport::Quality;

use super::{ConnectionId, Relay};
use crate::{peer::Peer, watching::VOICE};

/// How often one sender is told at most.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// A change of the loss that is worth a message, in percent of all packets.
const CHANGE: u8 = 2;

/// Shares of a new measurement in the average, for rising and falling loss: redundancy that comes late is no use.
const RISE: f32 = 0.5;
const FALL: f32 = 0.2;

/// Loss in percent at which senders stop to send short packets, and do not begin to add to them.
const LITTLE: u8 = 2;

/// A line that bears no more than this share of all sound, in percent, is jammed by it.
const JAMMED: u64 = 150;

/// How a connection receives, and what it was told of how the others do.
#[derive(Debug, Default)]
pub(crate) struct Hearing {
    loss: f32,
    round_trip: Option<Duration>,
    told: Option<(Instant, Worst)>,
}

/// The line of the one who receives worst, as it is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Worst {
    /// In percent.
    loss: u8,
    /// In milliseconds.
    round_trip: u16,
}

impl Hearing {
    /// Takes what the line towards it was like in the last second.
    fn observe(&mut self, quality: Quality) {
        let loss = if quality.loss.is_finite() { quality.loss.clamp(0.0, 1.0) } else { 0.0 };
        let share = if loss > self.loss { RISE } else { FALL };
        self.loss += (loss - self.loss) * share;
        self.round_trip = quality.round_trip.or(self.round_trip);
    }

    /// As it is told. What is lost because the line is hardly wide enough for the sound (`jammed`) would be lost the more
    /// for anything that is added to it: it is told as little, and without the time that it waits.
    fn worst(&self, jammed: Option<Duration>) -> Worst {
        let told = self.told_as();
        let Some(fastest) = jammed else { return told };
        let millis = u16::try_from(fastest.as_millis()).unwrap_or(u16::MAX);
        Worst { loss: told.loss.min(LITTLE), round_trip: told.round_trip.min(millis) }
    }

    fn told_as(&self) -> Worst {
        let millis = self.round_trip.map_or(0, |round_trip| round_trip.as_millis());
        Worst { loss: (self.loss * 100.0).round() as u8, round_trip: u16::try_from(millis).unwrap_or(u16::MAX) }
    }

    /// What to tell now of the worst line of the others, if that is news.
    fn news(&mut self, worst: Worst, now: Instant) -> Option<Worst> {
        let (at, before) = match self.told {
            Some((at, before)) => (Some(at), before),
            None => (None, Worst::default()),
        };
        let is_news = worst.loss.abs_diff(before.loss) >= CHANGE || (worst.loss == 0 && before.loss > 0);
        let may_tell = at.is_none_or(|at| now.saturating_duration_since(at) >= TELL_EVERY);
        if !is_news || !may_tell {
            return None;
        }
        self.told = Some((now, worst));
        Some(worst)
    }
}

impl Relay {
    /// Takes the quality of the line towards a connection, and tells those whom it hears where that is worth it.
    pub(super) fn on_quality(&mut self, connection: ConnectionId, quality: Quality) {
        let now = self.now;
        let Some(peer) = self.peers.get_mut(&connection) else { return };
        peer.hearing.observe(quality);
        let meeting = peer.meeting;
        let sound = self.meetings.get(&meeting).map_or(0, |meeting| meeting.sound.as_bps());
        // The worst line of all, and of all but its owner, who does not hear themselves.
        let (mut worst, mut second): (Option<(ConnectionId, Worst)>, Option<Worst>) = (None, None);
        for member in self.members(meeting) {
            let Some(peer) = self.peers.get(&member).filter(|peer| peer.is_up) else { continue };
            let line = peer.hearing.worst(jammed(peer, sound));
            if worst.is_none_or(|(_, worst)| line.loss > worst.loss) {
                second = worst.map(|(_, worst)| worst);
                worst = Some((member, line));
            } else if second.is_none_or(|second| line.loss > second.loss) {
                second = Some(line);
            }
        }
        for sender in self.members(meeting) {
            let others = if worst.is_some_and(|(owner, _)| owner == sender) { second } else { worst.map(|of| of.1) };
            let Some(peer) = self.peers.get_mut(&sender) else { continue };
            let sounds = peer.tracks.keys().any(|kind| !kind.is_video());
            if let Some(worst) = peer.hearing.news(others.unwrap_or_default(), now).filter(|_| sounds) {
                let Worst { loss, round_trip } = worst;
                self.say(sender, FromRelay::Heard { loss, round_trip });
            }
        }
    }
}

/// The round trip of a line that bears hardly more than the sound of all others, where it was fastest.
fn jammed(peer: &Peer, sound: u64) -> Option<Duration> {
    let line = &peer.watching.line;
    let sound = sound.saturating_sub(peer.sound.as_bps()).max(VOICE.as_bps());
    line.fastest().filter(|_| line.estimate.as_bps() * 100 < sound * JAMMED)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn percent(loss: u8) -> Worst {
        Worst { loss, round_trip: 40 }
    }

    #[test]
    fn loss_rises_fast_and_falls_slowly() {
        let mut hearing = Hearing::default();
        let line = |loss| Quality { loss, round_trip: None };
        (0..3).for_each(|_| hearing.observe(line(0.2)));
        assert!((17..=20).contains(&hearing.worst(None).loss), "{hearing:?}");
        hearing.observe(line(0.0));
        assert!(hearing.worst(None).loss >= 13, "{hearing:?}");
        (0..20).for_each(|_| hearing.observe(line(0.0)));
        assert_eq!(hearing.worst(None).loss, 0);
        hearing.observe(line(f32::NAN));
        hearing.observe(line(7.0));
        assert!(hearing.worst(None).loss <= 100);
    }

    #[test]
    fn a_sender_is_told_of_changes_and_not_more_than_once_a_second() {
        let (mut hearing, start) = (Hearing::default(), Instant::now());
        assert_eq!(hearing.news(percent(0), start), None, "no loss is what everybody takes for granted");
        assert_eq!(hearing.news(percent(1), start), None);
        assert_eq!(hearing.news(percent(9), start), Some(percent(9)));
        assert_eq!(hearing.news(percent(30), start + Duration::from_millis(500)), None);
        assert_eq!(hearing.news(percent(30), start + TELL_EVERY), Some(percent(30)));
        assert_eq!(hearing.news(percent(29), start + TELL_EVERY * 9), None);
        assert_eq!(hearing.news(percent(1), start + TELL_EVERY * 9), Some(percent(1)));
        assert_eq!(hearing.news(percent(0), start + TELL_EVERY * 10), Some(percent(0)), "the end is told");
    }

    #[test]
    fn what_a_jam_of_sound_costs_asks_for_longer_packets_and_for_no_redundancy() {
        let mut hearing = Hearing::default();
        let quality = Quality { loss: 0.3, round_trip: Some(Duration::from_millis(340)) };
        (0..5).for_each(|_| hearing.observe(quality));
        assert!(hearing.worst(None).loss > 25 && hearing.worst(None).round_trip == 340);
        let jammed = hearing.worst(Some(Duration::from_millis(40)));
        assert_eq!(jammed, Worst { loss: 2, round_trip: 40 });
    }
}
