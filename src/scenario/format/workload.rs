//! `[workload]`.

use std::time::Duration;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{Bytes, Cpus, PortBinding};
use crate::scenario::units::Rate;
use crate::sim::Restart;

use super::{Amount, ExposedPort, Text};

/// A class of containers: when they are asked for, what they need, and what becomes of them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(in crate::scenario) struct ClassTable {
    /// When containers are asked for. Required unless there is a `trace`.
    pub arrivals: Option<Arrivals>,
    /// Nothing arrives before. Default: 0s.
    pub start: Option<Text<Duration>>,
    /// Nothing arrives at or after. Default: never.
    pub stop: Option<Text<Duration>>,
    /// At most so many arrivals. Default: no limit.
    #[schemars(range(min = 1))]
    pub limit: Option<u64>,
    /// How long a container runs. Default: "forever".
    pub lifetime: Option<Lifetime>,
    /// CPUs that a container reserves. Default: none.
    pub cpus: Option<Amount<Text<Cpus>>>,
    /// Memory that a container reserves. Default: none.
    pub memory: Option<Amount<Text<Bytes>>>,
    /// Further resources that a container needs, in whole units. Only the filter `resources` looks at them.
    #[serde(default)]
    #[schemars(example = serde_json::json!({ "gpu": 1 }))]
    pub resources: IndexMap<String, u64>,
    /// Image. Default: none, so that nothing is pulled.
    #[schemars(example = &"nginx:1.27")]
    pub image: Option<String>,
    /// Container labels.
    #[serde(default)]
    pub labels: IndexMap<String, String>,
    /// Environment; `constraint:`, `affinity:`, `whitelist:` and `reschedule:` entries are understood as Swarm does.
    #[serde(default)]
    #[schemars(example = ["constraint:zone==a", "MODE=production"])]
    pub env: Vec<String>,
    /// Constraint expressions, as if after `constraint:` in the environment. `{index}` is the container's number.
    #[serde(default)]
    #[schemars(example = ["zone==a", "disk!=hdd"])]
    pub constraints: Vec<String>,
    /// Affinity expressions, as if after `affinity:` in the environment. `{index}` is the container's number.
    #[serde(default)]
    #[schemars(example = ["container!=web*"])]
    pub affinities: Vec<String>,
    /// Whitelist expressions, as if after `whitelist:` in the environment.
    #[serde(default)]
    #[schemars(example = ["node==web-1|web-2"])]
    pub whitelists: Vec<String>,
    /// Published ports.
    #[serde(default)]
    #[schemars(example = ["8080:80"])]
    pub ports: Vec<Text<PortBinding>>,
    /// Exposed ports; they matter in network mode `host` only.
    #[serde(default)]
    #[schemars(example = ["80/tcp"])]
    pub expose: Vec<Text<ExposedPort>>,
    /// Network mode: `host`, `container:NAME` or the name of a network. `{index}` is the container's number.
    #[schemars(example = &"container:db-1")]
    pub network: Option<String>,
    /// Containers to link to, NAME[:ALIAS]. `{index}` is the container's number.
    #[serde(default)]
    #[schemars(example = ["db-1:database"])]
    pub links: Vec<String>,
    /// Containers whose volumes to mount, NAME[:MODE]. `{index}` is the container's number.
    #[serde(default)]
    #[schemars(example = ["data-1:ro"])]
    pub volumes_from: Vec<String>,
    /// Containers asked for at each arrival.
    #[serde(default = "default_replicas")]
    #[schemars(range(min = 1))]
    pub replicas: u32,
    /// What happens when a container exits. Default: "no".
    pub restart: Option<Text<Restart>>,
    /// Probability that an exit is a failure.
    #[serde(default)]
    pub failure: f64,
    /// Time between an exit and the restart.
    #[serde(default = "default_restart_delay")]
    pub restart_delay: Text<Duration>,
    /// What happens when the container's node fails. Default: "off".
    pub reschedule: Option<Reschedule>,
    /// Whether a container that has exited is removed. One that stays keeps its reservation, its slot and its ports
    /// (these not with `stopped-ports` among the corrections in `strict`).
    #[serde(default = "default_remove_on_exit")]
    pub remove_on_exit: bool,
    /// What the client does when no node can take the container. Default: that of `run`.
    pub on_rejection: Option<OnRejection>,
    /// A recorded workload, instead of `arrivals`, `cpus` and `memory`. The other keys apply to every row, a `lifetime`
    /// too, which must be the same for all; `start`, `stop` and `limit` cut the rows.
    pub trace: Option<TraceTable>,
}

fn default_replicas() -> u32 {
    1
}

fn default_restart_delay() -> Text<Duration> {
    Text(Duration::from_millis(100))
}

fn default_remove_on_exit() -> bool {
    true
}

/// When containers are asked for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(tag = "process", rename_all = "kebab-case", deny_unknown_fields)]
pub(in crate::scenario) enum Arrivals {
    /// Independently of each other, at a constant mean rate.
    Poisson {
        /// Mean rate.
        rate: Text<Rate>,
    },
    /// At equal intervals, the first at the start.
    Fixed {
        /// Time between two arrivals.
        interval: Text<Duration>,
    },
    /// Several at once, at equal intervals, the first at the start.
    Burst {
        /// Arrivals in a group.
        #[schemars(range(min = 1))]
        size: u32,
        /// Time between two groups.
        interval: Text<Duration>,
    },
    /// Independently of each other, at a rate that swings with the time of day.
    Diurnal {
        /// Mean rate.
        rate: Text<Rate>,
        /// Relative swing: 0 is constant, 1 drops to nothing.
        amplitude: f64,
        /// Length of a cycle.
        #[serde(default = "default_period")]
        period: Text<Duration>,
        /// When in the cycle the rate is highest.
        #[serde(default)]
        peak: Option<Text<Duration>>,
    },
    /// All at once at the start.
    AtStart {
        /// How many.
        #[schemars(range(min = 1))]
        count: u64,
    },
}

fn default_period() -> Text<Duration> {
    Text(Duration::from_secs(86_400))
}

/// How long a container runs.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(in crate::scenario) enum Lifetime {
    /// Until something ends it from outside.
    Forever(Forever),
    /// For an amount of time.
    Amount(Amount<Text<Duration>>),
}

/// Without an end.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::scenario) enum Forever {
    /// Without an end.
    Forever,
}

/// What happens to a container when its node fails.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::scenario) enum Reschedule {
    /// It is lost with its node.
    Off,
    /// It is placed again on another node.
    OnNodeFailure,
}

/// What a client does when no node can take its container.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(
    tag = "action",
    rename_all = "kebab-case",
    rename_all_fields = "kebab-case",
    deny_unknown_fields
)]
pub(in crate::scenario) enum OnRejection {
    /// It gives up.
    Drop {},
    /// It asks again later.
    Retry {
        /// Wait before the first retry.
        #[serde(default = "default_backoff")]
        backoff: Text<Duration>,
        /// Each further wait is so many times longer.
        #[serde(default = "default_factor")]
        factor: f64,
        /// Longest wait.
        #[serde(default = "default_backoff_max")]
        backoff_max: Text<Duration>,
        /// Retries before it gives up.
        #[serde(default = "default_retries")]
        #[schemars(range(min = 1))]
        limit: u32,
    },
    /// It waits in one queue of the whole cluster, which is tried in order of arrival whenever the cluster changes.
    Queue {
        /// Longest queue; who finds it full gives up. Default: no limit.
        #[serde(default)]
        #[schemars(range(min = 1))]
        limit: Option<u32>,
        /// Whether it may be placed before those that came earlier.
        #[serde(default)]
        discipline: Discipline,
    },
}

/// Whether a container in the queue may be placed before those that came earlier.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::scenario) enum Discipline {
    /// Never: one that finds no place holds up all that come after it.
    #[default]
    Fifo,
    /// If no node takes any of those now. No room is held for those that are passed.
    Backfill,
}

fn default_backoff() -> Text<Duration> {
    Text(Duration::from_secs(1))
}

fn default_factor() -> f64 {
    2.0
}

fn default_backoff_max() -> Text<Duration> {
    Text(Duration::from_secs(60))
}

fn default_retries() -> u32 {
    5
}

/// A recorded workload in a file.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(in crate::scenario) struct TraceTable {
    /// What the columns are.
    pub format: TraceFormat,
    /// The file, relative to the directory of the traces.
    #[schemars(example = &"openb_pod_list_default.csv")]
    pub file: String,
    /// The time in the trace at which the run starts. Default: 0.
    pub origin: Option<Origin>,
}

/// The time in a trace at which the run starts.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(in crate::scenario) enum Origin {
    /// That of its first row.
    First(First),
    /// So many seconds, as the trace counts them. Rows before are left out.
    Seconds(#[schemars(range(min = 0))] serde_json::Number),
}

/// The first row.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::scenario) enum First {
    /// The first row.
    First,
}

/// Formats of recorded workloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::scenario) enum TraceFormat {
    /// Our own: columns by name, arrival_s (required), lifetime_s, cpus, memory_mib, name, image, constraints,
    /// affinities, labels, ports and resource.NAME.
    Csv,
    /// A pod list of Alibaba's "openb" cluster. GPUs become the resource `gpu-milli`; an acceptable GPU model becomes a
    /// constraint on the label `model`.
    Openb,
}
