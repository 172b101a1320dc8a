//! The arguments of the live commands. Their help, completions and manual pages are made from these types.
//!
//! Defaults and names are the original's. Spans stay text here: whether they are valid is said in the original's order.

use clap::{ArgAction, Args, Subcommand};

use super::go;

/// Options before the command.
#[derive(Clone, Debug, Args)]
pub struct GlobalArguments {
    /// Log everything (live commands) [$DEBUG]
    #[arg(long)]
    pub debug: bool,
    /// Log level: debug, info, warn, error, fatal or panic (live commands)
    #[arg(long, short = 'l', value_name = "LEVEL")]
    pub log_level: Option<String>,
    /// Call the manager experimental in version and info (live commands)
    #[arg(long)]
    pub experimental: bool,
    /// Print version
    #[arg(long, short = 'v', visible_short_alias = 'V', action = ArgAction::Version)]
    pub version: Option<bool>,
}

/// Commands that deal with real daemons, with the command lines of Docker's standalone Swarm.
#[derive(Debug, Subcommand)]
pub enum LiveCommand {
    /// Manage a cluster of Docker daemons through one Docker API
    #[command(visible_alias = "m")]
    Manage(Box<ManageArguments>),
    /// Join a cluster: announce a daemon's address, again and again
    #[command(visible_alias = "j")]
    Join(JoinArguments),
    /// List the addresses in a cluster
    #[command(visible_alias = "l")]
    List(ListArguments),
    /// Create a cluster of a discovery service, and print its token
    #[command(visible_alias = "c")]
    Create(CreateArguments),
    /// Serve token:// discovery: clusters and their addresses, kept in a file
    DiscoveryService(ServiceArguments),
}

#[derive(Clone, Debug, Args)]
pub struct ManageArguments {
    /// Placement strategy [spread, binpack, random]
    #[arg(long, value_name = "NAME", default_value = "spread")]
    pub strategy: String,
    /// Filter to use instead of the default ones, which are
    /// [health, port, containerslots, dependency, affinity, constraint, whitelist]
    #[arg(long, short, value_name = "NAME")]
    pub filter: Vec<String>,
    /// Correct a fault of the original's scheduling that clients may rely on, several apart with commas:
    /// globs (only * is special in values that are no /regex/), port-protocol (53/udp and 53/tcp do not clash),
    /// capacity (a node is full at 100 %, not just below 101 %), random-capacity (random skips full nodes),
    /// whitelist (key and operator of a whitelist count), stopped-ports (a container that has stopped holds no ports;
    /// if another takes them, its engine refuses to start it again)
    #[arg(long, value_name = "NAME", value_delimiter = ',', verbatim_doc_comment)]
    pub strict: Vec<String>,
    /// Address to listen on, [tcp://|unix://]addr; tcp://127.0.0.1:2375 if there is none [$SWARM_HOST]
    #[arg(long, short = 'H', value_name = "ADDRESS")]
    pub host: Vec<String>,
    /// Be one of several managers that elect a primary
    #[arg(long)]
    pub replication: bool,
    /// How long a primary may be silent before another one is elected
    #[arg(long, value_name = "TIME", default_value = "20s")]
    pub replication_ttl: String,
    /// Address under which other managers reach this one [$SWARM_ADVERTISE]
    #[arg(long, visible_alias = "addr", value_name = "ADDRESS")]
    pub advertise: Option<String>,
    #[command(flatten)]
    pub tls: TlsArguments,
    /// Shortest time between two refreshes of an engine
    #[arg(long, value_name = "TIME", default_value = "30s")]
    pub engine_refresh_min_interval: String,
    /// Longest time between two refreshes of an engine
    #[arg(long, value_name = "TIME", default_value = "60s")]
    pub engine_refresh_max_interval: String,
    /// Failures in a row after which an engine is unhealthy
    #[arg(long, value_name = "N", default_value = "3", value_parser = go::parse_int)]
    pub engine_failure_retry: i64,
    /// Deprecated; use --engine-failure-retry
    #[arg(long, value_name = "N", default_value = "3", value_parser = go::parse_int)]
    pub engine_refresh_retry: i64,
    /// Which rescheduled containers are started: all that ran when their engine failed or began to stop (interrupted), or,
    /// as in the original, only those that ran when it was found unhealthy, and so none that it had stopped itself (running)
    #[arg(long, value_name = "WHICH", default_value = "interrupted")]
    pub reschedule_start: String,
    /// Time between two looks at the discovery
    #[arg(long, value_name = "TIME", default_value = "60s")]
    pub heartbeat: String,
    /// Send CORS headers, and let web pages of all origins give orders
    #[arg(long, visible_alias = "cors")]
    pub api_enable_cors: bool,
    /// Name by which requests may ask for this manager while it listens on the loopback without TLS
    #[arg(long, value_name = "NAME")]
    pub allowed_host: Vec<String>,
    /// Origin of web pages that may give orders, such as https://panel.example
    #[arg(long, value_name = "ORIGIN")]
    pub allowed_origin: Vec<String>,
    /// Cluster driver [swarm]
    #[arg(long, short = 'c', value_name = "NAME", default_value = "swarm")]
    pub cluster_driver: String,
    /// Option of the cluster driver:
    /// swarm.overcommit=0.05 (share of overcommitted resources), swarm.createretry=0 (retries of a failed create),
    /// swarm.nameretention=2m (how long the names on an engine that leaves the discovery's list stay taken)
    #[arg(long, value_name = "KEY=VALUE")]
    pub cluster_opt: Vec<String>,
    /// Option of the discovery
    #[arg(long, value_name = "KEY=VALUE")]
    pub discovery_opt: Vec<String>,
    /// Where the discovery service of token:// is, http(s)://host:port [$SWARM_DISCOVERY_URL]
    #[arg(long, value_name = "URL")]
    pub discovery_url: Option<String>,
    /// Refresh an engine first when containers are listed by its name
    #[arg(long)]
    pub refresh_on_node_filter: bool,
    /// Refresh all engines first when containers are listed by this name
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub container_name_refresh_filter: String,
    /// Where the addresses of the cluster are kept [$SWARM_DISCOVERY]
    #[arg(value_name = "discovery")]
    pub discovery: Vec<String>,
}

#[derive(Clone, Debug, Args)]
pub struct JoinArguments {
    /// Address under which the manager reaches the daemon, ip:port or hostname:port [$SWARM_ADVERTISE]
    #[arg(long, visible_alias = "addr", value_name = "ADDRESS")]
    pub advertise: Option<String>,
    /// Time between two registrations
    #[arg(long, value_name = "TIME", default_value = "60s")]
    pub heartbeat: String,
    /// Time after which a registration that is not renewed expires
    #[arg(long, value_name = "TIME", default_value = "180s")]
    pub ttl: String,
    /// Longest random delay before the first registration
    #[arg(long, value_name = "TIME", default_value = "0s")]
    pub delay: String,
    /// Option of the discovery
    #[arg(long, value_name = "KEY=VALUE")]
    pub discovery_opt: Vec<String>,
    /// Where the discovery service of token:// is, http(s)://host:port [$SWARM_DISCOVERY_URL]
    #[arg(long, value_name = "URL")]
    pub discovery_url: Option<String>,
    /// Where the addresses of the cluster are kept [$SWARM_DISCOVERY]
    #[arg(value_name = "discovery")]
    pub discovery: Vec<String>,
}

#[derive(Clone, Debug, Args)]
pub struct ListArguments {
    /// How long to wait for the list
    #[arg(long, value_name = "TIME", default_value = "10s")]
    pub timeout: String,
    /// Option of the discovery
    #[arg(long, value_name = "KEY=VALUE")]
    pub discovery_opt: Vec<String>,
    /// Where the discovery service of token:// is, http(s)://host:port [$SWARM_DISCOVERY_URL]
    #[arg(long, value_name = "URL")]
    pub discovery_url: Option<String>,
    /// Where the addresses of the cluster are kept [$SWARM_DISCOVERY]
    #[arg(value_name = "discovery")]
    pub discovery: Vec<String>,
}

// No text for users: it would become the help of the commands that have these.
#[derive(Clone, Debug, Default, Args)]
pub struct TlsArguments {
    /// Use TLS; --tlsverify implies it
    #[arg(long)]
    pub tls: bool,
    /// Trust only certificates signed by this CA
    #[arg(long, value_name = "FILE")]
    pub tlscacert: Option<String>,
    /// Certificate for TLS
    #[arg(long, value_name = "FILE")]
    pub tlscert: Option<String>,
    /// Key for TLS
    #[arg(long, value_name = "FILE")]
    pub tlskey: Option<String>,
    /// Use TLS and verify the other side
    #[arg(long)]
    pub tlsverify: bool,
}

#[derive(Clone, Debug, Args)]
pub struct ServiceArguments {
    /// Address to listen on, [tcp://|unix://]addr
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<String>,
    /// File with the clusters and their addresses; it is made if there is none
    #[arg(long, value_name = "FILE")]
    pub data: Option<String>,
    /// Clusters that there may be
    #[arg(long, value_name = "N", default_value = "10000", value_parser = go::parse_int)]
    pub max_clusters: i64,
    /// Addresses that a cluster may have
    #[arg(long, value_name = "N", default_value = "10000", value_parser = go::parse_int)]
    pub max_entries: i64,
    /// Connections at the same time, half of them to one client
    #[arg(long, value_name = "N", default_value = "1000", value_parser = go::parse_int)]
    pub max_connections: i64,
    /// Requests a second from one client, and twice as many at once; 0 for any number
    #[arg(long, value_name = "N", default_value = "50", value_parser = go::parse_int)]
    pub rate: i64,
    /// Name by which requests may ask for this service while it listens on the loopback without TLS
    #[arg(long, value_name = "NAME")]
    pub allowed_host: Vec<String>,
    #[command(flatten)]
    pub tls: TlsArguments,
    /// Nothing; there is a complaint if something is given
    #[arg(hide = true)]
    pub arguments: Vec<String>,
}

#[derive(Clone, Debug, Args)]
pub struct CreateArguments {
    /// Option of the discovery
    #[arg(long, value_name = "KEY=VALUE")]
    pub discovery_opt: Vec<String>,
    /// Where the discovery service of token:// is, http(s)://host:port [$SWARM_DISCOVERY_URL]
    #[arg(long, value_name = "URL")]
    pub discovery_url: Option<String>,
    /// Nothing; there is a complaint if something is given
    #[arg(hide = true)]
    pub arguments: Vec<String>,
}
