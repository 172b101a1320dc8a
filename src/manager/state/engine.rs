//! One engine: a Docker daemon as the manager sees it, and how its health follows from calls (`manager/RULES.md` §3).

use std::collections::VecDeque;
use std::fmt;
use std::time::Instant;

use rustc_hash::FxHashMap;
use tokio_util::sync::CancellationToken;

use crate::cluster::{NewNode, NodeChange, health_indicator};
use crate::docker::{CallError, Daemon, DaemonFacts, Map, Timestamp};
use crate::model::{Bytes, ContainerIdx, Cpus, NodeIdx, Resources};

use super::observe::Gone;
use super::{End, ImageRecord, State};

/// An engine for as long as discovery names its address. One that is removed and comes back is another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::manager) struct EngineId(pub(in crate::manager) u64);

/// The state of an engine as clients are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::manager) enum Condition {
    /// Never validated, or its daemon has become another one.
    Pending,
    Healthy,
    /// Could not be reached several times in a row.
    Unhealthy,
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Condition::Pending => "Pending",
            Condition::Healthy => "Healthy",
            Condition::Unhealthy => "Unhealthy",
        })
    }
}

/// What a call's outcome did to an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::manager) enum Transition {
    /// It has become unhealthy.
    Disconnected,
    /// It is healthy again.
    Reconnected,
}

/// How the failures of calls that are made at the same time count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::manager) enum Counts {
    /// Each of them.
    Each,
    /// The first one: the others were sent before it was known.
    Together,
}

/// Creates remembered of one engine that were given up without its answer; beyond, the oldest are forgotten.
const GIVEN_UP_MAX: usize = 1024;

/// See the module.
#[derive(Debug)]
pub(in crate::manager) struct Engine {
    pub address: String,
    pub daemon: Daemon,
    pub condition: Condition,
    /// Its node in the cluster, once it has been validated.
    pub node: Option<NodeIdx>,
    /// What its daemon says of itself, once it has been validated.
    pub facts: Option<DaemonFacts>,
    /// The address it was reached at.
    pub ip: String,
    /// Calls in a row that could not reach it.
    pub failures: u32,
    /// When a call last could not reach it. Answers to calls that were sent before say nothing about it since then.
    failed_at: Option<Instant>,
    /// When the last one of the calls was sent that it has answered.
    answered: Option<Instant>,
    pub last_error: String,
    pub updated_at: Timestamp,
    pub images: Vec<ImageRecord>,
    pub networks: Vec<Map>,
    pub volumes: Vec<Map>,
    /// What must be added to the daemon's times, in nanoseconds.
    pub clock_skew: i64,
    /// Cancelled when it is healthy no longer; another one each time that it is again.
    pub(in crate::manager) lost: CancellationToken,
    /// The cluster-wide IDs of containers whose creation it has not answered, and which nobody waits for any more.
    pub(super) given_up: VecDeque<String>,
    /// Containers that have been removed from it lately, and when that was known.
    pub(super) gone: Gone,
    pub(super) containers: FxHashMap<Box<str>, ContainerIdx>,
    /// It has been told to stop: connections that are open are answered to the last, and new ones are refused.
    pub(super) closing: bool,
    /// Why containers of it that are to live on elsewhere have come, or are coming, to their end.
    pub(super) ends: FxHashMap<Box<str>, End>,
}

impl Engine {
    pub(super) fn new(address: String, daemon: Daemon, now: Timestamp) -> Engine {
        Engine {
            address,
            daemon,
            condition: Condition::Pending,
            node: None,
            facts: None,
            ip: String::new(),
            failures: 0,
            failed_at: None,
            answered: None,
            last_error: String::new(),
            updated_at: now,
            images: Vec::new(),
            networks: Vec::new(),
            volumes: Vec::new(),
            clock_skew: 0,
            lost: CancellationToken::new(),
            given_up: VecDeque::new(),
            gone: Gone::default(),
            containers: FxHashMap::default(),
            closing: false,
            ends: FxHashMap::default(),
        }
    }

    /// The host name that the daemon gives; empty if it has never been reached.
    pub(in crate::manager) fn name(&self) -> &str {
        self.facts.as_ref().map_or("", |facts| &facts.name)
    }

    /// `<daemon ID>|<address>`; empty if it has never been reached.
    pub(in crate::manager) fn id(&self) -> &str {
        self.facts.as_ref().map_or("", |facts| &facts.id)
    }

    pub(in crate::manager) fn is_healthy(&self) -> bool {
        self.condition == Condition::Healthy
    }

    fn set_condition(&mut self, condition: Condition) {
        self.condition = condition;
        if !self.is_healthy() {
            self.lost.cancel();
        } else if self.lost.is_cancelled() {
            self.lost = CancellationToken::new();
        }
    }

    /// The containers on it that are known by the daemon's ID.
    pub(in crate::manager) fn known_containers(&self) -> impl Iterator<Item = (&str, ContainerIdx)> {
        self.containers.iter().map(|(id, container)| (&**id, *container))
    }
}

impl State {
    /// A daemon has been validated: from now on its engine is a node, though no candidate before [`State::open`]. If it
    /// is one already, takes in what is new. The names on a node that gives way to another one are kept for a while.
    pub(in crate::manager) fn register(&mut self, id: EngineId, facts: DaemonFacts, ip: String, now: Timestamp) {
        let overcommit = self.rules.overcommit;
        let Some(engine) = self.engines.get_mut(&id) else {
            return;
        };
        engine.clock_skew = clock_skew(&facts, now);
        let same_node = engine.node.filter(|_| {
            let known = engine.facts.as_ref();
            known.is_some_and(|known| known.id == facts.id && known.name == facts.name)
        });
        let capacity = Resources::new(Cpus::whole(facts.cpus), Bytes::new(facts.memory));
        match same_node {
            Some(node) => {
                let known = self.cluster.node(node);
                let mut changes = Vec::new();
                if known.labels() != &facts.labels {
                    changes.push(NodeChange::Labels(facts.labels.clone()));
                }
                if known.capacity() != capacity {
                    changes.push(NodeChange::Capacity(capacity, overcommit));
                }
                for change in changes {
                    self.cluster.update_node(node, change);
                }
            }
            None => {
                let former = engine.node.take();
                let former_id = engine.id().to_owned();
                let former_given_up = std::mem::take(&mut engine.given_up);
                engine.containers.clear();
                engine.ends.clear();
                engine.closing = false;
                engine.images.clear();
                let node = self.cluster.add_node(NewNode {
                    id: facts.id.clone(),
                    name: facts.name.clone(),
                    capacity,
                    overcommit,
                    labels: facts.labels.clone(),
                    extra: Vec::new(),
                });
                // Until what is on it is known.
                self.cluster.update_node(node, NodeChange::Schedulable(false));
                engine.node = Some(node);
                self.of_node.insert(node, id);
                if let Some(former) = former {
                    self.leave(former, &former_id, former_given_up);
                    self.forget_node(former);
                }
            }
        }
        // Unless a visitor has removed it in between, which the lock excludes, it is still there.
        let given_up = self.take_given_up(&facts.id);
        if let Some(engine) = self.engines.get_mut(&id) {
            engine.given_up.extend(given_up);
            engine.facts = Some(facts);
            engine.ip = ip;
            engine.updated_at = now;
        }
    }

    /// What is on an engine, asked for since a time, is known as well: it may be given containers.
    pub(in crate::manager) fn open(&mut self, id: EngineId, asked: Instant) {
        let Some(engine) = self.engines.get_mut(&id) else {
            return;
        };
        let Some(node) = engine.node.filter(|_| !engine.closing) else {
            return;
        };
        engine.set_condition(Condition::Healthy);
        if engine.failed_at.is_none_or(|failed| failed < asked) {
            engine.failures = 0;
            engine.last_error.clear();
        }
        let daemon = engine.id().to_owned();
        self.return_names(&daemon);
        if !self.cluster.node(node).is_schedulable() {
            self.cluster.update_node(node, NodeChange::Schedulable(true));
        }
        self.tell_health(id);
    }

    /// The daemon at the address is no longer the one that was validated (`manager/RULES.md` §5.3).
    pub(in crate::manager) fn suspend(&mut self, id: EngineId, error: String, now: Timestamp) {
        if let Some(engine) = self.engines.get_mut(&id) {
            engine.set_condition(Condition::Pending);
            engine.last_error = error;
            engine.updated_at = now;
        }
        self.tell_health(id);
    }

    /// An engine is pending, and this is why.
    pub(in crate::manager) fn explain_pending(&mut self, id: EngineId, error: String, now: Timestamp) {
        if let Some(engine) = self.engines.get_mut(&id) {
            engine.last_error = error;
            engine.updated_at = now;
        }
    }

    /// The outcome of a call to an engine: failures to reach it count, and answers of any kind show that it is there.
    /// What is no answer of a daemon, or was our own fault, says neither (`manager/RULES.md` §3.1).
    ///
    /// An answer counts from when its call was sent: it does not take back a failure that was found out about since then.
    pub(in crate::manager) fn note<T>(
        &mut self,
        id: EngineId,
        sent: Instant,
        counts: Counts,
        outcome: &Result<T, CallError>,
        now: Timestamp,
    ) -> Option<Transition> {
        let failures_max = self.rules.failures_max;
        let engine = self.engines.get_mut(&id)?;
        let transition = match outcome {
            Err(CallError::Garbled(_) | CallError::Request(_)) => return None,
            // Has been counted: each call that others found out about would make the next look later.
            Err(CallError::BrokenOff(_)) => return None,
            Err(error) if error.is_unreachable() => {
                let known = engine.failed_at.is_some_and(|failed| failed >= sent);
                engine.failed_at = Some(Instant::now());
                if known && counts == Counts::Together {
                    return None;
                }
                engine.failures = engine.failures.saturating_add(1);
                engine.last_error = error.to_string();
                // One that takes its time for this, and has answered what it was asked later, is there: it is the last
                // choice until its next answer, and no more.
                let is_slow = error.is_late() && engine.answered.is_some_and(|answered| answered > sent);
                let lost = engine.condition == Condition::Healthy && engine.failures >= failures_max && !is_slow;
                lost.then(|| {
                    engine.set_condition(Condition::Unhealthy);
                    Transition::Disconnected
                })
            }
            // Over a connection that was open before: it says nothing about those to come.
            Ok(_) | Err(_) if engine.closing => return None,
            Ok(_) | Err(_) => {
                engine.answered = engine.answered.max(Some(sent));
                if engine.failed_at.is_some_and(|failed| failed >= sent) {
                    return None;
                }
                engine.failures = 0;
                engine.last_error.clear();
                (engine.condition == Condition::Unhealthy).then(|| {
                    engine.set_condition(Condition::Healthy);
                    Transition::Reconnected
                })
            }
        };
        engine.updated_at = now;
        self.tell_health(id);
        transition
    }

    /// Nobody waits any more for an engine to create a container, which it may do all the same.
    pub(in crate::manager) fn give_up(&mut self, id: EngineId, swarm_id: &str) {
        if let Some(engine) = self.engines.get_mut(&id) {
            if engine.given_up.len() >= GIVEN_UP_MAX {
                engine.given_up.pop_front();
            }
            engine.given_up.push_back(swarm_id.to_owned());
        }
    }

    /// A container of this cluster-wide ID has been created on an engine: it is wanted, whatever was given up before.
    pub(super) fn want_again(&mut self, id: EngineId, swarm_id: &str) {
        if let Some(engine) = self.engines.get_mut(&id) {
            engine.given_up.retain(|given_up| given_up != swarm_id);
        }
    }

    /// Whether the creation of the container with this cluster-wide ID was given up on an engine. Told once.
    pub(super) fn was_given_up(&mut self, id: EngineId, swarm_id: &str) -> bool {
        let Some(engine) = self.engines.get_mut(&id) else {
            return false;
        };
        let before = engine.given_up.len();
        engine.given_up.retain(|given_up| given_up != swarm_id);
        engine.given_up.len() < before
    }

    /// Tells the scheduler how healthy an engine is (`scheduler/RULES.md` §7.3).
    fn tell_health(&mut self, id: EngineId) {
        let Some(engine) = self.engines.get(&id) else { return };
        let Some(node) = engine.node else { return };
        let health = match engine.condition {
            // One that is healthy may be chosen, if only as the last.
            Condition::Healthy => health_indicator(engine.failures, self.rules.failures_max).max(1),
            Condition::Pending | Condition::Unhealthy => 0,
        };
        if self.cluster.node(node).health() != health {
            self.cluster.update_node(node, NodeChange::Health(health));
        }
    }
}

/// What must be added to the times of a daemon whose clock differs; nothing for less than two seconds
/// (`manager/RULES.md` §5.3).
fn clock_skew(facts: &DaemonFacts, now: Timestamp) -> i64 {
    /// Differences that the way of the answer explains.
    const TOLERATED: i64 = 2_000_000_000;
    let skew = facts.system_time.map_or(0, |time| now.0.saturating_sub(time.0));
    if skew.abs() < TOLERATED {
        return 0;
    }
    tracing::warn!(
        engine = facts.name,
        "The engine's clock differs by {} s from the manager's",
        skew / 1_000_000_000
    );
    skew
}
