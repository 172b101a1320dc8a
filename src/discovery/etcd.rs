//! etcd, version 3 of its API, by the JSON that every etcd serves beside gRPC. (The original spoke version 2, which
//! etcd has dropped.)

use std::fmt;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::BodyExt;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, StatusCode};
use serde_json::{Value, json};

use crate::net::{self, Body, Client};

use super::store::http::{self, Answer};
use super::store::{Lease, Mark, PATIENCE, Place, StoreError};

/// Bytes of one message of a watch.
const MESSAGE_BYTES_MAX: usize = 4 << 20;

/// Who asks, where the store wants to know.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct User {
    pub name: String,
    pub password: String,
}

impl fmt::Debug for User {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("User").field(&self.name).finish()
    }
}

/// A cluster of etcd. Any member answers for all.
#[derive(Debug)]
pub(super) struct Etcd {
    members: Vec<Client>,
    /// The member that has answered last.
    current: AtomicUsize,
    user: Option<User>,
    /// What the user is known by after saying the password.
    token: Mutex<Option<HeaderValue>>,
}

impl Etcd {
    pub fn new(members: Vec<Client>, user: Option<User>) -> Etcd {
        Etcd {
            members,
            current: AtomicUsize::new(0),
            user,
            token: Mutex::new(None),
        }
    }

    pub async fn list(&self, directory: &str) -> Result<(Vec<String>, Mark), StoreError> {
        let (from, to) = below(directory);
        let range =
            json!({ "key": encoded(&from), "range_end": encoded(&to), "sort_target": "KEY", "sort_order": "ASCEND" });
        let answer = self.call("/v3/kv/range", &range).await?;
        let values = answer["kvs"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|pair| decoded(&pair["value"]));
        Ok((values.collect(), revision(&answer)))
    }

    pub async fn read(&self, key: &str) -> Result<(Option<String>, Mark), StoreError> {
        let answer = self.call("/v3/kv/range", &json!({ "key": encoded(key) })).await?;
        let value = answer["kvs"].get(0).map(|pair| decoded(&pair["value"]));
        Ok((value, revision(&answer)))
    }

    /// A watch is an answer that never ends. The first event ends it here.
    pub async fn wait(&self, place: Place<'_>, mark: Mark, at_most: Duration) -> Result<(), StoreError> {
        let next = mark.0.saturating_add(1).to_string();
        let create = match place {
            Place::Key(key) => json!({ "key": encoded(key), "start_revision": next }),
            Place::Below(directory) => {
                let (from, to) = below(directory);
                json!({ "key": encoded(&from), "range_end": encoded(&to), "start_revision": next })
            }
        };
        let member = self.member();
        let request = self.request("/v3/watch", &json!({ "create_request": create }))?;
        let watching = async {
            let opening = tokio::time::timeout(PATIENCE, member.send(request)).await;
            let answer = opening.map_err(|_| StoreError::Silent(member.address().to_string()))??;
            if !answer.status().is_success() {
                // Such as to one for whom the introduction is over, which the next look repeats.
                return Err(StoreError::Refused {
                    address: member.address().to_string(),
                    message: format!("a watch is answered with {}", answer.status()),
                });
            }
            let mut body = answer.into_body();
            let mut message = Vec::new();
            loop {
                let frame = match body.frame().await {
                    Some(Ok(frame)) => frame,
                    Some(Err(error)) => return Err(StoreError::Unreachable(format!("{}: {error}", member.address()))),
                    None => {
                        return Err(StoreError::Unreachable(format!(
                            "{}: the watch has ended",
                            member.address()
                        )));
                    }
                };
                message.extend_from_slice(frame.data_ref().map_or(&[][..], |data| &data[..]));
                while let Some(end) = message.iter().position(|byte| *byte == b'\n') {
                    let line: Vec<u8> = message.drain(..=end).collect();
                    let told: Value = serde_json::from_slice(&line).map_err(|error| self.garbled(member, &error))?;
                    // Whatever else than a confirmation: an event, the loss of old revisions, an error. All want a look.
                    let result = &told["result"];
                    if !result["events"].as_array().is_none_or(Vec::is_empty)
                        || result["canceled"] == true
                        || told.get("error").is_some()
                    {
                        return Ok(());
                    }
                }
                if message.len() > MESSAGE_BYTES_MAX {
                    return Err(self.garbled(member, &"a message of a watch without end"));
                }
            }
        };
        match tokio::time::timeout(at_most, watching).await {
            Ok(Err(error)) => {
                self.turn_from(member);
                Err(error)
            }
            Ok(Ok(())) | Err(_) => Ok(()),
        }
    }

    pub async fn grant(&self, ttl: Duration) -> Result<Lease, StoreError> {
        // Whole seconds, and not less than was asked for.
        let seconds = ttl.as_secs() + u64::from(ttl.subsec_nanos() > 0);
        let answer = self
            .call("/v3/lease/grant", &json!({ "TTL": seconds.to_string() }))
            .await?;
        let id = number(&answer["ID"]);
        // The store may have its own least time.
        let granted = Duration::from_secs(number(&answer["TTL"])).max(Duration::from_secs(1));
        if id == 0 {
            return Err(self.garbled(self.member(), &"a lease without an ID"));
        }
        let lasts = granted.min(ttl.max(Duration::from_secs(1)));
        Ok(Lease::new(id.to_string(), lasts))
    }

    pub async fn renew(&self, lease: &Lease) -> Result<(), StoreError> {
        let answer = self.call("/v3/lease/keepalive", &json!({ "ID": lease.id })).await?;
        match number(&answer["result"]["TTL"]) {
            0 => Err(StoreError::LeaseLost),
            _ => Ok(()),
        }
    }

    pub async fn put(&self, lease: &Lease, key: &str, value: &str) -> Result<(), StoreError> {
        let put = json!({ "key": encoded(key), "value": encoded(value), "lease": lease.id });
        self.call("/v3/kv/put", &put).await.map(drop).map_err(lease_lost)
    }

    pub async fn claim(&self, lease: &Lease, key: &str, value: &str) -> Result<bool, StoreError> {
        let transaction = json!({
            "compare": [{ "key": encoded(key), "target": "CREATE", "result": "EQUAL", "create_revision": "0" }],
            "success": [{ "request_put": { "key": encoded(key), "value": encoded(value), "lease": lease.id } }],
            "failure": [{ "request_range": { "key": encoded(key) } }],
        });
        let answer = self.call("/v3/kv/txn", &transaction).await.map_err(lease_lost)?;
        if answer["succeeded"] == true {
            return Ok(true);
        }
        // An earlier try may have succeeded without our hearing of it.
        let held = &answer["responses"][0]["response_range"]["kvs"][0]["lease"];
        Ok(held.as_str().is_some_and(|held| held == lease.id))
    }

    pub async fn revoke(&self, lease: &Lease) -> Result<(), StoreError> {
        self.call("/v3/lease/revoke", &json!({ "ID": lease.id }))
            .await
            .map(drop)
    }

    fn member(&self) -> &Client {
        // There is at least one, and the index is below their number.
        &self.members[self.current.load(Ordering::Relaxed) % self.members.len()]
    }

    /// The next one is asked from now on, unless somebody else has found that out already.
    fn turn_from(&self, failed: &Client) {
        let current = self.current.load(Ordering::Relaxed);
        if self.members[current % self.members.len()].address() == failed.address() {
            self.current
                .store((current + 1) % self.members.len(), Ordering::Relaxed);
        }
    }

    /// Asks one member after the other until one answers.
    async fn call(&self, path: &str, body: &Value) -> Result<Value, StoreError> {
        let mut last = None;
        for _ in 0..self.members.len() {
            let member = self.member();
            match self.call_one(member, path, body).await {
                Err(error @ (StoreError::Unreachable(_) | StoreError::Silent(_) | StoreError::Garbled { .. })) => {
                    self.turn_from(member);
                    last = Some(error);
                }
                outcome => return outcome,
            }
        }
        Err(last.unwrap_or_else(|| StoreError::Unreachable("no endpoint".to_owned())))
    }

    async fn call_one(&self, member: &Client, path: &str, body: &Value) -> Result<Value, StoreError> {
        self.introduce(member, false).await?;
        let mut answer = http::ask(member, self.request(path, body)?, PATIENCE).await?;
        // The store forgets who was introduced after a while, and wants to be told again when rights have changed.
        let is_forgotten =
            answer.status == StatusCode::UNAUTHORIZED || answer.text().contains("revision of auth store is old");
        if !answer.status.is_success() && is_forgotten && self.user.is_some() {
            self.introduce(member, true).await?;
            answer = http::ask(member, self.request(path, body)?, PATIENCE).await?;
        }
        self.read_answer(member, &answer)
    }

    fn read_answer(&self, member: &Client, answer: &Answer) -> Result<Value, StoreError> {
        let read: Result<Value, _> = serde_json::from_slice(&answer.body);
        if answer.status.is_success() {
            return read.map_err(|error| self.garbled(member, &error));
        }
        let message = read.ok().and_then(|told| told["error"].as_str().map(str::to_owned));
        let message = message.unwrap_or_else(|| answer.text());
        // A member without a leader, or that is going down: another one may be better off.
        if answer.status.is_server_error() && !message.contains("lease not found") {
            return Err(StoreError::Unreachable(format!("{}: {message}", member.address())));
        }
        if message.contains("requested lease not found") {
            return Err(StoreError::LeaseLost);
        }
        Err(StoreError::Refused {
            address: member.address().to_string(),
            message,
        })
    }

    /// Says the password, if there is one and that has not been done.
    async fn introduce(&self, member: &Client, again: bool) -> Result<(), StoreError> {
        let Some(User { name, password }) = &self.user else {
            return Ok(());
        };
        let is_known = self.token.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        if is_known && !again {
            return Ok(());
        }
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let request = self.request("/v3/auth/authenticate", &json!({ "name": name, "password": password }))?;
        let answer = http::ask(member, request, PATIENCE).await?;
        let told = self.read_answer(member, &answer)?;
        let token = told["token"]
            .as_str()
            .and_then(|token| HeaderValue::from_str(token).ok());
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = token;
        Ok(())
    }

    fn request(&self, path: &str, body: &Value) -> Result<Request<Body>, StoreError> {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header(CONTENT_TYPE, "application/json")
            .body(net::full(body.to_string()))
            .map_err(|error| StoreError::Unreachable(error.to_string()))?;
        if let Some(token) = &*self.token.lock().unwrap_or_else(PoisonError::into_inner) {
            request.headers_mut().insert(AUTHORIZATION, token.clone());
        }
        Ok(request)
    }

    fn garbled(&self, member: &Client, reason: &dyn std::fmt::Display) -> StoreError {
        StoreError::Garbled {
            address: member.address().to_string(),
            reason: reason.to_string(),
        }
    }
}

fn lease_lost(error: StoreError) -> StoreError {
    match error {
        StoreError::Refused { message, .. } if message.contains("lease not found") => StoreError::LeaseLost,
        other => other,
    }
}

/// The first key below a directory, and the first one behind all of them.
fn below(directory: &str) -> (String, String) {
    // `0` is what follows `/`.
    (format!("{directory}/"), format!("{directory}0"))
}

fn encoded(text: &str) -> String {
    STANDARD.encode(text)
}

fn decoded(value: &Value) -> String {
    let bytes = value
        .as_str()
        .and_then(|text| STANDARD.decode(text).ok())
        .unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Large numbers are text, zeros are left out.
fn number(value: &Value) -> u64 {
    match value {
        Value::String(text) => text.parse().unwrap_or(0),
        other => other.as_u64().unwrap_or(0),
    }
}

fn revision(answer: &Value) -> Mark {
    Mark(number(&answer["header"]["revision"]))
}
