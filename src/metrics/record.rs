//! What is kept of a run.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use crate::scheduler::Rejection;

use super::{LoadMap, Occupancy, SeriesRow, Summary};

/// Everything that was measured in a run.
#[derive(Clone, Debug)]
pub struct RunRecord {
    /// One value per metric.
    pub summary: Summary,
    /// The cluster over time, warm-up included.
    pub series: Vec<SeriesRow>,
    /// Load by node and time, warm-up included.
    pub load: LoadMap,
    /// Containers per node in the last sample; `None` without samples.
    pub occupancy_at_end: Option<Occupancy>,
    /// Containers per node in the sample of the window with the most containers, the first of several; `None` without
    /// samples in the window.
    pub occupancy_at_peak: Option<Occupancy>,
    /// Counted containers that were refused for good, by reason; reasons that did not occur are left out.
    pub rejections: BTreeMap<Reason, u64>,
    /// Decisions in the window that found no node, by reason.
    pub refusals: BTreeMap<Reason, u64>,
    /// Counted containers by class, in the order of the plan.
    pub classes: Vec<ClassCounts>,
    /// Wall-clock nanoseconds of decisions in the window, to three digits, if they were measured. Depends on the
    /// machine, and is no part of the reproducible result.
    pub latency_ns: Option<Histogram<u64>>,
}

/// Why a container was refused for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The scheduler found no node.
    Rejection(Rejection),
    /// The queue was full.
    QueueFull,
}

impl Reason {
    /// A short stable name for tables: the rejection's, or `queue-full`.
    pub fn name(self) -> &'static str {
        match self {
            Reason::Rejection(rejection) => rejection.name(),
            Reason::QueueFull => "queue-full",
        }
    }
}

/// What became of the counted containers of a class. Those that are neither placed nor rejected waited at the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClassCounts {
    /// Name.
    pub name: String,
    /// Containers that clients asked for.
    pub submitted: u64,
    /// Of these, placed.
    pub placed: u64,
    /// Of these, refused for good.
    pub rejected: u64,
}
