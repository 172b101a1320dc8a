//! Room for several containers on one node.

use std::sync::Arc;
use std::time::Instant;

use crate::cluster::Placement;
use crate::model::{Bytes, Cpus, NodeIdx, Request, Resources};
use crate::scheduler::{CreateError, Prepared, attempt_at};

use super::{Reserved, State, Unplaced, Wanted};

/// Nodes that are tried for a group. The first ones have room by every sum, so that another is seldom needed.
const NODES_MAX: usize = 16;

impl State {
    /// Finds room for containers on one node, for all of them or for none. `asked` is what each of them asks of the node
    /// beyond that the others are there, `together` the sum of that. Soft expressions take part in the sum, by which the
    /// nodes are ranked, and not in what each container asks for.
    pub(in crate::manager) fn reserve_together(
        &mut self,
        wanted: &[Wanted],
        asked: &[Prepared],
        together: &Prepared,
    ) -> Result<Vec<Reserved>, Unplaced> {
        self.release_names(Instant::now());
        let ranking = self.scheduler.rank(&self.cluster, together, &mut self.rng);
        let ranking = ranking.map_err(|rejection| Unplaced {
            error: CreateError::Rejected {
                rejection,
                message: rejection.message(together, &self.scheduler.settings().filters),
            },
            nodes: self.explain(together),
        })?;
        let mut first_refusal = None;
        for node in ranking.into_iter().take(NODES_MAX) {
            match self.reserve_all_on(node, wanted, asked) {
                Ok(reserved) => return Ok(reserved),
                Err(refusal) => first_refusal = first_refusal.or(Some(refusal)),
            }
        }
        // A ranking has at least one node.
        Err(first_refusal.unwrap_or_else(|| Unplaced {
            error: crate::cluster::PlaceError::NoSuchNode.into(),
            nodes: None,
        }))
    }

    fn reserve_all_on(
        &mut self,
        node: NodeIdx,
        wanted: &[Wanted],
        asked: &[Prepared],
    ) -> Result<Vec<Reserved>, Unplaced> {
        let mut all = Vec::with_capacity(wanted.len());
        for (wanted, asked) in wanted.iter().zip(asked) {
            self.release_for_move(&wanted.swarm_id, &wanted.name);
            let placement = Placement {
                request: Arc::new(wanted.creation.request().clone()),
                name: wanted.name.as_str().into(),
                swarm_id: wanted.swarm_id.clone(),
            };
            let placed = attempt_at(&self.scheduler, &mut self.cluster, node, asked, placement);
            let reserved = match placed {
                Ok(container) => self.reserved(container, node),
                Err(error) => Err(Unplaced { error, nodes: None }),
            };
            match reserved {
                Ok(reserved) => all.push(reserved),
                Err(refusal) => {
                    self.keep_for_move(&wanted.swarm_id, &wanted.name);
                    for reserved in &all {
                        self.release(reserved);
                    }
                    return Err(refusal);
                }
            }
        }
        Ok(all)
    }
}

/// What containers ask of a node together. What they ask of one another's ports and networks is for the reservations to
/// find out.
pub(in crate::manager) fn together(all: &[Request]) -> Request {
    let mut sum = all.first().cloned().unwrap_or_default();
    for next in all.iter().skip(1) {
        let (a, b) = (sum.resources, next.resources);
        sum.resources = Resources::new(
            Cpus::from_nanos(a.cpus.nanos() + b.cpus.nanos()),
            Bytes::new(a.memory.get() + b.memory.get()),
        );
        sum.exposed_ports.extend_from_slice(&next.exposed_ports);
        sum.port_bindings.extend_from_slice(&next.port_bindings);
        sum.volumes_from.extend_from_slice(&next.volumes_from);
        sum.links.extend_from_slice(&next.links);
        for (sum, next) in [
            (&mut sum.constraints, &next.constraints),
            (&mut sum.affinities, &next.affinities),
            (&mut sum.whitelists, &next.whitelists),
        ] {
            // Containers of one group often ask for the same.
            let new: Vec<String> = next.iter().filter(|text| !sum.contains(text)).cloned().collect();
            sum.extend(new);
        }
    }
    sum
}
