//! What nodes could take if they were empty, now or at any time to come: whoever finds no place there waits in vain.

use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;

use crate::cluster::{Cluster, NodeChange};
use crate::model::{Labels, NodeIdx, Time};
use crate::scheduler::{Filter, Prepared, Rejection, Scheduler, Settings, Strategy};
use crate::sim::plan::{Action, OnRejection, Plan, When};

use super::{JobIdx, NodeState, World};

/// The nodes of a plan without containers, each as often as it has different labels in the course of the run.
pub(super) struct Prospects {
    cluster: Cluster,
    /// With those of the filters that no container on a node has an influence on.
    scheduler: Scheduler,
    /// Whether an affinity that cannot be read refuses.
    reads_affinities: bool,
    /// Whether unhealthy nodes are refused.
    looks_at_health: bool,
    nodes: Vec<Prospect>,
    /// Raised when something is ruled out that was possible before.
    shrunk: u64,
    /// The earliest of the last times that are still to come. Events without effect are not part of a log, so that what
    /// they end must not depend on them: it ends when anything else happens after that time.
    next_end: Time,
    /// Under `random` a decision draws a number, which nobody looks at here.
    rng: ChaCha8Rng,
}

/// New values of labels; `None` removes one.
type Changes = [(String, Option<String>)];

/// One node of the plan.
#[derive(Default)]
struct Prospect {
    /// The node with the labels that it has from the start or an event on, until the next such event.
    labelled: Vec<(NodeIdx, Time)>,
    /// The last times at which something puts it back to work.
    joins: Option<Time>,
    recovers: Option<Time>,
    undrains: Option<Time>,
    heals: Option<Time>,
}

impl Prospects {
    /// Those of a plan, if it has somebody who would wait.
    pub(super) fn of(plan: &Plan, strategy: Strategy) -> Option<Prospects> {
        let waits = |on_rejection: OnRejection| on_rejection != OnRejection::Drop;
        if !plan.classes.iter().any(|class| waits(class.on_rejection)) {
            return None;
        }
        let filters = &plan.run.filters;
        let is_static = |filter: &Filter| match filter {
            Filter::ContainerSlots | Filter::Constraint | Filter::Whitelist | Filter::Resources => true,
            // A node that is down may come back; ports are free on an empty one; the containers and images that
            // others depend on may come.
            Filter::Health | Filter::Port | Filter::Dependency | Filter::Affinity => false,
        };
        let mut prospects = Prospects {
            cluster: Cluster::new(),
            scheduler: Scheduler::new(Settings {
                filters: filters.iter().copied().filter(is_static).collect(),
                strategy,
                strict: plan.run.strict,
            }),
            reads_affinities: filters.contains(&Filter::Affinity),
            looks_at_health: filters.contains(&Filter::Health),
            nodes: Vec::with_capacity(plan.nodes.len()),
            shrunk: 0,
            next_end: Time::ZERO,
            rng: ChaCha8Rng::seed_from_u64(0),
        };
        prospects.nodes.resize_with(plan.nodes.len(), Prospect::default);
        let mut relabelled: Vec<Vec<(Time, &Changes)>> = vec![Vec::new(); plan.nodes.len()];
        for event in &plan.events {
            for (place, node) in event.nodes.iter().enumerate() {
                // What is random has no last time.
                let time = match event.when {
                    When::At { time, stagger } => {
                        time + stagger.saturating_mul(u32::try_from(place).unwrap_or(u32::MAX))
                    }
                    When::Random { .. } => Time::MAX,
                };
                prospects.nodes[*node].expect(time, &event.action);
                if let Action::Relabel(changes) = &event.action {
                    relabelled[*node].push((time, changes));
                }
            }
        }
        for (number, planned) in plan.nodes.iter().enumerate() {
            let changes = &mut relabelled[number];
            // Stable: at the same time, in the order of the events.
            changes.sort_by_key(|(time, _)| *time);
            let mut new = planned.new_node();
            let until = |place: usize| changes.get(place).map_or(Time::MAX, |(time, _)| *time);
            let mut labelled = vec![(prospects.cluster.add_node(new.clone()), until(0))];
            for (place, (_, changes)) in changes.iter().enumerate() {
                apply(changes, &mut new.labels);
                labelled.push((prospects.cluster.add_node(new.clone()), until(place + 1)));
            }
            prospects.nodes[number].labelled = labelled;
        }
        Some(prospects)
    }

    /// Takes in all nodes, if the last chance of one of them has passed.
    pub(super) fn refresh(&mut self, states: &[NodeState], now: Time) {
        if now < self.next_end || self.next_end == Time::MAX {
            return;
        }
        for (number, state) in states.iter().enumerate() {
            self.update(number, state, now);
        }
        let ends = self.nodes.iter().flat_map(|prospect| {
            let labels = prospect.labelled.iter().map(|(_, until)| *until);
            let last = [prospect.joins, prospect.recovers, prospect.undrains, prospect.heals];
            last.into_iter()
                .flatten()
                .map(|last| last + Duration::from_nanos(1))
                .chain(labels)
        });
        self.next_end = ends.filter(|end| *end > now).min().unwrap_or(Time::MAX);
    }

    /// How often something was ruled out.
    pub(super) fn shrunk(&self) -> u64 {
        self.shrunk
    }

    /// A node of the plan has changed.
    pub(super) fn update(&mut self, number: usize, state: &NodeState, now: Time) {
        let prospect = &self.nodes[number];
        // At that time itself, what puts it back to work may not have happened yet.
        let later = |time: Option<Time>| time.is_some_and(|time| time >= now);
        let is_up = |good: bool, comes: Option<Time>| good || later(comes);
        let is_healthy = is_up(!state.failed, prospect.recovers) && is_up(state.health > 0, prospect.heals);
        let possible = later(prospect.joins)
            || (state.present && is_up(!state.draining, prospect.undrains) && (is_healthy || !self.looks_at_health));
        for (idx, until) in &prospect.labelled {
            let possible = possible && *until > now;
            let before = self.cluster.node(*idx).is_schedulable();
            if before != possible {
                self.cluster.update_node(*idx, NodeChange::Schedulable(possible));
                self.shrunk += u64::from(before);
            }
        }
    }

    /// Why no node ever takes the request, if none does.
    fn refuse(&mut self, request: &Prepared) -> Option<Rejection> {
        if self.reads_affinities && request.affinities().is_err() {
            return Some(Rejection::Filter(Filter::Affinity));
        }
        self.scheduler.decide(&self.cluster, request, &mut self.rng).err()
    }
}

impl Prospect {
    /// An event is to come.
    fn expect(&mut self, time: Time, action: &Action) {
        let (last, time) = match action {
            Action::Join => (&mut self.joins, time),
            Action::Recover => (&mut self.recovers, time),
            // It is not known how long this takes.
            Action::Fail { repair: Some(_) } | Action::Flap { .. } => (&mut self.recovers, Time::MAX),
            Action::Undrain => (&mut self.undrains, time),
            Action::Health(health) if *health > 0 => (&mut self.heals, time),
            _ => return,
        };
        *last = Some(last.map_or(time, |last| last.max(time)));
    }
}

impl World<'_> {
    /// Why no node ever takes the job, if none does; `None` also if nobody would wait for it.
    pub(super) fn never_fits(&mut self, job: JobIdx) -> Option<Rejection> {
        let state = &mut self.jobs[job as usize];
        let prospects = self.prospects.as_mut()?;
        prospects.refresh(&self.nodes, self.now);
        if state.possible_at == Some(prospects.shrunk) {
            return None;
        }
        let rejection = prospects.refuse(&state.request);
        state.possible_at = rejection.is_none().then_some(prospects.shrunk);
        rejection
    }

    /// A node has changed.
    pub(super) fn reconsider(&mut self, number: usize) {
        if let Some(prospects) = self.prospects.as_mut() {
            prospects.update(number, &self.nodes[number], self.now);
        }
    }
}

/// Changes some labels.
pub(super) fn apply(changes: &Changes, labels: &mut Labels) {
    for (key, value) in changes {
        match value {
            Some(value) => labels.insert(key.clone(), value.clone()),
            None => labels.remove(key),
        };
    }
}
