//! What one figure is about, and the figure.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::metrics::stats::{median, median_interval};
use crate::scheduler::Strategy;

/// One point of the grid that is measured.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Case {
    /// How the scheduler decides.
    #[serde(with = "by_name")]
    pub strategy: Strategy,
    /// What is asked for: a name of [`Subject::kinds`](super::Subject::kinds).
    pub kind: String,
    /// Nodes of the cluster.
    pub nodes: usize,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.strategy, self.kind, self.nodes)
    }
}

/// What a decision is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Of a clock on the wall.
    Nanoseconds,
    /// That the processor executes.
    Instructions,
}

impl Unit {
    /// Its name, as files have it.
    pub const fn name(self) -> &'static str {
        match self {
            Unit::Nanoseconds => "nanoseconds",
            Unit::Instructions => "instructions",
        }
    }
}

/// What was measured of one case, per decision.
#[derive(Clone, Debug, PartialEq)]
pub struct Figures {
    /// One of each process that measured it; a single value where counting is exact. At least one, positive.
    pub samples: Vec<f64>,
    /// The 99th percentile of decisions that were timed one by one, the reading of the clock included.
    pub p99: Option<f64>,
}

impl Figures {
    /// The middle of the samples; zero without any.
    pub fn median(&self) -> f64 {
        median(&self.samples).unwrap_or(0.0)
    }

    /// The 95 % interval of the median, if there are samples enough to tell.
    pub fn interval(&self) -> Option<(f64, f64)> {
        median_interval(&self.samples)
    }
}

/// Strategies in files go by their names.
mod by_name {
    use serde::{Deserialize, Deserializer, Serializer, de};

    use crate::scheduler::Strategy;

    pub fn serialize<S: Serializer>(strategy: &Strategy, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(strategy.name())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Strategy, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}
