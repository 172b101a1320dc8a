//! `manager/RULES.md` §7.1: from what a user types to a container.

use super::{RefCluster, RefContainer};

/// The containers among `listed` that the text may mean: one or none, except that two may share an ID.
pub fn find<'a>(cluster: &RefCluster, listed: &[&'a RefContainer], query: &str) -> Vec<&'a RefContainer> {
    // Every ID begins with nothing; the original does not look for it.
    if query.is_empty() {
        return Vec::new();
    }
    let by_id = |id: &str| !id.is_empty() && (id == query || short(id) == query);
    // 1. exact ID, or exactly the first 12 chars of an ID.
    let found: Vec<_> = listed.iter().copied().filter(|one| by_id(&one.id)).collect();
    if !found.is_empty() {
        return found;
    }
    // 2. exact swarm ID, or its first 12 chars.
    let found: Vec<_> = listed.iter().copied().filter(|one| by_id(&one.swarm_id)).collect();
    if !found.is_empty() {
        return found;
    }
    // 3. names: exactly one container, or none at all.
    let by_name = |container: &RefContainer, name: &str| {
        let node = cluster.node(container.node);
        let spellings = [
            name.to_owned(),
            format!("{}{name}", node.id),
            format!("{}{name}", node.name),
        ];
        spellings.contains(&query.to_owned()) || name == format!("/{query}")
    };
    let found: Vec<_> = listed
        .iter()
        .copied()
        .filter(|one| one.names.iter().any(|name| by_name(one, name)))
        .collect();
    match found.len() {
        0 => {}
        1 => return found,
        _ => return Vec::new(),
    }
    // 4. the only match among prefixes of IDs and swarm IDs; one that matches both ways counts twice.
    let mut found = Vec::new();
    for container in listed {
        for id in [&container.id, &container.swarm_id] {
            if id.starts_with(query) {
                found.push(*container);
            }
        }
    }
    if found.len() == 1 { found } else { Vec::new() }
}

fn short(id: &str) -> String {
    id.chars().take(12).collect()
}
