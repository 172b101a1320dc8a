//! What a measuring process and the one that started it say to each other: a line of JSON, and a line back.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::case::Case;
use super::origin::Origin;

/// Raised when either side would no longer understand the other.
pub(super) const PROTOCOL: u32 = 1;

/// The longest line that is read.
pub(super) const LINE_MAX: u64 = 1 << 20;

/// What is to be measured, such that another process can find it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SubjectSpec {
    /// The scenario; the built-in cluster if there is none.
    pub scenario: Option<ScenarioSpec>,
    /// Virtual time, in nanoseconds, of the cluster that is measured.
    pub at_ns: u64,
    /// Seed of the run up to that time; the scenario's if there is none.
    pub seed: Option<u64>,
}

/// A scenario as the command line names it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ScenarioSpec {
    /// Its file, or a directory with a trace.
    pub path: PathBuf,
    /// Values that replace those of the file.
    pub set: Vec<String>,
    /// Directory of its traces.
    pub traces: Option<PathBuf>,
    /// Whether rows of traces that make no sense are skipped.
    pub lenient: bool,
}

/// What is asked of a measuring process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Ask {
    /// Say who you are.
    Greet,
    /// Find what is to be measured.
    Open(SubjectSpec),
    /// Set up a case and warm it up.
    Prepare(Case),
    /// Run so many iterations of it and say how long they took.
    Time { iterations: u64 },
    /// Time iterations one by one: at most so many, and no more once they have taken so long.
    TimeSingly { at_most: u64, nanoseconds: u64 },
    /// Run so many iterations with their instructions counted.
    Count { iterations: u64 },
}

/// What it answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Answer {
    Greeted {
        protocol: u32,
        origin: Origin,
    },
    Opened,
    Prepared,
    Timed {
        nanoseconds: u64,
    },
    TimedSingly {
        nanoseconds: Vec<u64>,
    },
    Counted,
    /// It cannot, and why.
    Failed(String),
}
