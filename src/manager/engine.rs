//! One task for each engine: it validates the daemon, follows its events and refreshes what is known of it until the
//! engine is removed (`manager/RULES.md` §4 to §6).

mod ends;
mod events;
mod refresh;
mod validate;

use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use super::Manager;
use super::state::{Counts, EngineId, Transition};
use crate::docker::{CallError, Daemon};

/// The first pause before a daemon that could not be validated is tried again; each further one is twice as long.
const RETRY_FIRST: Duration = Duration::from_secs(1);
/// The longest such pause.
const RETRY_MAX: Duration = Duration::from_secs(30);

/// What belongs to one engine's task.
pub(super) struct Caretaker {
    pub manager: Arc<Manager>,
    pub id: EngineId,
    pub address: String,
    pub daemon: Daemon,
    rng: ChaCha8Rng,
}

impl Caretaker {
    /// `seed` varies the pauses, so that a thousand engines are not asked at the same moment.
    pub(super) fn new(manager: Arc<Manager>, id: EngineId, address: String, daemon: Daemon, seed: u64) -> Caretaker {
        Caretaker {
            manager,
            id,
            address,
            daemon,
            rng: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    /// Looks after the engine until it is removed.
    pub(super) async fn run(mut self, removed: CancellationToken) {
        tokio::select! {
            () = removed.cancelled() => {}
            () = self.look_after() => {}
        }
    }

    async fn look_after(&mut self) {
        loop {
            let events = self.validate_at_last().await;
            // Ends when the daemon turns out to be another one, which is then validated like a new one.
            self.follow(events).await;
        }
    }

    async fn validate_at_last(&mut self) -> Option<crate::docker::Events> {
        let mut pause = RETRY_FIRST;
        loop {
            match self.validate().await {
                Ok((events, name)) => {
                    info!(engine = name, "Registered Engine {name} at {}", self.address);
                    return events;
                }
                Err(error) => {
                    debug!(address = self.address, "Failed to validate pending node: {error}");
                    let message = error.to_string();
                    let now = self.manager.now();
                    self.manager
                        .keeper
                        .with(|state| state.explain_pending(self.id, message, now));
                }
            }
            tokio::time::sleep(self.vary(pause)).await;
            pause = RETRY_MAX.min(pause * 2);
        }
    }

    /// A duration, a fifth longer at most.
    fn vary(&mut self, duration: Duration) -> Duration {
        duration.mul_f64(self.rng.random_range(1.0..1.2))
    }

    /// A duration between two.
    fn between(&mut self, least: Duration, most: Duration) -> Duration {
        if least < most {
            self.rng.random_range(least..most)
        } else {
            least
        }
    }

    /// [`Manager::noted`] for a call to the daemon.
    async fn noted<T>(&self, call: impl Future<Output = Result<T, CallError>>) -> Result<T, CallError> {
        self.manager.noted(self.id, call).await
    }
}

impl Manager {
    /// Waits for a call to a healthy engine, but not beyond its being so: what a daemon does not answer that has stopped
    /// answering anybody would else be waited for as long as the client waits.
    pub(super) async fn while_healthy<T>(
        &self,
        id: EngineId,
        call: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, CallError> {
        let watched = self.keeper.with(|state| {
            let engine = state.engine(id).filter(|engine| engine.is_healthy())?;
            Some((engine.lost.clone(), engine.daemon.clone()))
        });
        let Some((lost, daemon)) = watched else {
            return call.await;
        };
        tokio::select! {
            outcome = call => outcome,
            () = lost.cancelled() => Err(CallError::BrokenOff(daemon.address().clone())),
        }
    }

    /// Makes a call to an engine, takes in whether it could be reached as soon as that is known, and hands on what came of
    /// the call. What is not called through this says nothing about the engine's health.
    pub(super) async fn noted<T>(
        self: &Arc<Manager>,
        id: EngineId,
        call: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, CallError> {
        self.noted_as(id, Counts::Each, call).await
    }

    /// The same for one of several calls that are made together: an engine that answers none of them has failed once.
    pub(super) async fn noted_together<T>(
        self: &Arc<Manager>,
        id: EngineId,
        call: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, CallError> {
        self.noted_as(id, Counts::Together, call).await
    }

    async fn noted_as<T>(
        self: &Arc<Manager>,
        id: EngineId,
        counts: Counts,
        call: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, CallError> {
        // Nothing is sent before the call is waited for, which begins here.
        let sent = Instant::now();
        let outcome = call.await;
        self.note(id, sent, counts, &outcome);
        outcome
    }

    /// Takes in what came of a call to an engine that was sent at a time: whether it could be reached.
    fn note<T>(self: &Arc<Manager>, id: EngineId, sent: Instant, counts: Counts, outcome: &Result<T, CallError>) {
        let now = self.now();
        let told = self.keeper.with(|state| {
            let failures = state.engine(id)?.failures;
            let transition = state.note(id, sent, counts, outcome, now)?;
            let engine = state.engine(id)?;
            Some((transition, engine.name().to_owned(), failures.max(engine.failures)))
        });
        match told {
            Some((Transition::Disconnected, name, failures)) => {
                self.agree_on_versions();
                tracing::error!(
                    engine = name,
                    "Flagging engine as unhealthy. Connect failed {failures} times"
                );
                self.announce(id, "engine_disconnect");
                self.rescue_later();
            }
            Some((Transition::Reconnected, name, failures)) => {
                self.agree_on_versions();
                info!(
                    engine = name,
                    "Engine came back to life after {failures} retries. Hooray!"
                );
                self.announce(id, "engine_reconnect");
                self.welcome_back_later(id);
            }
            None => {}
        }
    }
}
