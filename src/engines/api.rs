//! The Docker Engine API over a [`Model`]: what a request does, and what is answered at once or later. No sockets here.

mod build;
mod containers;
mod files;
mod images;
mod networks;
pub(super) mod show;
mod system;

use hyper::Method;
use hyper::header::HeaderMap;
use serde_json::{Value, json};

use super::follow::{Follow, Later, Session};
use super::model::{Model, Refusal};
use crate::docker::json::Map;
use crate::docker::{ApiVersion, Filters, media, path};

/// The version of the API that engines speak.
pub const VERSION: ApiVersion = ApiVersion { major: 1, minor: 41 };
/// The lowest version that they still speak.
pub const VERSION_MIN: ApiVersion = ApiVersion { major: 1, minor: 24 };

/// A request, read as a whole.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Its method.
    pub method: Method,
    /// Its path without version, escapes undone.
    pub path: String,
    /// The version in its path.
    pub version: Option<ApiVersion>,
    /// Its query.
    pub query: Vec<(String, String)>,
    /// Its body.
    pub body: bytes::Bytes,
}

/// What is answered.
#[derive(Debug)]
pub enum Reply {
    /// A status and JSON.
    Json(u16, Value),
    /// A status and text.
    Text(u16, &'static str),
    /// Bytes of a kind, with what a file is like if it is one.
    File {
        /// The type of the content.
        kind: &'static str,
        /// What stands in the header about a path.
        stat: Option<String>,
        /// The bytes.
        body: bytes::Bytes,
    },
    /// A status.
    Empty(u16),
    /// The answer comes when something has happened.
    Later(Later),
    /// The body comes piece by piece; `raw` if it is no JSON.
    Follow {
        /// What is followed.
        follow: Box<Follow>,
        /// Whether it is a stream of output.
        raw: bool,
    },
    /// The connection becomes one to a process.
    TakeOver(Session),
}

type Answered = Result<Reply, Refusal>;

impl Ask {
    /// Reads the target of a request. `None` for a version in its path that is not spoken, as the refusal says.
    ///
    /// # Errors
    ///
    /// A version that is too old or too new.
    pub fn new(method: Method, target: &str, body: bytes::Bytes) -> Result<Ask, Refusal> {
        let (raw, query) = target.split_once('?').unwrap_or((target, ""));
        let (version, rest) = split_version(raw);
        if let Some(version) = version {
            if version < VERSION_MIN {
                let text = format!(
                    "client version {version} is too old. Minimum supported API version is {VERSION_MIN}, please upgrade \
                     your client to a newer version"
                );
                return Err(Refusal::new(400, text));
            }
            if version > VERSION {
                let text = format!("client version {version} is too new. Maximum supported API version is {VERSION}");
                return Err(Refusal::new(400, text));
            }
        }
        Ok(Ask {
            method,
            path: path::unescape_path(rest),
            version,
            query: path::pairs(query),
            body,
        })
    }

    /// Refuses a body of a type that daemons refuse.
    ///
    /// # Errors
    ///
    /// Another type than JSON where that has to be.
    pub fn check_type(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        media::check_type(&self.method, &self.path, self.version, headers).map_err(|text| Refusal::new(400, text))
    }

    /// The first value of a parameter; empty if it is not given.
    pub fn parameter(&self, name: &str) -> &str {
        let found = self.query.iter().find(|(own, _)| own == name);
        found.map_or("", |(_, value)| value)
    }

    /// A parameter as daemons read truth.
    pub fn flag(&self, name: &str) -> bool {
        let value = self.parameter(name).trim().to_lowercase();
        !matches!(value.as_str(), "" | "0" | "no" | "false" | "none")
    }

    /// The filters.
    pub fn filters(&self) -> Result<Filters, Refusal> {
        Ok(Filters::parse(self.parameter("filters"))?)
    }

    /// The body as an object; an empty body is an empty one.
    pub fn object(&self) -> Result<Map, Refusal> {
        if self.body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Map::new());
        }
        match serde_json::from_slice(&self.body) {
            Ok(Value::Object(map)) => Ok(map),
            Ok(Value::Null) => Ok(Map::new()),
            Ok(_) => Err(Refusal::new(400, "invalid JSON: an object is expected")),
            Err(error) => Err(Refusal::new(400, format!("invalid JSON: {error}"))),
        }
    }
}

/// The version that a path begins with, and the rest of it.
fn split_version(path: &str) -> (Option<ApiVersion>, &str) {
    let Some(rest) = path.strip_prefix("/v") else {
        return (None, path);
    };
    let end = rest.find('/').unwrap_or(rest.len());
    match ApiVersion::parse(&rest[..end]) {
        Some(version) => (Some(version), &rest[end..]),
        None => (None, path),
    }
}

/// Whether a client that asks so takes over the connection, be it in so many words or not.
pub fn takes_over(method: &Method, path: &str) -> bool {
    let (_, rest) = split_version(path);
    let segments: Vec<&str> = rest.trim_start_matches('/').split('/').collect();
    *method == Method::POST && matches!(segments.as_slice(), ["containers", _, "attach"] | ["exec", _, "start"])
}

/// Does what a request says. Everything that is due has happened before.
pub fn answer(model: &mut Model, ask: &Ask) -> Reply {
    match dispatch(model, ask) {
        Ok(reply) => reply,
        Err(refusal) => refuse(&refusal),
    }
}

/// What is answered to a request that is refused.
pub fn refuse(refusal: &Refusal) -> Reply {
    Reply::Json(refusal.status, json!({ "message": refusal.message }))
}

fn dispatch(model: &mut Model, ask: &Ask) -> Answered {
    let trimmed = ask.path.trim_start_matches('/');
    let segments: Vec<&str> = trimmed.split('/').collect();
    // What is read may be asked for by HEAD as well.
    let method = match ask.method.as_str() {
        "HEAD" => "GET",
        other => other,
    };
    match (method, segments.as_slice()) {
        ("GET", ["_ping"]) => Ok(Reply::Text(200, "OK")),
        ("GET", ["version"]) => Ok(Reply::Json(200, system::version())),
        ("GET", ["info"]) => Ok(Reply::Json(200, system::info(model))),
        ("GET", ["events"]) => system::events(model, ask),
        ("GET", ["system", "df"]) => Ok(Reply::Json(200, system::disk_usage(model))),
        ("POST", ["auth"]) => Ok(Reply::Json(
            200,
            json!({ "Status": "Login Succeeded", "IdentityToken": "" }),
        )),
        ("POST", ["commit"]) => files::commit(model, ask),
        ("GET", ["plugins"]) => Ok(Reply::Json(200, json!([]))),
        (_, ["swarm" | "nodes" | "services" | "tasks" | "secrets" | "configs", ..]) => Err(Refusal::new(
            503,
            "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to connect this node to \
             swarm and try again.",
        )),
        ("POST", ["build", "prune"]) => Ok(Reply::Json(200, json!({ "CachesDeleted": null, "SpaceReclaimed": 0 }))),
        ("POST", ["build"]) => build::build(model, ask),
        (_, ["build" | "session" | "grpc", ..]) => Err(Refusal::new(
            501,
            "simulated engines have no BuildKit; build with DOCKER_BUILDKIT=0",
        )),
        (_, ["containers", rest @ ..]) => containers::answer(model, ask, method, rest),
        (_, ["exec", rest @ ..]) => containers::about_exec(model, ask, method, rest),
        (_, ["images", rest @ ..]) => images::answer(model, ask, method, rest),
        (_, ["networks", rest @ ..]) => networks::about_networks(model, ask, method, rest),
        (_, ["volumes", rest @ ..]) => networks::about_volumes(model, ask, method, rest),
        _ => Err(not_found()),
    }
}

fn not_found() -> Refusal {
    Refusal::new(404, "page not found")
}
