//! `whitelist` (`scheduler/RULES.md` §5.7): nodes whose name is on every list.

use crate::cluster::Node;
use crate::scheduler::expression::Operator;

use super::{Expression, Question, Refusal, Rule, constraint};

pub(super) fn refuses(question: &Question<'_>, node: &Node) -> Option<Rule> {
    let strict = question.strict.whitelist;
    question.first_broken(question.request.whitelists(), |expression| {
        holds(expression, node, strict)
    })
}

/// The original ignores key and operator; the strict setting heeds them.
fn holds(expression: &Expression, node: &Node, strict: bool) -> bool {
    let mut listed = expression.value().split('|');
    if !strict {
        return listed.any(|name| name == node.name());
    }
    let on_list = match expression.key() {
        "node" => listed.any(|name| name == node.name() || name == node.id()),
        key => listed.any(|value| value == constraint::label(node, key)),
    };
    on_list == (expression.operator() == Operator::Equal)
}

pub(super) fn item(expression: &Expression) -> String {
    format!("{expression} (soft={})", expression.is_soft())
}

pub(super) fn describe(question: &Question<'_>, node: &Node, rule: Rule) -> Refusal {
    let found = |expression: &Expression| {
        if question.strict.whitelist {
            constraint::found(expression, node)
        } else {
            format!("its name is {}", node.name())
        }
    };
    question.describe_expression(question.request.whitelists(), rule, found)
}
