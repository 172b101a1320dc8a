//! Containers of engines that have failed: which are to be created anew, and which are one too many when their engine
//! comes back (`live-manager.md` §10).

use crate::cluster::{Identity, Report};
use crate::docker::Map;
use crate::model::{ContainerIdx, Cpus};

use super::{Condition, EngineId, Reserved, State};

/// A container that is to be created anew because its engine has failed.
#[derive(Clone, Debug)]
pub(in crate::manager) struct Stray {
    pub container: ContainerIdx,
    pub engine: EngineId,
    pub engine_name: String,
    /// The CPUs of that engine, by which its shares are understood.
    pub cpus: Cpus,
    /// The failed daemon's ID of it.
    pub id: String,
    pub name: String,
    pub was_running: bool,
    /// As its daemon described it.
    pub inspected: Map,
    known: Report,
}

/// Containers of one engine that are remembered as abandoned: each costs a create that was not answered.
const ABANDONED_MAX: usize = 10_000;

impl State {
    /// A daemon was told to create a container and gave no answer, so that whoever wanted it is told of a failure, and
    /// tries elsewhere. Its room, its name and its ports are free again. Should the daemon have created it, or do so
    /// later, the container is one too many. One that has been reported already is no longer in doubt.
    pub(in crate::manager) fn abandon(&mut self, reserved: &Reserved) {
        let known = self.cluster.container(reserved.container);
        let Some(pending) = known.filter(|known| known.is_pending()) else {
            return;
        };
        let swarm_id = pending.swarm_id().to_owned();
        self.release(reserved);
        if let Some(engine) = self.engine_mut(reserved.engine)
            && engine.abandoned.len() < ABANDONED_MAX
        {
            engine.abandoned.insert(swarm_id);
        }
    }

    /// The daemon's IDs of containers on an engine that were abandoned and are there all the same. One that has been
    /// started has found somebody who wants it.
    pub(in crate::manager) fn abandoned_on(&mut self, id: EngineId) -> Vec<String> {
        let Some(engine) = self.engine(id).filter(|engine| !engine.abandoned.is_empty()) else {
            return Vec::new();
        };
        let (mut unwanted, mut wanted) = (Vec::new(), Vec::new());
        for (own_id, container) in engine.known_containers() {
            let Some(known) = self.cluster.container(container) else {
                continue;
            };
            let Some(record) = self
                .record(container)
                .filter(|_| engine.abandoned.contains(known.swarm_id()))
            else {
                continue;
            };
            if record.state.running || record.state.started_at.is_some() {
                wanted.push(known.swarm_id().to_owned());
            } else {
                unwanted.push(own_id.to_owned());
            }
        }
        if let Some(engine) = self.engine_mut(id) {
            engine.abandoned.retain(|abandoned| !wanted.contains(abandoned));
        }
        unwanted
    }

    /// The containers of unhealthy engines that want to live on elsewhere.
    pub(in crate::manager) fn strays(&self) -> Vec<Stray> {
        let failed = self
            .validated()
            .filter(|(_, engine)| engine.condition == Condition::Unhealthy);
        failed
            .flat_map(|(engine_id, engine)| {
                let cpus = engine
                    .facts
                    .as_ref()
                    .map_or(Cpus::ZERO, |facts| Cpus::whole(facts.cpus));
                engine.known_containers().filter_map(move |(id, container)| {
                    let record = self.record(container)?;
                    let known = self.cluster.container(container)?;
                    Some(Stray {
                        container,
                        engine: engine_id,
                        engine_name: engine.name().to_owned(),
                        cpus,
                        id: id.to_owned(),
                        name: known.name().to_owned(),
                        was_running: record.state.running,
                        inspected: record.revival.as_deref()?.clone(),
                        known: Report {
                            request: known.request().clone(),
                            name: known.name().into(),
                            identity: Identity {
                                id: known.id().to_owned(),
                                swarm_id: known.swarm_id().to_owned(),
                                aliases: known.aliases().to_vec(),
                                published: known.published().to_vec(),
                            },
                        },
                    })
                })
            })
            .collect()
    }

    /// Makes a stray's names free for its successor. `false` if it is no stray any more.
    pub(in crate::manager) fn hide(&mut self, stray: &Stray) -> bool {
        let still = self
            .engine(stray.engine)
            .is_some_and(|engine| engine.condition == Condition::Unhealthy)
            && self
                .cluster
                .container(stray.container)
                .is_some_and(|known| known.id() == stray.id);
        if still {
            let hidden = Report {
                name: "".into(),
                identity: Identity {
                    id: stray.id.clone(),
                    ..Identity::default()
                },
                request: stray.known.request.clone(),
            };
            self.cluster.amend(stray.container, hidden);
        }
        still
    }

    /// There is no successor: the stray is called as before.
    pub(in crate::manager) fn unhide(&mut self, stray: &Stray) {
        let hidden = self
            .cluster
            .container(stray.container)
            .is_some_and(|known| known.id() == stray.id && known.name().is_empty());
        if hidden {
            self.cluster.amend(stray.container, stray.known.clone());
        }
    }

    /// The daemon's IDs of containers on an engine that live on elsewhere, on an engine that is healthy.
    pub(in crate::manager) fn superseded_on(&self, id: EngineId) -> Vec<String> {
        let Some(engine) = self.engine(id) else {
            return Vec::new();
        };
        let lives_elsewhere = |swarm_id: &str| {
            self.cluster.with_swarm_id(swarm_id).any(|other| {
                !other.is_pending()
                    && self
                        .engine_of(other.node())
                        .is_some_and(|(other, engine)| other != id && engine.is_healthy())
            })
        };
        engine
            .known_containers()
            .filter(|(_, container)| {
                self.cluster
                    .container(*container)
                    .is_some_and(|known| !known.swarm_id().is_empty() && lives_elsewhere(known.swarm_id()))
            })
            .map(|(id, _)| id.to_owned())
            .collect()
    }
}
