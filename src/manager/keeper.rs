//! The one lock around everything that the manager knows.

use std::sync::{Mutex, PoisonError};

use super::state::State;

/// Owner of the [`State`]. The guard never leaves a synchronous function, so no lock is held while anything waits.
#[derive(Debug)]
pub(super) struct Keeper {
    state: Mutex<State>,
}

impl Keeper {
    pub(super) fn new(state: State) -> Keeper {
        Keeper {
            state: Mutex::new(state),
        }
    }

    /// Looks at the state or alters it. To be quick: everybody else waits.
    pub(super) fn with<T>(&self, visit: impl FnOnce(&mut State) -> T) -> T {
        // A visitor that panics costs its own request; the next one finds a state in which each single change is whole.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        visit(&mut state)
    }
}
