//! Simulated engines, in one process with those who ask them.

mod answers;
mod crowd;
mod files;
mod hostile;
mod load;
mod manager;
mod orders;
mod parity;
mod ports;
mod processes;
mod references;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use http_body_util::BodyExt;
use hyper::header::CONTENT_TYPE;
use hyper::{Method, Request};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use swarmlab::engines::{self, AddressPlan, Calendar, Engines, Model, Options, Shared};
use swarmlab::net::{self, Address};
use swarmlab::scenario;
use swarmlab::sim::{Fates, Plan};

use crate::live::{AGES, within};

/// The plan of a scenario's text.
pub fn plan(text: &str) -> Plan {
    let parsed = scenario::parse(
        "test.toml",
        text,
        std::path::Path::new(""),
        &scenario::Options::default(),
    );
    match parsed {
        Ok(scenario) => scenario.plan,
        Err(faults) => panic!("{faults}"),
    }
}

/// A cluster of so many nodes, without anything else.
pub fn nodes(count: u32) -> Plan {
    plan(&format!(
        "[run]\nduration = \"1h\"\n[cluster.nodes.n]\ncount = {count}\ncpus = 4\nmemory = \"8GiB\"\n\
         [workload.none]\narrivals = {{ process = \"at-start\", count = 1 }}\ncpus = 1\nmemory = \"1MiB\"\n"
    ))
}

/// One model, without sockets.
pub fn model(plan: Plan) -> Model {
    let shared = Shared {
        fates: Fates::new(1),
        calendar: Calendar {
            epoch: swarmlab::docker::Timestamp::from_seconds(1_700_000_000),
            speed: 1.0,
        },
        overlays: Default::default(),
        plan,
    };
    Model::new(Arc::new(shared), 0)
}

/// Addresses that no other test has, nor another process that tests.
pub fn addresses(count: usize) -> Vec<Address> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let (process, number) = (std::process::id() % 2048, NUMBER.fetch_add(8, Ordering::Relaxed));
    let network = Ipv4Addr::from((127 << 24) + (128 << 16) + ((process * 256 + number) << 8) % (120 << 16));
    let plan = AddressPlan::Addresses { network, port: 23_751 };
    plan.addresses(count).expect("enough")
}

/// Engines that run, and end when this is dropped.
pub struct Cluster {
    pub engines: Engines,
    pub addresses: Vec<Address>,
    stop: CancellationToken,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Cluster {
    pub async fn start(plan: Plan) -> Cluster {
        Cluster::fast(plan, 1.0).await
    }

    pub async fn fast(plan: Plan, speed: f64) -> Cluster {
        let stop = CancellationToken::new();
        let options = Options {
            seed: 1,
            addresses: addresses(plan.nodes.len()),
            plan,
            speed,
            node_events: true,
            published_ports: 16,
        };
        let engines = engines::start(options, stop.clone()).await.expect("engines");
        Cluster {
            addresses: engines.addresses(),
            engines,
            stop,
        }
    }

    /// The `nodes://` string of all.
    pub fn discovery(&self) -> String {
        let entries: Vec<String> = self
            .addresses
            .iter()
            .map(|address| address.to_string().replace("tcp://", ""))
            .collect();
        format!("nodes://{}", entries.join(","))
    }

    /// Asks one of them: status and body.
    pub async fn ask(&self, engine: usize, method: Method, target: &str, body: &str) -> (u16, String) {
        ask(&self.addresses[engine], method, target, body).await
    }

    /// The same for an answer that is JSON.
    pub async fn json(&self, engine: usize, method: Method, target: &str, body: &str) -> Value {
        let (_, text) = self.ask(engine, method, target, body).await;
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }
}

/// Asks whoever is at an address.
pub async fn ask(address: &Address, method: Method, target: &str, body: &str) -> (u16, String) {
    let client = net::Client::new(address.clone(), None, AGES);
    let mut request = Request::builder().method(method).uri(target);
    if !body.is_empty() {
        request = request.header(CONTENT_TYPE, "application/json");
    }
    let request = request.body(net::full(body.to_owned()));
    let answer = within(client.send(request.expect("a request")))
        .await
        .expect("an answer");
    let (head, body) = answer.into_parts();
    let body = within(body.collect()).await.expect("a whole body").to_bytes();
    (head.status.as_u16(), String::from_utf8(body.to_vec()).expect("text"))
}
