//! Small plans for tests.

use std::time::Duration;

use crate::model::{Bytes, Cpus, Labels, Overcommit, Request, Resources, Time};
use crate::scheduler::{Filter, Strategy, Strict};

use super::plan::{
    Arrivals, ClassPlan, End, ImagePlan, Layer, NodePlan, OnRejection, Plan, Restart, RestartPlan, RunPlan, Source,
};
use super::sampler::Sampler;

/// A plan with nothing in it that ends when it is drained.
pub(crate) fn plan() -> Plan {
    Plan {
        nodes: Vec::new(),
        images: Vec::new(),
        classes: Vec::new(),
        events: Vec::new(),
        run: RunPlan {
            seed: 1,
            repetitions: 1,
            end: End::Drained { at_most: Time::MAX },
            warm_up: Duration::ZERO,
            sample_interval: Duration::from_secs(60),
            detection: Duration::ZERO,
            start_latency: Duration::ZERO,
            strategies: vec![Strategy::Spread],
            filters: Filter::DEFAULT.to_vec(),
            strict: Strict::default(),
        },
    }
}

/// A node of 4 CPUs and 8 GiB.
pub(crate) fn node(name: &str) -> NodePlan {
    NodePlan {
        name: name.to_owned(),
        group: "all".to_owned(),
        capacity: Resources::new(Cpus::whole(4), Bytes::from_gib(8)),
        overcommit: Overcommit::DEFAULT,
        labels: Labels::new(),
        extra: Vec::new(),
        images: Vec::new(),
        bandwidth: None,
        present: true,
    }
}

/// An image with layers of (identity, bytes).
pub(crate) fn image(name: &str, layers: &[(u32, u64)]) -> ImagePlan {
    ImagePlan {
        name: name.to_owned(),
        layers: layers
            .iter()
            .map(|(id, bytes)| Layer { id: *id, bytes: *bytes })
            .collect(),
    }
}

/// A class whose `count` containers all arrive at the start, without reservations.
pub(crate) fn class(name: &str, request: Request, lifetime_seconds: Option<u64>, count: u64) -> ClassPlan {
    ClassPlan {
        name: name.to_owned(),
        source: Source::Synthetic {
            arrivals: Arrivals::AtStart { count },
            start: Time::ZERO,
            stop: Time::MAX,
            limit: Some(count),
            request: Box::new(request),
            cpus: Sampler::fixed(0),
            memory: Sampler::fixed(0),
            lifetime: lifetime_seconds.map(|seconds| Sampler::fixed(seconds * 1_000_000_000)),
        },
        replicas: 1,
        restart: RestartPlan {
            policy: Restart::No,
            failure: 0.0,
            delay: Duration::ZERO,
        },
        remove_on_exit: true,
        on_rejection: OnRejection::Drop,
    }
}
