//! The two resources side by side.

use crate::cluster::Used;
use crate::model::Resources;

/// One value for CPU and one for memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PerResource<T> {
    /// For CPU.
    pub cpu: T,
    /// For memory.
    pub memory: T,
}

impl<T> PerResource<T> {
    /// The same computation for both.
    pub fn map<U>(self, compute: impl Fn(T) -> U) -> PerResource<U> {
        PerResource {
            cpu: compute(self.cpu),
            memory: compute(self.memory),
        }
    }

    /// The same computation of two values each.
    pub fn zip<U, V>(self, other: PerResource<U>, compute: impl Fn(T, U) -> V) -> PerResource<V> {
        PerResource {
            cpu: compute(self.cpu, other.cpu),
            memory: compute(self.memory, other.memory),
        }
    }

    /// Both values, CPU first.
    pub(super) fn each_mut(&mut self) -> [&mut T; 2] {
        [&mut self.cpu, &mut self.memory]
    }
}

/// Nano CPUs and bytes.
impl From<Resources> for PerResource<u64> {
    fn from(amount: Resources) -> PerResource<u64> {
        PerResource {
            cpu: amount.cpus.nanos(),
            memory: amount.memory.get(),
        }
    }
}

/// Nano CPUs and bytes.
impl From<Used> for PerResource<u64> {
    fn from(amount: Used) -> PerResource<u64> {
        PerResource {
            cpu: amount.cpus,
            memory: amount.memory,
        }
    }
}

/// `part` in percent of `whole`; `None` of nothing.
pub(super) fn percent(part: u128, whole: u128) -> Option<f64> {
    // Sums that need more than 64 bits are rare, and converting them is slow.
    let float = |sum: u128| u64::try_from(sum).map_or_else(|_| sum as f64, |sum| sum as f64);
    (whole > 0).then(|| 100.0 * (float(part) / float(whole)))
}
