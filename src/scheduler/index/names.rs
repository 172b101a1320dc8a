//! Which nodes have a name or an ID.

use crate::cluster::{Cluster, Node};
use crate::scheduler::{Expression, Operator};

use super::alive::Alive;
use super::answers::Answers;
use super::node_set::NodeSet;
use super::seen::Seen;

/// Nodes by name and by ID. Neither ever changes; nodes only come and go.
#[derive(Clone, Debug, Default)]
pub(super) struct NameIndex {
    seen: Seen,
    /// Positions in the order of the nodes' IDs.
    by_id: Vec<u32>,
    answers: Answers,
}

impl NameIndex {
    /// Applies an expression over names and IDs.
    pub(super) fn restrict(&mut self, cluster: &Cluster, expression: &Expression, alive: &mut Alive) {
        self.sync(cluster);
        let Some(literal) = expression.literal() else {
            let holding = self.answers.of(expression.text(), || {
                let mut set = NodeSet::none(cluster.order().len());
                for (position, (_, node)) in cluster.nodes().enumerate() {
                    set.set(position, expression.holds([node.id(), node.name()].into_iter()));
                }
                set
            });
            return alive.keep(holding);
        };
        let found = named(cluster, literal).chain(self.identified(cluster, literal));
        match expression.operator() {
            Operator::Equal => alive.keep_only(found),
            Operator::NotEqual => found.for_each(|position| alive.drop_one(position)),
        }
    }

    /// Nodes with this name or ID.
    pub(super) fn called<'a>(&'a mut self, cluster: &'a Cluster, text: &'a str) -> impl Iterator<Item = usize> + 'a {
        self.sync(cluster);
        named(cluster, text).chain(self.identified(cluster, text))
    }

    fn identified<'a>(&'a self, cluster: &'a Cluster, id: &'a str) -> impl Iterator<Item = usize> + 'a {
        let at = |position: &u32| node_at(cluster, *position as usize).id();
        let first = self.by_id.partition_point(|position| at(position) < id);
        let same = self.by_id[first..]
            .iter()
            .take_while(move |position| at(position) == id);
        same.map(|position| *position as usize)
    }

    fn sync(&mut self, cluster: &Cluster) {
        if self.seen.is_other_layout(cluster) {
            self.by_id = (0..cluster.order().len() as u32).collect();
            self.by_id
                .sort_by_key(|position| node_at(cluster, *position as usize).id());
            self.answers.forget();
        }
    }
}

/// Nodes with this name: tie order is first of all that of the names.
pub(super) fn named<'a>(cluster: &'a Cluster, name: &'a str) -> impl Iterator<Item = usize> + 'a {
    let order = cluster.order();
    let first = order.partition_point(|idx| cluster.node(*idx).name() < name);
    let same = order[first..]
        .iter()
        .take_while(move |idx| cluster.node(**idx).name() == name);
    same.enumerate().map(move |(place, _)| first + place)
}

fn node_at(cluster: &Cluster, position: usize) -> &Node {
    cluster.node(cluster.order()[position])
}
