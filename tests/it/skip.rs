//! What tests need of the machine, and how they say so by name where it is missing.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Says that the calling test was skipped, where it is seen: what tests print is hidden as long as they pass.
pub fn skip(reason: &str) {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let mut out = std::io::stderr().lock();
    writeln!(out, "{}", line(&test, reason)).expect("the error output can be written");
}

/// What is said of a skipped test, in every binary of tests.
pub fn line(test: &str, reason: &str) -> String {
    format!("{test} ... skipped: {reason}")
}

/// The directory of the real trace with this name, which the repository holds no copy of.
pub fn traces(name: &str) -> Option<PathBuf> {
    let given = std::env::var_os("SWARMLAB_TRACES").map(PathBuf::from);
    let root = given.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/traces"));
    let directory = root.join(name);
    if !directory.is_dir() {
        skip("no cluster traces (set SWARMLAB_TRACES to their directory)");
        return None;
    }
    Some(directory)
}

/// The rows of a CSV file by column, read as plainly as can be: the files of the trace quote nothing.
pub fn rows(path: &Path) -> Vec<BTreeMap<String, String>> {
    let text = fs::read_to_string(path).expect("the trace can be read");
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().expect("it has a header").split(',').collect();
    let row = |line: &str| {
        let fields = header
            .iter()
            .map(|name| (*name).to_owned())
            .zip(line.split(',').map(str::to_owned));
        fields.collect()
    };
    lines.map(row).collect()
}
