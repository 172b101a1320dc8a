//! What happens in a run, as an observer is told.

use std::time::Duration;

use crate::cluster::Cluster;
use crate::model::{ContainerIdx, NodeIdx, Request, Time};
use crate::scheduler::{Rejection, SoftRules};

/// Somebody who watches a run. Watching changes nothing.
pub trait Observer {
    /// Called right after something happened at `time`; `cluster` already shows it.
    fn observe(&mut self, time: Time, cluster: &Cluster, observation: &Observation<'_>);
}

/// Who a container is, whether it is in the cluster or waiting.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Index into [`Plan::classes`](super::Plan::classes).
    pub class: usize,
    /// Its name, unique in the run.
    pub name: &'a str,
    /// What it asks for.
    pub request: &'a Request,
}

/// One thing that happened.
#[derive(Clone, Copy, Debug)]
pub enum Observation<'a> {
    /// The run begins. The nodes are there, the first arrival is not.
    Begin,
    /// A client asks for a container for the first time.
    Submitted {
        /// The container.
        subject: Subject<'a>,
        /// How long it will run; `None`: for ever.
        lifetime: Option<Duration>,
    },
    /// The scheduler decided, be it at the first or a later attempt, or to reschedule.
    Decided {
        /// The container.
        subject: Subject<'a>,
        /// What it decided.
        verdict: Verdict,
        /// Attempts so far, this one included.
        attempts: u32,
        /// Wall-clock nanoseconds that the decision took, if they are measured. Not part of the simulation.
        latency: Option<u64>,
    },
    /// A client was refused and will ask again.
    Retrying {
        /// The container.
        subject: Subject<'a>,
        /// When it asks again.
        again: Time,
    },
    /// A client was refused, or found others before it, and waits in the queue.
    Queued {
        /// The container.
        subject: Subject<'a>,
        /// Length of the queue, this one included.
        length: usize,
    },
    /// A client was refused for good. A container that was lost with its node and finds no other ends so too.
    GaveUp {
        /// The container.
        subject: Subject<'a>,
        /// Why its last attempt failed, or why no node can ever take it; `None` if it found the queue full.
        rejection: Option<Rejection>,
        /// Since it was submitted, or lost.
        waited: Duration,
    },
    /// A container runs: its image is there and the daemon has started it. Restarts are not reported again.
    Started {
        /// The container.
        subject: Subject<'a>,
        /// Where.
        node: NodeIdx,
        /// Its place in the cluster.
        container: ContainerIdx,
        /// Since it was placed: the wait for its image and for the daemon.
        delay: Duration,
    },
    /// A container exited.
    Exited {
        /// The container.
        subject: Subject<'a>,
        /// Where it ran.
        node: NodeIdx,
        /// Whether the exit was a failure.
        failed: bool,
        /// Whether its restart policy starts it again on the same node, where it keeps its reservation.
        restarts: bool,
    },
    /// A container was lost with its node, or moved off a draining one.
    Lost {
        /// The container.
        subject: Subject<'a>,
        /// Where it was.
        node: NodeIdx,
        /// Whether its policy has it placed again elsewhere.
        reschedules: bool,
    },
    /// A node begins to pull layers that it lacks.
    Pulling {
        /// The node.
        node: NodeIdx,
        /// Bytes to transfer.
        bytes: u64,
    },
    /// Something happened to a node. Its lost containers are reported after this.
    Node {
        /// The node.
        node: NodeIdx,
        /// What.
        change: NodeEvent,
    },
    /// Time to sample the cluster; also at the end of the warm-up and at the very end.
    Sample,
    /// The run is over.
    End,
}

/// A decision as observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The container was placed.
    Placed {
        /// Where.
        node: NodeIdx,
        /// Its place in the cluster.
        container: ContainerIdx,
        /// Whether soft expressions had to be dropped.
        soft: SoftRules,
        /// Since it was submitted, or lost.
        waited: Duration,
        /// Whether it had been placed before and was lost with its node.
        rescheduled: bool,
    },
    /// No node may take it now.
    Rejected(Rejection),
}

/// What happened to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeEvent {
    /// It failed.
    Failed,
    /// It recovered.
    Recovered,
    /// It takes no new containers.
    Drained,
    /// It takes containers again.
    Undrained,
    /// It joined the cluster.
    Joined,
    /// It left the cluster.
    Left,
    /// Its labels changed.
    Relabelled,
    /// Its health indicator changed to this.
    Health(u8),
}

/// Several observers, told in order.
pub struct Observers<'a>(pub Vec<&'a mut dyn Observer>);

impl Observer for Observers<'_> {
    fn observe(&mut self, time: Time, cluster: &Cluster, observation: &Observation<'_>) {
        for observer in &mut self.0 {
            observer.observe(time, cluster, observation);
        }
    }
}
