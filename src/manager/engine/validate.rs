//! A daemon's first visit: is it one, what is it like, and what is on it already (`manager/RULES.md` §4).

use std::time::Instant;

use crate::discovery::UNIX;
use crate::docker::{CallError, DaemonFacts, Events, FactsError};

use super::Caretaker;

/// Why an engine stays pending. The text is shown to clients.
#[derive(Debug, thiserror::Error)]
pub(super) enum ValidateError {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error(transparent)]
    Facts(#[from] FactsError),
}

impl Caretaker {
    /// Validates the daemon and takes in everything on it. Events are followed from before that on, so that nothing
    /// that happens meanwhile is missed.
    pub(super) async fn validate(&mut self) -> Result<(Option<Events>, String), ValidateError> {
        let facts = self.specify().await?;
        let name = facts.name.clone();
        let events = self.daemon.events().await.ok();
        let ip = resolve(&self.address).await;
        let now = self.manager.now();
        self.manager
            .keeper
            .with(|state| state.register(self.id, facts, ip, now));
        // Containers count before the engine is offered to anyone: a port that is taken must be seen to be.
        let asked;
        let listed = {
            // Of a thousand engines that are found together only so many are read together, to bound what that takes.
            let _turn = self.manager.readers.acquire().await;
            asked = Instant::now();
            self.refresh_everything().await
        };
        if let Err(error) = listed {
            let now = self.manager.now();
            self.manager
                .keeper
                .with(|state| state.suspend(self.id, error.to_string(), now));
            return Err(error.into());
        }
        self.manager.keeper.with(|state| state.open(self.id, asked));
        self.manager.agree_on_versions();
        self.manager.announce(self.id, "engine_connect");
        self.manager.welcome_back_later(self.id);
        // Who has found no place yet may find one here.
        self.manager.rescue_later();
        Ok((events, name))
    }

    /// What the daemon says of itself.
    pub(super) async fn specify(&self) -> Result<DaemonFacts, ValidateError> {
        self.noted(self.daemon.negotiate()).await?;
        let info = self.noted(self.daemon.info()).await?;
        let version = self.noted(self.daemon.version()).await?;
        let facts = DaemonFacts::read(&info, &version, &self.address)?;
        for warning in &facts.warnings {
            tracing::warn!(engine = facts.name, "{warning}");
        }
        Ok(facts)
    }
}

/// The first address that a name stands for; the name itself if there is none.
async fn resolve(address: &str) -> String {
    if address.starts_with(UNIX) {
        // It is on this machine.
        return std::net::Ipv4Addr::LOCALHOST.to_string();
    }
    let resolved = tokio::net::lookup_host(address).await;
    let first = resolved.ok().and_then(|mut addresses| addresses.next());
    first.map_or_else(
        || address.rsplit_once(':').map_or(address, |(host, _)| host).to_owned(),
        |address| address.ip().to_string(),
    )
}
