//! `constraint` (`scheduler/RULES.md` §5.6): expressions over a node's ID, name and labels.

use crate::cluster::Node;

use super::{Expression, Question, Refusal, Rule};

pub(super) fn refuses(question: &Question<'_>, node: &Node) -> Option<Rule> {
    question.first_broken(question.request.constraints(), |expression| holds(expression, node))
}

/// Key `node` compares with ID and name, any other key with the label, absent labels being empty.
pub(super) fn holds(expression: &Expression, node: &Node) -> bool {
    match expression.key() {
        "node" => expression.holds([node.id(), node.name()].into_iter()),
        key => expression.holds([label(node, key)].into_iter()),
    }
}

/// The label's value, empty if it is absent.
pub(super) fn label<'a>(node: &'a Node, key: &str) -> &'a str {
    node.labels().get(key).map_or("", String::as_str)
}

pub(super) fn describe(question: &Question<'_>, node: &Node, rule: Rule) -> Refusal {
    question.describe_expression(question.request.constraints(), rule, |expression| {
        found(expression, node)
    })
}

/// What the node has where the expression looks.
pub(super) fn found(expression: &Expression, node: &Node) -> String {
    match (expression.key(), node.labels().get(expression.key())) {
        ("node", _) => format!("its name is {}", node.name()),
        (key, Some(value)) => format!("its label {key} is {value}"),
        (key, None) => format!("it has no label {key}"),
    }
}
