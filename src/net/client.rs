//! An HTTP/1.1 client for one address.

use std::error::Error;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{HOST, HeaderValue};
use hyper::{Request, Response, Uri};
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tower_service::Service;

use super::dial::explain;
use super::{Address, Body, DialError, Stream, Tls, dial};

/// Time after which a connection that is not used is closed: shorter than peers keep theirs.
const IDLE: Duration = Duration::from_secs(30);

/// Connections kept for later. More may be in use.
const IDLE_CONNECTIONS_MAX: usize = 2;

/// Sends requests to one address, over connections that it keeps. Cheap to clone; the connections are shared, and idle
/// ones are closed with the last clone.
#[derive(Clone, Debug)]
pub struct Client {
    connector: Connector,
    /// Replaced as a whole by [`Client::close_idle`].
    pool: Arc<Mutex<Pool>>,
}

type Pool = legacy::Client<Connector, Body>;

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// There was no connection.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// The connection ended or broke before the head of an answer.
    #[error("{address}: {reason}")]
    Broken {
        /// Where the request was sent.
        address: Address,
        /// What happened.
        reason: String,
    },
    /// What came back is no HTTP/1.1.
    #[error("{address}: {reason}")]
    Garbled {
        /// Where the request was sent.
        address: Address,
        /// What is wrong with it.
        reason: String,
    },
    /// The request cannot be sent, or its own body failed.
    #[error("{0}")]
    Request(String),
}

impl Client {
    /// A client for `address` that waits for a connection, TLS included, as long as `patience`.
    pub fn new(address: Address, tls: Option<Tls>, patience: Duration) -> Client {
        let connector = Connector {
            target: Arc::new(Target { address, tls, patience }),
        };
        let pool = Arc::new(Mutex::new(pool(connector.clone())));
        Client { connector, pool }
    }

    /// Where requests go.
    pub fn address(&self) -> &Address {
        &self.connector.target.address
    }

    /// Sends a request and waits for the head of its answer, for as long as it takes. Path, query, headers and method
    /// are sent as they are; a `Host` is added if there is none. After an answer 101, `hyper::upgrade::on` gives the
    /// connection. Dropping the future or the answer's body ends the request at the peer too.
    ///
    /// # Errors
    ///
    /// See [`SendError`]; every answer, whatever its status, is none.
    pub async fn send(&self, mut request: Request<Body>) -> Result<Response<Incoming>, SendError> {
        let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
        // The pool wants an absolute URI. Its host is never looked at: the connector knows where to go.
        let uri = Uri::builder()
            .scheme("http")
            .authority("peer")
            .path_and_query(target)
            .build();
        *request.uri_mut() = uri.map_err(|error| SendError::Request(error.to_string()))?;
        if !request.headers().contains_key(HOST) {
            let host = HeaderValue::from_str(self.address().authority());
            request
                .headers_mut()
                .insert(HOST, host.map_err(|error| SendError::Request(error.to_string()))?);
        }
        // A poisoned pool is a whole pool: nothing is done to it under the lock but cloning and replacing.
        let pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner).clone();
        pool.request(request).await.map_err(|error| self.explain(&error))
    }

    /// Closes the connections that nothing uses; requests on their way are not disturbed.
    pub fn close_idle(&self) {
        *self.pool.lock().unwrap_or_else(PoisonError::into_inner) = pool(self.connector.clone());
    }

    fn explain(&self, error: &legacy::Error) -> SendError {
        let address = self.address().clone();
        let mut reason = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            if let Some(dial) = error.downcast_ref::<DialError>() {
                return SendError::Dial(dial.clone());
            }
            if let Some(error) = error.downcast_ref::<hyper::Error>() {
                if error.is_parse() {
                    let advice = match self.connector.target.tls {
                        None => "; does the other side speak TLS?",
                        Some(_) => "",
                    };
                    let reason = format!("{error}{advice}");
                    return SendError::Garbled { address, reason };
                }
                if error.is_user() {
                    return SendError::Request(error.to_string());
                }
            }
            reason = match error.downcast_ref::<io::Error>() {
                Some(error) => explain(error),
                None => error.to_string(),
            };
            cause = error.source();
        }
        SendError::Broken { address, reason }
    }
}

fn pool(connector: Connector) -> Pool {
    legacy::Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
        // The client's `Host` is passed on, and ours is set above.
        .set_host(false)
        .build(connector)
}

/// Dials the one address, whatever it is asked for.
#[derive(Clone, Debug)]
struct Connector {
    target: Arc<Target>,
}

#[derive(Debug)]
struct Target {
    address: Address,
    tls: Option<Tls>,
    patience: Duration,
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Stream>;
    type Error = DialError;
    type Future = Pin<Box<dyn Future<Output = Result<TokioIo<Stream>, DialError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), DialError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let target = self.target.clone();
        Box::pin(async move {
            Ok(TokioIo::new(
                dial(&target.address, target.tls.as_ref(), target.patience).await?,
            ))
        })
    }
}
