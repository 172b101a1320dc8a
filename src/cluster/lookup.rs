//! From what a user types to a container: the original's rules (`manager/RULES.md` §7.1).

use std::collections::BTreeSet;

use crate::model::{ContainerIdx, NodeIdx};

use super::{Cluster, Container};

/// Length of a short ID.
const SHORT_ID: usize = 12;

/// Bytes of a text beyond which it means nothing. Longer ones come from those who want to keep us busy.
const QUERY_BYTES_MAX: usize = 64 << 10;

/// Slashes at which a text is taken apart into a node and a name. Of those that mean something, the IDs of nodes have the
/// most: the path of a socket is part of them.
const SLASHES_MAX: usize = 32;

impl Cluster {
    /// The container that `query` names anywhere in the cluster: by ID, short ID, cluster-wide ID, name,
    /// `node/name`, or unique prefix of an ID; the first rule that finds something decides.
    pub fn find(&self, query: &str) -> Option<ContainerIdx> {
        self.find_where(query, |_| true)
    }

    /// As [`Cluster::find`], among the containers of one node only.
    pub fn find_on(&self, node: NodeIdx, query: &str) -> Option<ContainerIdx> {
        self.find_where(query, |idx| self.expect_container(idx).node == node)
    }

    /// Nodes among which are all on which [`Cluster::find_on`] finds something for this query; with repetitions.
    pub fn may_hold<'a>(&'a self, query: &'a str) -> impl Iterator<Item = NodeIdx> + 'a {
        let by_id = [&self.ids, &self.swarm_ids]
            .into_iter()
            .filter(|_| !query.is_empty() && query.len() <= QUERY_BYTES_MAX)
            .flat_map(move |ids| prefixed(ids, query))
            .map(|(_, idx)| idx);
        let found = by_id.chain(self.by_any_name(query));
        found.map(|idx| self.expect_container(idx).node)
    }

    /// Containers whose ID or first name is exactly this text, with repetitions.
    pub fn known_as<'a>(&'a self, text: &'a str) -> impl Iterator<Item = &'a Container> + 'a {
        let by_id = prefixed(&self.ids, text)
            .take_while(move |(id, _)| *id == text)
            .map(|(_, idx)| idx);
        let found = by_id.chain(self.named(text)).map(|idx| self.expect_container(idx));
        found.filter(move |container| container.name() == text || container.id() == text)
    }

    /// Containers with this cluster-wide ID: more than one, if one was created anew and its node came back.
    pub fn with_swarm_id<'a>(&'a self, swarm_id: &'a str) -> impl Iterator<Item = &'a Container> + 'a {
        prefixed(&self.swarm_ids, swarm_id)
            .take_while(move |(id, _)| *id == swarm_id)
            .map(|(_, idx)| self.expect_container(idx))
    }

    /// The container whose ID begins with this text, if it is the only one.
    pub fn with_id_prefix(&self, prefix: &str) -> Option<ContainerIdx> {
        if prefix.is_empty() {
            return None;
        }
        let mut found = prefixed(&self.ids, prefix);
        match (found.next(), found.next()) {
            (Some((_, only)), None) => Some(only),
            _ => None,
        }
    }

    fn find_where(&self, query: &str, admit: impl Fn(ContainerIdx) -> bool) -> Option<ContainerIdx> {
        if query.is_empty() || query.len() > QUERY_BYTES_MAX {
            return None;
        }
        for ids in [&self.ids, &self.swarm_ids] {
            let mut found = prefixed(ids, query).filter(|(_, idx)| admit(*idx));
            if let Some((_, idx)) = found.find(|(id, _)| id.len() == query.len() || query.len() == SHORT_ID) {
                return Some(idx);
            }
        }
        let mut named = self.by_any_name(query).filter(|idx| admit(*idx));
        if let Some(first) = named.next() {
            // A container can be found under several spellings; another container makes the name ambiguous.
            return named.all(|other| other == first).then_some(first);
        }
        let mut matches = [&self.ids, &self.swarm_ids]
            .into_iter()
            .flat_map(|ids| prefixed(ids, query))
            .filter(|(_, idx)| admit(*idx));
        match (matches.next(), matches.next()) {
            (Some((_, only)), None) => Some(only),
            _ => None,
        }
    }

    /// Containers called `query`, `/query`, or `node/name` with the node's name or ID.
    fn by_any_name<'a>(&'a self, query: &'a str) -> impl Iterator<Item = ContainerIdx> + 'a {
        // No container has an empty name.
        let query = if query.len() > QUERY_BYTES_MAX { "" } else { query };
        let plain = query.strip_prefix('/').unwrap_or(query);
        let qualified = query.match_indices('/').take(SLASHES_MAX).flat_map(move |(slash, _)| {
            let (node, name) = (&query[..slash], &query[slash + 1..]);
            self.named(name).filter(move |idx| {
                let on = self.node(self.expect_container(*idx).node);
                on.name == node || on.id == node
            })
        });
        self.named(plain).chain(qualified)
    }
}

/// The entries whose ID begins with `prefix`, in order.
fn prefixed<'a>(
    ids: &'a BTreeSet<(Box<str>, ContainerIdx)>,
    prefix: &'a str,
) -> impl Iterator<Item = (&'a str, ContainerIdx)> {
    // Simulated containers have no IDs, and are looked for often.
    let from = (!ids.is_empty()).then(|| ids.range((Box::from(prefix), ContainerIdx::first(0))..));
    from.into_iter()
        .flatten()
        .take_while(move |(id, _)| id.starts_with(prefix))
        .map(|(id, idx)| (&**id, *idx))
}
