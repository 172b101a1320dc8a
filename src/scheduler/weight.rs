//! How strategies value a node (`scheduler/RULES.md` §6.1 and §6.2).

use crate::cluster::Node;
use crate::model::Resources;

use super::{Settings, Strategy};

/// Weight of one point of the health indicator against one percent of load.
pub(super) const HEALTH_FACTOR: i32 = 10;

/// A node's score, in the parts that an explanation shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weight {
    /// Percent of CPU in use with the container placed, truncated; 100 if it asks for none.
    pub cpu: i32,
    /// Percent of memory in use with the container placed, truncated; 100 if it asks for none.
    pub memory: i32,
    /// Ten times the health indicator; negative under spread, which prefers low weights.
    pub health: i32,
}

impl Weight {
    /// The sum, by which nodes are ordered.
    pub fn total(&self) -> i32 {
        self.cpu + self.memory + self.health
    }
}

/// Why a strategy skips a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortage {
    /// Not enough CPU.
    Cpus,
    /// Not enough memory.
    Memory,
}

/// The weight of a node for a request of these resources.
pub(super) fn weigh(settings: &Settings, node: &Node, wanted: Resources) -> Result<Weight, Shortage> {
    let (total, used) = (node.total(), node.used());
    let exact = settings.strict.capacity;
    let cpu = percent(used.cpus, wanted.cpus.nanos(), total.cpus.nanos(), exact).ok_or(Shortage::Cpus)?;
    let memory = percent(used.memory, wanted.memory.get(), total.memory.get(), exact).ok_or(Shortage::Memory)?;
    let health = i32::from(node.health()) * HEALTH_FACTOR;
    Ok(Weight {
        cpu,
        memory,
        health: match settings.strategy {
            Strategy::Spread => -health,
            Strategy::Binpack | Strategy::Random => health,
        },
    })
}

/// Percent in use with the request placed, `None` if the node has no room. Truncation admits a node up to just under
/// 101 % unless capacity is `exact`. Amounts are capped far below the range, so nothing overflows.
pub(super) fn percent(used: u64, wanted: u64, total: u64, exact: bool) -> Option<i32> {
    if wanted == 0 {
        return Some(100);
    }
    if total < wanted {
        return None;
    }
    let after = used + wanted;
    // The comparison spares a division for full nodes and keeps the product in range.
    if after >= total.saturating_add(total.div_ceil(100)) || (exact && after > total) {
        return None;
    }
    let percent = after * 100 / total;
    (percent <= 100).then_some(percent as i32)
}

/// A total order on nodes for one request, in one number: the greatest is best, ties go to the first in tie order.
///
/// Nodes that may take the container come above all others, ordered by weight and then by number of containers. Nodes
/// that may not are ordered by how far they came: by the filter that refused them. So the greatest number of all nodes
/// says either where the container goes or which filter left no node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key(pub(super) u64);

impl Key {
    const ACCEPTED: u64 = 1 << 63;
    /// Above every possible weight, so that shifted weights are positive.
    const OFFSET: i32 = 1 << 14;

    /// Not a candidate at all.
    pub(super) const ABSENT: Key = Key(0);

    /// Refused at this stage, 0 for the first filter.
    pub(super) fn refused(stage: usize) -> Key {
        Key(1 + stage as u64)
    }

    /// May take the container.
    pub(super) fn accepted(strategy: Strategy, weight: i32, containers: usize) -> Key {
        let containers = u64::from(u32::try_from(containers).unwrap_or(u32::MAX));
        let shifted = |weight: i32| ((weight + Key::OFFSET) as u64) << 32;
        match strategy {
            Strategy::Spread => Key(Key::ACCEPTED | shifted(-weight) | (u64::from(u32::MAX) - containers)),
            Strategy::Binpack => Key(Key::ACCEPTED | shifted(weight) | containers),
            Strategy::Random => Key(Key::ACCEPTED),
        }
    }

    pub(super) fn is_accepted(self) -> bool {
        self.0 >= Key::ACCEPTED
    }

    /// The stage that refused the node; `None` if it is accepted or no candidate.
    pub(super) fn refused_at(self) -> Option<usize> {
        (!self.is_accepted()).then_some(self.0.checked_sub(1)? as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truncation_admits_just_under_101_percent() {
        assert_eq!(percent(9, 1000, 1000, false), Some(100));
        assert_eq!(percent(10, 1000, 1000, false), None);
        assert_eq!(percent(9, 1000, 1000, true), None);
        assert_eq!(percent(0, 1000, 1000, true), Some(100));
        assert_eq!(percent(0, 1001, 1000, false), None);
        assert_eq!(percent(1 << 60, 0, 0, true), Some(100));
    }

    #[test]
    fn percent_agrees_with_the_formula() {
        for total in 1..=120_u64 {
            for used in 0..=130 {
                for wanted in 1..=130 {
                    let formula = (used + wanted) * 100 / total;
                    let expected = (wanted <= total && formula <= 100).then_some(formula as i32);
                    assert_eq!(
                        percent(used, wanted, total, false),
                        expected,
                        "{used}+{wanted} of {total}"
                    );
                }
            }
        }
    }

    #[test]
    fn keys_order_as_the_strategies_do() {
        let spread = |weight, containers| Key::accepted(Strategy::Spread, weight, containers);
        assert!(spread(-1000, 5) > spread(-900, 0) && spread(10, 1) > spread(10, 2));
        let binpack = |weight, containers| Key::accepted(Strategy::Binpack, weight, containers);
        assert!(binpack(1200, 0) > binpack(1199, 9) && binpack(10, 2) > binpack(10, 1));
        assert!(spread(200, usize::MAX) > Key::refused(8));
        assert!(Key::refused(1) > Key::refused(0) && Key::refused(0) > Key::ABSENT);
    }
}
