//! The sockets of engines: connections, requests and the bodies of answers.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming as Received;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, Version};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

use super::api::{self, Ask, Reply, VERSION};
use super::follow::{Follow, Session, Step};
use super::house::{House, lock};
use super::model::Refusal;
use super::published;
use super::session;
use crate::net::head::{self, Head, HeadError};
use crate::net::{self, Body, Incoming, Listener, Pace, Stream, headers};

/// How long a client may take to say what it wants.
const HEAD_PATIENCE: Duration = Duration::from_secs(30);
/// How long a client may leave an answer unread.
const UNREAD_MAX: Duration = Duration::from_secs(30);
/// How long it may leave unread what comes piece by piece.
const FOLLOWED_UNREAD_MAX: Duration = Duration::from_secs(10 * 60);
/// The largest body that is read: an archive of as many files as a container may have.
const BODY_BYTES: usize = 72 << 20;
/// The header in which an archive says what it is of.
const PATH_STAT: HeaderName = HeaderName::from_static("x-docker-container-path-stat");
/// Pause after a connection could not be accepted, or an address not be listened on.
const PAUSE: Duration = Duration::from_millis(100);

type Answer = Response<Body>;

/// Accepts connections as long as the engine is there, and listens again when it is back.
pub(super) async fn listen(house: Arc<House>, number: usize, mut listener: Option<Listener>) {
    let engine = &house.engines[number];
    loop {
        let turned = engine.turned.notified();
        let mut turned = std::pin::pin!(turned);
        turned.as_mut().enable();
        let wanted = {
            let conduct = engine.conduct();
            conduct.up && !conduct.faults.refuse
        };
        match (&listener, wanted) {
            (Some(_), false) => listener = None,
            (None, true) => match Listener::bind(&engine.address, None).await {
                Ok(bound) => listener = Some(bound),
                Err(_) => tokio::time::sleep(PAUSE).await,
            },
            (None, false) => tokio::select! {
                () = house.stop.cancelled() => return,
                () = turned => {}
            },
            (Some(bound), true) => tokio::select! {
                () = house.stop.cancelled() => return,
                () = turned => {}
                accepted = bound.accept() => match accepted {
                    Ok(incoming) => {
                        tokio::spawn(converse(Arc::clone(&house), number, incoming));
                    }
                    Err(_) => tokio::time::sleep(PAUSE).await,
                },
            },
        }
    }
}

async fn converse(house: Arc<House>, number: usize, incoming: Incoming) {
    let ends = house.engines[number].conduct().connections.clone();
    let stop = house.stop.clone();
    let _counted = house.count_connection();
    tokio::select! {
        // Clients come and go.
        _ = talk(Arc::clone(&house), number, incoming) => {}
        () = ends.cancelled() => {}
        () = stop.cancelled() => {}
    }
}

async fn talk(house: Arc<House>, number: usize, incoming: Incoming) -> io::Result<()> {
    let mut stream = incoming.establish(HEAD_PATIENCE).await?;
    stream.pace().set(Some(UNREAD_MAX));
    // Clients may take over a connection without asking for an upgrade, which the library would not let happen.
    let limits = head::Limits {
        patience: HEAD_PATIENCE,
        ..head::Limits::default()
    };
    let head = loop {
        let head = match head::read(&mut stream, limits).await {
            Ok(head) => head,
            Err(HeadError::Closed | HeadError::Timeout(_)) => return Ok(()),
            Err(error) => {
                let body = serde_json::json!({ "message": error.to_string() }).to_string();
                return plain(&mut stream, StatusCode::BAD_REQUEST, &body, false).await;
            }
        };
        // What the library serves, it serves as well: bodies in chunks, and whatever it has to refuse.
        let takes_over = api::takes_over(&head.method, head.path()) && !headers::wants_upgrade(&head.headers);
        let Some(length) = head.body_length().filter(|_| takes_over) else {
            break head;
        };
        match raw(&house, number, stream, head, length).await? {
            Some(kept) => stream = kept,
            None => return Ok(()),
        }
    };
    stream.put_back(head.raw);
    let pace = stream.pace().clone();
    let service = service_fn(move |request| {
        let (house, pace) = (Arc::clone(&house), pace.clone());
        async move { respond(house, number, request, &pace).await }
    });
    hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await
        .map_err(io::Error::other)
}

/// Writes an answer, and ends the connection unless it is kept.
async fn plain(stream: &mut Stream, status: StatusCode, body: &str, kept: bool) -> io::Result<()> {
    let kind = if body.is_empty() {
        ""
    } else {
        "Content-Type: application/json\r\n"
    };
    let close = if kept { "" } else { "Connection: close\r\n" };
    let answer = format!(
        "HTTP/1.1 {status}\r\nApi-Version: {VERSION}\r\n{kind}Content-Length: {}\r\n{close}\r\n{body}",
        body.len()
    );
    stream.write_all(answer.as_bytes()).await?;
    match kept {
        true => stream.flush().await,
        false => stream.shutdown().await,
    }
}

/// A client that may take over the connection without asking. It is given back if the client does not.
async fn raw(
    house: &Arc<House>,
    number: usize,
    mut stream: Stream,
    head: Head,
    length: u64,
) -> io::Result<Option<Stream>> {
    if house.engines[number].conduct().faults.hang {
        return std::future::pending().await;
    }
    let Some(length) = usize::try_from(length).ok().filter(|length| *length <= BODY_BYTES) else {
        let body = "{\"message\":\"the body is too large\"}";
        plain(&mut stream, StatusCode::PAYLOAD_TOO_LARGE, body, false).await?;
        return Ok(None);
    };
    let mut body = head.raw.slice(head.length..).to_vec();
    while body.len() < length {
        if stream.read_buf(&mut body).await? == 0 {
            return Ok(None);
        }
    }
    stream.put_back(Bytes::copy_from_slice(&body[length..]));
    body.truncate(length);
    let kept = head.keeps_alive() && head.version == Version::HTTP_11;
    match ask(house, number, head.method, &head.target, &head.headers, body.into()) {
        Reply::TakeOver(session) => {
            stream.pace().set(None);
            let agreed = "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n";
            stream.write_all(agreed.as_bytes()).await?;
            session::run(Arc::clone(house), number, stream, session).await?;
            return Ok(None);
        }
        Reply::Json(status, value) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            plain(&mut stream, status, &value.to_string(), kept).await?;
        }
        Reply::Empty(status) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            plain(&mut stream, status, "", kept).await?;
        }
        // Nothing else is answered to these requests.
        _ => plain(&mut stream, StatusCode::OK, "", kept).await?,
    }
    Ok(kept.then_some(stream))
}

fn ask(house: &House, number: usize, method: Method, target: &str, headers: &HeaderMap, body: Bytes) -> Reply {
    let asked = Ask::new(method, target, body);
    match asked.and_then(|ask| ask.check_type(headers).map(|()| ask)) {
        Ok(ask) => house.engines[number].with(house, number, |model| api::answer(model, &ask)),
        Err(refusal) => api::refuse(&refusal),
    }
}

/// The answer to one request, with the faults of the engine.
async fn respond(
    house: Arc<House>,
    number: usize,
    mut request: Request<Received>,
    pace: &Pace,
) -> Result<Answer, Infallible> {
    let faults = house.engines[number].conduct().faults.clone();
    if let Some(delay) = &faults.delay {
        let nanos = delay.sample(&mut *lock(&house.draws));
        tokio::time::sleep(Duration::from_nanos(nanos)).await;
    }
    if faults.hang {
        return std::future::pending().await;
    }
    if faults.garbage {
        return Ok(Response::new(net::full("{\"Containers\": [[[ gibberish \u{1f419}")));
    }
    let upgrades = headers::wants_upgrade(request.headers());
    let upgrade = hyper::upgrade::on(&mut request);
    let (parts, body) = request.into_parts();
    let target = parts
        .uri
        .path_and_query()
        .map_or("/", |target| target.as_str())
        .to_owned();
    let reply = match (faults.status, Limited::new(body, BODY_BYTES).collect().await) {
        (Some(status), _) => api::refuse(&Refusal {
            status,
            message: "the engine fails, as it was told to".to_owned(),
        }),
        (None, Ok(body)) => ask(&house, number, parts.method, &target, &parts.headers, body.to_bytes()),
        (None, Err(error)) if error.is::<LengthLimitError>() => api::refuse(&Refusal {
            status: 413,
            message: format!("simulated engines read no more than {} MiB", BODY_BYTES >> 20),
        }),
        (None, Err(error)) => api::refuse(&Refusal {
            status: 400,
            message: format!("the body cannot be read: {error}"),
        }),
    };
    let reply = match reply {
        Reply::Later(later) => {
            let reply = wait(&house, number, &later).await;
            // Who has started a container can connect to it.
            published::settled(&house, number).await;
            reply
        }
        other => other,
    };
    let takes_over = matches!(reply, Reply::TakeOver(_));
    // What is written piece by piece waits for whoever looks at it page by page, or types.
    pace.set(match reply {
        Reply::TakeOver(_) => None,
        Reply::Follow { .. } => Some(FOLLOWED_UNREAD_MAX),
        _ => Some(UNREAD_MAX),
    });
    let is_crowded = house.is_crowded() && !takes_over;
    let mut answer = dress(match reply {
        Reply::Json(status, value) => {
            let mut text = value.to_string();
            text.push('\n');
            with(status, Some("application/json"), net::full(text))
        }
        Reply::Text(status, text) => with(status, Some("text/plain; charset=utf-8"), net::full(text)),
        Reply::Empty(status) => with(status, None, net::empty()),
        Reply::File { kind, stat, body } => {
            let mut answer = with(200, Some(kind), net::full(body));
            if let Some(stat) = stat.and_then(|stat| HeaderValue::from_str(&stat).ok()) {
                answer.headers_mut().insert(PATH_STAT, stat);
            }
            answer
        }
        Reply::Follow { follow, raw } => {
            let kind = if raw {
                "application/vnd.docker.raw-stream"
            } else {
                "application/json"
            };
            with(200, Some(kind), followed(&house, number, *follow))
        }
        Reply::TakeOver(session) if upgrades => {
            let house = Arc::clone(&house);
            tokio::spawn(async move {
                if let Ok(upgraded) = upgrade.await {
                    // The client may be gone, which is nobody else's business.
                    let _ = session::run(house, number, upgraded.into(), session).await;
                }
            });
            let mut agreed = with(101, Some("application/vnd.docker.raw-stream"), net::empty());
            agreed
                .headers_mut()
                .insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
            agreed
                .headers_mut()
                .insert(header::UPGRADE, HeaderValue::from_static("tcp"));
            agreed
        }
        // Without input, and with what is written as the body.
        Reply::TakeOver(session) => {
            end_input(&house, number, &session);
            with(
                200,
                Some("application/vnd.docker.raw-stream"),
                followed(&house, number, session.follow()),
            )
        }
        // Nothing waits twice.
        Reply::Later(_) => with(500, None, net::empty()),
    });
    if is_crowded {
        let close = HeaderValue::from_static("close");
        answer.headers_mut().insert(header::CONNECTION, close);
    }
    Ok(answer)
}

fn end_input(house: &House, number: usize, session: &Session) {
    house.engines[number].with(house, number, |model| session.end_input(model));
}

async fn wait(house: &House, number: usize, later: &super::follow::Later) -> Reply {
    let engine = &house.engines[number];
    loop {
        let changed = engine.changed.notified();
        let mut changed = std::pin::pin!(changed);
        changed.as_mut().enable();
        match engine.with(house, number, |model| later.poll(model)) {
            Some(reply) => return reply,
            None => changed.await,
        }
    }
}

fn with(status: u16, kind: Option<&'static str>, body: Body) -> Answer {
    let mut answer = Response::new(body);
    *answer.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Some(kind) = kind {
        answer
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    answer
}

/// The headers that daemons put on every answer.
fn dress(mut answer: Answer) -> Answer {
    let headers: &mut HeaderMap = answer.headers_mut();
    for (name, value) in [
        ("api-version", "1.41"),
        ("docker-experimental", "false"),
        ("ostype", "linux"),
        ("builder-version", "1"),
        ("cache-control", "no-cache, no-store, must-revalidate"),
        ("pragma", "no-cache"),
    ] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers.insert(header::SERVER, HeaderValue::from_static("Docker/20.10.24 (linux)"));
    answer
}

/// A body that comes piece by piece.
fn followed(house: &Arc<House>, number: usize, mut follow: Follow) -> Body {
    let (mut sender, body) = net::channel();
    // A client that goes away while nothing happens is noticed as well.
    let gone = CancellationToken::new();
    let left = gone.clone();
    let body = net::followed_by(body, async move { left.cancel() });
    let house = Arc::clone(house);
    tokio::spawn(async move {
        let engine = &house.engines[number];
        let (ends, drops) = {
            let conduct = engine.conduct();
            (conduct.connections.clone(), conduct.events.clone())
        };
        let is_events = matches!(follow, Follow::Events { .. });
        loop {
            let changed = engine.changed.notified();
            let mut changed = std::pin::pin!(changed);
            changed.as_mut().enable();
            let due = match engine.with(&house, number, |model| follow.next(model)) {
                Step::Send(bytes) => match sender.send_data(bytes).await {
                    Ok(()) => continue,
                    Err(_) => return,
                },
                Step::End => return,
                Step::Wait(due) => due,
            };
            let sleeps = async {
                match due {
                    Some(time) => tokio::time::sleep_until(house.clock.instant(time)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = changed => {}
                () = sleeps => {}
                () = gone.cancelled() => return,
                () = ends.cancelled() => return sender.abort("the engine has crashed".into()),
                () = drops.cancelled(), if is_events => return sender.abort("the stream is dropped".into()),
                () = house.stop.cancelled() => return,
            }
        }
    });
    body
}
