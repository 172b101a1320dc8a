//! A daemon that does what a test wants: answer by a table, or misbehave.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderMap, UPGRADE};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use swarmlab::net::head::{self, Head};
use swarmlab::net::{self, Address, Body, Listener, Stream, Tls};

use super::AGES;

type Later = Pin<Box<dyn Future<Output = ()> + Send>>;
type Route = Arc<dyn Fn(&Seen) -> Reply + Send + Sync>;
type RawRoute = Arc<dyn Fn(Head, Stream) -> Later + Send + Sync>;

/// A request as the daemon saw it.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: Method,
    /// Path and query as they were sent.
    pub target: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// What the daemon does about a request.
pub enum Reply {
    Json(u16, Value),
    Text(u16, &'static str),
    /// Sends the pieces one by one, then ends the body.
    Stream(Vec<&'static str>),
    /// Sends the pieces, then breaks the connection off.
    Broken(Vec<&'static str>),
    /// Sends the pieces, then nothing any more.
    Stalled(Vec<&'static str>),
    /// Never answers.
    Hang,
    /// Whatever the closure says, as soon as the sender is told; closes the connection if that is dropped.
    Held(oneshot::Receiver<()>, Box<dyn FnOnce() -> Reply + Send>),
    /// Closes the connection.
    Close,
    /// Any answer.
    With(Response<Body>),
    /// Agrees to another protocol, which is spoken by the closure.
    Upgrade(Box<dyn FnOnce(Stream) -> Later + Send>),
}

impl Reply {
    /// Agrees to another protocol.
    pub fn upgrade<F: Future<Output = ()> + Send + 'static>(speak: impl FnOnce(Stream) -> F + Send + 'static) -> Reply {
        Reply::Upgrade(Box::new(|stream| Box::pin(speak(stream))))
    }
}

/// The table of a daemon that is not started yet.
#[derive(Default, Clone)]
pub struct Routes {
    routes: BTreeMap<(String, String), Route>,
    raw: BTreeMap<(String, String), RawRoute>,
    otherwise: Option<Route>,
}

impl Routes {
    /// What is done about `method` and `path`, the latter without version and query.
    pub fn on(mut self, method: &str, path: &str, reply: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Routes {
        self.routes
            .insert((method.to_owned(), path.to_owned()), Arc::new(reply));
        self
    }

    /// The same for what no HTTP server would do: the closure gets the head, with what came after it, and the
    /// connection. A daemon with such a route takes one request per connection.
    pub fn raw<F: Future<Output = ()> + Send + 'static>(
        mut self,
        method: &str,
        path: &str,
        speak: impl Fn(Head, Stream) -> F + Send + Sync + 'static,
    ) -> Routes {
        let speak: RawRoute = Arc::new(move |head, stream| Box::pin(speak(head, stream)));
        self.raw.insert((method.to_owned(), path.to_owned()), speak);
        self
    }

    /// What is done about everything else.
    pub fn otherwise(mut self, reply: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Routes {
        self.otherwise = Some(Arc::new(reply));
        self
    }

    /// The answers of a small daemon without containers.
    pub fn daemon(name: &'static str) -> Routes {
        let info = json!({
            "ID": format!("ID-{name}"), "Name": name, "NCPU": 4, "MemTotal": 8_i64 << 30, "Driver": "overlay2",
            "KernelVersion": "5.10", "OperatingSystem": "FakeOS 1", "OSType": "linux", "Labels": [],
            "SystemTime": "2026-11-23T04:33:34.5Z"
        });
        let version = json!({"Version": "20.10.0", "ApiVersion": "1.41", "MinAPIVersion": "1.12"});
        let list = |_: &Seen| Reply::Json(200, json!([]));
        Routes::default()
            .on("HEAD", "/_ping", |_| ping("1.41"))
            .on("GET", "/info", move |_| Reply::Json(200, info.clone()))
            .on("GET", "/version", move |_| Reply::Json(200, version.clone()))
            .on("GET", "/events", |_| Reply::Stalled(vec![]))
            .on("GET", "/containers/json", list)
            .on("GET", "/images/json", list)
            .on("GET", "/networks", list)
            .on("GET", "/volumes", |_| {
                Reply::Json(200, json!({"Volumes": null, "Warnings": null}))
            })
    }

    /// Starts the daemon on a port of the loopback.
    pub async fn start(self) -> Fake {
        self.start_at(&Address::Tcp("127.0.0.1:0".to_owned()), None).await
    }

    /// Starts the daemon at `address`.
    pub async fn start_at(self, address: &Address, tls: Option<Tls>) -> Fake {
        let listener = Listener::bind(address, tls).await.expect("an address to listen on");
        let address = listener.local_address().clone();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let serving = tokio::spawn(serve(listener, Arc::new(self), seen.clone()));
        Fake { address, seen, serving }
    }
}

/// An answer to a ping.
pub fn ping(version: &'static str) -> Reply {
    let answer = Response::builder().header("api-version", version).body(net::empty());
    Reply::With(answer.expect("a well-formed answer"))
}

/// A daemon that runs. Dropping it ends it with all its connections.
pub struct Fake {
    pub address: Address,
    seen: Arc<Mutex<Vec<Seen>>>,
    serving: tokio::task::JoinHandle<()>,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Fake {
    /// All requests so far, those of raw routes excepted.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("no panic under this lock").clone()
    }

    /// Method and target of all requests so far.
    pub fn calls(&self) -> Vec<String> {
        self.seen()
            .iter()
            .map(|seen| format!("{} {}", seen.method, seen.target))
            .collect()
    }

    /// An address at which nobody listens.
    pub async fn nowhere() -> Address {
        let listener = Listener::bind(&Address::Tcp("127.0.0.1:0".to_owned()), None)
            .await
            .expect("a free port");
        listener.local_address().clone()
    }
}

async fn serve(listener: Listener, routes: Arc<Routes>, seen: Arc<Mutex<Vec<Seen>>>) {
    // Dropped with this task, and all connections with it.
    let mut connections = JoinSet::new();
    loop {
        let incoming = listener.accept().await.expect("a connection");
        let (routes, seen) = (routes.clone(), seen.clone());
        connections.spawn(async move {
            // What clients do wrong is for their tests to notice.
            let Ok(mut stream) = incoming.establish(AGES).await else {
                return;
            };
            if !routes.raw.is_empty() {
                let Ok(head) = head::read(&mut stream, head::Limits::default()).await else {
                    return;
                };
                if let Some(speak) = routes.raw.get(&key(&head.method, head.path())) {
                    return speak(head, stream).await;
                }
                stream.put_back(head.raw);
            }
            let service = service_fn(|request| answer(request, &routes, &seen));
            let _ = hyper::server::conn::http1::Builder::new()
                .keep_alive(routes.raw.is_empty())
                .serve_connection(TokioIo::new(stream), service)
                .with_upgrades()
                .await;
        });
    }
}

async fn answer(
    mut request: Request<Incoming>,
    routes: &Routes,
    seen: &Mutex<Vec<Seen>>,
) -> Result<Response<Body>, &'static str> {
    let upgrade = hyper::upgrade::on(&mut request);
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| "no body")?.to_bytes();
    let route = routes.routes.get(&key(&head.method, head.uri.path()));
    let route = route.or(routes.otherwise.as_ref());
    let target = head
        .uri
        .path_and_query()
        .map_or("/", |target| target.as_str())
        .to_owned();
    let request = Seen {
        method: head.method,
        target,
        headers: head.headers,
        body,
    };
    seen.lock().expect("no panic under this lock").push(request.clone());
    let respond = |status: u16, kind: &str, body: Body| {
        let answer = Response::builder().status(status).header(CONTENT_TYPE, kind).body(body);
        Ok(answer.expect("a well-formed answer"))
    };
    let mut reply = route.map_or(Reply::Json(404, json!({"message": "page not found"})), |route| {
        route(&request)
    });
    while let Reply::Held(told, then) = reply {
        reply = told.await.map_or(Reply::Close, |()| then());
    }
    match reply {
        Reply::Held(..) => unreachable!("it has been waited for"),
        Reply::Json(status, value) => respond(status, "application/json", net::full(value.to_string())),
        Reply::Text(status, text) => respond(status, "text/plain", net::full(text)),
        Reply::Stream(pieces) => respond(200, "application/json", pieces_of(pieces, After::End)),
        Reply::Broken(pieces) => respond(200, "application/json", pieces_of(pieces, After::Break)),
        Reply::Stalled(pieces) => respond(200, "application/json", pieces_of(pieces, After::Stall)),
        Reply::Hang => std::future::pending().await,
        Reply::Close => Err("closed on purpose"),
        Reply::With(answer) => Ok(answer),
        Reply::Upgrade(speak) => {
            tokio::spawn(async move { speak(upgrade.await.expect("an upgraded connection").into()).await });
            let answer = Response::builder()
                .status(StatusCode::SWITCHING_PROTOCOLS)
                .header(CONNECTION, "Upgrade")
                .header(UPGRADE, "tcp")
                .body(net::empty());
            Ok(answer.expect("a well-formed answer"))
        }
    }
}

enum After {
    End,
    Break,
    Stall,
}

fn pieces_of(pieces: Vec<&'static str>, after: After) -> Body {
    let (mut sender, body) = net::channel();
    tokio::spawn(async move {
        for piece in pieces {
            if sender.send_data(Bytes::from_static(piece.as_bytes())).await.is_err() {
                return;
            }
            // Lets the piece be sent before what follows it.
            tokio::task::yield_now().await;
        }
        match after {
            After::End => {}
            After::Break => sender.abort("broken on purpose".into()),
            After::Stall => std::future::pending::<()>().await,
        }
    });
    body
}

/// The key of a route: a version before the path does not count.
fn key(method: &Method, path: &str) -> (String, String) {
    (method.to_string(), without_version(path).to_owned())
}

/// A path without the version before it.
pub fn without_version(path: &str) -> &str {
    let bare = path.strip_prefix("/v").and_then(|rest| {
        let (version, rest) = rest.split_once('/')?;
        version
            .starts_with(|c: char| c.is_ascii_digit())
            .then(|| &path[path.len() - rest.len() - 1..])
    });
    bare.unwrap_or(path)
}
