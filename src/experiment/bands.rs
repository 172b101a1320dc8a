//! What the runs of one strategy say together over time.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use crate::metrics::stats::{Estimate, estimate};
use crate::metrics::{RunRecord, SeriesRow};
use crate::model::Time;

/// The mean of several runs at one time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BandPoint {
    /// When.
    pub time: Time,
    /// Mean over the runs and its interval.
    pub estimate: Estimate,
}

/// The mean of one column at every time at which most runs have been sampled. Runs that end when they are drained end
/// at times of their own, where a mean would be over few of them.
pub fn band(runs: &[(u64, RunRecord)], value: impl Fn(&SeriesRow) -> Option<f64>) -> Vec<BandPoint> {
    let mut samples: BTreeMap<Time, Vec<f64>> = BTreeMap::new();
    for row in runs.iter().flat_map(|(_, run)| &run.series) {
        samples.entry(row.time).or_default().extend(value(row));
    }
    let enough = runs.len().div_ceil(2).max(1);
    let known = samples.into_iter().filter(|(_, values)| values.len() >= enough);
    known
        .filter_map(|(time, values)| {
            let estimate = estimate(&values)?;
            Some(BandPoint { time, estimate })
        })
        .collect()
}

/// Mean number of nodes by number of containers on them, when the cluster was fullest.
pub fn mean_occupancy(runs: &[(u64, RunRecord)]) -> Vec<(u64, f64)> {
    let peaks: Vec<_> = runs
        .iter()
        .filter_map(|(_, run)| run.occupancy_at_peak.as_ref())
        .collect();
    let mut sums: BTreeMap<u64, u64> = BTreeMap::new();
    for (containers, nodes) in peaks.iter().flat_map(|peak| &peak.nodes) {
        *sums.entry(*containers).or_default() += nodes;
    }
    let runs = peaks.len() as f64;
    sums.into_iter()
        .map(|(containers, nodes)| (containers, nodes as f64 / runs))
        .collect()
}

/// Mean number of containers refused for good, by reason.
pub fn mean_rejections(runs: &[(u64, RunRecord)]) -> BTreeMap<&'static str, f64> {
    let mut sums: BTreeMap<&'static str, u64> = BTreeMap::new();
    for (reason, count) in runs.iter().flat_map(|(_, run)| &run.rejections) {
        *sums.entry(reason.name()).or_default() += count;
    }
    let runs = runs.len() as f64;
    sums.into_iter()
        .map(|(reason, count)| (reason, count as f64 / runs))
        .collect()
}

/// The decisions of all runs in one histogram; `None` if none was measured.
pub fn latency(runs: &[(u64, RunRecord)]) -> Option<Histogram<u64>> {
    let mut all: Option<Histogram<u64>> = None;
    for histogram in runs.iter().filter_map(|(_, run)| run.latency_ns.as_ref()) {
        match &mut all {
            Some(all) => all.add(histogram).expect("all histograms have the same bounds"),
            None => all = Some(histogram.clone()),
        }
    }
    all
}
