//! Listening to clients, none of which can hold up the others: heads and bodies must come in time and be short, and
//! connections end after a while.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming as Received;
use hyper::service::service_fn;
use hyper::{Request, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, error, info, warn};

use super::metrics::Metrics;
use super::rate::{Client, Crowd, Rates};
use super::register::{Order, Register, RegisterError};
use super::routes::{self, Answer, COST_MAX, Failure, Route};
use super::token::Token;
use super::writer::{Writer, Writing};
use super::{Limits, ServiceError};
use crate::net::{Guard, Incoming, Listener};

/// How long a client may take to shake hands, and to say what it wants, the first time and after each answer.
const HEAD_PATIENCE: Duration = Duration::from_secs(10);
/// The longest head of a request.
const HEAD_BYTES: usize = 16 << 10;
/// How long a body may take.
const BODY_PATIENCE: Duration = Duration::from_secs(10);
/// The largest body: more than the longest address, which is refused with another message.
const BODY_BYTES: usize = 1 << 10;
/// How long a client may leave an answer unread.
const UNREAD_MAX: Duration = Duration::from_secs(30);
/// How long a connection is kept, whatever happens on it. Clients that are still there open another.
const LIFETIME: Duration = Duration::from_secs(300);
/// How long requests may go on after the end of their connection was decided or the service was told to stop.
const DRAIN: Duration = Duration::from_secs(10);
/// The pause after a connection could not be accepted, as when there are too many.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Time between two looks for what has expired. It is never listed; this makes room.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// Everything that a running service has.
pub(super) struct Service {
    register: Arc<Register>,
    writer: Writer,
    rates: Rates,
    guard: Guard,
    crowd: Crowd,
    /// A place for each connection that there may be.
    places: Arc<Semaphore>,
    metrics: Metrics,
    /// Told when the service is to stop.
    stop: CancellationToken,
    connections: TaskTracker,
}

impl Service {
    pub fn new(
        register: Arc<Register>,
        writer: Writer,
        limits: &Limits,
        guard: Guard,
        stop: CancellationToken,
    ) -> Arc<Service> {
        let connections = limits.connections.clamp(1, Semaphore::MAX_PERMITS);
        Arc::new(Service {
            register,
            writer,
            rates: Rates::new(limits.rate),
            guard,
            crowd: Crowd::new(connections.div_ceil(2)),
            places: Arc::new(Semaphore::new(connections)),
            metrics: Metrics::new(),
            stop,
            connections: TaskTracker::new(),
        })
    }
}

/// Serves until the service is told to stop, or cannot go on, and then lets requests finish for a while.
pub(super) async fn work(service: Arc<Service>, listener: Listener, writing: Writing) -> Result<(), ServiceError> {
    tokio::select! {
        () = accept(&service, &listener) => {}
        () = sweep(&service) => {}
        () = service.stop.cancelled() => {}
        () = service.writer.broken() => {}
    }
    // Connections look at it as well.
    service.stop.cancel();
    drop(listener);
    service.connections.close();
    if tokio::time::timeout(DRAIN, service.connections.wait()).await.is_err() {
        warn!(
            "{} connections are cut off after {} s",
            service.connections.len(),
            DRAIN.as_secs()
        );
    }
    // The thread ends when nobody can give it orders any more; connections that were cut off do so until they notice.
    drop(service);
    let joined = tokio::task::spawn_blocking(|| writing.join());
    match tokio::time::timeout(DRAIN, joined).await {
        Ok(Ok(Ok(outcome))) => Ok(outcome?),
        Ok(_) => Err(RegisterError::Ended("the thread that writes has panicked".to_owned()).into()),
        // Nothing that it still does has been acknowledged.
        Err(_) => Ok(()),
    }
}

/// Accepts connections for ever, as many at a time as there are places.
async fn accept(service: &Arc<Service>, listener: &Listener) {
    loop {
        let Ok(place) = Arc::clone(&service.places).acquire_owned().await else {
            // Nobody closes the semaphore.
            return;
        };
        match listener.accept().await {
            Ok(incoming) => {
                let service = Arc::clone(service);
                let connections = service.connections.clone();
                connections.spawn(converse(service, incoming, place));
            }
            Err(error) => {
                warn!("Accepting a connection failed: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Makes room for ever.
async fn sweep(service: &Service) {
    let mut ticks = tokio::time::interval(SWEEP_EVERY);
    loop {
        ticks.tick().await;
        service.writer.suggest(Order::Sweep);
    }
}

async fn converse(service: Arc<Service>, incoming: Incoming, _place: OwnedSemaphorePermit) {
    let peer = incoming.peer().to_owned();
    let client = Client::of(&peer);
    let admitted = client.map(|client| service.crowd.admit(client));
    if let Some(None) = admitted {
        service.metrics.turned_away();
        debug!(peer, "A connection is turned away: its client has too many");
        return;
    }
    if let Err(error) = talk(&service, incoming, client).await {
        // Clients come and go.
        debug!(peer, "The connection ended: {error}");
    }
}

async fn talk(service: &Arc<Service>, incoming: Incoming, client: Option<Client>) -> io::Result<()> {
    let stream = incoming.establish(HEAD_PATIENCE).await?;
    stream.pace().set(Some(UNREAD_MAX));
    let answering = service_fn(|request| {
        // In a task of its own, so that a fault costs one answer, and what was begun is finished.
        let work = tokio::spawn(answer(Arc::clone(service), client, request));
        async move {
            Ok::<_, Infallible>(work.await.unwrap_or_else(|fault| {
                error!("A request made the service fail; others are not affected: {fault}");
                let message = "the service failed at this request; its log says more";
                Failure::new(StatusCode::INTERNAL_SERVER_ERROR, message).into_answer()
            }))
        }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_PATIENCE)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), answering);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => return ended.map_err(io::Error::other),
        () = service.stop.cancelled() => {}
        () = tokio::time::sleep(LIFETIME) => {}
    }
    connection.as_mut().graceful_shutdown();
    match tokio::time::timeout(DRAIN, connection).await {
        Ok(ended) => ended.map_err(io::Error::other),
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "it was cut off")),
    }
}

/// The answer to a request, whatever becomes of it.
async fn answer(service: Arc<Service>, client: Option<Client>, request: Request<Received>) -> Answer {
    let started = Instant::now();
    let found = routes::find(request.method(), request.uri().path());
    let name = found.as_ref().ok().map(Route::name);
    let admitted = allowed(&service, client, found.as_ref().ok(), started).and_then(|()| {
        let authority = request.uri().authority().map(hyper::http::uri::Authority::as_str);
        let checked = service.guard.check(request.method(), authority, request.headers());
        checked.map_err(|refused| {
            let advice = refused.advice("--allowed-host", "");
            Failure::new(StatusCode::FORBIDDEN, format!("{refused}{advice}"))
        })
    });
    let outcome = match admitted {
        Ok(()) => match found {
            Ok(route) => dispatch(&service, route, request).await,
            Err(failure) => Err(failure),
        },
        Err(failure) => Err(failure),
    };
    let answer = outcome.unwrap_or_else(|failure| {
        debug!(route = name, status = failure.status.as_u16(), "{}", failure.message);
        failure.into_answer()
    });
    let (status, elapsed) = (answer.status(), started.elapsed());
    service.metrics.answered(name, status, elapsed);
    // Not the path: in it is the key to the cluster.
    debug!(route = name, status = status.as_u16(), ?elapsed, "HTTP request");
    answer
}

fn allowed(service: &Service, client: Option<Client>, route: Option<&Route>, now: Instant) -> Result<(), Failure> {
    let cost = match route {
        Some(Route::Create) => COST_MAX,
        _ => 1.0,
    };
    match client {
        Some(client) => service.rates.take(client, cost, now).map_err(Failure::too_often),
        None => Ok(()),
    }
}

async fn dispatch(service: &Service, route: Route, request: Request<Received>) -> Result<Answer, Failure> {
    match route {
        Route::Ping => Ok(routes::text(
            StatusCode::OK,
            "text/plain; charset=utf-8",
            "OK".to_owned(),
        )),
        Route::Metrics => {
            let shown = service.metrics.show(service.register.sizes().map_err(failed)?);
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            Ok(routes::text(StatusCode::OK, kind, shown.map_err(failed)?))
        }
        Route::Create => create(service).await,
        Route::List(token) => list(service, token).await,
        Route::Register(token) => {
            let ttl = routes::ttl(request.uri().query().unwrap_or_default())?;
            let body = body(request).await?;
            let address = routes::address(&body)?.to_owned();
            service
                .writer
                .carry_out(Order::Register { token, address, ttl })
                .await?;
            Ok(routes::bare(StatusCode::OK))
        }
        Route::Withdraw(token, address) => {
            service.writer.carry_out(Order::Withdraw { token, address }).await?;
            Ok(routes::bare(StatusCode::NO_CONTENT))
        }
    }
}

async fn create(service: &Service) -> Result<Answer, Failure> {
    let token = Token::generate().map_err(failed)?;
    service.writer.carry_out(Order::Create(token)).await?;
    info!("Created cluster {token:?}");
    Ok(routes::text(
        StatusCode::OK,
        "text/plain; charset=utf-8",
        token.to_string(),
    ))
}

async fn list(service: &Service, token: Token) -> Result<Answer, Failure> {
    let register = Arc::clone(&service.register);
    // Reading may wait for the disk.
    let listed = tokio::task::spawn_blocking(move || register.list(token)).await;
    let listing = listed.map_err(failed)?.map_err(failed)?;
    let Some(listing) = listing else {
        return Err(super::register::Refusal::NoSuchCluster.into());
    };
    if listing.note {
        service.writer.suggest(Order::Note(token));
    }
    let body = serde_json::to_string(&listing.addresses).map_err(failed)?;
    Ok(routes::text(StatusCode::OK, "application/json", body))
}

/// What should not happen, and is no fault of the client.
fn failed(fault: impl std::fmt::Display) -> Failure {
    error!("{fault}");
    Failure::new(StatusCode::INTERNAL_SERVER_ERROR, fault.to_string())
}

/// The whole body, up to a bound.
async fn body(request: Request<Received>) -> Result<Bytes, Failure> {
    let limited = Limited::new(request.into_body(), BODY_BYTES);
    match tokio::time::timeout(BODY_PATIENCE, limited.collect()).await {
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

#[cfg(test)]
mod tests;
