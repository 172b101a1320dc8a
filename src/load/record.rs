//! What was measured, told as a simulated run is: so that the same metrics are made of both.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Measured, Placed};
use crate::cluster::{Cluster, NodeChange, Placement};
use crate::metrics::{Recorder, RunRecord, Setup};
use crate::model::{ContainerIdx, NodeIdx, Request, Time};
use crate::scheduler::SoftRules;
use crate::sim::{End, Observation, Observer, Plan, Subject, Verdict};

/// A container is on a node that the scenario does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the target has a node {0}, which the scenario has not: metrics are of the scenario's nodes")]
pub struct UnknownNode(pub String);

/// What happens to a container, in the order in which it does where times are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Happening {
    Ends,
    Begins,
    Answered,
    Runs,
}

/// The metrics of what was measured in an open loop. A container counts as placed when the target has answered, so that
/// waits are the target's; what failed for another reason than a scheduler's waits for ever. What happened to nodes is not
/// known, and does not show.
///
/// # Errors
///
/// If the target has other nodes than the plan.
pub fn record(plan: &Plan, setup: &Setup, measured: &Measured) -> Result<RunRecord, UnknownNode> {
    let mut world = World::new(plan, setup);
    let mut happenings: Vec<(Time, Happening, usize)> = Vec::new();
    for (number, placed) in measured.placed.iter().enumerate() {
        happenings.push((placed.time, Happening::Begins, number));
        // Clocks are read one after the other.
        let answered = placed.answered.max(placed.time);
        happenings.push((answered, Happening::Answered, number));
        happenings.extend(placed.started.map(|time| (time.max(answered), Happening::Runs, number)));
        happenings.extend(placed.removed.map(|time| (time.max(answered), Happening::Ends, number)));
    }
    happenings.sort();
    let latest = happenings.last().map_or(Time::ZERO, |(time, ..)| *time);
    let end = match plan.run.end {
        End::At(time) if !measured.is_partial => time.max(latest),
        _ => latest,
    };
    world.observe(Time::ZERO, &Observation::Begin);
    let mut samples = samples(plan, end);
    for (time, happening, number) in happenings {
        while let Some(due) = samples.next_if(|due| *due < time) {
            world.observe(due, &Observation::Sample);
        }
        world.happen(time, happening, &measured.placed[number])?;
    }
    for due in samples {
        world.observe(due, &Observation::Sample);
    }
    world.observe(end, &Observation::Sample);
    world.observe(end, &Observation::End);
    Ok(world.recorder.finish())
}

/// When the cluster is looked at: as in simulated runs, from the beginning, and at the end of the warm-up.
fn samples(plan: &Plan, end: Time) -> std::iter::Peekable<impl Iterator<Item = Time>> {
    let interval = plan.run.sample_interval.max(Duration::from_millis(1));
    let warm_up = Time::from(plan.run.warm_up);
    let mut next = Time::ZERO;
    let mut regular = Time::ZERO;
    std::iter::from_fn(move || {
        let time = next;
        if time >= end {
            return None;
        }
        if time == regular {
            regular = regular + interval;
        }
        next = if time < warm_up && warm_up < regular {
            warm_up
        } else {
            regular
        };
        Some(time)
    })
    .peekable()
}

/// The cluster as the target must have seen it.
struct World<'a> {
    cluster: Cluster,
    recorder: Recorder<'a>,
    nodes: BTreeMap<&'a str, NodeIdx>,
    containers: BTreeMap<String, (ContainerIdx, NodeIdx)>,
}

impl<'a> World<'a> {
    fn new(plan: &'a Plan, setup: &'a Setup) -> World<'a> {
        let mut cluster = Cluster::new();
        let add = |planned: &'a crate::sim::NodePlan| {
            let idx = cluster.add_node(planned.new_node());
            if !planned.present {
                cluster.update_node(idx, NodeChange::Schedulable(false));
            }
            (planned.name.as_str(), idx)
        };
        World {
            nodes: plan.nodes.iter().map(add).collect(),
            cluster,
            recorder: Recorder::new(setup),
            containers: BTreeMap::new(),
        }
    }

    fn observe(&mut self, time: Time, observation: &Observation<'_>) {
        self.recorder.observe(time, &self.cluster, observation);
    }

    fn happen(&mut self, time: Time, happening: Happening, placed: &Placed) -> Result<(), UnknownNode> {
        let subject = Subject {
            class: placed.class,
            name: &placed.name,
            request: &placed.request,
        };
        match (happening, &placed.node, placed.rejection) {
            (Happening::Begins, ..) => self.observe(
                time,
                &Observation::Submitted {
                    subject,
                    lifetime: None,
                },
            ),
            (Happening::Answered, Ok(node), _) => self.place(time, subject, node, placed)?,
            (Happening::Answered, Err(_), Some(rejection)) => {
                self.observe(
                    time,
                    &Observation::Decided {
                        subject,
                        verdict: Verdict::Rejected(rejection),
                        attempts: 1,
                        latency: None,
                    },
                );
                self.observe(
                    time,
                    &Observation::GaveUp {
                        subject,
                        rejection: Some(rejection),
                        waited: time.since(placed.time),
                    },
                );
            }
            (Happening::Answered, Err(_), None) => {}
            (Happening::Runs, ..) => {
                if let Some((container, node)) = self.containers.get(&placed.name).copied() {
                    self.cluster.commit(container, None);
                    let delay = time.since(placed.answered);
                    self.observe(
                        time,
                        &Observation::Started {
                            subject,
                            node,
                            container,
                            delay,
                        },
                    );
                }
            }
            (Happening::Ends, ..) => {
                if let Some((container, node)) = self.containers.remove(&placed.name) {
                    self.cluster.remove(container);
                    self.observe(
                        time,
                        &Observation::Exited {
                            subject,
                            node,
                            failed: false,
                            restarts: false,
                        },
                    );
                }
            }
        }
        Ok(())
    }

    fn place(&mut self, time: Time, subject: Subject<'_>, node: &str, placed: &Placed) -> Result<(), UnknownNode> {
        let node = *self.nodes.get(node).ok_or_else(|| UnknownNode(node.to_owned()))?;
        let request: Arc<Request> = Arc::clone(&placed.request);
        let placement = Placement {
            request,
            name: placed.name.as_str().into(),
            swarm_id: String::new(),
        };
        // Names of a scenario are unique, and its nodes are never removed here.
        if let Ok(container) = self.cluster.place(node, placement) {
            self.containers.insert(placed.name.clone(), (container, node));
            self.observe(
                time,
                &Observation::Decided {
                    subject,
                    verdict: Verdict::Placed {
                        node,
                        container,
                        // Nobody tells.
                        soft: SoftRules::Enforced,
                        waited: time.since(placed.time),
                        rescheduled: false,
                    },
                    attempts: 1,
                    latency: None,
                },
            );
        }
        Ok(())
    }
}
