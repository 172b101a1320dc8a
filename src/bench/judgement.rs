//! When a difference is a regression.

use crate::metrics::stats::{holm, mann_whitney, median, pseudo_median, shift, wilcoxon};

use super::case::{Case, Figures};

/// The chance that a comparison of equal programs finds a regression anywhere, if the samples are independent.
pub const ALPHA: f64 = 0.01;

/// What is said of one case.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Which.
    pub case: Case,
    /// Its figure before: nanoseconds or instructions.
    pub before: f64,
    /// Its figure now.
    pub now: f64,
    /// How many times as long it takes as before.
    pub ratio: f64,
    /// The chance of such samples if it took no longer than is allowed, after Holm's correction over all cases; `None`
    /// of counts, which are exact.
    pub p: Option<f64>,
    /// Whether it takes longer than is allowed, beyond reasonable doubt.
    pub is_regression: bool,
}

/// What is said of all cases.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// How much longer a decision may take: 0.1 is a tenth.
    pub max_regression: f64,
    /// One per case.
    pub verdicts: Vec<Verdict>,
}

/// A case's figures before, figures now, ratio, and p-value before correction.
type Found = (Case, f64, f64, f64, Option<f64>);

impl Judgement {
    /// Compares samples that were taken at different times: the test of Mann and Whitney on the logarithms, against a
    /// slowdown by what is allowed; the ratio is the estimate of Hodges and Lehmann.
    pub fn of_samples(max_regression: f64, cases: &[(Case, Figures, Figures)]) -> Judgement {
        let allowed = libm::log(1.0 + max_regression);
        let found = cases.iter().map(|(case, before, now)| {
            let (old, new) = (logarithms(&before.samples), logarithms(&now.samples));
            let raised: Vec<f64> = old.iter().map(|value| value + allowed).collect();
            let ratio = libm::exp(shift(&new, &old).unwrap_or(0.0));
            let p = mann_whitney(&new, &raised).p;
            (case.clone(), before.median(), now.median(), ratio, Some(p))
        });
        Judgement::new(max_regression, found.collect())
    }

    /// Compares pairs of samples, before and now, that were taken in turn: Wilcoxon's signed-rank test on the logarithms
    /// of their ratios, against a slowdown by what is allowed.
    pub fn of_pairs(max_regression: f64, cases: &[(Case, Vec<(f64, f64)>)]) -> Judgement {
        let allowed = libm::log(1.0 + max_regression);
        let found = cases.iter().map(|(case, pairs)| {
            let ratios: Vec<f64> = pairs.iter().map(|(old, new)| libm::log(new / old)).collect();
            let excess: Vec<f64> = ratios.iter().map(|ratio| ratio - allowed).collect();
            let ratio = libm::exp(pseudo_median(&ratios).unwrap_or(0.0));
            let side = |of: fn(&(f64, f64)) -> f64| median(&pairs.iter().map(of).collect::<Vec<_>>()).unwrap_or(0.0);
            let p = wilcoxon(&excess).p_greater();
            (case.clone(), side(|pair| pair.0), side(|pair| pair.1), ratio, Some(p))
        });
        Judgement::new(max_regression, found.collect())
    }

    /// Compares counts, which are exact.
    pub fn of_counts(max_regression: f64, cases: &[(Case, f64, f64)]) -> Judgement {
        let found = cases
            .iter()
            .map(|(case, before, now)| (case.clone(), *before, *now, now / before, None));
        Judgement::new(max_regression, found.collect())
    }

    fn new(max_regression: f64, found: Vec<Found>) -> Judgement {
        let p_values: Vec<f64> = found.iter().filter_map(|(.., p)| *p).collect();
        let mut corrected = holm(&p_values).into_iter();
        let verdict = |(case, before, now, ratio, p): Found| {
            let p = p.and_then(|_| corrected.next());
            Verdict {
                case,
                before,
                now,
                ratio,
                p,
                is_regression: ratio > 1.0 + max_regression && p.is_none_or(|p| p < ALPHA),
            }
        };
        Judgement {
            max_regression,
            verdicts: found.into_iter().map(verdict).collect(),
        }
    }

    /// The cases that take longer than is allowed, the worst first.
    pub fn regressions(&self) -> Vec<&Verdict> {
        let mut worse: Vec<&Verdict> = self.verdicts.iter().filter(|verdict| verdict.is_regression).collect();
        worse.sort_by(|a, b| b.ratio.total_cmp(&a.ratio));
        worse
    }
}

fn logarithms(values: &[f64]) -> Vec<f64> {
    values.iter().map(|value| libm::log(*value)).collect()
}
