//! Which versions of the API clients may speak: those that all healthy daemons understand, since what is passed on to
//! them stays in the version that the client chose.

use std::sync::{Mutex, PoisonError};

use super::Manager;
use super::state::State;
use crate::docker::ApiVersion;

/// What clients are told as long as there is no daemon to be asked (`manager/API.md` §1).
const USUAL: ApiVersion = ApiVersion { major: 1, minor: 40 };
/// The highest version whose lists and events the manager is known to give in the shape that clients expect. Later ones
/// would be understood by daemons only.
const HIGHEST: ApiVersion = ApiVersion { major: 1, minor: 52 };

/// The lowest and the highest version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Versions {
    pub lowest: ApiVersion,
    pub highest: ApiVersion,
}

impl Default for Versions {
    fn default() -> Versions {
        Versions {
            lowest: ApiVersion::LOWEST,
            highest: USUAL,
        }
    }
}

impl Versions {
    /// What the daemons that are healthy have in common. If there is nothing, the highest that the oldest speaks.
    fn of(state: &State) -> Versions {
        let healthy = state.validated().filter(|(_, engine)| engine.is_healthy());
        let spoken = healthy.filter_map(|(_, engine)| engine.daemon.spoken_versions());
        let common = spoken
            .reduce(|(lowest, highest), (its_lowest, its_highest)| (lowest.max(its_lowest), highest.min(its_highest)));
        let Some((lowest, highest)) = common else {
            return Versions::default();
        };
        let highest = highest.clamp(ApiVersion::LOWEST, HIGHEST);
        Versions {
            lowest: lowest.clamp(ApiVersion::LOWEST, highest),
            highest,
        }
    }
}

/// The versions as they were last found out: every answer tells them, and there may be thousands of daemons.
#[derive(Debug, Default)]
pub(super) struct Agreed(Mutex<Versions>);

impl Manager {
    /// The versions that clients may speak.
    pub(super) fn versions(&self) -> Versions {
        *self.agreed.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A daemon has said what it speaks, or has come or gone.
    pub(super) fn agree_on_versions(&self) {
        let versions = self.keeper.with(|state| Versions::of(state));
        *self.agreed.0.lock().unwrap_or_else(PoisonError::into_inner) = versions;
    }
}
