//! The nodes of a scenario as Docker engines on the wire: any client, and any manager, takes each for a daemon.
//!
//! Owns what daemons answer and how they misbehave. What becomes of containers is said by the state machine of the
//! simulation; a synchronous model without clock (`model`, `api`, `follow`) is asked by a thin shell of sockets and timers
//! (`serve`, `house`). Must not know who asks, or that anybody schedules.

mod address;
pub mod admin;
mod api;
mod clock;
mod fault;
mod follow;
mod house;
mod model;
mod published;
mod scripted;
mod serve;
mod session;

use std::net::SocketAddr;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use address::{AddressPlan, AddressPlanError};
pub use api::{Ask, Reply, answer};
pub use fault::{Crash, Delay, Faults};
pub use model::container::{CLASS, EXIT_CODE, LIFETIME};
pub use model::{Calendar, Model, Overlays, Refusal, Shared};

use crate::docker::Timestamp;
use crate::net::{Address, ListenError, Listener};
use crate::sim::{Fates, Plan};

use clock::Clock;
use house::{Engine, House};
use published::Ports;

/// Which engines there are, and how they live.
#[derive(Clone, Debug)]
pub struct Options {
    /// Their cluster, and what happens to it.
    pub plan: Plan,
    /// The seed of everything random.
    pub seed: u64,
    /// Where they listen, in the order of the plan's nodes.
    pub addresses: Vec<Address>,
    /// Seconds of the scenario in one of the world.
    pub speed: f64,
    /// Whether the scenario's failures happen.
    pub node_events: bool,
    /// Published ports on which connections are accepted at the same time, over all engines; 0 for none.
    pub published_ports: usize,
}

/// Why there are no engines.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// One of them cannot listen.
    #[error("{engine}: {source}")]
    Listen {
        /// Its name.
        engine: String,
        /// Why not.
        source: ListenError,
    },
    /// There are fewer addresses than nodes.
    #[error("{nodes} nodes need as many addresses, and there are {addresses}")]
    Addresses {
        /// Nodes of the scenario.
        nodes: usize,
        /// Addresses given.
        addresses: usize,
    },
}

/// Engines that run.
pub struct Engines {
    house: Arc<House>,
    tasks: TaskTracker,
}

/// Starts the engines of a scenario. When this returns, all of them listen. They end with `stop`.
///
/// # Errors
///
/// See [`StartError`]; none of them runs then.
pub async fn start(options: Options, stop: CancellationToken) -> Result<Engines, StartError> {
    let nodes = options.plan.nodes.len();
    if options.addresses.len() < nodes {
        return Err(StartError::Addresses {
            nodes,
            addresses: options.addresses.len(),
        });
    }
    let speed = options.speed;
    let shared = Arc::new(Shared {
        fates: Fates::new(options.seed),
        calendar: Calendar {
            epoch: Timestamp::now(),
            speed,
        },
        overlays: Overlays::default(),
        plan: options.plan,
    });
    let mut listeners = Vec::with_capacity(nodes);
    for (planned, address) in shared.plan.nodes.iter().zip(&options.addresses) {
        let fault = |source| StartError::Listen {
            engine: planned.name.clone(),
            source,
        };
        listeners.push(match planned.present {
            true => Some(Listener::bind(address, None).await.map_err(fault)?),
            false => None,
        });
    }
    let engines = options.addresses.iter().take(nodes).zip(&listeners);
    let engines = engines.enumerate().map(|(node, (address, listener))| {
        // The system may have chosen the port.
        let address = listener.as_ref().map_or(address, Listener::local_address);
        Engine::new(
            Model::new(Arc::clone(&shared), node),
            address.clone(),
            listener.is_some(),
        )
    });
    let ports = Ports::new(options.published_ports);
    let house = House::new(engines.collect(), Clock::new(speed), stop, options.seed, ports);
    let house = Arc::new(house);
    let tasks = TaskTracker::new();
    for (number, listener) in listeners.into_iter().enumerate() {
        tasks.spawn(serve::listen(Arc::clone(&house), number, listener));
    }
    tasks.spawn(house::tick(Arc::clone(&house)));
    tasks.spawn(published::keep(Arc::clone(&house)));
    if options.node_events {
        tasks.spawn(scripted::play(Arc::clone(&house), shared, options.seed));
    }
    tasks.close();
    Ok(Engines { house, tasks })
}

impl Engines {
    /// Where each engine listens, in the order of the plan's nodes.
    pub fn addresses(&self) -> Vec<Address> {
        self.house.engines.iter().map(|engine| engine.address.clone()).collect()
    }

    /// The number of the engine with this name.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.house.find(name)
    }

    /// Lets an engine misbehave from now on, or behave again.
    pub fn set_faults(&self, engine: usize, faults: Faults) {
        self.house.set_faults(engine, faults);
    }

    /// Ends an engine at once, with all its connections.
    pub fn crash(&self, engine: usize, crash: Crash) {
        self.house.crash(engine, crash);
    }

    /// Brings an engine back that has crashed.
    pub fn bring_back(&self, engine: usize) {
        self.house.bring_back(engine);
    }

    /// Breaks off the streams of events of an engine.
    pub fn drop_events(&self, engine: usize) {
        self.house.drop_events(engine);
    }

    /// Looks at an engine as it is now.
    pub fn look<T>(&self, engine: usize, look: impl FnOnce(&Model) -> T) -> T {
        self.house.engines[engine].with(&self.house, engine, |model| look(model))
    }

    /// Takes orders about faults from now on at a loopback address (see [`admin`]); gives where, as the system may choose
    /// the port.
    ///
    /// # Errors
    ///
    /// See [`AdminError`](admin::AdminError).
    pub async fn admit(&self, address: SocketAddr) -> Result<SocketAddr, admin::AdminError> {
        admin::listen(Arc::clone(&self.house), address).await
    }

    /// Waits until all of them have ended after they were told to.
    pub async fn ended(&self) {
        self.tasks.wait().await;
    }
}
