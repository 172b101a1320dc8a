//! The cluster over time: one row per sample.

use crate::model::Time;

use super::{Balance, PerResource, Unit};

/// One sample. Unlike the summary, rows begin at the start of the run, and their counts are of everything since then.
///
/// Shares, balance, fragmentation and packing are over available nodes, with real capacities; they are defined as the
/// [`Metric`](super::Metric)s of the same name, at this instant.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SeriesRow {
    /// When.
    pub time: Time,
    /// Containers that clients have asked for.
    pub submitted: u64,
    /// Of these, placed.
    pub placed: u64,
    /// Of these, refused for good.
    pub rejected: u64,
    /// Of these, neither: they wait in the queue or for their next attempt.
    pub waiting: u64,
    /// Containers that were lost or moved, and wait to be placed again.
    pub displaced: u64,
    /// Containers on nodes in any state, exited ones that are kept included.
    pub present: u64,
    /// Containers that run, those between an exit and their restart included.
    pub running: u64,
    /// Nodes with at least one container, available or not.
    pub active_nodes: u32,
    /// Nodes that may take containers.
    pub available_nodes: u32,
    /// Reserved, in percent.
    pub reserved_pct: PerResource<Option<f64>>,
    /// Reserved beyond what nodes have, in percent.
    pub overcommitted_pct: PerResource<Option<f64>>,
    /// Evenness; `None` while nothing is reserved.
    pub balance: PerResource<Option<Balance>>,
    /// Stranded, in percent.
    pub stranded_pct: PerResource<Option<f64>>,
    /// Fragmented, in percent.
    pub fragmented_pct: PerResource<Option<f64>>,
    /// Packing efficiency, in percent; `None` while no container is there.
    pub packing_pct: Option<f64>,
    /// Reserved of the fullest further resource, such as GPUs, in percent; `None` without any.
    pub further_pct: Option<f64>,
    /// Bytes that nodes have begun to pull.
    pub pulled_bytes: u64,
}

/// A column of the time series, described once: tables, files and charts follow from it.
#[derive(Debug)]
pub struct SeriesColumn {
    /// Stable name for files.
    pub key: &'static str,
    /// For people.
    pub title: &'static str,
    /// Unit of the values.
    pub unit: Unit,
    /// Its value in a row; `None` where it is undefined.
    pub value: fn(&SeriesRow) -> Option<f64>,
}

const fn column(
    key: &'static str,
    title: &'static str,
    unit: Unit,
    value: fn(&SeriesRow) -> Option<f64>,
) -> SeriesColumn {
    SeriesColumn {
        key,
        title,
        unit,
        value,
    }
}

/// The columns of a time series, in the order of every file.
pub static SERIES: [SeriesColumn; 27] = [
    column("time_s", "Time", Unit::Seconds, |row| Some(row.time.as_secs_f64())),
    column("submitted", "Submitted", Unit::Count, |row| Some(row.submitted as f64)),
    column("placed", "Placed", Unit::Count, |row| Some(row.placed as f64)),
    column("rejected", "Rejected", Unit::Count, |row| Some(row.rejected as f64)),
    column("waiting", "Waiting", Unit::Count, |row| Some(row.waiting as f64)),
    column("displaced", "Waiting to be placed again", Unit::Count, |row| {
        Some(row.displaced as f64)
    }),
    column("present", "Containers", Unit::Count, |row| Some(row.present as f64)),
    column("running", "Running containers", Unit::Count, |row| {
        Some(row.running as f64)
    }),
    column("active_nodes", "Active nodes", Unit::Count, |row| {
        Some(f64::from(row.active_nodes))
    }),
    column("available_nodes", "Available nodes", Unit::Count, |row| {
        Some(f64::from(row.available_nodes))
    }),
    column("cpu_reserved_pct", "CPU reserved", Unit::Percent, |row| {
        row.reserved_pct.cpu
    }),
    column("memory_reserved_pct", "Memory reserved", Unit::Percent, |row| {
        row.reserved_pct.memory
    }),
    column("cpu_overcommitted_pct", "CPU overcommitted", Unit::Percent, |row| {
        row.overcommitted_pct.cpu
    }),
    column(
        "memory_overcommitted_pct",
        "Memory overcommitted",
        Unit::Percent,
        |row| row.overcommitted_pct.memory,
    ),
    column("cpu_cv", "CPU variation", Unit::Ratio, |row| Some(row.balance.cpu?.cv)),
    column("memory_cv", "Memory variation", Unit::Ratio, |row| {
        Some(row.balance.memory?.cv)
    }),
    column("cpu_jain", "CPU Jain index", Unit::Ratio, |row| {
        Some(row.balance.cpu?.jain)
    }),
    column("memory_jain", "Memory Jain index", Unit::Ratio, |row| {
        Some(row.balance.memory?.jain)
    }),
    column("cpu_max_over_mean", "CPU maximum over mean", Unit::Ratio, |row| {
        Some(row.balance.cpu?.max_over_mean)
    }),
    column("memory_max_over_mean", "Memory maximum over mean", Unit::Ratio, |row| {
        Some(row.balance.memory?.max_over_mean)
    }),
    column("cpu_stranded_pct", "CPU stranded", Unit::Percent, |row| {
        row.stranded_pct.cpu
    }),
    column("memory_stranded_pct", "Memory stranded", Unit::Percent, |row| {
        row.stranded_pct.memory
    }),
    column("cpu_fragmented_pct", "CPU fragmented", Unit::Percent, |row| {
        row.fragmented_pct.cpu
    }),
    column("memory_fragmented_pct", "Memory fragmented", Unit::Percent, |row| {
        row.fragmented_pct.memory
    }),
    column("packing_pct", "Packing efficiency", Unit::Percent, |row| {
        row.packing_pct
    }),
    column(
        "further_reserved_pct",
        "Further resource reserved",
        Unit::Percent,
        |row| row.further_pct,
    ),
    column("pulled_bytes", "Bytes pulled", Unit::Bytes, |row| {
        Some(row.pulled_bytes as f64)
    }),
];
