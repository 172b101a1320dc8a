//! What is free of further resources, in one column each.

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;

use crate::cluster::Cluster;
use crate::model::units;
use crate::scheduler::filter::resources::free;

use super::alive::Alive;
use super::seen::{News, Seen};

/// Names kept: requests choose them.
const NAMES_MAX: usize = 64;

/// The columns of the resources that requests have asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct ExtraColumns {
    columns: HashMap<String, Column, FxBuildHasher>,
}

#[derive(Clone, Debug, Default)]
struct Column {
    seen: Seen,
    free: Vec<u64>,
}

impl ExtraColumns {
    /// Takes away the nodes that have less than `amount` free of the resource `name`.
    pub(super) fn restrict(&mut self, cluster: &Cluster, name: &str, amount: u64, alive: &mut Alive) {
        if !self.columns.contains_key(name) && self.columns.len() >= NAMES_MAX {
            self.columns.clear();
        }
        let column = self.columns.entry_ref(name).or_default();
        match column.seen.changes(cluster) {
            News::Nodes(changed) => {
                for idx in changed {
                    if let Some(position) = cluster.position(*idx) {
                        column.free[position] = free(cluster.node(*idx), name);
                    }
                }
            }
            News::Everything => column.free = cluster.nodes().map(|(_, node)| free(node, name)).collect(),
        }
        let wanted = units(amount);
        alive.retain(|position| column.free[position] >= wanted);
    }
}
