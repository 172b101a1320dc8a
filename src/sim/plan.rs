//! A checked scenario, ready to simulate: plain numbers, no text left to parse and no name left to resolve.

use std::sync::Arc;
use std::time::Duration;

use crate::cluster::NewNode;
use crate::model::{Labels, Name, Overcommit, Request, Resources, Time};
use crate::scheduler::{Filter, Strategy, Strict};

use super::sampler::Sampler;

/// Everything a run needs except its strategy and its seed.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The nodes, in the order of the scenario.
    pub nodes: Vec<NodePlan>,
    /// The images whose pull is modelled. An image that a class asks for and that is not here is there at once.
    pub images: Vec<ImagePlan>,
    /// Container classes.
    pub classes: Vec<ClassPlan>,
    /// What happens to nodes.
    pub events: Vec<EventPlan>,
    /// How to run.
    pub run: RunPlan,
}

/// One node.
#[derive(Clone, Debug)]
pub struct NodePlan {
    /// Unique name.
    pub name: String,
    /// The node group it came from.
    pub group: String,
    /// What it really has.
    pub capacity: Resources,
    /// How much more may be reserved on it.
    pub overcommit: Overcommit,
    /// Engine labels; `containerslots` among them if slots are limited.
    pub labels: Labels,
    /// Further resources in whole units, sorted by name.
    pub extra: Vec<(String, u64)>,
    /// Images it holds from the start.
    pub images: Vec<String>,
    /// Bytes per second at which it pulls images; `None` pulls in no time.
    pub bandwidth: Option<u64>,
    /// Whether it is in the cluster from the start (others may join by an event).
    pub present: bool,
}

impl NodePlan {
    /// The node as a cluster is given it, whose ID is its name.
    pub fn new_node(&self) -> NewNode {
        NewNode {
            id: self.name.clone(),
            name: self.name.clone(),
            capacity: self.capacity,
            overcommit: self.overcommit,
            labels: self.labels.clone(),
            extra: self.extra.clone(),
        }
    }
}

/// An image whose pull takes time.
#[derive(Clone, Debug)]
pub struct ImagePlan {
    /// Reference as classes ask for it.
    pub name: String,
    /// Its layers, shared with other images by identity.
    pub layers: Vec<Layer>,
}

/// One layer of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Identity: a node that holds it does not pull it again.
    pub id: u32,
    /// Size to transfer.
    pub bytes: u64,
}

/// A named kind of container.
#[derive(Clone, Debug)]
pub struct ClassPlan {
    /// Unique name; also the prefix of its containers' names.
    pub name: String,
    /// When containers are asked for, and what they look like.
    pub source: Source,
    /// Containers asked for at each arrival, at least one.
    pub replicas: u32,
    /// What happens when a container exits.
    pub restart: RestartPlan,
    /// Whether a container that has exited is removed, as with `docker run --rm`. One that stays keeps its
    /// reservation, its slot and its ports, as in the original, unless `stopped-ports` is among the corrections.
    pub remove_on_exit: bool,
    /// What its client does when no node can take it.
    pub on_rejection: OnRejection,
}

/// Where the containers of a class come from.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "a plan has a handful of classes")]
pub enum Source {
    /// Drawn from distributions.
    Synthetic {
        /// When they arrive.
        arrivals: Arrivals,
        /// No arrivals before.
        start: Time,
        /// No arrivals at or after.
        stop: Time,
        /// At most so many arrivals.
        limit: Option<u64>,
        /// The request, its CPU and memory excepted.
        request: Box<Request>,
        /// CPU in billionths.
        cpus: Sampler,
        /// Memory in bytes.
        memory: Sampler,
        /// How long a container runs, in nanoseconds from its start; `None` runs for ever.
        lifetime: Option<Sampler>,
    },
    /// Read from a trace.
    Trace(Arc<Trace>),
}

/// An arrival process. Rates are per second.
#[derive(Clone, Debug)]
pub enum Arrivals {
    /// Independent arrivals: exponential gaps.
    Poisson {
        /// Mean arrivals per second.
        rate: f64,
    },
    /// One arrival per interval, the first at the start.
    Fixed {
        /// Time between two.
        interval: Duration,
    },
    /// Groups of arrivals at the same instant.
    Burst {
        /// Arrivals per group.
        size: u32,
        /// Time between two groups, the first at the start.
        interval: Duration,
    },
    /// Poisson with a rate that follows a sine: `mean * (1 + amplitude * cos(2π (t - peak) / period))`.
    Diurnal {
        /// Mean arrivals per second.
        rate: f64,
        /// Relative swing, 0 to 1.
        amplitude: f64,
        /// Length of one cycle.
        period: Duration,
        /// When in the cycle the rate is highest.
        peak: Duration,
    },
    /// All at the start.
    AtStart {
        /// How many.
        count: u64,
    },
}

/// Containers recorded elsewhere, sorted by arrival.
#[derive(Clone, Debug)]
pub struct Trace {
    /// The distinct requests of the rows, so that equal ones are recognised as equal.
    pub requests: Vec<Request>,
    /// One row a container.
    pub rows: Vec<TraceRow>,
    /// Rows that were refused and skipped because the trace is read leniently.
    pub skipped: u64,
}

/// One container of a trace.
#[derive(Clone, Debug)]
pub struct TraceRow {
    /// When it is asked for.
    pub at: Time,
    /// How long it runs from its start; `None` runs for ever.
    pub lifetime: Option<Duration>,
    /// Index into [`Trace::requests`].
    pub request: u32,
    /// Its name in the trace, if it has one.
    pub name: Option<Name>,
}

/// What happens when a container exits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RestartPlan {
    /// Docker's restart policy.
    pub policy: Restart,
    /// Probability that an exit is a failure, 0 to 1.
    pub failure: f64,
    /// Time between an exit and the restart.
    pub delay: Duration,
}

/// Docker's restart policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    /// It stays exited.
    No,
    /// It restarts after a failure, at most so many times.
    OnFailure {
        /// `None`: as often as it fails.
        limit: Option<u32>,
    },
    /// It restarts whatever the reason.
    Always,
}

/// What a client does when no node can take its container. If none ever could, it gives up whatever this says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum OnRejection {
    /// It gives up.
    Drop,
    /// It asks again later.
    Retry {
        /// Wait before the first retry.
        backoff: Duration,
        /// Each further wait is so many times longer, at least 1.
        factor: f64,
        /// Longest wait.
        backoff_max: Duration,
        /// Retries before it gives up.
        limit: u32,
    },
    /// It waits in one queue of the whole cluster, which is tried in order of arrival whenever the cluster changes.
    Queue {
        /// Longest queue; who finds it full gives up. `None`: no limit.
        limit: Option<u32>,
        /// Whether it may pass those before it.
        discipline: Discipline,
    },
}

/// Whether a container in the queue may be placed before those that came earlier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Discipline {
    /// Never: one that finds no place holds up all that come after it.
    #[default]
    Fifo,
    /// If no node takes any of those now. No room is held for those that are passed.
    Backfill,
}

impl Discipline {
    /// Both, the default first.
    pub const ALL: [Discipline; 2] = [Discipline::Fifo, Discipline::Backfill];

    /// The name by which it is selected.
    pub const fn name(self) -> &'static str {
        match self {
            Discipline::Fifo => "fifo",
            Discipline::Backfill => "backfill",
        }
    }
}

impl Plan {
    /// The disciplines of the classes that queue, without repetitions.
    pub fn disciplines(&self) -> impl Iterator<Item = Discipline> {
        let used = |discipline: &Discipline| {
            let mut classes = self.classes.iter();
            classes.any(
                |class| matches!(class.on_rejection, OnRejection::Queue { discipline: own, .. } if own == *discipline),
            )
        };
        Discipline::ALL.into_iter().filter(used)
    }
}

/// Something that happens to nodes.
#[derive(Clone, Debug)]
pub struct EventPlan {
    /// The nodes concerned, as indices into [`Plan::nodes`].
    pub nodes: Vec<usize>,
    /// When, and how often.
    pub when: When,
    /// What.
    pub action: Action,
}

/// When an event happens.
#[derive(Clone, Debug)]
pub enum When {
    /// Once for each node, one after the other.
    At {
        /// For the first node.
        time: Time,
        /// Added for each further node; zero means all at once.
        stagger: Duration,
    },
    /// Again and again, independently for each node, in nanoseconds.
    Random {
        /// Time from recovery (or the start) to the next failure.
        between: Sampler,
    },
}

/// What happens to a node.
#[derive(Clone, Debug)]
pub enum Action {
    /// It fails and loses its containers; it recovers after the time, if there is one.
    Fail {
        /// Nanoseconds until it recovers; `None`: until an event recovers it.
        repair: Option<Sampler>,
    },
    /// It comes back, empty, with its images.
    Recover,
    /// It fails and recovers several times.
    Flap {
        /// How long it is down.
        down: Duration,
        /// How long it is up between.
        up: Duration,
        /// How many failures.
        times: u32,
    },
    /// It takes no new containers; those with the on-node-failure policy are placed elsewhere, the others run to their end.
    Drain,
    /// It takes containers again.
    Undrain,
    /// It enters the cluster, empty.
    Join,
    /// It leaves the cluster and its containers are lost as in a failure.
    Leave,
    /// Its labels change: `None` removes one.
    Relabel(Vec<(String, Option<String>)>),
    /// Its daemon misbehaves, and no run takes notice.
    Misbehave {
        /// How.
        misconduct: Box<Misconduct>,
        /// Until it behaves again; `None`: until the next such event.
        lasts: Option<Duration>,
    },
    /// Its health indicator changes, 0 to 100.
    Health(u8),
}

/// How a daemon misbehaves; by default not at all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Misconduct {
    /// Nobody can connect.
    pub refuse: bool,
    /// Requests are never answered.
    pub hang: bool,
    /// Answers make no sense.
    pub garbage: bool,
    /// Requests are answered with this status.
    pub status: Option<u16>,
    /// Answers take so many nanoseconds longer.
    pub delay: Option<Sampler>,
    /// The streams of its events break off.
    pub drop_events: bool,
    /// It ends, and comes back with its containers.
    pub crash: bool,
}

/// How to run.
#[derive(Clone, Debug)]
pub struct RunPlan {
    /// Seed of the first repetition; repetition `i` uses `seed + i`.
    pub seed: u64,
    /// How many seeds.
    pub repetitions: u32,
    /// When the run ends.
    pub end: End,
    /// Cut from the start of everything that is measured over time.
    pub warm_up: Duration,
    /// Time between two samples of the cluster.
    pub sample_interval: Duration,
    /// Time from a node's failure to the rescheduling of its containers.
    pub detection: Duration,
    /// Time a daemon needs to start a container once its image is there.
    pub start_latency: Duration,
    /// Strategies to compare; the first is the one that `run` uses.
    pub strategies: Vec<Strategy>,
    /// Filters, in order.
    pub filters: Vec<Filter>,
    /// Corrections of the original's behaviour.
    pub strict: Strict,
}

/// When a run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// At this time.
    At(Time),
    /// When nothing is left to happen but samples and random node events, at the latest at this time.
    Drained {
        /// `Time::MAX` if unlimited.
        at_most: Time,
    },
}
