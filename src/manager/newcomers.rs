//! Containers that have just been created and are still being asked about. Who created one has its ID and need not wait
//! for that; who lists containers afterwards expects to find it, and does.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tracing::debug;

use super::Manager;
use super::create::Created;

/// How long lists wait for what a daemon says of a new container. One that has just created it answers within
/// milliseconds, and one that has stopped since must not hold up everybody for longer.
const PATIENCE: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Newcomers {
    arrivals: Mutex<Arrivals>,
    settled: Notify,
}

#[derive(Debug, Default)]
struct Arrivals {
    next: u64,
    /// Those not yet known as their daemons describe them, by the order in which they came.
    open: BTreeSet<u64>,
}

impl Newcomers {
    /// Somebody has come, and is waited for by everyone who asks from now on until the arrival is dropped.
    fn arrive(self: &Arc<Self>) -> Arrival {
        let number = self.with(|arrivals| {
            let number = arrivals.next;
            arrivals.next += 1;
            arrivals.open.insert(number);
            number
        });
        Arrival {
            newcomers: Arc::clone(self),
            number,
        }
    }

    /// Waits until all that had come before the call are known; those that come meanwhile are not waited for.
    pub(super) async fn settle(&self) {
        let end = self.with(|arrivals| arrivals.next);
        loop {
            let settled = self.settled.notified();
            let is_waiting = self.with(|arrivals| arrivals.open.first().is_some_and(|first| *first < end));
            if !is_waiting {
                return;
            }
            settled.await;
        }
    }

    fn with<T>(&self, visit: impl FnOnce(&mut Arrivals) -> T) -> T {
        // Each visit is a single change, whole or not made.
        visit(&mut self.arrivals.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// See [`Newcomers::arrive`].
struct Arrival {
    newcomers: Arc<Newcomers>,
    number: u64,
}

impl Drop for Arrival {
    fn drop(&mut self) {
        self.newcomers.with(|arrivals| arrivals.open.remove(&self.number));
        self.newcomers.settled.notify_waiters();
    }
}

impl Manager {
    /// Asks what a new container is like, which nobody waits for but those who list containers.
    pub(super) fn get_to_know(self: &Arc<Self>, created: &Created) {
        let arrival = self.newcomers.arrive();
        let manager = Arc::clone(self);
        let (engine, daemon, id) = (
            created.reserved.engine,
            created.reserved.daemon.clone(),
            created.id.clone(),
        );
        self.fleet_tasks.spawn(async move {
            let refreshing = manager.refresh_containers(engine, &daemon, std::slice::from_ref(&id));
            tokio::pin!(refreshing);
            let refreshed = match tokio::time::timeout(PATIENCE, &mut refreshing).await {
                Ok(refreshed) => refreshed,
                Err(_) => {
                    drop(arrival);
                    refreshing.await
                }
            };
            if let Err(error) = refreshed {
                // It exists and is known by its ID; the rest is learnt from the next event or refresh.
                debug!(id, "Refreshing a new container failed: {error}");
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_asks_waits_for_those_before_and_not_for_those_after() {
        let newcomers = Arc::new(Newcomers::default());
        newcomers.settle().await;
        let (first, second) = (newcomers.arrive(), newcomers.arrive());
        let asking = tokio::spawn({
            let newcomers = Arc::clone(&newcomers);
            async move { newcomers.settle().await }
        });
        tokio::task::yield_now().await;
        let after = newcomers.arrive();
        drop(second);
        tokio::task::yield_now().await;
        assert!(!asking.is_finished());
        drop(first);
        asking.await.expect("the first two are known");
        drop(after);
    }
}
