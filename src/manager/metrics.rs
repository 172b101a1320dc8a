//! `GET /metrics`: what the manager has done and how things stand, for Prometheus.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::Manager;
use super::answer::{Answer, Failure};
use super::routes::Action;
use super::state::Condition;
use crate::net;
use crate::scheduler::{CreateError, Rejection};

/// Upper bounds of the buckets for decisions, in seconds: from a microsecond to a tenth of a second.
const DECISION_BUCKETS: [f64; 11] = [1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 5e-4, 1e-3, 1e-2, 1e-1];
/// Upper bounds of the buckets for requests, in seconds.
const REQUEST_BUCKETS: [f64; 9] = [5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 5e-2, 0.25, 1.0, 10.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: String,
    code: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct State {
    state: String,
}

/// All figures that are counted; those that can be looked up are looked up when they are asked for.
#[derive(Debug)]
pub(super) struct Metrics {
    registry: Registry,
    decisions: Counter,
    rejections: Family<Reason, Counter>,
    decision_seconds: Histogram,
    requests: Family<Route, Counter>,
    request_seconds: Histogram,
    forwarded: Counter,
    rescheduled: Counter,
    engines: Family<State, Gauge>,
    containers: Gauge,
    reserved_cpus: Gauge<f64, AtomicU64>,
    reserved_memory: Gauge<f64, AtomicU64>,
}

impl Metrics {
    pub(super) fn new() -> Metrics {
        let mut metrics = Metrics {
            registry: Registry::with_prefix("swarmlab"),
            decisions: Counter::default(),
            rejections: Family::default(),
            decision_seconds: Histogram::new(DECISION_BUCKETS),
            requests: Family::default(),
            request_seconds: Histogram::new(REQUEST_BUCKETS),
            forwarded: Counter::default(),
            rescheduled: Counter::default(),
            engines: Family::default(),
            containers: Gauge::default(),
            reserved_cpus: Gauge::default(),
            reserved_memory: Gauge::default(),
        };
        let registry = &mut metrics.registry;
        registry.register("decisions", "Nodes chosen for containers", metrics.decisions.clone());
        registry.register(
            "rejections",
            "Containers that no node could take, by the filter that left none",
            metrics.rejections.clone(),
        );
        registry.register_with_unit(
            "decision",
            "Time to choose a node and reserve room on it",
            Unit::Seconds,
            metrics.decision_seconds.clone(),
        );
        registry.register("requests", "Requests answered", metrics.requests.clone());
        registry.register_with_unit(
            "request",
            "Time until the answer to a request begins",
            Unit::Seconds,
            metrics.request_seconds.clone(),
        );
        registry.register(
            "forwarded_requests",
            "Requests passed on to a daemon",
            metrics.forwarded.clone(),
        );
        registry.register(
            "rescheduled_containers",
            "Containers created anew because their node failed",
            metrics.rescheduled.clone(),
        );
        registry.register("engines", "Engines by state", metrics.engines.clone());
        registry.register("containers", "Containers on all engines", metrics.containers.clone());
        registry.register(
            "reserved_cpus",
            "CPUs reserved by containers",
            metrics.reserved_cpus.clone(),
        );
        registry.register_with_unit(
            "reserved_memory",
            "Memory reserved by containers",
            Unit::Bytes,
            metrics.reserved_memory.clone(),
        );
        metrics
    }

    /// A decision has been made, or not.
    pub(super) fn decided(&self, error: Option<&CreateError>, elapsed: Duration) {
        self.decision_seconds.observe(elapsed.as_secs_f64());
        match error {
            None => {
                self.decisions.inc();
            }
            Some(error) => {
                let reason = match error {
                    CreateError::Rejected { rejection, .. } => match rejection {
                        Rejection::Filter(filter) => filter.name(),
                        Rejection::NoResources => "resources",
                        Rejection::NoNodes => "no-nodes",
                    },
                    CreateError::Place(_) => "name",
                    CreateError::Policy(_) => "policy",
                    CreateError::Daemon(_) => "daemon",
                };
                let reason = Reason {
                    reason: reason.to_owned(),
                };
                self.rejections.get_or_create(&reason).inc();
            }
        }
    }

    /// A request has been answered, or its answer has begun.
    pub(super) fn answered(&self, action: Action, status: StatusCode, elapsed: Duration) {
        let route = Route {
            route: format!("{action:?}"),
            code: status.as_u16(),
        };
        self.requests.get_or_create(&route).inc();
        self.request_seconds.observe(elapsed.as_secs_f64());
    }

    pub(super) fn forwarded(&self) {
        self.forwarded.inc();
    }

    pub(super) fn rescheduled(&self) {
        self.rescheduled.inc();
    }
}

/// `GET /metrics`.
pub(super) fn show(manager: &Manager) -> Result<Answer, Failure> {
    let metrics = &manager.metrics;
    let (engines, totals) = manager.keeper.with(|state| {
        let mut engines = [
            (Condition::Healthy, 0),
            (Condition::Unhealthy, 0),
            (Condition::Pending, 0),
        ];
        for (_, engine) in state.engines() {
            for (condition, count) in &mut engines {
                *count += i64::from(engine.condition == *condition);
            }
        }
        (engines, state.cluster.totals())
    });
    for (condition, count) in engines {
        let state = State {
            state: condition.to_string().to_lowercase(),
        };
        metrics.engines.get_or_create(&state).set(count);
    }
    metrics
        .containers
        .set(i64::try_from(totals.containers).unwrap_or(i64::MAX));
    metrics.reserved_cpus.set(totals.cpus as f64 / 1e9);
    metrics.reserved_memory.set(totals.memory as f64);
    let mut text = String::new();
    encode(&mut text, &metrics.registry).map_err(|error| Failure::internal(error.to_string()))?;
    let mut answer = Answer::new(net::full(text));
    answer.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8"),
    );
    Ok(answer)
}
