//! `GET /metrics`: what the service has done and how much it has, for Prometheus.

use std::time::Duration;

use hyper::StatusCode;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// Upper bounds of the buckets for requests, in seconds.
const REQUEST_BUCKETS: [f64; 8] = [5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 5e-2, 0.25, 1.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: &'static str,
    code: u16,
}

/// All figures.
#[derive(Debug)]
pub(super) struct Metrics {
    registry: Registry,
    requests: Family<Route, Counter>,
    request_seconds: Histogram,
    turned_away: Counter,
    clusters: Gauge,
    addresses: Gauge,
}

impl Metrics {
    pub fn new() -> Metrics {
        let metrics = Metrics {
            registry: Registry::default(),
            requests: Family::default(),
            request_seconds: Histogram::new(REQUEST_BUCKETS),
            turned_away: Counter::default(),
            clusters: Gauge::default(),
            addresses: Gauge::default(),
        };
        let mut registry = Registry::with_prefix("swarmlab_discovery");
        registry.register(
            "requests",
            "Requests answered, by route and status",
            metrics.requests.clone(),
        );
        registry.register_with_unit(
            "request",
            "Time until a request was answered",
            Unit::Seconds,
            metrics.request_seconds.clone(),
        );
        registry.register(
            "connections_turned_away",
            "Connections of clients that had too many",
            metrics.turned_away.clone(),
        );
        registry.register("clusters", "Clusters in the register", metrics.clusters.clone());
        registry.register("addresses", "Addresses in the register", metrics.addresses.clone());
        Metrics { registry, ..metrics }
    }

    /// A request has been answered. Those that ask for nothing that there is have no route.
    pub fn answered(&self, route: Option<&'static str>, status: StatusCode, elapsed: Duration) {
        let route = Route {
            route: route.unwrap_or("none"),
            code: status.as_u16(),
        };
        self.requests.get_or_create(&route).inc();
        self.request_seconds.observe(elapsed.as_secs_f64());
    }

    pub fn turned_away(&self) {
        self.turned_away.inc();
    }

    /// The text for Prometheus, with the sizes of the register.
    pub fn show(&self, (clusters, addresses): (u64, u64)) -> Result<String, std::fmt::Error> {
        let figure = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        self.clusters.set(figure(clusters));
        self.addresses.set(figure(addresses));
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}
