//! A whole small scenario, measured from its plan to its record: the simulator and the metrics with the scheduler.

use std::path::Path;

use criterion::{Criterion, criterion_group, criterion_main};
use swarmlab::cluster::Cluster;
use swarmlab::experiment::{Cell, run_cell};
use swarmlab::metrics::Setup;
use swarmlab::model::Time;
use swarmlab::scenario::{Options, load};
use swarmlab::scheduler::Strategy;
use swarmlab::sim::{Observation, Observer};

struct Nobody;

impl Observer for Nobody {
    fn observe(&mut self, _: Time, _: &Cluster, _: &Observation<'_>) {}
}

fn simulate(criterion: &mut Criterion) {
    for name in ["quickstart", "rolling-failures"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("scenarios")
            .join(format!("{name}.toml"));
        let plan = match load(&path, &Options::default()) {
            Ok(scenario) => scenario.plan,
            Err(faults) => panic!("{faults}"),
        };
        let setup = Setup::from_plan(&plan);
        let mut group = criterion.benchmark_group(format!("simulate/{name}"));
        for strategy in Strategy::ALL {
            group.bench_function(strategy.name(), |bencher| {
                let cell = Cell { strategy, seed: 1 };
                bencher.iter(|| run_cell(&plan, &setup, cell, &mut Nobody, &|| 0, &|| false));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, simulate);
criterion_main!(benches);
