//! The life of one container on its node, from its placement to its end: a state machine without clock and cluster.
//!
//! Simulated runs and simulated engines share it. Who drives it plans its delays and tells it what has happened.

use std::cell::LazyCell;
use std::time::Duration;

use super::plan::{ClassPlan, Restart, Source};
use super::sampler::unit;
use super::streams::{Purpose, Streams};

/// Docker waits at least this long before a restart, and so time always passes between two.
const RESTART_DELAY_MIN: Duration = Duration::from_millis(1);

/// A container that has run for so long has recovered: the next restart is as quick as the first.
const RECOVERED_AFTER: Duration = Duration::from_secs(10);

/// Where in its life a container is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// It has a place, and nothing runs.
    #[default]
    Created,
    /// Its daemon is starting it.
    Starting,
    /// It runs.
    Running,
    /// It stands still.
    Paused,
    /// It has exited and will be started again.
    Restarting,
    /// It has exited and stays so until somebody starts it.
    Exited,
}

/// How long it takes until a container that exited is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestartDelay {
    /// Always the same time.
    Fixed(Duration),
    /// Twice as long each time, until the container has run for ten seconds.
    Doubling {
        /// Before the first restart.
        first: Duration,
        /// At most.
        most: Duration,
    },
}

/// How an exit came about, and what to do about it.
#[derive(Clone, Copy, Debug)]
pub struct Exit {
    /// Whether it was a failure.
    pub failed: bool,
    /// How long the container had run; only a delay that doubles depends on it.
    pub ran: Duration,
    /// Its restart policy.
    pub policy: Restart,
    /// The wait before a restart.
    pub delay: RestartDelay,
}

/// One container's life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Life {
    phase: Phase,
    restarts: u32,
    /// Restarts since it last ran well.
    quick: u32,
}

impl Life {
    /// Where it is.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// How often it was started again by its policy.
    pub fn restarts(&self) -> u32 {
        self.restarts
    }

    /// Whether it runs or stands still.
    pub fn is_up(&self) -> bool {
        matches!(self.phase, Phase::Running | Phase::Paused)
    }

    /// Its daemon begins to start it; `false` if it is up already, or about to be.
    pub fn start(&mut self) -> bool {
        let can = matches!(self.phase, Phase::Created | Phase::Exited);
        if can {
            self.phase = Phase::Starting;
        }
        can
    }

    /// Restarts are counted anew, as after a start by hand.
    pub fn forget_restarts(&mut self) {
        (self.restarts, self.quick) = (0, 0);
    }

    /// Its process is there, after a start or a restart; `false` if nobody was starting it.
    pub fn started(&mut self) -> bool {
        let can = matches!(self.phase, Phase::Starting | Phase::Restarting);
        if can {
            self.phase = Phase::Running;
        }
        can
    }

    /// Its process has ended by itself. The wait until its policy starts it again; `None` if it does not.
    pub fn exited(&mut self, exit: &Exit) -> Option<Duration> {
        if !self.is_up() {
            return None;
        }
        let again = match exit.policy {
            Restart::No => false,
            Restart::Always => true,
            Restart::OnFailure { limit } => exit.failed && limit.is_none_or(|limit| self.restarts < limit),
        };
        if !again {
            self.phase = Phase::Exited;
            return None;
        }
        if exit.ran >= RECOVERED_AFTER {
            self.quick = 0;
        }
        let delay = match exit.delay {
            RestartDelay::Fixed(delay) => delay,
            RestartDelay::Doubling { first, most } => {
                let factor = 1_u32.checked_shl(self.quick).unwrap_or(u32::MAX);
                first.saturating_mul(factor).min(most)
            }
        };
        self.phase = Phase::Restarting;
        self.restarts += 1;
        self.quick = self.quick.saturating_add(1).min(31);
        Some(delay.max(RESTART_DELAY_MIN))
    }

    /// Somebody ends it: no policy starts it again. `false` if nothing was to be ended.
    pub fn stop(&mut self) -> bool {
        let can = !matches!(self.phase, Phase::Created | Phase::Exited);
        if can {
            self.phase = Phase::Exited;
        }
        can
    }

    /// It stands still from now on; `false` if it does not run.
    pub fn pause(&mut self) -> bool {
        let can = self.phase == Phase::Running;
        if can {
            self.phase = Phase::Paused;
        }
        can
    }

    /// It goes on; `false` if it did not stand still.
    pub fn unpause(&mut self) -> bool {
        let can = self.phase == Phase::Paused;
        if can {
            self.phase = Phase::Running;
        }
        can
    }
}

/// What chance does to a container of a class at an exit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fate {
    /// Whether the exit is a failure.
    pub failed: bool,
    /// How long the container will run if it is started again; `None`: for ever.
    pub lifetime: Option<Duration>,
}

/// The fate of a container at its exit number `restarts`, and of its next life. `own` is how long it was to run before,
/// which containers of traces keep. Nothing but the seed, the name and the number has an influence.
pub(super) fn fate(streams: &Streams, class: &ClassPlan, name: &str, restarts: u32, own: Option<Duration>) -> Fate {
    // Most classes never draw from it, and making one costs more than the rest of an exit.
    let mut rng = LazyCell::new(|| streams.stream(Purpose::Exits, name, u64::from(restarts)));
    let failed = class.restart.failure > 0.0 && unit(&mut *rng) < class.restart.failure;
    let lifetime = match &class.source {
        Source::Synthetic { lifetime, .. } if class.restart.policy != Restart::No => lifetime
            .as_ref()
            .map(|sampler| Duration::from_nanos(sampler.sample(&mut *rng))),
        Source::Synthetic { .. } | Source::Trace(_) => own,
    };
    Fate { failed, lifetime }
}

/// The fates of containers that are created one by one, and not drawn in advance.
#[derive(Clone, Copy, Debug)]
pub struct Fates {
    streams: Streams,
}

impl Fates {
    /// All from one seed.
    pub fn new(seed: u64) -> Fates {
        Fates {
            streams: Streams::new(seed),
        }
    }

    /// How long a container of a class runs when it is first started; `None`: for ever, as those of a trace, which are
    /// not known by their class.
    pub fn lifetime(&self, class: &ClassPlan, name: &str) -> Option<Duration> {
        match &class.source {
            Source::Synthetic { lifetime, .. } => lifetime.as_ref().map(|sampler| {
                let mut rng = self.streams.stream(Purpose::Lifetimes, name, 0);
                Duration::from_nanos(sampler.sample(&mut rng))
            }),
            Source::Trace(_) => None,
        }
    }

    /// What happens at an exit: see [`Fate`].
    pub fn at_exit(&self, class: &ClassPlan, name: &str, restarts: u32, own: Option<Duration>) -> Fate {
        fate(&self.streams, class, name, restarts, own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DOUBLING: RestartDelay = RestartDelay::Doubling {
        first: Duration::from_millis(100),
        most: Duration::from_secs(60),
    };

    fn exit(failed: bool, ran_s: u64, policy: Restart) -> Exit {
        Exit {
            failed,
            ran: Duration::from_secs(ran_s),
            policy,
            delay: DOUBLING,
        }
    }

    fn running() -> Life {
        let mut life = Life::default();
        assert!(life.start() && life.started());
        life
    }

    #[test]
    fn restarts_take_longer_each_time_until_it_ran_well() {
        let mut life = running();
        let mut delays = Vec::new();
        for ran_s in [0, 0, 1, 10, 0] {
            let delay = life.exited(&exit(false, ran_s, Restart::Always)).expect("a restart");
            delays.push(delay.as_millis());
            assert!(life.phase() == Phase::Restarting && life.started());
        }
        assert_eq!(
            (delays.as_slice(), life.restarts()),
            (&[100, 200, 400, 100, 200][..], 5)
        );
        for _ in 0..100 {
            let delay = life.exited(&exit(true, 0, Restart::Always)).expect("a restart");
            assert!(delay <= Duration::from_secs(60) && life.started());
        }
    }

    #[test]
    fn only_failures_are_restarted_and_only_so_often() {
        let policy = Restart::OnFailure { limit: Some(1) };
        let mut life = running();
        assert!(life.exited(&exit(true, 0, policy)).is_some() && life.started());
        assert!(life.exited(&exit(true, 0, policy)).is_none() && life.phase() == Phase::Exited);
        assert!(running().exited(&exit(false, 0, policy)).is_none());
        // A new order begins anew.
        life.forget_restarts();
        assert!(life.start() && life.started() && life.restarts() == 0);
        assert!(life.exited(&exit(true, 0, policy)).is_some());
    }

    proptest! {
        #[test]
        fn it_is_never_up_unless_it_was_started(steps in proptest::collection::vec(0_u8..7, 0..40)) {
            let mut life = Life::default();
            for step in steps {
                let before = life;
                let done = match step {
                    0 => life.start(),
                    1 => life.started(),
                    2 => life.exited(&exit(true, 0, Restart::Always)).is_some(),
                    3 => life.exited(&exit(false, 0, Restart::No)).is_some() || life != before,
                    4 => life.stop(),
                    5 => life.pause(),
                    _ => life.unpause(),
                };
                prop_assert_eq!(done, life != before, "what is refused changes nothing, {} on {:?}", step, before);
                let came_up = life.is_up() && !before.is_up();
                prop_assert!(!came_up || step == 1);
            }
        }
    }
}
