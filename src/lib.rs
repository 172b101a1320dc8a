//! Docker Swarm's scheduler, simulated and measured.
//!
//! In reading order, each module below those that use it (ARCHITECTURE.md has the rules):
//!
//! * [`model`]: the nouns — amounts, time, labels, ports, requests.
//! * [`cluster`]: every fact about nodes and containers, in one place that alone may alter them.
//! * [`scheduler`]: which node takes a container, and why no other does.
//! * [`sim`]: virtual time, in which a workload and its faults drive the scheduler.
//! * [`scenario`]: the files in which people describe all that, and what is wrong with them.
//! * [`metrics`]: what a run comes to in numbers, and when two strategies really differ.
//! * [`eventlog`]: a run written down line by line, and repeated.
//! * [`experiment`]: every strategy with every seed.
//! * [`bench`]: how long a decision takes, and whether it takes longer than before.
//! * [`report`]: tables, files and pictures.
//! * [`net`]: sockets, TLS, tunnels and an HTTP client.
//! * [`docker`]: the language of one Docker daemon.
//! * [`discovery`]: who is in the cluster.
//! * [`tokens`]: the discovery service behind `token://`.
//! * [`manager`]: one Docker endpoint in front of many daemons.
//! * [`engines`]: simulated nodes that any client takes for Docker daemons.
//! * [`load`]: the requests of a scenario over the Docker API, and how long they take.
//! * [`scaletest`]: a manager in front of simulated engines, filled and measured.
//! * [`cli`]: the program.
//!
//! One decision, without a simulation around it:
//!
//! ```
//! use std::sync::Arc;
//! use rand::{SeedableRng, rngs::ChaCha8Rng};
//! use swarmlab::cluster::{Cluster, NewNode};
//! use swarmlab::model::{Bytes, Cpus, Request, Resources};
//! use swarmlab::scheduler::{Scheduler, Settings, Strategy, reserve};
//!
//! let mut cluster = Cluster::new();
//! for name in ["node-1", "node-2"] {
//!     let capacity = Resources::new(Cpus::whole(4), Bytes::from_gib(8));
//!     cluster.add_node(NewNode { name: name.into(), capacity, ..NewNode::default() });
//! }
//! let mut scheduler = Scheduler::new(Settings::new(Strategy::Spread));
//! let mut rng = ChaCha8Rng::seed_from_u64(1);
//! let resources = Resources::new(Cpus::from_millis(250), Bytes::from_mib(512));
//! let request = scheduler.prepare(Arc::new(Request { resources, ..Request::default() }));
//!
//! let (_, first) = reserve(&mut scheduler, &mut cluster, &request, "web-1", "", &mut rng).expect("there is room");
//! let (_, second) = reserve(&mut scheduler, &mut cluster, &request, "web-2", "", &mut rng).expect("there is room");
//! assert_eq!(cluster.node(first.node).name(), "node-1");
//! assert_eq!(cluster.node(second.node).name(), "node-2");
//! ```

#![warn(missing_docs)]

pub mod bench;
pub mod cli;
pub mod cluster;
pub mod discovery;
pub mod docker;
pub mod engines;
pub mod eventlog;
pub mod experiment;
pub mod load;
pub mod manager;
pub mod metrics;
pub mod model;
pub mod net;
pub mod report;
pub mod scaletest;
pub mod scenario;
pub mod scheduler;
pub mod sim;
pub mod tokens;
