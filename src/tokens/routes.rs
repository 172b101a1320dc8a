//! What clients may ask for: the original's three requests, and what it lacked.

use std::time::Duration;

use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Method, Response, StatusCode};
use serde_json::json;

use super::register::Refusal;
use super::token::Token;
use crate::discovery::{ENTRY_BYTES_MAX, is_advertisable};
use crate::docker::path;
use crate::net::{Body, empty, full};

/// How long an address is kept if its registration does not say.
const TTL_USUAL: Duration = Duration::from_secs(180);
/// How long an address may be kept without being registered again.
pub(super) const TTL_MAX: Duration = Duration::from_secs(30 * 24 * 3600);

/// What the creation of a cluster counts as. Other requests count as one.
pub(super) const COST_MAX: f64 = 10.0;

/// An answer that is all there.
pub(super) type Answer = Response<Body>;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    Ping,
    Metrics,
    Create,
    List(Token),
    Register(Token),
    Withdraw(Token, String),
}

impl Route {
    /// The name in logs and metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Route::Ping => "ping",
            Route::Metrics => "metrics",
            Route::Create => "create",
            Route::List(_) => "list",
            Route::Register(_) => "register",
            Route::Withdraw(..) => "withdraw",
        }
    }
}

/// Why a request is not done. It becomes `{"message": …}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub status: StatusCode,
    pub message: String,
    /// When to try again.
    pub retry_after: Option<Duration>,
    /// The methods that there are.
    pub allow: Option<&'static str>,
}

impl Failure {
    pub fn new(status: StatusCode, message: impl Into<String>) -> Failure {
        Failure {
            status,
            message: message.into(),
            retry_after: None,
            allow: None,
        }
    }

    pub fn bad_request(message: impl Into<String>) -> Failure {
        Failure::new(StatusCode::BAD_REQUEST, message)
    }

    /// There is a limit on how often a client may ask.
    pub fn too_often(wait: Duration) -> Failure {
        Failure {
            retry_after: Some(wait),
            ..Failure::new(StatusCode::TOO_MANY_REQUESTS, "too many requests from this address")
        }
    }

    pub fn into_answer(self) -> Answer {
        let body = json!({ "message": self.message }).to_string();
        let mut answer = text(self.status, "application/json", body);
        let headers = answer.headers_mut();
        if let Some(allow) = self.allow {
            headers.insert(ALLOW, HeaderValue::from_static(allow));
        }
        if let Some(wait) = self.retry_after {
            // Whole seconds, and not too few.
            headers.insert(RETRY_AFTER, HeaderValue::from(wait.as_secs() + 1));
        }
        answer
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Failure {
        let status = match refusal {
            Refusal::NoSuchCluster | Refusal::NoSuchAddress => StatusCode::NOT_FOUND,
            Refusal::TooManyClusters(_) | Refusal::TooManyEntries(_) | Refusal::TooManyEntriesInAll(_) => {
                StatusCode::INSUFFICIENT_STORAGE
            }
            Refusal::Failed => StatusCode::SERVICE_UNAVAILABLE,
        };
        Failure::new(status, refusal.to_string())
    }
}

/// A body of text.
pub(super) fn text(status: StatusCode, kind: &'static str, body: String) -> Answer {
    let mut answer = Response::new(full(body));
    *answer.status_mut() = status;
    answer
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    answer
}

/// A status without a body.
pub(super) fn bare(status: StatusCode) -> Answer {
    let mut answer = Response::new(empty());
    *answer.status_mut() = status;
    answer
}

/// What a request with this method and path asks for.
pub(super) fn find(method: &Method, path: &str) -> Result<Route, Failure> {
    let segments: Vec<&str> = path.strip_prefix('/').unwrap_or(path).split('/').collect();
    match (segments.as_slice(), method.as_str()) {
        (["_ping"], "GET" | "HEAD") => Ok(Route::Ping),
        (["metrics"], "GET") => Ok(Route::Metrics),
        (["v1", "clusters"], "POST") => Ok(Route::Create),
        (["v1", "clusters", token], "GET") => Ok(Route::List(parsed(token)?)),
        (["v1", "clusters", token], "POST") => Ok(Route::Register(parsed(token)?)),
        (["v1", "clusters", token, address], "DELETE") => {
            let address = path::unescape_path(address);
            Ok(Route::Withdraw(parsed(token)?, checked(&address)?.to_owned()))
        }
        (["_ping"], _) => Err(not_allowed("GET, HEAD")),
        (["metrics"], _) => Err(not_allowed("GET")),
        (["v1", "clusters"], _) => Err(not_allowed("POST")),
        (["v1", "clusters", _], _) => Err(not_allowed("GET, POST")),
        (["v1", "clusters", _, _], _) => Err(not_allowed("DELETE")),
        _ => Err(Failure::new(StatusCode::NOT_FOUND, "404 page not found")),
    }
}

fn not_allowed(allow: &'static str) -> Failure {
    Failure {
        allow: Some(allow),
        ..Failure::new(StatusCode::METHOD_NOT_ALLOWED, format!("this takes {allow}"))
    }
}

fn parsed(token: &str) -> Result<Token, Failure> {
    token.parse().map_err(|fault| Failure::bad_request(format!("{fault}")))
}

/// An address that others can read: one that they cannot would make the whole list useless to them.
fn checked(address: &str) -> Result<&str, Failure> {
    if address.len() > ENTRY_BYTES_MAX {
        return Err(Failure::bad_request(format!(
            "an address has at most {ENTRY_BYTES_MAX} bytes"
        )));
    }
    let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b'/';
    if !address.bytes().all(is_plain) || !is_advertisable(address) {
        return Err(Failure::bad_request(
            "the body should be an address of the form ip:port or hostname:port",
        ));
    }
    Ok(address)
}

/// The address in the body of a registration.
pub(super) fn address(body: &[u8]) -> Result<&str, Failure> {
    // What is no text is no address either.
    checked(std::str::from_utf8(body.trim_ascii()).unwrap_or_default())
}

/// How long a registration is to last.
pub(super) fn ttl(query: &str) -> Result<Duration, Failure> {
    let pairs = path::pairs(query);
    let Some((_, text)) = pairs.iter().find(|(name, _)| name == "ttl") else {
        return Ok(TTL_USUAL);
    };
    match text.parse().map(Duration::from_secs) {
        Ok(ttl) if !ttl.is_zero() && ttl <= TTL_MAX => Ok(ttl),
        _ => Err(Failure::bad_request(format!(
            "ttl should be a number of seconds from 1 to {}",
            TTL_MAX.as_secs()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TOKEN: &str = "0123456789abcdef0123456789abcdef";

    fn found(method: &str, path: &str) -> Result<Route, u16> {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        find(&method, path).map_err(|failure| failure.status.as_u16())
    }

    #[test]
    fn routes_are_found() {
        let token: Token = TOKEN.parse().expect("a token");
        let cluster = format!("/v1/clusters/{TOKEN}");
        assert_eq!(found("GET", "/_ping"), Ok(Route::Ping));
        assert_eq!(found("HEAD", "/_ping"), Ok(Route::Ping));
        assert_eq!(found("POST", "/v1/clusters"), Ok(Route::Create));
        assert_eq!(found("GET", &cluster), Ok(Route::List(token)));
        assert_eq!(found("POST", &cluster), Ok(Route::Register(token)));
        let withdraw = Route::Withdraw(token, "[::1]:5".to_owned());
        assert_eq!(found("DELETE", &format!("{cluster}/%5B::1%5d:5")), Ok(withdraw));
        for (method, path, status) in [
            ("GET", "/", 404),
            ("GET", "/v1", 404),
            ("GET", "/v1/clusters/x/y/z", 404),
            ("GET", "//v1/clusters", 404),
            ("POST", "/_ping", 405),
            ("GET", "/v1/clusters", 405),
            ("PUT", "/v1/clusters/x", 405),
            ("GET", "/v1/clusters/x/a:1", 405),
            ("GET", "/v1/clusters/", 400),
            ("POST", "/v1/clusters/0123456789ABCDEF0123456789ABCDEF", 400),
            ("DELETE", "/v1/clusters/x/a:1", 400),
        ] {
            assert_eq!(found(method, path), Err(status), "{method} {path}");
        }
        assert_eq!(found("DELETE", &format!("{cluster}/a")), Err(400));
        let failure = find(&Method::PUT, "/v1/clusters").expect_err("not allowed");
        assert_eq!(failure.into_answer().headers()[ALLOW], "POST");
    }

    #[test]
    fn spans_and_addresses_are_checked() {
        assert_eq!(ttl(""), Ok(TTL_USUAL));
        assert_eq!(ttl("x=y&ttl=7"), Ok(Duration::from_secs(7)));
        assert_eq!(ttl("ttl=2592000"), Ok(TTL_MAX));
        for query in [
            "ttl",
            "ttl=0",
            "ttl=-1",
            "ttl=1s",
            "ttl=2592001",
            "ttl=99999999999999999999",
        ] {
            assert!(ttl(query).is_err(), "{query}");
        }
        assert_eq!(address(b" 1.2.3.4:5\n"), Ok("1.2.3.4:5"));
        assert_eq!(address(b"[::1]:5"), Ok("[::1]:5"));
        let long = format!("{}:1", "h".repeat(ENTRY_BYTES_MAX));
        let faults: [&[u8]; 9] = [
            b"",
            b"a/b:1",
            b"a",
            b"a:0",
            b"a:b",
            b"a b:1",
            b"\xff:1",
            b"unix:///x",
            long.as_bytes(),
        ];
        for body in faults {
            assert_eq!(address(body).map_err(|failure| failure.status.as_u16()), Err(400));
        }
    }

    #[test]
    fn a_wait_is_told_in_whole_seconds() {
        let answer = Failure::too_often(Duration::from_millis(10)).into_answer();
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()[RETRY_AFTER]),
            (429, &HeaderValue::from(1))
        );
    }

    proptest! {
        #[test]
        fn any_path_is_a_route_or_a_failure(
            method in "GET|HEAD|POST|PUT|DELETE|PATCH|OPTIONS|BREW",
            path in ".*|/v1/clusters(/[0-9a-f]{32}(/.*)?)?|/v1/.*|/(_ping|metrics)/?",
        ) {
            match found(&method, &path) {
                Ok(Route::Withdraw(_, address)) => prop_assert!(is_advertisable(&address)),
                Ok(_) => {}
                Err(status) => prop_assert!([400, 404, 405].contains(&status)),
            }
        }

        #[test]
        fn any_body_and_query_is_read_or_refused(body in any::<Vec<u8>>(), query in any::<String>()) {
            if let Ok(address) = address(&body) {
                prop_assert!(crate::discovery::Entry::parse(address).is_ok());
            }
            if let Ok(ttl) = ttl(&query) {
                prop_assert!(ttl <= TTL_MAX && !ttl.is_zero());
            }
        }
    }
}
