//! Which engines there are: what discovery lists, and a task for each (`manager/RULES.md` §1 and §17).

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use super::Manager;
use super::engine::Caretaker;
use super::state::EngineId;
use crate::discovery::{Discovery, Entry, UNIX};
use crate::docker::Daemon;
use crate::net::Address;

/// The tasks of all engines.
#[derive(Debug, Default)]
pub(super) struct Fleet {
    posts: Mutex<HashMap<EngineId, Post>>,
}

#[derive(Clone, Debug)]
struct Post {
    removed: CancellationToken,
    /// Told when the engine can be reached again, so that it is refreshed at once.
    revived: Arc<Notify>,
}

impl Fleet {
    fn with<T>(&self, visit: impl FnOnce(&mut HashMap<EngineId, Post>) -> T) -> T {
        visit(&mut self.posts.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Manager {
    /// Takes in the lists of the discovery until the manager stops.
    pub(super) async fn follow_discovery(self: Arc<Self>, discovery: Arc<dyn Discovery>) {
        let mut lists = discovery.watch(self.options.heartbeat);
        while let Some(list) = lists.recv().await {
            match list {
                Ok(entries) => self.take_in(&entries),
                Err(error) => error!("Discovery error: {error}"),
            }
        }
    }

    /// The engines are those of a list from now on.
    fn take_in(self: &Arc<Self>, entries: &[Entry]) {
        let known: HashMap<String, EngineId> = self.keeper.with(|state| {
            let engines = state.engines();
            engines.map(|(id, engine)| (engine.address.clone(), id)).collect()
        });
        let mut gone = known.clone();
        let mut new = Vec::new();
        for address in entries.iter().map(ToString::to_string) {
            gone.remove(&address);
            if !known.contains_key(&address) {
                new.push(address);
            }
        }
        let mut gone: Vec<EngineId> = gone.into_values().collect();
        gone.sort_unstable();
        for id in gone {
            self.dismiss(id);
        }
        for address in new {
            self.hire(&address);
        }
    }

    fn hire(self: &Arc<Self>, address: &str) {
        let (dialled, tls) = match address.strip_prefix(UNIX) {
            // Who may open the socket is for its file to say; daemons do not speak TLS there.
            Some(path) => (Address::Unix(path.into()), None),
            None => (Address::Tcp(address.to_owned()), self.tls.clone()),
        };
        let daemon = Daemon::new(dialled, tls, self.options.timeouts);
        let now = self.now();
        let added = self.keeper.with(|state| state.add_engine(address, daemon.clone(), now));
        let Some(id) = added else { return };
        let post = Post {
            removed: CancellationToken::new(),
            revived: Arc::new(Notify::new()),
        };
        self.fleet.with(|posts| posts.insert(id, post.clone()));
        // Only the lengths of pauses depend on it.
        let seed = RandomState::new().hash_one(id);
        let caretaker = Caretaker::new(Arc::clone(self), id, address.to_owned(), daemon, seed);
        tokio::spawn(caretaker.run(post.removed));
    }

    /// An engine is no longer in the cluster.
    fn dismiss(&self, id: EngineId) {
        if let Some(post) = self.fleet.with(|posts| posts.remove(&id)) {
            post.removed.cancel();
        }
        if let Some(engine) = self.keeper.with(|state| state.remove_engine(id)) {
            engine.lost.cancel();
            engine.daemon.close_idle();
            self.agree_on_versions();
            info!(engine = engine.name(), "Removed Engine {}", engine.name());
            self.announce_removed(&engine);
        }
    }

    /// The manager stops.
    pub(super) fn dismiss_all(&self) {
        self.fleet.with(|posts| {
            for (_, post) in posts.drain() {
                post.removed.cancel();
            }
        });
    }

    /// Told when the engine can be reached again.
    pub(super) fn revived(&self, id: EngineId) -> Arc<Notify> {
        self.fleet
            .with(|posts| posts.get(&id).map(|post| Arc::clone(&post.revived)))
            .unwrap_or_default()
    }

    /// The same, unless the engine has been removed.
    pub(super) fn revived_post(&self, id: EngineId) -> Option<Arc<Notify>> {
        self.fleet
            .with(|posts| posts.get(&id).map(|post| Arc::clone(&post.revived)))
    }
}
