//! `[cluster]` and `[images]`.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::{Bytes, Cpus};
use crate::scenario::units::Bandwidth;

use super::Text;

/// The machines.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(in crate::scenario) struct ClusterTable {
    /// How much more than a node has may be reserved on it: 0.05 is 5 %. A group may differ.
    #[serde(default = "default_overcommit")]
    pub overcommit: f64,
    /// Groups of equal nodes, by name.
    pub nodes: IndexMap<String, NodeTable>,
}

fn default_overcommit() -> f64 {
    0.05
}

/// A group of nodes: so many equal ones, or those of a list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(in crate::scenario) struct NodeTable {
    /// How many nodes. Default: 1.
    #[schemars(range(min = 1))]
    pub count: Option<u64>,
    /// Names of the nodes; `{index}` counts from 1, padded with zeros to equal width. Default: `GROUP-{index}`.
    #[schemars(example = &"web-{index}")]
    pub name: Option<String>,
    /// CPUs of each node.
    pub cpus: Option<Text<Cpus>>,
    /// Memory of each node.
    pub memory: Option<Text<Bytes>>,
    /// Engine labels: the same value for every node, or values shared out among the nodes.
    #[serde(default)]
    #[schemars(example = serde_json::json!({ "tier": "front", "zone": { "cycle": ["a", "b", "c"] } }))]
    pub labels: IndexMap<String, LabelValue>,
    /// Images that the nodes hold from the start.
    #[serde(default)]
    #[schemars(example = ["nginx:1.27"])]
    pub images: Vec<String>,
    /// How many containers each node takes; sets the label `containerslots`. Default: any number.
    pub slots: Option<u32>,
    /// How much more than a node has may be reserved on it. Default: that of the cluster.
    pub overcommit: Option<f64>,
    /// Further resources of each node, in whole units.
    #[serde(default)]
    #[schemars(example = serde_json::json!({ "gpu": 4 }))]
    pub resources: IndexMap<String, u64>,
    /// How fast each node pulls images. Default: pulls take no time.
    pub bandwidth: Option<Text<Bandwidth>>,
    /// Whether the nodes are in the cluster from the start; others join by an event.
    #[serde(default = "default_present")]
    pub present: bool,
    /// A list of nodes, instead of `count`, `name`, `cpus` and `memory`.
    pub trace: Option<NodeTrace>,
}

fn default_present() -> bool {
    true
}

/// A list of nodes in a file.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(in crate::scenario) struct NodeTrace {
    /// What the columns are.
    pub format: NodeTraceFormat,
    /// The file, relative to the directory of the traces.
    #[schemars(example = &"openb_node_list_all_node.csv")]
    pub file: String,
}

/// Formats of lists of nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::scenario) enum NodeTraceFormat {
    /// A node list of Alibaba's "openb" cluster: sn, cpu_milli, memory_mib, gpu, model. GPUs become the resource
    /// `gpu-milli`, a thousand for each; the model becomes the label `model`.
    Openb,
}

/// The value of an engine label for the nodes of a group.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(in crate::scenario) enum LabelValue {
    /// The same for every node.
    Same(String),
    /// One after the other, over and over again.
    Cycle(Cycle),
    /// In proportion to weights.
    Weighted(Weighted),
}

/// Values dealt out to the nodes in turn.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct Cycle {
    /// The values, in turn.
    #[schemars(length(min = 1), example = ["a", "b", "c"])]
    pub cycle: Vec<String>,
}

/// Values dealt out to the nodes in proportion, evenly spread and always in the same way.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct Weighted {
    /// The values and their weights.
    #[schemars(example = serde_json::json!({ "ssd": 1, "hdd": 3 }))]
    pub weighted: IndexMap<String, f64>,
}

/// An image whose pull takes time: either its size, or its layers.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(in crate::scenario) struct ImageTable {
    /// Size of an image that shares nothing with others.
    pub size: Option<Text<Bytes>>,
    /// Sizes of its layers by name. A layer is shared with every image that names it, and pulled once for all of them.
    #[schemars(example = serde_json::json!({ "debian": "75MiB", "nginx": "65MiB" }))]
    pub layers: Option<IndexMap<String, Text<Bytes>>>,
}
