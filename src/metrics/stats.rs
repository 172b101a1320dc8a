//! Statistics of samples: what a handful of runs says about all runs.
//!
//! Owns textbook methods, each with its source, and nothing about metrics or strategies. Degenerate input has a defined
//! answer; none of the functions panics on numbers.

mod estimate;
mod hodges_lehmann;
mod holm;
mod mann_whitney;
mod median;
mod t;
mod wilcoxon;

pub use estimate::{Estimate, estimate};
pub use hodges_lehmann::{pseudo_median, shift};
pub use holm::holm;
pub use mann_whitney::{MANN_WHITNEY_EXACT_MAX, MannWhitney, mann_whitney};
pub use median::{median, median_interval, quantile};
pub use t::{t_quantile, t_two_sided};
pub use wilcoxon::{WILCOXON_EXACT_MAX, Wilcoxon, wilcoxon};

/// Differences at or below this share of the larger value are rounding, not effects: the same placements summed up in
/// another order.
pub const ROUNDING: f64 = 1e-9;

/// `a − b`, or zero if that is no more than rounding.
pub fn difference(a: f64, b: f64) -> f64 {
    let difference = a - b;
    if difference.abs() <= ROUNDING * a.abs().max(b.abs()) {
        0.0
    } else {
        difference
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_is_no_difference() {
        assert_eq!(difference(0.1 + 0.2, 0.3), 0.0);
        assert_eq!(difference(3.0, 1.0), 2.0);
        assert_eq!(difference(0.0, 0.0), 0.0);
        assert_eq!(difference(1e-12, 0.0), 1e-12);
    }
}
