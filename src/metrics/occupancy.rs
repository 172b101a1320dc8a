//! How many containers nodes have.

use std::collections::BTreeMap;

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
    pub(super) fn of(time: Time, cluster: &Cluster) -> Occupancy {
        let mut nodes: BTreeMap<u64, u64> = BTreeMap::new();
        for (_, node) in cluster.nodes().filter(|(_, node)| is_available(node)) {
            *nodes.entry(node.containers().len() as u64).or_default() += 1;
        }
        Occupancy {
            time,
            nodes: nodes.into_iter().collect(),
        }
    }
}
