//! A client of one daemon.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use serde_json::Value;

use crate::net::{self, Address, Body, Client, DialError, SendError, Stream, Tls, headers};

use super::json::{self, Map};
use super::{ApiVersion, CallError, Events, path, podman};

/// Bytes of an answer that is read as a whole. A list of ten thousand containers takes some twenty megabytes.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// Bytes of an error that is read for its message.
const ERROR_BYTES_MAX: usize = 64 << 10;

/// How long an answer is waited for that is only to show whether somebody is there.
const DOOR: Duration = Duration::from_secs(2);

/// How long a daemon is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Until there is a connection, TLS included.
    pub dial: Duration,
    /// Until a question, which alters nothing, has its whole answer. Streams and forwarded requests take as long as they
    /// take.
    pub answer: Duration,
    /// Until an order, such as creating a container, is carried out. A daemon that is slow with it may be well.
    pub order: Duration,
}

impl Default for Timeouts {
    /// Ten seconds, and a minute for orders: a daemon that hangs is noticed soon, and one that copies files is not given
    /// up.
    fn default() -> Timeouts {
        Timeouts {
            dial: Duration::from_secs(10),
            answer: Duration::from_secs(10),
            order: Duration::from_secs(60),
        }
    }
}

/// An answer that was read as a whole; its status is below 400.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// A client of one daemon. Cheap to clone; clones share connections and the API's version.
#[derive(Clone, Debug)]
pub struct Daemon {
    shared: Arc<Shared>,
    timeouts: Timeouts,
}

#[derive(Debug)]
struct Shared {
    client: Client,
    tls: Option<Tls>,
    /// The version agreed upon, packed; 0 before that, when paths have none.
    version: AtomicU32,
    /// The lowest version that the daemon still speaks, packed; 0 if it has not said.
    version_min: AtomicU32,
    /// The highest version that it speaks, packed; 0 if it has not said.
    version_max: AtomicU32,
    /// Whether what it says has to be put into Docker's words.
    is_podman: AtomicBool,
}

impl Daemon {
    /// A client of the daemon at `address`. Nothing is sent yet.
    pub fn new(address: Address, tls: Option<Tls>, timeouts: Timeouts) -> Daemon {
        let client = Client::new(address, tls.clone(), timeouts.dial);
        let shared = Arc::new(Shared {
            client,
            tls,
            version: AtomicU32::new(0),
            version_min: AtomicU32::new(0),
            version_max: AtomicU32::new(0),
            is_podman: AtomicBool::new(false),
        });
        Daemon { shared, timeouts }
    }

    /// The same client with more or less patience for answers, for calls that are known to take their time.
    pub fn with_patience(&self, answer: Duration) -> Daemon {
        let timeouts = Timeouts {
            answer,
            order: answer,
            ..self.timeouts
        };
        Daemon {
            timeouts,
            ..self.clone()
        }
    }

    /// Where the daemon is.
    pub fn address(&self) -> &Address {
        self.shared.client.address()
    }

    /// How long it is waited for.
    pub fn timeouts(&self) -> Timeouts {
        self.timeouts
    }

    /// Whether nobody answers at the daemon's address any more, which a new connection finds out. Those that are open may
    /// go on being served: a daemon that is told to stop closes its door first, then stops its containers, and tells of
    /// that to the last. One that is merely slow is not closed.
    pub async fn is_closed(&self) -> bool {
        let Ok(request) = request(Method::HEAD, "/_ping", None) else {
            return false;
        };
        let address = self.address();
        let client = Client::new(address.clone(), self.shared.tls.clone(), DOOR);
        match tokio::time::timeout(DOOR, client.send(request)).await {
            Ok(Err(SendError::Dial(DialError::Refused { .. }) | SendError::Broken { .. })) => true,
            // A Unix socket whose file is not there.
            Ok(Err(SendError::Dial(DialError::Other { .. }))) => matches!(address, Address::Unix(_)),
            Ok(Ok(_) | Err(_)) | Err(_) => false,
        }
    }

    /// The version that calls are made with; `None` before [`Daemon::negotiate`].
    pub fn api_version(&self) -> Option<ApiVersion> {
        let agreed = ApiVersion::unpacked(self.shared.version.load(Ordering::Relaxed))?;
        Some(
            ApiVersion::unpacked(self.shared.version_min.load(Ordering::Relaxed))
                .map_or(agreed, |lowest| agreed.max(lowest)),
        )
    }

    /// The versions that the daemon speaks, from the lowest to the highest: those that requests passed on to it may be
    /// written in. `None` before [`Daemon::negotiate`].
    pub fn spoken_versions(&self) -> Option<(ApiVersion, ApiVersion)> {
        let read = |packed: &AtomicU32| ApiVersion::unpacked(packed.load(Ordering::Relaxed));
        let highest = read(&self.shared.version_max)?;
        Some((read(&self.shared.version_min).unwrap_or(ApiVersion::LOWEST), highest))
    }

    /// Asks for the daemon's version and agrees on the lower of its and ours, or the lowest that it still speaks.
    /// Asking again may raise it, as daemons are upgraded. A daemon that does not say is taken for an old one.
    ///
    /// # Errors
    ///
    /// The daemon cannot be reached; the version stays.
    pub async fn negotiate(&self) -> Result<ApiVersion, CallError> {
        let ping = match self.answer(request(Method::HEAD, "/_ping", None)?).await {
            Err(CallError::Answered { .. }) => self.answer(request(Method::GET, "/_ping", None)?).await,
            other => other,
        };
        let theirs = match ping {
            Ok(answer) => answer
                .headers
                .get("api-version")
                .and_then(|text| ApiVersion::parse(text.to_str().ok()?)),
            Err(CallError::Answered { .. }) => None,
            Err(error) => return Err(error),
        };
        let agreed = theirs.map_or(ApiVersion::LOWEST, |theirs| theirs.min(ApiVersion::HIGHEST));
        self.shared.version.store(agreed.packed(), Ordering::Relaxed);
        let highest = theirs.unwrap_or(ApiVersion::LOWEST);
        self.shared.version_max.store(highest.packed(), Ordering::Relaxed);
        Ok(self.api_version().unwrap_or(agreed))
    }

    /// `GET /info`.
    ///
    /// # Errors
    ///
    /// See [`CallError`], here as in all calls.
    pub async fn info(&self) -> Result<Map, CallError> {
        self.object(Method::GET, "/info", None).await
    }

    /// `GET /version`. Daemons that no longer speak our version say so here, which is taken into account from then on.
    ///
    /// # Errors
    ///
    /// See [`CallError`].
    pub async fn version(&self) -> Result<Map, CallError> {
        // Without a version, so that no daemon can refuse it for its age.
        let request = request(Method::GET, "/version", None)?;
        let version: Map = self.decode(&self.answer(request).await?.body)?;
        let lowest = ApiVersion::parse(json::text(&version, "MinAPIVersion")).map_or(0, ApiVersion::packed);
        self.shared.version_min.store(lowest, Ordering::Relaxed);
        let is_podman = podman::is_podman(&version);
        self.shared.is_podman.store(is_podman, Ordering::Relaxed);
        Ok(version)
    }

    /// All containers, or those with these IDs that are there.
    ///
    /// # Errors
    ///
    /// See [`CallError`].
    pub async fn containers(&self, ids: Option<&[String]>) -> Result<Vec<Map>, CallError> {
        let filters = ids.map(|ids| Value::from(Map::from_iter([("id".to_owned(), Value::from(ids))])).to_string());
        let mut pairs = vec![("all", "1"), ("limit", "0")];
        if let Some(filters) = &filters {
            pairs.push(("filters", filters));
        }
        let listed = self
            .objects(&format!("/containers/json{}", path::query(&pairs)))
            .await?;
        Ok(self.in_dockers_words(listed, podman::listed))
    }

    /// One container in full, with the size of its files if that is asked for.
    ///
    /// # Errors
    ///
    /// See [`CallError`].
    pub async fn container(&self, id: &str, size: bool) -> Result<Map, CallError> {
        let query = if size { "?size=1" } else { "" };
        let target = format!("{}{query}", path::path(&["containers", id, "json"]));
        let mut inspected = self.object(Method::GET, &target, None).await?;
        if self.is_podman() {
            podman::inspected(&mut inspected);
        }
        Ok(inspected)
    }

    /// All images, those in between included.
    ///
    /// # Errors
    ///
    /// See [`CallError`].
    pub async fn images(&self) -> Result<Vec<Map>, CallError> {
        let listed = self.objects("/images/json?all=1").await?;
        Ok(self.in_dockers_words(listed, podman::image))
    }

    /// All volumes.
    ///
    /// # Errors
    ///
    /// See [`CallError`].
    pub async fn volumes(&self) -> Result<Vec<Map>, CallError> {
        let mut answer = self.object(Method::GET, "/volumes", None).await?;
        self.only_objects(json::remove(&mut answer, "Volumes").unwrap_or_default())
    }

    /// One volume.
    ///
    /// # Errors
    ///
    /// See [`CallError`].
    pub async fn volume(&self, name: &str) -> Result<Map, CallError> {
        self.object(Method::GET, &path::path(&["volumes", name]), None).await
    }

    /// All networks.
    ///
    /// # Errors
    ///
    /// See [`CallError`].
    pub async fn networks(&self) -> Result<Vec<Map>, CallError> {
        self.objects("/networks").await
    }

    /// One network.
    ///
    /// # Errors
    ///
    /// See [`CallError`].
    pub async fn network(&self, id: &str) -> Result<Map, CallError> {
        self.object(Method::GET, &path::path(&["networks", id]), None).await
    }

    /// Creates a container, and gives the answer, in which `Id` is. Name and platform may be empty.
    ///
    /// # Errors
    ///
    /// See [`CallError`]. A daemon that does not answer in time may have created it.
    pub async fn create_container(&self, name: &str, platform: &str, config: &Value) -> Result<Map, CallError> {
        let pairs = [("name", name), ("platform", platform)];
        let given: Vec<_> = pairs.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        let query = path::query(&given);
        let mut config = Cow::Borrowed(config);
        if self.is_podman()
            && let Some(config) = config.to_mut().as_object_mut()
        {
            podman::wanted(config);
        }
        self.object(Method::POST, &format!("/containers/create{query}"), Some(&config))
            .await
    }

    /// Starts a container; one that runs already is started.
    ///
    /// # Errors
    ///
    /// See [`CallError`].
    pub async fn start_container(&self, id: &str) -> Result<(), CallError> {
        self.call(Method::POST, &path::path(&["containers", id, "start"]), None)
            .await
            .map(drop)
    }

    /// Pulls an image, waiting until it is there. Platform and credentials, as in `X-Registry-Auth`, may be missing.
    ///
    /// # Errors
    ///
    /// See [`CallError`]; a failure in the course of the pull is [`CallError::Answered`] as well.
    pub async fn pull(&self, image: &str, platform: &str, auth: Option<&str>) -> Result<(), CallError> {
        let (name, tag) = match image.split_once('@') {
            Some(parts) => parts,
            None => match image.rsplit_once(':') {
                // A colon before a slash is a registry's port.
                Some((name, tag)) if !tag.contains('/') => (name, tag),
                _ => (image, "latest"),
            },
        };
        let pairs = [("fromImage", name), ("tag", tag), ("platform", platform)];
        let given: Vec<_> = pairs.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        let target = self.versioned(&format!("/images/create{}", path::query(&given)));
        let mut request = request(Method::POST, &target, None)?;
        if let Some(auth) = auth.and_then(|auth| HeaderValue::from_str(auth).ok()) {
            request.headers_mut().insert("x-registry-auth", auth);
        }
        let mut progress = self.stream(request).await?;
        while let Some(line) = progress.next().await? {
            let error = json::text(&line, "error");
            if !error.is_empty() {
                return Err(CallError::Answered {
                    status: 500,
                    message: error.to_owned(),
                });
            }
        }
        Ok(())
    }

    /// Removes a container: `force` if it runs, `volumes` with those that have no name, or only a `link` to it.
    ///
    /// # Errors
    ///
    /// See [`CallError`].
    pub async fn remove_container(&self, id: &str, force: bool, volumes: bool, link: bool) -> Result<(), CallError> {
        let flags = [("force", force), ("v", volumes), ("link", link)];
        let pairs: Vec<_> = flags
            .iter()
            .filter(|(_, set)| *set)
            .map(|(name, _)| (*name, "1"))
            .collect();
        let path = format!("{}{}", path::path(&["containers", id]), path::query(&pairs));
        self.call(Method::DELETE, &path, None).await.map(drop)
    }

    /// Gives a container another name.
    ///
    /// # Errors
    ///
    /// See [`CallError`].
    pub async fn rename_container(&self, id: &str, name: &str) -> Result<(), CallError> {
        let path = format!(
            "{}{}",
            path::path(&["containers", id, "rename"]),
            path::query(&[("name", name)])
        );
        self.call(Method::POST, &path, None).await.map(drop)
    }

    /// Any call whose answer is small: `target` is a path without version, with its query.
    ///
    /// # Errors
    ///
    /// See [`CallError`].
    pub async fn call(&self, method: Method, target: &str, body: Option<&Value>) -> Result<Answer, CallError> {
        self.answer(request(method, &self.versioned(target), body)?).await
    }

    /// [`Daemon::call`] for an answer that is an object.
    ///
    /// # Errors
    ///
    /// See [`CallError`].
    pub async fn object(&self, method: Method, target: &str, body: Option<&Value>) -> Result<Map, CallError> {
        self.decode(&self.call(method, target, body).await?.body)
    }

    /// [`Daemon::object`] for what may take a daemon minutes, such as adding up or removing what is on its disks: it is
    /// waited for without limit.
    ///
    /// # Errors
    ///
    /// See [`CallError`].
    pub async fn long_object(&self, method: Method, target: &str) -> Result<Map, CallError> {
        let request = request(method, &self.versioned(target), None)?;
        self.decode(&self.exchange(request).await?.body)
    }

    /// The daemon's events from now on.
    ///
    /// # Errors
    ///
    /// See [`CallError`]. The head of the answer comes at once, so it is waited for like any answer.
    pub async fn events(&self) -> Result<Events, CallError> {
        let opening = self.stream(request(Method::GET, &self.versioned("/events"), None)?);
        match tokio::time::timeout(self.timeouts.answer, opening).await {
            Ok(outcome) => outcome,
            Err(_) => Err(CallError::no_daemon(self.address())),
        }
    }

    /// Sends a request, whose path is used as it is, and reads its answer object by object, such as the progress of a
    /// pull. Daemons begin to answer when there is something to tell, which is waited for without end.
    ///
    /// # Errors
    ///
    /// See [`CallError`]; here for an answer with an error status too.
    pub async fn stream(&self, request: Request<Body>) -> Result<Events, CallError> {
        let answer = self.shared.client.send(request).await?;
        if answer.status().as_u16() >= 400 {
            return Err(self.refusal(answer).await);
        }
        Ok(Events::new(self.address().clone(), answer.into_body()))
    }

    /// Passes a request on: path, query, headers and body as they are, without what concerns one connection only (see
    /// [`headers::strip`]); and so the answer, whatever its status. Bodies are passed on as they come. Dropping the
    /// answer's body ends the request.
    ///
    /// An upgrade is agreed upon by the daemon's 101. For the two connections, call `hyper::upgrade::on` with the
    /// client's request before it is passed on and with the answer after it has come; both are there when the answer
    /// has been sent to the client.
    ///
    /// # Errors
    ///
    /// No answer, see [`CallError`].
    pub async fn forward(&self, mut request: Request<Body>) -> Result<Response<Incoming>, CallError> {
        headers::strip(request.headers_mut());
        // HTTP/1.0 clients are served in HTTP/1.1 like all others.
        *request.version_mut() = hyper::Version::HTTP_11;
        let mut answer = self.shared.client.send(request).await?;
        headers::strip(answer.headers_mut());
        Ok(answer)
    }

    /// A connection to the daemon, for tunnels.
    ///
    /// # Errors
    ///
    /// See [`CallError`].
    pub async fn dial(&self) -> Result<Stream, CallError> {
        Ok(net::dial(self.address(), self.shared.tls.as_ref(), self.timeouts.dial).await?)
    }

    /// Closes the connections that nothing uses.
    pub fn close_idle(&self) {
        self.shared.client.close_idle();
    }

    /// The path with the version agreed upon before it, if there is one.
    pub fn versioned(&self, target: &str) -> String {
        match self.api_version() {
            Some(version) => format!("/v{version}{target}"),
            None => target.to_owned(),
        }
    }

    fn is_podman(&self) -> bool {
        self.shared.is_podman.load(Ordering::Relaxed)
    }

    fn in_dockers_words(&self, mut listed: Vec<Map>, put: fn(&mut Map)) -> Vec<Map> {
        if self.is_podman() {
            listed.iter_mut().for_each(put);
        }
        listed
    }

    async fn objects(&self, target: &str) -> Result<Vec<Map>, CallError> {
        let answer = self.call(Method::GET, target, None).await?;
        self.only_objects(self.decode(&answer.body)?)
    }

    /// The objects of a list; `null` is an empty one, in Go.
    fn only_objects(&self, list: Value) -> Result<Vec<Map>, CallError> {
        let fault = || CallError::Garbled(format!("{}: not a list of objects", self.address()));
        match list {
            Value::Null => Ok(Vec::new()),
            Value::Array(list) => list
                .into_iter()
                .map(|value| match value {
                    Value::Object(map) => Ok(map),
                    _ => Err(fault()),
                })
                .collect(),
            _ => Err(fault()),
        }
    }

    fn decode<T: serde::de::DeserializeOwned>(&self, body: &[u8]) -> Result<T, CallError> {
        serde_json::from_slice(body).map_err(|error| CallError::Garbled(format!("{}: {error}", self.address())))
    }

    /// Sends a request and reads the whole answer, in the time there is for it.
    async fn answer(&self, request: Request<Body>) -> Result<Answer, CallError> {
        let is_question = matches!(*request.method(), Method::GET | Method::HEAD);
        let patience = match is_question {
            true => self.timeouts.answer,
            false => self.timeouts.order,
        };
        match tokio::time::timeout(patience, self.exchange(request)).await {
            Ok(outcome) => outcome,
            // What was asked alters nothing.
            Err(_) if is_question => Err(CallError::no_daemon(self.address())),
            // Connecting has a limit of its own, which is shorter.
            Err(_) => Err(CallError::late(self.address())),
        }
    }

    /// Sends a request and reads the whole answer, however long that takes.
    async fn exchange(&self, request: Request<Body>) -> Result<Answer, CallError> {
        let answer = self.shared.client.send(request).await?;
        if answer.status().as_u16() >= 400 {
            return Err(self.refusal(answer).await);
        }
        let (head, body) = answer.into_parts();
        let body = self.read(body, ANSWER_BYTES_MAX).await?;
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body,
        })
    }

    /// What an answer with an error status says. A body that does not come is done without.
    async fn refusal(&self, answer: Response<Incoming>) -> CallError {
        let status = answer.status().as_u16();
        let body = self.read(answer.into_body(), ERROR_BYTES_MAX);
        match tokio::time::timeout(self.timeouts.answer, body).await {
            Ok(Ok(body)) => CallError::answered(status, &body),
            _ => CallError::answered(status, b""),
        }
    }

    async fn read(&self, body: Incoming, bytes_max: usize) -> Result<Bytes, CallError> {
        match Limited::new(body, bytes_max).collect().await {
            Ok(collected) => Ok(collected.to_bytes()),
            Err(error) => match error.downcast::<hyper::Error>() {
                Ok(error) => Err(CallError::broken(self.address(), &error)),
                Err(_) => Err(CallError::Garbled(format!(
                    "{}: more than {bytes_max} bytes",
                    self.address()
                ))),
            },
        }
    }
}

/// A request of our own.
fn request(method: Method, target: &str, body: Option<&Value>) -> Result<Request<Body>, CallError> {
    let content = body.map_or_else(net::empty, |body| net::full(body.to_string()));
    let mut request = Request::builder()
        .method(method)
        .uri(target)
        .body(content)
        .map_err(|error| CallError::Request(format!("{target}: {error}")))?;
    if body.is_some() {
        request
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    Ok(request)
}
