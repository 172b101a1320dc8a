//! Spans of time as Go writes and reads them: `1m30s`, `500ms`, `-10s`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A span in nanoseconds, possibly negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GoDuration(pub i64);

/// Text that is no span, in Go's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// Nothing that looks like a span, or one of more than 292 years.
    #[error("time: invalid duration {0:?}")]
    Invalid(String),
    /// A number on its own.
    #[error("time: missing unit in duration {0:?}")]
    MissingUnit(String),
    /// A unit that does not exist.
    #[error("time: unknown unit {unit:?} in duration {text:?}")]
    UnknownUnit {
        /// What stands where a unit is expected.
        unit: String,
        /// The whole text.
        text: String,
    },
}

const SECOND: u64 = 1_000_000_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;

fn unit(name: &str) -> Option<u64> {
    match name {
        "ns" => Some(1),
        // The micro sign and the Greek letter.
        "us" | "\u{b5}s" | "\u{3bc}s" => Some(1_000),
        "ms" => Some(1_000_000),
        "s" => Some(SECOND),
        "m" => Some(MINUTE),
        "h" => Some(HOUR),
        _ => None,
    }
}

/// Splits the text where it stops being what `is` says.
fn split(text: &str, is: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c: char| !is(c)).unwrap_or(text.len()))
}

/// So many nanoseconds are `0.digits` of a unit; what is less than one is dropped.
fn fraction(digits: &str, unit: u64) -> u64 {
    // Sixteen digits tell any nanosecond of an hour; their product with an hour stays within 128 bits.
    let digits: String = digits.chars().take(16).collect();
    let number: u128 = digits.parse().unwrap_or(0);
    let scale = 10_u128.pow(digits.len() as u32);
    // Less than a unit, so it fits.
    u64::try_from(number * u128::from(unit) / scale).unwrap_or(0)
}

impl GoDuration {
    /// As a span, if it is not negative.
    pub fn get(self) -> Option<Duration> {
        u64::try_from(self.0).ok().map(Duration::from_nanos)
    }
}

impl FromStr for GoDuration {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<GoDuration, DurationError> {
        let invalid = || DurationError::Invalid(text.to_owned());
        let (negative, mut rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        if rest == "0" {
            return Ok(GoDuration(0));
        }
        if rest.is_empty() {
            return Err(invalid());
        }
        let digit = |c: char| c.is_ascii_digit();
        let mut total: u64 = 0;
        while !rest.is_empty() {
            let (whole, after) = split(rest, digit);
            let (part, after) = match after.strip_prefix('.') {
                Some(after) => split(after, digit),
                None => ("", after),
            };
            if whole.is_empty() && part.is_empty() {
                return Err(invalid());
            }
            let (name, after) = split(after, |c| c != '.' && !digit(c));
            if name.is_empty() {
                return Err(DurationError::MissingUnit(text.to_owned()));
            }
            let unit = unit(name).ok_or_else(|| DurationError::UnknownUnit {
                unit: name.to_owned(),
                text: text.to_owned(),
            })?;
            let whole: u64 = match whole {
                "" => 0,
                digits => digits.parse().map_err(|_| invalid())?,
            };
            total = whole
                .checked_mul(unit)
                .and_then(|span| span.checked_add(fraction(part, unit)))
                .and_then(|span| total.checked_add(span))
                .ok_or_else(invalid)?;
            rest = after;
        }
        let signed = if negative {
            -i128::from(total)
        } else {
            i128::from(total)
        };
        i64::try_from(signed).map(GoDuration).map_err(|_| invalid())
    }
}

/// `1.5`, without zeros at the end: so many whole units and what is left of the next.
fn decimal(f: &mut fmt::Formatter<'_>, nanos: u64, unit: u64, name: &str) -> fmt::Result {
    let (whole, rest) = (nanos / unit, nanos % unit);
    write!(f, "{whole}")?;
    if rest > 0 {
        let width = unit.ilog10() as usize;
        let digits = format!("{rest:0width$}");
        write!(f, ".{}", digits.trim_end_matches('0'))?;
    }
    f.write_str(name)
}

impl fmt::Display for GoDuration {
    /// As Go writes it: `1h0m0s`, `1.5s`, `500ms`, `0s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.unsigned_abs();
        if self.0 < 0 {
            f.write_str("-")?;
        }
        match nanos {
            0 => return f.write_str("0s"),
            1..1_000 => return decimal(f, nanos, 1, "ns"),
            1_000..1_000_000 => return decimal(f, nanos, 1_000, "\u{b5}s"),
            1_000_000..SECOND => return decimal(f, nanos, 1_000_000, "ms"),
            _ => {}
        }
        if nanos >= HOUR {
            write!(f, "{}h", nanos / HOUR)?;
        }
        if nanos >= MINUTE {
            write!(f, "{}m", nanos % HOUR / MINUTE)?;
        }
        decimal(f, nanos % MINUTE, SECOND, "s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fault(text: &str) -> String {
        text.parse::<GoDuration>()
            .err()
            .map_or_else(String::new, |error| error.to_string())
    }

    #[test]
    fn spans_are_read_as_go_does() {
        for (text, nanos) in [
            ("0", 0),
            ("-0", 0),
            ("0s", 0),
            ("10s", 10_000_000_000),
            ("1m30s", 90_000_000_000),
            ("500ms", 500_000_000),
            ("1.5h", 5_400_000_000_000),
            ("-10s", -10_000_000_000),
            ("+.5s", 500_000_000),
            ("1.s", 1_000_000_000),
            ("3us1\u{b5}s1\u{3bc}s", 5_000),
            ("0.3333333333333333333h", 1_199_999_999_999),
            ("-9223372036854775808ns", i64::MIN),
        ] {
            assert_eq!(text.parse(), Ok(GoDuration(nanos)), "{text}");
        }
    }

    #[test]
    fn faults_are_in_gos_words() {
        for text in [
            "",
            "x",
            "-",
            ".s",
            "s",
            "9223372036854775808ns",
            "99999999999999999999s",
        ] {
            assert_eq!(fault(text), format!("time: invalid duration {text:?}"));
        }
        assert_eq!(fault("10"), "time: missing unit in duration \"10\"");
        assert_eq!(fault("1s3"), "time: missing unit in duration \"1s3\"");
        assert_eq!(fault("1s x"), "time: unknown unit \"s x\" in duration \"1s x\"");
        assert_eq!(fault("3d"), "time: unknown unit \"d\" in duration \"3d\"");
    }

    #[test]
    fn spans_are_written_as_go_does() {
        for (nanos, text) in [
            (0, "0s"),
            (1, "1ns"),
            (1_100, "1.1\u{b5}s"),
            (2_200_000, "2.2ms"),
            (3_300_000_000, "3.3s"),
            (60_000_000_000, "1m0s"),
            (3_600_000_000_001, "1h0m0.000000001s"),
            (-90_000_000_000, "-1m30s"),
            (i64::MIN, "-2562047h47m16.854775808s"),
        ] {
            assert_eq!(GoDuration(nanos).to_string(), text);
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(nanos in any::<i64>()) {
            prop_assert_eq!(GoDuration(nanos).to_string().parse(), Ok(GoDuration(nanos)));
        }

        #[test]
        fn any_text_is_a_span_or_an_error(text in any::<String>(), near in "[-+.0-9hmnsuµ]{0,24}") {
            let _ = text.parse::<GoDuration>();
            let _ = near.parse::<GoDuration>();
        }
    }
}
