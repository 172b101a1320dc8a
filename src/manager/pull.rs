//! Images brought to all engines at once: pulled, imported or loaded (`manager/API.md` §5.3 and §5.4).

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::Manager;
use super::answer::{Answer, Failure};
use super::server::Call;
use super::state::EngineId;
use crate::docker::{CallError, Daemon, Map, json, path};
use crate::net::{self, Body};

/// Lines of progress that may wait for the client.
const LINES: usize = 1024;

/// An engine that takes part.
#[derive(Clone)]
struct Part {
    engine: EngineId,
    name: String,
    daemon: Daemon,
}

/// How progress and failures are told.
#[derive(Clone)]
struct Words {
    /// What is being done, such as `Pulling busybox:latest...`.
    doing: String,
    /// What a failure begins with that an engine tells in the middle of its progress, such as `Failed to load
    /// busybox:latest: `.
    failed: String,
    /// What is said instead of a failure if the image is for another operating system, such as `Load`.
    skipped: Option<&'static str>,
}

/// `POST /images/create`: a pull, or an import if the client says where from.
pub(super) async fn create(call: Call) -> Result<Answer, Failure> {
    if call.parameter("fromImage").is_empty() {
        return import(call).await;
    }
    let reference = reference(call.parameter("fromImage"), call.parameter("tag"));
    let target = format!("/images/create{}", query_of(&call));
    let auth = call.header("x-registry-auth").map(str::to_owned);
    let words = Words {
        doing: format!("Pulling {reference}..."),
        failed: format!("Failed to load {reference}: "),
        skipped: None,
    };
    let parts = parts(&call.manager);
    let requests = parts.iter().map(|part| {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(part.daemon.versioned(&target));
        if let Some(auth) = &auth {
            request = request.header("x-registry-auth", auth);
        }
        request.body(net::empty()).map_err(|error| error.to_string())
    });
    let requests = requests.collect::<Result<Vec<_>, _>>().map_err(Failure::bad_request)?;
    Ok(run(&call.manager, parts, requests, words))
}

/// An image's reference with its tag or digest.
fn reference(image: &str, tag: &str) -> String {
    match tag {
        "" => image.to_owned(),
        digest if digest.contains(':') => format!("{image}@{digest}"),
        tag => format!("{image}:{tag}"),
    }
}

fn query_of(call: &Call) -> String {
    let pairs: Vec<(&str, &str)> = call
        .query
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    path::query(&pairs)
}

async fn import(call: Call) -> Result<Answer, Failure> {
    let words = Words {
        doing: "Importing Image...".to_owned(),
        failed: "Failed to import image: ".to_owned(),
        skipped: Some("Import"),
    };
    let target = format!("/images/create{}", query_of(&call));
    shared(call, &target, words)
}

/// `POST /images/load`.
pub(super) async fn load(call: Call) -> Result<Answer, Failure> {
    let words = Words {
        doing: "Loading Image...".to_owned(),
        failed: "Failed to load image: ".to_owned(),
        skipped: Some("Load"),
    };
    shared(call, "/images/load?quiet=0", words)
}

/// Sends the client's body to all engines.
fn shared(call: Call, target: &str, words: Words) -> Result<Answer, Failure> {
    let parts = parts(&call.manager);
    let kind = call.request.headers().get(CONTENT_TYPE).cloned();
    let mut senders = Vec::new();
    let mut requests = Vec::new();
    for part in &parts {
        let (sender, body) = net::channel();
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(part.daemon.versioned(target));
        if let Some(kind) = &kind {
            request = request.header(CONTENT_TYPE, kind);
        }
        requests.push(
            request
                .body(body)
                .map_err(|error| Failure::bad_request(error.to_string()))?,
        );
        senders.push(sender);
    }
    tokio::spawn(distribute(call.request.into_body(), senders));
    Ok(run(&call.manager, parts, requests, words))
}

/// Copies a body to several. Whoever stops reading gets no more; the slowest of the others sets the pace.
async fn distribute(mut body: Incoming, mut senders: Vec<net::Sender>) {
    while let Some(frame) = body.frame().await {
        let data = match frame.map(hyper::body::Frame::into_data) {
            Ok(Ok(data)) => data,
            // Trailers say nothing about an archive.
            Ok(Err(_)) => continue,
            Err(error) => {
                // What is half there must not look whole.
                for sender in senders {
                    sender.abort(error.to_string().into());
                }
                return;
            }
        };
        let mut still = Vec::with_capacity(senders.len());
        for mut sender in senders {
            if sender.send_data(data.clone()).await.is_ok() {
                still.push(sender);
            }
        }
        senders = still;
        if senders.is_empty() {
            return;
        }
    }
}

/// The engines that take part: those that can be reached. Others would only let the whole fail.
fn parts(manager: &Manager) -> Vec<Part> {
    manager.keeper.with(|state| {
        let healthy = state.validated().filter(|(_, engine)| engine.is_healthy());
        let parts = healthy.map(|(engine, known)| Part {
            engine,
            name: known.name().to_owned(),
            daemon: known.daemon.clone(),
        });
        parts.collect()
    })
}

/// Sends each engine its request, and the client the progress of all.
fn run(manager: &Arc<Manager>, parts: Vec<Part>, requests: Vec<Request<Body>>, words: Words) -> Answer {
    let (lines, mut told) = mpsc::channel::<Map>(LINES);
    let (mut sender, body) = net::channel();
    let manager = Arc::clone(manager);
    tokio::spawn(async move {
        let mut work = tokio::task::JoinSet::new();
        for (part, request) in parts.into_iter().zip(requests) {
            let (manager, lines, words) = (Arc::clone(&manager), lines.clone(), words.clone());
            work.spawn(async move { on_one(&manager, part, request, &words, &lines).await });
        }
        drop(lines);
        let mut listening = true;
        while let Some(line) = told.recv().await {
            // The work goes on if the client goes away: engines are told to have the image.
            listening = listening && sender.send_data(line_of(&line)).await.is_ok();
        }
        let outcomes = work.join_all().await;
        let succeeded = outcomes.iter().any(|outcome| outcome.is_ok());
        let failures: Vec<&String> = outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).collect();
        let only_systems = succeeded
            && failures
                .iter()
                .all(|failure| failure.contains("image operating system"));
        let last = match failures.last() {
            Some(last) if !only_systems => Some((*last).clone()),
            None if outcomes.is_empty() => Some("No healthy node available in the cluster".to_owned()),
            _ => None,
        };
        if let Some(last) = last {
            let error = json!({ "error": last, "errorDetail": { "code": 1, "message": last } });
            let _ = sender.send_data(Bytes::from(format!("{error}\n"))).await;
        }
    });
    let mut answer = Answer::new(body);
    answer
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

fn line_of(line: &Map) -> Bytes {
    // A map of JSON values can always be written.
    let mut text = serde_json::to_vec(line).unwrap_or_default();
    text.push(b'\n');
    text.into()
}

/// One engine's part. Returns what went wrong, if anything did.
async fn on_one(
    manager: &Arc<Manager>,
    part: Part,
    request: Request<Body>,
    words: &Words,
    lines: &mpsc::Sender<Map>,
) -> Result<(), String> {
    let say = async |status: String| {
        let mut line = Map::new();
        line.insert("status".to_owned(), Value::from(status));
        line.insert("id".to_owned(), Value::from(part.name.as_str()));
        // Nobody listening is no reason to stop.
        let _ = lines.send(line).await;
    };
    say(words.doing.clone()).await;
    let following = follow(&part, request, words, lines);
    let following = manager.while_healthy(part.engine, following);
    let outcome = manager.noted(part.engine, following).await;
    if !outcome.as_ref().is_err_and(CallError::is_unreachable) {
        manager.refresh_images(part.engine, &part.daemon).await;
    }
    // An engine that refuses altogether is introduced as such, as in the original.
    let message = match outcome {
        Ok(Ok(())) => {
            say(words.doing.clone()).await;
            return Ok(());
        }
        Ok(Err(failure)) => failure,
        Err(error) => error.to_string(),
    };
    if let Some((what, (image, engine))) = words.skipped.zip(systems(&message)) {
        say(format!(
            "{what} skipped because image is for {image} and engine is running {engine}"
        ))
        .await;
        return Ok(());
    }
    say(format!("{} : {message}", words.doing)).await;
    Err(message)
}

/// Passes on an engine's progress. A failure that the engine tells within it is the inner one.
async fn follow(
    part: &Part,
    request: Request<Body>,
    words: &Words,
    lines: &mpsc::Sender<Map>,
) -> Result<Result<(), String>, CallError> {
    let mut progress = part.daemon.stream(request).await?;
    while let Some(mut line) = progress.next().await? {
        let error = json::text(&line, "error");
        if !error.is_empty() {
            return Ok(Err(format!("{}{error}", words.failed)));
        }
        let status = match json::text(&line, "status") {
            "" => json::text(&line, "stream").trim_end().to_owned(),
            status => status.to_owned(),
        };
        json::remove(&mut line, "stream");
        json::set(&mut line, "status", format!("{} : {status}", words.doing));
        json::set(&mut line, "id", part.name.as_str());
        let _ = lines.send(line).await;
    }
    Ok(Ok(()))
}

/// The operating systems of image and engine, from a daemon's words.
fn systems(message: &str) -> Option<(&str, &str)> {
    let (_, rest) = message.split_once("cannot load ")?;
    let (image, rest) = rest.split_once(" image on ")?;
    Some((image, rest.split_whitespace().next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_have_a_tag_or_a_digest() {
        assert_eq!(reference("busybox", ""), "busybox");
        assert_eq!(reference("busybox", "1"), "busybox:1");
        assert_eq!(reference("busybox", "sha256:00"), "busybox@sha256:00");
    }

    #[test]
    fn an_image_for_another_system_is_told_from_a_failure() {
        let message = "Failed to load x: cannot load windows image on linux";
        assert_eq!(systems(message), Some(("windows", "linux")));
        assert_eq!(systems("cannot load it"), None);
    }
}
