//! Long histories of one cluster under schedulers that remember: whatever happened before, each decision is the one
//! that the reference derives from scratch.

use std::hash::BuildHasher;
use std::sync::Arc;

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rustc_hash::FxBuildHasher;
use swarmlab::cluster::{Cluster, NewNode, NodeChange};
use swarmlab::model::{Bytes, Cpus, Overcommit, Request, Resources};
use swarmlab::scheduler::{Filter, Prepared, Scheduler, Settings, Strategy, Strict};

use super::choices::{Choices, Tape};
use super::comparison::Pair;
use super::domain;
use super::draws::Draws;
use super::world::World;

/// How large a history is.
struct Size {
    nodes: usize,
    containers: usize,
    /// Requests that keep coming back.
    requests: usize,
    steps: usize,
}

struct History {
    size: Size,
    c: ChaCha8Rng,
    world: World,
    /// One for each strategy by default settings, and some by any.
    pairs: Vec<Pair>,
    requests: Vec<Prepared>,
    placed: usize,
    rejected: usize,
}

impl History {
    fn new(seed: u64, size: Size) -> History {
        let mut c = ChaCha8Rng::seed_from_u64(seed);
        let with = |strategy, filters: &[Filter], strict| {
            Pair::new(Settings {
                filters: filters.to_vec(),
                strict,
                ..Settings::new(strategy)
            })
        };
        let mut pairs: Vec<Pair> = Strategy::ALL
            .into_iter()
            .flat_map(|strategy| {
                let default = with(strategy, &Filter::DEFAULT, Strict::default());
                [default, with(strategy, &Filter::ALL, Strict::ALL)]
            })
            .collect();
        pairs.extend((0..2).map(|_| Pair::new(domain::settings(&mut c))));
        let mut history = History {
            size,
            c,
            world: World::default(),
            pairs,
            requests: Vec::new(),
            placed: 0,
            rejected: 0,
        };
        for _ in 0..history.size.requests {
            history.add_request();
        }
        history
    }

    /// Requests are prepared anew by each scheduler, so that only their equality makes them recur.
    fn add_request(&mut self) {
        let request = Arc::new(domain::request(&mut self.c));
        self.requests.push(self.pairs[0].library.prepare(request));
    }

    fn run(mut self, seed: u64) {
        for step in 0..self.size.steps {
            let done = self.step(step as u64);
            let checked = if step % 20 == 0 {
                self.world.cluster.check()
            } else {
                Ok(())
            };
            if let Err(difference) = done.and(checked) {
                panic!("seed {seed}, step {step}: {difference}\n{:#?}", self.world.mirror);
            }
        }
        let (placed, rejected) = (self.placed, self.rejected);
        assert!(
            placed > self.size.steps / 100 && rejected > self.size.steps / 20,
            "{placed} placed, {rejected} rejected"
        );
    }

    fn step(&mut self, seed: u64) -> Result<(), String> {
        match self.c.below(100) {
            0..60 => self.decide(seed)?,
            60..90 => self.change_containers(),
            90..99 => self.change_node(),
            _ => {
                let gone = self.c.below(self.requests.len());
                self.requests.swap_remove(gone);
                self.add_request();
            }
        }
        Ok(())
    }

    fn decide(&mut self, seed: u64) -> Result<(), String> {
        // The lower of two numbers: some requests recur more often than others.
        let which = self.c.below(self.requests.len());
        let which = self.c.below(which + 1);
        let pair = self.c.below(self.pairs.len());
        let pair = &mut self.pairs[pair];
        let same = Arc::new(Request::clone(self.requests[which].request()));
        let request = pair.library.prepare(same);
        let winner = pair.decide(&self.world, &request, seed);
        let winner = winner.map_err(|error| format!("{error}\n{:?}\n{request:#?}", pair.library.settings()))?;
        if self.c.one_in(50) {
            pair.compare(&self.world, &request, seed)?;
        }
        match winner {
            None => self.rejected += 1,
            Some(node) => {
                self.placed += 1;
                let (name, swarm_id) = (domain::container_name(&mut self.c), domain::swarm_id(&mut self.c));
                self.world.place(node, Arc::clone(request.request()), &name, &swarm_id);
            }
        }
        Ok(())
    }

    fn change_containers(&mut self) {
        let world = &mut self.world;
        if !world.nodes.is_empty() && self.c.one_in(6) {
            let node = self.c.pick(&world.nodes);
            let (request, name) = (domain::running(&mut self.c), domain::container_name(&mut self.c));
            world.place(node, Arc::new(request), &name, "");
        }
        if world.containers.is_empty() {
            return;
        }
        let container = self.c.pick(&world.containers);
        match self.c.below(5) {
            4 => world.set_stopped(container, self.c.one_in(2)),
            0 => world.commit(container, None),
            1 => world.commit(container, Some(domain::identity(&mut self.c))),
            _ => world.remove(container),
        }
        while world.containers.len() > self.size.containers {
            let container = self.c.pick(&world.containers);
            world.remove(container);
        }
    }

    fn change_node(&mut self) {
        let (world, c) = (&mut self.world, &mut self.c);
        if world.nodes.is_empty() || (world.nodes.len() < self.size.nodes && c.one_in(5)) {
            world.add_node(c);
            return;
        }
        let node = c.pick(&world.nodes);
        match c.below(14) {
            0..3 => world.set_health(node, domain::health(c)),
            3 | 4 => world.set_schedulable(node, !c.one_in(4)),
            5 | 6 => world.set_labels(node, domain::labels(c)),
            7..10 => world.set_capacity(node, domain::capacity(c), domain::overcommit(c)),
            10 => world.add_image(node, domain::image(c)),
            11 => {
                let held = &world.mirror.node(node.index()).images;
                let image = if held.is_empty() {
                    domain::image(c)
                } else {
                    c.pick(held)
                };
                world.remove_image(node, &image);
            }
            12 => {
                world.fail(node);
                if c.one_in(2) {
                    world.set_health(node, 100);
                }
            }
            _ => world.remove_node(node),
        }
    }
}

fn check(first_seed: u64, histories: u64, size: fn() -> Size) {
    for seed in first_seed..first_seed + histories {
        History::new(seed, size()).run(seed);
    }
}

#[test]
fn long_histories_of_a_few_nodes_are_decided_as_by_the_reference() {
    check(1, 4, || Size {
        nodes: 8,
        containers: 25,
        requests: 60,
        steps: 10_000,
    });
}

#[test]
fn histories_of_many_nodes_are_decided_as_by_the_reference() {
    check(100, 2, || Size {
        nodes: 70,
        containers: 150,
        requests: 30,
        steps: 2000,
    });
}

#[test]
fn histories_of_hardly_any_node_are_decided_as_by_the_reference() {
    check(200, 20, || Size {
        nodes: 2,
        containers: 6,
        requests: 12,
        steps: 1500,
    });
}

/// More requests keep coming back than tournaments are kept.
#[test]
fn forgotten_requests_are_decided_as_by_the_reference() {
    let mut c = ChaCha8Rng::seed_from_u64(300);
    let mut world = World::default();
    for _ in 0..3 {
        world.add_node(&mut c);
    }
    let mut pair = Pair::new(Settings::new(Strategy::Spread));
    let requests: Vec<Prepared> = (0..5000)
        .map(|number| {
            let request = Request {
                resources: Resources::new(Cpus::from_millis(number % 3000), Bytes::new(number % 7)),
                image: number.to_string(),
                ..Request::default()
            };
            pair.library.prepare(Arc::new(request))
        })
        .collect();
    for round in 0..4 {
        for request in &requests {
            let winner = pair
                .decide(&world, request, round)
                .unwrap_or_else(|error| panic!("{error}"));
            if let Some(node) = winner
                && c.one_in(8)
            {
                world.place(node, Arc::clone(request.request()), "", "");
            } else if !world.containers.is_empty() && c.one_in(8) {
                let container = c.pick(&world.containers);
                world.remove(container);
            }
        }
    }
}

/// Two requests with one hash: what is remembered of one must not decide the other.
#[test]
fn requests_with_equal_hashes_are_told_apart() {
    // The hash function's first steps are `(cpus * K + memory) * K`, and K times the difference of the CPUs is, in 64
    // bits, the difference of the memory.
    let asking = |cpu_nanos, bytes| Request {
        resources: Resources::new(Cpus::from_nanos(cpu_nanos), Bytes::new(bytes)),
        ..Request::default()
    };
    let small = Arc::new(asking(1_050_683_319, 1));
    let large = Arc::new(asking(1_000_000_000, 187_368_795_348));
    assert_eq!(
        FxBuildHasher.hash_one(&small),
        FxBuildHasher.hash_one(&large),
        "find another pair"
    );
    for strategy in Strategy::ALL {
        let mut world = World::default();
        while world.nodes.len() < 3 {
            let mut node = domain::node(&mut Tape::new(&[]), 0);
            node.memory_bytes = 1 << 30;
            world.insert_node(node);
        }
        let mut pair = Pair::new(Settings {
            filters: Filter::ALL.to_vec(),
            ..Settings::new(strategy)
        });
        let requests = [&small, &large].map(|request| pair.library.prepare(Arc::clone(request)));
        for turn in 0..20_u32 {
            // Now one, now the other comes twice.
            let request = &requests[(turn.count_ones() % 2) as usize];
            pair.compare(&world, request, 1)
                .unwrap_or_else(|error| panic!("{error}"));
        }
    }
}

/// What happens between two decisions is more than the cluster's journal holds, or nearly.
#[test]
fn forgotten_changes_are_noticed() {
    for changes in [32_768, 65_535, 65_536, 65_537, 98_303, 98_304, 98_305, 200_000] {
        for strategy in Strategy::ALL {
            let mut c = ChaCha8Rng::seed_from_u64(400);
            let mut world = World::default();
            while world.nodes.len() < 6 {
                let node = world.add_node(&mut c);
                world.set_health(node, 100);
                world.set_schedulable(node, true);
            }
            let mut pair = Pair::new(Settings::new(strategy));
            let request = pair.library.prepare(Arc::new(Request::default()));
            let same = pair.compare(&world, &request, 1);
            same.unwrap_or_else(|error| panic!("{error}"));
            let winner = pair.decide(&world, &request, 1).expect("it has just been the same");
            let winner = winner.expect("all nodes are healthy");
            let others: Vec<_> = world.nodes.iter().copied().filter(|node| *node != winner).collect();
            // The first change of all is the only one that changes anything.
            world.set_health(winner, 0);
            for change in 1..changes {
                world.set_health(others[change % others.len()], 100);
            }
            pair.compare(&world, &request, 2)
                .unwrap_or_else(|error| panic!("{changes} changes, {strategy}: {error}"));
        }
    }
}

/// On a cluster so large that even thousands of changes are taken in one by one.
#[test]
fn many_changes_of_a_large_cluster_are_taken_in() {
    const NODES: usize = 40_000;
    let mut cluster = Cluster::new();
    let nodes: Vec<_> = (0..NODES)
        .map(|number| {
            cluster.add_node(NewNode {
                name: format!("n{number:05}"),
                capacity: Resources::new(Cpus::whole(4), Bytes::from_gib(8)),
                overcommit: Overcommit::NONE,
                ..NewNode::default()
            })
        })
        .collect();
    for strategy in Strategy::ALL {
        let mut remembering = Scheduler::new(Settings::new(strategy));
        let request = remembering.prepare(Arc::new(Request {
            resources: Resources::new(Cpus::whole(1), Bytes::ZERO),
            ..Request::default()
        }));
        let mut c = ChaCha8Rng::seed_from_u64(500);
        for changes in [0, 1, 1, 1000, 65_000, 65_530, 70_000, 10] {
            for _ in 0..changes {
                let node = c.pick(&nodes);
                cluster.update_node(node, NodeChange::Health(domain::health(&mut c)));
            }
            let fresh = Scheduler::new(Settings::new(strategy)).decide(&cluster, &request, &mut Draws(changes));
            let decided = remembering.decide(&cluster, &request, &mut Draws(changes));
            assert_eq!(decided, fresh, "{strategy} after {changes} changes");
        }
    }
}
