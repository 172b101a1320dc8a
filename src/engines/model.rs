//! One daemon as it stands: a synchronous model without clock, socket or task. Whoever asks says what time it is.
//!
//! Times are those of the scenario; [`Calendar`] turns them into dates.

pub(super) mod container;
mod course;
pub(super) mod event;
pub(super) mod exec;
pub(super) mod files;
pub(super) mod image;
mod lives;
pub(super) mod network;
pub(super) mod output;
mod overlay;
mod program;
mod references;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::docker::{FiltersError, Timestamp};
use crate::model::Time;
use crate::sim::{Fates, LayerStore, Phase, Plan};

use super::published::Published;
use container::Container;
use event::Events;
use exec::Exec;
use image::ImageRecord;
use network::{Network, Volume};

pub use lives::Signal;
pub use overlay::Overlays;

/// Removed containers that are remembered, for those who wait for their end or have not read all of their output.
const DEPARTED_MAX: usize = 16;

/// What all engines of a cluster have in common.
#[derive(Debug)]
pub struct Shared {
    /// The scenario.
    pub plan: Plan,
    /// What chance does to containers.
    pub fates: Fates,
    /// How times become dates.
    pub calendar: Calendar,
    /// Networks that span engines.
    pub overlays: Overlays,
}

/// How times of the scenario become dates: it begins at a date and runs so many times faster than the world.
#[derive(Clone, Copy, Debug)]
pub struct Calendar {
    /// The date of time zero.
    pub epoch: Timestamp,
    /// Seconds of the scenario in one of the world.
    pub speed: f64,
}

impl Calendar {
    /// The date of a time.
    pub fn date(&self, time: Time) -> Timestamp {
        // The cast saturates.
        self.epoch.shifted((time.0 as f64 / self.speed) as i64)
    }

    /// The time at a date; dates before the beginning are at its start.
    pub fn time(&self, date: Timestamp) -> Time {
        Time((date.since(self.epoch).as_nanos() as f64 * self.speed) as u64)
    }
}

/// Something that was refused, as daemons say it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// The status of the answer.
    pub status: u16,
    /// What the answer says.
    pub message: String,
}

impl Refusal {
    pub(super) fn new(status: u16, message: impl Into<String>) -> Refusal {
        Refusal {
            status,
            message: message.into(),
        }
    }

    pub(super) fn no_container(name: &str) -> Refusal {
        Refusal::new(404, format!("No such container: {name}"))
    }
}

impl From<FiltersError> for Refusal {
    fn from(error: FiltersError) -> Refusal {
        Refusal::new(error.status(), error.to_string())
    }
}

/// What is due at some time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    /// A container's process is there.
    Started,
    /// A container ends by itself.
    Exited,
    /// A container writes something.
    Writes,
    /// A command that is executed writes something, or ends.
    Executed,
    /// A container's policy starts it again.
    Restarted,
    /// An image is complete.
    Pulled,
}

/// When what is due, in which order, with which container or image, and in which of its generations.
type Timer = (Time, u64, Due, String, u32);

/// One engine.
#[derive(Debug)]
pub struct Model {
    /// What it shares with the others.
    pub shared: Arc<Shared>,
    /// Its node, as an index into the plan's.
    pub node: usize,
    /// The labels that it was started with.
    pub labels: crate::model::Labels,
    pub(super) containers: BTreeMap<String, Container>,
    pub(super) images: Vec<ImageRecord>,
    pub(super) networks: Vec<Network>,
    /// The version of the networks that span engines of which `networks` has them.
    overlays_seen: u64,
    pub(super) volumes: BTreeMap<String, Volume>,
    pub(super) execs: BTreeMap<String, Exec>,
    pub(super) events: Events,
    pub(super) departed: VecDeque<Container>,
    layers: LayerStore,
    timers: BinaryHeap<Reverse<Timer>>,
    now: Time,
    /// Things numbered so far: IDs are made from it.
    numbered: u64,
    changes: u64,
    port_changes: u64,
    /// Ports that the daemon has chosen so far.
    pub(super) ports_chosen: u16,
}

impl Model {
    /// The engine of a node, as it is at the start: with its images and without containers.
    pub fn new(shared: Arc<Shared>, node: usize) -> Model {
        let planned = &shared.plan.nodes[node];
        let mut model = Model {
            node,
            labels: planned.labels.clone(),
            containers: BTreeMap::new(),
            images: Vec::new(),
            networks: Vec::new(),
            overlays_seen: 0,
            volumes: BTreeMap::new(),
            execs: BTreeMap::new(),
            events: Events::default(),
            departed: VecDeque::new(),
            layers: LayerStore::new(planned.bandwidth),
            timers: BinaryHeap::new(),
            now: Time::ZERO,
            numbered: 0,
            changes: 0,
            port_changes: 0,
            ports_chosen: 0,
            shared: Arc::clone(&shared),
        };
        model.networks = Network::builtin(&model);
        for reference in &planned.images {
            model.preload(reference);
        }
        model
    }

    /// A container that was removed not long ago.
    pub(super) fn departed(&self, id: &str) -> Option<&Container> {
        self.departed.iter().rev().find(|container| container.id == id)
    }

    /// The name of its node.
    pub fn name(&self) -> &str {
        &self.shared.plan.nodes[self.node].name
    }

    /// The time up to which everything has happened.
    pub fn now(&self) -> Time {
        self.now
    }

    /// The date of a time.
    pub fn date(&self, time: Time) -> Timestamp {
        self.shared.calendar.date(time)
    }

    /// A number that is another whenever something has changed that somebody may wait for.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// Notes that something has changed.
    pub(super) fn touch(&mut self) {
        self.changes += 1;
    }

    /// A number that is another whenever the open ports of containers may be others.
    pub fn port_changes(&self) -> u64 {
        self.port_changes
    }

    /// The ports to which clients can connect.
    pub(super) fn published(&self) -> Vec<Published> {
        let of = |container: &Container| {
            let id = container.id.clone();
            let ports = container.ports.iter().filter(|port| port.inside.ends_with("/tcp"));
            let published = move |port: &container::Port| Published {
                outside: port.outside,
                inside: port.inside.clone(),
                container: id.clone(),
            };
            ports.map(published).collect::<Vec<_>>()
        };
        self.containers.values().flat_map(of).collect()
    }

    /// Who answers at a published port; nobody if its container does not run.
    pub(super) fn describe(&self, published: &Published) -> Option<String> {
        let container = self.containers.get(&published.container)?;
        let runs = container.life.phase() == Phase::Running;
        let port = &published.inside;
        runs.then(|| format!("container {} on node {}, port {port}\n", container.name, self.name()))
    }

    /// When something is due next.
    pub fn next_due(&self) -> Option<Time> {
        self.timers.peek().map(|Reverse((time, ..))| *time)
    }

    /// Lets everything happen that is due by `now`. Whether anything did.
    pub fn advance(&mut self, now: Time) -> bool {
        self.learn_of_overlays();
        let mut happened = false;
        while let Some(Reverse((time, ..))) = self.timers.peek()
            && *time <= now
            && let Some(Reverse((time, _, due, id, generation))) = self.timers.pop()
        {
            self.now = self.now.max(time);
            happened = true;
            match due {
                Due::Pulled => self.image_complete(&id),
                Due::Executed => self.exec_goes_on(&id),
                Due::Started | Due::Exited | Due::Writes | Due::Restarted => {
                    let current = self.containers.get(&id).map(|container| container.generation);
                    // It may have been stopped or removed since.
                    if current == Some(generation) {
                        match due {
                            Due::Started => self.container_started(&id),
                            Due::Exited => self.container_ends(&id),
                            Due::Writes => self.container_writes(&id),
                            _ => self.container_restarts(&id),
                        }
                    }
                }
            }
        }
        self.now = self.now.max(now);
        happened
    }

    /// The machine fails: what runs ends without anybody being told. With `wipe` its containers are gone as well.
    pub fn crash(&mut self, wipe: bool) {
        self.touch();
        self.port_changes += 1;
        self.layers.interrupt(self.now);
        self.images.retain(|image| image.complete);
        self.timers.clear();
        self.execs.clear();
        self.events = Events::default();
        self.shared.overlays.leave_all(self.node);
        if wipe {
            self.containers.clear();
            self.departed.clear();
            self.volumes.clear();
            let overlays = self.networks.iter().filter(|network| network.global).cloned();
            self.networks = Network::builtin(self).into_iter().chain(overlays).collect();
            return;
        }
        let now = self.now;
        for container in self.containers.values_mut() {
            if container.life.stop() {
                container.generation += 1;
                container.finished = Some(now);
                container.exit_code = 255;
                container.course.clear();
                container.ports.clear();
            }
        }
    }

    /// The machine is replaced by a fresh one, with the images that it has from the start.
    pub fn renew(&mut self) {
        self.crash(true);
        let planned = &self.shared.plan.nodes[self.node];
        let (bandwidth, images, labels) = (planned.bandwidth, planned.images.clone(), planned.labels.clone());
        self.layers = LayerStore::new(bandwidth);
        self.images.clear();
        self.labels = labels;
        for reference in &images {
            self.preload(reference);
        }
    }

    /// After a crash the daemon is back: it starts what its policies say.
    pub fn return_from_crash(&mut self) {
        let mut again: Vec<String> = self
            .containers
            .values()
            .filter(|container| container.restarts_with_daemon())
            .map(|container| container.id.clone())
            .collect();
        // One that shares another one's network comes after it. A port may have been taken meanwhile; the container then
        // stays as it is.
        let mut left = usize::MAX;
        while again.len() < std::mem::replace(&mut left, again.len()) {
            again.retain(|id| self.begin_start(id).is_err());
        }
    }

    fn plan_at(&mut self, time: Time, due: Due, id: &str, generation: u32) {
        self.numbered += 1;
        self.timers
            .push(Reverse((time, self.numbered, due, id.to_owned(), generation)));
    }

    fn plan_in(&mut self, span: Duration, due: Due, id: &str, generation: u32) {
        self.plan_at(self.now + span, due, id, generation);
    }

    /// A new ID of 64 hexadecimal digits, unlike any other of any engine.
    pub(super) fn new_id(&mut self, kind: &str) -> String {
        self.numbered += 1;
        let text = format!(
            "{kind}/{}/{}/{}",
            self.name(),
            self.numbered,
            self.shared.calendar.epoch.0
        );
        hash(&text)
    }
}

/// The SHA-256 of a text in hexadecimal.
pub(super) fn hash(text: &str) -> String {
    hash_bytes(text.as_bytes())
}

/// The SHA-256 of bytes in hexadecimal.
pub(super) fn hash_bytes(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut out = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        out.push(char::from(DIGITS[usize::from(byte >> 4)]));
        out.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    out
}
