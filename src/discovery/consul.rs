//! Consul, by its HTTP API: keys under sessions that have to be renewed, and questions that are answered when there is
//! news.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Method, Request, StatusCode};
use serde_json::{Value, json};

use crate::net::{self, Body, Client};

use super::store::http::{self, Answer, escaped};
use super::store::{Ending, Lease, Mark, PATIENCE, Place, StoreError};

/// What the original's library marks its keys with.
const FLAGS: u64 = 3_304_740_253_564_472_344;

/// How long one question waits for news at the store.
const WAIT_MAX: Duration = Duration::from_secs(15);

const TOKEN: HeaderName = HeaderName::from_static("x-consul-token");

/// One agent of Consul.
#[derive(Debug)]
pub(super) struct Consul {
    agent: Client,
    token: Option<HeaderValue>,
}

impl Consul {
    pub fn new(agent: Client, token: Option<HeaderValue>) -> Consul {
        Consul { agent, token }
    }

    pub async fn list(&self, directory: &str) -> Result<(Vec<String>, Mark), StoreError> {
        let answer = self
            .get(&format!("/v1/kv/{}/?recurse&consistent", escaped(directory)), PATIENCE)
            .await?;
        let mark = index(&answer);
        let pairs = self.pairs(&answer)?;
        Ok((
            pairs.iter().map(value).filter(|value| !value.is_empty()).collect(),
            mark,
        ))
    }

    pub async fn read(&self, key: &str) -> Result<(Option<String>, Mark), StoreError> {
        let answer = self
            .get(&format!("/v1/kv/{}?consistent", escaped(key)), PATIENCE)
            .await?;
        let mark = index(&answer);
        let pairs = self.pairs(&answer)?;
        // A key without a session is nobody's, though its last value may still be there.
        let held = pairs
            .iter()
            .find(|pair| pair["Session"].as_str().is_some_and(|session| !session.is_empty()));
        Ok((held.map(value), mark))
    }

    pub async fn wait(&self, place: Place<'_>, mark: Mark, at_most: Duration) -> Result<(), StoreError> {
        let wait = at_most.min(WAIT_MAX);
        let query = format!("consistent&index={}&wait={}ms", mark.0, wait.as_millis());
        let path = match place {
            Place::Key(key) => format!("/v1/kv/{}?{query}", escaped(key)),
            Place::Below(directory) => format!("/v1/kv/{}/?recurse&{query}", escaped(directory)),
        };
        // Consul adds up to a sixteenth to the time, so that not all clients ask again at once.
        let answer = self.get(&path, wait + wait / 16 + PATIENCE).await?;
        self.pairs(&answer).map(drop)
    }

    pub async fn grant(&self, ttl: Duration, ending: Ending) -> Result<Lease, StoreError> {
        // Consul may let a session live for twice its TTL, but never for less.
        let lasts = ttl / 2;
        let body = json!({
            // Nothing but the TTL may end a session. By default Consul ends it as soon as the agent that it was made
            // through is found dead, which is sooner than its owner, who may live, can know. (The second is what newer
            // versions call the first.)
            "Checks": [],
            "NodeChecks": [],
            "Behavior": match ending { Ending::Delete => "delete", Ending::Release => "release" },
            "LockDelay": "1ms",
            "TTL": format!("{}ms", lasts.as_millis()),
        });
        let answer = self.put_to("/v1/session/create", body.to_string()).await?;
        let told: Value = serde_json::from_slice(&answer.body).map_err(|error| self.garbled(&error))?;
        match told["ID"].as_str() {
            Some(id) => Ok(Lease::new(id.to_owned(), lasts)),
            None => Err(self.garbled(&"a session without an ID")),
        }
    }

    pub async fn renew(&self, lease: &Lease) -> Result<(), StoreError> {
        let renewed = self
            .put_to(&format!("/v1/session/renew/{}", escaped(&lease.id)), String::new())
            .await?;
        match renewed.status {
            StatusCode::NOT_FOUND => Err(StoreError::LeaseLost),
            _ => Ok(()),
        }
    }

    pub async fn put(&self, lease: &Lease, key: &str, value: &str) -> Result<(), StoreError> {
        for _ in 0..3 {
            if self.claim(lease, key, value).await? {
                return Ok(());
            }
            // An earlier life's session holds it, and would take it along when it ends. Taken over, it is never gone.
            let path = format!("/v1/kv/{}", escaped(key));
            let answer = self.get(&format!("{path}?consistent"), PATIENCE).await?;
            let pairs = self.pairs(&answer)?;
            if let Some(holder) = pairs.iter().find_map(|pair| pair["Session"].as_str()) {
                let path = format!("{path}?release={}&flags={FLAGS}", escaped(holder));
                self.put_to(&path, value.to_owned()).await?;
            }
        }
        Err(StoreError::Refused {
            address: self.agent.address().to_string(),
            message: format!("the key {key} is held by another session"),
        })
    }

    pub async fn claim(&self, lease: &Lease, key: &str, value: &str) -> Result<bool, StoreError> {
        let path = format!("/v1/kv/{}?acquire={}&flags={FLAGS}", escaped(key), escaped(&lease.id));
        match self.put_to(&path, value.to_owned()).await {
            Ok(answer) => Ok(answer.text() == "true"),
            Err(StoreError::Refused { message, .. }) if message.contains("invalid session") => {
                Err(StoreError::LeaseLost)
            }
            Err(error) => Err(error),
        }
    }

    pub async fn revoke(&self, lease: &Lease) -> Result<(), StoreError> {
        let path = format!("/v1/session/destroy/{}", escaped(&lease.id));
        self.put_to(&path, String::new()).await.map(drop)
    }

    async fn get(&self, path: &str, patience: Duration) -> Result<Answer, StoreError> {
        self.send(Method::GET, path, net::empty(), patience).await
    }

    async fn put_to(&self, path: &str, body: String) -> Result<Answer, StoreError> {
        self.send(Method::PUT, path, net::full(body), PATIENCE).await
    }

    /// A status of 404 is an answer: there is none of what was asked for.
    async fn send(&self, method: Method, path: &str, body: Body, patience: Duration) -> Result<Answer, StoreError> {
        let request = Request::builder().method(method).uri(path).body(body);
        let mut request = request.map_err(|error| StoreError::Unreachable(error.to_string()))?;
        if let Some(token) = &self.token {
            request.headers_mut().insert(TOKEN, token.clone());
        }
        let answer = http::ask(&self.agent, request, patience).await?;
        if answer.status.is_success() || answer.status == StatusCode::NOT_FOUND {
            return Ok(answer);
        }
        let (address, message) = (self.agent.address().to_string(), answer.text());
        // Such as an agent whose servers have no leader.
        if answer.status.is_server_error() && message.contains("No cluster leader") {
            return Err(StoreError::Unreachable(format!("{address}: {message}")));
        }
        Err(StoreError::Refused { address, message })
    }

    fn pairs(&self, answer: &Answer) -> Result<Vec<Value>, StoreError> {
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(Vec::new());
        }
        serde_json::from_slice(&answer.body).map_err(|error| self.garbled(&error))
    }

    fn garbled(&self, reason: &dyn std::fmt::Display) -> StoreError {
        StoreError::Garbled {
            address: self.agent.address().to_string(),
            reason: reason.to_string(),
        }
    }
}

fn value(pair: &Value) -> String {
    let bytes = pair["Value"]
        .as_str()
        .and_then(|text| STANDARD.decode(text).ok())
        .unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Consul's number for the state that an answer shows.
fn index(answer: &Answer) -> Mark {
    let index = answer
        .headers
        .get("x-consul-index")
        .and_then(|text| text.to_str().ok()?.parse().ok());
    // Not less than 1, as 0 would not wait.
    Mark(index.unwrap_or(1).max(1))
}
