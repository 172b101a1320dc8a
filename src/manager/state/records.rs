//! The records of all containers, and how many of each engine's are in which state: clients ask for the counts often, and
//! counting anew would mean looking at every container of the cluster.

use rustc_hash::FxHashMap;

use crate::model::ContainerIdx;

use super::{ContainerRecord, EngineId};

/// Containers by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::manager) struct Tally {
    /// All of them.
    pub containers: u64,
    /// Those that run and are not paused.
    pub running: u64,
    pub paused: u64,
}

impl Tally {
    fn of(record: &ContainerRecord) -> Tally {
        Tally {
            containers: 1,
            running: u64::from(record.state.running && !record.state.paused),
            paused: u64::from(record.state.paused),
        }
    }

    pub(in crate::manager) fn add(&mut self, other: Tally) {
        self.containers += other.containers;
        self.running += other.running;
        self.paused += other.paused;
    }

    fn subtract(&mut self, other: Tally) {
        self.containers -= other.containers;
        self.running -= other.running;
        self.paused -= other.paused;
    }

    pub(in crate::manager) fn stopped(&self) -> u64 {
        self.containers - self.running - self.paused
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Records {
    records: FxHashMap<ContainerIdx, (EngineId, ContainerRecord)>,
    /// Of engines that have any.
    tallies: FxHashMap<EngineId, Tally>,
}

impl Records {
    pub(super) fn get(&self, container: ContainerIdx) -> Option<&ContainerRecord> {
        self.records.get(&container).map(|(_, record)| record)
    }

    /// Sets the record of a container on an engine, in place of the one that there may be.
    pub(super) fn insert(&mut self, engine: EngineId, container: ContainerIdx, record: ContainerRecord) {
        self.remove(container);
        self.tallies.entry(engine).or_default().add(Tally::of(&record));
        self.records.insert(container, (engine, record));
    }

    pub(super) fn remove(&mut self, container: ContainerIdx) {
        let Some((engine, record)) = self.records.remove(&container) else {
            return;
        };
        if let Some(tally) = self.tallies.get_mut(&engine) {
            tally.subtract(Tally::of(&record));
            if tally.containers == 0 {
                self.tallies.remove(&engine);
            }
        }
    }

    /// How many containers of an engine are in which state.
    pub(super) fn tally(&self, engine: EngineId) -> Tally {
        self.tallies.get(&engine).copied().unwrap_or_default()
    }
}
