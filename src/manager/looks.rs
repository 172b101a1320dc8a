//! Containers that are to be looked at because something has been done to them. Who did it need not wait for that: the
//! daemon has answered. Who lists containers afterwards expects to see what was done, and does: lists wait for looks.
//!
//! A look that has yet to begin sees everything that happens until then, so that a container which is created and started
//! at once is looked at once. As a rule the daemon's events are what it begins with.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustc_hash::FxHashMap;
use tokio::sync::Notify;
use tokio::time::Instant;
use tracing::debug;

use super::Manager;
use super::state::EngineId;
use crate::docker::Daemon;

/// How long the event about what was done is waited for, before a look begins without.
const EVENT: Duration = Duration::from_millis(10);

/// How long lists wait for a look. A daemon that has just done what it was told answers within milliseconds, and one that
/// has fallen silent since must not hold up everybody for longer.
const PATIENCE: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Looks {
    book: Mutex<Book>,
    /// Told when a look is over.
    over: Notify,
}

#[derive(Debug, Default)]
struct Book {
    next: u64,
    /// Looks that are not over, by the order in which they became due, and since when they are.
    open: BTreeMap<u64, Instant>,
    /// Those of them that have yet to begin, by the container's engine and ID.
    due: FxHashMap<EngineId, FxHashMap<Box<str>, u64>>,
}

/// A look that has begun, until it is dropped.
#[derive(Debug)]
pub(super) struct Look {
    looks: Arc<Looks>,
    number: u64,
}

impl Looks {
    /// A look becomes due. `None` if one is already.
    fn enter(&self, engine: EngineId, container: &str) -> Option<u64> {
        self.with(|book| {
            let due = book.due.entry(engine).or_default();
            if due.contains_key(container) {
                return None;
            }
            let number = book.next;
            book.next += 1;
            due.insert(container.into(), number);
            book.open.insert(number, Instant::now());
            Some(number)
        })
    }

    /// Whoever is given it looks at the container. `None` if no look is due, or another one than that of this number.
    pub(super) fn begin(self: &Arc<Self>, engine: EngineId, container: &str, number: Option<u64>) -> Option<Look> {
        self.with(|book| {
            let due = book.due.get_mut(&engine)?;
            let found = *due.get(container)?;
            if number.is_some_and(|number| number != found) {
                return None;
            }
            due.remove(container);
            if due.is_empty() {
                book.due.remove(&engine);
            }
            Some(Look {
                looks: Arc::clone(self),
                number: found,
            })
        })
    }

    /// Waits until all looks are over that were due before the call; those that become due meanwhile are not waited for.
    pub(super) async fn settle(&self) {
        let end = self.with(|book| book.next);
        loop {
            let over = self.over.notified();
            let now = Instant::now();
            let until = self.with(|book| {
                let deadlines = book.open.range(..end).map(|(_, since)| *since + PATIENCE);
                deadlines.filter(|deadline| *deadline > now).max()
            });
            let Some(until) = until else { return };
            // Either way it is seen next what is still open.
            let _ = tokio::time::timeout_at(until, over).await;
        }
    }

    fn with<T>(&self, visit: impl FnOnce(&mut Book) -> T) -> T {
        // A visitor that panics leaves at most a look open that nobody waits for any longer after a second.
        visit(&mut self.book.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Look {
    fn drop(&mut self) {
        self.looks.with(|book| book.open.remove(&self.number));
        self.looks.over.notify_waiters();
    }
}

impl Manager {
    /// Something has been done to a container: it is looked at soon, or at once if it is to be created anew should its
    /// engine fail, for which it must be known.
    pub(super) async fn look(self: &Arc<Self>, engine: EngineId, daemon: &Daemon, container: &str) {
        if self.keeper.with(|state| state.is_to_be_rescued(engine, container)) {
            let refreshed = self.refresh_containers(engine, daemon, &[container.to_owned()]).await;
            if let Err(error) = refreshed {
                debug!(container, "Refreshing a container failed: {error}");
            }
        } else {
            self.look_soon(engine, daemon, container);
        }
    }

    fn look_soon(self: &Arc<Self>, engine: EngineId, daemon: &Daemon, container: &str) {
        let Some(number) = self.looks.enter(engine, container) else {
            return;
        };
        let manager = Arc::clone(self);
        let (daemon, container) = (daemon.clone(), [container.to_owned()]);
        self.fleet_tasks.spawn(async move {
            tokio::time::sleep(EVENT).await;
            let Some(_look) = manager.looks.begin(engine, &container[0], Some(number)) else {
                return;
            };
            if let Err(error) = manager.refresh_containers(engine, &daemon, &container).await {
                // The rest is learnt from the next event or refresh.
                debug!(container = container[0], "Refreshing a container failed: {error}");
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENGINE: EngineId = EngineId(0);

    fn asking(looks: &Arc<Looks>) -> tokio::task::JoinHandle<()> {
        let looks = Arc::clone(looks);
        tokio::spawn(async move { looks.settle().await })
    }

    #[tokio::test]
    async fn who_asks_waits_for_looks_that_were_due_before_and_for_no_others() {
        let looks = Arc::new(Looks::default());
        looks.settle().await;
        assert!(looks.enter(ENGINE, "a").is_some() && looks.enter(ENGINE, "b").is_some());
        let asking = asking(&looks);
        tokio::task::yield_now().await;
        assert!(looks.enter(ENGINE, "c").is_some());
        drop(looks.begin(ENGINE, "b", None).expect("it is due"));
        tokio::task::yield_now().await;
        assert!(!asking.is_finished());
        drop(looks.begin(ENGINE, "a", None).expect("it is due"));
        asking.await.expect("both are over");
    }

    #[tokio::test]
    async fn nobody_waits_for_a_look_that_takes_long() {
        let looks = Arc::new(Looks::default());
        assert!(looks.enter(ENGINE, "a").is_some());
        let _look = looks.begin(ENGINE, "a", None);
        asking(&looks).await.expect("it is not waited for any longer");
        let asked = Instant::now();
        looks.settle().await;
        assert!(asked.elapsed() < PATIENCE, "nor by whoever comes later");
    }

    #[tokio::test]
    async fn a_look_that_has_yet_to_begin_serves_whatever_happens_until_then() {
        let looks = Arc::new(Looks::default());
        let created = looks.enter(ENGINE, "a").expect("a first look");
        assert_eq!(looks.enter(ENGINE, "a"), None, "it is started before that");
        let by_an_event = looks.begin(ENGINE, "a", None);
        assert!(by_an_event.is_some() && looks.begin(ENGINE, "a", Some(created)).is_none());
        let stopped = looks
            .enter(ENGINE, "a")
            .expect("the look has begun, and may have been too early");
        assert!(looks.begin(ENGINE, "a", Some(created)).is_none());
        assert!(looks.begin(ENGINE, "a", Some(stopped)).is_some());
    }
}
