//! Who got a place, after how long, and who did not.

use std::collections::BTreeMap;
use std::time::Duration;

use rustc_hash::FxHashMap;

use crate::model::{Request, Time};
use crate::scheduler::{Expression, SoftRules};
use crate::sim::Subject;

use super::spans::Spans;
use super::{ClassCounts, Reason, Setup};

/// Expressions whose softness is remembered; more are parsed each time.
const TEXTS_MAX: usize = 4096;

/// The fold over first placements. Containers that are placed again are no business of it.
#[derive(Clone, Debug)]
pub(super) struct Admission {
    /// Containers submitted from here on are counted.
    from: Time,
    /// Of the whole run.
    pub all: Counts,
    pub counted: Counts,
    pub classes: Vec<ClassCounts>,
    pub retried: u64,
    pub waits: Spans,
    pub rejections: BTreeMap<Reason, u64>,
    pub refusals: BTreeMap<Reason, u64>,
    /// Placed containers with soft expressions, and those that kept them.
    pub soft: (u64, u64),
    softness: FxHashMap<Box<str>, bool>,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub submitted: u64,
    pub placed: u64,
    pub rejected: u64,
}

impl Counts {
    /// Neither placed nor rejected.
    pub(super) fn waiting(&self) -> u64 {
        self.submitted.saturating_sub(self.placed + self.rejected)
    }
}

impl Admission {
    pub(super) fn new(setup: &Setup) -> Admission {
        let class = |name: &String| ClassCounts {
            name: name.clone(),
            ..ClassCounts::default()
        };
        Admission {
            from: Time::from(setup.warm_up),
            all: Counts::default(),
            counted: Counts::default(),
            classes: setup.classes.iter().map(class).collect(),
            retried: 0,
            waits: Spans::default(),
            rejections: BTreeMap::new(),
            refusals: BTreeMap::new(),
            soft: (0, 0),
            softness: FxHashMap::default(),
        }
    }

    pub(super) fn submitted(&mut self, time: Time, subject: &Subject<'_>) {
        self.all.submitted += 1;
        if time >= self.from {
            self.counted.submitted += 1;
            self.class(subject).submitted += 1;
        }
    }

    /// Placed for the first time. Returns when it was submitted, if it is counted.
    pub(super) fn placed(
        &mut self,
        time: Time,
        subject: &Subject<'_>,
        waited: Duration,
        soft: SoftRules,
    ) -> Option<Time> {
        self.all.placed += 1;
        let submitted = submission(time, waited);
        if submitted < self.from {
            return None;
        }
        self.counted.placed += 1;
        self.class(subject).placed += 1;
        self.waits.record(waited);
        if self.has_soft(subject.request) {
            self.soft.0 += 1;
            self.soft.1 += u64::from(soft == SoftRules::Enforced);
        }
        Some(submitted)
    }

    /// An attempt found no node, be it for a container to be placed again.
    pub(super) fn refused(&mut self, time: Time, reason: Reason) {
        if time >= self.from {
            *self.refusals.entry(reason).or_default() += 1;
        }
    }

    /// Not placed at once: it will try again after its first attempt, or has queued. That is when it was submitted.
    pub(super) fn deferred(&mut self, time: Time) {
        self.retried += u64::from(time >= self.from);
    }

    pub(super) fn gave_up(&mut self, time: Time, subject: &Subject<'_>, reason: Reason, waited: Duration) {
        self.all.rejected += 1;
        if submission(time, waited) >= self.from {
            self.counted.rejected += 1;
            self.class(subject).rejected += 1;
            *self.rejections.entry(reason).or_default() += 1;
        }
    }

    fn class(&mut self, subject: &Subject<'_>) -> &mut ClassCounts {
        if self.classes.len() <= subject.class {
            self.classes.resize(subject.class + 1, ClassCounts::default());
        }
        &mut self.classes[subject.class]
    }

    fn has_soft(&mut self, request: &Request) -> bool {
        let lists = [&request.constraints, &request.affinities, &request.whitelists];
        lists.into_iter().flatten().any(|text| self.is_soft(text))
    }

    /// Requests come back.
    fn is_soft(&mut self, text: &str) -> bool {
        if let Some(known) = self.softness.get(text) {
            return *known;
        }
        let soft = Expression::is_soft_text(text);
        if self.softness.len() < TEXTS_MAX {
            self.softness.insert(text.into(), soft);
        }
        soft
    }
}

fn submission(time: Time, waited: Duration) -> Time {
    Time::ZERO + time.since(Time::from(waited))
}
