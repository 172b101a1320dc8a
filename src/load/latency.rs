//! How long requests took.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

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
            // Three digits are always possible.
            let histogram = histogram.get_or_insert_with(|| Histogram::new(3).expect("three digits"));
            histogram.saturating_record(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX).min(i64::MAX as u64));
        }
    }

    /// Each kind with its two histograms, in nanoseconds: since it was due, and since it was sent.
    pub fn each(&self) -> impl Iterator<Item = (Operation, &Histogram<u64>, &Histogram<u64>)> {
        self.kinds
            .iter()
            .filter_map(|(operation, [due, sent])| Some((*operation, due.as_ref()?, sent.as_ref()?)))
    }
}
