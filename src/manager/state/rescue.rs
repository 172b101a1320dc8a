//! Containers of engines that have failed: which are to be created anew, which of them together, which have to wait and
//! why, and which are one too many when their engine comes back (`manager/RULES.md` §10).

use std::collections::{BTreeMap, HashMap, VecDeque};

use rustc_hash::{FxHashMap, FxHashSet};

use crate::cluster::{Container, Identity, Report};
use crate::docker::Map;
use crate::manager::references::{Reference, Replacement, Replacements, Tie};
use crate::model::{ContainerIdx, Cpus, NodeIdx, ReschedulePolicy};

use super::{Condition, Engine, EngineId, State};

/// Former IDs of moved containers that are remembered; beyond, the oldest are forgotten.
const MOVED_MAX: usize = 4096;

/// The shortest beginning of an ID by which a container that has been moved is still known.
const SHORT_ID: usize = 12;

/// A container that is to be created anew because its engine has failed.
#[derive(Clone, Debug)]
pub(in crate::manager) struct Stray {
    pub container: ContainerIdx,
    pub engine: EngineId,
    pub engine_name: String,
    /// The CPUs of that engine, by which its shares are understood.
    pub cpus: Cpus,
    /// The failed daemon's ID of it.
    pub id: String,
    pub name: String,
    /// Whether it ran when its engine failed, or when its engine began to stop.
    pub was_running: bool,
    pub was_paused: bool,
    /// As its daemon described it.
    pub inspected: Map,
    /// Its references to others of its group that are created before it.
    pub inner: Vec<Inner>,
    /// What takes the place of its other references, where they do not stay as they are.
    pub outer: Replacements,
    known: Report,
}

/// A reference to a container of the same group.
#[derive(Clone, Debug)]
pub(in crate::manager) struct Inner {
    /// The other container, as it is written.
    pub target: String,
    /// Whether that is its name.
    pub is_name: bool,
    /// Its place in the group.
    pub place: usize,
}

/// A container that is not created anew, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::manager) struct Waiting {
    pub engine: EngineId,
    pub id: String,
    pub name: String,
    pub reason: String,
}

/// What is to be done about containers without a living engine.
#[derive(Debug, Default)]
pub(in crate::manager) struct Rescue {
    /// Containers that go to one node together, in the order in which they are created and started.
    pub groups: Vec<Vec<Stray>>,
    pub waiting: Vec<Waiting>,
}

/// What is remembered of containers that were, or are being, created anew.
#[derive(Debug, Default)]
pub(super) struct Rescues {
    /// The cluster-wide IDs of containers that have been moved, by their former IDs.
    moved: BTreeMap<Box<str>, Box<str>>,
    /// The former IDs, the oldest first.
    order: VecDeque<Box<str>>,
    /// The cluster-wide IDs of containers that are being moved together: none of them counts as moved before all are.
    moving: FxHashSet<String>,
    /// Names of those that none of them has at the moment, and nobody else is given.
    kept: FxHashSet<String>,
    waiting: Vec<Waiting>,
}

/// A reference from one stray to another: by position, and as it is written.
struct Edge {
    to: usize,
    tie: Tie,
    target: String,
}

impl State {
    /// Whether a container is to be created anew on another engine should its own fail.
    pub(in crate::manager) fn is_to_be_rescued(&self, id: EngineId, container: &str) -> bool {
        let known = self.engine(id).and_then(|engine| engine.containers.get(container));
        known.is_some_and(|container| self.wants_to_live_on(*container))
    }

    fn wants_to_live_on(&self, container: ContainerIdx) -> bool {
        let known = self.cluster.container(container);
        known.is_some_and(|known| known.request().reschedule == ReschedulePolicy::OnNodeFailure)
    }

    /// The containers that are to live on elsewhere, in groups that refer to one another.
    pub(in crate::manager) fn rescue(&self) -> Rescue {
        let mut rescue = Rescue::default();
        for (engine_id, engine) in self.validated() {
            let Some(node) = engine.node else { continue };
            let failed = engine.condition == Condition::Unhealthy;
            if !failed && (engine.condition == Condition::Pending || self.rescues.moved.is_empty()) {
                continue;
            }
            let mut strays = Vec::new();
            for (id, container) in engine.known_containers() {
                let Some(record) = self.record(container) else {
                    continue;
                };
                let left = self.left_behind(node, &record.references);
                if left.is_none() && !failed {
                    continue;
                }
                match record.revival.as_deref() {
                    Some(inspected) => strays.extend(self.stray(engine_id, id, container, inspected)),
                    None => {
                        if let Some(reason) = left {
                            rescue.waiting.push(Waiting {
                                engine: engine_id,
                                id: id.to_owned(),
                                name: self.name_of(container),
                                reason: format!(
                                    "{reason}; it has no reschedule policy, and cannot be started where it is: create it \
                                     anew"
                                ),
                            });
                        }
                    }
                }
            }
            // The order in which they are found is none.
            strays.sort_by(|a, b| a.name.cmp(&b.name).then_with(|| a.id.cmp(&b.id)));
            self.group(node, strays, &mut rescue);
        }
        rescue
    }

    fn stray(&self, engine_id: EngineId, id: &str, container: ContainerIdx, inspected: &Map) -> Option<Stray> {
        let engine = self.engine(engine_id)?;
        let record = self.record(container)?;
        let known = self.cluster.container(container)?;
        let interruption = self.interruption(engine_id, id);
        Some(Stray {
            container,
            engine: engine_id,
            engine_name: engine.name().to_owned(),
            cpus: engine
                .facts
                .as_ref()
                .map_or(Cpus::ZERO, |facts| Cpus::whole(facts.cpus)),
            id: id.to_owned(),
            name: known.name().to_owned(),
            was_running: record.state.running || interruption.is_some(),
            was_paused: interruption.unwrap_or(record.state.paused),
            inspected: inspected.clone(),
            inner: Vec::new(),
            outer: HashMap::new(),
            known: Report {
                request: known.request().clone(),
                name: known.name().into(),
                identity: Identity {
                    id: known.id().to_owned(),
                    swarm_id: known.swarm_id().to_owned(),
                    aliases: known.aliases().to_vec(),
                    published: known.published().to_vec(),
                },
                stopped: known.has_stopped(),
            },
        })
    }

    /// Which container that it needs has left a container behind, when it was moved, in words.
    fn left_behind(&self, node: NodeIdx, references: &[Reference]) -> Option<String> {
        let needed = references.iter().filter(|reference| reference.tie.is_needed_to_start());
        for Reference { tie, target } in needed {
            if self.cluster.find_on(node, target).is_none()
                && let Some(new) = self.successor(target)
            {
                let (verb, name) = (tie.verb(), self.name_of(new));
                return Some(format!("it {verb} container {name}, which was rescheduled"));
            }
        }
        None
    }

    fn name_of(&self, container: ContainerIdx) -> String {
        let known = self.cluster.container(container);
        known.map_or_else(String::new, |known| match known.name() {
            "" => known.id().to_owned(),
            name => name.to_owned(),
        })
    }

    /// What a container has become that was called so before it was moved; `None` if none is known.
    fn successor(&self, former: &str) -> Option<ContainerIdx> {
        let moved = &self.rescues.moved;
        let swarm_id = match moved.get(former) {
            Some(swarm_id) => swarm_id,
            None if former.len() >= SHORT_ID => {
                let (id, swarm_id) = moved.range(Box::from(former)..).next()?;
                id.starts_with(former).then_some(swarm_id)?
            }
            None => return None,
        };
        let mut living = self.cluster.with_swarm_id(swarm_id).filter(|known| {
            let engine = self.engine_of(known.node());
            !known.is_pending() && engine.is_some_and(|(_, engine)| engine.is_healthy())
        });
        let id = living.next()?.id();
        self.cluster.find(id)
    }

    /// Finds out which strays of one node refer to one another, and which of them must wait.
    fn group(&self, node: NodeIdx, mut strays: Vec<Stray>, rescue: &mut Rescue) {
        let places: FxHashMap<ContainerIdx, usize> = strays
            .iter()
            .enumerate()
            .map(|(place, stray)| (stray.container, place))
            .collect();
        let mut edges: Vec<Vec<Edge>> = Vec::with_capacity(strays.len());
        let mut blocked: Vec<Option<String>> = vec![None; strays.len()];
        for (place, stray) in strays.iter_mut().enumerate() {
            let mut own = Vec::new();
            let references = self
                .record(stray.container)
                .map_or(&[][..], |record| &record.references);
            for Reference { tie, target } in references {
                let verb = tie.verb();
                match self.cluster.find_on(node, target) {
                    Some(found) => match places.get(&found) {
                        Some(to) if *to == place => {}
                        Some(to) => own.push(Edge {
                            to: *to,
                            tie: *tie,
                            target: target.to_string(),
                        }),
                        None => {
                            let (name, on) = (self.name_of(found), &stray.engine_name);
                            let why = match self.wants_to_live_on(found) {
                                true => "is not described by its engine yet",
                                false => "has no reschedule policy",
                            };
                            blocked[place] =
                                Some(format!("it {verb} container {name}, which stays on {on}: that {why}"));
                        }
                    },
                    None => {
                        let new = self.successor(target).and_then(|new| self.cluster.container(new));
                        if let Some(new) = new {
                            let new = Replacement {
                                by: new.id().to_owned(),
                                was_name: false,
                            };
                            stray.outer.insert(target.to_string(), new);
                        } else if *tie != Tie::Affinity && self.cluster.find(target).is_none() {
                            blocked[place] = Some(format!("it {verb} container {target}, which is gone"));
                        }
                    }
                }
            }
            edges.push(own);
        }
        block_dependents(&strays, &edges, &mut blocked);
        let mut strays: Vec<Option<Stray>> = strays.into_iter().map(Some).collect();
        for (place, reason) in blocked.iter().enumerate() {
            if let Some(reason) = reason
                && let Some(stray) = strays[place].take()
            {
                rescue.waiting.push(stray.waiting(reason.clone()));
            }
        }
        for members in components(&strays, &edges) {
            let order = in_order(members, &edges);
            let position: FxHashMap<usize, usize> = order.iter().enumerate().map(|(at, place)| (*place, at)).collect();
            let names: Vec<String> = strays
                .iter()
                .map(|stray| stray.as_ref().map_or_else(String::new, |stray| stray.name.clone()))
                .collect();
            let mut group = Vec::with_capacity(order.len());
            for (at, place) in order.iter().enumerate() {
                let Some(mut stray) = strays[*place].take() else {
                    continue;
                };
                for Edge { to, target, .. } in &edges[*place] {
                    let bare = target.rsplit('/').next().unwrap_or(target);
                    let is_name = bare == names[*to];
                    match position.get(to) {
                        Some(before) if *before < at => stray.inner.push(Inner {
                            target: target.clone(),
                            is_name,
                            place: *before,
                        }),
                        // They refer to each other: the one that is created first knows only the name of the other.
                        _ => {
                            let name = Replacement {
                                by: names[*to].clone(),
                                was_name: is_name,
                            };
                            stray.outer.insert(target.clone(), name);
                        }
                    }
                }
                group.push(stray);
            }
            rescue.groups.push(group);
        }
    }

    /// Makes the names of strays free for their successors, and lets none of them count as moved until
    /// [`State::settle`]. `false` if one of them is no stray any more.
    pub(in crate::manager) fn hide(&mut self, group: &[Stray]) -> bool {
        let is_still = |stray: &Stray| {
            let engine = self.engine(stray.engine);
            let known = self.cluster.container(stray.container);
            engine.is_some_and(|engine| engine.condition != Condition::Pending)
                // Those that go after what they need are tied to nobody's health.
                && (!stray.outer.is_empty() || engine.is_some_and(|engine| engine.condition == Condition::Unhealthy))
                && known.is_some_and(|known| known.id() == stray.id)
        };
        if !group.iter().all(is_still) {
            return false;
        }
        for stray in group {
            let hidden = Report {
                name: "".into(),
                identity: Identity {
                    id: stray.id.clone(),
                    ..Identity::default()
                },
                request: stray.known.request.clone(),
                stopped: stray.known.stopped,
            };
            self.cluster.amend(stray.container, hidden);
            self.rescues.moving.insert(stray.known.identity.swarm_id.clone());
            self.keep_for_move(&stray.known.identity.swarm_id, &stray.name);
        }
        true
    }

    /// The move of strays is over: they are forgotten, as they have successors, or called as before.
    pub(in crate::manager) fn settle(&mut self, group: &[Stray], moved: bool) {
        for stray in group {
            self.rescues.moving.remove(&stray.known.identity.swarm_id);
            self.release_kept(&stray.name);
            if moved {
                self.remember_moved(&stray.id, &stray.known.identity.swarm_id.clone());
                self.forget_container(stray.engine, &stray.id);
                continue;
            }
            let hidden = self
                .cluster
                .container(stray.container)
                .is_some_and(|known| known.id() == stray.id && known.name().is_empty());
            if hidden {
                self.cluster.amend(stray.container, stray.known.clone());
            }
        }
    }

    /// While a container is being moved, nobody but its successor is given its name.
    pub(in crate::manager) fn keep_for_move(&mut self, swarm_id: &str, name: &str) {
        let is_moving = !swarm_id.is_empty() && self.rescues.moving.contains(swarm_id);
        if is_moving && !name.is_empty() && self.rescues.kept.insert(name.to_owned()) {
            self.cluster.keep_name(name);
        }
    }

    /// The successor of a container that is being moved is about to be given its name.
    pub(super) fn release_for_move(&mut self, swarm_id: &str, name: &str) {
        if self.rescues.moving.contains(swarm_id) {
            self.release_kept(name);
        }
    }

    fn release_kept(&mut self, name: &str) {
        if self.rescues.kept.remove(name) {
            self.cluster.release_name(name);
        }
    }

    fn remember_moved(&mut self, former: &str, swarm_id: &str) {
        if swarm_id.is_empty() {
            return;
        }
        let Rescues { moved, order, .. } = &mut self.rescues;
        if moved.insert(former.into(), swarm_id.into()).is_none() {
            order.push_back(former.into());
        }
        if order.len() > MOVED_MAX
            && let Some(oldest) = order.pop_front()
        {
            moved.remove(&oldest);
        }
    }

    /// A container has been removed from an engine because it lives on elsewhere.
    pub(in crate::manager) fn forget_superseded(&mut self, id: EngineId, container: &str) {
        let known = self.engine(id).and_then(|engine| engine.containers.get(container));
        let swarm_id = known.and_then(|container| Some(self.cluster.container(*container)?.swarm_id().to_owned()));
        self.remember_moved(container, &swarm_id.unwrap_or_default());
        self.forget_container(id, container);
    }

    /// Takes down which containers have to wait and why; those of them that had not, or for another reason.
    pub(in crate::manager) fn set_waiting(&mut self, mut waiting: Vec<Waiting>) -> Vec<Waiting> {
        waiting.sort_unstable();
        let before = std::mem::replace(&mut self.rescues.waiting, waiting);
        let now = self.rescues.waiting.iter();
        now.filter(|new| before.binary_search(new).is_err()).cloned().collect()
    }

    /// Which containers of an engine have to wait, and why.
    pub(in crate::manager) fn waiting_on(&self, id: EngineId) -> impl Iterator<Item = &Waiting> {
        self.rescues.waiting.iter().filter(move |waiting| waiting.engine == id)
    }

    /// The daemon's IDs of containers on an engine that live on elsewhere, on an engine that is healthy.
    pub(in crate::manager) fn superseded_on(&self, id: EngineId) -> Vec<String> {
        let containers = self.engine(id).into_iter().flat_map(Engine::known_containers);
        containers
            .filter(|(_, container)| self.lives_elsewhere(id, *container))
            .map(|(container, _)| container.to_owned())
            .collect()
    }

    /// Whether one of them still does.
    pub(in crate::manager) fn is_superseded(&self, id: EngineId, container: &str) -> bool {
        let known = self.engine(id).and_then(|engine| engine.containers.get(container));
        known.is_some_and(|known| self.lives_elsewhere(id, *known))
    }

    fn lives_elsewhere(&self, id: EngineId, container: ContainerIdx) -> bool {
        let Some(known) = self.cluster.container(container) else {
            return false;
        };
        let swarm_id = known.swarm_id();
        let is_elsewhere = |other: &Container| {
            let engine = self.engine_of(other.node());
            !other.is_pending() && engine.is_some_and(|(other, engine)| other != id && engine.is_healthy())
        };
        !swarm_id.is_empty()
            && !self.rescues.moving.contains(swarm_id)
            && self.cluster.with_swarm_id(swarm_id).any(is_elsewhere)
    }
}

impl Stray {
    /// It has to wait.
    pub(in crate::manager) fn waiting(&self, reason: String) -> Waiting {
        Waiting {
            engine: self.engine,
            id: self.id.clone(),
            name: self.name.clone(),
            reason,
        }
    }

    /// Whether where it goes may depend on where containers of other groups have gone.
    pub(in crate::manager) fn has_affinities(&self) -> bool {
        !self.known.request.affinities.is_empty()
    }
}

/// Who refers to somebody who must wait has to wait as well.
fn block_dependents(strays: &[Stray], edges: &[Vec<Edge>], blocked: &mut [Option<String>]) {
    let mut again = true;
    while std::mem::take(&mut again) {
        for place in 0..strays.len() {
            if blocked[place].is_some() {
                continue;
            }
            let Some(edge) = edges[place].iter().find(|edge| blocked[edge.to].is_some()) else {
                continue;
            };
            let (verb, name) = (edge.tie.verb(), &strays[edge.to].name);
            blocked[place] = Some(format!("it {verb} container {name}, which has to wait itself"));
            again = true;
        }
    }
}

/// Those who are joined by references in either direction, each group in ascending order.
fn components(strays: &[Option<Stray>], edges: &[Vec<Edge>]) -> Vec<Vec<usize>> {
    let mut root: Vec<usize> = (0..strays.len()).collect();
    fn find(root: &mut [usize], mut at: usize) -> usize {
        while root[at] != at {
            root[at] = root[root[at]];
            at = root[at];
        }
        at
    }
    for (from, own) in edges.iter().enumerate().filter(|(from, _)| strays[*from].is_some()) {
        for edge in own.iter().filter(|edge| strays[edge.to].is_some()) {
            let (a, b) = (find(&mut root, from), find(&mut root, edge.to));
            root[a.max(b)] = a.min(b);
        }
    }
    let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for place in (0..strays.len()).filter(|place| strays[*place].is_some()) {
        groups.entry(find(&mut root, place)).or_default().push(place);
    }
    groups.into_values().collect()
}

/// Members of a group so that everybody comes after those that it refers to. Where they refer to one another in a circle,
/// the one with the loosest references comes first: daemons look for those of networks and affinities at the start only.
fn in_order(mut members: Vec<usize>, edges: &[Vec<Edge>]) -> Vec<usize> {
    let mut order = Vec::with_capacity(members.len());
    let mut done: FxHashSet<usize> = FxHashSet::default();
    while !members.is_empty() {
        let is_open = |edge: &&Edge| !done.contains(&edge.to);
        let is_ready = |place: &usize| !edges[*place].iter().any(|edge| is_open(&edge));
        let is_loose = |place: &usize| {
            let mut open = edges[*place].iter().filter(is_open);
            open.all(|edge| matches!(edge.tie, Tie::Network | Tie::Affinity))
        };
        let next = members.iter().position(is_ready);
        let next = next.or_else(|| members.iter().position(is_loose)).unwrap_or(0);
        let place = members.remove(next);
        done.insert(place);
        order.push(place);
    }
    order
}
