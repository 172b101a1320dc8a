//! Who is in the cluster: lists of addresses, from wherever they are kept.
//!
//! Owns the forms in which such lists are written. Must not know what the addresses are used for.

mod certificates;
mod consul;
mod election;
mod entry;
mod error;
mod etcd;
mod file;
mod kv;
mod moment;
mod nodes;
#[cfg(test)]
mod played;
pub mod range;
mod store;
mod token;
mod trouble;
#[cfg(feature = "zookeeper")]
mod zookeeper;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use kv::{Kind, Kv};

pub use election::{Election, Leadership};
pub use entry::{Entry, EntryError, UNIX, is_advertisable, parse_list, split_host_port};
pub use error::DiscoveryError;
pub use file::FILE_BYTES_MAX;
pub use kv::{CONSUL_TOKEN_OPTION, PASSWORD_OPTION};
pub use range::{ENTRIES_MAX, ENTRY_BYTES_MAX};
pub use store::StoreError;
pub use token::{TokenError, URL_OPTION, create_token};

/// The outcome of a registration, when it is there.
pub type Registration<'a> = Pin<Box<dyn Future<Output = Result<(), DiscoveryError>> + Send + 'a>>;

/// A place where the addresses of a cluster are kept.
pub trait Discovery: Send + Sync {
    /// Delivers the whole list first and whenever it has changed; an empty list is a list like any other. After an
    /// error the last list holds. `period` is the longest time between two looks, where changes are found by looking.
    ///
    /// The channel stays open until its receiver is dropped. To be called inside a tokio runtime.
    fn watch(self: Arc<Self>, period: Duration) -> mpsc::Receiver<Result<Vec<Entry>, DiscoveryError>>;

    /// Adds an address to the list for the given time, or keeps it there for another while.
    fn register<'a>(&'a self, advertise: &'a str, ttl: Duration) -> Registration<'a> {
        Box::pin(async move { self.register_all(&[advertise], ttl).await })
    }

    /// The same with several addresses, which come and go together.
    fn register_all<'a>(&'a self, advertise: &'a [&'a str], ttl: Duration) -> Registration<'a>;

    /// Takes the addresses off the list at once, if this has added them.
    fn withdraw(&self) -> Registration<'_> {
        Box::pin(async { Ok(()) })
    }

    /// Through which managers can elect one of themselves, if they can.
    fn election(&self) -> Option<Election> {
        None
    }
}

/// Opens what a discovery URL names. Text without `://` is a list of nodes.
pub fn open(url: &str, options: &BTreeMap<String, String>) -> Result<Arc<dyn Discovery>, DiscoveryError> {
    let (scheme, rest) = url.split_once("://").unwrap_or(("nodes", url));
    match scheme {
        "nodes" => Ok(Arc::new(nodes::Nodes::parse(rest)?)),
        // The first of a list whose scheme was left out.
        "unix" => Ok(Arc::new(nodes::Nodes::parse(url)?)),
        "file" => Ok(Arc::new(file::File::new(rest))),
        "token" => Ok(Arc::new(token::Cluster::open(rest, options)?)),
        "consul" => Ok(Arc::new(Kv::open(Kind::Consul, rest, options)?)),
        "etcd" => Ok(Arc::new(Kv::open(Kind::Etcd, rest, options)?)),
        #[cfg(feature = "zookeeper")]
        "zk" => Ok(Arc::new(Kv::open(Kind::ZooKeeper, rest, options)?)),
        #[cfg(not(feature = "zookeeper"))]
        "zk" => Err(DiscoveryError::NotBuiltIn("zk")),
        _ => Err(DiscoveryError::NotSupported),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(url: &str) -> String {
        open(url, &BTreeMap::new())
            .err()
            .map_or_else(String::new, |error| error.to_string())
    }

    #[test]
    fn the_scheme_chooses_the_back_end() {
        for url in [
            "nodes://a:1",
            "a:1,b:[2:3]",
            "unix:///a,b:1",
            "",
            "file:///nowhere",
            "consul://a/x",
            "etcd://a,b",
            #[cfg(feature = "zookeeper")]
            "zk://a,b/x",
        ] {
            assert_eq!(fault(url), "", "{url}");
        }
        assert_eq!(fault("bogus://x"), "discovery service not supported");
        assert_eq!(fault("://x"), "discovery service not supported");
        for url in ["token://", "token://host/path/"] {
            assert_eq!(fault(url), "token is empty");
        }
        assert_eq!(fault("consul://a,b/x"), "consul does not support multiple endpoints");
        assert!(fault("token://abc").contains("there is no public discovery service"));
    }
}
