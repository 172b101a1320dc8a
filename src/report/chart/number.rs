//! Numbers as people write them: thousands grouped, few digits, prefixes for the large and powers for the small.
//!
//! Owns the spelling. Must not know what a number measures, except that it may be a time.

/// Further from zero than this, a number is not drawn: differences of two would overflow.
const DRAWABLE_MAX: f64 = 1e150;

/// Whether a number can be drawn.
pub(super) fn drawable(value: f64) -> bool {
    value.abs() <= DRAWABLE_MAX
}

/// Ten to a whole power, the same on every machine.
pub(super) fn power_of_ten(exponent: i32) -> f64 {
    libm::pow(10.0, f64::from(exponent))
}

/// The power of ten in which a positive number begins.
pub(super) fn exponent(value: f64) -> i32 {
    let exponent = libm::log10(value).floor() as i32;
    // The logarithm of 1000 may come out as 2.999….
    if value >= power_of_ten(exponent + 1) {
        exponent + 1
    } else {
        exponent
    }
}

/// One way to write several numbers so that they can be compared.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Notation {
    divisor: f64,
    suffix: String,
    decimals: usize,
}

impl Notation {
    /// For numbers up to `largest` (in size) that differ by `step` or more, a step of one significant digit.
    pub(super) fn new(largest: f64, step: f64) -> Notation {
        let largest = largest.abs().max(step.abs());
        if !(largest > 0.0 && step != 0.0 && drawable(largest)) {
            return Notation {
                divisor: 1.0,
                suffix: String::new(),
                decimals: 0,
            };
        }
        let power = exponent(largest);
        let (divisor, suffix) = match power {
            6..9 => (1e6, "M".to_string()),
            9..12 => (1e9, "G".to_string()),
            12..15 => (1e12, "T".to_string()),
            -4..6 => (1.0, String::new()),
            _ => (power_of_ten(power), times_power(power)),
        };
        let plain = decimals(step) == 0 && power < 15;
        if !suffix.is_empty() && plain && decimals(step / divisor) > 3 {
            return Notation {
                divisor: 1.0,
                suffix: String::new(),
                decimals: 0,
            };
        }
        Notation {
            divisor,
            suffix,
            decimals: decimals(step / divisor),
        }
    }

    /// The number in this notation, but a plain 0 for zero.
    pub(super) fn write_short(&self, value: f64) -> String {
        if value == 0.0 {
            "0".to_string()
        } else {
            self.write(value)
        }
    }

    /// The number in this notation.
    pub(super) fn write(&self, value: f64) -> String {
        if !drawable(value) {
            return "–".to_string();
        }
        let digits = format!("{:.*}", self.decimals, (value / self.divisor).abs());
        let zero = digits.bytes().all(|digit| matches!(digit, b'0' | b'.'));
        let sign = if value < 0.0 && !zero { "−" } else { "" };
        if zero && !self.suffix.is_empty() {
            return "0".to_string();
        }
        let suffix = &self.suffix;
        format!("{sign}{}{suffix}", grouped(&digits))
    }
}

/// A single number, to three significant digits; whole numbers below a million in full.
pub(super) fn humane(value: f64) -> String {
    if value == 0.0 || !drawable(value) {
        return Notation::new(0.0, 0.0).write(value);
    }
    let size = value.abs();
    let whole = size < 1e6 && size == size.round();
    let step = if whole {
        1.0
    } else {
        power_of_ten(exponent(size) - 2).min(if size < 1e6 { 1.0 } else { size })
    };
    Notation::new(size, step).write(value)
}

/// A time in the largest unit that leaves at least one digit before the point.
pub(super) fn duration(seconds: f64) -> String {
    let (divisor, unit) = time_unit(seconds);
    format!("{} {unit}", humane(seconds / divisor))
}

/// Length in seconds and name of the unit in which a time is best written.
pub(super) fn time_unit(seconds: f64) -> (f64, &'static str) {
    const UNITS: [(f64, &str); 3] = [(1.0, "s"), (1e-3, "ms"), (1e-6, "µs")];
    // Slightly less than the unit, so that a rounded 1000 µs is 1 ms.
    let unit = UNITS.into_iter().find(|(length, _)| seconds.abs() >= length * 0.9999);
    unit.unwrap_or((1e-9, "ns"))
}

fn decimals(step: f64) -> usize {
    let needed = -libm::log10(step.abs()) - 1e-6;
    needed.ceil().clamp(0.0, 9.0) as usize
}

fn grouped(digits: &str) -> String {
    let (whole, rest) = digits.split_at(digits.find('.').unwrap_or(digits.len()));
    let mut out = String::new();
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out.push_str(rest);
    out
}

/// A factor of a power of ten, as in `×10⁶`.
pub(super) fn times_power(power: i32) -> String {
    format!("×10{}", superscript(power))
}

fn superscript(power: i32) -> String {
    let raised = |digit: char| match digit {
        '-' => '⁻',
        '0' => '⁰',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        '4' => '⁴',
        '5' => '⁵',
        '6' => '⁶',
        '7' => '⁷',
        '8' => '⁸',
        _ => '⁹',
    };
    power.to_string().chars().map(raised).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_keep_their_size() {
        let cases = [
            (0.0, "0"),
            (7.0, "7"),
            (-7.25, "−7.25"),
            (12.345, "12.3"),
            (1234.0, "1,234"),
            (123_456.7, "123,457"),
            (2_500_000.0, "2.50M"),
            (7.1e13, "71.0T"),
            (0.001_234, "0.00123"),
            (1.5e-7, "1.50×10⁻⁷"),
            (3.0e40, "3.00×10⁴⁰"),
            (f64::NAN, "–"),
        ];
        for (value, text) in cases {
            assert_eq!(humane(value), text, "{value:e}");
        }
    }

    #[test]
    fn times_take_the_unit_that_suits_them() {
        let cases = [
            (1e-10, "0.100 ns"),
            (1e-7, "100 ns"),
            (1e-6, "1 µs"),
            (2.5e-3, "2.50 ms"),
            (1.0, "1 s"),
            (1e4, "10,000 s"),
        ];
        for (seconds, text) in cases {
            assert_eq!(duration(seconds), text, "{seconds:e}");
        }
    }

    #[test]
    fn numbers_of_one_axis_share_their_notation() {
        let notation = Notation::new(1.0, 0.05);
        assert_eq!(
            [0.0, 0.25, 1.0].map(|v| notation.write(v)),
            ["0.00", "0.25", "1.00"].map(str::to_string)
        );
        let notation = Notation::new(2e9, 5e8);
        assert_eq!(
            [5e8, 2e9].map(|v| notation.write(v)),
            ["0.5G", "2.0G"].map(str::to_string)
        );
        let notation = Notation::new(1e9 + 10.0, 5.0);
        assert_eq!(notation.write(1e9 + 5.0), "1,000,000,005");
    }
}
