//! Exact amounts of CPU and memory.
//!
//! Every amount is capped at 2^50 units, so that the sum of the containers of a node and its hundredfold stay
//! inside 64 bits: 2^50 bytes are a pebibyte, 2^50 nano CPUs more than a million CPUs.

use std::fmt;

const CAP: u64 = 1 << 50;
const NANOS_PER_CPU: u64 = 1_000_000_000;

/// An amount of a further resource, in whole units and capped like every other.
pub(crate) const fn units(amount: u64) -> u64 {
    if amount > CAP { CAP } else { amount }
}

/// An amount of CPU in billionths of one CPU, the unit of Docker's `NanoCpus`: exact for `--cpus 0.25`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cpus(u64);

impl Cpus {
    /// No CPU.
    pub const ZERO: Cpus = Cpus(0);

    /// `nanos` billionths of one CPU.
    pub const fn from_nanos(nanos: u64) -> Cpus {
        Cpus(if nanos > CAP { CAP } else { nanos })
    }

    /// `millis` thousandths of one CPU, the unit of most cluster traces.
    pub const fn from_millis(millis: u64) -> Cpus {
        Cpus::from_nanos(millis.saturating_mul(1_000_000))
    }

    /// A whole number of CPUs.
    pub const fn whole(cpus: u64) -> Cpus {
        Cpus::from_nanos(cpus.saturating_mul(NANOS_PER_CPU))
    }

    /// Billionths of one CPU.
    pub const fn nanos(self) -> u64 {
        self.0
    }

    /// CPUs as a float, for ratios and plots.
    pub fn as_f64(self) -> f64 {
        self.0 as f64 / NANOS_PER_CPU as f64
    }
}

impl fmt::Display for Cpus {
    /// The shortest exact decimal: `2`, `0.25`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / NANOS_PER_CPU, self.0 % NANOS_PER_CPU);
        if rest == 0 {
            return write!(f, "{whole}");
        }
        let digits = format!("{rest:09}");
        write!(f, "{whole}.{}", digits.trim_end_matches('0'))
    }
}

/// An amount of memory or storage in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes(u64);

impl Bytes {
    /// No memory.
    pub const ZERO: Bytes = Bytes(0);

    /// `bytes` bytes.
    pub const fn new(bytes: u64) -> Bytes {
        Bytes(if bytes > CAP { CAP } else { bytes })
    }

    /// `mib` times 1024² bytes.
    pub const fn from_mib(mib: u64) -> Bytes {
        Bytes::new(mib.saturating_mul(1 << 20))
    }

    /// `gib` times 1024³ bytes.
    pub const fn from_gib(gib: u64) -> Bytes {
        Bytes::new(gib.saturating_mul(1 << 30))
    }

    /// Bytes.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Bytes {
    /// The largest binary unit that is exact: `512MiB`, `1GiB`, `1000B`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, shift) in [("PiB", 50), ("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)] {
            if self.0 != 0 && self.0.is_multiple_of(1 << shift) {
                return write!(f, "{}{unit}", self.0 >> shift);
            }
        }
        write!(f, "{}B", self.0)
    }
}

/// The two resources that strategies weigh.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Resources {
    /// CPU; zero means that none is reserved.
    pub cpus: Cpus,
    /// Memory; zero means that none is reserved.
    pub memory: Bytes,
}

impl Resources {
    /// Nothing of either.
    pub const ZERO: Resources = Resources {
        cpus: Cpus::ZERO,
        memory: Bytes::ZERO,
    };

    /// Both amounts.
    pub const fn new(cpus: Cpus, memory: Bytes) -> Resources {
        Resources { cpus, memory }
    }
}

/// How much more than a node has may be reserved on it, in whole percent (`scheduler/RULES.md` §6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overcommit {
    percent: i32,
}

impl Overcommit {
    /// The default of the original, 5 %.
    pub const DEFAULT: Overcommit = Overcommit { percent: 5 };
    /// Exactly what the node has.
    pub const NONE: Overcommit = Overcommit { percent: 0 };

    /// From a fraction such as `0.05`, truncated to whole percent. `None` unless it is above -1 and at most 1000.
    pub fn from_fraction(fraction: f64) -> Option<Overcommit> {
        (fraction > -1.0 && fraction <= 1000.0).then_some(Overcommit {
            percent: (fraction * 100.0) as i32,
        })
    }

    /// Whole percent, above -100.
    pub fn percent(self) -> i32 {
        self.percent
    }

    /// The capacity that may be reserved on a node that has `real`. The CPU part of the difference is truncated to
    /// whole CPUs, as in the original, where 5 % add a CPU only from 20 CPUs up.
    pub fn apply(self, real: Resources) -> Resources {
        let extra = |amount: u64, unit: u64| {
            let part = i128::from(amount / unit) * i128::from(self.percent) / 100;
            u64::try_from(i128::from(amount) + part * i128::from(unit)).unwrap_or(0)
        };
        Resources {
            cpus: Cpus::from_nanos(extra(real.cpus.nanos(), NANOS_PER_CPU)),
            memory: Bytes::new(extra(real.memory.get(), 1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overcommit_adds_a_cpu_only_from_twenty_up() {
        let total = |cpus| {
            Overcommit::DEFAULT
                .apply(Resources::new(Cpus::whole(cpus), Bytes::from_gib(2)))
                .cpus
        };
        assert_eq!(total(4), Cpus::whole(4));
        assert_eq!(total(19), Cpus::whole(19));
        assert_eq!(total(20), Cpus::whole(21));
        assert_eq!(total(42), Cpus::whole(44));
    }

    #[test]
    fn overcommit_truncates_the_percentage_and_may_shrink() {
        assert_eq!(Overcommit::from_fraction(0.059).map(Overcommit::percent), Some(5));
        assert_eq!(Overcommit::from_fraction(-1.0), None);
        assert_eq!(Overcommit::from_fraction(f64::NAN), None);
        let half = Overcommit::from_fraction(-0.5).expect("above -1");
        let shrunk = half.apply(Resources::new(Cpus::whole(3), Bytes::new(1001)));
        assert_eq!(shrunk, Resources::new(Cpus::whole(2), Bytes::new(501)));
    }

    #[test]
    fn amounts_print_exactly() {
        assert_eq!(Cpus::from_millis(250).to_string(), "0.25");
        assert_eq!(Cpus::whole(12).to_string(), "12");
        assert_eq!(Bytes::from_mib(1536).to_string(), "1536MiB");
        assert_eq!(Bytes::new(1000).to_string(), "1000B");
        assert_eq!(Bytes::ZERO.to_string(), "0B");
    }
}
