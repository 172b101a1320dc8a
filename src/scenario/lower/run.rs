//! `[run]`: mostly when to end.

use std::collections::HashSet;
use std::time::Duration;

use crate::model::Time;
use crate::scenario::diagnostic::Code;
use crate::scenario::format::{Named, RunTable};
use crate::scenario::path::Path;
use crate::scenario::units::show_duration;
use crate::scheduler::Strict;
use crate::sim::{Arrivals, ClassPlan, End, EventPlan, Restart, RunPlan, Sampler, Source, When};

use super::Report;
use super::amount::most_written;

/// Of the default interval, so many samples fit into a run.
const DEFAULT_SAMPLES: u32 = 200;
/// The default interval where nothing says how long the run will take.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(30);
/// More repetitions than this tell no more, and all their records are kept.
const MOST_REPETITIONS: u32 = 100_000;
/// More samples than this would not fit into memory.
const MOST_SAMPLES: u128 = 10_000_000;

/// How to run.
pub(super) fn run(table: &RunTable, classes: &[ClassPlan], events: &[EventPlan], report: &mut Report<'_>) -> RunPlan {
    let path = Path::root().key("run");
    if table.seed.checked_add(u64::from(table.repetitions)).is_none() {
        report.impossible(
            &path.key("seed"),
            "the seeds of the repetitions do not fit into 64 bits",
            "use a smaller seed",
        );
    }
    if table.repetitions > MOST_REPETITIONS {
        report.impossible(
            &path.key("repetitions"),
            format!(
                "{} are more than the {MOST_REPETITIONS} that are possible",
                table.repetitions
            ),
            "a hundred make intervals narrow",
        );
    }
    let duration = table.duration.map(|duration| duration.0);
    if duration.is_some_and(|duration| duration.is_zero()) {
        report.impossible(
            &path.key("duration"),
            "the run would end as it starts",
            "write a time above zero",
        );
    }
    let warm_up = table.warm_up.0;
    if let Some(duration) = duration.filter(|duration| warm_up >= *duration && !warm_up.is_zero()) {
        let message = format!(
            "a warm-up of {} leaves nothing of a run of {}",
            show_duration(warm_up),
            show_duration(duration)
        );
        report.impossible(&path.key("warm-up"), message, "make it shorter than `duration`");
    }
    let mut strict = Strict::default();
    for setting in &table.strict {
        // The names come from the very list that `enable` knows.
        let _ = strict.enable(setting.0.0);
    }
    unique(
        &table.strategies,
        |strategy| strategy.name(),
        "strategy",
        &path.key("strategies"),
        report,
    );
    unique(
        &table.filters,
        |filter| filter.name(),
        "filter",
        &path.key("filters"),
        report,
    );
    RunPlan {
        seed: table.seed,
        repetitions: table.repetitions,
        end: end(table, classes, &path, report),
        warm_up,
        sample_interval: sample_interval(table, classes, events, &path, report),
        detection: table.detection.0,
        start_latency: table.start_latency.0,
        strategies: table.strategies.iter().map(|strategy| strategy.0).collect(),
        filters: table.filters.iter().map(|filter| filter.0).collect(),
        strict,
    }
}

fn unique<T>(list: &[Named<T>], name: impl Fn(&T) -> &'static str, what: &str, path: &Path, report: &mut Report<'_>) {
    let mut seen = HashSet::new();
    for (index, item) in list.iter().enumerate() {
        let item = name(&item.0);
        if !seen.insert(item) {
            let message = format!("the {what} `{item}` is there twice");
            report.error(Code::Duplicate, &path.index(index), message);
        }
    }
}

fn end(table: &RunTable, classes: &[ClassPlan], path: &Path, report: &mut Report<'_>) -> End {
    if let Some(duration) = table.duration {
        let time = Time::from(duration.0);
        return match table.until {
            Some(_) => End::Drained { at_most: time },
            None => End::At(time),
        };
    }
    for class in classes {
        let Some((key, why)) = endless(class) else {
            continue;
        };
        let (path, message) = match table.until {
            Some(_) => (path.key("until"), format!("the run would never end: {why}")),
            None => (path.clone(), format!("the run needs a `duration`: {why}")),
        };
        let help = match key {
            "arrivals" => format!(
                "add duration = \"2h\" to [run], or `stop` or `limit` to the class `{}`",
                class.name
            ),
            _ => "add duration = \"2h\" to [run]".to_owned(),
        };
        report.error(Code::Endless, &path, message).help = Some(help);
    }
    End::Drained { at_most: Time::MAX }
}

/// Why a class never comes to an end, if it does not, and the key that says so.
fn endless(class: &ClassPlan) -> Option<(&'static str, String)> {
    let name = &class.name;
    let (finite_arrivals, finite_life) = match &class.source {
        Source::Trace(trace) => (true, trace.rows.iter().any(|row| row.lifetime.is_some())),
        Source::Synthetic {
            arrivals,
            stop,
            limit,
            lifetime,
            ..
        } => {
            let at_start = matches!(arrivals, Arrivals::AtStart { .. });
            (at_start || limit.is_some() || *stop < Time::MAX, lifetime.is_some())
        }
    };
    if !finite_arrivals {
        return Some(("arrivals", format!("containers of class `{name}` arrive without end")));
    }
    let restarts = match class.restart.policy {
        Restart::Always => true,
        Restart::OnFailure { limit: None } => class.restart.failure >= 1.0,
        _ => false,
    };
    (restarts && finite_life).then(|| ("restart", format!("containers of class `{name}` restart without end")))
}

fn sample_interval(
    table: &RunTable,
    classes: &[ClassPlan],
    events: &[EventPlan],
    path: &Path,
    report: &mut Report<'_>,
) -> Duration {
    let duration = table.duration.map(|duration| duration.0);
    let Some(given) = table.sample.map(|sample| sample.0) else {
        let length = duration.unwrap_or_else(|| foreseeable(classes, events));
        return match length.is_zero() {
            true => DEFAULT_INTERVAL,
            false => Duration::from_secs((length / DEFAULT_SAMPLES).as_secs().max(1)),
        };
    };
    let path = path.key("sample");
    if given.is_zero() {
        report.impossible(&path, "the interval must be above zero", "leave it out for the default");
    } else if duration.unwrap_or_else(|| foreseeable(classes, events)).as_nanos() / given.as_nanos() > MOST_SAMPLES {
        report.impossible(
            &path,
            format!("there would be more than {MOST_SAMPLES} samples"),
            "sample less often",
        );
    }
    given
}

/// The time by which the last arrival or event that can be foreseen has happened and its container has ended.
fn foreseeable(classes: &[ClassPlan], events: &[EventPlan]) -> Duration {
    let of_class = |class: &ClassPlan| match &class.source {
        Source::Trace(trace) => {
            let ends = trace.rows.iter().map(|row| row.at + row.lifetime.unwrap_or_default());
            ends.max().unwrap_or(Time::ZERO)
        }
        Source::Synthetic {
            arrivals,
            start,
            stop,
            limit,
            lifetime,
            ..
        } => {
            let life = lifetime.as_ref().and_then(most_written).unwrap_or(0);
            last_arrival(arrivals, *start, *limit).min(*stop) + Duration::from_nanos(life)
        }
    };
    let of_event = |event: &EventPlan| match &event.when {
        When::At { time, stagger } => {
            let others = u32::try_from(event.nodes.len().saturating_sub(1)).unwrap_or(u32::MAX);
            *time + stagger.saturating_mul(others)
        }
        When::Random {
            between: Sampler { .. },
        } => Time::ZERO,
    };
    let last = classes.iter().map(of_class).chain(events.iter().map(of_event)).max();
    last.map_or(Duration::ZERO, |last| last.since(Time::ZERO))
}

/// When the last of a limited number of arrivals is to be expected; `Time::MAX` without a limit.
fn last_arrival(arrivals: &Arrivals, start: Time, limit: Option<u64>) -> Time {
    let nanos = |count: u64, gap: f64| (count.saturating_sub(1) as f64 * gap * 1e9) as u64;
    let after = match (arrivals, limit) {
        (Arrivals::AtStart { .. }, _) => 0,
        (_, None) => return Time::MAX,
        (Arrivals::Poisson { rate } | Arrivals::Diurnal { rate, .. }, Some(limit)) => nanos(limit, 1.0 / rate),
        (Arrivals::Fixed { interval }, Some(limit)) => nanos(limit, interval.as_secs_f64()),
        (Arrivals::Burst { size, interval }, Some(limit)) => {
            nanos(limit.div_ceil(u64::from((*size).max(1))), interval.as_secs_f64())
        }
    };
    start + Duration::from_nanos(after)
}
