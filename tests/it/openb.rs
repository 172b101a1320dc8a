//! The real cluster trace, end to end: figures of runs against counts taken directly from the CSV files.

use std::collections::BTreeMap;
use std::path::Path;

use swarmlab::cluster::Cluster;
use swarmlab::experiment::{Cell, run_cell};
use swarmlab::metrics::{Metric, Setup};
use swarmlab::model::Time;
use swarmlab::scenario::{Options, load};
use swarmlab::scheduler::Strategy;
use swarmlab::sim::{Observation, Observer, Verdict};

use crate::skip::{rows, traces};

fn number(row: &BTreeMap<String, String>, column: &str) -> u64 {
    row[column].parse().expect("a whole number")
}

/// Counts what is placed, per container and in all.
#[derive(Default)]
struct Placed {
    containers: BTreeMap<String, u64>,
    cpu_millis: u64,
    gpu_millis: u64,
}

impl Observer for Placed {
    fn observe(&mut self, _: Time, cluster: &Cluster, observation: &Observation<'_>) {
        let Observation::Decided {
            subject,
            verdict: Verdict::Placed { node, .. },
            ..
        } = observation
        else {
            return;
        };
        *self.containers.entry(subject.name.to_owned()).or_default() += 1;
        self.cpu_millis += subject.request.resources.cpus.nanos() / 1_000_000;
        self.gpu_millis += subject.request.extra.iter().map(|(_, amount)| amount).sum::<u64>();
        let node = cluster.node(*node);
        assert!(
            node.extra().iter().all(|extra| extra.used <= extra.total),
            "{} has no GPU left",
            node.name()
        );
    }
}

#[test]
fn every_task_of_the_trace_is_placed_once() {
    let Some(directory) = traces("openb") else {
        return;
    };
    let pods = rows(&directory.join("openb_pod_list_default.csv"));
    let nodes = rows(&directory.join("openb_node_list_all_node.csv"));
    let options = Options {
        traces: Some(directory),
        ..Options::default()
    };
    let scenario = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/openb.toml");
    let plan = match load(&scenario, &options) {
        Ok(scenario) => scenario.plan,
        Err(faults) => panic!("{faults}"),
    };
    assert_eq!(plan.nodes.len(), nodes.len());
    let cpus: u64 = plan
        .nodes
        .iter()
        .map(|node| node.capacity.cpus.nanos() / 1_000_000)
        .sum();
    assert_eq!(cpus, nodes.iter().map(|row| number(row, "cpu_milli")).sum::<u64>());
    let gpus: u64 = plan
        .nodes
        .iter()
        .flat_map(|node| &node.extra)
        .map(|(_, amount)| amount)
        .sum();
    assert_eq!(gpus, nodes.iter().map(|row| 1000 * number(row, "gpu")).sum::<u64>());

    for strategy in Strategy::ALL {
        let mut placed = Placed::default();
        let cell = Cell { strategy, seed: 1 };
        let record = run_cell(&plan, &Setup::from_plan(&plan), cell, &mut placed, &|| 0, &|| false);
        let summary = record.expect("nobody interrupts").summary;
        assert_eq!(summary.get(Metric::Submitted), Some(pods.len() as f64), "{strategy}");
        assert_eq!(summary.get(Metric::Placed), Some(pods.len() as f64), "{strategy}");
        let names: BTreeMap<String, u64> = pods.iter().map(|row| (row["name"].clone(), 1)).collect();
        assert!(
            placed.containers == names,
            "{strategy} placed other containers than the trace has"
        );
        assert_eq!(
            placed.cpu_millis,
            pods.iter().map(|row| number(row, "cpu_milli")).sum::<u64>()
        );
        let gpu_millis = pods
            .iter()
            .map(|row| number(row, "num_gpu") * number(row, "gpu_milli"))
            .sum::<u64>();
        assert_eq!(placed.gpu_millis, gpu_millis, "{strategy}");
    }
}
