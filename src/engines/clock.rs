//! The clock of the scenario: the machine's, faster or slower.

use std::time::Duration;

use tokio::time::Instant;

use crate::model::Time;

/// Times of the scenario by the machine's clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    begun: Instant,
    speed: f64,
}

impl Clock {
    /// A clock that begins now.
    pub(super) fn new(speed: f64) -> Clock {
        Clock {
            begun: Instant::now(),
            speed,
        }
    }

    /// The time.
    pub(super) fn now(&self) -> Time {
        // The cast saturates.
        Time((self.begun.elapsed().as_nanos() as f64 * self.speed) as u64)
    }

    /// When it will be that time. What lies beyond a year does not come.
    pub(super) fn instant(&self, time: Time) -> Instant {
        const YEAR_NS: f64 = 365.0 * 86_400e9;
        // One nanosecond more, so that rounding never leaves the time a little ahead.
        let nanos = (time.0 as f64 / self.speed + 1.0).min(YEAR_NS);
        self.begun + Duration::from_nanos(nanos as u64)
    }
}
