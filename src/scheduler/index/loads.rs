//! The packed columns: one of all nodes, and one for each set of nodes that requests keep being left with.

use std::hash::BuildHasher;

use rustc_hash::{FxBuildHasher, FxHashMap};

use crate::cluster::Cluster;
use crate::scheduler::Settings;

use super::columns::{Ask, Columns, Sorting};
use super::node_set::NodeSet;
use super::seen::{News, Seen};

/// Up to so many nodes are looked at one by one.
const FEW: usize = 64;
/// A set gets columns of its own when it has been seen so often.
const SIGHTINGS: u32 = 8;
/// Sets that have columns of their own.
const SUBSETS_MAX: usize = 16;
/// Sets that are remembered to have been seen.
const SEEN_MAX: usize = 256;

/// Packed columns, made when a request first needs them.
#[derive(Clone, Debug, Default)]
pub(super) struct Loads {
    all: Kept,
    subsets: Vec<Subset>,
    /// How often sets without columns have been seen, by hash.
    sightings: FxHashMap<u64, u32>,
    clock: u64,
    sorting: Sorting,
}

/// Columns with the state of the cluster that they reflect.
#[derive(Clone, Debug, Default)]
struct Kept {
    seen: Seen,
    columns: Option<Columns>,
}

/// The columns of some nodes only: those that a constraint leaves, for example. A search among all would have to pass
/// over many others that are better.
#[derive(Clone, Debug)]
struct Subset {
    hash: u64,
    members: NodeSet,
    kept: Kept,
    used: u64,
}

impl Loads {
    /// The columns of all nodes, up to date.
    pub(super) fn all(&mut self, settings: &Settings, cluster: &Cluster) -> &mut Columns {
        self.all.columns(settings, cluster, None, &mut self.sorting)
    }

    /// The position of the best node, of those in `eligible` if that is given.
    pub(super) fn best(
        &mut self,
        settings: &Settings,
        cluster: &Cluster,
        ask: &Ask,
        eligible: Option<&NodeSet>,
    ) -> Option<usize> {
        let Some(eligible) = eligible else {
            return self.all(settings, cluster).best(ask, None);
        };
        if eligible.len() <= FEW {
            return self.all(settings, cluster).best_of(ask, eligible.iter());
        }
        match self.subset(eligible) {
            Some(place) => {
                let subset = &mut self.subsets[place];
                let members = Some(&subset.members);
                let columns = subset.kept.columns(settings, cluster, members, &mut self.sorting);
                columns.best(ask, None)
            }
            None => self.all(settings, cluster).best(ask, Some(eligible)),
        }
    }

    /// Which are the columns for just these nodes, if they have been asked for often enough.
    fn subset(&mut self, members: &NodeSet) -> Option<usize> {
        self.clock += 1;
        let hash = FxBuildHasher.hash_one(members);
        let found = self
            .subsets
            .iter()
            .position(|subset| subset.hash == hash && subset.members == *members);
        let place = match found {
            Some(place) => place,
            None => {
                if self.sightings.len() >= SEEN_MAX {
                    self.sightings.clear();
                }
                let sightings = self.sightings.entry(hash).or_default();
                *sightings += 1;
                if *sightings < SIGHTINGS {
                    return None;
                }
                self.sightings.remove(&hash);
                if self.subsets.len() >= SUBSETS_MAX {
                    self.drop_oldest();
                }
                self.subsets.push(Subset {
                    hash,
                    members: members.clone(),
                    kept: Kept::default(),
                    used: 0,
                });
                self.subsets.len() - 1
            }
        };
        self.subsets[place].used = self.clock;
        Some(place)
    }

    fn drop_oldest(&mut self) {
        let by_use = self
            .subsets
            .iter()
            .enumerate()
            .map(|(place, subset)| (subset.used, place));
        if let Some((_, place)) = by_use.min() {
            self.subsets.swap_remove(place);
        }
    }
}

impl Kept {
    /// The columns, up to date.
    fn columns(
        &mut self,
        settings: &Settings,
        cluster: &Cluster,
        members: Option<&NodeSet>,
        sorting: &mut Sorting,
    ) -> &mut Columns {
        let news = self.seen.changes(cluster);
        let columns = match (self.columns.take(), news) {
            (Some(mut columns), News::Nodes(changed)) if !columns.is_worn() => {
                for idx in changed {
                    if let Some(position) = cluster.position(*idx) {
                        columns.update(position, cluster.node(*idx));
                    }
                }
                columns.refresh();
                columns
            }
            (Some(mut columns), _) => {
                columns.rebuild(cluster, members, sorting);
                columns
            }
            (None, _) => Columns::new(settings, cluster, members, sorting),
        };
        self.columns.insert(columns)
    }
}
