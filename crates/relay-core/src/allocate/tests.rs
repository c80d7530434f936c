#![allow(clippy::unwrap_used)]

use super::*;

const fn rate(kbps: u64) -> Option<Rate> {
    Some(Rate { whole: Bitrate::kbps(kbps), thin: Bitrate::kbps(kbps * 6 / 10) })
}

const RATES: [Option<Rate>; LAYERS] = [rate(100), rate(400), rate(1500)];

fn demand(height: u16) -> Demand {
    Demand { height, is_screen: false, rates: RATES, current: None }
}

fn cost(demand: &Demand, given: Given) -> u64 {
    demand.cost(given).unwrap().as_bps()
}

/// [`super::allocate`] without anything held back.
fn allocate(budget: Bitrate, demands: &[Demand]) -> Vec<Option<Given>> {
    super::allocate(budget.into(), demands)
}

/// "2" is the second layer whole, "2-" without its discardable frames, "." nothing.
fn words(budget: u64, demands: &[Demand]) -> String {
    let word = |given: Option<Given>| match given {
        Some(Given { layer, whole: true }) => layer.0.to_string(),
        Some(Given { layer, whole: false }) => format!("{}-", layer.0),
        None => ".".to_owned(),
    };
    allocate(Bitrate::kbps(budget), demands).into_iter().map(word).collect::<Vec<_>>().join(" ")
}

/// Numbers that are the same in each run: Knuth's linear congruential generator.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    fn demands(&mut self) -> Vec<Demand> {
        let count = self.below(12);
        (0..count).map(|_| self.demand()).collect()
    }

    fn demand(&mut self) -> Demand {
        let heights = [90, 180, 300, 360, 500, 720, 1080, 2160];
        let mut rates = [None; LAYERS];
        for (rate, nominal) in rates.iter_mut().zip([100_000, 400_000, 1_500_000]) {
            if self.below(5) > 0 {
                let whole = nominal / 10 + self.below(2 * nominal);
                let thin = whole * (30 + self.below(71)) / 100;
                *rate = Some(Rate { whole: Bitrate(whole), thin: Bitrate(thin) });
            }
        }
        let height = heights[self.below(heights.len() as u64) as usize];
        let layer = Layer(self.below(LAYERS as u64) as u8);
        let current = Given { layer, whole: self.below(2) == 0 };
        let current = (self.below(2) == 0).then_some(current);
        Demand { height, is_screen: self.below(8) == 0, rates, current }
    }
}

#[test]
fn a_tile_gets_what_it_can_show_and_no_more() {
    assert_eq!([90, 180, 220, 300, 450, 500, 720, 1080].map(|height| best_for(height).0), [0, 0, 0, 1, 1, 2, 2, 2]);
    assert_eq!(words(100_000, &[demand(720), demand(360), demand(180)]), "2 1 0");
}

#[test]
fn everybody_is_seen_before_anybody_is_seen_well_and_the_first_is_seen_best() {
    let demands = [demand(720); 4];
    for (budget, expected) in [
        (60, ". . . ."),
        (70, "0- . . ."),
        (140, "0- 0- . ."),
        (280, "0- 0- 0- 0-"),
        (330, "0 0- 0- 0-"),
        (500, "1- 0- 0- 0-"),
        (700, "1 0- 0- 0-"),
        (1300, "2- 0 0- 0-"),
        (1400, "2- 0 0 0"),
        (2000, "2 0 0- 0-"),
        (2300, "2 1- 0 0"),
        (2900, "2 1 1- 1-"),
        (9000, "2 2 2 2"),
    ] {
        assert_eq!(words(budget, &demands), expected, "{budget} kbit/s");
    }
}

#[test]
fn a_screen_goes_before_the_cameras() {
    let screen = Demand { is_screen: true, rates: [rate(800), None, None], ..demand(1080) };
    let demands = [demand(720), demand(180), screen];
    assert_eq!(words(500, &demands), "1- 0 .", "what fits is given where the screen does not");
    assert_eq!(words(600, &demands), ". . 0-");
    assert_eq!(words(700, &demands), "0- 0- 0-");
    assert_eq!(words(1100, &demands), "0- 0- 0");
    assert_eq!(words(1130, &demands), "0 0- 0");
}

#[test]
fn the_sum_never_passes_the_budget_and_only_what_is_sent_is_given() {
    let mut numbers = Numbers(1);
    for case in 0..20_000 {
        let demands = numbers.demands();
        let budget = Bitrate(numbers.below(6_000_000));
        let given = allocate(budget, &demands);
        assert_eq!(given.len(), demands.len());
        let pairs = || demands.iter().zip(&given).filter_map(|(demand, given)| Some((demand, (*given)?)));
        let spent: u64 = pairs().map(|(demand, given)| cost(demand, given)).sum();
        assert!(spent <= budget.as_bps(), "{case}: {spent} of {budget}: {given:?} for {demands:?}");
        for (demand, given) in pairs() {
            let lowest = demand.rates.iter().position(Option::is_some).unwrap();
            let layer = usize::from(given.layer.0);
            assert!(layer == lowest || given.layer <= best_for(demand.height), "{case}: {given:?} for {demand:?}");
        }
    }
}

#[test]
fn nobody_is_left_out_while_another_has_more_than_the_least() {
    let mut numbers = Numbers(2);
    for case in 0..20_000 {
        let demands = numbers.demands();
        let budget = Bitrate(numbers.below(6_000_000));
        let given = allocate(budget, &demands);
        let least = |demand: &Demand| Ladder::of(demand).step(0);
        let pairs = || demands.iter().zip(&given);
        let has_least: u64 = pairs()
            .filter(|(_, given)| given.is_some())
            .filter_map(|(demand, _)| least(demand))
            .map(|(_, cost)| cost)
            .sum();
        for (demand, _) in pairs().filter(|(_, given)| given.is_none()) {
            let Some((_, cost)) = least(demand) else { continue };
            let limit = budget.as_bps() / 100 * RISE;
            assert!(has_least + cost > limit, "{case}: {demand:?} would have fitted: {given:?}");
        }
    }
}

#[test]
fn more_budget_never_means_fewer_pictures_nor_a_worse_first_of_as_many() {
    let mut numbers = Numbers(3);
    for case in 0..300 {
        let count = 1 + numbers.below(9);
        let height = [180, 360, 720][numbers.below(3) as usize];
        let demands: Vec<_> = (0..count).map(|_| demand(height)).collect();
        let mut before: (usize, Option<Given>) = (0, None);
        for budget in (0..8_000).step_by(13) {
            let given = allocate(Bitrate::kbps(budget), &demands);
            let now = (given.iter().flatten().count(), given[0]);
            assert!(now >= before, "{case}, {budget} kbit/s: {before:?} to {now:?}");
            assert!(given.is_sorted_by(|earlier, later| earlier >= later), "{case}, {budget} kbit/s: {given:?}");
            before = now;
        }
    }
}

#[test]
fn a_wavering_budget_settles() {
    let mut numbers = Numbers(4);
    for case in 0..3_000 {
        let mut demands = numbers.demands();
        let middle = 50_000 + numbers.below(6_000_000);
        let mut settled = false;
        for round in 0..80 {
            // First the extremes in turn, then anything between them.
            let permille = if round < 40 { 940 + 120 * (round & 1) } else { 940 + numbers.below(121) };
            let given = allocate(Bitrate(middle * permille / 1000), &demands);
            let changes = demands.iter().zip(&given).filter(|(demand, given)| demand.current != **given).count();
            assert!(!settled || changes == 0, "{case}: {changes} changes in round {round} at {middle} bit/s");
            settled = round >= 40;
            demands.iter_mut().zip(given).for_each(|(demand, given)| demand.current = given);
        }
    }
}

#[test]
fn what_one_has_is_kept_longer_than_it_is_given() {
    let best = Given { layer: Layer(2), whole: true };
    let has = |current| allocate(Bitrate::kbps(1600), &[Demand { current, ..demand(720) }]) == [Some(best)];
    assert_eq!([has(None), has(Some(best))], [false, true]);
}

#[test]
fn while_improvements_are_held_back_new_pictures_still_come() {
    let held = |demands: &[Demand]| {
        let budget = Budget { held: Some(Bitrate::kbps(500)), ..Budget::from(Bitrate::kbps(4_000)) };
        super::allocate(budget, demands).iter().map(|given| given.map(|given| given.layer.0)).collect::<Vec<_>>()
    };
    assert_eq!(held(&[demand(720)]), [Some(1)]);
    assert_eq!(held(&[demand(720); 9]), [Some(0); 9]);
    let best = Demand { current: Some(Given { layer: Layer(2), whole: true }), ..demand(720) };
    assert_eq!(held(&[best, demand(720)]), [Some(2), Some(0)], "what is there stays");
}

#[test]
fn what_is_not_sent_is_not_given() {
    let only = |layer: usize| {
        let mut rates = [None; LAYERS];
        rates[layer] = RATES[layer];
        Demand { rates, ..demand(180) }
    };
    let nothing = Demand { rates: [None; LAYERS], ..demand(180) };
    assert_eq!(words(100_000, &[only(2), only(0), nothing]), "2 0 .");
}

#[test]
fn a_better_picture_for_less_is_taken() {
    let odd = Demand { rates: [rate(500), rate(400), None], ..demand(360) };
    assert_eq!([words(270, &[odd]), words(290, &[odd]), words(1000, &[odd])], [".", "1-", "1"]);
}

#[test]
fn sound_has_its_share_before_any_picture() {
    assert_eq!(for_pictures(Bitrate::kbps(100), Bitrate::kbps(40)), Bitrate::kbps(52));
    assert_eq!(for_pictures(Bitrate::kbps(100), Bitrate::kbps(400)), Bitrate(0));
    assert_eq!(for_pictures(Bitrate(u64::MAX), Bitrate(0)), Bitrate(u64::MAX / 100));
}
