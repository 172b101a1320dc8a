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
    fn of(time: Time, cluster: &Cluster) -> Occupancy {
        let available = cluster.nodes().filter(|(_, node)| is_available(node));
        let mut containers: Vec<u64> = available.map(|(_, node)| node.containers().len() as u64).collect();
        containers.sort_unstable();
        let groups = containers.chunk_by(|a, b| a == b);
        Occupancy {
            time,
            nodes: groups.map(|group| (group[0], group.len() as u64)).collect(),
        }
    }
}

/// Keeps the last sample and the fullest one, each with the number of containers in the cluster.
#[derive(Clone, Debug, Default)]
pub(super) struct Occupancies {
    last: Option<(u64, Occupancy)>,
    fullest: Option<(u64, Occupancy)>,
}

impl Occupancies {
    /// Adds a sample; one at the time of the last replaces it. Samples before `from` are never the fullest.
    pub(super) fn sample(&mut self, time: Time, from: Time, cluster: &Cluster) {
        if self.last.as_ref().is_some_and(|(_, last)| last.time < time) {
            self.promote(from);
        }
        self.last = Some((cluster.totals().containers, Occupancy::of(time, cluster)));
    }

    /// The last sample, and the first of the fullest.
    pub(super) fn finish(mut self, from: Time) -> (Option<Occupancy>, Option<Occupancy>) {
        let last = self.last.clone();
        self.promote(from);
        (last.map(|(_, last)| last), self.fullest.map(|(_, fullest)| fullest))
    }

    /// Nothing can replace the last sample any more.
    fn promote(&mut self, from: Time) {
        let last = self.last.take().filter(|(_, last)| last.time >= from);
        let record = self.fullest.as_ref().map(|(containers, _)| *containers);
        if last.as_ref().map(|(containers, _)| *containers) > record {
            self.fullest = last;
        }
    }
}
