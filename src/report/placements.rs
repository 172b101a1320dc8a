//! `placements.csv`: where every container went, or why it went nowhere.

use std::io::{self, Write};

use crate::cluster::Cluster;
use crate::model::Time;
use crate::scheduler::SoftRules;
use crate::sim::{Observation, Observer, Verdict};

/// A row for every placement and every final rejection, as they happen.
///
/// Columns: `strategy`, `seed`, `time_s` of the decision, `container`, `class`, `outcome` (`placed`, `rescheduled`,
/// `rejected`), `node`, `reason` (of a rejection), `waited_s` since the container was submitted or lost, `cpus`,
/// `memory_mib`, `soft_dropped` (whether soft expressions had to be dropped).
pub struct Placements<W: Write> {
    csv: csv::Writer<W>,
    classes: Vec<String>,
    strategy: String,
    seed: String,
    error: Option<csv::Error>,
}

/// Its columns.
pub const HEADER: [&str; 12] = [
    "strategy",
    "seed",
    "time_s",
    "container",
    "class",
    "outcome",
    "node",
    "reason",
    "waited_s",
    "cpus",
    "memory_mib",
    "soft_dropped",
];

/// Bytes that a row takes, roughly, to estimate the size of the file.
pub const ROW_BYTES: u64 = 110;

impl<W: Write> Placements<W> {
    /// Begins the file, or a further part of it that has no header.
    pub fn new(out: W, classes: Vec<String>, header: bool) -> Placements<W> {
        let mut csv = csv::Writer::from_writer(out);
        let error = if header { csv.write_record(HEADER).err() } else { None };
        Placements {
            csv,
            classes,
            strategy: String::new(),
            seed: String::new(),
            error,
        }
    }

    /// The rows that follow belong to this run.
    pub fn begin_run(&mut self, strategy: &str, seed: u64) {
        strategy.clone_into(&mut self.strategy);
        self.seed = seed.to_string();
    }

    /// The underlying writer, or the first error met.
    pub fn finish(self) -> Result<W, io::Error> {
        match self.error {
            Some(error) => Err(io::Error::other(error)),
            None => self.csv.into_inner().map_err(|failed| failed.into_error()),
        }
    }
}

impl<W: Write> Observer for Placements<W> {
    fn observe(&mut self, time: Time, cluster: &Cluster, observation: &Observation<'_>) {
        let (subject, outcome, node, reason, waited, soft) = match observation {
            Observation::Decided {
                subject,
                verdict:
                    Verdict::Placed {
                        node,
                        soft,
                        waited,
                        rescheduled,
                        ..
                    },
                ..
            } => {
                let outcome = if *rescheduled { "rescheduled" } else { "placed" };
                (subject, outcome, cluster.node(*node).name(), "", waited, *soft)
            }
            Observation::GaveUp {
                subject,
                rejection,
                waited,
            } => {
                let reason = rejection.map_or("queue-full", |rejection| rejection.name());
                (subject, "rejected", "", reason, waited, SoftRules::Enforced)
            }
            _ => return,
        };
        if self.error.is_some() {
            return;
        }
        let resources = subject.request.resources;
        let record = [
            self.strategy.as_str(),
            &self.seed,
            &seconds(time.0),
            subject.name,
            &self.classes[subject.class],
            outcome,
            node,
            reason,
            &seconds(u64::try_from(waited.as_nanos()).unwrap_or(u64::MAX)),
            &resources.cpus.to_string(),
            &mebibytes(resources.memory.get()),
            if soft == SoftRules::Dropped { "true" } else { "false" },
        ];
        self.error = self.csv.write_record(record).err();
    }
}

/// Exact decimal seconds without trailing zeros.
pub fn seconds(nanos: u64) -> String {
    decimal(nanos / 1_000_000_000, nanos % 1_000_000_000, 9)
}

/// Mebibytes, exact to the byte's millionth.
pub fn mebibytes(bytes: u64) -> String {
    let rest = (bytes % (1 << 20)) * 1_000_000 / (1 << 20);
    decimal(bytes >> 20, rest, 6)
}

fn decimal(whole: u64, fraction: u64, digits: usize) -> String {
    if fraction == 0 {
        return whole.to_string();
    }
    let fraction = format!("{fraction:0digits$}");
    format!("{whole}.{}", fraction.trim_end_matches('0'))
}
