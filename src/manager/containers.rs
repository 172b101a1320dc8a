//! Containers as clients are shown them (`manager/API.md` §3 and §4.1).

use std::borrow::Cow;

use bytes::Bytes;
use hyper::StatusCode;
use rustc_hash::FxHashSet;
use serde_json::json;

use super::Manager;
use super::answer::{Answer, Failure, json_answer};
use super::server::Call;
use super::state::{Age, ContainerRecord, Engine, EngineId, Placed, State, lead_to_node};
use crate::cluster::Container;
use crate::docker::{CallError, ContainerFilters, ContainerState, FilteredContainer, Filters, Map, json};
use crate::model::{ContainerIdx, Labels, is_unspecified};
use crate::net;

/// Entries written to the answer at a time.
const ENTRIES_PER_PIECE: usize = 256;

/// Engines whose containers are chosen from under the lock at a time.
const ENGINES_AT_A_TIME: usize = 32;

/// The label that tells the tasks of a service.
const TASK_LABEL: &str = "com.docker.swarm.task";

/// `GET /containers/json`.
pub(super) async fn list(call: Call) -> Result<Answer, Failure> {
    let choice = Choice::new(&call, call.filters()?)?;
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
    filters: ContainerFilters,
    all: bool,
    limit: usize,
    before: Option<String>,
    since: Option<String>,
}

/// What the filters mean that are about other objects than the container itself.
struct Meant {
    before: Option<Age>,
    since: Option<Age>,
    /// Those that are meant by their IDs.
    ids: Option<FxHashSet<ContainerIdx>>,
}

/// One container, and everything that is looked at to choose it.
struct Candidate<'a> {
    known: &'a Container,
    record: &'a ContainerRecord,
}

impl FilteredContainer for Candidate<'_> {
    fn name(&self) -> &str {
        self.known.name()
    }

    fn labels(&self) -> &Labels {
        &self.known.request().labels
    }

    fn state(&self) -> Cow<'_, ContainerState> {
        Cow::Borrowed(&self.record.state)
    }

    fn is_task(&self) -> bool {
        self.labels().contains_key(TASK_LABEL)
    }

    fn has_mount(&self, value: &str) -> bool {
        self.record.mounts.iter().any(|mount| **mount == *value)
    }

    fn is_in_network(&self, value: &str) -> bool {
        let mut networks = self.record.networks.iter();
        networks.any(|network| network.network == value || network.network_id.starts_with(value))
    }

    fn has_published(&self, wanted: &dyn Fn(u16, &str) -> bool) -> bool {
        let mut published = self.known.published().iter();
        published.any(|binding| {
            binding
                .host_port
                .parse()
                .is_ok_and(|port| wanted(port, binding.protocol()))
        })
    }

    fn has_exposed(&self, wanted: &dyn Fn(u16, &str) -> bool) -> bool {
        let mut exposed = self.record.exposed.iter();
        exposed.any(|(port, protocol)| wanted(*port, protocol))
    }
}

impl Choice {
    fn new(call: &Call, filters: Filters) -> Result<Choice, Failure> {
        let given = |name: &str| Some(call.parameter(name).to_owned()).filter(|value| !value.is_empty());
        let filters = ContainerFilters::new(filters, &["node"])?;
        let limit = usize::try_from(call.number("limit")).unwrap_or(0);
        Ok(Choice {
            // Who asks for a status that stopped containers have wants to see them; the original thought of one only.
            all: call.flag("all") || limit > 0 || call.has("before") || call.has("since") || filters.asks_for_stopped(),
            limit,
            before: given("before").or_else(|| filters.values("before").next().map(str::to_owned)),
            since: given("since").or_else(|| filters.values("since").next().map(str::to_owned)),
            filters,
        })
    }

    /// The chosen containers, the newest first. Others get their turn at the state in between.
    fn among(&self, manager: &Manager) -> Result<Vec<ContainerIdx>, Failure> {
        let (engines, meant) = manager.keeper.with(|state| {
            let engines: Vec<EngineId> = state.validated().map(|(id, _)| id).collect();
            (engines, self.meant(state))
        });
        let meant = meant?;
        let mut chosen: Vec<(Age, ContainerIdx)> = Vec::new();
        for some in engines.chunks(ENGINES_AT_A_TIME) {
            manager.keeper.with(|state| {
                for engine in some {
                    self.choose(state, *engine, &meant, &mut chosen);
                }
            });
        }
        chosen.sort_unstable_by(|a, b| b.cmp(a));
        if self.limit > 0 {
            chosen.truncate(self.limit);
        }
        Ok(chosen.into_iter().map(|(_, container)| container).collect())
    }

    /// See [`Meant`].
    fn meant(&self, state: &State) -> Result<Meant, Failure> {
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
        let ids = self.filters.values("id");
        Ok(Meant {
            before: bound(&self.before)?,
            since: bound(&self.since)?,
            ids: self
                .filters
                .has("id")
                .then(|| ids.filter_map(|id| state.cluster.with_id_prefix(id)).collect()),
        })
    }

    /// Adds those of one engine.
    fn choose(&self, state: &State, engine: EngineId, meant: &Meant, chosen: &mut Vec<(Age, ContainerIdx)>) {
        let on_node = |engine: &Engine| !self.filters.has("node") || self.filters.matches("node", engine.name());
        let Some(known) = state.engine(engine).filter(|engine| on_node(engine)) else {
            return;
        };
        let ancestors = self
            .filters
            .has("ancestor")
            .then(|| known.built_on(self.filters.values("ancestor")));
        for (engine, container, record) in state.records(engine) {
            let age = record.age();
            let is_meant = meant.before.is_none_or(|before| age < before)
                && meant.since.is_none_or(|since| age > since)
                && meant.ids.as_ref().is_none_or(|ids| ids.contains(&container))
                && ancestors.as_ref().is_none_or(|ids| ids.contains(&*record.image_id));
            if is_meant
                && self.shows(engine, record)
                && let Some(known) = state.cluster.container(container)
                && self.filters.wants(&Candidate { known, record })
            {
                chosen.push((age, container));
            }
        }
    }

    /// Whether a container is shown that no filter is about.
    fn shows(&self, engine: &Engine, record: &ContainerRecord) -> bool {
        self.all || (record.state.running && engine.is_healthy() && record.image.split(':').next() != Some("swarm"))
    }
}

/// The container that a client means, if it can be talked about with its daemon (`manager/API.md` §1.3).
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
    let inspecting = placed.daemon.container(&placed.id, call.flag("size"));
    let inspected = manager.noted(placed.engine, inspecting).await;
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
                for bindings in ports.values_mut().filter_map(serde_json::Value::as_array_mut) {
                    lead_to_node(bindings, "HostIp", leads_nowhere, &engine.ip);
                }
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

/// Whether a host address of an inspection leads to its host from there only, or is none.
fn leads_nowhere(address: &str) -> bool {
    is_unspecified(address) || address.parse::<std::net::IpAddr>().is_err()
}

impl State {
    /// A container's record with its engine.
    fn shown(&self, container: ContainerIdx) -> Option<(&Engine, &ContainerRecord)> {
        let node = self.cluster.container(container)?.node();
        let (_, engine) = self.engine_of(node)?;
        Some((engine, self.record(container)?))
    }
}

/// `DELETE /containers/{n}` (`manager/API.md` §4.3).
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
    let removing = manager.while_healthy(placed.engine, removing);
    match manager.noted(placed.engine, removing).await {
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

/// `POST /containers/{n}/start` (`manager/API.md` §4.2).
pub(super) async fn start(mut call: Call) -> Result<Answer, Failure> {
    let _ = call.body().await?;
    let (manager, name) = (&call.manager, &call.matched.name);
    let placed = manager
        .keeper
        .with(|state| state.find_container(name))
        .ok_or_else(|| Failure::not_found(format!("No such container {name}")))?;
    let starting = placed.daemon.start_container(&placed.id);
    let starting = manager.while_healthy(placed.engine, starting);
    manager.noted(placed.engine, starting).await?;
    manager.look(placed.engine, &placed.daemon, &placed.id).await;
    Ok(super::answer::bare(StatusCode::NO_CONTENT))
}

/// `POST /containers/{n}/rename` (`manager/API.md` §4.4).
pub(super) async fn rename(call: Call) -> Result<Answer, Failure> {
    let (manager, name) = (&call.manager, &call.matched.name);
    let new = call.parameter("name").to_owned();
    let placed = manager.keeper.with(|state| {
        let placed = reach(state, name, || Failure::not_found(format!("No such container: {name}")))?;
        let reserved = state.reserve_name(&new);
        reserved.map_err(|conflict| Failure::new(StatusCode::CONFLICT, conflict.to_string()))?;
        Ok::<_, Failure>(placed)
    })?;
    let mut reserved = ReservedName {
        manager,
        name: &new,
        is_unknown: true,
    };
    let renaming = placed.daemon.rename_container(&placed.id, &new);
    let renaming = manager.while_healthy(placed.engine, renaming);
    let renamed = manager.noted(placed.engine, renaming).await;
    if renamed.is_ok() {
        manager.refresh_one(&placed).await;
    }
    // What is not answered may be done all the same.
    reserved.is_unknown = renamed.as_ref().is_err_and(CallError::is_unanswered);
    drop(reserved);
    renamed?;
    Ok(super::answer::bare(StatusCode::NO_CONTENT))
}

/// A name that a container is about to be given by its daemon, and nobody else meanwhile.
struct ReservedName<'a> {
    manager: &'a Manager,
    name: &'a str,
    /// Whether it may have been given to the container, or may still be, without being known.
    is_unknown: bool,
}

impl Drop for ReservedName<'_> {
    fn drop(&mut self) {
        self.manager.keeper.with(|state| {
            if self.is_unknown {
                state.keep_name(self.name);
            }
            state.cluster.release_name(self.name);
        });
    }
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

    /// Refreshes what the command line says is refreshed before lists that are filtered so (`manager/RULES.md` §5.6).
    async fn refresh_as_asked(self: &std::sync::Arc<Self>, filters: &ContainerFilters) {
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
