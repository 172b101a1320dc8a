//! A history told step by step to a recorder, over a real cluster and without a simulator. Times are whole seconds.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use swarmlab::cluster::{Cluster, NewNode, NodeChange, Placement};
use swarmlab::metrics::{Metric, Recorder, RunRecord, Setup, SetupNode, TypicalShapes};
use swarmlab::model::{Bytes, ContainerIdx, Cpus, NodeIdx, Overcommit, Request, ReschedulePolicy, Resources, Time};
use swarmlab::scheduler::{Rejection, SoftRules};
use swarmlab::sim::{NodeEvent, Observation, Observer, Subject, Verdict};

pub struct History<'a> {
    pub cluster: Cluster,
    pub nodes: Vec<NodeIdx>,
    recorder: Recorder<'a>,
    known: BTreeMap<String, Known>,
    now: Time,
}

/// What the history remembers of a container.
#[derive(Clone)]
struct Known {
    request: Arc<Request>,
    class: usize,
    /// When it was submitted, or lost.
    since: Time,
    lost: bool,
    attempts: u32,
    exited: bool,
    placed: Option<(Time, NodeIdx, ContainerIdx)>,
}

/// So many CPUs and GiB.
pub fn amount(cpus: u64, gib: u64) -> Resources {
    Resources::new(Cpus::whole(cpus), Bytes::from_gib(gib))
}

/// A setup with nodes of these CPUs and GiB, named `n0`, `n1` and so on, and one class.
pub fn setup(nodes: &[(u64, u64)]) -> Setup {
    let nodes = nodes.iter().enumerate().map(|(place, (cpus, gib))| SetupNode {
        name: format!("n{place}"),
        capacity: amount(*cpus, *gib),
    });
    Setup {
        nodes: nodes.collect(),
        classes: vec!["web".to_owned()],
        ..Setup::default()
    }
}

pub fn shapes(shapes: &[(u64, u64, f64)]) -> TypicalShapes {
    TypicalShapes::from_counts(shapes.iter().map(|(cpus, gib, count)| (amount(*cpus, *gib), *count)))
}

impl<'a> History<'a> {
    /// A history that begins with all nodes of the setup.
    pub fn new(setup: &'a Setup) -> History<'a> {
        History::with_absent(setup, &[])
    }

    /// A history that begins with all nodes of the setup but some.
    pub fn with_absent(setup: &'a Setup, absent: &[usize]) -> History<'a> {
        let mut cluster = Cluster::new();
        let nodes = setup.nodes.iter().map(|node| {
            cluster.add_node(NewNode {
                id: node.name.clone(),
                name: node.name.clone(),
                capacity: node.capacity,
                overcommit: Overcommit::NONE,
                ..NewNode::default()
            })
        });
        let mut history = History {
            nodes: nodes.collect(),
            cluster,
            recorder: Recorder::new(setup),
            known: BTreeMap::new(),
            now: Time::ZERO,
        };
        for node in absent {
            let idx = history.nodes[*node];
            history.cluster.update_node(idx, NodeChange::Schedulable(false));
        }
        history.tell(Observation::Begin);
        history
    }

    pub fn at(&mut self, second: u64) -> &mut Self {
        self.now = Time(second * 1_000_000_000);
        self
    }

    /// A container that reserves so many CPUs and GiB, and that may be placed again, is asked for.
    pub fn submit(&mut self, name: &str, cpus: u64, gib: u64) -> &mut Self {
        let request = Request {
            resources: amount(cpus, gib),
            reschedule: ReschedulePolicy::OnNodeFailure,
            ..Request::default()
        };
        self.submit_request(name, request, 0)
    }

    pub fn submit_request(&mut self, name: &str, request: Request, class: usize) -> &mut Self {
        let known = Known {
            request: Arc::new(request),
            class,
            since: self.now,
            lost: false,
            attempts: 0,
            exited: false,
            placed: None,
        };
        self.known.insert(name.to_owned(), known);
        self.about(name, |subject| Observation::Submitted {
            subject,
            lifetime: None,
        })
    }

    pub fn place(&mut self, name: &str, node: usize) -> &mut Self {
        self.place_with(name, node, SoftRules::Enforced, None)
    }

    pub fn place_with(&mut self, name: &str, node: usize, soft: SoftRules, latency: Option<u64>) -> &mut Self {
        let node = self.nodes[node];
        let known = self.known.get_mut(name).unwrap();
        let placement = Placement {
            request: known.request.clone(),
            name: name.into(),
            swarm_id: String::new(),
        };
        let container = self.cluster.place(node, placement).unwrap();
        known.placed = Some((self.now, node, container));
        let attempts = std::mem::take(&mut known.attempts) + 1;
        let verdict = Verdict::Placed {
            node,
            container,
            soft,
            waited: self.now - known.since,
            rescheduled: known.lost,
        };
        self.about(name, |subject| Observation::Decided {
            subject,
            verdict,
            attempts,
            latency,
        })
    }

    pub fn submit_to(&mut self, name: &str, cpus: u64, gib: u64, node: usize) -> &mut Self {
        self.submit(name, cpus, gib).place(name, node)
    }

    /// The scheduler finds no node.
    pub fn refuse(&mut self, name: &str) -> &mut Self {
        self.refuse_for(name, Rejection::NoResources)
    }

    pub fn refuse_for(&mut self, name: &str, rejection: Rejection) -> &mut Self {
        let known = self.known.get_mut(name).unwrap();
        known.attempts += 1;
        let attempts = known.attempts;
        self.about(name, |subject| Observation::Decided {
            subject,
            verdict: Verdict::Rejected(rejection),
            attempts,
            latency: None,
        })
    }

    pub fn retry(&mut self, name: &str) -> &mut Self {
        let again = self.now + Duration::from_secs(1);
        self.about(name, |subject| Observation::Retrying { subject, again })
    }

    pub fn queue(&mut self, name: &str) -> &mut Self {
        self.about(name, |subject| Observation::Queued { subject, length: 1 })
    }

    pub fn give_up(&mut self, name: &str, rejection: Option<Rejection>) -> &mut Self {
        let waited = self.now - self.known[name].since;
        self.about(name, |subject| Observation::GaveUp {
            subject,
            rejection,
            waited,
        })
    }

    pub fn start(&mut self, name: &str) -> &mut Self {
        let (at, node, container) = self.known[name].placed.unwrap();
        let delay = self.now - at;
        self.about(name, |subject| Observation::Started {
            subject,
            node,
            container,
            delay,
        })
    }

    /// It exits and is removed.
    pub fn exit(&mut self, name: &str) -> &mut Self {
        let (_, node, container) = self.known[name].placed.unwrap();
        self.cluster.remove(container).unwrap();
        self.about(name, |subject| Observation::Exited {
            subject,
            node,
            failed: false,
            restarts: false,
        })
    }

    /// It exits and stays, to be restarted or not.
    pub fn stop(&mut self, name: &str, restarts: bool) -> &mut Self {
        let (_, node, _) = self.known[name].placed.unwrap();
        self.known.get_mut(name).unwrap().exited = !restarts;
        self.about(name, |subject| Observation::Exited {
            subject,
            node,
            failed: true,
            restarts,
        })
    }

    /// A node fails; the containers named are to be placed again, the others are lost for good.
    pub fn fail(&mut self, node: usize, reschedule: &[&str]) -> &mut Self {
        let lost = self.cluster.fail(self.nodes[node]);
        self.node_event(node, NodeEvent::Failed);
        for (_, container) in lost {
            self.lose(container.name(), node, reschedule.contains(&container.name()));
        }
        self
    }

    pub fn recover(&mut self, node: usize) -> &mut Self {
        self.cluster.update_node(self.nodes[node], NodeChange::Health(100));
        self.node_event(node, NodeEvent::Recovered)
    }

    /// A node is drained; the containers named leave it.
    pub fn drain(&mut self, node: usize, moved: &[&str]) -> &mut Self {
        self.cluster
            .update_node(self.nodes[node], NodeChange::Schedulable(false));
        self.node_event(node, NodeEvent::Drained);
        for name in moved {
            self.cluster.remove(self.known[*name].placed.unwrap().2).unwrap();
            self.lose(name, node, true);
        }
        self
    }

    pub fn undrain(&mut self, node: usize) -> &mut Self {
        self.cluster
            .update_node(self.nodes[node], NodeChange::Schedulable(true));
        self.node_event(node, NodeEvent::Undrained)
    }

    /// A node leaves for good.
    pub fn leave(&mut self, node: usize, reschedule: &[&str]) -> &mut Self {
        let lost = self.cluster.remove_node(self.nodes[node]);
        self.node_event(node, NodeEvent::Left);
        for (_, container) in lost {
            self.lose(container.name(), node, reschedule.contains(&container.name()));
        }
        self
    }

    /// A node that was absent joins.
    pub fn enter(&mut self, node: usize) -> &mut Self {
        self.cluster
            .update_node(self.nodes[node], NodeChange::Schedulable(true));
        self.node_event(node, NodeEvent::Joined)
    }

    /// A node that nobody knew joins.
    pub fn join(&mut self, name: &str, cpus: u64, gib: u64) -> &mut Self {
        let node = self.cluster.add_node(NewNode {
            id: name.to_owned(),
            name: name.to_owned(),
            capacity: amount(cpus, gib),
            overcommit: Overcommit::NONE,
            ..NewNode::default()
        });
        self.nodes.push(node);
        self.node_event(self.nodes.len() - 1, NodeEvent::Joined)
    }

    pub fn pull(&mut self, node: usize, bytes: u64) -> &mut Self {
        let node = self.nodes[node];
        self.tell(Observation::Pulling { node, bytes })
    }

    pub fn sample(&mut self) -> &mut Self {
        self.tell(Observation::Sample)
    }

    /// The run ends here, with a last sample.
    pub fn end(mut self, second: u64) -> RunRecord {
        self.at(second).sample().tell(Observation::End);
        self.cluster.check().unwrap();
        self.recorder.finish()
    }

    /// Nobody misses what has exited.
    fn lose(&mut self, name: &str, node: usize, reschedules: bool) {
        let known = self.known.get_mut(name).unwrap();
        if known.exited {
            return;
        }
        (known.lost, known.since) = (true, self.now);
        let node = self.nodes[node];
        self.about(name, |subject| Observation::Lost {
            subject,
            node,
            reschedules,
        });
    }

    fn node_event(&mut self, node: usize, change: NodeEvent) -> &mut Self {
        let node = self.nodes[node];
        self.tell(Observation::Node { node, change })
    }

    fn about<F: for<'b> FnOnce(Subject<'b>) -> Observation<'b>>(&mut self, name: &str, observation: F) -> &mut Self {
        let known = self.known[name].clone();
        let subject = Subject {
            class: known.class,
            name,
            request: &known.request,
        };
        self.recorder.observe(self.now, &self.cluster, &observation(subject));
        self
    }

    fn tell(&mut self, observation: Observation<'_>) -> &mut Self {
        self.recorder.observe(self.now, &self.cluster, &observation);
        self
    }
}

/// Compares some metrics of a record; the difference allowed is rounding.
pub fn check(record: &RunRecord, expected: &[(Metric, Option<f64>)]) {
    for (metric, expected) in expected {
        let found = record.summary.get(*metric);
        let equal = match (found, expected) {
            (Some(found), Some(expected)) => (found - expected).abs() <= 1e-12 * expected.abs().max(1.0),
            (found, expected) => found == *expected,
        };
        assert!(equal, "{} is {found:?}, not {expected:?}", metric.key());
    }
}
