//! Equal requests share work: a request that keeps coming back before much has changed gets a [`Tournament`] of its own.

use std::hash::BuildHasher;

use rustc_hash::{FxBuildHasher, FxHashMap};

use crate::cluster::Cluster;

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
/// Changes that a tournament takes in for the price of one decision without it.
const CHANGES_PER_DECISION: u64 = 48;
/// Nodes that are entered into a new tournament for the price of one decision without it.
const ENTRIES_PER_DECISION: u64 = 20;

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

/// A request that has come back.
#[derive(Clone, Debug)]
struct Class {
    request: Prepared,
    tournament: Option<Tournament>,
    size: usize,
    used: u64,
    /// The cluster's revision when the request last came.
    revision: u64,
    /// Decisions that a tournament would have made cheaper, since one was last brought up to date.
    missed: u64,
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
    /// The request's tournament, not yet brought up to date, if that is worth while; `build` makes it.
    ///
    /// A tournament takes in every change since it was last used, so it serves a request that comes again after few
    /// changes, and not one of hundreds that take turns. Making one, or catching up, is put off until as much has been
    /// spent on deciding without it: then it cannot cost more than twice what was needed, whatever comes next.
    pub(super) fn tournament(
        &mut self,
        request: &Prepared,
        soft: SoftRules,
        cluster: &Cluster,
        size: usize,
        build: impl FnOnce() -> Tournament,
    ) -> Option<&mut Tournament> {
        self.clock += 1;
        let key = (request.hash(), soft);
        if !self.by_hash.contains_key(&key) {
            if !self.seen_before(FxBuildHasher.hash_one(key)) {
                return None;
            }
            self.make_room_for_class();
            let class = Class {
                request: request.clone(),
                tournament: None,
                size: 0,
                used: 0,
                revision: cluster.revision(),
                missed: 0,
            };
            self.by_hash.insert(key, class);
        }
        let class = self.by_hash.get_mut(&key)?;
        // Another request with the same hash never gets a tournament.
        if !class.request.is_same(request) {
            return None;
        }
        class.used = self.clock;
        if !class.is_worth_while(cluster) {
            return None;
        }
        if class.size != size {
            self.memory -= class.size;
            class.size = 0;
            self.make_room(size);
            self.memory += size;
        }
        let class = self.by_hash.get_mut(&key)?;
        class.size = size;
        Some(class.tournament.get_or_insert_with(build))
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

    /// Forgets the half that was not used for the longest time once there are too many, so that each new class costs
    /// little on the average.
    fn make_room_for_class(&mut self) {
        if self.by_hash.len() < CLASSES_MAX {
            return;
        }
        let mut times: Vec<u64> = self.by_hash.values().map(|class| class.used).collect();
        let (_, middle, _) = times.select_nth_unstable(CLASSES_MAX / 2);
        self.by_hash.retain(|_, class| class.used > *middle);
        self.memory = self.by_hash.values().map(|class| class.size).sum();
    }

    /// Forgets tournaments, those first that were not used for the longest time, until one of so many bytes fits.
    fn make_room(&mut self, size: usize) {
        while self.memory > 0 && self.memory + size > MEMORY_LIMIT {
            // Times of use are distinct, so the order of the map does not show.
            let with_tournament = self.by_hash.values_mut().filter(|class| class.size > 0);
            let Some(oldest) = with_tournament.min_by_key(|class| class.used) else {
                return;
            };
            oldest.tournament = None;
            self.memory -= std::mem::take(&mut oldest.size);
        }
    }
}

impl Class {
    /// Whether the request is to be decided by its tournament this time.
    fn is_worth_while(&mut self, cluster: &Cluster) -> bool {
        let came_back_after = cluster.revision() - self.revision;
        self.revision = cluster.revision();
        let entries = cluster.order().len() as u64;
        let rebuild = 1 + entries / ENTRIES_PER_DECISION;
        let behind = self
            .tournament
            .as_ref()
            .and_then(|tournament| tournament.behind(cluster));
        if behind.is_some_and(|behind| behind <= CHANGES_PER_DECISION) {
            self.missed = 0;
            return true;
        }
        if came_back_after <= CHANGES_PER_DECISION {
            self.missed += 1;
        }
        let price = behind.map_or(rebuild, |behind| (behind / CHANGES_PER_DECISION).min(rebuild));
        let worth_while = self.missed >= price;
        if worth_while {
            self.missed = 0;
        }
        worth_while
    }
}
