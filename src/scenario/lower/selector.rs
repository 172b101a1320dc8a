//! Which nodes an event is about.

use std::collections::HashMap;

use regex::Regex;

use crate::scenario::format::{ClusterTable, NodeSelector};
use crate::scenario::path::Segment;
use crate::scenario::suggest::{nearest, there_are, ticked};
use crate::sim::NodePlan;

/// More names than this are not searched for one that is nearly the same.
const MOST_SEARCHED: usize = 2_000;

/// A part of a selector that selects nothing.
#[derive(Debug)]
pub(super) struct Vain {
    /// The way to that part from the selector.
    pub steps: Vec<Segment>,
    /// What there is not.
    pub message: String,
    /// What there is instead.
    pub help: String,
}

impl Vain {
    fn new(step: Option<Segment>, message: String, name: &str, known: &[&str]) -> Vain {
        let help = match nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => {
                let known: Vec<String> = known.iter().map(|name| ticked(name)).collect();
                there_are(&known)
            }
        };
        Vain {
            steps: step.into_iter().collect(),
            message,
            help,
        }
    }
}

/// The nodes of a plan, with those of every name and of every group: lists of events name one node each.
pub(super) struct Nodes<'p> {
    list: &'p [NodePlan],
    names: HashMap<&'p str, Vec<usize>>,
    groups: HashMap<&'p str, Vec<usize>>,
}

impl<'p> Nodes<'p> {
    /// These.
    pub fn new(list: &'p [NodePlan]) -> Nodes<'p> {
        let (mut names, mut groups) = (HashMap::new(), HashMap::new());
        for (position, node) in list.iter().enumerate() {
            names.entry(node.name.as_str()).or_insert_with(Vec::new).push(position);
            groups
                .entry(node.group.as_str())
                .or_insert_with(Vec::new)
                .push(position);
        }
        Nodes { list, names, groups }
    }
}

/// The nodes that are meant, in the order of the plan, and the parts of the selector that are in vain.
///
/// Labels are those that nodes have from the start.
pub(super) fn select(selector: &NodeSelector, cluster: &ClusterTable, nodes: &Nodes<'_>) -> (Vec<usize>, Vec<Vain>) {
    match selector {
        NodeSelector::Pattern(pattern) => by_pattern(pattern, None, nodes),
        NodeSelector::Patterns(patterns) => {
            let (mut found, mut vain) = (Vec::new(), Vec::new());
            for (index, pattern) in patterns.iter().enumerate() {
                let (matching, unmatched) = by_pattern(pattern, Some(Segment::Index(index)), nodes);
                found.extend(matching);
                vain.extend(unmatched);
            }
            found.sort_unstable();
            found.dedup();
            (found, vain)
        }
        NodeSelector::Group(selector) => {
            let found = nodes.groups.get(selector.group.as_str()).cloned().unwrap_or_default();
            (found, unknown_group(&selector.group, cluster))
        }
        NodeSelector::Label(selector) => {
            by_label(&selector.label, selector.value.as_deref().unwrap_or("*"), nodes.list)
        }
    }
}

fn positions(nodes: &[NodePlan], is_wanted: impl Fn(&NodePlan) -> bool) -> Vec<usize> {
    let found = nodes.iter().enumerate().filter(|(_, node)| is_wanted(node));
    found.map(|(index, _)| index).collect()
}

fn by_pattern(text: &str, step: Option<Segment>, nodes: &Nodes<'_>) -> (Vec<usize>, Vec<Vain>) {
    let found = if text.contains('*') {
        let pattern = glob(text);
        positions(nodes.list, |node| pattern.is_match(&node.name))
    } else {
        nodes.names.get(text).cloned().unwrap_or_default()
    };
    if !found.is_empty() {
        return (found, Vec::new());
    }
    let names: Vec<&str> = nodes
        .list
        .iter()
        .map(|node| node.name.as_str())
        .take(MOST_SEARCHED)
        .collect();
    let message = match text.contains('*') {
        true => format!("no node's name matches {text:?}"),
        false => format!("there is no node {text:?}"),
    };
    (found, vec![Vain::new(step, message, text, &names)])
}

fn unknown_group(group: &str, cluster: &ClusterTable) -> Vec<Vain> {
    if cluster.nodes.contains_key(group) {
        return Vec::new();
    }
    let names: Vec<&str> = cluster.nodes.keys().map(String::as_str).take(MOST_SEARCHED).collect();
    let step = Segment::Key("group".to_owned());
    vec![Vain::new(
        Some(step),
        format!("there is no group `{group}`"),
        group,
        &names,
    )]
}

fn by_label(label: &str, value: &str, nodes: &[NodePlan]) -> (Vec<usize>, Vec<Vain>) {
    let pattern = glob(value);
    let found = positions(nodes, |node| {
        node.labels.get(label).is_some_and(|value| pattern.is_match(value))
    });
    if !found.is_empty() {
        return (found, Vec::new());
    }
    let mut values: Vec<&str> = nodes
        .iter()
        .filter_map(|node| Some(node.labels.get(label)?.as_str()))
        .collect();
    values.sort_unstable();
    values.dedup();
    let vain = match values.is_empty() {
        true => {
            let mut names: Vec<&str> = nodes
                .iter()
                .flat_map(|node| node.labels.keys())
                .map(String::as_str)
                .collect();
            names.sort_unstable();
            names.dedup();
            let step = Segment::Key("label".to_owned());
            Vain::new(Some(step), format!("no node has a label `{label}`"), label, &names)
        }
        false => {
            let step = Segment::Key("value".to_owned());
            let message = format!("no node has the label `{label}` with a value like {value:?}");
            Vain::new(Some(step), message, value, &values)
        }
    };
    (found, vec![vain])
}

/// A pattern in which only `*` is special.
fn glob(text: &str) -> Regex {
    let parts: Vec<String> = text.split('*').map(regex::escape).collect();
    // Matching nothing is right for a pattern that is too large to be the name of anything.
    Regex::new(&format!("(?s)^{}$", parts.join(".*")))
        .unwrap_or_else(|_| Regex::new("[^\\s\\S]").expect("the pattern is constant and valid"))
}
