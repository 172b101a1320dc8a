//! A daemon's events: what each of them says about its containers, images, networks and volumes, and to clients
//! (`manager/RULES.md` §6 and §14).

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;
use tracing::{debug, error};

use super::Caretaker;
use super::refresh::{Found, Rhythm};
use crate::docker::{Events, Map, json};

/// Events taken together, so that a burst about one container costs one look at it.
const BATCH: usize = 256;
/// How long the first event of a batch waits for others.
const GATHER: Duration = Duration::from_millis(2);
/// So many changed containers are refreshed with all others.
const SINGLE_MAX: usize = 64;
/// The longest pause before the stream is opened again, in seconds.
const PAUSE_MAX_S: u64 = 10;

/// What events make necessary.
#[derive(Debug, Default)]
struct Stale {
    containers: BTreeSet<String>,
    /// Containers of which it is only told that they have been created.
    created: BTreeSet<String>,
    removed: BTreeSet<String>,
    images: bool,
    networks: BTreeSet<String>,
    /// Networks that containers have been connected to or taken off.
    connected: BTreeSet<String>,
    volumes: BTreeSet<String>,
    /// Daemons of the first versions do not say what an event is about.
    networks_and_volumes: bool,
    specification: bool,
}

impl Caretaker {
    /// Follows the daemon's events and refreshes now and then, until another daemon answers.
    pub(super) async fn follow(&mut self, mut events: Option<Events>) {
        let mut rhythm = Rhythm {
            specified: Instant::now(),
        };
        let mut refresh_at = Instant::now() + self.pause();
        let mut reopen_at = Instant::now();
        let mut gathered = Vec::new();
        let revived = self.manager.revived(self.id);
        loop {
            let open = events.is_some();
            tokio::select! {
                () = tokio::time::sleep_until(refresh_at) => {
                    if self.refresh(&mut rhythm).await == Found::Another {
                        return;
                    }
                    refresh_at = Instant::now() + self.pause();
                    if self.is_healthy() {
                        // It is back: what it tells is not to be missed for the rest of a pause.
                        reopen_at = Instant::now();
                    }
                }
                () = revived.notified() => refresh_at = Instant::now(),
                () = tokio::time::sleep_until(reopen_at), if !open => {
                    match self.daemon.events().await {
                        Ok(stream) => {
                            self.manager.forget_ends_if_open(self.id, &self.daemon).await;
                            events = Some(stream);
                            // What happened in between is not told.
                            refresh_at = Instant::now();
                        }
                        Err(problem) => {
                            debug!(address = self.address, "Opening the event stream failed: {problem}");
                            reopen_at = Instant::now() + self.reopening_pause();
                        }
                    }
                }
                batch = next_batch(&mut events, &mut gathered), if open => match batch {
                    Ok(()) => {
                        let batch = std::mem::take(&mut gathered);
                        if self.take_in(batch).await == Found::Another {
                            return;
                        }
                    }
                    Err(problem) => {
                        error!(address = self.address, "error monitoring events, will restart: {problem}");
                        events = None;
                        reopen_at = Instant::now() + self.reopening_pause();
                    }
                },
            }
        }
    }

    fn reopening_pause(&self) -> Duration {
        let failures = self
            .manager
            .keeper
            .with(|state| state.engine(self.id).map_or(0, |engine| engine.failures));
        Duration::from_secs((u64::from(failures) + 1).min(PAUSE_MAX_S))
    }

    /// First brings up to date what the events are about, and then passes them on: who hears of a container finds it.
    async fn take_in(&mut self, batch: Vec<Map>) -> Found {
        self.note_ends(&batch).await;
        let mut stale = Stale::default();
        for event in &batch {
            stale.add(event);
        }
        self.manager.keeper.with(|state| {
            stale.leave_out(
                |created| state.is_described(self.id, created),
                |network| state.is_local_network(self.id, network),
            );
        });
        let found = self.refresh_stale(stale).await;
        for event in batch {
            self.manager.pass_on(self.id, event);
        }
        found
    }

    async fn refresh_stale(&mut self, stale: Stale) -> Found {
        if stale.specification && self.specify_again().await == Some(Found::Another) {
            return Found::Another;
        }
        self.manager.keeper.with(|state| {
            for id in &stale.removed {
                state.lose_container(self.id, id);
            }
        });
        // Looks that are due anyway are these.
        let looks = &self.manager.looks;
        let _looks: Vec<_> = stale
            .containers
            .iter()
            .filter_map(|container| looks.begin(self.id, container, None))
            .collect();
        if stale.containers.len() > SINGLE_MAX {
            // An error is told by the failure count; the next refresh tries again.
            let _ = self.refresh_everything().await;
            return Found::Same;
        }
        if !stale.containers.is_empty() {
            let containers: Vec<String> = stale.containers.into_iter().collect();
            let refreshed = self
                .manager
                .refresh_containers(self.id, &self.daemon, &containers)
                .await;
            if let Err(problem) = refreshed {
                debug!(address = self.address, "Refreshing containers failed: {problem}");
            }
        }
        if stale.images {
            self.refresh_images().await;
        }
        if stale.networks_and_volumes {
            self.refresh_volumes().await;
            self.refresh_networks().await;
        }
        for id in stale.networks {
            match self.noted(self.daemon.network(&id)).await {
                Ok(network) => self.manager.keeper.with(|state| state.set_network(self.id, network)),
                Err(problem) if problem.is_not_found() => {
                    self.manager.keeper.with(|state| state.drop_network(Some(self.id), &id));
                }
                Err(problem) => debug!("Inspecting a network failed: {problem}"),
            }
        }
        for name in stale.volumes {
            match self.noted(self.daemon.volume(&name)).await {
                Ok(volume) => self.manager.keeper.with(|state| state.set_volume(self.id, volume)),
                Err(problem) if problem.is_not_found() => {
                    self.manager.keeper.with(|state| state.drop_volume(self.id, &name));
                }
                Err(problem) => debug!("Inspecting a volume failed: {problem}"),
            }
        }
        Found::Same
    }
}

/// Gathers the next events, as many as are there. May be given up at any moment: what is gathered stays.
async fn next_batch(events: &mut Option<Events>, gathered: &mut Vec<Map>) -> Result<(), String> {
    let Some(stream) = events else {
        return std::future::pending().await;
    };
    if gathered.is_empty() {
        let first = stream.next().await.map_err(|error| error.to_string())?;
        gathered.push(first.ok_or_else(|| "the daemon has ended the stream".to_owned())?);
    }
    let until = Instant::now() + GATHER;
    while gathered.len() < BATCH {
        match tokio::time::timeout_at(until, stream.next()).await {
            Ok(Ok(Some(event))) => gathered.push(event),
            // The end is noticed by the next call, which has nothing else to return.
            Ok(Ok(None) | Err(_)) | Err(_) => break,
        }
    }
    Ok(())
}

impl Stale {
    fn add(&mut self, event: &Map) {
        let (action, id) = about(event);
        match json::text(event, "Type") {
            "network" => {
                let container = json::map(event, "Actor").and_then(|actor| json::map(actor, "Attributes"));
                let container = container.map_or("", |attributes| json::text(attributes, "container"));
                match action {
                    // Its end is part of the container.
                    "connect" | "disconnect" if !container.is_empty() => {
                        self.containers.insert(container.to_owned());
                        self.connected.insert(id.to_owned());
                    }
                    _ => {
                        self.networks.insert(id.to_owned());
                    }
                }
            }
            "volume" => {
                self.volumes.insert(id.to_owned());
            }
            "image" => self.images = true,
            "daemon" => self.specification |= action == "reload",
            "container" => self.add_container(action, id),
            "" => {
                if matches!(
                    action,
                    "pull" | "untag" | "delete" | "commit" | "tag" | "import" | "load"
                ) {
                    self.images = true;
                } else if says_nothing_new(action) {
                } else {
                    self.add_container(action, id);
                    self.networks_and_volumes = true;
                }
            }
            _ => {}
        }
    }

    fn add_container(&mut self, action: &str, id: &str) {
        self.images |= action == "commit";
        if says_nothing_new(action) || action == "commit" || id.is_empty() {
            return;
        }
        let into = match action {
            "create" => &mut self.created,
            // In Podman's words, the second.
            "destroy" | "remove" => &mut self.removed,
            _ => &mut self.containers,
        };
        into.insert(id.to_owned());
    }

    /// Leaves out what need not be asked for: new containers that have been looked at since, because a daemon tells of
    /// them before it answers the create; containers that are gone, whatever was told of them before; and local networks
    /// that only containers have come to or left, which are asked instead.
    fn leave_out(&mut self, is_described: impl Fn(&str) -> bool, is_local: impl Fn(&str) -> bool) {
        let created = std::mem::take(&mut self.created);
        self.containers
            .extend(created.into_iter().filter(|id| !is_described(id)));
        self.containers.retain(|id| !self.removed.contains(id));
        let connected = std::mem::take(&mut self.connected);
        self.networks.extend(connected.into_iter().filter(|id| !is_local(id)));
    }
}

/// What has happened, and to whom.
pub(super) fn about(event: &Map) -> (&str, &str) {
    let action = match json::text(event, "Action") {
        "" => json::text(event, "status"),
        action => action,
    };
    let id = match json::map(event, "Actor").map(|actor| json::text(actor, "ID")) {
        None | Some("") => json::text(event, "id"),
        Some(id) => id,
    };
    (action, id)
}

/// Whether a container is afterwards as it was. Some daemons add what was executed after a colon.
fn says_nothing_new(action: &str) -> bool {
    let word = action.split(':').next().unwrap_or(action);
    matches!(
        word,
        "top"
            | "resize"
            | "export"
            | "exec_create"
            | "exec_start"
            | "exec_detach"
            | "exec_die"
            // In Podman's words.
            | "exec"
            | "exec_died"
            | "attach"
            | "detach"
            | "extract-to-dir"
            | "copy"
            | "archive-path"
    )
}
