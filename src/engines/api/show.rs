//! Containers, images, networks and volumes as clients see them.

use serde_json::{Value, json};

use crate::docker::json::{self, Map};
use crate::docker::{ShownNames, words};
use crate::engines::model::Model;
use crate::engines::model::container::{Container, Endpoint, Mount, date_text};
use crate::engines::model::image::ImageRecord;
use crate::engines::model::network::{Network, Volume};
use crate::model::{Resources, Time};
use crate::sim::{Phase, Restart};

/// The state in one word, as lists have it.
pub fn status(container: &Container) -> &'static str {
    match container.life.phase() {
        // Until its process is there, a container looks as before.
        Phase::Created => "created",
        Phase::Starting if container.runs == 0 => "created",
        Phase::Starting | Phase::Exited => match container.runs {
            0 => "created",
            _ => "exited",
        },
        Phase::Running => "running",
        Phase::Paused => "paused",
        Phase::Restarting => "restarting",
    }
}

fn mounted(mount: &Mount) -> Value {
    let mode = if mount.writable { "rw" } else { "ro" };
    match mount.kind {
        "volume" => json!({
            "Type": "volume", "Name": mount.source, "Source": format!("/var/lib/docker/volumes/{}/_data", mount.source),
            "Destination": mount.target, "Driver": "local", "Mode": mode, "RW": mount.writable, "Propagation": "",
        }),
        kind => json!({
            "Type": kind, "Source": mount.source, "Destination": mount.target, "Mode": mode, "RW": mount.writable,
            "Propagation": "rprivate",
        }),
    }
}

/// Number and protocol of a port such as `80/tcp`.
pub fn port_of(port: &str) -> (u16, &str) {
    let (number, protocol) = port.split_once('/').unwrap_or((port, "tcp"));
    (number.parse().unwrap_or(0), protocol)
}

fn endpoint(model: &Model, endpoint: &Endpoint) -> Value {
    let network = model.network(&endpoint.network).ok();
    let address = |number: u32| {
        let address = network
            .and_then(|network| network.address(number))
            .filter(|_| endpoint.address > 0);
        address.map_or(String::new(), |address| address.to_string())
    };
    json!({
        "IPAMConfig": null, "Links": null, "Aliases": endpoint.aliases,
        "NetworkID": network.map_or("", |network| &network.id), "EndpointID": endpoint.id,
        "Gateway": address(1), "IPAddress": address(endpoint.address),
        "IPPrefixLen": if endpoint.address > 0 { 16 } else { 0 },
        "IPv6Gateway": "", "GlobalIPv6Address": "", "GlobalIPv6PrefixLen": 0,
        "MacAddress": mac(endpoint.address), "DriverOpts": null,
    })
}

fn mac(number: u32) -> String {
    let [_, _, high, low] = number.to_be_bytes();
    match number {
        0 => String::new(),
        _ => format!("02:42:ac:11:{high:02x}:{low:02x}"),
    }
}

fn endpoints(model: &Model, container: &Container) -> Map {
    let shown = |own: &Endpoint| (own.network.clone(), endpoint(model, own));
    container.endpoints.iter().map(shown).collect()
}

/// A container in a list.
pub fn listed(model: &Model, container: &Container, size: bool) -> Value {
    let now = model.date(model.now());
    let published = container.ports.iter().map(|port| {
        let (inside, protocol) = port_of(&port.inside);
        json!({ "IP": port.ip, "PrivatePort": inside, "PublicPort": port.outside, "Type": protocol })
    });
    let mut ports: Vec<Value> = published.collect();
    for open in container.open_ports() {
        if !container.ports.iter().any(|port| port.inside == open) {
            let (inside, protocol) = port_of(&open);
            ports.push(json!({ "PrivatePort": inside, "Type": protocol }));
        }
    }
    let mut shown = json!({
        "Id": container.id, "Names": [format!("/{}", container.name)], "Image": container.image,
        "ImageID": container.image_id, "Command": container.command.join(" "),
        "Created": model.date(container.created).seconds(),
        "Ports": ports, "Labels": container.labels, "State": status(container),
        "Status": words::status(&container.state(model), now),
        "HostConfig": { "NetworkMode": match container.network_mode().as_str() { "bridge" => "default", mode => mode } },
        "NetworkSettings": { "Networks": endpoints(model, container) },
        "Mounts": container.mounts.iter().map(mounted).collect::<Vec<_>>(),
    });
    if size && let Some(shown) = shown.as_object_mut() {
        shown.insert("SizeRw".to_owned(), 0.into());
        shown.insert(
            "SizeRootFs".to_owned(),
            model.image(&container.image).map_or(0, |image| image.size).into(),
        );
    }
    shown
}

/// What is not shown of a container's `Config` if it says nothing.
const UNSAID: [&str; 7] = [
    "NetworkDisabled",
    "MacAddress",
    "StopSignal",
    "StopTimeout",
    "Healthcheck",
    "ArgsEscaped",
    "Shell",
];

/// What stands in `HostConfig` of who asked for nothing of it.
const USUAL_HOST: &str = r#"{
    "Binds": null, "ContainerIDFile": "", "LogConfig": {"Type": "json-file", "Config": {}}, "PortBindings": {},
    "AutoRemove": false, "VolumeDriver": "", "VolumesFrom": null, "CapAdd": null, "CapDrop": null, "CgroupnsMode": "host",
    "Dns": [], "DnsOptions": [], "DnsSearch": [], "ExtraHosts": null, "GroupAdd": null, "IpcMode": "private", "Cgroup": "",
    "Links": null, "OomScoreAdj": 0, "PidMode": "", "Privileged": false, "PublishAllPorts": false,
    "ReadonlyRootfs": false, "SecurityOpt": null, "UTSMode": "", "UsernsMode": "", "ShmSize": 67108864,
    "Runtime": "runc", "ConsoleSize": [0, 0], "Isolation": "", "CpuShares": 0, "Memory": 0, "NanoCpus": 0,
    "CgroupParent": "", "BlkioWeight": 0, "BlkioWeightDevice": [], "BlkioDeviceReadBps": null,
    "BlkioDeviceWriteBps": null, "BlkioDeviceReadIOps": null, "BlkioDeviceWriteIOps": null, "CpuPeriod": 0,
    "CpuQuota": 0, "CpuRealtimePeriod": 0, "CpuRealtimeRuntime": 0, "CpusetCpus": "", "CpusetMems": "", "Devices": [],
    "DeviceCgroupRules": null, "DeviceRequests": null, "KernelMemory": 0, "KernelMemoryTCP": 0, "MemoryReservation": 0,
    "MemorySwap": 0, "MemorySwappiness": null, "OomKillDisable": false, "PidsLimit": null, "Ulimits": null, "CpuCount": 0,
    "CpuPercent": 0, "IOMaximumIOps": 0, "IOMaximumBandwidth": 0
}"#;

/// A container in full.
pub fn inspected(model: &Model, container: &Container) -> Value {
    let state = container.state(model);
    let up = container.life.is_up();
    let mut config = container.config();
    for (key, value) in [
        ("Hostname", json!(container.id[..12])),
        ("Domainname", json!("")),
        ("User", json!("")),
        ("AttachStdin", json!(false)),
        ("AttachStdout", json!(false)),
        ("AttachStderr", json!(false)),
        ("Tty", json!(false)),
        ("OpenStdin", json!(false)),
        ("StdinOnce", json!(false)),
        (
            "Env",
            json!(["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]),
        ),
        ("Cmd", json!(["sh"])),
        ("Image", json!(container.image)),
        ("Volumes", Value::Null),
        ("WorkingDir", json!("")),
        ("Entrypoint", Value::Null),
        ("Labels", json!({})),
        ("OnBuild", Value::Null),
    ] {
        if json::text(&config, key).is_empty() && json::get(&config, key).is_none_or(|found| found == "") {
            config.insert(key.to_owned(), value);
        }
    }
    let mut host = container.host();
    let mode = container.network_mode();
    json::set(
        &mut host,
        "NetworkMode",
        if mode == "bridge" { "default" } else { &mode },
    );
    let (policy, limit) = match container.policy {
        Restart::No => ("no", 0),
        Restart::Always if container.unless_stopped => ("unless-stopped", 0),
        Restart::Always => ("always", 0),
        Restart::OnFailure { limit } => ("on-failure", limit.unwrap_or(0)),
    };
    json::set(
        &mut host,
        "RestartPolicy",
        json!({ "Name": policy, "MaximumRetryCount": limit }),
    );
    for (key, value) in serde_json::from_str::<Map>(USUAL_HOST).unwrap_or_default() {
        if json::get(&host, &key).is_none() {
            host.insert(key, value);
        }
    }
    // What says nothing is left out here, and nowhere else.
    config.retain(|key, value| !UNSAID.contains(&key.as_str()) || !(value.is_null() || value == false || value == ""));
    let mut ports = Map::new();
    for inside in json::map(&config, "ExposedPorts").into_iter().flat_map(Map::keys) {
        ports.insert(inside.clone(), Value::Null);
    }
    for port in &container.ports {
        let binding = json!({ "HostIp": port.ip, "HostPort": port.outside.to_string() });
        match ports.get_mut(&port.inside) {
            Some(Value::Array(list)) => list.push(binding),
            _ => {
                ports.insert(port.inside.clone(), json!([binding]));
            }
        }
    }
    let networks = endpoints(model, container);
    let of_bridge = |key: &str| {
        let bridge = json::map(&networks, "bridge");
        bridge.map_or("", |bridge| json::text(bridge, key)).to_owned()
    };
    let (program, arguments) = container
        .command
        .split_first()
        .map_or(("sh", &[][..]), |(first, rest)| (first, rest));
    let driver = |kind: &str| format!("/var/lib/docker/overlay2/{}/{kind}", container.id);
    json!({
        "Id": container.id, "Created": model.date(container.created).to_string(), "Path": program, "Args": arguments,
        "State": {
            "Status": status(container), "Running": state.running, "Paused": state.paused,
            "Restarting": state.restarting, "OOMKilled": false, "Dead": false,
            "Pid": if up { pid(container) } else { 0 }, "ExitCode": state.exit_code, "Error": "",
            "StartedAt": date_text(state.started_at), "FinishedAt": date_text(state.finished_at),
        },
        "Image": container.image_id, "ResolvConfPath": "", "HostnamePath": "", "HostsPath": "", "LogPath": "",
        "Name": format!("/{}", container.name), "RestartCount": container.life.restarts(), "Driver": "overlay2",
        "Platform": "linux", "MountLabel": "", "ProcessLabel": "", "AppArmorProfile": "",
        "ExecIDs": execs(model, container), "HostConfig": host,
        "GraphDriver": { "Data": { "MergedDir": driver("merged"), "UpperDir": driver("diff"),
            "WorkDir": driver("work") }, "Name": "overlay2" },
        "Mounts": container.mounts.iter().map(mounted).collect::<Vec<_>>(), "Config": config,
        "NetworkSettings": {
            "Bridge": "", "SandboxID": if up { container.id.as_str() } else { "" }, "HairpinMode": false,
            "LinkLocalIPv6Address": "", "LinkLocalIPv6PrefixLen": 0, "Ports": ports, "SandboxKey": "",
            "SecondaryIPAddresses": null, "SecondaryIPv6Addresses": null, "EndpointID": of_bridge("EndpointID"),
            "Gateway": of_bridge("Gateway"), "GlobalIPv6Address": "", "GlobalIPv6PrefixLen": 0,
            "IPAddress": of_bridge("IPAddress"), "IPPrefixLen": 16, "IPv6Gateway": "",
            "MacAddress": of_bridge("MacAddress"), "Networks": networks,
        },
    })
}

fn execs(model: &Model, container: &Container) -> Value {
    let own = model
        .execs
        .values()
        .filter(|exec| exec.container == container.id && exec.running);
    let ids: Vec<&str> = own.map(|exec| exec.id.as_str()).collect();
    if ids.is_empty() { Value::Null } else { json!(ids) }
}

/// A number that stands for the container's process.
pub fn pid(container: &Container) -> u64 {
    1000 + u64::from_str_radix(&container.id[..6], 16).unwrap_or(0) % 30_000
}

/// The labels of an image; nothing if it has none.
fn shown_labels(image: &ImageRecord) -> Value {
    match image.labels.is_empty() {
        true => Value::Null,
        false => json!(image.labels),
    }
}

/// An image in a list.
pub fn image_listed(model: &Model, image: &ImageRecord, names: &ShownNames<'_>) -> Value {
    let (tags, digests) = match names.is_empty() {
        true => (vec!["<none>:<none>"], vec!["<none>@<none>"]),
        false => (names.tags.clone(), names.digests.clone()),
    };
    let users = model
        .containers
        .values()
        .filter(|container| container.image_id == image.id);
    json!({
        "Id": image.id, "ParentId": "", "RepoTags": tags, "RepoDigests": digests,
        "Created": image_created(), "Size": image.size, "VirtualSize": image.size, "SharedSize": -1,
        "Labels": shown_labels(image), "Containers": users.count(),
    })
}

/// When images were built: the beginning of the year 2024, all of them.
pub fn image_created() -> i64 {
    1_704_067_200
}

/// An image in full.
pub fn image_inspected(image: &ImageRecord) -> Value {
    let layers = image.layers.iter().map(|layer| layer_digest(layer.id));
    json!({
        "Id": image.id, "RepoTags": image.tags, "RepoDigests": image.digests, "Parent": "", "Comment": "",
        "Created": "2024-01-01T00:00:00Z", "Container": "", "DockerVersion": "", "Author": "",
        "Config": { "Env": [], "Cmd": ["sh"], "Labels": shown_labels(image), "Entrypoint": null, "ExposedPorts": null, "Volumes": null },
        "ContainerConfig": {}, "Architecture": "amd64", "Os": "linux", "Size": image.size, "VirtualSize": image.size,
        "GraphDriver": { "Data": null, "Name": "overlay2" },
        "RootFS": { "Type": "layers", "Layers": layers.collect::<Vec<_>>() },
        "Metadata": { "LastTagTime": "0001-01-01T00:00:00Z" },
    })
}

/// The digest of a layer.
pub fn layer_digest(id: u32) -> String {
    format!("sha256:{}", crate::engines::model::hash(&format!("layer/{id}")))
}

/// A network; in full with those who are in it.
pub fn network(model: &Model, network: &Network, full: bool) -> Value {
    let subnet = network.address(0).map(|subnet| {
        json!([{ "Subnet": format!("{subnet}/16"),
        "Gateway": network.address(1).map(|gateway| gateway.to_string()) }])
    });
    let mut members = Map::new();
    if full {
        for container in model.containers.values().filter(|container| container.life.is_up()) {
            for endpoint in container
                .endpoints
                .iter()
                .filter(|endpoint| endpoint.network == network.name)
            {
                let address = network.address(endpoint.address);
                let member = json!({
                    "Name": container.name, "EndpointID": endpoint.id, "MacAddress": mac(endpoint.address),
                    "IPv4Address": address.map_or(String::new(), |address| format!("{address}/16")), "IPv6Address": "",
                });
                members.insert(container.id.clone(), member);
            }
        }
    }
    json!({
        "Name": network.name, "Id": network.id, "Created": model.date(network.created).to_string(), "Scope": network.scope(),
        "Driver": network.driver, "EnableIPv6": false,
        "IPAM": { "Driver": "default", "Options": null, "Config": subnet.unwrap_or_else(|| json!([])) },
        "Internal": network.internal, "Attachable": network.attachable, "Ingress": false,
        "ConfigFrom": { "Network": "" }, "ConfigOnly": false, "Containers": members, "Options": network.options,
        "Labels": network.labels,
    })
}

/// A volume.
pub fn volume(model: &Model, volume: &Volume) -> Value {
    json!({
        "CreatedAt": model.date(volume.created).to_seconds_text(), "Driver": volume.driver, "Labels": volume.labels,
        "Mountpoint": format!("/var/lib/docker/volumes/{}/_data", volume.name), "Name": volume.name,
        "Options": volume.options, "Scope": "local",
    })
}

/// The CPUs that a machine with this capacity has: whole ones.
pub fn cpus(capacity: Resources) -> u64 {
    capacity.cpus.nanos().div_ceil(1_000_000_000)
}

/// What `docker stats` computes its columns from. Nothing is really used: half of what is reserved is told.
pub fn stats(model: &Model, container: &Container, previous: Time) -> Value {
    let capacity = model.shared.plan.nodes[model.node].capacity;
    let host = container.host();
    let reserved = json::number(&host, "Memory")
        .and_then(|memory| u64::try_from(memory).ok())
        .unwrap_or(0);
    let limit = if reserved > 0 { reserved } else { capacity.memory.get() };
    let online = cpus(capacity).max(1);
    let usage = |time: Time| {
        let ran = container.started.map_or(0, |started| time.since(started).as_nanos());
        json!({
            "cpu_usage": { "total_usage": (ran / 2) as u64, "usage_in_kernelmode": 0, "usage_in_usermode": 0 },
            "system_cpu_usage": time.0.saturating_mul(online), "online_cpus": online,
            "throttling_data": { "periods": 0, "throttled_periods": 0, "throttled_time": 0 },
        })
    };
    let now = model.now();
    let memory = if container.life.is_up() {
        json!({ "usage": reserved / 2, "limit": limit, "stats": {} })
    } else {
        json!({})
    };
    json!({
        "read": model.date(now).to_string(), "preread": model.date(previous).to_string(),
        "pids_stats": { "current": u8::from(container.life.is_up()) },
        "blkio_stats": { "io_service_bytes_recursive": [] }, "num_procs": 0, "storage_stats": {},
        "cpu_stats": usage(now), "precpu_stats": usage(previous), "memory_stats": memory,
        "name": format!("/{}", container.name), "id": container.id,
        "networks": { "eth0": { "rx_bytes": 0, "rx_packets": 0, "rx_errors": 0, "rx_dropped": 0, "tx_bytes": 0,
            "tx_packets": 0, "tx_errors": 0, "tx_dropped": 0 } },
    })
}
