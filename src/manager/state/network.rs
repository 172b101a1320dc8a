//! Networks of all engines together, and which of them a text means (`live-manager.md` §7.3 and §5.5).

use serde_json::{Value, json};

use crate::docker::{Map, json};

use super::{Engine, EngineId, State};

/// Networks with one ID, which may be on several engines.
#[derive(Clone, Debug)]
pub(in crate::manager) struct Network<'a> {
    pub id: &'a str,
    pub name: &'a str,
    /// As an engine describes it.
    pub described: &'a Map,
    /// Who has it, the first one found first.
    pub engines: Vec<EngineId>,
}

impl Network<'_> {
    pub(in crate::manager) fn scope(&self) -> &str {
        json::text(self.described, "Scope")
    }

    /// Whether it exists on its engine only, so that its name says nothing elsewhere.
    pub(in crate::manager) fn is_local(&self) -> bool {
        self.scope() == "local"
    }
}

const SHORT_ID: usize = 12;

impl State {
    pub(in crate::manager) fn set_networks(&mut self, id: EngineId, networks: Vec<Map>) {
        if let Some(engine) = self.engine_mut(id) {
            engine.networks = networks;
        }
    }

    /// One network has been created or has changed.
    pub(in crate::manager) fn set_network(&mut self, id: EngineId, network: Map) {
        if let Some(engine) = self.engine_mut(id) {
            let own = json::text(&network, "Id").to_owned();
            engine.networks.retain(|known| json::text(known, "Id") != own);
            engine.networks.push(network);
        }
    }

    /// A network is gone from an engine, or from all of them.
    pub(in crate::manager) fn drop_network(&mut self, engine: Option<EngineId>, network: &str) {
        let concerned = self
            .engines
            .iter_mut()
            .filter(|(id, _)| engine.is_none_or(|one| one == **id));
        for (_, engine) in concerned {
            engine.networks.retain(|known| json::text(known, "Id") != network);
        }
    }

    /// Every network once.
    pub(in crate::manager) fn networks(&self) -> Vec<Network<'_>> {
        let mut all: indexmap::IndexMap<&str, Network<'_>, rustc_hash::FxBuildHasher> = indexmap::IndexMap::default();
        for (engine_id, engine) in self.validated() {
            for described in &engine.networks {
                let id = json::text(described, "Id");
                let network = all.entry(id).or_insert_with(|| Network {
                    id,
                    name: json::text(described, "Name"),
                    described,
                    engines: Vec::new(),
                });
                network.engines.push(engine_id);
            }
        }
        all.into_values().collect()
    }

    /// The network that a text means, if it means one.
    pub(in crate::manager) fn find_network(&self, query: &str) -> Option<Network<'_>> {
        if query.is_empty() {
            return None;
        }
        let found = |admit: &dyn Fn(&Engine, &Map) -> bool| -> Vec<&str> {
            let mut ids = Vec::new();
            for (_, engine) in self.validated() {
                for network in engine.networks.iter().filter(|network| admit(engine, network)) {
                    let id = json::text(network, "Id");
                    if !ids.contains(&id) {
                        ids.push(id);
                    }
                }
            }
            ids
        };
        let by_id = |_: &Engine, network: &Map| {
            let id = json::text(network, "Id");
            id == query || (query.len() == SHORT_ID && id.starts_with(query))
        };
        let by_name = |engine: &Engine, network: &Map| {
            let name = json::text(network, "Name");
            name == query
                || query
                    .strip_suffix(name)
                    .and_then(|rest| rest.strip_suffix('/'))
                    .is_some_and(|node| node == engine.name() || node == engine.id())
        };
        let with_slash = |_: &Engine, network: &Map| json::text(network, "Name").strip_prefix('/') == Some(query);
        let by_prefix = |_: &Engine, network: &Map| json::text(network, "Id").starts_with(query);
        let id = match found(&by_id).as_slice() {
            [first, ..] => *first,
            [] => match found(&by_name).as_slice() {
                [only] => *only,
                [_, _, ..] => return None,
                [] => match (found(&with_slash).as_slice(), found(&by_prefix).as_slice()) {
                    ([first, ..], _) | ([], [first]) => *first,
                    _ => return None,
                },
            },
        };
        self.network_with_id(id)
    }

    pub(in crate::manager) fn network_with_id(&self, id: &str) -> Option<Network<'_>> {
        let mut found: Option<Network<'_>> = None;
        for (engine_id, engine) in self.validated() {
            for described in engine.networks.iter().filter(|network| json::text(network, "Id") == id) {
                let network = found.get_or_insert_with(|| Network {
                    id: json::text(described, "Id"),
                    name: json::text(described, "Name"),
                    described,
                    engines: Vec::new(),
                });
                network.engines.push(engine_id);
            }
        }
        found
    }

    /// A network as clients are shown it: with the endpoints of the containers on it, which engines no longer list.
    pub(in crate::manager) fn network_in_full(&self, network: &Network<'_>) -> Map {
        let mut shown = network.described.clone();
        let mut endpoints = Map::new();
        for engine in network.engines.iter().filter_map(|id| self.engine(*id)) {
            for (id, container) in engine.known_containers() {
                let Some(record) = self.record(container) else { continue };
                // Podman gives the name of a network where Docker gives its ID.
                let attached = record
                    .networks
                    .iter()
                    .find(|attached| [network.id, network.name].contains(&attached.network_id.as_str()));
                if let (Some(attached), Some(known)) = (attached, self.cluster.container(container)) {
                    endpoints.insert(
                        id.to_owned(),
                        json!({
                            "Name": known.name(),
                            "EndpointID": attached.endpoint_id,
                            "MacAddress": attached.mac_address,
                            "IPv4Address": attached.ipv4_address,
                            "IPv6Address": attached.ipv6_address,
                        }),
                    );
                }
            }
        }
        // A daemon that lists endpoints itself knows more of them, such as those of other managers' services.
        if let Some(Value::Object(listed)) = shown.get("Containers") {
            let known: Vec<&str> = endpoints.values().map(endpoint_id).collect();
            let others: Vec<(String, Value)> = listed
                .iter()
                .filter(|(key, endpoint)| !endpoints.contains_key(*key) && !known.contains(&endpoint_id(endpoint)))
                .map(|(key, endpoint)| (key.clone(), endpoint.clone()))
                .collect();
            endpoints.extend(others);
        }
        endpoints.sort_keys();
        shown.insert("Containers".to_owned(), Value::Object(endpoints));
        shown
    }
}

fn endpoint_id(endpoint: &Value) -> &str {
    endpoint.get("EndpointID").and_then(Value::as_str).unwrap_or("")
}
