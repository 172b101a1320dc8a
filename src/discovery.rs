//! Who is in the cluster: lists of addresses, from wherever they are kept.
//!
//! Owns the forms in which such lists are written. Must not know what the addresses are used for.

mod entry;
mod error;
mod file;
mod nodes;
pub mod range;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

pub use entry::{Entry, EntryError, UNIX, is_advertisable, parse_list, split_host_port};
pub use error::DiscoveryError;
pub use file::FILE_BYTES_MAX;
pub use range::{ENTRIES_MAX, ENTRY_BYTES_MAX};

/// The outcome of a registration, when it is there.
pub type Registration<'a> = Pin<Box<dyn Future<Output = Result<(), DiscoveryError>> + Send + 'a>>;

/// A place where the addresses of a cluster are kept.
pub trait Discovery: Send + Sync {
    /// Delivers the whole list first and whenever it has changed; an empty list is a list like any other. After an
    /// error the last list holds. `period` is the longest time between two looks, where changes are found by looking.
    ///
    /// The channel stays open until its receiver is dropped. To be called inside a tokio runtime.
    fn watch(self: Arc<Self>, period: Duration) -> mpsc::Receiver<Result<Vec<Entry>, DiscoveryError>>;

    /// Adds an address to the list for the given time.
    fn register<'a>(&'a self, advertise: &'a str, ttl: Duration) -> Registration<'a>;

    /// Whether managers can elect one of themselves through this.
    fn elects(&self) -> bool;
}

/// Opens what a discovery URL names. Text without `://` is a list of nodes.
pub fn open(url: &str, options: &BTreeMap<String, String>) -> Result<Arc<dyn Discovery>, DiscoveryError> {
    // What stores would need; none of them is built in yet.
    let _ = options;
    let (scheme, rest) = url.split_once("://").unwrap_or(("nodes", url));
    match scheme {
        "nodes" => Ok(Arc::new(nodes::Nodes::parse(rest)?)),
        // The first of a list whose scheme was left out.
        "unix" => Ok(Arc::new(nodes::Nodes::parse(url)?)),
        "file" => Ok(Arc::new(file::File::new(rest))),
        "token" if token(rest).is_empty() => Err(DiscoveryError::EmptyToken),
        "consul" if endpoints(rest).count() > 1 => Err(DiscoveryError::ManyEndpoints),
        "token" => Err(DiscoveryError::NotBuiltIn("token")),
        "consul" => Err(DiscoveryError::NotBuiltIn("consul")),
        "etcd" => Err(DiscoveryError::NotBuiltIn("etcd")),
        "zk" => Err(DiscoveryError::NotBuiltIn("zk")),
        _ => Err(DiscoveryError::NotSupported),
    }
}

/// The token of `<token>` or `<host>/<path>/<token>`.
fn token(rest: &str) -> &str {
    rest.rsplit_once('/').map_or(rest, |(_, token)| token)
}

/// The endpoints of `<host>,<host>/<prefix>`.
fn endpoints(rest: &str) -> impl Iterator<Item = &str> {
    let hosts = rest.split_once('/').map_or(rest, |(hosts, _)| hosts);
    hosts.split(',')
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
        for url in ["nodes://a:1", "a:1,b:[2:3]", "unix:///a,b:1", "", "file:///nowhere"] {
            assert_eq!(fault(url), "", "{url}");
        }
        assert_eq!(fault("bogus://x"), "discovery service not supported");
        assert_eq!(fault("://x"), "discovery service not supported");
        for url in ["token://", "token://host/path/"] {
            assert_eq!(fault(url), "token is empty");
        }
        assert_eq!(fault("consul://a,b/x"), "consul does not support multiple endpoints");
        for url in ["token://abc", "consul://a/x", "etcd://a,b", "zk://a,b/x"] {
            assert!(fault(url).contains("is not built in yet"), "{url}");
        }
    }
}
