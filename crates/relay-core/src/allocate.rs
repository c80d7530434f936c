//! Which encoding of which picture a receiver gets.
//!
//! Pure: what the line bears and what is wished for go in, a quality for each wish comes out. Sound never takes part: its
//! share is taken off before ([`for_pictures`]).

use conclave_model::{Bitrate, Layer};

/// How many encodings a picture has at most.
pub(crate) const LAYERS: usize = Layer::COUNT as usize;

/// The height in pixels that each encoding is made for, lowest first.
const HEIGHTS: [u16; LAYERS] = [180, 360, 720];

/// An encoding serves a tile that is this much higher than itself, in percent: a little blur costs less than four times
/// the bits.
const STRETCH: u32 = 125;

/// More is given only where the sum stays below this share of the budget, in percent; what is given already may use it
/// all. A budget that wavers by 6 % either way therefore changes nothing, once it has settled.
const RISE: u64 = 87;

/// What the line bears besides its own estimate: packet heads, retransmissions and key frames, in percent.
const USABLE: u64 = 92;

/// What an encoding takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rate {
    /// With all of its frames.
    pub(crate) whole: Bitrate,
    /// Without the frames that no other needs.
    pub(crate) thin: Bitrate,
}

/// How well a picture is given. The order is that of quality.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Given {
    /// Which encoding.
    pub(crate) layer: Layer,
    /// With all its frames, or without those that no other needs: the cheapest step between two encodings.
    pub(crate) whole: bool,
}

/// One picture that a receiver wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Demand {
    /// How high it is shown, in pixels.
    pub(crate) height: u16,
    /// Whether it is somebody's screen, which goes before all cameras.
    pub(crate) is_screen: bool,
    /// What each encoding takes, lowest first; `None` where it is not to be had.
    pub(crate) rates: [Option<Rate>; LAYERS],
    /// What the receiver was given last time.
    pub(crate) current: Option<Given>,
}

/// What a receiver's pictures may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Budget {
    /// All that there is.
    pub(crate) whole: Bitrate,
    /// What is given already may take this much, for it wavers.
    pub(crate) kept: Bitrate,
    /// What improvements may not pass for now; the cheapest quality of a picture is none.
    pub(crate) held: Option<Bitrate>,
}

impl Budget {
    /// The sum up to which there is room for more, in bits per second.
    pub(crate) fn limit(self) -> u64 {
        let rise = self.whole.as_bps() / 100 * RISE;
        self.held.map_or(rise, |held| rise.min(held.as_bps()))
    }
}

impl From<Bitrate> for Budget {
    fn from(whole: Bitrate) -> Self {
        Self { whole, kept: whole, held: None }
    }
}

/// What is left for pictures of an estimate once sound has its share.
pub(crate) fn for_pictures(estimate: Bitrate, sound: Bitrate) -> Bitrate {
    Bitrate((estimate.as_bps().saturating_mul(USABLE) / 100).saturating_sub(sound.as_bps()))
}

/// The encoding that is worth showing at a height.
pub(crate) fn best_for(height: u16) -> Layer {
    let fits = |layer: &u16| u32::from(*layer) * STRETCH >= u32::from(height) * 100;
    let found = HEIGHTS.iter().position(fits).unwrap_or(LAYERS - 1);
    Layer(u8::try_from(found).unwrap_or_default())
}

/// Splits a receiver's budget for pictures over what it wants to see.
///
/// Demands come in the order of their importance: who speaks and what is pinned first. Returns a quality for each demand,
/// `None` where the picture must pause. Screens go before cameras. Everybody gets the cheapest that there is before
/// anybody gets better; then the screens and the first camera get as much as fits, and all others rise together, step
/// by step. What a receiver has already it keeps at its bare cost; what is better must leave a share of the budget free
/// ([`RISE`]), so that a wavering budget does not change the picture each time. O(n) in the number of demands.
pub(crate) fn allocate(budget: Budget, demands: &[Demand]) -> Vec<Option<Given>> {
    let ladders: Vec<Ladder> = demands.iter().map(Ladder::of).collect();
    let mut given: Vec<Option<usize>> = vec![None; demands.len()];
    let mut purse = Purse { kept: budget.kept.as_bps(), limit: Budget::from(budget.whole).limit(), spent: 0 };
    let mut order: Vec<usize> = (0..demands.len()).collect();
    order.sort_by_key(|index| !demands[*index].is_screen);
    for index in &order {
        given[*index] = ladders[*index].raise(None, demands[*index].current, &mut purse);
    }
    purse.limit = budget.limit();
    let screens = demands.iter().filter(|demand| demand.is_screen).count();
    let (first, others) = order.split_at((screens + 1).min(order.len()));
    for index in first {
        while let Some(next) = ladders[*index].better(given[*index], demands[*index].current, &mut purse) {
            given[*index] = Some(next);
        }
    }
    for _ in 1..STEPS {
        for index in others {
            if let Some(next) = ladders[*index].better(given[*index], demands[*index].current, &mut purse) {
                given[*index] = Some(next);
            }
        }
    }
    let step =
        |(ladder, step): (&Ladder, Option<usize>)| step.and_then(|step| ladder.step(step)).map(|(given, _)| given);
    ladders.iter().zip(given).map(step).collect()
}

impl Demand {
    /// What a quality takes; `None` where it is not to be had.
    pub(crate) fn cost(&self, given: Given) -> Option<Bitrate> {
        let rate = self.rates.get(usize::from(given.layer.0)).copied().flatten()?;
        Some(if given.whole { rate.whole } else { rate.thin })
    }
}

/// How many qualities a picture can have.
const STEPS: usize = 2 * LAYERS;

/// The qualities of one picture that are worth their cost, with it, lowest first.
#[derive(Default)]
struct Ladder {
    steps: [Option<(Given, u64)>; STEPS],
    length: usize,
}

/// What has been spent of a budget.
struct Purse {
    /// For what is given already.
    kept: u64,
    /// For what is new.
    limit: u64,
    spent: u64,
}

impl Ladder {
    /// The encodings that are to be had and worth showing; the lowest always is. What costs no less than something
    /// better is left out.
    fn of(demand: &Demand) -> Self {
        let best = usize::from(best_for(demand.height).0);
        let lowest = demand.rates.iter().position(Option::is_some).unwrap_or(LAYERS);
        let mut ladder = Self::default();
        for (number, rate) in (0_u8..).zip(demand.rates) {
            let Some(rate) = rate.filter(|_| usize::from(number) <= best || usize::from(number) == lowest) else {
                continue;
            };
            for (whole, cost) in [(false, rate.thin), (true, rate.whole)] {
                ladder.push(Given { layer: Layer(number), whole }, cost.as_bps());
            }
        }
        ladder
    }

    fn push(&mut self, given: Given, cost: u64) {
        while let Some((_, last)) = self.length.checked_sub(1).and_then(|last| self.step(last))
            && last >= cost
        {
            self.length -= 1;
        }
        if let Some(place) = self.steps.get_mut(self.length) {
            *place = Some((given, cost));
            self.length += 1;
        }
    }

    fn step(&self, number: usize) -> Option<(Given, u64)> {
        self.steps.get(..self.length)?.get(number).copied().flatten()
    }

    /// The step above `from`, paid for; `None` where there is none or it is too dear.
    fn better(&self, from: Option<usize>, current: Option<Given>, purse: &mut Purse) -> Option<usize> {
        from.and_then(|from| self.raise(Some(from), current, purse))
    }

    fn raise(&self, from: Option<usize>, current: Option<Given>, purse: &mut Purse) -> Option<usize> {
        let to = from.map_or(0, |from| from + 1);
        let (given, cost) = self.step(to)?;
        let paid = from.and_then(|from| self.step(from)).map_or(0, |(_, cost)| cost);
        let kept = current.is_some_and(|current| current >= given);
        purse.pay(cost - paid, kept).then_some(to)
    }
}

impl Purse {
    fn pay(&mut self, cost: u64, kept: bool) -> bool {
        let sum = self.spent.saturating_add(cost);
        let limit = if kept { self.kept } else { self.limit };
        if sum > limit {
            return false;
        }
        self.spent = sum;
        true
    }
}

#[cfg(test)]
mod tests;
