//! One run: inputs, events and samples in order of time.

use std::sync::Arc;
use std::time::Duration;

use crate::cluster::Cluster;
use crate::model::{Request, Time};
use crate::scheduler::{Prepared, Scheduler, Settings, Strategy};

use super::generated::Generated;
use super::input::{Input, Inputs};
use super::observation::{Observation, Observer};
use super::plan::{End, Plan};
use super::streams::PlacementRng;
use super::world::World;

/// What varies between runs of one plan.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    /// The strategy.
    pub strategy: Strategy,
    /// The seed of everything random.
    pub seed: u64,
    /// Reads a clock in nanoseconds, to measure decisions; without it they are not measured.
    pub stopwatch: Option<&'a dyn Fn() -> u64>,
    /// Asked now and then; once it says yes, the run ends where it is.
    pub interrupted: Option<&'a dyn Fn() -> bool>,
}

/// Where a run ended.
pub struct Finished {
    /// Virtual time.
    pub time: Time,
    /// The cluster as it was then.
    pub cluster: Cluster,
    /// The scheduler that decided.
    pub scheduler: Scheduler,
    /// Its generator, in the state in which the next decision would find it.
    pub placement_rng: PlacementRng,
    /// Whether the run was interrupted before its end.
    pub interrupted: bool,
}

/// Events between two looks at whether the run is interrupted.
const INTERRUPT_INTERVAL: u32 = 1024;

/// Simulates a plan with inputs drawn from the seed, up to `until` at the latest.
pub fn simulate(plan: &Plan, run: Run<'_>, until: Time, observer: &mut dyn Observer) -> Finished {
    let prepare = preparer(plan, run.strategy);
    let mut inputs = Generated::new(plan, run.seed, prepare);
    simulate_inputs(plan, run, until, &mut inputs, observer)
}

/// Parses requests as a run of the plan does.
pub fn preparer(plan: &Plan, strategy: Strategy) -> impl FnMut(Arc<Request>) -> Prepared {
    let mut scheduler = Scheduler::new(Settings {
        filters: plan.run.filters.clone(),
        strategy,
        strict: plan.run.strict,
    });
    move |request| scheduler.prepare(request)
}

/// Simulates a plan with given inputs, up to `until` at the latest. At the same instant, what the run itself has
/// planned (starts, exits, retries) comes before inputs, and samples come last.
pub fn simulate_inputs(
    plan: &Plan,
    run: Run<'_>,
    until: Time,
    inputs: &mut dyn Inputs,
    observer: &mut dyn Observer,
) -> Finished {
    let mut world = World::new(plan, run.strategy, run.seed, run.stopwatch);
    let (at_most, drains) = match plan.run.end {
        End::At(time) => (time, false),
        End::Drained { at_most } => (at_most, true),
    };
    let at_most = at_most.min(until);
    let mut samples = Samples::new(plan.run.warm_up, plan.run.sample_interval);
    let mut countdown = INTERRUPT_INTERVAL;
    let mut interrupted = false;
    observer.observe(Time::ZERO, &world.cluster, &Observation::Begin);
    loop {
        countdown -= 1;
        if countdown == 0 {
            countdown = INTERRUPT_INTERVAL;
            if run.interrupted.is_some_and(|ask| ask()) {
                interrupted = true;
                break;
            }
        }
        let (own, input) = (world.next_time(), inputs.next_time());
        let nothing_left = own.is_none() && (input.is_none() || (inputs.only_random() && !world.is_anyone_waiting()));
        if drains && nothing_left {
            break;
        }
        let next = own.into_iter().chain(input).min().unwrap_or(Time::MAX);
        if samples.next < next.min(at_most) {
            world.now = samples.next;
            observer.observe(world.now, &world.cluster, &Observation::Sample);
            samples.advance();
            continue;
        }
        if next >= at_most {
            world.now = at_most;
            break;
        }
        if own.is_some_and(|own| own == next) {
            world.step(observer);
        } else {
            world.now = next;
            match inputs.next_input() {
                Some(Input::Submit(submission)) => world.submit(submission, observer),
                Some(Input::Node(input)) => world.node_input(&input, observer),
                None => {}
            }
        }
    }
    observer.observe(world.now, &world.cluster, &Observation::Sample);
    observer.observe(world.now, &world.cluster, &Observation::End);
    Finished {
        time: world.now,
        scheduler: world.scheduler().clone(),
        placement_rng: world.placement_rng().clone(),
        cluster: world.cluster,
        interrupted,
    }
}

/// When the cluster is sampled: at the end of the warm-up and at every whole multiple of the interval.
struct Samples {
    next: Time,
    warm_up: Time,
    interval: Duration,
}

impl Samples {
    fn new(warm_up: Duration, interval: Duration) -> Samples {
        Samples {
            next: Time::ZERO,
            warm_up: Time::from(warm_up),
            interval: interval.max(Duration::from_nanos(1)),
        }
    }

    fn advance(&mut self) {
        let interval = self.interval.as_nanos().min(u128::from(u64::MAX)) as u64;
        let regular = Time((self.next.0 / interval + 1).saturating_mul(interval));
        let passes_warm_up = self.next < self.warm_up && self.warm_up < regular;
        self.next = if passes_warm_up { self.warm_up } else { regular };
    }
}
