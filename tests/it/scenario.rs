//! The scenario format: what is refused and in which words, what is understood and as what.

mod files;
mod hostile;
mod impossible;
mod many;
mod meaning;
mod overrides;
mod plans;
mod schema;
mod structure;
mod syntax;
mod together;
mod traces;
mod units;
mod values;

use std::path::Path;

use swarmlab::scenario::{Diagnostics, Options, Scenario, parse};

/// Three nodes, enough for most scenarios.
const NODES: &str = r#"[cluster.nodes.web]
count = 3
cpus = 8
memory = "16GiB"
labels = { zone = "a" }
"#;

/// Something to run.
const WORK: &str = r#"[workload.app]
arrivals = { process = "at-start", count = 3 }
"#;

fn read(text: &str) -> Result<Scenario, Diagnostics> {
    parse("test.toml", text, Path::new(""), &Options::default())
}

/// Compares all complaints about a text, doubts included, with the expected ones.
#[track_caller]
fn check_whole(text: &str, expected: &str) {
    let shown = match read(text) {
        Ok(scenario) => scenario.warnings.render(false),
        Err(complaints) => complaints.render(false),
    };
    assert_eq!(shown.trim_end(), expected.trim(), "complaints about\n{text}");
}

/// The same about a text to which nodes and work are added, so that it can confine itself to what it is about.
#[track_caller]
fn check(text: &str, expected: &str) {
    check_whole(&format!("{text}{NODES}{WORK}"), expected);
}

/// The same about a text to which only work is added.
#[track_caller]
fn check_with_own_nodes(text: &str, expected: &str) {
    check_whole(&format!("{text}{WORK}"), expected);
}
