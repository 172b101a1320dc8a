//! Affinities for which there is no table: every node is asked once, and again when it changes.

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;

use crate::cluster::Cluster;
use crate::scheduler::Expression;
use crate::scheduler::filter::affinity;

use super::alive::Alive;
use super::node_set::NodeSet;
use super::seen::{News, Seen};

/// Expressions kept.
const EXPRESSIONS_MAX: usize = 64;

/// The nodes for which the affinities asked lately hold.
#[derive(Clone, Debug, Default)]
pub(super) struct AskedAffinities {
    by_text: HashMap<String, Asked, FxBuildHasher>,
    clock: u64,
}

#[derive(Clone, Debug, Default)]
struct Asked {
    seen: Seen,
    holding: NodeSet,
    used: u64,
}

impl AskedAffinities {
    /// Applies an affinity over containers.
    pub(super) fn restrict(&mut self, cluster: &Cluster, expression: &Expression, alive: &mut Alive) {
        let text = expression.text();
        if !self.by_text.contains_key(text) && self.by_text.len() >= EXPRESSIONS_MAX {
            self.drop_oldest();
        }
        self.clock += 1;
        let asked = self.by_text.entry_ref(text).or_default();
        asked.used = self.clock;
        asked.sync(cluster, expression);
        alive.keep(&asked.holding);
    }

    fn drop_oldest(&mut self) {
        // Times of use are distinct, so the order of the map does not show.
        let oldest = self.by_text.iter().min_by_key(|(_, asked)| asked.used);
        if let Some(text) = oldest.map(|(text, _)| text.clone()) {
            self.by_text.remove(&text);
        }
    }
}

impl Asked {
    fn sync(&mut self, cluster: &Cluster, expression: &Expression) {
        match self.seen.changes(cluster) {
            News::Nodes(changed) => {
                for idx in changed {
                    if let Some(position) = cluster.position(*idx) {
                        let holds = affinity::holds(cluster, cluster.node(*idx), expression);
                        self.holding.set(position, holds);
                    }
                }
            }
            News::Everything => {
                self.holding = NodeSet::none(cluster.order().len());
                for (position, (_, node)) in cluster.nodes().enumerate() {
                    self.holding.set(position, affinity::holds(cluster, node, expression));
                }
            }
        }
    }
}
