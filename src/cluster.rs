//! The one owner of cluster state: nodes, what runs on them, and the sums and look-up tables kept over both.
//!
//! Owns every fact that a decision reads. It is altered only by [`Cluster::add_node`], [`Cluster::update_node`],
//! [`Cluster::remove_node`], [`Cluster::place`], [`Cluster::commit`], [`Cluster::adopt`], [`Cluster::amend`],
//! [`Cluster::set_stopped`], [`Cluster::remove`], [`Cluster::fail`], [`Cluster::keep_name`] and
//! [`Cluster::release_name`], each of which keeps the sums and tables true. A handle of a container that has been
//! removed is answered with nothing, and alters nothing. Must not know filters, strategies, clocks or JSON.

mod check;
mod container;
mod image;
mod journal;
mod kept;
mod label_sets;
mod lookup;
mod names;
mod node;
mod report;

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::sync::Arc;

pub use container::{Container, Identity};
pub use image::{Image, repository};
pub use node::{Extra, HEALTHY, HostModePort, NewNode, Node, NodeChange, OccupiedPort, Used, health_indicator};
pub use report::Report;

use crate::model::{ContainerIdx, Name, NodeIdx, Request, Resources, units};

use journal::Journal;
use kept::KeptNames;
use label_sets::LabelSets;
use names::NameTable;

/// Nodes and containers.
#[derive(Clone, Debug, Default)]
pub struct Cluster {
    nodes: Vec<Node>,
    /// Nodes that have not been removed, in tie order: by name, then by ID.
    order: Vec<NodeIdx>,
    containers: Vec<Option<Container>>,
    /// The handles of the next containers at the places that are empty.
    free: Vec<ContainerIdx>,
    /// Places at which there have been as many containers as handles can tell apart.
    given_up: usize,
    names: NameTable,
    kept: KeptNames,
    label_sets: LabelSets,
    ids: BTreeSet<(Box<str>, ContainerIdx)>,
    swarm_ids: BTreeSet<(Box<str>, ContainerIdx)>,
    journal: Journal,
    /// The changes of labels and images among those of `journal`: rare, and all that a look-up table of either needs.
    descriptions: Journal,
    layout: u64,
    totals: Totals,
}

/// Sums over all nodes that have not been removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Reserved nano CPUs.
    pub cpus: u64,
    /// Reserved bytes.
    pub memory: u64,
    /// Containers in any state, pending ones included.
    pub containers: u64,
    /// Nodes with at least one container.
    pub active_nodes: u32,
}

/// A container about to be placed.
#[derive(Clone, Debug)]
pub struct Placement {
    /// What was asked for.
    pub request: Arc<Request>,
    /// Name, with or without the leading slash; empty if the daemon is to choose one.
    pub name: Name,
    /// Cluster-wide ID; empty in simulations.
    pub swarm_id: String,
}

/// Why a container could not be placed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    /// Another container, pending ones included, has the name (`scheduler/RULES.md` §1.1a).
    #[error(
        "Conflict: The name {0} is already assigned. You have to delete (or rename) that container to be able to \
         assign {0} to a container again."
    )]
    NameTaken(String),
    /// A container that cannot be seen has the name, or is about to be given it: see [`Cluster::keep_name`].
    #[error(
        "Conflict: The name {0} is already assigned, to a container that cannot be seen at the moment: it is just being \
         given the name, or its engine has left the cluster, after which names are kept for a while. Take another name, \
         or try again later."
    )]
    NameKept(String),
    /// The node has been removed from the cluster.
    #[error("the node has been removed from the cluster")]
    NoSuchNode,
}

impl Cluster {
    /// A cluster without nodes.
    pub fn new() -> Cluster {
        Cluster::default()
    }

    /// Adds a healthy node without containers and images.
    pub fn add_node(&mut self, mut new: NewNode) -> NodeIdx {
        let idx = NodeIdx(u32::try_from(self.nodes.len()).expect("four billion nodes do not fit in memory"));
        let labels = self.label_sets.share(std::mem::take(&mut new.labels));
        let node = Node::new(idx, new, labels);
        let key = |node: &Node| (node.name.clone(), node.id.clone());
        let place = match self.order.last() {
            // Names usually arrive in order.
            Some(last) if key(&self.nodes[last.index()]) > key(&node) => self
                .order
                .partition_point(|other| key(&self.nodes[other.index()]) <= key(&node)),
            _ => self.order.len(),
        };
        self.nodes.push(node);
        self.order.insert(place, idx);
        self.renumber(place);
        idx
    }

    /// Alters a node. Does nothing to a removed one.
    pub fn update_node(&mut self, idx: NodeIdx, change: NodeChange) {
        if !self.has_node(idx) {
            return;
        }
        let node = &mut self.nodes[idx.index()];
        match change {
            NodeChange::Health(health) => node.health = health.min(HEALTHY),
            NodeChange::Schedulable(schedulable) => node.schedulable = schedulable,
            NodeChange::Labels(labels) => {
                node.set_labels(self.label_sets.share(labels));
                self.descriptions.record(idx);
            }
            NodeChange::Capacity(capacity, overcommit) => {
                node.capacity = capacity;
                node.overcommit = overcommit;
                node.total = overcommit.apply(capacity);
                self.recount_pending(idx);
            }
            NodeChange::AddImage(image) => {
                if !node.images.contains(&image) {
                    node.images.push(image);
                    self.descriptions.record(idx);
                }
            }
            NodeChange::RemoveImage(image) => {
                node.images.retain(|held| *held != image);
                self.descriptions.record(idx);
            }
        }
        self.journal.record(idx);
    }

    /// Removes a node and what is on it, which is handed back in the order of the names. The node's index is never used
    /// again.
    pub fn remove_node(&mut self, idx: NodeIdx) -> Vec<(ContainerIdx, Container)> {
        if !self.has_node(idx) {
            return Vec::new();
        }
        let lost = self.take_containers(idx);
        let place = self.nodes[idx.index()].position as usize;
        self.order.remove(place);
        self.renumber(place);
        let node = &mut self.nodes[idx.index()];
        node.schedulable = false;
        node.position = u32::MAX;
        lost
    }

    /// Reserves room for a container that the node has yet to report: from now on it counts as placed. The container
    /// has no ID yet.
    ///
    /// A pending container that alone exceeds the node's totals is left out of its sums until it is committed. Unlike
    /// in the original, it counts in every other respect: it has its slot, its ports, its name and its labels. There, it
    /// does not exist on the node at all until it is reported, so that a second one can be given the same port.
    pub fn place(&mut self, idx: NodeIdx, placement: Placement) -> Result<ContainerIdx, PlaceError> {
        if !self.has_node(idx) {
            return Err(PlaceError::NoSuchNode);
        }
        if let Some(conflict) = self.name_conflict(&placement.name) {
            return Err(conflict);
        }
        let identity = (!placement.swarm_id.is_empty()).then(|| {
            Box::new(Identity {
                swarm_id: placement.swarm_id,
                ..Identity::default()
            })
        });
        let container = Container {
            request: placement.request,
            node: idx,
            slot: 0,
            generation: NonZeroU32::MIN,
            pending: true,
            stopped: false,
            counted: false,
            name: match placement.name.strip_prefix('/') {
                Some(plain) => plain.into(),
                None => placement.name,
            },
            identity,
        };
        Ok(self.insert(container))
    }

    /// The node reports a container that was pending: it now has an ID and its real ports. One that was placed without a
    /// name takes the first of the reported ones.
    ///
    /// The node counts as changed only if it did in a way that a decision can tell: a container that is in its sums
    /// already, about which nothing new is said, changes nothing by running.
    pub fn commit(&mut self, container: ContainerIdx, identity: Option<Identity>) {
        if identity.is_none() && self.commit_unnoticed(container) {
            return;
        }
        let Some(mut committed) = self.extract(container) else {
            return;
        };
        committed.pending = false;
        if let Some(mut identity) = identity {
            if identity.swarm_id.is_empty() {
                identity.swarm_id = committed.swarm_id().to_owned();
            }
            if committed.name.is_empty() && !identity.aliases.is_empty() {
                committed.name = identity.aliases.remove(0).into();
            }
            committed.identity = Some(Box::new(identity));
        }
        self.reinsert(container, committed);
    }

    /// A container has stopped running, or runs again. It keeps everything that it has; only its ports show it.
    pub fn set_stopped(&mut self, idx: ContainerIdx, stopped: bool) {
        let place = self.containers.get_mut(idx.index()).and_then(Option::as_mut);
        let Some(container) = place.filter(|known| known.generation == idx.generation() && known.stopped != stopped)
        else {
            return;
        };
        container.stopped = stopped;
        let node = &mut self.nodes[container.node.index()];
        let bound = node.ports.iter_mut().filter(|port| port.container == idx);
        let exposed = node.host_mode_ports.iter_mut().filter(|port| port.container == idx);
        let mut changed = false;
        for mark in bound
            .map(|port| &mut port.stopped)
            .chain(exposed.map(|port| &mut port.stopped))
        {
            (*mark, changed) = (stopped, true);
        }
        if changed {
            node.port_changes += 1;
            self.journal.record(container.node);
        }
    }

    /// Removes a container, pending or not.
    pub fn remove(&mut self, container: ContainerIdx) -> Option<Container> {
        let removed = self.extract(container)?;
        match container.next() {
            Some(next) => self.free.push(next),
            None => self.given_up += 1,
        }
        Some(removed)
    }

    /// A node fails: it becomes unhealthy and loses its containers, which are handed back in the order of their
    /// names. (A live node that is merely out of sight keeps them: see [`NodeChange::Health`].)
    pub fn fail(&mut self, idx: NodeIdx) -> Vec<(ContainerIdx, Container)> {
        self.update_node(idx, NodeChange::Health(0));
        self.take_containers(idx)
    }

    /// The node, also if it has been removed.
    pub fn node(&self, idx: NodeIdx) -> &Node {
        &self.nodes[idx.index()]
    }

    /// The nodes that have not been removed, in tie order: by name, then by ID.
    pub fn nodes(&self) -> impl ExactSizeIterator<Item = (NodeIdx, &Node)> {
        self.order.iter().map(|idx| (*idx, &self.nodes[idx.index()]))
    }

    /// The nodes in tie order, as indices.
    pub fn order(&self) -> &[NodeIdx] {
        &self.order
    }

    /// Where a node stands in [`Cluster::order`]; `None` once it has been removed.
    pub fn position(&self, idx: NodeIdx) -> Option<usize> {
        self.has_node(idx).then(|| self.nodes[idx.index()].position as usize)
    }

    /// The container, unless it has been removed.
    pub fn container(&self, idx: ContainerIdx) -> Option<&Container> {
        self.containers
            .get(idx.index())?
            .as_ref()
            .filter(|known| known.generation == idx.generation())
    }

    /// All containers, in no meaningful but a reproducible order.
    pub fn containers(&self) -> impl Iterator<Item = (ContainerIdx, &Container)> {
        let numbered = (0..).zip(&self.containers);
        numbered.filter_map(|(place, container)| {
            let container = container.as_ref()?;
            Some((ContainerIdx::at(place, container.generation), container))
        })
    }

    /// The containers of one node.
    pub fn containers_on(&self, node: &Node) -> impl Iterator<Item = &Container> {
        node.containers.iter().map(|idx| self.expect_container(*idx))
    }

    /// Whether a container, pending ones included, has this name, given with or without its leading slash, or the name
    /// is kept for one. The empty name is never taken.
    pub fn is_name_taken(&self, name: &str) -> bool {
        self.name_conflict(name).is_some()
    }

    /// Sums over all nodes.
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// The number of changes to nodes so far.
    pub fn revision(&self) -> u64 {
        self.journal.revision()
    }

    /// The nodes changed since a revision, with repetitions; `None` if that is too long ago to say.
    pub fn changed_since(&self, revision: u64) -> Option<&[NodeIdx]> {
        self.journal.since(revision)
    }

    /// The number of changes to the labels and images of nodes so far.
    pub fn description_revision(&self) -> u64 {
        self.descriptions.revision()
    }

    /// The nodes whose labels or images changed since a [`Cluster::description_revision`], with repetitions; `None` if
    /// that is too long ago to say.
    pub fn described_since(&self, revision: u64) -> Option<&[NodeIdx]> {
        self.descriptions.since(revision)
    }

    /// Changes whenever nodes are added or removed, so that positions in tie order shift.
    pub fn layout(&self) -> u64 {
        self.layout
    }

    /// Whether a node has not been removed.
    pub fn has_node(&self, idx: NodeIdx) -> bool {
        self.nodes
            .get(idx.index())
            .is_some_and(|node| node.position != u32::MAX)
    }

    fn renumber(&mut self, from: usize) {
        for (position, idx) in self.order.iter().enumerate().skip(from) {
            self.nodes[idx.index()].position = position as u32;
        }
        self.layout += 1;
    }

    fn expect_container(&self, idx: ContainerIdx) -> &Container {
        self.container(idx).expect("a node lists only containers that exist")
    }

    /// Containers with the name, pending ones included, on any node.
    fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = ContainerIdx> + 'a {
        self.names.candidates(name).filter_map(move |place| {
            let candidate = self.containers.get(place as usize)?.as_ref()?;
            let is_named = candidate.names().any(|own| own == name);
            is_named.then(|| ContainerIdx::at(place, candidate.generation))
        })
    }

    /// Commits a container if that alters nothing of its node; `false` if it would, or if there is no such container.
    fn commit_unnoticed(&mut self, idx: ContainerIdx) -> bool {
        let Some(Some(container)) = self.containers.get_mut(idx.index()) else {
            return false;
        };
        if container.generation != idx.generation() {
            return false;
        }
        // In network mode `host`, ports are occupied from now on.
        let unnoticed = container.counted && !container.request.uses_host_network();
        if unnoticed {
            container.pending = false;
        }
        unnoticed
    }

    fn insert(&mut self, container: Container) -> ContainerIdx {
        let idx = self.free.pop().unwrap_or_else(|| {
            self.containers.push(None);
            ContainerIdx::first(
                u32::try_from(self.containers.len() - 1).expect("four billion containers do not fit in memory"),
            )
        });
        self.reinsert(idx, container);
        idx
    }

    /// Puts a container into its slot and into every sum and table.
    fn reinsert(&mut self, idx: ContainerIdx, mut container: Container) {
        container.generation = idx.generation();
        let node = &mut self.nodes[container.node.index()];
        container.slot = node.containers.len() as u32;
        node.containers.push(idx);
        if node.containers.len() == 1 {
            self.totals.active_nodes += 1;
        }
        self.totals.containers += 1;
        container.counted = !container.pending || fits_alone(&container.request, node.total);
        if container.counted {
            count(&mut node.used, &mut self.totals, container.request.resources);
        }
        for (name, amount) in &container.request.extra {
            if let Some(extra) = node.extra.iter_mut().find(|extra| extra.name == *name) {
                extra.used += units(*amount);
            }
        }
        occupy_ports(node, idx, &container);
        for name in container.names() {
            self.names.insert(name, idx.place());
        }
        if let Some(identity) = &container.identity {
            if !identity.id.is_empty() {
                self.ids.insert((identity.id.as_str().into(), idx));
            }
            if !identity.swarm_id.is_empty() {
                self.swarm_ids.insert((identity.swarm_id.as_str().into(), idx));
            }
        }
        self.journal.record(container.node);
        self.containers[idx.index()] = Some(container);
    }

    /// Takes a container out of its slot and of every sum and table. The slot is not free yet.
    fn extract(&mut self, idx: ContainerIdx) -> Option<Container> {
        let place = self.containers.get_mut(idx.index())?;
        let container = place.take_if(|known| known.generation == idx.generation())?;
        let node = &mut self.nodes[container.node.index()];
        node.containers.swap_remove(container.slot as usize);
        if let Some(moved) = node.containers.get(container.slot as usize) {
            let moved = self.containers[moved.index()].as_mut();
            moved.expect("a node lists only containers that exist").slot = container.slot;
        }
        if node.containers.is_empty() {
            self.totals.active_nodes -= 1;
        }
        self.totals.containers -= 1;
        if container.counted {
            discount(&mut node.used, &mut self.totals, container.request.resources);
        }
        for (name, amount) in &container.request.extra {
            if let Some(extra) = node.extra.iter_mut().find(|extra| extra.name == *name) {
                extra.used -= units(*amount);
            }
        }
        if !node.ports.is_empty() || !node.host_mode_ports.is_empty() {
            let before = node.ports.len() + node.host_mode_ports.len();
            node.ports.retain(|port| port.container != idx);
            node.host_mode_ports.retain(|port| port.container != idx);
            node.port_changes += u64::from(node.ports.len() + node.host_mode_ports.len() != before);
        }
        for name in container.names() {
            self.names.remove(name, idx.place());
        }
        if let Some(identity) = &container.identity {
            self.ids.remove(&(identity.id.as_str().into(), idx));
            self.swarm_ids.remove(&(identity.swarm_id.as_str().into(), idx));
        }
        self.journal.record(container.node);
        Some(container)
    }

    /// Removes all containers of a node, in the order of their names.
    fn take_containers(&mut self, idx: NodeIdx) -> Vec<(ContainerIdx, Container)> {
        let listed = self.nodes[idx.index()].containers.clone();
        let removed = listed.into_iter().map(|container| (container, self.remove(container)));
        let mut taken: Vec<_> = removed.filter_map(|(idx, container)| Some((idx, container?))).collect();
        taken.sort_by(|(_, a), (_, b)| a.name.cmp(&b.name));
        taken
    }

    /// A node's totals changed: a pending container may fit now that did not before, or the reverse.
    fn recount_pending(&mut self, idx: NodeIdx) {
        let node = &mut self.nodes[idx.index()];
        for container in &node.containers {
            let slot = self.containers[container.index()].as_mut();
            let container = slot.expect("a node lists only containers that exist");
            let counted = !container.pending || fits_alone(&container.request, node.total);
            if counted && !container.counted {
                count(&mut node.used, &mut self.totals, container.request.resources);
            } else if !counted && container.counted {
                discount(&mut node.used, &mut self.totals, container.request.resources);
            }
            container.counted = counted;
        }
    }
}

fn fits_alone(request: &Request, total: Resources) -> bool {
    request.resources.cpus <= total.cpus && request.resources.memory <= total.memory
}

fn count(used: &mut Used, totals: &mut Totals, reserved: Resources) {
    used.cpus += reserved.cpus.nanos();
    used.memory += reserved.memory.get();
    totals.cpus += reserved.cpus.nanos();
    totals.memory += reserved.memory.get();
}

fn discount(used: &mut Used, totals: &mut Totals, reserved: Resources) {
    used.cpus -= reserved.cpus.nanos();
    used.memory -= reserved.memory.get();
    totals.cpus -= reserved.cpus.nanos();
    totals.memory -= reserved.memory.get();
}

/// A reported container owns the ports it asked for and the ports it really has; a pending one those it asked for.
/// Pending containers in network mode `host` own nothing yet, as in the original.
fn occupy_ports(node: &mut Node, idx: ContainerIdx, container: &Container) {
    let request = &container.request;
    if request.uses_host_network() && !container.pending {
        let ports = request.exposed_ports.iter().map(|port| HostModePort {
            port: port.as_str().into(),
            container: idx,
            stopped: container.stopped,
        });
        node.host_mode_ports.extend(ports);
        node.port_changes += 1;
    }
    let bindings = request.port_bindings.iter().chain(container.published());
    let own = bindings.filter(|binding| !binding.host_port.is_empty());
    let first = node.ports.len();
    node.ports.extend(own.map(|binding| OccupiedPort {
        binding: binding.clone(),
        all_interfaces: binding.binds_all_interfaces(),
        container: idx,
        stopped: container.stopped,
    }));
    if node.ports.len() == first {
        return;
    }
    node.port_changes += 1;
    node.ports[first..].sort_unstable_by(|a, b| a.binding.cmp(&b.binding));
    if node.ports.len() - first > 1 {
        // Nobody else's port is the same as one of these, since whose it is counts.
        node.ports.dedup();
    }
}
