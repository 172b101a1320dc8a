//! One decision with its reservation, by cluster size and kind of request.
//!
//! Every node holds 30 containers. Each iteration reserves room for one more container and gives it back, so that the
//! cluster stays as it is while every decision follows a change. `first_sight` never asks the same thing twice: it
//! measures the look at every node that a request of a new shape costs.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use swarmlab::cluster::{Cluster, Image, NewNode, NodeChange, Placement};
use swarmlab::model::{Bytes, Cpus, Labels, Overcommit, PortBinding, Request, Resources};
use swarmlab::scheduler::{Scheduler, Settings, Strategy, reserve};

const NODES: [usize; 5] = [10, 100, 1_000, 10_000, 100_000];
const CONTAINERS_PER_NODE: usize = 30;

fn cluster(nodes: usize) -> Cluster {
    let mut cluster = Cluster::new();
    let image = Arc::new(Image::tagged("web:1"));
    let resident = Arc::new(Request {
        resources: Resources::new(Cpus::from_millis(250), Bytes::from_mib(256)),
        labels: Labels::from([("tier".to_owned(), "front".to_owned())]),
        ..Request::default()
    });
    for number in 0..nodes {
        let idx = cluster.add_node(NewNode {
            id: format!("id-{number:05}"),
            name: format!("node-{number:05}"),
            capacity: Resources::new(Cpus::whole(64), Bytes::from_gib(256)),
            overcommit: Overcommit::DEFAULT,
            labels: Labels::from([("zone".to_owned(), format!("zone-{}", number % 10))]),
            extra: Vec::new(),
        });
        if number % 2 == 0 {
            cluster.update_node(idx, NodeChange::AddImage(Arc::clone(&image)));
        }
        for container in 0..CONTAINERS_PER_NODE {
            let placement = Placement {
                request: Arc::clone(&resident),
                name: format!("resident-{number}-{container}").into(),
                swarm_id: String::new(),
            };
            let placed = cluster.place(idx, placement).expect("names are unique");
            cluster.commit(placed, None);
        }
    }
    cluster
}

fn base() -> Request {
    Request {
        resources: Resources::new(Cpus::from_millis(500), Bytes::from_mib(512)),
        ..Request::default()
    }
}

fn requests() -> Vec<(&'static str, Request)> {
    let constrained = |text: &str| Request {
        constraints: vec![text.to_owned()],
        ..base()
    };
    let affine = |text: &str| Request {
        affinities: vec![text.to_owned()],
        ..base()
    };
    let port = PortBinding {
        container_port: "80/tcp".into(),
        host_ip: "".into(),
        host_port: "80".into(),
    };
    vec![
        ("plain", base()),
        ("constraint", constrained("zone==zone-3")),
        ("regex", constrained("zone==/^zone-[3-5]$/")),
        ("affinity", affine("image==web")),
        ("soft_affinity_miss", affine("container==~nobody")),
        (
            "port",
            Request {
                port_bindings: vec![port],
                ..base()
            },
        ),
        ("rejected", constrained("zone==nowhere")),
    ]
}

fn decide(criterion: &mut Criterion) {
    for strategy in [Strategy::Spread, Strategy::Binpack, Strategy::Random] {
        let mut group = criterion.benchmark_group(format!("decide/{strategy}"));
        for nodes in NODES {
            let mut cluster = cluster(nodes);
            for (kind, request) in requests() {
                let mut scheduler = Scheduler::new(Settings::new(strategy));
                let mut rng = ChaCha8Rng::seed_from_u64(1);
                let prepared = scheduler.prepare(Arc::new(request));
                group.bench_function(BenchmarkId::new(kind, nodes), |bencher| {
                    bencher.iter(|| {
                        let placed = reserve(&mut scheduler, &mut cluster, &prepared, "candidate", "", &mut rng);
                        if let Ok((container, _)) = black_box(placed) {
                            cluster.remove(container);
                        }
                    });
                });
            }
        }
        group.finish();
    }
}

fn first_sight(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("first_sight/spread");
    for nodes in NODES {
        let mut cluster = cluster(nodes);
        let mut scheduler = Scheduler::new(Settings::new(Strategy::Spread));
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut nanos = 0;
        group.bench_function(BenchmarkId::new("plain", nodes), |bencher| {
            bencher.iter(|| {
                nanos += 1;
                let mut request = base();
                request.resources.cpus = Cpus::from_nanos(nanos);
                let prepared = scheduler.prepare(Arc::new(request));
                let placed = reserve(&mut scheduler, &mut cluster, &prepared, "candidate", "", &mut rng);
                if let Ok((container, _)) = black_box(placed) {
                    cluster.remove(container);
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, decide, first_sight);
criterion_main!(benches);
