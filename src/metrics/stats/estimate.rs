//! Mean, standard deviation and interval of a sample.

use super::t_quantile;

/// What a sample says of the mean of its population.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Arithmetic mean.
    pub mean: f64,
    /// Sample standard deviation, with n − 1; `None` of a single value.
    pub deviation: Option<f64>,
    /// Half the width of the two-sided 95 % interval of the mean, t(0.975, n − 1) · s / √n; `None` of a single value.
    pub half_width: Option<f64>,
    /// Number of values.
    pub n: usize,
}

/// Estimates the mean of the population that `values` are from. `None` without values.
///
/// Student, "The probable error of a mean", Biometrika 6, 1908. The interval takes means to be normally distributed.
pub fn estimate(values: &[f64]) -> Option<Estimate> {
    let n = values.len();
    if n == 0 {
        return None;
    }
    let first = values[0];
    // Relative to the first value, so that the mean of equal values is that value to the last digit.
    let mean = first + values.iter().map(|value| value - first).sum::<f64>() / n as f64;
    let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
    let deviation = (n > 1).then(|| (squares / (n - 1) as f64).sqrt());
    let half_width = deviation.map(|deviation| t_quantile(0.975, n - 1) * deviation / (n as f64).sqrt());
    Some(Estimate {
        mean,
        deviation,
        half_width,
        n,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sleep_data_of_student_1908() {
        // The differences of the two drugs over ten patients; mean 1.58, s 1.23, interval [0.70, 2.46].
        let hours = [1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4];
        let found = estimate(&hours).unwrap();
        assert!((found.mean - 1.58).abs() < 1e-12);
        assert!((found.deviation.unwrap() - 1.229_995).abs() < 1e-6);
        assert!((found.half_width.unwrap() - 0.879_888).abs() < 1e-5);
        assert_eq!(found.n, 10);
    }

    #[test]
    fn few_values_say_little() {
        assert_eq!(estimate(&[]), None);
        let one = estimate(&[7.0]).unwrap();
        assert_eq!((one.mean, one.deviation, one.half_width), (7.0, None, None));
        let equal = estimate(&[0.1; 3]).unwrap();
        assert_eq!((equal.mean, equal.half_width), (0.1, Some(0.0)));
    }
}
