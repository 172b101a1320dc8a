//! How far two samples are apart, whatever their distribution and however wild a few of their values.

/// Most values of a sample that are used, so that all pairs of them can be looked at.
const VALUES_MAX: usize = 2000;

/// By how much values of the first sample exceed those of the second: the median of all differences between a value of
/// the first and one of the second. `None` if one is empty.
///
/// Hodges and Lehmann, "Estimates of location based on rank tests", Annals of Mathematical Statistics 34, 1963. Of more
/// than 2000 values the first 2000 are used.
pub fn shift(first: &[f64], second: &[f64]) -> Option<f64> {
    let (first, second) = (shortened(first), shortened(second));
    let differences = first.iter().flat_map(|a| second.iter().map(move |b| a - b));
    super::median(&differences.collect::<Vec<_>>())
}

/// The centre of a sample of differences: the median of the means of all pairs, each value with itself among them.
/// `None` without values.
///
/// The same paper, for one sample.
pub fn pseudo_median(values: &[f64]) -> Option<f64> {
    let values = shortened(values);
    let pairs = values
        .iter()
        .enumerate()
        .flat_map(|(place, a)| values[place..].iter().map(move |b| (a + b) / 2.0));
    super::median(&pairs.collect::<Vec<_>>())
}

fn shortened(values: &[f64]) -> &[f64] {
    &values[..values.len().min(VALUES_MAX)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shift_of_two_small_samples() {
        // Differences of {3, 5, 9} and {1, 2}: 2, 1, 4, 3, 8, 7; in order 1, 2, 3, 4, 7, 8.
        assert_eq!(shift(&[3.0, 5.0, 9.0], &[1.0, 2.0]), Some(3.5));
        assert_eq!(shift(&[], &[1.0]), None);
    }

    #[test]
    fn permeability_of_the_human_chorioamnion() {
        // Hollander, Wolfe and Chicken, example 4.3: 0.305.
        let term = [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46];
        let early = [1.15, 0.88, 0.90, 0.74, 1.21];
        let found = shift(&term, &early).expect("both have values");
        assert!((found - 0.305).abs() < 1e-9, "{found}");
    }

    #[test]
    fn a_wild_value_moves_the_centre_little() {
        // Pairs of {1, 2, 30}: 1, 1.5, 15.5, 2, 16, 30; in order 1, 1.5, 2, 15.5, 16, 30.
        assert_eq!(pseudo_median(&[1.0, 2.0, 30.0]), Some(8.75));
        assert_eq!(pseudo_median(&[1.0, 2.0, 3.0, 4.0, 1000.0]), Some(3.0));
        assert_eq!(pseudo_median(&[]), None);
    }
}
