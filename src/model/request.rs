//! What somebody wants placed.

use std::collections::BTreeMap;

use super::{Name, Resources};

/// Label keys and values, in a stable order.
pub type Labels = BTreeMap<String, String>;

/// A host port that a container asks for or occupies. Texts as Docker has them: comparisons are between texts.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortBinding {
    /// Port and protocol inside the container, such as `80/tcp`.
    pub container_port: Name,
    /// Address on the host; empty binds all interfaces.
    pub host_ip: Name,
    /// Port on the host; empty lets the daemon choose one.
    pub host_port: Name,
}

impl PortBinding {
    /// The protocol after the slash, `tcp` if there is none.
    pub fn protocol(&self) -> &str {
        self.container_port
            .split_once('/')
            .map_or("tcp", |(_, protocol)| protocol)
    }

    /// Whether every interface of the host is bound: no address, or an unspecified one.
    pub fn binds_all_interfaces(&self) -> bool {
        self.host_ip.is_empty() || is_unspecified(&self.host_ip)
    }
}

/// Whether an address stands for every address of its host: `0.0.0.0`, `::`, or the former written as one of IPv6, such as
/// `::ffff:0.0.0.0`.
pub fn is_unspecified(address: &str) -> bool {
    let address = address.parse::<std::net::IpAddr>();
    address.is_ok_and(|address| address.to_canonical().is_unspecified())
}

/// What happens to a container when its node fails (`com.docker.swarm.reschedule-policies`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ReschedulePolicy {
    /// It is lost with its node.
    #[default]
    Off,
    /// It is placed again on another node.
    OnNodeFailure,
}

/// Everything about a container that its placement depends on, and that later placements may depend on while the
/// container is there. Two containers with equal requests are interchangeable to the scheduler.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Request {
    /// CPU and memory to reserve.
    pub resources: Resources,
    /// Further resources in whole units, such as GPUs, by name, sorted; weighed by no strategy, checked by the
    /// `resources` filter only. More than 2^50 units count as so many.
    pub extra: Vec<(String, u64)>,
    /// Image reference, as asked for.
    pub image: String,
    /// Container labels, the ones that carry scheduling expressions included.
    pub labels: Labels,
    /// Docker's `HostConfig.NetworkMode`: `host`, `container:NAME`, a network's name, or empty.
    pub network_mode: String,
    /// Exposed ports such as `80/tcp`, sorted; they matter in network mode `host` only.
    pub exposed_ports: Vec<String>,
    /// Host ports asked for, in the order in which error texts list them.
    pub port_bindings: Vec<PortBinding>,
    /// `--volumes-from` values, `NAME[:MODE]`.
    pub volumes_from: Vec<String>,
    /// `--link` values, `NAME[:ALIAS]`.
    pub links: Vec<String>,
    /// Constraint expressions as written, label-provided ones first.
    pub constraints: Vec<String>,
    /// Affinity expressions as written, label-provided ones first.
    pub affinities: Vec<String>,
    /// Whitelist expressions as written, label-provided ones first.
    pub whitelists: Vec<String>,
    /// What happens when the node fails.
    pub reschedule: ReschedulePolicy,
}

impl Request {
    /// Whether the container shares its node's network, so that it occupies every port it exposes.
    pub fn uses_host_network(&self) -> bool {
        self.network_mode == "host"
    }
}
