//! The lines of an event log.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::{Bytes, Cpus, PortBinding, Request, ReschedulePolicy, Resources};

/// Name and version of the format, in every header.
pub const FORMAT: &str = "swarmlab-events/2";
/// The version before, which is still read: its last line has no checksum.
pub(super) const FORMAT_WITHOUT_CHECKSUM: &str = "swarmlab-events/1";

/// The first line: what was run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// [`FORMAT`], or that of an older log.
    pub format: String,
    /// Version of the program that wrote the log.
    pub version: String,
    /// Name of the scenario, as its file was given.
    pub scenario: String,
    /// The text of the scenario.
    pub text: String,
    /// Directory to which the scenario's relative paths belong.
    pub directory: String,
    /// Directory of its traces, if one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traces: Option<String>,
    /// Whether rows of traces that cannot be read are skipped.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lenient: bool,
    /// `key=value` settings that override the text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<String>,
    /// Hash of the scenario and the traces it read.
    pub hash: String,
    /// Strategy of the run.
    pub strategy: String,
    /// Seed of the run.
    pub seed: u64,
}

impl Header {
    /// Whether the last line of such a log has a checksum of the lines before.
    pub fn has_checksum(&self) -> bool {
        self.format != FORMAT_WITHOUT_CHECKSUM
    }
}

/// Something that happened. `t` is nanoseconds of virtual time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Line<'a> {
    /// A request that is about to be asked for, and its number.
    Request {
        /// Number by which [`Line::Submit`] refers to it.
        id: u64,
        /// The request.
        request: Box<LoggedRequest>,
    },
    /// A client asks for a container. An input.
    Submit {
        /// When.
        t: u64,
        /// Name.
        container: Cow<'a, str>,
        /// Its class.
        class: Cow<'a, str>,
        /// Number of its request.
        request: u64,
        /// How long it will run, in nanoseconds; absent: for ever.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lifetime: Option<u64>,
    },
    /// Something happened to a node. An input.
    Node {
        /// When.
        t: u64,
        /// Name.
        node: Cow<'a, str>,
        /// What.
        change: NodeChange,
        /// Its labels after the change, for [`NodeChange::Relabel`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        labels: Option<BTreeMap<String, String>>,
        /// Its health indicator after the change, for [`NodeChange::Health`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        health: Option<u8>,
    },
    /// A container was placed.
    Place {
        /// When.
        t: u64,
        /// Name.
        container: Cow<'a, str>,
        /// Where.
        node: Cow<'a, str>,
        /// Which attempt it was, from 1.
        attempt: u32,
        /// Whether its soft expressions had to be dropped.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        soft_dropped: bool,
    },
    /// No node takes a container now.
    Reject {
        /// When.
        t: u64,
        /// Name.
        container: Cow<'a, str>,
        /// The filter that left no node, `no-resources` or `no-nodes`.
        reason: Cow<'a, str>,
        /// Which attempt it was, from 1.
        attempt: u32,
    },
    /// The client will ask again.
    Retry {
        /// When.
        t: u64,
        /// Name.
        container: Cow<'a, str>,
        /// When it asks again.
        again: u64,
    },
    /// The client waits in the queue.
    Queue {
        /// When.
        t: u64,
        /// Name.
        container: Cow<'a, str>,
        /// Its place, from 1.
        place: u64,
    },
    /// The client gave up.
    GiveUp {
        /// When.
        t: u64,
        /// Name.
        container: Cow<'a, str>,
        /// Why its last attempt failed, or why no node can ever take it; absent if the queue was full.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<Cow<'a, str>>,
    },
    /// A node began to pull an image's missing layers.
    Pull {
        /// When.
        t: u64,
        /// Name.
        node: Cow<'a, str>,
        /// Bytes to transfer.
        bytes: u64,
    },
    /// A container runs.
    Start {
        /// When.
        t: u64,
        /// Name.
        container: Cow<'a, str>,
        /// Where.
        node: Cow<'a, str>,
    },
    /// A container exited.
    Exit {
        /// When.
        t: u64,
        /// Name.
        container: Cow<'a, str>,
        /// Where.
        node: Cow<'a, str>,
        /// Whether it failed.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        failed: bool,
        /// Whether it restarts there.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        restarts: bool,
    },
    /// A container was lost with its node, or moved off a draining one.
    Lose {
        /// When.
        t: u64,
        /// Name.
        container: Cow<'a, str>,
        /// Where it was.
        node: Cow<'a, str>,
        /// Whether it is placed again.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        reschedules: bool,
    },
    /// The run is over. A log without this line is torn.
    End {
        /// When.
        t: u64,
        /// The SHA-256 of all lines, each with a line feed, in hexadecimal; of this one, without it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sha256: Option<Cow<'a, str>>,
    },
}

/// What happened to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum NodeChange {
    Fail,
    Recover,
    Drain,
    Undrain,
    Join,
    Leave,
    Relabel,
    Health,
}

/// A request as it is logged: what is absent is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the fields are those of Request")]
pub struct LoggedRequest {
    #[serde(skip_serializing_if = "is_zero")]
    pub cpu_nanos: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub memory_bytes: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub extra: Vec<(String, u64)>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub image: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub network_mode: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exposed_ports: Vec<String>,
    /// (container port, host address, host port).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub port_bindings: Vec<(String, String, String)>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub volumes_from: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub constraints: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub affinities: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub whitelists: Vec<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub reschedule_on_node_failure: bool,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl From<&Request> for LoggedRequest {
    fn from(request: &Request) -> LoggedRequest {
        let binding = |binding: &PortBinding| {
            let texts = [&binding.container_port, &binding.host_ip, &binding.host_port];
            texts.map(|text| text.to_string()).into()
        };
        LoggedRequest {
            cpu_nanos: request.resources.cpus.nanos(),
            memory_bytes: request.resources.memory.get(),
            extra: request.extra.clone(),
            image: request.image.clone(),
            labels: request.labels.clone(),
            network_mode: request.network_mode.clone(),
            exposed_ports: request.exposed_ports.clone(),
            port_bindings: request.port_bindings.iter().map(binding).collect(),
            volumes_from: request.volumes_from.clone(),
            links: request.links.clone(),
            constraints: request.constraints.clone(),
            affinities: request.affinities.clone(),
            whitelists: request.whitelists.clone(),
            reschedule_on_node_failure: request.reschedule == ReschedulePolicy::OnNodeFailure,
        }
    }
}

impl From<LoggedRequest> for Request {
    fn from(logged: LoggedRequest) -> Request {
        let binding = |(container_port, host_ip, host_port): (String, String, String)| PortBinding {
            container_port: container_port.into(),
            host_ip: host_ip.into(),
            host_port: host_port.into(),
        };
        Request {
            resources: Resources::new(Cpus::from_nanos(logged.cpu_nanos), Bytes::new(logged.memory_bytes)),
            extra: logged.extra,
            image: logged.image,
            labels: logged.labels,
            network_mode: logged.network_mode,
            exposed_ports: logged.exposed_ports,
            port_bindings: logged.port_bindings.into_iter().map(binding).collect(),
            volumes_from: logged.volumes_from,
            links: logged.links,
            constraints: logged.constraints,
            affinities: logged.affinities,
            whitelists: logged.whitelists,
            reschedule: if logged.reschedule_on_node_failure {
                ReschedulePolicy::OnNodeFailure
            } else {
                ReschedulePolicy::Off
            },
        }
    }
}
