//! ZooKeeper: nodes that live as long as the session that has made them, and watches that fire once.
//!
//! A lease is a session of its own. ZooKeeper has no such thing as a look from which a wait goes on, but numbers its
//! changes: a wait looks again, and waits if the number is still the same.

mod line;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex as AsyncMutex, OnceCell};
use zookeeper_client::{Acls, Client, CreateMode, CreateOptions, Error};

use crate::net::{Address, Tls};
use line::Lines;

use super::store::{Lease, Mark, PATIENCE, Place, StoreError};

/// How long the session lasts by which is only read.
const READER: Duration = Duration::from_secs(10);

/// Values that are asked for at a time. A list is one question per value, which a slow line would make longer than
/// anybody waits.
const QUESTIONS_MAX: usize = 256;

/// Who asks, where the servers want to know. What is made then is this user's alone, and everybody's otherwise.
#[derive(Clone)]
pub(super) struct User(pub String);

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("User")
    }
}

/// An ensemble of servers.
#[derive(Debug)]
pub(super) struct ZooKeeper {
    /// `host:port,host:port`
    servers: String,
    user: Option<User>,
    secured: Option<Box<Secured>>,
    reader: AsyncMutex<Option<Client>>,
}

/// Where the servers want to be spoken to by TLS.
#[derive(Debug)]
struct Secured {
    addresses: Vec<Address>,
    tls: Tls,
    /// Opened when they are needed.
    lines: OnceCell<Lines>,
}

/// What belongs to a lease.
#[derive(Debug)]
pub(super) struct Session {
    client: Client,
    /// What was made in it, to be deleted when it ends before its time.
    keys: Mutex<BTreeSet<String>>,
}

impl ZooKeeper {
    pub fn new(addresses: Vec<Address>, tls: Option<Tls>, user: Option<User>) -> ZooKeeper {
        let bare = |address: &Address| address.to_string().trim_start_matches("tcp://").to_owned();
        ZooKeeper {
            servers: addresses.iter().map(bare).collect::<Vec<_>>().join(","),
            user,
            secured: tls.map(|tls| {
                let lines = OnceCell::new();
                Box::new(Secured { addresses, tls, lines })
            }),
            reader: AsyncMutex::new(None),
        }
    }

    pub async fn list(&self, directory: &str) -> Result<(Vec<String>, Mark), StoreError> {
        let reader = self.reader().await?;
        let listing = async {
            let (mut names, stat) = match reader.get_children(directory).await {
                Err(Error::NoNode) => {
                    // Only what exists can be watched.
                    reader.mkdir(directory, &self.kind(CreateMode::Persistent)).await?;
                    reader.get_children(directory).await?
                }
                found => found?,
            };
            names.sort_unstable();
            let mut values = Vec::with_capacity(names.len());
            for names in names.chunks(QUESTIONS_MAX) {
                // A question is sent when its future is made.
                let ask = |name: &String| reader.get_data(&format!("{directory}/{name}"));
                let asked: Vec<_> = names.iter().map(ask).collect();
                for answer in asked {
                    match answer.await {
                        Ok((value, _)) => values.push(text(&value)),
                        // Gone since.
                        Err(Error::NoNode) => {}
                        Err(error) => return Err(error),
                    }
                }
            }
            Ok((values, Mark(number(stat.pzxid))))
        };
        self.bounded(listing).await
    }

    pub async fn read(&self, key: &str) -> Result<(Option<String>, Mark), StoreError> {
        let reader = self.reader().await?;
        let reading = async {
            match reader.get_data(key).await {
                // What no session owns is the trace of a lock that the original has left behind.
                Ok((value, stat)) => {
                    let held = stat.ephemeral_owner != 0;
                    Ok((held.then(|| text(&value)), Mark(number(stat.mzxid))))
                }
                Err(Error::NoNode) => Ok((None, Mark(0))),
                Err(error) => Err(error),
            }
        };
        self.bounded(reading).await
    }

    pub async fn wait(&self, place: Place<'_>, mark: Mark, at_most: Duration) -> Result<(), StoreError> {
        let reader = self.reader().await?;
        let watching = async {
            let (seen, watcher) = match place {
                Place::Key(key) => {
                    let (stat, watcher) = reader.check_and_watch_stat(key).await?;
                    (stat.map_or(0, |stat| number(stat.mzxid)), watcher)
                }
                Place::Below(directory) => {
                    let (_, stat, watcher) = reader.get_and_watch_children(directory).await?;
                    (number(stat.pzxid), watcher)
                }
            };
            Ok((seen == mark.0).then_some(watcher))
        };
        if let Some(watcher) = self.bounded(watching).await? {
            // An event may say that the session has ended, which the next look finds out.
            let _ = tokio::time::timeout(at_most, watcher.changed()).await;
        }
        Ok(())
    }

    pub async fn grant(&self, ttl: Duration) -> Result<Lease, StoreError> {
        // A session ends with the tick after its time is over.
        let session = self.connect(ttl - ttl / 8).await?;
        let id = format!("{:?}", session.session_id());
        // The servers have their own bounds. A server that fails may have heard of the last sign of life and not told
        // the one that counts, which happens at least twice per tick: a third is more than that.
        let lasts = session.session_timeout() * 2 / 3;
        let keys = Mutex::default();
        let session = Some(Arc::new(Session { client: session, keys }));
        Ok(Lease { id, lasts, session })
    }

    pub async fn renew(&self, lease: &Lease) -> Result<(), StoreError> {
        let session = &session(lease)?.client;
        // Any answer shows that the servers count from then on.
        self.bounded(async { session.check_stat("/").await.map(drop) }).await
    }

    pub async fn put(&self, lease: &Lease, key: &str, value: &str) -> Result<(), StoreError> {
        let own = session(lease)?;
        own.keys
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key.to_owned());
        let session = &own.client;
        let putting = async {
            for _ in 0..3 {
                match self.create(session, key, value).await {
                    Err(Error::NodeExists) => {}
                    other => return other,
                }
                match session.check_stat(key).await? {
                    Some(stat) if stat.ephemeral_owner == session.session_id().0 => {
                        return session.set_data(key, value.as_bytes(), None).await.map(drop);
                    }
                    // Left by an earlier life, it would vanish with its session. Replaced in one step, it is never gone.
                    _ => {
                        let mut replacing = session.new_multi_writer();
                        replacing.add_delete(key, None)?;
                        replacing.add_create(key, value.as_bytes(), &self.kind(CreateMode::Ephemeral))?;
                        match replacing.commit().await.map_err(Error::from) {
                            Ok(_) => return Ok(()),
                            // Gone, or another's, meanwhile.
                            Err(Error::NoNode | Error::NodeExists) => {}
                            Err(error) => return Err(error),
                        }
                    }
                }
            }
            Err(Error::NodeExists)
        };
        self.bounded(putting).await
    }

    pub async fn claim(&self, lease: &Lease, key: &str, value: &str) -> Result<bool, StoreError> {
        let own = session(lease)?;
        own.keys
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key.to_owned());
        let session = &own.client;
        let claiming = async {
            match self.create(session, key, value).await {
                Ok(()) => Ok(true),
                Err(Error::NodeExists) => match session.check_stat(key).await? {
                    Some(stat) if stat.ephemeral_owner == 0 => {
                        session.delete(key, Some(stat.version)).await?;
                        Ok(false)
                    }
                    Some(stat) => Ok(stat.ephemeral_owner == session.session_id().0),
                    None => Ok(false),
                },
                Err(error) => Err(error),
            }
        };
        self.bounded(claiming).await
    }

    /// Deletes what was made. The session itself ends with the lease, or when the servers hear nothing more of it.
    pub async fn revoke(&self, lease: &Lease) -> Result<(), StoreError> {
        let Session { client, keys } = session(lease)?;
        let keys = std::mem::take(&mut *keys.lock().unwrap_or_else(PoisonError::into_inner));
        let deleting = async {
            for key in keys {
                match client.check_stat(&key).await? {
                    Some(stat) if stat.ephemeral_owner == client.session_id().0 => client.delete(&key, None).await?,
                    // Another's by now.
                    _ => {}
                }
            }
            Ok(())
        };
        self.bounded(deleting).await
    }

    fn kind(&self, mode: CreateMode) -> CreateOptions<'static> {
        mode.with_acls(match self.user {
            Some(_) => Acls::creator_all(),
            None => Acls::anyone_all(),
        })
    }

    async fn create(&self, session: &Client, key: &str, value: &str) -> Result<(), Error> {
        match session
            .create(key, value.as_bytes(), &self.kind(CreateMode::Ephemeral))
            .await
        {
            Err(Error::NoNode) => {
                if let Some((parent, _)) = key.rsplit_once('/') {
                    session.mkdir(parent, &self.kind(CreateMode::Persistent)).await?;
                }
                session
                    .create(key, value.as_bytes(), &self.kind(CreateMode::Ephemeral))
                    .await
                    .map(drop)
            }
            created => created.map(drop),
        }
    }

    async fn reader(&self) -> Result<Client, StoreError> {
        let mut reader = self.reader.lock().await;
        match &*reader {
            Some(client) if !client.state().is_terminated() => Ok(client.clone()),
            _ => {
                let client = self.connect(READER).await?;
                *reader = Some(client.clone());
                Ok(client)
            }
        }
    }

    async fn connect(&self, session: Duration) -> Result<Client, StoreError> {
        let mut connector = Client::connector()
            .with_session_timeout(session)
            .with_connection_timeout(PATIENCE)
            .with_fail_eagerly();
        let mut servers = self.servers.clone();
        if let Some(Secured { addresses, tls, lines }) = self.secured.as_deref() {
            let lines = lines.get_or_try_init(|| Lines::open(addresses, tls)).await;
            let lines = lines.map_err(|error| StoreError::Unreachable(format!("{servers}: {error}")))?;
            // Before all other introductions, since that is where it is looked for.
            let (scheme, secret) = lines.word().parts();
            connector = connector.with_auth(scheme, secret);
            servers = lines.servers();
        }
        if let Some(User(credentials)) = &self.user {
            connector = connector.with_auth("digest", credentials.as_bytes());
        }
        self.bounded(connector.connect(&servers)).await
    }

    async fn bounded<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, StoreError> {
        match tokio::time::timeout(PATIENCE, work).await {
            Ok(outcome) => outcome.map_err(|error| self.failure(&error)),
            Err(_) => Err(match self.fault() {
                Some(fault) => StoreError::Unreachable(fault),
                None => StoreError::Silent(self.servers.clone()),
            }),
        }
    }

    /// What keeps lines from the servers, which the client does not know.
    fn fault(&self) -> Option<String> {
        self.secured.as_ref()?.lines.get()?.fault()
    }

    fn failure(&self, error: &Error) -> StoreError {
        let address = self.servers.clone();
        match error {
            Error::SessionExpired | Error::ClientClosed | Error::SessionMoved => StoreError::LeaseLost,
            Error::UnmarshalError { .. } | Error::UnexpectedError(_) => StoreError::Garbled {
                address,
                reason: error.to_string(),
            },
            Error::NoAuth | Error::AuthFailed | Error::InvalidAcl | Error::QuotaExceeded | Error::BadArguments(_) => {
                StoreError::Refused {
                    address,
                    message: error.to_string(),
                }
            }
            other => StoreError::Unreachable(self.fault().unwrap_or_else(|| format!("{address}: {other}"))),
        }
    }
}

fn session(lease: &Lease) -> Result<&Session, StoreError> {
    lease.session.as_deref().ok_or(StoreError::LeaseLost)
}

/// Changes are numbered from one on.
fn number(zxid: i64) -> u64 {
    u64::try_from(zxid).unwrap_or(0)
}

fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}
