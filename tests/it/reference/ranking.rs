//! `scheduler/RULES.md` §6: the strategies.

use std::cmp::Ordering;

use swarmlab::model::Request;
use swarmlab::scheduler::Strategy;

use super::{RefScheduler, Snapshot, amounts};

/// Every node lacks CPU or memory.
pub struct NoResources;

/// The numbers of the nodes that have room, the best first; under `random` in tie order.
pub fn rank(scheduler: &RefScheduler, request: &Request, nodes: Vec<Snapshot<'_>>) -> Result<Vec<usize>, NoResources> {
    let mut weighed: Vec<(i128, Snapshot<'_>)> = Vec::new();
    for node in nodes {
        let looks_at_capacity = scheduler.strategy != Strategy::Random || scheduler.strict.random_capacity;
        match weight(scheduler, request, &node) {
            Some(weight) => weighed.push((weight, node)),
            None if looks_at_capacity => {}
            None => weighed.push((0, node)),
        }
    }
    if weighed.is_empty() {
        return Err(NoResources);
    }
    weighed.sort_by(|(weight, node), (other_weight, other)| {
        let (containers, other_containers) = (node.containers.len(), other.containers.len());
        let by_strategy = match scheduler.strategy {
            Strategy::Spread => weight.cmp(other_weight).then(containers.cmp(&other_containers)),
            Strategy::Binpack => other_weight.cmp(weight).then(other_containers.cmp(&containers)),
            Strategy::Random => Ordering::Equal,
        };
        let tie = |node: &Snapshot<'_>| (node.node.name.clone(), node.node.id.clone(), node.node.number);
        by_strategy.then_with(|| tie(node).cmp(&tie(other)))
    });
    Ok(weighed.into_iter().map(|(_, node)| node.node.number).collect())
}

/// `scheduler/RULES.md` §6.1: the weight, `None` if the node is skipped.
pub fn weight(scheduler: &RefScheduler, request: &Request, node: &Snapshot<'_>) -> Option<i128> {
    let (cpu, memory) = amounts(request);
    if node.total_memory < memory || node.total_cpu < cpu {
        return None;
    }
    let score = |wanted: i128, used: i128, total: i128| match wanted {
        0 => 100,
        wanted => (used + wanted) * 100 / total,
    };
    let cpu_score = score(cpu, node.used_cpu, node.total_cpu);
    let memory_score = score(memory, node.used_memory, node.total_memory);
    if cpu_score > 100 || memory_score > 100 {
        return None;
    }
    // The strict setting: full at exactly 100 %.
    let exceeds = |wanted: i128, used: i128, total: i128| wanted > 0 && used + wanted > total;
    if scheduler.strict.capacity
        && (exceeds(cpu, node.used_cpu, node.total_cpu) || exceeds(memory, node.used_memory, node.total_memory))
    {
        return None;
    }
    let health_factor = if scheduler.strategy == Strategy::Spread {
        -10
    } else {
        10
    };
    Some(cpu_score + memory_score + health_factor * node.node.health)
}
