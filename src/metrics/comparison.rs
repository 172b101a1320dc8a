//! Which strategy is better, as far as the seeds tell.
//!
//! Strategies are run with the same seeds and so meet the same arrivals (common random numbers): they are compared by
//! their difference seed by seed, not by two clouds of values.

mod verdict;

use super::stats::{Estimate, ROUNDING, Wilcoxon, difference, estimate, holm, t_two_sided, wilcoxon};
use super::{Better, Metric, Summary};

/// Chance that is taken of naming a winner of a metric when there is none.
const LEVEL: f64 = 0.05;

/// Several strategies over the same seeds, metric by metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// Names, in the order given.
    pub strategies: Vec<String>,
    /// Every metric, in order.
    pub metrics: Vec<MetricComparison>,
}

/// Several strategies in one metric.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricComparison {
    /// Which.
    pub metric: Metric,
    /// Mean and 95 % interval by strategy; `None` if the metric is undefined in all its runs.
    pub estimates: Vec<Option<Estimate>>,
    /// All pairs of strategies: the first with all others, then the second, and so on.
    pub pairs: Vec<Pair>,
    /// What follows.
    pub finding: Finding,
    /// The same as one sentence.
    pub verdict: String,
}

/// Two strategies in one metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair {
    /// Index of the first strategy.
    pub first: usize,
    /// Index of the second strategy.
    pub second: usize,
    /// Mean of first − second over the seeds in which both have a value; `None` without such seeds.
    pub difference: Option<Estimate>,
    /// Whether it is one.
    pub test: PairTest,
}

/// Whether a difference is more than chance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PairTest {
    /// Fewer than two seeds in which both have a value say nothing.
    TooFewSeeds,
    /// No seed makes a difference.
    Equal,
    /// Every seed makes the same difference: it is exact, and no test is needed or possible.
    Constant,
    /// The difference varies with the seed.
    Tested {
        /// Statistic of the paired t-test, mean ÷ (s / √n).
        t: f64,
        /// Two-sided p-value of the t-test.
        p: f64,
        /// The p-value after Holm's correction over the pairs of the metric; the one that counts.
        p_holm: f64,
        /// A second opinion without the assumption of normal differences, not corrected.
        wilcoxon: Wilcoxon,
    },
}

/// What follows from a metric's pairs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The metric is undefined in all runs.
    Undefined,
    /// Only this strategy has a value.
    Alone(usize),
    /// No two strategies have two seeds in common.
    TooFewSeeds,
    /// No seed makes a difference between any two strategies.
    Equal,
    /// There are differences, but the metric does not say what is better.
    NotRanked,
    /// This strategy is significantly better than every other that has a value.
    Winner(usize),
    /// No strategy is significantly better than every other.
    NoWinner,
    /// This strategy would win, but by promising capacity that nodes do not have: see [`Comparison::set_aside`].
    Overpromised(usize),
}

impl Comparison {
    /// Compares strategies, each with its name and the summaries of its runs in the order of the seeds.
    ///
    /// # Panics
    ///
    /// If strategies have different numbers of runs: then runs do not pair up.
    pub fn new(strategies: &[(&str, &[Summary])]) -> Comparison {
        let names: Vec<String> = strategies.iter().map(|(name, _)| (*name).to_owned()).collect();
        let runs: Vec<&[Summary]> = strategies.iter().map(|(_, runs)| *runs).collect();
        assert!(
            runs.windows(2).all(|pair| pair[0].len() == pair[1].len()),
            "strategies are compared over the same seeds"
        );
        let metrics = Metric::ALL.iter().map(|metric| {
            let values = |runs: &&[Summary]| runs.iter().map(|summary| summary.get(*metric)).collect();
            MetricComparison::new(*metric, &names, &runs.iter().map(values).collect::<Vec<_>>())
        });
        Comparison {
            metrics: metrics.collect(),
            strategies: names,
        }
    }

    /// Wherever this strategy has won, nobody has: it does not look at capacity. Nothing is changed if it promised no
    /// more CPU and memory than nodes have, or than another strategy did.
    pub fn set_aside(&mut self, strategy: usize) {
        let promised_most = [Metric::CpuOvercommitted, Metric::MemoryOvercommitted]
            .into_iter()
            .any(|metric| {
                let means = self.metric(metric).estimates.iter();
                let mut means = means
                    .map(|estimate| estimate.map_or(0.0, |estimate| estimate.mean))
                    .enumerate();
                let own = means
                    .clone()
                    .find(|(idx, _)| *idx == strategy)
                    .map_or(0.0, |(_, mean)| mean);
                own > 0.0 && means.all(|(idx, mean)| idx == strategy || mean < own)
            });
        if !promised_most {
            return;
        }
        for metric in &mut self.metrics {
            if metric.finding == Finding::Winner(strategy) {
                metric.finding = Finding::Overpromised(strategy);
                metric.verdict = verdict::sentence(metric, &self.strategies);
            }
        }
    }

    /// One metric's row.
    pub fn metric(&self, metric: Metric) -> &MetricComparison {
        &self.metrics[metric as usize]
    }
}

impl MetricComparison {
    /// Compares values by strategy and seed.
    fn new(metric: Metric, names: &[String], values: &[Vec<Option<f64>>]) -> MetricComparison {
        let known = |values: &Vec<Option<f64>>| estimate(&values.iter().copied().flatten().collect::<Vec<_>>());
        let estimates: Vec<Option<Estimate>> = values.iter().map(known).collect();
        let all = (0..values.len()).flat_map(|first| (first + 1..values.len()).map(move |second| (first, second)));
        let mut pairs: Vec<Pair> = all
            .map(|(first, second)| Pair::new(first, second, &values[first], &values[second]))
            .collect();
        correct(&mut pairs);
        let mut comparison = MetricComparison {
            metric,
            finding: find(metric.better(), &estimates, &pairs),
            estimates,
            pairs,
            verdict: String::new(),
        };
        comparison.verdict = verdict::sentence(&comparison, names);
        comparison
    }

    /// The pair of two strategies, in either order.
    fn pair(&self, one: usize, other: usize) -> &Pair {
        let found = self.pairs.iter().find(|pair| pair.is_of(one, other));
        found.expect("all pairs of strategies are there")
    }
}

impl Pair {
    fn new(first: usize, second: usize, a: &[Option<f64>], b: &[Option<f64>]) -> Pair {
        let both: Vec<(f64, f64)> = a.iter().zip(b).filter_map(|(a, b)| Some(((*a)?, (*b)?))).collect();
        let differences: Vec<f64> = both.iter().map(|(a, b)| difference(*a, *b)).collect();
        let magnitude = both
            .iter()
            .fold(0.0, |largest: f64, (a, b)| largest.max(a.abs()).max(b.abs()));
        Pair {
            first,
            second,
            difference: estimate(&differences),
            test: PairTest::new(&differences, ROUNDING * magnitude),
        }
    }

    /// Number of seeds in which both have a value.
    pub fn seeds(&self) -> usize {
        self.difference.map_or(0, |difference| difference.n)
    }

    /// Whether the difference is more than chance.
    pub fn is_significant(&self) -> bool {
        match self.test {
            PairTest::TooFewSeeds | PairTest::Equal => false,
            PairTest::Constant => true,
            PairTest::Tested { p_holm, .. } => p_holm < LEVEL,
        }
    }

    fn is_of(&self, one: usize, other: usize) -> bool {
        (self.first, self.second) == (one, other) || (self.first, self.second) == (other, one)
    }

    /// Mean advantage of one strategy in what is better.
    fn advantage(&self, of: usize, better: Better) -> f64 {
        let difference = self.difference.map_or(0.0, |difference| difference.mean);
        let difference = if of == self.first { difference } else { -difference };
        match better {
            Better::Higher(_) => difference,
            Better::Lower(_) => -difference,
            Better::Neither => 0.0,
        }
    }
}

impl PairTest {
    /// The uncorrected test of differences, which are equal if they are within the rounding of each other.
    fn new(differences: &[f64], rounding: f64) -> PairTest {
        let [first, rest @ ..] = differences else {
            return PairTest::TooFewSeeds;
        };
        if rest.is_empty() {
            PairTest::TooFewSeeds
        } else if differences.iter().all(|difference| *difference == 0.0) {
            PairTest::Equal
        } else if rest.iter().all(|other| (other - first).abs() <= rounding) {
            PairTest::Constant
        } else {
            let n = differences.len();
            let (mean, deviation) = match estimate(differences) {
                Some(estimate) => (estimate.mean, estimate.deviation.unwrap_or(0.0)),
                None => (0.0, 0.0),
            };
            let t = mean / (deviation / (n as f64).sqrt());
            let p = t_two_sided(t, n - 1);
            PairTest::Tested {
                t,
                p,
                p_holm: p,
                wilcoxon: wilcoxon(differences),
            }
        }
    }
}

/// Corrects the p-values of a metric for the number of its pairs, the exact ones included.
fn correct(pairs: &mut [Pair]) {
    let p_value = |pair: &Pair| match pair.test {
        PairTest::TooFewSeeds => None,
        PairTest::Equal => Some(1.0),
        PairTest::Constant => Some(0.0),
        PairTest::Tested { p, .. } => Some(p),
    };
    let adjusted = holm(&pairs.iter().filter_map(p_value).collect::<Vec<_>>());
    let judged = pairs.iter_mut().filter(|pair| p_value(pair).is_some());
    for (pair, adjusted) in judged.zip(adjusted) {
        if let PairTest::Tested { p_holm, .. } = &mut pair.test {
            *p_holm = adjusted;
        }
    }
}

fn find(better: Better, estimates: &[Option<Estimate>], pairs: &[Pair]) -> Finding {
    let candidates: Vec<usize> = (0..estimates.len()).filter(|idx| estimates[*idx].is_some()).collect();
    let pairs: Vec<&Pair> = pairs
        .iter()
        .filter(|pair| estimates[pair.first].is_some() && estimates[pair.second].is_some())
        .collect();
    match candidates[..] {
        [] => return Finding::Undefined,
        [alone] => return Finding::Alone(alone),
        _ => {}
    }
    if pairs.iter().all(|pair| pair.test == PairTest::TooFewSeeds) {
        return Finding::TooFewSeeds;
    }
    if pairs.iter().all(|pair| pair.test == PairTest::Equal) {
        return Finding::Equal;
    }
    if better == Better::Neither {
        return Finding::NotRanked;
    }
    let beats = |pair: &&Pair, one: usize| pair.is_significant() && pair.advantage(one, better) > 0.0;
    let wins = |one: &usize| {
        let mut own = pairs.iter().filter(|pair| pair.first == *one || pair.second == *one);
        own.all(|pair| beats(pair, *one))
    };
    candidates
        .into_iter()
        .find(wins)
        .map_or(Finding::NoWinner, Finding::Winner)
}
