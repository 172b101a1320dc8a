//! The format in which people describe an experiment: TOML text in, a checked [`Plan`] or *all* complaints out.
//!
//! The format is described once, by the structs in `format`. Their JSON Schema is generated; the text is held against
//! it, so that everything that is misspelt, missing or of the wrong type is found at one go and with its position. The
//! structs are then filled with what fits and given a meaning, so that a file's faults of structure and of meaning are
//! told together. Only a text that is not TOML at all is told nothing else.
//!
//! Everything in a scenario has a path, such as `workload.web.image` or `events.0.at`, by which it can be overridden
//! from the command line. Must not know how a plan is run.

mod check;
mod diagnostic;
mod docker;
mod document;
mod file;
mod format;
mod lower;
mod overrides;
mod path;
mod prune;
mod schema;
pub(crate) mod suggest;
mod trace;
pub mod units;

use std::path::{Path, PathBuf};

use crate::sim::Plan;

pub use diagnostic::{Code, Diagnostic, Diagnostics, Place, Severity, SourceText};
pub use overrides::Override;
pub use schema::schema;

use document::Document;
use lower::Traces;

/// A scenario larger than this was not written by a person.
const LARGEST_FILE: u64 = 16 << 20;

/// How a scenario is read.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Values that replace those of the file, in order.
    pub overrides: Vec<Override>,
    /// Whether rows of traces that make no sense are skipped instead of refused.
    pub lenient: bool,
    /// Directory of the traces that are given by relative paths, itself relative to the current directory. It replaces
    /// the scenario's own.
    pub traces: Option<PathBuf>,
}

/// A scenario that can be run.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// What reports call it.
    pub title: String,
    /// The question that it answers, in a sentence or two; may be empty.
    pub description: String,
    /// What it was read from: a path, or the name that was given to [`parse`].
    pub name: String,
    /// Its text, without the overrides.
    pub text: String,
    /// What the plan was made of, in one number: the SHA-256, in hexadecimal, of the text, the overrides, whether faulty
    /// rows were skipped, and the SHA-256s of the trace files. What the scenario is called
    /// does not matter, nor does [`Options::traces`].
    pub hash: String,
    /// Doubts about it.
    pub warnings: Diagnostics,
    /// What to simulate.
    pub plan: Plan,
}

/// Reads a scenario from a file.
///
/// # Errors
///
/// If the file or a trace cannot be read, and if the scenario is faulty in any way: all its faults, together with the
/// doubts if its structure is sound.
pub fn load(path: &Path, options: &Options) -> Result<Scenario, Diagnostics> {
    let name = path.display().to_string();
    let refuse = |diagnostic| Diagnostics::new(vec![diagnostic]);
    let bytes = file::read(path, LARGEST_FILE).map_err(refuse)?;
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        let message = format!("{name} is in UTF-16: save it as UTF-8");
        return Err(refuse(Diagnostic::error(Code::NotText, message)));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
        let message = format!("{name} is not text in UTF-8: byte {at}, on line {line}, starts no character");
        refuse(Diagnostic::error(Code::NotText, message))
    })?;
    let directory = path.parent().unwrap_or(Path::new(""));
    parse(&name, &text, directory, options)
}

/// Reads a scenario from a text. `name` is what complaints call it, and its file stem is the default title;
/// relative paths in the text refer to `directory`.
///
/// # Errors
///
/// As [`load`].
pub fn parse(name: &str, text: &str, directory: &Path, options: &Options) -> Result<Scenario, Diagnostics> {
    let (mut document, mut faults) = Document::parse(name, text).map_err(Diagnostics::new)?;
    for given in &options.overrides {
        faults.extend(overrides::apply(&mut document, given).err());
    }
    let mut misfits = check::check(&document.value);
    let wrong_types: Vec<_> = misfits
        .iter()
        .filter(|misfit| misfit.diagnostic.code == Code::WrongType)
        .collect();
    let retyped: Vec<bool> = wrong_types
        .iter()
        .map(|misfit| overrides::take_as_string(&mut document, &options.overrides, &misfit.path))
        .collect();
    if retyped.contains(&true) {
        misfits = check::check(&document.value);
    }
    faults.extend(misfits.into_iter().map(|misfit| {
        let (source, span) = document.place(&misfit.path, misfit.spot);
        misfit.diagnostic.with_place(source, span)
    }));
    let is_whole = faults.is_empty();
    // What fits the format is looked at even if something else does not, so that all faults are told together.
    let Some((rest, pruned)) = prune::prune(&document.value) else {
        return Err(Diagnostics::new(faults));
    };
    let file: format::ScenarioFile = match serde_json::from_value(rest) {
        Ok(file) => file,
        Err(error) => {
            if is_whole {
                // The schema and the structs disagree, which no scenario should be able to bring about.
                let message = format!("the scenario fits the format but cannot be read: {error}");
                faults.push(Diagnostic::error(Code::Internal, message));
            }
            return Err(Diagnostics::new(faults));
        }
    };
    let mut traces = Traces {
        scenario_directory: directory,
        directory: options.traces.clone(),
        lenient: options.lenient,
        fingerprints: Vec::new(),
    };
    let lowered = lower::lower(file, &document, &mut traces);
    let meant = lowered
        .complaints
        .into_iter()
        .filter(|(path, complaint)| pruned.is_meant(complaint, path));
    faults.extend(meant.map(|(_, complaint)| complaint));
    let complaints = Diagnostics::new(faults);
    if complaints.has_errors() {
        return Err(complaints);
    }
    let stem = Path::new(name)
        .file_stem()
        .map(|stem| stem.to_string_lossy().into_owned());
    Ok(Scenario {
        title: lowered.title.or(stem).unwrap_or_else(|| name.to_owned()),
        description: lowered.description,
        name: name.to_owned(),
        text: text.to_owned(),
        hash: hash(text, options, &traces.fingerprints),
        warnings: complaints,
        plan: lowered.plan,
    })
}

/// See [`Scenario::hash`]. Each part is preceded by its kind and its length, so that no two inputs read the same.
fn hash(text: &str, options: &Options, traces: &[String]) -> String {
    let mut input = Vec::new();
    let mut add = |kind: &str, part: &str| {
        input.extend_from_slice(format!("{kind} {}\n", part.len()).as_bytes());
        input.extend_from_slice(part.as_bytes());
    };
    add("scenario", text);
    for given in &options.overrides {
        add("override", &given.to_string());
    }
    for trace in traces {
        add("trace", trace);
    }
    if options.lenient {
        add("lenient", "");
    }
    file::fingerprint(&input)
}
