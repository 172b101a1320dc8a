//! Container names to containers, without a second copy of the names.

use std::hash::BuildHasher;

use hashbrown::HashTable;
use rustc_hash::FxBuildHasher;

use crate::model::ContainerIdx;

/// A multi-map from name to container. The names themselves stay with the containers.
#[derive(Clone, Debug, Default)]
pub(super) struct NameTable {
    table: HashTable<Entry>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Kept so that growing the table needs no names.
    hash: u64,
    container: ContainerIdx,
}

fn hash(name: &str) -> u64 {
    FxBuildHasher.hash_one(name)
}

impl NameTable {
    pub(super) fn insert(&mut self, name: &str, container: ContainerIdx) {
        let hash = hash(name);
        self.table
            .insert_unique(hash, Entry { hash, container }, |entry| entry.hash);
    }

    pub(super) fn remove(&mut self, name: &str, container: ContainerIdx) {
        let hash = hash(name);
        let found = self
            .table
            .find_entry(hash, |entry| entry.hash == hash && entry.container == container);
        if let Ok(entry) = found {
            entry.remove();
        }
    }

    /// The number of names, one that a container has twice counted twice.
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    /// Containers that may have the name: the caller compares, since hashes collide.
    pub(super) fn candidates(&self, name: &str) -> impl Iterator<Item = ContainerIdx> {
        let hash = hash(name);
        self.table
            .iter_hash(hash)
            .filter(move |entry| entry.hash == hash)
            .map(|entry| entry.container)
    }
}
