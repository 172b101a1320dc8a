//! Networks of all engines together, and which of them a text means (`manager/RULES.md` §7.3 and §5.5).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use rustc_hash::{FxHashMap, FxHashSet};
use serde_json::{Value, json};

use crate::docker::facts::NetworkEndpoint;
use crate::docker::{Map, json};

use super::{ContainerRecord, Engine, EngineId, State};

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

/// Which engines have which networks: a thousand engines have several thousand networks, and every create asks for one.
#[derive(Debug, Default)]
pub(super) struct NetworkIndex {
    by_id: BTreeMap<Box<str>, BTreeSet<EngineId>>,
    /// IDs by name, each as often as engines call it so.
    by_name: FxHashMap<Box<str>, BTreeMap<Box<str>, u32>>,
}

impl NetworkIndex {
    fn add(&mut self, engine: EngineId, network: &Map) {
        let (id, name) = (json::text(network, "Id"), json::text(network, "Name"));
        let fresh = self.by_id.entry(id.into()).or_default().insert(engine);
        if fresh {
            *self
                .by_name
                .entry(name.into())
                .or_default()
                .entry(id.into())
                .or_default() += 1;
        }
    }

    fn remove(&mut self, engine: EngineId, network: &Map) {
        let (id, name) = (json::text(network, "Id"), json::text(network, "Name"));
        let Some(engines) = self.by_id.get_mut(id) else { return };
        if !engines.remove(&engine) {
            return;
        }
        if engines.is_empty() {
            self.by_id.remove(id);
        }
        if let Some(ids) = self.by_name.get_mut(name) {
            if let Some(count) = ids.get_mut(id) {
                *count -= 1;
                if *count == 0 {
                    ids.remove(id);
                }
            }
            if ids.is_empty() {
                self.by_name.remove(name);
            }
        }
    }

    fn called<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        self.by_name
            .get(name)
            .into_iter()
            .flat_map(|ids| ids.keys())
            .map(|id| &**id)
    }

    fn beginning_with<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a str> {
        let from = self.by_id.range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
        from.map(|(id, _)| &**id).take_while(move |id| id.starts_with(prefix))
    }
}

/// The only element of an iterator.
fn only<T>(mut elements: impl Iterator<Item = T>) -> Option<T> {
    let first = elements.next()?;
    elements.next().is_none().then_some(first)
}

impl State {
    pub(in crate::manager) fn set_networks(&mut self, id: EngineId, networks: Vec<Map>) {
        let Some(engine) = self.engines.get_mut(&id) else {
            return;
        };
        for former in &engine.networks {
            self.networks.remove(id, former);
        }
        // One that is listed twice would be forgotten with its first end.
        let mut known = FxHashSet::default();
        engine.networks = networks;
        engine
            .networks
            .retain(|network| known.insert(json::text(network, "Id").to_owned()));
        for network in &engine.networks {
            self.networks.add(id, network);
        }
    }

    /// One network has been created or has changed.
    pub(in crate::manager) fn set_network(&mut self, id: EngineId, network: Map) {
        self.drop_network(Some(id), json::text(&network, "Id"));
        if let Some(engine) = self.engines.get_mut(&id) {
            self.networks.add(id, &network);
            engine.networks.push(network);
        }
    }

    /// A network is gone from an engine, or from all of them.
    pub(in crate::manager) fn drop_network(&mut self, engine: Option<EngineId>, network: &str) {
        let Some(holders) = self.networks.by_id.get(network) else {
            return;
        };
        let concerned: Vec<EngineId> = match engine {
            Some(one) => vec![one],
            None => holders.iter().copied().collect(),
        };
        for id in concerned {
            let Some(engine) = self.engines.get_mut(&id) else {
                continue;
            };
            for gone in engine
                .networks
                .extract_if(.., |known| json::text(known, "Id") == network)
            {
                self.networks.remove(id, &gone);
            }
        }
    }

    /// Whether an engine has this network, and has it alone: then the containers on it are known, and their ends of it.
    pub(in crate::manager) fn is_local_network(&self, id: EngineId, network: &str) -> bool {
        let networks = self.engine(id).map_or(&[][..], |engine| &engine.networks);
        networks
            .iter()
            .any(|known| json::text(known, "Id") == network && json::text(known, "Scope") == "local")
    }

    /// Nothing is known of an engine's networks any more.
    pub(super) fn forget_networks(&mut self, id: EngineId, engine: &Engine) {
        for network in &engine.networks {
            self.networks.remove(id, network);
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

    /// The network that a text means, if it means one: by its ID or the short form of it, by a name that only one has,
    /// alone or behind its node's, or by the beginning of an ID.
    pub(in crate::manager) fn find_network(&self, query: &str) -> Option<Network<'_>> {
        if query.is_empty() {
            return None;
        }
        let index = &self.networks;
        let whole = index.by_id.get_key_value(query).map(|(id, _)| &**id);
        let short = || index.beginning_with(query).next().filter(|_| query.len() == SHORT_ID);
        if let Some(id) = whole.or_else(short) {
            return self.network_with_id(id);
        }
        let mut named: BTreeSet<&str> = index.called(query).collect();
        // The name of a network may have a slash itself, so that each may be the one behind the node's name.
        for (at, _) in query.match_indices('/') {
            let (node, name) = (&query[..at], &query[at + 1..]);
            if node.is_empty() {
                continue;
            }
            for id in index.called(name) {
                let holders = index.by_id.get(id).into_iter().flatten();
                let mut holders = holders.filter_map(|engine| self.engine(*engine));
                let calls_it_so =
                    |network: &Map| json::text(network, "Id") == id && json::text(network, "Name") == name;
                if holders.any(|engine| {
                    (node == engine.name() || node == engine.id()) && engine.networks.iter().any(calls_it_so)
                }) {
                    named.insert(id);
                }
            }
        }
        if !named.is_empty() {
            return self.network_with_id(only(named.into_iter())?);
        }
        let slashed = format!("/{query}");
        let id = index
            .called(&slashed)
            .next()
            .or_else(|| only(index.beginning_with(query)))?;
        self.network_with_id(id)
    }

    pub(in crate::manager) fn network_with_id(&self, id: &str) -> Option<Network<'_>> {
        let holders = self.networks.by_id.get(id)?;
        let mut found: Option<Network<'_>> = None;
        for engine_id in holders {
            let Some(engine) = self.engine(*engine_id).filter(|engine| engine.node.is_some()) else {
                continue;
            };
            let described = engine.networks.iter().find(|network| json::text(network, "Id") == id);
            let Some(described) = described else { continue };
            let network = found.get_or_insert_with(|| Network {
                id: json::text(described, "Id"),
                name: json::text(described, "Name"),
                described,
                engines: Vec::new(),
            });
            network.engines.push(*engine_id);
        }
        found
    }

    /// Whether a container that runs is in a network.
    pub(in crate::manager) fn is_network_used(&self, network: &Network<'_>) -> bool {
        let mut records = network.engines.iter().flat_map(|engine| self.records(*engine));
        records.any(|(_, _, record)| record.state.running && record.endpoint(network).is_some())
    }

    /// A network as clients are shown it: with the endpoints of the containers on it, which engines no longer list.
    pub(in crate::manager) fn network_in_full(&self, network: &Network<'_>) -> Map {
        let mut shown = network.described.clone();
        let mut endpoints = Map::new();
        for engine in network.engines.iter().filter_map(|id| self.engine(*id)) {
            for (id, container) in engine.known_containers() {
                let Some(record) = self.record(container) else { continue };
                let attached = record.endpoint(network);
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

impl ContainerRecord {
    /// The container's end of a network, if it is in it.
    fn endpoint(&self, network: &Network<'_>) -> Option<&NetworkEndpoint> {
        // Podman gives the name of a network where Docker gives its ID.
        let is_it = |attached: &&NetworkEndpoint| [network.id, network.name].contains(&attached.network_id.as_str());
        self.networks.iter().find(is_it)
    }
}

fn endpoint_id(endpoint: &Value) -> &str {
    endpoint.get("EndpointID").and_then(Value::as_str).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::{Daemon, DaemonFacts, Timeouts, Timestamp};
    use crate::manager::state::Rules;
    use crate::model::Overcommit;
    use crate::net::Address;
    use crate::scheduler::Settings;
    use proptest::prelude::*;
    use rand::SeedableRng;

    fn state(engines: u64) -> (State, Vec<EngineId>) {
        let rules = Rules {
            overcommit: Overcommit::default(),
            failures_max: 3,
            name_retention: std::time::Duration::ZERO,
        };
        let rng = rand::rngs::ChaCha8Rng::from_seed([0; 32]);
        let mut state = State::new(Settings::new(crate::scheduler::Strategy::Spread), rules, rng);
        let now = Timestamp(0);
        let ids = (0..engines).map(|number| {
            let address = format!("h{number}:1");
            let daemon = Daemon::new(Address::Tcp(address.clone()), None, Timeouts::default());
            let id = state.add_engine(&address, daemon, now).expect("a new address");
            let info = json!({ "ID": format!("ID{number}"), "Name": format!("n{number}"), "NCPU": 1, "MemTotal": 1 });
            let Value::Object(info) = info else { unreachable!() };
            let facts = DaemonFacts::read(&info, &Map::new(), &address).expect("a daemon");
            state.register(id, facts, String::new(), now);
            id
        });
        let ids = ids.collect();
        (state, ids)
    }

    fn network(id: &str, name: &str) -> Map {
        let mut network = Map::new();
        network.insert("Id".to_owned(), id.into());
        network.insert("Name".to_owned(), name.into());
        network
    }

    /// What the index is for, without it: the rules read off `manager/RULES.md` §7.3.
    fn by_looking(state: &State, query: &str) -> Option<String> {
        let all: Vec<(&Engine, &str, &str)> = state
            .validated()
            .flat_map(|(_, engine)| engine.networks.iter().map(move |network| (engine, network)))
            .map(|(engine, network)| (engine, json::text(network, "Id"), json::text(network, "Name")))
            .collect();
        let ids = |admit: &dyn Fn(&(&Engine, &str, &str)) -> bool| -> BTreeSet<String> {
            let admitted = all.iter().filter(|entry| admit(entry));
            admitted.map(|(_, id, _)| (*id).to_owned()).collect()
        };
        let by_id = ids(&|(_, id, _)| *id == query);
        let short = ids(&|(_, id, _)| query.len() == SHORT_ID && id.starts_with(query));
        let named = ids(&|(engine, _, name)| {
            *name == query || query == format!("{}/{name}", engine.name()) || query == format!("{}/{name}", engine.id())
        });
        let slashed = ids(&|(_, _, name)| *name == format!("/{query}"));
        let prefixed = ids(&|(_, id, _)| id.starts_with(query));
        if let Some(id) = by_id.first().or(short.first()) {
            return Some(id.clone());
        }
        match named.len() {
            0 => slashed.first().cloned().or_else(|| only(prefixed.into_iter())),
            _ => only(named.into_iter()),
        }
    }

    proptest! {
        #[test]
        fn the_index_finds_what_looking_at_all_finds(
            steps in proptest::collection::vec((0..3usize, 0..4u8, "[ab]{1,3}", "(n0/)?[abx]"), 1..40),
            queries in proptest::collection::vec("(n[01]/|/)?[abx]{1,3}", 1..20),
        ) {
            let (mut state, engines) = state(3);
            for (engine, step, id, name) in steps {
                let engine = engines[engine];
                match step {
                    0 => state.set_networks(engine, vec![network(&id, &name), network("ab", "x"), network(&id, &name)]),
                    1 => state.drop_network(None, &id),
                    2 => state.drop_network(Some(engine), &id),
                    _ => state.set_network(engine, network(&id, &name)),
                }
                for query in &queries {
                    let found = state.find_network(query).map(|network| network.id.to_owned());
                    prop_assert_eq!(found, by_looking(&state, query), "{}", query);
                }
            }
            for engine in engines {
                state.remove_engine(engine);
            }
            prop_assert!(state.networks.by_id.is_empty() && state.networks.by_name.is_empty());
        }
    }
}
