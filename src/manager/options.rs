//! What a manager is told when it is started.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::docker::Timeouts;
use crate::model::Overcommit;
use crate::net::{Address, Allowed};
use crate::scheduler::{Filter, Strategy, Strict};

/// Everything that the command line says about a manager, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// How the node for a container is chosen.
    pub strategy: Strategy,
    /// Which nodes are left to choose from, in the order in which the filters run.
    pub filters: Vec<Filter>,
    /// Which of the original's faults are corrected.
    pub strict: Strict,
    /// Addresses to listen on: `[tcp://|unix://]addr`, bare ones are tcp. The protocol is known to be one of these.
    pub hosts: Vec<String>,
    /// The files of the TLS material, not read yet; none for plain HTTP.
    pub tls: Option<TlsFiles>,
    /// Shortest time between two refreshes of a daemon; positive.
    pub refresh_min: Duration,
    /// Longest time between two refreshes of a daemon; not less than the shortest.
    pub refresh_max: Duration,
    /// Failures in a row after which a daemon is unhealthy; positive.
    pub failure_retry: u32,
    /// How long daemons are waited for.
    pub timeouts: Timeouts,
    /// Time between two looks at the discovery; at least a second.
    pub heartbeat: Duration,
    /// Whether answers carry CORS headers, so that web pages of all origins may read them, and give orders.
    pub cors: bool,
    /// What else than requests to the loopback, and of its own origin, is let in.
    pub allowed: Allowed,
    /// How long a client may leave an answer of the manager's own unread.
    pub unread_max: Duration,
    /// How much more than a node has may be reserved on it.
    pub overcommit: Overcommit,
    /// How often a failed create is tried again elsewhere.
    pub create_retry: u32,
    /// How long the names of an engine's containers stay taken after the discovery has ceased to list the engine, and a
    /// name that a daemon was asked to give a container without answering.
    pub name_retention: Duration,
    /// Whether a rescheduled container is started also if its engine stopped it while it was being stopped itself, and
    /// not only if it ran when the engine failed.
    pub start_interrupted: bool,
    /// Where the addresses of the daemons are kept; known to be a valid URL for [`crate::discovery::open`].
    pub discovery: String,
    /// Options of the discovery.
    pub discovery_options: BTreeMap<String, String>,
    /// Whether a listing that is filtered by a node's name refreshes that node first.
    pub refresh_on_node_filter: bool,
    /// A listing of containers that is filtered by exactly this name refreshes every daemon first; none does if it is
    /// empty.
    pub container_name_refresh_filter: String,
    /// The election of a primary among several managers; none if this one is alone.
    pub replication: Option<Replication>,
    /// Whether version and info call the manager experimental.
    pub experimental: bool,
    /// Whether what helps to find faults in the manager is served.
    pub debug: bool,
}

/// Files with certificates and keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// Certificates that sign trustworthy ones; there if `verify` is set.
    pub ca: Option<PathBuf>,
    /// The manager's own certificate.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// Whether daemons and clients must have certificates that the CA has signed.
    pub verify: bool,
}

/// How a manager takes part in an election.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replication {
    /// How long a primary may be silent before another one is elected; positive.
    pub ttl: Duration,
    /// `host:port` under which other managers reach this one.
    pub advertise: String,
}

impl Options {
    /// The defaults of the command line, for a cluster whose addresses are kept in the given place.
    pub fn new(discovery: &str) -> Options {
        Options {
            strategy: Strategy::Spread,
            filters: Filter::DEFAULT.to_vec(),
            strict: Strict::default(),
            hosts: vec!["tcp://127.0.0.1:2375".to_owned()],
            tls: None,
            refresh_min: Duration::from_secs(30),
            refresh_max: Duration::from_secs(60),
            failure_retry: 3,
            timeouts: Timeouts::default(),
            heartbeat: Duration::from_secs(60),
            cors: false,
            allowed: Allowed::default(),
            unread_max: Duration::from_secs(30),
            overcommit: Overcommit::DEFAULT,
            create_retry: 0,
            name_retention: Duration::from_secs(120),
            start_interrupted: true,
            discovery: discovery.to_owned(),
            discovery_options: BTreeMap::new(),
            refresh_on_node_filter: false,
            container_name_refresh_filter: String::new(),
            replication: None,
            experimental: false,
            debug: false,
        }
    }

    /// Everything that is let in.
    pub(super) fn admitted(&self) -> Allowed {
        let mut allowed = self.allowed.clone();
        allowed.any_origin |= self.cors;
        if let Some(replication) = &self.replication {
            // Replicas ask by this name.
            let own = Address::Tcp(replication.advertise.clone());
            allowed.hosts.push(own.host().to_owned());
        }
        allowed
    }
}
