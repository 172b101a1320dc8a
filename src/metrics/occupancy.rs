//! How many containers nodes have.

use crate::cluster::Cluster;
use crate::model::Time;

use super::ledger::is_available;

/// How many available nodes had how many containers at one instant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Occupancy {
    /// When.
    pub time: Time,
    /// Number of containers and number of nodes that had so many, by number of containers.
    pub nodes: Vec<(u64, u64)>,
}

impl Occupancy {
    /// Becomes that of the cluster. `containers` is room to count in.
    fn look(&mut self, time: Time, cluster: &Cluster, containers: &mut Vec<u64>) {
        let available = cluster.nodes().filter(|(_, node)| is_available(node));
        containers.clear();
        containers.extend(available.map(|(_, node)| node.containers().len() as u64));
        containers.sort_unstable();
        let groups = containers.chunk_by(|a, b| a == b);
        self.time = time;
        self.nodes.clear();
        self.nodes.extend(groups.map(|group| (group[0], group.len() as u64)));
    }
}

/// Keeps the last sample and the fullest one, each with the number of containers in the cluster.
#[derive(Clone, Debug, Default)]
pub(super) struct Occupancies {
    last: Option<(u64, Occupancy)>,
    fullest: Option<(u64, Occupancy)>,
    /// What is used again from one sample to the next.
    spare: Occupancy,
    containers: Vec<u64>,
}

impl Occupancies {
    /// Adds a sample; one at the time of the last replaces it. Samples before `from` are never the fullest.
    pub(super) fn sample(&mut self, time: Time, from: Time, cluster: &Cluster) {
        if self.last.as_ref().is_some_and(|(_, last)| last.time < time) {
            self.promote(from);
        }
        let mut occupancy = match self.last.take() {
            Some((_, replaced)) => replaced,
            None => std::mem::take(&mut self.spare),
        };
        occupancy.look(time, cluster, &mut self.containers);
        self.last = Some((cluster.totals().containers, occupancy));
    }

    /// The last sample, and the first of the fullest.
    pub(super) fn finish(mut self, from: Time) -> (Option<Occupancy>, Option<Occupancy>) {
        let last = self.last.clone();
        self.promote(from);
        (last.map(|(_, last)| last), self.fullest.map(|(_, fullest)| fullest))
    }

    /// Nothing can replace the last sample any more.
    fn promote(&mut self, from: Time) {
        let Some((containers, last)) = self.last.take() else {
            return;
        };
        let record = self.fullest.as_ref().map(|(containers, _)| *containers);
        let passed = if last.time >= from && Some(containers) > record {
            self.fullest.replace((containers, last)).map(|(_, before)| before)
        } else {
            Some(last)
        };
        self.spare = passed.unwrap_or_default();
    }
}
