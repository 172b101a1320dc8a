//! `[workload]`.

use std::sync::Arc;
use std::time::Duration;

use crate::model::Time;
use crate::scenario::diagnostic::Code;
use crate::scenario::format::{
    Arrivals as Written, ClassTable, Discipline as WrittenDiscipline, Lifetime, OnRejection as WrittenRejection,
};
use crate::scenario::format::{ScenarioFile, TraceFormat, TraceTable};
use crate::scenario::path::Path;
use crate::scenario::trace::{RowRequest, WorkloadFormat};
use crate::sim::{Arrivals, ClassPlan, Discipline, ImagePlan, OnRejection, Restart, RestartPlan, Sampler, Source};

use super::names::Images;
use super::request::{self, Template};
use super::{PLAIN_NAMES, Report, Traces, amount, is_plain_name, window};

/// More containers than this at one instant would not fit into memory.
const MOST_AT_ONCE: u64 = 100_000_000;
const NO_RESERVATION: &str = "leave it out to reserve nothing";

/// The classes, in order.
pub(super) fn classes(
    file: &ScenarioFile,
    images: &[ImagePlan],
    traces: &mut Traces<'_>,
    report: &mut Report<'_>,
) -> Vec<ClassPlan> {
    let path = Path::root().key("workload");
    if file.workload.is_empty() {
        report.impossible(&path, "there is nothing to run", "add a class: [workload.NAME]");
    }
    let run_path = Path::root().key("run").key("on-rejection");
    let default = file
        .run
        .on_rejection
        .as_ref()
        .map(|written| on_rejection(written, &run_path, report));
    let images = Images::new(images);
    let mut classes = Vec::new();
    for (name, class) in &file.workload {
        let path = path.key(name);
        if !is_plain_name(name) {
            let message = format!("{name:?} cannot be the name of a class");
            report.error_at_key(Code::Impossible, &path, message).help = Some(PLAIN_NAMES.to_owned());
        }
        if u64::from(class.replicas) > MOST_AT_ONCE {
            let message = format!("more than {MOST_AT_ONCE} containers would be asked for at once");
            report.impossible(&path.key("replicas"), message, "simulate a part of the workload");
        }
        request::doubt(class, &path, report);
        images.check(class.image.as_deref(), &path.key("image"), report);
        let own = class
            .on_rejection
            .as_ref()
            .map(|written| on_rejection(written, &path.key("on-rejection"), report));
        classes.push(ClassPlan {
            name: name.clone(),
            source: source(class, &path, traces, report),
            replicas: class.replicas,
            restart: restart(class, &path, report),
            remove_on_exit: class.remove_on_exit,
            on_rejection: own.or(default).unwrap_or(OnRejection::Drop),
        });
    }
    classes
}

fn source(class: &ClassTable, path: &Path, traces: &mut Traces<'_>, report: &mut Report<'_>) -> Source {
    let template = Template::new(class);
    let start = class.start.map_or(Time::ZERO, |start| Time::from(start.0));
    let stop = class.stop.map_or(Time::MAX, |stop| Time::from(stop.0));
    if stop <= start {
        report.impossible(
            &path.key("stop"),
            "arrivals would stop before they start",
            "make `stop` later than `start`",
        );
    }
    match (&class.trace, &class.arrivals) {
        (Some(table), _) => trace(class, table, &template, start..stop, path, traces, report),
        (None, Some(written)) => {
            let cpus = class
                .cpus
                .as_ref()
                .map(|cpus| amount::sampler(cpus, &path.key("cpus"), NO_RESERVATION, report));
            let memory = class.memory.as_ref();
            let memory = memory.map(|memory| amount::sampler(memory, &path.key("memory"), NO_RESERVATION, report));
            let lifetime = match &class.lifetime {
                None | Some(Lifetime::Forever(_)) => None,
                Some(Lifetime::Amount(span)) => Some(amount::sampler(
                    span,
                    &path.key("lifetime"),
                    "write the time until it exits",
                    report,
                )),
            };
            Source::Synthetic {
                arrivals: arrivals(written, class.replicas, &path.key("arrivals"), report),
                start,
                stop,
                limit: class.limit,
                request: Box::new(build(&template, RowRequest::default(), class, path, report)),
                cpus: cpus.unwrap_or(Sampler::fixed(0)),
                memory: memory.unwrap_or(Sampler::fixed(0)),
                lifetime,
            }
        }
        (None, None) => {
            let help = "say when containers are asked for: arrivals = { process = \"poisson\", rate = \"2/s\" }";
            report.missing(path, "arrivals", format!("{help}, or give a `trace`"));
            Source::Trace(Arc::new(empty_trace()))
        }
    }
}

fn build(
    template: &Template,
    row: RowRequest,
    class: &ClassTable,
    path: &Path,
    report: &mut Report<'_>,
) -> crate::model::Request {
    template.request(row).unwrap_or_else(|message| {
        let written = request::expressions(class, path)
            .into_iter()
            .rfind(|(word, ..)| *word == "reschedule");
        let path = written.map_or(path.key("reschedule"), |(.., path)| path);
        report.impossible(
            &path,
            message,
            "there are \"off\" and \"on-node-failure\", and only one of them can be asked for",
        );
        crate::model::Request::default()
    })
}

fn empty_trace() -> crate::sim::Trace {
    crate::sim::Trace {
        requests: Vec::new(),
        rows: Vec::new(),
        skipped: 0,
    }
}

/// The rows of a trace between two times, up to the limit.
fn trace(
    class: &ClassTable,
    table: &TraceTable,
    template: &Template,
    window: std::ops::Range<Time>,
    path: &Path,
    traces: &mut Traces<'_>,
    report: &mut Report<'_>,
) -> Source {
    let given = [
        ("arrivals", class.arrivals.is_some()),
        ("cpus", class.cpus.is_some()),
        ("memory", class.memory.is_some()),
    ];
    for (key, _) in given.into_iter().filter(|(_, given)| *given) {
        let message = format!("`{key}` and `trace` exclude each other");
        let help = "the trace says it for each container".to_owned();
        report.error_at_key(Code::Conflict, &path.key(key), message).help = Some(help);
    }
    let lifetime = traced_lifetime(class, path, report);
    // A fault in what the class adds would come back with every row.
    build(template, RowRequest::default(), class, path, report);
    let path = path.key("trace");
    let Some(file) = traces.open(&table.file, &path, report) else {
        return Source::Trace(Arc::new(empty_trace()));
    };
    let format = match table.format {
        TraceFormat::Csv => WorkloadFormat::Csv,
        TraceFormat::Openb => WorkloadFormat::Openb,
    };
    let read = file.read_workload(format, traces.lenient, &|row| template.request(row));
    let mut trace = read.content;
    let (trace_path, path) = (path.clone(), path.key("file"));
    let complained = !read.complaints.is_empty();
    report.extend(read.complaints, &path);
    let all = trace.rows.len();
    let earlier = table.origin.as_ref().map(|origin| {
        let origin = window::origin(origin, &trace.rows, &trace_path.key("origin"), report);
        window::shift(&mut trace.rows, origin)
    });
    let first = trace.rows.first().map(|row| row.at);
    trace.rows.retain(|row| window.contains(&row.at));
    if let Some(limit) = class.limit {
        trace.rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    }
    if let Some(lifetime) = lifetime {
        trace.rows.iter_mut().for_each(|row| row.lifetime = lifetime);
    }
    if let Some(earlier) = earlier
        .as_ref()
        .filter(|earlier| earlier.rows > 0 && !trace.rows.is_empty())
    {
        window::tell_earlier(earlier, all, &trace_path.key("origin"), report);
    }
    if trace.rows.is_empty() && !complained {
        window::tell_empty(all, first, earlier.as_ref(), &path, report);
    }
    Source::Trace(Arc::new(trace))
}

/// The lifetime that replaces those of all rows, if the class gives one.
fn traced_lifetime(class: &ClassTable, path: &Path, report: &mut Report<'_>) -> Option<Option<Duration>> {
    let span = match class.lifetime.as_ref()? {
        Lifetime::Forever(_) => return Some(None),
        Lifetime::Amount(span) => span,
    };
    let path = path.key("lifetime");
    let sampler = amount::sampler(span, &path, "write the time until it exits", report);
    let fixed = sampler.as_fixed().map(Duration::from_nanos);
    if fixed.is_none() {
        let message = "a drawn `lifetime` and `trace` exclude each other";
        let help = "leave it out to keep the trace's, or replace them all by one span or \"forever\"".to_owned();
        report.error_at_key(Code::Conflict, &path, message).help = Some(help);
    }
    fixed.map(Some)
}

fn arrivals(written: &Written, replicas: u32, path: &Path, report: &mut Report<'_>) -> Arrivals {
    let at_once = |count: u64, key: &str, report: &mut Report<'_>| {
        if count.saturating_mul(u64::from(replicas)) > MOST_AT_ONCE {
            let message = format!("more than {MOST_AT_ONCE} containers would be asked for at once");
            report.impossible(&path.key(key), message, "simulate a part of the workload");
        }
    };
    let interval = |interval: Duration, report: &mut Report<'_>| {
        if interval.is_zero() {
            report.impossible(
                &path.key("interval"),
                "an interval must be above zero",
                "for arrivals all at once, use \"at-start\"",
            );
        }
        interval
    };
    match written {
        Written::Poisson { rate } => Arrivals::Poisson { rate: rate.0.0 },
        Written::Fixed { interval: given } => Arrivals::Fixed {
            interval: interval(given.0, report),
        },
        Written::Burst { size, interval: given } => {
            at_once(u64::from(*size), "size", report);
            Arrivals::Burst {
                size: *size,
                interval: interval(given.0, report),
            }
        }
        Written::Diurnal {
            rate,
            amplitude,
            period,
            peak,
        } => {
            if !(0.0..=1.0).contains(amplitude) {
                let help = "0 is a constant rate, 1 a rate that drops to nothing";
                report.impossible(
                    &path.key("amplitude"),
                    format!("{amplitude} is not between 0 and 1"),
                    help,
                );
            }
            if period.0.is_zero() {
                report.impossible(
                    &path.key("period"),
                    "a cycle must be longer than zero",
                    "a day is \"24h\"",
                );
            }
            Arrivals::Diurnal {
                rate: rate.0.0,
                amplitude: *amplitude,
                period: period.0,
                peak: peak.map_or(Duration::ZERO, |peak| peak.0),
            }
        }
        Written::AtStart { count } => {
            at_once(*count, "count", report);
            Arrivals::AtStart { count: *count }
        }
    }
}

fn restart(class: &ClassTable, path: &Path, report: &mut Report<'_>) -> RestartPlan {
    let policy = class.restart.map_or(Restart::No, |policy| policy.0);
    if !(0.0..=1.0).contains(&class.failure) {
        let message = format!("{} is not a probability", class.failure);
        report.impossible(&path.key("failure"), message, "write a number between 0 and 1");
    }
    if policy != Restart::No && class.restart_delay.0.is_zero() {
        let help = "a container that exits at once would restart for ever at the same instant";
        report.impossible(&path.key("restart-delay"), "the delay must be above zero", help);
    }
    RestartPlan {
        policy,
        failure: class.failure,
        delay: class.restart_delay.0,
    }
}

fn on_rejection(written: &WrittenRejection, path: &Path, report: &mut Report<'_>) -> OnRejection {
    match written {
        WrittenRejection::Drop {} => OnRejection::Drop,
        WrittenRejection::Queue { limit, discipline } => OnRejection::Queue {
            limit: *limit,
            discipline: match discipline {
                WrittenDiscipline::Fifo => Discipline::Fifo,
                WrittenDiscipline::Backfill => Discipline::Backfill,
            },
        },
        WrittenRejection::Retry {
            backoff,
            factor,
            backoff_max,
            limit,
        } => {
            if backoff.0.is_zero() {
                report.impossible(&path.key("backoff"), "the wait must be above zero", "such as \"1s\"");
            }
            if *factor < 1.0 {
                report.impossible(
                    &path.key("factor"),
                    "waits cannot become shorter",
                    "1 keeps them equal, 2 doubles them",
                );
            }
            if backoff_max.0 < backoff.0 {
                let key = if report.is_given(&path.key("backoff-max")) {
                    "backoff-max"
                } else {
                    "backoff"
                };
                report.impossible(
                    &path.key(key),
                    "the longest wait is shorter than the first",
                    "make `backoff-max` larger",
                );
            }
            OnRejection::Retry {
                backoff: backoff.0,
                factor: *factor,
                backoff_max: backoff_max.0,
                limit: *limit,
            }
        }
    }
}
