//! A container's configuration: from what a client sends to what the scheduler reads and a daemon is told
//! (`scheduler/RULES.md` §1 and §2).
//!
//! The body stays a map, looked into and edited in place, so that what is not understood here reaches the daemon.

use serde_json::Value;

use super::limits::{self, TooMuch};
use super::references::{self, Replacements};
use crate::docker::{Map, json};
use crate::model::{Bytes, Cpus, Labels, PortBinding, Request, Resources};
use crate::scheduler::{Expressions, ReschedulePolicyError, from_shares, reschedule_policy, to_shares, translate};

/// Fields of the body's top level that belong below `HostConfig`: clients of the first versions put them there.
const LEGACY: [(&str, &str); 4] = [
    ("Memory", "Memory"),
    ("MemorySwap", "MemorySwap"),
    ("CpuShares", "CpuShares"),
    ("Cpuset", "CpusetCpus"),
];

/// Networks that a container may be created in.
const NETWORKS_MAX: usize = 256;

/// Why a body is no configuration.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConfigError {
    /// It is no JSON.
    #[error("the body is no container configuration: {0}")]
    Json(#[from] serde_json::Error),
    /// It is JSON of another kind.
    #[error("the body is no container configuration: a JSON object is wanted")]
    NoObject,
    /// A field has a value that no daemon takes, as daemons tell it.
    #[error("{0}")]
    Field(String),
}

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Config {
    /// What the client sent, without the scheduling expressions of its environment.
    body: Map,
    /// What the scheduler is asked for.
    pub request: Request,
}

impl Config {
    /// Reads the body of a create request. Takes long if it is long.
    pub(super) fn parse(body: &[u8]) -> Result<Config, ReadError> {
        let value: Value = serde_json::from_slice(body).map_err(ConfigError::Json)?;
        let Value::Object(body) = value else {
            return Err(ConfigError::NoObject.into());
        };
        // Here and not only by the daemon: what is decided must not rest on a value that is left out.
        crate::docker::check_create(&body).map_err(ConfigError::Field)?;
        let endpoints = json::at(&body, &["NetworkingConfig", "EndpointsConfig"]).and_then(Value::as_object);
        TooMuch::unless("networks", endpoints.map_or(0, Map::len), NETWORKS_MAX)?;
        let config = Config::from_body(body).map_err(ReadError::Policy)?;
        limits::check(&config.request)?;
        Ok(config)
    }

    /// Takes a body in the form of a create request.
    pub(super) fn from_body(mut body: Map) -> Result<Config, ReschedulePolicyError> {
        move_legacy_fields(&mut body);
        let host = json::map(&body, "HostConfig").cloned().unwrap_or_default();
        let reserved = Resources::new(
            // Shares are whole CPUs, as in the original; --cpus, which it did not know, counts as much.
            Cpus::whole(positive(json::number(&host, "CpuShares")))
                .max(Cpus::from_nanos(positive(json::number(&host, "NanoCpus")))),
            Bytes::new(positive(json::number(&host, "Memory"))),
        );
        let (request, env) = request_of(&body, &host, reserved)?;
        if env.len() != json::texts(&body, "Env").count() {
            json::set(&mut body, "Env", Value::from(env));
        }
        Ok(Config { body, request })
    }

    /// The networks that the container is to be in: the mode first.
    pub(super) fn network_mode(&self) -> &str {
        &self.request.network_mode
    }

    /// Calls the network by its bare name, since the daemon does not know names with a node before them.
    pub(super) fn set_network_mode(&mut self, mode: &str) {
        mode.clone_into(&mut self.request.network_mode);
        json::set(json::map_mut(&mut self.body, "HostConfig"), "NetworkMode", mode);
    }

    /// Adds a constraint, which the container's labels then carry as well.
    pub(super) fn add_constraint(&mut self, constraint: String) {
        let Request {
            constraints, labels, ..
        } = &mut self.request;
        constraints.push(constraint);
        let all = Value::from(constraints.as_slice()).to_string();
        labels.insert("com.docker.swarm.constraints".to_owned(), all);
    }

    /// Takes the name of a node from before the names of networks, where `is_node` knows it.
    pub(super) fn strip_nodes_from_endpoints(&mut self, is_node: impl Fn(&str) -> bool) {
        if json::at(&self.body, &["NetworkingConfig", "EndpointsConfig"]).is_none_or(Value::is_null) {
            return;
        }
        let endpoints = json::map_mut(json::map_mut(&mut self.body, "NetworkingConfig"), "EndpointsConfig");
        let renamed = std::mem::take(endpoints)
            .into_iter()
            .map(|(key, endpoint)| match key.split_once('/') {
                Some((node, network)) if is_node(node) => (network.to_owned(), endpoint),
                _ => (key, endpoint),
            });
        *endpoints = renamed.collect();
    }

    /// Alters its references to other containers.
    pub(super) fn rewrite_references(&mut self, replacements: &Replacements) {
        references::rewrite(&mut self.body, replacements);
        let host = json::map(&self.body, "HostConfig").cloned().unwrap_or_default();
        let request = &mut self.request;
        json::text(&host, "NetworkMode").clone_into(&mut request.network_mode);
        request.volumes_from = owned(&host, "VolumesFrom");
        request.links = owned(&host, "Links");
        let mut altered = false;
        for affinity in &mut request.affinities {
            if let Some(new) = references::rewrite_affinity(affinity, replacements) {
                *affinity = new;
                altered = true;
            }
        }
        if altered {
            let all = Value::from(request.affinities.as_slice()).to_string();
            request.labels.insert("com.docker.swarm.affinities".to_owned(), all);
        }
    }

    /// What a daemon with so many CPUs is told, for a container with these labels.
    pub(super) fn for_daemon(&self, labels: &Labels, real: Cpus) -> Map {
        let mut body = self.body.clone();
        let labels = labels
            .iter()
            .map(|(key, value)| (key.clone(), Value::from(value.as_str())));
        json::set(&mut body, "Labels", Value::Object(labels.collect()));
        let asked = json::map(&body, "HostConfig").map_or(0, |host| positive(json::number(host, "CpuShares")));
        if asked > 0 {
            let shares = to_shares(Cpus::whole(asked), real);
            json::set(json::map_mut(&mut body, "HostConfig"), "CpuShares", shares);
        }
        body
    }
}

/// Why a create request is refused before any node is looked at.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Policy(#[from] ReschedulePolicyError),
    #[error(transparent)]
    TooMuch(#[from] TooMuch),
}

/// What a container that exists reserves and occupies, from its daemon's description. Its expressions count whoever
/// created it; policies that are none are taken for `off`.
pub(super) fn request_of_existing(inspected: &Map, real: Cpus) -> Request {
    let config = json::map(inspected, "Config").cloned().unwrap_or_default();
    let host = json::map(inspected, "HostConfig").cloned().unwrap_or_default();
    let shares = from_shares(positive(json::number(&host, "CpuShares")), real);
    let reserved = Resources::new(
        shares.max(Cpus::from_nanos(positive(json::number(&host, "NanoCpus")))),
        Bytes::new(positive(json::number(&host, "Memory"))),
    );
    let mut config = config;
    for _ in 0..2 {
        match request_of(&config, &host, reserved) {
            Ok((request, _)) => return request,
            // Policies that nobody can follow: without the label that carries them, it reads.
            Err(_) => {
                json::map_mut(&mut config, "Labels").remove("com.docker.swarm.reschedule-policies");
                let env: Vec<String> = json::texts(&config, "Env")
                    .filter(|entry| !entry.starts_with("reschedule:"))
                    .map(str::to_owned)
                    .collect();
                json::set(&mut config, "Env", Value::from(env));
            }
        }
    }
    Request {
        resources: reserved,
        ..Request::default()
    }
}

/// The request, and the environment without expressions.
fn request_of(config: &Map, host: &Map, resources: Resources) -> Result<(Request, Vec<String>), ReschedulePolicyError> {
    let mut env: Vec<String> = owned(config, "Env");
    let mut labels: Labels = json::map(config, "Labels")
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| {
            let text = if value.is_null() { Some("") } else { value.as_str() };
            Some((key.clone(), text?.to_owned()))
        })
        .collect();
    let Expressions {
        constraints,
        affinities,
        whitelists,
        reschedule,
    } = translate(&mut env, &mut labels);
    let request = Request {
        resources,
        extra: Vec::new(),
        image: json::text(config, "Image").to_owned(),
        labels,
        network_mode: json::text(host, "NetworkMode").to_owned(),
        exposed_ports: exposed_ports(config),
        port_bindings: port_bindings(json::map(host, "PortBindings")),
        volumes_from: owned(host, "VolumesFrom"),
        links: owned(host, "Links"),
        constraints,
        affinities,
        whitelists,
        reschedule: reschedule_policy(&reschedule)?,
    };
    Ok((request, env))
}

fn owned(map: &Map, key: &str) -> Vec<String> {
    json::texts(map, key).map(str::to_owned).collect()
}

fn exposed_ports(config: &Map) -> Vec<String> {
    let mut ports: Vec<String> = json::map(config, "ExposedPorts")
        .into_iter()
        .flat_map(|ports| ports.keys().cloned())
        .collect();
    ports.sort();
    ports
}

/// Bindings as `HostConfig.PortBindings` and `NetworkSettings.Ports` have them, in a stable order.
pub(super) fn port_bindings(ports: Option<&Map>) -> Vec<PortBinding> {
    let mut bindings: Vec<PortBinding> = ports
        .into_iter()
        .flatten()
        .flat_map(|(port, bindings)| {
            let bindings = bindings.as_array().map_or(&[][..], Vec::as_slice);
            bindings.iter().filter_map(Value::as_object).map(|binding| PortBinding {
                container_port: port.as_str().into(),
                host_ip: json::text(binding, "HostIp").into(),
                host_port: json::text(binding, "HostPort").into(),
            })
        })
        .collect();
    bindings.sort();
    bindings
}

/// Moves what the first clients put at the top level to where daemons look for it (`scheduler/RULES.md` §1, step 3).
fn move_legacy_fields(body: &mut Map) {
    for (legacy, own) in LEGACY {
        let Some(value) = json::get(body, legacy).cloned() else {
            continue;
        };
        let says_nothing = value.is_null() || value == 0 || value == "";
        json::remove(body, legacy);
        if says_nothing {
            continue;
        }
        json::set(json::map_mut(body, "HostConfig"), own, value);
    }
}

/// Amounts below nothing are none.
fn positive(number: Option<i64>) -> u64 {
    number.map_or(0, |number| u64::try_from(number).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Any JSON, with keys that mean something here and values of the wrong kind more often than not.
    fn any_json() -> impl Strategy<Value = Value> {
        let keys = "(Image|Env|Labels|HostConfig|Memory|MemorySwap|CpuShares|NanoCpus|Cpuset|NetworkMode|PortBindings|\
                    HostPort|HostIp|80/tcp|ExposedPorts|VolumesFrom|Links|NetworkingConfig|EndpointsConfig|Config|\
                    com\\.docker\\.swarm\\.(constraints|affinities|whitelists|reschedule-policies|id))";
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "(constraint|affinity|whitelist|reschedule):[a-z=!~/*:|]{0,8}".prop_map(Value::from),
            "\\[(\"[a-z=!~/*]{0,6}\",?){0,3}\\]".prop_map(Value::from),
            "\\PC{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 64, 8, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::vec((keys, inner), 0..10)
                    .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_body_makes_it_panic(json in any_json(), bytes in prop::collection::vec(any::<u8>(), 0..64), cpus in 0..64_u64) {
            let _ = Config::parse(&bytes);
            let _ = Config::parse(json.to_string().as_bytes());
            // Most of these have a value of the wrong type, which is then looked at all the same.
            let body = json.as_object().cloned().unwrap_or_default();
            if let Ok(mut config) = Config::from_body(body) {
                config.strip_nodes_from_endpoints(|node| node.is_empty());
                config.add_constraint("node==a".to_owned());
                config.set_network_mode("a");
                let labels = config.request.labels.clone();
                let told = config.for_daemon(&labels, Cpus::whole(cpus));
                prop_assert_eq!(json::map(&told, "Labels").map(Map::len), Some(labels.len()));
            }
        }

        #[test]
        fn no_container_makes_it_panic(json in any_json(), cpus in 0..64_u64) {
            let inspected = Map::from_iter([("Config".to_owned(), json.clone()), ("HostConfig".to_owned(), json.clone())]);
            let _ = request_of_existing(&inspected, Cpus::whole(cpus));
            if let Value::Object(inspected) = json {
                let _ = request_of_existing(&inspected, Cpus::whole(cpus));
            }
        }
    }
}
