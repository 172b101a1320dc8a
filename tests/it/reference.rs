//! The scheduler once more: slow, obvious, and written from `scheduler/RULES.md` alone, section by section.
//!
//! Owns a second opinion on every decision. It keeps no sums, tables or indices: each decision derives everything from
//! the plain lists of nodes and containers. It shares nothing with the library but the nouns of a request and the
//! enums of the settings.

mod error_text;
mod expression;
mod filters;
mod lookup;
mod ranking;
mod regexp;

use std::sync::Arc;

use rand::{Rng, RngExt};
use swarmlab::model::{Labels, PortBinding, Request};
use swarmlab::scheduler::{Filter, Rejection, Strategy, Strict};

pub use expression::{RefExpression, matches};

use filters::Question;

/// Everything there is.
#[derive(Clone, Debug, Default)]
pub struct RefCluster {
    pub nodes: Vec<RefNode>,
    pub containers: Vec<RefContainer>,
}

#[derive(Clone, Debug)]
pub struct RefNode {
    /// The order in which nodes were added, which breaks the last of ties.
    pub number: usize,
    pub id: String,
    pub name: String,
    pub labels: Labels,
    pub health: i128,
    pub schedulable: bool,
    /// What the node really has.
    pub cpu_nanos: i128,
    pub memory_bytes: i128,
    /// The fraction as configured, such as 0.05.
    pub overcommit: f64,
    pub extra: Vec<(String, u64)>,
    pub images: Vec<RefImage>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct RefImage {
    pub id: String,
    pub tags: Vec<String>,
}

#[derive(Clone, Debug)]
pub struct RefContainer {
    /// Number of its node.
    pub node: usize,
    /// How tests recognise it.
    pub key: usize,
    pub request: Arc<Request>,
    pub pending: bool,
    /// It has run and does not any more.
    pub stopped: bool,
    /// Empty while pending.
    pub id: String,
    pub swarm_id: String,
    /// With the leading slash, as Docker has them.
    pub names: Vec<String>,
    pub published: Vec<PortBinding>,
}

/// A node as one decision sees it (`scheduler/RULES.md` §7.2).
#[derive(Clone, Debug)]
pub struct Snapshot<'a> {
    pub node: &'a RefNode,
    pub containers: Vec<&'a RefContainer>,
    pub total_cpu: i128,
    pub total_memory: i128,
    pub used_cpu: i128,
    pub used_memory: i128,
}

/// The settings.
#[derive(Clone, Debug)]
pub struct RefScheduler {
    pub filters: Vec<Filter>,
    pub strategy: Strategy,
    pub strict: Strict,
}

/// A ranking: numbers of the accepted nodes, the best first; under `random` in tie order.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranked {
    pub nodes: Vec<usize>,
    /// Whether this is from the second pass.
    pub soft_dropped: bool,
}

/// No node.
#[derive(Clone, Debug, PartialEq)]
pub struct Refused {
    pub rejection: Rejection,
    pub message: String,
}

/// What one node says on its own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Verdict {
    NotCandidate,
    Refused(Filter),
    NoRoom,
    Accepted,
}

/// `scheduler/RULES.md` §6.3: capacity and overcommit; amounts are capped at 2^50 units everywhere.
const CAP: i128 = 1 << 50;
const NANOS: i128 = 1_000_000_000;

impl RefCluster {
    pub fn node(&self, number: usize) -> &RefNode {
        self.nodes
            .iter()
            .find(|node| node.number == number)
            .expect("the node exists")
    }

    pub fn node_mut(&mut self, number: usize) -> &mut RefNode {
        self.nodes
            .iter_mut()
            .find(|node| node.number == number)
            .expect("the node exists")
    }

    /// One node's snapshot.
    pub fn snapshot(&self, number: usize) -> Snapshot<'_> {
        let node = self.node(number);
        let percent = (node.overcommit * 100.0).trunc() as i128;
        let whole_cpus = node.cpu_nanos / NANOS;
        let total_cpu = (node.cpu_nanos + whole_cpus * percent / 100 * NANOS).clamp(0, CAP);
        let total_memory = (node.memory_bytes + node.memory_bytes * percent / 100).clamp(0, CAP);
        let containers: Vec<&RefContainer> = self.containers.iter().filter(|one| one.node == number).collect();
        let (mut used_cpu, mut used_memory) = (0, 0);
        for container in &containers {
            let (cpu, memory) = amounts(&container.request);
            // `scheduler/RULES.md` §7.2: a pending container that alone exceeds the totals is not in the sums. The
            // original leaves it out of the node altogether, which the library does not on purpose.
            if !container.pending || (cpu <= total_cpu && memory <= total_memory) {
                used_cpu += cpu;
                used_memory += memory;
            }
        }
        Snapshot {
            node,
            containers,
            total_cpu,
            total_memory,
            used_cpu,
            used_memory,
        }
    }

    /// `scheduler/RULES.md` §1.1a: whether a name is taken. A leading slash is not part of a name.
    pub fn is_name_taken(&self, name: &str) -> bool {
        if name.is_empty() || name == "/" {
            return false;
        }
        let with_slash = format!("/{name}");
        let mut names = self.containers.iter().flat_map(|container| &container.names);
        names.any(|own| *own == name || *own == with_slash)
    }

    /// The containers that a text may mean (`manager/RULES.md` §7.1): several if the rules leave open which.
    pub fn find(&self, query: &str) -> Vec<&RefContainer> {
        lookup::find(self, &self.containers.iter().collect::<Vec<_>>(), query)
    }

    fn candidates(&self) -> Vec<Snapshot<'_>> {
        let schedulable = self.nodes.iter().filter(|node| node.schedulable);
        schedulable.map(|node| self.snapshot(node.number)).collect()
    }
}

/// CPU in nanos and memory in bytes that a request reserves.
fn amounts(request: &Request) -> (i128, i128) {
    (
        i128::from(request.resources.cpus.nanos()),
        i128::from(request.resources.memory.get()),
    )
}

impl RefScheduler {
    /// `scheduler/RULES.md` §4.1: everything enforced first, then without the soft expressions.
    pub fn rank(&self, cluster: &RefCluster, request: &Request) -> Result<Ranked, Refused> {
        if let Ok(nodes) = self.pass(cluster, request, true) {
            return Ok(Ranked {
                nodes,
                soft_dropped: false,
            });
        }
        let nodes = self.pass(cluster, request, false)?;
        Ok(Ranked {
            nodes,
            // Without anything soft the second pass repeats the first.
            soft_dropped: true,
        })
    }

    /// The first of the ranking; under `random` one of it, drawn with one number.
    pub fn decide(&self, cluster: &RefCluster, request: &Request, rng: &mut impl Rng) -> Result<usize, Refused> {
        let ranked = self.rank(cluster, request)?;
        let place = match self.strategy {
            Strategy::Spread | Strategy::Binpack => 0,
            Strategy::Random => rng.random_range(0..ranked.nodes.len() as u32) as usize,
        };
        Ok(ranked.nodes[place])
    }

    /// What one node says if it is asked alone.
    pub fn verdict(&self, cluster: &RefCluster, request: &Request, number: usize, enforce_soft: bool) -> Verdict {
        if !cluster.node(number).schedulable {
            return Verdict::NotCandidate;
        }
        let question = Question::new(cluster, request, self.strict, enforce_soft);
        let mut nodes = vec![cluster.snapshot(number)];
        for filter in &self.filters {
            match filters::apply(*filter, &question, nodes) {
                Ok(left) => nodes = left,
                Err(_) => return Verdict::Refused(*filter),
            }
        }
        match ranking::rank(self, request, nodes) {
            Ok(_) => Verdict::Accepted,
            Err(_) => Verdict::NoRoom,
        }
    }

    /// The weight of one node, `None` if it has no room or the strategy weighs nothing.
    pub fn weight(&self, cluster: &RefCluster, request: &Request, number: usize) -> Option<i128> {
        match self.strategy {
            Strategy::Spread | Strategy::Binpack => ranking::weight(self, request, &cluster.snapshot(number)),
            Strategy::Random => None,
        }
    }

    fn pass(&self, cluster: &RefCluster, request: &Request, enforce_soft: bool) -> Result<Vec<usize>, Refused> {
        let question = Question::new(cluster, request, self.strict, enforce_soft);
        let mut nodes = cluster.candidates();
        for (place, filter) in self.filters.iter().enumerate() {
            nodes = filters::apply(*filter, &question, nodes).map_err(|_| Refused {
                rejection: Rejection::Filter(*filter),
                message: error_text::of_filters(&self.filters[..=place], &question),
            })?;
        }
        if nodes.is_empty() {
            return Err(Refused {
                rejection: Rejection::NoNodes,
                message: "No nodes available in the cluster".to_owned(),
            });
        }
        ranking::rank(self, request, nodes).map_err(|_| Refused {
            rejection: Rejection::NoResources,
            message: "no resources available to schedule container".to_owned(),
        })
    }
}
