//! Requests about networks and volumes.

use serde_json::{Value, json};

use super::{Answered, Ask, Reply, not_found, show};
use crate::docker::{FilteredNetwork, FilteredVolume, NetworkFilters, PruneFilters, VolumeFilters};
use crate::engines::model::network::{Network, Volume};
use crate::engines::model::{Model, Refusal};

pub(super) fn about_networks(model: &mut Model, ask: &Ask, method: &str, rest: &[&str]) -> Answered {
    match (method, rest) {
        ("GET", [] | [""]) => {
            let filters = NetworkFilters::new(ask.filters()?, &[])?;
            let wanted = |network: &&Network| {
                let seen = FilteredNetwork {
                    name: &network.name,
                    id: &network.id,
                    driver: &network.driver,
                    scope: network.scope(),
                    labels: &network.labels,
                };
                filters.wants(&seen, |_| false, || model.is_used(network))
            };
            let found = model.networks.iter().filter(wanted);
            let shown: Vec<Value> = found.map(|network| show::network(model, network, false)).collect();
            Ok(Reply::Json(200, shown.into()))
        }
        ("POST", ["create"]) => {
            let id = model.create_network(&ask.object()?)?;
            Ok(Reply::Json(201, json!({ "Id": id, "Warning": "" })))
        }
        ("POST", ["prune"]) => {
            let now = model.date(model.now());
            let filters = PruneFilters::new(ask.filters()?, &["label", "label!", "until"], now)?;
            let unused = |network: &&Network| {
                !network.builtin
                    && filters.wants(&network.labels, model.date(network.created))
                    && !model.is_used_anywhere(network)
                    && !model
                        .containers
                        .values()
                        .any(|container| container.is_in(&network.name))
            };
            let gone: Vec<String> = model
                .networks
                .iter()
                .filter(unused)
                .map(|network| network.name.clone())
                .collect();
            // Another engine may just have removed one that both have.
            let gone: Vec<String> = gone
                .into_iter()
                .filter(|name| model.remove_network(name).is_ok())
                .collect();
            Ok(Reply::Json(200, json!({ "NetworksDeleted": gone })))
        }
        ("GET", [name]) => Ok(Reply::Json(200, show::network(model, model.network(name)?, true))),
        ("DELETE", [name]) => {
            model.remove_network(name)?;
            Ok(Reply::Empty(204))
        }
        ("POST", [name, "connect"]) => {
            model.connect(name, &ask.object()?)?;
            Ok(Reply::Empty(200))
        }
        ("POST", [name, "disconnect"]) => {
            model.disconnect(name, &ask.object()?)?;
            Ok(Reply::Empty(200))
        }
        _ => Err(not_found()),
    }
}

pub(super) fn about_volumes(model: &mut Model, ask: &Ask, method: &str, rest: &[&str]) -> Answered {
    match (method, rest) {
        ("GET", [] | [""]) => {
            let filters = VolumeFilters::new(ask.filters()?, &[])?;
            let wanted = |volume: &&Volume| {
                let seen = FilteredVolume {
                    name: &volume.name,
                    driver: &volume.driver,
                    labels: &volume.labels,
                };
                filters.wants(
                    &seen,
                    |_| false,
                    || model.users_of_volume(&volume.name).next().is_some(),
                )
            };
            let found = model.volumes.values().filter(wanted);
            let shown: Vec<Value> = found.map(|volume| show::volume(model, volume)).collect();
            Ok(Reply::Json(200, json!({ "Volumes": shown, "Warnings": null })))
        }
        ("POST", ["create"]) => {
            let volume = model.create_volume(&ask.object()?)?;
            Ok(Reply::Json(201, show::volume(model, &volume)))
        }
        ("POST", ["prune"]) => {
            let now = model.date(model.now());
            let filters = PruneFilters::new(ask.filters()?, &["label", "label!"], now)?;
            let unused = |volume: &&Volume| {
                filters.wants(&volume.labels, model.date(volume.created))
                    && model.users_of_volume(&volume.name).next().is_none()
            };
            let gone: Vec<String> = model
                .volumes
                .values()
                .filter(unused)
                .map(|volume| volume.name.clone())
                .collect();
            for name in &gone {
                model.remove_volume(name)?;
            }
            Ok(Reply::Json(200, super::system::pruned("VolumesDeleted", gone)))
        }
        ("GET", [name]) => match model.volumes.get(*name) {
            Some(volume) => Ok(Reply::Json(200, show::volume(model, volume))),
            None => Err(Refusal::new(404, format!("get {name}: no such volume"))),
        },
        ("DELETE", [name]) => match (model.remove_volume(name), ask.flag("force")) {
            (Err(refusal), true) if refusal.status == 404 => Ok(Reply::Empty(204)),
            (done, _) => done.map(|()| Reply::Empty(204)),
        },
        _ => Err(not_found()),
    }
}
