//! Networks of all engines as if they were one daemon's (`manager/API.md` §8).

use hyper::{Method, StatusCode};
use serde_json::Value;

use super::answer::{Answer, Failure, advises_swarm_mode, bare, json_answer, json_with};
use super::server::Call;
use super::state::{EngineId, Network, Placed, State};
use crate::docker::{CallError, Daemon, FilteredNetwork, Map, NetworkFilters, json, path};
use crate::model::{Labels, Request};

/// `GET /networks`.
pub(super) async fn list(call: &Call) -> Result<Answer, Failure> {
    let filters = NetworkFilters::new(call.filters()?, &["node"])?;
    call.manager.looks.settle().await;
    let listed: Vec<Map> = call.manager.keeper.with(|state| {
        let networks = state.networks().into_iter();
        networks
            .filter(|network| wanted(state, &filters, network))
            .map(|network| shown(state, &network))
            .collect()
    });
    Ok(json_answer(&listed))
}

fn wanted(state: &State, filters: &NetworkFilters, network: &Network<'_>) -> bool {
    let engines = || network.engines.iter().filter_map(|id| state.engine(*id));
    let labels: Labels = json::map(network.described, "Labels")
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect();
    let seen = FilteredNetwork {
        name: network.name,
        id: network.id,
        driver: json::text(network.described, "Driver"),
        scope: network.scope(),
        labels: &labels,
    };
    // Lists call it so, if it is there alone.
    let on_its_node = |value: &str| {
        let node = value.strip_suffix(network.name).and_then(|rest| rest.strip_suffix('/'));
        node.is_some_and(|node| engines().any(|engine| node == engine.name() || node == engine.id()))
    };
    filters
        .values("node")
        .all(|value| engines().any(|engine| engine.name() == value))
        && filters.wants(&seen, on_its_node, || state.is_network_used(network))
}

/// A network in a list: one that only its engine has is called with its engine.
fn shown(state: &State, network: &Network<'_>) -> Map {
    let mut shown = state.network_in_full(network);
    let engine = network.engines.first().and_then(|id| state.engine(*id));
    if let Some(engine) = engine.filter(|_| network.is_local()) {
        json::set(&mut shown, "Name", format!("{}/{}", engine.name(), network.name));
    }
    shown
}

fn unknown(name: &str) -> Failure {
    Failure::not_found(format!("No such network: {name}"))
}

/// `GET /networks/{n}`.
pub(super) async fn inspect(call: &Call) -> Result<Answer, Failure> {
    let name = &call.matched.name;
    call.manager.looks.settle().await;
    call.manager.keeper.with(|state| {
        let network = state.find_network(name).ok_or_else(|| unknown(name))?;
        Ok(json_answer(&state.network_in_full(&network)))
    })
}

/// `POST /networks/create`.
pub(super) async fn create(mut call: Call) -> Result<Answer, Failure> {
    let body = call.body().await?;
    let mut config: Map = serde_json::from_slice(&body)
        .map_err(|error| Failure::bad_request(format!("the body is no configuration of a network: {error}")))?;
    if json::text(&config, "Driver").is_empty() {
        json::set(&mut config, "Driver", "overlay");
    }
    let driver = json::text(&config, "Driver").to_owned();
    let mut request = Request::default();
    let name = json::text(&config, "Name").to_owned();
    if let Some((node, bare_name)) = name.split_once('/') {
        request.constraints.push(format!("node=={node}"));
        json::set(&mut config, "Name", bare_name);
    }
    let manager = &call.manager;
    let (engine, daemon) = manager.choose(request).await?;
    let config = Value::Object(config);
    let creating = daemon.object(Method::POST, "/networks/create", Some(&config));
    let created = manager.noted(engine, creating).await;
    let created = created.map_err(|error| match advises_swarm_mode(&error.told()) {
        true => Failure::internal(no_spanning_networks(&name, &driver)),
        false => keeping_conflicts(error),
    })?;
    let id = json::text(&created, "Id").to_owned();
    if let Ok(described) = manager.noted(engine, daemon.network(&id)).await {
        manager.keeper.with(|state| {
            let everywhere = matches!(json::text(&described, "Scope"), "global" | "swarm");
            let engines: Vec<EngineId> = match everywhere {
                true => state.validated().map(|(id, _)| id).collect(),
                false => vec![engine],
            };
            for engine in engines {
                state.set_network(engine, described.clone());
            }
        });
    }
    Ok(json_with(StatusCode::CREATED, &created))
}

/// What to do where no network spans engines.
fn no_spanning_networks(name: &str, driver: &str) -> String {
    format!(
        "The network {name} cannot be created: its driver is {driver} (which is what networks have here unless another is \
         named), and the engines of this cluster have no networks that span them, since they have no cluster store. \
         Create it on one node with the driver bridge (`docker network create --driver bridge NODE/{name}`, or `driver: \
         bridge` in a Compose file: its containers then run on that node), do without one (`network_mode: bridge`), or \
         start the engines with `--cluster-store` and `--cluster-advertise` (up to Docker 20.10)."
    )
}

/// A daemon's 409 and 403 stay what they are, since clients of today look at them; everything else is 500.
fn keeping_conflicts(error: CallError) -> Failure {
    let status = match error.status() {
        Some(409) => StatusCode::CONFLICT,
        Some(403) => StatusCode::FORBIDDEN,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    Failure::new(status, error.told())
}

/// A container and a network that a client wants to bring together or apart.
struct Pair {
    network: String,
    network_name: String,
    scope: String,
    placed: Placed,
    body: Map,
}

async fn pair(call: &mut Call) -> Result<Pair, Failure> {
    let body = call.body().await?;
    let name = &call.matched.name;
    let manager = &call.manager;
    let known = manager.keeper.with(|state| state.find_network(name).is_some());
    if !known {
        return Err(unknown(name));
    }
    let body: Map = serde_json::from_slice(&body).map_err(|_| Failure::not_found("Container is not specified"))?;
    let container = json::text(&body, "Container").to_owned();
    manager.keeper.with(|state| {
        let placed = state
            .find_container(&container)
            .ok_or_else(|| Failure::not_found(format!("No such container: {container}")))?;
        let network = state.find_network(name).ok_or_else(|| unknown(name))?;
        Ok(Pair {
            network: network.id.to_owned(),
            network_name: network.name.to_owned(),
            scope: network.scope().to_owned(),
            placed,
            body,
        })
    })
}

/// `POST /networks/{n}/connect`.
pub(super) async fn connect(mut call: Call) -> Result<Answer, Failure> {
    let Pair {
        network,
        placed,
        mut body,
        ..
    } = pair(&mut call).await?;
    json::set(&mut body, "Container", placed.id.as_str());
    let target = path::path(&["networks", &network, "connect"]);
    let body = Value::Object(body);
    let connecting = placed.daemon.call(Method::POST, &target, Some(&body));
    let connected = call.manager.noted(placed.engine, connecting).await;
    connected.map_err(as_the_daemon_says)?;
    refresh(&call, &placed).await;
    Ok(bare(StatusCode::OK))
}

/// `POST /networks/{n}/disconnect`.
pub(super) async fn disconnect(mut call: Call) -> Result<Answer, Failure> {
    let Pair {
        network,
        network_name,
        scope,
        placed,
        mut body,
    } = pair(&mut call).await?;
    let forced = json::flag(&body, "Force");
    json::set(&mut body, "Container", placed.id.as_str());
    let body = Value::Object(body);
    let by_name = call.matched.name.contains(&network_name);
    let target = path::path(&["networks", if by_name { &network_name } else { &network }, "disconnect"]);
    let disconnecting = placed.daemon.call(Method::POST, &target, Some(&body));
    match call.manager.noted(placed.engine, disconnecting).await {
        Ok(_) => {
            refresh(&call, &placed).await;
            Ok(bare(StatusCode::OK))
        }
        // Where the network spans engines, another one can take away the endpoint of one that is not there.
        Err(error) if error.is_unreachable() && forced && matches!(scope.as_str(), "global" | "swarm") => {
            let (engine, daemon) = call.manager.any_engine()?;
            let disconnecting = daemon.call(Method::POST, &target, Some(&body));
            let disconnected = call.manager.noted(engine, disconnecting).await;
            disconnected.map_err(as_the_daemon_says)?;
            Ok(bare(StatusCode::OK))
        }
        Err(error) => Err(as_the_daemon_says(error)),
    }
}

/// The daemon's own status where it gave one, 404 as in the original where it did not.
fn as_the_daemon_says(error: CallError) -> Failure {
    let status = error.status().and_then(|status| StatusCode::from_u16(status).ok());
    Failure::new(status.unwrap_or(StatusCode::NOT_FOUND), error.told())
}

async fn refresh(call: &Call, placed: &Placed) {
    if let Ok(networks) = call.manager.noted(placed.engine, placed.daemon.networks()).await {
        call.manager
            .keeper
            .with(|state| state.set_networks(placed.engine, networks));
    }
    call.manager.refresh_one(placed).await;
}

/// `DELETE /networks/{n}`: on an engine that has it; for one that spans engines, on the first that can be reached.
pub(super) async fn remove(call: Call) -> Result<Answer, Failure> {
    let name = &call.matched.name;
    let (network, everywhere, holders) = call.manager.keeper.with(|state| {
        let network = state
            .find_network(name)
            .ok_or_else(|| Failure::not_found(format!("No such network {name}")))?;
        let mut holders: Vec<(bool, EngineId, Daemon)> = network
            .engines
            .iter()
            .filter_map(|id| {
                state
                    .engine(*id)
                    .map(|engine| (!engine.is_healthy(), *id, engine.daemon.clone()))
            })
            .collect();
        holders.sort_by_key(|(unhealthy, id, _)| (*unhealthy, *id));
        Ok::<_, Failure>((network.id.to_owned(), !network.is_local(), holders))
    })?;
    let mut last = Failure::internal("no engine could be asked");
    for (_, engine, daemon) in holders {
        let target = path::path(&["networks", &network]);
        let removing = daemon.call(Method::DELETE, &target, None);
        match call.manager.noted(engine, removing).await {
            Ok(_) => {
                let only = (!everywhere).then_some(engine);
                call.manager.keeper.with(|state| state.drop_network(only, &network));
                return Ok(bare(StatusCode::NO_CONTENT));
            }
            Err(error) if error.is_not_found() => {
                last = Failure::internal(format!("Error: No such network: {network}"));
            }
            Err(error) if error.is_unreachable() && everywhere => last = error.into(),
            Err(error) => return Err(keeping_conflicts(error)),
        }
    }
    Err(last)
}
