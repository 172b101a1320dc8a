//! A whole small scenario, measured from its plan to its record: the simulator and the metrics with the scheduler.

use std::path::Path;

use criterion::{Criterion, criterion_group, criterion_main};
use swarmlab::cluster::Cluster;
use swarmlab::experiment::{Cell, run_cell};
use swarmlab::metrics::Setup;
use swarmlab::model::Time;
use swarmlab::scenario::{Options, load, parse};
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

/// A scenario of so many classes with one container each: twice as many take twice as long.
fn many_classes(count: usize) -> String {
    let mut text =
        "[run]\nduration = \"1h\"\n[cluster.nodes.n]\ncount = 100\ncpus = 64\nmemory = \"256GiB\"\n".to_owned();
    for number in 0..count {
        text.push_str(&format!(
            "[workload.c{number}]\narrivals = {{ process = \"at-start\", count = 1 }}\ncpus = 0.1\nlifetime = \"10s\"\n"
        ));
    }
    text
}

fn classes(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("classes");
    group.sample_size(10);
    for count in [5_000, 10_000, 20_000] {
        let text = many_classes(count);
        let read = |text: &str| match parse("classes.toml", text, Path::new(""), &Options::default()) {
            Ok(scenario) => scenario.plan,
            Err(faults) => panic!("{faults}"),
        };
        group.bench_function(format!("read/{count}"), |bencher| bencher.iter(|| read(&text)));
        // Every class refers to a container that there never is.
        let faulty = text.replace("cpus = 0.1", "cpus = 0.1\nlinks = [\"nobody-1\"]");
        group.bench_function(format!("complain/{count}"), |bencher| {
            bencher.iter(|| parse("classes.toml", &faulty, Path::new(""), &Options::default()).is_err());
        });
        let plan = read(&text);
        let setup = Setup::from_plan(&plan);
        let cell = Cell {
            strategy: Strategy::Spread,
            seed: 1,
        };
        group.bench_function(format!("simulate/{count}"), |bencher| {
            bencher.iter(|| run_cell(&plan, &setup, cell, &mut Nobody, &|| 0, &|| false));
        });
    }
    group.finish();
}

criterion_group!(benches, simulate, classes);
criterion_main!(benches);
