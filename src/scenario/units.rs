//! Amounts as people write them: `1h30m`, `512MiB`, `0.25`, `2/s`, `1Gbit/s`.
//!
//! Every parser is exact: digits are kept as a whole number and a power of ten until they are multiplied by their unit,
//! and what is finer than the smallest unit is cut off, as Go and Docker do. Every complaint quotes the text and says
//! what to write instead. Knows nothing of scenarios.

use std::fmt;
use std::time::Duration;

use crate::model::{Bytes, Cpus};

/// Why a text is not an amount, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Complaint {
    /// What is wrong, without a final stop.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}

impl Complaint {
    /// A complaint with advice.
    pub(crate) fn new(message: impl Into<String>, help: impl Into<String>) -> Complaint {
        Complaint {
            message: message.into(),
            help: Some(help.into()),
        }
    }
}

/// A mean number of events per second, above zero.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Rate(pub f64);

/// A speed of transfer in bytes per second, above zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bandwidth(pub u64);

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", self.0)
    }
}

impl fmt::Display for Bandwidth {
    /// In bytes, by the largest decimal or binary unit that is exact.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = BYTE_UNITS
            .iter()
            .filter(|(name, factor)| name.len() > 1 && self.0 != 0 && self.0.is_multiple_of(*factor))
            .max_by_key(|(_, factor)| *factor);
        match unit {
            Some((name, factor)) => write!(f, "{}{name}/s", self.0 / factor),
            None => write!(f, "{}B/s", self.0),
        }
    }
}

/// Exact nanoseconds of each unit of time; `d` is ours, the others are Go's.
const TIME_UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];
const DAY: (&str, u64) = ("d", 86_400_000_000_000);

/// Other names of units of time, understood for the sake of a better complaint and in rates.
const TIME_NAMES: [(&str, &str); 24] = [
    ("nanosecond", "ns"),
    ("nanoseconds", "ns"),
    ("microsecond", "us"),
    ("microseconds", "us"),
    ("usec", "us"),
    ("millisecond", "ms"),
    ("milliseconds", "ms"),
    ("millis", "ms"),
    ("msec", "ms"),
    ("second", "s"),
    ("seconds", "s"),
    ("sec", "s"),
    ("secs", "s"),
    ("minute", "m"),
    ("minutes", "m"),
    ("min", "m"),
    ("mins", "m"),
    ("hour", "h"),
    ("hours", "h"),
    ("hr", "h"),
    ("hrs", "h"),
    ("day", "d"),
    ("days", "d"),
    ("µsec", "us"),
];

/// Exact bytes of each unit of storage. A single letter is binary, as Docker takes `512m`.
const BYTE_UNITS: [(&str, u64); 23] = [
    ("B", 1),
    ("b", 1),
    ("kB", 1_000),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("PB", 1_000_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("PiB", 1 << 50),
    ("k", 1 << 10),
    ("K", 1 << 10),
    ("m", 1 << 20),
    ("M", 1 << 20),
    ("g", 1 << 30),
    ("G", 1 << 30),
    ("t", 1 << 40),
    ("T", 1 << 40),
    ("p", 1 << 50),
    ("P", 1 << 50),
];

/// Exact bits of each unit of a line's speed.
const BIT_UNITS: [(&str, u64); 5] = [
    ("bit", 1),
    ("kbit", 1_000),
    ("Mbit", 1_000_000),
    ("Gbit", 1_000_000_000),
    ("Tbit", 1_000_000_000_000),
];

const DURATION_FORMS: &str = "write a number and a unit, such as \"90s\", \"10m\" or \"1h30m\"";
const BYTES_FORMS: &str = "write a number and a unit, such as \"512MiB\", \"1.5GiB\" or \"100MB\"";
const RATE_FORMS: &str = "write a number, a slash and a unit of time, such as \"2/s\", \"30/min\" or \"5/h\"";
const BANDWIDTH_FORMS: &str = "write a number and a unit, such as \"1Gbit/s\" or \"100MiB/s\"";

/// A non-negative decimal number, exactly: `digits` divided by 10 to the power of `scale`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decimal {
    digits: u64,
    scale: u32,
}

impl Decimal {
    /// From digits with at most one point among them. `None` for anything else, and for more digits than 64 bits hold.
    pub(crate) fn parse(text: &[u8]) -> Option<Decimal> {
        let (whole, fraction) = match text.iter().position(|byte| *byte == b'.') {
            Some(point) => (&text[..point], &text[point + 1..]),
            None => (text, &text[text.len()..]),
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        // Without the trailing zeros of the fraction, so that they use up no digits.
        let end = fraction
            .iter()
            .rposition(|byte| *byte != b'0')
            .map_or(0, |last| last + 1);
        let mut digits = 0u64;
        for byte in whole.iter().chain(&fraction[..end]) {
            let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
            digits = digits.checked_mul(10)?.checked_add(digit)?;
        }
        Some(Decimal {
            digits,
            scale: u32::try_from(end).ok()?,
        })
    }

    /// The whole part of the product with `unit`; `None` if it does not fit.
    pub(crate) fn times(self, unit: u64) -> Option<u64> {
        if self.scale == 0 {
            return self.digits.checked_mul(unit);
        }
        let product = u128::from(self.digits) * u128::from(unit);
        // A scale beyond 38 leaves nothing of any product of two 64-bit numbers.
        u64::try_from(10u128.checked_pow(self.scale).map_or(0, |power| product / power)).ok()
    }
}

/// Parses a duration in Go's grammar, `1h30m` or `300ms` or `1.5h`, to which days are added: `2d12h`.
///
/// # Errors
///
/// If the text is anything else, negative, or longer than the 584 years that fit into 64 bits of nanoseconds.
pub fn duration(text: &str) -> Result<Duration, Complaint> {
    if let Some(nanos) = duration_nanos(text) {
        return nanos
            .map(Duration::from_nanos)
            .ok_or_else(|| Complaint::new(format!("{text:?} is too long"), "durations end at 584 years"));
    }
    if is_negative(text) {
        return Err(negative(text, "a duration"));
    }
    let message = format!("{text:?} is not a duration");
    if Decimal::parse(text.trim().as_bytes()).is_some() {
        let help = format!("say the unit: \"{0}s\", \"{0}m\" or \"{0}h\"", text.trim());
        return Err(Complaint::new(format!("{message}: the unit is missing"), help));
    }
    let rewritten = rewrite(text, |word| {
        let word = word.to_lowercase();
        TIME_NAMES
            .iter()
            .find(|(name, _)| *name == word)
            .map_or(word.clone(), |(_, unit)| (*unit).to_owned())
    });
    let help = match duration_nanos(&rewritten) {
        Some(Some(_)) => format!("write {rewritten:?}"),
        _ => DURATION_FORMS.to_owned(),
    };
    Err(Complaint::new(message, help))
}

/// `None` if it is no duration at all, `Some(None)` if it is too long.
fn duration_nanos(text: &str) -> Option<Option<u64>> {
    if text == "0" {
        return Some(Some(0));
    }
    let mut rest = text;
    let mut sum = Some(0u64);
    loop {
        let (number, after) = split_number(rest);
        let unit_end = after
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(after.len());
        let (_, nanos) = TIME_UNITS
            .iter()
            .chain([&DAY])
            .find(|(name, _)| *name == &after[..unit_end])?;
        let part = Decimal::parse(number.as_bytes())?.times(*nanos);
        sum = sum.zip(part).and_then(|(sum, part)| sum.checked_add(part));
        rest = &after[unit_end..];
        if rest.is_empty() {
            return Some(sum);
        }
    }
}

/// Writes a duration so that [`duration`] reads back the same: `1h30m`, `250ms`, `0s`.
pub fn show_duration(span: Duration) -> String {
    let mut nanos = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
    let mut text = String::new();
    for (unit, size) in [
        DAY,
        TIME_UNITS[7],
        TIME_UNITS[6],
        TIME_UNITS[5],
        TIME_UNITS[4],
        TIME_UNITS[1],
        TIME_UNITS[0],
    ] {
        if nanos >= size {
            text.push_str(&format!("{}{unit}", nanos / size));
            nanos %= size;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// Parses an amount of memory or storage: `512MiB`, `1.5GiB`, `100MB` (decimal), `512m` (binary, as Docker has it), or
/// plain digits for bytes.
///
/// # Errors
///
/// If the text is anything else, negative, or more than a pebibyte.
pub fn bytes(text: &str) -> Result<Bytes, Complaint> {
    match exact_bytes(text) {
        Some(Some(bytes)) => Ok(Bytes::new(bytes)),
        Some(None) => Err(Complaint::new(format!("{text:?} is too much"), "amounts end at 1PiB")),
        None if is_negative(text) => Err(negative(text, "an amount of memory")),
        None => Err(Complaint::new(
            format!("{text:?} is not an amount of memory"),
            bytes_help(text),
        )),
    }
}

/// `None` if it is no amount at all, `Some(None)` if it is too large.
fn exact_bytes(text: &str) -> Option<Option<u64>> {
    let (number, unit) = split_number(text);
    let factor = match unit {
        "" => 1,
        _ => factor(&BYTE_UNITS, unit)?,
    };
    let bytes = Decimal::parse(number.as_bytes())?.times(factor);
    Some(bytes.filter(|bytes| *bytes <= 1 << 50))
}

fn bytes_help(text: &str) -> String {
    let rewritten = rewrite(text, |word| {
        let exact = BYTE_UNITS.iter().any(|(name, _)| *name == word);
        let lower = word.to_lowercase();
        // Docker reads "mb" as binary, the rest of the world as decimal: the writer has to say.
        let letter = lower
            .strip_suffix("ib")
            .or(lower.strip_suffix('b'))
            .filter(|letter| letter.len() == 1);
        match letter {
            Some(letter) if !exact => format!("{}iB", letter.to_uppercase()),
            _ => word.to_owned(),
        }
    });
    if !matches!(exact_bytes(&rewritten), Some(Some(_))) {
        return BYTES_FORMS.to_owned();
    }
    if text.to_lowercase().ends_with("ib") || rewritten == text.replace(' ', "") {
        return format!("write {rewritten:?}");
    }
    format!(
        "write {rewritten:?}, or {:?} for powers of ten",
        rewritten.replace("iB", "B")
    )
}

/// Parses a number of CPUs: `2`, `0.25`, exact to a billionth.
///
/// # Errors
///
/// If the text is anything else, negative, finer than a billionth, or more than a million.
pub fn cpus(text: &str) -> Result<Cpus, Complaint> {
    const FORMS: &str = "write a decimal number such as 2 or \"0.25\"";
    let Some(number) = Decimal::parse(text.as_bytes()) else {
        if is_negative(text) {
            return Err(negative(text, "a number of CPUs"));
        }
        let help = match millis(text) {
            Some(cpus) => format!("write \"{cpus}\""),
            None => FORMS.to_owned(),
        };
        return Err(Complaint::new(format!("{text:?} is not a number of CPUs"), help));
    };
    if number.scale > 9 {
        return Err(Complaint::new(
            format!("{text:?} is too precise"),
            "a CPU is divided into billionths: write at most nine decimal places",
        ));
    }
    match number.times(1_000_000_000) {
        Some(nanos) if nanos <= 1_000_000 * 1_000_000_000 => Ok(Cpus::from_nanos(nanos)),
        _ => Err(Complaint::new(
            format!("{text:?} is too much"),
            "amounts end at a million CPUs",
        )),
    }
}

/// Kubernetes's thousandths of a CPU, for the sake of a better complaint.
fn millis(text: &str) -> Option<Cpus> {
    let number = Decimal::parse(text.strip_suffix('m')?.as_bytes())?;
    number.times(1_000_000).map(Cpus::from_nanos)
}

/// Parses a rate: `2/s`, `30/min`, `5/h`, `1/day`, or per any other duration, `3/10m`.
///
/// # Errors
///
/// If the text is anything else or not above zero.
pub fn rate(text: &str) -> Result<Rate, Complaint> {
    let complaint = || {
        if is_negative(text) {
            return negative(text, "a rate");
        }
        let help = match Decimal::parse(text.trim().as_bytes()) {
            Some(_) => format!("say the unit: \"{0}/s\", \"{0}/min\" or \"{0}/h\"", text.trim()),
            None => RATE_FORMS.to_owned(),
        };
        Complaint::new(format!("{text:?} is not a rate"), help)
    };
    let (number, per) = text.split_once('/').ok_or_else(complaint)?;
    Decimal::parse(number.as_bytes()).ok_or_else(complaint)?;
    let count: f64 = number.parse().map_err(|_| complaint())?;
    let unit = TIME_NAMES
        .iter()
        .find(|(name, _)| *name == per)
        .map_or(per, |(_, unit)| *unit);
    let is_bare = !unit.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    let one = if is_bare { "1" } else { "" };
    let nanos = duration_nanos(&format!("{one}{unit}"))
        .flatten()
        .ok_or_else(complaint)?;
    let rate = count / (nanos as f64 / 1e9);
    if rate > 0.0 && rate.is_finite() {
        return Ok(Rate(rate));
    }
    Err(Complaint::new(format!("{text:?} is not above zero"), RATE_FORMS))
}

/// Parses a speed of transfer: `1Gbit/s`, `100MiB/s`, `100MB/s`.
///
/// # Errors
///
/// If the text is anything else, less than a byte per second, or more than a pebibyte per second.
pub fn bandwidth(text: &str) -> Result<Bandwidth, Complaint> {
    let complaint = || {
        if is_negative(text) {
            return negative(text, "a bandwidth");
        }
        let help = bandwidth_help(text).unwrap_or_else(|| BANDWIDTH_FORMS.to_owned());
        Complaint::new(format!("{text:?} is not a bandwidth"), help)
    };
    let amount = text.strip_suffix("/s").ok_or_else(complaint)?;
    let (number, unit) = split_number(amount);
    let number = Decimal::parse(number.as_bytes()).ok_or_else(complaint)?;
    let per_second = match (factor(&BIT_UNITS, unit), factor(&BYTE_UNITS, unit)) {
        (Some(bits), _) => number.times(bits).map(|bits| bits / 8),
        // A single letter would leave open whether bits or bytes are meant.
        (None, Some(bytes)) if unit.len() > 1 || unit == "B" => number.times(bytes),
        _ => return Err(complaint()),
    };
    match per_second {
        Some(0) => Err(Complaint::new(
            format!("{text:?} is less than a byte per second"),
            "leave the key out for transfers that take no time",
        )),
        Some(bytes) if bytes <= 1 << 50 => Ok(Bandwidth(bytes)),
        _ => Err(Complaint::new(
            format!("{text:?} is too much"),
            "bandwidths end at 1PiB/s",
        )),
    }
}

/// Reads `1Gbps`, `1 Gbit`, `100MiB` and `1gbit/s` for the sake of a better complaint.
fn bandwidth_help(text: &str) -> Option<String> {
    let compact: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let (number, unit) = split_number(&compact);
    let unit = unit.strip_suffix("/s").or(unit.strip_suffix("ps")).unwrap_or(unit);
    let lower = unit.to_lowercase();
    let name = BIT_UNITS
        .iter()
        .map(|(name, _)| *name)
        .find(|name| {
            let bits = name.to_lowercase();
            // "Gb" is a gigabit; "GB" is not.
            lower == bits || (unit.ends_with('b') && unit.len() == 2 && lower[..1] == bits[..1])
        })
        .or_else(|| {
            let known = |name: &&str| name.len() > 1 && name.to_lowercase() == lower;
            BYTE_UNITS.iter().map(|(name, _)| *name).find(known)
        })?;
    Decimal::parse(number.as_bytes())?;
    Some(format!("write {:?}", format!("{number}{name}/s")))
}

/// The number at the start of the text, and what follows it.
fn split_number(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    text.split_at(end)
}

fn factor(units: &[(&str, u64)], unit: &str) -> Option<u64> {
    units.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor)
}

/// The text without white space and with each word replaced.
fn rewrite(text: &str, unit: impl Fn(&str) -> String) -> String {
    let compact: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let mut rest = compact.as_str();
    let mut result = String::new();
    while !rest.is_empty() {
        let (number, after) = split_number(rest);
        let end = after
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(after.len());
        result.push_str(number);
        result.push_str(&unit(&after[..end]));
        rest = &after[end..];
    }
    result
}

fn is_negative(text: &str) -> bool {
    text.trim_start()
        .strip_prefix('-')
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit() || c == '.'))
}

fn negative(text: &str, what: &str) -> Complaint {
    Complaint {
        message: format!("{what} cannot be negative, as {text:?} is"),
        help: None,
    }
}
