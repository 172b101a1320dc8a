//! Containers as clients are shown them (`api.md` §3 and §4.1).

use bytes::Bytes;
use hyper::StatusCode;
use serde_json::json;

use super::Manager;
use super::answer::{Answer, Failure, json_answer};
use super::server::Call;
use super::state::{Age, ContainerRecord, Engine, EngineId, Placed, State};
use crate::docker::{Filters, Map, json, words};
use crate::model::{ContainerIdx, Labels};
use crate::net;

/// Entries written to the answer at a time.
const ENTRIES_PER_PIECE: usize = 256;

/// Engines whose containers are chosen from under the lock at a time.
const ENGINES_AT_A_TIME: usize = 32;

/// The label that tells the tasks of a service.
const TASK_LABEL: &str = "com.docker.swarm.task";

/// `GET /containers/json`.
pub(super) async fn list(call: Call) -> Result<Answer, Failure> {
    let filters = call.filters()?;
    let choice = Choice::new(&call, filters)?;
    call.manager.looks.settle().await;
    call.manager.refresh_as_asked(&choice.filters).await;
    let now = call.manager.now();
    let chosen = choice.among(&call.manager)?;
    // Pieces are written under the lock, one after the other, so that nobody waits long and nothing is copied whole.
    let (mut sender, body) = net::channel();
    let manager = call.manager;
    tokio::spawn(async move {
        let mut first = true;
        let mut pieces = chosen.chunks(ENTRIES_PER_PIECE);
        let mut piece = vec![b'['];
        loop {
            let more = pieces.next();
            if let Some(chunk) = more {
                manager.keeper.with(|state| {
                    for container in chunk {
                        let Some((engine, record)) = state.shown(*container) else {
                            continue;
                        };
                        if !std::mem::take(&mut first) {
                            piece.push(b',');
                        }
                        let status = record.status(engine.is_healthy(), now);
                        record.write_listed(&status, &mut piece);
                    }
                });
            } else {
                piece.extend_from_slice(b"]\n");
            }
            // A client that has gone needs no rest.
            let sent = sender.send_data(Bytes::from(std::mem::take(&mut piece))).await;
            if more.is_none() || sent.is_err() {
                return;
            }
        }
    });
    let mut answer = Answer::new(body);
    answer.headers_mut().insert(
        hyper::header::CONTENT_TYPE,
        hyper::header::HeaderValue::from_static("application/json"),
    );
    Ok(answer)
}

/// Which containers a list is to have.
struct Choice {
    filters: Filters,
    all: bool,
    limit: usize,
    before: Option<String>,
    since: Option<String>,
    exited: Vec<i64>,
}

/// See [`Choice::bounds`].
struct Bounds {
    before: Option<Age>,
    since: Option<Age>,
}

/// One container, and everything that is looked at to choose it.
struct Candidate<'a> {
    state: &'a State,
    engine: &'a Engine,
    container: ContainerIdx,
    record: &'a ContainerRecord,
    name: &'a str,
    labels: &'a Labels,
}

impl Choice {
    fn new(call: &Call, filters: Filters) -> Result<Choice, Failure> {
        let given = |name: &str| Some(call.parameter(name).to_owned()).filter(|value| !value.is_empty());
        let exited = filters
            .numbers("exited")
            .map_err(|error| Failure::internal(error.to_string()))?;
        let limit = usize::try_from(call.number("limit")).unwrap_or(0);
        // Who asks for a status that stopped containers have wants to see them; the original thought of one only.
        let asks_for_stopped = ["exited", "created", "dead"]
            .iter()
            .any(|status| filters.values("status").any(|value| value == *status));
        Ok(Choice {
            all: call.flag("all")
                || limit > 0
                || call.has("before")
                || call.has("since")
                || asks_for_stopped
                || !exited.is_empty(),
            limit,
            before: given("before").or_else(|| filters.values("before").next().map(str::to_owned)),
            since: given("since").or_else(|| filters.values("since").next().map(str::to_owned)),
            exited,
            filters,
        })
    }

    /// The chosen containers, the newest first. Others get their turn at the state in between.
    fn among(&self, manager: &Manager) -> Result<Vec<ContainerIdx>, Failure> {
        let (engines, bounds) = manager.keeper.with(|state| {
            let engines: Vec<EngineId> = state.validated().map(|(id, _)| id).collect();
            (engines, self.bounds(state))
        });
        let bounds = bounds?;
        let mut chosen: Vec<(Age, ContainerIdx)> = Vec::new();
        for some in engines.chunks(ENGINES_AT_A_TIME) {
            manager.keeper.with(|state| {
                for engine in some {
                    self.choose(state, *engine, &bounds, &mut chosen);
                }
            });
        }
        chosen.sort_unstable_by(|a, b| b.cmp(a));
        if self.limit > 0 {
            chosen.truncate(self.limit);
        }
        Ok(chosen.into_iter().map(|(_, container)| container).collect())
    }

    /// The ages that the chosen ones are between.
    fn bounds(&self, state: &State) -> Result<Bounds, Failure> {
        let bound = |query: &Option<String>| match query {
            None => Ok(None),
            Some(query) => match state
                .find_container(query)
                .and_then(|placed| state.record(placed.container))
            {
                Some(record) => Ok(Some(record.age())),
                None => Err(Failure::not_found(format!("No such container {query}"))),
            },
        };
        Ok(Bounds {
            before: bound(&self.before)?,
            since: bound(&self.since)?,
        })
    }

    /// Adds those of one engine.
    fn choose(&self, state: &State, engine: EngineId, bounds: &Bounds, chosen: &mut Vec<(Age, ContainerIdx)>) {
        for (engine, container, record) in state.records(engine) {
            let Some(known) = state.cluster.container(container) else {
                continue;
            };
            let candidate = Candidate {
                state,
                engine,
                container,
                record,
                name: known.name(),
                labels: &known.request().labels,
            };
            let age = record.age();
            let in_time =
                bounds.before.is_none_or(|before| age < before) && bounds.since.is_none_or(|since| age > since);
            if in_time && self.wants(&candidate) {
                chosen.push((age, container));
            }
        }
    }

    fn wants(&self, candidate: &Candidate<'_>) -> bool {
        let Candidate {
            state,
            engine,
            container,
            record,
            name,
            labels,
        } = candidate;
        let running = record.state.running;
        if !self.all && (!running || !engine.is_healthy()) {
            return false;
        }
        if !self.all && record.image.split(':').next() == Some("swarm") {
            return false;
        }
        let filters = &self.filters;
        let attached = |value: &str| {
            record
                .networks
                .iter()
                .any(|network| network.network == value || (!value.is_empty() && network.network_id.starts_with(value)))
        };
        let ancestor = |value: &str| *record.image == *value || crate::cluster::repository(&record.image) == value;
        (!filters.has("name") || (!name.is_empty() && filters.matches("name", name)))
            && (!filters.has("id") || filters.matches("id", &record.id))
            && filters.labels_match("label", labels)
            && (!filters.has("status") || filters.matches("status", words::state(&record.state)))
            && (!filters.has("node") || filters.matches("node", engine.name()))
            && (self.exited.is_empty() || (!running && self.exited.contains(&record.state.exit_code)))
            && (!filters.has("health") || filters.equals("health", words::health(&record.state)))
            && (!filters.has("volume")
                || filters
                    .values("volume")
                    .any(|value| record.mounts.iter().any(|mount| **mount == *value)))
            && (!filters.has("network") || filters.values("network").any(attached))
            && (!filters.has("ancestor") || filters.values("ancestor").any(ancestor))
            && (!filters.has("publish")
                || filters
                    .values("publish")
                    .any(|value| publishes(state, *container, value)))
            && filters.values("is-task").all(|value| match value {
                "true" | "1" => labels.contains_key(TASK_LABEL),
                "false" | "0" => !labels.contains_key(TASK_LABEL),
                _ => true,
            })
    }
}

/// Whether a container has this host port, given as `PORT[/PROTOCOL]`.
fn publishes(state: &State, container: ContainerIdx, value: &str) -> bool {
    let (port, protocol) = value.split_once('/').unwrap_or((value, "tcp"));
    state.cluster.container(container).is_some_and(|known| {
        known
            .published()
            .iter()
            .any(|binding| *binding.host_port == *port && binding.protocol() == protocol)
    })
}

/// The container that a client means, if it can be talked about with its daemon (`api.md` §1.3).
pub(super) fn reach(state: &State, name: &str, unknown: impl FnOnce() -> Failure) -> Result<Placed, Failure> {
    let placed = state.find_container(name).ok_or_else(unknown)?;
    if !placed.is_healthy {
        return Err(Failure::internal(format!(
            "Container {name} running on unhealthy node {}",
            placed.engine_name
        )));
    }
    Ok(placed)
}

/// `GET /containers/{n}/json`: what the daemon says, and where it says so.
pub(super) async fn inspect(call: Call) -> Result<Answer, Failure> {
    let (manager, name) = (&call.manager, &call.matched.name);
    let placed = manager
        .keeper
        .with(|state| reach(state, name, || Failure::not_found(format!("No such container {name}"))))?;
    let inspected = placed.daemon.container(&placed.id, call.flag("size")).await;
    manager.note(placed.engine, &inspected);
    let mut inspected = inspected.map_err(|error| match error.is_not_found() {
        true => Failure::not_found(format!("Error: No such container: {}", placed.id)),
        false => error.into(),
    })?;
    manager.keeper.with(|state| {
        if let Some(engine) = state.engine(placed.engine) {
            add_node(&mut inspected, engine);
            if let Some(ports) = json::get_mut(&mut inspected, "NetworkSettings")
                .and_then(serde_json::Value::as_object_mut)
                .and_then(|settings| json::get_mut(settings, "Ports"))
                .and_then(serde_json::Value::as_object_mut)
            {
                lead_to_node(ports, &engine.ip);
            }
        }
    });
    Ok(json_answer(&inspected))
}

fn add_node(inspected: &mut Map, engine: &Engine) {
    let Some(facts) = &engine.facts else { return };
    inspected.insert(
        "Node".to_owned(),
        json!({
            "ID": facts.id,
            "IP": engine.ip,
            "Addr": engine.address,
            "Name": facts.name,
            "Cpus": facts.cpus,
            "Memory": facts.memory,
            "Labels": facts.labels,
        }),
    );
}

/// Host addresses that stand for any become the node's.
fn lead_to_node(ports: &mut Map, ip: &str) {
    let bindings = ports.values_mut().filter_map(serde_json::Value::as_array_mut).flatten();
    for binding in bindings.filter_map(serde_json::Value::as_object_mut) {
        let address: Option<std::net::IpAddr> = json::text(binding, "HostIp").parse().ok();
        if address.is_none_or(|address| address.is_unspecified()) {
            json::set(binding, "HostIp", ip);
        }
    }
}

impl State {
    /// A container's record with its engine.
    fn shown(&self, container: ContainerIdx) -> Option<(&Engine, &ContainerRecord)> {
        let node = self.cluster.container(container)?.node();
        let (_, engine) = self.engine_of(node)?;
        Some((engine, self.record(container)?))
    }
}

/// `DELETE /containers/{n}` (`api.md` §4.3).
pub(super) async fn remove(call: Call) -> Result<Answer, Failure> {
    let (manager, name) = (&call.manager, &call.matched.name);
    let placed = manager.keeper.with(|state| {
        reach(state, name, || {
            Failure::not_found(format!("Container {name} not found"))
        })
    })?;
    let removing = placed
        .daemon
        .remove_container(&placed.id, call.flag("force"), call.flag("v"), call.flag("link"));
    let removed = manager.while_healthy(placed.engine, removing).await;
    manager.note(placed.engine, &removed);
    match removed {
        Ok(()) => {}
        Err(error) if error.is_not_found() => {
            manager
                .keeper
                .with(|state| state.forget_container(placed.engine, &placed.id));
            return Err(Failure::internal(format!("Error: No such container: {}", placed.id)));
        }
        Err(error) => {
            // A daemon says 409 to a container that runs: clients show it, and scripts look for it.
            let status = error.status().and_then(|status| StatusCode::from_u16(status).ok());
            let conflict = status.filter(|status| *status == StatusCode::CONFLICT);
            return Err(Failure::new(
                conflict.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
                error.told(),
            ));
        }
    }
    manager
        .keeper
        .with(|state| state.forget_container(placed.engine, &placed.id));
    Ok(super::answer::bare(StatusCode::NO_CONTENT))
}

/// `POST /containers/{n}/start` (`api.md` §4.2).
pub(super) async fn start(mut call: Call) -> Result<Answer, Failure> {
    let _ = call.body().await?;
    let (manager, name) = (&call.manager, &call.matched.name);
    let placed = manager
        .keeper
        .with(|state| state.find_container(name))
        .ok_or_else(|| Failure::not_found(format!("No such container {name}")))?;
    let starting = placed.daemon.start_container(&placed.id);
    let started = manager.while_healthy(placed.engine, starting).await;
    manager.note(placed.engine, &started);
    started?;
    manager.look(placed.engine, &placed.daemon, &placed.id).await;
    Ok(super::answer::bare(StatusCode::NO_CONTENT))
}

/// `POST /containers/{n}/rename` (`api.md` §4.4).
pub(super) async fn rename(call: Call) -> Result<Answer, Failure> {
    let (manager, name) = (&call.manager, &call.matched.name);
    let new = call.parameter("name").to_owned();
    let placed = manager.keeper.with(|state| {
        let placed = reach(state, name, || Failure::not_found(format!("No such container: {name}")))?;
        if state.cluster.is_name_taken(&new) {
            let taken = crate::cluster::PlaceError::NameTaken(new.clone());
            return Err(Failure::new(StatusCode::CONFLICT, taken.to_string()));
        }
        Ok(placed)
    })?;
    let renaming = placed.daemon.rename_container(&placed.id, &new);
    let renamed = manager.while_healthy(placed.engine, renaming).await;
    manager.note(placed.engine, &renamed);
    renamed?;
    manager.refresh_one(&placed).await;
    Ok(super::answer::bare(StatusCode::NO_CONTENT))
}

impl Manager {
    /// Looks at a container again. What fails is repaired by the next refresh.
    pub(super) async fn refresh_one(self: &std::sync::Arc<Self>, placed: &Placed) {
        let containers = [placed.id.clone()];
        let refreshed = self
            .refresh_containers(placed.engine, &placed.daemon, &containers)
            .await;
        if let Err(error) = refreshed {
            tracing::debug!(container = placed.id, "Refreshing a container failed: {error}");
        }
    }

    /// Refreshes what the command line says is refreshed before lists that are filtered so (`live-manager.md` §5.6).
    async fn refresh_as_asked(self: &std::sync::Arc<Self>, filters: &Filters) {
        let named = &self.options.container_name_refresh_filter;
        let all = !named.is_empty() && filters.values("name").any(|name| name == named);
        let nodes: Vec<String> = match self.options.refresh_on_node_filter {
            true => filters.values("node").map(str::to_owned).collect(),
            false => Vec::new(),
        };
        if !all && nodes.is_empty() {
            return;
        }
        let engines = self.keeper.with(|state| {
            let wanted = |engine: &Engine| all || nodes.iter().any(|node| node == engine.name());
            let engines = state
                .validated()
                .filter(|(_, engine)| engine.is_healthy() && wanted(engine));
            engines
                .map(|(id, engine)| (id, engine.daemon.clone()))
                .collect::<Vec<_>>()
        });
        let mut refreshing = tokio::task::JoinSet::new();
        for (id, daemon) in engines {
            let manager = std::sync::Arc::clone(self);
            refreshing.spawn(async move { manager.refresh_list(id, &daemon).await });
        }
        refreshing.join_all().await;
    }
}
