//! Containers of engines that have failed: which are to be created anew, and which are one too many when their engine
//! comes back (`live-manager.md` §10).

use crate::cluster::{Identity, Report};
use crate::docker::Map;
use crate::model::{ContainerIdx, Cpus, ReschedulePolicy};

use super::{Condition, EngineId, State};

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

impl State {
    /// Whether a container is to be created anew on another engine should its own fail.
    pub(in crate::manager) fn is_to_be_rescued(&self, id: EngineId, container: &str) -> bool {
        let known = self.engine(id).and_then(|engine| engine.containers.get(container));
        known
            .and_then(|container| self.cluster.container(*container))
            .is_some_and(|known| known.request().reschedule == ReschedulePolicy::OnNodeFailure)
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
                            stopped: known.has_stopped(),
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
                stopped: stray.known.stopped,
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
