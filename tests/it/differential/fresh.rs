//! Requests of which no two are alike, on clusters so large that nodes lie in many blocks: nothing that is remembered of
//! a request helps, and each is decided from the tables over all nodes, as the reference decides it node by node.

use std::sync::Arc;

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use swarmlab::model::{Bytes, Cpus, Labels, NodeIdx, PortBinding, Request, Resources};
use swarmlab::scheduler::{Filter, Settings, Strategy, Strict};

use crate::reference::{RefImage, RefNode};

use super::choices::Choices;
use super::comparison::Pair;
use super::domain;
use super::world::World;

/// Whole CPUs and bytes of nodes: of common sizes, of ones that no percentage divides, too large for exact arithmetic
/// in floating point, just small enough, and none.
const SIZES: [(u64, u64); 10] = [
    (8, 32 << 30),
    (8, 32 << 30),
    (64, 256 << 30),
    (7, 9_999_999_967),
    (64, 256 << 30),
    (8796, 1 << 43),
    (8797, (1 << 43) + 1),
    (100_000, 1 << 50),
    (3, 101),
    (0, 0),
];
/// What several requests ask alike. Each leaves another part of the nodes, some more than are looked at one by one.
const ASKED: [&[&str]; 9] = [
    &[],
    &[],
    &["zone==z0"],
    &["zone!=z1"],
    &["zone==/z[0-1]/", "disk!=hdd"],
    &["node==n1*"],
    &["zone==~z9"],
    &["zone==nowhere"],
    &["disk==hdd", "zone==z*"],
];

struct Fresh {
    c: ChaCha8Rng,
    world: World,
    pairs: Vec<Pair>,
    number: usize,
    placed: usize,
    rejected: usize,
}

impl Fresh {
    fn new(seed: u64, nodes: usize) -> Fresh {
        let exact = Strict {
            capacity: true,
            random_capacity: true,
            ..Strict::default()
        };
        let pair = |strategy, filters: &[Filter], strict| {
            Pair::new(Settings {
                filters: filters.to_vec(),
                strict,
                ..Settings::new(strategy)
            })
        };
        let mut fresh = Fresh {
            c: ChaCha8Rng::seed_from_u64(seed),
            world: World::default(),
            pairs: Strategy::ALL
                .into_iter()
                .flat_map(|strategy| {
                    [
                        pair(strategy, &Filter::DEFAULT, Strict::default()),
                        pair(strategy, &Filter::DEFAULT, exact),
                        pair(strategy, &Filter::ALL, Strict::default()),
                    ]
                })
                .collect(),
            number: 0,
            placed: 0,
            rejected: 0,
        };
        for _ in 0..nodes {
            fresh.add_node();
        }
        fresh
    }

    fn labels(&mut self) -> Labels {
        let zone = format!("z{}", self.c.below(3));
        let disk = self.c.text(&["ssd", "ssd", "hdd"]);
        Labels::from([("zone".to_owned(), zone), ("disk".to_owned(), disk)])
    }

    fn add_node(&mut self) {
        self.number += 1;
        let (cpus, memory) = self.c.pick(&SIZES);
        let node = RefNode {
            number: 0,
            id: format!("ID{}", self.number),
            // Not in the order of their creation.
            name: format!("n{}", self.number * 7919 % 100_003),
            labels: self.labels(),
            health: self.c.pick(&[100, 100, 100, 100, 100, 100, 100, 100, 66, 0]),
            schedulable: !self.c.one_in(20),
            cpu_nanos: i128::from(cpus) * 1_000_000_000,
            memory_bytes: i128::from(memory),
            overcommit: self.c.pick(&[0.05, 0.05, 0.0]),
            extra: Vec::new(),
            images: vec![RefImage {
                id: String::new(),
                tags: vec![self.c.text(&["web:1", "db:1"])],
            }],
        };
        self.world.insert_node(node);
    }

    /// Amounts that no other request has, half of them on the boundary between two percentages of some node.
    fn amounts(&mut self) -> Resources {
        let drawn = [self.c.below(4_000_000_000) as u64, self.c.below(16 << 30) as u64];
        let [cpus, memory] = if self.c.one_in(2) {
            drawn
        } else {
            let node = self.c.pick(&self.world.nodes);
            let node = self.world.cluster.node(node);
            let (total, used) = (node.total(), node.used());
            let pairs = [(total.cpus.nanos(), used.cpus), (total.memory.get(), used.memory)];
            pairs.map(|(total, used)| {
                let percent = used * 100 / total.max(1);
                let next = (percent + 1 + self.c.below(8) as u64).min(101);
                // The first amount that has this percentage in use, give or take one.
                let amount = (total * next).div_ceil(100).saturating_sub(used);
                (amount + self.c.below(3) as u64).saturating_sub(1)
            })
        };
        Resources::new(Cpus::from_nanos(cpus), Bytes::new(memory))
    }

    fn request(&mut self) -> Request {
        let mut resources = self.amounts();
        match self.c.below(8) {
            0 => resources.cpus = Cpus::ZERO,
            1 => resources.memory = Bytes::ZERO,
            _ => {}
        }
        let mut request = Request {
            resources,
            constraints: self.c.pick(&ASKED).iter().map(|text| (*text).to_owned()).collect(),
            ..Request::default()
        };
        if self.c.one_in(8) {
            request.affinities = vec![self.c.text(&["image==web*", "image!=db:1", "container==~c17"])];
        }
        if self.c.one_in(8) {
            request.port_bindings = vec![PortBinding {
                container_port: "80/tcp".into(),
                host_ip: "".into(),
                host_port: self.c.text(&["80", "81"]).into(),
            }];
        }
        request
    }

    fn decide(&mut self, seed: u64) -> Result<(), String> {
        let request = self.request();
        let pair = self.c.below(self.pairs.len());
        let pair = &mut self.pairs[pair];
        let prepared = pair.library.prepare(Arc::new(request));
        let winner = pair.decide(&self.world, &prepared, seed);
        let winner = winner.map_err(|error| format!("{error}\n{:?}\n{prepared:#?}", pair.library.settings()))?;
        match winner {
            None => self.rejected += 1,
            Some(node) => {
                self.placed += 1;
                let name = format!("c{}", self.placed);
                let request = Arc::clone(prepared.request());
                if let Some(container) = self.world.place(node, request, &name, "")
                    && self.c.one_in(2)
                {
                    self.world.commit(container, None);
                }
            }
        }
        Ok(())
    }

    fn change(&mut self) {
        let node: NodeIdx = self.c.pick(&self.world.nodes);
        match self.c.below(16) {
            0 => self.world.set_health(node, domain::health(&mut self.c)),
            1 => self.world.set_schedulable(node, !self.c.one_in(4)),
            2 => {
                let labels = self.labels();
                self.world.set_labels(node, labels);
            }
            3 => {
                let (cpus, memory) = self.c.pick(&SIZES);
                self.world.set_capacity(node, (cpus * 1_000_000_000, memory), 0.05);
            }
            4 => {
                self.world.fail(node);
                self.world.set_health(node, 100);
            }
            5 => {
                self.world.remove_node(node);
                self.add_node();
            }
            _ if !self.world.containers.is_empty() => {
                let container = self.c.pick(&self.world.containers);
                self.world.remove(container);
            }
            _ => {}
        }
    }

    fn run(mut self, seed: u64, steps: usize) {
        for step in 0..steps {
            if self.c.one_in(3) {
                self.change();
            }
            let done = self.decide(step as u64);
            let checked = if step % 100 == 0 {
                self.world.cluster.check()
            } else {
                Ok(())
            };
            if let Err(difference) = done.and(checked) {
                panic!("seed {seed}, step {step}: {difference}");
            }
        }
        assert!(
            self.placed > steps / 3 && self.rejected > steps / 20,
            "{} placed, {} rejected",
            self.placed,
            self.rejected
        );
    }
}

#[test]
fn requests_that_never_recur_are_decided_as_by_the_reference() {
    for (seed, nodes, steps) in [(600, 300, 1500), (601, 700, 700), (602, 100, 3000), (603, 20, 3000)] {
        Fresh::new(seed, nodes).run(seed, steps);
    }
}
