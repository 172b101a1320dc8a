//! What of a cluster's changes a table has taken in.

use crate::cluster::Cluster;
use crate::model::NodeIdx;

/// The state of the cluster that a table reflects.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    /// `None` before the first look.
    at: Option<(u64, u64)>,
}

/// What a table has to take in.
pub(super) enum News<'a> {
    /// These nodes, with repetitions; possibly none.
    Nodes(&'a [NodeIdx]),
    /// Everything: it is new, positions have shifted, or too much has happened.
    Everything,
}

impl Seen {
    /// What has changed about nodes and their containers since the last time; from now on it counts as taken in.
    pub(super) fn changes<'a>(&mut self, cluster: &'a Cluster) -> News<'a> {
        self.news(cluster, cluster.revision(), Cluster::changed_since)
    }

    /// The same for labels and images only.
    pub(super) fn descriptions<'a>(&mut self, cluster: &'a Cluster) -> News<'a> {
        self.news(cluster, cluster.description_revision(), Cluster::described_since)
    }

    /// The same for nodes that come and go.
    pub(super) fn is_other_layout(&mut self, cluster: &Cluster) -> bool {
        matches!(self.news(cluster, 0, |_, _| Some(&[])), News::Everything)
    }

    fn news<'a>(
        &mut self,
        cluster: &'a Cluster,
        revision: u64,
        since: fn(&'a Cluster, u64) -> Option<&'a [NodeIdx]>,
    ) -> News<'a> {
        let before = self.at.replace((cluster.layout(), revision));
        let changed = match before {
            Some((layout, before)) if layout == cluster.layout() => since(cluster, before),
            _ => None,
        };
        match changed {
            Some(nodes) if nodes.len() <= cluster.order().len().max(1) => News::Nodes(nodes),
            _ => News::Everything,
        }
    }
}
