//! A metric's finding in plain English.

use crate::metrics::Better;

use super::{Finding, MetricComparison, Pair, PairTest};

/// Fewest differences that Wilcoxon's test can call significant: 2 ÷ 2⁶ is below 5 %.
const WILCOXON_MIN: usize = 6;
const LEVEL: f64 = super::LEVEL;

/// One sentence, with a full stop.
pub(super) fn sentence(comparison: &MetricComparison, names: &[String]) -> String {
    let metric = comparison.metric;
    let values = Values::new(comparison, names);
    let title = metric.title();
    match comparison.finding {
        Finding::Undefined => format!("{title}: no run has a value."),
        Finding::Alone(_) => format!("{title}: only {} has a value, {}.", values.names(), values.text(0)),
        Finding::TooFewSeeds => format!("{title}: one seed gives no verdict: {}.", values.list()),
        Finding::Equal if values.strategies.len() < names.len() => {
            format!("{title}: {} are equal, {}.", values.names(), values.text(0))
        }
        Finding::Equal => format!("{title}: all strategies are equal, {}.", values.text(0)),
        Finding::NotRanked => format!("{title}, which is not ranked: {}.", values.list()),
        Finding::Winner(winner) => won(comparison, &values, winner),
        Finding::NoWinner => undecided(comparison, &values),
        Finding::Overpromised(winner) => format!(
            "{title}: no winner, since {} promised capacity that nodes do not have: {}.",
            names[winner],
            values.list()
        ),
    }
}

/// The strategies that have a value, the best mean first, with their means as texts.
struct Values<'a> {
    strategies: Vec<usize>,
    names: &'a [String],
    texts: Vec<String>,
}

impl<'a> Values<'a> {
    fn new(comparison: &MetricComparison, names: &'a [String]) -> Values<'a> {
        let mean = |idx: &usize| comparison.estimates[*idx].map(|estimate| estimate.mean);
        let mut strategies: Vec<usize> = (0..names.len()).filter(|idx| mean(idx).is_some()).collect();
        // Those without a mean are gone, so that the default is never taken.
        let value = |idx: &usize| mean(idx).unwrap_or(0.0);
        match comparison.metric.better() {
            Better::Higher(_) => strategies.sort_by(|a, b| value(b).total_cmp(&value(a))),
            Better::Lower(_) => strategies.sort_by(|a, b| value(a).total_cmp(&value(b))),
            Better::Neither => {}
        }
        let means: Vec<f64> = strategies.iter().map(value).collect();
        Values {
            texts: comparison.metric.unit().format_all(&means),
            strategies,
            names,
        }
    }

    fn name(&self, place: usize) -> &'a str {
        &self.names[self.strategies[place]]
    }

    fn text(&self, place: usize) -> &str {
        &self.texts[place]
    }

    fn names(&self) -> String {
        let names = (0..self.strategies.len()).map(|place| self.name(place));
        enumerate(&names.collect::<Vec<_>>())
    }

    fn list(&self) -> String {
        let items = (0..self.strategies.len()).map(|place| format!("{} {}", self.name(place), self.text(place)));
        items.collect::<Vec<_>>().join(", ")
    }
}

fn won(comparison: &MetricComparison, values: &Values<'_>, winner: usize) -> String {
    let praise = match comparison.metric.better() {
        Better::Higher(praise) | Better::Lower(praise) => praise,
        Better::Neither => "differs",
    };
    let own = values.strategies.iter().position(|idx| *idx == winner).unwrap_or(0);
    let others = (0..values.strategies.len()).filter(|place| *place != own);
    let against: Vec<String> = others
        .map(|place| format!("{} ({})", values.text(place), values.name(place)))
        .collect();
    let rivals = values.strategies.iter().filter(|idx| **idx != winner);
    let pairs: Vec<&Pair> = rivals.map(|rival| comparison.pair(winner, *rival)).collect();
    format!(
        "{} {praise}: {} against {}, {}{}.",
        values.name(own),
        values.text(own),
        enumerate(&against.iter().map(String::as_str).collect::<Vec<_>>()),
        evidence(&pairs),
        doubt(&pairs),
    )
}

fn undecided(comparison: &MetricComparison, values: &Values<'_>) -> String {
    let leader = values.strategies[0];
    let pairs = values.strategies[1..]
        .iter()
        .map(|rival| comparison.pair(leader, *rival));
    // The rival that the leader is least distinct from; the better one of several.
    let closest = pairs.reduce(|closest, pair| {
        if weakness(pair) > weakness(closest) {
            pair
        } else {
            closest
        }
    });
    let Some(closest) = closest else {
        return format!("{}: no strategy is significantly better.", comparison.metric.title());
    };
    let rival = closest.first + closest.second - leader;
    let name = |idx: usize| values.names[idx].as_str();
    let evidence = match closest.test {
        PairTest::Equal => format!("{} and {} are equal", name(leader), name(rival)),
        _ if values.strategies.len() == 2 => evidence(&[closest]),
        _ => format!("{} against {}: {}", name(leader), name(rival), evidence(&[closest])),
    };
    let than = if values.strategies.len() > 2 {
        " than all others"
    } else {
        ""
    };
    let better = comparison.metric.better();
    let is_worse = |rival: &&usize| {
        let pair = comparison.pair(leader, **rival);
        // With seeds without a value, the better mean need not belong to the better of the pair.
        pair.is_significant() && pair.advantage(leader, better) > 0.0
    };
    let worse = values.strategies[1..].iter().filter(is_worse);
    let worse: Vec<&str> = worse.map(|idx| name(*idx)).collect();
    let rest = match worse[..] {
        [] => String::new(),
        [one] => format!("; {one} is significantly worse"),
        _ => format!("; {} are significantly worse", enumerate(&worse)),
    };
    format!(
        "{}: no strategy is significantly better{than}: {} ({evidence}{rest}).",
        comparison.metric.title(),
        values.list()
    )
}

/// How far a pair is from being significant.
fn weakness(pair: &Pair) -> f64 {
    match pair.test {
        PairTest::TooFewSeeds => 3.0,
        PairTest::Equal => 2.0,
        PairTest::Tested { p_holm, .. } => p_holm,
        PairTest::Constant => 0.0,
    }
}

/// What the pairs rest on, the weakest of them counting.
fn evidence(pairs: &[&Pair]) -> String {
    let seeds = pairs.iter().map(|pair| pair.seeds()).min().unwrap_or(0);
    let weakest = pairs.iter().filter_map(|pair| match pair.test {
        PairTest::Tested { p_holm, .. } => Some(p_holm),
        PairTest::TooFewSeeds | PairTest::Equal | PairTest::Constant => None,
    });
    if seeds < 2 {
        return "fewer than two seeds have a value of both".to_owned();
    }
    match weakest.reduce(f64::max) {
        Some(p) => format!("paired t-test over {seeds} seeds, {} after Holm", p_text(p)),
        None => format!("a difference that does not vary with the seed ({seeds} seeds)"),
    }
}

/// Whether the second opinion differs, given enough seeds to have one.
fn doubt(pairs: &[&Pair]) -> String {
    let opinions = pairs.iter().filter_map(|pair| match pair.test {
        PairTest::Tested { wilcoxon, .. } if wilcoxon.n >= WILCOXON_MIN => Some(wilcoxon.p),
        PairTest::Tested { .. } | PairTest::TooFewSeeds | PairTest::Equal | PairTest::Constant => None,
    });
    match opinions.reduce(f64::max) {
        Some(p) if p >= LEVEL => format!(
            ", though Wilcoxon's signed-rank test does not confirm it ({})",
            p_text(p)
        ),
        _ => String::new(),
    }
}

/// `p < 0.001`, `p = 0.012`, `p = 0.23`; never rounded across the level.
fn p_text(p: f64) -> String {
    let rounded = |decimals: i32| (p * 10_f64.powi(decimals)).round() / 10_f64.powi(decimals);
    if p < 0.001 {
        return "p < 0.001".to_owned();
    }
    let first = if p < 0.1 { 3 } else { 2 };
    let fair = (first..9).find(|decimals| (rounded(*decimals) < LEVEL) == (p < LEVEL));
    format!("p = {p:.*}", fair.unwrap_or(9) as usize)
}

/// `a`, `a and b`, `a, b and c`.
fn enumerate(items: &[&str]) -> String {
    match items {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{Metric, MetricComparison};

    /// The verdict on values by strategy and seed.
    fn check(metric: Metric, strategies: &[(&str, &[Option<f64>])], verdict: &str) {
        let names: Vec<String> = strategies.iter().map(|(name, _)| (*name).to_owned()).collect();
        let values: Vec<Vec<Option<f64>>> = strategies.iter().map(|(_, values)| values.to_vec()).collect();
        assert_eq!(MetricComparison::new(metric, &names, &values).verdict, verdict);
    }

    /// Thirty seeds around a mean, the noise differing by `phase`.
    fn thirty(mean: f64, noise: f64, phase: usize) -> Vec<Option<f64>> {
        let wave = |seed: usize| ((seed * 7 + phase * 11) % 30) as f64 / 14.5 - 1.0;
        (0..30).map(|seed| Some(mean + noise * wave(seed))).collect()
    }

    #[test]
    fn a_clear_winner_is_praised() {
        check(
            Metric::ActiveNodesMean,
            &[("spread", &thirty(19.8, 1.0, 0)), ("binpack", &thirty(12.3, 1.0, 1))],
            "binpack uses the fewest nodes: 12.3 against 19.8 (spread), paired t-test over 30 seeds, p < 0.001 \
             after Holm.",
        );
    }

    #[test]
    fn a_winner_of_three_beats_both() {
        check(
            Metric::CpuJain,
            &[
                ("spread", &thirty(0.98, 0.01, 0)),
                ("binpack", &thirty(0.41, 0.02, 1)),
                ("random", &thirty(0.97, 0.03, 2)),
            ],
            "spread balances CPU best by Jain's index: 0.980 against 0.970 (random) and 0.410 (binpack), \
             paired t-test over 30 seeds, p = 0.011 after Holm.",
        );
    }

    #[test]
    fn noise_wins_nothing() {
        check(
            Metric::WaitP90,
            &[("spread", &thirty(0.50, 0.2, 0)), ("binpack", &thirty(0.48, 0.2, 1))],
            "90th percentile wait for a place: no strategy is significantly better: binpack 480 ms, spread 500 ms (paired t-test over 30 seeds, \
             p = 0.59 after Holm).",
        );
    }

    #[test]
    fn beating_one_of_two_is_no_victory() {
        check(
            Metric::ActiveNodesMean,
            &[
                ("spread", &thirty(19.8, 1.0, 0)),
                ("binpack", &thirty(12.3, 1.0, 1)),
                ("random", &thirty(12.3, 1.0, 1)),
            ],
            "Active nodes, mean: no strategy is significantly better than all others: binpack 12.3, random 12.3, spread 19.8 (binpack and \
             random are equal; spread is significantly worse).",
        );
    }

    #[test]
    fn equality_is_said_to_be() {
        let none = [Some(0.0), Some(0.0)];
        check(
            Metric::RejectedShare,
            &[("spread", &none), ("binpack", &none), ("random", &none)],
            "Rejected: all strategies are equal, 0.0 %.",
        );
        let varying = [Some(99.0), Some(102.0)];
        check(
            Metric::Submitted,
            &[("spread", &varying), ("binpack", &varying)],
            "Containers submitted: all strategies are equal, 100.5.",
        );
    }

    #[test]
    fn a_constant_difference_needs_no_test() {
        check(
            Metric::ActiveNodesPeak,
            &[
                ("spread", &[Some(20.0), Some(21.0)]),
                ("binpack", &[Some(12.0), Some(13.0)]),
            ],
            "binpack uses the fewest nodes at the peak: 12.5 against 20.5 (spread), a difference that does not vary \
             with the seed (2 seeds).",
        );
    }

    #[test]
    fn one_seed_gives_no_verdict() {
        check(
            Metric::ActiveNodesPeak,
            &[("spread", &[Some(20.0)]), ("binpack", &[Some(12.0)])],
            "Active nodes, peak: one seed gives no verdict: binpack 12, spread 20.",
        );
    }

    #[test]
    fn what_is_undefined_is_left_out() {
        let none = [None, None];
        let some = [Some(2.0), None];
        check(
            Metric::RecoveryP50,
            &[("spread", &none), ("binpack", &none)],
            "Median time to recover: no run has a value.",
        );
        check(
            Metric::RecoveryP50,
            &[("spread", &none), ("binpack", &some)],
            "Median time to recover: only binpack has a value, 2 s.",
        );
        check(
            Metric::RecoveryP50,
            &[
                ("spread", &none),
                ("binpack", &[Some(2.0); 2]),
                ("random", &[Some(1.0); 2]),
            ],
            "random recovers soonest at the median: 1 s against 2 s (binpack), a difference that does not vary with \
             the seed (2 seeds).",
        );
    }

    #[test]
    fn equality_is_of_those_with_a_value() {
        let some = [Some(15.0), Some(15.0)];
        check(
            Metric::RecoveryP50,
            &[("spread", &some), ("binpack", &[None, None]), ("random", &some)],
            "Median time to recover: spread and random are equal, 15 s.",
        );
    }

    #[test]
    fn what_does_not_judge_is_not_ranked() {
        check(
            Metric::Restarts,
            &[
                ("spread", &[Some(3.0), Some(4.0)]),
                ("binpack", &[Some(5.0), Some(4.0)]),
            ],
            "Restarts, which is not ranked: spread 3.50, binpack 4.50.",
        );
    }

    #[test]
    fn a_second_opinion_that_differs_is_told() {
        // Five gains and one tiny loss: t = 4.87 with five degrees of freedom, but 4 of the 64 signs are as extreme.
        let gains = [5.0, 5.1, 5.2, 5.3, 5.4, -0.1];
        let spread: Vec<Option<f64>> = gains.iter().map(|gain| Some(20.0 + gain)).collect();
        check(
            Metric::ActiveNodesMean,
            &[("spread", &spread), ("binpack", &[Some(20.0); 6])],
            "binpack uses the fewest nodes: 20.0 against 24.3 (spread), paired t-test over 6 seeds, p = 0.005 after \
             Holm, though Wilcoxon's signed-rank test does not confirm it (p = 0.062).",
        );
    }

    #[test]
    fn p_values_are_never_rounded_across_the_level() {
        let cases = [
            (0.0, "p < 0.001"),
            (0.0123, "p = 0.012"),
            (0.049_99, "p = 0.04999"),
            (0.05, "p = 0.050"),
            (0.2345, "p = 0.23"),
            (1.0, "p = 1.00"),
        ];
        for (p, text) in cases {
            assert_eq!(p_text(p), text);
        }
    }

    #[test]
    fn every_metric_has_a_verdict_that_is_one_sentence() {
        for metric in Metric::ALL {
            let values = vec![vec![Some(1.0), Some(2.0)], vec![Some(2.0), Some(3.0)]];
            let names = ["spread".to_owned(), "binpack".to_owned()];
            let verdict = MetricComparison::new(*metric, &names, &values).verdict;
            assert!(verdict.ends_with('.') && !verdict.contains(". "), "{verdict}");
        }
    }
}
