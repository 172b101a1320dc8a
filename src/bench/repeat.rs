//! A cluster of another size, made of the nodes of one that there is.

use std::sync::Arc;

use crate::cluster::{Cluster, NewNode, Node, NodeChange, Placement};

/// A cluster of so many nodes that is to `cluster` as a pattern to its tile: every group of nodes has the same share of
/// it, and its nodes are repeated in their order, with the images, containers and health that they have. The first
/// round of nodes and containers keeps its names; `~2`, `~3` and so on are added to those of the rounds after it.
///
/// Shares are rounded by the largest remainder, so a small cluster may lack a small group.
pub(super) fn repeat<'a>(cluster: &'a Cluster, nodes: usize, group_of: impl Fn(&'a str) -> &'a str) -> Cluster {
    let mut groups: Vec<(&str, Vec<&Node>)> = Vec::new();
    for (_, node) in cluster.nodes() {
        let group = group_of(node.name());
        match groups.iter_mut().find(|(name, _)| *name == group) {
            Some((_, members)) => members.push(node),
            None => groups.push((group, vec![node])),
        }
    }
    // Sums over nodes name them in the order of the scenario, which is that of their indices.
    for (_, members) in &mut groups {
        members.sort_by_key(|node| node.index());
    }
    groups.sort_by_key(|(_, members)| members.first().map(|node| node.index()));
    let sizes: Vec<usize> = groups.iter().map(|(_, members)| members.len()).collect();
    let mut repeated = Cluster::new();
    for ((_, members), count) in groups.iter().zip(shares(&sizes, nodes)) {
        for number in 0..count {
            copy(
                cluster,
                members[number % members.len()],
                number / members.len(),
                &mut repeated,
            );
        }
    }
    repeated
}

/// `total` divided in proportion to the sizes. The sum of the sizes is not zero.
fn shares(sizes: &[usize], total: usize) -> Vec<usize> {
    let all: u128 = sizes.iter().map(|size| *size as u128).sum();
    let exact = |size: usize| size as u128 * total as u128;
    let mut shares: Vec<usize> = sizes.iter().map(|size| (exact(*size) / all.max(1)) as usize).collect();
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    order.sort_by_key(|place| std::cmp::Reverse(exact(sizes[*place]) % all.max(1)));
    let missing = total - shares.iter().sum::<usize>();
    for place in order.into_iter().take(missing) {
        shares[place] += 1;
    }
    shares
}

fn copy(from: &Cluster, node: &Node, round: usize, to: &mut Cluster) {
    let named = |name: &str| match round {
        0 => name.to_owned(),
        _ => format!("{name}~{}", round + 1),
    };
    let idx = to.add_node(NewNode {
        id: named(node.id()),
        name: named(node.name()),
        capacity: node.capacity(),
        overcommit: node.overcommit(),
        labels: node.labels().clone(),
        extra: node
            .extra()
            .iter()
            .map(|extra| (extra.name.clone(), extra.total))
            .collect(),
    });
    for image in node.images() {
        to.update_node(idx, NodeChange::AddImage(Arc::clone(image)));
    }
    for container in from.containers_on(node) {
        let name = match container.name() {
            "" => String::new(),
            name => named(name),
        };
        let placement = Placement {
            request: Arc::clone(container.request()),
            name: name.into(),
            swarm_id: String::new(),
        };
        // A name can be taken only if somebody has named a container like a copy; that container is left out.
        if let Ok(placed) = to.place(idx, placement)
            && !container.is_pending()
        {
            to.commit(placed, None);
        }
    }
    if node.health() != crate::cluster::HEALTHY {
        to.update_node(idx, NodeChange::Health(node.health()));
    }
    if !node.is_schedulable() {
        to.update_node(idx, NodeChange::Schedulable(false));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_and_keep_their_proportion() {
        assert_eq!(shares(&[10, 10, 4], 24), [10, 10, 4]);
        assert_eq!(shares(&[10, 10, 4], 240), [100, 100, 40]);
        assert_eq!(shares(&[10, 10, 4], 10), [4, 4, 2]);
        assert_eq!(shares(&[10, 10, 4], 1), [1, 0, 0]);
        assert_eq!(shares(&[1], 7), [7]);
    }
}
