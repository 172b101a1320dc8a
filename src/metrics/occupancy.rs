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
    pub(super) fn of(time: Time, cluster: &Cluster) -> Occupancy {
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
