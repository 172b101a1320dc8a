//! Requests sent when they are due.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::{Arc, Mutex};

use tokio::sync::{Mutex as Turn, mpsc, watch};
use tokio::time::Instant;

use super::worker::{Clock, Job, Worker, finish};
use super::{Measured, Options};
use crate::model::Time;
use crate::scheduler::Strategy;
use crate::sim::{End, Generated, Input, Inputs, preparer};

/// One request that is due.
enum Order {
    Create(Box<Job>, watch::Sender<Option<bool>>),
    /// The container may still be on its way.
    Remove(String, Instant, watch::Receiver<Option<bool>>),
}

/// Plays a scenario to its end. `progress` is told how many containers have been asked for.
pub async fn open(options: &Options, progress: impl Fn(u64)) -> Measured {
    let measured = Arc::new(Mutex::new(Measured::default()));
    let clock = Clock {
        begun: Instant::now(),
        speed: options.speed,
    };
    let (orders, queue) = mpsc::unbounded_channel();
    let queue = Arc::new(Turn::new(queue));
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..options.connections.max(1) {
        let worker = Worker::new(options, &options.target, clock, &measured);
        let queue = Arc::clone(&queue);
        workers.spawn(async move {
            loop {
                // Bound before it is carried out, so that others can take the next meanwhile.
                let order = queue.lock().await.recv().await;
                match order {
                    Some(order) => carry_out(&worker, order).await,
                    None => return,
                }
            }
        });
    }
    let plan = &options.plan;
    let end = match plan.run.end {
        End::At(time) => time,
        End::Drained { at_most } => at_most,
    };
    let mut inputs = Generated::new(plan, options.seed, preparer(plan, Strategy::Spread));
    let mut removals: BinaryHeap<Reverse<(Time, u64)>> = BinaryHeap::new();
    let mut waiting: BTreeMap<u64, (String, watch::Receiver<Option<bool>>)> = BTreeMap::new();
    let mut asked = 0;
    loop {
        let removal = removals.peek().map(|Reverse((time, _))| *time);
        let next = removal.into_iter().chain(inputs.next_time()).min();
        let Some(time) = next.filter(|time| *time < end) else {
            break;
        };
        if inputs.only_random() && removal.is_none() {
            break;
        }
        tokio::select! {
            () = options.stop.cancelled() => break,
            () = tokio::time::sleep_until(clock.instant(time)) => {}
        }
        // As in simulated runs, what ends at an instant ends before what begins then.
        if removal == Some(time)
            && let Some(Reverse((_, number))) = removals.pop()
            && let Some((name, created)) = waiting.remove(&number)
        {
            // The workers outlive this loop.
            let _ = orders.send(Order::Remove(name, clock.instant(time), created));
            continue;
        }
        if let Some(Input::Submit(submission)) = inputs.next_input() {
            asked += 1;
            let lives = submission.lifetime;
            let job = Job::new(options, submission, time, clock.instant(time));
            let (created, known) = watch::channel(None);
            if let Some(lifetime) = lives {
                removals.push(Reverse((time + plan.run.start_latency + lifetime, asked)));
                waiting.insert(asked, (job.placed.name.clone(), known));
            }
            let _ = orders.send(Order::Create(Box::new(job), created));
            progress(asked);
        }
    }
    drop(orders);
    while workers.join_next().await.is_some() {}
    finish(&measured, options, clock)
}

async fn carry_out(worker: &Worker, order: Order) {
    match order {
        Order::Create(job, created) => {
            let (there, _) = worker.create(*job).await;
            // Nobody may wait for it.
            let _ = created.send(Some(there));
        }
        Order::Remove(name, due, mut created) => {
            let there = match created.wait_for(Option::is_some).await {
                Ok(there) => *there == Some(true),
                Err(_) => false,
            };
            if there {
                worker.remove(&name, due).await;
            }
        }
    }
}
