//! Which nodes hold which image, so that an expression is asked once per image and not per node.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::cluster::{Cluster, Image, Node};
use crate::scheduler::{Expression, Operator};

use super::alive::Alive;
use super::answers::Answers;
use super::node_set::{Members, NodeSet};
use super::seen::{News, Seen};

/// Images that have come and gone before the table is made anew.
const IMAGES_MAX: usize = 1 << 16;

/// The images of all nodes.
#[derive(Clone, Debug, Default)]
pub(super) struct ImageIndex {
    seen: Seen,
    numbers: FxHashMap<Arc<Image>, u32>,
    members: Vec<Members>,
    /// The numbers of the images that each node holds, by position.
    held: Vec<Vec<u32>>,
    answers: Answers,
}

impl ImageIndex {
    /// Applies an expression over the names of a node's images.
    pub(super) fn restrict(&mut self, cluster: &Cluster, expression: &Expression, alive: &mut Alive) {
        self.sync(cluster);
        let (numbers, members, positions) = (&self.numbers, &self.members, self.held.len());
        let matching = self.answers.of(expression.text(), || {
            let mut set = NodeSet::none(positions);
            for (image, number) in numbers {
                if expression.is_matched_by(image.names()) {
                    members[*number as usize].add_to(&mut set);
                }
            }
            set
        });
        match expression.operator() {
            Operator::Equal => alive.keep(matching),
            Operator::NotEqual => alive.drop(matching),
        }
    }

    fn sync(&mut self, cluster: &Cluster) {
        match self.seen.descriptions(cluster) {
            News::Nodes(changed) if self.members.len() < IMAGES_MAX => {
                for idx in changed {
                    if let Some(position) = cluster.position(*idx) {
                        self.update(position, cluster.node(*idx));
                    }
                }
            }
            News::Nodes(_) | News::Everything => {
                *self = ImageIndex {
                    seen: self.seen,
                    held: vec![Vec::new(); cluster.order().len()],
                    ..ImageIndex::default()
                };
                for (position, (_, node)) in cluster.nodes().enumerate() {
                    self.update(position, node);
                }
            }
        }
    }

    fn update(&mut self, position: usize, node: &Node) {
        let positions = self.held.len();
        let mut held = std::mem::take(&mut self.held[position]);
        for number in held.drain(..) {
            self.members[number as usize].remove(position);
        }
        for image in node.images() {
            // There are no more images than nodes have had.
            let found = self.members.len() as u32;
            let number = *self.numbers.entry(Arc::clone(image)).or_insert(found);
            if number == found {
                self.members.push(Members::none());
            }
            self.members[number as usize].insert(position, positions);
            held.push(number);
        }
        self.held[position] = held;
        self.answers.forget();
    }
}
