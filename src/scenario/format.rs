//! The format of a scenario, described once: these structs read it, and their doc comments are what an editor shows.
//!
//! The structs hold no positions and check no meaning. By the time one is filled, [`check`](super::check) has held the
//! text against the JSON Schema that is generated from these very structs, so that reading cannot fail; what the values
//! mean is found out in [`lower`](super::lower).

mod amount;
mod cluster;
mod event;
mod text;
mod workload;

use std::time::Duration;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

pub(super) use amount::{Amount, Choice, Drawn, Shape};
pub(super) use cluster::{ClusterTable, ImageTable, LabelValue, NodeTable, NodeTraceFormat};
pub(super) use event::{EventAction, EventTable, NewLabel, NodeSelector};
pub(super) use text::{ExposedPort, Named, StrictSetting, Text, TextFormat, number_text};
pub(super) use workload::{
    Arrivals, ClassTable, Discipline, Lifetime, OnRejection, Origin, Reschedule, TraceFormat, TraceTable,
};

use crate::scheduler::{Filter, Strategy};

/// A cluster, what runs on it, what happens to it, and how that is simulated and measured.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(title = "swarmlab scenario")]
pub(super) struct ScenarioFile {
    /// What reports call the scenario. Default: the name of the file, without its extension.
    #[schemars(example = &"Spread against binpack")]
    pub title: Option<String>,
    /// The question that the scenario answers, in a sentence or two.
    pub description: Option<String>,
    /// Directory of the traces that are given by relative paths; itself relative to the directory of the scenario, which
    /// is also the default. Given on the command line, it is relative to the current directory.
    #[schemars(example = &"../traces/openb")]
    pub traces: Option<String>,
    /// How to run.
    #[serde(default)]
    pub run: RunTable,
    /// The machines.
    pub cluster: ClusterTable,
    /// Images whose pull takes time, by reference as containers ask for them. An image that is not listed is there at
    /// once.
    #[serde(default)]
    pub images: IndexMap<String, ImageTable>,
    /// Classes of containers, by name. The containers of class `web` are named `web-1`, `web-2` and so on.
    pub workload: IndexMap<String, ClassTable>,
    /// What happens to the nodes.
    #[serde(default)]
    pub events: Vec<EventTable>,
}

/// How to run.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(super) struct RunTable {
    /// Seed of the first repetition; the others use the numbers that follow.
    pub seed: u64,
    /// How many seeds to run.
    #[schemars(range(min = 1))]
    pub repetitions: u32,
    /// The run ends at this time. With `until = "drained"` it ends at the latest then.
    pub duration: Option<Text<Duration>>,
    /// The run ends when nothing is left to happen. This is assumed if there is no `duration` and the scenario does come
    /// to an end.
    pub until: Option<Until>,
    /// Cut from the start of everything that is measured over time.
    pub warm_up: Text<Duration>,
    /// Time between two samples of the cluster. Default: a 200th of `duration`, at least 1s; without a `duration`, a
    /// 200th of the time by which the last foreseeable arrival or event has happened, or 30s if none can be foreseen.
    pub sample: Option<Text<Duration>>,
    /// Strategies to compare; the first is the one used where only one can be.
    #[schemars(length(min = 1))]
    pub strategies: Vec<Named<Strategy>>,
    /// Filters, in the order in which they run. Default: the original's seven.
    pub filters: Vec<Named<Filter>>,
    /// Corrections of what the original gets wrong. Default: none.
    #[schemars(example = ["globs", "capacity"])]
    pub strict: Vec<Named<StrictSetting>>,
    /// Time from a node's failure to the rescheduling of its containers.
    pub detection: Text<Duration>,
    /// Time a daemon needs to start a container once its image is there.
    pub start_latency: Text<Duration>,
    /// What a client does when no node can take its container. Default: it gives up. A class may differ.
    pub on_rejection: Option<OnRejection>,
}

impl Default for RunTable {
    fn default() -> RunTable {
        RunTable {
            seed: 1,
            repetitions: 1,
            duration: None,
            until: None,
            warm_up: Text(Duration::ZERO),
            sample: None,
            strategies: Strategy::ALL.map(Named).to_vec(),
            filters: Filter::DEFAULT.map(Named).to_vec(),
            strict: Vec::new(),
            detection: Text(Duration::ZERO),
            start_latency: Text(Duration::ZERO),
            on_rejection: None,
        }
    }
}

/// What a run may wait for.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Until {
    /// Nothing is left to happen but samples and random failures of nodes.
    Drained,
}
