//! A few nodes side by side.

use crate::cluster::Node;
use crate::scheduler::index::node_set::NodeSet;
use crate::scheduler::weight::{HEALTH_FACTOR, percent};

use super::bounds::{Amounts, Bounds, SumBound};
use super::{Ask, Best};

/// Nodes in a block.
pub(super) const LANES: usize = 16;

/// Added to a percentage before it is truncated, so that one that is whole but for rounding is whole.
///
/// A percentage `(used + wanted) * (100 / total)` is at most 102 wherever it matters, and off by at most two roundings
/// of 2^-53 each, together less than 2.3e-14; adding the margin rounds once more, by less than 1.2e-14. So the sum is
/// above the true value if that is whole, because the margin is above 3.5e-14. If the true value is below a whole
/// number, then by at least `1 / total`, so the sum stays below it as long as `1 / total` is above the margin and the
/// roundings, 9.2e-14: for totals up to [`TOTAL_MAX`]. Beyond, nodes are looked at with integers.
pub(super) const MARGIN: f64 = 1.0 / (1_u64 << 44) as f64;

/// The largest total for which the above holds: 8 TiB, or 8,796 CPUs.
const TOTAL_MAX: u64 = 1 << 43;

/// Reservations are cut off here: far above every total, so what is cut off is full, and far below 2^53, so that sums
/// are exact.
const USED_MAX: u64 = 1 << 51;

/// The rate of a node that has nothing: finite, so that nothing times it is nothing.
const RATE_MAX: f64 = 1e300;

/// One node as it lies in a block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lane {
    pub(super) position: u32,
    /// Which of several nodes with the same score is best: the lowest.
    pub(super) tie: u64,
    /// The part of the score that does not depend on the request; infinite for a node that is no candidate.
    base: f64,
    cpus: Amounts,
    memory: Amounts,
    large: bool,
}

/// One resource of the nodes of a block.
#[derive(Clone, Debug)]
struct Column {
    used: [f64; LANES],
    total: [f64; LANES],
    rate: [f64; LANES],
}

/// The nodes of a block, column by column.
#[derive(Clone, Debug)]
pub(super) struct Block {
    cpus: Column,
    memory: Column,
    base: [f64; LANES],
    tie: [u64; LANES],
    position: [u32; LANES],
    /// Whether some total is above [`TOTAL_MAX`].
    large: bool,
}

impl Lane {
    pub(super) fn new(position: u32, node: &Node, packs: bool) -> Lane {
        let (total, used) = (node.total(), node.used());
        let containers = u32::try_from(node.containers().len()).unwrap_or(u32::MAX);
        let rank = if packs { u32::MAX - containers } else { containers };
        Lane {
            position,
            tie: u64::from(rank) << 32 | u64::from(position),
            base: if node.is_schedulable() {
                -f64::from(i32::from(node.health()) * HEALTH_FACTOR)
            } else {
                f64::INFINITY
            },
            cpus: Amounts::new(used.cpus, total.cpus.nanos()),
            memory: Amounts::new(used.memory, total.memory.get()),
            large: total.cpus.nanos().max(total.memory.get()) > TOTAL_MAX,
        }
    }

    /// A number that is near that of another node with similar loads. Where low loads are wanted, nodes with the same sum
    /// of both loads are neighbours; where high ones are, room counts, which is for both or not at all, so the digits of
    /// both loads take turns.
    pub(super) fn neighbourhood(&self, packs: bool) -> u32 {
        let load = |amounts: &Amounts| amounts.used * amounts.rate;
        let (cpus, memory) = (load(&self.cpus), load(&self.memory));
        // The cast saturates.
        let steps = |load: f64, per_percent: f64| ((load * per_percent) as u32).min(4095);
        if packs {
            let spread_out = |number: u32| (0..12).fold(0, |all, bit| all | (number >> bit & 1) << (2 * bit));
            spread_out(steps(cpus, 40.0)) << 1 | spread_out(steps(memory, 40.0))
        } else {
            steps(cpus + memory, 2.0) << 12 | steps(cpus, 40.0)
        }
    }
}

impl Amounts {
    fn new(used: u64, total: u64) -> Amounts {
        Amounts {
            used: used.min(USED_MAX) as f64,
            total: total as f64,
            rate: if total == 0 { RATE_MAX } else { 100.0 / total as f64 },
        }
    }
}

impl Column {
    const EMPTY: Column = Column {
        used: [0.0; LANES],
        total: [0.0; LANES],
        rate: [0.0; LANES],
    };

    fn set(&mut self, lane: usize, amounts: &Amounts) {
        self.used[lane] = amounts.used;
        self.total[lane] = amounts.total;
        self.rate[lane] = amounts.rate;
    }

    fn amounts(&self, lane: usize) -> Amounts {
        Amounts {
            used: self.used[lane],
            total: self.total[lane],
            rate: self.rate[lane],
        }
    }

    /// The percentage in use with so much more; infinite if there is no room for it.
    #[inline(always)]
    fn percent(&self, lane: usize, wanted: f64, exact: bool) -> f64 {
        let after = self.used[lane] + wanted;
        let percent = whole_part(after * self.rate[lane] + MARGIN);
        let fits = (percent <= 100.0) & (self.total[lane] >= wanted) & (!exact | (after <= self.total[lane]));
        if fits { percent } else { f64::INFINITY }
    }

    /// The same with integers.
    fn percent_of_large(&self, lane: usize, wanted: f64, exact: bool) -> f64 {
        // All of these came from integers and are exact.
        let [used, wanted, total] = [self.used[lane], wanted, self.total[lane]].map(|amount| amount as u64);
        percent(used, wanted, total, exact).map_or(f64::INFINITY, f64::from)
    }
}

impl Block {
    pub(super) const EMPTY: Block = Block {
        cpus: Column::EMPTY,
        memory: Column::EMPTY,
        base: [f64::INFINITY; LANES],
        tie: [u64::MAX; LANES],
        position: [0; LANES],
        large: false,
    };

    pub(super) fn set(&mut self, lane: usize, node: &Lane) {
        self.cpus.set(lane, &node.cpus);
        self.memory.set(lane, &node.memory);
        self.base[lane] = node.base;
        self.tie[lane] = node.tie;
        self.position[lane] = node.position;
        // It may become small again, which costs speed only.
        self.large |= node.large;
    }

    pub(super) fn bounds(&self) -> (SumBound, Bounds) {
        let candidates = || (0..LANES).filter(|lane| self.base[*lane] < f64::INFINITY);
        let amounts = |lane: usize| (self.cpus.amounts(lane), self.memory.amounts(lane));
        let sums = candidates().map(|lane| {
            let (cpus, memory) = amounts(lane);
            SumBound::of(self.base[lane], self.tie[lane], cpus, memory)
        });
        let each = candidates().map(|lane| {
            let (cpus, memory) = amounts(lane);
            Bounds::of(self.base[lane], cpus, memory)
        });
        let (sum, bounds) = (SumBound::of_all(sums), Bounds::of_all(each));
        if self.large {
            (sum.without_limit(), bounds.with_large(true))
        } else {
            (sum, bounds)
        }
    }

    /// Looks at every node of the block.
    pub(super) fn look(&self, ask: &Ask, eligible: Option<&NodeSet>, best: &mut Best) {
        let scores = self.scores(ask);
        for (lane, score) in scores.into_iter().enumerate() {
            if best.is_beaten_by(score, self.tie[lane])
                && eligible.is_none_or(|eligible| eligible.contains(self.position[lane] as usize))
            {
                self.take(lane, score, best);
            }
        }
    }

    /// Looks at one node.
    pub(super) fn look_at(&self, lane: usize, ask: &Ask, best: &mut Best) {
        let score = self.score_with_integers(lane, ask);
        if best.is_beaten_by(score, self.tie[lane]) {
            self.take(lane, score, best);
        }
    }

    pub(super) fn add_those_with_room(&self, ask: &Ask, set: &mut NodeSet) {
        for (lane, score) in self.scores(ask).into_iter().enumerate() {
            if score < f64::INFINITY {
                set.insert(self.position[lane] as usize);
            }
        }
    }

    fn take(&self, lane: usize, score: f64, best: &mut Best) {
        *best = Best {
            score,
            tie: self.tie[lane],
            position: Some(self.position[lane]),
        };
    }

    /// The score of every node, the lowest being the best; infinite for those that cannot take the container.
    fn scores(&self, ask: &Ask) -> [f64; LANES] {
        if self.large {
            return self.scores_with_integers(ask);
        }
        // One loop for each case, so that nothing in them branches.
        match (ask.cpus > 0.0, ask.memory > 0.0) {
            (true, true) => self.scores_of::<true, true>(ask),
            (true, false) => self.scores_of::<true, false>(ask),
            (false, true) => self.scores_of::<false, true>(ask),
            (false, false) => self.scores_of::<false, false>(ask),
        }
    }

    fn scores_of<const CPUS: bool, const MEMORY: bool>(&self, ask: &Ask) -> [f64; LANES] {
        let (sign, exact) = (ask.sign(), ask.exact);
        std::array::from_fn(|lane| {
            let cpus = if CPUS {
                self.cpus.percent(lane, ask.cpus, exact)
            } else {
                100.0
            };
            let memory = if MEMORY {
                self.memory.percent(lane, ask.memory, exact)
            } else {
                100.0
            };
            self.score(lane, sign, cpus + memory)
        })
    }

    #[cold]
    #[inline(never)]
    fn scores_with_integers(&self, ask: &Ask) -> [f64; LANES] {
        std::array::from_fn(|lane| self.score_with_integers(lane, ask))
    }

    fn score_with_integers(&self, lane: usize, ask: &Ask) -> f64 {
        let cpus = self.cpus.percent_of_large(lane, ask.cpus, ask.exact);
        let memory = self.memory.percent_of_large(lane, ask.memory, ask.exact);
        self.score(lane, ask.sign(), cpus + memory)
    }

    #[inline(always)]
    fn score(&self, lane: usize, sign: f64, load: f64) -> f64 {
        if load < f64::INFINITY {
            self.base[lane] + sign * load
        } else {
            f64::INFINITY
        }
    }
}

impl Ask {
    /// High loads are good if the strategy packs, and low scores are good.
    fn sign(&self) -> f64 {
        if self.packs { -1.0 } else { 1.0 }
    }
}

/// The whole part of a number that is not negative. Beyond 2^51 it is merely large.
#[inline(always)]
pub(super) fn whole_part(number: f64) -> f64 {
    // Where neighbouring numbers are one apart, adding rounds to a whole number, and subtracting leaves it.
    const WHOLE: f64 = (1_u64 << 52) as f64;
    let near = (number + WHOLE) - WHOLE;
    near - if near > number { 1.0 } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use rand::rngs::ChaCha8Rng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    fn ask(cpus: u64, memory: u64, exact: bool, packs: bool) -> Ask {
        Ask {
            cpus: cpus as f64,
            memory: memory as f64,
            exact,
            packs,
        }
    }

    /// A total up to `most`, and a reservation and a request that together are the least amount of some percentage of
    /// it, or one less.
    fn on_the_boundary(rng: &mut ChaCha8Rng, most: u64) -> (u64, u64, u64) {
        let total = match rng.random_range(0..3) {
            0 => most - rng.random_range(0..1000),
            1 => {
                let digits = rng.random_range(0..42);
                rng.random_range(1..=most >> digits)
            }
            _ => rng.random_range(1..=most / 2_u64.pow(20)) << 20,
        };
        let percent = rng.random_range(1..=102);
        let least = (u128::from(total) * percent).div_ceil(100) as u64;
        let after = (least - rng.random_range(0..=1)).max(1);
        let wanted = rng.random_range(1..=after.min(total.max(1)));
        (total, after - wanted, wanted)
    }

    #[test]
    fn percentages_are_those_of_integers_at_every_boundary() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for _ in 0..1_000_000 {
            let (total, used, wanted) = on_the_boundary(&mut rng, TOTAL_MAX);
            let mut column = Column::EMPTY;
            column.set(3, &Amounts::new(used, total));
            for exact in [false, true] {
                let expected = percent(used, wanted, total, exact).map_or(f64::INFINITY, f64::from);
                let found = column.percent(3, wanted as f64, exact);
                assert_eq!(found, expected, "{used} + {wanted} of {total}, exact: {exact}");
            }
        }
    }

    /// Why larger nodes are looked at with integers.
    #[test]
    fn percentages_of_larger_totals_would_not_be() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let differs = |rng: &mut ChaCha8Rng| {
            let (total, used, wanted) = on_the_boundary(rng, TOTAL_MAX << 5);
            let mut column = Column::EMPTY;
            column.set(0, &Amounts::new(used, total));
            let expected = percent(used, wanted, total, false).map_or(f64::INFINITY, f64::from);
            assert_eq!(column.percent_of_large(0, wanted as f64, false), expected);
            column.percent(0, wanted as f64, false) != expected
        };
        assert!((0..100_000).any(|_| differs(&mut rng)));
    }

    #[test]
    fn bounds_promise_no_more_than_a_node_keeps() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        for round in 0..100_000 {
            let packs = round % 2 == 0;
            let mut block = Block::EMPTY;
            let same_size = rng.random_bool(0.5);
            let (mut cpus, mut memory) = (on_the_boundary(&mut rng, 1 << 43), on_the_boundary(&mut rng, 1 << 43));
            let wanted = (cpus.2, memory.2);
            for lane in 0..rng.random_range(1..=LANES) {
                if !same_size {
                    (cpus, memory) = (on_the_boundary(&mut rng, 1 << 43), on_the_boundary(&mut rng, 1 << 43));
                }
                let used = |(total, used, _): (u64, u64, u64), rng: &mut ChaCha8Rng| {
                    let used = if rng.random_bool(0.5) {
                        used
                    } else {
                        rng.random_range(0..=total)
                    };
                    Amounts::new(used, total)
                };
                let position = lane as u32;
                block.set(
                    lane,
                    &Lane {
                        position,
                        tie: u64::from(position),
                        base: -f64::from(rng.random_range(0..=10) * 100),
                        cpus: used(cpus, &mut rng),
                        memory: used(memory, &mut rng),
                        large: false,
                    },
                );
            }
            let (cpus, memory) = match rng.random_range(0..4) {
                0 => (0, wanted.1),
                1 => (wanted.0, 0),
                _ => wanted,
            };
            let ask = ask(cpus, memory, rng.random_bool(0.5), packs);
            let (sum, bounds) = block.bounds();
            let least = block.scores(&ask).into_iter().fold(f64::INFINITY, f64::min);
            assert!(
                bounds.promise(&ask) <= least,
                "{bounds:?} of {block:?} for {ask:?}: {least}"
            );
            if !packs && cpus > 0 && memory > 0 {
                assert!(sum.promise(&ask) <= least, "{sum:?} of {block:?} for {ask:?}: {least}");
            }
        }
    }
}
