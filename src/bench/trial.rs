//! One case, ready to be measured.

use std::hint::black_box;
use std::sync::Arc;

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;

use crate::cluster::Cluster;
use crate::model::{Cpus, Request};
use crate::scheduler::{Prepared, Scheduler, Strategy, reserve};

use super::case::Case;
use super::subject::{Kind, Subject, SubjectError};

/// Name of the container that is placed and removed.
const CANDIDATE: &str = "swarmlab-candidate";

/// A cluster, a scheduler and a request. Each iteration reserves room for one more container and gives it back, so that
/// the cluster stays as it is while every decision follows a change.
#[derive(Debug)]
pub struct Trial {
    cluster: Cluster,
    scheduler: Scheduler,
    rng: ChaCha8Rng,
    asked: Asked,
    name: String,
}

#[derive(Debug)]
enum Asked {
    Again(Prepared),
    Anew(Box<Request>),
}

impl Trial {
    fn new(cluster: Cluster, mut scheduler: Scheduler, kind: &Kind) -> Trial {
        let asked = if kind.is_never_seen {
            Asked::Anew(Box::new(kind.request.clone()))
        } else {
            Asked::Again(scheduler.prepare(Arc::new(kind.request.clone())))
        };
        let mut name = CANDIDATE.to_owned();
        while cluster.is_name_taken(&name) {
            name.push('~');
        }
        Trial {
            cluster,
            scheduler,
            rng: ChaCha8Rng::seed_from_u64(1),
            asked,
            name,
        }
    }

    /// Decides once, and takes the decision back. A request that is asked anew is prepared as well.
    pub fn once(&mut self) {
        let anew = match &mut self.asked {
            Asked::Again(_) => None,
            Asked::Anew(request) => {
                request.resources.cpus = Cpus::from_nanos(request.resources.cpus.nanos() + 1);
                Some(self.scheduler.prepare(Arc::new(Request::clone(request))))
            }
        };
        let prepared = match (&anew, &self.asked) {
            (Some(prepared), _) | (None, Asked::Again(prepared)) => prepared,
            (None, Asked::Anew(_)) => unreachable!("a request that is asked anew has just been prepared"),
        };
        let placed = reserve(
            &mut self.scheduler,
            &mut self.cluster,
            prepared,
            &self.name,
            "",
            &mut self.rng,
        );
        if let Ok((container, _)) = black_box(placed) {
            self.cluster.remove(container);
        }
    }

    /// The cluster as it is between two decisions.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }
}

/// A subject, and the case of it that is being measured. The cluster is kept from one case to the next where they share
/// it, since building it takes longer than measuring.
#[derive(Debug)]
pub struct Stage {
    subject: Subject,
    built: Option<(usize, Option<Strategy>)>,
    trial: Option<Trial>,
}

impl Stage {
    /// Nothing is built yet.
    pub fn new(subject: Subject) -> Stage {
        Stage {
            subject,
            built: None,
            trial: None,
        }
    }

    /// What is measured.
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// Sets the stage for a case. `None` if there is no such kind of request.
    ///
    /// # Errors
    ///
    /// If the scenario's cluster cannot be brought about.
    pub fn trial(&mut self, case: &Case, interrupted: &dyn Fn() -> bool) -> Result<Option<&mut Trial>, SubjectError> {
        let Some(kind) = self.subject.kind(&case.kind).cloned() else {
            return Ok(None);
        };
        let wanted = (case.nodes, self.subject.depends_on_strategy().then_some(case.strategy));
        let cluster = match self.trial.take() {
            Some(trial) if self.built == Some(wanted) => trial.cluster,
            _ => self.subject.cluster(case.nodes, case.strategy, interrupted)?,
        };
        self.built = Some(wanted);
        let scheduler = Scheduler::new(self.subject.settings(case.strategy));
        Ok(Some(self.trial.insert(Trial::new(cluster, scheduler, &kind))))
    }

    /// The trial that the stage was last set for.
    pub fn current(&mut self) -> Option<&mut Trial> {
        self.trial.as_mut()
    }
}
