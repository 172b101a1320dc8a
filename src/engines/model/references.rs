//! Containers that refer to other containers: what a daemon makes of that, and what it refuses.

use serde_json::Value;

use crate::docker::json::{self, Map};
use crate::sim::Phase;

use super::container::{Container, Mount};
use super::{Model, Refusal};

/// What follows `container:` in a field of a `HostConfig`.
fn joined<'a>(host: &'a Map, key: &str) -> Option<&'a str> {
    json::text(host, key).strip_prefix("container:")
}

fn before_colon(text: &str) -> &str {
    text.split(':').next().unwrap_or(text)
}

/// Refuses what a container cannot have of its own that shares another one's network, before anything else is looked at.
pub(super) fn refuse_conflicts(config: &Map) -> Result<(), Refusal> {
    let none = Map::new();
    let host = json::map(config, "HostConfig").unwrap_or(&none);
    let bad = |text: &str| Err(Refusal::new(400, text));
    let has = |key: &str| json::map(config, key).is_some_and(|map| !map.is_empty());
    let host_has = |key: &str| !json::list(host, key).is_empty();
    if joined(host, "NetworkMode").is_some() {
        if joined(host, "NetworkMode").is_some_and(str::is_empty) {
            return bad("Invalid network mode: invalid container format container:<name|id>");
        }
        if !json::text(config, "Hostname").is_empty() {
            return bad("conflicting options: hostname and the network mode");
        }
        if host_has("Links") {
            return bad(
                "conflicting options: container type network can't be used with links. This would result in undefined \
                 behavior",
            );
        }
        if host_has("Dns") {
            return bad("conflicting options: dns and the network mode");
        }
        if host_has("ExtraHosts") {
            return bad("conflicting options: custom host-to-IP mapping and the network mode");
        }
        if !json::text(config, "MacAddress").is_empty() {
            return bad("conflicting options: mac-address and the network mode");
        }
        let publishes = json::map(host, "PortBindings").is_some_and(|bindings| !bindings.is_empty());
        if publishes || json::flag(host, "PublishAllPorts") {
            return bad("conflicting options: port publishing and the container type network mode");
        }
        if has("ExposedPorts") {
            return bad("conflicting options: port exposing and the container type network mode");
        }
    }
    if json::text(host, "UTSMode") == "host" && !json::text(config, "Hostname").is_empty() {
        return bad("conflicting options: hostname and the UTS mode");
    }
    Ok(())
}

impl Model {
    /// Finds the containers that one refers to which is being created: modes get their IDs, links their names.
    pub(super) fn resolve_references(&self, container: &mut Container) -> Result<(), Refusal> {
        let mut host = container.host();
        let as_bad = |refusal: Refusal| Refusal { status: 400, ..refusal };
        for key in ["NetworkMode", "IpcMode", "PidMode"] {
            let Some(target) = joined(&host, key).filter(|target| !target.is_empty()) else {
                continue;
            };
            match self.find(target) {
                Ok(id) => json::set(&mut host, key, format!("container:{id}")),
                // That there is none is found out when it is started.
                Err(_) if key == "NetworkMode" => {}
                Err(refusal) => return Err(as_bad(refusal)),
            }
        }
        for from in json::texts(&host, "VolumesFrom") {
            self.find(before_colon(from)).map_err(as_bad)?;
        }
        let links: Vec<String> = json::texts(&host, "Links").map(str::to_owned).collect();
        let mut named = Vec::with_capacity(links.len());
        for link in links {
            let target = before_colon(&link);
            let id = self.find(target).map_err(|refusal| {
                let text = format!("could not get container for {target}: {}", refusal.message);
                Refusal::new(400, text)
            })?;
            let name = &self.containers[&id].name;
            // As a link of a container that exists already, the alias has the container's own name in front.
            let alias = link.split_once(':').map_or(name.as_str(), |(_, alias)| alias);
            let alias = alias.rsplit('/').next().unwrap_or(alias);
            named.push(Value::from(format!("/{name}:/{}/{alias}", container.name)));
        }
        if !named.is_empty() {
            json::set(&mut host, "Links", named);
        }
        container.host = Value::Object(host).to_string().into();
        Ok(())
    }

    /// What is mounted in the containers whose volumes a container is to have.
    pub(super) fn mounts_of_others(&self, host: &Map) -> Vec<Mount> {
        let mut mounts = Vec::new();
        for from in json::texts(host, "VolumesFrom") {
            let read_only = from
                .split_once(':')
                .is_some_and(|(_, mode)| mode.split(',').any(|word| word == "ro"));
            let other = self
                .find(before_colon(from))
                .ok()
                .and_then(|id| self.containers.get(&id));
            for mount in other.into_iter().flat_map(|other| &other.mounts) {
                mounts.push(Mount {
                    writable: mount.writable && !read_only,
                    ..mount.clone()
                });
            }
        }
        mounts
    }

    /// Refuses to start a container that shares something with one that does not run, or is linked to it. The host name
    /// that it gets from the one whose network it shares.
    pub(super) fn check_references(&self, id: &str) -> Result<Option<String>, Refusal> {
        let Some(container) = self.containers.get(id) else {
            return Err(Refusal::no_container(id));
        };
        let host = container.host();
        let runs = |id: &str| {
            let other = self.containers.get(id).map(|other| &other.life);
            other.is_some_and(|life| life.is_up() || life.phase() == Phase::Starting)
        };
        let not_running = |id: &str| format!("container {id} is not running");
        let mut host_name = None;
        if let Some(target) = joined(&host, "NetworkMode") {
            let target = self.find(target)?;
            if target == id {
                return Err(Refusal::new(500, "cannot join own network"));
            }
            if !runs(&target) {
                let text = format!("cannot join network of a non running container: {target}");
                return Err(Refusal::new(409, text));
            }
            host_name = self.containers.get(&target).map(Container::host_name);
        }
        for link in json::texts(&host, "Links") {
            let (target, alias) = link.split_once(':').unwrap_or((link, ""));
            if !self.find(target).is_ok_and(|target| runs(&target)) {
                let text = format!("Cannot link to a non running container: {target} AS {alias}");
                return Err(Refusal::new(500, text));
            }
        }
        if let Some(target) = joined(&host, "PidMode") {
            let found = self
                .find(target)
                .map_err(|refusal| format!("cannot join PID of a non running container: {target}: {refusal}"));
            let found = found.and_then(|found| if runs(&found) { Ok(()) } else { Err(not_running(&found)) });
            found.map_err(|text| Refusal::new(500, text))?;
        }
        if let Some(target) = joined(&host, "IpcMode") {
            let found = self.find(target).map_err(|refusal| refusal.message);
            let found = found.and_then(|found| match runs(&found) {
                true if self.shares_ipc(&found) => Ok(()),
                true => Err("non-shareable IPC (hint: use IpcMode:shareable for the donor container)".to_owned()),
                false => Err(not_running(&found)),
            });
            found.map_err(|text| Refusal::new(500, format!("can't join IPC of container {target}: {text}")))?;
        }
        Ok(host_name)
    }

    fn shares_ipc(&self, id: &str) -> bool {
        let host = self.containers.get(id).map(Container::host).unwrap_or_default();
        let mode = json::text(&host, "IpcMode");
        matches!(mode, "shareable" | "host") || mode.starts_with("container:")
    }
}

impl Container {
    /// The name that it has for itself.
    fn host_name(&self) -> String {
        match json::text(&self.config(), "Hostname") {
            "" => self.id[..12].to_owned(),
            name => name.to_owned(),
        }
    }
}
