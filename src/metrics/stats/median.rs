//! Median, further quantiles, and how well a sample tells the median.

use statrs::distribution::{Binomial, DiscreteCDF};

/// The middle value, or the mean of the two middle ones. `None` without values.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut values = values.to_vec();
    let middle = values.len() / 2;
    if values.is_empty() {
        return None;
    }
    let even = values.len().is_multiple_of(2);
    let (below, upper, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    let upper = *upper;
    if even {
        let lower = below.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        Some(lower + (upper - lower) / 2.0)
    } else {
        Some(upper)
    }
}

/// The smallest value that at least the share `q` of the values does not exceed. `None` without values.
pub fn quantile(values: &[f64], q: f64) -> Option<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let rank = (q.clamp(0.0, 1.0) * values.len() as f64).ceil() as usize;
    values.get(rank.saturating_sub(1)).copied()
}

/// An interval that holds the median of the population in at least 95 % of samples, whatever its distribution: the
/// values as far from either end as a fair coin allows. `None` of fewer than six values, which cannot say.
///
/// Conover, "Practical Nonparametric Statistics", 3rd edition, section 3.2.
pub fn median_interval(values: &[f64]) -> Option<(f64, f64)> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let tosses = Binomial::new(0.5, values.len() as u64).ok()?;
    let outside = (0..values.len() / 2)
        .take_while(|heads| tosses.cdf(*heads as u64) <= 0.025)
        .count();
    let cut = outside.checked_sub(1)?;
    Some((values[cut], values[values.len() - 1 - cut]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_few_values() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), Some(2.5));
        assert_eq!(median(&[7.0]), Some(7.0));
        assert_eq!(median(&[]), None);
        let hundred: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!(quantile(&hundred, 0.99), Some(99.0));
        assert_eq!(quantile(&hundred, 0.0), Some(1.0));
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn intervals_of_the_published_table() {
        // Ranks of the 95 % interval of a median: Conover, table A3 with p = 0.5.
        for (n, low, high) in [(6_u32, 1.0, 6.0), (10, 2.0, 9.0), (20, 6.0, 15.0), (30, 10.0, 21.0)] {
            let ranks: Vec<f64> = (1..=n).map(f64::from).collect();
            assert_eq!(median_interval(&ranks), Some((low, high)), "{n}");
        }
        assert_eq!(median_interval(&[1.0; 5]), None);
        assert_eq!(median_interval(&[]), None);
    }
}
