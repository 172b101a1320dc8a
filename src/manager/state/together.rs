//! Room for several containers on one node.

use crate::model::{Bytes, Cpus, Request, Resources};
use crate::scheduler::{CreateError, Creation};

use super::{Reserved, State, Unplaced, Wanted};

/// Nodes that are tried for a group. The first ones have room by every sum, so that another is seldom needed.
const NODES_MAX: usize = 16;

impl State {
    /// Finds room for containers on one node, for all of them or for none. `asked` is what each of them asks of the node
    /// beyond that the others are there.
    pub(in crate::manager) fn reserve_together(
        &mut self,
        wanted: &[Wanted],
        asked: Vec<Request>,
    ) -> Result<Vec<Reserved>, Unplaced> {
        let together = together(&asked);
        let prepared = self.scheduler.prepare(together.into());
        let ranking = self.scheduler.rank(&self.cluster, &prepared, &mut self.rng);
        let ranking = ranking.map_err(|rejection| Unplaced {
            error: CreateError::Rejected {
                rejection,
                message: rejection.message(&prepared, &self.scheduler.settings().filters),
            },
            nodes: self.explain(&prepared),
        })?;
        let mut first_refusal = None;
        for node in ranking.into_iter().take(NODES_MAX) {
            let id = self.cluster.node(node).id().to_owned();
            match self.reserve_all_on(&id, wanted, &asked) {
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

    fn reserve_all_on(&mut self, node: &str, wanted: &[Wanted], asked: &[Request]) -> Result<Vec<Reserved>, Unplaced> {
        let mut all = Vec::with_capacity(wanted.len());
        for (wanted, asked) in wanted.iter().zip(asked) {
            let mut asked = asked.clone();
            asked.constraints.push(format!("node=={node}"));
            let pinned = Wanted {
                creation: Creation::new(asked, 0),
                ..wanted.clone()
            };
            let prepared = self.scheduler.prepare(pinned.creation.asked().into());
            match self.reserve(&pinned, &prepared) {
                Ok(reserved) => all.push(reserved),
                Err(refusal) => {
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
fn together(all: &[Request]) -> Request {
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
        sum.constraints.extend_from_slice(&next.constraints);
        sum.affinities.extend_from_slice(&next.affinities);
        sum.whitelists.extend_from_slice(&next.whitelists);
    }
    sum
}
