//! Names that are taken although no container here has them: a container that cannot be seen at the moment has, or is
//! about to be given, each of them.

use rustc_hash::FxHashMap;

use crate::model::Name;

use super::{Cluster, PlaceError};

/// Names, and how often each is kept.
#[derive(Clone, Debug, Default)]
pub(super) struct KeptNames {
    times: FxHashMap<Name, u32>,
}

impl Cluster {
    /// Nobody is given this name until it is released as often as it was kept. Containers that have it already, and
    /// those that their nodes report, are not affected.
    pub fn keep_name(&mut self, name: &str) {
        let plain = plain(name);
        if !plain.is_empty() {
            *self.kept.times.entry(plain.into()).or_default() += 1;
        }
    }

    /// Takes back one [`Cluster::keep_name`].
    pub fn release_name(&mut self, name: &str) {
        let plain = plain(name);
        if let Some(times) = self.kept.times.get_mut(plain) {
            *times -= 1;
            if *times == 0 {
                self.kept.times.remove(plain);
            }
        }
    }

    /// Why a container cannot be called so, if it cannot. The empty name is never taken.
    pub fn name_conflict(&self, name: &str) -> Option<PlaceError> {
        let plain = plain(name);
        if plain.is_empty() {
            None
        } else if self.named(plain).next().is_some() {
            Some(PlaceError::NameTaken(name.to_owned()))
        } else if !self.kept.times.is_empty() && self.kept.times.contains_key(plain) {
            Some(PlaceError::NameKept(name.to_owned()))
        } else {
            None
        }
    }
}

fn plain(name: &str) -> &str {
    name.strip_prefix('/').unwrap_or(name)
}
