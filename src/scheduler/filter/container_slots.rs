//! `containerslots` (`scheduling.md` §5.3): nodes with room below the number in their label of that name.

use crate::cluster::Node;

use super::{Refusal, Rule};

pub(super) fn refuses(node: &Node) -> Option<Rule> {
    let slots = node.slots()?;
    // A node cannot list more containers than fit into 32 bits.
    let full = node.containers().len() as i64 >= slots;
    full.then_some(0)
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
