//! From a wish to a reservation on a node: the decision, under the lock, and what becomes of it.

use std::convert::Infallible;
use std::time::Instant;

use rand::TryRng;
use serde_json::{Value, json};

use crate::cluster::{Identity, Report};
use crate::docker::Daemon;
use crate::manager::config::Config;
use crate::manager::limits::{self, shortened};
use crate::model::{ContainerIdx, Cpus, NodeIdx, Request};
use crate::scheduler::{CreateError, Creation, Outcome, Prepared, swarm_id};

use super::{EngineId, State};

/// Parts of a request, times nodes and containers to compare them with, beyond which it is not explained why nobody takes
/// a container.
const EXPLAINED_MAX: u64 = 1_000_000;

/// Characters of a rule, and of what was found instead, that clients are told.
const TOLD_CHARS_MAX: usize = 256;

/// A generator for explaining why nobody takes a container, for which nothing is drawn.
#[derive(Clone)]
struct NoDraws;

impl TryRng for NoDraws {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(0)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(0)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.fill(0);
        Ok(())
    }
}

/// A container that is to be created.
#[derive(Clone, Debug)]
pub(in crate::manager) struct Wanted {
    pub config: Config,
    pub creation: Creation,
    pub name: String,
    pub swarm_id: String,
}

/// Room for a container on an engine, which nobody else is given meanwhile.
#[derive(Clone, Debug)]
pub(in crate::manager) struct Reserved {
    pub container: ContainerIdx,
    pub engine: EngineId,
    /// The engine's node when the room was reserved: an engine whose daemon turns out to be another one gets another.
    pub node: NodeIdx,
    pub engine_name: String,
    pub daemon: Daemon,
    /// The CPUs that the engine really has.
    pub cpus: Cpus,
}

/// What is known of a container that a daemon says it has created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::manager) enum Confirmed {
    /// It has the room that was reserved for it, or has been removed again since.
    Known,
    /// The same, but the daemon has reported another container for the same wish, which an attempt before this one left
    /// behind: its ID.
    Twice(String),
    /// Its engine has left the cluster since the room was reserved, and what was reserved is free again.
    Stranded,
}

/// Why no room was reserved, and what each node says to it, if nodes were asked.
#[derive(Debug)]
pub(in crate::manager) struct Unplaced {
    pub error: CreateError,
    pub nodes: Option<Vec<Verdict>>,
}

impl State {
    /// What a client wants, ready for its first attempt: with a cluster-wide ID, and near a network that only one
    /// engine has (`scheduler/RULES.md` §11).
    pub(in crate::manager) fn want(&mut self, mut config: Config, name: &str, retries_max: u32) -> Wanted {
        config.strip_nodes_from_endpoints(|node| node.is_empty() || self.engine_named(node).is_some());
        let local = self
            .find_network(config.network_mode())
            .filter(|network| network.is_local());
        let local = local.and_then(|network| {
            let engine = self.engine(*network.engines.first()?)?;
            Some((network.name.to_owned(), engine.name().to_owned()))
        });
        if let Some((network, engine)) = local {
            let pinned = config
                .request
                .constraints
                .iter()
                .any(|text| text.starts_with("node==") && !text.starts_with("node==~"));
            if !pinned {
                config.add_constraint(format!("node==~{engine}"));
            }
            config.set_network_mode(&network);
        }
        let swarm_id = swarm_id(&mut config.request.labels, &self.cluster, &mut self.rng);
        Wanted {
            creation: Creation::new(config.request.clone(), retries_max),
            config,
            name: name.to_owned(),
            swarm_id,
        }
    }

    /// One attempt at finding room for what is wanted, as it was prepared without holding up anybody.
    pub(in crate::manager) fn reserve(&mut self, wanted: &Wanted, asked: &Prepared) -> Result<Reserved, Unplaced> {
        self.release_names(Instant::now());
        self.release_for_move(&wanted.swarm_id, &wanted.name);
        let (scheduler, cluster, rng) = (&mut self.scheduler, &mut self.cluster, &mut self.rng);
        let attempt = wanted
            .creation
            .attempt_as(asked, scheduler, cluster, &wanted.name, &wanted.swarm_id, rng);
        match attempt {
            Ok((container, decision)) => self.reserved(container, decision.node),
            Err(error) => {
                self.keep_for_move(&wanted.swarm_id, &wanted.name);
                let rejected = matches!(error, CreateError::Rejected { .. });
                let nodes = if rejected { self.explain(asked) } else { None };
                Err(Unplaced { error, nodes })
            }
        }
    }

    /// Room that has been found on a node.
    pub(super) fn reserved(&mut self, container: ContainerIdx, node: NodeIdx) -> Result<Reserved, Unplaced> {
        match self.engine_of(node) {
            Some((engine_id, engine)) => Ok(Reserved {
                container,
                engine: engine_id,
                node,
                engine_name: engine.name().to_owned(),
                daemon: engine.daemon.clone(),
                cpus: engine
                    .facts
                    .as_ref()
                    .map_or(Cpus::ZERO, |facts| Cpus::whole(facts.cpus)),
            }),
            // Every node of the cluster has an engine; should one not, the container goes nowhere.
            None => {
                self.cluster.remove(container);
                Err(Unplaced {
                    error: crate::cluster::PlaceError::NoSuchNode.into(),
                    nodes: None,
                })
            }
        }
    }

    /// The daemon has created the container that room was reserved for. What it is like is reported separately.
    pub(in crate::manager) fn confirm(&mut self, reserved: &Reserved, id: &str) -> Confirmed {
        let Some(container) = self.cluster.container(reserved.container) else {
            return match self.engine_of(reserved.node) {
                Some(_) => Confirmed::Known,
                None => Confirmed::Stranded,
            };
        };
        if !container.is_pending() {
            let known = container.id().to_owned();
            return if known == id {
                Confirmed::Known
            } else {
                Confirmed::Twice(known)
            };
        }
        let report = Report {
            request: container.request().clone(),
            name: container.name().into(),
            identity: Identity {
                id: id.to_owned(),
                swarm_id: container.swarm_id().to_owned(),
                ..Identity::default()
            },
            stopped: false,
        };
        let swarm_id = report.identity.swarm_id.clone();
        self.cluster.amend(reserved.container, report);
        self.want_again(reserved.engine, &swarm_id);
        if let Some(engine) = self.engine_mut(reserved.engine) {
            engine.containers.insert(id.into(), reserved.container);
        }
        Confirmed::Known
    }

    /// The daemon's ID of the container that room was reserved for, if the daemon has reported it.
    pub(in crate::manager) fn created(&self, reserved: &Reserved) -> Option<String> {
        let container = self.cluster.container(reserved.container)?;
        (!container.is_pending()).then(|| container.id().to_owned())
    }

    /// The container was not created after all: its room is free again, unless a daemon has reported it.
    pub(in crate::manager) fn release(&mut self, reserved: &Reserved) {
        let known = self.cluster.container(reserved.container);
        if known.is_some_and(|known| known.is_pending())
            && let Some(released) = self.cluster.remove(reserved.container)
        {
            self.keep_for_move(released.swarm_id(), released.name());
        }
    }

    /// What each node says to a request that none of them takes. `None` if it would take long to find out: each node is
    /// asked for all of it, and everybody else waits.
    pub(super) fn explain(&self, request: &Prepared) -> Option<Vec<Verdict>> {
        let asked = 1 + limits::parts(request.request());
        let known = self.cluster.order().len() as u64 + self.cluster.totals().containers;
        if known.saturating_mul(asked as u64) > EXPLAINED_MAX {
            return None;
        }
        let explanation = self.scheduler.explain(&self.cluster, request, &NoDraws);
        let verdicts = explanation.nodes.into_iter().map(|explained| Verdict {
            node: self.cluster.node(explained.node).name().to_owned(),
            outcome: explained.outcome,
        });
        Some(verdicts.collect())
    }
}

/// What one node says to a request that none takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::manager) struct Verdict {
    /// The node's name.
    node: String,
    outcome: Outcome,
}

impl Verdict {
    /// The verdict as clients are told it: the filter and the rule that refused, and what was found instead.
    pub(in crate::manager) fn told(&self) -> Value {
        let node = &self.node;
        match &self.outcome {
            Outcome::NotCandidate => json!({ "node": node, "filter": null, "rule": "not a candidate" }),
            Outcome::Refused { filter, refusal } => json!({
                "node": node,
                "filter": filter.name(),
                "rule": shortened(&refusal.rule, TOLD_CHARS_MAX),
                "found": shortened(&refusal.found, TOLD_CHARS_MAX),
            }),
            Outcome::NoRoom { wanted, free } => json!({
                "node": node,
                "filter": null,
                "rule": wanted,
                "found": free,
            }),
            Outcome::Accepted { .. } => json!({ "node": node, "filter": null, "rule": "accepted" }),
        }
    }
}

impl State {
    /// The engine that a container would be given, with the error text if there is none. The request has been prepared
    /// without holding up anybody.
    pub(in crate::manager) fn choose_for(&mut self, prepared: &Prepared) -> Result<(EngineId, Daemon), String> {
        let decision = self.scheduler.decide(&self.cluster, prepared, &mut self.rng);
        let decision = decision.map_err(|rejection| rejection.message(prepared, &self.scheduler.settings().filters))?;
        let (id, engine) = self.engine_of(decision.node).ok_or("the engine has been removed")?;
        Ok((id, engine.daemon.clone()))
    }

    /// Every engine that a container might be given, with the error text if there is none.
    pub(in crate::manager) fn choose_all(&mut self, prepared: &Prepared) -> Result<Vec<(EngineId, Daemon)>, String> {
        let ranking = self.scheduler.rank(&self.cluster, prepared, &mut self.rng);
        let ranking = ranking.map_err(|rejection| rejection.message(prepared, &self.scheduler.settings().filters))?;
        let engines = ranking.into_iter().filter_map(|node| self.engine_of(node));
        Ok(engines.map(|(id, engine)| (id, engine.daemon.clone())).collect())
    }

    /// An engine for what any can do (`scheduler/RULES.md` §12.4).
    pub(in crate::manager) fn any_engine(&mut self) -> Result<(EngineId, Daemon), String> {
        let prepared = self.scheduler.prepare(Request::default().into());
        self.choose_for(&prepared)
    }
}

impl State {
    /// The generator, for names that clients leave to us.
    pub(in crate::manager) fn rng(&mut self) -> &mut impl rand::Rng {
        &mut self.rng
    }
}
