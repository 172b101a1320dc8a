//! How evenly load lies on nodes.

/// Evenness of the reserved shares x_n = reserved ÷ real capacity of N nodes, mean μ.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Balance {
    /// Coefficient of variation σ/μ with the population's standard deviation; 0 is perfect.
    pub cv: f64,
    /// Jain's index (Σx)² / (N Σx²), from 1/N, all on one node, to 1, perfect; equals 1/(1+CV²).
    pub jain: f64,
    /// max x / μ; 1 is perfect, N is all on one node.
    pub max_over_mean: f64,
}

impl Balance {
    /// `None` without nodes, and while nothing is reserved: an empty cluster is neither even nor uneven.
    ///
    /// Jain, Chiu and Hawe, "A quantitative measure of fairness and discrimination", DEC-TR-301, 1984.
    pub fn of(shares: &[f64]) -> Option<Balance> {
        let nodes = shares.len() as f64;
        let sum: f64 = shares.iter().sum();
        if sum <= 0.0 {
            return None;
        }
        let mean = sum / nodes;
        let squares: f64 = shares.iter().map(|share| share * share).sum();
        let deviations: f64 = shares.iter().map(|share| (share - mean) * (share - mean)).sum();
        Some(Balance {
            cv: (deviations / nodes).sqrt() / mean,
            jain: sum * sum / (nodes * squares),
            max_over_mean: shares.iter().copied().fold(0.0, f64::max) / mean,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_hand_computed_example() {
        let balance = Balance::of(&[1.0, 0.0, 0.5, 0.5]).unwrap();
        assert!((balance.cv - 0.5_f64.sqrt()).abs() < 1e-15);
        assert!((balance.jain - 4.0 / 6.0).abs() < 1e-15);
        assert_eq!(balance.max_over_mean, 2.0);
    }

    #[test]
    fn nothing_is_neither_even_nor_uneven() {
        assert_eq!(Balance::of(&[]), None);
        assert_eq!(Balance::of(&[0.0, 0.0]), None);
    }

    proptest! {
        #[test]
        fn jain_is_one_over_one_plus_the_squared_variation(shares in prop::collection::vec(0.0..2.0_f64, 1..60)) {
            if let Some(balance) = Balance::of(&shares) {
                prop_assert!((balance.jain - 1.0 / (1.0 + balance.cv * balance.cv)).abs() < 1e-12);
                let least = 1.0 / shares.len() as f64;
                prop_assert!(balance.jain >= least - 1e-12 && balance.jain <= 1.0 + 1e-12);
                prop_assert!(balance.max_over_mean >= 1.0 - 1e-12);
            }
        }
    }
}
