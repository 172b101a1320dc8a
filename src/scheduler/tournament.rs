//! The best of many nodes for one request, kept up to date node by node.

use crate::cluster::{Cluster, Node};

use super::weight::Key;

/// A segment tree over the nodes in tie order: each inner place holds the greatest key below it.
#[derive(Clone, Debug)]
pub(super) struct Tournament {
    /// Number of leaves: a power of two, at least the number of nodes.
    leaves: usize,
    /// Inner places from index 1, leaves from index `leaves`.
    keys: Vec<Key>,
    /// Accepted nodes below each place; empty unless asked for.
    accepted: Vec<u32>,
    /// State of the cluster that the tree reflects.
    revision: u64,
    layout: u64,
}

impl Tournament {
    /// Plays all nodes; `counted` also counts the accepted ones, which drawing one of them needs.
    pub(super) fn new(cluster: &Cluster, counted: bool, key: impl Fn(&Node) -> Key) -> Tournament {
        let leaves = cluster.order().len().next_power_of_two();
        let mut tournament = Tournament {
            leaves,
            keys: vec![Key::ABSENT; 2 * leaves],
            accepted: vec![0; if counted { 2 * leaves } else { 0 }],
            revision: 0,
            layout: 0,
        };
        tournament.rebuild(cluster, key);
        tournament
    }

    /// Bytes that a tree over so many nodes takes.
    pub(super) fn size(nodes: usize, counted: bool) -> usize {
        let per_place = size_of::<Key>() + if counted { size_of::<u32>() } else { 0 };
        2 * nodes.next_power_of_two() * per_place
    }

    /// How many changes there are to take in; `None` if everything has to be entered anew.
    pub(super) fn behind(&self, cluster: &Cluster) -> Option<u64> {
        let changed = cluster.changed_since(self.revision)?;
        (self.layout == cluster.layout()).then_some(changed.len() as u64)
    }

    /// Takes in what has changed since the last time.
    pub(super) fn sync(&mut self, cluster: &Cluster, key: impl Fn(&Node) -> Key) {
        if self.layout != cluster.layout() {
            self.leaves = cluster.order().len().next_power_of_two();
            let counted = !self.accepted.is_empty();
            self.keys = vec![Key::ABSENT; 2 * self.leaves];
            self.accepted = vec![0; if counted { 2 * self.leaves } else { 0 }];
            return self.rebuild(cluster, key);
        }
        match cluster.changed_since(self.revision) {
            Some(changed) if changed.len() <= self.leaves => {
                for idx in changed {
                    if let Some(position) = cluster.position(*idx) {
                        self.set(position, key(cluster.node(*idx)));
                    }
                }
                self.revision = cluster.revision();
            }
            _ => self.rebuild(cluster, key),
        }
    }

    /// The greatest key.
    pub(super) fn best_key(&self) -> Key {
        self.keys[1]
    }

    /// The first position that has the greatest key.
    pub(super) fn best_position(&self) -> usize {
        let best = self.keys[1];
        let mut place = 1;
        while place < self.leaves {
            place *= 2;
            if self.keys[place] != best {
                place += 1;
            }
        }
        place - self.leaves
    }

    /// How many nodes are accepted, if counted.
    pub(super) fn accepted(&self) -> u32 {
        self.accepted.get(1).copied().unwrap_or(0)
    }

    /// The position of the accepted node with this number, from 0, in tie order.
    pub(super) fn accepted_position(&self, mut number: u32) -> usize {
        let mut place = 1;
        while place < self.leaves {
            place *= 2;
            if number >= self.accepted[place] {
                number -= self.accepted[place];
                place += 1;
            }
        }
        place - self.leaves
    }

    fn rebuild(&mut self, cluster: &Cluster, key: impl Fn(&Node) -> Key) {
        for (position, (_, node)) in cluster.nodes().enumerate() {
            self.keys[self.leaves + position] = key(node);
        }
        for place in (1..self.leaves).rev() {
            self.keys[place] = self.keys[2 * place].max(self.keys[2 * place + 1]);
        }
        if !self.accepted.is_empty() {
            for place in self.leaves..2 * self.leaves {
                self.accepted[place] = u32::from(self.keys[place].is_accepted());
            }
            for place in (1..self.leaves).rev() {
                self.accepted[place] = self.accepted[2 * place] + self.accepted[2 * place + 1];
            }
        }
        self.revision = cluster.revision();
        self.layout = cluster.layout();
    }

    fn set(&mut self, position: usize, key: Key) {
        let leaf = self.leaves + position;
        let before = std::mem::replace(&mut self.keys[leaf], key);
        if before == key {
            return;
        }
        let mut place = leaf / 2;
        while place > 0 {
            let best = self.keys[2 * place].max(self.keys[2 * place + 1]);
            if self.keys[place] == best {
                break;
            }
            self.keys[place] = best;
            place /= 2;
        }
        if !self.accepted.is_empty() && before.is_accepted() != key.is_accepted() {
            let mut place = leaf;
            while place > 0 {
                if key.is_accepted() {
                    self.accepted[place] += 1;
                } else {
                    self.accepted[place] -= 1;
                }
                place /= 2;
            }
        }
    }
}
