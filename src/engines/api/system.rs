//! What an engine says about itself, and its events.

use serde_json::{Value, json};

use super::show;
use super::{Answered, Ask, Reply, VERSION, VERSION_MIN};
use crate::docker::Timestamp;
use crate::docker::json::Map;
use crate::engines::follow::Follow;
use crate::engines::model::{Model, Refusal, hash};
use crate::sim::Phase;

/// The version of Docker that the answers are like.
const DOCKER: &str = "20.10.24";
const KERNEL: &str = "5.10.0-simulated";

pub(super) fn version() -> Value {
    json!({
        "Platform": { "Name": "swarmlab simulated engine" },
        "Components": [{
            "Name": "Engine", "Version": DOCKER,
            "Details": {
                "ApiVersion": VERSION.to_string(), "Arch": "amd64", "BuildTime": "2023-04-04T00:00:00.000000000+00:00",
                "Experimental": "false", "GitCommit": "swarmlab", "GoVersion": "none", "KernelVersion": KERNEL,
                "MinAPIVersion": VERSION_MIN.to_string(), "Os": "linux",
            },
        }],
        "Version": DOCKER, "ApiVersion": VERSION.to_string(), "MinAPIVersion": VERSION_MIN.to_string(),
        "GitCommit": "swarmlab", "GoVersion": "none", "Os": "linux", "Arch": "amd64", "KernelVersion": KERNEL,
        "BuildTime": "2023-04-04T00:00:00.000000000+00:00",
    })
}

pub(super) fn info(model: &Model) -> Value {
    let count = |wanted: &dyn Fn(Phase) -> bool| {
        let phases = model.containers.values().map(|container| container.life.phase());
        phases.filter(|phase| wanted(*phase)).count()
    };
    let running = count(&|phase| matches!(phase, Phase::Running | Phase::Restarting));
    let paused = count(&|phase| phase == Phase::Paused);
    let labels: Vec<String> = model
        .labels
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    let capacity = model.shared.plan.nodes[model.node].capacity;
    let mut told = json!({
        // Daemons have IDs of twelve groups of four.
        "ID": grouped(&hash(&format!("daemon/{}", model.name()))),
        "Containers": model.containers.len(), "ContainersRunning": running, "ContainersPaused": paused,
        "ContainersStopped": model.containers.len() - running - paused,
        "Images": model.images.iter().filter(|image| image.complete).count(),
        "SystemTime": model.date(model.now()).to_string(), "KernelVersion": KERNEL, "OperatingSystem": "swarmlab",
        "NCPU": show::cpus(capacity), "MemTotal": capacity.memory.get(), "Name": model.name(), "Labels": labels,
        "ServerVersion": DOCKER,
    });
    if let (Some(told), Ok(usual)) = (told.as_object_mut(), serde_json::from_str::<Map>(USUAL)) {
        told.extend(usual);
    }
    told
}

/// What all engines say of themselves, as most daemons do.
const USUAL: &str = r#"{
    "Driver": "overlay2", "DriverStatus": [["Backing Filesystem", "extfs"]], "SystemStatus": null,
    "Plugins": {
        "Volume": ["local"], "Network": ["bridge", "host", "ipvlan", "macvlan", "null", "overlay"],
        "Authorization": null, "Log": ["json-file"]
    },
    "MemoryLimit": true, "SwapLimit": true, "KernelMemory": true, "CpuCfsPeriod": true, "CpuCfsQuota": true,
    "CPUShares": true, "CPUSet": true, "PidsLimit": true, "IPv4Forwarding": true, "BridgeNfIptables": true,
    "BridgeNfIp6tables": true, "Debug": false, "OomKillDisable": true, "LoggingDriver": "json-file",
    "CgroupDriver": "cgroupfs", "CgroupVersion": "1", "OSVersion": "1", "OSType": "linux", "Architecture": "x86_64",
    "IndexServerAddress": "https://index.docker.io/v1/",
    "RegistryConfig": { "InsecureRegistryCIDRs": [], "IndexConfigs": {}, "Mirrors": [] },
    "GenericResources": null, "DockerRootDir": "/var/lib/docker", "HttpProxy": "", "HttpsProxy": "", "NoProxy": "",
    "ExperimentalBuild": false, "Runtimes": { "runc": { "path": "runc" } }, "DefaultRuntime": "runc",
    "Swarm": { "NodeID": "", "LocalNodeState": "inactive", "ControlAvailable": false, "RemoteManagers": null },
    "LiveRestoreEnabled": false, "Isolation": "", "InitBinary": "docker-init",
    "ContainerdCommit": { "ID": "", "Expected": "" }, "RuncCommit": { "ID": "", "Expected": "" },
    "InitCommit": { "ID": "", "Expected": "" }, "SecurityOptions": [], "Warnings": null
}"#;

fn grouped(digits: &str) -> String {
    let digits = digits.to_uppercase();
    let groups: Vec<&str> = (0..12)
        .filter_map(|group| digits.get(group * 4..group * 4 + 4))
        .collect();
    groups.join(":")
}

pub(super) fn events(model: &Model, ask: &Ask) -> Answered {
    let filters = ask.filters()?;
    let since = instant(ask, "since")?;
    let until = instant(ask, "until")?;
    let next = match since {
        Some(_) => model.events.first_number(),
        None if until.is_some_and(|until| until <= model.date(model.now())) => model.events.first_number(),
        None => model.events.next_number(),
    };
    Ok(Reply::Follow {
        follow: Box::new(Follow::Events {
            filters,
            since,
            until,
            next,
        }),
        raw: false,
    })
}

/// A parameter that is a date: seconds with a fraction, or RFC 3339.
pub(super) fn instant(ask: &Ask, name: &str) -> Result<Option<Timestamp>, Refusal> {
    let text = ask.parameter(name);
    if text.is_empty() || text == "0" {
        return Ok(None);
    }
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    match (whole.parse::<i64>(), digits.parse::<i64>()) {
        (Ok(seconds), Ok(nanos)) => Ok(Some(Timestamp::from_seconds(seconds).shifted(nanos))),
        _ => match Timestamp::parse(text) {
            Some(instant) => Ok(Some(instant)),
            None => Err(Refusal::new(
                400,
                format!("{name}={text}: failed to parse value as time or duration"),
            )),
        },
    }
}

pub(super) fn disk_usage(model: &Model) -> Value {
    let containers = model
        .containers
        .values()
        .map(|container| show::listed(model, container, true));
    let images = model.images.iter().filter(|image| image.complete);
    let volumes = model.volumes.values().map(|volume| {
        let mut shown = show::volume(model, volume);
        let users = model.users_of_volume(&volume.name).count();
        if let Some(shown) = shown.as_object_mut() {
            shown.insert("UsageData".to_owned(), json!({ "RefCount": users, "Size": 0 }));
        }
        shown
    });
    json!({
        "LayersSize": images.clone().map(|image| image.size).sum::<u64>(),
        "Images": images.map(|image| show::image_listed(model, image, &image.names())).collect::<Vec<_>>(),
        "Containers": containers.collect::<Vec<_>>(),
        "Volumes": volumes.collect::<Vec<_>>(),
        "BuildCache": [], "BuilderSize": 0,
    })
}

/// What a prune has removed.
pub(super) fn pruned(what: &str, names: Vec<String>) -> Value {
    Value::Object(Map::from_iter([
        (what.to_owned(), names.into()),
        ("SpaceReclaimed".to_owned(), 0.into()),
    ]))
}
