//! One node of a cluster, with the sums that decisions need.

use std::sync::Arc;

use crate::model::{ContainerIdx, Labels, Name, NodeIdx, Overcommit, PortBinding, Resources, units};

use super::Image;

/// The label that limits the number of containers on a node.
const SLOTS_LABEL: &str = "containerslots";

/// Health of a node without failures.
pub const HEALTHY: u8 = 100;

/// The health indicator of a node whose daemon could not be reached `failures` times in a row, when it counts as
/// unhealthy from `limit` times on (`scheduler/RULES.md` §7.3): 100, 67, 34 and 0 by default.
pub fn health_indicator(failures: u32, limit: u32) -> u8 {
    if failures >= limit {
        return 0;
    }
    let lost = u64::from(failures) * u64::from(HEALTHY) / u64::from(limit);
    // Fewer failures than the limit lose less than everything.
    HEALTHY - lost as u8
}

/// A node that enters a cluster.
#[derive(Clone, Debug, Default)]
pub struct NewNode {
    /// Identity as constraints see it; live nodes have `<daemon ID>|<address>`.
    pub id: String,
    /// Name; ties between nodes are broken by its byte order, then by that of the ID.
    pub name: String,
    /// What the node really has.
    pub capacity: Resources,
    /// How much more may be reserved.
    pub overcommit: Overcommit,
    /// Engine labels.
    pub labels: Labels,
    /// Further resources in whole units, by name.
    pub extra: Vec<(String, u64)>,
}

/// An alteration of a node that is not about its containers.
#[derive(Clone, Debug)]
pub enum NodeChange {
    /// The health indicator: 0 is unhealthy, [`HEALTHY`] is without failures (`scheduler/RULES.md` §7.3).
    Health(u8),
    /// Whether the node is a candidate at all. One that is not is seen by no filter, not even `health`.
    Schedulable(bool),
    /// All engine labels.
    Labels(Labels),
    /// What the node really has, and how much more may be reserved.
    Capacity(Resources, Overcommit),
    /// The node holds one more image.
    AddImage(Arc<Image>),
    /// The node no longer holds the image.
    RemoveImage(Arc<Image>),
}

/// A node as its owner, the [`Cluster`](super::Cluster), keeps it.
#[derive(Clone, Debug)]
pub struct Node {
    pub(super) idx: NodeIdx,
    pub(super) id: String,
    pub(super) name: String,
    pub(super) labels: Arc<Labels>,
    pub(super) slots: Option<i64>,
    pub(super) health: u8,
    pub(super) schedulable: bool,
    pub(super) capacity: Resources,
    pub(super) overcommit: Overcommit,
    pub(super) total: Resources,
    pub(super) used: Used,
    pub(super) extra: Vec<Extra>,
    pub(super) images: Vec<Arc<Image>>,
    pub(super) containers: Vec<ContainerIdx>,
    pub(super) ports: Vec<OccupiedPort>,
    pub(super) host_mode_ports: Vec<HostModePort>,
    /// Raised whenever either of the two lists above changes.
    pub(super) port_changes: u64,
    /// Rank in tie order; meaningless once removed.
    pub(super) position: u32,
}

/// Reserved amounts. Each container's share is capped, so that thousands of the largest fit in 64 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// Nano CPUs.
    pub cpus: u64,
    /// Bytes.
    pub memory: u64,
}

/// A further resource of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extra {
    /// Name, such as `gpu`.
    pub name: String,
    /// Units the node has.
    pub total: u64,
    /// Units that its containers have reserved.
    pub used: u64,
}

/// A host port that a container occupies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OccupiedPort {
    /// The binding; its host port is never empty.
    pub binding: PortBinding,
    /// Whether it binds all interfaces.
    pub all_interfaces: bool,
    /// Who occupies it.
    pub container: ContainerIdx,
    /// Whether that container has stopped: whether it then keeps its ports is for the scheduler to say.
    pub stopped: bool,
}

/// A port that a container in network mode `host` exposes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostModePort {
    /// Port and protocol, such as `80/tcp`.
    pub port: Name,
    /// Who exposes it.
    pub container: ContainerIdx,
    /// As in [`OccupiedPort`].
    pub stopped: bool,
}

impl Node {
    /// A node from what is said of it, its labels excepted, which come apart.
    pub(super) fn new(idx: NodeIdx, new: NewNode, labels: Arc<Labels>) -> Node {
        let mut extra: Vec<Extra> = new
            .extra
            .into_iter()
            .map(|(name, total)| Extra {
                name,
                total: units(total),
                used: 0,
            })
            .collect();
        extra.sort_by(|a, b| a.name.cmp(&b.name));
        Node {
            idx,
            id: new.id,
            name: new.name,
            slots: slots(&labels),
            labels,
            health: HEALTHY,
            schedulable: true,
            total: new.overcommit.apply(new.capacity),
            capacity: new.capacity,
            overcommit: new.overcommit,
            used: Used::default(),
            extra,
            images: Vec::new(),
            containers: Vec::new(),
            ports: Vec::new(),
            host_mode_ports: Vec::new(),
            port_changes: 0,
            position: 0,
        }
    }

    /// Its place in the cluster.
    pub fn index(&self) -> NodeIdx {
        self.idx
    }

    /// Identity as constraints see it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Engine labels.
    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    /// Largest number of containers, if the label `containerslots` gives one.
    pub fn slots(&self) -> Option<i64> {
        self.slots
    }

    /// Health indicator, 0 to 100.
    pub fn health(&self) -> u8 {
        self.health
    }

    /// Whether it is a candidate for containers at all.
    pub fn is_schedulable(&self) -> bool {
        self.schedulable
    }

    /// What it really has.
    pub fn capacity(&self) -> Resources {
        self.capacity
    }

    /// How much more may be reserved on it.
    pub fn overcommit(&self) -> Overcommit {
        self.overcommit
    }

    /// What may be reserved on it: capacity and overcommit.
    pub fn total(&self) -> Resources {
        self.total
    }

    /// What is reserved on it, by containers in any state.
    pub fn used(&self) -> Used {
        self.used
    }

    /// Further resources, sorted by name.
    pub fn extra(&self) -> &[Extra] {
        &self.extra
    }

    /// Images it holds.
    pub fn images(&self) -> &[Arc<Image>] {
        &self.images
    }

    /// Its containers in any state, pending ones included, in no particular order.
    pub fn containers(&self) -> &[ContainerIdx] {
        &self.containers
    }

    /// Host ports that its containers have bound, or asked for, whatever their network mode.
    pub fn ports(&self) -> &[OccupiedPort] {
        &self.ports
    }

    /// Ports exposed by the reported containers in network mode `host`.
    pub fn host_mode_ports(&self) -> &[HostModePort] {
        &self.host_mode_ports
    }

    /// Raised whenever the ports that its containers occupy change.
    pub fn port_changes(&self) -> u64 {
        self.port_changes
    }

    pub(super) fn set_labels(&mut self, labels: Arc<Labels>) {
        self.slots = slots(&labels);
        self.labels = labels;
    }
}

fn slots(labels: &Labels) -> Option<i64> {
    labels.get(SLOTS_LABEL).and_then(|text| text.parse().ok())
}

impl Default for Overcommit {
    fn default() -> Overcommit {
        Overcommit::DEFAULT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn health_falls_with_failures() {
        assert_eq!(
            [0, 1, 2, 3, 4].map(|failures| health_indicator(failures, 3)),
            [100, 67, 34, 0, 0]
        );
        assert_eq!(health_indicator(0, 0), 0);
        assert_eq!(health_indicator(u32::MAX - 1, u32::MAX), 1);
    }
}
