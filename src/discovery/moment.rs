//! The clock of leases.

use std::ops::Add;
use std::time::Duration;

/// A point in time on a clock that only this machine knows. It never goes back and, where the system has such a clock,
/// goes on while the machine sleeps: the store's does, and a leader that wakes up must not count from where it fell
/// asleep. `Instant` stands still meanwhile on Linux.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(Duration);

impl Moment {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub fn now() -> Moment {
        use rustix::time::{ClockId, clock_gettime};
        let time = clock_gettime(ClockId::Boottime);
        // Neither is negative, as the clock starts with the machine.
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        let nanoseconds = u32::try_from(time.tv_nsec).unwrap_or(0);
        Moment(Duration::new(seconds, nanoseconds))
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub fn now() -> Moment {
        use std::sync::OnceLock;
        use std::time::Instant;
        static START: OnceLock<Instant> = OnceLock::new();
        Moment(START.get_or_init(Instant::now).elapsed())
    }

    /// How long it is until then: nothing if it is over.
    pub fn remaining(self) -> Duration {
        self.0.saturating_sub(Moment::now().0)
    }
}

impl Add<Duration> for Moment {
    type Output = Moment;

    fn add(self, span: Duration) -> Moment {
        Moment(self.0.saturating_add(span))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_on() {
        let before = Moment::now();
        let soon = before + Duration::from_millis(20);
        assert!(soon.remaining() > Duration::ZERO);
        std::thread::sleep(Duration::from_millis(30));
        assert!(Moment::now() > soon);
        assert_eq!(soon.remaining(), Duration::ZERO);
        assert!(before + Duration::MAX > soon, "no overflow");
    }
}
