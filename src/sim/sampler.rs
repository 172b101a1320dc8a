//! Drawing amounts and spans from distributions, reproducibly.
//!
//! Samples are rounded to whole steps at the moment of drawing, and every logarithm, power and exponential goes
//! through `libm`, so that the same seed gives the same numbers on every machine.

use rand::Rng;
use rand_distr::{Distribution as _, StandardNormal, StandardUniform};

/// A distribution of non-negative whole numbers: nanoseconds, nano CPUs or bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampler {
    /// The shape, in the unit of the result.
    pub distribution: Distribution,
    /// Smallest value; smaller draws become this.
    pub min: u64,
    /// Largest value; larger draws become this.
    pub max: u64,
    /// Draws are rounded to the nearest multiple of this, at least 1.
    pub step: u64,
}

/// The shape of a distribution.
#[derive(Clone, Debug, PartialEq)]
pub enum Distribution {
    /// Always the same; draws nothing.
    Fixed(u64),
    /// One of the values, by weight.
    Choice(Vec<(u64, f64)>),
    /// Uniform between two values.
    Uniform {
        /// Lower end.
        low: f64,
        /// Upper end.
        high: f64,
    },
    /// Memoryless.
    Exponential {
        /// Mean.
        mean: f64,
    },
    /// Normal, cut by the bounds.
    Normal {
        /// Mean.
        mean: f64,
        /// Standard deviation.
        deviation: f64,
    },
    /// The logarithm is normal.
    LogNormal {
        /// Median.
        median: f64,
        /// Standard deviation of the logarithm.
        sigma: f64,
    },
    /// Weibull.
    Weibull {
        /// Scale: the 63rd percentile.
        scale: f64,
        /// Shape: 1 is exponential, less has a heavier tail.
        shape: f64,
    },
    /// Pareto: a power-law tail.
    Pareto {
        /// Smallest value.
        scale: f64,
        /// Tail index; the mean is finite above 1.
        shape: f64,
    },
}

impl Sampler {
    /// Always `value`.
    pub fn fixed(value: u64) -> Sampler {
        Sampler {
            distribution: Distribution::Fixed(value),
            min: 0,
            max: u64::MAX,
            step: 1,
        }
    }

    /// The value, if there is but one.
    pub fn as_fixed(&self) -> Option<u64> {
        match self.distribution {
            Distribution::Fixed(value) => Some(value),
            _ => None,
        }
    }

    /// Draws one value.
    pub fn sample(&self, rng: &mut impl Rng) -> u64 {
        let raw = match &self.distribution {
            Distribution::Fixed(value) => return *value,
            Distribution::Choice(values) => return choose(values, rng),
            Distribution::Uniform { low, high } => low + (high - low) * unit(rng),
            Distribution::Exponential { mean } => -libm::log(1.0 - unit(rng)) * mean,
            Distribution::Normal { mean, deviation } => mean + deviation * normal(rng),
            Distribution::LogNormal { median, sigma } => median * libm::exp(sigma * normal(rng)),
            Distribution::Weibull { scale, shape } => scale * libm::pow(-libm::log(1.0 - unit(rng)), 1.0 / shape),
            Distribution::Pareto { scale, shape } => scale * libm::pow(1.0 - unit(rng), -1.0 / shape),
        };
        // The cast saturates: negative and undefined values become 0, huge ones the largest number.
        let steps = (raw / self.step as f64).round() as u64;
        steps.saturating_mul(self.step).clamp(self.min, self.max)
    }
}

/// Uniform in `[0, 1)`.
pub(super) fn unit(rng: &mut impl Rng) -> f64 {
    StandardUniform.sample(rng)
}

fn normal(rng: &mut impl Rng) -> f64 {
    StandardNormal.sample(rng)
}

/// One of the values, by weight; the weights are positive.
fn choose(values: &[(u64, f64)], rng: &mut impl Rng) -> u64 {
    let total: f64 = values.iter().map(|(_, weight)| weight).sum();
    let mut rest = unit(rng) * total;
    for (value, weight) in values {
        if rest < *weight {
            return *value;
        }
        rest -= weight;
    }
    // Rounding may leave a crumb; it belongs to the last value.
    values.last().map_or(0, |(value, _)| *value)
}
