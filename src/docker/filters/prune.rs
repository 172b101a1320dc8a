//! Filters of requests to remove what is not used.

use std::time::Duration;

use super::{Filters, FiltersError};
use crate::docker::Timestamp;
use crate::model::Labels;

/// What is to be removed.
#[derive(Clone, Debug)]
pub struct PruneFilters {
    filters: Filters,
    until: Option<Timestamp>,
}

impl PruneFilters {
    /// Checks filters as dockerd does, with the names that there are for what is removed.
    ///
    /// # Errors
    ///
    /// A filter or a value that there is not.
    pub fn new(filters: Filters, own: &[&str], now: Timestamp) -> Result<PruneFilters, FiltersError> {
        filters.accept(own)?;
        let mut said = filters.values("until");
        let until = match (said.next(), said.next()) {
            (None, _) => None,
            (Some(text), None) => {
                let time = instant(text, now).ok_or_else(|| FiltersError::Until(text.to_owned()))?;
                Some(time)
            }
            (Some(_), Some(_)) => return Err(FiltersError::UntilTwice),
        };
        drop(said);
        Ok(PruneFilters { filters, until })
    }

    /// Whether something with these labels that was made then is to be removed, if nobody uses it.
    pub fn wants(&self, labels: &Labels, created: Timestamp) -> bool {
        self.until.is_none_or(|until| created < until)
            && self.filters.labels_match("label", labels)
            && !(self.filters.contains("label!") && self.filters.labels_match("label!", labels))
    }
}

/// A date, seconds since 1970, or how long ago, as in `1h30m`.
fn instant(text: &str, now: Timestamp) -> Option<Timestamp> {
    if let Ok(seconds) = text.parse() {
        return Some(Timestamp::from_seconds(seconds));
    }
    if let Some(date) = Timestamp::parse(text) {
        return Some(date);
    }
    let ago = i64::try_from(duration(text)?.as_nanos()).ok()?;
    Some(now.shifted(ago.checked_neg()?))
}

/// A duration as Go writes it.
fn duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut whole = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let amount: f64 = rest[..digits].parse().ok()?;
        let unit_end = rest[digits..]
            .find(|c: char| c.is_ascii_digit())
            .map_or(rest.len(), |end| digits + end);
        let unit = match &rest[digits..unit_end] {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        whole = whole.checked_add(Duration::try_from_secs_f64(amount * unit).ok()?)?;
        rest = &rest[unit_end..];
    }
    (!text.is_empty()).then_some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_removed_has_the_labels_and_is_old_enough() {
        let now = Timestamp::from_seconds(100_000);
        let labels = Labels::from([("keep".to_owned(), "1".to_owned())]);
        let own = ["label", "label!", "until"];
        for (text, expected) in [
            ("", true),
            (r#"{"label":["keep"]}"#, true),
            (r#"{"label!":["keep"]}"#, false),
            (r#"{"label!":["keep=2"]}"#, true),
            (r#"{"label!":["keep","other"]}"#, true),
            (r#"{"until":["1h"]}"#, true),
            (r#"{"until":["1h0.5m"]}"#, false),
            (r#"{"until":["96000"]}"#, false),
            (r#"{"until":["1970-01-02T03:00:00Z"]}"#, true),
        ] {
            let filters = PruneFilters::new(Filters::parse(text).expect(text), &own, now).expect(text);
            assert_eq!(
                filters.wants(&labels, Timestamp::from_seconds(96_390)),
                expected,
                "{text}"
            );
        }
        for text in [
            r#"{"until":["x"]}"#,
            r#"{"until":["1h","2h"]}"#,
            r#"{"dangling":["true"]}"#,
        ] {
            assert!(PruneFilters::new(Filters::parse(text).expect(text), &own, now).is_err());
        }
    }
}
