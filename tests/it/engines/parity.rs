//! A scenario that is simulated and one that is played against engines behind a manager come to the same placements.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use swarmlab::cluster::Cluster as Nodes;
use swarmlab::load;
use swarmlab::model::Time;
use swarmlab::scheduler::Strategy;
use swarmlab::sim::{Observation, Observer, Run, Verdict, simulate};

use super::manager::Managed;
use super::{Cluster, plan};

const SCENARIO: &str = r#"
[run]
seed = 5
duration = "10m"

[cluster.nodes.small]
count = 4
cpus = 4
memory = "8GiB"
labels = { disk = "hdd" }

[cluster.nodes.large]
count = 2
cpus = 16
memory = "32GiB"
labels = { disk = "ssd" }

[workload.web]
arrivals = { process = "poisson", rate = "12/min" }
image = "web"
cpus = 1
memory = { distribution = "uniform", low = "256MiB", high = "2GiB", step = "256MiB" }
lifetime = { distribution = "exponential", mean = "3m" }

[workload.database]
arrivals = { process = "fixed", interval = "40s" }
image = "database"
cpus = 2
memory = "4GiB"
lifetime = "5m"
constraints = ["disk==ssd"]
"#;

/// Names and nodes, in the order of their decisions.
#[derive(Default)]
struct Seen(Vec<(String, Option<String>)>);

impl Observer for Seen {
    fn observe(&mut self, _: Time, cluster: &Nodes, observation: &Observation<'_>) {
        if let Observation::Decided { subject, verdict, .. } = observation {
            let node = match verdict {
                Verdict::Placed { node, .. } => Some(cluster.node(*node).name().to_owned()),
                Verdict::Rejected(_) => None,
            };
            self.0.push((subject.name.to_owned(), node));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_simulated_and_the_played_scenario_place_alike() {
    let plan = plan(SCENARIO);
    let mut simulated = Seen::default();
    let run = Run {
        strategy: Strategy::Spread,
        seed: plan.run.seed,
        stopwatch: None,
        interrupted: None,
    };
    simulate(&plan, run, Time::MAX, &mut simulated);
    let managed = Managed::start(Cluster::start(plan.clone()).await).await;
    let options = load::Options {
        seed: plan.run.seed,
        plan,
        target: managed.address.clone(),
        // One connection, so that requests keep their order.
        connections: 1,
        speed: 200.0,
        patience: Duration::from_secs(30),
        prefix: load::Prefix::default(),
        stop: CancellationToken::new(),
    };
    let measured = load::open(&options, |_| ()).await;
    let played: Vec<(String, Option<String>)> = measured
        .placed
        .iter()
        .map(|placed| (placed.name.clone(), placed.node.clone().ok()))
        .collect();
    assert!(
        simulated.0.len() > 100 && simulated.0.len() == played.len(),
        "{}",
        played.len()
    );
    for (own, other) in simulated.0.iter().zip(&played) {
        assert_eq!(own, other);
    }
}
