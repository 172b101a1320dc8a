//! What clients are shown of a container, kept so that a list of thirty thousand is written without making any anew.

use serde_json::Value;

use crate::docker::facts::NetworkEndpoint;
use crate::docker::{ContainerFacts, ContainerState, Map, Timestamp, json, words};
use crate::manager::references::Reference;
use crate::model::{ContainerIdx, Labels, is_unspecified};

use super::observe::look;
use super::{Engine, EngineId, State, Tally};

/// See the module.
#[derive(Clone, Debug)]
pub(in crate::manager) struct ContainerRecord {
    /// The daemon's ID.
    pub id: Box<str>,
    pub image: Box<str>,
    pub image_id: Box<str>,
    pub state: ContainerState,
    /// When it was created, by the manager's clock.
    pub created: Timestamp,
    /// See [`look`].
    pub(super) look: u64,
    /// Names, or places on the host, and destinations of what is mounted.
    pub mounts: Vec<Box<str>>,
    pub networks: Vec<NetworkEndpoint>,
    /// Its own ports that are open, with their protocols.
    pub exposed: Box<[(u16, Box<str>)]>,
    /// Its entry in a list, in JSON, without the opening brace and without its status, which changes with time.
    pub listed: Box<str>,
    /// How to create it anew on another node, if it is to be when its own fails.
    pub revival: Option<Box<Map>>,
    /// Which containers of the same engine it refers to.
    pub references: Box<[Reference]>,
}

/// See [`ContainerRecord::age`].
pub(in crate::manager) type Age = (Timestamp, u64);

/// Where a container is, for those who want to talk about it to its daemon.
#[derive(Clone, Debug)]
pub(in crate::manager) struct Placed {
    pub container: ContainerIdx,
    pub engine: EngineId,
    /// The daemon's ID.
    pub id: String,
    pub daemon: crate::docker::Daemon,
    pub engine_name: String,
    pub is_healthy: bool,
}

impl ContainerRecord {
    pub(super) fn new(engine: &Engine, listed: Map, facts: &ContainerFacts, labels: &Labels) -> ContainerRecord {
        ContainerRecord {
            id: facts.id.as_str().into(),
            image: facts.image.as_str().into(),
            image_id: facts.image_id.as_str().into(),
            state: facts.state.clone(),
            created: facts.created.unwrap_or_default(),
            look: look(&listed),
            mounts: facts
                .mounts
                .iter()
                .flat_map(|mount| [mount.source(), mount.destination.as_str()])
                .filter(|text| !text.is_empty())
                .map(Into::into)
                .collect(),
            networks: facts.networks.clone(),
            exposed: exposed(&listed),
            listed: entry(engine, listed, labels),
            revival: None,
            references: Box::default(),
        }
    }

    /// By what lists are ordered: when it was created, and, should that be the same, how its ID begins.
    pub(in crate::manager) fn age(&self) -> Age {
        let mut beginning = [0; 8];
        for (own, byte) in beginning.iter_mut().zip(self.id.bytes()) {
            *own = byte;
        }
        (self.created, u64::from_be_bytes(beginning))
    }

    /// Writes its entry of a list.
    pub(in crate::manager) fn write_listed(&self, status: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"Status\":");
        // A text can always be written.
        let _ = serde_json::to_writer(&mut *out, status);
        out.push(b',');
        out.extend_from_slice(self.listed.as_bytes());
    }

    /// The `STATUS` that clients show.
    pub(in crate::manager) fn status(&self, is_healthy: bool, now: Timestamp) -> String {
        if is_healthy {
            words::status(&self.state, now)
        } else {
            "Host Down".to_owned()
        }
    }
}

/// A list entry as clients are shown it (`manager/API.md` §3): names with the node before them, and addresses that lead
/// there.
fn entry(engine: &Engine, mut listed: Map, labels: &Labels) -> Box<str> {
    json::remove(&mut listed, "Status");
    let shown = json::texts(&listed, "Names").map(|name| {
        let slash = if name.starts_with('/') { "" } else { "/" };
        Value::from(format!("/{}{slash}{name}", engine.name()))
    });
    let shown: Vec<Value> = shown.collect();
    json::set(&mut listed, "Names", Value::Array(shown));
    let labels = labels
        .iter()
        .map(|(key, value)| (key.clone(), Value::from(value.as_str())));
    json::set(&mut listed, "Labels", Value::Object(labels.collect()));
    if let Some(Value::Array(ports)) = listed.get_mut("Ports") {
        lead_to_node(ports, "IP", is_unspecified, &engine.ip);
    }
    // A map of JSON values can always be written.
    let text = serde_json::to_string(&listed).unwrap_or_default();
    text.strip_prefix('{').unwrap_or("}").into()
}

/// The container's own ports that a list entry names, each once.
fn exposed(listed: &Map) -> Box<[(u16, Box<str>)]> {
    let mut exposed: Vec<(u16, Box<str>)> = json::maps(listed, "Ports")
        .filter_map(|port| {
            let number = json::number(port, "PrivatePort").and_then(|number| u16::try_from(number).ok())?;
            Some((number, json::text(port, "Type").into()))
        })
        .collect();
    exposed.dedup();
    exposed.into()
}

/// Host ports whose address, below `key`, leads nowhere from outside get the node's. One that is bound to all addresses of
/// both families leads there once.
pub(in crate::manager) fn lead_to_node(ports: &mut Vec<Value>, key: &str, is_nowhere: fn(&str) -> bool, ip: &str) {
    let mut different: Vec<Value> = Vec::with_capacity(ports.len());
    for mut port in std::mem::take(ports) {
        if let Some(port) = port.as_object_mut()
            && is_nowhere(json::text(port, key))
        {
            json::set(port, key, ip);
        }
        if !different.contains(&port) {
            different.push(port);
        }
    }
    *ports = different;
}

impl State {
    pub(in crate::manager) fn record(&self, container: ContainerIdx) -> Option<&ContainerRecord> {
        self.containers.get(container)
    }

    /// How many containers of a validated engine are in which state; those that are not created yet are not counted.
    pub(in crate::manager) fn tally(&self, engine: EngineId) -> Tally {
        self.containers.tally(engine)
    }

    /// Everything that clients can see of an engine; containers that are not created yet are not among that.
    pub(in crate::manager) fn records(
        &self,
        engine: EngineId,
    ) -> impl Iterator<Item = (&Engine, ContainerIdx, &ContainerRecord)> {
        let engine = self.engine(engine).filter(|engine| engine.node.is_some());
        engine.into_iter().flat_map(move |engine| {
            let known = engine.containers.values();
            known.filter_map(move |container| Some((engine, *container, self.containers.get(*container)?)))
        })
    }

    /// The container that a client means, anywhere in the cluster.
    pub(in crate::manager) fn find_container(&self, query: &str) -> Option<Placed> {
        self.placed(self.cluster.find(query)?)
    }

    /// Where a container is. `None` while it has yet to be created.
    pub(in crate::manager) fn placed(&self, container: ContainerIdx) -> Option<Placed> {
        let known = self.cluster.container(container)?;
        if known.is_pending() {
            return None;
        }
        let (engine_id, engine) = self.engine_of(known.node())?;
        Some(Placed {
            container,
            engine: engine_id,
            id: known.id().to_owned(),
            daemon: engine.daemon.clone(),
            engine_name: engine.name().to_owned(),
            is_healthy: engine.is_healthy(),
        })
    }

    /// Remembers in which container a command was created.
    pub(in crate::manager) fn add_exec(&mut self, container: ContainerIdx, exec: String) {
        // It may have been removed since: then its commands are of no interest.
        if self.cluster.container(container).is_some() {
            self.execs.add(container, exec);
        }
    }

    /// The container in which a command was created.
    pub(in crate::manager) fn find_exec(&self, exec: &str) -> Option<Placed> {
        self.placed(self.execs.container(exec)?)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_port_on_all_addresses_leads_to_the_node_once() {
        let bound = |address: &str| json!({ "HostIp": address, "HostPort": "8080" });
        let other = json!({ "HostIp": "::", "HostPort": "8081" });
        for ip in ["10.0.0.1", "fd00::1"] {
            let mut ports = vec![
                bound("0.0.0.0"),
                bound("::"),
                bound("::ffff:0.0.0.0"),
                bound("127.0.0.1"),
                other.clone(),
            ];
            lead_to_node(&mut ports, "HostIp", is_unspecified, ip);
            let expected = [
                bound(ip),
                bound("127.0.0.1"),
                json!({ "HostIp": ip, "HostPort": "8081" }),
            ];
            assert_eq!(ports, expected);
        }
    }
}
