//! Faults on command: HTTP with JSON, on the loopback only.
//!
//! | request | effect |
//! |---|---|
//! | `GET /engines` | name, address, whether it is up, containers, faults of each |
//! | `POST /engines/NAME/faults` | it misbehaves as the body says, and in no other way: `{"refuse":true,"hang":true,"garbage":true,"status":500,"delay":"200ms"}` |
//! | `DELETE /engines/NAME/faults` | it behaves |
//! | `POST /engines/NAME/drop-events` | the streams of its events break off |
//! | `POST /engines/NAME/crash` | it ends at once: `{"containers":"kept"}` or `"lost"`, and with `"for":"10s"` comes back then |
//! | `POST /engines/NAME/return` | it comes back |
//!
//! `NAME` may be `*`. A delay is a duration or one of `{"exponential":"200ms"}`, `{"uniform":["1ms","50ms"]}`,
//! `{"lognormal":{"median":"20ms","sigma":1.0}}`, by the clock of the world.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::fault::{Crash, Delay, Faults};
use super::house::House;
use crate::docker::json::{self, Map};
use crate::docker::path;
use crate::net::{self, Address, Allowed, Body, Guard, Stream};
use crate::scenario::units;
use crate::sim::{Distribution, Sampler};

/// The longest order.
const ORDER_BYTES: usize = 64 << 10;

/// How long a client may take to say what it wants, and to read what it is told.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why there is nobody to take orders.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// Who can reach it can break the cluster.
    #[error("{0} is not a loopback address")]
    NotLoopback(SocketAddr),
    /// It cannot listen.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
}

/// An order that makes no sense, and the status that says so.
struct Wrong(u16, String);

/// Listens for orders; gives where.
pub(super) async fn listen(house: Arc<House>, address: SocketAddr) -> Result<SocketAddr, AdminError> {
    if !address.ip().is_loopback() {
        return Err(AdminError::NotLoopback(address));
    }
    let fault = |source| AdminError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(fault)?;
    let local = listener.local_addr().map_err(fault)?;
    let own = Address::Tcp(local.to_string());
    let guard = Arc::new(Guard::new(&own, &own, false, &Allowed::default()));
    tokio::spawn(async move {
        loop {
            let accepted = tokio::select! {
                () = house.stop.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            let Ok((socket, _)) = accepted else {
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let (house, guard) = (Arc::clone(&house), Arc::clone(&guard));
            tokio::spawn(async move {
                let service = service_fn(|request| answer(Arc::clone(&house), Arc::clone(&guard), request));
                let stream = Stream::new(socket);
                stream.pace().set(Some(PATIENCE));
                let connection = hyper::server::conn::http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(PATIENCE)
                    .serve_connection(TokioIo::new(stream), service);
                tokio::select! {
                    // Who gives orders may go away.
                    _ = connection => {}
                    () = house.stop.cancelled() => {}
                }
            });
        }
    });
    Ok(local)
}

async fn answer(
    house: Arc<House>,
    guard: Arc<Guard>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let (parts, body) = request.into_parts();
    let authority = parts.uri.authority().map(hyper::http::uri::Authority::as_str);
    let admitted = guard.check(&parts.method, authority, &parts.headers);
    let outcome = match admitted {
        Err(refused) => Err(Wrong(403, refused.to_string())),
        Ok(()) => match tokio::time::timeout(PATIENCE, Limited::new(body, ORDER_BYTES).collect()).await {
            Ok(Ok(body)) => obey(&house, &parts.method, parts.uri.path(), &body.to_bytes()),
            Ok(Err(error)) => Err(Wrong(400, format!("the body cannot be read: {error}"))),
            Err(_) => Err(Wrong(
                408,
                format!("the body did not arrive within {} s", PATIENCE.as_secs()),
            )),
        },
    };
    let (status, value) = match outcome {
        Ok(value) => (200, value),
        Err(Wrong(status, message)) => (status, json!({ "message": message })),
    };
    let mut answer = Response::new(net::full(format!("{value}\n")));
    *answer.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    let kind = HeaderValue::from_static("application/json");
    answer.headers_mut().insert(CONTENT_TYPE, kind);
    Ok(answer)
}

fn obey(house: &Arc<House>, method: &Method, target: &str, body: &[u8]) -> Result<Value, Wrong> {
    let segments: Vec<String> = target.trim_matches('/').split('/').map(path::unescape_path).collect();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let order: Map = match body.is_empty() {
        true => Map::new(),
        false => serde_json::from_slice(body).map_err(|error| Wrong(400, format!("no JSON object: {error}")))?,
    };
    let engines = |name: &str| match name {
        "*" => Ok((0..house.engines.len()).collect::<Vec<_>>()),
        name => match house.find(name) {
            Some(found) => Ok(vec![found]),
            None => Err(Wrong(404, format!("there is no engine {name}"))),
        },
    };
    let chosen = match (method.as_str(), segments.as_slice()) {
        ("GET", ["engines"]) => (0..house.engines.len()).collect(),
        ("GET", ["engines", name]) => engines(name)?,
        ("POST", ["engines", name, "faults"]) => {
            let faults = read_faults(&order)?;
            let chosen = engines(name)?;
            chosen
                .iter()
                .for_each(|engine| house.set_faults(*engine, faults.clone()));
            chosen
        }
        ("DELETE", ["engines", name, "faults"]) => {
            let chosen = engines(name)?;
            chosen
                .iter()
                .for_each(|engine| house.set_faults(*engine, Faults::default()));
            chosen
        }
        ("POST", ["engines", name, "drop-events"]) => {
            let chosen = engines(name)?;
            chosen.iter().for_each(|engine| house.drop_events(*engine));
            chosen
        }
        ("POST", ["engines", name, "crash"]) => {
            let crash = match json::text(&order, "containers") {
                "" | "kept" => Crash::ContainersKept,
                "lost" => Crash::ContainersLost,
                other => {
                    return Err(Wrong(
                        400,
                        format!("containers are \"kept\" or \"lost\", not {other:?}"),
                    ));
                }
            };
            let span = json::get(&order, "for").map(duration).transpose()?;
            let chosen = engines(name)?;
            chosen.iter().for_each(|engine| house.crash(*engine, crash));
            if let Some(span) = span {
                let (house, chosen) = (Arc::clone(house), chosen.clone());
                tokio::spawn(async move {
                    tokio::time::sleep(span).await;
                    chosen.iter().for_each(|engine| house.bring_back(*engine));
                });
            }
            chosen
        }
        ("POST", ["engines", name, "return"]) => {
            let chosen = engines(name)?;
            chosen.iter().for_each(|engine| house.bring_back(*engine));
            chosen
        }
        _ => {
            return Err(Wrong(
                404,
                format!("{method} {target} is no order; swarmlab engines --help lists them"),
            ));
        }
    };
    Ok(chosen.into_iter().map(|engine| shown(house, engine)).collect())
}

fn shown(house: &House, number: usize) -> Value {
    let engine = &house.engines[number];
    let (name, containers) = engine.with(house, number, |model| (model.name().to_owned(), model.containers.len()));
    let conduct = engine.conduct();
    let faults = &conduct.faults;
    json!({
        "name": name, "address": engine.address.to_string(), "up": conduct.up, "containers": containers,
        "faults": {
            "refuse": faults.refuse, "hang": faults.hang, "garbage": faults.garbage, "status": faults.status,
            "delayed": faults.delay.is_some(),
        },
    })
}

fn read_faults(order: &Map) -> Result<Faults, Wrong> {
    const KNOWN: [&str; 5] = ["refuse", "hang", "garbage", "status", "delay"];
    if let Some(unknown) = order.keys().find(|key| !KNOWN.contains(&key.as_str())) {
        return Err(Wrong(
            400,
            format!("{unknown:?} is no fault; there are {}", KNOWN.join(", ")),
        ));
    }
    let status = json::number(order, "status").map(|status| match u16::try_from(status) {
        Ok(status) if (400..600).contains(&status) => Ok(status),
        _ => Err(Wrong(400, format!("{status} is no status of an error"))),
    });
    Ok(Faults {
        refuse: json::flag(order, "refuse"),
        hang: json::flag(order, "hang"),
        garbage: json::flag(order, "garbage"),
        status: status.transpose()?,
        delay: json::get(order, "delay").map(read_delay).transpose()?,
    })
}

fn duration(value: &Value) -> Result<Duration, Wrong> {
    let text = value.as_str().unwrap_or_default();
    units::duration(text).map_err(|_| Wrong(400, format!("{value} is no duration such as \"200ms\"")))
}

fn read_delay(value: &Value) -> Result<Delay, Wrong> {
    let nanos = |value: &Value| duration(value).map(|span| u64::try_from(span.as_nanos()).unwrap_or(u64::MAX));
    let drawn = |distribution| Sampler {
        distribution,
        ..Sampler::fixed(0)
    };
    let Some(map) = value.as_object() else {
        return nanos(value).map(Sampler::fixed);
    };
    let unknown = || Wrong(400, format!("{value} is no delay"));
    let (kind, of) = map.iter().next().ok_or_else(unknown)?;
    match (kind.as_str(), of) {
        ("exponential", mean) => Ok(drawn(Distribution::Exponential {
            mean: nanos(mean)? as f64,
        })),
        ("uniform", Value::Array(ends)) => match ends.as_slice() {
            [low, high] => Ok(drawn(Distribution::Uniform {
                low: nanos(low)? as f64,
                high: nanos(high)? as f64,
            })),
            _ => Err(unknown()),
        },
        ("lognormal", Value::Object(of)) => Ok(drawn(Distribution::LogNormal {
            median: nanos(of.get("median").ok_or_else(unknown)?)? as f64,
            sigma: of
                .get("sigma")
                .and_then(Value::as_f64)
                .filter(|sigma| *sigma >= 0.0)
                .ok_or_else(unknown)?,
        })),
        _ => Err(unknown()),
    }
}
