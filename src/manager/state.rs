//! Everything that the manager knows: the one cluster that the scheduler reads, and beside it what clients are shown of
//! engines, containers, images, networks and volumes.
//!
//! All of it is synchronous and in memory. Tasks that talk to daemons report here what they learn, and ask here what to
//! do; nothing here waits.

mod absent;
mod container;
mod end;
mod engine;
mod execs;
mod image;
mod network;
mod observe;
mod place;
mod records;
mod rescue;
mod together;
mod volume;

use std::collections::BTreeMap;
use std::time::Duration;

use rand::rngs::ChaCha8Rng;
use rustc_hash::FxHashMap;

pub(super) use container::{Age, ContainerRecord, Placed, lead_to_node};
pub(super) use end::End;
pub(super) use engine::{Condition, Counts, Engine, EngineId, Transition};
pub(super) use image::ImageRecord;
pub(super) use network::Network;
pub(super) use observe::Observed;
pub(super) use place::{Confirmed, Reserved, Unplaced, Verdict, Wanted};
pub(super) use records::Tally;
pub(super) use rescue::{Stray, Waiting};
pub(super) use together::together;
pub(super) use volume::is_local;

use crate::cluster::Cluster;
use crate::docker::{Daemon, Timestamp};
use crate::model::{ContainerIdx, NodeIdx, Overcommit};
use crate::scheduler::{Scheduler, Settings};

/// What the command line says about scheduling and the health of engines.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    /// `swarm.overcommit`.
    pub overcommit: Overcommit,
    /// `--engine-failure-retry`.
    pub failures_max: u32,
    /// How long names stay taken whose containers cannot be seen any more.
    pub name_retention: Duration,
}

/// See the module.
#[derive(Debug)]
pub(super) struct State {
    pub cluster: Cluster,
    pub scheduler: Scheduler,
    rng: ChaCha8Rng,
    rules: Rules,
    engines: BTreeMap<EngineId, Engine>,
    of_node: FxHashMap<NodeIdx, EngineId>,
    containers: records::Records,
    execs: execs::Execs,
    absent: absent::Absentees,
    networks: network::NetworkIndex,
    rescues: rescue::Rescues,
    next_engine: u64,
}

impl State {
    /// Nothing is known yet. The generator decides under the strategy `random` and draws the IDs of containers.
    pub(super) fn new(settings: Settings, rules: Rules, rng: ChaCha8Rng) -> State {
        State {
            cluster: Cluster::new(),
            scheduler: Scheduler::new(settings),
            rng,
            rules,
            engines: BTreeMap::new(),
            of_node: FxHashMap::default(),
            containers: records::Records::default(),
            execs: execs::Execs::default(),
            absent: absent::Absentees::default(),
            networks: network::NetworkIndex::default(),
            rescues: rescue::Rescues::default(),
            next_engine: 0,
        }
    }

    /// An engine that discovery has found, not yet connected to. `None` if there is one with this address.
    pub(super) fn add_engine(&mut self, address: &str, daemon: Daemon, now: Timestamp) -> Option<EngineId> {
        if self.engines.values().any(|engine| engine.address == address) {
            return None;
        }
        let id = EngineId(self.next_engine);
        self.next_engine += 1;
        self.engines.insert(id, Engine::new(address.to_owned(), daemon, now));
        Some(id)
    }

    /// Forgets an engine and everything on it, except for what must be known should it come back soon.
    pub(super) fn remove_engine(&mut self, id: EngineId) -> Option<Engine> {
        let mut engine = self.engines.remove(&id)?;
        if let Some(node) = engine.node {
            let given_up = std::mem::take(&mut engine.given_up);
            self.leave(node, engine.id(), given_up);
            self.forget_node(node);
        }
        self.forget_networks(id, &engine);
        Some(engine)
    }

    fn forget_node(&mut self, node: NodeIdx) {
        self.of_node.remove(&node);
        for (container, _) in self.cluster.remove_node(node) {
            self.forget_record(container);
        }
    }

    fn forget_record(&mut self, container: ContainerIdx) {
        self.containers.remove(container);
        self.execs.forget(container);
    }

    /// All engines, in the order in which they were found.
    pub(super) fn engines(&self) -> impl Iterator<Item = (EngineId, &Engine)> {
        self.engines.iter().map(|(id, engine)| (*id, engine))
    }

    pub(super) fn engine(&self, id: EngineId) -> Option<&Engine> {
        self.engines.get(&id)
    }

    fn engine_mut(&mut self, id: EngineId) -> Option<&mut Engine> {
        self.engines.get_mut(&id)
    }

    /// Engines that have been validated, whatever their health.
    pub(super) fn validated(&self) -> impl Iterator<Item = (EngineId, &Engine)> {
        self.engines().filter(|(_, engine)| engine.node.is_some())
    }

    /// The engine of a node.
    pub(super) fn engine_of(&self, node: NodeIdx) -> Option<(EngineId, &Engine)> {
        let id = *self.of_node.get(&node)?;
        Some((id, self.engines.get(&id)?))
    }

    /// The validated engine of this name; the first one found, if several have it.
    pub(super) fn engine_named(&self, name: &str) -> Option<(EngineId, &Engine)> {
        self.validated().find(|(_, engine)| engine.name() == name)
    }
}
