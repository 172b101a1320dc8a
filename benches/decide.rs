//! One decision with its reservation, by cluster size and kind of request, on the built-in cluster of `swarmlab bench`.
//!
//! Each iteration reserves room for one more container and gives it back, so that the cluster stays as it is while
//! every decision follows a change. `first-sight` never asks the same thing twice: it measures the look at every node
//! that a request of a new shape costs.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use swarmlab::bench::{Case, FIRST_SIGHT, Stage, Subject};
use swarmlab::scheduler::Strategy;

const NODES: [usize; 5] = [10, 100, 1_000, 10_000, 100_000];

fn decide(criterion: &mut Criterion) {
    let subject = Subject::builtin();
    for strategy in Strategy::ALL {
        let mut group = criterion.benchmark_group(format!("decide/{strategy}"));
        for nodes in NODES {
            let mut stage = Stage::new(subject.clone());
            for kind in subject.kinds() {
                if kind.name == FIRST_SIGHT && strategy != Strategy::Spread {
                    continue;
                }
                let case = Case {
                    strategy,
                    kind: kind.name.clone(),
                    nodes,
                };
                let trial = stage
                    .trial(&case, &|| false)
                    .expect("the built-in cluster needs no simulation");
                let trial = trial.expect("the kind is one of the subject's");
                group.bench_function(BenchmarkId::new(&kind.name, nodes), |bencher| {
                    bencher.iter(|| trial.once())
                });
            }
        }
        group.finish();
    }
}

criterion_group!(benches, decide);
criterion_main!(benches);
