//! Addresses in a store: each under a key of its own, for as long as it is renewed (`manager/DISCOVERY.md` §4.4).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use hyper::header::HeaderValue;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

use crate::net::{Address, Client};

use super::certificates;
use super::consul::Consul;
use super::election::Election;
use super::error::DiscoveryError;
use super::etcd::{Etcd, User};
use super::store::{Ending, Lease, Mark, PATIENCE, Place, Store, StoreError};
use super::trouble::{Trouble, Troubles};
#[cfg(feature = "zookeeper")]
use super::zookeeper;
use super::{Discovery, ENTRIES_MAX, ENTRY_BYTES_MAX, Entry, Registration, split_host_port};

/// Where the addresses are below the prefix, unless `kv.path` says otherwise.
const NODES: &str = "docker/swarm/nodes";
/// Where the primary's address is below the prefix.
const LEADER: &str = "docker/swarm/leader";

/// Addresses that are written at the same time.
const PUT_AT_ONCE: usize = 16;

/// The option with the token that Consul wants to see.
pub const CONSUL_TOKEN_OPTION: &str = "kv.token";
/// The option with the password of `kv.username`.
pub const PASSWORD_OPTION: &str = "kv.password";

/// The kinds of store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Etcd,
    Consul,
    #[cfg(feature = "zookeeper")]
    ZooKeeper,
}

impl Kind {
    fn port(self) -> u16 {
        match self {
            Kind::Etcd => 2379,
            Kind::Consul => 8500,
            #[cfg(feature = "zookeeper")]
            Kind::ZooKeeper => 2181,
        }
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Kv {
    store: Arc<Store>,
    directory: String,
    leader: String,
    /// Whether a list that turns empty all at once is not believed: so looks a store that has lost everything.
    keep_when_empty: bool,
    registered: Mutex<Option<Registered>>,
}

/// What this process keeps in the store.
#[derive(Debug)]
struct Registered {
    advertise: Vec<String>,
    ttl: Duration,
    lease: Lease,
}

impl Kv {
    /// Reads what stands behind `etcd://` or `consul://`: `<host>[:<port>],…[/<prefix>]`. Nothing is sent yet.
    pub fn open(kind: Kind, rest: &str, options: &BTreeMap<String, String>) -> Result<Kv, DiscoveryError> {
        let option = |key: &str| options.get(key).map(String::as_str).filter(|value| !value.is_empty());
        let (hosts, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let hosts: Vec<&str> = hosts.split(',').collect();
        if kind == Kind::Consul && hosts.len() > 1 {
            return Err(DiscoveryError::ManyEndpoints);
        }
        let tls = certificates::read(options)?;
        let addresses = hosts.into_iter().map(|host| {
            Address::parse(&with_port(host, kind.port()))
                .map_err(|error| DiscoveryError::Endpoint(host.to_owned(), error.to_string()))
        });
        let addresses = addresses.collect::<Result<Vec<_>, DiscoveryError>>()?;
        let clients = || {
            addresses
                .iter()
                .map(|address| Client::new(address.clone(), tls.clone(), PATIENCE))
        };
        let user =
            option("kv.username").map(|name| (name.to_owned(), option(PASSWORD_OPTION).unwrap_or_default().to_owned()));
        let store = match kind {
            Kind::Etcd => {
                let user = user.map(|(name, password)| User { name, password });
                Store::Etcd(Etcd::new(clients().collect(), user))
            }
            Kind::Consul => {
                let token = option(CONSUL_TOKEN_OPTION).map(HeaderValue::from_str).transpose();
                let fault = "it is no text of a header".to_owned();
                let mut token = token.map_err(|_| DiscoveryError::Option(CONSUL_TOKEN_OPTION, fault))?;
                if let Some(token) = &mut token {
                    token.set_sensitive(true);
                }
                // There is exactly one.
                let agent = clients().next().ok_or(DiscoveryError::ManyEndpoints)?;
                Store::Consul(Consul::new(agent, token))
            }
            #[cfg(feature = "zookeeper")]
            Kind::ZooKeeper => {
                let user = user.map(|(name, password)| zookeeper::User(format!("{name}:{password}")));
                Store::ZooKeeper(zookeeper::ZooKeeper::new(addresses, tls, user))
            }
        };
        let keep_when_empty = match option("kv.keep-when-empty") {
            None | Some("false") => false,
            Some("true") => true,
            Some(other) => {
                let fault = format!("it is true or false, not {other}");
                return Err(DiscoveryError::Option("kv.keep-when-empty", fault));
            }
        };
        Ok(Kv {
            store: Arc::new(store),
            directory: joined(kind, prefix, option("kv.path").unwrap_or(NODES)),
            leader: joined(kind, prefix, LEADER),
            keep_when_empty,
            registered: Mutex::new(None),
        })
    }

    async fn keep(&self, advertise: &[&str], ttl: Duration) -> Result<(), StoreError> {
        let mut registered = self.registered.lock().await;
        let known = registered
            .as_ref()
            .filter(|known| known.advertise == advertise && known.ttl == ttl);
        if let Some(known) = known {
            match self.store.renew(&known.lease).await {
                Ok(_) => {
                    // A store may have been wiped without forgetting the lease.
                    let missing = self.missing(advertise).await?;
                    match self.put(&known.lease, &missing).await {
                        Err(StoreError::LeaseLost) => {}
                        outcome => return outcome,
                    }
                }
                Err(StoreError::LeaseLost) => {}
                Err(error) => return Err(error),
            }
        }
        let lease = self.store.grant(ttl, Ending::Delete).await?;
        // Known before anything is written under it, so that it can be withdrawn, or tried again, whatever becomes of
        // the writing.
        let known = registered.insert(Registered {
            advertise: advertise.iter().map(|address| (*address).to_owned()).collect(),
            ttl,
            lease,
        });
        let lease = known.lease.clone();
        self.put(&lease, advertise).await
    }

    /// Those of our addresses that are not there.
    async fn missing<'a>(&self, advertise: &[&'a str]) -> Result<Vec<&'a str>, StoreError> {
        // One of many engines that each have a process asks for its own alone.
        if let [one] = advertise {
            let found = self.store.read(&self.key(one)).await?.0;
            return Ok(if found.is_some() { Vec::new() } else { vec![*one] });
        }
        let (listed, _) = self.store.list(&self.directory).await?;
        let listed: BTreeSet<String> = listed.into_iter().collect();
        let absent = |address: &&&str| !listed.contains(**address);
        Ok(advertise.iter().filter(absent).copied().collect())
    }

    /// Writes addresses under a lease, some of them at the same time.
    async fn put(&self, lease: &Lease, advertise: &[&str]) -> Result<(), StoreError> {
        for some in advertise.chunks(PUT_AT_ONCE) {
            let mut writing = JoinSet::new();
            for address in some {
                let (store, lease) = (Arc::clone(&self.store), lease.clone());
                let (key, address) = (self.key(address), (*address).to_owned());
                writing.spawn(async move { store.put(&lease, &key, &address).await });
            }
            while let Some(written) = writing.join_next().await {
                // A panic has been told where it happened.
                written.unwrap_or_else(|error| Err(StoreError::Unreachable(error.to_string())))?;
            }
        }
        Ok(())
    }

    fn key(&self, address: &str) -> String {
        format!("{}/{address}", self.directory)
    }

    async fn follow(&self, period: Duration, lists: mpsc::Sender<Result<Vec<Entry>, DiscoveryError>>) {
        let mut troubles = Troubles::none(period);
        let mut told: Option<Vec<String>> = None;
        loop {
            let (error, trouble) = match self.look(&mut told, &mut troubles, &lists).await {
                Ok(mark) => match self.store.wait(Place::Below(&self.directory), mark, period).await {
                    Ok(()) => {
                        troubles.waited();
                        continue;
                    }
                    Err(_) if troubles.forgives() => continue,
                    Err(error) => (error.into(), Trouble::Watch),
                },
                Err(Some(error)) => {
                    let trouble = Trouble::of(&error);
                    (error, trouble)
                }
                Err(None) => return,
            };
            if troubles.is_news(trouble) && lists.send(Err(error)).await.is_err() {
                return;
            }
            tokio::time::sleep(troubles.pause()).await;
        }
    }

    /// Tells the list if it is another one, or if there was trouble before. `Err(None)` if nobody listens any more.
    async fn look(
        &self,
        told: &mut Option<Vec<String>>,
        troubles: &mut Troubles,
        lists: &mpsc::Sender<Result<Vec<Entry>, DiscoveryError>>,
    ) -> Result<Mark, Option<DiscoveryError>> {
        let (values, mark) = self
            .store
            .list(&self.directory)
            .await
            .map_err(|error| Some(error.into()))?;
        let values: Vec<String> = values.into_iter().filter(|value| !value.is_empty()).collect();
        let known = told.as_ref().map_or(0, Vec::len);
        if values.is_empty() && known > 0 && self.keep_when_empty {
            return Err(Some(DiscoveryError::TurnedEmpty(known)));
        }
        let entries = entries(&values).map_err(Some)?;
        let was_in_trouble = troubles.looked();
        if was_in_trouble || told.as_ref() != Some(&values) {
            if lists.send(Ok(entries)).await.is_err() {
                return Err(None);
            }
            *told = Some(values);
        }
        Ok(mark)
    }
}

/// Reads the values of a store, within the bounds of all lists.
fn entries(values: &[String]) -> Result<Vec<Entry>, DiscoveryError> {
    if values.len() > ENTRIES_MAX {
        return Err(DiscoveryError::TooManyEntries);
    }
    if values.iter().any(|value| value.len() > ENTRY_BYTES_MAX) {
        return Err(DiscoveryError::EntryTooLong);
    }
    Ok(values
        .iter()
        .map(|value| Entry::parse(value))
        .collect::<Result<_, _>>()?)
}

impl Discovery for Kv {
    fn watch(self: Arc<Self>, period: Duration) -> mpsc::Receiver<Result<Vec<Entry>, DiscoveryError>> {
        let (sender, receiver) = mpsc::channel(1);
        tokio::spawn(async move {
            tokio::select! {
                () = self.follow(period, sender.clone()) => {}
                () = sender.closed() => {}
            }
        });
        receiver
    }

    fn register_all<'a>(&'a self, advertise: &'a [&'a str], ttl: Duration) -> Registration<'a> {
        Box::pin(async move { Ok(self.keep(advertise, ttl).await?) })
    }

    fn withdraw(&self) -> Registration<'_> {
        Box::pin(async move {
            if let Some(registered) = self.registered.lock().await.take() {
                self.store.revoke(&registered.lease).await?;
            }
            Ok(())
        })
    }

    fn election(&self) -> Option<Election> {
        Some(Election::new(Arc::clone(&self.store), self.leader.clone()))
    }
}

/// A host with the port that such stores usually have, unless it has one.
fn with_port(host: &str, usual: u16) -> String {
    match split_host_port(host) {
        Ok(_) => host.to_owned(),
        Err(_) => format!("{host}:{usual}"),
    }
}

/// A key from its parts, without empty ones. Those of etcd and ZooKeeper begin with a slash, as they have to in the
/// latter and had to in the second version of the former.
fn joined(kind: Kind, prefix: &str, rest: &str) -> String {
    let parts = prefix.split('/').chain(rest.split('/')).filter(|part| !part.is_empty());
    let joined = parts.collect::<Vec<_>>().join("/");
    match kind {
        Kind::Consul => joined,
        _ => format!("/{joined}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn open(kind: Kind, rest: &str, options: &[(&str, &str)]) -> Result<Kv, DiscoveryError> {
        let options = options
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        Kv::open(kind, rest, &options.collect())
    }

    #[test]
    fn keys_are_below_the_prefix() {
        let etcd = open(Kind::Etcd, "a,b:1,[::1]:2/pre//fix/", &[]).expect("a store");
        assert_eq!(etcd.directory, "/pre/fix/docker/swarm/nodes");
        assert_eq!(etcd.leader, "/pre/fix/docker/swarm/leader");
        let elsewhere = open(Kind::Consul, "a/pre", &[("kv.path", "/foo/bar/")]).expect("a store");
        assert_eq!(elsewhere.directory, "pre/foo/bar");
        assert_eq!(elsewhere.leader, "pre/docker/swarm/leader");
        let bare = open(Kind::Consul, "a", &[]).expect("a store");
        assert_eq!(bare.directory, "docker/swarm/nodes");
    }

    #[test]
    fn faults_of_url_and_options_are_told() {
        let fault = |kind, rest, options: &[(&str, &str)]| {
            open(kind, rest, options)
                .err()
                .map_or_else(String::new, |error| error.to_string())
        };
        assert_eq!(
            fault(Kind::Consul, "a,b/x", &[]),
            "consul does not support multiple endpoints"
        );
        assert!(fault(Kind::Etcd, "a:port", &[]).contains("a:port"));
        assert!(fault(Kind::Etcd, "a", &[("kv.keep-when-empty", "maybe")]).contains("true or false, not maybe"));
        let tls = [
            ("kv.cacertfile", "/nowhere"),
            ("kv.certfile", "/nowhere"),
            ("kv.keyfile", "/nowhere"),
        ];
        assert!(fault(Kind::Etcd, "a", &tls).contains("/nowhere"));
        #[cfg(feature = "zookeeper")]
        assert!(fault(Kind::ZooKeeper, "a", &tls).contains("/nowhere"));
        for kind in [Kind::Etcd, Kind::Consul] {
            assert!(fault(kind, "a", &tls[..2]).contains("kv.keyfile is missing"));
        }
    }

    proptest! {
        #[test]
        fn any_url_is_a_store_or_an_error(rest in any::<String>(), path in any::<String>()) {
            for kind in [Kind::Etcd, Kind::Consul] {
                let _ = open(kind, &rest, &[("kv.path", &path)]);
            }
        }
    }
}
