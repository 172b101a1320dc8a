//! What a container is created anew with on another engine, from what the failed one's daemon said of it.

use serde_json::{Value, json};

use crate::docker::{Map, json};
use crate::manager::state::Stray;
use crate::model::Cpus;
use crate::scheduler::from_shares;

/// A network that a container is in together with containers of other engines.
pub(super) struct SharedNetwork {
    pub id: String,
    pub name: String,
    pub endpoint: Map,
}

/// The body of a create request for a container like the lost one, and the networks that it must be connected to
/// afterwards.
pub(super) fn creation_body(
    stray: &Stray,
    is_shared: impl Fn(&str, &str) -> Option<String>,
) -> (Map, Vec<SharedNetwork>) {
    let inspected = &stray.inspected;
    let mut body = json::map(inspected, "Config").cloned().unwrap_or_default();
    let short: String = stray.id.chars().take(12).collect();
    let mut host = json::map(inspected, "HostConfig").cloned().unwrap_or_default();
    let shares = json::number(&host, "CpuShares").and_then(|shares| u64::try_from(shares).ok());
    if let Some(shares) = shares.filter(|shares| *shares > 0) {
        // Clients count CPUs, and the daemon was told shares of its own.
        let cpus = from_shares(shares, stray.cpus).nanos() / Cpus::whole(1).nanos();
        json::set(&mut host, "CpuShares", cpus);
    }
    let mode = json::text(&host, "NetworkMode").to_owned();
    let joins = mode.starts_with("container:");
    let name = json::text(&body, "Hostname");
    // Made of its ID, of the other container's, or of the machine's name: daemons show it as if it had been asked for, and
    // refuse it where it cannot be.
    let is_given = name == short
        || joins
        || json::text(&host, "UTSMode") == "host"
        || (mode == "host" && name == stray.engine_name);
    if is_given {
        json::remove(&mut body, "Hostname");
    }
    if joins {
        // Its image's, which daemons add after they have checked that none are asked for.
        json::remove(&mut body, "ExposedPorts");
        json::remove(&mut body, "MacAddress");
    }
    json::set(&mut body, "HostConfig", host);
    let mut own = Map::new();
    let mut shared = Vec::new();
    let networks = json::map(inspected, "NetworkSettings").and_then(|settings| json::map(settings, "Networks"));
    for (name, endpoint) in networks.into_iter().flatten().filter(|_| !joins) {
        let Value::Object(endpoint) = endpoint else { continue };
        // What the failed engine gave it is not what another one would.
        let mut wish = Map::new();
        for key in ["IPAMConfig", "Links", "Aliases", "DriverOpts"] {
            if let Some(value) = json::get(endpoint, key).filter(|value| !value.is_null()) {
                wish.insert(key.to_owned(), value.clone());
            }
        }
        if let Some(Value::Array(aliases)) = wish.get_mut("Aliases") {
            aliases.retain(|alias| alias.as_str() != Some(short.as_str()));
        }
        match is_shared(json::text(endpoint, "NetworkID"), name) {
            Some(id) => shared.push(SharedNetwork {
                id,
                name: name.clone(),
                endpoint: wish,
            }),
            None => {
                own.insert(name.clone(), Value::Object(wish));
            }
        }
    }
    json::set(&mut body, "NetworkingConfig", json!({ "EndpointsConfig": own }));
    (body, shared)
}
