//! The queue of those that no node takes now.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use crate::scheduler::Rejection;
use crate::sim::observation::{Observation, Observer};
use crate::sim::plan::{Discipline, OnRejection};

use super::{JobIdx, World};

/// How many of the queue are looked at when the cluster changes: a queue of a million would otherwise be gone through at
/// every exit of a container.
const DEPTH: usize = 1000;

/// Changes to nodes, and commits, which need not change one.
type Happened = (u64, u64);

/// Who waits, in order of arrival.
#[derive(Default)]
pub(super) struct Waiting {
    jobs: VecDeque<JobIdx>,
    /// What had happened to the cluster when nobody in the queue could be placed.
    settled_at: Option<Happened>,
    /// How often something had been ruled out for all nodes when the queue was last rid of those that wait in vain.
    dismissed_at: u64,
    /// The requests that were refused while the queue is gone through, by their hashes, each with an example.
    refused: FxHashMap<u64, JobIdx>,
}

impl Waiting {
    pub(super) fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    /// Nobody in the queue can be placed before more happens.
    pub(super) fn refused_at(&mut self, happened: Happened) {
        self.settled_at = Some(happened);
    }
}

impl World<'_> {
    /// Who may pass whom, if the job's class queues.
    pub(super) fn discipline(&self, job: JobIdx) -> Option<Discipline> {
        match self.class(job).on_rejection {
            OnRejection::Queue { discipline, .. } => Some(discipline),
            OnRejection::Drop | OnRejection::Retry { .. } => None,
        }
    }

    pub(super) fn enqueue(&mut self, job: JobIdx, rejection: Option<Rejection>, observer: &mut dyn Observer) {
        let limit = match self.class(job).on_rejection {
            OnRejection::Queue { limit, .. } => limit,
            OnRejection::Drop | OnRejection::Retry { .. } => None,
        };
        if limit.is_some_and(|limit| self.waiting.jobs.len() >= limit as usize) {
            return self.give_up(job, rejection, observer);
        }
        self.waiting.jobs.push_back(job);
        let length = self.waiting.jobs.len();
        self.tell(observer, job, |subject| Observation::Queued { subject, length });
    }

    /// Places whom it can of the queue, if the cluster has changed since it could not.
    pub(super) fn serve_queue(&mut self, observer: &mut dyn Observer) {
        self.dismiss_hopeless(observer);
        while !self.waiting.is_empty() && self.waiting.settled_at != Some(self.happened()) {
            if self.go_through_queue(observer) {
                self.waiting.settled_at = Some(self.happened());
            }
        }
    }

    /// Tries everybody whose turn it is, in order. Whether all that wait were refused by the cluster as it is now.
    fn go_through_queue(&mut self, observer: &mut dyn Observer) -> bool {
        let may_pass = self.passing;
        let mut place = 0;
        let mut is_settled = true;
        self.waiting.refused.clear();
        while place < DEPTH {
            let Some(job) = self.waiting.jobs.get(place).copied() else {
                break;
            };
            if place > 0 && (self.discipline(job) != Some(Discipline::Backfill) || self.was_refused(job)) {
                place += 1;
                continue;
            }
            if self.attempt(job, observer).is_ok() {
                self.waiting.jobs.remove(place);
                // Somebody before it may have waited for it.
                is_settled = place == 0;
                continue;
            }
            if !may_pass {
                return true;
            }
            self.waiting.refused.insert(self.jobs[job as usize].request.hash(), job);
            place += 1;
        }
        is_settled
    }

    /// Whether an equal request was refused while the queue is gone through.
    fn was_refused(&self, job: JobIdx) -> bool {
        let request = &self.jobs[job as usize].request;
        let example = self.waiting.refused.get(&request.hash());
        example.is_some_and(|example| self.jobs[*example as usize].request.is_same(request))
    }

    /// Those in the queue that no node can ever take any more give up.
    fn dismiss_hopeless(&mut self, observer: &mut dyn Observer) {
        let Some(prospects) = self.prospects.as_mut() else {
            return;
        };
        prospects.refresh(&self.nodes, self.now);
        let shrunk = prospects.shrunk();
        if self.waiting.is_empty() || std::mem::replace(&mut self.waiting.dismissed_at, shrunk) == shrunk {
            return;
        }
        let waiting = std::mem::take(&mut self.waiting.jobs);
        for job in waiting {
            match self.never_fits(job) {
                Some(rejection) => self.give_up(job, Some(rejection), observer),
                None => self.waiting.jobs.push_back(job),
            }
        }
        // There may be a new head.
        self.waiting.settled_at = None;
    }

    pub(super) fn happened(&self) -> Happened {
        (self.cluster.revision(), self.commits)
    }
}
