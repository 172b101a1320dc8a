//! Requests sent when they are due, or one after the other.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::{Method, Request};
use serde_json::Value;
use tokio::sync::{Mutex as Turn, mpsc, watch};
use tokio::time::Instant;

use super::{Measured, Operation, Options, Placed, create_body};
use crate::docker::{json, path};
use crate::model::{Name, Time};
use crate::net::{self, Client};
use crate::scheduler::Strategy;
use crate::sim::{Generated, Input, Inputs, Submission, preparer};

/// One container on its way.
struct Job {
    placed: Placed,
    body: Value,
    due: Instant,
}

/// One request that is due.
enum Order {
    Create(Box<Job>, watch::Sender<Option<bool>>),
    /// The container may still be on its way.
    Remove(String, Instant, watch::Receiver<Option<bool>>),
}

/// One connection.
struct Worker {
    client: Client,
    patience: Duration,
    measured: Arc<Mutex<Measured>>,
}

/// Plays a scenario to its end. `progress` is told how many containers have been asked for.
pub async fn open(options: &Options, progress: impl Fn(u64)) -> Measured {
    let measured = Arc::new(Mutex::new(Measured::default()));
    let (orders, queue) = mpsc::unbounded_channel();
    let queue = Arc::new(Turn::new(queue));
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..options.connections.max(1) {
        let (worker, queue) = (Worker::new(options, &measured), Arc::clone(&queue));
        workers.spawn(async move {
            loop {
                // Bound before it is carried out, so that others can take the next meanwhile.
                let order = queue.lock().await.recv().await;
                match order {
                    Some(order) => worker.carry_out(order).await,
                    None => return,
                }
            }
        });
    }
    let begun = Instant::now();
    let at = |time: Time| begun + Duration::from_secs_f64(time.as_secs_f64() / options.speed);
    let plan = &options.plan;
    let end = match plan.run.end {
        crate::sim::End::At(time) => time,
        crate::sim::End::Drained { at_most } => at_most,
    };
    let mut inputs = Generated::new(plan, options.seed, preparer(plan, Strategy::Spread));
    let mut removals: BinaryHeap<Reverse<(Time, u64)>> = BinaryHeap::new();
    let mut waiting: std::collections::BTreeMap<u64, (String, watch::Receiver<Option<bool>>)> = Default::default();
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
        tokio::time::sleep_until(at(time)).await;
        // As in simulated runs, what ends at an instant ends before what begins then.
        if removal == Some(time)
            && let Some(Reverse((_, number))) = removals.pop()
            && let Some((name, created)) = waiting.remove(&number)
        {
            // The workers outlive this loop.
            let _ = orders.send(Order::Remove(name, at(time), created));
            continue;
        }
        if let Some(Input::Submit(submission)) = inputs.next_input() {
            asked += 1;
            let lives = submission.lifetime;
            let job = job(options, submission, time, at(time));
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
    finish(&measured, begun)
}

/// Lets so many clients create and start containers, one after the other, until there are `count` more.
pub async fn closed(options: &Options, clients: usize, count: u64, progress: impl Fn(u64)) -> Measured {
    let measured = Arc::new(Mutex::new(Measured::default()));
    let begun = Instant::now();
    let plan = &options.plan;
    let mut inputs = Generated::new(plan, options.seed, preparer(plan, Strategy::Spread));
    let (orders, queue) = mpsc::channel::<Job>(1);
    let queue = Arc::new(Turn::new(queue));
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..clients.max(1) {
        let (worker, queue) = (Worker::new(options, &measured), Arc::clone(&queue));
        workers.spawn(async move {
            loop {
                let job = queue.lock().await.recv().await;
                match job {
                    Some(mut job) => {
                        job.due = Instant::now();
                        worker.create(job).await;
                    }
                    None => return,
                }
            }
        });
    }
    let mut asked = 0;
    while asked < count && !inputs.only_random() {
        match inputs.next_input() {
            Some(Input::Submit(submission)) => {
                asked += 1;
                let job = job(options, submission, Time(asked), begun);
                if orders.send(job).await.is_err() {
                    break;
                }
                progress(asked);
            }
            Some(Input::Node(_)) => {}
            None => break,
        }
    }
    drop(orders);
    while workers.join_next().await.is_some() {}
    finish(&measured, begun)
}

fn finish(measured: &Mutex<Measured>, begun: Instant) -> Measured {
    let mut measured = std::mem::take(&mut *measured.lock().unwrap_or_else(PoisonError::into_inner));
    measured.elapsed = begun.elapsed();
    measured
        .placed
        .sort_by(|a, b| a.time.cmp(&b.time).then_with(|| a.name.cmp(&b.name)));
    measured
}

fn job(options: &Options, submission: Submission, time: Time, due: Instant) -> Job {
    let request = submission.request.request();
    let name: &Name = &submission.name;
    Job {
        body: create_body(request, &options.plan.classes[submission.class].name),
        placed: Placed {
            time,
            name: name.to_string(),
            class: submission.class,
            resources: request.resources,
            node: Ok(String::new()),
        },
        due,
    }
}

impl Worker {
    fn new(options: &Options, measured: &Arc<Mutex<Measured>>) -> Worker {
        Worker {
            client: Client::new(options.target.clone(), None, options.patience),
            patience: options.patience,
            measured: Arc::clone(measured),
        }
    }

    async fn carry_out(&self, order: Order) {
        match order {
            Order::Create(job, created) => {
                let there = self.create(*job).await;
                // Nobody may wait for it.
                let _ = created.send(Some(there));
            }
            Order::Remove(name, due, mut created) => {
                let there = match created.wait_for(Option::is_some).await {
                    Ok(there) => *there == Some(true),
                    Err(_) => false,
                };
                if there {
                    let target = format!("{}?force=1", path::path(&["containers", &name]));
                    // What went wrong is counted.
                    let _ = self.timed(Operation::Remove, due, Method::DELETE, &target, None).await;
                }
            }
        }
    }

    /// Creates and starts a container and finds out where it is. Whether it is there.
    async fn create(&self, mut job: Job) -> bool {
        let name = job.placed.name.clone();
        let sent = Instant::now();
        let target = format!("/containers/create{}", path::query(&[("name", &name)]));
        let created = self
            .timed(Operation::Create, job.due, Method::POST, &target, Some(&job.body))
            .await;
        let there = created.is_ok();
        let id = created.map(|answer| answer["Id"].as_str().unwrap_or_default().to_owned());
        job.placed.node = match id {
            Err(error) => Err(error),
            Ok(id) => match self.start(&id).await {
                Err(error) => Err(error),
                Ok(()) => {
                    self.record(Operation::CreateAndStart, job.due, sent);
                    self.node_of(&id).await
                }
            },
        };
        self.note(|measured| measured.placed.push(job.placed));
        there
    }

    async fn start(&self, id: &str) -> Result<(), String> {
        let target = path::path(&["containers", id, "start"]);
        let sent = Instant::now();
        self.timed(Operation::Start, sent, Method::POST, &target, None)
            .await
            .map(drop)
    }

    async fn node_of(&self, id: &str) -> Result<String, String> {
        let target = path::path(&["containers", id, "json"]);
        let seen = self
            .timed(Operation::Inspect, Instant::now(), Method::GET, &target, None)
            .await?;
        Ok(seen["Node"]["Name"].as_str().unwrap_or_default().to_owned())
    }

    /// Sends a request and notes how long its answer took; an error is noted as well, and given by its kind.
    async fn timed(
        &self,
        operation: Operation,
        due: Instant,
        method: Method,
        target: &str,
        body: Option<&Value>,
    ) -> Result<Value, String> {
        let sent = Instant::now();
        let outcome = match tokio::time::timeout(self.patience, self.send(method, target, body)).await {
            Ok(outcome) => outcome,
            Err(_) => Err("no answer in time".to_owned()),
        };
        match &outcome {
            Ok(_) => self.record(operation, due, sent),
            Err(kind) => {
                let kind = format!("{}: {kind}", operation.name());
                self.note(|measured| *measured.errors.entry(kind).or_default() += 1);
            }
        }
        outcome
    }

    async fn send(&self, method: Method, target: &str, body: Option<&Value>) -> Result<Value, String> {
        let content = body.map_or_else(net::empty, |body| net::full(body.to_string()));
        let request = Request::builder()
            .method(method)
            .uri(target)
            .header("content-type", "application/json");
        let request = request.body(content).map_err(|error| error.to_string())?;
        let answer = self.client.send(request).await.map_err(|error| error.to_string())?;
        let status = answer.status().as_u16();
        let body = answer
            .into_body()
            .collect()
            .await
            .map_err(|error| error.to_string())?
            .to_bytes();
        if status >= 400 {
            let message = serde_json::from_slice(&body).map(|map| json::text(&map, "message").to_owned());
            let message = message.unwrap_or_default();
            return Err(format!("{status} {}", message.lines().next().unwrap_or_default()));
        }
        Ok(serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    fn record(&self, operation: Operation, due: Instant, sent: Instant) {
        let now = Instant::now();
        self.note(|measured| measured.latencies.record(operation, now - due, now - sent));
    }

    fn note(&self, work: impl FnOnce(&mut Measured)) {
        work(&mut self.measured.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
