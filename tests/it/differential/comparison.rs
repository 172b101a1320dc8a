//! Asks library and reference the same question in every way it can be asked, and compares every answer.

use std::collections::BTreeSet;
use std::fmt::Debug;

use swarmlab::model::NodeIdx;
use swarmlab::scheduler::{Outcome, Prepared, Scheduler, Settings, SoftRules, Strategy};

use crate::reference::{RefScheduler, Refused, Verdict};

use super::draws::Draws;
use super::world::World;

/// The two schedulers under comparison.
pub struct Pair {
    pub library: Scheduler,
    pub reference: RefScheduler,
}

fn same<T: PartialEq + Debug>(what: &str, library: T, reference: T) -> Result<(), String> {
    if library == reference {
        return Ok(());
    }
    Err(format!("{what}: library {library:?}, reference {reference:?}"))
}

impl Pair {
    pub fn new(settings: Settings) -> Pair {
        let reference = RefScheduler {
            filters: settings.filters.clone(),
            strategy: settings.strategy,
            strict: settings.strict,
        };
        Pair {
            library: Scheduler::new(settings),
            reference,
        }
    }

    /// Compares the decision only, with its error text and the number of draws. Returns the winner.
    pub fn decide(&mut self, world: &World, request: &Prepared, seed: u64) -> Result<Option<NodeIdx>, String> {
        let mut rng = Draws(seed);
        let mut reference_rng = rng.clone();
        let decided = self.library.decide(&world.cluster, request, &mut rng);
        let library = decided
            .map(|decision| decision.node.index())
            .map_err(|rejection| Refused {
                rejection,
                message: rejection.message(request, &self.reference.filters),
            });
        let reference = self
            .reference
            .decide(&world.mirror, request.request(), &mut reference_rng);
        same("decision", library, reference)?;
        same("generator", rng, reference_rng)?;
        Ok(decided.ok().map(|decision| decision.node))
    }

    /// Compares everything that can be asked about a request, decided thrice so that what a scheduler remembers takes
    /// part, and checks that explaining changes nothing.
    pub fn compare(&mut self, world: &World, request: &Prepared, seed: u64) -> Result<(), String> {
        let rng = Draws(seed);
        let before = self.library.explain(&world.cluster, request, &rng);
        let mut winner = None;
        for _ in 0..3 {
            winner = self.decide(world, request, seed)?;
        }
        let after = self.library.explain(&world.cluster, request, &rng);
        same("generator after explaining", &rng, &Draws(seed))?;
        same("explanation before and after deciding", &before, &after)?;
        self.decide(world, request, seed)?;
        self.compare_ranking(world, request, seed, winner)?;
        self.compare_explanation(world, request, after)
    }

    fn compare_ranking(
        &self,
        world: &World,
        request: &Prepared,
        seed: u64,
        winner: Option<NodeIdx>,
    ) -> Result<(), String> {
        let mut rng = Draws(seed);
        let library = self.library.rank(&world.cluster, request, &mut rng);
        let numbers = |ranking: Vec<NodeIdx>| ranking.into_iter().map(NodeIdx::index).collect::<Vec<_>>();
        let library = library.map(numbers);
        let reference = self.reference.rank(&world.mirror, request.request());
        let expected = reference
            .map(|ranked| ranked.nodes)
            .map_err(|refused| refused.rejection);
        same(
            "first of the ranking",
            library.as_ref().ok().map(|nodes| nodes[0]),
            winner.map(NodeIdx::index),
        )?;
        if self.reference.strategy == Strategy::Random {
            let sorted = |mut nodes: Vec<usize>| {
                nodes.sort_unstable();
                nodes
            };
            return same("set of accepted nodes", library.map(sorted), expected.map(sorted));
        }
        same("ranking", library, expected)
    }

    fn compare_explanation(
        &mut self,
        world: &World,
        request: &Prepared,
        explanation: swarmlab::scheduler::Explanation,
    ) -> Result<(), String> {
        let seed = 5;
        let explained = self.library.explain(&world.cluster, request, &Draws(seed));
        let decided = self.library.decide(&world.cluster, request, &mut Draws(seed));
        same("explained decision", explained.decision, decided)?;
        let reference = self.reference.rank(&world.mirror, request.request());
        let has_soft = [request.constraints(), request.affinities(), request.whitelists()]
            .into_iter()
            .flatten()
            .flatten()
            .any(|expression| expression.is_soft());
        let enforced = match &reference {
            Ok(ranked) => !ranked.soft_dropped,
            Err(_) => !has_soft,
        };
        same(
            "pass",
            explanation.soft,
            if enforced {
                SoftRules::Enforced
            } else {
                SoftRules::Dropped
            },
        )?;
        let order: Vec<usize> = explanation.nodes.iter().map(|node| node.node.index()).collect();
        let mut expected: Vec<_> = world.mirror.nodes.iter().collect();
        expected.sort_by_key(|node| (node.name.clone(), node.id.clone(), node.number));
        same(
            "order of explained nodes",
            order,
            expected.iter().map(|node| node.number).collect(),
        )?;
        let mut ranks = BTreeSet::new();
        for node in &explanation.nodes {
            let number = node.node.index();
            let library = match &node.outcome {
                Outcome::NotCandidate => Verdict::NotCandidate,
                Outcome::Refused { filter, refusal } => {
                    if refusal.rule.is_empty() || refusal.found.is_empty() {
                        return Err(format!("the refusal by {filter} says nothing: {refusal:?}"));
                    }
                    Verdict::Refused(*filter)
                }
                Outcome::NoRoom { .. } => Verdict::NoRoom,
                Outcome::Accepted {
                    rank,
                    weight,
                    containers,
                } => {
                    let snapshot = world.mirror.snapshot(number);
                    same("containers", *containers, snapshot.containers.len())?;
                    let total = weight.map(|weight| i128::from(weight.total()));
                    let expected = self.reference.weight(&world.mirror, request.request(), number);
                    same("weight", total, expected)?;
                    ranks.insert(*rank);
                    if let Ok(ranked) = &reference
                        && self.reference.strategy != Strategy::Random
                    {
                        same("explained rank", ranked.nodes.get(rank - 1), Some(&number))?;
                    }
                    Verdict::Accepted
                }
            };
            let expected = self
                .reference
                .verdict(&world.mirror, request.request(), number, enforced);
            same(&format!("verdict of node {number}"), library, expected)?;
        }
        let accepted = reference.map_or(0, |ranked| ranked.nodes.len());
        same("explained ranks", ranks, (1..=accepted).collect())
    }
}
