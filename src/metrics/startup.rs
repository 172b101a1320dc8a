//! How soon containers ran, and the images they waited for.

use std::time::Duration;

use crate::model::{ContainerIdx, Time};

use super::Setup;
use super::spans::Spans;

/// The fold over starts, exits and pulls.
#[derive(Clone, Debug)]
pub(super) struct Startup {
    from: Time,
    start_latency: Duration,
    /// By container index: placed and not started yet.
    slots: Vec<Slot>,
    /// From submission to start.
    pub spans: Spans,
    pub starts: u64,
    /// Waits for an image.
    pub pulls: Spans,
    pub exits: u64,
    pub restarts: u64,
    /// Bytes in the window, and in the whole run.
    pub pulled_bytes: (u64, u64),
}

#[derive(Clone, Copy, Debug, Default)]
enum Slot {
    /// Nothing to wait for.
    #[default]
    Settled,
    /// Its start is the first; when it was submitted.
    First(Time),
    /// Its start counts for images only: it is not counted, or placed again.
    Other,
}

impl Startup {
    pub(super) fn new(setup: &Setup) -> Startup {
        Startup {
            from: Time::from(setup.warm_up),
            start_latency: setup.start_latency,
            slots: Vec::new(),
            spans: Spans::default(),
            starts: 0,
            pulls: Spans::default(),
            exits: 0,
            restarts: 0,
            pulled_bytes: (0, 0),
        }
    }

    /// Placed; `submitted` if it is counted and was never placed before.
    pub(super) fn placed(&mut self, container: ContainerIdx, submitted: Option<Time>) {
        if self.slots.len() <= container.index() {
            self.slots.resize(container.index() + 1, Slot::default());
        }
        self.slots[container.index()] = submitted.map_or(Slot::Other, Slot::First);
    }

    /// Returns whether it is the first start since the container was placed, not a restart.
    pub(super) fn started(&mut self, time: Time, container: ContainerIdx, delay: Duration) -> bool {
        let slot = self.slots.get_mut(container.index()).map(std::mem::take);
        match slot.unwrap_or_default() {
            Slot::Settled => return false,
            Slot::First(submitted) => self.spans.record(time.since(submitted)),
            Slot::Other => {}
        }
        if time >= self.from {
            self.starts += 1;
            let pull = delay.saturating_sub(self.start_latency);
            if !pull.is_zero() {
                self.pulls.record(pull);
            }
        }
        true
    }

    pub(super) fn exited(&mut self, time: Time, restarts: bool) {
        if time >= self.from {
            self.exits += 1;
            self.restarts += u64::from(restarts);
        }
    }

    pub(super) fn pulling(&mut self, time: Time, bytes: u64) {
        self.pulled_bytes.1 += bytes;
        if time >= self.from {
            self.pulled_bytes.0 += bytes;
        }
    }
}
