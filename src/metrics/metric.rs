//! Every figure that a run is summarised by, described once.

mod table;

pub use table::Metric;

use super::Unit;

/// What is known about a metric.
#[derive(Debug)]
pub struct Definition {
    /// Stable name for files; ends with the unit.
    pub key: &'static str,
    /// For people, short enough for a table.
    pub title: &'static str,
    /// Unit of the values.
    pub unit: Unit,
    /// Which values are better.
    pub better: Better,
    /// What it is, with its source.
    pub text: &'static str,
}

/// Which values of a metric are better, and what is said of the strategy that has the best.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// The higher the better.
    Higher(&'static str),
    /// The lower the better.
    Lower(&'static str),
    /// It describes, and does not judge.
    Neither,
}

/// The summary of one run: a value for each metric; `None` where a metric is undefined in the run, such as a wait when
/// nothing was placed.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    values: [Option<f64>; Metric::ALL.len()],
}

impl Metric {
    /// The metric with this key.
    pub fn from_key(key: &str) -> Option<Metric> {
        Metric::ALL.iter().copied().find(|metric| metric.key() == key)
    }

    /// Stable name for files.
    pub fn key(self) -> &'static str {
        self.definition().key
    }

    /// For people.
    pub fn title(self) -> &'static str {
        self.definition().title
    }

    /// Unit of the values.
    pub fn unit(self) -> Unit {
        self.definition().unit
    }

    /// Which values are better.
    pub fn better(self) -> Better {
        self.definition().better
    }
}

impl Summary {
    /// A summary with these values.
    ///
    /// # Panics
    ///
    /// If a value is infinite or not a number: what is undefined is `None`.
    pub fn from_fn(value: impl Fn(Metric) -> Option<f64>) -> Summary {
        let mut values = [None; Metric::ALL.len()];
        for metric in Metric::ALL {
            let value = value(*metric);
            assert!(value.is_none_or(f64::is_finite), "{} is {value:?}", metric.key());
            values[*metric as usize] = value;
        }
        Summary { values }
    }

    /// The value of one metric.
    pub fn get(&self, metric: Metric) -> Option<f64> {
        self.values[metric as usize]
    }

    /// All metrics in their order, with their values.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (Metric, Option<f64>)> {
        Metric::ALL.iter().map(|metric| (*metric, self.get(*metric)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn keys_are_unique_and_end_with_their_unit() {
        let keys: BTreeSet<&str> = Metric::ALL.iter().map(|metric| metric.key()).collect();
        assert_eq!(keys.len(), Metric::ALL.len());
        for metric in Metric::ALL {
            let key = metric.key();
            assert!(key.ends_with(metric.unit().key_suffix()), "{key}");
            assert!(
                key.chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
            );
            assert_eq!(Metric::from_key(key), Some(*metric));
        }
        assert_eq!(Metric::from_key("happiness"), None);
    }

    #[test]
    fn definitions_are_sentences_and_titles_are_not() {
        for metric in Metric::ALL {
            assert!(metric.definition().text.ends_with('.'), "{}", metric.key());
            assert!(
                !metric.title().ends_with('.') && metric.title().len() <= 40,
                "{}",
                metric.title()
            );
        }
    }

    #[test]
    fn a_summary_gives_back_what_was_put_in() {
        let summary = Summary::from_fn(|metric| (metric != Metric::Placed).then_some(metric as usize as f64));
        assert_eq!(summary.get(Metric::Placed), None);
        let kept = summary
            .iter()
            .filter(|(metric, value)| *value == Some(*metric as usize as f64));
        assert_eq!(kept.count(), Metric::ALL.len() - 1);
    }
}
