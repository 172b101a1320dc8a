//! From a path on the command line to a checked scenario.

use std::io::{IsTerminal, Write, stderr};
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::scenario::{self, Diagnostics, Options, Override, Scenario};

use super::args::ScenarioArguments;

/// The scenario for an openb trace, read when a directory with one is given instead of a file.
const OPENB: &str = include_str!("../../scenarios/openb.toml");
/// What such a directory is recognised by.
const OPENB_NODES: &str = "openb_node_list_all_node.csv";

/// Why there is no scenario.
pub enum Refused {
    /// It is faulty; the faults have been shown.
    Faulty,
    /// The arguments are wrong.
    Usage(anyhow::Error),
}

/// A scenario and what is needed to read it again.
pub struct Loaded {
    /// The scenario.
    pub scenario: Scenario,
    /// Directory to which its relative paths belong.
    pub directory: PathBuf,
    /// How it was read.
    pub options: Options,
}

/// Reads a scenario, showing faults and doubts on the error output.
pub fn load(path: &Path, arguments: &ScenarioArguments) -> Result<Loaded, Refused> {
    let parsed: Result<Vec<Override>, String> = arguments.set.iter().map(|text| text.parse()).collect();
    let overrides = parsed
        .map_err(anyhow::Error::msg)
        .context("in --set")
        .map_err(Refused::Usage)?;
    let mut options = Options {
        overrides,
        lenient: arguments.lenient,
        traces: arguments.traces.clone(),
    };
    let (read, directory) = if path.is_dir() && path.join(OPENB_NODES).is_file() {
        options.traces.get_or_insert_with(|| path.to_owned());
        (scenario::parse("openb.toml", OPENB, path, &options), path.to_owned())
    } else {
        let directory = path.parent().unwrap_or(Path::new("")).to_owned();
        (scenario::load(path, &options), directory)
    };
    match read {
        Ok(scenario) => {
            show(&scenario.warnings);
            Ok(Loaded {
                scenario,
                directory,
                options,
            })
        }
        Err(faults) => {
            show(&faults);
            Err(Refused::Faulty)
        }
    }
}

/// Shows complaints on the error output.
pub fn show(complaints: &Diagnostics) {
    if !complaints.is_empty() {
        // Nobody listens any more if this fails.
        let _ = write!(stderr(), "{}", complaints.render(stderr().is_terminal()));
    }
}

/// The name of a scenario's results: its file's, without directory and ending.
pub fn stem(scenario: &Scenario) -> String {
    let stem = Path::new(&scenario.name).file_stem();
    stem.map_or_else(|| "scenario".to_owned(), |stem| stem.to_string_lossy().into_owned())
}
