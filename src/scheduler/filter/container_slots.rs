//! `containerslots` (`scheduler/RULES.md` §5.3): nodes with room below the number in their label of that name.

use crate::cluster::Node;

use super::{Refusal, Rule};

pub(super) fn refuses(node: &Node) -> Option<Rule> {
    is_full(node).then_some(0)
}

pub(in crate::scheduler) fn is_full(node: &Node) -> bool {
    // A node cannot list more containers than fit into 32 bits.
    node.slots()
        .is_some_and(|slots| node.containers().len() as i64 >= slots)
}

pub(super) fn describe(node: &Node) -> Refusal {
    Refusal {
        rule: "available container slots".to_owned(),
        found: format!(
            "{} of {} slots are taken",
            node.containers().len(),
            node.slots().unwrap_or_default()
        ),
    }
}
