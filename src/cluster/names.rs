//! Container names to containers, without a second copy of the names.

use std::hash::BuildHasher;

use hashbrown::HashTable;
use rustc_hash::FxBuildHasher;

/// A multi-map from name to container. The names themselves stay with the containers.
#[derive(Clone, Debug, Default)]
pub(super) struct NameTable {
    table: HashTable<Entry>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Kept so that growing the table needs no names; half a hash, so that an entry is a word.
    half: u32,
    /// Its place: there is one container at most at each.
    container: u32,
}

impl Entry {
    fn hash(&self) -> u64 {
        spread(self.half)
    }
}

/// Half the hash of a name. Of a million names, a hundred share it with another.
fn half(name: &str) -> u32 {
    let hash = FxBuildHasher.hash_one(name);
    (hash ^ (hash >> 32)) as u32
}

/// The table takes a place from the lower bits of a hash and a tag from the upper ones.
fn spread(half: u32) -> u64 {
    u64::from(half) << 32 | u64::from(half)
}

impl NameTable {
    pub(super) fn insert(&mut self, name: &str, container: u32) {
        let half = half(name);
        self.table
            .insert_unique(spread(half), Entry { half, container }, Entry::hash);
    }

    pub(super) fn remove(&mut self, name: &str, container: u32) {
        let half = half(name);
        let found = self
            .table
            .find_entry(spread(half), |entry| entry.half == half && entry.container == container);
        if let Ok(entry) = found {
            entry.remove();
        }
    }

    /// The number of names, one that a container has twice counted twice.
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    /// The places of containers that may have the name: the caller compares, since hashes collide.
    pub(super) fn candidates(&self, name: &str) -> impl Iterator<Item = u32> {
        let half = half(name);
        self.table
            .iter_hash(spread(half))
            .filter(move |entry| entry.half == half)
            .map(|entry| entry.container)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_names_of_one_container_the_one_removed_goes() {
        let (container, other) = (1, 2);
        let names: Vec<String> = (0..5000).map(|number| format!("node/{number}")).collect();
        let mut table = NameTable::default();
        for name in &names {
            table.insert(name, container);
            table.insert(name, other);
        }
        for (place, name) in names.iter().enumerate() {
            table.remove(name, container);
            assert!(!table.candidates(name).any(|found| found == container), "{name}");
            assert!(table.candidates(name).any(|found| found == other), "{name}");
            if let Some(next) = names.get(place + 1) {
                assert!(table.candidates(next).any(|found| found == container), "{next}");
            }
        }
        assert_eq!(table.len(), names.len());
    }
}
