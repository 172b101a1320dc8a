//! Connections that a client takes over: attach, commands with a terminal, web sockets, build sessions
//! (`manager/API.md` §1.4).
//!
//! Whether a connection is taken over says the engine's answer alone. Clients of today ask for an upgrade first; for those
//! that do not, heads are read here without an HTTP library, on both sides.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use hyper::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue, TRANSFER_ENCODING, UPGRADE};
use hyper::upgrade::OnUpgrade;
use hyper::{Response, StatusCode, Version};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tracing::debug;

use super::Manager;
use super::answer::{Answer, Failure};
use super::containers::reach;
use super::proxy::{self, with_query};
use super::routes::{Action, Matched};
use super::server::{self, BODY_BYTES, BODY_PATIENCE, Call};
use super::state::{EngineId, Placed, State};
use crate::docker::{CallError, Daemon};
use crate::net::answer::{AnswerHead, Ending};
use crate::net::head::{Head, HeadError};
use crate::net::{self, Address, Stream, headers};

/// How long the client may take to end after the daemon has ended, and a refusal that has no length to arrive.
const LAST_WORDS: Duration = Duration::from_secs(10);
/// What the content types of output begin with.
const RAW_STREAM: &str = "application/vnd.docker.";
/// Bytes of such a refusal.
const REFUSAL_BYTES: usize = 64 << 10;

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

/// `POST /exec/{id}/start` (`manager/API.md` §4.6): a command that is started detached is answered as any request is.
pub(super) async fn exec(call: Call) -> Result<Answer, Failure> {
    let placed = proxy::exec_in(&call)?;
    let target = proxy::whole_target(call.request.uri());
    upgrade(call, &target, placed).await
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
        let mut answer = answer.map(net::streamed);
        if is_raw(answer.headers()) {
            // The client may have taken over the connection in its turn: what it sends next is no request.
            let close = HeaderValue::from_static("close");
            answer.headers_mut().insert(CONNECTION, close);
        }
        return Ok(answer);
    }
    Ok(join(&call.manager, client, answer, after))
}

/// Whether an answer has what a process writes, and not a body that says where it ends.
fn is_raw(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with(RAW_STREAM)) && !headers.contains_key(CONTENT_LENGTH)
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
            agreed.headers_mut().insert(name, HeaderValue::from_static(value));
        }
    }
    agreed
}

/// A request after which the client may take over the connection without having asked for that. It goes to the daemon
/// as it was received, on a connection of its own, and the daemon's answer says what becomes of the client's: see
/// [`exchange`].
pub(super) async fn raw(
    manager: &Arc<Manager>,
    client: Stream,
    head: Head,
    matched: &Matched,
) -> io::Result<Option<Stream>> {
    let Some((client, head)) = whole(client, head).await? else {
        return Ok(None);
    };
    let name = &matched.name;
    let found = manager.keeper.with(|state| find(state, matched.action, name));
    let placed = match found {
        Ok(placed) => placed,
        Err(failure) => return refuse(manager, client, &head, &failure).await,
    };
    let path = match matched.action {
        Action::HijackContainer => matched.path_with(&placed.id),
        _ => head.path().to_owned(),
    };
    let target = match head.target.split_once('?') {
        Some((_, query)) => format!("{path}?{query}"),
        None => path,
    };
    let daemon = &placed.daemon;
    let asking = async {
        let mut server = daemon.dial().await?;
        let answer = ask(&mut server, &head.raw_for(&target), daemon.address()).await?;
        Ok((server, answer))
    };
    let asking = manager.while_healthy(placed.engine, asking);
    let asked = manager.noted(placed.engine, asking).await;
    manager.metrics.forwarded();
    match asked {
        Ok((server, answer)) => {
            let after = async { manager.refresh_one(&placed).await };
            exchange(manager, client, &head, server, answer, after).await
        }
        Err(error) => refuse(manager, client, &head, &error.into()).await,
    }
}

/// The client with everything that follows the request put back, and the request with the whole of its body. `None` if
/// the connection had to be ended.
pub(super) async fn whole(mut client: Stream, mut head: Head) -> io::Result<Option<(Stream, Head)>> {
    let length = head.body_length().and_then(|length| usize::try_from(length).ok());
    let Some(length) = length.filter(|length| *length <= BODY_BYTES) else {
        let message = format!("the body is longer than {BODY_BYTES} bytes");
        end(client, &Failure::new(StatusCode::PAYLOAD_TOO_LARGE, message)).await?;
        return Ok(None);
    };
    let end_of_request = head.length + length;
    let mut raw = BytesMut::from(head.raw.as_ref());
    let reading = async {
        while raw.len() < end_of_request {
            if client.read_buf(&mut raw).await? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
            }
        }
        Ok(())
    };
    match tokio::time::timeout(BODY_PATIENCE, reading).await {
        Ok(read) => read?,
        Err(_) => {
            let message = format!("the body did not arrive within {} s", BODY_PATIENCE.as_secs());
            end(client, &Failure::new(StatusCode::REQUEST_TIMEOUT, message)).await?;
            return Ok(None);
        }
    }
    let raw = raw.freeze();
    client.put_back(raw.slice(end_of_request..));
    head.raw = raw.slice(..end_of_request);
    Ok(Some((client, head)))
}

/// Sends a request, and reads the head of its answer.
pub(super) async fn ask(server: &mut Stream, request: &[u8], address: &Address) -> Result<AnswerHead, CallError> {
    let sending = async {
        server.write_all(request).await?;
        server.flush().await
    };
    sending.await.map_err(|error| CallError::broken(address, &error))?;
    net::answer::read(server).await.map_err(|error| match error {
        HeadError::Garbled(_) | HeadError::TooLong(_) => CallError::Garbled(error.to_string()),
        HeadError::Closed | HeadError::Truncated | HeadError::Timeout(_) | HeadError::Io(_) => {
            CallError::broken(address, &error)
        }
    })
}

/// Passes an answer back. If it takes the connection over, client and server are connected until both have ended;
/// otherwise the client's connection goes on being the manager's, and is given back unless it is to end.
pub(super) async fn exchange(
    manager: &Manager,
    mut client: Stream,
    head: &Head,
    mut server: Stream,
    answer: AnswerHead,
    after: impl Future<Output = ()>,
) -> io::Result<Option<Stream>> {
    if answer.takes_over() {
        // What a process writes waits for its reader, however long that takes.
        client.pace().set(None);
        client.write_all(&answer.raw[..answer.length]).await?;
        client.flush().await?;
        server.put_back(answer.rest());
        report(net::tunnel_behind_head(&mut client, &mut server, LAST_WORDS).await);
        after.await;
        return Ok(None);
    }
    let mut headers = answer.headers.clone();
    headers::strip(&mut headers);
    headers.remove(CONTENT_LENGTH);
    match answer.ending {
        Ending::Length(length) => {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
            write_head(manager, &mut client, head, answer.status, headers).await?;
            net::answer::pass_body(&answer, &mut server, &mut client).await?;
        }
        Ending::Chunked => {
            headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
            write_head(manager, &mut client, head, answer.status, headers).await?;
            net::answer::pass_body(&answer, &mut server, &mut client).await?;
        }
        // A refusal that ends with the engine's connection, as daemons refuse to attach, does not end the client's.
        Ending::Close => {
            let mut body = BytesMut::from(answer.rest().as_ref());
            let reading =
                async { while body.len() < REFUSAL_BYTES && matches!(server.read_buf(&mut body).await, Ok(1..)) {} };
            // What has arrived by then says enough.
            let _ = tokio::time::timeout(LAST_WORDS, reading).await;
            headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
            write_head(manager, &mut client, head, answer.status, headers).await?;
            client.write_all(&body).await?;
            client.flush().await?;
        }
    }
    go_on(client, head).await
}

/// Writes the head of an answer to a request that does not take the connection over.
async fn write_head(
    manager: &Manager,
    client: &mut Stream,
    head: &Head,
    status: StatusCode,
    mut headers: HeaderMap,
) -> io::Result<()> {
    server::dress(manager, &mut headers);
    let version = match head.version {
        Version::HTTP_10 => "HTTP/1.0",
        _ => "HTTP/1.1",
    };
    match (head.version, head.keeps_alive()) {
        (_, false) => drop(headers.insert(CONNECTION, HeaderValue::from_static("close"))),
        (Version::HTTP_10, true) => drop(headers.insert(CONNECTION, HeaderValue::from_static("keep-alive"))),
        (_, true) => {}
    }
    let mut text = BytesMut::from(format!("{version} {status}\r\n").as_bytes());
    headers::write(&headers, &mut text);
    client.write_all(&text).await
}

/// The client's connection after an answer, unless it is to end.
async fn go_on(mut client: Stream, head: &Head) -> io::Result<Option<Stream>> {
    if head.keeps_alive() {
        return Ok(Some(client));
    }
    net::part(&mut client).await;
    Ok(None)
}

fn find(state: &State, action: Action, name: &str) -> Result<Placed, Failure> {
    match action {
        Action::HijackContainer => reach(state, name, || Failure::not_found(format!("No such container: {name}"))),
        Action::StartExec => state
            .find_exec(name)
            .ok_or_else(|| Failure::not_found(format!("Exec {name} not found"))),
        // Nothing else is taken over without a word.
        _ => Err(Failure::not_found("404 page not found")),
    }
}

/// Answers a request, all of which has been read, with a refusal of the manager's own.
pub(super) async fn refuse(
    manager: &Manager,
    mut client: Stream,
    head: &Head,
    failure: &Failure,
) -> io::Result<Option<Stream>> {
    let body = failure.body().to_string();
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    write_head(manager, &mut client, head, failure.status, headers).await?;
    client.write_all(body.as_bytes()).await?;
    client.flush().await?;
    go_on(client, head).await
}

/// Refuses a request, not all of which has been read, and with it everything that would follow on the connection.
pub(super) async fn end(mut client: Stream, failure: &Failure) -> io::Result<()> {
    let body = failure.body().to_string();
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
