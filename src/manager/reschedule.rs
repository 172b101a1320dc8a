//! Containers outlive their engine, if they are asked to: what ran on one that failed is created anew on another
//! (`live-manager.md` §10).
//!
//! The original tried once, when the engine failed. Here it is a state that is worked towards: whoever has no place yet
//! is tried again. An engine that is taken out of the cluster while it is healthy keeps its containers.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use hyper::Method;
use serde_json::{Value, json};
use tracing::{debug, error, info, warn};

use super::Manager;
use super::config::Config;
use super::create::Registry;
use super::state::{EngineId, Stray};
use crate::docker::{Daemon, Map, json, path};
use crate::model::Cpus;
use crate::scheduler::from_shares;

/// The pause between two tries for containers that found no place.
const AGAIN: Duration = Duration::from_secs(10);
/// Containers created anew at the same time.
const AT_ONCE: usize = 4;

impl Manager {
    /// An engine has failed, or one has come: containers without a living engine are looked after soon.
    pub(super) fn rescue_later(&self) {
        self.strays.notify_one();
    }

    /// Looks after the containers of failed engines, for as long as the manager runs.
    pub(super) async fn keep_rescuing(self: Arc<Self>) {
        let mut told: HashMap<String, String> = HashMap::new();
        loop {
            // Also without being told: what failed before this manager decided, or found no place, is not forgotten.
            let _ = tokio::time::timeout(AGAIN, self.strays.notified()).await;
            if !self.role().decides() {
                continue;
            }
            let strays = self.keeper.with(|state| state.strays());
            told.retain(|id, _| strays.iter().any(|stray| stray.id == *id));
            let mut waiting = strays.into_iter();
            let mut working = tokio::task::JoinSet::new();
            loop {
                while working.len() < AT_ONCE
                    && let Some(stray) = waiting.next()
                {
                    let manager = Arc::clone(&self);
                    working.spawn(async move {
                        let outcome = manager.rescue(&stray).await;
                        (stray.id, outcome)
                    });
                }
                match working.join_next().await {
                    None => break,
                    Some(Ok((_, Ok(())))) => {}
                    Some(Ok((id, Err(reason)))) => {
                        // The same reason every ten seconds says nothing new.
                        if told.get(&id) != Some(&reason) {
                            error!("Failed to reschedule container {id}: {reason}");
                            told.insert(id, reason);
                        }
                    }
                    Some(Err(problem)) => error!("Rescheduling a container was given up: {problem}"),
                }
            }
        }
    }

    /// Creates a container anew, and starts it if it ran.
    async fn rescue(self: &Arc<Self>, stray: &Stray) -> Result<(), String> {
        if !self.keeper.with(|state| state.hide(stray)) {
            return Ok(());
        }
        let outcome = self.replace(stray).await;
        match &outcome {
            Ok(()) => self
                .keeper
                .with(|state| state.forget_container(stray.engine, &stray.id)),
            Err(_) => self.keeper.with(|state| state.unhide(stray)),
        }
        // Should it have come back meanwhile, there are two.
        let is_back = self
            .keeper
            .with(|state| state.engine(stray.engine).is_some_and(|engine| engine.is_healthy()));
        if is_back {
            self.welcome_back_later(stray.engine);
        }
        outcome
    }

    async fn replace(self: &Arc<Self>, stray: &Stray) -> Result<(), String> {
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
        let config = Config::from_body(body).map_err(|error| error.to_string())?;
        let wanted = self
            .keeper
            .with(|state| state.want(config, &stray.name, self.options.create_retry));
        let anonymous = Registry {
            auth: None,
            platform: "",
        };
        let created = self
            .create(wanted, &anonymous)
            .await
            .map_err(|unplaced| unplaced.error.to_string())?;
        let (daemon, id) = (&created.reserved.daemon, &created.id);
        for network in &shared {
            connect(daemon, network, id).await;
        }
        info!(
            "Rescheduled container {} from {} to {} as {id}",
            stray.id, stray.engine_name, created.reserved.engine_name
        );
        self.metrics.rescheduled();
        if stray.was_running {
            info!("Container {} was running, starting container {id}", stray.id);
            let started = self.noted(created.reserved.engine, daemon.start_container(id)).await;
            if let Err(problem) = started {
                error!("Failed to start rescheduled container {id}: {problem}");
            }
            let containers = [id.clone()];
            if let Err(problem) = self
                .refresh_containers(created.reserved.engine, daemon, &containers)
                .await
            {
                debug!(id, "Refreshing a rescheduled container failed: {problem}");
            }
        }
        Ok(())
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
        if self.refresh_list(id, &daemon).await.is_err() {
            // Not back after all.
            return;
        }
        // Two engines with the same containers, as after a restart of the manager, must not both give way to each other.
        let _alone = self.welcoming.lock().await;
        for container in self.keeper.with(|state| state.superseded_on(id)) {
            warn!("Removing container {container}: it was rescheduled and lives on another engine");
            // Without its volumes: what they hold may be wanted, and only their owner can tell. The original removed
            // them.
            let removing = daemon.remove_container(&container, true, false, false);
            match self.noted(id, removing).await {
                Ok(()) => self.keeper.with(|state| state.forget_container(id, &container)),
                Err(problem) => error!("Failed to remove the former container {container}: {problem}"),
            }
        }
        if let Some(post) = self.revived_post(id) {
            post.notify_one();
        }
    }
}

/// A network that a container is in together with containers of other engines.
struct SharedNetwork {
    id: String,
    name: String,
    endpoint: Map,
}

/// The body of a create request for a container like the lost one, and the networks that it must be connected to
/// afterwards.
fn creation_body(stray: &Stray, is_shared: impl Fn(&str, &str) -> Option<String>) -> (Map, Vec<SharedNetwork>) {
    let inspected = &stray.inspected;
    let mut body = json::map(inspected, "Config").cloned().unwrap_or_default();
    let short: String = stray.id.chars().take(12).collect();
    if json::text(&body, "Hostname") == short {
        json::remove(&mut body, "Hostname");
    }
    let mut host = json::map(inspected, "HostConfig").cloned().unwrap_or_default();
    let shares = json::number(&host, "CpuShares").and_then(|shares| u64::try_from(shares).ok());
    if let Some(shares) = shares.filter(|shares| *shares > 0) {
        // Clients count CPUs, and the daemon was told shares of its own.
        let cpus = from_shares(shares, stray.cpus).nanos() / Cpus::whole(1).nanos();
        json::set(&mut host, "CpuShares", cpus);
    }
    json::set(&mut body, "HostConfig", host);
    let mut own = Map::new();
    let mut shared = Vec::new();
    let networks = json::map(inspected, "NetworkSettings").and_then(|settings| json::map(settings, "Networks"));
    for (name, endpoint) in networks.into_iter().flatten() {
        let Value::Object(endpoint) = endpoint else { continue };
        // What the failed engine gave it is not what another one would.
        let mut wish = Map::new();
        for key in ["IPAMConfig", "Links", "Aliases", "DriverOpts"] {
            if let Some(value) = json::get(endpoint, key).filter(|value| !value.is_null()) {
                wish.insert(key.to_owned(), value.clone());
            }
        }
        if let Some(Value::Array(aliases)) = wish.get_mut("Aliases") {
            aliases.retain(|alias| alias.as_str() != Some(short.as_str()));
        }
        match is_shared(json::text(endpoint, "NetworkID"), name) {
            Some(id) => shared.push(SharedNetwork {
                id,
                name: name.clone(),
                endpoint: wish,
            }),
            None => {
                own.insert(name.clone(), Value::Object(wish));
            }
        }
    }
    json::set(&mut body, "NetworkingConfig", json!({ "EndpointsConfig": own }));
    (body, shared)
}

async fn connect(daemon: &Daemon, network: &SharedNetwork, container: &str) {
    let target = path::path(&["networks", &network.id, "connect"]);
    let body = json!({ "Container": container, "EndpointConfig": network.endpoint });
    if let Err(problem) = daemon.call(Method::POST, &target, Some(&body)).await {
        warn!(
            network = network.name,
            container, "Failed to connect a rescheduled container to its network: {problem}"
        );
    }
}
