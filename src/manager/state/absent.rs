//! What is remembered of engines that have left the cluster, since they may come back: an engine that is off the list of
//! the discovery for a moment runs on, with all its containers. The names of these stay taken for a while, so that nobody
//! else is given one that is there twice when the engine returns; and what was being created on it is removed then,
//! because its client has been told that there is none.

use std::collections::VecDeque;
use std::time::Instant;

use crate::cluster::PlaceError;
use crate::model::{Name, NodeIdx};

use super::State;

/// Engines remembered; beyond, the oldest are forgotten.
const ENGINES_MAX: usize = 1024;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Absentees {
    engines: VecDeque<Absent>,
}

#[derive(Debug)]
struct Absent {
    /// The daemon's ID of itself; empty for a single name of which nobody knows whether it has been given.
    daemon: Box<str>,
    /// Kept by the cluster until then.
    names: Vec<Name>,
    until: Instant,
    /// The cluster-wide IDs of containers that its daemon may have created after all.
    given_up: VecDeque<String>,
}

/// The daemon's own part of an engine's ID, which has its address besides.
fn daemon_of(engine: &str) -> &str {
    engine.split_once('|').map_or(engine, |(daemon, _)| daemon)
}

impl State {
    /// The engine of a node is about to leave the cluster with everything on it.
    pub(super) fn leave(&mut self, node: NodeIdx, engine: &str, mut given_up: VecDeque<String>) {
        let mut names: Vec<Name> = Vec::new();
        for container in self.cluster.containers_on(self.cluster.node(node)) {
            if container.is_pending() {
                given_up.push_back(container.swarm_id().to_owned());
                continue;
            }
            let aliases = container.aliases().iter().map(String::as_str);
            // Those that others have for it, by a link, are no names of its own.
            let own = std::iter::once(container.name()).chain(aliases);
            names.extend(own.filter(|name| !name.contains('/')).map(Name::from));
        }
        self.remember(daemon_of(engine), names, given_up);
    }

    /// Keeps a name for a container that its daemon is about to give it, until the cluster is told to release it.
    ///
    /// # Errors
    ///
    /// Another container has the name, or is about to.
    pub(in crate::manager) fn reserve_name(&mut self, name: &str) -> Result<(), PlaceError> {
        self.release_names(Instant::now());
        if let Some(conflict) = self.cluster.name_conflict(name) {
            return Err(conflict);
        }
        self.cluster.keep_name(name);
        Ok(())
    }

    /// Whether a container has been given this name is not known: nobody else is given it for a while.
    pub(in crate::manager) fn keep_name(&mut self, name: &str) {
        self.remember("", vec![name.into()], VecDeque::new());
    }

    fn remember(&mut self, daemon: &str, names: Vec<Name>, given_up: VecDeque<String>) {
        let now = Instant::now();
        let names = if self.rules.name_retention.is_zero() {
            Vec::new()
        } else {
            names
        };
        for name in &names {
            self.cluster.keep_name(name);
        }
        self.absent.engines.push_back(Absent {
            daemon: daemon.into(),
            names,
            until: now + self.rules.name_retention,
            given_up,
        });
        if self.absent.engines.len() > ENGINES_MAX
            && let Some(oldest) = self.absent.engines.pop_front()
        {
            oldest.names.iter().for_each(|name| self.cluster.release_name(name));
        }
    }

    /// Names that have been kept for long enough are free again. To be called before names are given.
    pub(super) fn release_names(&mut self, now: Instant) {
        for absent in self.absent.engines.iter_mut().filter(|absent| absent.until <= now) {
            for name in absent.names.drain(..) {
                self.cluster.release_name(&name);
            }
        }
        self.absent
            .engines
            .retain(|absent| !absent.names.is_empty() || !absent.given_up.is_empty());
    }

    /// An engine is back, and what is on it is known: it is its containers that have their names.
    pub(super) fn return_names(&mut self, engine: &str) {
        let daemon = daemon_of(engine);
        let back = self.absent.engines.iter_mut();
        for absent in back.filter(|absent| *absent.daemon == *daemon && !daemon.is_empty()) {
            for name in absent.names.drain(..) {
                self.cluster.release_name(&name);
            }
        }
    }

    /// An engine is back, and what is on it will be looked at: the containers among that which nobody waits for any more.
    pub(super) fn take_given_up(&mut self, engine: &str) -> VecDeque<String> {
        let daemon = daemon_of(engine);
        let mut taken = VecDeque::new();
        let back = self.absent.engines.iter_mut();
        for absent in back.filter(|absent| *absent.daemon == *daemon && !daemon.is_empty()) {
            taken.append(&mut absent.given_up);
        }
        taken
    }
}
