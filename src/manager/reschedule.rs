//! Containers outlive their engine, if they are asked to: what ran on one that failed is created anew on another
//! (`manager/RULES.md` §10).
//!
//! The original tried once, when the engine failed. Here it is a state that is worked towards: whoever has no place yet
//! is tried again. An engine that is taken out of the cluster while it is healthy keeps its containers.
//!
//! Containers that refer to one another go to one node together or not at all, since none of them could run without the
//! others: they are created in the order of their references, with the new IDs in place of the old ones, and started in
//! that order when all are there.

mod body;
mod together;

use std::sync::Arc;
use std::time::Duration;

use hyper::Method;
use serde_json::json;
use tracing::{debug, error, info, warn};

use super::Manager;
use super::config::Config;
use super::create::{Created, Registry};
use super::references::{self, Replacement, Replacements};
use super::state::{EngineId, Reserved, Stray, Waiting};
use crate::docker::path;

use body::{SharedNetwork, creation_body};

/// The pause between two tries for containers that found no place.
const AGAIN: Duration = Duration::from_secs(10);
/// Groups of containers created anew at the same time.
const AT_ONCE: usize = 4;

impl Manager {
    /// An engine has failed, or one has come: containers without a living engine are looked after soon.
    pub(super) fn rescue_later(&self) {
        self.strays.notify_one();
    }

    /// Looks after the containers of failed engines, for as long as the manager runs.
    pub(super) async fn keep_rescuing(self: Arc<Self>) {
        loop {
            // Also without being told: what failed before this manager decided, or found no place, is not forgotten.
            let _ = tokio::time::timeout(AGAIN, self.strays.notified()).await;
            if !self.role().decides() {
                self.keeper.with(|state| state.set_waiting(Vec::new()));
                continue;
            }
            let rescue = self.keeper.with(|state| state.rescue());
            let mut waiting = rescue.waiting;
            let has_affinities = |group: &Vec<Stray>| group.iter().any(Stray::has_affinities);
            let (later, first): (Vec<_>, Vec<_>) = rescue.groups.into_iter().partition(has_affinities);
            let mut moved = 0;
            for groups in [first, later] {
                moved += self.rescue_all(groups, &mut waiting).await;
            }
            if moved > 0 && !waiting.is_empty() {
                // What others lacked may be there now.
                self.rescue_later();
            }
            self.tell_waiting(waiting);
        }
    }

    /// Moves groups, several at the same time. How many have been; the others are added to those that wait.
    async fn rescue_all(self: &Arc<Self>, groups: Vec<Vec<Stray>>, waiting: &mut Vec<Waiting>) -> usize {
        let mut groups = groups.into_iter();
        let mut working = tokio::task::JoinSet::new();
        let mut moved = 0;
        loop {
            while working.len() < AT_ONCE
                && let Some(group) = groups.next()
            {
                let manager = Arc::clone(self);
                working.spawn(async move {
                    let outcome = manager.rescue(&group).await;
                    (group, outcome)
                });
            }
            match working.join_next().await {
                None => return moved,
                Some(Ok((_, Ok(())))) => moved += 1,
                Some(Ok((group, Err(reason)))) => {
                    waiting.extend(
                        group
                            .iter()
                            .map(|stray| stray.waiting(among_others(&group, stray, &reason))),
                    );
                }
                Some(Err(problem)) => error!("Rescheduling containers was given up: {problem}"),
            }
        }
    }

    /// Says why containers are not created anew, unless it has been said: the same reason every ten seconds says nothing
    /// new.
    fn tell_waiting(&self, waiting: Vec<Waiting>) {
        for told in self.keeper.with(|state| state.set_waiting(waiting)) {
            error!(
                "Failed to reschedule container {} ({}): {}",
                told.id, told.name, told.reason
            );
        }
    }

    /// Creates containers anew, and starts those that ran.
    async fn rescue(self: &Arc<Self>, group: &[Stray]) -> Result<(), String> {
        if !self.keeper.with(|state| state.hide(group)) {
            return Ok(());
        }
        let outcome = self.replace(group).await;
        self.keeper.with(|state| state.settle(group, outcome.is_ok()));
        // Should their engine have come back meanwhile, there are two of each.
        if let Some(stray) = group.first() {
            let engine = stray.engine;
            let is_back = self
                .keeper
                .with(|state| state.engine(engine).is_some_and(|engine| engine.is_healthy()));
            if is_back {
                self.welcome_back_later(engine);
            }
        }
        outcome
    }

    async fn replace(self: &Arc<Self>, group: &[Stray]) -> Result<(), String> {
        let mut bodies = Vec::with_capacity(group.len());
        let mut networks = Vec::with_capacity(group.len());
        for stray in group {
            let (body, shared) = self.keeper.with(|state| {
                let is_shared = |id: &str, name: &str| {
                    let network = state.network_with_id(id).or_else(|| state.find_network(name))?;
                    matches!(network.scope(), "global" | "swarm").then(|| network.id.to_owned())
                };
                creation_body(stray, is_shared)
            });
            for network in &shared {
                self.detach(&network.id, &stray.name).await;
            }
            let mut config = Config::from_body(body).map_err(|error| error.to_string())?;
            config.rewrite_references(&stray.outer);
            bodies.push(config);
            networks.push(shared);
        }
        let created = match (group, bodies.pop()) {
            ([alone], Some(config)) => vec![self.create_alone(alone, config).await?],
            (_, last) => {
                bodies.extend(last);
                self.create_together(group, bodies).await?
            }
        };
        let ids: Vec<&str> = created.iter().map(|created| created.id.as_str()).collect();
        for ((stray, created), shared) in group.iter().zip(&created).zip(&mut networks) {
            let mut replacements = stray.outer.clone();
            replacements.extend(inner(stray, &ids));
            for network in shared {
                references::rewrite_list(&mut network.endpoint, "Links", &replacements);
                self.connect(&created.reserved, network, &created.id).await;
            }
            info!(
                "Rescheduled container {} from {} to {} as {}",
                stray.id, stray.engine_name, created.reserved.engine_name, created.id
            );
            self.metrics.rescheduled();
            if stray.was_running {
                // Should this engine fail before it has started it, the next one does.
                self.keeper
                    .with(|state| state.interrupt(created.reserved.engine, &created.id, stray.was_paused));
            }
        }
        for (stray, created) in group.iter().zip(&created) {
            if stray.was_running {
                self.start_again(stray, created).await;
            }
        }
        Ok(())
    }

    async fn create_alone(self: &Arc<Self>, stray: &Stray, config: Config) -> Result<Created, String> {
        let wanted = self
            .keeper
            .with(|state| state.want(config, &stray.name, self.options.create_retry));
        self.create(wanted, &ANONYMOUS)
            .await
            .map_err(|unplaced| unplaced.error.to_string())
    }

    /// Starts a container that ran before it was moved, and pauses it if it was paused.
    async fn start_again(self: &Arc<Self>, stray: &Stray, created: &Created) {
        let (engine, daemon, id) = (created.reserved.engine, &created.reserved.daemon, &created.id);
        info!("Container {} was running, starting container {id}", stray.id);
        match self.noted(engine, daemon.start_container(id)).await {
            Ok(()) => self.keeper.with(|state| state.forget_end(engine, id)),
            Err(problem) => error!("Failed to start rescheduled container {id}: {problem}"),
        }
        if stray.was_paused {
            let target = path::path(&["containers", id, "pause"]);
            if let Err(problem) = self.noted(engine, daemon.call(Method::POST, &target, None)).await {
                warn!("Failed to pause rescheduled container {id}: {problem}");
            }
        }
        let containers = [id.clone()];
        if let Err(problem) = self.refresh_containers(engine, daemon, &containers).await {
            debug!(id, "Refreshing a rescheduled container failed: {problem}");
        }
    }

    /// Connects a successor to a network that others share.
    async fn connect(self: &Arc<Self>, reserved: &Reserved, network: &SharedNetwork, container: &str) {
        let target = path::path(&["networks", &network.id, "connect"]);
        let body = json!({ "Container": container, "EndpointConfig": network.endpoint });
        let connecting = reserved.daemon.call(Method::POST, &target, Some(&body));
        if let Err(problem) = self.noted(reserved.engine, connecting).await {
            warn!(
                network = network.name,
                container, "Failed to connect a rescheduled container to its network: {problem}"
            );
        }
    }

    /// Takes the endpoint of a container on a failed engine away from a network that others share, so that its successor
    /// can have its address.
    async fn detach(self: &Arc<Self>, network: &str, name: &str) {
        let engine = self.keeper.with(|state| {
            let mut healthy = state.validated().filter(|(_, engine)| engine.is_healthy());
            healthy.next().map(|(id, engine)| (id, engine.daemon.clone()))
        });
        let Some((id, daemon)) = engine else { return };
        let target = path::path(&["networks", network, "disconnect"]);
        let body = json!({ "Container": name, "Force": true });
        let detached = self.noted(id, daemon.call(Method::POST, &target, Some(&body))).await;
        if let Err(problem) = detached {
            debug!(
                network,
                name, "Taking away the endpoint of a lost container failed: {problem}"
            );
        }
    }

    /// An engine can be reached again, or for the first time: containers on it that meanwhile live elsewhere are removed.
    pub(super) fn welcome_back_later(self: &Arc<Self>, id: EngineId) {
        let manager = Arc::clone(self);
        self.fleet_tasks.spawn(async move { manager.welcome_back(id).await });
    }

    async fn welcome_back(self: Arc<Self>, id: EngineId) {
        let daemon = self
            .keeper
            .with(|state| state.engine(id).map(|engine| engine.daemon.clone()));
        let Some(daemon) = daemon else { return };
        self.forget_ends_if_open(id, &daemon).await;
        if self.refresh_list(id, &daemon).await.is_err() {
            // Not back after all.
            return;
        }
        // Two engines with the same containers, as after a restart of the manager, must not both give way to each other.
        let _alone = self.welcoming.lock().await;
        for container in self.keeper.with(|state| state.superseded_on(id)) {
            let still = self.keeper.with(|state| state.is_superseded(id, &container));
            if !still {
                continue;
            }
            warn!("Removing container {container}: it was rescheduled and lives on another engine");
            // Without its volumes: what they hold may be wanted, and only their owner can tell. The original removed
            // them.
            let removing = daemon.remove_container(&container, true, false, false);
            match self.noted(id, removing).await {
                Ok(()) => self.keeper.with(|state| state.forget_superseded(id, &container)),
                Err(problem) => error!("Failed to remove the former container {container}: {problem}"),
            }
        }
        // Others may refer to what was removed.
        self.rescue_later();
        if let Some(post) = self.revived_post(id) {
            post.notify_one();
        }
    }
}

/// How images are pulled for containers whose clients are long gone.
const ANONYMOUS: Registry<'static> = Registry {
    auth: None,
    platform: "",
};

/// What takes the place of a stray's references to others of its group, whose new IDs these are.
fn inner(stray: &Stray, ids: &[&str]) -> Replacements {
    let new = stray.inner.iter().filter_map(|inner| {
        let replacement = Replacement {
            by: (*ids.get(inner.place)?).to_owned(),
            was_name: inner.is_name,
        };
        Some((inner.target.clone(), replacement))
    });
    new.collect()
}

/// Why a container has no place yet that goes to one node with others.
fn among_others(group: &[Stray], stray: &Stray, reason: &str) -> String {
    let others: Vec<&str> = group
        .iter()
        .filter(|other| other.id != stray.id)
        .map(|other| other.name.as_str())
        .collect();
    match others.as_slice() {
        [] => reason.to_owned(),
        others => format!(
            "it goes to one node with {}, or not at all: {reason}",
            others.join(", ")
        ),
    }
}
