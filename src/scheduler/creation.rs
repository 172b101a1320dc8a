//! The protocol around a decision: check the name, decide, reserve, and try again after failures
//! (`scheduler/RULES.md` §1.1 and §9). It does no I/O: the caller talks to the daemon and reports what it said.

mod error;

use std::sync::Arc;

use rand::Rng;

pub use error::{CreateError, DaemonError, demanded_system};

use crate::cluster::{Cluster, PlaceError, Placement};
use crate::model::{ContainerIdx, NodeIdx, Request};

use super::translate::{AFFINITIES, CONSTRAINTS, write_label};
use super::{Decision, Prepared, Rejection, Scheduler};

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
    let placed = Arc::clone(request.request());
    reserve_as(placed, scheduler, cluster, request, name, swarm_id, rng)
}

/// As [`reserve`], with a container that is not quite what was asked for.
fn reserve_as(
    placed: Arc<Request>,
    scheduler: &mut Scheduler,
    cluster: &mut Cluster,
    asked: &Prepared,
    name: &str,
    swarm_id: &str,
    rng: &mut impl Rng,
) -> Result<(ContainerIdx, Decision), ReserveError> {
    if let Some(conflict) = cluster.name_conflict(name) {
        return Err(ReserveError::Place(conflict));
    }
    let decision = scheduler.decide(cluster, asked, rng).map_err(ReserveError::Rejected)?;
    let placement = Placement {
        request: placed,
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
    let reserved = reserve(scheduler, cluster, request, name, swarm_id, rng);
    reserved.map_err(|error| error.in_words(request, scheduler))
}

/// As [`attempt`], at one node or not at all: for containers that only go together with others there. What is placed
/// may differ from what is asked for, as in [`Creation::attempt`].
pub fn attempt_at(
    scheduler: &Scheduler,
    cluster: &mut Cluster,
    node: NodeIdx,
    asked: &Prepared,
    placement: Placement,
) -> Result<ContainerIdx, CreateError> {
    if let Some(conflict) = cluster.name_conflict(&placement.name) {
        return Err(conflict.into());
    }
    let accepted = scheduler.judge(cluster, asked, node).map_err(ReserveError::Rejected);
    accepted.map_err(|error| error.in_words(asked, scheduler))?;
    Ok(cluster.place(node, placement)?)
}

impl ReserveError {
    fn in_words(self, request: &Prepared, scheduler: &Scheduler) -> CreateError {
        match self {
            ReserveError::Place(error) => CreateError::Place(error),
            ReserveError::Rejected(rejection) => CreateError::Rejected {
                rejection,
                message: rejection.message(request, &scheduler.settings().filters),
            },
        }
    }
}

/// The attempts at creating one container, and what each failure changes for the next one.
#[derive(Clone, Debug)]
pub struct Creation {
    request: Request,
    /// `swarm.createretry`.
    retries_max: u32,
    retries: u32,
    stage: Stage,
    /// The affinity that belongs to the attempt of [`Stage::ImageAffinity`] only.
    near_image: String,
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
            near_image: String::new(),
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
            asked.affinities.push(self.near_image.clone());
        }
        asked
    }

    /// One attempt: as [`attempt`], with what is asked for now. What is placed is [`Creation::request`].
    pub fn attempt(
        &self,
        scheduler: &mut Scheduler,
        cluster: &mut Cluster,
        name: &str,
        swarm_id: &str,
        rng: &mut impl Rng,
    ) -> Result<(ContainerIdx, Decision), CreateError> {
        let asked = scheduler.prepare(Arc::new(self.asked()));
        self.attempt_as(&asked, scheduler, cluster, name, swarm_id, rng)
    }

    /// The same with what is asked for prepared already, for callers that share the scheduler and prepare apart from it
    /// ([`Parser`](super::Parser)).
    pub fn attempt_as(
        &self,
        asked: &Prepared,
        scheduler: &mut Scheduler,
        cluster: &mut Cluster,
        name: &str,
        swarm_id: &str,
        rng: &mut impl Rng,
    ) -> Result<(ContainerIdx, Decision), CreateError> {
        let placed = Arc::new(self.request.clone());
        let reserved = reserve_as(placed, scheduler, cluster, asked, name, swarm_id, rng);
        reserved.map_err(|error| error.in_words(asked, scheduler))
    }

    /// Whether another attempt is due after this failure; [`Creation::asked`] then says with what.
    ///
    /// In this order: once more with the operating system that the daemon asked for, once more where the image already
    /// is, and then as often as `swarm.createretry` leaves. As in the original the texts decide, whoever wrote them.
    pub fn retry_after(&mut self, error: &CreateError, cluster: &Cluster) -> bool {
        if self.stage < Stage::OperatingSystem {
            self.stage = Stage::OperatingSystem;
            if let Some(system) = error.demanded_system() {
                let Request {
                    constraints, labels, ..
                } = &mut self.request;
                constraints.push(format!("ostype=={system}"));
                write_label(labels, CONSTRAINTS, constraints);
                self.retries += 1;
                return true;
            }
        }
        if self.stage < Stage::ImageAffinity {
            self.stage = Stage::ImageAffinity;
            let request = &mut self.request;
            if error.is_image_missing()
                && !has_hard_node_constraint(request)
                && let Some(affinity) = near_image(cluster, &request.image)
            {
                self.near_image = affinity;
                // The original adds the affinity to the label and removes it again, which can leave an empty list.
                write_label(&mut request.labels, AFFINITIES, &request.affinities);
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

/// Whether a constraint pins the container to a node by its text (`scheduler/RULES.md` §2.3): a glob counts, a soft one
/// does not.
fn has_hard_node_constraint(request: &Request) -> bool {
    let pinned = |text: &String| text.starts_with("node==") && !text.starts_with("node==~");
    request.constraints.iter().any(pinned)
}

/// The affinity for nodes that have this image, if any has it.
///
/// No value of an expression has an `@`, so that the original's attempt for an image with a digest always failed, and
/// with a message about the expression in place of what was wrong. Here the IDs stand for it.
fn near_image(cluster: &Cluster, image: &str) -> Option<String> {
    let held = cluster
        .nodes()
        .filter(|(_, node)| node.is_schedulable())
        .flat_map(|(_, node)| node.images());
    let mut held = held.filter(|candidate| candidate.matches(image));
    if !image.contains('@') {
        return held.next().map(|_| format!("image=={image}"));
    }
    let mut ids: Vec<&str> = held.map(|held| held.id.as_str()).filter(|id| !id.is_empty()).collect();
    ids.sort_unstable();
    ids.dedup();
    match ids.as_slice() {
        [] => None,
        [only] => Some(format!("image=={only}")),
        // Daemons with different stores know the same image by different IDs.
        several => Some(format!("image==/^({})$/", several.join("|"))),
    }
}
