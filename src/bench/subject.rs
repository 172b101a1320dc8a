//! What is measured: a cluster of any size, and the kinds of request that are put to it.

use rustc_hash::FxHashMap;

use crate::cluster::Cluster;
use crate::model::{Request, Time};
use crate::scheduler::{Settings, Strategy};
use crate::sim::{Observation, Observer, Plan, Run, one_more, simulate};

use super::builtin;
use super::repeat::repeat;

/// The kind that asks for another size every time, so that the scheduler can remember nothing.
pub const FIRST_SIGHT: &str = "first-sight";

/// Most nodes of the cluster sizes that are measured if none are asked for.
const NODES_UNASKED_MAX: usize = 10_000;

/// A kind of request.
#[derive(Clone, Debug)]
pub struct Kind {
    /// Its name.
    pub name: String,
    /// What is asked for.
    pub request: Request,
    /// Whether no two requests are for the same size: each has a billionth of a CPU more than the one before.
    pub is_never_seen: bool,
}

impl Kind {
    /// The same request again and again.
    pub(super) fn recurring(name: &str, request: Request) -> Kind {
        Kind {
            name: name.to_owned(),
            request,
            is_never_seen: false,
        }
    }

    /// A request of another size every time.
    pub(super) fn never_seen(name: &str, request: Request) -> Kind {
        Kind {
            name: name.to_owned(),
            request,
            is_never_seen: true,
        }
    }
}

/// What is measured.
#[derive(Clone, Debug)]
pub struct Subject {
    kinds: Vec<Kind>,
    source: Source,
}

#[derive(Clone, Debug)]
enum Source {
    Builtin,
    Scenario(Box<Snapshot>),
}

/// The cluster of a scenario at a moment of its run.
#[derive(Clone, Debug)]
struct Snapshot {
    plan: Plan,
    seed: u64,
    at: Time,
    /// At the start, when nothing has been placed, one cluster serves all strategies.
    known: Vec<(Option<Strategy>, Cluster)>,
}

/// Why there is nothing to measure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubjectError {
    /// A scenario without containers.
    #[error("the scenario has no workload, so there is nothing to ask for")]
    NoKinds,
    /// A scenario without nodes, at least at that time.
    #[error("the cluster has no nodes at that time")]
    NoNodes,
    /// The user has seen enough.
    #[error("interrupted")]
    Interrupted,
}

impl Subject {
    /// The synthetic cluster, with a kind of request for every filter that costs something.
    pub fn builtin() -> Subject {
        Subject {
            kinds: builtin::kinds(),
            source: Source::Builtin,
        }
    }

    /// The cluster of a scenario at a time of its run, and its classes as kinds of request; after them [`FIRST_SIGHT`]
    /// of the first class, unless a class has that name. At [`Time::ZERO`] the cluster is empty.
    ///
    /// # Errors
    ///
    /// If the scenario has no classes.
    pub fn scenario(plan: Plan, seed: u64, at: Time) -> Result<Subject, SubjectError> {
        let classes = plan.classes.iter().enumerate();
        let mut kinds: Vec<Kind> = classes
            .map(|(number, class)| Kind::recurring(&class.name, one_more(&plan, number, seed, at)))
            .collect();
        let first = kinds.first().ok_or(SubjectError::NoKinds)?.request.clone();
        if kinds.iter().all(|kind| kind.name != FIRST_SIGHT) {
            kinds.push(Kind::never_seen(FIRST_SIGHT, first));
        }
        let known = Vec::new();
        Ok(Subject {
            kinds,
            source: Source::Scenario(Box::new(Snapshot { plan, seed, at, known })),
        })
    }

    /// What can be asked for.
    pub fn kinds(&self) -> &[Kind] {
        &self.kinds
    }

    /// The kind with this name.
    pub fn kind(&self, name: &str) -> Option<&Kind> {
        self.kinds.iter().find(|kind| kind.name == name)
    }

    /// The strategies that are measured if none are asked for.
    pub fn strategies(&self) -> Vec<Strategy> {
        match &self.source {
            Source::Builtin => Strategy::ALL.to_vec(),
            Source::Scenario(snapshot) => snapshot.plan.run.strategies.clone(),
        }
    }

    /// The cluster sizes that are measured if none are asked for: a scenario's own, and tenfold as long as it stays
    /// below ten thousand nodes.
    pub fn node_counts(&self) -> Vec<usize> {
        let own = match &self.source {
            Source::Builtin => 10,
            Source::Scenario(snapshot) => snapshot.plan.nodes.len().max(1),
        };
        let tenfold = std::iter::successors(Some(own), |nodes| nodes.checked_mul(10));
        let mut counts: Vec<usize> = tenfold.take_while(|nodes| *nodes <= NODES_UNASKED_MAX).collect();
        if counts.is_empty() {
            counts.push(own);
        }
        counts
    }

    /// How a scheduler is set up for it.
    pub(super) fn settings(&self, strategy: Strategy) -> Settings {
        match &self.source {
            Source::Builtin => Settings::new(strategy),
            Source::Scenario(snapshot) => Settings {
                filters: snapshot.plan.run.filters.clone(),
                strategy,
                strict: snapshot.plan.run.strict,
            },
        }
    }

    /// Whether the cluster depends on the strategy, whose run brought it about.
    pub(super) fn depends_on_strategy(&self) -> bool {
        match &self.source {
            Source::Builtin => false,
            Source::Scenario(snapshot) => snapshot.at > Time::ZERO,
        }
    }

    /// The cluster, with so many nodes.
    pub(super) fn cluster(
        &mut self,
        nodes: usize,
        strategy: Strategy,
        interrupted: &dyn Fn() -> bool,
    ) -> Result<Cluster, SubjectError> {
        let depends = self.depends_on_strategy();
        match &mut self.source {
            Source::Builtin => Ok(builtin::cluster(nodes)),
            Source::Scenario(snapshot) => snapshot.cluster(nodes, strategy, depends, interrupted),
        }
    }
}

struct Nobody;

impl Observer for Nobody {
    fn observe(&mut self, _: Time, _: &Cluster, _: &Observation<'_>) {}
}

impl Snapshot {
    fn cluster(
        &mut self,
        nodes: usize,
        strategy: Strategy,
        depends: bool,
        interrupted: &dyn Fn() -> bool,
    ) -> Result<Cluster, SubjectError> {
        let key = depends.then_some(strategy);
        if self.known.iter().all(|(known, _)| *known != key) {
            let run = Run {
                strategy,
                seed: self.seed,
                stopwatch: None,
                interrupted: Some(interrupted),
            };
            let finished = simulate(&self.plan, run, self.at, &mut Nobody);
            if finished.interrupted {
                return Err(SubjectError::Interrupted);
            }
            if finished.cluster.order().is_empty() {
                return Err(SubjectError::NoNodes);
            }
            self.known.push((key, finished.cluster));
        }
        let known = self.known.iter().find(|(known, _)| *known == key);
        let (_, cluster) = known.ok_or(SubjectError::NoNodes)?;
        let groups: FxHashMap<&str, &str> = self
            .plan
            .nodes
            .iter()
            .map(|node| (node.name.as_str(), node.group.as_str()))
            .collect();
        Ok(repeat(cluster, nodes, |node| {
            groups.get(node).copied().unwrap_or_default()
        }))
    }
}
