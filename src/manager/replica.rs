//! What a replica does with requests: a few it answers itself, everything else it passes on to the primary, streams and
//! taken-over connections included (`manager/RULES.md` §12.4).
//!
//! The original tied a client's connection to the primary of its first request. Here each request finds the primary of
//! its time.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::body::Incoming as Received;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, StatusCode};

use super::Manager;
use super::answer::{Answer, Failure};
use super::hijack;
use super::role::Role;
use super::routes::{self, Action};
use crate::docker::{CallError, Daemon};
use crate::net::head::Head;
use crate::net::{self, Address, Stream, guard, headers};

/// How long a request waits while no primary is known: some more than it takes to elect one with the usual TTL.
const PATIENCE: Duration = Duration::from_secs(30);

/// The manager that has passed a request on. Two that take each other for the primary would pass it on for ever.
const PASSED_ON_BY: HeaderName = HeaderName::from_static("x-swarmlab-passed-on-by");

/// The client of the primary that requests were last passed on to, which keeps its connections.
#[derive(Debug, Default)]
pub(super) struct Relay(Mutex<Option<(String, Daemon)>>);

/// Who answers a request.
pub(super) enum Answerer {
    /// This manager.
    Here,
    /// The primary at this address.
    There(String),
}

impl Manager {
    /// Who answers a request. Waits while that is not known.
    ///
    /// # Errors
    ///
    /// Nobody is elected for too long, or whoever passed the request on is wrong about this manager.
    pub(super) async fn answerer(&self, method: &Method, path: &str, headers: &HeaderMap) -> Result<Answerer, Failure> {
        let Some(replication) = &self.options.replication else {
            return Ok(Answerer::Here);
        };
        // What every manager says of itself.
        if is_about_itself(method, path) {
            return Ok(Answerer::Here);
        }
        let mut roles = self.office.watch();
        let was_passed_on = headers.contains_key(PASSED_ON_BY);
        let known = roles.wait_for(|role| match role {
            Role::Alone | Role::Primary(_) => true,
            // Its own address is there until the store has forgotten an earlier life of this manager.
            Role::Replica(primary) => was_passed_on || primary.as_ref().is_some_and(|it| *it != replication.advertise),
        });
        let nobody = || Failure::new(StatusCode::SERVICE_UNAVAILABLE, "No primary cluster manager is elected");
        let role = match tokio::time::timeout(PATIENCE, known).await {
            Ok(Ok(role)) => role.clone(),
            Ok(Err(_)) | Err(_) => return Err(nobody()),
        };
        match role {
            Role::Alone | Role::Primary(_) => Ok(Answerer::Here),
            Role::Replica(Some(primary)) if !was_passed_on => Ok(Answerer::There(primary)),
            Role::Replica(_) => Err(Failure::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "This cluster manager is not the primary",
            )),
        }
    }

    /// Passes a request on to the primary, and the answer back.
    pub(super) async fn relay(self: &Arc<Self>, primary: &str, mut request: Request<Received>) -> Answer {
        let upgrade = headers::wants_upgrade(request.headers()).then(|| hyper::upgrade::on(&mut request));
        request.headers_mut().insert(PASSED_ON_BY, self.own_name());
        guard::vouch(request.headers_mut(), &Address::Tcp(primary.to_owned()));
        let relay = self.relay_to(primary);
        let answer = relay.forward(request.map(net::streamed)).await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => return cannot_reach(primary, &error).into_answer(),
        };
        match upgrade {
            Some(client) if answer.status() == StatusCode::SWITCHING_PROTOCOLS => {
                hijack::join(self, client, answer, async {})
            }
            _ => answer.map(net::streamed),
        }
    }

    /// The same for a request after which the client may take over the connection without having asked for that.
    pub(super) async fn relay_raw(&self, primary: &str, client: Stream, head: Head) -> io::Result<Option<Stream>> {
        let Some((client, head)) = hijack::whole(client, head).await? else {
            return Ok(None);
        };
        let asked = async {
            let mut server = self.relay_to(primary).dial().await?;
            let mut headers = head.headers.clone();
            headers.insert(PASSED_ON_BY, self.own_name());
            guard::vouch(&mut headers, &Address::Tcp(primary.to_owned()));
            let request = head.raw_headed(&headers);
            let answer = hijack::ask(&mut server, &request, &Address::Tcp(primary.to_owned())).await?;
            Ok((server, answer))
        };
        match asked.await {
            Ok((server, answer)) => hijack::exchange(self, client, &head, server, answer, async {}).await,
            Err(error) => hijack::refuse(self, client, &head, &cannot_reach(primary, &error)).await,
        }
    }

    fn own_name(&self) -> HeaderValue {
        let advertise = self
            .options
            .replication
            .as_ref()
            .map(|replication| &replication.advertise);
        let text = advertise.map_or("", String::as_str);
        HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static("another manager"))
    }

    fn relay_to(&self, primary: &str) -> Daemon {
        let mut relay = self.relay.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*relay {
            Some((address, daemon)) if address == primary => daemon.clone(),
            _ => {
                let address = Address::Tcp(primary.to_owned());
                let daemon = Daemon::new(address, self.tls.clone(), self.options.timeouts);
                *relay = Some((primary.to_owned(), daemon.clone()));
                daemon
            }
        }
    }
}

/// Whether a request is one that every manager answers for itself: by its route, since a container may be called
/// `metrics`.
fn is_about_itself(method: &Method, path: &str) -> bool {
    let asked = routes::find(method, path).map(|matched| matched.action);
    matches!(asked, Some(Action::Ping | Action::Info | Action::Metrics))
}

fn cannot_reach(primary: &str, error: &CallError) -> Failure {
    // In the original's order.
    Failure::internal(format!("Unable to reach primary cluster manager ({error}): {primary}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_about_the_manager_is_answered_by_a_replica() {
        for path in ["/_ping", "/info", "/metrics", "/v1.40/info", "/v1.24/_ping"] {
            assert!(is_about_itself(&Method::GET, path), "{path}");
        }
        for (method, path) in [
            (Method::DELETE, "/containers/metrics"),
            (Method::DELETE, "/images/prom/info"),
            (Method::DELETE, "/networks/debug"),
            (Method::GET, "/networks/info"),
            (Method::GET, "/volumes/_ping"),
            (Method::POST, "/info"),
            (Method::GET, "/version"),
        ] {
            assert!(!is_about_itself(&method, path), "{method} {path}");
        }
    }
}
