//! The requests of a scenario over the Docker API, against any endpoint, and how long each took.
//!
//! Open loop: a request is due when the scenario says so, however late the answers to others are, and its latency counts
//! from then as well as from when it was sent; nothing is left out because the target was slow (no coordinated omission).
//! Closed loop: so many clients, each with its next request as soon as it has its last answer. Paired: one client that
//! asks an engine for the same as the target in front of it, which gives the target's own share.
//!
//! Must not know whether a daemon, a manager or a simulated engine answers.

mod body;
mod closed;
mod latency;
mod names;
mod open;
mod paired;
mod reading;
mod record;
mod worker;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

pub use body::create_body;
pub use closed::{closed, remove};
pub use latency::{Latencies, Operation};
pub use names::{Prefix, PrefixError};
pub use open::open;
pub use paired::{Paired, paired};
pub use reading::{Reading, get, read};
pub use record::{UnknownNode, record};

use crate::model::{Request, Time};
use crate::net::Address;
use crate::scheduler::Rejection;
use crate::sim::Plan;

/// What is asked, of whom, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whose requests.
    pub plan: Plan,
    /// The seed of everything random.
    pub seed: u64,
    /// Of whom.
    pub target: Address,
    /// Connections at the same time, at least one. With one, requests keep their order.
    pub connections: usize,
    /// Seconds of the scenario in one of the world.
    pub speed: f64,
    /// How long an answer is waited for.
    pub patience: Duration,
    /// What the names of containers begin with at the target.
    pub prefix: Prefix,
    /// Ends it early: nothing more is asked, and answers that are not there yet do not count.
    pub stop: CancellationToken,
}

/// What became of a container.
#[derive(Clone, Debug)]
pub struct Placed {
    /// When it was due.
    pub time: Time,
    /// Its name in the scenario, without the prefix.
    pub name: String,
    /// Its class, as an index into the plan's.
    pub class: usize,
    /// What it asked for.
    pub request: Arc<Request>,
    /// Where it is, or why it is nowhere.
    pub node: Result<String, String>,
    /// Why a scheduler found no node for it, if that is why.
    pub rejection: Option<Rejection>,
    /// When it had been created, or refused.
    pub answered: Time,
    /// When it had been started, if it was.
    pub started: Option<Time>,
    /// When it had been removed, if it was.
    pub removed: Option<Time>,
}

/// What was measured.
#[derive(Debug, Default)]
pub struct Measured {
    /// Every container, in the order in which they were due.
    pub placed: Vec<Placed>,
    /// How long each kind of request took.
    pub latencies: Latencies,
    /// What went wrong, and how often.
    pub errors: BTreeMap<String, u64>,
    /// From the first request to the last answer.
    pub elapsed: Duration,
    /// Whether it was ended early.
    pub is_partial: bool,
}

impl Measured {
    /// How many containers are, or were, somewhere.
    pub fn placements(&self) -> usize {
        self.placed.iter().filter(|placed| placed.node.is_ok()).count()
    }
}
