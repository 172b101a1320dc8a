//! Figures over time against sums over every instant.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use swarmlab::cluster::{Cluster, NewNode, NodeChange, Placement};
use swarmlab::metrics::{Metric, Recorder, Setup};
use swarmlab::model::{Bytes, ContainerIdx, Cpus, NodeIdx, Overcommit, Request, Resources, Time};
use swarmlab::sim::{Observation, Observer};

/// One change, after so many nanoseconds.
#[derive(Clone, Debug)]
enum Change {
    Place { node: usize, cpus: u64, bytes: u64 },
    Remove(usize),
    Health(usize, u8),
    Schedulable(usize, bool),
    Fail(usize),
    Join(u64),
    Leave(usize),
}

fn change() -> impl Strategy<Value = Change> {
    let health = prop::sample::select(vec![0_u8, 50, 100]);
    prop_oneof![
        6 => (0..4_usize, 0..6_u64, 0..6_u64).prop_map(|(node, cpus, bytes)| Change::Place { node, cpus, bytes }),
        3 => (0..20_usize).prop_map(Change::Remove),
        1 => (0..4_usize, health).prop_map(|(node, health)| Change::Health(node, health)),
        1 => (0..4_usize, any::<bool>()).prop_map(|(node, yes)| Change::Schedulable(node, yes)),
        1 => (0..4_usize).prop_map(Change::Fail),
        1 => (0..9_u64).prop_map(Change::Join),
        1 => (0..4_usize).prop_map(Change::Leave),
    ]
}

/// Reserved and overcommitted CPU and memory in percent, and active nodes, recounted from scratch.
fn recount(cluster: &Cluster) -> [Option<f64>; 5] {
    let mut sums = [[0_u64; 3]; 2];
    let mut active = 0.0;
    for (_, node) in cluster.nodes() {
        active += f64::from(u8::from(!node.containers().is_empty()));
        if node.is_schedulable() && node.health() > 0 {
            let (capacity, used) = (node.capacity(), node.used());
            let both = [(capacity.cpus.nanos(), used.cpus), (capacity.memory.get(), used.memory)];
            for (sums, (capacity, used)) in sums.iter_mut().zip(both) {
                sums[0] += capacity;
                sums[1] += used;
                sums[2] += used.saturating_sub(capacity);
            }
        }
    }
    let percent = |part: u64, whole: u64| (whole > 0).then(|| 100.0 * part as f64 / whole as f64);
    let [cpu, memory] = sums.map(|[capacity, used, excess]| (percent(used, capacity), percent(excess, capacity)));
    [cpu.0, memory.0, cpu.1, memory.1, Some(active)]
}

fn new_node(number: usize, amount: u64) -> NewNode {
    NewNode {
        id: number.to_string(),
        name: format!("n{number}"),
        capacity: Resources::new(Cpus::from_nanos(amount), Bytes::new(amount * 2)),
        // Enough that the cluster never leaves a pending container out of its sums.
        overcommit: Overcommit::from_fraction(10.0).unwrap(),
        ..NewNode::default()
    }
}

fn apply(cluster: &mut Cluster, nodes: &mut Vec<NodeIdx>, placed: &mut Vec<ContainerIdx>, change: &Change) {
    let present = |cluster: &Cluster, idx: NodeIdx| cluster.position(idx).is_some();
    match *change {
        Change::Place { node, cpus, bytes } if present(cluster, nodes[node]) => {
            let request = Request {
                resources: Resources::new(Cpus::from_nanos(cpus), Bytes::new(bytes)),
                ..Request::default()
            };
            let placement = Placement {
                request: Arc::new(request),
                name: "".into(),
                swarm_id: String::new(),
            };
            placed.push(cluster.place(nodes[node], placement).unwrap());
        }
        Change::Place { .. } => {}
        Change::Remove(place) => {
            if let Some(container) = placed.get(place) {
                cluster.remove(*container);
            }
        }
        Change::Health(node, health) => cluster.update_node(nodes[node], NodeChange::Health(health)),
        Change::Schedulable(node, yes) => cluster.update_node(nodes[node], NodeChange::Schedulable(yes)),
        Change::Fail(node) => {
            cluster.fail(nodes[node]);
        }
        Change::Join(amount) => {
            let number = nodes.len();
            nodes.push(cluster.add_node(new_node(number, amount)));
        }
        Change::Leave(node) => {
            cluster.remove_node(nodes[node]);
        }
    }
}

proptest! {
    #[test]
    fn means_and_peaks_are_those_of_every_instant(
        changes in prop::collection::vec((0..4_u64, change()), 1..60),
        warm_up in 0..30_u64,
        rest in 0..4_u64,
    ) {
        let setup = Setup { warm_up: Duration::from_nanos(warm_up), ..Setup::default() };
        let mut cluster = Cluster::new();
        let mut nodes: Vec<NodeIdx> = (0..4).map(|number| cluster.add_node(new_node(number, 10))).collect();
        let mut placed = Vec::new();
        let mut recorder = Recorder::new(&setup);
        recorder.observe(Time::ZERO, &cluster, &Observation::Begin);
        // What is true during each nanosecond.
        let mut instants: Vec<[Option<f64>; 5]> = Vec::new();
        for (pause, change) in &changes {
            let state = recount(&cluster);
            instants.extend(std::iter::repeat_n(state, *pause as usize));
            apply(&mut cluster, &mut nodes, &mut placed, change);
            let observation = Observation::Pulling { node: nodes[0], bytes: 0 };
            recorder.observe(Time(instants.len() as u64), &cluster, &observation);
        }
        let last = recount(&cluster);
        instants.extend(std::iter::repeat_n(last, rest as usize));
        let end = instants.len() as u64;
        recorder.observe(Time(end), &cluster, &Observation::End);
        let summary = recorder.finish().summary;

        let window = instants.get(warm_up as usize..);
        let means = [
            Metric::CpuReservedMean, Metric::MemoryReservedMean, Metric::CpuOvercommitted,
            Metric::MemoryOvercommitted, Metric::ActiveNodesMean,
        ];
        let peaks = [
            Some(Metric::CpuReservedPeak), Some(Metric::MemoryReservedPeak), None, None, Some(Metric::ActiveNodesPeak),
        ];
        for (figure, (mean, peak)) in means.into_iter().zip(peaks).enumerate() {
            let values: Vec<f64> = window.unwrap_or_default().iter().filter_map(|state| state[figure]).collect();
            let last = last[figure].filter(|_| window.is_some());
            let expected = if values.is_empty() {
                last
            } else {
                Some(values.iter().sum::<f64>() / values.len() as f64)
            };
            let near = |a: Option<f64>, b: Option<f64>| match (a, b) {
                (Some(a), Some(b)) => (a - b).abs() <= 1e-9 * b.abs().max(1.0),
                (a, b) => a == b,
            };
            let found = summary.get(mean);
            prop_assert!(near(found, expected), "{} is {found:?}, not {expected:?}", mean.key());
            if let Some(peak) = peak {
                let highest = values.iter().copied().chain(last).reduce(f64::max);
                prop_assert!(near(summary.get(peak), highest), "{} is {:?}", peak.key(), summary.get(peak));
            }
        }
    }
}
