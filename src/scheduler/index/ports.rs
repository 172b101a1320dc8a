//! On which nodes which host port is taken.

use rustc_hash::FxHashMap;

use crate::cluster::{Cluster, HostModePort, Node};
use crate::model::{Name, PortBinding, Request};
use crate::scheduler::Strict;
use crate::scheduler::filter::port::{clashes, holds};

use super::alive::Alive;
use super::node_set::Members;
use super::seen::{News, Seen};

/// The occupied host ports of all nodes.
#[derive(Clone, Debug, Default)]
pub(super) struct PortIndex {
    seen: Seen,
    /// The different occupations of each host port.
    bound: FxHashMap<Name, Vec<Occupation>>,
    /// Nodes with a container in network mode `host` that exposes the port.
    exposed: FxHashMap<Name, Members>,
    nodes: Vec<OnNode>,
}

/// One way in which a host port is taken on some nodes.
#[derive(Clone, Debug)]
struct Occupation {
    /// An example: only address and protocol matter.
    binding: PortBinding,
    all_interfaces: bool,
    nodes: Members,
}

/// What a node has in the table.
#[derive(Clone, Debug, Default)]
struct OnNode {
    changes: u64,
    bound: Vec<(PortBinding, bool)>,
    exposed: Vec<Name>,
}

impl PortIndex {
    /// Takes away the nodes on which a host port that the request asks for is taken.
    pub(super) fn restrict(&mut self, cluster: &Cluster, request: &Request, strict: Strict, alive: &mut Alive) {
        self.sync(cluster, strict);
        if request.uses_host_network() {
            for port in &request.exposed_ports {
                if let Some(nodes) = self.exposed.get(port.as_str()) {
                    alive.drop_members(nodes);
                }
            }
            return;
        }
        for wanted in &request.port_bindings {
            for taken in self.bound.get(wanted.host_port.as_str()).into_iter().flatten() {
                if clashes(&taken.binding, taken.all_interfaces, wanted, strict.port_protocol) {
                    alive.drop_members(&taken.nodes);
                }
            }
        }
    }

    /// A scheduler's strictness never changes.
    fn sync(&mut self, cluster: &Cluster, strict: Strict) {
        match self.seen.changes(cluster) {
            News::Nodes(changed) => {
                for idx in changed {
                    if let Some(position) = cluster.position(*idx) {
                        self.update(position, cluster.node(*idx), strict);
                    }
                }
            }
            News::Everything => {
                *self = PortIndex {
                    seen: self.seen,
                    nodes: vec![OnNode::default(); cluster.order().len()],
                    ..PortIndex::default()
                };
                for (position, (_, node)) in cluster.nodes().enumerate() {
                    self.update(position, node, strict);
                }
            }
        }
    }

    fn update(&mut self, position: usize, node: &Node, strict: Strict) {
        if self.nodes[position].changes == node.port_changes() {
            return;
        }
        let positions = self.nodes.len();
        let mut own = std::mem::take(&mut self.nodes[position]);
        for (binding, all_interfaces) in &own.bound {
            self.free(position, binding, *all_interfaces);
        }
        for port in &own.exposed {
            if let Some(nodes) = self.exposed.get_mut(port) {
                nodes.remove(position);
                if nodes.is_empty() {
                    self.exposed.remove(port);
                }
            }
        }
        own.changes = node.port_changes();
        own.bound.clear();
        own.exposed.clear();
        for occupied in node.ports().iter().filter(|port| holds(strict, port.stopped)) {
            let (binding, all_interfaces) = (&occupied.binding, occupied.all_interfaces);
            self.take(position, positions, binding, all_interfaces);
            own.bound.push((binding.clone(), all_interfaces));
        }
        for HostModePort { port, .. } in node.host_mode_ports().iter().filter(|port| holds(strict, port.stopped)) {
            let nodes = self.exposed.entry(port.clone()).or_insert_with(Members::none);
            nodes.insert(position, positions);
            own.exposed.push(port.clone());
        }
        self.nodes[position] = own;
    }

    fn take(&mut self, position: usize, positions: usize, binding: &PortBinding, all_interfaces: bool) {
        let occupations = self.bound.entry(binding.host_port.clone()).or_default();
        let like = |taken: &&mut Occupation| taken.is_like(binding, all_interfaces);
        match occupations.iter_mut().find(like) {
            Some(taken) => taken.nodes.insert(position, positions),
            None => {
                let mut nodes = Members::none();
                nodes.insert(position, positions);
                occupations.push(Occupation {
                    binding: binding.clone(),
                    all_interfaces,
                    nodes,
                });
            }
        }
    }

    fn free(&mut self, position: usize, binding: &PortBinding, all_interfaces: bool) {
        let host_port = binding.host_port.as_str();
        let Some(occupations) = self.bound.get_mut(host_port) else {
            return;
        };
        occupations.retain_mut(|taken| {
            if taken.is_like(binding, all_interfaces) {
                taken.nodes.remove(position);
            }
            !taken.nodes.is_empty()
        });
        if occupations.is_empty() {
            self.bound.remove(host_port);
        }
    }
}

impl Occupation {
    /// Whether it clashes with the same bindings.
    fn is_like(&self, binding: &PortBinding, all_interfaces: bool) -> bool {
        self.all_interfaces == all_interfaces
            && (all_interfaces || self.binding.host_ip == binding.host_ip)
            && self.binding.protocol() == binding.protocol()
    }
}
