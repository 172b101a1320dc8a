//! Stores of keys and values that several programs share: what discovery and election need of them, and nothing else.
//!
//! Whoever writes does so under a lease: what was written vanishes when the lease is not renewed. A look at the store has
//! a mark, from which the wait for a change begins, so that nothing between the look and the wait is missed.

#[cfg(feature = "zookeeper")]
use std::sync::Arc;
use std::time::Duration;

use crate::net::SendError;

use super::consul::Consul;
use super::etcd::Etcd;
use super::moment::Moment;
#[cfg(feature = "zookeeper")]
use super::zookeeper::{Session, ZooKeeper};

/// How long a store is waited for until it has answered a question.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// Bytes of an answer that are read: room for a list of the most entries that are taken in.
pub(super) const ANSWER_BYTES_MAX: usize = 64 << 20;

/// The least time that a wait for a change takes. What changes meanwhile is found in one look, as when a hundred
/// engines start together; and a store that reports changes that are none is not asked as fast as it answers.
pub(super) const BREATH: Duration = Duration::from_millis(50);

/// Why a store did not do what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It cannot be reached.
    #[error("cannot reach the store: {0}")]
    Unreachable(String),
    /// It has not answered in time.
    #[error("the store at {0} does not answer")]
    Silent(String),
    /// It answers, and refuses.
    #[error("the store at {address} refuses: {message}")]
    Refused {
        /// Where it is.
        address: String,
        /// What it says.
        message: String,
    },
    /// It answers with something else than such a store does.
    #[error("cannot understand the store at {address}: {reason}")]
    Garbled {
        /// Where it is.
        address: String,
        /// What is wrong with the answer.
        reason: String,
    },
    /// The lease has run out: what was written under it is gone, or another's.
    #[error("the lease in the store has run out")]
    LeaseLost,
}

impl From<SendError> for StoreError {
    fn from(error: SendError) -> StoreError {
        match error {
            SendError::Garbled { address, reason } => StoreError::Garbled {
                address: address.to_string(),
                reason,
            },
            other => StoreError::Unreachable(other.to_string()),
        }
    }
}

/// A state of the store, later ones being larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mark(pub u64);

/// What is watched.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place<'a> {
    /// One key.
    Key(&'a str),
    /// Everything below a key.
    Below(&'a str),
}

/// The right to keep something in the store.
#[derive(Clone, Debug)]
pub(super) struct Lease {
    /// The store's name for it.
    pub id: String,
    /// From the moment a renewal is sent, it is certain to last so long.
    pub lasts: Duration,
    /// Where a lease is a session: it ends with the last clone of the lease.
    #[cfg(feature = "zookeeper")]
    pub session: Option<Arc<Session>>,
}

impl Lease {
    pub fn new(id: String, lasts: Duration) -> Lease {
        Lease {
            id,
            lasts,
            #[cfg(feature = "zookeeper")]
            session: None,
        }
    }
}

/// A store.
#[derive(Debug)]
pub(super) enum Store {
    Etcd(Etcd),
    Consul(Consul),
    #[cfg(feature = "zookeeper")]
    ZooKeeper(ZooKeeper),
}

impl Store {
    /// The values of all keys below a directory, in the order of the keys.
    pub async fn list(&self, directory: &str) -> Result<(Vec<String>, Mark), StoreError> {
        match self {
            Store::Etcd(etcd) => etcd.list(directory).await,
            Store::Consul(consul) => consul.list(directory).await,
            #[cfg(feature = "zookeeper")]
            Store::ZooKeeper(servers) => servers.list(directory).await,
        }
    }

    /// The value of a key that is somebody's.
    pub async fn read(&self, key: &str) -> Result<(Option<String>, Mark), StoreError> {
        match self {
            Store::Etcd(etcd) => etcd.read(key).await,
            Store::Consul(consul) => consul.read(key).await,
            #[cfg(feature = "zookeeper")]
            Store::ZooKeeper(servers) => servers.read(key).await,
        }
    }

    /// Waits until something may have changed since the mark, for as long as `at_most`, and for [`BREATH`] at least.
    pub async fn wait(&self, place: Place<'_>, mark: Mark, at_most: Duration) -> Result<(), StoreError> {
        let least = tokio::time::sleep(BREATH);
        let waited = match self {
            Store::Etcd(etcd) => etcd.wait(place, mark, at_most).await,
            Store::Consul(consul) => consul.wait(place, mark, at_most).await,
            #[cfg(feature = "zookeeper")]
            Store::ZooKeeper(servers) => servers.wait(place, mark, at_most).await,
        };
        least.await;
        waited
    }

    /// A new lease that runs out after `ttl` without a renewal, or soon after.
    pub async fn grant(&self, ttl: Duration, behaviour: Ending) -> Result<Lease, StoreError> {
        match self {
            Store::Etcd(etcd) => etcd.grant(ttl).await,
            Store::Consul(consul) => consul.grant(ttl, behaviour).await,
            #[cfg(feature = "zookeeper")]
            Store::ZooKeeper(servers) => servers.grant(ttl).await,
        }
    }

    /// Renews a lease. Returns the moment until which it is certain to last.
    ///
    /// # Errors
    ///
    /// [`StoreError::LeaseLost`], or anything else, which may be tried again.
    pub async fn renew(&self, lease: &Lease) -> Result<Moment, StoreError> {
        let sent = Moment::now();
        match self {
            Store::Etcd(etcd) => etcd.renew(lease).await?,
            Store::Consul(consul) => consul.renew(lease).await?,
            #[cfg(feature = "zookeeper")]
            Store::ZooKeeper(servers) => servers.renew(lease).await?,
        }
        Ok(sent + lease.lasts)
    }

    /// Writes a value under a lease.
    pub async fn put(&self, lease: &Lease, key: &str, value: &str) -> Result<(), StoreError> {
        match self {
            Store::Etcd(etcd) => etcd.put(lease, key, value).await,
            Store::Consul(consul) => consul.put(lease, key, value).await,
            #[cfg(feature = "zookeeper")]
            Store::ZooKeeper(servers) => servers.put(lease, key, value).await,
        }
    }

    /// Writes a value under a lease unless the key is somebody else's. Returns whether it is ours.
    pub async fn claim(&self, lease: &Lease, key: &str, value: &str) -> Result<bool, StoreError> {
        match self {
            Store::Etcd(etcd) => etcd.claim(lease, key, value).await,
            Store::Consul(consul) => consul.claim(lease, key, value).await,
            #[cfg(feature = "zookeeper")]
            Store::ZooKeeper(servers) => servers.claim(lease, key, value).await,
        }
    }

    /// Ends a lease, and with it everything that was written under it.
    pub async fn revoke(&self, lease: &Lease) -> Result<(), StoreError> {
        match self {
            Store::Etcd(etcd) => etcd.revoke(lease).await,
            Store::Consul(consul) => consul.revoke(lease).await,
            #[cfg(feature = "zookeeper")]
            Store::ZooKeeper(servers) => servers.revoke(lease).await,
        }
    }
}

/// What becomes of keys when their lease ends, where the store lets us choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// They are deleted.
    Delete,
    /// They stay, and are nobody's.
    Release,
}

/// One endpoint of a store, with what a request to it came to.
pub(super) mod http {
    use super::{ANSWER_BYTES_MAX, PATIENCE, StoreError};
    use crate::net::{Body, Client};
    use bytes::Bytes;
    use http_body_util::{BodyExt, Limited};
    use hyper::header::HeaderMap;
    use hyper::{Request, StatusCode};

    /// An answer, read as a whole.
    pub struct Answer {
        pub status: StatusCode,
        pub headers: HeaderMap,
        pub body: Bytes,
    }

    impl Answer {
        /// The body as text, shortened.
        pub fn text(&self) -> String {
            const CHARS_MAX: usize = 500;
            let text = String::from_utf8_lossy(&self.body);
            text.trim().chars().take(CHARS_MAX).collect()
        }
    }

    /// Sends a request and reads the whole answer, in `patience`.
    pub async fn ask(
        client: &Client,
        request: Request<Body>,
        patience: std::time::Duration,
    ) -> Result<Answer, StoreError> {
        let exchange = async {
            let (head, body) = client.send(request).await?.into_parts();
            let read = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
            let body = read.map_err(|error| StoreError::Unreachable(format!("{}: {error}", client.address())))?;
            Ok(Answer {
                status: head.status,
                headers: head.headers,
                body: body.to_bytes(),
            })
        };
        match tokio::time::timeout(patience.max(PATIENCE), exchange).await {
            Ok(outcome) => outcome,
            Err(_) => Err(StoreError::Silent(client.address().to_string())),
        }
    }

    /// A text as a part of a path, in which slashes stay.
    pub fn escaped(key: &str) -> String {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~/:".contains(&byte);
        let mut escaped = String::with_capacity(key.len());
        for byte in key.bytes() {
            if plain(byte) {
                escaped.push(char::from(byte));
            } else {
                escaped.push_str(&format!("%{byte:02X}"));
            }
        }
        escaped
    }
}
