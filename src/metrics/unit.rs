//! Units, and numbers as people like to read them.

use std::fmt;

use super::stats::difference;

/// What a number counts or measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Things: containers, nodes, attempts.
    Count,
    /// Hundredths.
    Percent,
    /// A dimensionless number around one.
    Ratio,
    /// Seconds of simulated time.
    Seconds,
    /// Bytes.
    Bytes,
}

/// Most decimals that are ever shown.
const DECIMALS_MAX: usize = 9;

/// Factors that a unit's values are divided by for display, smallest first, with what is written after the number.
/// A factor is used up to the limit, exclusive.
struct Step {
    limit: f64,
    factor: f64,
    suffix: &'static str,
}

const fn step(limit: f64, factor: f64, suffix: &'static str) -> Step {
    Step { limit, factor, suffix }
}

/// Minutes begin at two and hours too: "90 s" reads better than "1.5 min".
const SECONDS: [Step; 7] = [
    step(1e-6, 1e-9, " ns"),
    step(1e-3, 1e-6, " µs"),
    step(1.0, 1e-3, " ms"),
    step(120.0, 1.0, " s"),
    step(7_200.0, 60.0, " min"),
    step(172_800.0, 3_600.0, " h"),
    step(f64::INFINITY, 86_400.0, " d"),
];

const BYTES: [Step; 6] = [
    step(1024.0, 1.0, " B"),
    step(1_048_576.0, 1024.0, " KiB"),
    step(1_073_741_824.0, 1_048_576.0, " MiB"),
    step(1_099_511_627_776.0, 1_073_741_824.0, " GiB"),
    step(1_125_899_906_842_624.0, 1_099_511_627_776.0, " TiB"),
    step(f64::INFINITY, 1_125_899_906_842_624.0, " PiB"),
];

impl Unit {
    /// What the key of a metric or column in this unit ends with.
    pub const fn key_suffix(self) -> &'static str {
        match self {
            Unit::Count | Unit::Ratio => "",
            Unit::Percent => "_pct",
            Unit::Seconds => "_s",
            Unit::Bytes => "_bytes",
        }
    }

    /// One value with its unit: `1,234`, `63.2 %`, `0.123`, `350 ms`, `1.5 GiB`.
    pub fn format(self, value: f64) -> String {
        self.format_all(&[value]).remove(0)
    }

    /// A mean with the half width of its interval, if it has one: `12.3 ± 0.4`, `350 ± 20 ms`.
    pub fn format_estimate(self, mean: f64, half_width: Option<f64>) -> String {
        let Some(half_width) = half_width else {
            return self.format(mean);
        };
        let (factor, suffix) = self.scale(mean.abs());
        let decimals = match self {
            Unit::Count if is_whole(mean) && half_width == 0.0 => 0,
            _ => self.decimals(mean / factor),
        };
        let number = |value: f64| trim(self, group(value / factor, decimals));
        format!("{} ± {}{suffix}", number(mean), number(half_width))
    }

    /// Several values for one sentence: in one scale, and with enough decimals that different values look different.
    pub fn format_all(self, values: &[f64]) -> Vec<String> {
        let largest = values.iter().fold(0.0, |largest: f64, value| largest.max(value.abs()));
        let (factor, suffix) = self.scale(largest);
        let whole = self == Unit::Count && values.iter().all(|value| is_whole(*value));
        let first = if whole { 0 } else { self.decimals(largest / factor) };
        let render = |decimals: usize| -> Vec<String> {
            let numbers = values.iter().map(|value| trim(self, group(value / factor, decimals)));
            numbers.map(|number| number + suffix).collect()
        };
        let different = |texts: &[String]| {
            let pairs = (0..values.len()).flat_map(|a| (0..a).map(move |b| (a, b)));
            pairs
                .into_iter()
                .all(|(a, b)| difference(values[a], values[b]) == 0.0 || texts[a] != texts[b])
        };
        let mut texts = render(first);
        for decimals in first + 1..=DECIMALS_MAX {
            if different(&texts) {
                break;
            }
            texts = render(decimals);
        }
        texts
    }

    fn scale(self, magnitude: f64) -> (f64, &'static str) {
        let steps = match self {
            Unit::Count | Unit::Ratio => return (1.0, ""),
            Unit::Percent => return (1.0, " %"),
            Unit::Seconds if magnitude == 0.0 => return (1.0, " s"),
            Unit::Seconds => &SECONDS[..],
            Unit::Bytes => &BYTES[..],
        };
        let fitting = steps.iter().find(|step| magnitude < step.limit);
        fitting.map_or((1.0, ""), |step| (step.factor, step.suffix))
    }

    /// Decimals that show about three digits of a scaled value.
    fn decimals(self, scaled: f64) -> usize {
        let magnitude = scaled.abs();
        // Digits that a value below one needs until the first that is not zero.
        let zeros = || (1..DECIMALS_MAX).find(|digits| magnitude * 10_f64.powi(*digits as i32) >= 1.0);
        match self {
            Unit::Ratio => 3,
            Unit::Percent if magnitude >= 0.1 || magnitude == 0.0 => 1,
            Unit::Percent => zeros().map_or(DECIMALS_MAX, |zeros| zeros + 1),
            Unit::Bytes if magnitude >= 100.0 => 0,
            Unit::Seconds if magnitude >= 100.0 => 0,
            _ if magnitude >= 10.0 => 1,
            _ if magnitude >= 1.0 || magnitude == 0.0 => 2,
            _ => zeros().map_or(DECIMALS_MAX, |zeros| zeros + 2),
        }
        .min(DECIMALS_MAX)
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unit::Count => "count",
            Unit::Percent => "%",
            Unit::Ratio => "ratio",
            Unit::Seconds => "s",
            Unit::Bytes => "bytes",
        })
    }
}

fn is_whole(value: f64) -> bool {
    value.fract() == 0.0
}

/// The number with so many decimals and a comma before each three digits of the whole part.
fn group(value: f64, decimals: usize) -> String {
    let text = format!("{:.decimals$}", value.abs());
    let (whole, fraction) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut grouped = String::new();
    // A negative number that is rounded to zero loses its sign.
    if value < 0.0 && text.contains(|c: char| ('1'..='9').contains(&c)) {
        grouped.push('-');
    }
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + fraction
}

/// Spans and sizes are shorter without the zeros at the end; elsewhere they say how exact the number is.
fn trim(unit: Unit, text: String) -> String {
    match unit {
        Unit::Seconds | Unit::Bytes if text.contains('.') => {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
        Unit::Seconds | Unit::Bytes | Unit::Count | Unit::Percent | Unit::Ratio => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_about_three_digits_and_a_unit() {
        let cases = [
            (Unit::Count, 0.0, "0"),
            (Unit::Count, 1_234_567.0, "1,234,567"),
            (Unit::Count, 12.345, "12.3"),
            (Unit::Count, 1.25, "1.25"),
            (Unit::Count, 0.034567, "0.0346"),
            (Unit::Count, -1234.5, "-1,234.5"),
            (Unit::Percent, 0.0, "0.0 %"),
            (Unit::Percent, 63.25, "63.2 %"),
            (Unit::Percent, 0.0123, "0.012 %"),
            (Unit::Ratio, 1.0, "1.000"),
            (Unit::Seconds, 0.0, "0 s"),
            (Unit::Seconds, 3e-9, "3 ns"),
            (Unit::Seconds, 0.35, "350 ms"),
            (Unit::Seconds, 1.5, "1.5 s"),
            (Unit::Seconds, 90.0, "90 s"),
            (Unit::Seconds, 150.0, "2.5 min"),
            (Unit::Seconds, 86_400.0, "24 h"),
            (Unit::Seconds, 864_000.0, "10 d"),
            (Unit::Bytes, 1000.0, "1,000 B"),
            (Unit::Bytes, 1.5 * 1_073_741_824.0, "1.5 GiB"),
        ];
        for (unit, value, text) in cases {
            assert_eq!(unit.format(value), text, "{unit:?} {value}");
        }
    }

    #[test]
    fn an_interval_has_the_scale_of_its_mean() {
        assert_eq!(Unit::Seconds.format_estimate(0.35, Some(0.02)), "350 ± 20 ms");
        assert_eq!(Unit::Count.format_estimate(12.34, Some(0.41)), "12.3 ± 0.4");
        assert_eq!(Unit::Count.format_estimate(12.0, Some(0.0)), "12 ± 0");
        assert_eq!(Unit::Count.format_estimate(12.0, Some(0.5)), "12.0 ± 0.5");
        assert_eq!(Unit::Percent.format_estimate(0.0, Some(0.0)), "0.0 ± 0.0 %");
        assert_eq!(Unit::Count.format_estimate(7.0, None), "7");
    }

    #[test]
    fn different_values_look_different() {
        assert_eq!(Unit::Count.format_all(&[12.31, 12.34]), ["12.31", "12.34"]);
        assert_eq!(Unit::Percent.format_all(&[50.0, 50.0]), ["50.0 %", "50.0 %"]);
        assert_eq!(Unit::Seconds.format_all(&[0.5, 90.0]), ["0.5 s", "90 s"]);
        assert_eq!(Unit::Count.format_all(&[12.0, 12.5]), ["12.0", "12.5"]);
        assert_eq!(Unit::Percent.format_all(&[0.0, 1e-3]), ["0.0000 %", "0.0010 %"]);
    }

    #[test]
    fn a_negative_crumb_is_not_minus_zero() {
        assert_eq!(Unit::Ratio.format(-1e-12), "0.000");
    }
}
