//! From the scenario as written to the plan: resolves names, fills in defaults, and complains about what makes no sense.
//!
//! All complaints are collected. A plan is made whether or not there are any, since half a plan is good for finding
//! the remaining faults; it is only handed on if there are none.

mod amount;
mod classes;
mod cluster;
mod events;
mod labels;
mod names;
mod report;
mod request;
mod run;
mod selector;
mod window;

use std::path::PathBuf;

use crate::sim::Plan;

use super::diagnostic::{Code, Diagnostic};
use super::document::Document;
use super::format::ScenarioFile;
use super::path::Path;
use super::trace::TraceFile;

pub(super) use report::Report;

/// Where trace files are, and how they are read.
pub(super) struct Traces<'a> {
    /// The directory of the scenario, to which its relative paths refer.
    pub scenario_directory: &'a std::path::Path,
    /// The directory of the traces, if it was given on the command line.
    pub directory: Option<PathBuf>,
    /// Whether faulty rows are skipped.
    pub lenient: bool,
    /// Fingerprints of the files that were read, in the order in which they were.
    pub fingerprints: Vec<String>,
}

/// What became of a scenario.
pub(super) struct Lowered {
    pub title: Option<String>,
    pub description: String,
    pub plan: Plan,
    /// Complaints, each with the path that it is about.
    pub complaints: Vec<(Path, Diagnostic)>,
}

/// Turns the scenario into a plan, with complaints.
pub(super) fn lower(file: ScenarioFile, document: &Document, traces: &mut Traces<'_>) -> Lowered {
    let mut report = Report::new(document);
    let root = Path::root();
    if let (None, Some(directory)) = (&traces.directory, &file.traces) {
        traces.directory = Some(match report.is_overridden(&root.key("traces")) {
            true => PathBuf::from(directory),
            false => traces.scenario_directory.join(directory),
        });
    }
    let (nodes, are_complete) = cluster::nodes(&file.cluster, traces, &mut report);
    let images = cluster::images(&file.images, &mut report);
    let classes = classes::classes(&file, &images, traces, &mut report);
    let events = events::events(&file.events, &file.cluster, &nodes, are_complete, &mut report);
    let run = run::run(&file.run, &classes, &events, &mut report);
    window::check(&file, &classes, run.end, &mut report);
    let plan = Plan {
        nodes,
        images,
        classes,
        events,
        run,
    };
    names::check(&file, &plan, are_complete, &mut report);
    Lowered {
        title: file.title,
        description: file.description.unwrap_or_default(),
        plan,
        complaints: report.into_list(),
    }
}

impl Traces<'_> {
    /// Opens the trace that the key `file` of the table at the path names; complains if it cannot.
    fn open(&mut self, file: &str, table: &Path, report: &mut Report<'_>) -> Option<TraceFile> {
        let path = table.key("file");
        if file.is_empty() {
            report.impossible(&path, "the name of the file is empty", "name a CSV file");
            return None;
        }
        let location = match report.is_overridden(&path) {
            true => PathBuf::from(file),
            false => self.directory.as_deref().unwrap_or(self.scenario_directory).join(file),
        };
        match TraceFile::open(&location) {
            Ok(trace) => {
                self.fingerprints.push(trace.fingerprint());
                Some(trace)
            }
            Err(mut complaint) => {
                complaint.code = match complaint.code {
                    Code::Unreadable => Code::BadTrace,
                    other => other,
                };
                report.extend([complaint], &path);
                None
            }
        }
    }
}

/// Whether a name can be that of a container or a node: letters, digits, `_`, `.` and `-`, the first a letter or digit.
fn is_plain_name(name: &str) -> bool {
    let is_inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(is_inner)
}

/// What [`is_plain_name`] asks for.
const PLAIN_NAMES: &str = "names consist of letters, digits, `_`, `.` and `-`, and start with a letter or a digit";
