//! Requests sent one after the other, by so many clients.

use std::sync::{Arc, Mutex};

use tokio::sync::{Mutex as Turn, mpsc};
use tokio::time::Instant;

use super::worker::{Clock, Job, Worker, finish};
use super::{Measured, Options};
use crate::model::Time;
use crate::scheduler::Strategy;
use crate::sim::{Generated, Input, Inputs, preparer};

/// What is to be done next.
enum Task {
    Create(Box<Job>),
    Remove(String),
}

/// Lets so many clients create and start containers, one after the other, until there are `count` more or the scenario
/// has no more. `progress` is told how many have been asked for.
pub async fn closed(options: &Options, clients: usize, count: u64, progress: impl Fn(u64)) -> Measured {
    let begun = Instant::now();
    let jobs = jobs(options, begun).map(|job| Task::Create(Box::new(job)));
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    by_turns(options, clients, jobs.take(count), progress).await
}

/// Lets so many clients remove containers, by their names in the scenario.
pub async fn remove(options: &Options, clients: usize, names: Vec<String>) -> Measured {
    by_turns(options, clients, names.into_iter().map(Task::Remove), |_| ()).await
}

/// The containers of the scenario in their order, whenever they are due.
pub(super) fn jobs(options: &Options, begun: Instant) -> impl Iterator<Item = Job> {
    let plan = &options.plan;
    let mut inputs = Generated::new(plan, options.seed, preparer(plan, Strategy::Spread));
    std::iter::from_fn(move || {
        loop {
            match inputs.next_input() {
                Some(Input::Submit(submission)) => return Some(Job::new(options, submission, Time::ZERO, begun)),
                Some(Input::Node(_)) if !inputs.only_random() => {}
                _ => return None,
            }
        }
    })
}

/// Lets so many workers do one thing after the other.
async fn by_turns(
    options: &Options,
    clients: usize,
    tasks: impl Iterator<Item = Task>,
    progress: impl Fn(u64),
) -> Measured {
    let measured = Arc::new(Mutex::new(Measured::default()));
    let clock = Clock {
        begun: Instant::now(),
        speed: 1.0,
    };
    let (orders, queue) = mpsc::channel::<Task>(1);
    let queue = Arc::new(Turn::new(queue));
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..clients.max(1) {
        let worker = Worker::new(options, &options.target, clock, &measured);
        let queue = Arc::clone(&queue);
        workers.spawn(async move {
            loop {
                // Bound before it is done, so that others can take the next meanwhile.
                let task = queue.lock().await.recv().await;
                match task {
                    Some(Task::Create(mut job)) => {
                        // A client asks as soon as it can.
                        job.due = Instant::now();
                        job.placed.time = clock.time(job.due);
                        worker.create(*job).await;
                    }
                    Some(Task::Remove(name)) => worker.remove(&name, Instant::now()).await,
                    None => return,
                }
            }
        });
    }
    for (number, task) in tasks.enumerate() {
        if options.stop.is_cancelled() || orders.send(task).await.is_err() {
            break;
        }
        progress(number as u64 + 1);
    }
    drop(orders);
    while workers.join_next().await.is_some() {}
    finish(&measured, options, clock)
}
