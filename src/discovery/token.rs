//! `token://<token>` or `token://<host>/<path>/<token>`: a list that a discovery service keeps
//! (`manager/DISCOVERY.md` §4.3).
//!
//! There is no public service any more, so the short form needs to be told where one is: option `token.url`. The long
//! form is asked by HTTPS, as in the original, unless that option names the same host with `http://`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::http::uri::{Authority, PathAndQuery};
use hyper::{Method, Request, StatusCode};
use tokio::sync::mpsc;

use crate::net::{self, Address, Client};

use super::certificates;
use super::error::DiscoveryError;
use super::range::{ENTRIES_MAX, ENTRY_BYTES_MAX};
use super::store::http::{self, Answer, escaped};
use super::store::{PATIENCE, StoreError};
use super::trouble::{Trouble, Troubles};
use super::{Discovery, Entry, Registration, split_host_port};

/// The option that says where the service is.
pub const URL_OPTION: &str = "token.url";
/// What the original's service had below its host, and ours has.
const PATH_USUAL: &str = "/v1";
/// The longest token that is believed to be one.
const TOKEN_BYTES_MAX: usize = 256;

/// Pause before a service is asked again that was asked too often.
const PAUSE: Duration = Duration::from_millis(200);

/// Why there is no list, registration or token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// `token://` without a token.
    #[error("token is empty")]
    Empty,
    /// Nobody has said where the service is.
    #[error(
        "there is no public discovery service any more: say where yours is with --discovery-url http://<host>:<port> or \
         $SWARM_DISCOVERY_URL, or in token://<host>:<port>/v1/<token>; `swarmlab discovery-service` starts one"
    )]
    NoService,
    /// The URL of the service is none.
    #[error("{url} is no URL of a discovery service: {reason}")]
    Url {
        /// What was given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// HTTPS, and nobody has said whom to trust.
    #[error(
        "{0} needs to know whom to trust: --discovery-opt kv.cacertfile=FILE; for a service without TLS, say \
         --discovery-url http://<host>:<port>"
    )]
    NoAuthority(String),
    /// The service cannot be reached.
    #[error("cannot reach the discovery service at {url}: {reason}")]
    Unreachable {
        /// Where it should be.
        url: String,
        /// What is in the way.
        reason: String,
    },
    /// The service has no list.
    #[error("Failed to fetch entries, Discovery service returned {0} HTTP status code")]
    Fetch(u16),
    /// What the service gives is no list.
    #[error("Failed to decode response: {0}")]
    Decode(String),
    /// The service does not do what it is asked for.
    #[error("Failed to {action}, Discovery service returned {status} HTTP status code: {message}")]
    Refused {
        /// What was asked for.
        action: &'static str,
        /// The status.
        status: u16,
        /// What the service says.
        message: String,
    },
    /// What the service gives is no token.
    #[error("the discovery service at {0} answers with something that is no token")]
    NoToken(String),
}

/// Where a discovery service is.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Base {
    is_secure: bool,
    /// The host, and the port if it is not the usual one of the scheme.
    authority: String,
    /// What stands before `/clusters`, without a slash at its end.
    path: String,
}

impl Base {
    /// Reads `http://host[:port][/path]`, or the same with `https`. Without a path, it is the usual one.
    fn parse(url: &str) -> Result<Base, TokenError> {
        let fault = |reason: &str| TokenError::Url {
            url: url.to_owned(),
            reason: reason.to_owned(),
        };
        let (is_secure, rest) = match url.split_once("://") {
            Some(("http", rest)) => (false, rest),
            Some(("https", rest)) => (true, rest),
            _ => return Err(fault("it should begin with http:// or https://")),
        };
        if rest.contains(['?', '#', '@']) {
            return Err(fault("it should have a host, a port and a path only"));
        }
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if authority.is_empty() {
            return Err(fault("it has no host"));
        }
        let path = match path.trim_end_matches('/') {
            "" => PATH_USUAL,
            path => path,
        };
        if authority.parse::<Authority>().is_err() || path.parse::<PathAndQuery>().is_err() {
            return Err(fault("it has characters that should be escaped"));
        }
        Ok(Base {
            is_secure,
            authority: authority.to_owned(),
            path: path.to_owned(),
        })
    }

    fn scheme(&self) -> &'static str {
        match self.is_secure {
            true => "https",
            false => "http",
        }
    }

    fn url(&self) -> String {
        format!("{}://{}{}", self.scheme(), self.authority, self.path)
    }

    fn address(&self) -> Result<Address, TokenError> {
        let with_port = match split_host_port(&self.authority) {
            Ok(_) => self.authority.clone(),
            Err(_) => format!("{}:{}", self.authority, if self.is_secure { 443 } else { 80 }),
        };
        Address::parse(&with_port).map_err(|error| TokenError::Url {
            url: self.url(),
            reason: error.to_string(),
        })
    }
}

/// A discovery service.
#[derive(Debug)]
struct Service {
    base: Base,
    client: Client,
}

impl Service {
    fn open(base: Base, options: &BTreeMap<String, String>) -> Result<Service, DiscoveryError> {
        let tls = match base.is_secure {
            true => match certificates::read(options)? {
                None => return Err(TokenError::NoAuthority(base.url()).into()),
                tls => tls,
            },
            false => None,
        };
        let client = Client::new(base.address()?, tls, PATIENCE);
        Ok(Service { base, client })
    }

    /// Sends a request for something below `/clusters`.
    async fn ask(&self, method: Method, below: &str, body: String) -> Result<Answer, TokenError> {
        let unreachable = |reason: String| TokenError::Unreachable {
            url: self.base.url(),
            reason,
        };
        let target = format!("{}/clusters{below}", self.base.path);
        let request = Request::builder().method(method).uri(target);
        let mut request = request
            .body(net::full(body))
            .map_err(|error| unreachable(error.to_string()))?;
        request
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        http::ask(&self.client, request, PATIENCE)
            .await
            .map_err(|error| match error {
                StoreError::Unreachable(reason) | StoreError::Garbled { reason, .. } => unreachable(reason),
                StoreError::Silent(_) => unreachable(format!("no answer within {} s", PATIENCE.as_secs())),
                other => unreachable(other.to_string()),
            })
    }
}

/// The value of the option, if it has one.
fn option(options: &BTreeMap<String, String>) -> Option<&str> {
    options
        .get(URL_OPTION)
        .map(String::as_str)
        .filter(|url| !url.is_empty())
}

/// Has the discovery service that the options name make a cluster. Returns its token.
///
/// # Errors
///
/// No service is named, or it does not do so.
pub async fn create_token(options: &BTreeMap<String, String>) -> Result<String, DiscoveryError> {
    let base = Base::parse(option(options).ok_or(TokenError::NoService)?)?;
    let service = Service::open(base, options)?;
    let answer = service.ask(Method::POST, "", String::new()).await?;
    if !answer.status.is_success() {
        return Err(refused("create a cluster", &answer).into());
    }
    let token = String::from_utf8_lossy(&answer.body).trim().to_owned();
    let is_token = (1..=TOKEN_BYTES_MAX).contains(&token.len())
        && token.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/');
    match is_token {
        true => Ok(token),
        false => Err(TokenError::NoToken(service.base.url()).into()),
    }
}

fn refused(action: &'static str, answer: &Answer) -> TokenError {
    let text = answer.text();
    // Our own service says what is wrong in JSON.
    let told: Option<serde_json::Value> = serde_json::from_str(&text).ok();
    let message = told.as_ref().and_then(|told| told["message"].as_str());
    TokenError::Refused {
        action,
        status: answer.status.as_u16(),
        message: message.unwrap_or(&text).to_owned(),
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Cluster {
    service: Service,
    token: String,
    /// The addresses that were registered last.
    registered: Mutex<Vec<String>>,
}

impl Cluster {
    /// Reads what stands behind `token://`. Nothing is sent yet.
    pub fn open(rest: &str, options: &BTreeMap<String, String>) -> Result<Cluster, DiscoveryError> {
        let (place, token) = match rest.rsplit_once('/') {
            Some((place, token)) => (Some(place), token),
            None => (None, rest),
        };
        if token.is_empty() {
            return Err(TokenError::Empty.into());
        }
        let named = option(options).map(Base::parse);
        let base = match place {
            None => named.ok_or(TokenError::NoService)??,
            Some(place) => {
                let (authority, path) = place.split_at(place.find('/').unwrap_or(place.len()));
                let is_plain = |base: Base| !base.is_secure && base.authority.eq_ignore_ascii_case(authority);
                let is_plain = named.transpose()?.is_some_and(is_plain);
                // Read once more, since it may be anything.
                let base = Base::parse(&format!("{}://{place}", if is_plain { "http" } else { "https" }))?;
                // The original adds nothing to this form.
                Base {
                    path: path.trim_end_matches('/').to_owned(),
                    ..base
                }
            }
        };
        Ok(Cluster {
            service: Service::open(base, options)?,
            token: token.to_owned(),
            registered: Mutex::new(Vec::new()),
        })
    }

    fn path(&self) -> String {
        format!("/{}", escaped(&self.token))
    }

    /// The list as it is now.
    async fn fetch(&self) -> Result<Vec<Entry>, DiscoveryError> {
        let answer = self.service.ask(Method::GET, &self.path(), String::new()).await?;
        if answer.status != StatusCode::OK {
            return Err(TokenError::Fetch(answer.status.as_u16()).into());
        }
        // As Go reads it, null is a list without entries.
        let read: Result<Option<Vec<String>>, _> = serde_json::from_slice(&answer.body);
        let texts = read
            .map_err(|error| TokenError::Decode(error.to_string()))?
            .unwrap_or_default();
        if texts.len() > ENTRIES_MAX {
            return Err(DiscoveryError::TooManyEntries);
        }
        if texts.iter().any(|text| text.len() > ENTRY_BYTES_MAX) {
            return Err(DiscoveryError::EntryTooLong);
        }
        let entries = texts
            .iter()
            .filter(|text| !text.is_empty())
            .map(|text| Entry::parse(text));
        Ok(entries.collect::<Result<_, _>>()?)
    }

    /// Asks again and again until nobody listens any more.
    async fn follow(&self, period: Duration, lists: mpsc::Sender<Result<Vec<Entry>, DiscoveryError>>) {
        let mut troubles = Troubles::none(period);
        let mut told: Option<Vec<Entry>> = None;
        loop {
            let fetched = tokio::select! {
                fetched = self.fetch() => fetched,
                () = lists.closed() => return,
            };
            let pause = match fetched {
                Ok(entries) => {
                    let is_news = troubles.looked() || told.as_ref() != Some(&entries);
                    if is_news && lists.send(Ok(entries.clone())).await.is_err() {
                        return;
                    }
                    told = Some(entries);
                    period
                }
                Err(error) => {
                    if troubles.is_news(Trouble::of(&error)) && lists.send(Err(error)).await.is_err() {
                        return;
                    }
                    troubles.pause()
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = lists.closed() => return,
            }
        }
    }
}

impl Discovery for Cluster {
    fn watch(self: Arc<Self>, period: Duration) -> mpsc::Receiver<Result<Vec<Entry>, DiscoveryError>> {
        let (sender, receiver) = mpsc::channel(1);
        tokio::spawn(async move { self.follow(period, sender).await });
        receiver
    }

    fn register_all<'a>(&'a self, advertise: &'a [&'a str], ttl: Duration) -> Registration<'a> {
        Box::pin(async move {
            // Whole seconds, and not fewer than were asked for: it would run out between two heartbeats.
            let seconds = ttl.as_secs() + u64::from(ttl.subsec_nanos() > 0);
            let target = format!("{}?ttl={seconds}", self.path());
            *self.registered.lock().unwrap_or_else(PoisonError::into_inner) = Vec::new();
            for address in advertise {
                let ask = || self.service.ask(Method::POST, &target, (*address).to_owned());
                let answer = patiently(advertise.len() > 1, ask).await?;
                // The original takes every status for success, and so announces nothing without a word.
                if !answer.status.is_success() {
                    return Err(refused("register", &answer).into());
                }
                let mut registered = self.registered.lock().unwrap_or_else(PoisonError::into_inner);
                registered.push((*address).to_owned());
            }
            Ok(())
        })
    }

    fn withdraw(&self) -> Registration<'_> {
        Box::pin(async move {
            let registered = std::mem::take(&mut *self.registered.lock().unwrap_or_else(PoisonError::into_inner));
            for address in &registered {
                let target = format!("{}/{}", self.path(), escaped(address));
                let ask = || self.service.ask(Method::DELETE, &target, String::new());
                let answer = patiently(registered.len() > 1, ask).await?;
                match answer.status {
                    // It has run out, or the service is one that lets entries run out, as the original's did.
                    StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {}
                    status if status.is_success() => {}
                    _ => return Err(refused("withdraw", &answer).into()),
                }
            }
            Ok(())
        })
    }
}

/// Asks, and where many addresses are registered asks again as long as the service says that it was too often. Whoever
/// waits for it says when that is long enough.
async fn patiently<F: Future<Output = Result<Answer, TokenError>>>(
    many: bool,
    ask: impl Fn() -> F,
) -> Result<Answer, TokenError> {
    loop {
        let answer = ask().await?;
        if !many || answer.status != StatusCode::TOO_MANY_REQUESTS {
            return Ok(answer);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests;
