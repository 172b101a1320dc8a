//! Runs of small plans, told as stories.

mod waiting;

use std::time::Duration;

use crate::cluster::Cluster;
use crate::model::{Bytes, Cpus, PortBinding, Request, ReschedulePolicy, Resources, Time};
use crate::scheduler::Strategy;

use super::testing::{class, node, plan};
use super::*;

/// Writes down what happens, one short line each, samples excepted.
#[derive(Default)]
struct Story(Vec<String>);

impl Observer for Story {
    fn observe(&mut self, time: Time, cluster: &Cluster, observation: &Observation<'_>) {
        let name = |node| cluster.node(node).name();
        let line = match observation {
            Observation::Begin | Observation::Sample | Observation::End => return,
            Observation::Submitted { subject, .. } => format!("{} submitted", subject.name),
            Observation::Decided { subject, verdict, .. } => match verdict {
                Verdict::Placed { node, .. } => format!("{} placed on {}", subject.name, name(*node)),
                Verdict::Rejected(rejection) => format!("{} rejected by {}", subject.name, rejection.name()),
            },
            Observation::Retrying { subject, again } => format!("{} retries at {}", subject.name, again.as_secs_f64()),
            Observation::Queued { subject, length } => format!("{} queues as number {length}", subject.name),
            Observation::GaveUp { subject, .. } => format!("{} gives up", subject.name),
            Observation::Started { subject, .. } => format!("{} starts", subject.name),
            Observation::Exited { subject, restarts, .. } => {
                format!("{} exits{}", subject.name, if *restarts { " and restarts" } else { "" })
            }
            Observation::Lost { subject, node, .. } => format!("{} lost with {}", subject.name, name(*node)),
            Observation::Pulling { node, bytes } => format!("{} pulls {bytes}", name(*node)),
            Observation::Node { node, change } => format!("{} {change:?}", name(*node)),
        };
        self.0.push(format!("{:>5.1} {line}", time.as_secs_f64()));
        cluster.check().expect("the cluster's sums hold");
    }
}

fn tell(plan: &Plan) -> String {
    let mut story = Story::default();
    let run = Run {
        strategy: Strategy::Spread,
        seed: 7,
        stopwatch: None,
        interrupted: None,
    };
    simulate(plan, run, Time::MAX, &mut story);
    story.0.join("\n")
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn at(time: u64, node: usize, action: Action) -> EventPlan {
    EventPlan {
        nodes: vec![node],
        when: When::At {
            time: Time::from(seconds(time)),
            stagger: Duration::ZERO,
        },
        action,
    }
}

#[test]
fn a_container_waits_for_its_image_and_runs_for_its_lifetime() {
    let mut plan = plan();
    plan.nodes.push(node("n1"));
    plan.nodes[0].bandwidth = Some(100);
    plan.images.push(super::testing::image("web:1", &[(1, 1000)]));
    let request = Request {
        image: "web:1".to_owned(),
        ..Request::default()
    };
    let mut web = class("web", request, Some(5), 2);
    if let Source::Synthetic { arrivals, .. } = &mut web.source {
        *arrivals = Arrivals::Fixed { interval: seconds(20) };
    }
    plan.classes.push(web);
    assert_eq!(
        tell(&plan),
        "  0.0 web-1 submitted\n\
         \x20 0.0 web-1 placed on n1\n\
         \x20 0.0 n1 pulls 1000\n\
         \x2010.0 web-1 starts\n\
         \x2015.0 web-1 exits\n\
         \x2020.0 web-2 submitted\n\
         \x2020.0 web-2 placed on n1\n\
         \x2020.0 web-2 starts\n\
         \x2025.0 web-2 exits"
    );
}

#[test]
fn a_failed_node_loses_its_containers_and_those_that_may_move_do() {
    let mut plan = plan();
    plan.nodes.extend([node("n1"), node("n2")]);
    plan.run.detection = seconds(3);
    let movable = Request {
        reschedule: ReschedulePolicy::OnNodeFailure,
        ..Request::default()
    };
    plan.classes.push(class("db", movable, Some(60), 1));
    plan.classes.push(class("tmp", Request::default(), Some(60), 2));
    plan.events.push(at(
        10,
        0,
        Action::Fail {
            repair: Some(Sampler::fixed(5_000_000_000)),
        },
    ));
    assert_eq!(
        tell(&plan),
        "  0.0 db-1 submitted\n\
         \x20 0.0 db-1 placed on n1\n\
         \x20 0.0 db-1 starts\n\
         \x20 0.0 tmp-1 submitted\n\
         \x20 0.0 tmp-1 placed on n2\n\
         \x20 0.0 tmp-1 starts\n\
         \x20 0.0 tmp-2 submitted\n\
         \x20 0.0 tmp-2 placed on n1\n\
         \x20 0.0 tmp-2 starts\n\
         \x2010.0 n1 Failed\n\
         \x2010.0 db-1 lost with n1\n\
         \x2010.0 tmp-2 lost with n1\n\
         \x2013.0 db-1 placed on n2\n\
         \x2013.0 db-1 starts\n\
         \x2015.0 n1 Recovered\n\
         \x2060.0 tmp-1 exits\n\
         \x2073.0 db-1 exits"
    );
}

/// One node with room for one container of the class at a time.
fn crowded(on_rejection: OnRejection) -> Plan {
    let mut plan = plan();
    plan.nodes.push(node("n1"));
    let request = Request::default();
    let mut big = class("big", request, Some(10), 3);
    if let Source::Synthetic { cpus, memory, .. } = &mut big.source {
        *cpus = Sampler::fixed(Cpus::whole(3).nanos());
        *memory = Sampler::fixed(Bytes::from_gib(1).get());
    }
    big.on_rejection = on_rejection;
    plan.classes.push(big);
    plan
}

#[test]
fn the_queue_is_served_first_in_first_out() {
    assert_eq!(
        tell(&crowded(OnRejection::Queue {
            limit: Some(2),
            discipline: Discipline::Fifo,
        })),
        "  0.0 big-1 submitted\n\
         \x20 0.0 big-1 placed on n1\n\
         \x20 0.0 big-1 starts\n\
         \x20 0.0 big-2 submitted\n\
         \x20 0.0 big-2 rejected by no-resources\n\
         \x20 0.0 big-2 queues as number 1\n\
         \x20 0.0 big-3 submitted\n\
         \x20 0.0 big-3 queues as number 2\n\
         \x2010.0 big-1 exits\n\
         \x2010.0 big-2 placed on n1\n\
         \x2010.0 big-2 starts\n\
         \x2010.0 big-3 rejected by no-resources\n\
         \x2020.0 big-2 exits\n\
         \x2020.0 big-3 placed on n1\n\
         \x2020.0 big-3 starts\n\
         \x2030.0 big-3 exits"
    );
}

/// A container that has exited and is kept, and one that wants its port.
#[test]
fn a_stopped_container_holds_its_ports_unless_told_otherwise() {
    let port = Request {
        port_bindings: vec![PortBinding {
            container_port: "80/tcp".into(),
            host_ip: "".into(),
            host_port: "80".into(),
        }],
        ..Request::default()
    };
    let mut plan = plan();
    plan.nodes.push(node("n1"));
    for (name, start, lifetime) in [("old", 0, 10), ("new", 20, 10), ("newer", 25, 10)] {
        let mut class = class(name, port.clone(), Some(lifetime), 1);
        if let Source::Synthetic { start: begin, .. } = &mut class.source {
            *begin = Time::from(seconds(start));
        }
        class.remove_on_exit = false;
        plan.classes.push(class);
    }
    let decided = |plan: &Plan| -> Vec<String> {
        let story = tell(plan);
        let decisions = story
            .lines()
            .filter(|line| line.contains("placed") || line.contains("rejected"));
        decisions.map(|line| line.trim().to_owned()).collect()
    };
    assert_eq!(
        decided(&plan),
        [
            "0.0 old-1 placed on n1",
            "20.0 new-1 rejected by port",
            "25.0 newer-1 rejected by port"
        ]
    );
    plan.run.strict.stopped_ports = true;
    assert_eq!(
        decided(&plan),
        [
            "0.0 old-1 placed on n1",
            "20.0 new-1 placed on n1",
            "25.0 newer-1 rejected by port"
        ]
    );
}

#[test]
fn a_wait_longer_than_any_span_is_the_longest_wait() {
    let story = tell(&crowded(OnRejection::Retry {
        backoff: seconds(2),
        factor: f64::MAX,
        backoff_max: seconds(60),
        limit: 5,
    }));
    assert!(story.contains("big-2 retries at 62"), "{story}");
}

#[test]
fn retries_back_off_and_end() {
    let story = tell(&crowded(OnRejection::Retry {
        backoff: seconds(2),
        factor: 2.0,
        backoff_max: seconds(5),
        limit: 3,
    }));
    let of = |name: &str| -> Vec<&str> { story.lines().filter(|line| line.contains(name)).collect() };
    assert_eq!(
        of("big-2"),
        [
            "  0.0 big-2 submitted",
            "  0.0 big-2 rejected by no-resources",
            "  0.0 big-2 retries at 2",
            "  2.0 big-2 rejected by no-resources",
            "  2.0 big-2 retries at 6",
            "  6.0 big-2 rejected by no-resources",
            "  6.0 big-2 retries at 11",
            " 11.0 big-2 placed on n1",
            " 11.0 big-2 starts",
            " 21.0 big-2 exits",
        ]
    );
    assert_eq!(of("big-3").last(), Some(&" 11.0 big-3 gives up"));
}
