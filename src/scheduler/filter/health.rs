//! `health` (`scheduler/RULES.md` §5.1): nodes whose indicator is above zero.

use crate::cluster::Node;

use super::{Refusal, Rule};

pub(super) fn refuses(node: &Node) -> Option<Rule> {
    (node.health() == 0).then_some(0)
}

pub(super) fn describe(node: &Node) -> Refusal {
    Refusal {
        rule: "health > 0".to_owned(),
        found: format!("health is {}", node.health()),
    }
}
