//! Whether a container has come to its end because a user wanted it or because its engine is being stopped.
//!
//! A Docker daemon that is told to stop (`SIGTERM`, a reboot) first closes the address that it listens at, then stops its
//! containers as `docker stop` would, and tells of that over the connections that are still open. So what an event means
//! shows a new connection: if there is none to be had, the engine is stopping, and the container ran until then.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tracing::info;

use super::Caretaker;
use super::events::about;
use crate::docker::{Daemon, Map, json};
use crate::manager::Manager;
use crate::manager::state::{End, EngineId};

/// When an engine is looked at again on which a container was ended by a signal that no client has sent: machines that
/// shut down may end processes before they stop the daemon.
const AGAIN: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];

/// What events say about the end of one container.
#[derive(Debug, Default)]
struct Told {
    /// The daemon has sent it a signal that ends processes.
    signalled: bool,
    /// The code with which it has ended.
    code: Option<i64>,
    /// It was paused, and goes on.
    woken: bool,
}

impl Caretaker {
    /// Takes in what events say about the ends of containers that are to live on elsewhere, before these are looked at.
    pub(super) async fn note_ends(&self, batch: &[Map]) {
        if !self.manager.options.start_interrupted {
            return;
        }
        let mut told: BTreeMap<String, Told> = BTreeMap::new();
        for event in batch {
            let (action, id) = about(event);
            match action {
                "kill" if ends(event) => told.entry(id.to_owned()).or_default().signalled = true,
                "die" => told.entry(id.to_owned()).or_default().code = Some(exit_code(event)),
                "unpause" => told.entry(id.to_owned()).or_default().woken = true,
                "start" => {
                    told.remove(id);
                    self.manager.keeper.with(|state| state.forget_end(self.id, id));
                }
                _ => {}
            }
        }
        self.manager
            .keeper
            .with(|state| told.retain(|id, _| state.is_to_be_rescued(self.id, id)));
        if told.is_empty() {
            return;
        }
        if self.daemon.is_closed().await {
            self.manager
                .note_interrupted(self.id, told.into_iter().map(|(id, told)| (id, told.woken)));
            return;
        }
        let mut suspects = Vec::new();
        self.manager.keeper.with(|state| {
            for (id, told) in told {
                if told.signalled {
                    state.note_end(self.id, &id, End::Asked);
                } else if told.code.is_some_and(|code| code > 128) && !state.was_asked_for(self.id, &id) {
                    state.suspect(self.id, &id);
                    suspects.push(id);
                }
            }
        });
        if !suspects.is_empty() {
            let (manager, id, daemon) = (Arc::clone(&self.manager), self.id, self.daemon.clone());
            self.manager
                .fleet_tasks
                .spawn(async move { manager.suspect(id, daemon, suspects).await });
        }
    }
}

impl Manager {
    /// Containers have been ended by a signal that no client has sent. Unless their engine fails or closes soon, that had
    /// other reasons.
    async fn suspect(self: Arc<Self>, id: EngineId, daemon: Daemon, suspects: Vec<String>) {
        for pause in AGAIN {
            tokio::time::sleep(pause).await;
            if daemon.is_closed().await {
                self.note_interrupted(id, suspects.into_iter().map(|container| (container, false)));
                return;
            }
        }
        self.keeper.with(|state| {
            for container in suspects {
                state.clear(id, &container);
            }
        });
    }

    fn note_interrupted(&self, id: EngineId, containers: impl Iterator<Item = (String, bool)>) {
        self.keeper.with(|state| state.note_closing(id));
        for (container, was_woken) in containers {
            let interrupted = self.keeper.with(|state| {
                // Not if a client wanted its end.
                let was = state.is_interrupted(id, &container);
                state.interrupt(id, &container, was_woken);
                !was && state.is_interrupted(id, &container)
            });
            if interrupted {
                info!("Container {container} ends because its engine is stopping");
            }
        }
    }

    /// An engine was stopping when it was last heard of: whether it still is.
    pub(super) async fn forget_ends_if_stopped(&self, id: EngineId, daemon: &Daemon) {
        if self.keeper.with(|state| state.is_closing(id)) {
            self.forget_ends_if_open(id, daemon).await;
        }
    }

    /// An engine can be reached: if that goes for new connections, it is not stopping, or has been started again.
    pub(in crate::manager) async fn forget_ends_if_open(&self, id: EngineId, daemon: &Daemon) {
        let any = self.keeper.with(|state| state.knows_ends(id));
        if any && !daemon.is_closed().await {
            self.keeper.with(|state| state.forget_ends(id));
        }
    }
}

/// Whether an event tells of a signal that ends processes which do not care for it.
fn ends(event: &Map) -> bool {
    matches!(
        attribute(event, "signal"),
        "" | "2" | "3" | "6" | "9" | "15" | "SIGINT" | "SIGQUIT" | "SIGABRT" | "SIGKILL" | "SIGTERM"
    )
}

fn exit_code(event: &Map) -> i64 {
    attribute(event, "exitCode").parse().unwrap_or_default()
}

fn attribute<'a>(event: &'a Map, key: &str) -> &'a str {
    let attributes = json::map(event, "Actor").and_then(|actor| json::map(actor, "Attributes"));
    attributes.map_or("", |attributes| json::text(attributes, key))
}
