//! What a receiver watches, and how its line is shared out.

use std::time::{Duration, Instant};

use conclave_model::{Bitrate, Layer, TrackKind, wire::signal::TrackName};

use crate::{
    allocate::{Budget, Demand, Given, LAYERS, Rate, allocate, best_for},
    forward::{Aim, Encoding, Offer},
    line::Line,
};

/// The least that sound may need at any time: somebody begins to speak.
pub(crate) const VOICE: Bitrate = Bitrate::kbps(40);

/// After more was given, nothing is added for this long: the estimate must show that the line bears it.
const PAUSE: Duration = Duration::from_millis(700);

/// After the line bore less than was given, nothing is added for this long; each time twice as long where it was added
/// within the last [`FAILED`], so that a line at its limit is not tried over and over.
const HOLD: Duration = Duration::from_secs(2);
const LONGEST_HOLD: Duration = Duration::from_secs(30);
const FAILED: Duration = Duration::from_secs(10);

/// Where the line bears so much more than all that is wanted, in percent, nothing is held back.
const PLENTY: u64 = 150;

/// Where so much more is sent than the line bears, in percent, what is too large stops before something smaller begins.
const FLOOD: u64 = 125;

/// A path looks for as much room as there is to fill; no less than this, for a wish may come at any time, and no more than
/// so many times what it has found, for looking costs the line a burst.
const LOOKED_FOR: Bitrate = Bitrate::kbps(3_000);
const STRIDE: u64 = 2;

/// While the line holds pictures back, its path is made to look for more room this often. It does so by itself only where
/// it has hardly anything to send.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// A receiver is not told more often than this what its line holds back.
const TELL_AGAIN: Duration = Duration::from_secs(2);

/// On a narrower line it finds less than there is, for what it sends to look is too little.
const WIDE: Bitrate = Bitrate::kbps(250);

/// One wish, in the order of importance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wished {
    pub(crate) name: TrackName,
    pub(crate) height: u16,
    /// What was given last.
    given: Option<Given>,
}

/// What a receiver watches.
#[derive(Debug)]
pub(crate) struct Watching {
    wishes: Vec<Wished>,
    pub(crate) line: Line,
    rise_at: Option<Instant>,
    hold: Duration,
    /// When more was given last, and what there was for pictures then.
    rose: Option<(Instant, u64)>,
    /// What the pictures take that would be given if the line bore everything.
    wanted: u64,
    /// For how much room its path is to look.
    desired: Bitrate,
    /// When it was made to look last, and whether it has been told of less so far, for only news of more makes it look.
    looked: Option<Instant>,
    dips: bool,
    /// What is smaller than it could be, for the line.
    squeezed: Vec<TrackName>,
    /// What of that the receiver was told, and when.
    told: (Vec<TrackName>, Option<Instant>),
}

impl Watching {
    pub(crate) fn new(estimate: Bitrate) -> Self {
        Self {
            wishes: Vec::new(),
            line: Line::new(estimate),
            rise_at: None,
            hold: HOLD,
            rose: None,
            wanted: 0,
            desired: Bitrate(0),
            looked: None,
            dips: false,
            squeezed: Vec::new(),
            told: (Vec::new(), None),
        }
    }

    /// Replaces the wishes, most important first; the first of two for the same track counts.
    pub(crate) fn set(&mut self, wished: impl Iterator<Item = (TrackName, u16)>) {
        let before = std::mem::take(&mut self.wishes);
        for (name, height) in wished {
            if self.wishes.iter().all(|wish| wish.name != name) {
                let given = before.iter().find(|wish| wish.name == name).and_then(|wish| wish.given);
                self.wishes.push(Wished { name, height, given });
            }
        }
    }

    pub(crate) fn wishes(&self) -> &[Wished] {
        &self.wishes
    }

    /// Nothing is given any more; what will be is a beginning.
    pub(crate) fn forget(&mut self) {
        self.wishes.iter_mut().for_each(|wish| wish.given = None);
        (self.rise_at, self.rose) = (None, None);
    }

    /// What is smaller than its sender sends it, or not there, since the line does not bear more; `None` where that is no
    /// news, or too soon.
    pub(crate) fn squeezed_news(&mut self, now: Instant) -> Option<Vec<TrackName>> {
        let (told, at) = &self.told;
        let may_tell = at.is_none_or(|at| now.saturating_duration_since(at) >= TELL_AGAIN);
        if *told == self.squeezed || !may_tell {
            return None;
        }
        self.told = (self.squeezed.clone(), Some(now));
        Some(self.squeezed.clone())
    }

    /// For how much room the path is to look.
    pub(crate) fn desired(&mut self, now: Instant) -> Bitrate {
        let looked = *self.looked.get_or_insert(now);
        let is_held = self.rise_at.is_some_and(|at| now < at);
        let may_look = !self.dips && !is_held && self.line.estimate >= WIDE;
        if may_look && !self.squeezed.is_empty() && looked + LOOK_AGAIN <= now {
            self.looked = Some(now);
            self.dips = true;
            return Bitrate(self.desired.as_bps() / 4 * 3);
        }
        self.dips = false;
        self.desired
    }

    /// Shares the line out anew: what to do about each wish. `offers` are what there is of it, `sound` is what all sound
    /// takes.
    pub(crate) fn share(&mut self, offers: &[Offer], sound: Bitrate, now: Instant) -> Vec<Aim> {
        let sound = sound.max(VOICE);
        if !self.squeezed.is_empty() && self.rise_at.is_none_or(|at| at <= now) {
            self.line.try_more(sound, now);
        }
        let whole = self.line.pictures(sound);
        let demands: Vec<Demand> = self.wishes.iter().zip(offers).map(|(wish, offer)| wish.demand(offer)).collect();
        let spent = |given: &[Option<Given>]| -> u64 {
            demands.iter().zip(given).filter_map(|(demand, given)| demand.cost((*given)?)).map(Bitrate::as_bps).sum()
        };
        let before: Vec<_> = self.wishes.iter().map(|wish| wish.given).collect();
        let before = spent(&before);
        let kept = self.line.kept(sound, now);
        if before > kept.as_bps() {
            self.on_too_much(whole.as_bps(), now);
        } else if whole.as_bps() > self.wanted.saturating_mul(PLENTY) / 100 {
            (self.rise_at, self.hold) = (self.rise_at.map(|at| at.min(now + PAUSE)), HOLD);
        }
        let held = self.rise_at.is_some_and(|at| now < at).then_some(Bitrate(before));
        let budget = Budget { whole, kept, held };
        let given = allocate(budget, &demands);
        let after = spent(&given);
        self.line.give(before, after, sound);
        if after > before + before / 20 && before > 0 {
            self.rose = Some((now, whole.as_bps()));
            self.rise_at = Some(self.rise_at.map_or(now + PAUSE, |at| at.max(now + PAUSE)));
        }
        let at_once = before > whole.as_bps().saturating_mul(FLOOD) / 100;
        tracing::trace!(target: "sharing", estimate = %self.line.estimate, %sound, before, after, held = held.is_some(), "shared out");
        let left = budget.limit().saturating_sub(after);
        self.look_at(offers, &demands, &given, sound);
        let mut aims = Vec::with_capacity(self.wishes.len());
        for (index, (wish, offer)) in self.wishes.iter_mut().zip(offers).enumerate() {
            let given = given.get(index).copied().flatten();
            let hoped = wish.hoped(offer, given, left);
            let given = if offer.is_silent { hoped.map(|layer| Given { layer, whole: true }) } else { given };
            wish.given = given;
            aims.push(Aim { given, hoped, at_once });
        }
        aims
    }

    /// Works out what could be sent more, and what of it the line holds back.
    fn look_at(&mut self, offers: &[Offer], demands: &[Demand], given: &[Option<Given>], sound: Bitrate) {
        self.squeezed.clear();
        self.wanted = 0;
        for (((wish, offer), demand), given) in self.wishes.iter().zip(offers).zip(demands).zip(given) {
            if offer.is_silent {
                continue;
            }
            let best = usize::from(best_for(wish.height).0);
            let worth = |rates: &[Option<Rate>; LAYERS]| {
                let (lower, higher) = rates.split_at(best + 1);
                let found = lower.iter().rev().chain(higher).copied().flatten().next();
                found.map_or(0, |rate| rate.whole.as_bps())
            };
            self.wanted += worth(&offer.encodings.map(|encoding| encoding.map(|encoding| encoding.rate)));
            let has = given.and_then(|given| demand.cost(given)).map_or(0, Bitrate::as_bps);
            if has < worth(&demand.rates) {
                self.squeezed.push(wish.name);
            }
        }
        let desired = self.wanted + sound.as_bps();
        let found = self.line.estimate.as_bps().saturating_mul(STRIDE);
        self.desired = Bitrate((desired + desired / 2).max(LOOKED_FOR.as_bps()).min(found));
    }

    fn on_too_much(&mut self, whole: u64, now: Instant) {
        // Where the line bears what it bore, a picture took more than was known of it.
        let since = |(rose, had): (Instant, u64)| whole < had && now.saturating_duration_since(rose) <= FAILED;
        let failed = self.rose.take().is_some_and(since);
        let calm = self.rise_at.is_none_or(|at| now.saturating_duration_since(at) > LONGEST_HOLD);
        self.hold = match (failed, calm) {
            (true, _) => (self.hold * 2).min(LONGEST_HOLD),
            (false, true) => HOLD,
            (false, false) => self.hold,
        };
        self.rise_at = Some(now + self.hold);
    }
}

impl Wished {
    fn demand(&self, offer: &Offer) -> Demand {
        let offered = |encoding: Option<Encoding>| {
            encoding.filter(|encoding| encoding.is_offered && !offer.is_silent).map(|encoding| encoding.rate)
        };
        let is_screen = self.name.track == TrackKind::Screen;
        Demand { height: self.height, is_screen, rates: offer.encodings.map(offered), current: self.given }
    }

    /// What it would get of what its publisher does not send, had it as much as is `left` besides what it gets.
    fn hoped(&self, offer: &Offer, given: Option<Given>, left: u64) -> Option<Layer> {
        let rate = |layer: Layer| offer.encodings.get(usize::from(layer.0)).copied().flatten();
        let paid = given.and_then(|given| rate(given.layer)).map_or(0, |encoding| encoding.rate.whole.as_bps());
        let best = best_for(self.height).0;
        for layer in (0..=best).rev().map(Layer) {
            if given.is_some_and(|given| given.layer >= layer) {
                break;
            }
            let Some(encoding) = rate(layer) else { continue };
            let is_missing = offer.is_silent || !encoding.is_offered;
            if is_missing && encoding.rate.whole.as_bps().saturating_sub(paid) <= left {
                return Some(layer);
            }
        }
        // Who opens the camera is to be seen, however little room there is: the next look makes some.
        given.map(|given| given.layer).or(offer.is_silent.then_some(Layer(0)))
    }
}

#[cfg(test)]
mod tests;
