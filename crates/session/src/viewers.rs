//! Which encodings of the own pictures are watched, as the relay says.
//!
//! Whatever a relay says here decides no more than how well others see this member: nothing is sent in the clear for it,
//! and nothing is sent that the person did not open.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use conclave_model::{Layer, TrackKind};

use crate::{Event, link::Link, throttle::Throttle};

/// The app is not told more often than this: each change may start an encoder or stop it.
const INTERVAL: Duration = Duration::from_millis(100);

/// What the relay said of each track.
#[derive(Debug)]
pub(crate) struct Viewers {
    tracks: BTreeMap<TrackKind, Watched>,
    throttle: Throttle<TrackKind>,
}

#[derive(Debug, Default)]
struct Watched {
    newest: u8,
    told: Option<u8>,
}

impl Default for Viewers {
    fn default() -> Self {
        Self { tracks: BTreeMap::new(), throttle: Throttle::new(INTERVAL) }
    }
}

impl Viewers {
    /// The relay says who watches.
    pub(crate) fn on_layers_wanted(&mut self, track: TrackKind, layers: u8, link: &mut Link, now: Instant) {
        if !track.is_video() || layers & !Layer::ALL != 0 {
            link.ignored();
        }
        if !track.is_video() {
            return;
        }
        let watched = self.tracks.entry(track).or_default();
        watched.newest = layers & Layer::ALL;
        if watched.is_news() && self.throttle.request(track, now) {
            watched.tell(track, link);
        }
    }

    pub(crate) fn handle_timeout(&mut self, link: &mut Link, now: Instant) {
        for track in self.throttle.due(now) {
            if let Some(watched) = self.tracks.get_mut(&track).filter(|watched| watched.is_news()) {
                watched.tell(track, link);
            }
        }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.throttle.deadline()
    }
}

impl Watched {
    fn is_news(&self) -> bool {
        self.told != Some(self.newest)
    }

    fn tell(&mut self, track: TrackKind, link: &mut Link) {
        self.told = Some(self.newest);
        link.tell(Event::LayersWanted { track, layers: self.newest });
    }
}
