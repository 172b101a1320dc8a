//! All engines of a process: each model behind its lock, one timer for all of them, and what happens to them from
//! outside.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::clock::Clock;
use super::fault::{Crash, Faults};
use super::model::Model;
use super::published::Ports;
use crate::model::Time;
use crate::net::{self, Address};

/// The engines.
pub(super) struct House {
    pub engines: Vec<Engine>,
    pub clock: Clock,
    /// Ends all of them.
    pub stop: CancellationToken,
    /// Draws how long slow answers take.
    pub draws: Mutex<ChaCha8Rng>,
    /// Connections that there are, and from how many on clients are asked to open one for each request.
    connections: AtomicU64,
    crowded_from: u64,
    /// When which engine has something to do next.
    due: Mutex<BinaryHeap<Reverse<(Time, usize)>>>,
    /// Something has become due earlier than all else.
    earlier: Notify,
    pub ports: Ports,
}

/// One engine.
pub(super) struct Engine {
    pub address: Address,
    model: Mutex<Model>,
    /// Something in the model has changed.
    pub changed: Notify,
    /// For when it is entered in the house's list.
    entered: AtomicU64,
    /// Up to which change of its ports they are listened on.
    settled: watch::Sender<u64>,
    conduct: Mutex<Conduct>,
    /// Something in its conduct has changed.
    pub turned: Notify,
}

/// How an engine behaves.
#[derive(Debug)]
pub(super) struct Conduct {
    /// Whether it is there at all.
    pub up: bool,
    pub faults: Faults,
    /// Ends the connections that there are.
    pub connections: CancellationToken,
    /// Ends the streams of events that there are.
    pub events: CancellationToken,
    /// Whether its containers are lost when it comes back.
    loses: bool,
}

/// The guard of a lock. A panic while it was held costs one answer, not the engine.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Engine {
    pub(super) fn new(model: Model, address: Address, up: bool) -> Engine {
        Engine {
            address,
            model: Mutex::new(model),
            changed: Notify::new(),
            entered: AtomicU64::new(u64::MAX),
            settled: watch::Sender::new(0),
            conduct: Mutex::new(Conduct {
                up,
                faults: Faults::default(),
                connections: CancellationToken::new(),
                events: CancellationToken::new(),
                loses: false,
            }),
            turned: Notify::new(),
        }
    }

    /// Works on the model after everything that is due has happened, and wakes up those whom it may concern.
    pub(super) fn with<T>(&self, house: &House, number: usize, work: impl FnOnce(&mut Model) -> T) -> T {
        let mut model = lock(&self.model);
        let before = model.changes();
        let ports = model.port_changes();
        model.advance(house.clock.now());
        let outcome = work(&mut model);
        let (due, changed) = (model.next_due(), model.changes() != before);
        let are_others = model.port_changes() != ports;
        drop(model);
        if are_others {
            house.ports.enter(number);
        }
        if let Some(due) = due {
            house.enter(number, due);
        }
        if changed {
            self.changed.notify_waiters();
        }
        outcome
    }

    /// Its ports are listened on as they were after so many changes.
    pub(super) fn ports_settled(&self, changes: u64) {
        self.settled.send_replace(changes);
    }

    /// Waits for that.
    pub(super) async fn until_ports_settled(&self, changes: u64) {
        // The sender is the engine's own and stays.
        let _ = self.settled.subscribe().wait_for(|settled| *settled >= changes).await;
    }

    /// Its conduct, to look at or to alter.
    pub(super) fn conduct(&self) -> MutexGuard<'_, Conduct> {
        lock(&self.conduct)
    }
}

impl House {
    pub(super) fn new(engines: Vec<Engine>, clock: Clock, stop: CancellationToken, seed: u64, ports: Ports) -> House {
        let room = net::open_files_allowed().saturating_sub(engines.len() as u64);
        House {
            connections: AtomicU64::new(0),
            crowded_from: room / 4 * 3,
            engines,
            clock,
            stop,
            draws: Mutex::new(ChaCha8Rng::seed_from_u64(seed)),
            due: Mutex::new(BinaryHeap::new()),
            earlier: Notify::new(),
            ports,
        }
    }

    /// Counts a connection for as long as what it gives is kept.
    pub(super) fn count_connection(&self) -> impl Drop + '_ {
        struct Counted<'a>(&'a AtomicU64);
        impl Drop for Counted<'_> {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::Relaxed);
            }
        }
        self.connections.fetch_add(1, Ordering::Relaxed);
        Counted(&self.connections)
    }

    /// Whether there are so many connections that nobody should keep one for later: soon the process could have no more.
    pub(super) fn is_crowded(&self) -> bool {
        self.connections.load(Ordering::Relaxed) >= self.crowded_from
    }

    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.engines
            .iter()
            .position(|engine| lock(&engine.model).name() == name)
    }

    /// Notes that an engine has something to do.
    fn enter(&self, number: usize, due: Time) {
        let engine = &self.engines[number];
        if engine.entered.fetch_min(due.0, Ordering::AcqRel) <= due.0 {
            return;
        }
        let mut entries = lock(&self.due);
        let first = entries.peek().map(|Reverse((time, _))| *time);
        entries.push(Reverse((due, number)));
        drop(entries);
        if first.is_none_or(|first| due < first) {
            self.earlier.notify_one();
        }
    }

    pub(super) fn set_faults(&self, number: usize, faults: Faults) {
        let engine = &self.engines[number];
        engine.conduct().faults = faults;
        engine.turned.notify_waiters();
    }

    pub(super) fn crash(&self, number: usize, crash: Crash) {
        let engine = &self.engines[number];
        {
            let mut conduct = engine.conduct();
            conduct.up = false;
            conduct.loses = crash == Crash::ContainersLost;
            std::mem::take(&mut conduct.connections).cancel();
            std::mem::take(&mut conduct.events).cancel();
        }
        engine.with(self, number, |model| model.crash(crash == Crash::ContainersLost));
        engine.turned.notify_waiters();
    }

    pub(super) fn bring_back(&self, number: usize) {
        let engine = &self.engines[number];
        if std::mem::replace(&mut engine.conduct().up, true) {
            return;
        }
        engine.with(self, number, Model::return_from_crash);
        engine.turned.notify_waiters();
    }

    pub(super) fn drop_events(&self, number: usize) {
        std::mem::take(&mut self.engines[number].conduct().events).cancel();
    }
}

/// Lets happen what is due, engine by engine, until the end.
pub(super) async fn tick(house: std::sync::Arc<House>) {
    loop {
        let next = lock(&house.due).peek().map(|Reverse((time, _))| *time);
        let sleeps = async {
            match next {
                Some(time) => tokio::time::sleep_until(house.clock.instant(time)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = house.stop.cancelled() => return,
            () = house.earlier.notified() => continue,
            () = sleeps => {}
        }
        let now = house.clock.now();
        loop {
            let ripe = {
                let mut entries = lock(&house.due);
                match entries.peek() {
                    Some(Reverse((time, _))) if *time <= now => entries.pop(),
                    _ => None,
                }
            };
            let Some(Reverse((_, number))) = ripe else { break };
            let engine = &house.engines[number];
            engine.entered.store(u64::MAX, Ordering::Release);
            engine.with(&house, number, |_| ());
        }
    }
}
