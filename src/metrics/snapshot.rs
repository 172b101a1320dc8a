//! What one look at all nodes tells: balance, fragmentation and packing.

use std::collections::BTreeMap;

use crate::cluster::Cluster;
use crate::model::Resources;

use super::ledger::is_available;
use super::{Balance, PerResource, Setup};

/// Figures over the available nodes at one instant.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Snapshot {
    pub balance: PerResource<Option<Balance>>,
    pub stranded_pct: PerResource<Option<f64>>,
    pub fragmented_pct: PerResource<Option<f64>>,
    pub packing_pct: Option<f64>,
    pub further_pct: Option<f64>,
}

/// Takes snapshots; keeps its buffers from one to the next.
#[derive(Clone, Debug)]
pub(super) struct Photographer {
    shapes: Vec<(PerResource<u64>, f64)>,
    smallest: Option<PerResource<u64>>,
    shares: PerResource<Vec<f64>>,
    capacities: PerResource<Vec<u64>>,
}

impl Photographer {
    pub(super) fn new(setup: &Setup) -> Photographer {
        let shapes = setup.shapes.iter();
        let smallest = setup.shapes.smallest(setup.capacity());
        Photographer {
            shapes: shapes.map(|(shape, popularity)| (shape.into(), popularity)).collect(),
            smallest: smallest.map(<PerResource<u64> as From<Resources>>::from),
            shares: PerResource::default(),
            capacities: PerResource::default(),
        }
    }

    /// Looks at every available node once, in tie order.
    pub(super) fn snapshot(&mut self, cluster: &Cluster) -> Snapshot {
        self.shares.each_mut().into_iter().for_each(Vec::clear);
        self.capacities.each_mut().into_iter().for_each(Vec::clear);
        let mut total: PerResource<u128> = PerResource::default();
        let mut reserved: PerResource<u128> = PerResource::default();
        let mut stranded: PerResource<f64> = PerResource::default();
        let mut fragmented: PerResource<f64> = PerResource::default();
        let mut further: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
        let mut used_nodes = 0_u64;
        for (_, node) in cluster.nodes().filter(|(_, node)| is_available(node)) {
            let capacity: PerResource<u64> = node.capacity().into();
            let used: PerResource<u64> = node.used().into();
            total = total.zip(capacity, |sum, part| sum + u128::from(part));
            reserved = reserved.zip(used, |sum, part| sum + u128::from(part));
            used_nodes += u64::from(!node.containers().is_empty());
            for extra in node.extra() {
                let (used, total) = further.entry(&extra.name).or_default();
                *used += extra.used;
                *total += extra.total;
            }
            self.note(capacity, used);
            let free = capacity.zip(used, u64::saturating_sub);
            let unfit = self.unfit(free);
            fragmented = fragmented.zip(free, |sum, free| sum + unfit * free as f64);
            stranded = stranded.zip(self.stranded(free), |sum, free| sum + free as f64);
        }
        let of_capacity = |part: f64, whole: u128| (whole > 0).then(|| 100.0 * part / whole as f64);
        let judged = |figure: Option<f64>, known: bool| figure.filter(|_| known);
        let packing = self.packing(reserved, used_nodes);
        Snapshot {
            balance: PerResource {
                cpu: Balance::of(&self.shares.cpu),
                memory: Balance::of(&self.shares.memory),
            },
            stranded_pct: stranded
                .zip(total, of_capacity)
                .map(|figure| judged(figure, self.smallest.is_some())),
            fragmented_pct: fragmented
                .zip(total, of_capacity)
                .map(|figure| judged(figure, !self.shapes.is_empty())),
            packing_pct: packing,
            further_pct: further
                .into_values()
                .filter(|(_, total)| *total > 0)
                .map(|(used, total)| 100.0 * used as f64 / total as f64)
                .reduce(f64::max),
        }
    }

    /// A node without any of a resource has no share of it to balance.
    fn note(&mut self, capacity: PerResource<u64>, used: PerResource<u64>) {
        let columns = [
            (capacity.cpu, used.cpu, &mut self.shares.cpu, &mut self.capacities.cpu),
            (
                capacity.memory,
                used.memory,
                &mut self.shares.memory,
                &mut self.capacities.memory,
            ),
        ];
        for (capacity, used, shares, capacities) in columns {
            if capacity > 0 {
                shares.push(used as f64 / capacity as f64);
            }
            capacities.push(capacity);
        }
    }

    /// Σ p_m over the typical containers m that do not fit.
    fn unfit(&self, free: PerResource<u64>) -> f64 {
        let refused = |shape: &PerResource<u64>| shape.cpu > free.cpu || shape.memory > free.memory;
        let popularities = self.shapes.iter().filter(|(shape, _)| refused(shape));
        popularities.map(|(_, popularity)| popularity).sum()
    }

    /// What is free of a resource where the smallest typical container lacks the other one.
    fn stranded(&self, free: PerResource<u64>) -> PerResource<u64> {
        let lacks = |wanted: u64, free: u64| wanted > free;
        let keep = |condition: bool, amount: u64| if condition { amount } else { 0 };
        self.smallest.map_or(PerResource::default(), |smallest| PerResource {
            cpu: keep(lacks(smallest.memory, free.memory), free.cpu),
            memory: keep(lacks(smallest.cpu, free.cpu), free.memory),
        })
    }

    /// Lower bound ÷ nodes used, in percent. One container takes one node, whatever it reserves.
    fn packing(&mut self, demand: PerResource<u128>, used_nodes: u64) -> Option<f64> {
        let [cpu, memory] = self.capacities.each_mut();
        let bound = lower_bound(cpu, demand.cpu)
            .max(lower_bound(memory, demand.memory))
            .max(1);
        (used_nodes > 0).then(|| 100.0 * bound as f64 / used_nodes as f64)
    }
}

/// The least k such that the k largest capacities cover the demand; all nodes if nothing does.
fn lower_bound(capacities: &mut [u64], demand: u128) -> usize {
    capacities.sort_unstable_by(|a, b| b.cmp(a));
    let mut covered = 0;
    let enough = capacities.iter().position(|capacity| {
        let before = covered;
        covered += u128::from(*capacity);
        before >= demand
    });
    enough.unwrap_or(capacities.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_takes_the_largest_nodes_first() {
        let bound = |demand| lower_bound(&mut [2, 8, 4], demand);
        assert_eq!([0, 1, 8, 9, 12, 13, 14, 15].map(bound), [0, 1, 1, 2, 2, 3, 3, 3]);
    }
}
