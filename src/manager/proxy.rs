//! Requests that a container's daemon answers, passed through in both directions as they are (`manager/API.md` §1.2).

use std::sync::Arc;
use std::time::Duration;

use hyper::header::HeaderValue;
use hyper::{Request, Response, StatusCode, Uri};

use super::Manager;
use super::answer::{Answer, Failure};
use super::containers::reach;
use super::server::Call;
use super::state::{EngineId, Placed};
use crate::docker::{Daemon, path};
use crate::net::{self, Body};

/// How long an answer is held back for a look at the container.
const REFRESH_PATIENCE: Duration = Duration::from_secs(2);

/// What is looked at again after the daemon has answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    Nothing,
    Container,
    Images,
}

/// Any request about one container.
pub(super) async fn container(call: Call, after: After) -> Result<Answer, Failure> {
    let name = &call.matched.name;
    let placed = call
        .manager
        .keeper
        .with(|state| reach(state, name, || Failure::not_found(format!("No such container: {name}"))))?;
    let target = with_query(&call.matched.path_with(&placed.id), call.request.uri());
    pass(&call.manager, call.request, &target, placed, after).await
}

/// A request about a command in a container.
pub(super) async fn exec(call: Call) -> Result<Answer, Failure> {
    let placed = exec_in(&call)?;
    let target = whole_target(call.request.uri());
    pass(&call.manager, call.request, &target, placed, After::Nothing).await
}

/// The container of the command that a request is about.
pub(super) fn exec_in(call: &Call) -> Result<Placed, Failure> {
    let exec = &call.matched.name;
    let found = call.manager.keeper.with(|state| state.find_exec(exec));
    found.ok_or_else(|| Failure::not_found(format!("Exec {exec} not found")))
}

/// `POST /commit` (`manager/API.md` §4.7).
pub(super) async fn commit(call: Call) -> Result<Answer, Failure> {
    let name = call.parameter("container").to_owned();
    let placed = call.manager.keeper.with(|state| {
        reach(state, &name, || {
            Failure::not_found(format!("No such container: {name}"))
        })
    })?;
    let pairs: Vec<(&str, &str)> = call
        .query
        .iter()
        .map(|(key, value)| match key.as_str() {
            "container" => ("container", placed.id.as_str()),
            key => (key, value.as_str()),
        })
        .collect();
    let target = format!("{}{}", call.request.uri().path(), path::query(&pairs));
    pass(&call.manager, call.request, &target, placed.clone(), After::Images).await
}

/// Passes a request on to a container's daemon, and the answer back.
async fn pass(
    manager: &Arc<Manager>,
    request: Request<hyper::body::Incoming>,
    target: &str,
    placed: Placed,
    after: After,
) -> Result<Answer, Failure> {
    let answer = forward(manager, request, target, placed.engine, &placed.daemon).await?;
    if after == After::Nothing || !answer.status().is_success() {
        return Ok(answer);
    }
    let manager = Arc::clone(manager);
    let refresh = async move {
        match after {
            After::Nothing => {}
            After::Container => manager.refresh_one(&placed).await,
            After::Images => manager.refresh_images(placed.engine, &placed.daemon).await,
        }
    };
    if hyper::body::Body::is_end_stream(answer.body()) {
        // There is no body after which it could be done. Who killed a container and lists it next must find it dead, but
        // does not wait for a daemon that has fallen silent meanwhile: the refresh goes on by itself.
        let refreshed = tokio::spawn(refresh);
        let _ = tokio::time::timeout(REFRESH_PATIENCE, refreshed).await;
        return Ok(answer);
    }
    Ok(answer.map(|body| net::followed_by(body, refresh)))
}

/// Passes a request on to a daemon; the answer's status, headers and body come back as they are.
pub(super) async fn forward(
    manager: &Arc<Manager>,
    request: Request<hyper::body::Incoming>,
    target: &str,
    engine: EngineId,
    daemon: &Daemon,
) -> Result<Answer, Failure> {
    let (mut head, body) = request.into_parts();
    head.uri = target_of(target)?;
    let request = Request::from_parts(head, net::streamed(body));
    send_on(manager, request, engine, daemon).await
}

/// The same for a request that asks for another protocol: whether the daemon agrees is for the caller to see.
pub(super) async fn forward_upgradable(
    manager: &Arc<Manager>,
    request: Request<hyper::body::Incoming>,
    target: &str,
    engine: EngineId,
    daemon: &Daemon,
) -> Result<Response<hyper::body::Incoming>, Failure> {
    let (mut head, body) = request.into_parts();
    head.uri = target_of(target)?;
    let forwarded = daemon.forward(Request::from_parts(head, net::streamed(body)));
    let forwarded = manager.while_healthy(engine, forwarded);
    let answer = manager.noted(engine, forwarded).await;
    manager.metrics.forwarded();
    let mut answer = answer?;
    answer.headers_mut().remove("api-version");
    Ok(answer)
}

fn target_of(target: &str) -> Result<Uri, Failure> {
    target
        .parse()
        .map_err(|error| Failure::bad_request(format!("{target} is no target of a request: {error}")))
}

/// The same with a request whose body is ours.
pub(super) async fn send_on(
    manager: &Arc<Manager>,
    request: Request<Body>,
    engine: EngineId,
    daemon: &Daemon,
) -> Result<Answer, Failure> {
    let forwarded = manager.while_healthy(engine, daemon.forward(request));
    let answer = manager.noted(engine, forwarded).await;
    manager.metrics.forwarded();
    let mut answer = answer?.map(net::streamed);
    // It is the manager's own version that counts for its clients.
    answer.headers_mut().remove("api-version");
    Ok(answer)
}

/// A path with a request's query.
pub(super) fn with_query(path: &str, uri: &Uri) -> String {
    match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    }
}

/// Path and query as the client wrote them.
pub(super) fn whole_target(uri: &Uri) -> String {
    with_query(uri.path(), uri)
}

/// `POST /containers/{n}/exec` (`manager/API.md` §4.5).
pub(super) async fn create_exec(mut call: Call) -> Result<Answer, Failure> {
    let name = &call.matched.name;
    // Whether the container is there is said before what is wrong with the command.
    let placed = call
        .manager
        .keeper
        .with(|state| reach(state, name, || Failure::not_found(format!("No such container {name}"))))?;
    let body = call.body().await?;
    let config: crate::docker::Map = serde_json::from_slice(&body)
        .map_err(|error| Failure::bad_request(format!("the body is no configuration of a command: {error}")))?;
    if crate::docker::json::list(&config, "Cmd").is_empty() {
        return Err(Failure::bad_request("No exec command specified"));
    }
    let manager = &call.manager;
    let target = path::path(&["containers", &placed.id, "exec"]);
    let config = config.into();
    let creating = placed.daemon.object(hyper::Method::POST, &target, Some(&config));
    let creating = manager.while_healthy(placed.engine, creating);
    let created = manager.noted(placed.engine, creating).await;
    let created = created.map_err(|error| match error.status() {
        // As ever with a container that does not run.
        Some(409) if error.told().contains("is not running") => error.into(),
        // Clients of today look for the daemon's own status, such as 409 of a container that is paused.
        Some(status @ 400..500) => Failure::new(
            StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            error.told(),
        ),
        _ => error.into(),
    })?;
    let exec = crate::docker::json::text(&created, "Id").to_owned();
    manager.keeper.with(|state| state.add_exec(placed.container, exec));
    let mut answer = super::answer::json_with(StatusCode::CREATED, &created);
    answer
        .headers_mut()
        .insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    Ok(answer)
}
