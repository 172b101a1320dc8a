//! Student's t-distribution.

use statrs::distribution::{ContinuousCDF, StudentsT};

/// The value below which a t-distributed number with so many degrees of freedom lies with probability `p`, strictly
/// between 0 and 1. Without degrees of freedom there is no distribution, and the answer is infinite.
pub fn t_quantile(p: f64, freedom: usize) -> f64 {
    match StudentsT::new(0.0, 1.0, freedom as f64) {
        Ok(distribution) => distribution.inverse_cdf(p),
        Err(_) => f64::INFINITY,
    }
}

/// The probability that a t-distributed number is at least as far from zero as `t`, on either side: the p-value of a
/// two-sided t-test. Without degrees of freedom everything is possible, and the answer is 1.
pub fn t_two_sided(t: f64, freedom: usize) -> f64 {
    match StudentsT::new(0.0, 1.0, freedom as f64) {
        Ok(distribution) => (2.0 * distribution.sf(t.abs())).min(1.0),
        Err(_) => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_published_table() {
        // NIST/SEMATECH e-Handbook of Statistical Methods, section 1.3.6.7.2, upper critical values.
        let table = [
            (1, 6.314, 12.706, 63.657),
            (2, 2.920, 4.303, 9.925),
            (5, 2.015, 2.571, 4.032),
            (9, 1.833, 2.262, 3.250),
            (29, 1.699, 2.045, 2.756),
            (99, 1.660, 1.984, 2.626),
        ];
        for (freedom, p95, p975, p995) in table {
            for (p, expected) in [(0.95, p95), (0.975, p975), (0.995, p995)] {
                let found = t_quantile(p, freedom);
                assert!((found - expected).abs() < 6e-4, "t({p}, {freedom}) is {found}");
                assert!((t_two_sided(found, freedom) - 2.0 * (1.0 - p)).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn the_closed_forms_for_one_and_two_degrees_of_freedom() {
        for t in [0.0, 0.1, 1.0, 3.0, 50.0, -3.0_f64] {
            let cauchy = 1.0 - 2.0 * t.abs().atan() / std::f64::consts::PI;
            assert!((t_two_sided(t, 1) - cauchy).abs() < 1e-12);
            let two = 1.0 - t.abs() / (2.0 + t * t).sqrt();
            assert!((t_two_sided(t, 2) - two).abs() < 1e-12);
        }
    }

    #[test]
    fn nothing_follows_from_one_value() {
        assert_eq!(t_quantile(0.975, 0), f64::INFINITY);
        assert_eq!(t_two_sided(100.0, 0), 1.0);
    }
}
