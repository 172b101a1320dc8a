//! One connection to the target, and what is asked over it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::{Method, Request};
use serde_json::Value;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Measured, Operation, Options, Placed, Prefix, create_body};
use crate::docker::{json, path};
use crate::model::Time;
use crate::net::{self, Address, Client};
use crate::scheduler::{Filter, Prepared, Rejection};
use crate::sim::Submission;

/// A container that is to be created.
pub(super) struct Job {
    pub placed: Placed,
    request: Prepared,
    pub body: Value,
    pub due: Instant,
}

impl Job {
    pub(super) fn new(options: &Options, submission: Submission, time: Time, due: Instant) -> Job {
        let request = submission.request.request();
        Job {
            body: create_body(
                &options.prefix.request(request),
                &options.plan.classes[submission.class].name,
            ),
            placed: Placed {
                time,
                name: submission.name.to_string(),
                class: submission.class,
                request: Arc::clone(request),
                node: Ok(String::new()),
                rejection: None,
                answered: time,
                started: None,
                removed: None,
            },
            due,
            request: submission.request,
        }
    }

    /// Which rejection of a scheduler an error is, by its text.
    fn rejection(&self, error: &Failure, filters: &[Filter], prefix: &Prefix) -> Option<Rejection> {
        // The scenario's own names are in what is compared.
        let text = prefix.without(error.message.trim_end());
        let all = filters.iter().map(|filter| Rejection::Filter(*filter));
        let mut all = all.chain([Rejection::NoResources, Rejection::NoNodes]);
        all.find(|rejection| rejection.message(&self.request, filters).trim_end() == text)
    }
}

/// What went wrong with a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Failure {
    /// The status of the answer, if there was one.
    status: Option<u16>,
    /// What is said of it, maybe in several lines.
    message: String,
}

impl Failure {
    pub(super) fn no_answer(message: impl ToString) -> Failure {
        Failure {
            status: None,
            message: message.to_string(),
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let first = self.message.lines().next().unwrap_or_default().trim_end();
        match self.status {
            Some(status) => write!(f, "{status} {first}"),
            None => f.write_str(first),
        }
    }
}

/// Why there is no answer that is good for anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Nobody waits for it any more.
    Stopped,
    /// What is wrong.
    Said(Failure),
}

/// A container that was created and started.
pub(super) struct Running {
    /// Where its engine is, as a manager says.
    pub engine: Option<Address>,
    /// How long its creation took.
    pub create: Duration,
    /// How long its start took.
    pub start: Duration,
}

/// When what is measured began, and how fast the scenario's time runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    pub begun: Instant,
    pub speed: f64,
}

impl Clock {
    /// The scenario's time at an instant.
    pub(super) fn time(self, instant: Instant) -> Time {
        // The cast saturates.
        Time(((instant - self.begun).as_secs_f64() * self.speed * 1e9) as u64)
    }

    /// The instant at a time of the scenario.
    pub(super) fn instant(self, time: Time) -> Instant {
        self.begun + Duration::from_secs_f64(time.as_secs_f64() / self.speed)
    }
}

/// One connection.
pub(super) struct Worker {
    pub client: Client,
    pub clock: Clock,
    patience: Duration,
    prefix: Prefix,
    filters: Vec<Filter>,
    stop: CancellationToken,
    measured: Arc<Mutex<Measured>>,
}

impl Worker {
    pub(super) fn new(options: &Options, target: &Address, clock: Clock, measured: &Arc<Mutex<Measured>>) -> Worker {
        Worker {
            client: Client::new(target.clone(), None, options.patience),
            clock,
            patience: options.patience,
            prefix: options.prefix.clone(),
            filters: options.plan.run.filters.clone(),
            stop: options.stop.clone(),
            measured: Arc::clone(measured),
        }
    }

    /// Creates and starts a container, finds out where it is, and notes what became of it. Whether it is there at all,
    /// and what is known of it if it runs.
    pub(super) async fn create(&self, mut job: Job) -> (bool, Option<Running>) {
        let mut there = false;
        let outcome = self.create_and_start(&mut job, &mut there).await;
        let running = match outcome {
            // What would have become of it is not known.
            Err(Trouble::Stopped) => return (there, None),
            Err(Trouble::Said(error)) => {
                job.placed.rejection = job.rejection(&error, &self.filters, &self.prefix);
                job.placed.node = Err(error.to_string());
                None
            }
            Ok(running) => Some(running),
        };
        self.note(|measured| measured.placed.push(job.placed));
        (there, running)
    }

    async fn create_and_start(&self, job: &mut Job, there: &mut bool) -> Result<Running, Trouble> {
        let sent = Instant::now();
        let name = self.prefix.of(&job.placed.name);
        let target = format!("/containers/create{}", path::query(&[("name", &name)]));
        let created = self
            .timed(Operation::Create, job.due, Method::POST, &target, Some(&job.body))
            .await;
        let create = sent.elapsed();
        job.placed.answered = self.clock.time(Instant::now());
        let id = created?["Id"].as_str().unwrap_or_default().to_owned();
        *there = true;
        let target = path::path(&["containers", &id, "start"]);
        let begun = Instant::now();
        self.timed(Operation::Start, begun, Method::POST, &target, None).await?;
        let start = begun.elapsed();
        job.placed.started = Some(self.clock.time(Instant::now()));
        self.record(Operation::CreateAndStart, job.due, sent);
        let target = path::path(&["containers", &id, "json"]);
        let seen = self
            .timed(Operation::Inspect, Instant::now(), Method::GET, &target, None)
            .await?;
        let node = &seen["Node"];
        job.placed.node = Ok(node["Name"].as_str().unwrap_or_default().to_owned());
        Ok(Running {
            engine: node["Addr"].as_str().and_then(|address| Address::parse(address).ok()),
            create,
            start,
        })
    }

    /// Removes a container, with its name in the scenario. What went wrong is counted.
    pub(super) async fn remove(&self, name: &str, due: Instant) {
        let target = format!("{}?force=1", path::path(&["containers", &self.prefix.of(name)]));
        let removed = self.timed(Operation::Remove, due, Method::DELETE, &target, None).await;
        if removed.is_ok() {
            let time = self.clock.time(Instant::now());
            self.note(|measured| {
                let mut latest = measured.placed.iter_mut().rev();
                if let Some(placed) = latest.find(|placed| placed.name == name) {
                    placed.removed = Some(time);
                }
            });
        }
    }

    /// Makes sure that there is a connection.
    pub(super) async fn connect(&self) {
        // What is wrong shows with what is measured.
        let _ = tokio::time::timeout(self.patience, send(&self.client, Method::GET, "/_ping", None)).await;
    }

    /// Sends a request and notes how long its answer took; an error is noted as well, and given by its kind.
    pub(super) async fn timed(
        &self,
        operation: Operation,
        due: Instant,
        method: Method,
        target: &str,
        body: Option<&Value>,
    ) -> Result<Value, Trouble> {
        let sent = Instant::now();
        let outcome = tokio::select! {
            biased;
            () = self.stop.cancelled() => return Err(Trouble::Stopped),
            outcome = tokio::time::timeout(self.patience, send(&self.client, method, target, body)) => outcome,
        };
        let outcome = outcome.unwrap_or_else(|_| Err(Failure::no_answer("no answer in time")));
        let outcome = outcome.map(|body| serde_json::from_slice(&body).unwrap_or(Value::Null));
        match &outcome {
            Ok(_) => self.record(operation, due, sent),
            Err(kind) => {
                let kind = format!("{}: {kind}", operation.name());
                self.note(|measured| *measured.errors.entry(kind).or_default() += 1);
            }
        }
        outcome.map_err(Trouble::Said)
    }

    fn record(&self, operation: Operation, due: Instant, sent: Instant) {
        let now = Instant::now();
        self.note(|measured| measured.latencies.record(operation, now - due, now - sent));
    }

    fn note(&self, work: impl FnOnce(&mut Measured)) {
        work(&mut self.measured.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// The answer to a request, read as a whole; what is wrong, in a line.
pub(super) async fn send(
    client: &Client,
    method: Method,
    target: &str,
    body: Option<&Value>,
) -> Result<Bytes, Failure> {
    let content = body.map_or_else(net::empty, |body| net::full(body.to_string()));
    let request = Request::builder()
        .method(method)
        .uri(target)
        .header("content-type", "application/json");
    let request = request.body(content).map_err(Failure::no_answer)?;
    let answer = client.send(request).await.map_err(Failure::no_answer)?;
    let status = answer.status().as_u16();
    let body = answer
        .into_body()
        .collect()
        .await
        .map_err(Failure::no_answer)?
        .to_bytes();
    if status >= 400 {
        let message = serde_json::from_slice(&body).map(|map| json::text(&map, "message").to_owned());
        // The original's manager says it in plain text.
        let message = message.unwrap_or_else(|_| String::from_utf8_lossy(&body).into_owned());
        return Err(Failure {
            status: Some(status),
            message,
        });
    }
    Ok(body)
}

/// What was measured, once all workers have ended.
pub(super) fn finish(measured: &Mutex<Measured>, options: &Options, clock: Clock) -> Measured {
    let mut measured = std::mem::take(&mut *measured.lock().unwrap_or_else(PoisonError::into_inner));
    measured.elapsed = clock.begun.elapsed();
    measured.is_partial = options.stop.is_cancelled();
    measured
        .placed
        .sort_by(|a, b| a.time.cmp(&b.time).then_with(|| a.name.cmp(&b.name)));
    measured
}
