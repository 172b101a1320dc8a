//! `nodes://a:1,b:2`: a list that stands in the URL and never changes.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::error::DiscoveryError;
use super::{Discovery, Entry, Registration, parse_list};

/// A list that never changes.
pub struct Nodes {
    entries: Vec<Entry>,
}

impl Nodes {
    /// Reads what stands behind `nodes://`. Spaces belong to the entries.
    pub fn parse(list: &str) -> Result<Nodes, DiscoveryError> {
        let parts: Vec<&str> = list.split(',').collect();
        match parse_list(&parts) {
            Ok(entries) => Ok(Nodes { entries }),
            Err(DiscoveryError::Entry(error)) => Err(DiscoveryError::Nodes(error)),
            Err(error) => Err(error),
        }
    }
}

impl Discovery for Nodes {
    fn watch(self: Arc<Self>, _period: Duration) -> mpsc::Receiver<Result<Vec<Entry>, DiscoveryError>> {
        let (sender, receiver) = mpsc::channel(1);
        tokio::spawn(async move {
            if sender.send(Ok(self.entries.clone())).await.is_ok() {
                // There is nothing more to say, but an ended channel would say that the list is not watched any more.
                sender.closed().await;
            }
        });
        receiver
    }

    fn register_all<'a>(&'a self, _advertise: &'a [&'a str], _ttl: Duration) -> Registration<'a> {
        Box::pin(async { Err(DiscoveryError::CannotRegister) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_malformed_list_asks_for_the_scheme() {
        let error = Nodes::parse("10.0.0.1").err().expect("no port").to_string();
        assert_eq!(
            error,
            "address 10.0.0.1: missing port in address, please check you are using the correct discovery \
             (missing token:// ?)"
        );
        assert!(
            Nodes::parse("a:1, b:2").is_ok_and(|nodes| nodes.entries[1].to_string() == " b:2"),
            "spaces stay"
        );
        assert!(Nodes::parse("a:[0:4000000000]").is_err());
    }

    #[tokio::test]
    async fn the_list_comes_once_and_the_channel_stays_open() {
        let nodes = Arc::new(Nodes::parse("a:1,b:[2:3]").expect("a list"));
        let mut lists = nodes.watch(Duration::from_millis(1));
        let list = lists.recv().await.expect("a list").expect("a valid one");
        assert_eq!(list.len(), 3);
        let more = tokio::time::timeout(Duration::from_millis(20), lists.recv()).await;
        assert!(more.is_err(), "neither a list nor the end");
    }
}
