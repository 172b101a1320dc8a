//! Axes: from a range of numbers to marks with labels, and from a number to a place.
//!
//! Owns the choice of marks. Must not know where on the sheet an axis lies.

use super::number::{self, Notation, exponent, power_of_ten};

/// Most marks on an axis.
const TICKS_MAX: usize = 40;

/// A range of numbers with marks.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Axis {
    scale: Scale,
    low: f64,
    high: f64,
    /// Marks with a label, ascending.
    pub ticks: Vec<Tick>,
    /// Marks without.
    pub minor: Vec<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Scale {
    Linear,
    Log,
}

/// A mark on an axis.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tick {
    pub value: f64,
    pub label: String,
}

impl Axis {
    /// An even axis over the range, with about `wanted` marks.
    pub(super) fn linear(range: (f64, f64), wanted: f64) -> Axis {
        Axis::even(range, wanted, 0.0)
    }

    /// The same with marks at whole numbers only.
    pub(super) fn whole(range: (f64, f64), wanted: f64) -> Axis {
        Axis::even(range, wanted, 1.0)
    }

    fn even((low, high): (f64, f64), wanted: f64, step_min: f64) -> Axis {
        let (low, high) = widened(low, high);
        let step = round_step((high - low) / wanted).max(step_min);
        let notation = Notation::new(low.abs().max(high.abs()), step);
        let label = |value: f64| notation.write(value);
        Axis {
            scale: Scale::Linear,
            low,
            high,
            ticks: marks(low, high, step, label),
            minor: Vec::new(),
        }
    }

    /// An even axis over the range with these marks and no others.
    pub(super) fn with_ticks((low, high): (f64, f64), ticks: Vec<Tick>) -> Axis {
        let (low, high) = widened(low, high);
        Axis {
            scale: Scale::Linear,
            low,
            high,
            ticks,
            minor: Vec::new(),
        }
    }

    /// An even axis of seconds, and the name of the unit in which its labels are.
    pub(super) fn time((low, high): (f64, f64)) -> (Axis, &'static str) {
        // A number that is not positive means any round number of the unit.
        const UNITS: [(f64, f64, &str, &[f64]); 7] = [
            (1e-6, 1e-9, "ns", &[]),
            (1e-3, 1e-6, "µs", &[]),
            (1.0, 1e-3, "ms", &[]),
            (180.0, 1.0, "s", &[]),
            (10_800.0, 60.0, "min", &[1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0]),
            (259_200.0, 3600.0, "h", &[1.0, 2.0, 3.0, 4.0, 6.0, 12.0]),
            (f64::INFINITY, 86_400.0, "days", &[]),
        ];
        let (low, high) = widened(low, high);
        let span = high - low;
        let fits = |(longest, ..): &&(f64, f64, &str, &[f64])| span <= *longest;
        let &(_, length, unit, steps) = UNITS.iter().find(fits).unwrap_or(&UNITS[UNITS.len() - 1]);
        let raw = span / length / 9.0;
        let step = steps
            .iter()
            .copied()
            .find(|&step| step >= raw)
            .unwrap_or_else(|| round_step(raw))
            * length;
        let notation = Notation::new(low.abs().max(high.abs()) / length, step / length);
        let label = |value: f64| notation.write(value / length);
        (
            Axis {
                scale: Scale::Linear,
                low,
                high,
                ticks: marks(low, high, step, label),
                minor: Vec::new(),
            },
            unit,
        )
    }

    /// A logarithmic axis of seconds over whole decades.
    pub(super) fn log_time(range: (f64, f64)) -> Axis {
        Axis::decades(range, number::duration)
    }

    /// A logarithmic axis of plain numbers over whole decades.
    pub(super) fn log_plain(range: (f64, f64)) -> Axis {
        Axis::decades(range, number::humane)
    }

    fn decades((low, high): (f64, f64), label: fn(f64) -> String) -> Axis {
        let (low, high) = (low.max(1e-12), high.max(1e-12));
        let first = exponent(low * 1.000_001);
        let last = (exponent(high * 0.999_999) + 1).max(first + 1);
        let decades = last - first;
        let between: &[f64] = if decades <= 2 { &[2.0, 5.0] } else { &[] };
        // With many decades, only every second or third is labelled.
        let stride = (decades / 12 + 1) as usize;
        let mut axis = Axis {
            scale: Scale::Log,
            low: power_of_ten(first),
            high: power_of_ten(last),
            ticks: Vec::new(),
            minor: Vec::new(),
        };
        for power in first..=last {
            let decade = power_of_ten(power);
            let tick = |value: f64| Tick {
                value,
                label: label(value),
            };
            if ((power - first) as usize).is_multiple_of(stride) {
                axis.ticks.push(tick(decade));
            }
            if power < last {
                axis.ticks.extend(between.iter().map(|&factor| tick(factor * decade)));
                axis.minor.extend((2..10).map(|factor| f64::from(factor) * decade));
            }
        }
        axis
    }

    /// Where a number lies: 0 at the low end of the axis, 1 at its high end.
    pub(super) fn share(&self, value: f64) -> f64 {
        match self.scale {
            Scale::Linear => (value - self.low) / (self.high - self.low),
            Scale::Log => libm::log10(value / self.low) / libm::log10(self.high / self.low),
        }
    }

    /// Where a number lies between two places.
    pub(super) fn place(&self, value: f64, from: f64, to: f64) -> f64 {
        from + self.share(value) * (to - from)
    }
}

/// Lowest and highest of the numbers that can be drawn.
pub(super) fn range(values: impl IntoIterator<Item = f64>) -> Option<(f64, f64)> {
    let drawable = values.into_iter().filter(|&value| number::drawable(value));
    drawable.fold(None, |range, value| match range {
        None => Some((value, value)),
        Some((low, high)) => Some((value.min(low), value.max(high))),
    })
}

/// The range with zero in it and a little air beyond.
pub(super) fn from_zero(range: Option<(f64, f64)>) -> (f64, f64) {
    let (low, high) = range.unwrap_or((0.0, 1.0));
    let (low, high) = (low.min(0.0), high.max(0.0));
    let air = (high - low) * 0.05;
    (
        if low < 0.0 { low - air } else { 0.0 },
        if high > 0.0 || low == 0.0 { high + air } else { 0.0 },
    )
}

/// The range, made wider if it is so narrow that its marks would all read the same.
fn widened(low: f64, high: f64) -> (f64, f64) {
    let size = low.abs().max(high.abs());
    if high - low > size * 1e-6 {
        return (low, high);
    }
    match size {
        0.0 => (0.0, 1.0),
        _ => (low - size * 0.05, high + size * 0.05),
    }
}

/// The least of 1, 2, 5 times a power of ten that is at least `raw`.
pub(super) fn round_step(raw: f64) -> f64 {
    let decade = power_of_ten(exponent(raw));
    let factor = [1.0, 2.0, 5.0]
        .into_iter()
        .find(|factor| factor * decade >= raw * 0.999_999);
    factor.unwrap_or(10.0) * decade
}

fn marks(low: f64, high: f64, step: f64, label: impl Fn(f64) -> String) -> Vec<Tick> {
    let air = 1e-9 * (high - low) / step;
    let (first, last) = ((low / step - air).ceil(), (high / step + air).floor());
    let count = ((last - first).max(-1.0) + 1.0).min(TICKS_MAX as f64) as usize;
    let values = (0..count).map(|i| (first + i as f64) * step);
    values
        .map(|value| Tick {
            value,
            label: label(value),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|tick| tick.label.as_str()).collect()
    }

    #[test]
    fn time_is_marked_in_the_unit_of_its_range() {
        let (axis, unit) = Axis::time((0.0, 86_400.0));
        assert_eq!(
            (unit, labels(&axis)),
            ("h", vec!["0", "3", "6", "9", "12", "15", "18", "21", "24"])
        );
        let (axis, unit) = Axis::time((0.0, 3600.0));
        assert_eq!(
            (unit, labels(&axis)),
            ("min", vec!["0", "10", "20", "30", "40", "50", "60"])
        );
        assert_eq!(Axis::time((0.0, 30.0)).1, "s");
        assert_eq!(Axis::time((0.0, 2e-4)).1, "µs");
        assert_eq!(Axis::time((0.0, 1e9)).1, "days");
    }

    #[test]
    fn decades_are_marked_with_units() {
        let axis = Axis::log_time((2.3e-7, 4e-3));
        assert_eq!(labels(&axis), ["100 ns", "1 µs", "10 µs", "100 µs", "1 ms", "10 ms"]);
        let axis = Axis::log_time((2e-6, 3e-6));
        assert_eq!(labels(&axis), ["1 µs", "2 µs", "5 µs", "10 µs"]);
    }

    #[test]
    fn no_range_breaks_an_axis() {
        for range in [
            (0.0, 0.0),
            (5.0, 5.0),
            (-3.0, -3.0),
            (1e149, 1e149),
            (-1e150, 1e150),
            (0.0, 1e-149),
        ] {
            let axis = Axis::linear(range, 5.0);
            assert!(
                (2..=TICKS_MAX).contains(&axis.ticks.len()),
                "{range:?}: {:?}",
                axis.ticks
            );
            assert!(
                axis.ticks
                    .iter()
                    .all(|tick| (-1e-6..=1.000_001).contains(&axis.share(tick.value))),
                "{axis:?}"
            );
            let _ = (Axis::time(range), Axis::log_time(range));
        }
    }
}
