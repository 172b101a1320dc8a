//! Volumes of all engines as if they were one daemon's (`manager/API.md` §9).

use std::sync::Arc;

use hyper::{Method, StatusCode};
use rand::Rng;
use serde_json::{Value, json};

use super::Manager;
use super::answer::{Answer, Failure, bare, json_answer, json_with};
use super::server::Call;
use super::state::{Engine, EngineId, is_local};
use crate::docker::{CallError, Daemon, FilteredVolume, Map, VolumeFilters, json, path};
use crate::model::{Labels, Request};
use crate::scheduler::{Expressions, translate};

fn labels_of(volume: &Map) -> Labels {
    let labels = json::map(volume, "Labels").into_iter().flatten();
    labels
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}

/// `GET /volumes`.
pub(super) fn list(call: &Call) -> Result<Answer, Failure> {
    let filters = VolumeFilters::new(call.filters()?, &["node"])?;
    let listed: Vec<Map> = call.manager.keeper.with(|state| {
        let wanted = |id: EngineId, engine: &Engine, volume: &Map| {
            let name = json::text(volume, "Name");
            let labels = labels_of(volume);
            let seen = FilteredVolume {
                name,
                driver: json::text(volume, "Driver"),
                labels: &labels,
            };
            // Lists call it so, if it is there alone.
            let on_its_node = |value: &str| {
                let node = value.strip_suffix(name).and_then(|rest| rest.strip_suffix('/'));
                node.is_some_and(|node| node == engine.name() || node == engine.id())
            };
            let is_on = filters.values("node").len() == 0 || filters.values("node").any(|value| value == engine.name());
            (is_on || !is_local(volume)) && filters.wants(&seen, on_its_node, || state.is_volume_used(id, name))
        };
        let volumes = state
            .volumes()
            .filter(|(id, engine, volume)| wanted(*id, engine, volume));
        volumes
            .map(|(_, engine, volume)| {
                let mut shown = volume.clone();
                if is_local(volume) {
                    let name = format!("{}/{}", engine.name(), json::text(volume, "Name"));
                    json::set(&mut shown, "Name", name);
                }
                shown
            })
            .collect()
    });
    let listed = if listed.is_empty() { Value::Null } else { json!(listed) };
    Ok(json_answer(&json!({ "Volumes": listed, "Warnings": null })))
}

/// `GET /volumes/{n}`.
pub(super) fn inspect(call: &Call) -> Result<Answer, Failure> {
    let name = &call.matched.name;
    call.manager.keeper.with(|state| {
        let (_, _, volume) = state
            .find_volume(name)
            .ok_or_else(|| Failure::not_found(format!("No such volume: {name}")))?;
        Ok(json_answer(volume))
    })
}

/// `POST /volumes/create`: on one node if the name begins with it, on those of a whitelist, or on all.
pub(super) async fn create(mut call: Call) -> Result<Answer, Failure> {
    let body = call.body().await?;
    let mut config: Map = match body.is_empty() {
        true => Map::new(),
        false => serde_json::from_slice(&body)
            .map_err(|error| Failure::bad_request(format!("the body is no configuration of a volume: {error}")))?,
    };
    let manager = Arc::clone(&call.manager);
    let name = json::text(&config, "Name").to_owned();
    let mut labels = labels_of(&config);
    let Expressions { whitelists, .. } = translate(&mut Vec::new(), &mut labels);
    let engines: Vec<(EngineId, Daemon)> = match name.split_once('/') {
        Some((node, bare_name)) => {
            json::set(&mut config, "Name", bare_name);
            let request = Request {
                constraints: vec![format!("node=={node}")],
                ..Request::default()
            };
            vec![manager.choose(request).await?]
        }
        None if !whitelists.is_empty() => {
            let request = Request {
                whitelists,
                ..Request::default()
            };
            let prepared = manager.prepare(request).await?;
            let chosen = manager.keeper.with(|state| state.choose_all(&prepared));
            chosen.map_err(Failure::internal)?
        }
        None => manager.keeper.with(|state| {
            let healthy = state.validated().filter(|(_, engine)| engine.is_healthy());
            healthy.map(|(id, engine)| (id, engine.daemon.clone())).collect()
        }),
    };
    if json::text(&config, "Name").is_empty() {
        json::set(
            &mut config,
            "Name",
            manager.keeper.with(|state| random_name(state.rng())),
        );
    }
    let created = on_each(&manager, engines, |daemon| {
        let config = Value::Object(config.clone());
        async move { daemon.object(Method::POST, "/volumes/create", Some(&config)).await }
    })
    .await;
    let mut shown = None;
    let mut failed = None;
    for (engine, _, outcome) in created {
        match outcome {
            Ok(volume) => {
                manager.keeper.with(|state| state.set_volume(engine, volume.clone()));
                shown = Some(volume);
            }
            Err(error) => failed = Some(error),
        }
    }
    match (failed, shown) {
        (Some(error), _) => Err(error.into()),
        (None, Some(volume)) => Ok(json_with(StatusCode::CREATED, &volume)),
        (None, None) => Err(Failure::internal("No healthy node available in the cluster")),
    }
}

/// A name for a volume that the client gave none: 64 hexadecimal digits.
fn random_name(rng: &mut impl Rng) -> String {
    let mut bytes = [0; 32];
    rng.fill_bytes(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `DELETE /volumes/{n}`: on every engine that has it.
pub(super) async fn remove(call: Call) -> Result<Answer, Failure> {
    let (manager, query) = (&call.manager, &call.matched.name);
    let holders: Vec<(EngineId, String, Daemon)> = manager.keeper.with(|state| {
        let meant = state.volumes_meant(query);
        meant
            .map(|(id, engine, volume)| (id, json::text(volume, "Name").to_owned(), engine.daemon.clone()))
            .collect()
    });
    let Some((_, name, _)) = holders.first().cloned() else {
        return Err(Failure::not_found(format!("No such volume {query}")));
    };
    let force = if call.flag("force") { "?force=1" } else { "" };
    let target = format!("{}{force}", path::path(&["volumes", &name]));
    let engines = holders.into_iter().map(|(id, _, daemon)| (id, daemon)).collect();
    let removed = on_each(manager, engines, |daemon| {
        let target = target.clone();
        async move { daemon.call(Method::DELETE, &target, None).await.map(drop) }
    })
    .await;
    let mut faults = Vec::new();
    let mut status = None;
    for (engine, engine_name, outcome) in removed {
        match outcome {
            Ok(()) => manager.keeper.with(|state| state.drop_volume(engine, &name)),
            Err(error) => {
                status = status.or(error.status());
                faults.push(format!("{engine_name}: {}", error.told()));
            }
        }
    }
    if faults.is_empty() {
        return Ok(bare(StatusCode::NO_CONTENT));
    }
    let status = match status {
        // A volume in use: clients of today look at the status.
        Some(409) => StatusCode::CONFLICT,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    Err(Failure::new(status, faults.join("\n")))
}

/// Makes the same call to several engines at the same time; what came of it, by name. An engine that becomes unhealthy
/// meanwhile is not waited for.
pub(super) async fn on_each<T, F>(
    manager: &Arc<Manager>,
    engines: Vec<(EngineId, Daemon)>,
    call: impl Fn(Daemon) -> F,
) -> Vec<(EngineId, String, Result<T, CallError>)>
where
    T: Send + 'static,
    F: Future<Output = Result<T, CallError>> + Send + 'static,
{
    let mut calls = tokio::task::JoinSet::new();
    for (id, daemon) in engines {
        let made = call(daemon);
        let manager = Arc::clone(manager);
        calls.spawn(async move {
            let outcome = manager.noted(id, manager.while_healthy(id, made)).await;
            let name = manager
                .keeper
                .with(|state| state.engine(id).map(|engine| engine.name().to_owned()));
            (id, name.unwrap_or_default(), outcome)
        });
    }
    let mut outcomes = calls.join_all().await;
    outcomes.sort_by(|a, b| a.1.cmp(&b.1));
    outcomes
}
