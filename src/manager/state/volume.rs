//! Volumes of all engines together, and which of them a text means (`manager/RULES.md` §7.4).

use crate::docker::{Map, json};

use super::{Engine, EngineId, State};

impl State {
    pub(in crate::manager) fn set_volumes(&mut self, id: EngineId, volumes: Vec<Map>) {
        if let Some(engine) = self.engine_mut(id) {
            engine.volumes = volumes;
        }
    }

    /// One volume has been created or has changed.
    pub(in crate::manager) fn set_volume(&mut self, id: EngineId, volume: Map) {
        if let Some(engine) = self.engine_mut(id) {
            let own = json::text(&volume, "Name").to_owned();
            engine.volumes.retain(|known| json::text(known, "Name") != own);
            engine.volumes.push(volume);
        }
    }

    pub(in crate::manager) fn drop_volume(&mut self, id: EngineId, name: &str) {
        if let Some(engine) = self.engine_mut(id) {
            engine.volumes.retain(|known| json::text(known, "Name") != name);
        }
    }

    /// Every volume of every validated engine.
    pub(in crate::manager) fn volumes(&self) -> impl Iterator<Item = (EngineId, &Engine, &Map)> {
        self.validated()
            .flat_map(|(id, engine)| engine.volumes.iter().map(move |volume| (id, engine, volume)))
    }

    /// Whether any container of an engine has a volume.
    pub(in crate::manager) fn is_volume_used(&self, id: EngineId, volume: &str) -> bool {
        // Paths begin with a slash, and names of volumes do not.
        self.records(id)
            .any(|(_, _, record)| record.mounts.iter().any(|mount| **mount == *volume))
    }

    /// The volumes that a text may mean, on whichever engines.
    pub(in crate::manager) fn volumes_meant<'a>(
        &'a self,
        query: &'a str,
    ) -> impl Iterator<Item = (EngineId, &'a Engine, &'a Map)> {
        self.volumes().filter(move |(_, engine, volume)| {
            let name = json::text(volume, "Name");
            !name.is_empty()
                && (name == query
                    || query
                        .strip_suffix(name)
                        .and_then(|rest| rest.strip_suffix('/'))
                        .is_some_and(|node| node == engine.name() || node == engine.id()))
        })
    }

    /// The one volume that a text means: of several with its name, one that is not bound to its engine.
    pub(in crate::manager) fn find_volume<'a>(&'a self, query: &'a str) -> Option<(EngineId, &'a Engine, &'a Map)> {
        let meant: Vec<_> = self.volumes_meant(query).collect();
        match meant.as_slice() {
            [only] => Some(*only),
            [] => None,
            several => several
                .iter()
                .find(|(_, _, volume)| json::text(volume, "Name") == query && !is_local(volume))
                .copied(),
        }
    }
}

/// Whether a volume exists on its engine only.
pub(in crate::manager) fn is_local(volume: &Map) -> bool {
    json::text(volume, "Driver") == "local"
}
