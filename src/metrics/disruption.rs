//! What failures cost, and how long it took to recover from them.

use rustc_hash::FxHashMap;

use crate::model::{Name, NodeIdx, Time};
use crate::sim::NodeEvent;

use super::Setup;
use super::spans::Spans;

/// The fold over nodes that fail, and over containers that are placed again.
#[derive(Clone, Debug)]
pub(super) struct Disruption {
    from: Time,
    failures: Vec<Failure>,
    /// By node index: the failure from which it has not come back.
    failed: Vec<Option<u32>>,
    /// Containers to be placed again, by name.
    displaced: FxHashMap<Name, Displaced>,
    drains: u64,
    counts: Counts,
}

/// Losses in the window and what became of them.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    lost: u64,
    moved: u64,
    rescheduled: u64,
}

#[derive(Clone, Debug)]
struct Failure {
    at: Time,
    /// Containers that are still to be placed again.
    outstanding: u64,
    /// When the last of them was.
    recovered: Option<Time>,
    gave_up: bool,
}

#[derive(Clone, Copy, Debug)]
struct Displaced {
    /// The failure that it was lost by, unless it was moved.
    failure: Option<u32>,
    /// Whether that was in the window.
    counted: bool,
}

/// Figures on the window.
#[derive(Clone, Debug, Default)]
pub(super) struct Damage {
    pub failures: u64,
    pub lost: u64,
    pub moved: u64,
    pub rescheduled: u64,
    pub not_replaced: u64,
    pub recoveries: Spans,
    /// Failures after which some container to place again was not; `None` if there was never one to place again.
    pub not_recovered: Option<u64>,
}

impl Disruption {
    pub(super) fn new(setup: &Setup) -> Disruption {
        Disruption {
            from: Time::from(setup.warm_up),
            failures: Vec::new(),
            failed: Vec::new(),
            displaced: FxHashMap::default(),
            drains: 0,
            counts: Counts::default(),
        }
    }

    /// Containers that wait to be placed again.
    pub(super) fn waiting(&self) -> usize {
        self.displaced.len()
    }

    /// Whether the container waits to be placed again.
    pub(super) fn is_displaced(&self, name: &str) -> bool {
        !self.displaced.is_empty() && self.displaced.contains_key(name)
    }

    pub(super) fn node(&mut self, time: Time, node: NodeIdx, change: NodeEvent) {
        if self.failed.len() <= node.index() {
            self.failed.resize(node.index() + 1, None);
        }
        match change {
            NodeEvent::Failed | NodeEvent::Left => {
                // A run has far fewer events than the index has values.
                self.failed[node.index()] = Some(self.failures.len() as u32);
                self.failures.push(Failure {
                    at: time,
                    outstanding: 0,
                    recovered: None,
                    gave_up: false,
                });
            }
            NodeEvent::Recovered | NodeEvent::Joined => self.failed[node.index()] = None,
            NodeEvent::Drained => self.drains += u64::from(time >= self.from),
            NodeEvent::Undrained | NodeEvent::Relabelled | NodeEvent::Health(_) => {}
        }
    }

    pub(super) fn lost(&mut self, time: Time, name: &str, node: NodeIdx, reschedules: bool) {
        let counted = time >= self.from;
        let failure = self.failed.get(node.index()).copied().flatten();
        match failure {
            Some(_) => self.counts.lost += u64::from(counted),
            None => self.counts.moved += u64::from(counted),
        }
        if !reschedules {
            return;
        }
        if let Some(failure) = failure {
            self.failures[failure as usize].outstanding += 1;
        }
        self.displaced.insert(name.into(), Displaced { failure, counted });
    }

    pub(super) fn placed_again(&mut self, time: Time, name: &str) {
        let Some(displaced) = self.displaced.remove(name) else {
            return;
        };
        self.counts.rescheduled += u64::from(displaced.counted);
        if let Some(failure) = displaced.failure {
            let failure = &mut self.failures[failure as usize];
            failure.outstanding -= 1;
            failure.recovered = Some(time);
        }
    }

    pub(super) fn gave_up(&mut self, name: &str) {
        let displaced = self.displaced.remove(name);
        if let Some(failure) = displaced.and_then(|displaced| displaced.failure) {
            let failure = &mut self.failures[failure as usize];
            failure.outstanding -= 1;
            failure.gave_up = true;
        }
    }

    /// The damage done in the window; `None` if no node failed, left or was drained.
    pub(super) fn damage(&self) -> Option<Damage> {
        let failures = self.failures.iter().filter(|failure| failure.at >= self.from);
        let Counts {
            lost,
            moved,
            rescheduled,
        } = self.counts;
        let mut damage = Damage {
            failures: failures.clone().count() as u64,
            lost,
            moved,
            rescheduled,
            not_replaced: lost + moved - rescheduled,
            ..Damage::default()
        };
        for failure in failures {
            if failure.outstanding > 0 || failure.gave_up {
                *damage.not_recovered.get_or_insert(0) += 1;
            } else if let Some(recovered) = failure.recovered {
                damage.not_recovered.get_or_insert(0);
                damage.recoveries.record(recovered.since(failure.at));
            }
        }
        (damage.failures + self.drains > 0).then_some(damage)
    }
}
