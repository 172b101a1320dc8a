//! The protocol around a decision: check the name, decide, reserve, and try again after failures
//! (`scheduling.md` §1.1 and §9). It does no I/O: the caller talks to the daemon and reports what it said.

use std::sync::Arc;

use rand::Rng;

use crate::cluster::{Cluster, PlaceError, Placement};
use crate::model::{ContainerIdx, Request};

use super::{Decision, Prepared, Rejection, Scheduler};

/// Why a container was not created. The texts are the original's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CreateError {
    /// The name is taken, or the chosen node is gone.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// No node may take it.
    #[error("{message}")]
    Rejected {
        /// In short.
        rejection: Rejection,
        /// In the original's words.
        message: String,
    },
    /// The daemon did not create it.
    #[error(transparent)]
    Daemon(#[from] DaemonError),
}

/// A daemon's refusal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct DaemonError {
    /// The error text.
    pub text: String,
    /// Whether the daemon answered 404.
    pub not_found: bool,
}

/// Why no room was reserved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReserveError {
    /// The name is taken, or the chosen node is gone.
    Place(PlaceError),
    /// No node may take the container.
    Rejected(Rejection),
}

/// Checks the name, chooses a node and reserves the container's room there. Until the caller commits or removes it, the
/// container counts as placed.
pub fn reserve(
    scheduler: &mut Scheduler,
    cluster: &mut Cluster,
    request: &Prepared,
    name: &str,
    swarm_id: &str,
    rng: &mut impl Rng,
) -> Result<(ContainerIdx, Decision), ReserveError> {
    if cluster.is_name_taken(name) {
        return Err(ReserveError::Place(PlaceError::NameTaken(name.to_owned())));
    }
    let decision = scheduler
        .decide(cluster, request, rng)
        .map_err(ReserveError::Rejected)?;
    let placement = Placement {
        request: Arc::clone(request.request()),
        name: name.into(),
        swarm_id: swarm_id.to_owned(),
    };
    let container = cluster.place(decision.node, placement).map_err(ReserveError::Place)?;
    Ok((container, decision))
}

/// As [`reserve`], with an error that has the text for the client.
pub fn attempt(
    scheduler: &mut Scheduler,
    cluster: &mut Cluster,
    request: &Prepared,
    name: &str,
    swarm_id: &str,
    rng: &mut impl Rng,
) -> Result<(ContainerIdx, Decision), CreateError> {
    reserve(scheduler, cluster, request, name, swarm_id, rng).map_err(|error| match error {
        ReserveError::Place(error) => CreateError::Place(error),
        ReserveError::Rejected(rejection) => CreateError::Rejected {
            rejection,
            message: rejection.message(request, &scheduler.settings().filters),
        },
    })
}

/// The attempts at creating one container, and what each failure changes for the next one.
#[derive(Clone, Debug)]
pub struct Creation {
    request: Request,
    /// `swarm.createretry`.
    retries_max: u32,
    retries: u32,
    stage: Stage,
}

/// How far the fixed order of special retries has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    First,
    OperatingSystem,
    ImageAffinity,
    Plain,
}

impl Creation {
    /// Begins with a request and the number of plain retries (`swarm.createretry`).
    pub fn new(request: Request, retries_max: u32) -> Creation {
        Creation {
            request,
            retries_max,
            retries: 0,
            stage: Stage::First,
        }
    }

    /// The request as it stands, without an image affinity that belongs to one attempt only. It is what the container
    /// is created with.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// What the next attempt asks the scheduler for.
    pub fn asked(&self) -> Request {
        let mut asked = self.request.clone();
        if self.stage == Stage::ImageAffinity {
            asked.affinities.push(format!("image=={}", asked.image));
        }
        asked
    }

    /// Whether another attempt is due after this failure; [`Creation::asked`] then says with what.
    ///
    /// In this order: once more with the operating system that the daemon asked for, once more where the image already
    /// is, and then as often as `swarm.createretry` leaves.
    pub fn retry_after(&mut self, error: &CreateError, cluster: &Cluster) -> bool {
        let daemon = match error {
            CreateError::Daemon(daemon) => Some(daemon),
            CreateError::Place(_) | CreateError::Rejected { .. } => None,
        };
        if self.stage < Stage::OperatingSystem {
            self.stage = Stage::OperatingSystem;
            if let Some(system) = daemon.and_then(|daemon| demanded_system(&daemon.text)) {
                self.request.constraints.push(format!("ostype=={system}"));
                self.retries += 1;
                return true;
            }
        }
        if self.stage < Stage::ImageAffinity {
            self.stage = Stage::ImageAffinity;
            let missing = daemon.is_some_and(DaemonError::is_image_missing);
            if missing && !has_hard_node_constraint(&self.request) && is_image_somewhere(cluster, &self.request.image) {
                self.retries += 1;
                return true;
            }
        }
        self.stage = Stage::Plain;
        let due = self.retries < self.retries_max;
        self.retries += u32::from(due);
        due
    }
}

impl DaemonError {
    /// Whether the text says that the image or its repository cannot be found (§9.4).
    fn is_image_missing(&self) -> bool {
        let says_not_found = |word: &str| {
            self.text.match_indices(word).any(|(at, _)| {
                let after = &self.text[at + word.len()..];
                let name_end = after.find(char::is_whitespace).unwrap_or(after.len());
                after[name_end..].starts_with(" not found")
            })
        };
        self.not_found
            || says_not_found("image ")
            || says_not_found("repository ")
            || self.text.contains("repository does not exist")
    }
}

/// The operating system of an image that the daemon's platform cannot run (§9.3).
fn demanded_system(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("image operating system \"")?;
    let (system, rest) = rest.split_once('"')?;
    (!system.is_empty() && rest.starts_with(" cannot be used on this platform")).then_some(system)
}

/// Whether a constraint pins the container to a node by its text (§2.3): a glob counts, a soft one does not.
fn has_hard_node_constraint(request: &Request) -> bool {
    let pinned = |text: &String| text.starts_with("node==") && !text.starts_with("node==~");
    request.constraints.iter().any(pinned)
}

fn is_image_somewhere(cluster: &Cluster, image: &str) -> bool {
    let mut held = cluster
        .nodes()
        .filter(|(_, node)| node.is_schedulable())
        .flat_map(|(_, node)| node.images());
    held.any(|candidate| candidate.matches(image))
}
