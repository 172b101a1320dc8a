//! Amounts that are fixed or drawn anew for each container.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;

use crate::scenario::schema;

/// A fixed amount, one of several by weight, or one drawn from a distribution.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "{V}Amount")]
pub(in crate::scenario) enum Amount<V> {
    /// Always the same.
    Fixed(V),
    /// One of several.
    Choice(Choice<V>),
    /// From a distribution.
    Drawn(Drawn<V>),
}

/// One of several amounts, by weight.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "{V}Choice")]
pub(in crate::scenario) struct Choice<V> {
    /// The amounts to choose from.
    #[schemars(length(min = 1))]
    pub choice: Vec<Weight<V>>,
}

/// An amount and how likely it is.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "{V}Weight")]
pub(in crate::scenario) struct Weight<V> {
    /// The amount.
    pub value: V,
    /// Its share of the sum of all weights.
    #[serde(default = "default_weight")]
    pub weight: f64,
}

fn default_weight() -> f64 {
    1.0
}

/// A distribution within bounds. In the text, shape and bounds are keys of one table.
// The usual objection to flattening is that positions get lost and that unknown keys slip through; this struct has no
// positions, and the schema it is checked against knows every key.
#[derive(Debug, Deserialize)]
pub(in crate::scenario) struct Drawn<V> {
    #[serde(flatten)]
    pub shape: Shape<V>,
    #[serde(flatten)]
    pub bounds: Bounds<V>,
}

impl<V: JsonSchema> JsonSchema for Drawn<V> {
    fn schema_name() -> Cow<'static, str> {
        Cow::Owned(format!("{}Distribution", V::schema_name()))
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        schema::with_common_keys::<Shape<V>, Bounds<V>>(generator)
    }
}

/// A distribution.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(tag = "distribution", rename_all = "kebab-case")]
pub(in crate::scenario) enum Shape<V> {
    /// Any amount between two, all equally likely.
    Uniform {
        /// Smallest amount.
        low: V,
        /// Largest amount.
        high: V,
    },
    /// Memoryless: many small amounts, few large ones.
    Exponential {
        /// Mean.
        mean: V,
    },
    /// Symmetric around the mean, cut by the bounds.
    Normal {
        /// Mean.
        mean: V,
        /// Standard deviation.
        deviation: V,
    },
    /// Its logarithm is normal: the usual shape of service and session times.
    Lognormal {
        /// Median.
        median: V,
        /// Standard deviation of the logarithm; 1 is already quite spread out.
        sigma: f64,
    },
    /// Between exponential and heavy-tailed.
    Weibull {
        /// The 63rd percentile.
        scale: V,
        /// 1 is exponential, less has a heavier tail.
        shape: f64,
    },
    /// A power-law tail.
    Pareto {
        /// Smallest amount.
        scale: V,
        /// Tail index; the mean is finite above 1.
        shape: f64,
    },
}

/// Bounds of a distribution.
#[derive(Debug, Deserialize, JsonSchema)]
pub(in crate::scenario) struct Bounds<V> {
    /// Smaller draws become this. Default: one step.
    pub min: Option<V>,
    /// Larger draws become this. Required for CPUs and memory, except where the shape itself ends.
    pub max: Option<V>,
    /// Draws are rounded to a multiple of this. Default: 0.01 CPUs, 1MiB of memory, 1us of time.
    pub step: Option<V>,
}
