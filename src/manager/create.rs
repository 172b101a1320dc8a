//! `POST /containers/create`: from a client's wish to a container on some node (`scheduler/RULES.md` §1 and §9).

use std::sync::{Arc, TryLockError};
use std::time::Instant;

use bytes::Bytes;
use hyper::StatusCode;
use serde_json::{Value, json};
use tracing::{debug, info, warn};

use super::Manager;
use super::answer::{Answer, Failure, json_with};
use super::config::{Config, ReadError};
use super::limits::{self, is_pattern, shortened};
use super::server::Call;
use super::state::{Confirmed, EngineId, Reserved, Unplaced, Verdict, Wanted};
use crate::docker::{CallError, Daemon, Map, json};
use crate::model::Request;
use crate::scheduler::{CreateError, DaemonError, Parser, Prepared};

/// Bytes of a body that is read at once.
const SHORT_BYTES: usize = 64 << 10;

/// Characters of a client's texts in a line of the log.
const LOGGED_CHARS_MAX: usize = 1000;

/// Nodes whose refusal is logged.
const LOGGED_NODES_MAX: usize = 100;

/// The header with a client's credentials for a registry.
const REGISTRY_AUTH: &str = "x-registry-auth";

/// `POST /containers/create`.
pub(super) async fn create(mut call: Call) -> Result<Answer, Failure> {
    let body = call.body().await?;
    let config = call.manager.read_config(body).await?;
    let name = call.parameter("name").to_owned();
    let auth = call.header(REGISTRY_AUTH).map(str::to_owned);
    let platform = call.parameter("platform").to_owned();
    let manager = Arc::clone(&call.manager);
    let wanted = manager
        .keeper
        .with(|state| state.want(config, &name, manager.options.create_retry));
    // The client may go away, but a container that a daemon has been told to create must be known.
    let creating = tokio::spawn(async move {
        let from = Registry {
            auth: auth.as_deref(),
            platform: &platform,
        };
        manager.create(wanted, &from).await
    });
    match creating.await {
        Ok(Ok(created)) => {
            let mut body = json!({ "Id": created.id });
            if !created.warnings.is_empty()
                && let Some(body) = body.as_object_mut()
            {
                json::set(body, "Warnings", created.warnings);
            }
            Ok(json_with(StatusCode::CREATED, &body))
        }
        Ok(Err(unplaced)) => Err(unplaced.into()),
        Err(error) => Err(Failure::internal(format!("the create was given up: {error}"))),
    }
}

/// How images are pulled for a container.
pub(super) struct Registry<'a> {
    pub auth: Option<&'a str>,
    pub platform: &'a str,
}

/// A container that has been created.
pub(super) struct Created {
    pub id: String,
    pub warnings: Vec<String>,
    pub reserved: Reserved,
}

impl From<Unplaced> for Failure {
    fn from(unplaced: Unplaced) -> Failure {
        // Statuses of create errors are 409 and 500.
        let status = StatusCode::from_u16(unplaced.error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Failure {
            status,
            message: unplaced.error.to_string(),
            details: unplaced
                .nodes
                .map(|nodes| ("nodes", nodes.iter().map(Verdict::told).collect())),
        }
    }
}

impl Manager {
    /// Creates a container where the scheduler wants it, with as many attempts as are due.
    pub(super) async fn create(self: &Arc<Self>, mut wanted: Wanted, from: &Registry<'_>) -> Result<Created, Unplaced> {
        let request = wanted.creation.request();
        let asks_for_ports = !(request.port_bindings.is_empty() && request.exposed_ports.is_empty());
        if self.options.strict.stopped_ports && asks_for_ports {
            // Whoever has just stopped a container wants its ports.
            self.looks.settle().await;
        }
        loop {
            let unplaced = match self.attempt(&wanted, from).await {
                Ok(created) => {
                    let node = &created.reserved.engine_name;
                    info!(name = wanted.name, node, id = created.id, "Container created");
                    return Ok(created);
                }
                Err(unplaced) => unplaced,
            };
            let again = self
                .keeper
                .with(|state| wanted.creation.retry_after(&unplaced.error, &state.cluster));
            if !again {
                log_refusal(&wanted, &unplaced);
                return Err(unplaced);
            }
            let error = unplaced.error.to_string();
            debug!(
                name = &*shortened(&wanted.name, LOGGED_CHARS_MAX),
                "Creating a container once more: {}",
                shortened(&error, LOGGED_CHARS_MAX)
            );
        }
    }

    async fn attempt(self: &Arc<Self>, wanted: &Wanted, from: &Registry<'_>) -> Result<Created, Unplaced> {
        self.must_decide()?;
        let asked = self.prepare(wanted.creation.asked()).await?;
        let started = Instant::now();
        let reserved = self.keeper.with(|state| state.reserve(wanted, &asked));
        self.metrics.decided(
            reserved.as_ref().err().map(|unplaced| &unplaced.error),
            started.elapsed(),
        );
        self.carry_out(&reserved?, wanted, from).await
    }

    /// Creates a container where room is reserved for it.
    pub(super) async fn carry_out(
        self: &Arc<Self>,
        reserved: &Reserved,
        wanted: &Wanted,
        from: &Registry<'_>,
    ) -> Result<Created, Unplaced> {
        // Whatever happens from here on, the room is given back unless the container exists.
        let claim = Claim {
            manager: self,
            reserved,
        };
        let body = Value::Object(
            wanted
                .config
                .for_daemon(&wanted.creation.request().labels, reserved.cpus),
        );
        let answer = self.create_on(reserved, wanted, &body, from).await?;
        let id = json::text(&answer, "Id").to_owned();
        if let Err(failure) = self.must_decide() {
            // Another manager may have decided meanwhile, and not known of this.
            let removing = reserved.daemon.remove_container(&id, false, true, false);
            let removed = self.noted(reserved.engine, removing).await;
            warn!(id, ok = removed.is_ok(), "Took back a container that came too late");
            self.keeper.with(|state| state.forget_container(reserved.engine, &id));
            return Err(failure.into());
        }
        match self.keeper.with(|state| state.confirm(reserved, &id)) {
            Confirmed::Known => {}
            Confirmed::Twice(other) => self.take_back(reserved.engine, &reserved.daemon, &other).await,
            Confirmed::Stranded => {
                // Whether it comes back, and what has been given away by then, nobody knows.
                let removed = reserved.daemon.remove_container(&id, false, true, false).await;
                let node = &reserved.engine_name;
                warn!(
                    id,
                    node,
                    ok = removed.is_ok(),
                    "Took back a container whose engine has left the cluster"
                );
                return Err(DaemonError::silent(format!(
                    "The engine {node} has left the cluster while it created the container, which has been removed again"
                ))
                .into());
            }
        }
        drop(claim);
        let warnings = json::texts(&answer, "Warnings").map(str::to_owned).collect();
        self.look(reserved.engine, &reserved.daemon, &id).await;
        Ok(Created {
            id,
            warnings,
            reserved: reserved.clone(),
        })
    }

    /// Asks the daemon to create the container; if it lacks the image, pulls that first (`scheduler/RULES.md` §9.2).
    async fn create_on(
        self: &Arc<Self>,
        reserved: &Reserved,
        wanted: &Wanted,
        body: &Value,
        from: &Registry<'_>,
    ) -> Result<Map, Unplaced> {
        let daemon = &reserved.daemon;
        let ask = async || {
            // Pulling an image takes its time.
            if let Err(lapsed) = self.must_decide() {
                return Err(CallError::Request(lapsed.message));
            }
            let creating = daemon.create_container(&wanted.name, from.platform, body);
            let creating = self.while_healthy(reserved.engine, creating);
            let answer = self.noted(reserved.engine, creating).await;
            let answer = answer.and_then(|answer| match json::text(&answer, "Id") {
                "" => Err(CallError::Garbled(format!(
                    "{}: no ID of a container",
                    daemon.address()
                ))),
                _ => Ok(answer),
            });
            match answer {
                // It may have been heard of otherwise that it is done.
                Err(ref error) if error.is_unanswered() => match self.keeper.with(|state| state.created(reserved)) {
                    Some(id) => Ok(Map::from_iter([("Id".to_owned(), Value::from(id))])),
                    None => answer,
                },
                answer => answer,
            }
        };
        match ask().await {
            Ok(answer) => return Ok(answer),
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(self.refused(reserved, wanted, &error)),
        }
        let image = &wanted.creation.request().image;
        let pulling = daemon.pull(image, from.platform, from.auth);
        let pulling = self.while_healthy(reserved.engine, pulling);
        if let Err(error) = self.noted(reserved.engine, pulling).await {
            // However the pull failed, the daemon does not have the image, and another one may: with a registry that is
            // down, too, where the original went by the text and gave up.
            let error = DaemonError {
                not_found: true,
                ..DaemonError::pull(image, &error.told())
            };
            return Err(error.into());
        }
        self.refresh_images(reserved.engine, daemon).await;
        ask().await.map_err(|error| self.refused(reserved, wanted, &error))
    }

    /// What a daemon that does not create a container says. One that says nothing may create it all the same, later and
    /// after the client has been told otherwise: then it is removed.
    fn refused(&self, reserved: &Reserved, wanted: &Wanted, error: &CallError) -> Unplaced {
        if error.is_unanswered() {
            self.keeper
                .with(|state| state.give_up(reserved.engine, &wanted.swarm_id));
        }
        let text = error.told();
        let error = match error.status() {
            Some(status) => DaemonError::answered(text, status),
            None => DaemonError::silent(text),
        };
        error.into()
    }
}

impl Manager {
    /// What a client wants, from the body of its request.
    async fn read_config(self: &Arc<Self>, body: Bytes) -> Result<Config, Failure> {
        let read = if body.len() <= SHORT_BYTES {
            Config::parse(&body)
        } else {
            self.aside(move |_| Config::parse(&body)).await?
        };
        read.map_err(|error| match error {
            ReadError::Config(_) | ReadError::TooMuch(_) => Failure::bad_request(error.to_string()),
            ReadError::Policy(error) => Failure::internal(error.to_string()),
        })
    }

    /// The engine that something else than a container is given to.
    pub(super) async fn choose(self: &Arc<Self>, request: Request) -> Result<(EngineId, Daemon), Failure> {
        let prepared = self.prepare(request).await?;
        let chosen = self.keeper.with(|state| state.choose_for(&prepared));
        chosen.map_err(Failure::internal)
    }

    /// A request for the scheduler with its expressions parsed, which may take long: nobody is held up meanwhile.
    ///
    /// # Errors
    ///
    /// It asks for more than one request may.
    pub(super) async fn prepare(self: &Arc<Self>, request: Request) -> Result<Prepared, Failure> {
        limits::check(&request).map_err(|error| Failure::bad_request(error.to_string()))?;
        self.prepare_checked(request).await
    }

    /// The same for a request of which it is known that it does not ask for too much, or the sum of a few such ones.
    pub(super) async fn prepare_checked(self: &Arc<Self>, request: Request) -> Result<Prepared, Failure> {
        let kinds = [&request.constraints, &request.affinities, &request.whitelists];
        let is_quick = !kinds.into_iter().flatten().any(|text| is_pattern(text));
        let request = Arc::new(request);
        if is_quick {
            return Ok(Parser::new(self.options.strict).prepare(request));
        }
        self.aside(move |manager| {
            match manager.parser.try_lock() {
                Ok(mut parser) => parser.prepare(request),
                // Somebody else's patterns, which may take long, are not waited for.
                Err(TryLockError::WouldBlock) => Parser::new(manager.options.strict).prepare(request),
                Err(TryLockError::Poisoned(parser)) => parser.into_inner().prepare(request),
            }
        })
        .await
    }

    /// Does what takes long on a thread of its own, as few times at once as leaves others room.
    async fn aside<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Manager) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let _turn = self.parsing.acquire().await;
        let manager = Arc::clone(self);
        let done = tokio::task::spawn_blocking(move || work(&manager)).await;
        done.map_err(|error| Failure::internal(format!("the request could not be read: {error}")))
    }
}

/// Room for a container that is being created. Given up, also when the task is, it is free again.
struct Claim<'a> {
    manager: &'a Arc<Manager>,
    reserved: &'a Reserved,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.manager.keeper.with(|state| state.release(self.reserved));
    }
}

impl From<Failure> for Unplaced {
    fn from(failure: Failure) -> Unplaced {
        let error = DaemonError {
            status: Some(failure.status.as_u16()),
            ..DaemonError::silent(failure.message)
        };
        error.into()
    }
}

impl From<DaemonError> for Unplaced {
    fn from(error: DaemonError) -> Unplaced {
        Unplaced {
            error: CreateError::Daemon(error),
            nodes: None,
        }
    }
}

/// Says in the log why, node by node.
fn log_refusal(wanted: &Wanted, unplaced: &Unplaced) {
    let name = &*shortened(&wanted.name, LOGGED_CHARS_MAX);
    let error = unplaced.error.to_string();
    info!(name, "Container not created: {}", shortened(&error, LOGGED_CHARS_MAX));
    for node in unplaced.nodes.iter().flatten().take(LOGGED_NODES_MAX) {
        debug!(name, "refused: {}", node.told());
    }
}
