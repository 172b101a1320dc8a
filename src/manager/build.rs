//! `POST /build`: images built on one engine, and the sessions through which clients of today send what is built
//! (`api.md` §7).

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::Manager;
use super::answer::{Answer, Failure};
use super::hijack;
use super::proxy::{self, whole_target};
use super::server::Call;
use super::state::EngineId;
use crate::docker::events::Decoder;
use crate::docker::{Daemon, Map, json, path};
use crate::model::{Bytes, Cpus, Labels, Request, Resources};
use crate::net;
use crate::scheduler::{Expressions, translate};

/// How long it is remembered which engine builds what.
const REMEMBERED: Duration = Duration::from_secs(60 * 60);
/// How long a session waits for its build to begin.
const PATIENCE: Duration = Duration::from_secs(5);
/// Builds remembered.
const BUILDS_MAX: usize = 10_000;
/// The header in which a client names its session.
const SESSION_ID: &str = "x-docker-expose-session-uuid";
/// What the ID of a build begins with that only uploads something for another one.
const UPLOAD: &str = "upload-request:";

/// Which engine builds what, by the IDs of builds and sessions.
#[derive(Debug, Default)]
pub(super) struct Builds {
    engines: Mutex<HashMap<String, (EngineId, Instant)>>,
    begun: Notify,
}

impl Builds {
    fn with<T>(&self, visit: impl FnOnce(&mut HashMap<String, (EngineId, Instant)>) -> T) -> T {
        visit(&mut self.engines.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn remember(&self, id: &str, engine: EngineId) {
        if id.is_empty() {
            return;
        }
        self.with(|engines| {
            engines.retain(|_, (_, since)| since.elapsed() < REMEMBERED);
            if engines.len() < BUILDS_MAX {
                engines.insert(id.to_owned(), (engine, Instant::now()));
            }
        });
        self.begun.notify_waiters();
    }

    fn get(&self, id: &str) -> Option<EngineId> {
        self.with(|engines| engines.get(id).map(|(engine, _)| *engine))
    }

    /// The engine of a build that has begun or soon begins.
    async fn wait_for(&self, id: &str) -> Option<EngineId> {
        let until = Instant::now() + PATIENCE;
        loop {
            // Listening begins before looking, so that nothing that begins in between is missed.
            let mut begun = std::pin::pin!(self.begun.notified());
            begun.as_mut().enable();
            if let Some(engine) = self.get(id) {
                return Some(engine);
            }
            tokio::time::timeout_at(until, begun).await.ok()?;
        }
    }
}

/// `POST /build`.
pub(super) async fn build(call: Call) -> Result<Answer, Failure> {
    let version = call.parameter("version").to_owned();
    if !matches!(version.as_str(), "" | "1" | "2") {
        return Err(Failure::internal(format!("invalid version {version}")));
    }
    let (request, pairs) = scheduled(&call);
    let build_id = call.parameter("buildid").to_owned();
    let manager = call.manager.clone();
    let (engine, daemon) = match build_id.strip_prefix(UPLOAD) {
        Some(other) => {
            let engine = manager.builds.wait_for(other).await;
            let found = engine.and_then(|id| manager.daemon_of(id));
            found.ok_or_else(|| Failure::internal("timeout waiting for build to start"))?
        }
        None if !build_id.is_empty() && manager.builds.get(&build_id).is_some() => {
            return Err(Failure::internal("build already started"));
        }
        None => {
            let prepared = manager.prepare(request).await;
            let chosen = prepared.and_then(|prepared| {
                let chosen = manager.keeper.with(|state| state.choose_for(&prepared));
                chosen.map_err(Failure::internal)
            });
            match chosen {
                Ok(chosen) => chosen,
                Err(failure) => {
                    read_out(call.request.into_body()).await;
                    return Err(failure);
                }
            }
        }
    };
    manager.builds.remember(&build_id, engine);
    manager.builds.remember(call.parameter("session"), engine);
    let name = manager.engine_name(engine);
    let query: Vec<(&str, &str)> = pairs
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    let target = format!("{}{}", call.request.uri().path(), path::query(&query));
    let answer = proxy::forward(&manager, call.request, &target, engine, &daemon).await?;
    let status = answer.status();
    let body = answer.into_body();
    let reload = {
        let (manager, daemon) = (manager.clone(), daemon.clone());
        async move { manager.refresh_images(engine, &daemon).await }
    };
    // What the builder of today says is for the client's eyes only.
    let body = match version.as_str() {
        "2" => body,
        _ if status != StatusCode::OK => body,
        _ => named(body, name),
    };
    let mut built = Answer::new(net::followed_by(body, reload));
    *built.status_mut() = status;
    built
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(built)
}

/// Reads what a client still sends, within bounds: one whose connection is closed while it sends reports that, and not
/// the answer.
async fn read_out(body: hyper::body::Incoming) {
    use http_body_util::BodyExt;
    /// Bytes read of a context that nobody builds from.
    const BYTES_MAX: usize = 256 << 20;
    let limited = http_body_util::Limited::new(body, BYTES_MAX);
    let mut limited = std::pin::pin!(limited);
    let reading = async { while let Some(Ok(_)) = limited.frame().await {} };
    // Who takes longer learns less.
    let _ = tokio::time::timeout(PATIENCE, reading).await;
}

/// What the scheduler is asked for a build, and the query without scheduling expressions (`scheduling.md` §12.1).
fn scheduled(call: &Call) -> (Request, Vec<(String, String)>) {
    let mut pairs = call.query.clone();
    let mut arguments: Map = serde_json::from_str(call.parameter("buildargs")).unwrap_or_default();
    let mut env: Vec<String> = arguments
        .iter()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    let before = env.clone();
    let mut labels = Labels::new();
    let Expressions {
        constraints,
        affinities,
        whitelists,
        ..
    } = translate(&mut env, &mut labels);
    if env.len() != before.len() {
        arguments.retain(|key, value| env.contains(&format!("{key}={}", value.as_str().unwrap_or_default())));
        if let Some((_, text)) = pairs.iter_mut().find(|(key, _)| key == "buildargs") {
            *text = Value::Object(arguments).to_string();
        }
    }
    let amount = |name: &str| u64::try_from(call.number(name)).unwrap_or(0);
    let request = Request {
        resources: Resources::new(Cpus::whole(amount("cpushares")), Bytes::new(amount("memory"))),
        labels,
        constraints,
        affinities,
        whitelists,
        ..Request::default()
    };
    (request, pairs)
}

/// Says with every message from which engine it is.
fn named(body: net::Body, engine: String) -> net::Body {
    use http_body_util::BodyExt;
    let (mut sender, named) = net::channel();
    tokio::spawn(async move {
        let mut body = body;
        let mut decoder = Decoder::default();
        loop {
            let piece = match body.frame().await {
                Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
                Some(Err(error)) => {
                    let error = json!({ "error": format!("Failed to build image: {error}"), "errorDetail": {
                        "code": 1, "message": format!("Failed to build image: {error}") } });
                    let _ = sender.send_data(format!("{error}\r\n").into()).await;
                    return;
                }
                None => break,
            };
            decoder.push(&piece);
            loop {
                let mut message = match decoder.next_object() {
                    Ok(Some(message)) => message,
                    Ok(None) => break,
                    // An engine that does not speak JSON is cut off.
                    Err(_) => return,
                };
                let error = json::text(&message, "error");
                if !error.is_empty() {
                    let text = format!("Failed to build image: {error}");
                    message = Map::new();
                    json::set(&mut message, "errorDetail", json!({ "code": 1, "message": text }));
                    json::set(&mut message, "error", text);
                }
                json::set(&mut message, "id", engine.as_str());
                let line = format!("{}\r\n", Value::Object(message));
                if sender.send_data(line.into()).await.is_err() {
                    return;
                }
            }
        }
        let last = json!({ "id": engine });
        let _ = sender.send_data(format!("{last}\r\n").into()).await;
    });
    named
}

/// `POST /build/cancel`.
pub(super) async fn cancel(call: Call) -> Result<Answer, Failure> {
    let id = call.parameter("id").to_owned();
    if id.is_empty() {
        return Err(Failure::bad_request("build ID not provided"));
    }
    let manager = call.manager.clone();
    let found = manager.builds.get(&id).and_then(|engine| manager.daemon_of(engine));
    let (engine, daemon) = found.ok_or_else(|| Failure::not_found(format!("no build {id} is known")))?;
    let target = whole_target(call.request.uri());
    proxy::forward(&manager, call.request, &target, engine, &daemon).await
}

/// `POST /session`: goes to the engine of the build that the session is for, once that has begun.
pub(super) async fn session(call: Call) -> Result<Answer, Failure> {
    let id = call.header(SESSION_ID).unwrap_or_default().to_owned();
    if id.is_empty() {
        return Err(Failure::bad_request("no session ID provided"));
    }
    let manager = call.manager.clone();
    let engine = manager.builds.wait_for(&id).await;
    let (engine, daemon) = engine
        .and_then(|engine| manager.daemon_of(engine))
        .ok_or_else(|| Failure::internal("timeout waiting for build to start"))?;
    let target = whole_target(call.request.uri());
    hijack::to_engine(call, &target, engine, &daemon).await
}

impl Manager {
    fn daemon_of(&self, id: EngineId) -> Option<(EngineId, Daemon)> {
        self.keeper
            .with(|state| state.engine(id).map(|engine| (id, engine.daemon.clone())))
    }

    fn engine_name(&self, id: EngineId) -> String {
        let name = self
            .keeper
            .with(|state| state.engine(id).map(|engine| engine.name().to_owned()));
        name.unwrap_or_default()
    }
}
