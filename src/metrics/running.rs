//! How many containers run.

use std::hash::BuildHasher;

use rustc_hash::{FxBuildHasher, FxHashSet};

use crate::model::{NodeIdx, ReschedulePolicy};
use crate::sim::Subject;

/// Counts containers that run, by node: a node that is lost takes what runs on it along. Only containers that may be
/// moved off a living node are remembered one by one. Between an exit and a restart a container counts as running.
#[derive(Clone, Debug, Default)]
pub(super) struct Running {
    total: u64,
    by_node: Vec<u64>,
    /// Hashes of the names of the movable containers that run. Two of a million names share a hash once in tens of
    /// millions of runs, and then a curve is one off.
    movable: FxHashSet<u64>,
}

impl Running {
    /// Containers that run.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// Started for the first time on its node.
    pub(super) fn started(&mut self, subject: &Subject<'_>, node: NodeIdx) {
        if self.by_node.len() <= node.index() {
            self.by_node.resize(node.index() + 1, 0);
        }
        self.by_node[node.index()] += 1;
        self.total += 1;
        if is_movable(subject) {
            self.movable.insert(FxBuildHasher.hash_one(subject.name));
        }
    }

    /// Exited for good.
    pub(super) fn exited(&mut self, subject: &Subject<'_>, node: NodeIdx) {
        self.stop(node, 1);
        if is_movable(subject) {
            self.movable.remove(&FxBuildHasher.hash_one(subject.name));
        }
    }

    /// A container is gone from its node, whether it ran or not.
    pub(super) fn lost(&mut self, subject: &Subject<'_>, node: NodeIdx) {
        if is_movable(subject) && self.movable.remove(&FxBuildHasher.hash_one(subject.name)) {
            self.stop(node, 1);
        }
    }

    /// A node is gone, with everything that ran on it.
    pub(super) fn node_lost(&mut self, node: NodeIdx) {
        self.stop(node, u64::MAX);
    }

    /// At most so many stop. None do on a node that is gone, when its containers are reported lost one by one.
    fn stop(&mut self, node: NodeIdx, at_most: u64) {
        if let Some(running) = self.by_node.get_mut(node.index()) {
            let stopping = at_most.min(*running);
            *running -= stopping;
            self.total -= stopping;
        }
    }
}

fn is_movable(subject: &Subject<'_>) -> bool {
    match subject.request.reschedule {
        ReschedulePolicy::OnNodeFailure => true,
        ReschedulePolicy::Off => false,
    }
}
