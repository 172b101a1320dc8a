//! Which nodes have which value of a label, so that an expression is asked once per value and not per node.

use hashbrown::HashMap;
use rustc_hash::{FxBuildHasher, FxHashMap};

use crate::cluster::{Cluster, Node};
use crate::scheduler::Expression;

use super::alive::Alive;
use super::answers::Answers;
use super::node_set::{Members, NodeSet};
use super::seen::{News, Seen};

/// Keys kept: requests choose them.
const KEYS_MAX: usize = 64;

/// The labels that requests have asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct LabelIndex {
    keys: HashMap<String, Values, FxBuildHasher>,
}

/// The values of one label. A node without the label has the empty value.
#[derive(Clone, Debug, Default)]
pub(super) struct Values {
    seen: Seen,
    numbers: FxHashMap<Box<str>, u32>,
    members: Vec<Members>,
    /// The number of each node's value, by position.
    value_of: Vec<u32>,
    answers: Answers,
}

impl LabelIndex {
    /// The values of the label `key`, up to date.
    pub(super) fn values(&mut self, cluster: &Cluster, key: &str) -> &mut Values {
        if !self.keys.contains_key(key) && self.keys.len() >= KEYS_MAX {
            self.keys.clear();
        }
        let values = self.keys.entry_ref(key).or_default();
        values.sync(cluster, key);
        values
    }
}

impl Values {
    /// Applies an expression over this label.
    pub(super) fn restrict(&mut self, expression: &Expression, alive: &mut Alive) {
        if let Some(literal) = expression.literal() {
            let nobody = Members::none();
            let number = self.numbers.get(literal);
            let members = number.map_or(&nobody, |number| &self.members[*number as usize]);
            return alive.apply(expression.operator(), members);
        }
        let (numbers, members, positions) = (&self.numbers, &self.members, self.value_of.len());
        let holding = self.answers.of(expression.text(), || {
            let mut set = NodeSet::none(positions);
            for (value, number) in numbers {
                if expression.holds([&**value].into_iter()) {
                    members[*number as usize].add_to(&mut set);
                }
            }
            set
        });
        alive.keep(holding);
    }

    /// The nodes that have one of these values.
    pub(super) fn having<'a>(&self, listed: impl Iterator<Item = &'a str>) -> NodeSet {
        let mut set = NodeSet::none(self.value_of.len());
        for number in listed.filter_map(|value| self.numbers.get(value)) {
            self.members[*number as usize].add_to(&mut set);
        }
        set
    }

    fn sync(&mut self, cluster: &Cluster, key: &str) {
        match self.seen.descriptions(cluster) {
            News::Nodes(changed) => {
                for idx in changed {
                    if let Some(position) = cluster.position(*idx) {
                        self.update(position, value(cluster.node(*idx), key));
                    }
                }
            }
            News::Everything => {
                self.numbers.clear();
                self.members.clear();
                self.value_of.clear();
                self.answers.forget();
                let positions = cluster.order().len();
                for (position, (_, node)) in cluster.nodes().enumerate() {
                    let number = self.number(value(node, key));
                    self.value_of.push(number);
                    self.members[number as usize].insert(position, positions);
                }
            }
        }
    }

    fn update(&mut self, position: usize, value: &str) {
        let number = self.number(value);
        let before = std::mem::replace(&mut self.value_of[position], number);
        if before != number {
            self.members[before as usize].remove(position);
            self.members[number as usize].insert(position, self.value_of.len());
            self.answers.forget();
        }
    }

    fn number(&mut self, value: &str) -> u32 {
        if let Some(number) = self.numbers.get(value) {
            return *number;
        }
        // There are no more values than nodes have had.
        let number = self.members.len() as u32;
        self.numbers.insert(value.into(), number);
        self.members.push(Members::none());
        number
    }
}

fn value<'a>(node: &'a Node, key: &str) -> &'a str {
    node.labels().get(key).map_or("", String::as_str)
}
