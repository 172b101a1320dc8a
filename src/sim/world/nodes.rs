//! The nodes of a run: how they enter the cluster, and what happens to them and to what is on them.

use std::time::Duration;

use crate::cluster::{HEALTHY, NodeChange};
use crate::model::{Labels, NodeIdx, ReschedulePolicy};

use super::prospects::apply;
use super::{Event, JobIdx, NodeState, World};
use crate::sim::input::{NodeAction, NodeInput};
use crate::sim::life::Phase;
use crate::sim::observation::{NodeEvent, Observation, Observer};

impl World<'_> {
    pub(super) fn add_nodes(&mut self) {
        for (number, planned) in self.plan.nodes.iter().enumerate() {
            let idx = self.cluster.add_node(planned.new_node());
            self.nodes.push(NodeState {
                idx,
                present: planned.present,
                failed: false,
                draining: false,
                health: HEALTHY,
            });
            if !planned.present {
                self.cluster.update_node(idx, NodeChange::Schedulable(false));
            }
            self.preload_images(number);
            self.reconsider(number);
        }
    }

    fn preload_images(&mut self, node: usize) {
        for reference in &self.plan.nodes[node].images {
            let number = self.images.number(reference);
            self.images.preload(node, number);
            let image = self.images.image(number).clone();
            self.cluster
                .update_node(self.nodes[node].idx, NodeChange::AddImage(image));
        }
    }

    /// Something happens to a node.
    pub(in crate::sim) fn node_input(&mut self, input: &NodeInput, observer: &mut dyn Observer) {
        let state = &mut self.nodes[input.node];
        let idx = state.idx;
        match &input.change {
            NodeAction::Fail if state.present && !state.failed => {
                state.failed = true;
                self.lose_node(input.node, NodeEvent::Failed, observer);
            }
            NodeAction::Recover if state.present && state.failed => {
                state.failed = false;
                let health = state.health;
                self.cluster.update_node(idx, NodeChange::Health(health));
                self.tell_node(observer, idx, NodeEvent::Recovered);
            }
            NodeAction::Drain if state.present && !state.draining => {
                state.draining = true;
                self.cluster.update_node(idx, NodeChange::Schedulable(false));
                self.tell_node(observer, idx, NodeEvent::Drained);
                self.move_containers(idx, observer);
            }
            NodeAction::Undrain if state.present && state.draining => {
                state.draining = false;
                self.cluster.update_node(idx, NodeChange::Schedulable(true));
                self.tell_node(observer, idx, NodeEvent::Undrained);
            }
            NodeAction::Join if !state.present => {
                *state = NodeState {
                    idx,
                    present: true,
                    failed: false,
                    draining: false,
                    health: HEALTHY,
                };
                for image in self.images.wipe(input.node) {
                    self.cluster.update_node(idx, NodeChange::RemoveImage(image));
                }
                self.preload_images(input.node);
                self.cluster.update_node(idx, NodeChange::Health(HEALTHY));
                self.cluster.update_node(idx, NodeChange::Schedulable(true));
                self.tell_node(observer, idx, NodeEvent::Joined);
            }
            NodeAction::Leave if state.present => {
                state.present = false;
                self.cluster.update_node(idx, NodeChange::Schedulable(false));
                self.lose_node(input.node, NodeEvent::Left, observer);
            }
            NodeAction::Relabel(changes) => {
                let mut labels: Labels = self.cluster.node(idx).labels().clone();
                apply(changes, &mut labels);
                self.cluster.update_node(idx, NodeChange::Labels(labels));
                self.tell_node(observer, idx, NodeEvent::Relabelled);
            }
            NodeAction::Health(health) if state.present => {
                state.health = *health;
                // Told also of a node that has failed: it is in that health when it recovers.
                if !state.failed {
                    self.cluster.update_node(idx, NodeChange::Health(*health));
                }
                self.tell_node(observer, idx, NodeEvent::Health(*health));
            }
            // Nobody asks a daemon here.
            NodeAction::Misbehave(_) | NodeAction::Behave(_) => return,
            // What cannot happen now (see `NodeAction`) is not part of a log, so nothing may follow from it.
            NodeAction::Fail
            | NodeAction::Recover
            | NodeAction::Drain
            | NodeAction::Undrain
            | NodeAction::Join
            | NodeAction::Leave
            | NodeAction::Health(_) => return,
        }
        self.reconsider(input.node);
        self.serve_queue(observer);
    }

    /// A node has failed or left: its containers are gone.
    fn lose_node(&mut self, number: usize, change: NodeEvent, observer: &mut dyn Observer) {
        let idx = self.nodes[number].idx;
        let lost = self.cluster.fail(idx);
        self.images.interrupt(number, self.now);
        self.tell_node(observer, idx, change);
        for (container, _) in lost {
            self.lose(self.owners[container.index()], idx, self.plan.run.detection, observer);
        }
    }

    /// A node drains: what may be moved is moved at once.
    fn move_containers(&mut self, node: NodeIdx, observer: &mut dyn Observer) {
        let listed = self
            .cluster
            .node(node)
            .containers()
            .iter()
            .map(|container| self.owners[container.index()]);
        let mut movable: Vec<JobIdx> = listed
            .filter(|job| {
                let job = &self.jobs[*job as usize];
                job.life.phase() != Phase::Exited && job.request.request().reschedule == ReschedulePolicy::OnNodeFailure
            })
            .collect();
        movable.sort_by(|a, b| self.jobs[*a as usize].name.cmp(&self.jobs[*b as usize].name));
        for job in movable {
            if let Some(container) = self.jobs[job as usize].container {
                self.cluster.remove(container);
            }
            self.lose(job, node, Duration::ZERO, observer);
        }
    }

    /// A container is gone from its node. By its policy it is placed again after a while, or not.
    fn lose(&mut self, job: JobIdx, node: NodeIdx, after: Duration, observer: &mut dyn Observer) {
        let state = &mut self.jobs[job as usize];
        state.container = None;
        state.generation += 1;
        if state.life.phase() == Phase::Exited {
            self.end_job(job);
            return;
        }
        state.life.stop();
        let reschedules = state.request.request().reschedule == ReschedulePolicy::OnNodeFailure;
        state.since = self.now;
        state.rescheduled = true;
        self.tell(observer, job, |subject| Observation::Lost {
            subject,
            node,
            reschedules,
        });
        if reschedules {
            self.events.add(self.now + after, Event::Attempt(self.reference(job)));
        } else {
            self.end_job(job);
        }
    }

    fn tell_node(&self, observer: &mut dyn Observer, node: NodeIdx, change: NodeEvent) {
        observer.observe(self.now, &self.cluster, &Observation::Node { node, change });
    }
}
