//! Equal requests share work: a request that keeps coming back gets a [`Tournament`] of its own.

use std::hash::BuildHasher;

use rustc_hash::{FxBuildHasher, FxHashMap};

use super::Prepared;
use super::filter::SoftRules;
use super::tournament::Tournament;

/// Memory that all tournaments together may take, in bytes. One class is always kept.
const MEMORY_LIMIT: usize = 256 << 20;
/// Most classes kept, whatever their size: each costs a look when one has to go.
const CLASSES_MAX: usize = 4096;
/// Sets of the table that remembers which requests have been seen; a power of two.
const SIGHTING_SETS: usize = 1 << 11;
/// Requests remembered per set, so that a few that collide do not keep pushing one another out.
const SIGHTING_WAYS: usize = 4;

/// The tournaments of the requests that have come back. Holds only what can be derived from the cluster: dropping any
/// of it changes no decision.
#[derive(Clone, Debug)]
pub(super) struct Classes {
    by_hash: FxHashMap<(u64, SoftRules), Class>,
    /// Hashes of requests seen once, each in the one set where it can be, the latest first.
    sightings: Vec<[u64; SIGHTING_WAYS]>,
    memory: usize,
    clock: u64,
}

#[derive(Clone, Debug)]
struct Class {
    request: Prepared,
    tournament: Tournament,
    size: usize,
    used: u64,
}

impl Default for Classes {
    fn default() -> Classes {
        Classes {
            by_hash: FxHashMap::default(),
            sightings: vec![[0; SIGHTING_WAYS]; SIGHTING_SETS],
            memory: 0,
            clock: 0,
        }
    }
}

impl Classes {
    /// The request's tournament, not yet brought up to date; `build` makes it if the request has been seen before.
    /// `None` on the first sight, when looking at every node once is cheaper.
    pub(super) fn tournament(
        &mut self,
        request: &Prepared,
        soft: SoftRules,
        size: usize,
        build: impl FnOnce() -> Tournament,
    ) -> Option<&mut Tournament> {
        self.clock += 1;
        let key = (request.hash(), soft);
        if !self.by_hash.contains_key(&key) {
            if !self.seen_before(FxBuildHasher.hash_one(key)) {
                return None;
            }
            self.make_room(size);
            self.memory += size;
            let class = Class {
                request: request.clone(),
                tournament: build(),
                size,
                used: 0,
            };
            self.by_hash.insert(key, class);
        }
        let class = self.by_hash.get_mut(&key)?;
        // Another request with the same hash: it is looked at node by node for ever.
        if !class.request.is_same(request) {
            return None;
        }
        class.used = self.clock;
        // Nodes have been added or removed since.
        self.memory = self.memory - class.size + size;
        class.size = size;
        Some(&mut class.tournament)
    }

    fn seen_before(&mut self, hash: u64) -> bool {
        // The upper bits: the lower ones of this hash function are poor.
        let set = &mut self.sightings[(hash >> 48) as usize & (SIGHTING_SETS - 1)];
        if set.contains(&hash) {
            return true;
        }
        set.rotate_right(1);
        set[0] = hash;
        false
    }

    fn make_room(&mut self, size: usize) {
        while !self.by_hash.is_empty() && (self.memory + size > MEMORY_LIMIT || self.by_hash.len() >= CLASSES_MAX) {
            // Times of use are distinct, so the order of the map does not show.
            let oldest = self
                .by_hash
                .iter()
                .min_by_key(|(_, class)| class.used)
                .map(|(key, _)| *key);
            let gone = oldest.and_then(|key| self.by_hash.remove(&key));
            self.memory -= gone.map_or(0, |class| class.size);
        }
    }
}
