//! The filters, one file each: which nodes it refuses, what the error text says of it, and why in words.
//!
//! Every filter looks at one node at a time, so that a node's verdict changes only when the node does.

pub(super) mod affinity;
mod constraint;
pub(super) mod container_slots;
pub(super) mod dependency;
mod health;
pub(super) mod port;
pub(super) mod resources;
mod whitelist;

use crate::cluster::{Cluster, Node};

use super::prepared::Parsed;
use super::{Expression, Filter, Prepared, Strict};

/// Whether soft expressions are enforced (`scheduler/RULES.md` §4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SoftRules {
    /// Pass A: all expressions hold.
    Enforced,
    /// Pass B: soft expressions are skipped.
    Dropped,
}

/// What a filter is asked.
#[derive(Clone, Copy)]
pub(super) struct Question<'a> {
    pub cluster: &'a Cluster,
    pub request: &'a Prepared,
    pub strict: Strict,
    pub soft: SoftRules,
}

/// Which of the things that a filter checks refused a node: the place of an expression, port or container in the
/// request's list, 0 if the filter checks one thing only.
pub(super) type Rule = u16;

impl Filter {
    /// The first rule by which the filter refuses the node, if any.
    pub(super) fn refuses(self, question: &Question<'_>, node: &Node) -> Option<Rule> {
        match self {
            Filter::Health => health::refuses(node),
            Filter::Port => port::refuses(question, node),
            Filter::ContainerSlots => container_slots::refuses(node),
            Filter::Dependency => dependency::refuses(question, node),
            Filter::Affinity => affinity::refuses(question, node),
            Filter::Constraint => constraint::refuses(question, node),
            Filter::Whitelist => whitelist::refuses(question, node),
            Filter::Resources => resources::refuses(question, node),
        }
    }

    /// Whether the filter fails when it is given no nodes at all, instead of passing none on.
    pub(super) fn fails_without_nodes(self, question: &Question<'_>) -> bool {
        let asks = |parsed: &Parsed| match parsed {
            Ok(expressions) => expressions.iter().any(|expression| question.enforces(expression)),
            Err(_) => true,
        };
        match self {
            Filter::Health | Filter::ContainerSlots => true,
            Filter::Dependency => false,
            Filter::Port => port::asks(question.request.request()),
            Filter::Affinity => asks(question.request.affinities()),
            Filter::Constraint => asks(question.request.constraints()),
            Filter::Whitelist => asks(question.request.whitelists()),
            Filter::Resources => resources::asks(question.request.request()),
        }
    }

    /// The filter's line in the error text (`scheduler/RULES.md` §4.2): `Ok(None)` if it has nothing to report, an
    /// error if its expressions do not parse.
    pub(super) fn condition(self, request: &Prepared) -> Result<Option<String>, String> {
        let expressions = |parsed: &Parsed, show: fn(&Expression) -> String| match parsed {
            Ok(expressions) => Ok(bracketed(expressions.iter().map(show))),
            Err(error) => Err(format!("error from {self} filter: {error}")),
        };
        let with_softness = |expression: &Expression| format!("{expression} (soft={})", expression.is_soft());
        match self {
            Filter::Health => Ok(None),
            Filter::Port => Ok(bracketed(port::items(request.request()))),
            Filter::ContainerSlots => Ok(Some("[available container slots]".to_owned())),
            Filter::Dependency => Ok(bracketed(dependency::items(request.request()))),
            Filter::Affinity => expressions(request.affinities(), with_softness),
            Filter::Constraint => expressions(request.constraints(), Expression::to_string),
            Filter::Whitelist => expressions(request.whitelists(), whitelist::item),
            Filter::Resources => Ok(bracketed(resources::items(request.request()))),
        }
    }

    /// The rule that refused a node, as written, and what the node has instead.
    pub(super) fn describe(self, question: &Question<'_>, node: &Node, rule: Rule) -> Refusal {
        match self {
            Filter::Health => health::describe(node),
            Filter::Port => port::describe(question, node, rule),
            Filter::ContainerSlots => container_slots::describe(node),
            Filter::Dependency => dependency::describe(question, rule),
            Filter::Affinity => affinity::describe(question, node, rule),
            Filter::Constraint => constraint::describe(question, node, rule),
            Filter::Whitelist => whitelist::describe(question, node, rule),
            Filter::Resources => resources::describe(question, node, rule),
        }
    }
}

/// A refusal in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The expression, port, container or amount that refused the node.
    pub rule: String,
    /// What the node has instead.
    pub found: String,
}

impl Question<'_> {
    pub(super) fn enforces(&self, expression: &Expression) -> bool {
        self.soft == SoftRules::Enforced || !expression.is_soft()
    }

    /// The first enforced expression that does not hold. A list that does not parse refuses every node.
    fn first_broken(&self, parsed: &Parsed, holds: impl Fn(&Expression) -> bool) -> Option<Rule> {
        let Ok(expressions) = parsed else {
            return Some(0);
        };
        let broken = expressions.iter().position(|e| self.enforces(e) && !holds(e))?;
        Some(Rule::try_from(broken).unwrap_or(Rule::MAX))
    }

    /// Describes a refusal by an expression of a list.
    fn describe_expression(&self, parsed: &Parsed, rule: Rule, found: impl Fn(&Expression) -> String) -> Refusal {
        match parsed {
            Ok(expressions) => {
                let expression = &expressions[usize::from(rule).min(expressions.len() - 1)];
                let soft = if expression.is_soft() { " (soft)" } else { "" };
                Refusal {
                    rule: format!("{expression}{soft}"),
                    found: found(expression),
                }
            }
            Err(error) => Refusal {
                rule: error.to_string(),
                found: "the expression cannot be read".to_owned(),
            },
        }
    }
}

/// `[a b c]`, or nothing for no items.
fn bracketed(items: impl Iterator<Item = String>) -> Option<String> {
    let items: Vec<String> = items.collect();
    (!items.is_empty()).then(|| format!("[{}]", items.join(" ")))
}

/// A few of many texts, for explanations.
fn abridged<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    const SHOWN: usize = 3;
    let mut texts: Vec<&str> = texts.filter(|text| !text.is_empty()).collect();
    texts.sort_unstable();
    texts.dedup();
    let more = texts.len().saturating_sub(SHOWN);
    texts.truncate(SHOWN);
    match (texts.is_empty(), more) {
        (true, _) => "nothing".to_owned(),
        (false, 0) => texts.join(", "),
        (false, more) => format!("{} and {more} more", texts.join(", ")),
    }
}
