//! What every engine is asked for at once: to remove what is not used, and what takes up its disk. The answers become one.

use std::sync::Arc;

use hyper::Method;
use serde_json::Value;

use super::Manager;
use super::answer::{Answer, Failure, json_answer};
use super::images::faults_of;
use super::server::Call;
use super::state::{EngineId, State, lead_to_node};
use super::volumes::on_each;
use crate::docker::{Daemon, Map, json, path};
use crate::model::is_unspecified;

/// The filter that is about engines, and is not for them.
const NODE: &str = "node";

/// What is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pruned {
    Containers,
    Images,
    Networks,
    Volumes,
    /// What builds have left behind.
    Builds,
}

impl Pruned {
    /// Where engines are asked for it, and the list in their answer.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Pruned::Containers => ("/containers/prune", "ContainersDeleted"),
            Pruned::Images => ("/images/prune", "ImagesDeleted"),
            Pruned::Networks => ("/networks/prune", "NetworksDeleted"),
            Pruned::Volumes => ("/volumes/prune", "VolumesDeleted"),
            Pruned::Builds => ("/build/prune", "CachesDeleted"),
        }
    }
}

/// `POST /containers/prune` and its like: every healthy engine removes what it does not use, or those that the filter
/// `node` names.
pub(super) async fn prune(call: Call, what: Pruned) -> Result<Answer, Failure> {
    let filters = call.filters()?;
    let mut pairs: Vec<(&str, &str)> = call
        .query
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    let own = for_engines(call.parameter("filters"));
    for (key, value) in &mut pairs {
        if *key == "filters" {
            *value = &own;
        }
    }
    let (place, list) = what.words();
    let target = format!("{place}{}", path::query(&pairs));
    let manager = Arc::clone(&call.manager);
    let (engines, shown) = manager.keeper.with(|state| {
        let healthy = state.validated().filter(|(_, engine)| engine.is_healthy());
        let engines: Vec<(EngineId, Daemon)> = healthy
            .filter(|(_, engine)| filters.equals(NODE, engine.name()))
            .map(|(id, engine)| (id, engine.daemon.clone()))
            .collect();
        let shown = engines
            .iter()
            .map(|(id, _)| (*id, shown_names(state, *id, what)))
            .collect::<Vec<_>>();
        (engines, shown)
    });
    let pruned = on_each(&manager, engines.clone(), |daemon| {
        let target = target.clone();
        async move { daemon.long_object(Method::POST, &target).await }
    })
    .await;
    // Also if one has failed: the others have removed something.
    for (engine, daemon) in &engines {
        manager.look_after_prune(*engine, daemon, what).await;
    }
    let mut gone: Vec<Value> = Vec::new();
    let mut outcomes = Vec::new();
    for (engine, name, outcome) in pruned {
        let names = shown.iter().find(|(id, _)| *id == engine).map(|(_, names)| names);
        if let Ok(answer) = &outcome {
            let own = json::list(answer, list).iter().map(|gone| {
                let shown = gone.as_str().and_then(|gone| names?.get(gone));
                shown.cloned().unwrap_or_else(|| gone.clone())
            });
            // A network that spans engines is removed from each.
            gone.extend(own);
            if what == Pruned::Networks {
                let mut seen = std::collections::HashSet::new();
                gone.retain(|gone| seen.insert(gone.to_string()));
            }
        }
        outcomes.push((name, outcome));
    }
    let answers = faults_of(outcomes)?;
    let mut merged = Map::new();
    json::set(
        &mut merged,
        list,
        if gone.is_empty() { Value::Null } else { gone.into() },
    );
    if what != Pruned::Networks {
        json::set(&mut merged, "SpaceReclaimed", sum(&answers, "SpaceReclaimed"));
    }
    Ok(json_answer(&merged))
}

/// The filters without the one that is not for engines.
fn for_engines(filters: &str) -> String {
    match serde_json::from_str(filters) {
        Ok(Value::Object(mut filters)) => {
            filters.remove(NODE);
            Value::Object(filters).to_string()
        }
        _ => filters.to_owned(),
    }
}

/// How what an engine calls so is called in lists, where that is another name.
fn shown_names(state: &State, id: EngineId, what: Pruned) -> Map {
    let Some(engine) = state.engine(id) else {
        return Map::new();
    };
    let known: &[Map] = match what {
        Pruned::Networks => &engine.networks,
        Pruned::Volumes => &engine.volumes,
        _ => &[],
    };
    let is_local = |object: &&Map| match what {
        Pruned::Networks => json::text(object, "Scope") == "local",
        _ => super::state::is_local(object),
    };
    let name = |object: &Map| json::text(object, "Name").to_owned();
    let local = known.iter().filter(is_local).map(name);
    local
        .map(|name| {
            let shown = format!("{}/{name}", engine.name());
            (name, Value::from(shown))
        })
        .collect()
}

fn sum(answers: &[Map], key: &str) -> i64 {
    let amounts = answers.iter().map(|answer| json::number(answer, key).unwrap_or(0));
    amounts.fold(0, i64::saturating_add)
}

/// `GET /system/df`: what takes up the disks of all healthy engines. What two of them have is there twice.
pub(super) async fn disk_usage(call: Call) -> Result<Answer, Failure> {
    let manager = Arc::clone(&call.manager);
    let pairs: Vec<(&str, &str)> = call
        .query
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    let target = format!("/system/df{}", path::query(&pairs));
    let engines: Vec<(EngineId, Daemon)> = manager.keeper.with(|state| {
        let healthy = state.validated().filter(|(_, engine)| engine.is_healthy());
        healthy.map(|(id, engine)| (id, engine.daemon.clone())).collect()
    });
    let used = on_each(&manager, engines, |daemon| {
        let target = target.clone();
        async move { daemon.long_object(Method::GET, &target).await }
    })
    .await;
    let used = used.into_iter().map(|(engine, name, outcome)| {
        let ip = manager
            .keeper
            .with(|state| state.engine(engine).map(|engine| engine.ip.clone()));
        let outcome = outcome.map(|mut used| {
            name_places(&mut used, &name, &ip.unwrap_or_default());
            used
        });
        (name, outcome)
    });
    let used = faults_of(used.collect())?;
    let mut merged = Map::new();
    json::set(&mut merged, "LayersSize", sum(&used, "LayersSize"));
    for key in ["Images", "Containers", "Volumes", "BuildCache"] {
        let all: Vec<Value> = used.iter().flat_map(|used| json::list(used, key)).cloned().collect();
        json::set(&mut merged, key, all);
    }
    json::set(&mut merged, "BuilderSize", sum(&used, "BuilderSize"));
    Ok(json_answer(&merged))
}

/// Says of an engine's containers and volumes where they are, as lists do.
fn name_places(used: &mut Map, node: &str, ip: &str) {
    let objects = |used: &mut Map, key: &str, work: &dyn Fn(&mut Map)| {
        if let Some(Value::Array(list)) = used.get_mut(key) {
            list.iter_mut().filter_map(Value::as_object_mut).for_each(work);
        }
    };
    objects(used, "Containers", &|container| {
        let names: Vec<String> = json::texts(container, "Names")
            .map(|name| format!("/{node}/{}", name.trim_start_matches('/')))
            .collect();
        json::set(container, "Names", names);
        if let Some(Value::Array(ports)) = container.get_mut("Ports") {
            lead_to_node(ports, "IP", is_unspecified, ip);
        }
    });
    objects(used, "Volumes", &|volume| {
        if super::state::is_local(volume) {
            let name = format!("{node}/{}", json::text(volume, "Name"));
            json::set(volume, "Name", name);
        }
    });
}

impl Manager {
    /// Asks an engine for what it has left. What fails is repaired by the next refresh.
    async fn look_after_prune(self: &Arc<Self>, id: EngineId, daemon: &Daemon, what: Pruned) {
        match what {
            Pruned::Containers => {
                if let Err(error) = self.refresh_list(id, daemon).await {
                    tracing::debug!("Refreshing an engine failed: {error}");
                }
            }
            Pruned::Images | Pruned::Builds => self.refresh_images(id, daemon).await,
            Pruned::Networks => {
                if let Ok(networks) = self.noted(id, daemon.networks()).await {
                    self.keeper.with(|state| state.set_networks(id, networks));
                }
            }
            Pruned::Volumes => {
                if let Ok(volumes) = self.noted(id, daemon.volumes()).await {
                    self.keeper.with(|state| state.set_volumes(id, volumes));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json as object;

    use super::*;

    #[test]
    fn engines_are_not_asked_about_nodes() {
        assert_eq!(for_engines(r#"{"node":["n1"],"label":["a"]}"#), r#"{"label":["a"]}"#);
        assert_eq!(for_engines(""), "");
    }

    #[test]
    fn what_is_used_says_where_it_is() {
        let Value::Object(mut used) = object!({
            "Containers": [{ "Names": ["/web"], "Ports": [{ "IP": "0.0.0.0" }, { "IP": "::" }] }],
            "Volumes": [{ "Name": "data", "Driver": "local" }, { "Name": "far", "Driver": "nfs" }], "Images": null,
        }) else {
            unreachable!()
        };
        name_places(&mut used, "n1", "10.0.0.1");
        let expected = object!({
            "Containers": [{ "Names": ["/n1/web"], "Ports": [{ "IP": "10.0.0.1" }] }],
            "Volumes": [{ "Name": "n1/data", "Driver": "local" }, { "Name": "far", "Driver": "nfs" }], "Images": null,
        });
        assert_eq!(Value::Object(used), expected);
    }
}
