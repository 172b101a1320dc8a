//! The cluster's sums and tables, counted again: what tests call after changes.

use crate::model::{NodeIdx, units};

use super::{Cluster, Extra, Node, Totals, Used, fits_alone, occupy_ports};

impl Cluster {
    /// Recounts every sum and table from scratch and compares; the first difference is returned. For tests.
    pub fn check(&self) -> Result<(), String> {
        let mut totals = Totals::default();
        for (position, (idx, node)) in self.nodes().enumerate() {
            if node.position as usize != position {
                return Err(format!("node {} is not at its position {position}", node.name));
            }
            self.check_containers(idx, node)?;
            self.check_sums(node)?;
            self.check_ports(node)?;
            totals.cpus += node.used.cpus;
            totals.memory += node.used.memory;
            totals.containers += node.containers.len() as u64;
            totals.active_nodes += u32::from(!node.containers.is_empty());
        }
        if totals != self.totals {
            return Err(format!("totals are {:?}, not {totals:?}", self.totals));
        }
        if self.containers().count() as u64 != totals.containers {
            return Err("a container is on no node".to_owned());
        }
        if self.containers.len() - self.free.len() - self.given_up != self.containers().count() {
            return Err("a place for a container is lost".to_owned());
        }
        if let Some(taken) = self.free.iter().find(|next| self.containers[next.index()].is_some()) {
            return Err(format!("{taken:?} is free and taken"));
        }
        self.check_tables()
    }

    /// Whether a node and its containers know of each other, and whether names and IDs find the containers.
    fn check_containers(&self, node_idx: NodeIdx, node: &Node) -> Result<(), String> {
        for (slot, idx) in node.containers.iter().enumerate() {
            let container = self
                .container(*idx)
                .ok_or_else(|| format!("node {} lists a removed container", node.name))?;
            if container.node != node_idx || container.slot as usize != slot {
                return Err(format!("container {} does not know where it is", container.name));
            }
            let is_lost = |name: &&str| !self.named(name).any(|found| found == *idx);
            if let Some(name) = container.names().find(is_lost) {
                return Err(format!("the name {name} does not find its container"));
            }
            for (ids, id) in [(&self.ids, container.id()), (&self.swarm_ids, container.swarm_id())] {
                if !id.is_empty() && !ids.contains(&(id.into(), *idx)) {
                    return Err(format!("the ID {id} does not find its container"));
                }
            }
        }
        Ok(())
    }

    fn check_sums(&self, node: &Node) -> Result<(), String> {
        let mut used = Used::default();
        let mut extra: Vec<Extra> = node.extra.clone();
        extra.iter_mut().for_each(|extra| extra.used = 0);
        for container in self.containers_on(node) {
            if container.counted != (!container.pending || fits_alone(&container.request, node.total)) {
                return Err(format!(
                    "container {} is counted and should not, or not and should",
                    container.name
                ));
            }
            if container.counted {
                used.cpus += container.request.resources.cpus.nanos();
                used.memory += container.request.resources.memory.get();
            }
            for (name, amount) in &container.request.extra {
                if let Some(extra) = extra.iter_mut().find(|extra| extra.name == *name) {
                    extra.used += units(*amount);
                }
            }
        }
        if used != node.used {
            return Err(format!("node {} has {:?} in use, not {used:?}", node.name, node.used));
        }
        if extra != node.extra {
            return Err(format!("node {} has {:?}, not {extra:?}", node.name, node.extra));
        }
        Ok(())
    }

    fn check_ports(&self, node: &Node) -> Result<(), String> {
        let mut fresh = Node {
            ports: Vec::new(),
            host_mode_ports: Vec::new(),
            ..node.clone()
        };
        for idx in &node.containers {
            occupy_ports(&mut fresh, *idx, self.expect_container(*idx));
        }
        // Containers change places on their node.
        let sorted = |node: &Node| {
            let (mut ports, mut host_mode_ports) = (node.ports.clone(), node.host_mode_ports.clone());
            ports.sort_by(|a, b| (a.container, &a.binding).cmp(&(b.container, &b.binding)));
            host_mode_ports.sort();
            (ports, host_mode_ports)
        };
        let (own, expected) = (sorted(node), sorted(&fresh));
        if own != expected {
            return Err(format!("node {} has ports {own:?}, not {expected:?}", node.name));
        }
        Ok(())
    }

    /// Whether the tables hold nothing of containers that are gone.
    fn check_tables(&self) -> Result<(), String> {
        let count = |of: fn(&super::Container) -> usize| self.containers().map(|(_, one)| of(one)).sum::<usize>();
        let expected = [
            count(|container| container.names().count()),
            count(|container| usize::from(!container.id().is_empty())),
            count(|container| usize::from(!container.swarm_id().is_empty())),
        ];
        let own = [self.names.len(), self.ids.len(), self.swarm_ids.len()];
        if own != expected {
            return Err(format!(
                "there are {own:?} names, IDs and cluster-wide IDs, not {expected:?}"
            ));
        }
        Ok(())
    }
}
