//! The live driver: one Docker endpoint in front of many daemons, with the scheduler deciding where containers go.
//!
//! Owns concurrency, retries and the health of daemons. Must not hold a scheduling rule.
//!
//! One lock holds everything that is known ([`keeper`]); one task for each engine keeps it true ([`engine`]); requests
//! are answered from it, passed on to a daemon, or connected through ([`server`], [`routes`]).

#[doc = include_str!("manager/RULES.md")]
pub mod rules {
    #[doc = include_str!("manager/API.md")]
    pub mod api {}

    #[doc = include_str!("manager/DISCOVERY.md")]
    pub mod discovery {}
}

mod answer;
mod build;
mod campaign;
mod config;
mod containers;
mod create;
mod engine;
mod events;
mod fleet;
mod hijack;
mod hub;
mod images;
mod info;
mod keeper;
mod limits;
mod looks;
mod metrics;
mod networks;
mod options;
mod proxy;
mod pull;
mod references;
mod replica;
mod reschedule;
mod role;
mod routes;
mod server;
mod state;
mod system;
mod versions;
mod volumes;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper::StatusCode;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::info;

pub use options::{Options, Replication, TlsFiles};

use crate::discovery::{self, DiscoveryError, Election};
use crate::net::tls::{self, TlsError};
use crate::net::{Address, AddressError, Guard, ListenError, Listener, Tls};
use crate::scheduler::{Parser, Settings};

use answer::{Answer, Failure};
use fleet::Fleet;
use hub::Hub;
use keeper::Keeper;
use metrics::Metrics;
use proxy::After;
use role::Role;
use routes::Action;
use server::Call;
use state::{Rules, State};
use system::Pruned;

/// What clients take the manager for: the version of Swarm whose behaviour this is.
const SERVER_VERSION: &str = "swarm/1.2.9";

/// How long streams may go on after the manager was told to stop.
const DRAIN: Duration = Duration::from_secs(10);

/// Engines whose containers are read for the first time at the same time.
const READERS: usize = 64;

/// Requests that take long to read which are read at the same time: what is left of the machine is for all others.
const PARSING: usize = 2;

/// Why a manager does not start, or ends.
#[derive(Debug, thiserror::Error)]
pub enum ManageError {
    /// The TLS material cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// An address to listen on is none.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// An address cannot be listened on.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The discovery cannot be opened.
    #[error(transparent)]
    Discovery(#[from] DiscoveryError),
    /// A back end that nothing can be elected through.
    #[error("Leader election is only supported with consul, etcd and zookeeper discovery.")]
    CannotElect,
}

/// Everything that a running manager has.
#[derive(Debug)]
struct Manager {
    options: Options,
    keeper: Keeper,
    /// Prepares requests for the scheduler apart from the lock around that one.
    parser: Mutex<Parser>,
    /// Turns for preparing requests, and reading configurations, that take long.
    parsing: Semaphore,
    hub: Hub,
    metrics: Metrics,
    builds: build::Builds,
    fleet: Fleet,
    office: role::Office,
    relay: replica::Relay,
    agreed: versions::Agreed,
    /// Turns for reading everything that is on an engine for the first time.
    readers: Semaphore,
    /// Work about engines that nobody waits for.
    fleet_tasks: TaskTracker,
    looks: Arc<looks::Looks>,
    /// Told when an engine has failed.
    strays: Notify,
    /// Held while engines that came back are compared with the others, so that of two copies only one goes.
    welcoming: tokio::sync::Mutex<()>,
    tls: Option<Tls>,
    /// Told when the manager is to stop.
    stop: CancellationToken,
    connections: TaskTracker,
}

/// Runs a manager until `stop` is told, and then lets connections finish for a while. `seed` makes the IDs of containers
/// and what the strategy `random` draws.
///
/// # Errors
///
/// The manager cannot start: see [`ManageError`].
pub async fn run(options: Options, seed: [u8; 32], stop: CancellationToken) -> Result<(), ManageError> {
    start(options, seed, stop).await?.ended().await;
    Ok(())
}

/// A manager that listens.
#[derive(Debug)]
pub struct Running {
    addresses: Vec<Address>,
    work: tokio::task::JoinHandle<()>,
}

impl Running {
    /// Where clients are listened to, in the order of the options, with the ports that the system chose.
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// Waits until the manager has stopped. Giving up waiting does not stop it.
    pub async fn ended(self) {
        if let Err(error) = self.work.await {
            tracing::error!("The manager ended before it was told to: {error}");
        }
    }
}

/// The same as [`run`], in a task of its own: returns as soon as the manager listens. To be called inside a tokio
/// runtime.
///
/// # Errors
///
/// The manager cannot start: see [`ManageError`].
pub async fn start(options: Options, seed: [u8; 32], stop: CancellationToken) -> Result<Running, ManageError> {
    let tls = options.tls.as_ref().map(|files| {
        tls::load(&tls::Files {
            ca: files.ca.clone(),
            cert: files.cert.clone(),
            key: files.key.clone(),
            verify: files.verify,
        })
    });
    let tls = tls.transpose()?;
    let discovery = discovery::open(&options.discovery, &options.discovery_options)?;
    let election = match &options.replication {
        Some(_) => Some(discovery.election().ok_or(ManageError::CannotElect)?),
        None => None,
    };
    let settings = Settings {
        filters: options.filters.clone(),
        strategy: options.strategy,
        strict: options.strict,
    };
    let rules = Rules {
        overcommit: options.overcommit,
        failures_max: options.failure_retry,
        name_retention: options.name_retention,
    };
    let (mut listeners, mut addresses) = (Vec::new(), Vec::new());
    for host in &options.hosts {
        let asked = Address::parse(host)?;
        let listener = Listener::bind(&asked, tls.clone()).await?;
        let address = listener.local_address();
        let (proto, addr) = match address {
            Address::Tcp(addr) => ("tcp", addr.clone()),
            Address::Unix(path) => ("unix", path.display().to_string()),
        };
        info!(proto, addr, "Listening for HTTP");
        let guard = Guard::new(&asked, address, tls.is_some(), &options.admitted());
        addresses.push(address.clone());
        listeners.push((listener, guard));
    }
    let manager = Arc::new(Manager {
        parser: Mutex::new(Parser::new(settings.strict)),
        parsing: Semaphore::new(PARSING),
        keeper: Keeper::new(State::new(settings, rules, ChaCha8Rng::from_seed(seed))),
        hub: Hub::new(),
        metrics: Metrics::new(),
        builds: build::Builds::default(),
        fleet: Fleet::default(),
        office: role::Office::new(match options.replication {
            Some(_) => Role::Replica(None),
            None => Role::Alone,
        }),
        relay: replica::Relay::default(),
        agreed: versions::Agreed::default(),
        readers: Semaphore::new(READERS),
        fleet_tasks: TaskTracker::new(),
        looks: Arc::default(),
        strays: Notify::new(),
        welcoming: tokio::sync::Mutex::new(()),
        tls,
        stop,
        connections: TaskTracker::new(),
        options,
    });
    let work = tokio::spawn(manager.work(listeners, discovery, election));
    Ok(Running { addresses, work })
}

impl Manager {
    /// Does everything until the manager is told to stop, and then lets connections finish for a while.
    async fn work(
        self: Arc<Self>,
        listeners: Vec<(Listener, Guard)>,
        discovery: Arc<dyn discovery::Discovery>,
        election: Option<Election>,
    ) {
        let mut serving = tokio::task::JoinSet::new();
        for (listener, guard) in listeners {
            serving.spawn(server::serve(Arc::clone(&self), listener, guard));
        }
        let follow = tokio::spawn(Arc::clone(&self).follow_discovery(discovery));
        let rescue = tokio::spawn(Arc::clone(&self).keep_rescuing());
        let campaign = tokio::spawn(Arc::clone(&self).keep_campaigning(election));
        self.stop.cancelled().await;
        // Before connections are let finish: another manager can go on meanwhile.
        if let Err(error) = campaign.await {
            tracing::error!("The election was given up: {error}");
        }
        serving.join_all().await;
        follow.abort();
        rescue.abort();
        self.connections.close();
        if tokio::time::timeout(DRAIN, self.connections.wait()).await.is_err() {
            let left = self.connections.len();
            tracing::warn!("{left} connections are cut off after {} s", DRAIN.as_secs());
        }
        self.dismiss_all();
    }
}

/// Does what a request asks for.
async fn handle(call: Call) -> Result<Answer, Failure> {
    match call.matched.action {
        Action::Ping => Ok(info::ping()),
        Action::Info => info::info(call).await,
        Action::Version => Ok(info::version(&call)),
        Action::Events => events::stream(&call),
        Action::Metrics => metrics::show(&call.manager),
        Action::ListContainers => containers::list(call).await,
        Action::InspectContainer => containers::inspect(call).await,
        Action::CreateContainer => create::create(call).await,
        Action::StartContainer => containers::start(call).await,
        Action::RemoveContainer => containers::remove(call).await,
        Action::RenameContainer => containers::rename(call).await,
        Action::ProxyContainer => proxy::container(call, After::Nothing).await,
        Action::ProxyAndRefreshContainer => proxy::container(call, After::Container).await,
        Action::HijackContainer => hijack::container(call).await,
        Action::CreateExec => proxy::create_exec(call).await,
        Action::ProxyExec => proxy::exec(call).await,
        Action::StartExec => hijack::exec(call).await,
        Action::Commit => proxy::commit(call).await,
        Action::ListImages => images::list(&call),
        Action::SearchImages | Action::Authenticate => images::anywhere(call).await,
        Action::SaveImages => images::save_several(call).await,
        Action::SaveImage => images::save(call).await,
        Action::ProxyImage => images::proxy(call).await,
        Action::PullImage => pull::create(call).await,
        Action::LoadImage => pull::load(call).await,
        Action::PushImage => images::push(call).await,
        Action::TagImage => images::tag(call).await,
        Action::RemoveImage => images::remove(call).await,
        Action::VisualiseImages => Err(Failure::new(
            StatusCode::NOT_IMPLEMENTED,
            "Not supported in clustering mode.",
        )),
        Action::Build => build::build(call).await,
        Action::CancelBuild => build::cancel(call).await,
        Action::Session => build::session(call).await,
        Action::ListNetworks => networks::list(&call).await,
        Action::InspectNetwork => networks::inspect(&call).await,
        Action::CreateNetwork => networks::create(call).await,
        Action::ConnectNetwork => networks::connect(call).await,
        Action::DisconnectNetwork => networks::disconnect(call).await,
        Action::RemoveNetwork => networks::remove(call).await,
        Action::ListVolumes => volumes::list(&call),
        Action::InspectVolume => volumes::inspect(&call),
        Action::CreateVolume => volumes::create(call).await,
        Action::RemoveVolume => volumes::remove(call).await,
        Action::PruneContainers => system::prune(call, Pruned::Containers).await,
        Action::PruneImages => system::prune(call, Pruned::Images).await,
        Action::PruneNetworks => system::prune(call, Pruned::Networks).await,
        Action::PruneVolumes => system::prune(call, Pruned::Volumes).await,
        Action::PruneBuilds => system::prune(call, Pruned::Builds).await,
        Action::DiskUsage => system::disk_usage(call).await,
    }
}
