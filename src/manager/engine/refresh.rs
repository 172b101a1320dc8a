//! Asking a daemon again: everything now and then, and single containers when something happened to them
//! (`manager/RULES.md` §5).

use std::sync::Arc;
use std::time::{self, Duration};

use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::Caretaker;
use crate::docker::{CallError, Daemon, Map, json};
use crate::manager::Manager;
use crate::manager::state::{EngineId, ImageRecord, Observed};

/// How often the daemon's description of itself is asked for while it is healthy.
const SPECIFY_EVERY: Duration = Duration::from_secs(5 * 60);
/// Containers of one engine that are inspected at the same time: each takes a connection, and there are many engines.
const INSPECTIONS: usize = 2;
/// Failures beyond the limit that make pauses longer.
const BACKOFF_MAX: u32 = 1000;

/// When things were last done.
pub(super) struct Rhythm {
    pub specified: Instant,
}

/// What a refresh found out about the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Same,
    /// Another daemon answers at the address.
    Another,
}

impl Caretaker {
    /// The pause before the next refresh.
    pub(super) fn pause(&mut self) -> Duration {
        let (least, most) = (self.manager.options.refresh_min, self.manager.options.refresh_max);
        let failures_max = self.manager.options.failure_retry;
        let failures = self
            .manager
            .keeper
            .with(|state| state.engine(self.id).map_or(0, |engine| engine.failures));
        let backoff = failures.saturating_sub(failures_max).min(BACKOFF_MAX);
        least.saturating_mul(1 + backoff) + self.between(Duration::ZERO, most.saturating_sub(least))
    }

    pub(super) fn is_healthy(&self) -> bool {
        self.manager
            .keeper
            .with(|state| state.engine(self.id).is_some_and(|engine| engine.is_healthy()))
    }

    /// One refresh of everything.
    pub(super) async fn refresh(&mut self, rhythm: &mut Rhythm) -> Found {
        self.manager.forget_ends_if_stopped(self.id, &self.daemon).await;
        if !self.is_healthy() || rhythm.specified.elapsed() >= SPECIFY_EVERY {
            rhythm.specified = Instant::now();
            match self.specify_again().await {
                Some(Found::Same) => {}
                Some(Found::Another) => return Found::Another,
                None => return Found::Same,
            }
        }
        if let Err(error) = self.refresh_everything().await {
            debug!(address = self.address, "Refreshing the engine failed: {error}");
        }
        Found::Same
    }

    /// Asks the daemon what it is like now. `None` if it does not say.
    pub(super) async fn specify_again(&mut self) -> Option<Found> {
        match self.specify().await {
            Ok(facts) => {
                let known = self.manager.keeper.with(|state| {
                    Some((
                        state.engine(self.id)?.id().to_owned(),
                        state.engine(self.id)?.name().to_owned(),
                    ))
                });
                let now = self.manager.now();
                let (id, name) = known?;
                if id == facts.id && name != facts.name {
                    // The same daemon by another name, which its containers are called by: everything is taken in anew
                    // before it is given more.
                    info!(engine = name, "The engine is called {} from now on", facts.name);
                    return Some(Found::Another);
                }
                if id != facts.id {
                    let error = format!(
                        "Engine (ID: {id}, Addr: {}) shows up with another ID:{}. Please remove it from cluster, it can \
                         be added back.",
                        self.address, facts.id
                    );
                    tracing::error!("{error}");
                    self.manager.keeper.with(|state| state.suspend(self.id, error, now));
                    self.manager.agree_on_versions();
                    return Some(Found::Another);
                }
                self.manager.keeper.with(|state| {
                    let ip = state
                        .engine(self.id)
                        .map(|engine| engine.ip.clone())
                        .unwrap_or_default();
                    // Its answers have shown that it is there, unless it has failed since.
                    state.register(self.id, facts, ip, now);
                });
                self.manager.agree_on_versions();
                Some(Found::Same)
            }
            Err(error) => {
                debug!(address = self.address, "Update engine specs failed: {error}");
                None
            }
        }
    }

    /// Containers, and if they are told, everything else.
    pub(super) async fn refresh_everything(&self) -> Result<(), CallError> {
        self.manager.refresh_list(self.id, &self.daemon).await?;
        self.refresh_images().await;
        self.refresh_volumes().await;
        self.refresh_networks().await;
        Ok(())
    }

    pub(super) async fn refresh_images(&self) {
        self.manager.refresh_images(self.id, &self.daemon).await;
    }

    pub(super) async fn refresh_volumes(&self) {
        if let Ok(volumes) = self.noted(self.daemon.volumes()).await {
            self.manager.keeper.with(|state| state.set_volumes(self.id, volumes));
        }
    }

    pub(super) async fn refresh_networks(&self) {
        if let Ok(networks) = self.noted(self.daemon.networks()).await {
            self.manager.keeper.with(|state| state.set_networks(self.id, networks));
        }
    }
}

impl Manager {
    /// Asks an engine for all its containers, and inspects those that are new or look different.
    pub(in crate::manager) async fn refresh_list(
        self: &Arc<Self>,
        id: EngineId,
        daemon: &Daemon,
    ) -> Result<(), CallError> {
        let known = self.keeper.with(|state| state.known_ids(id));
        let asked = time::Instant::now();
        let listed = self.noted(id, daemon.containers(None)).await?;
        self.keeper.with(|state| state.forget_missing(id, &known, &listed));
        let changed = self.keeper.with(|state| state.changed_among(id, listed));
        self.inspect_all(id, daemon, changed, asked).await;
        Ok(())
    }

    /// Looks at containers again after something may have happened to them.
    pub(in crate::manager) async fn refresh_containers(
        self: &Arc<Self>,
        id: EngineId,
        daemon: &Daemon,
        containers: &[String],
    ) -> Result<(), CallError> {
        if let [container] = containers {
            return self.refresh_container(id, daemon, container).await;
        }
        let asked = time::Instant::now();
        let listed = self.noted(id, daemon.containers(Some(containers))).await?;
        self.keeper.with(|state| {
            for gone in containers
                .iter()
                .filter(|container| !listed.iter().any(|entry| json::text(entry, "Id") == **container))
            {
                state.lose_container(id, gone);
            }
        });
        self.inspect_all(id, daemon, listed, asked).await;
        Ok(())
    }

    /// Looks at one container again, which somebody may be waiting for: both questions are on their way at once.
    async fn refresh_container(
        self: &Arc<Self>,
        id: EngineId,
        daemon: &Daemon,
        container: &String,
    ) -> Result<(), CallError> {
        let asked = time::Instant::now();
        let (listed, inspected) = tokio::join!(
            self.noted_together(id, daemon.containers(Some(std::slice::from_ref(container)))),
            self.noted_together(id, daemon.container(container, false)),
        );
        match listed?.into_iter().find(|entry| json::text(entry, "Id") == *container) {
            Some(entry) => self.take_in_inspected(id, daemon, entry, inspected, asked).await,
            None => self.keeper.with(|state| state.lose_container(id, container)),
        }
        Ok(())
    }

    /// Inspects containers that were listed at a time and takes in what they are like. Those that are gone by then are
    /// left out.
    async fn inspect_all(self: &Arc<Self>, id: EngineId, daemon: &Daemon, listed: Vec<Map>, asked: time::Instant) {
        let mut waiting = listed.into_iter();
        let mut running = tokio::task::JoinSet::new();
        loop {
            while running.len() < INSPECTIONS
                && let Some(entry) = waiting.next()
            {
                let (manager, daemon) = (Arc::clone(self), daemon.clone());
                running.spawn(async move {
                    let inspecting = daemon.container(json::text(&entry, "Id"), false);
                    let inspected = manager.noted(id, inspecting).await;
                    (entry, inspected)
                });
            }
            match running.join_next().await {
                None => break,
                Some(Ok((entry, inspected))) => {
                    self.take_in_inspected(id, daemon, entry, inspected, asked).await;
                }
                Some(Err(error)) => debug!("Inspecting a container failed: {error}"),
            }
        }
    }

    async fn take_in_inspected(
        self: &Arc<Self>,
        id: EngineId,
        daemon: &Daemon,
        entry: Map,
        inspected: Result<Map, CallError>,
        asked: time::Instant,
    ) {
        match inspected {
            // Gone since it was listed.
            Err(error) if error.is_not_found() => self
                .keeper
                .with(|state| state.lose_container(id, json::text(&entry, "Id"))),
            Ok(inspected) => {
                let observed = self.keeper.with(|state| state.observe(id, entry, &inspected, asked));
                if let Some(Observed::GivenUp(container)) = observed {
                    self.take_back(id, daemon, &container).await;
                }
            }
            Err(error) => debug!("Inspecting a container failed: {error}"),
        }
    }

    /// Removes a container that a daemon has created after its client was told that it would not be.
    pub(in crate::manager) async fn take_back(self: &Arc<Self>, id: EngineId, daemon: &Daemon, container: &str) {
        // Volumes that were made for it alone hold nothing, as it has never run.
        let removed = self
            .noted(id, daemon.remove_container(container, false, true, false))
            .await;
        match removed {
            Ok(()) => {
                warn!(id = container, "Removed a container that was created after all");
                self.keeper.with(|state| state.forget_container(id, container));
            }
            Err(error) => warn!(id = container, "A container was created after all, and stays: {error}"),
        }
    }

    /// Reloads the list of images of an engine.
    pub(in crate::manager) async fn refresh_images(self: &Arc<Self>, id: EngineId, daemon: &Daemon) {
        if let Ok(images) = self.noted(id, daemon.images()).await {
            let images = images.into_iter().filter_map(ImageRecord::read).collect();
            self.keeper.with(|state| state.set_images(id, images));
        }
    }
}
