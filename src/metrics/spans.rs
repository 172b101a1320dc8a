//! Percentiles of spans of time, exact.

use std::time::Duration;

/// Spans to the nanosecond. Most are zero (placed at once), so zeros are only counted; the others take eight bytes
/// each, which is far less than whoever produced them needed per container.
#[derive(Clone, Debug, Default)]
pub(super) struct Spans {
    zeros: u64,
    others: Vec<u64>,
}

impl Spans {
    pub(super) fn record(&mut self, span: Duration) {
        match u64::try_from(span.as_nanos()).unwrap_or(u64::MAX) {
            0 => self.zeros += 1,
            nanos => self.others.push(nanos),
        }
    }

    pub(super) fn len(&self) -> u64 {
        self.zeros + self.others.len() as u64
    }

    /// Seconds, summed as whole nanoseconds.
    pub(super) fn mean(&self) -> Option<f64> {
        let total: u128 = self.others.iter().map(|nanos| u128::from(*nanos)).sum();
        (self.len() > 0).then(|| total as f64 / self.len() as f64 / 1e9)
    }

    /// The nearest-rank percentile in seconds: the smallest span such that at least `percent` of all are not longer.
    /// Takes `&mut self` to sort in place.
    pub(super) fn percentile(&mut self, percent: u64) -> Option<f64> {
        let rank = (u128::from(self.len()) * u128::from(percent)).div_ceil(100).max(1);
        if self.len() == 0 {
            return None;
        }
        self.others.sort_unstable();
        match rank.checked_sub(u128::from(self.zeros) + 1) {
            None => Some(0.0),
            // At most 100 percent, so the rank is at most the length.
            Some(place) => Some(self.others[place as usize] as f64 / 1e9),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_has_no_percentile() {
        assert_eq!(Spans::default().percentile(50), None);
        assert_eq!(Spans::default().mean(), None);
    }

    proptest! {
        #[test]
        fn percentiles_are_nearest_ranks(
            seconds in prop::collection::vec(0..5_u64, 1..40),
            percent in prop::sample::select(vec![0, 1, 50, 90, 99, 100]),
        ) {
            let mut spans = Spans::default();
            for span in &seconds {
                spans.record(Duration::from_secs(*span));
            }
            let covers = |limit: u64| seconds.iter().filter(|span| **span <= limit).count() * 100;
            let enough = |limit: u64| covers(limit) > 0 && covers(limit) >= percent as usize * seconds.len();
            let expected = (0..5).find(|limit| enough(*limit));
            prop_assert_eq!(spans.percentile(percent), expected.map(|limit| limit as f64));
            let mean = seconds.iter().sum::<u64>() as f64 / seconds.len() as f64;
            prop_assert!((spans.mean().unwrap() - mean).abs() < 1e-12);
        }
    }
}
