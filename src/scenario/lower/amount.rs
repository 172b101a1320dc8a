//! Amounts to samplers.

use std::time::Duration;

use crate::model::{Bytes, Cpus};
use crate::scenario::format::{Amount, Choice, Drawn, Shape, Text};
use crate::scenario::path::Path;
use crate::scenario::units;
use crate::sim::{Distribution, Sampler};

use super::report::Report;

/// Something that is counted in whole units.
pub(super) trait Countable {
    /// Draws are rounded to this unless the scenario says otherwise.
    const STEP: u64;
    /// Whether a distribution without an end needs a bound, lest it draw more than any node has.
    const NEEDS_MAX: bool;

    /// Whole units.
    fn units(&self) -> u64;
    /// As people write it.
    fn show(units: u64) -> String;
}

impl Countable for Text<Cpus> {
    const STEP: u64 = 10_000_000;
    const NEEDS_MAX: bool = true;

    fn units(&self) -> u64 {
        self.0.nanos()
    }

    fn show(units: u64) -> String {
        Cpus::from_nanos(units).to_string()
    }
}

impl Countable for Text<Bytes> {
    const STEP: u64 = 1 << 20;
    const NEEDS_MAX: bool = true;

    fn units(&self) -> u64 {
        self.0.get()
    }

    fn show(units: u64) -> String {
        Bytes::new(units).to_string()
    }
}

impl Countable for Text<Duration> {
    const STEP: u64 = 1_000;
    const NEEDS_MAX: bool = false;

    fn units(&self) -> u64 {
        // Durations are parsed from 64 bits of nanoseconds.
        u64::try_from(self.0.as_nanos()).unwrap_or(u64::MAX)
    }

    fn show(units: u64) -> String {
        units::show_duration(Duration::from_nanos(units))
    }
}

/// Checks an amount and makes a sampler of it. `zero_help` says what to do instead of writing zero.
pub(super) fn sampler<V: Countable>(
    amount: &Amount<V>,
    path: &Path,
    zero_help: &str,
    report: &mut Report<'_>,
) -> Sampler {
    match amount {
        Amount::Fixed(value) => {
            positive(value, path, zero_help, report);
            Sampler::fixed(value.units())
        }
        Amount::Choice(choice) => chosen(choice, path, zero_help, report),
        Amount::Drawn(drawn) => self::drawn(drawn, path, report),
    }
}

fn positive<V: Countable>(value: &V, path: &Path, help: &str, report: &mut Report<'_>) {
    if value.units() == 0 {
        report.impossible(path, "this must be above zero", help);
    }
}

fn chosen<V: Countable>(choice: &Choice<V>, path: &Path, zero_help: &str, report: &mut Report<'_>) -> Sampler {
    let path = path.key("choice");
    for (index, entry) in choice.choice.iter().enumerate() {
        let path = path.index(index);
        positive(&entry.value, &path.key("value"), zero_help, report);
        if entry.weight <= 0.0 {
            report.impossible(
                &path.key("weight"),
                "a weight must be above zero",
                "leave out what is never chosen",
            );
        }
    }
    Sampler {
        distribution: Distribution::Choice(
            choice
                .choice
                .iter()
                .map(|entry| (entry.value.units(), entry.weight))
                .collect(),
        ),
        ..Sampler::fixed(0)
    }
}

fn drawn<V: Countable>(drawn: &Drawn<V>, path: &Path, report: &mut Report<'_>) -> Sampler {
    let distribution = shape(&drawn.shape, path, report);
    let step = drawn.bounds.step.as_ref().map_or(V::STEP, V::units);
    if step == 0 {
        report.impossible(
            &path.key("step"),
            "a step must be above zero",
            "leave it out for the default",
        );
    }
    let end = match &drawn.shape {
        Shape::Uniform { high, .. } => Some(high.units()),
        _ => None,
    };
    let max = drawn.bounds.max.as_ref().map(V::units).or(end);
    if max.is_none() && V::NEEDS_MAX {
        let help = "without one, a draw may be larger than any node";
        report.missing(path, "max", help);
    }
    let max = max.unwrap_or(u64::MAX);
    if max < step && max > 0 {
        let message = format!(
            "the largest amount, {}, is less than one step of {}",
            V::show(max),
            V::show(step)
        );
        report.impossible(path, message, "make `step` smaller");
    }
    let given_min = drawn.bounds.min.as_ref().map(V::units);
    match given_min {
        Some(0) => report.impossible(&path.key("min"), "this must be above zero", "leave it out for one step"),
        Some(min) if min > max => {
            let message = format!(
                "the smallest amount, {}, is more than the largest, {}",
                V::show(min),
                V::show(max)
            );
            report.impossible(&path.key("min"), message, "make `min` smaller or `max` larger");
        }
        _ => {}
    }
    if drawn.bounds.max.as_ref().is_some_and(|max| max.units() == 0) {
        report.impossible(
            &path.key("max"),
            "this must be above zero",
            "leave it out if there is no bound",
        );
    }
    Sampler {
        distribution,
        min: given_min.unwrap_or(step).min(max),
        max,
        step: step.max(1),
    }
}

fn shape<V: Countable>(shape: &Shape<V>, path: &Path, report: &mut Report<'_>) -> Distribution {
    let mut above_zero = |key: &str, value: &V| {
        positive(value, &path.key(key), "this describes the typical amount", report);
        value.units() as f64
    };
    match shape {
        Shape::Uniform { low, high } => {
            if low.units() > high.units() {
                let message = format!(
                    "`low`, {}, is more than `high`, {}",
                    V::show(low.units()),
                    V::show(high.units())
                );
                report.impossible(&path.key("low"), message, "swap them");
            } else {
                above_zero("high", high);
            }
            Distribution::Uniform {
                low: low.units() as f64,
                high: high.units() as f64,
            }
        }
        Shape::Exponential { mean } => Distribution::Exponential {
            mean: above_zero("mean", mean),
        },
        Shape::Normal { mean, deviation } => Distribution::Normal {
            mean: above_zero("mean", mean),
            deviation: deviation.units() as f64,
        },
        Shape::Lognormal { median, sigma } => {
            let median = above_zero("median", median);
            if *sigma < 0.0 {
                report.impossible(
                    &path.key("sigma"),
                    "`sigma` cannot be negative",
                    "0 is always the median",
                );
            }
            Distribution::LogNormal { median, sigma: *sigma }
        }
        Shape::Weibull { scale, shape } => {
            let scale = above_zero("scale", scale);
            exponent(*shape, path, "1 is the exponential distribution", report);
            Distribution::Weibull { scale, shape: *shape }
        }
        Shape::Pareto { scale, shape } => {
            let scale = above_zero("scale", scale);
            exponent(*shape, path, "2 is a tail that is heavy but has a mean", report);
            Distribution::Pareto { scale, shape: *shape }
        }
    }
}

fn exponent(shape: f64, path: &Path, help: &str, report: &mut Report<'_>) {
    if shape <= 0.0 {
        report.impossible(&path.key("shape"), "`shape` must be above zero", help);
    }
}

/// The smallest amount that can be drawn, as nearly as matters.
pub(super) fn least(sampler: &Sampler) -> u64 {
    match &sampler.distribution {
        Distribution::Fixed(value) => *value,
        Distribution::Choice(values) => values.iter().map(|(value, _)| *value).min().unwrap_or(0),
        Distribution::Uniform { low, .. } => (*low as u64).clamp(sampler.min, sampler.max),
        Distribution::Pareto { scale, .. } => (*scale as u64).clamp(sampler.min, sampler.max),
        _ => sampler.min,
    }
}

/// The largest of the amounts that are written down, where there are only some.
pub(super) fn most_written(sampler: &Sampler) -> Option<u64> {
    match &sampler.distribution {
        Distribution::Fixed(value) => Some(*value),
        Distribution::Choice(values) => values.iter().map(|(value, _)| *value).max(),
        _ => None,
    }
}
