//! `POST /build`: images built on one engine, and the sessions through which clients of today send what is built
//! (`manager/API.md` §7).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::StatusCode;
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderValue, UPGRADE};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
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
use crate::scheduler::{Expressions, demanded_system, translate};

/// How long it is remembered which engine builds what.
const REMEMBERED: Duration = Duration::from_secs(60 * 60);
/// How long it is remembered why nothing builds something.
const REFUSALS_REMEMBERED: Duration = Duration::from_secs(60);
/// Characters of that.
const REASON_CHARS_MAX: usize = 4096;
/// How long a session waits for its build to begin.
const PATIENCE: Duration = Duration::from_secs(5);
/// Builds remembered.
const BUILDS_MAX: usize = 10_000;
/// The header in which a client names its session.
const SESSION_ID: &str = "x-docker-expose-session-uuid";
/// What the ID of a build begins with that only uploads something for another one.
const UPLOAD: &str = "upload-request:";

/// What has become of a build that was asked for.
#[derive(Clone, Debug)]
enum Begun {
    On(EngineId),
    /// No engine builds it, for this reason.
    Refused(Arc<str>),
}

/// Which engine builds what, by the IDs of builds and sessions.
#[derive(Debug, Default)]
pub(super) struct Builds {
    known: Mutex<HashMap<String, (Begun, Instant)>>,
    begun: Notify,
}

impl Builds {
    fn with<T>(&self, visit: impl FnOnce(&mut HashMap<String, (Begun, Instant)>) -> T) -> T {
        visit(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Remembers what has become of a build, for its own ID and that of its session. The refusal of one build does not end
    /// the session of another.
    fn remember(&self, ids: [&str; 2], begun: &Begun) {
        let (since, kept) = (Instant::now(), |begun: &Begun| match begun {
            Begun::On(_) => REMEMBERED,
            Begun::Refused(_) => REFUSALS_REMEMBERED,
        });
        self.with(|known| {
            known.retain(|_, (begun, since)| since.elapsed() < kept(begun));
            for id in ids.iter().filter(|id| !id.is_empty()) {
                let is_built = matches!(known.get(*id), Some((Begun::On(_), _)));
                let is_refusal = matches!(begun, Begun::Refused(_));
                if known.len() < BUILDS_MAX && !(is_built && is_refusal) {
                    known.insert((*id).to_owned(), (begun.clone(), since));
                }
            }
        });
        self.begun.notify_waiters();
    }

    fn get(&self, id: &str) -> Option<Begun> {
        self.with(|known| known.get(id).map(|(begun, _)| begun.clone()))
    }

    /// The engine of a build.
    fn engine(&self, id: &str) -> Option<EngineId> {
        match self.get(id)? {
            Begun::On(engine) => Some(engine),
            Begun::Refused(_) => None,
        }
    }

    /// What becomes of a build that has been asked for, or soon is.
    async fn wait_for(&self, id: &str) -> Option<Begun> {
        let until = Instant::now() + PATIENCE;
        loop {
            // Listening begins before looking, so that nothing that begins in between is missed.
            let mut begun = std::pin::pin!(self.begun.notified());
            begun.as_mut().enable();
            if let Some(begun) = self.get(id) {
                return Some(begun);
            }
            tokio::time::timeout_at(until, begun).await.ok()?;
        }
    }
}

/// `POST /build`. Whoever waits for the build is told if nobody builds it.
pub(super) async fn build(call: Call) -> Result<Answer, Failure> {
    let manager = call.manager.clone();
    let build_id = call.parameter("buildid").to_owned();
    let session = call.parameter("session").to_owned();
    let begun_before = !build_id.is_empty() && manager.builds.engine(&build_id).is_some();
    if begun_before && !build_id.starts_with(UPLOAD) {
        return Err(Failure::internal("build already started"));
    }
    let built = start(call, [&build_id, &session]).await;
    if let Err(failure) = &built {
        let reason = failure.message.chars().take(REASON_CHARS_MAX).collect::<String>();
        manager
            .builds
            .remember([&build_id, &session], &Begun::Refused(reason.into()));
    }
    built
}

async fn start(call: Call, ids: [&str; 2]) -> Result<Answer, Failure> {
    let version = call.parameter("version").to_owned();
    if !matches!(version.as_str(), "" | "1" | "2") {
        read_out(call.request.into_body()).await;
        return Err(Failure::internal(format!("invalid version {version}")));
    }
    let (request, pairs) = scheduled(&call);
    let manager = call.manager.clone();
    let (engine, daemon) = match ids[0].strip_prefix(UPLOAD) {
        Some(other) => manager.builder(other).await?,
        None => match manager.choose(request).await {
            Ok(chosen) => chosen,
            Err(failure) => {
                read_out(call.request.into_body()).await;
                return Err(failure);
            }
        },
    };
    manager.builds.remember(ids, &Begun::On(engine));
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

/// What the scheduler is asked for a build, and the query without scheduling expressions (`scheduler/RULES.md` §12.1).
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
                    if let Some(advice) = advice(error) {
                        let advice = json!({ "id": engine, "status": advice });
                        if sender.send_data(format!("{advice}\r\n").into()).await.is_err() {
                            return;
                        }
                    }
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

/// What to do about an image that an engine cannot build on, since it is for another operating system.
fn advice(error: &str) -> Option<String> {
    let system = demanded_system(error)?;
    Some(format!(
        "Could not build image: {error}. Consider using --build-arg 'constraint:ostype=={system}'"
    ))
}

/// `POST /build/cancel`.
pub(super) async fn cancel(call: Call) -> Result<Answer, Failure> {
    let id = call.parameter("id").to_owned();
    if id.is_empty() {
        return Err(Failure::bad_request("build ID not provided"));
    }
    let manager = call.manager.clone();
    let found = manager.builds.engine(&id).and_then(|engine| manager.daemon_of(engine));
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
    let is_spoken = call
        .header("upgrade")
        .is_some_and(|protocol| protocol.eq_ignore_ascii_case("h2c"));
    let (engine, daemon) = match manager.builder(&id).await {
        Ok(found) => found,
        Err(failure) if is_spoken && failure.message != NEVER_BEGUN => return Ok(dismissed(call, failure.message)),
        Err(failure) => return Err(failure),
    };
    let target = whole_target(call.request.uri());
    hijack::to_engine(call, &target, engine, &daemon).await
}

/// What a session is told whose build does not begin.
const NEVER_BEGUN: &str = "timeout waiting for build to start";

/// Takes a session whose build is refused, and ends it with the reason. Docker's client waits for the end of its session
/// before it tells why the build failed, and would report a session that is refused in place of that.
fn dismissed(mut call: Call, reason: String) -> Answer {
    let client = hyper::upgrade::on(&mut call.request);
    call.manager.connections.spawn(async move {
        let Ok(client) = client.await else { return };
        let mut client = hyper_util::rt::TokioIo::new(client);
        // Who has gone already needs no reason.
        let told = async {
            client.write_all(&farewell(&reason)).await?;
            client.shutdown().await
        };
        let _ = tokio::time::timeout(PATIENCE, told).await;
    });
    let mut agreed = Answer::new(net::empty());
    *agreed.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    for (name, value) in [(CONNECTION, "Upgrade"), (UPGRADE, "h2c")] {
        agreed.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    agreed
}

/// What a client of HTTP/2 says that leaves at once: its preface, no settings, and why it goes.
fn farewell(reason: &str) -> Vec<u8> {
    const SETTINGS: u8 = 4;
    const GO_AWAY: u8 = 7;
    /// The length of what stands in such a frame before the reason: the last stream, and a code.
    const GO_AWAY_HEAD: [u8; 8] = [0; 8];
    let frame = |kind: u8, payload: &[u8]| {
        let [_, high, middle, low] = u32::try_from(payload.len()).unwrap_or(0).to_be_bytes();
        [&[high, middle, low, kind, 0, 0, 0, 0, 0], payload].concat()
    };
    let reason: String = reason.chars().take(REASON_CHARS_MAX).collect();
    [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        frame(SETTINGS, &[]),
        frame(GO_AWAY, &[&GO_AWAY_HEAD, reason.as_bytes()].concat()),
    ]
    .concat()
}

impl Manager {
    /// The engine that builds what has this ID, once that has begun.
    async fn builder(&self, id: &str) -> Result<(EngineId, Daemon), Failure> {
        match self.builds.wait_for(id).await {
            Some(Begun::On(engine)) => self
                .daemon_of(engine)
                .ok_or_else(|| Failure::internal("the engine of the build is no longer part of the cluster")),
            Some(Begun::Refused(reason)) => Err(Failure::internal(&*reason)),
            None => Err(Failure::internal(NEVER_BEGUN)),
        }
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_for_another_system_comes_with_advice() {
        let error = "image operating system \"windows\" cannot be used on this platform";
        let expected =
            format!("Could not build image: {error}. Consider using --build-arg 'constraint:ostype==windows'");
        assert_eq!(advice(error), Some(expected));
        assert_eq!(advice("COPY failed"), None);
    }

    #[test]
    fn a_farewell_is_what_a_client_of_http_2_may_say() {
        let said = farewell("no room");
        let expected =
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\0\0\x0f\x07\0\0\0\0\0\0\0\0\0\0\0\0\0no room";
        assert_eq!(said, expected);
    }

    #[tokio::test]
    async fn who_waits_for_a_build_hears_why_there_is_none() {
        let builds = Builds::default();
        builds.remember(["build", "session"], &Begun::Refused("no room".into()));
        for id in ["build", "session"] {
            assert!(matches!(builds.wait_for(id).await, Some(Begun::Refused(reason)) if &*reason == "no room"));
            assert!(builds.engine(id).is_none());
        }
    }
}
