//! Connections that a client takes over: attach, commands with a terminal, web sockets, build sessions (`api.md` §1.4).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::header::{CONNECTION, HOST, UPGRADE};
use hyper::upgrade::OnUpgrade;
use hyper::{Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;
use tracing::debug;

use super::Manager;
use super::answer::{Answer, Failure};
use super::containers::reach;
use super::proxy::{self, with_query};
use super::routes::{Action, Matched};
use super::server::Call;
use super::state::{EngineId, Placed, State};
use crate::docker::Daemon;
use crate::net::head::Head;
use crate::net::{self, Stream, headers};

/// How long the client may take to end after the daemon has ended.
pub(super) const LAST_WORDS: Duration = Duration::from_secs(10);

/// A request about a container after which both sides speak another protocol.
pub(super) async fn container(call: Call) -> Result<Answer, Failure> {
    let name = &call.matched.name;
    let placed = call
        .manager
        .keeper
        .with(|state| reach(state, name, || Failure::not_found(format!("No such container: {name}"))))?;
    let target = with_query(&call.matched.path_with(&placed.id), call.request.uri());
    upgrade(call, &target, placed).await
}

/// `POST /exec/{id}/start` (`api.md` §4.6): a command that is started detached is answered as any request is.
pub(super) async fn exec(call: Call) -> Result<Answer, Failure> {
    let placed = proxy::exec_in(&call)?;
    let target = proxy::whole_target(call.request.uri());
    if headers::wants_upgrade(call.request.headers()) {
        return upgrade(call, &target, placed).await;
    }
    proxy::forward(&call.manager, call.request, &target, placed.engine, &placed.daemon).await
}

/// A request about no container, for an engine.
pub(super) async fn to_engine(call: Call, target: &str, engine: EngineId, daemon: &Daemon) -> Result<Answer, Failure> {
    connect(call, target, engine, daemon, async {}).await
}

/// The same about a container, which is looked at again afterwards.
async fn upgrade(call: Call, target: &str, placed: Placed) -> Result<Answer, Failure> {
    let (manager, engine, daemon) = (Arc::clone(&call.manager), placed.engine, placed.daemon.clone());
    connect(call, target, engine, &daemon, async move {
        manager.refresh_one(&placed).await
    })
    .await
}

/// Passes on a request for another protocol; if the daemon agrees, the client's connection becomes the daemon's.
async fn connect(
    mut call: Call,
    target: &str,
    engine: EngineId,
    daemon: &Daemon,
    after: impl Future<Output = ()> + Send + 'static,
) -> Result<Answer, Failure> {
    let client = hyper::upgrade::on(&mut call.request);
    let answer = proxy::forward_upgradable(&call.manager, call.request, target, engine, daemon).await?;
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Ok(answer.map(net::streamed));
    }
    Ok(join(&call.manager, client, answer, after))
}

/// Makes the client's connection the other side's, which has agreed to it. Gives the answer for the client.
pub(super) fn join(
    manager: &Manager,
    client: OnUpgrade,
    mut answer: Response<hyper::body::Incoming>,
    after: impl Future<Output = ()> + Send + 'static,
) -> Answer {
    let server = hyper::upgrade::on(&mut answer);
    manager.connections.spawn(async move {
        let (client, server) = match tokio::try_join!(client, server) {
            Ok(both) => both,
            Err(error) => return debug!("Taking over a connection failed: {error}"),
        };
        let moved = net::tunnel_behind_head(TokioIo::new(client), TokioIo::new(server), LAST_WORDS).await;
        report(moved);
        after.await;
    });
    let mut agreed = Response::new(net::empty());
    *agreed.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    for (name, value) in answer.headers() {
        agreed.headers_mut().append(name.clone(), value.clone());
    }
    for name in [CONNECTION, UPGRADE] {
        if !agreed.headers().contains_key(&name) {
            let value = if name == CONNECTION { "Upgrade" } else { "tcp" };
            agreed
                .headers_mut()
                .insert(name, hyper::header::HeaderValue::from_static(value));
        }
    }
    agreed
}

/// A client that takes over the connection without asking: its request goes to the daemon as it was received, and from
/// then on everything is passed on, in both directions.
pub(super) async fn raw(manager: &Arc<Manager>, mut client: Stream, head: &Head, matched: &Matched) -> io::Result<()> {
    let name = &matched.name;
    let found = manager.keeper.with(|state| find(state, matched.action, name));
    let placed = match found {
        Ok(placed) => placed,
        Err(failure) => return refuse(client, &failure).await,
    };
    let path = match matched.action {
        Action::HijackContainer => matched.path_with(&placed.id),
        _ => head.path().to_owned(),
    };
    let target = match head.target.split_once('?') {
        Some((_, query)) => format!("{path}?{query}"),
        None => path,
    };
    let dialled = placed.daemon.dial().await;
    manager.note(placed.engine, &dialled);
    let mut server = match dialled {
        Ok(server) => server,
        Err(error) => return refuse(client, &error.into()).await,
    };
    server.write_all(&head.raw_for(&target)).await?;
    server.flush().await?;
    debug_assert!(head.headers.contains_key(HOST) || head.version == hyper::Version::HTTP_10);
    let moved = net::tunnel(&mut client, &mut server, LAST_WORDS).await;
    report(moved);
    manager.refresh_one(&placed).await;
    Ok(())
}

fn find(state: &State, action: Action, name: &str) -> Result<Placed, Failure> {
    match action {
        Action::HijackContainer => reach(state, name, || Failure::not_found(format!("No such container: {name}"))),
        Action::StartExec => state
            .find_exec(name)
            .ok_or_else(|| Failure::not_found(format!("Exec {name} not found"))),
        _ => Err(Failure::new(
            StatusCode::NOT_IMPLEMENTED,
            "build sessions need a client that asks for an upgrade",
        )),
    }
}

pub(super) async fn refuse(mut client: Stream, failure: &Failure) -> io::Result<()> {
    let body = serde_json::json!({ "message": failure.message }).to_string();
    let answer = format!(
        "HTTP/1.1 {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        failure.status,
        body.len()
    );
    client.write_all(answer.as_bytes()).await?;
    net::part(&mut client).await;
    Ok(())
}

fn report(moved: io::Result<net::Moved>) {
    match moved {
        Ok(moved) => debug!(up = moved.up, down = moved.down, "A taken-over connection ended"),
        Err(error) => debug!("A taken-over connection broke: {error}"),
    }
}
