//! What a daemon says about a container.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::docker::json::{self, Map};
use crate::docker::{FactsError, Timestamp};
use crate::model::{Labels, PortBinding};

/// A container, from its entry in the list of containers and its inspection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerFacts {
    /// Its ID.
    pub id: String,
    /// Its names as the daemon has them, with a slash before them.
    pub names: Vec<String>,
    /// The image as it was asked for.
    pub image: String,
    /// The image's ID.
    pub image_id: String,
    /// Its labels.
    pub labels: Labels,
    /// Its environment, `KEY=value`.
    pub env: Vec<String>,
    /// What it may use, as the daemon has it.
    pub limits: Limits,
    /// `HostConfig.NetworkMode`.
    pub network_mode: String,
    /// Exposed ports such as `80/tcp`, sorted.
    pub exposed_ports: Vec<String>,
    /// Host ports asked for, sorted.
    pub port_bindings: Vec<PortBinding>,
    /// Host ports that it has got, sorted; none while it does not run.
    pub published_ports: Vec<PortBinding>,
    /// `HostConfig.VolumesFrom`.
    pub volumes_from: Vec<String>,
    /// `HostConfig.Links`.
    pub links: Vec<String>,
    /// Whether it runs, and since when.
    pub state: ContainerState,
    /// When it was created.
    pub created: Option<Timestamp>,
    /// Where volumes and directories are mounted in it.
    pub mounts: Vec<Mount>,
    /// The networks that it is attached to, sorted by name.
    pub networks: Vec<NetworkEndpoint>,
    /// Whether the daemon removes it when it ends.
    pub auto_remove: bool,
}

/// What a container may use, in the units of the daemon; 0 is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// `CpuShares`: relative weight, 1024 being usual.
    pub cpu_shares: i64,
    /// `NanoCpus`: billionths of a CPU.
    pub nano_cpus: i64,
    /// `CpuQuota` in microseconds of each `cpu_period`.
    pub cpu_quota: i64,
    /// `CpuPeriod` in microseconds.
    pub cpu_period: i64,
    /// `Memory` in bytes.
    pub memory: i64,
    /// `MemoryReservation` in bytes.
    pub memory_reservation: i64,
}

/// Whether a container runs. The flags are the daemon's: a paused or restarting container is running too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerState {
    /// It runs.
    pub running: bool,
    /// Its processes are stopped.
    pub paused: bool,
    /// It has ended and is to be started again.
    pub restarting: bool,
    /// The daemon could not remove it.
    pub dead: bool,
    /// With which code it ended last.
    pub exit_code: i64,
    /// When it was started last; `None` if never.
    pub started_at: Option<Timestamp>,
    /// When it ended last; `None` if never.
    pub finished_at: Option<Timestamp>,
    /// What its health check says: `starting`, `healthy` or `unhealthy`; `None` without a check.
    pub health: Option<String>,
}

/// A place where something is mounted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mount {
    /// The volume's name; empty if it is none.
    pub name: String,
    /// The path on the host of what is no volume; empty otherwise.
    pub place: String,
    /// The path in the container.
    pub destination: String,
}

/// A container's end of a network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkEndpoint {
    /// The network's name.
    pub network: String,
    /// The network's ID; empty while the container does not run, with some daemons.
    pub network_id: String,
    /// The end's own ID.
    pub endpoint_id: String,
    /// Its hardware address.
    pub mac_address: String,
    /// Its address with the length of the network's prefix, `172.17.0.2/16`; empty without one.
    pub ipv4_address: String,
    /// The same for IPv6.
    pub ipv6_address: String,
}

impl Mount {
    /// What is mounted: the volume's name, or else the path on the host.
    pub fn source(&self) -> &str {
        first([&self.name, &self.place])
    }
}

impl ContainerFacts {
    /// Reads an entry of the list of containers and the container's inspection. Either may be empty: what both have is
    /// taken from the inspection, the names and the image's ID from the list.
    ///
    /// # Errors
    ///
    /// A container without ID.
    pub fn read(listed: &Map, inspected: &Map) -> Result<ContainerFacts, FactsError> {
        let id = first([json::text(listed, "Id"), json::text(inspected, "Id")]);
        if id.is_empty() {
            return Err(FactsError::NoId("a container"));
        }
        let none = Map::new();
        let config = json::map(inspected, "Config").unwrap_or(&none);
        let host = json::map(inspected, "HostConfig").unwrap_or(&none);
        let listed_host = json::map(listed, "HostConfig").unwrap_or(&none);
        let network = json::map(inspected, "NetworkSettings").unwrap_or(&none);
        Ok(ContainerFacts {
            id: id.to_owned(),
            names: names(listed, inspected),
            image: first([json::text(config, "Image"), json::text(listed, "Image")]).to_owned(),
            image_id: first([json::text(listed, "ImageID"), json::text(inspected, "Image")]).to_owned(),
            labels: labels(json::map(config, "Labels").or_else(|| json::map(listed, "Labels"))),
            env: json::texts(config, "Env").map(str::to_owned).collect(),
            limits: Limits::read(host),
            network_mode: first([json::text(host, "NetworkMode"), json::text(listed_host, "NetworkMode")]).to_owned(),
            exposed_ports: exposed_ports(config),
            port_bindings: bindings(json::map(host, "PortBindings")),
            published_ports: published(network, listed),
            volumes_from: json::texts(host, "VolumesFrom").map(str::to_owned).collect(),
            links: json::texts(host, "Links").map(str::to_owned).collect(),
            state: ContainerState::read(json::map(inspected, "State"), json::text(listed, "State")),
            created: Timestamp::parse(json::text(inspected, "Created"))
                .or_else(|| json::number(listed, "Created").map(Timestamp::from_seconds)),
            mounts: mounts(if json::get(inspected, "Mounts").is_some() {
                inspected
            } else {
                listed
            }),
            networks: networks(inspected).or_else(|| networks(listed)).unwrap_or_default(),
            auto_remove: json::flag(host, "AutoRemove"),
        })
    }

    /// The same with every instant `nanos` later, for a daemon whose clock is that much behind.
    pub fn shift_times(&mut self, nanos: i64) {
        let instants = [
            &mut self.created,
            &mut self.state.started_at,
            &mut self.state.finished_at,
        ];
        for instant in instants.into_iter().flatten() {
            *instant = instant.shifted(nanos);
        }
    }
}

impl Limits {
    /// Reads a `HostConfig`.
    pub fn read(host: &Map) -> Limits {
        let number = |key| json::number(host, key).unwrap_or_default();
        Limits {
            cpu_shares: number("CpuShares"),
            nano_cpus: number("NanoCpus"),
            cpu_quota: number("CpuQuota"),
            cpu_period: number("CpuPeriod"),
            memory: number("Memory"),
            memory_reservation: number("MemoryReservation"),
        }
    }
}

impl ContainerState {
    /// Reads the state of an inspection or, without one, the word of a list.
    fn read(inspected: Option<&Map>, listed: &str) -> ContainerState {
        let Some(state) = inspected else {
            return ContainerState {
                running: matches!(listed, "running" | "paused" | "restarting"),
                paused: listed == "paused",
                restarting: listed == "restarting",
                dead: listed == "dead",
                ..ContainerState::default()
            };
        };
        let instant = |key| Timestamp::parse(json::text(state, key));
        // Podman has `Healthcheck` beside `Health`.
        let health = json::map(state, "Health").map_or("", |health| json::text(health, "Status"));
        ContainerState {
            running: json::flag(state, "Running"),
            paused: json::flag(state, "Paused"),
            restarting: json::flag(state, "Restarting"),
            dead: json::flag(state, "Dead"),
            exit_code: json::number(state, "ExitCode").unwrap_or_default(),
            started_at: instant("StartedAt"),
            finished_at: instant("FinishedAt"),
            health: (!health.is_empty() && health != "none").then(|| health.to_owned()),
        }
    }
}

/// The labels of an object, without those whose value is no text.
pub(super) fn labels(map: Option<&Map>) -> Labels {
    let pairs = map.into_iter().flatten();
    pairs
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}

/// The first text that is not empty.
fn first(texts: [&str; 2]) -> &str {
    if texts[0].is_empty() { texts[1] } else { texts[0] }
}

fn names(listed: &Map, inspected: &Map) -> Vec<String> {
    let names: Vec<String> = json::texts(listed, "Names").map(str::to_owned).collect();
    match json::text(inspected, "Name") {
        name if names.is_empty() && !name.is_empty() => vec![name.to_owned()],
        _ => names,
    }
}

fn exposed_ports(config: &Map) -> Vec<String> {
    let ports: BTreeSet<&String> = json::map(config, "ExposedPorts")
        .map(Map::keys)
        .into_iter()
        .flatten()
        .collect();
    ports.into_iter().cloned().collect()
}

fn mounts(container: &Map) -> Vec<Mount> {
    let text = |mount, key| json::text(mount, key).to_owned();
    json::maps(container, "Mounts")
        .map(|mount| Mount {
            name: text(mount, "Name"),
            place: match json::text(mount, "Name") {
                "" => text(mount, "Source"),
                _ => String::new(),
            },
            destination: text(mount, "Destination"),
        })
        .collect()
}

/// The host ports of an object such as `{"80/tcp":[{"HostIp":"","HostPort":"8080"}]}`.
fn bindings(ports: Option<&Map>) -> Vec<PortBinding> {
    let mut bindings = BTreeSet::new();
    for (container_port, hosts) in ports.into_iter().flatten() {
        for host in hosts.as_array().into_iter().flatten().filter_map(Value::as_object) {
            bindings.insert(PortBinding {
                container_port: container_port.as_str().into(),
                host_ip: json::text(host, "HostIp").into(),
                host_port: json::text(host, "HostPort").into(),
            });
        }
    }
    bindings.into_iter().collect()
}

/// The host ports that a container has got: those of the inspection or, without one, of the list.
fn published(network: &Map, listed: &Map) -> Vec<PortBinding> {
    if let Some(ports) = json::map(network, "Ports") {
        return bindings(Some(ports));
    }
    let read = |port: &Map| {
        let public = json::number(port, "PublicPort").filter(|public| *public > 0)?;
        let private = json::number(port, "PrivatePort").unwrap_or_default();
        Some(PortBinding {
            container_port: format!("{private}/{}", first([json::text(port, "Type"), "tcp"])).into(),
            host_ip: json::text(port, "IP").into(),
            host_port: public.to_string().into(),
        })
    };
    let ports: BTreeSet<PortBinding> = json::maps(listed, "Ports").filter_map(read).collect();
    ports.into_iter().collect()
}

/// The networks in `NetworkSettings.Networks`; `None` if it has none.
fn networks(container: &Map) -> Option<Vec<NetworkEndpoint>> {
    let networks = json::at(container, &["NetworkSettings", "Networks"])?.as_object()?;
    let read = |(name, end): (&String, &Value)| {
        let none = Map::new();
        let end = end.as_object().unwrap_or(&none);
        let text = |key| json::text(end, key).to_owned();
        let address = |ip: &str, length: &str| match json::text(end, ip) {
            "" => String::new(),
            ip => format!("{ip}/{}", json::number(end, length).unwrap_or_default()),
        };
        NetworkEndpoint {
            network: name.clone(),
            network_id: text("NetworkID"),
            endpoint_id: text("EndpointID"),
            mac_address: text("MacAddress"),
            ipv4_address: address("IPAddress", "IPPrefixLen"),
            ipv6_address: address("GlobalIPv6Address", "GlobalIPv6PrefixLen"),
        }
    };
    let mut found: Vec<_> = networks.iter().map(read).collect();
    found.sort_by(|one, other| one.network.cmp(&other.network));
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(listed: Value, inspected: Value) -> Result<ContainerFacts, FactsError> {
        let object = |value: Value| value.as_object().cloned().expect("an object");
        ContainerFacts::read(&object(listed), &object(inspected))
    }

    fn port(container_port: &str, host_ip: &str, host_port: &str) -> PortBinding {
        PortBinding {
            container_port: container_port.into(),
            host_ip: host_ip.into(),
            host_port: host_port.into(),
        }
    }

    #[test]
    fn a_container_is_what_both_answers_say() {
        let listed = json!({
            "Id": "abc", "Names": ["/web", "/db/alias"], "Image": "nginx", "ImageID": "sha256:1", "State": "running",
            "Created": 1, "Labels": {"old": "1"}, "Mounts": []
        });
        let end = json!({
            "NetworkID": "n1", "EndpointID": "e1", "MacAddress": "02:42", "IPAddress": "172.17.0.2", "IPPrefixLen": 16,
            "GlobalIPv6Address": "", "GlobalIPv6PrefixLen": 0
        });
        let inspected = json!({
            "Id": "abc", "Name": "/web", "Created": "2026-11-23T04:33:34.5Z", "Image": "sha256:1",
            "Config": {
                "Image": "nginx:1", "Env": ["A=b"], "Labels": {"a": "b"},
                "ExposedPorts": {"90/tcp": {}, "80/tcp": {}}
            },
            "HostConfig": {
                "CpuShares": 512, "Memory": 1024, "NanoCpus": 5, "NetworkMode": "default", "AutoRemove": true,
                "PortBindings": {"90/tcp": null, "80/tcp": [{"HostIp": "", "HostPort": "8080"}]},
                "VolumesFrom": ["db:ro"], "Links": ["/db:/web/db"]
            },
            "State": {
                "Running": true, "ExitCode": 0, "StartedAt": "2026-11-23T04:33:35Z",
                "FinishedAt": "0001-01-01T00:00:00Z",
                "Health": {"Status": "starting"}
            },
            "Mounts": [{"Type": "volume", "Name": "v", "Destination": "/v"}, {"Type": "bind", "Destination": "/b"}],
            "NetworkSettings": {
                "Ports": {
                    "80/tcp": [{"HostIp": "::", "HostPort": "8080"}, {"HostIp": "0.0.0.0", "HostPort": "8080"}],
                    "90/tcp": null
                },
                "Networks": {"z": null, "bridge": end}
            }
        });
        let mut facts = read(listed, inspected).expect("a container");
        assert_eq!(
            (facts.names.join(" "), facts.image.as_str()),
            ("/web /db/alias".to_owned(), "nginx:1")
        );
        assert_eq!(
            (facts.labels.len(), facts.labels.get("a").map(String::as_str)),
            (1, Some("b"))
        );
        let limits = Limits {
            cpu_shares: 512,
            nano_cpus: 5,
            memory: 1024,
            ..Limits::default()
        };
        assert_eq!(
            (facts.limits, facts.auto_remove, facts.env.join(" ")),
            (limits, true, "A=b".to_owned())
        );
        assert_eq!(facts.exposed_ports, ["80/tcp", "90/tcp"]);
        assert_eq!(facts.port_bindings, [port("80/tcp", "", "8080")]);
        assert_eq!(
            facts.published_ports,
            [port("80/tcp", "0.0.0.0", "8080"), port("80/tcp", "::", "8080")]
        );
        assert_eq!(
            (facts.volumes_from.join(" "), facts.links.join(" ")),
            ("db:ro".to_owned(), "/db:/web/db".to_owned())
        );
        assert_eq!(
            facts
                .mounts
                .iter()
                .map(|mount| mount.destination.as_str())
                .collect::<Vec<_>>(),
            ["/v", "/b"]
        );
        let networks: Vec<_> = facts
            .networks
            .iter()
            .map(|end| (end.network.as_str(), end.ipv4_address.as_str()))
            .collect();
        assert_eq!(networks, [("bridge", "172.17.0.2/16"), ("z", "")]);
        assert_eq!(
            (facts.state.health.as_deref(), facts.state.finished_at),
            (Some("starting"), None)
        );
        facts.shift_times(1_000_000_000);
        assert_eq!(facts.created, Timestamp::parse("2026-11-23T04:33:35.5Z"));
        assert_eq!(
            (facts.state.started_at, facts.state.finished_at),
            (Timestamp::parse("2026-11-23T04:33:36Z"), None)
        );
    }

    #[test]
    fn other_makes_leave_much_out() {
        // As Podman lists containers, and as one is known before it has been inspected.
        let listed = json!({
            "Id": "abc", "Names": ["/web"], "Image": "docker.io/library/nginx:latest", "Created": 7, "State": "paused",
            "Labels": null, "Mounts": null, "HostConfig": {"NetworkMode": "host"},
            "NetworkSettings": {"Networks": null},
            "Ports": [{"PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"}, {"PrivatePort": 90, "Type": "udp"}]
        });
        let facts = read(listed.clone(), json!({})).expect("a container");
        assert_eq!(
            (facts.network_mode.as_str(), facts.created),
            ("host", Some(Timestamp::from_seconds(7)))
        );
        assert_eq!(facts.published_ports, [port("80/tcp", "", "8080")]);
        assert!(facts.state.running && facts.state.paused && facts.networks.is_empty() && facts.labels.is_empty());
        let inspected = json!({
            "Name": "web", "Config": {"ExposedPorts": null}, "HostConfig": null, "NetworkSettings": {"Ports": {}},
            "State": {"Status": "exited", "Running": false, "ExitCode": 3, "Health": {"Status": ""}}
        });
        let facts = read(listed, inspected).expect("a container");
        assert_eq!(
            (facts.published_ports.len(), facts.state.exit_code, facts.state.health),
            (0, 3, None)
        );
        assert_eq!(
            read(json!({"Names": ["/x"]}), json!({})),
            Err(FactsError::NoId("a container"))
        );
    }
}
