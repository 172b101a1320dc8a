//! What daemons report of their containers, taken into the cluster (`manager/RULES.md` §5.4).

use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Instant;

use rustc_hash::FxBuildHasher;

use crate::cluster::{Identity, Report};
use crate::docker::{ContainerFacts, Map, json};
use crate::manager::{config, references};
use crate::model::{ContainerIdx, Cpus, NodeIdx, ReschedulePolicy};

use super::{ContainerRecord, EngineId, State};

/// The label that carries a container's cluster-wide ID.
const SWARM_ID: &str = "com.docker.swarm.id";

/// Containers remembered that have been removed from an engine. Descriptions that are older than so many removals are
/// not on their way any more.
const GONE_MAX: usize = 1024;

/// The daemon's IDs of containers that have been removed from an engine, the last ones, and when that was known: a
/// description that was asked for before must not bring them back.
#[derive(Debug, Default)]
pub(super) struct Gone {
    containers: VecDeque<(Box<str>, Instant)>,
}

impl Gone {
    fn add(&mut self, container: &str) {
        if self.containers.len() >= GONE_MAX {
            self.containers.pop_front();
        }
        self.containers.push_back((container.into(), Instant::now()));
    }

    /// Whether a container has been removed since a time.
    fn since(&self, container: &str, asked: Instant) -> bool {
        let lately = self.containers.iter().rev().take_while(|(_, known)| *known >= asked);
        lately.into_iter().any(|(gone, _)| **gone == *container)
    }
}

/// What a container that was taken in is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::manager) enum Observed {
    Known,
    /// The daemon's ID of a container whose creation was given up before the daemon answered: its client has been told
    /// that there is none. It does not run, and no other attempt at it is on its way.
    GivenUp(String),
}

impl State {
    /// The daemon's IDs of the containers that are known on an engine: to be asked for before a list is, so that what
    /// is created meanwhile is not taken for gone.
    pub(in crate::manager) fn known_ids(&self, id: EngineId) -> HashSet<String> {
        let engine = self.engine(id);
        let known = engine.into_iter().flat_map(|engine| engine.containers.keys());
        known.map(|id| id.to_string()).collect()
    }

    /// Forgets containers that were known before a list and are not on it.
    pub(in crate::manager) fn forget_missing(&mut self, id: EngineId, known: &HashSet<String>, listed: &[Map]) {
        let listed: HashSet<&str> = listed.iter().map(|entry| json::text(entry, "Id")).collect();
        let gone: Vec<&String> = known.iter().filter(|known| !listed.contains(known.as_str())).collect();
        for gone in gone {
            self.lose_container(id, gone);
        }
    }

    /// A container is gone from an engine, which has removed it by itself if it is about to stop: one with `--rm` is as
    /// little lost then as any other that is to live on elsewhere.
    pub(in crate::manager) fn lose_container(&mut self, id: EngineId, container: &str) {
        if !self.is_interrupted(id, container) {
            self.forget_container(id, container);
        }
    }

    /// A container is gone from an engine.
    pub(in crate::manager) fn forget_container(&mut self, id: EngineId, container: &str) {
        let Some(engine) = self.engine_mut(id) else { return };
        engine.gone.add(container);
        engine.ends.remove(container);
        if let Some(gone) = engine.containers.remove(container) {
            self.cluster.remove(gone);
            self.forget_record(gone);
        }
    }

    /// Takes in a container as its engine lists and describes it, which it was asked for at a time. `None` if the engine is
    /// no longer there, what it says is no description of a container, or the container has been removed since.
    pub(in crate::manager) fn observe(
        &mut self,
        id: EngineId,
        listed: Map,
        inspected: &Map,
        asked: Instant,
    ) -> Option<Observed> {
        let engine = self.engines.get(&id)?;
        let (node, real) = (engine.node?, Cpus::whole(engine.facts.as_ref()?.cpus));
        let mut facts = ContainerFacts::read(&listed, inspected).ok()?;
        if engine.gone.since(&facts.id, asked) {
            return None;
        }
        facts.shift_times(engine.clock_skew);
        let request = config::request_of_existing(inspected, real);
        let swarm_id = request.labels.get(SWARM_ID).cloned().unwrap_or_default();
        let mut record = ContainerRecord::new(engine, listed, &facts, &request.labels);
        record.references = references::of(inspected, &request);
        if request.reschedule == ReschedulePolicy::OnNodeFailure {
            record.revival = Some(Box::new(inspected.clone()));
        }
        let mut names: Vec<String> = facts.names.iter().map(|name| plain(name).to_owned()).collect();
        // Names that others have for it, by a link, come after its own.
        names.sort_by_key(|name| name.contains('/'));
        let mut names = names.into_iter();
        let report = Report {
            request: Arc::new(request),
            name: names.next().unwrap_or_default().as_str().into(),
            identity: Identity {
                id: facts.id.clone(),
                swarm_id: swarm_id.clone(),
                aliases: names.collect(),
                published: facts.published_ports,
            },
            // One that is created and not started yet is about to need its ports.
            stopped: !record.state.running && !record.state.restarting && record.state.started_at.is_some(),
        };
        let known = engine.containers.get(facts.id.as_str()).copied();
        let container_id = facts.id.clone();
        let mut observed = Observed::Known;
        let container = match known.or_else(|| self.pending(node, &swarm_id)) {
            Some(container) => {
                self.cluster.amend(container, report);
                container
            }
            None => {
                let container = self.cluster.adopt(node, report)?;
                if self.was_given_up(id, &swarm_id) && record.state.started_at.is_none() {
                    observed = Observed::GivenUp(container_id);
                }
                container
            }
        };
        self.containers.insert(id, container, record);
        self.engines.get_mut(&id)?.containers.insert(facts.id.into(), container);
        Some(observed)
    }

    /// Whether a container of an engine is known as the daemon describes it, and not by its ID alone.
    pub(in crate::manager) fn is_described(&self, id: EngineId, container: &str) -> bool {
        let known = self.engine(id).and_then(|engine| engine.containers.get(container));
        known.is_some_and(|container| self.containers.get(*container).is_some())
    }

    /// The entries of a list whose containers are not known, or do not look as they did. Those that do are taken in.
    pub(in crate::manager) fn changed_among(&self, id: EngineId, listed: Vec<Map>) -> Vec<Map> {
        let Some(engine) = self.engine(id) else {
            return Vec::new();
        };
        let is_known = |entry: &Map| {
            let container = engine.containers.get(json::text(entry, "Id"))?;
            let record = self.record(*container)?;
            // A container that is being restarted looks the same each time.
            Some(record.look == look(entry) && !record.state.restarting)
        };
        listed
            .into_iter()
            .filter(|entry| !is_known(entry).unwrap_or(false))
            .collect()
    }

    /// The reservation that a create has made on a node and that its daemon has yet to report.
    fn pending(&self, node: NodeIdx, swarm_id: &str) -> Option<ContainerIdx> {
        if swarm_id.is_empty() {
            return None;
        }
        let own = self.cluster.node(node).containers().iter().copied();
        own.filter_map(|idx| Some((idx, self.cluster.container(idx)?)))
            .find(|(_, container)| container.is_pending() && container.swarm_id() == swarm_id)
            .map(|(idx, _)| idx)
    }
}

/// A name without the slash that daemons put before it.
fn plain(name: &str) -> &str {
    name.strip_prefix('/').unwrap_or(name)
}

/// What tells whether a container has changed since it was last listed: everything but the text that says for how long.
pub(super) fn look(listed: &Map) -> u64 {
    let mut hasher = FxBuildHasher.build_hasher();
    for (key, value) in listed.iter().filter(|(key, _)| !key.eq_ignore_ascii_case("Status")) {
        key.hash(&mut hasher);
        value.hash(&mut hasher);
    }
    hasher.finish()
}
