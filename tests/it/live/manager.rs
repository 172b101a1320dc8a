//! The manager in front of daemons that are played: everything in one process, on ports that the system chooses.
//!
//! Tests wait for what they expect, up to a bound that nothing should need, and never for a fixed time.

mod containers;
mod discovery;
mod engine;
mod engines;
mod events;
mod health;
mod hostile;
mod images;
mod kept;
mod late;
mod lookups;
mod networks;
mod pages;
mod reschedule;
mod routes;
mod rush;
mod silence;

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::header::{CONTENT_TYPE, HeaderMap};
use hyper::{Method, Request};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use swarmlab::docker::Timeouts;
use swarmlab::manager::{self, Options, Running};
use swarmlab::net::{self, Address, Body};

use super::{AGES, within};
use engine::Engine;

/// A pause between two looks at whether something has come true.
const LOOK: Duration = Duration::from_millis(5);

/// What `condition` finds, as soon as it finds something.
pub async fn until<T>(what: &str, mut condition: impl AsyncFnMut() -> Option<T>) -> T {
    let looking = async {
        loop {
            if let Some(found) = condition().await {
                return found;
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    match tokio::time::timeout(AGES, looking).await {
        Ok(found) => found,
        Err(_) => panic!("it took ages until {what}"),
    }
}

/// A manager that runs. Dropping it tells it to stop.
pub struct Swarm {
    pub address: Address,
    client: net::Client,
    stop: CancellationToken,
    running: Option<Running>,
}

/// An answer, read as a whole.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// Status and message of an error, which has to be JSON.
    pub fn failure(&self) -> (u16, String) {
        assert_eq!(self.headers[CONTENT_TYPE], "application/json", "{}", self.text());
        let message = self.json()["message"].as_str().map(str::to_owned);
        (
            self.status,
            message.unwrap_or_else(|| panic!("no message: {}", self.text())),
        )
    }

    /// The same answer, which must have this status.
    pub fn expect(self, status: u16) -> Answer {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }
}

/// What tests ask for if they do not say: quick refreshes, and daemons that are waited for as long as it takes.
pub fn options(discovery: &str) -> Options {
    Options {
        hosts: vec!["tcp://127.0.0.1:0".to_owned()],
        refresh_min: Duration::from_millis(50),
        refresh_max: Duration::from_millis(60),
        heartbeat: Duration::from_millis(50),
        timeouts: Timeouts {
            dial: AGES,
            answer: AGES,
            order: AGES,
        },
        ..Options::new(discovery)
    }
}

/// The discovery that lists these engines.
pub fn nodes<'a>(engines: impl IntoIterator<Item = &'a Engine>) -> String {
    let addresses: Vec<String> = engines.into_iter().map(Engine::authority).collect();
    format!("nodes://{}", addresses.join(","))
}

impl Swarm {
    pub async fn with(options: Options) -> Swarm {
        let stop = CancellationToken::new();
        let running = manager::start(options, [7; 32], stop.clone()).await.expect("a manager");
        let address = running.addresses()[0].clone();
        Swarm {
            client: net::Client::new(address.clone(), None, AGES),
            address,
            stop,
            running: Some(running),
        }
    }

    /// A manager in front of these engines, all of which are healthy.
    pub async fn of(engines: &[&Engine]) -> Swarm {
        Swarm::tuned(engines, |_| {}).await
    }

    /// The same with other options.
    pub async fn tuned(engines: &[&Engine], tune: impl FnOnce(&mut Options)) -> Swarm {
        let mut options = options(&nodes(engines.iter().copied()));
        tune(&mut options);
        let swarm = Swarm::with(options).await;
        for engine in engines {
            swarm.until_status(&engine.authority(), "Healthy").await;
            until("its events are followed", async || {
                (engine.world().listeners() > 0).then_some(())
            })
            .await;
        }
        swarm
    }

    /// Stops the manager and waits for its end.
    pub async fn stop(mut self) {
        self.stop.cancel();
        if let Some(running) = self.running.take() {
            within(running.ended()).await;
        }
    }

    /// Sends a request; the body of the answer comes as it comes.
    pub async fn send(&self, request: Request<Body>) -> hyper::Response<hyper::body::Incoming> {
        within(self.client.send(request)).await.expect("an answer")
    }

    pub async fn ask(&self, method: Method, target: &str, body: Option<&Value>) -> Answer {
        let content = body.map_or_else(net::empty, |body| net::full(body.to_string()));
        let mut request = Request::builder().method(method).uri(target);
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let answer = self.send(request.body(content).expect("a request")).await;
        let (head, body) = answer.into_parts();
        let body = within(body.collect()).await.expect("a whole body").to_bytes();
        Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            body,
        }
    }

    pub async fn get(&self, target: &str) -> Answer {
        self.ask(Method::GET, target, None).await
    }

    pub async fn post(&self, target: &str, body: &Value) -> Answer {
        self.ask(Method::POST, target, Some(body)).await
    }

    pub async fn delete(&self, target: &str) -> Answer {
        self.ask(Method::DELETE, target, None).await
    }

    /// Creates a container and gives its ID.
    pub async fn create(&self, name: &str, body: &Value) -> String {
        let created = self.post(&format!("/containers/create?name={name}"), body).await;
        let created = created.expect(201).json();
        created["Id"].as_str().expect("an ID").to_owned()
    }

    /// Creates a container and starts it.
    pub async fn run(&self, name: &str, body: &Value) -> String {
        let id = self.create(name, body).await;
        self.ask(Method::POST, &format!("/containers/{id}/start"), None)
            .await
            .expect(204);
        id
    }

    /// The first names of what a listing has.
    pub async fn names(&self, query: &str) -> Vec<String> {
        let listed = self.get(&format!("/containers/json{query}")).await.expect(200).json();
        let listed = listed.as_array().expect("a list").iter();
        listed
            .map(|entry| entry["Names"][0].as_str().expect("a name").to_owned())
            .collect()
    }

    /// The lines that `docker info` shows.
    pub async fn lines(&self) -> Vec<(String, String)> {
        let info = self.get("/info").await.expect(200).json();
        let lines: Vec<(String, String)> =
            serde_json::from_value(info["SystemStatus"].clone()).expect("pairs of texts");
        lines
    }

    /// What is told of the engine at an address.
    pub async fn told(&self, address: &str) -> Vec<(String, String)> {
        let lines = self.lines().await;
        let at = lines.iter().position(|(_, value)| value == address);
        let Some(at) = at else { return Vec::new() };
        let rest = lines[at + 1..].iter().take_while(|(key, _)| key.starts_with("  └ "));
        let rest = rest.map(|(key, value)| (key.trim_start_matches("  └ ").to_owned(), value.clone()));
        let name = ("Name".to_owned(), lines[at].0.trim().to_owned());
        std::iter::once(name).chain(rest).collect()
    }

    /// One line of what is told of the engine at an address; empty if it is not told.
    pub async fn line(&self, address: &str, key: &str) -> String {
        let told = self.told(address).await;
        let line = told.into_iter().find(|(own, _)| own == key);
        line.map_or(String::new(), |(_, value)| value)
    }

    pub async fn until_status(&self, address: &str, status: &str) {
        until(&format!("{address} is {status}"), async || {
            (self.line(address, "Status").await == status).then_some(())
        })
        .await;
    }

    /// Follows the events of the cluster.
    pub async fn listen(&self, query: &str) -> Listening {
        let request = Request::builder().uri(format!("/events{query}")).body(net::empty());
        let answer = self.send(request.expect("a request")).await;
        assert_eq!(answer.status(), 200);
        Listening {
            body: answer.into_body(),
            text: String::new(),
        }
    }
}

impl Drop for Swarm {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Events as a client gets them.
pub struct Listening {
    body: hyper::body::Incoming,
    pub text: String,
}

impl Listening {
    /// Everything until an event with this action, which comes last.
    pub async fn until(&mut self, action: &str) -> Vec<Value> {
        loop {
            let events: Vec<Value> = serde_json::Deserializer::from_str(&self.text)
                .into_iter()
                .map_while(Result::ok)
                .collect();
            if let Some(at) = events.iter().position(|event| event["Action"] == action) {
                return events[..=at].to_vec();
            }
            self.more().await.expect("the stream goes on");
        }
    }

    /// The next piece; `None` at the end.
    pub async fn more(&mut self) -> Option<()> {
        let frame = within(self.body.frame()).await?.expect("a frame");
        let data = frame.into_data().expect("data");
        self.text.push_str(std::str::from_utf8(&data).expect("text"));
        Some(())
    }
}

/// The body for a container of the image that all engines have.
pub fn plain() -> Value {
    json!({ "Image": "busybox" })
}

/// The same with expressions in the environment.
pub fn with_env(env: &[&str]) -> Value {
    json!({ "Image": "busybox", "Env": env })
}
