//! The state of a run, and what each event does to it.
//!
//! The world drives the scheduler as the manager does: name check, decision and reservation in one step; the container
//! counts as placed from then on, and is committed when its daemon has started it.

mod nodes;
mod prospects;
mod waiting;

use std::time::Duration;

use crate::cluster::{Cluster, Container, NodeChange};
use crate::model::{ContainerIdx, Name, NodeIdx, Time};
use crate::scheduler::{Prepared, Rejection, ReserveError, Scheduler, Settings, Strategy, reserve};

use super::images::Images;
use super::input::Submission;
use super::life::{self, Exit, Life, RestartDelay};
use super::observation::{Observation, Observer, Subject, Verdict};
use super::plan::{ClassPlan, Discipline, OnRejection, Plan};
use super::queue::EventQueue;
use super::streams::{PlacementRng, Streams};

use prospects::Prospects;
use waiting::Waiting;

/// Everything that changes during a run.
pub(super) struct World<'a> {
    plan: &'a Plan,
    pub(super) now: Time,
    pub(super) cluster: Cluster,
    scheduler: Scheduler,
    /// Cluster nodes by plan index.
    nodes: Vec<NodeState>,
    images: Images,
    jobs: Vec<Job>,
    free_jobs: Vec<JobIdx>,
    /// The job of each container of the cluster.
    owners: Vec<JobIdx>,
    events: EventQueue<Event>,
    waiting: Waiting,
    /// What nodes could take if they were empty; only kept if somebody waits for it.
    prospects: Option<Box<Prospects>>,
    /// Whether some in the queue may pass others.
    passing: bool,
    /// Containers committed so far.
    commits: u64,
    streams: Streams,
    placement_rng: PlacementRng,
    stopwatch: Option<&'a dyn Fn() -> u64>,
}

type JobIdx = u32;

/// A container from its submission to its end, in the cluster or not.
struct Job {
    class: u32,
    /// Raised whenever pending events of the job become void.
    generation: u32,
    request: Prepared,
    name: Name,
    lifetime: Option<Duration>,
    /// When it was submitted or lost with its node, until it is placed; then, when that was.
    since: Time,
    attempts: u32,
    life: Life,
    container: Option<ContainerIdx>,
    rescheduled: bool,
    /// The last state of the prospects in which some node could take it, if it were empty.
    possible_at: Option<u64>,
}

struct NodeState {
    idx: NodeIdx,
    present: bool,
    failed: bool,
    draining: bool,
    health: u8,
}

#[derive(Clone, Copy, Debug)]
enum Event {
    /// The image is there and the daemon has started the container.
    Start(JobRef),
    Exit(JobRef),
    /// Ask again, after a rejection or the loss of the node.
    Attempt(JobRef),
}

#[derive(Clone, Copy, Debug)]
struct JobRef {
    job: JobIdx,
    generation: u32,
}

impl<'a> World<'a> {
    pub(super) fn new(
        plan: &'a Plan,
        strategy: Strategy,
        seed: u64,
        stopwatch: Option<&'a dyn Fn() -> u64>,
    ) -> World<'a> {
        let streams = Streams::new(seed);
        let mut world = World {
            plan,
            now: Time::ZERO,
            cluster: Cluster::new(),
            scheduler: Scheduler::new(Settings {
                filters: plan.run.filters.clone(),
                strategy,
                strict: plan.run.strict,
            }),
            nodes: Vec::with_capacity(plan.nodes.len()),
            images: Images::new(plan),
            jobs: Vec::new(),
            free_jobs: Vec::new(),
            owners: Vec::new(),
            events: EventQueue::new(),
            waiting: Waiting::default(),
            prospects: Prospects::of(plan, strategy).map(Box::new),
            passing: plan.disciplines().any(|discipline| discipline == Discipline::Backfill),
            commits: 0,
            streams,
            placement_rng: PlacementRng::new(streams),
            stopwatch,
        };
        world.add_nodes();
        world
    }

    pub(super) fn scheduler(&self) -> &Scheduler {
        &self.scheduler
    }

    pub(super) fn placement_rng(&self) -> &PlacementRng {
        &self.placement_rng
    }

    pub(super) fn next_time(&self) -> Option<Time> {
        self.events.next_time()
    }

    pub(super) fn is_anyone_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Handles the next event of the world's own queue.
    pub(super) fn step(&mut self, observer: &mut dyn Observer) {
        let Some((time, event)) = self.events.pop() else {
            return;
        };
        self.now = time;
        let reference = match event {
            Event::Start(reference) | Event::Exit(reference) | Event::Attempt(reference) => reference,
        };
        // The job may have ended, or been lost with its node, since the event was planned.
        if self.jobs[reference.job as usize].generation != reference.generation {
            return;
        }
        match event {
            Event::Start(_) => self.start(reference.job, observer),
            Event::Exit(_) => self.exit(reference.job, observer),
            Event::Attempt(_) => self.attempt_or_wait(reference.job, observer),
        }
        self.serve_queue(observer);
    }

    /// A client asks for a container.
    pub(super) fn submit(&mut self, submission: Submission, observer: &mut dyn Observer) {
        let job = self.add_job(Job {
            class: submission.class as u32,
            generation: 0,
            request: submission.request,
            name: submission.name,
            lifetime: submission.lifetime,
            since: self.now,
            attempts: 0,
            life: Life::default(),
            container: None,
            rescheduled: false,
            possible_at: None,
        });
        let lifetime = submission.lifetime;
        self.tell(observer, job, |subject| Observation::Submitted { subject, lifetime });
        self.attempt_or_wait(job, observer);
        self.serve_queue(observer);
    }

    /// Places a job, unless it waits behind others.
    fn attempt_or_wait(&mut self, job: JobIdx, observer: &mut dyn Observer) {
        if self.discipline(job) == Some(Discipline::Fifo) && !self.waiting.is_empty() {
            match self.never_fits(job) {
                Some(rejection) => self.give_up(job, Some(rejection), observer),
                None => self.enqueue(job, None, observer),
            }
        } else if let Err(rejection) = self.attempt(job, observer) {
            self.refused(job, rejection, observer);
        }
    }

    /// One attempt to place a job, as the manager makes it.
    fn attempt(&mut self, job: JobIdx, observer: &mut dyn Observer) -> Result<(), Rejection> {
        self.make_name_unique(job);
        let state = &mut self.jobs[job as usize];
        state.attempts += 1;
        let waited = self.now - state.since;
        let begin = self.stopwatch.map(|read| read());
        let reserved = reserve(
            &mut self.scheduler,
            &mut self.cluster,
            &state.request,
            &state.name,
            "",
            &mut self.placement_rng,
        );
        let latency = self
            .stopwatch
            .zip(begin)
            .map(|(read, begin)| read().saturating_sub(begin));
        let (attempts, rescheduled) = (state.attempts, state.rescheduled);
        let (verdict, placed) = match reserved {
            Ok((container, decision)) => {
                state.container = Some(container);
                state.since = self.now;
                state.attempts = 0;
                let verdict = Verdict::Placed {
                    node: decision.node,
                    container,
                    soft: decision.soft,
                    waited,
                    rescheduled,
                };
                (verdict, Ok((container, decision.node)))
            }
            Err(ReserveError::Rejected(rejection)) => (Verdict::Rejected(rejection), Err(rejection)),
            // The name was made unique, and nodes of a plan are never removed.
            Err(ReserveError::Place(error)) => unreachable!("{error}"),
        };
        self.tell(observer, job, |subject| Observation::Decided {
            subject,
            verdict,
            attempts,
            latency,
        });
        let (container, node) = placed?;
        if self.owners.len() <= container.index() {
            self.owners.resize(container.index() + 1, JobIdx::MAX);
        }
        self.owners[container.index()] = job;
        self.prepare_start(job, node, observer);
        Ok(())
    }

    fn make_name_unique(&mut self, job: JobIdx) {
        let state = &mut self.jobs[job as usize];
        if !self.cluster.is_name_taken(&state.name) {
            return;
        }
        let free = (2..)
            .map(|number| Name::numbered(&state.name, '.', number))
            .find(|name| !self.cluster.is_name_taken(name));
        state.name = free.expect("numbers do not run out");
    }

    /// A placed container waits for its image and its daemon.
    fn prepare_start(&mut self, job: JobIdx, node: NodeIdx, observer: &mut dyn Observer) {
        // Nodes are added in the order of the plan, so both indices are the same.
        let number = node.index();
        let reference = &self.jobs[job as usize].request.request().image;
        let mut ready = self.now;
        if !reference.is_empty() {
            let image = self.images.number(reference);
            let pull = self.images.pull(number, image, self.now);
            ready = pull.ready;
            if pull.bytes > 0 {
                let pulling = Observation::Pulling {
                    node,
                    bytes: pull.bytes,
                };
                observer.observe(self.now, &self.cluster, &pulling);
            }
        }
        self.jobs[job as usize].life.start();
        let ready = ready + self.plan.run.start_latency;
        if ready <= self.now {
            self.start(job, observer);
        } else {
            self.events.add(ready, Event::Start(self.reference(job)));
        }
    }

    fn start(&mut self, job: JobIdx, observer: &mut dyn Observer) {
        let state = &self.jobs[job as usize];
        let Some(container) = state.container else {
            return;
        };
        let Some(node) = self.cluster.container(container).map(Container::node) else {
            return;
        };
        let delay = self.now - state.since;
        let lifetime = state.lifetime;
        let reference = &state.request.request().image;
        if !reference.is_empty() {
            let image = self.images.number(reference);
            if self.images.hold(node.index(), image) {
                let image = self.images.image(image).clone();
                self.cluster.update_node(node, NodeChange::AddImage(image));
            }
        }
        self.cluster.commit(container, None);
        self.commits += 1;
        self.jobs[job as usize].life.started();
        self.tell(observer, job, |subject| Observation::Started {
            subject,
            node,
            container,
            delay,
        });
        if let Some(lifetime) = lifetime {
            self.events.add(self.now + lifetime, Event::Exit(self.reference(job)));
        }
    }

    fn exit(&mut self, job: JobIdx, observer: &mut dyn Observer) {
        let state = &self.jobs[job as usize];
        let Some(container) = state.container else {
            return;
        };
        let Some(node) = self.cluster.container(container).map(Container::node) else {
            return;
        };
        let class = self.class(job);
        let fate = life::fate(&self.streams, class, &state.name, state.life.restarts(), state.lifetime);
        let exit = Exit {
            failed: fate.failed,
            ran: Duration::ZERO,
            policy: class.restart.policy,
            delay: RestartDelay::Fixed(class.restart.delay),
        };
        let life = &mut self.jobs[job as usize].life;
        let again = life.exited(&exit);
        if let Some(delay) = again {
            // Nobody looks at it between its exit and its restart, which so needs no event of its own.
            life.started();
            let again = self.now + delay + fate.lifetime.unwrap_or(Duration::MAX);
            self.events.add(again, Event::Exit(self.reference(job)));
        } else if class.remove_on_exit {
            self.cluster.remove(container);
        } else {
            self.cluster.set_stopped(container, true);
        }
        let (failed, restarts) = (fate.failed, again.is_some());
        self.tell(observer, job, |subject| Observation::Exited {
            subject,
            node,
            failed,
            restarts,
        });
        if !restarts && class.remove_on_exit {
            self.end_job(job);
        }
    }

    /// No node takes the job: its client does what it does, unless none ever could.
    fn refused(&mut self, job: JobIdx, rejection: Rejection, observer: &mut dyn Observer) {
        if let Some(rejection) = self.never_fits(job) {
            return self.give_up(job, Some(rejection), observer);
        }
        match self.class(job).on_rejection {
            OnRejection::Drop => self.give_up(job, Some(rejection), observer),
            OnRejection::Queue { .. } => {
                // Of those before it, if it was tried in spite of them, none has found a place since.
                self.waiting.refused_at(self.happened());
                self.enqueue(job, Some(rejection), observer);
            }
            OnRejection::Retry {
                backoff,
                factor,
                backoff_max,
                limit,
            } => {
                let attempts = self.jobs[job as usize].attempts;
                if attempts > limit {
                    return self.give_up(job, Some(rejection), observer);
                }
                let mut wait = backoff;
                for _ in 1..attempts {
                    if wait >= backoff_max {
                        break;
                    }
                    // Beyond what a duration holds it is beyond the longest wait.
                    let longer = Duration::try_from_secs_f64(wait.as_secs_f64() * factor.max(1.0));
                    wait = longer.unwrap_or(backoff_max);
                }
                let again = self.now + wait.min(backoff_max).max(Duration::from_nanos(1));
                self.events.add(again, Event::Attempt(self.reference(job)));
                self.tell(observer, job, |subject| Observation::Retrying { subject, again });
            }
        }
    }

    fn give_up(&mut self, job: JobIdx, rejection: Option<Rejection>, observer: &mut dyn Observer) {
        let waited = self.now - self.jobs[job as usize].since;
        self.tell(observer, job, |subject| Observation::GaveUp {
            subject,
            rejection,
            waited,
        });
        self.end_job(job);
    }

    fn class(&self, job: JobIdx) -> &'a ClassPlan {
        &self.plan.classes[self.jobs[job as usize].class as usize]
    }

    fn reference(&self, job: JobIdx) -> JobRef {
        JobRef {
            job,
            generation: self.jobs[job as usize].generation,
        }
    }

    fn add_job(&mut self, mut job: Job) -> JobIdx {
        match self.free_jobs.pop() {
            Some(idx) => {
                job.generation = self.jobs[idx as usize].generation;
                self.jobs[idx as usize] = job;
                idx
            }
            None => {
                self.jobs.push(job);
                (self.jobs.len() - 1) as JobIdx
            }
        }
    }

    fn end_job(&mut self, job: JobIdx) {
        let state = &mut self.jobs[job as usize];
        state.generation += 1;
        state.container = None;
        self.free_jobs.push(job);
    }

    fn tell<'s>(
        &'s self,
        observer: &mut dyn Observer,
        job: JobIdx,
        observation: impl FnOnce(Subject<'s>) -> Observation<'s>,
    ) {
        let state = &self.jobs[job as usize];
        let subject = Subject {
            class: state.class as usize,
            name: &state.name,
            request: state.request.request(),
        };
        observer.observe(self.now, &self.cluster, &observation(subject));
    }
}
