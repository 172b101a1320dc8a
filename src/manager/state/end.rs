//! Why containers that are to live on elsewhere have come to their end: a user wanted it, or their engine was stopped.

use super::{EngineId, State};

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::manager) enum End {
    /// A client has asked for it, of this manager or of the engine itself.
    Asked,
    /// It ran when its engine began to stop, or is yet to be started after it was moved.
    Interrupted { paused: bool },
    /// A signal has ended it that no client has sent: should its engine fail within seconds, that was why.
    Suspected { paused: bool },
}

impl State {
    /// The end of a container is known, or near. What was known for sure before stays.
    pub(in crate::manager) fn note_end(&mut self, id: EngineId, container: &str, end: End) {
        if let Some(engine) = self.engine_mut(id)
            && engine.containers.contains_key(container)
        {
            let known = engine.ends.entry(container.into()).or_insert(end);
            if matches!(known, End::Suspected { .. }) {
                *known = end;
            }
        }
    }

    /// A container that ran has ended with its engine, or will. Paused ones are woken for that, which may be seen first.
    pub(in crate::manager) fn interrupt(&mut self, id: EngineId, container: &str, was_woken: bool) {
        let paused = was_woken || self.is_paused(id, container);
        self.note_end(id, container, End::Interrupted { paused });
        if was_woken
            && let Some(engine) = self.engine_mut(id)
            && let Some(End::Interrupted { paused }) = engine.ends.get_mut(container)
        {
            *paused = true;
        }
    }

    /// A container may have ended with its engine.
    pub(in crate::manager) fn suspect(&mut self, id: EngineId, container: &str) {
        let paused = self.is_paused(id, container);
        self.note_end(id, container, End::Suspected { paused });
    }

    /// A container has not ended with its engine, which goes on.
    pub(in crate::manager) fn clear(&mut self, id: EngineId, container: &str) {
        if let Some(engine) = self.engine_mut(id)
            && matches!(engine.ends.get(container), Some(End::Suspected { .. }))
        {
            engine.ends.remove(container);
        }
    }

    fn is_paused(&self, id: EngineId, container: &str) -> bool {
        let known = self.engine(id).and_then(|engine| engine.containers.get(container));
        let record = known.and_then(|container| self.record(*container));
        record.is_some_and(|record| record.state.paused)
    }

    /// A container has been started: whatever its end was, it is over.
    pub(in crate::manager) fn forget_end(&mut self, id: EngineId, container: &str) {
        if let Some(engine) = self.engine_mut(id) {
            engine.ends.remove(container);
        }
    }

    /// An engine refuses new connections while it serves those that are open.
    pub(in crate::manager) fn note_closing(&mut self, id: EngineId) {
        if let Some(engine) = self.engine_mut(id) {
            engine.closing = true;
        }
    }

    /// An engine is back: what it has not started again is for its users to start.
    pub(in crate::manager) fn forget_ends(&mut self, id: EngineId) {
        if let Some(engine) = self.engine_mut(id) {
            engine.closing = false;
            engine.ends.clear();
        }
    }

    /// Whether an engine is stopping, as far as is known.
    pub(in crate::manager) fn is_closing(&self, id: EngineId) -> bool {
        self.engine(id).is_some_and(|engine| engine.closing)
    }

    /// Whether an engine is stopping, or it is known of any container of it why it has ended.
    pub(in crate::manager) fn knows_ends(&self, id: EngineId) -> bool {
        self.engine(id)
            .is_some_and(|engine| engine.closing || !engine.ends.is_empty())
    }

    /// Whether a client has asked for the end of a container.
    pub(in crate::manager) fn was_asked_for(&self, id: EngineId, container: &str) -> bool {
        let ends = self.engine(id).map(|engine| &engine.ends);
        ends.is_some_and(|ends| ends.get(container) == Some(&End::Asked))
    }

    /// How a container has ended that its engine has, or may have, interrupted: whether it was paused.
    pub(super) fn interruption(&self, id: EngineId, container: &str) -> Option<bool> {
        match self.engine(id)?.ends.get(container)? {
            End::Asked => None,
            End::Interrupted { paused } | End::Suspected { paused } => Some(*paused),
        }
    }

    /// Whether a container has ended with its engine.
    pub(in crate::manager) fn is_interrupted(&self, id: EngineId, container: &str) -> bool {
        let ends = self.engine(id).map(|engine| &engine.ends);
        ends.is_some_and(|ends| matches!(ends.get(container), Some(End::Interrupted { .. })))
    }
}
