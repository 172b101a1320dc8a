//! How long requests took.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

/// Latencies above an hour count as an hour.
const HIGHEST_NS: u64 = 3_600_000_000_000;

/// A kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// A container is created.
    Create,
    /// It is started.
    Start,
    /// It is created and started, as a client sees it.
    CreateAndStart,
    /// It is asked where it is.
    Inspect,
    /// It is removed.
    Remove,
}

impl Operation {
    /// What tables call it.
    pub fn name(self) -> &'static str {
        match self {
            Operation::Create => "create",
            Operation::Start => "start",
            Operation::CreateAndStart => "create+start",
            Operation::Inspect => "inspect",
            Operation::Remove => "remove",
        }
    }
}

/// An empty histogram of latencies in nanoseconds.
pub(super) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, HIGHEST_NS, 3).expect("the bounds are constants, and valid")
}

/// The latencies of each kind, counted from when it was due and from when it was sent.
#[derive(Debug, Default)]
pub struct Latencies {
    kinds: BTreeMap<Operation, [Option<Histogram<u64>>; 2]>,
}

impl Latencies {
    /// Notes one.
    pub fn record(&mut self, operation: Operation, since_due: Duration, since_sent: Duration) {
        let kinds = self.kinds.entry(operation).or_default();
        for (histogram, span) in kinds.iter_mut().zip([since_due, since_sent]) {
            let histogram = histogram.get_or_insert_with(self::histogram);
            histogram.saturating_record(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX));
        }
    }

    /// The latencies of one kind since it was sent, in nanoseconds.
    pub fn since_sent(&self, operation: Operation) -> Option<&Histogram<u64>> {
        self.kinds.get(&operation)?[1].as_ref()
    }

    /// Each kind with its two histograms, in nanoseconds: since it was due, and since it was sent.
    pub fn each(&self) -> impl Iterator<Item = (Operation, &Histogram<u64>, &Histogram<u64>)> {
        self.kinds
            .iter()
            .filter_map(|(operation, [due, sent])| Some((*operation, due.as_ref()?, sent.as_ref()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_are_kept_to_three_digits() {
        let mut latencies = Latencies::default();
        latencies.record(Operation::Create, Duration::from_millis(250), Duration::from_millis(2));
        let (_, due, sent) = latencies.each().next().expect("one kind");
        assert!((249_000_000..251_000_000).contains(&due.max()) && (1_990_000..2_010_000).contains(&sent.max()));
    }
}
