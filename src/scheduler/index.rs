//! Tables over all nodes, from which a request of a shape never seen before is decided without asking every node.
//!
//! Filters become sets of nodes that are intersected, and the best of what is left is found in packed columns. All of it
//! is derived from the cluster, made when it is first needed, and brought up to date from the cluster's journals before
//! it is used; dropping it changes no decision.

mod alive;
mod answers;
mod asked;
mod columns;
mod extras;
mod images;
mod labels;
mod loads;
mod names;
mod node_set;
mod ports;
mod seen;

use rand::{Rng, RngExt};

use crate::cluster::{Cluster, Node};
use crate::model::NodeIdx;

use super::filter::{Question, dependency};
use super::prepared::Parsed;
use super::weight::Key;
use super::{Expression, Filter, Operator, Settings, Strategy};

use alive::{Alive, Spare};
use asked::AskedAffinities;
use columns::Ask;
use extras::ExtraColumns;
use images::ImageIndex;
use labels::LabelIndex;
use loads::Loads;
use names::NameIndex;
use node_set::NodeSet;
use ports::PortIndex;
use seen::{News, Seen};

/// The tables, each made when a request first needs it.
#[derive(Clone, Debug, Default)]
pub(super) struct NodeIndex {
    standing: Standing,
    loads: Loads,
    names: NameIndex,
    labels: LabelIndex,
    images: ImageIndex,
    ports: PortIndex,
    extras: ExtraColumns,
    affinities: AskedAffinities,
    spare: Spare,
}

/// The nodes that some filters refuse whatever is asked.
#[derive(Clone, Debug, Default)]
struct Standing {
    seen: Seen,
    /// Not candidates at all.
    absent: Marked,
    /// Refused by `health`.
    unhealthy: Marked,
    /// Refused by `containerslots`.
    full: Marked,
}

/// A set that is mostly empty.
#[derive(Clone, Debug, Default)]
struct Marked {
    set: NodeSet,
    len: usize,
}

impl NodeIndex {
    /// The best node for one pass over a request. If there is none, the greatest key that any node has.
    pub(super) fn best(
        &mut self,
        settings: &Settings,
        question: &Question<'_>,
        rng: &mut impl Rng,
    ) -> Result<NodeIdx, Key> {
        let wanted = question.request.request().resources;
        let counts_exactly = settings.filters.contains(&Filter::Resources);
        let ask = Ask::new(settings, wanted, settings.strict.capacity || counts_exactly);
        let cluster = question.cluster;
        let left = self.left_by_filters(settings, question, None);
        let found = match &left {
            Err(_) => None,
            Ok(alive) if settings.strategy != Strategy::Random => self.loads.best(settings, cluster, &ask, alive.set()),
            Ok(alive) if !(settings.strict.random_capacity || counts_exactly) => draw(alive, rng),
            Ok(alive) => {
                let mut with_room = Alive::everybody(cluster.order().len(), Spare::new());
                with_room.keep(&self.loads.all(settings, cluster).with_room(&ask));
                if let Some(alive) = alive.set() {
                    with_room.keep(alive);
                }
                draw(&with_room, rng)
            }
        };
        let refused = self.how_far(left, settings);
        match found {
            Some(position) => Ok(cluster.order()[position]),
            None if counts_exactly => Err(self.refused_with_exact_room(settings, question, &ask)),
            None => Err(refused),
        }
    }

    /// The greatest key if nobody is taken: of those that are left, what comes after the last filter.
    fn how_far(&mut self, left: Result<Alive, Key>, settings: &Settings) -> Key {
        match left {
            Ok(alive) => {
                self.spare = alive.retire();
                Key::refused(settings.filters.len())
            }
            Err(key) => key,
        }
    }

    /// How far the nodes came if the filter `resources`, which the columns answer, takes its turn.
    fn refused_with_exact_room(&mut self, settings: &Settings, question: &Question<'_>, ask: &Ask) -> Key {
        let with_room = self.loads.all(settings, question.cluster).with_room(ask);
        let left = self.left_by_filters(settings, question, Some(&with_room));
        self.how_far(left, settings)
    }

    /// The nodes that pass all filters, or the greatest key if none does. The filter `resources` looks at CPU and memory
    /// only if it is told who has room.
    fn left_by_filters(
        &mut self,
        settings: &Settings,
        question: &Question<'_>,
        with_room: Option<&NodeSet>,
    ) -> Result<Alive, Key> {
        let cluster = question.cluster;
        self.standing.sync(cluster);
        let mut alive = Alive::everybody(cluster.order().len(), std::mem::take(&mut self.spare));
        self.standing.absent.take_from(&mut alive);
        if alive.is_empty() {
            self.spare = alive.retire();
            return Err(Key::ABSENT);
        }
        for (stage, filter) in settings.filters.iter().enumerate() {
            self.restrict(*filter, question, with_room, &mut alive);
            if alive.is_empty() {
                self.spare = alive.retire();
                return Err(Key::refused(stage));
            }
        }
        Ok(alive)
    }

    fn restrict(&mut self, filter: Filter, question: &Question<'_>, with_room: Option<&NodeSet>, alive: &mut Alive) {
        let (cluster, request) = (question.cluster, question.request.request());
        match filter {
            Filter::Health => self.standing.unhealthy.take_from(alive),
            Filter::ContainerSlots => self.standing.full.take_from(alive),
            Filter::Port => {
                let asks = !request.port_bindings.is_empty() || !request.exposed_ports.is_empty();
                if asks {
                    self.ports.restrict(cluster, request, question.strict, alive);
                }
            }
            Filter::Dependency => {
                for name in dependency::names(request) {
                    let holders = cluster.may_hold(name).filter_map(|idx| cluster.position(idx));
                    let mut holding = alive.borrow_none();
                    holders.for_each(|position| holding.insert(position));
                    holding.retain(|position| cluster.find_on(cluster.order()[position], name).is_some());
                    alive.keep(&holding);
                    alive.give_back(holding);
                }
            }
            Filter::Affinity => each(question, question.request.affinities(), alive, |expression, alive| {
                self.restrict_to_affine(cluster, expression, alive);
            }),
            Filter::Constraint => {
                each(
                    question,
                    question.request.constraints(),
                    alive,
                    |expression, alive| match expression.key() {
                        "node" => self.names.restrict(cluster, expression, alive),
                        key => self.labels.values(cluster, key).restrict(expression, alive),
                    },
                )
            }
            Filter::Whitelist => each(question, question.request.whitelists(), alive, |expression, alive| {
                self.restrict_to_listed(question, expression, alive);
            }),
            Filter::Resources => {
                if let Some(with_room) = with_room {
                    alive.keep(with_room);
                }
                for (name, amount) in &request.extra {
                    self.extras.restrict(cluster, name, *amount, alive);
                }
            }
        }
    }

    fn restrict_to_affine(&mut self, cluster: &Cluster, expression: &Expression, alive: &mut Alive) {
        match (expression.key(), expression.literal()) {
            ("image", _) => self.images.restrict(cluster, expression, alive),
            ("container", Some(literal)) => {
                let named = cluster
                    .known_as(literal)
                    .filter(|container| !container.name().is_empty());
                let positions = named.filter_map(|container| cluster.position(container.node()));
                match expression.operator() {
                    Operator::Equal => alive.keep_only(positions),
                    Operator::NotEqual => positions.for_each(|position| alive.drop_one(position)),
                }
            }
            _ => self.affinities.restrict(cluster, expression, alive),
        }
    }

    fn restrict_to_listed(&mut self, question: &Question<'_>, expression: &Expression, alive: &mut Alive) {
        let cluster = question.cluster;
        let listed = expression.value().split('|');
        if !question.strict.whitelist {
            return alive.keep_only(listed.flat_map(|name| names::named(cluster, name)));
        }
        let on_list = match expression.key() {
            "node" => {
                let mut set = NodeSet::none(cluster.order().len());
                for name in listed {
                    self.names
                        .called(cluster, name)
                        .for_each(|position| set.insert(position));
                }
                set
            }
            key => self.labels.values(cluster, key).having(listed),
        };
        match expression.operator() {
            Operator::Equal => alive.keep(&on_list),
            Operator::NotEqual => alive.drop(&on_list),
        }
    }
}

/// Applies every enforced expression of a list. A list that does not parse leaves nobody.
fn each(question: &Question<'_>, parsed: &Parsed, alive: &mut Alive, mut apply: impl FnMut(&Expression, &mut Alive)) {
    let Ok(expressions) = parsed else {
        return alive.nobody();
    };
    for expression in expressions.iter().filter(|expression| question.enforces(expression)) {
        apply(expression, alive);
    }
}

/// One of the nodes, each as likely as any other.
fn draw(alive: &Alive, rng: &mut impl Rng) -> Option<usize> {
    // Node indices have 32 bits.
    let number = alive.len() as u32;
    (number > 0).then(|| alive.nth(rng.random_range(0..number) as usize))?
}

impl Standing {
    fn sync(&mut self, cluster: &Cluster) {
        match self.seen.changes(cluster) {
            News::Nodes(changed) => {
                for idx in changed {
                    if let Some(position) = cluster.position(*idx) {
                        self.update(position, cluster.node(*idx));
                    }
                }
            }
            News::Everything => {
                for marked in [&mut self.absent, &mut self.unhealthy, &mut self.full] {
                    marked.set = NodeSet::none(cluster.order().len());
                    marked.len = 0;
                }
                for (position, (_, node)) in cluster.nodes().enumerate() {
                    self.update(position, node);
                }
            }
        }
    }

    fn update(&mut self, position: usize, node: &Node) {
        self.absent.mark(position, !node.is_schedulable());
        self.unhealthy.mark(position, node.health() == 0);
        self.full.mark(position, super::filter::container_slots::is_full(node));
    }
}

impl Marked {
    fn mark(&mut self, position: usize, member: bool) {
        if self.set.contains(position) != member {
            self.set.set(position, member);
            self.len = if member { self.len + 1 } else { self.len - 1 };
        }
    }

    fn take_from(&self, alive: &mut Alive) {
        if self.len > 0 {
            alive.drop(&self.set);
        }
    }
}
