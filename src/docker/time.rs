//! Docker's timestamps.

use std::fmt;
use std::time::{Duration, SystemTime};

/// An instant in nanoseconds since 1970 began. Reaches from 1677 to 2262.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Reads RFC 3339 with up to nine digits after the point. `None` if the text is something else, or the year 1,
    /// which in Go is no time at all, or beyond what a timestamp can hold.
    pub fn parse(text: &str) -> Option<Timestamp> {
        let parsed: jiff::Timestamp = text.parse().ok()?;
        i64::try_from(parsed.as_nanosecond()).ok().map(Timestamp)
    }

    /// The instant `seconds` after 1970 began; the nearest one that can be held.
    pub fn from_seconds(seconds: i64) -> Timestamp {
        Timestamp(seconds.saturating_mul(1_000_000_000))
    }

    /// The instant of the machine's clock.
    pub fn now() -> Timestamp {
        let nanos = |span: Duration| i64::try_from(span.as_nanos()).unwrap_or(i64::MAX);
        match SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
            Ok(since) => Timestamp(nanos(since)),
            Err(before) => Timestamp(-nanos(before.duration())),
        }
    }

    /// Whole seconds since 1970 began, rounded down.
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000_000)
    }

    /// The span since `earlier`; zero if `earlier` is later, as it is between clocks that disagree.
    pub fn since(self, earlier: Timestamp) -> Duration {
        // Up to twice the reach of 64 bits.
        Duration::from_nanos(u64::try_from(i128::from(self.0) - i128::from(earlier.0)).unwrap_or_default())
    }

    /// The instant `nanos` later, or earlier if it is negative.
    pub fn shifted(self, nanos: i64) -> Timestamp {
        Timestamp(self.0.saturating_add(nanos))
    }

    /// UTC without fractions of a second: `2026-11-23T04:33:34Z`.
    pub fn to_seconds_text(self) -> String {
        Timestamp::from_seconds(self.seconds()).to_string()
    }
}

impl fmt::Display for Timestamp {
    /// UTC with as many digits after the point as are needed, as Go writes `RFC3339Nano`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_nanosecond(i128::from(self.0)) {
            Ok(instant) => write!(f, "{instant}"),
            // 64 bits of nanoseconds are well within the years that jiff knows.
            Err(_) => Err(fmt::Error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_read_and_written() {
        for (text, shown) in [
            ("2026-11-23T04:33:34Z", "2026-11-23T04:33:34Z"),
            ("2026-11-23T04:33:34.123456789Z", "2026-11-23T04:33:34.123456789Z"),
            ("2026-11-23T04:33:34.500+02:00", "2026-11-23T02:33:34.5Z"),
            ("1969-12-31T23:59:59.25Z", "1969-12-31T23:59:59.25Z"),
        ] {
            let instant = Timestamp::parse(text).expect(text);
            assert_eq!(instant.to_string(), shown);
            assert_eq!(Timestamp::parse(shown), Some(instant));
        }
        for text in [
            "0001-01-01T00:00:00Z",
            "",
            "yesterday",
            "2026-11-23",
            "9999-01-01T00:00:00Z",
        ] {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
        assert_eq!(Timestamp(-1).to_seconds_text(), "1969-12-31T23:59:59Z");
        for extreme in [i64::MIN, i64::MAX] {
            assert_ne!(Timestamp(extreme).to_string(), "");
        }
    }

    #[test]
    fn spans_never_run_backwards() {
        assert_eq!(Timestamp(5).since(Timestamp(7)), Duration::ZERO);
        assert_eq!(
            Timestamp(i64::MAX).since(Timestamp(i64::MIN)),
            Duration::from_nanos(u64::MAX)
        );
    }
}
