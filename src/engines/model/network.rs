//! The networks and volumes of an engine.

use std::net::Ipv4Addr;

use serde_json::Value;

use crate::docker::json::{self, Map};
use crate::model::{Labels, Time};

use super::container::{Container, Endpoint, Mount};
use super::{Model, Refusal, hash};

/// One network.
#[derive(Clone, Debug)]
pub struct Network {
    pub id: String,
    pub name: String,
    pub driver: String,
    pub labels: Labels,
    pub internal: bool,
    pub attachable: bool,
    pub options: Labels,
    pub created: Time,
    /// Whether it spans engines.
    pub global: bool,
    /// What its addresses have in common, if it has any: 10.N of one that spans engines, 172.(17+N) of others.
    pub subnet: Option<u8>,
    /// Whether it was there from the start.
    pub builtin: bool,
}

/// One volume.
#[derive(Clone, Debug)]
pub struct Volume {
    pub name: String,
    pub driver: String,
    pub labels: Labels,
    pub options: Labels,
    pub created: Time,
    /// Whether it was made for a container without being named.
    pub anonymous: bool,
}

impl Network {
    /// Those that every daemon has.
    pub(super) fn builtin(model: &Model) -> Vec<Network> {
        let network = |name: &str, driver: &str, subnet| Network {
            id: hash(&format!("network/{}/{name}", model.name())),
            name: name.to_owned(),
            driver: driver.to_owned(),
            labels: Labels::new(),
            internal: false,
            attachable: false,
            options: Labels::new(),
            created: Time::ZERO,
            global: false,
            subnet,
            builtin: true,
        };
        vec![
            network("bridge", "bridge", Some(0)),
            network("host", "host", None),
            network("none", "null", None),
        ]
    }

    /// The address with this number.
    pub fn address(&self, number: u32) -> Option<Ipv4Addr> {
        let subnet = self.subnet?;
        // The low half of the address; a network has no more.
        let [_, _, high, low] = number.to_be_bytes();
        Some(match self.global {
            true => Ipv4Addr::new(10, subnet, high, low),
            false => Ipv4Addr::new(172, 17_u8.wrapping_add(subnet), high, low),
        })
    }

    /// As clients see it.
    pub fn scope(&self) -> &'static str {
        if self.global { "global" } else { "local" }
    }
}

fn texts(map: Option<&Map>) -> Labels {
    map.into_iter()
        .flatten()
        .map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned()))
        .collect()
}

impl Model {
    /// The network with this name, ID or beginning of an ID.
    pub fn network(&self, reference: &str) -> Result<&Network, Refusal> {
        // What `docker run` calls the network of who asks for none.
        let reference = if reference == "default" { "bridge" } else { reference };
        let exact = |network: &&Network| network.name == reference || network.id == reference;
        let begins = |network: &&Network| !reference.is_empty() && network.id.starts_with(reference);
        let found = self
            .networks
            .iter()
            .find(exact)
            .or_else(|| self.networks.iter().find(begins));
        found.ok_or_else(|| Refusal::new(404, format!("network {reference} not found")))
    }

    /// Creates a network and gives its ID.
    pub fn create_network(&mut self, config: &Map) -> Result<String, Refusal> {
        let name = json::text(config, "Name");
        if name.is_empty() {
            return Err(Refusal::new(400, "network name cannot be empty"));
        }
        if self.networks.iter().any(|network| network.name == name) {
            return Err(Refusal::new(409, format!("network with name {name} already exists")));
        }
        let driver = match json::text(config, "Driver") {
            "" | "default" => "bridge",
            driver @ ("bridge" | "macvlan" | "ipvlan" | "overlay") => driver,
            other => return Err(Refusal::new(404, format!("could not find plugin {other}"))),
        };
        let global = driver == "overlay";
        let local = || self.networks.iter().filter(|network| !network.global);
        let used = |number: &u8| local().any(|network| network.subnet == Some(*number));
        let Some(subnet) = (1..200).find(|number| !used(number)) else {
            let text = "could not find an available, non-overlapping IPv4 address pool among the defaults to assign to the \
                        network";
            return Err(Refusal::new(400, text));
        };
        let (name, driver) = (name.to_owned(), driver.to_owned());
        let id = self.new_id("network");
        let network = Network {
            id: id.clone(),
            name,
            driver,
            labels: texts(json::map(config, "Labels")),
            internal: json::flag(config, "Internal"),
            attachable: json::flag(config, "Attachable"),
            options: texts(json::map(config, "Options")),
            created: self.now,
            global,
            subnet: Some(subnet),
            builtin: false,
        };
        match global {
            true => {
                self.shared.overlays.create(network)?;
                self.learn_of_overlays();
            }
            false => self.networks.push(network),
        }
        self.tell_of_network(&id, "create", None);
        Ok(id)
    }

    /// Removes a network that nobody is in.
    pub fn remove_network(&mut self, reference: &str) -> Result<(), Refusal> {
        let network = self.network(reference)?;
        let (id, name) = (network.id.clone(), network.name.clone());
        if network.builtin {
            return Err(Refusal::new(
                403,
                format!("{name} is a pre-defined network and cannot be removed"),
            ));
        }
        if self.is_used_by_running(network) {
            return Err(Refusal::new(
                403,
                format!("error while removing network: network {name} id {id} has active endpoints"),
            ));
        }
        if network.global {
            self.shared.overlays.remove(&id)?;
        }
        self.tell_of_network(&id, "destroy", None);
        self.networks.retain(|network| network.id != id);
        Ok(())
    }

    /// Whether a container that runs is in a network, on this engine or, if it spans engines, on another one.
    pub fn is_used(&self, network: &Network) -> bool {
        self.is_used_by_running(network) || (network.global && self.shared.overlays.is_used(&network.id))
    }

    /// The same of containers that do not run, as far as they are on this engine.
    pub fn is_used_anywhere(&self, network: &Network) -> bool {
        let mut containers = self.containers.values();
        containers.any(|container| container.is_in(&network.name))
            || (network.global && self.shared.overlays.is_used(&network.id))
    }

    fn is_used_by_running(&self, network: &Network) -> bool {
        let mut containers = self.containers.values();
        containers.any(|container| container.life.is_up() && container.is_in(&network.name))
    }

    /// Takes in what other engines have done to networks that span them.
    pub(super) fn learn_of_overlays(&mut self) {
        if self.shared.overlays.version() == self.overlays_seen {
            return;
        }
        let (version, networks) = self.shared.overlays.networks();
        self.overlays_seen = version;
        self.networks.retain(|network| !network.global);
        self.networks.extend(networks);
    }

    fn tell_of_network(&mut self, id: &str, action: &str, container: Option<&str>) {
        let Ok(network) = self.network(id) else { return };
        let mut attributes = Labels::from([
            ("name".to_owned(), network.name.clone()),
            ("type".to_owned(), network.driver.clone()),
        ]);
        if let Some(container) = container {
            attributes.insert("container".to_owned(), container.to_owned());
        }
        self.tell("network", action, id, attributes);
    }

    /// Puts a container that is being created into its networks.
    pub(super) fn attach_networks(&self, container: &mut Container, networking: Option<&Value>) -> Result<(), Refusal> {
        let mode = container.network_mode();
        if mode.starts_with("container:") {
            return Ok(());
        }
        let named = networking
            .and_then(Value::as_object)
            .and_then(|networking| json::map(networking, "EndpointsConfig"));
        let mut names: Vec<String> = vec![mode];
        names.extend(named.into_iter().flat_map(Map::keys).cloned());
        for reference in names {
            let network = self.network(&reference)?.name.clone();
            let config = named.and_then(|named| json::map(named, &reference));
            let aliases = config.map(|config| json::texts(config, "Aliases").map(str::to_owned).collect());
            match container
                .endpoints
                .iter_mut()
                .find(|endpoint| endpoint.network == network)
            {
                Some(endpoint) => endpoint.aliases = aliases.unwrap_or_default(),
                None => container.endpoints.push(Endpoint {
                    id: String::new(),
                    address: 0,
                    aliases: aliases.unwrap_or_default(),
                    network,
                }),
            }
        }
        Ok(())
    }

    /// Gives a container that has started its addresses.
    pub(super) fn join_networks(&mut self, id: &str) {
        let networks: Vec<String> = self.containers.get(id).map_or_else(Vec::new, |container| {
            container
                .endpoints
                .iter()
                .map(|endpoint| endpoint.network.clone())
                .collect()
        });
        for network in networks {
            self.join_network(id, &network);
        }
    }

    fn join_network(&mut self, id: &str, network: &str) {
        let taken = |number: u32| {
            self.containers
                .values()
                .flat_map(|container| &container.endpoints)
                .any(|endpoint| endpoint.network == network && endpoint.address == number)
        };
        // The first is the gateway's.
        let own = || (2..u32::from(u16::MAX)).find(|number| !taken(*number)).unwrap_or(0);
        let Ok(found) = self.network(network) else { return };
        let (network_id, has_addresses) = (found.id.clone(), found.subnet.is_some());
        let address = match found.global {
            true => {
                let name = self.containers.get(id).map_or("", |container| &container.name);
                self.shared.overlays.join(&network_id, id, name, self.node)
            }
            false => own(),
        };
        if let Some(container) = self.containers.get_mut(id)
            && let Some(endpoint) = container
                .endpoints
                .iter_mut()
                .find(|endpoint| endpoint.network == network)
        {
            endpoint.id = hash(&format!("endpoint/{id}/{network}"));
            endpoint.address = if has_addresses { address } else { 0 };
        }
        self.tell_of_network(&network_id, "connect", Some(id));
    }

    /// A container that has ended gives its addresses back.
    pub(super) fn leave_networks(&mut self, id: &str) {
        let mut left = Vec::new();
        if let Some(container) = self.containers.get_mut(id) {
            for endpoint in &mut container.endpoints {
                endpoint.address = 0;
                endpoint.id.clear();
                left.push(endpoint.network.clone());
            }
        }
        for network in left {
            let found = self
                .network(&network)
                .map(|network| (network.id.clone(), network.global));
            if let Ok((network, global)) = found {
                if global {
                    self.shared.overlays.leave(&network, id);
                }
                self.tell_of_network(&network, "disconnect", Some(id));
            }
        }
    }

    /// Puts a container into one more network.
    pub fn connect(&mut self, reference: &str, config: &Map) -> Result<(), Refusal> {
        let network = self.network(reference)?.name.clone();
        let id = self.find(json::text(config, "Container"))?;
        let aliases = json::map(config, "EndpointConfig")
            .map(|config| json::texts(config, "Aliases").map(str::to_owned).collect())
            .unwrap_or_default();
        let Some(container) = self.containers.get_mut(&id) else {
            return Err(Refusal::no_container(&id));
        };
        if container.is_in(&network) {
            let text = format!(
                "endpoint with name {} already exists in network {network}",
                container.name
            );
            return Err(Refusal::new(403, text));
        }
        container.endpoints.push(Endpoint {
            network: network.clone(),
            id: String::new(),
            address: 0,
            aliases,
        });
        if container.life.is_up() {
            self.join_network(&id, &network);
        }
        Ok(())
    }

    /// Takes a container out of a network.
    pub fn disconnect(&mut self, reference: &str, config: &Map) -> Result<(), Refusal> {
        let network = self.network(reference)?;
        let (name, network_id, global) = (network.name.clone(), network.id.clone(), network.global);
        let asked = json::text(config, "Container");
        // Where the network spans engines, the container may be on one that is not there any more.
        let elsewhere = global && json::flag(config, "Force") && self.find(asked).is_err();
        if elsewhere && self.shared.overlays.expel(&network_id, asked) {
            return Ok(());
        }
        let id = self.find(asked)?;
        let Some(container) = self.containers.get_mut(&id) else {
            return Err(Refusal::no_container(&id));
        };
        if !container.is_in(&name) {
            let text = format!("container {id} is not connected to network {name}");
            return Err(Refusal::new(403, text));
        }
        container.endpoints.retain(|endpoint| endpoint.network != name);
        if global {
            self.shared.overlays.leave(&network_id, &id);
        }
        self.tell_of_network(&network_id, "disconnect", Some(&id));
        Ok(())
    }

    /// Creates a volume, unless it is there.
    pub fn create_volume(&mut self, config: &Map) -> Result<Volume, Refusal> {
        let (anonymous, name) = match json::text(config, "Name") {
            "" => (true, self.new_id("volume")),
            name => (false, name.to_owned()),
        };
        if let Some(volume) = self.volumes.get(&name) {
            return Ok(volume.clone());
        }
        let driver = match json::text(config, "Driver") {
            "" | "local" => "local".to_owned(),
            other => {
                return Err(Refusal::new(
                    404,
                    format!("error looking up volume plugin {other}: plugin \"{other}\" not found"),
                ));
            }
        };
        let volume = Volume {
            name: name.clone(),
            driver,
            labels: texts(json::map(config, "Labels")),
            options: texts(json::map(config, "DriverOpts")),
            created: self.now,
            anonymous,
        };
        self.volumes.insert(name.clone(), volume.clone());
        let attributes = Labels::from([("driver".to_owned(), "local".to_owned())]);
        self.tell("volume", "create", &name, attributes);
        Ok(volume)
    }

    /// Removes a volume that no container has.
    pub fn remove_volume(&mut self, name: &str) -> Result<(), Refusal> {
        if !self.volumes.contains_key(name) {
            return Err(Refusal::new(404, format!("get {name}: no such volume")));
        }
        let users: Vec<&str> = self.users_of_volume(name).collect();
        if !users.is_empty() {
            let text = format!("remove {name}: volume is in use - [{}]", users.join(", "));
            return Err(Refusal::new(409, text));
        }
        self.volumes.remove(name);
        self.tell(
            "volume",
            "destroy",
            name,
            Labels::from([("driver".to_owned(), "local".to_owned())]),
        );
        Ok(())
    }

    /// The containers that have a volume.
    pub fn users_of_volume<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let has = move |container: &&Container| {
            let mut mounts = container.mounts.iter();
            mounts.any(|mount| mount.kind == "volume" && mount.source == name)
        };
        self.containers
            .values()
            .filter(has)
            .map(|container| container.id.as_str())
    }

    /// Makes the volumes of a container that is being created.
    pub(super) fn attach_mounts(&mut self, container: &mut Container) {
        let (config, host) = (container.config(), container.host());
        let mut mounts: Vec<Mount> = Vec::new();
        for bind in json::texts(&host, "Binds") {
            let mut parts = bind.split(':');
            let (first, second, mode) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
            let (source, target) = match second {
                Some(target) => (first, target),
                None => ("", first),
            };
            mounts.push(mount(
                source,
                target,
                mode.is_none_or(|mode| !mode.split(',').any(|word| word == "ro")),
            ));
        }
        for given in json::maps(&host, "Mounts") {
            let target = json::text(given, "Target");
            let mut mount = mount(json::text(given, "Source"), target, !json::flag(given, "ReadOnly"));
            if json::text(given, "Type") == "bind" {
                mount.kind = "bind";
            }
            mounts.push(mount);
        }
        for target in json::map(&config, "Volumes").into_iter().flat_map(Map::keys) {
            if !mounts.iter().any(|mount| mount.target == *target) {
                mounts.push(mount("", target, true));
            }
        }
        for mount in mounts.iter_mut().filter(|mount| mount.kind == "volume") {
            let config = Map::from_iter([("Name".to_owned(), Value::from(mount.source.as_str()))]);
            // A local volume is always there to be had.
            if let Ok(volume) = self.create_volume(&config) {
                mount.source = volume.name;
            }
        }
        for other in self.mounts_of_others(&host) {
            if !mounts.iter().any(|mount| mount.target == other.target) {
                mounts.push(other);
            }
        }
        container.mounts = mounts;
    }
}

fn mount(source: &str, target: &str, writable: bool) -> Mount {
    Mount {
        kind: if source.starts_with('/') { "bind" } else { "volume" },
        source: source.to_owned(),
        target: target.to_owned(),
        writable,
    }
}

impl Container {
    /// Whether it is in the network with this name.
    pub fn is_in(&self, network: &str) -> bool {
        self.endpoints.iter().any(|endpoint| endpoint.network == network)
    }
}
