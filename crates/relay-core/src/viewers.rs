//! Which encodings of a track its publisher is told to send.

use std::time::{Duration, Instant};

use conclave_model::Layer;

use crate::allocate::LAYERS;

/// A layer that nobody watches is given up after this long, for a line that wavers must not stop and start an encoder.
const LINGER: Duration = Duration::from_secs(2);

/// How long a layer may take to come once its publisher was told that it is wanted.
const GRACE: Duration = Duration::from_secs(2);

/// A layer that has been asked for so long and does not come leaves nobody waiting without any picture.
pub(crate) const LATE: Duration = Duration::from_millis(500);

/// A layer that did not come is not counted with for this long: the publisher has no room, no time, or no such camera.
const ABSENT: Duration = Duration::from_secs(30);

/// What a publisher was told of one track.
#[derive(Debug)]
pub(crate) struct Viewers {
    layers: [Wanted; LAYERS],
    told: Option<u8>,
    /// Since when somebody watches and nothing at all comes.
    ignored: Option<Instant>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Wanted {
    /// Since when it is wanted, if it is.
    since: Option<Instant>,
    /// Until when it is asked for though nobody wants it.
    lingers: Option<Instant>,
    /// Until when it is not counted with.
    absent: Option<Instant>,
    /// Since when its publisher is asked for it.
    asked: Option<Instant>,
}

impl Viewers {
    /// Nobody watches. Until the publisher is told anything, it sends the lowest layer.
    pub(crate) fn new(now: Instant) -> Self {
        let mut layers = [Wanted::default(); LAYERS];
        layers[0].lingers = Some(now + LINGER);
        Self { layers, told: None, ignored: None }
    }

    /// Takes what is watched now, one bit for each layer.
    pub(crate) fn set(&mut self, watched: u8, now: Instant) {
        for (layer, wanted) in (0..).map(Layer).zip(&mut self.layers) {
            if watched & layer.bit() != 0 {
                wanted.since.get_or_insert(now);
                wanted.lingers = None;
            } else if wanted.since.take().is_some() {
                wanted.lingers = Some(now + LINGER);
            }
        }
    }

    /// Takes which layers come, one bit for each.
    pub(crate) fn set_coming(&mut self, coming: u8, now: Instant) {
        let watched = self.layers.iter().any(|wanted| wanted.since.is_some());
        self.ignored = (watched && coming == 0).then(|| self.ignored.unwrap_or(now));
        for (layer, wanted) in (0..).map(Layer).zip(&mut self.layers) {
            if coming & layer.bit() != 0 {
                wanted.absent = None;
            } else if coming != 0 && wanted.since.is_some_and(|since| since + GRACE <= now) {
                wanted.absent = Some(now + ABSENT);
            }
        }
    }

    /// Whether a layer that does not come may still be counted with.
    pub(crate) fn may_come(&self, layer: usize, now: Instant) -> bool {
        self.layers.get(layer).is_some_and(|wanted| wanted.absent.is_none_or(|until| until <= now))
    }

    /// Whether a layer that does not come is not to be waited for by who has no picture: its publisher was asked long ago,
    /// for whomever.
    pub(crate) fn is_late(&self, layer: Layer, now: Instant) -> bool {
        let asked = self.layers.get(usize::from(layer.0)).and_then(|wanted| wanted.asked);
        asked.is_some_and(|asked| asked + LATE <= now)
    }

    /// Whether nothing comes though somebody has watched for a while: the camera is closed.
    pub(crate) fn are_ignored(&self, now: Instant) -> bool {
        self.ignored.is_some_and(|since| since + GRACE <= now)
    }

    /// What to tell the publisher, where that is news.
    pub(crate) fn news(&mut self, now: Instant) -> Option<u8> {
        let is_asked = |wanted: &Wanted| wanted.since.is_some() || wanted.lingers.is_some_and(|until| now < until);
        let layers = (0..).map(Layer).zip(&self.layers).filter(|(_, wanted)| is_asked(wanted));
        let layers = layers.fold(0, |bits, (layer, _)| bits | layer.bit());
        // What goes without saying is said once somebody watches, or nobody does.
        let waits = self.told.is_none() && self.layers.iter().all(|wanted| wanted.since.is_none()) && layers != 0;
        if waits || self.told == Some(layers) {
            return None;
        }
        self.told = Some(layers);
        for (layer, wanted) in (0..).map(Layer).zip(&mut self.layers) {
            let is_asked = layers & layer.bit() != 0;
            wanted.asked = is_asked.then(|| wanted.asked.unwrap_or(now));
        }
        Some(layers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(value: f64) -> Duration {
        Duration::from_secs_f64(value)
    }

    #[test]
    fn a_layer_is_asked_for_at_once_and_given_up_later() {
        let start = Instant::now();
        let mut viewers = Viewers::new(start);
        assert_eq!(viewers.news(start), None, "the lowest is sent by itself");
        viewers.set(0b100, start);
        assert_eq!(viewers.news(start), Some(0b101));
        assert_eq!(viewers.news(start + seconds(1.9)), None);
        assert_eq!(viewers.news(start + seconds(2.0)), Some(0b100));
        viewers.set(0b010, start + seconds(3.0));
        assert_eq!(viewers.news(start + seconds(3.0)), Some(0b110));
        viewers.set(0b100, start + seconds(4.0));
        viewers.set(0b010, start + seconds(4.5));
        assert_eq!(viewers.news(start + seconds(6.4)), None, "each time anew");
        viewers.set(0, start + seconds(6.5));
        assert_eq!(viewers.news(start + seconds(6.5)), Some(0b010));
        assert_eq!(viewers.news(start + seconds(8.5)), Some(0));
    }

    #[test]
    fn nobody_to_watch_is_said_once() {
        let start = Instant::now();
        let mut viewers = Viewers::new(start);
        assert_eq!([1.0, 2.0, 3.0].map(|at| viewers.news(start + seconds(at))), [None, Some(0), None]);
    }

    #[test]
    fn a_viewer_that_wavers_changes_nothing() {
        let start = Instant::now();
        let mut viewers = Viewers::new(start);
        let mut news = 0;
        for step in 0..1000 {
            let now = start + Duration::from_millis(50) * step;
            viewers.set(if step % 2 == 0 { 0b010 } else { 0b100 }, now);
            news += usize::from(viewers.news(now).is_some());
        }
        assert!(news <= 3, "{news}");
    }

    #[test]
    fn a_layer_that_does_not_come_is_not_counted_with_until_it_does() {
        let start = Instant::now();
        let mut viewers = Viewers::new(start);
        viewers.set(0b100, start);
        viewers.set_coming(0b001, start + seconds(1.9));
        assert!(viewers.may_come(2, start + seconds(1.9)));
        viewers.set_coming(0b001, start + seconds(2.0));
        assert!(!viewers.may_come(2, start + seconds(2.0)));
        viewers.set(0, start + seconds(3.0));
        assert!(!viewers.may_come(2, start + seconds(31.0)), "not even when nobody wants it");
        assert!(viewers.may_come(2, start + seconds(32.0)));
        viewers.set_coming(0b100, start + seconds(33.0));
        assert!(viewers.may_come(2, start + seconds(33.0)));
        assert!(!viewers.may_come(7, start));
    }

    #[test]
    fn a_layer_is_late_from_its_request_on_whoever_watches() {
        let start = Instant::now();
        let mut viewers = Viewers::new(start);
        assert!(!viewers.is_late(Layer(1), start + LATE), "nobody asked for it");
        viewers.set(0b010, start);
        assert_eq!(viewers.news(start), Some(0b011));
        assert!(!viewers.is_late(Layer(1), start + LATE / 2));
        // Who watched goes, and another comes before it is given up.
        viewers.set(0, start + LATE / 2);
        assert_eq!(viewers.news(start + LATE / 2), None);
        assert!(viewers.is_late(Layer(1), start + LATE));
        assert_eq!(viewers.news(start + seconds(3.0)), Some(0));
        assert!(!viewers.is_late(Layer(1), start + seconds(3.0)), "it is given up");
        viewers.set(0b010, start + seconds(4.0));
        assert_eq!(viewers.news(start + seconds(4.0)), Some(0b010));
        assert!(!viewers.is_late(Layer(1), start + seconds(4.1)) && !viewers.is_late(Layer(7), start + seconds(9.0)));
    }

    #[test]
    fn a_closed_camera_has_no_layer_that_is_absent() {
        let start = Instant::now();
        let mut viewers = Viewers::new(start);
        viewers.set(0b100, start);
        viewers.set_coming(0, start);
        viewers.set_coming(0, start + seconds(1.9));
        assert!(!viewers.are_ignored(start + seconds(1.9)));
        viewers.set(0b001, start + seconds(1.9));
        viewers.set_coming(0, start + seconds(2.0));
        assert!(viewers.are_ignored(start + seconds(2.0)), "whichever layer it is");
        viewers.set_coming(0b001, start + seconds(3.0));
        assert!(!viewers.are_ignored(start + seconds(3.0)) && viewers.may_come(2, start + seconds(3.0)));
        viewers.set(0, start + seconds(4.0));
        viewers.set_coming(0, start + seconds(9.0));
        assert!(!viewers.are_ignored(start + seconds(9.0)), "nothing has to come where nobody watches");
    }
}
