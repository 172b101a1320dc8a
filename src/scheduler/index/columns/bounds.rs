//! How good a node among several can be at best.

use super::Ask;
use super::block::{MARGIN, whole_part};

/// Bounds of several nodes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Infinite if no node is a candidate.
    base_least: f64,
    cpus: Span,
    memory: Span,
    /// Whether some totals are so large that the bounds are not safe.
    large: bool,
}

/// A bound that is quickly compared, and better than [`Bounds`] where low loads of the two resources are on different
/// nodes.
#[derive(Clone, Copy, Debug)]
pub(super) struct SumBound {
    /// The lowest sum of base and both loads that any one node has.
    sum_least: f64,
    cpu_rate_least: f64,
    memory_rate_least: f64,
    tie_least: u64,
}

/// Between which values one resource of several nodes lies.
#[derive(Clone, Copy, Debug)]
struct Span {
    used_least: f64,
    used_most: f64,
    total_most: f64,
    rate_least: f64,
    rate_most: f64,
    /// Percent in use.
    load_least: f64,
    load_most: f64,
}

/// One resource of one node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Amounts {
    pub(super) used: f64,
    pub(super) total: f64,
    /// Percent per unit.
    pub(super) rate: f64,
}

impl Span {
    const NOTHING: Span = Span {
        used_least: f64::INFINITY,
        used_most: 0.0,
        total_most: -1.0,
        rate_least: f64::INFINITY,
        rate_most: 0.0,
        load_least: f64::INFINITY,
        load_most: 0.0,
    };

    fn of(amounts: Amounts) -> Span {
        let load = amounts.used * amounts.rate;
        Span {
            used_least: amounts.used,
            used_most: amounts.used,
            total_most: amounts.total,
            rate_least: amounts.rate,
            rate_most: amounts.rate,
            load_least: load,
            load_most: load,
        }
    }

    fn unite(&mut self, other: &Span) {
        self.used_least = least(self.used_least, other.used_least);
        self.used_most = most(self.used_most, other.used_most);
        self.total_most = most(self.total_most, other.total_most);
        self.rate_least = least(self.rate_least, other.rate_least);
        self.rate_most = most(self.rate_most, other.rate_most);
        self.load_least = least(self.load_least, other.load_least);
        self.load_most = most(self.load_most, other.load_most);
    }

    /// The lowest percentage that any of the nodes can have in use with so much more; infinite if none has room. Exact
    /// if all nodes are of one size, and otherwise on the safe side by more than a rounding.
    fn percent_least(&self, wanted: f64, exact: bool) -> f64 {
        if wanted == 0.0 {
            return 100.0;
        }
        if self.total_most < wanted || (exact && self.used_least + wanted > self.total_most) {
            return f64::INFINITY;
        }
        let percent = if self.rate_least == self.rate_most {
            (self.used_least + wanted) * self.rate_least + MARGIN
        } else {
            self.load_least + wanted * self.rate_least - MARGIN
        };
        let percent = whole_part(most(percent, 0.0));
        if percent <= 100.0 { percent } else { f64::INFINITY }
    }

    /// The highest percentage, likewise.
    fn percent_most(&self, wanted: f64) -> f64 {
        if wanted == 0.0 {
            return 100.0;
        }
        let percent = if self.rate_least == self.rate_most {
            (self.used_most + wanted) * self.rate_most + MARGIN
        } else {
            self.load_most + wanted * self.rate_most + 3.0 * MARGIN
        };
        whole_part(least(percent, 100.0))
    }
}

impl Bounds {
    /// The bounds of no node.
    pub(super) const NOTHING: Bounds = Bounds {
        base_least: f64::INFINITY,
        cpus: Span::NOTHING,
        memory: Span::NOTHING,
        large: false,
    };

    /// The bounds of one node.
    pub(super) fn of(base: f64, cpus: Amounts, memory: Amounts) -> Bounds {
        Bounds {
            base_least: base,
            cpus: Span::of(cpus),
            memory: Span::of(memory),
            large: false,
        }
    }

    /// Says that some node is too large for the bounds to be safe.
    pub(super) fn with_large(self, large: bool) -> Bounds {
        Bounds { large, ..self }
    }

    /// The bounds of several together.
    pub(super) fn of_all(all: impl IntoIterator<Item = Bounds>) -> Bounds {
        all.into_iter().fold(Bounds::NOTHING, |mut together, bounds| {
            together.base_least = least(together.base_least, bounds.base_least);
            together.cpus.unite(&bounds.cpus);
            together.memory.unite(&bounds.memory);
            together.large |= bounds.large;
            together
        })
    }

    /// A score that no node goes below; infinite if none can take the container.
    pub(super) fn promise(&self, ask: &Ask) -> f64 {
        if self.large {
            return f64::NEG_INFINITY;
        }
        let cpus = self.cpus.percent_least(ask.cpus, ask.exact);
        let memory = self.memory.percent_least(ask.memory, ask.exact);
        let score = self.base_least + cpus + memory;
        if ask.packs && score < f64::INFINITY {
            return self.base_least - (self.cpus.percent_most(ask.cpus) + self.memory.percent_most(ask.memory));
        }
        score
    }
}

impl SumBound {
    /// The bound of no node.
    pub(super) const NOTHING: SumBound = SumBound {
        sum_least: f64::INFINITY,
        cpu_rate_least: f64::INFINITY,
        memory_rate_least: f64::INFINITY,
        tie_least: u64::MAX,
    };

    /// The bound of one node.
    pub(super) fn of(base: f64, tie: u64, cpus: Amounts, memory: Amounts) -> SumBound {
        SumBound {
            sum_least: base + cpus.used * cpus.rate + memory.used * memory.rate,
            cpu_rate_least: cpus.rate,
            memory_rate_least: memory.rate,
            tie_least: tie,
        }
    }

    /// The bound of nodes of any size.
    pub(super) fn without_limit(self) -> SumBound {
        SumBound {
            sum_least: f64::NEG_INFINITY,
            ..self
        }
    }

    /// The bound of several together.
    pub(super) fn of_all(all: impl IntoIterator<Item = SumBound>) -> SumBound {
        all.into_iter().fold(SumBound::NOTHING, |together, bound| SumBound {
            sum_least: least(together.sum_least, bound.sum_least),
            cpu_rate_least: least(together.cpu_rate_least, bound.cpu_rate_least),
            memory_rate_least: least(together.memory_rate_least, bound.memory_rate_least),
            tie_least: together.tie_least.min(bound.tie_least),
        })
    }

    /// The lowest tie of any candidate.
    pub(super) fn tie(&self) -> u64 {
        self.tie_least
    }

    /// A score that no node goes below if both resources are asked for and low loads are wanted.
    ///
    /// The whole parts of two numbers are together more than their sum less two, and being whole, not less than the
    /// whole part of their sum less one.
    pub(super) fn promise(&self, ask: &Ask) -> f64 {
        /// Above everything that can be negative in a sum: ten times the health.
        const OFFSET: f64 = 2048.0;
        /// Above what is lost to rounding in the sum.
        const ROUNDING: f64 = 1e-9;
        let sum = self.sum_least + ask.cpus * self.cpu_rate_least + ask.memory * self.memory_rate_least;
        whole_part(sum + (OFFSET - ROUNDING)) - (OFFSET + 1.0)
    }
}

/// Not `f64::min`, which minds values that are no numbers: these are.
fn least(a: f64, b: f64) -> f64 {
    if b < a { b } else { a }
}

fn most(a: f64, b: f64) -> f64 {
    if b > a { b } else { a }
}
