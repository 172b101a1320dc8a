//! What the available nodes have and what is reserved on them, kept true at constant cost per change.

use crate::cluster::{Cluster, Node};
use crate::model::NodeIdx;

use super::PerResource;
use super::resource::percent;

/// Sums over nodes, brought up to date from the cluster's journal of changed nodes.
#[derive(Clone, Debug)]
pub(super) struct Ledger {
    /// By node index.
    nodes: Vec<Entry>,
    sums: Sums,
    state: State,
    /// As of which revision and layout of the cluster; `None` before the first look.
    seen: Option<(u64, u64)>,
}

/// What one node contributes: nothing unless it is available.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Entry {
    available: bool,
    capacity: PerResource<u64>,
    reserved: PerResource<u64>,
}

/// Sums over the available nodes, in nano CPUs and bytes.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    /// Real capacity.
    capacity: PerResource<u128>,
    /// Reserved.
    reserved: PerResource<u128>,
    /// Σ max(0, reserved − real).
    excess: PerResource<u128>,
    /// How many there are.
    nodes: u32,
}

/// What the sums say, worked out once per change.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct State {
    /// Reserved in percent of real capacity; `None` while no node is available.
    pub reserved_pct: PerResource<Option<f64>>,
    /// Σ max(0, reserved − real) in percent of real capacity; `None` while no node is available.
    pub overcommitted_pct: PerResource<Option<f64>>,
    /// Nodes that may take containers.
    pub available_nodes: u32,
    /// Nodes with at least one container, available or not.
    pub active_nodes: u32,
    /// Containers in any state, on any node.
    pub containers: u64,
}

/// Whether a node may take containers: it is in the cluster, schedulable, and its health indicator is above zero.
pub(super) fn is_available(node: &Node) -> bool {
    // A removed node is not schedulable.
    node.is_schedulable() && node.health() > 0
}

impl Ledger {
    pub(super) fn new() -> Ledger {
        Ledger {
            nodes: Vec::new(),
            sums: Sums::default(),
            state: State::default(),
            seen: None,
        }
    }

    /// Catches up with the cluster.
    pub(super) fn sync(&mut self, cluster: &Cluster) {
        let now = (cluster.revision(), cluster.layout());
        if self.seen == Some(now) {
            return;
        }
        let same_layout = self.seen.is_some_and(|(_, layout)| layout == now.1);
        let changed = self.seen.filter(|_| same_layout);
        match changed.and_then(|(revision, _)| cluster.changed_since(revision)) {
            Some(nodes) => nodes.iter().for_each(|idx| self.touch(cluster, *idx)),
            None => self.rebuild(cluster),
        }
        let totals = cluster.totals();
        self.state = State {
            reserved_pct: self.sums.reserved.zip(self.sums.capacity, percent),
            overcommitted_pct: self.sums.excess.zip(self.sums.capacity, percent),
            available_nodes: self.sums.nodes,
            active_nodes: totals.active_nodes,
            containers: totals.containers,
        };
        self.seen = Some(now);
    }

    /// The state at the last look.
    pub(super) fn state(&self) -> &State {
        &self.state
    }

    fn rebuild(&mut self, cluster: &Cluster) {
        self.nodes.clear();
        self.sums = Sums::default();
        for (idx, _) in cluster.nodes() {
            self.touch(cluster, idx);
        }
    }

    fn touch(&mut self, cluster: &Cluster, idx: NodeIdx) {
        if self.nodes.len() <= idx.index() {
            self.nodes.resize(idx.index() + 1, Entry::default());
        }
        let node = cluster.node(idx);
        let entry = if is_available(node) {
            Entry {
                available: true,
                capacity: node.capacity().into(),
                reserved: node.used().into(),
            }
        } else {
            Entry::default()
        };
        let old = std::mem::replace(&mut self.nodes[idx.index()], entry);
        self.sums.replace(&old, &entry);
    }
}

impl Sums {
    fn replace(&mut self, old: &Entry, new: &Entry) {
        // Adding before subtracting keeps unsigned sums from passing below zero.
        let swap = |sum: u128, (old, new): (u64, u64)| sum + u128::from(new) - u128::from(old);
        let both = |old: PerResource<u64>, new| old.zip(new, |old, new| (old, new));
        let excess = |entry: &Entry| entry.reserved.zip(entry.capacity, u64::saturating_sub);
        self.capacity = self.capacity.zip(both(old.capacity, new.capacity), swap);
        self.reserved = self.reserved.zip(both(old.reserved, new.reserved), swap);
        self.excess = self.excess.zip(both(excess(old), excess(new)), swap);
        self.nodes += u32::from(new.available);
        self.nodes -= u32::from(old.available);
    }
}
