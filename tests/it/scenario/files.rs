//! Scenario files that cannot be read, and paths.

use std::fs;
use std::path::Path;

use swarmlab::scenario::{Options, load};
use tempfile::TempDir;

use super::{NODES, WORK};

/// The complaints about a file in a directory, the directory's name left out of them.
fn complaints(directory: &TempDir, name: &str) -> String {
    let prefix = format!("{}/", directory.path().display());
    let result = load(&directory.path().join(name), &Options::default());
    result
        .map_or_else(|complaints| complaints.to_string(), |_| String::new())
        .replace(&prefix, "")
        .trim_end()
        .to_owned()
}

fn directory() -> TempDir {
    tempfile::tempdir().expect("temporary directories can be made")
}

#[test]
fn unreadable_files_are_complained_about() {
    let directory = directory();
    let put = |name: &str, bytes: &[u8]| fs::write(directory.path().join(name), bytes).expect("it is writable");
    put("cluster.toml", b"[run]\n# \xc3\x28\n");
    put("empty.toml", b"");
    assert_eq!(
        complaints(&directory, "clutser.toml"),
        "error[S001]: there is no file clutser.toml\n |\n = help: did you mean cluster.toml?"
    );
    let root = directory.path().display().to_string();
    assert_eq!(
        complaints(&directory, ""),
        format!("error[S001]: {root}/ is a directory").replace(&format!("{root}/"), "")
    );
    assert_eq!(
        complaints(&directory, "cluster.toml/x.toml"),
        "error[S001]: a part of the path cluster.toml/x.toml is not a directory"
    );
    assert_eq!(
        complaints(&directory, "cluster.toml"),
        "error[S002]: cluster.toml is not text in UTF-8: byte 8, on line 2, starts no character"
    );
    assert_eq!(
        complaints(&directory, "empty.toml"),
        "error[S011]: the key `cluster` is missing\n--> empty.toml\n\n\
         error[S011]: the key `workload` is missing\n--> empty.toml"
    );
    put("large.toml", &vec![b'#'; (16 << 20) + 1]);
    assert_eq!(
        complaints(&directory, "large.toml"),
        "error[S004]: large.toml is larger than 16 MiB"
    );
}

#[test]
fn traces_are_looked_for_beside_the_scenario_or_where_it_says_or_where_the_caller_says() {
    let directory = directory();
    for name in ["here", "there"] {
        fs::create_dir(directory.path().join(name)).expect("it is writable");
    }
    let trace = |place: &str, rows: usize| {
        let text = format!("arrival_s\n{}", "1\n".repeat(rows));
        fs::write(directory.path().join(place), text).expect("it is writable");
    };
    trace("here/t.csv", 1);
    trace("there/t.csv", 2);
    let scenario = |head: &str| {
        let text = format!("{head}{NODES}{WORK}[workload.traced]\ntrace = {{ format = \"csv\", file = \"t.csv\" }}\n");
        fs::write(directory.path().join("here/s.toml"), text).expect("it is writable");
    };
    let rows = |options: &Options| {
        let loaded = load(&directory.path().join("here/s.toml"), options);
        let loaded = loaded.unwrap_or_else(|complaints| panic!("{complaints}"));
        match &loaded.plan.classes[1].source {
            swarmlab::sim::Source::Trace(trace) => trace.rows.len(),
            other => panic!("not a trace: {other:?}"),
        }
    };
    let plain = Options::default();
    scenario("");
    assert_eq!(rows(&plain), 1);
    scenario("traces = \"../there\"\n");
    assert_eq!(rows(&plain), 2);
    let here = directory.path().join("here");
    let given = |text: String| Options {
        overrides: vec![text.parse().expect("a key and a value")],
        ..Options::default()
    };
    let option = Options {
        traces: Some(here.clone()),
        ..Options::default()
    };
    assert_eq!(rows(&option), 1, "the caller's directory wins");
    assert_eq!(rows(&given(format!("traces={}", here.display()))), 1);
    assert_eq!(
        rows(&given(format!(
            "workload.traced.trace.file={}",
            here.join("t.csv").display()
        ))),
        1
    );
    // Relative paths of overrides refer to the current directory, where tests have no such file.
    let relative = load(
        &here.join("s.toml"),
        &given("workload.traced.trace.file=t.csv".to_owned()),
    );
    let complaints = relative.expect_err("there is no such file").to_string();
    assert!(
        complaints.starts_with("error[S040]: there is no file t.csv\n --> command line:1:34"),
        "{complaints}"
    );
    assert!(!Path::new("t.csv").exists());
}
