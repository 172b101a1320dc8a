//! How good a node among several can be at best.

use super::Ask;
use super::block::{MARGIN, whole_part};

/// Bounds of several nodes.
#[derive(Clone, Debug)]
pub(super) struct Bounds {
    /// Infinite if no node is a candidate.
    base_least: f64,
    tie_least: u64,
    cpus: Span,
    memory: Span,
    /// Whether some totals are so large that the bounds are not safe.
    large: bool,
}

/// Between which values one resource of several nodes lies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    used_least: f64,
    used_most: f64,
    total_most: f64,
    rate_least: f64,
    rate_most: f64,
    /// Percent in use.
    load_least: f64,
    load_most: f64,
}

impl Span {
    pub(super) const NOTHING: Span = Span {
        used_least: f64::INFINITY,
        used_most: 0.0,
        total_most: -1.0,
        rate_least: f64::INFINITY,
        rate_most: 0.0,
        load_least: f64::INFINITY,
        load_most: 0.0,
    };

    pub(super) fn take_in(&mut self, used: f64, total: f64, rate: f64) {
        self.unite(&Span {
            used_least: used,
            used_most: used,
            total_most: total,
            rate_least: rate,
            rate_most: rate,
            load_least: used * rate,
            load_most: used * rate,
        });
    }

    fn unite(&mut self, other: &Span) {
        // Not `f64::min`, which minds values that are no numbers: these are.
        let least = |a: f64, b: f64| if b < a { b } else { a };
        let most = |a: f64, b: f64| if b > a { b } else { a };
        self.used_least = least(self.used_least, other.used_least);
        self.used_most = most(self.used_most, other.used_most);
        self.total_most = most(self.total_most, other.total_most);
        self.rate_least = least(self.rate_least, other.rate_least);
        self.rate_most = most(self.rate_most, other.rate_most);
        self.load_least = least(self.load_least, other.load_least);
        self.load_most = most(self.load_most, other.load_most);
    }

    /// The lowest and the highest percentage that any of the nodes can have in use with so much more; `None` if none has
    /// room. Both are exact if all nodes are of one size, and otherwise on the safe side by more than a rounding.
    fn percentages(&self, wanted: f64, exact: bool) -> Option<(f64, f64)> {
        if wanted == 0.0 {
            return Some((100.0, 100.0));
        }
        if self.total_most < wanted || (exact && self.used_least + wanted > self.total_most) {
            return None;
        }
        let (least, most) = if self.rate_least == self.rate_most {
            let percent = |used: f64| (used + wanted) * self.rate_least + MARGIN;
            (percent(self.used_least), percent(self.used_most))
        } else {
            (
                self.load_least + wanted * self.rate_least - MARGIN,
                self.load_most + wanted * self.rate_most + 3.0 * MARGIN,
            )
        };
        // A lower bound a little below zero would not be handled.
        let least = whole_part(if least > 0.0 { least } else { 0.0 });
        let most = whole_part(if most < 100.0 { most } else { 100.0 });
        (least <= 100.0).then_some((least, most))
    }
}

impl Bounds {
    pub(super) fn new(base_least: f64, tie_least: u64, cpus: Span, memory: Span, large: bool) -> Bounds {
        Bounds {
            base_least,
            tie_least,
            cpus,
            memory,
            large,
        }
    }

    /// The bounds of several together.
    pub(super) fn of_all(all: &[Bounds]) -> Bounds {
        let nothing = Bounds::new(f64::INFINITY, u64::MAX, Span::NOTHING, Span::NOTHING, false);
        all.iter().fold(nothing, |mut together, bounds| {
            together.base_least = together.base_least.min(bounds.base_least);
            together.tie_least = together.tie_least.min(bounds.tie_least);
            together.cpus.unite(&bounds.cpus);
            together.memory.unite(&bounds.memory);
            together.large |= bounds.large;
            together
        })
    }

    /// The lowest tie of any candidate.
    pub(super) fn tie(&self) -> u64 {
        self.tie_least
    }

    /// A score that no node goes below; infinite if none can take the container.
    pub(super) fn promise(&self, ask: &Ask) -> f64 {
        if self.base_least == f64::INFINITY {
            return f64::INFINITY;
        }
        if self.large {
            return f64::NEG_INFINITY;
        }
        let (Some(cpus), Some(memory)) = (
            self.cpus.percentages(ask.cpus, ask.exact),
            self.memory.percentages(ask.memory, ask.exact),
        ) else {
            return f64::INFINITY;
        };
        if ask.packs {
            self.base_least - (cpus.1 + memory.1)
        } else {
            self.base_least + (cpus.0 + memory.0)
        }
    }
}
