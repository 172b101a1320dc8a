//! One decision with its reservation in a cluster that keeps changing: one container comes, the oldest goes.
//!
//! Unlike `decide`, every decision follows changes of two nodes far apart, and sizes differ: `shapes` says how many
//! different requests take turns at random, `all` that no request ever comes twice.

use std::collections::VecDeque;
use std::hint::black_box;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use swarmlab::cluster::{Cluster, NewNode};
use swarmlab::model::{Bytes, ContainerIdx, Cpus, Labels, Overcommit, Request, Resources};
use swarmlab::scheduler::{Prepared, Scheduler, Settings, Strategy, reserve};

const NODES: [usize; 3] = [1_000, 10_000, 100_000];
const CONTAINERS_PER_NODE: usize = 10;

/// A cluster under load, and what is about to be asked of it.
struct Turnover {
    cluster: Cluster,
    scheduler: Scheduler,
    rng: ChaCha8Rng,
    running: VecDeque<ContainerIdx>,
    shapes: Vec<Prepared>,
    constraints: Vec<String>,
    number: u64,
}

impl Turnover {
    /// `shapes` of zero makes every request another.
    fn new(nodes: usize, strategy: Strategy, shapes: usize, constraints: &[&str]) -> Turnover {
        let mut turnover = Turnover {
            cluster: Cluster::new(),
            scheduler: Scheduler::new(Settings::new(strategy)),
            rng: ChaCha8Rng::seed_from_u64(1),
            running: VecDeque::new(),
            shapes: Vec::new(),
            constraints: constraints.iter().map(|text| (*text).to_owned()).collect(),
            number: 0,
        };
        for number in 0..nodes {
            turnover.cluster.add_node(NewNode {
                id: format!("id-{number:06}"),
                name: format!("node-{number:06}"),
                capacity: Resources::new(Cpus::whole(32 << (number % 3)), Bytes::from_gib(128 << (number % 3))),
                overcommit: Overcommit::DEFAULT,
                labels: Labels::from([("zone".to_owned(), format!("zone-{}", number % 10))]),
                extra: Vec::new(),
            });
        }
        for _ in 0..shapes {
            let shape = turnover.draw();
            turnover.shapes.push(shape);
        }
        for _ in 0..nodes * CONTAINERS_PER_NODE {
            turnover.place();
        }
        turnover
    }

    /// A request of random size.
    fn draw(&mut self) -> Prepared {
        let rng = &mut self.rng;
        let cpus = Cpus::from_millis(rng.random_range(100..4_000));
        let memory = Bytes::from_mib(rng.random_range(128..16_384));
        self.scheduler.prepare(Arc::new(Request {
            resources: Resources::new(cpus, memory),
            constraints: self.constraints.clone(),
            ..Request::default()
        }))
    }

    fn place(&mut self) {
        let request = if self.shapes.is_empty() {
            self.draw()
        } else {
            self.shapes[self.rng.random_range(0..self.shapes.len())].clone()
        };
        self.number += 1;
        let name = format!("c{}", self.number);
        let placed = reserve(
            &mut self.scheduler,
            &mut self.cluster,
            &request,
            &name,
            "",
            &mut self.rng,
        );
        if let Ok((container, _)) = black_box(placed) {
            self.running.push_back(container);
        }
    }

    fn step(&mut self) {
        if let Some(oldest) = self.running.pop_front() {
            self.cluster.remove(oldest);
        }
        self.place();
    }
}

fn turnover(criterion: &mut Criterion) {
    for strategy in [Strategy::Spread, Strategy::Binpack] {
        for (kind, constraints) in [("plain", &[][..]), ("constraint", &["zone==zone-3"][..])] {
            let mut group = criterion.benchmark_group(format!("turnover/{strategy}/{kind}"));
            for nodes in NODES {
                for (name, shapes) in [("1", 1), ("10", 10), ("1000", 1000), ("all", 0)] {
                    let id = BenchmarkId::new(format!("shapes-{name}"), nodes);
                    let mut state = None;
                    group.bench_function(id, |bencher| {
                        // Made only if the filter on the command line wants it.
                        let state = state.get_or_insert_with(|| Turnover::new(nodes, strategy, shapes, constraints));
                        bencher.iter(|| state.step());
                    });
                }
            }
            group.finish();
        }
    }
}

criterion_group!(benches, turnover);
criterion_main!(benches);
