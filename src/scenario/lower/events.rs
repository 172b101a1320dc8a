//! `[[events]]`.

use regex::Regex;

use crate::model::Time;
use crate::scenario::diagnostic::Code;
use crate::scenario::format::{Amount, ClusterTable, EventAction, EventTable, NewLabel, NodeSelector, Text};
use crate::scenario::path::Path;
use crate::scenario::suggest::{enumerate, nearest, ticked};
use crate::sim::{Action, EventPlan, NodePlan, Sampler, When};

use super::{Report, amount};

/// More names than this are not searched for one that is nearly the same.
const MOST_SEARCHED: usize = 2_000;

/// The events, in order.
pub(super) fn events(
    tables: &[EventTable],
    cluster: &ClusterTable,
    nodes: &[NodePlan],
    report: &mut Report<'_>,
) -> Vec<EventPlan> {
    let mut events = Vec::new();
    for (index, table) in tables.iter().enumerate() {
        let path = Path::root().key("events").index(index);
        events.push(EventPlan {
            nodes: select(&table.common.nodes, cluster, nodes, &path.key("nodes"), report),
            when: when(table, &path, report),
            action: action(&table.action, &path, report),
        });
    }
    events
}

fn span(amount: &Amount<Text<std::time::Duration>>, path: &Path, report: &mut Report<'_>) -> Sampler {
    amount::sampler(amount, path, "write a time above zero", report)
}

fn when(table: &EventTable, path: &Path, report: &mut Report<'_>) -> When {
    let stagger = table
        .common
        .stagger
        .map_or(std::time::Duration::ZERO, |stagger| stagger.0);
    let (mtbf, mttr, repair) = match &table.action {
        EventAction::Fail { mtbf, mttr, repair } => (mtbf.as_ref(), mttr.is_some(), repair.is_some()),
        _ => (None, false, false),
    };
    let Some(between) = mtbf else {
        if mttr {
            let error = report.error_at_key(Code::Conflict, &path.key("mttr"), "`mttr` goes with `mtbf`");
            error.help = Some("for a failure at a given time, write `repair`".to_owned());
        }
        if table.common.at.is_none() {
            report.missing(path, "at", "say when it happens: at = \"10m\"");
        }
        return When::At {
            time: table.common.at.map_or(Time::ZERO, |at| Time::from(at.0)),
            stagger,
        };
    };
    let excluded = [
        (
            "at",
            table.common.at.is_some(),
            "failures are either at a given time or random",
        ),
        (
            "stagger",
            table.common.stagger.is_some(),
            "random failures are independent of each other",
        ),
        ("repair", repair, "for random failures, write `mttr`"),
    ];
    for (key, _, help) in excluded.into_iter().filter(|(_, given, _)| *given) {
        let message = format!("`{key}` and `mtbf` exclude each other");
        report.error_at_key(Code::Conflict, &path.key(key), message).help = Some(help.to_owned());
    }
    if !mttr {
        report.missing(path, "mttr", "say how long a failure lasts: mttr = \"10m\"");
    }
    When::Random {
        between: span(between, &path.key("mtbf"), report),
    }
}

fn action(action: &EventAction, path: &Path, report: &mut Report<'_>) -> Action {
    match action {
        EventAction::Fail { repair, mttr, .. } => {
            let (key, given) = match mttr {
                Some(_) => ("mttr", mttr),
                None => ("repair", repair),
            };
            Action::Fail {
                repair: given.as_ref().map(|given| span(given, &path.key(key), report)),
            }
        }
        EventAction::Recover => Action::Recover,
        EventAction::Flap { down, up, times } => {
            for (key, span) in [("down", down), ("up", up)] {
                if span.0.is_zero() {
                    report.impossible(&path.key(key), format!("`{key}` must be above zero"), "such as \"30s\"");
                }
            }
            Action::Flap {
                down: down.0,
                up: up.0,
                times: *times,
            }
        }
        EventAction::Drain => Action::Drain,
        EventAction::Undrain => Action::Undrain,
        EventAction::Join => Action::Join,
        EventAction::Leave => Action::Leave,
        EventAction::Relabel { labels } => {
            if labels.is_empty() {
                report.impossible(&path.key("labels"), "no label changes", "write { LABEL = \"VALUE\" }");
            }
            let changes = labels.iter().map(|(name, value)| match value {
                NewLabel::Value(value) => (name.clone(), Some(value.clone())),
                NewLabel::Removed(_) => (name.clone(), None),
            });
            Action::Relabel(changes.collect())
        }
        EventAction::Health { value } => Action::Health(*value),
    }
}

/// The nodes that are meant, in the order of the plan; complains if there are none.
fn select(
    selector: &NodeSelector,
    cluster: &ClusterTable,
    nodes: &[NodePlan],
    path: &Path,
    report: &mut Report<'_>,
) -> Vec<usize> {
    let all = |wanted: &dyn Fn(&NodePlan) -> bool| -> Vec<usize> {
        let found = nodes.iter().enumerate().filter(|(_, node)| wanted(node));
        found.map(|(index, _)| index).collect()
    };
    match selector {
        NodeSelector::Pattern(pattern) => by_pattern(pattern, nodes, path, report),
        NodeSelector::Patterns(patterns) => {
            let lists = patterns.iter().enumerate();
            let mut found: Vec<usize> = lists
                .flat_map(|(index, pattern)| by_pattern(pattern, nodes, &path.index(index), report))
                .collect();
            found.sort_unstable();
            found.dedup();
            found
        }
        NodeSelector::Group(selector) => {
            let group = &selector.group;
            if !cluster.nodes.contains_key(group) {
                let names: Vec<&str> = cluster.nodes.keys().map(String::as_str).collect();
                dangling(
                    &format!("there is no group `{group}`"),
                    group,
                    &names,
                    &path.key("group"),
                    report,
                );
            }
            all(&|node| node.group == *group)
        }
        NodeSelector::Label(selector) => {
            let label = &selector.label;
            let mut names: Vec<&str> = nodes
                .iter()
                .flat_map(|node| node.labels.keys())
                .map(String::as_str)
                .collect();
            names.sort_unstable();
            names.dedup();
            if !names.contains(&label.as_str()) {
                dangling(
                    &format!("no node has a label `{label}`"),
                    label,
                    &names,
                    &path.key("label"),
                    report,
                );
                return Vec::new();
            }
            let pattern = glob(selector.value.as_deref().unwrap_or("*"));
            let found = all(&|node| node.labels.get(label).is_some_and(|value| pattern.is_match(value)));
            if found.is_empty() {
                let value = selector.value.as_deref().unwrap_or("*");
                let mut values: Vec<&str> = nodes
                    .iter()
                    .filter_map(|node| Some(node.labels.get(label)?.as_str()))
                    .collect();
                values.sort_unstable();
                values.dedup();
                let message = format!("no node has the label `{label}` with a value like {value:?}");
                dangling(&message, value, &values, &path.key("value"), report);
            }
            found
        }
    }
}

fn by_pattern(text: &str, nodes: &[NodePlan], path: &Path, report: &mut Report<'_>) -> Vec<usize> {
    let pattern = glob(text);
    let found = nodes
        .iter()
        .enumerate()
        .filter(|(_, node)| pattern.is_match(&node.name));
    let found: Vec<usize> = found.map(|(index, _)| index).collect();
    if found.is_empty() {
        let names: Vec<&str> = nodes
            .iter()
            .map(|node| node.name.as_str())
            .take(MOST_SEARCHED)
            .collect();
        let message = match text.contains('*') {
            true => format!("no node's name matches {text:?}"),
            false => format!("there is no node {text:?}"),
        };
        dangling(&message, text, &names, path, report);
    }
    found
}

fn dangling(message: &str, name: &str, known: &[&str], path: &Path, report: &mut Report<'_>) {
    let help = match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            let known: Vec<String> = known.iter().map(|name| ticked(name)).collect();
            format!("there are {}", enumerate(&known))
        }
    };
    report.error(Code::Dangling, path, message).help = Some(help);
}

/// A pattern in which only `*` is special.
fn glob(text: &str) -> Regex {
    let parts: Vec<String> = text.split('*').map(regex::escape).collect();
    // Matching nothing is right for a pattern that is too large to be the name of anything.
    Regex::new(&format!("(?s)^{}$", parts.join(".*")))
        .unwrap_or_else(|_| Regex::new("[^\\s\\S]").expect("the pattern is constant and valid"))
}
