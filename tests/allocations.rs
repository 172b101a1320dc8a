//! The simulator's loop takes no memory from the heap once a run is in its steady state.
//!
//! Containers come and go at a constant rate through everything that `swarmlab run` has without a log: arrivals, the
//! queue of events, decisions, the cluster, and the metrics with their samples. Allocations are counted over the second
//! half of the run. What is left then is what the record of the run keeps, a column of the load map per sample up to
//! four hundred, and the doubling of lists: some have an entry per sample or container (the time series, waits), others
//! are of the containers on one node, which now and then has more than ever before.

use std::alloc::{GlobalAlloc, Layout, System};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use swarmlab::cluster::Cluster;
use swarmlab::experiment::{Cell, run_cell};
use swarmlab::metrics::Setup;
use swarmlab::model::Time;
use swarmlab::scenario::{Options, parse};
use swarmlab::scheduler::Strategy;
use swarmlab::sim::{Observation, Observer, Plan};

/// The system's allocator, with a counter of what is asked of it.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: everything is passed on unchanged to the system's allocator, which keeps the contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of this very function.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of this very function.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of this very function.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Containers of every common kind, about two thousand at a time.
const SCENARIO: &str = r#"
title = "Steady"

[run]
duration = "20m"
warm-up = "5m"
sample = "30s"
start-latency = "200ms"

[cluster.nodes.node]
count = 200
cpus = 32
memory = "128GiB"
bandwidth = "1Gbit/s"
labels = { disk = { weighted = { ssd = 1, hdd = 3 } }, rack = { cycle = ["r1", "r2", "r3", "r4"] } }

[images."base:1"]
layers = { base = "75MiB" }

[workload.plain]
arrivals = { process = "poisson", rate = "40/s" }
lifetime = { distribution = "exponential", mean = "30s" }
cpus = "0.5"
memory = "512MiB"

[workload.sized]
arrivals = { process = "poisson", rate = "10/s" }
lifetime = { distribution = "lognormal", median = "20s", sigma = 0.7, max = "5m" }
cpus = { choice = [{ value = 0.5, weight = 2 }, { value = 1, weight = 1 }] }
memory = { choice = [{ value = "512MiB", weight = 1 }, { value = "1GiB", weight = 1 }] }
replicas = 2

[workload.constrained]
arrivals = { process = "fixed", interval = "200ms" }
lifetime = "20s"
cpus = "0.25"
memory = "1GiB"
constraints = ["disk==ssd", "rack==/r[1-2]/"]

[workload.soft]
arrivals = { process = "fixed", interval = "500ms" }
lifetime = "20s"
cpus = 1
memory = "1GiB"
constraints = ["rack==~r9"]

[workload.pulled]
arrivals = { process = "burst", size = 20, interval = "5s" }
lifetime = "20s"
cpus = 1
memory = "1GiB"
image = "base:1"
restart = "on-failure:3"
failure = 0.5

[workload.base]
arrivals = { process = "at-start", count = 1 }
cpus = 1
memory = "1GiB"

[workload.linked]
arrivals = { process = "fixed", interval = "1s" }
lifetime = "20s"
cpus = "0.5"
memory = "1GiB"
links = ["base-1:base"]

[workload.near]
arrivals = { process = "fixed", interval = "1s" }
lifetime = "20s"
cpus = "0.5"
memory = "1GiB"
affinities = ["image==~base:1", "container!=base-1"]

[workload.ported]
arrivals = { process = "fixed", interval = "500ms" }
lifetime = "20s"
cpus = "0.5"
memory = "1GiB"
ports = ["8080:80"]

[workload.retrying]
arrivals = { process = "fixed", interval = "2s" }
lifetime = "20s"
cpus = 1
memory = "1GiB"
constraints = ["disk==tape"]
on-rejection = { action = "retry", backoff = "2s", factor = 2.0, backoff-max = "10s", limit = 4 }
"#;

/// When counting starts.
const FROM: Duration = Duration::from_secs(600);
/// Lists that may double from then on. Even the rarest class arrives five times as often.
const DOUBLINGS: u64 = 60;

/// Counts what happens, and what is allocated meanwhile, from a time on.
struct Watch {
    from: Time,
    events: u64,
    samples: u64,
    before: Option<u64>,
    allocations: u64,
}

impl Observer for Watch {
    fn observe(&mut self, time: Time, _: &Cluster, observation: &Observation<'_>) {
        if time < self.from {
            return;
        }
        let now = ALLOCATIONS.load(Ordering::Relaxed);
        match observation {
            Observation::Sample => self.samples += 1,
            _ => self.events += 1,
        }
        self.allocations = now - *self.before.get_or_insert(now);
    }
}

fn plan() -> Plan {
    match parse("steady.toml", SCENARIO, Path::new("."), &Options::default()) {
        Ok(scenario) => scenario.plan,
        Err(faults) => panic!("{faults}"),
    }
}

/// One test, so that no other allocates at the same time.
#[test]
fn a_steady_run_allocates_nothing_per_event() {
    let plan = plan();
    let setup = Setup::from_plan(&plan);
    for strategy in Strategy::ALL {
        let mut watch = Watch {
            from: Time::from(FROM),
            events: 0,
            samples: 0,
            before: None,
            allocations: 0,
        };
        let record = run_cell(&plan, &setup, Cell { strategy, seed: 1 }, &mut watch, &|| 0, &|| false);
        assert!(record.is_some(), "nobody interrupts");
        assert!(watch.events > 100_000, "{}", watch.events);
        assert!(
            watch.allocations <= watch.samples + DOUBLINGS,
            "{}: {} allocations in {} events and {} samples",
            strategy.name(),
            watch.allocations,
            watch.events,
            watch.samples
        );
    }
}
