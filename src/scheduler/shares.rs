//! CPU as daemons count it: shares of 1024 for the whole machine (`scheduler/RULES.md` §6.3).

use crate::model::Cpus;

/// What a daemon takes as all of its machine.
const ALL: u128 = 1024;

/// The CPU shares that a daemon is told for a reservation, rounded up; `real` is what the node has, without overcommit.
pub fn to_shares(reserved: Cpus, real: Cpus) -> u64 {
    if real == Cpus::ZERO {
        return 0;
    }
    let shares = (u128::from(reserved.nanos()) * ALL).div_ceil(u128::from(real.nanos()));
    u64::try_from(shares).unwrap_or(u64::MAX)
}

/// The reservation that a daemon's CPU shares stand for, in whole CPUs. The usual 1024 of a container created behind
/// Swarm's back are all CPUs of the node.
pub fn from_shares(shares: u64, real: Cpus) -> Cpus {
    let nanos = u128::from(shares) * u128::from(real.nanos()) / ALL;
    let cpus = nanos / u128::from(Cpus::whole(1).nanos());
    Cpus::whole(u64::try_from(cpus).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_cpus_come_back() {
        for real in 1..=130 {
            for reserved in 0..=2 * real {
                let shares = to_shares(Cpus::whole(reserved), Cpus::whole(real));
                assert_eq!(shares, (reserved * 1024).div_ceil(real));
                assert_eq!(from_shares(shares, Cpus::whole(real)), Cpus::whole(reserved));
            }
        }
    }

    #[test]
    fn the_usual_shares_are_the_whole_machine() {
        assert_eq!(from_shares(1024, Cpus::whole(3)), Cpus::whole(3));
        assert_eq!(from_shares(1023, Cpus::whole(3)), Cpus::whole(2));
        assert_eq!(from_shares(u64::MAX, Cpus::whole(1 << 20)), Cpus::whole(u64::MAX));
        assert_eq!(to_shares(Cpus::whole(1), Cpus::ZERO), 0);
    }
}
