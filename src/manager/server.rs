//! Listening to clients: connections, and the way of each request to what answers it (`manager/API.md` §1).

use std::convert::Infallible;
use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming as Received;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tracing::{debug, warn};

use super::answer::{Answer, Failure};
use super::replica::Answerer;
use super::routes::{self, Action, Matched};
use super::{Manager, hijack};
use crate::docker::{ApiVersion, Filters, media, path};
use crate::net::head::{self, Head, HeadError};
use crate::net::{self, Guard, Incoming, Listener, Stream, full, headers};

/// How long a client may take to shake hands, and to say what it wants.
const HEAD_PATIENCE: Duration = Duration::from_secs(30);
/// The longest head of a request.
const HEAD_BYTES: usize = 64 << 10;
/// How long a body that is read as a whole may take.
pub(super) const BODY_PATIENCE: Duration = Duration::from_secs(60);
/// The largest body that is read as a whole: configurations, not archives, which are streamed.
pub(super) const BODY_BYTES: usize = 8 << 20;
/// How long a client may leave unread what an engine writes.
const STREAM_PATIENCE: Duration = Duration::from_secs(10 * 60);
/// The pause after a connection could not be accepted, as when there are too many.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// One request on its way.
pub(super) struct Call {
    pub manager: Arc<Manager>,
    pub matched: Matched,
    pub query: Vec<(String, String)>,
    pub request: Request<Received>,
}

impl Call {
    /// The first value of a parameter; empty if it is not given.
    pub(super) fn parameter(&self, name: &str) -> &str {
        let found = self.query.iter().find(|(own, _)| own == name);
        found.map_or("", |(_, value)| value)
    }

    /// Whether a parameter is given at all.
    pub(super) fn has(&self, name: &str) -> bool {
        self.query.iter().any(|(own, _)| own == name)
    }

    /// A parameter as the original reads truth (`manager/API.md` §1).
    pub(super) fn flag(&self, name: &str) -> bool {
        let value = self.parameter(name).trim().to_lowercase();
        !matches!(value.as_str(), "" | "0" | "no" | "false" | "none")
    }

    /// A parameter as a number, 0 if it is none.
    pub(super) fn number(&self, name: &str) -> i64 {
        self.parameter(name).trim().parse().unwrap_or(0)
    }

    /// The filters of a list.
    pub(super) fn filters(&self) -> Result<Filters, Failure> {
        Ok(Filters::parse(self.parameter("filters"))?)
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.request.headers().get(name)?.to_str().ok()
    }

    /// The whole body, up to a bound.
    pub(super) async fn body(&mut self) -> Result<Bytes, Failure> {
        let limited = Limited::new(self.request.body_mut(), BODY_BYTES);
        let collected = tokio::time::timeout(BODY_PATIENCE, limited.collect()).await;
        match collected {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => Err(Failure::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("the body is longer than {BODY_BYTES} bytes"),
            )),
            Ok(Err(error)) => Err(Failure::bad_request(format!("the body cannot be read: {error}"))),
            Err(_) => Err(Failure::new(
                StatusCode::REQUEST_TIMEOUT,
                format!("the body did not arrive within {} s", BODY_PATIENCE.as_secs()),
            )),
        }
    }
}

/// Serves what a listener accepts until the manager is told to stop; connections then finish what they do.
pub(super) async fn serve(manager: Arc<Manager>, listener: Listener, guard: Guard) {
    let stop = manager.stop.clone();
    let guard = Arc::new(guard);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok(incoming) => {
                    let connection = converse(Arc::clone(&manager), Arc::clone(&guard), incoming);
                    manager.connections.spawn(connection);
                }
                Err(error) => {
                    warn!("Accepting a connection failed: {error}");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
}

async fn converse(manager: Arc<Manager>, guard: Arc<Guard>, incoming: Incoming) {
    let peer = incoming.peer().to_owned();
    match talk(manager, guard, incoming).await {
        Ok(()) => {}
        // Clients come and go.
        Err(error) => debug!(peer, "The connection ended: {error}"),
    }
}

async fn talk(manager: Arc<Manager>, guard: Arc<Guard>, incoming: Incoming) -> io::Result<()> {
    let peer = incoming.peer().to_owned();
    let mut stream = incoming.establish(HEAD_PATIENCE).await?;
    stream.pace().set(Some(manager.options.unread_max));
    // Some clients take over the connection to a container without asking for an upgrade. The library that serves
    // everything else would wait for the end of a body that is none, so that heads are looked at first.
    let limits = head::Limits {
        bytes: HEAD_BYTES,
        patience: HEAD_PATIENCE,
    };
    let mut first = true;
    let head = loop {
        let read = tokio::select! {
            read = head::read(&mut stream, limits) => read,
            () = manager.stop.cancelled() => return Ok(()),
        };
        let head = match read {
            Ok(head) => head,
            Err(HeadError::Closed) => return Ok(()),
            // A client that keeps a connection for later has not asked for anything.
            Err(HeadError::Timeout(_)) if !first => return Ok(()),
            Err(error) => {
                debug!(peer, "Refusing a request: {error}");
                return refuse(stream, &error).await;
            }
        };
        let Some(matched) = takes_over(&head) else { break head };
        if let Err(refused) = admit(&guard, &head.method, head.authority(), head.path(), &head.headers) {
            return hijack::end(stream, &refused).await;
        }
        let next = match manager.answerer(&head.method, head.path(), &head.headers).await {
            Ok(Answerer::Here) => hijack::raw(&manager, stream, head, &matched).await?,
            Ok(Answerer::There(primary)) => manager.relay_raw(&primary, stream, head).await?,
            Err(failure) => return hijack::end(stream, &failure).await,
        };
        match next {
            Some(kept) => stream = kept,
            None => return Ok(()),
        }
        first = false;
    };
    stream.put_back(head.raw);
    let pace = stream.pace().clone();
    let service = {
        let manager = Arc::clone(&manager);
        service_fn(move |request: Request<Received>| {
            let (manager, guard, pace) = (Arc::clone(&manager), Arc::clone(&guard), pace.clone());
            async move {
                let asked = routes::find(request.method(), request.uri().path()).map(|matched| matched.action);
                let own = manager.options.unread_max;
                pace.set(Some(own));
                let answer = answer(manager, &guard, request).await;
                pace.set(unread_max(asked, answer.status(), own));
                Ok::<_, Infallible>(answer)
            }
        })
    };
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_PATIENCE)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let stop = manager.stop.clone();
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    ended.map_err(io::Error::other)
}

/// The route, if the client may take over the connection without saying so. Whether it does, the answer decides.
fn takes_over(head: &Head) -> Option<Matched> {
    let matched = routes::find(&head.method, head.path())?;
    let may = head.method == Method::POST && matches!(matched.action, Action::HijackContainer | Action::StartExec);
    // What the library serves, it serves as well: bodies in chunks, and whatever it has to refuse.
    (may && !headers::wants_upgrade(&head.headers) && head.body_length().is_some()).then_some(matched)
}

/// How long an answer may be left unread: those of the manager's own not long, streams that engines write so long that
/// whoever looks at them page by page is not disturbed, and taken-over connections for ever.
fn unread_max(asked: Option<Action>, status: StatusCode, own: Duration) -> Option<Duration> {
    match asked {
        _ if status == StatusCode::SWITCHING_PROTOCOLS => None,
        Some(action) if status.is_success() && action.is_streamed() => Some(own.max(STREAM_PATIENCE)),
        _ => Some(own),
    }
}

/// Refuses what web pages make browsers send, for every route: see [`Guard`] and [`media::check_type`].
fn admit(
    guard: &Guard,
    method: &Method,
    authority: Option<&str>,
    path: &str,
    headers: &HeaderMap,
) -> Result<(), Failure> {
    guard.check(method, authority, headers).map_err(|refused| {
        let advice = refused.advice("--allowed-host", "--allowed-origin");
        Failure::new(StatusCode::FORBIDDEN, format!("{refused}{advice}"))
    })?;
    let (version, path) = routes::split_version(path);
    let version = version.map(|(major, minor)| {
        let half = |number: u32| u16::try_from(number).unwrap_or(u16::MAX);
        ApiVersion {
            major: half(major),
            minor: half(minor),
        }
    });
    media::check_type(method, path, version, headers).map_err(Failure::bad_request)
}

/// Answers what is no request.
async fn refuse(mut stream: Stream, error: &HeadError) -> io::Result<()> {
    use tokio::io::AsyncWriteExt;
    let status = match error {
        HeadError::TooLong(_) => "431 Request Header Fields Too Large",
        HeadError::Timeout(_) => "408 Request Timeout",
        _ => "400 Bad Request",
    };
    let body = serde_json::json!({ "message": error.to_string() }).to_string();
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(answer.as_bytes()).await?;
    net::part(&mut stream).await;
    Ok(())
}

/// The answer to a request, whatever becomes of it.
async fn answer(manager: Arc<Manager>, guard: &Guard, request: Request<Received>) -> Answer {
    let uri = request.uri();
    let authority = uri.authority().map(hyper::http::uri::Authority::as_str);
    if let Err(refused) = admit(guard, request.method(), authority, uri.path(), request.headers()) {
        debug!(method = %request.method(), path = uri.path(), "{}", refused.message);
        return refused.into_answer();
    }
    match manager
        .answerer(request.method(), request.uri().path(), request.headers())
        .await
    {
        Ok(Answerer::Here) => {}
        Ok(Answerer::There(primary)) => return manager.relay(&primary, request).await,
        Err(failure) => return failure.into_answer(),
    }
    let started = Instant::now();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let cors = manager.options.cors;
    let this = Arc::clone(&manager);
    let matched = routes::find(&method, &path);
    let routed = matched.is_some();
    let action = matched.as_ref().map(|matched| matched.action);
    let work = AssertUnwindSafe(dispatch(manager, matched, request));
    let mut answer = match catch(work).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(failure)) => {
            debug!(%method, path, status = failure.status.as_u16(), "{}", failure.message);
            failure.into_answer()
        }
        Err(()) => {
            tracing::error!(%method, path, "A request made the manager fail; others are not affected");
            Failure::internal("the manager failed at this request; its log says more").into_answer()
        }
    };
    if let Some(action) = action {
        this.metrics.answered(action, answer.status(), started.elapsed());
    }
    debug!(%method, path, status = answer.status().as_u16(), elapsed = ?started.elapsed(), "HTTP request");
    if routed {
        dress(&this, answer.headers_mut());
    } else if cors && method == Method::OPTIONS {
        open_to_others(answer.headers_mut());
    }
    answer
}

/// Puts on an answer what all answers have.
pub(super) fn dress(manager: &Manager, headers: &mut HeaderMap) {
    // Versions are digits and a dot.
    if let Ok(version) = HeaderValue::from_str(&manager.versions().highest.to_string()) {
        headers.insert(HeaderName::from_static("api-version"), version);
    }
    if manager.options.cors {
        open_to_others(headers);
    }
}

/// Lets web pages of other origins read an answer.
fn open_to_others(headers: &mut HeaderMap) {
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            "Origin, X-Requested-With, Content-Type, Accept",
        ),
        (
            header::ACCESS_CONTROL_ALLOW_METHODS,
            "GET, POST, DELETE, PUT, OPTIONS, HEAD",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

async fn dispatch(
    manager: Arc<Manager>,
    matched: Option<Matched>,
    request: Request<Received>,
) -> Result<Answer, Failure> {
    let uri = request.uri();
    if let Some(clean) = routes::cleaned(uri.path()) {
        let target = uri.query().map_or(clean.clone(), |query| format!("{clean}?{query}"));
        let mut answer = Response::new(full(Bytes::new()));
        *answer.status_mut() = StatusCode::MOVED_PERMANENTLY;
        if let Ok(target) = HeaderValue::from_str(&target) {
            answer.headers_mut().insert(header::LOCATION, target);
        }
        return Ok(answer);
    }
    let Some(matched) = matched else {
        if request.method() == Method::OPTIONS && manager.options.cors && routes::is_known(uri.path()) {
            return Ok(Response::new(full(Bytes::new())));
        }
        return Err(Failure::not_found(routes::absence(request.method(), uri.path())));
    };
    let query = path::pairs(uri.query().unwrap_or_default());
    let call = Call {
        manager,
        matched,
        query,
        request,
    };
    super::handle(call).await
}

/// A future's outcome, or that it panicked.
async fn catch<F: Future>(work: AssertUnwindSafe<F>) -> Result<F::Output, ()> {
    let mut work = std::pin::pin!(work.0);
    std::future::poll_fn(move |context| {
        let polled = std::panic::catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context)));
        match polled {
            Ok(std::task::Poll::Ready(output)) => std::task::Poll::Ready(Ok(output)),
            Ok(std::task::Poll::Pending) => std::task::Poll::Pending,
            Err(_) => std::task::Poll::Ready(Err(())),
        }
    })
    .await
}
