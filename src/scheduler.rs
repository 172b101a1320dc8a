//! The pure decision: filters say which nodes may take a container, a strategy says which of them does.
//!
//! Owns Swarm's rules and error texts (`scheduler/RULES.md`), and tables derived from the cluster that make decisions
//! cheap but never different. Must not know who asks, how nodes are reached, or that time passes; randomness is handed
//! in.
//!
//! Ties, nodes of equal weight with equally many containers, go to the node whose name comes first in byte order, then
//! to the one whose ID does. The strategy `random` draws one number per decision, uniformly among the accepted nodes in
//! that same order.

#[doc = include_str!("scheduler/RULES.md")]
pub mod rules {}

mod classes;
mod creation;
mod explanation;
mod expression;
mod filter;
mod index;
mod prepared;
mod rejection;
mod settings;
mod shares;
mod swarm_id;
mod tournament;
mod translate;
mod weight;

use std::sync::Arc;

use rand::{Rng, RngExt};

pub use creation::{CreateError, Creation, DaemonError, ReserveError, attempt, attempt_at, demanded_system, reserve};
pub use explanation::{Explanation, NodeExplanation, Outcome};
pub use expression::{Expression, ExpressionError, Operator, PatternLimit};
pub use filter::{Refusal, SoftRules};
pub use prepared::{Parsed, Parser, Prepared};
pub use rejection::Rejection;
pub use settings::{Filter, Settings, Strategy, Strict, UnknownName};
pub use shares::{from_shares, to_shares};
pub use swarm_id::swarm_id;
pub use translate::{
    EXPRESSION_KINDS, Expressions, ReschedulePolicyError, expression_in_env, expressions_in_label, reschedule_policy,
    translate,
};
pub use weight::{Shortage, Weight};

use crate::cluster::{Cluster, Node};
use crate::model::{NodeIdx, Request};

use classes::Classes;
use expression::CompiledPatterns;
use filter::Question;
use index::NodeIndex;
use tournament::Tournament;
use weight::{Key, weigh};

/// Filters and a strategy, with what they remember to decide faster. Two schedulers with equal settings decide equally.
#[derive(Clone, Debug)]
pub struct Scheduler {
    settings: Settings,
    classes: Classes,
    index: NodeIndex,
    patterns: CompiledPatterns,
}

/// Where a container goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The best node.
    pub node: NodeIdx,
    /// Whether its soft expressions had to be dropped to find one.
    pub soft: SoftRules,
}

impl Scheduler {
    /// A scheduler with these settings.
    pub fn new(settings: Settings) -> Scheduler {
        Scheduler {
            settings,
            classes: Classes::default(),
            index: NodeIndex::default(),
            patterns: CompiledPatterns::default(),
        }
    }

    /// How it decides.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Parses a request's expressions. Do it once and keep the result: equal requests are recognised either way, but
    /// parsing costs more than deciding.
    pub fn prepare(&mut self, request: Arc<Request>) -> Prepared {
        Prepared::new(request, self.settings.strict, &mut self.patterns)
    }

    /// The best node for a request, or why there is none.
    ///
    /// First all expressions are enforced; if that leaves no node, soft ones are dropped (`scheduler/RULES.md` §4.1).
    /// The cluster must be the same one at every call, or a clone that has taken its place: to decide over another, or
    /// over two clones that go different ways, make another scheduler.
    pub fn decide(&mut self, cluster: &Cluster, request: &Prepared, rng: &mut impl Rng) -> Result<Decision, Rejection> {
        let mut last = Rejection::NoNodes;
        for soft in passes(request) {
            match self.best(cluster, request, soft, rng) {
                Ok(node) => return Ok(Decision { node, soft }),
                Err(rejection) => last = rejection,
            }
        }
        Err(last)
    }

    /// All nodes that may take the container, the best first. Under `random` the first is the one that
    /// [`Scheduler::decide`] would draw, and the rest is shuffled with further draws.
    pub fn rank(&self, cluster: &Cluster, request: &Prepared, rng: &mut impl Rng) -> Result<Vec<NodeIdx>, Rejection> {
        let mut last = Rejection::NoNodes;
        for soft in passes(request) {
            match self.rank_pass(&self.question(cluster, request, soft), rng) {
                Ok(ranking) => return Ok(ranking),
                Err(rejection) => last = rejection,
            }
        }
        Err(last)
    }

    /// Whether one node may take the container. Soft expressions are left out: they choose between nodes.
    ///
    /// # Errors
    ///
    /// What [`Scheduler::decide`] would say if there were no other node.
    pub fn judge(&self, cluster: &Cluster, request: &Prepared, node: NodeIdx) -> Result<(), Rejection> {
        let question = self.question(cluster, request, SoftRules::Dropped);
        let standing = match cluster.has_node(node) {
            true => key(&self.settings, &question, cluster.node(node)),
            false => Key::ABSENT,
        };
        match standing.is_accepted() {
            true => Ok(()),
            false => Err(rejection(&self.settings, &question, standing)),
        }
    }

    fn question<'a>(&self, cluster: &'a Cluster, request: &'a Prepared, soft: SoftRules) -> Question<'a> {
        Question {
            cluster,
            request,
            strict: self.settings.strict,
            soft,
        }
    }

    fn best(
        &mut self,
        cluster: &Cluster,
        request: &Prepared,
        soft: SoftRules,
        rng: &mut impl Rng,
    ) -> Result<NodeIdx, Rejection> {
        let question = self.question(cluster, request, soft);
        let settings = &self.settings;
        let drawn = settings.strategy == Strategy::Random;
        let key = |node: &Node| key(settings, &question, node);
        let size = Tournament::size(cluster.order().len(), drawn);
        let build = || Tournament::new(cluster, drawn, key);
        let Some(tournament) = self.classes.tournament(request, soft, cluster, size, build) else {
            let found = self.index.best(settings, &question, rng);
            return found.map_err(|best| rejection(settings, &question, best));
        };
        tournament.sync(cluster, key);
        let best = tournament.best_key();
        if !best.is_accepted() {
            return Err(rejection(settings, &question, best));
        }
        let position = if drawn {
            tournament.accepted_position(rng.random_range(0..tournament.accepted()))
        } else {
            tournament.best_position()
        };
        Ok(cluster.order()[position])
    }

    fn rank_pass(&self, question: &Question<'_>, rng: &mut impl Rng) -> Result<Vec<NodeIdx>, Rejection> {
        let keyed = question
            .cluster
            .nodes()
            .map(|(idx, node)| (key(&self.settings, question, node), idx));
        let all: Vec<(Key, NodeIdx)> = keyed.collect();
        let mut ranking: Vec<(Key, NodeIdx)> = all.iter().copied().filter(|(key, _)| key.is_accepted()).collect();
        if ranking.is_empty() {
            let best = all.iter().map(|(key, _)| *key).max().unwrap_or(Key::ABSENT);
            return Err(rejection(&self.settings, question, best));
        }
        if self.settings.strategy == Strategy::Random {
            for place in 0..ranking.len() - 1 {
                let left = (ranking.len() - place) as u32;
                // Moving, not swapping, keeps those not yet drawn in tie order.
                let drawn = place + rng.random_range(0..left) as usize;
                ranking[place..=drawn].rotate_right(1);
            }
        } else {
            // Stable, so that equal keys stay in tie order.
            ranking.sort_by_key(|(key, _)| std::cmp::Reverse(*key));
        }
        Ok(ranking.into_iter().map(|(_, idx)| idx).collect())
    }
}

/// The passes worth making: without soft expressions the second would repeat the first.
fn passes(request: &Prepared) -> impl Iterator<Item = SoftRules> + use<> {
    let second = request.has_soft().then_some(SoftRules::Dropped);
    [SoftRules::Enforced].into_iter().chain(second)
}

/// Where a node stands for a request.
fn key(settings: &Settings, question: &Question<'_>, node: &Node) -> Key {
    if !node.is_schedulable() {
        return Key::ABSENT;
    }
    let refused = settings
        .filters
        .iter()
        .position(|filter| filter.refuses(question, node).is_some());
    if let Some(stage) = refused {
        return Key::refused(stage);
    }
    if settings.strategy == Strategy::Random && !settings.strict.random_capacity {
        return Key::accepted(Strategy::Random, 0, 0);
    }
    match weigh(settings, node, question.request.request().resources) {
        Ok(weight) => Key::accepted(settings.strategy, weight.total(), node.containers().len()),
        Err(_) => Key::refused(settings.filters.len()),
    }
}

/// What the greatest key says when no node is accepted: the stage that every candidate failed at the latest.
fn rejection(settings: &Settings, question: &Question<'_>, best: Key) -> Rejection {
    match best.refused_at() {
        Some(stage) => settings
            .filters
            .get(stage)
            .map_or(Rejection::NoResources, |filter| Rejection::Filter(*filter)),
        None => {
            let failing = settings
                .filters
                .iter()
                .find(|filter| filter.fails_without_nodes(question));
            failing.map_or(Rejection::NoNodes, |filter| Rejection::Filter(*filter))
        }
    }
}
