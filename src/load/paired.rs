//! What a manager adds: each of its creations beside one directly at the engine that it chose.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

use super::closed::jobs;
use super::worker::{Clock, Job, Worker, finish};
use super::{Measured, Options};

/// Between two pairs, so that the manager has heard of what happened behind its back before it is measured again.
const PAUSE: Duration = Duration::from_millis(5);

/// What was measured, of the manager and of the engines behind it.
#[derive(Debug, Default)]
pub struct Paired {
    /// At the manager.
    pub target: Measured,
    /// At the engines: the same containers, once more.
    pub direct: Measured,
    /// How much longer the manager took than the engine, pair by pair, in nanoseconds: for the creation, for the start,
    /// and for both.
    pub shares_ns: Vec<[f64; 3]>,
}

/// Lets one client create and start containers, and each once more at the engine that the target chose, which goes away
/// at once. `progress` is told how many pairs there have been.
pub async fn paired(options: &Options, count: u64, progress: impl Fn(u64)) -> Paired {
    let (measured, direct) = (Arc::new(Mutex::new(Measured::default())), Arc::default());
    let clock = Clock {
        begun: Instant::now(),
        speed: 1.0,
    };
    let worker = Worker::new(options, &options.target, clock, &measured);
    let mut shares_ns = Vec::new();
    let mut again = jobs(options, clock.begun);
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    for (number, job) in jobs(options, clock.begun).take(count).enumerate() {
        if options.stop.is_cancelled() {
            break;
        }
        let Some(other) = again.next() else { break };
        let (_, running) = worker.create(now(job, clock)).await;
        if let Some(running) = running
            && let Some(engine) = running.engine
        {
            let there = Worker::new(options, &engine, clock, &direct);
            // The manager has its connection already.
            there.connect().await;
            let mut other = now(other, clock);
            other.placed.name += "-direct";
            let name = other.placed.name.clone();
            if let (_, Some(bare)) = there.create(other).await {
                let share = |whole: Duration, part: Duration| whole.as_nanos() as f64 - part.as_nanos() as f64;
                let create = share(running.create, bare.create);
                let start = share(running.start, bare.start);
                shares_ns.push([create, start, create + start]);
            }
            there.remove(&name, Instant::now()).await;
        }
        tokio::time::sleep(PAUSE).await;
        progress(number as u64 + 1);
    }
    Paired {
        target: finish(&measured, options, clock),
        direct: finish(&direct, options, clock),
        shares_ns,
    }
}

/// The job, due now.
fn now(mut job: Job, clock: Clock) -> Job {
    job.due = Instant::now();
    job.placed.time = clock.time(job.due);
    job
}
