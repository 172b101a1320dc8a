//! The containers that are typical of a workload, by which free capacity is judged.

use std::collections::BTreeMap;

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;

use crate::model::{Bytes, Cpus, Resources, Time};
use crate::sim::{Arrivals, ClassPlan, Distribution, End, Plan, Sampler, Source};

use super::PerResource;

/// Part of the workload that the shapes cover.
const COVERAGE: f64 = 0.95;
/// Most shapes; each costs one comparison per node and sample.
const SHAPES_MAX: usize = 20;
/// Values that stand for a continuous distribution: the middles of as many equal parts of its mass. Two such
/// distributions give sixteen shapes, which is below the limit.
const QUANTILES: usize = 4;
/// Draws from which those values are estimated.
const DRAWS: usize = 1024;
/// The draws belong to no run, so that all runs of a plan are judged alike.
const SEED: u64 = 0;

/// The typical containers of a workload and how popular each is: the most popular shapes that cover 95 % of it, at most
/// twenty, renormalised.
///
/// After Weng et al., "Beware of Fragmentation: Scheduling GPU-Sharing Workloads with Fragmentation Gradient Descent",
/// USENIX ATC 2023, section 4.1.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TypicalShapes {
    /// Popularity is positive, falls and sums to one.
    shapes: Vec<(Resources, f64)>,
}

impl TypicalShapes {
    /// From shapes with weights, such as how often each occurs. Equal shapes are added up; weights that are not
    /// positive are ignored. Among equally popular shapes the smaller one comes first.
    pub fn from_counts(counts: impl IntoIterator<Item = (Resources, f64)>) -> TypicalShapes {
        let mut weights: BTreeMap<Resources, f64> = BTreeMap::new();
        for (shape, weight) in counts {
            if weight > 0.0 {
                *weights.entry(shape).or_default() += weight;
            }
        }
        let total: f64 = weights.values().sum();
        let mut popular: Vec<(Resources, f64)> = weights.into_iter().collect();
        // Stable, so that equally popular shapes stay in the order of the map.
        popular.sort_by(|(_, a), (_, b)| b.total_cmp(a));
        let mut covered = 0.0;
        let mut shapes = Vec::new();
        for (shape, weight) in popular {
            if covered >= COVERAGE * total || shapes.len() == SHAPES_MAX {
                break;
            }
            covered += weight;
            shapes.push((shape, weight));
        }
        for (_, weight) in &mut shapes {
            *weight /= covered;
        }
        TypicalShapes { shapes }
    }

    /// What a plan's classes ask for, each weighted by the number of containers to expect of it until the run ends:
    /// rate times duration, limits and replicas respected; a trace is counted.
    ///
    /// Fixed amounts and choices are taken as they are; of a continuous distribution, quantiles estimated from draws
    /// with a constant seed. CPU and memory of a class are drawn independently, and combined so here.
    pub fn from_plan(plan: &Plan) -> TypicalShapes {
        let end = match plan.run.end {
            End::At(end) | End::Drained { at_most: end } => end,
        };
        TypicalShapes::from_counts(plan.classes.iter().flat_map(|class| class_counts(class, end)))
    }

    /// The shapes with their popularity, the most popular first.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (Resources, f64)> {
        self.shapes.iter().copied()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.shapes.is_empty()
    }

    /// The shape with the smallest dominant share of `capacity`; those that reserve nothing fit anywhere and are
    /// passed over.
    pub(super) fn smallest(&self, capacity: PerResource<u128>) -> Option<Resources> {
        let dominant = |shape: &Resources| {
            let amount: PerResource<u64> = (*shape).into();
            let shares = amount.zip(capacity, |part, whole| part as f64 / whole.max(1) as f64);
            shares.cpu.max(shares.memory)
        };
        let shapes = self.shapes.iter().map(|(shape, _)| *shape);
        shapes
            .filter(|shape| *shape != Resources::ZERO)
            .min_by(|a, b| dominant(a).total_cmp(&dominant(b)).then(a.cmp(b)))
    }
}

/// The shapes of one class, weighted by how many containers of each to expect.
fn class_counts(class: &ClassPlan, end: Time) -> Vec<(Resources, f64)> {
    let replicas = f64::from(class.replicas);
    match &class.source {
        Source::Trace(trace) => {
            let rows = trace.rows.iter().filter(|row| row.at <= end);
            let shapes = rows.map(|row| trace.requests[row.request as usize].resources);
            let mut counts: BTreeMap<Resources, f64> = BTreeMap::new();
            for shape in shapes {
                *counts.entry(shape).or_default() += replicas;
            }
            counts.into_iter().collect()
        }
        Source::Synthetic {
            arrivals,
            start,
            stop,
            limit,
            cpus,
            memory,
            ..
        } => {
            let seconds = (*stop).min(end).since(*start).as_secs_f64();
            let arrivals = expected(arrivals, seconds).min(limit.map_or(f64::INFINITY, |limit| limit as f64));
            let memory = values(memory);
            let combine = |(cpus, share): (u64, f64)| {
                let memory = memory.clone().into_iter();
                memory.map(move |(bytes, part)| {
                    let shape = Resources::new(Cpus::from_nanos(cpus), Bytes::new(bytes));
                    (shape, arrivals * replicas * share * part)
                })
            };
            values(cpus).into_iter().flat_map(combine).collect()
        }
    }
}

/// Arrivals to expect within so many seconds. Whole cycles of a diurnal process have its mean rate.
fn expected(arrivals: &Arrivals, seconds: f64) -> f64 {
    let times = |interval: std::time::Duration| (seconds / interval.as_secs_f64().max(1e-9)).ceil();
    match arrivals {
        Arrivals::Poisson { rate } | Arrivals::Diurnal { rate, .. } => rate * seconds,
        Arrivals::Fixed { interval } => times(*interval),
        Arrivals::Burst { size, interval } => f64::from(*size) * times(*interval),
        Arrivals::AtStart { count } => *count as f64,
    }
}

/// Values that stand for a distribution, with weights that sum to one.
fn values(sampler: &Sampler) -> Vec<(u64, f64)> {
    match &sampler.distribution {
        Distribution::Fixed(value) => vec![(*value, 1.0)],
        Distribution::Choice(values) => {
            let total: f64 = values.iter().map(|(_, weight)| weight).sum();
            values.iter().map(|(value, weight)| (*value, weight / total)).collect()
        }
        Distribution::Uniform { .. }
        | Distribution::Exponential { .. }
        | Distribution::Normal { .. }
        | Distribution::LogNormal { .. }
        | Distribution::Weibull { .. }
        | Distribution::Pareto { .. } => {
            let mut rng = ChaCha8Rng::seed_from_u64(SEED);
            let mut drawn: Vec<u64> = (0..DRAWS).map(|_| sampler.sample(&mut rng)).collect();
            drawn.sort_unstable();
            let middle = |part: usize| drawn[(2 * part + 1) * DRAWS / (2 * QUANTILES)];
            (0..QUANTILES)
                .map(|part| (middle(part), 1.0 / QUANTILES as f64))
                .collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(millis: u64, mib: u64) -> Resources {
        Resources::new(Cpus::from_millis(millis), Bytes::from_mib(mib))
    }

    #[test]
    fn the_popular_shapes_that_cover_95_percent_are_renormalised() {
        let counts = [(4000, 1.0), (1000, 60.0), (2000, 36.0), (3000, 3.0), (5000, 0.0)];
        let shapes = TypicalShapes::from_counts(counts.map(|(millis, count)| (shape(millis, 1), count)));
        let found: Vec<_> = shapes.iter().collect();
        assert_eq!(found, [(shape(1000, 1), 60.0 / 96.0), (shape(2000, 1), 36.0 / 96.0)]);
    }

    #[test]
    fn equal_shapes_add_up_and_ties_go_to_the_smaller() {
        let counts = [shape(2, 1), shape(1, 1), shape(2, 1), shape(1, 1)];
        let shapes = TypicalShapes::from_counts(counts.map(|shape| (shape, 1.0)));
        let found: Vec<_> = shapes.iter().collect();
        assert_eq!(found, [(shape(1, 1), 0.5), (shape(2, 1), 0.5)]);
    }

    #[test]
    fn there_are_at_most_twenty() {
        let shapes = TypicalShapes::from_counts((1..=100).map(|millis| (shape(millis, 1), 1.0)));
        assert_eq!(shapes.iter().len(), 20);
        assert!((shapes.iter().map(|(_, popularity)| popularity).sum::<f64>() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn nothing_is_typical_of_nothing() {
        assert!(TypicalShapes::from_counts([]).is_empty());
        assert_eq!(TypicalShapes::default().smallest(PerResource::default()), None);
    }

    #[test]
    fn the_smallest_has_the_smallest_dominant_share() {
        let shapes = [shape(0, 0), shape(100, 900), shape(500, 100), shape(600, 0)];
        let shapes = TypicalShapes::from_counts(shapes.map(|shape| (shape, 1.0)));
        let smallest = |cluster| shapes.smallest(PerResource::<u64>::from(cluster).map(u128::from));
        assert_eq!(smallest(shape(1000, 1000)), Some(shape(500, 100)));
        assert_eq!(smallest(shape(1000, 10_000)), Some(shape(100, 900)));
    }

    #[test]
    fn continuous_distributions_become_the_middles_of_equal_parts() {
        let uniform = Sampler {
            distribution: Distribution::Uniform { low: 0.0, high: 8000.0 },
            min: 0,
            max: u64::MAX,
            step: 1,
        };
        let found = values(&uniform);
        for ((value, weight), middle) in found.iter().zip([1000.0, 3000.0, 5000.0, 7000.0]) {
            assert_eq!(*weight, 0.25);
            // Four standard errors of such a quantile are about 400.
            assert!((*value as f64 - middle).abs() < 450.0, "{value} is far from {middle}");
        }
        assert_eq!(found, values(&uniform), "the draws repeat");
    }

    #[test]
    fn expected_arrivals_follow_the_process() {
        let seconds = std::time::Duration::from_secs;
        assert_eq!(expected(&Arrivals::Poisson { rate: 2.0 }, 10.0), 20.0);
        assert_eq!(expected(&Arrivals::Fixed { interval: seconds(3) }, 10.0), 4.0);
        let burst = Arrivals::Burst {
            size: 5,
            interval: seconds(5),
        };
        assert_eq!(expected(&burst, 10.0), 10.0);
        assert_eq!(expected(&Arrivals::AtStart { count: 7 }, 0.0), 7.0);
    }
}
