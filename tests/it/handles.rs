//! Handles of containers: one whose container has been removed names nothing, however its place is used again.

use std::sync::Arc;

use proptest::prelude::*;
use swarmlab::cluster::{Cluster, Identity, NewNode, Placement, Report};
use swarmlab::model::{Bytes, ContainerIdx, Cpus, NodeIdx, Request, Resources};

/// A cluster with the handles of everything that is, and of everything that was.
struct World {
    cluster: Cluster,
    nodes: Vec<NodeIdx>,
    living: Vec<(ContainerIdx, String)>,
    gone: Vec<ContainerIdx>,
    named: usize,
}

impl World {
    fn new() -> World {
        let mut world = World {
            cluster: Cluster::new(),
            nodes: Vec::new(),
            living: Vec::new(),
            gone: Vec::new(),
            named: 0,
        };
        world.join();
        world.join();
        world
    }

    fn join(&mut self) {
        self.nodes.push(self.cluster.add_node(NewNode {
            id: format!("id-{}", self.nodes.len()),
            name: format!("node-{}", self.nodes.len()),
            capacity: Resources::new(Cpus::whole(64), Bytes::from_gib(64)),
            ..NewNode::default()
        }));
    }

    fn name(&mut self) -> String {
        self.named += 1;
        format!("c{}", self.named)
    }

    fn bury(&mut self, gone: impl IntoIterator<Item = ContainerIdx>) {
        for gone in gone {
            let place = self.living.iter().position(|(living, _)| *living == gone);
            self.living.swap_remove(place.expect("it lived"));
            self.gone.push(gone);
        }
    }

    /// Does one thing to the cluster, chosen by two numbers.
    fn step(&mut self, what: u8, which: usize) {
        let node = self.nodes[which % self.nodes.len()];
        let living = (!self.living.is_empty()).then(|| which % self.living.len());
        match (what % 8, living) {
            (0..=2, _) => {
                let name = self.name();
                let placement = Placement {
                    request: Arc::new(Request::default()),
                    name: name.as_str().into(),
                    swarm_id: format!("swarm-{name}"),
                };
                if let Ok(placed) = self.cluster.place(node, placement) {
                    self.living.push((placed, name));
                }
            }
            (3, _) => {
                let name = self.name();
                if let Some(adopted) = self.cluster.adopt(node, report(&name)) {
                    self.living.push((adopted, name));
                }
            }
            (4, Some(at)) => {
                let name = self.name();
                assert!(self.cluster.amend(self.living[at].0, report(&name)));
                self.living[at].1 = name;
            }
            (5, Some(at)) => {
                let removed = self.living[at].0;
                assert!(self.cluster.remove(removed).is_some());
                self.bury([removed]);
            }
            (6, _) => {
                let failed = self.cluster.fail(node);
                self.bury(failed.into_iter().map(|(container, _)| container));
            }
            (7, _) => {
                let removed = self.cluster.remove_node(node);
                self.bury(removed.into_iter().map(|(container, _)| container));
                self.join();
            }
            _ => {}
        }
    }
}

fn report(name: &str) -> Report {
    Report {
        request: Arc::new(Request::default()),
        name: name.into(),
        identity: Identity {
            id: format!("id-of-{name}"),
            ..Identity::default()
        },
        stopped: false,
    }
}

proptest! {
    #[test]
    fn a_handle_of_a_removed_container_is_nobodys(steps in prop::collection::vec((any::<u8>(), any::<usize>()), 1..80)) {
        let mut world = World::new();
        for (what, which) in steps {
            world.step(what, which);
            prop_assert_eq!(world.cluster.check(), Ok(()));
            for (living, name) in &world.living {
                prop_assert_eq!(world.cluster.container(*living).map(|known| known.name()), Some(name.as_str()));
                prop_assert_eq!(world.cluster.find(name), Some(*living));
            }
            let before = format!("{:?}", world.cluster.containers().collect::<Vec<_>>());
            let revision = world.cluster.revision();
            for gone in world.gone.clone() {
                prop_assert!(world.cluster.container(gone).is_none());
                world.cluster.commit(gone, None);
                world.cluster.commit(gone, Some(Identity::default()));
                prop_assert!(!world.cluster.amend(gone, report("stranger")));
                world.cluster.set_stopped(gone, true);
                prop_assert!(world.cluster.remove(gone).is_none());
            }
            prop_assert_eq!(format!("{:?}", world.cluster.containers().collect::<Vec<_>>()), before);
            prop_assert_eq!(world.cluster.revision(), revision);
            prop_assert_eq!(world.cluster.check(), Ok(()));
        }
    }
}

/// Kept names are taken, as often as they are kept.
#[test]
fn a_kept_name_is_given_to_nobody() {
    let mut world = World::new();
    let place = |cluster: &mut Cluster, node| {
        let placement = Placement {
            request: Arc::new(Request::default()),
            name: "/web".into(),
            swarm_id: String::new(),
        };
        cluster.place(node, placement).map_err(|error| error.to_string())
    };
    world.cluster.keep_name("/web");
    world.cluster.keep_name("web");
    world.cluster.release_name("web");
    let refused = place(&mut world.cluster, world.nodes[0]).expect_err("it is kept");
    assert!(
        refused.starts_with("Conflict: The name /web is already assigned"),
        "{refused}"
    );
    assert!(world.cluster.is_name_taken("web") && world.cluster.find("web").is_none());
    world.cluster.release_name("/web");
    world.cluster.release_name("/web");
    assert!(place(&mut world.cluster, world.nodes[0]).is_ok());
}
