//! One container of a cluster.

use std::num::NonZeroU32;
use std::sync::Arc;

use crate::model::{Name, NodeIdx, PortBinding, Request};

/// A container as its owner, the [`Cluster`](super::Cluster), keeps it.
#[derive(Clone, Debug)]
pub struct Container {
    pub(super) request: Arc<Request>,
    pub(super) node: NodeIdx,
    /// Where the node's container list holds it.
    pub(super) slot: u32,
    /// That of its handle: which of the containers that have had its place it is.
    pub(super) generation: NonZeroU32,
    pub(super) pending: bool,
    /// Whether it has run and does not any more.
    pub(super) stopped: bool,
    /// Whether the node's sums include its reservation; see `Cluster::place`.
    pub(super) counted: bool,
    pub(super) name: Name,
    pub(super) identity: Option<Box<Identity>>,
}

/// What a daemon says of a container beyond what was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The daemon's ID, 64 hexadecimal digits; empty while the container is pending and in simulations.
    pub id: String,
    /// The cluster-wide ID that survives rescheduling (`com.docker.swarm.id`); may be empty.
    pub swarm_id: String,
    /// Names after the one it was placed with, without the leading slash.
    pub aliases: Vec<String>,
    /// Host ports as they really are, those that the daemon chose included.
    pub published: Vec<PortBinding>,
}

impl Container {
    /// What was asked for.
    pub fn request(&self) -> &Arc<Request> {
        &self.request
    }

    /// Where it is.
    pub fn node(&self) -> NodeIdx {
        self.node
    }

    /// Whether the node has yet to report it (`scheduler/RULES.md` §10).
    pub fn is_pending(&self) -> bool {
        self.pending
    }

    /// Whether it has run and does not any more. One that has yet to be started has not stopped.
    pub fn has_stopped(&self) -> bool {
        self.stopped
    }

    /// Its first name, without the leading slash; empty if it has none.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The daemon's ID; empty while pending and in simulations.
    pub fn id(&self) -> &str {
        self.identity.as_ref().map_or("", |identity| &identity.id)
    }

    /// The cluster-wide ID; may be empty.
    pub fn swarm_id(&self) -> &str {
        self.identity.as_ref().map_or("", |identity| &identity.swarm_id)
    }

    /// Names after the first.
    pub fn aliases(&self) -> &[String] {
        self.identity.as_ref().map_or(&[], |identity| &identity.aliases)
    }

    /// Host ports that the daemon reports.
    pub fn published(&self) -> &[PortBinding] {
        self.identity.as_ref().map_or(&[], |identity| &identity.published)
    }

    /// Every name, the first one first.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let first = (!self.name.is_empty()).then_some(&*self.name);
        first.into_iter().chain(self.aliases().iter().map(String::as_str))
    }
}
