//! When the rows of traces are, seen from the run: where its start is among them, and which of them it never sees.

use std::time::Duration;

use crate::model::Time;
use crate::scenario::diagnostic::Code;
use crate::scenario::format::{Origin, ScenarioFile};
use crate::scenario::path::Path;
use crate::scenario::units::{Decimal, show_duration};
use crate::sim::{ClassPlan, End, Source, TraceRow};

use super::Report;

/// A trace whose first row is later than this, and later than the trace is long, was probably recorded with another
/// origin: nearly all of the run would pass before it.
const LATE: Duration = Duration::from_secs(24 * 3600);

/// What to do about times that are not those of the run.
const SHIFT: &str = "times of a trace count from the start of the run: write origin = \"first\" in `trace` to count from \
                     its first row";

/// Rows before the start of a run.
pub(super) struct Earlier {
    /// How many.
    pub rows: usize,
    /// The first of them, as the trace has it.
    first: Time,
}

/// The time of a trace at which the run starts.
pub(super) fn origin(written: &Origin, rows: &[TraceRow], path: &Path, report: &mut Report<'_>) -> Time {
    match written {
        Origin::First(_) => rows.first().map_or(Time::ZERO, |row| row.at),
        Origin::Seconds(number) => {
            let nanos = Decimal::parse(number.to_string().as_bytes()).and_then(|number| number.times(1_000_000_000));
            nanos.map(Time).unwrap_or_else(|| {
                let message = format!("{number} is not a time of a trace");
                report.impossible(path, message, "write seconds, as the trace counts them, or \"first\"");
                Time::ZERO
            })
        }
    }
}

/// Counts the times of sorted rows from the origin, and takes away those before.
pub(super) fn shift(rows: &mut Vec<TraceRow>, origin: Time) -> Earlier {
    let earlier = rows.partition_point(|row| row.at < origin);
    let first = rows.first().map_or(Time::ZERO, |row| row.at);
    rows.drain(..earlier);
    for row in rows {
        row.at = Time::from(row.at.since(origin));
    }
    Earlier { rows: earlier, first }
}

/// Says which rows the origin takes away.
pub(super) fn tell_earlier(earlier: &Earlier, all: usize, path: &Path, report: &mut Report<'_>) {
    let message = format!(
        "{} before the origin and left out; the first is at {}",
        rows(earlier.rows, all),
        seconds(earlier.first)
    );
    let help = "write an earlier origin, or \"first\", to have them too".to_owned();
    report.warning(Code::OutsideRun, path, message).help = Some(help);
}

/// Says why nothing is left of a trace.
pub(super) fn tell_empty(
    all: usize,
    first: Option<Time>,
    earlier: Option<&Earlier>,
    path: &Path,
    report: &mut Report<'_>,
) {
    let (message, help) = match (first, earlier) {
        (Some(first), _) => (
            format!(
                "{} outside `start` and `stop`; the first is at {}",
                rows(all, all),
                seconds(first)
            ),
            SHIFT,
        ),
        (None, Some(earlier)) if earlier.rows > 0 => (
            format!(
                "{} before the origin; the first is at {}",
                rows(all, all),
                seconds(earlier.first)
            ),
            "write an earlier origin, or \"first\"",
        ),
        _ => ("the trace has no rows".to_owned(), "it has only a header"),
    };
    report.impossible(path, message, help);
}

/// Doubts traces of which the run sees nothing, or not all, or only after a long time.
pub(super) fn check(file: &ScenarioFile, classes: &[ClassPlan], end: End, report: &mut Report<'_>) {
    let end = match end {
        End::At(time) | End::Drained { at_most: time } => time,
    };
    for (class, (name, table)) in classes.iter().zip(&file.workload) {
        let (Source::Trace(trace), Some(written)) = (&class.source, &table.trace) else {
            continue;
        };
        let (Some(first), Some(last)) = (trace.rows.first(), trace.rows.last()) else {
            continue;
        };
        let path = Path::root().key("workload").key(name).key("trace").key("file");
        let all = trace.rows.len();
        let inside = trace.rows.partition_point(|row| row.at < end);
        if inside < all {
            let message = format!(
                "{} after the end of the run, at {}; the first of them is at {}",
                rows(all - inside, all),
                show_duration(end.since(Time::ZERO)),
                seconds(trace.rows[inside].at)
            );
            let help = match inside {
                0 if written.origin.is_none() => SHIFT,
                _ => "make `duration` longer, or cut the trace with `stop`",
            };
            report.warning(Code::OutsideRun, &path, message).help = Some(help.to_owned());
        } else if written.origin.is_none() {
            let wait = first.at.since(Time::ZERO);
            if wait > LATE && wait > last.at.since(first.at) {
                let message = format!(
                    "nothing of the trace happens for {}, which is longer than the trace itself; its first row is at {}",
                    show_duration(wait),
                    seconds(first.at)
                );
                report.warning(Code::OutsideRun, &path, message).help = Some(SHIFT.to_owned());
            }
        }
    }
}

fn rows(some: usize, all: usize) -> String {
    match (some, all) {
        (1, 1) => "the only row is".to_owned(),
        _ if some == all => format!("all {all} rows are"),
        (1, _) => format!("1 of {all} rows is"),
        _ => format!("{some} of {all} rows are"),
    }
}

/// A time as traces have it.
fn seconds(time: Time) -> String {
    let span = time.since(Time::ZERO);
    let fraction = format!("{:09}", span.subsec_nanos());
    match fraction.trim_end_matches('0') {
        "" => format!("{} s", span.as_secs()),
        digits => format!("{}.{digits} s", span.as_secs()),
    }
}
