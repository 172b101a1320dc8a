//! Wilcoxon's signed-rank test: a paired test that asks for symmetry instead of a normal distribution.

use statrs::function::erf::erfc;

/// Most non-zero differences for which the distribution is computed exactly.
pub const WILCOXON_EXACT_MAX: usize = 25;

/// Result of a test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wilcoxon {
    /// Sum of the ranks of the positive differences, ties at their mean rank.
    pub w_plus: f64,
    /// Number of differences that are not zero; zeros are left out, as Wilcoxon did.
    pub n: usize,
    /// Two-sided p-value; 1 if all differences are zero.
    pub p: f64,
    /// Whether it is exact, or a normal approximation with continuity and tie correction.
    pub exact: bool,
}

impl Wilcoxon {
    /// One-sided p-value against "differences tend to be positive", from the two-sided one: half of it on that side,
    /// and at least half on the other.
    pub fn p_greater(&self) -> f64 {
        let middle = (self.n * (self.n + 1)) as f64 / 4.0;
        if self.w_plus > middle {
            self.p / 2.0
        } else {
            1.0 - self.p / 2.0
        }
    }
}

/// Tests whether differences are symmetric about zero.
///
/// Up to 25 differences the p-value is that of all 2ⁿ signs, ties included; beyond, of the normal approximation.
/// Wilcoxon, "Individual comparisons by ranking methods", Biometrics Bulletin 1, 1945; Hollander, Wolfe and Chicken,
/// "Nonparametric Statistical Methods", 3rd edition, section 3.1.
pub fn wilcoxon(differences: &[f64]) -> Wilcoxon {
    let mut nonzero: Vec<f64> = differences.iter().copied().filter(|d| *d != 0.0).collect();
    nonzero.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
    let n = nonzero.len();
    let ranks = doubled_ranks(&nonzero);
    let signed = nonzero.iter().zip(&ranks);
    let doubled_plus: usize = signed.filter(|(d, _)| **d > 0.0).map(|(_, rank)| *rank).sum();
    let exact = n <= WILCOXON_EXACT_MAX;
    Wilcoxon {
        w_plus: doubled_plus as f64 / 2.0,
        n,
        p: if exact {
            exact_p(&ranks, doubled_plus)
        } else {
            approximate_p(&ranks, doubled_plus)
        },
        exact,
    }
}

/// Twice the ranks of values sorted by magnitude: whole numbers even where ties share a mean rank.
fn doubled_ranks(sorted: &[f64]) -> Vec<usize> {
    let mut ranks = Vec::with_capacity(sorted.len());
    for group in sorted.chunk_by(|a, b| a.abs() == b.abs()) {
        let before = ranks.len();
        // Ranks before + 1 to before + k have the mean before + (k + 1) / 2.
        ranks.extend(std::iter::repeat_n(2 * before + group.len() + 1, group.len()));
    }
    ranks
}

/// Counts, for every sum, the sets of ranks with that sum; the p-value is the share of sets at least as extreme.
fn exact_p(doubled: &[usize], observed: usize) -> f64 {
    let total: usize = doubled.iter().sum();
    let mut sets = vec![0_u64; total + 1];
    sets[0] = 1;
    let mut reached = 0;
    for rank in doubled {
        for sum in (0..=reached).rev() {
            sets[sum + rank] += sets[sum];
        }
        reached += rank;
    }
    // The distribution is symmetric about half the total.
    let extreme = observed.min(total - observed);
    let tail: u64 = sets[..=extreme].iter().sum();
    let all = (1_u64 << doubled.len()) as f64;
    (2.0 * tail as f64 / all).min(1.0)
}

fn approximate_p(doubled: &[usize], observed: usize) -> f64 {
    let n = doubled.len() as f64;
    let ties = doubled.chunk_by(|a, b| a == b).map(|group| {
        let k = group.len() as f64;
        k * k * k - k
    });
    let variance = n * (n + 1.0) * (2.0 * n + 1.0) / 24.0 - ties.sum::<f64>() / 48.0;
    let distance = (observed as f64 / 2.0 - n * (n + 1.0) / 4.0).abs();
    let z = (distance - 0.5).max(0.0) / variance.sqrt();
    erfc(z / std::f64::consts::SQRT_2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition: the share of all assignments of signs whose rank sum is at least as far from its mean.
    fn brute_force(differences: &[f64]) -> f64 {
        let magnitudes: Vec<f64> = differences.iter().map(|d| d.abs()).filter(|d| *d > 0.0).collect();
        let rank = |of: f64| {
            let below = magnitudes.iter().filter(|m| **m < of).count() as f64;
            let equal = magnitudes.iter().filter(|m| **m == of).count() as f64;
            below + (equal + 1.0) / 2.0
        };
        let ranks: Vec<f64> = magnitudes.iter().map(|m| rank(*m)).collect();
        let positive = differences.iter().filter(|d| **d > 0.0);
        let observed: f64 = positive.map(|d| rank(*d)).sum();
        let middle = ranks.iter().sum::<f64>() / 2.0;
        let sum = |signs: u32| -> f64 {
            let chosen = ranks.iter().enumerate().filter(|(place, _)| signs >> place & 1 == 1);
            chosen.map(|(_, rank)| rank).sum()
        };
        let all = 1_u32 << ranks.len();
        let extreme = (0..all).filter(|signs| (sum(*signs) - middle).abs() >= (observed - middle).abs());
        extreme.count() as f64 / f64::from(all)
    }

    proptest! {
        #[test]
        fn exact_is_the_share_of_all_signs(differences in prop::collection::vec(-6..=6_i32, 0..11)) {
            let differences: Vec<f64> = differences.into_iter().map(f64::from).collect();
            let found = wilcoxon(&differences);
            prop_assert!(found.exact);
            prop_assert!((found.p - brute_force(&differences)).abs() < 1e-12, "{found:?}");
        }
    }

    #[test]
    fn critical_values_of_the_published_table() {
        // Two-sided 5 % (and 1 %): the largest W that is significant. Wilcoxon and Wilcox 1964, table 2.
        for (n, five, one) in [
            (6, 0, None),
            (8, 3, Some(0)),
            (10, 8, Some(3)),
            (20, 52, Some(37)),
            (25, 89, Some(68)),
        ] {
            let p = |w: usize| exact_p(&(1..=n).map(|rank| 2 * rank).collect::<Vec<_>>(), 2 * w);
            assert!(p(five) <= 0.05 && p(five + 1) > 0.05, "n = {n}");
            if let Some(one) = one {
                assert!(p(one) <= 0.01 && p(one + 1) > 0.01, "n = {n}");
            }
        }
    }

    #[test]
    fn darwins_maize() {
        // Fisher, "The Design of Experiments", section 17: fifteen pairs of plants. R's wilcox.test says V = 96, p =
        // 0.04126.
        let inches = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48].map(f64::from);
        let found = wilcoxon(&inches);
        assert_eq!((found.w_plus, found.n), (96.0, 15));
        assert!((found.p - 0.04126).abs() < 5e-6, "{found:?}");
    }

    #[test]
    fn the_approximation_is_near_the_exact_value() {
        let differences: Vec<f64> = (1..=25).map(|d| f64::from(if d % 3 == 0 { -d } else { d })).collect();
        let ranks = doubled_ranks(&differences.iter().map(|d| d.abs()).collect::<Vec<_>>());
        let exact = wilcoxon(&differences);
        let approximate = approximate_p(&ranks, (2.0 * exact.w_plus) as usize);
        assert!((exact.p - approximate).abs() < 0.003, "{} and {approximate}", exact.p);
        assert!(!wilcoxon(&[1.0; 26]).exact);
    }

    #[test]
    fn ties_narrow_the_approximation() {
        // Thirty equal differences, ten of them negative: variance 30 * 31 * 61 / 24 - (27000 - 30) / 48 = 1801.875,
        // z = (310 - 232.5 - 0.5) / 42.449 = 1.81394, and 2 * (1 - Φ(z)) = 0.06969.
        let differences: Vec<f64> = (0..30).map(|place| if place % 3 == 0 { -1.0 } else { 1.0 }).collect();
        assert!((wilcoxon(&differences).p - 0.069_69).abs() < 1e-5);
    }

    #[test]
    fn one_side_has_half_of_both() {
        let inches = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48].map(f64::from);
        assert!((wilcoxon(&inches).p_greater() - 0.02063).abs() < 5e-6);
        assert!((wilcoxon(&inches.map(|d| -d)).p_greater() - 0.97937).abs() < 5e-6);
    }

    #[test]
    fn no_difference_is_no_evidence() {
        assert_eq!(wilcoxon(&[]).p, 1.0);
        assert!(wilcoxon(&[]).p_greater() >= 0.5);
        assert_eq!(wilcoxon(&[0.0, 0.0]).p, 1.0);
    }
}
