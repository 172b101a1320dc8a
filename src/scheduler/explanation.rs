//! Why a request goes where it goes: every node's verdict, with its reason.

use rand::Rng;

use crate::cluster::{Cluster, Node};
use crate::model::{Bytes, Cpus, NodeIdx};

use super::filter::Question;
use super::weight::{Shortage, weigh};
use super::{Decision, Filter, Prepared, Refusal, Rejection, Scheduler, SoftRules, Strategy, Weight, passes};

/// What every node says to one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// What [`Scheduler::decide`] decides.
    pub decision: Result<Decision, Rejection>,
    /// The pass that the verdicts are from: the last one made.
    pub soft: SoftRules,
    /// Every node of the cluster, in tie order.
    pub nodes: Vec<NodeExplanation>,
}

/// What one node says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeExplanation {
    /// The node.
    pub node: NodeIdx,
    /// Its verdict.
    pub outcome: Outcome,
}

/// A node's verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is no candidate: it drains, or has not joined.
    NotCandidate,
    /// A filter refuses it.
    Refused {
        /// The first filter that does.
        filter: Filter,
        /// By which expression, port, container or amount, and what the node has instead.
        refusal: Refusal,
    },
    /// It passes the filters but lacks CPU or memory, so the strategy skips it.
    NoRoom {
        /// What is asked for.
        wanted: String,
        /// What is free.
        free: String,
    },
    /// It may take the container.
    Accepted {
        /// Place in the ranking, 1 for the best. Under `random` it is the place that this draw would give.
        rank: usize,
        /// The parts of its score; `None` under `random`, which weighs nothing.
        weight: Option<Weight>,
        /// Containers already on it, which decide between equal weights.
        containers: usize,
    },
}

impl Scheduler {
    /// Explains what [`Scheduler::decide`] would decide now with the generator in this state. Neither the scheduler nor
    /// the generator changes.
    pub fn explain<R: Rng + Clone>(&self, cluster: &Cluster, request: &Prepared, rng: &R) -> Explanation {
        let mut rng = rng.clone();
        let mut last = None;
        for soft in passes(request) {
            let question = self.question(cluster, request, soft);
            let ranking = self.rank_pass(&question, &mut rng);
            let accepted = ranking.is_ok();
            last = Some((question, ranking));
            if accepted {
                break;
            }
        }
        let (question, ranking) = last.expect("there is always a first pass");
        let decision = match &ranking {
            Ok(ranking) => Ok(Decision {
                node: ranking[0],
                soft: question.soft,
            }),
            Err(rejection) => Err(*rejection),
        };
        let mut ranks = vec![0; cluster.order().len()];
        for (place, idx) in ranking.iter().flatten().enumerate() {
            if let Some(position) = cluster.position(*idx) {
                ranks[position] = place + 1;
            }
        }
        let nodes = cluster.nodes().zip(ranks).map(|((idx, node), rank)| NodeExplanation {
            node: idx,
            outcome: self.outcome(&question, node, rank),
        });
        Explanation {
            decision,
            soft: question.soft,
            nodes: nodes.collect(),
        }
    }

    fn outcome(&self, question: &Question<'_>, node: &Node, rank: usize) -> Outcome {
        if !node.is_schedulable() {
            return Outcome::NotCandidate;
        }
        for filter in &self.settings.filters {
            if let Some(rule) = filter.refuses(question, node) {
                return Outcome::Refused {
                    filter: *filter,
                    refusal: filter.describe(question, node, rule),
                };
            }
        }
        let containers = node.containers().len();
        if rank > 0 && self.settings.strategy == Strategy::Random {
            return Outcome::Accepted {
                rank,
                weight: None,
                containers,
            };
        }
        let wanted = question.request.request().resources;
        let (total, used) = (node.total(), node.used());
        match weigh(&self.settings, node, wanted) {
            Ok(weight) => Outcome::Accepted {
                rank,
                weight: Some(weight),
                containers,
            },
            Err(Shortage::Cpus) => Outcome::NoRoom {
                wanted: format!("{} CPUs", wanted.cpus),
                free: Cpus::from_nanos(total.cpus.nanos().saturating_sub(used.cpus)).to_string(),
            },
            Err(Shortage::Memory) => Outcome::NoRoom {
                wanted: format!("{} memory", wanted.memory),
                free: Bytes::new(total.memory.get().saturating_sub(used.memory)).to_string(),
            },
        }
    }
}
