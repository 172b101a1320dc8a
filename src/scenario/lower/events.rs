//! `[[events]]`.

use crate::model::Time;
use crate::scenario::diagnostic::Code;
use crate::scenario::format::{Amount, ClusterTable, EventAction, EventTable, NewLabel, Text};
use crate::scenario::path::Path;
use crate::sim::{Action, EventPlan, Misconduct, NodePlan, Sampler, When};

use super::{Report, amount, selector};

/// More changes of nodes than this, a failure of so many nodes at once being so many, would not fit into memory.
const MOST_CHANGES: u64 = 10_000_000;

/// The events, in order.
pub(super) fn events(
    tables: &[EventTable],
    cluster: &ClusterTable,
    nodes: &[NodePlan],
    nodes_are_complete: bool,
    report: &mut Report<'_>,
) -> Vec<EventPlan> {
    let nodes = selector::Nodes::new(nodes);
    let mut events = Vec::new();
    let mut changes = 0_u64;
    for (index, table) in tables.iter().enumerate() {
        let path = Path::root().key("events").index(index);
        let (selected, vain) = selector::select(&table.common.nodes, cluster, &nodes);
        // Those that are not there may be among the missing ones.
        for vain in vain.into_iter().filter(|_| nodes_are_complete) {
            let path = vain
                .steps
                .into_iter()
                .fold(path.key("nodes"), |path, step| path.then(step));
            report.error(Code::Dangling, &path, vain.message).help = Some(vain.help);
        }
        let times = match &table.action {
            EventAction::Flap { times, .. } => u64::from(*times),
            _ => 1,
        };
        changes = changes.saturating_add(times.saturating_mul(selected.len() as u64));
        if changes > MOST_CHANGES {
            let message = format!("there would be more than {MOST_CHANGES} events of nodes");
            report.impossible(&path, message, "name fewer nodes, fewer `times` or fewer events");
            break;
        }
        events.push(EventPlan {
            nodes: selected,
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
        EventAction::Misbehave {
            lasts,
            refuse,
            hang,
            garbage,
            status,
            delay,
            drop_events,
            crash,
        } => {
            let delay = delay.as_ref().map(|delay| span(delay, &path.key("delay"), report));
            let misconduct = Misconduct {
                refuse: *refuse,
                hang: *hang,
                garbage: *garbage,
                status: *status,
                delay,
                drop_events: *drop_events,
                crash: *crash,
            };
            if lasts.is_some() && misconduct == Misconduct::default() {
                let help = "say what: refuse, hang, garbage, status, delay, drop-events or crash";
                report.impossible(&path.key("lasts"), "nothing is wrong with the daemon", help);
            }
            Action::Misbehave {
                misconduct: Box::new(misconduct),
                lasts: lasts.map(|lasts| lasts.0),
            }
        }
        EventAction::Health { value } => Action::Health(*value),
    }
}
