//! One cluster kept twice: by the library and as the reference's plain lists.

use std::sync::Arc;

use swarmlab::cluster::{Cluster, Identity, Image, NewNode, NodeChange, PlaceError, Placement};
use swarmlab::model::{Bytes, ContainerIdx, Cpus, Labels, NodeIdx, Overcommit, Request, Resources};

use crate::reference::{RefCluster, RefContainer, RefImage, RefNode};

use super::choices::Choices;
use super::domain;

/// Both, and how their parts are called in the library.
#[derive(Default)]
pub struct World {
    pub cluster: Cluster,
    pub mirror: RefCluster,
    /// All nodes that have not been removed, in the order of the mirror.
    pub nodes: Vec<NodeIdx>,
    pub containers: Vec<ContainerIdx>,
}

impl World {
    /// A cluster with fewer than `nodes` nodes and `containers` containers.
    pub fn generate(c: &mut impl Choices, nodes: usize, containers: usize) -> World {
        let mut world = World::default();
        for _ in 0..c.below(nodes) {
            world.add_node(c);
        }
        if !world.nodes.is_empty() {
            for _ in 0..c.below(containers) {
                let node = c.pick(&world.nodes);
                let request = Arc::new(domain::running(c));
                world.place(node, request, &domain::container_name(c), &domain::swarm_id(c));
                if c.one_in(2) && !world.containers.is_empty() {
                    let container = c.pick(&world.containers);
                    world.commit(container, Some(domain::identity(c)));
                }
                if c.one_in(4) && !world.containers.is_empty() {
                    let container = c.pick(&world.containers);
                    world.set_stopped(container, true);
                }
            }
        }
        world
    }

    pub fn add_node(&mut self, c: &mut impl Choices) -> NodeIdx {
        let node = domain::node(c, 0);
        self.insert_node(node)
    }

    pub fn insert_node(&mut self, mut node: RefNode) -> NodeIdx {
        let idx = self.cluster.add_node(NewNode {
            id: node.id.clone(),
            name: node.name.clone(),
            capacity: capacity(&node),
            overcommit: overcommit(&node),
            labels: node.labels.clone(),
            extra: node.extra.clone(),
        });
        node.number = idx.index();
        if node.health != 100 {
            self.cluster.update_node(idx, NodeChange::Health(node.health as u8));
        }
        if !node.schedulable {
            self.cluster.update_node(idx, NodeChange::Schedulable(false));
        }
        for image in std::mem::take(&mut node.images) {
            self.cluster
                .update_node(idx, NodeChange::AddImage(library_image(&image)));
            if !node.images.contains(&image) {
                node.images.push(image);
            }
        }
        self.mirror.nodes.push(node);
        self.nodes.push(idx);
        idx
    }

    pub fn remove_node(&mut self, idx: NodeIdx) {
        let lost = self.cluster.remove_node(idx);
        self.forget(idx, lost.iter().map(|(container, _)| *container));
        self.nodes.retain(|node| *node != idx);
        self.mirror.nodes.retain(|node| node.number != idx.index());
    }

    pub fn fail(&mut self, idx: NodeIdx) {
        let lost = self.cluster.fail(idx);
        assert!(
            lost.is_sorted_by_key(|(_, container)| container.name().to_owned()),
            "lost containers are sorted"
        );
        self.forget(idx, lost.iter().map(|(container, _)| *container));
        self.mirror.node_mut(idx.index()).health = 0;
    }

    fn forget(&mut self, node: NodeIdx, lost: impl Iterator<Item = ContainerIdx>) {
        let mut lost: Vec<usize> = lost.map(ContainerIdx::index).collect();
        let on_node = self
            .mirror
            .containers
            .iter()
            .filter(|container| container.node == node.index());
        let mut expected: Vec<usize> = on_node.map(|container| container.key).collect();
        lost.sort_unstable();
        expected.sort_unstable();
        assert_eq!(lost, expected, "what was on the node is lost");
        self.containers.retain(|container| !lost.contains(&container.index()));
        self.mirror
            .containers
            .retain(|container| !lost.contains(&container.key));
    }

    pub fn set_health(&mut self, idx: NodeIdx, health: u8) {
        self.cluster.update_node(idx, NodeChange::Health(health));
        self.mirror.node_mut(idx.index()).health = i128::from(health);
    }

    pub fn set_schedulable(&mut self, idx: NodeIdx, schedulable: bool) {
        self.cluster.update_node(idx, NodeChange::Schedulable(schedulable));
        self.mirror.node_mut(idx.index()).schedulable = schedulable;
    }

    pub fn set_labels(&mut self, idx: NodeIdx, labels: Labels) {
        self.cluster.update_node(idx, NodeChange::Labels(labels.clone()));
        self.mirror.node_mut(idx.index()).labels = labels;
    }

    pub fn set_capacity(&mut self, idx: NodeIdx, (cpu_nanos, memory): (u64, u64), fraction: f64) {
        let node = self.mirror.node_mut(idx.index());
        node.cpu_nanos = i128::from(cpu_nanos);
        node.memory_bytes = i128::from(memory);
        node.overcommit = fraction;
        let change = NodeChange::Capacity(capacity(node), overcommit(node));
        self.cluster.update_node(idx, change);
    }

    pub fn add_image(&mut self, idx: NodeIdx, image: RefImage) {
        self.cluster
            .update_node(idx, NodeChange::AddImage(library_image(&image)));
        let images = &mut self.mirror.node_mut(idx.index()).images;
        if !images.contains(&image) {
            images.push(image);
        }
    }

    pub fn remove_image(&mut self, idx: NodeIdx, image: &RefImage) {
        self.cluster
            .update_node(idx, NodeChange::RemoveImage(library_image(image)));
        self.mirror.node_mut(idx.index()).images.retain(|held| held != image);
    }

    /// Places a container if its name is free; both must agree on that.
    pub fn place(&mut self, node: NodeIdx, request: Arc<Request>, name: &str, swarm_id: &str) -> Option<ContainerIdx> {
        let taken = self.mirror.is_name_taken(name);
        assert_eq!(self.cluster.is_name_taken(name), taken, "whether {name:?} is taken");
        let placement = Placement {
            request: Arc::clone(&request),
            name: name.into(),
            swarm_id: swarm_id.to_owned(),
        };
        let container = match self.cluster.place(node, placement) {
            Ok(container) => container,
            Err(error) => {
                assert_eq!(error, PlaceError::NameTaken(name.to_owned()));
                assert!(taken, "{name:?} is free");
                return None;
            }
        };
        assert!(!taken, "{name:?} is taken");
        let plain = name.strip_prefix('/').unwrap_or(name);
        self.mirror.containers.push(RefContainer {
            node: node.index(),
            key: container.index(),
            request,
            pending: true,
            stopped: false,
            id: String::new(),
            swarm_id: swarm_id.to_owned(),
            names: if plain.is_empty() {
                Vec::new()
            } else {
                vec![format!("/{plain}")]
            },
            published: Vec::new(),
        });
        self.containers.push(container);
        Some(container)
    }

    pub fn commit(&mut self, container: ContainerIdx, identity: Option<Identity>) {
        self.cluster.commit(container, identity.clone());
        let mirrored = self
            .mirror
            .containers
            .iter_mut()
            .find(|one| one.key == container.index());
        let mirrored = mirrored.expect("the container exists");
        mirrored.pending = false;
        if let Some(identity) = identity {
            mirrored.id = identity.id;
            if !identity.swarm_id.is_empty() {
                mirrored.swarm_id = identity.swarm_id;
            }
            mirrored.names.truncate(1);
            mirrored
                .names
                .extend(identity.aliases.iter().map(|name| format!("/{name}")));
            mirrored.published = identity.published;
        }
    }

    pub fn set_stopped(&mut self, container: ContainerIdx, stopped: bool) {
        self.cluster.set_stopped(container, stopped);
        let mut mirrored = self.mirror.containers.iter_mut();
        let mirrored = mirrored.find(|one| one.key == container.index());
        mirrored.expect("the container exists").stopped = stopped;
    }

    pub fn remove(&mut self, container: ContainerIdx) {
        self.cluster.remove(container).expect("the container exists");
        self.containers.retain(|one| *one != container);
        self.mirror.containers.retain(|one| one.key != container.index());
    }
}

fn capacity(node: &RefNode) -> Resources {
    Resources::new(
        Cpus::from_nanos(node.cpu_nanos as u64),
        Bytes::new(node.memory_bytes as u64),
    )
}

fn overcommit(node: &RefNode) -> Overcommit {
    Overcommit::from_fraction(node.overcommit).expect("the domain has valid fractions only")
}

fn library_image(image: &RefImage) -> Arc<Image> {
    Arc::new(Image {
        id: image.id.clone(),
        tags: image.tags.clone(),
    })
}
