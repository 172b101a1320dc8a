//! A quantity that changes in steps: its mean over time, its peak and its last value.

/// The fold over a step function. A state counts for as long as it lasted: what was overwritten at the same instant was
/// never there.
#[derive(Clone, Debug, Default)]
pub(super) struct Gauge {
    /// ∫ value dt, in nanoseconds.
    integral: f64,
    /// Nanoseconds during which the value was defined.
    span: f64,
    peak: Option<f64>,
    last: Option<f64>,
}

impl Gauge {
    /// The value held for so many nanoseconds, more than none. Time without a value is left out.
    pub(super) fn hold(&mut self, value: Option<f64>, nanos: f64) {
        self.last = value;
        if let Some(value) = value {
            self.integral += value * nanos;
            self.span += nanos;
            self.raise(value);
        }
    }

    /// The value at the very end.
    pub(super) fn settle(&mut self, value: Option<f64>) {
        self.last = value;
        if let Some(value) = value {
            self.raise(value);
        }
    }

    /// (1/T) ∫ value dt. The mean over an instant is the value at that instant.
    pub(super) fn mean(&self) -> Option<f64> {
        if self.span > 0.0 {
            Some(self.integral / self.span)
        } else {
            self.last
        }
    }

    /// The largest value that lasted, or the last one.
    pub(super) fn peak(&self) -> Option<f64> {
        self.peak
    }

    /// The value at the end.
    pub(super) fn last(&self) -> Option<f64> {
        self.last
    }

    fn raise(&mut self, value: f64) {
        self.peak = Some(self.peak.map_or(value, |peak| peak.max(value)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn undefined_time_is_left_out_of_the_mean() {
        let mut gauge = Gauge::default();
        gauge.hold(Some(1.0), 10.0);
        gauge.hold(None, 1000.0);
        gauge.hold(Some(4.0), 20.0);
        gauge.settle(Some(2.0));
        assert_eq!(
            (gauge.mean(), gauge.peak(), gauge.last()),
            (Some(3.0), Some(4.0), Some(2.0))
        );
    }

    #[test]
    fn the_mean_over_an_instant_is_its_value() {
        let mut gauge = Gauge::default();
        gauge.settle(Some(5.0));
        assert_eq!((gauge.mean(), gauge.peak()), (Some(5.0), Some(5.0)));
        assert_eq!(Gauge::default().mean(), None);
    }
}
