//! `bench live`: a manager in front of simulated engines, as a user meets it.

use std::fs;
use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::program::{bench, path, scratch};

/// Longest wait for anything; ends only on failure.
const PATIENCE: Duration = Duration::from_secs(60);

/// A small test of a manager.
const SMALL: [&str; 9] = [
    "live",
    "--nodes",
    "5",
    "--containers-per-node",
    "2",
    "--count",
    "4",
    "--reads",
    "3",
];

/// What is written to the files of a test, and where its engines listened.
fn first_engine(out: &Path) -> String {
    let list = fs::read_to_string(out.join("engines.list")).expect("a list");
    list.trim().replace("[1:5]", "1")
}

fn answers(address: &str) -> bool {
    let address = address.to_socket_addrs().ok().and_then(|mut found| found.next());
    address.is_some_and(|address| TcpStream::connect_timeout(&address, Duration::from_secs(5)).is_ok())
}

fn until(what: &str, mut has_come: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !has_come() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_full_cluster_is_measured_and_told_beside_what_was_published() {
    let out = scratch();
    let results = path(&out, "results");
    let (code, table, errors) = bench(&[&SMALL[..], &["--idle", "200ms", "--out", &results]].concat());
    assert_eq!(code, 0, "{errors}");
    for expected in [
        "5 simulated engines, 2 containers on each, spread",
        "create+start",
        "230 / 250 / 400",
        "at the engine itself",
        "the manager's own share",
        "GET /info",
        "150 / 200 / 360",
        "GET /containers/json?all=1",
        "until all 5 engines listen",
        "until the manager takes all of them for healthy",
        "while filling in 10",
        &results,
    ] {
        assert!(table.contains(expected), "{expected} is missing in\n{table}");
    }
    for expected in ["starting engines", "filling the cluster", "one client"] {
        assert!(errors.contains(expected), "{expected} is missing in\n{errors}");
    }
    let read = |name: &str| fs::read_to_string(Path::new(&results).join(name)).expect("a file");
    let csv = read("live.csv");
    assert!(csv.starts_with("what,clients,count,p50_ms,"), "{csv}");
    assert!(
        csv.contains("create+start,1,4,") && csv.contains("create+start,16,4,"),
        "{csv}"
    );
    let found: Value = serde_json::from_str(&read("live.json")).expect("JSON");
    assert_eq!(
        (&found["nodes"], &found["errors"]),
        (&5.into(), &Value::Array(Vec::new()))
    );
    assert!(found["figures"]["healthy_s"].is_number() && found["origin"]["rustc"].is_string());
    #[cfg(target_os = "linux")]
    assert!(found["figures"]["full_rss_mb"].is_number() && found["figures"]["idle_cpu_pct"].is_number());
    let manifest: Value = serde_json::from_str(&read("manifest.json")).expect("JSON");
    assert_eq!(manifest["scenario"]["text"], read("scenario.toml"));
    assert!(read("manager.log").contains("level=info"));
    assert!(!answers(&first_engine(Path::new(&results))), "the engines have ended");
}

#[test]
fn a_scenario_gives_nodes_and_requests_and_programs_get_json() {
    let out = scratch();
    let results = path(&out, "results");
    let (code, text, errors) = bench(&[
        "live",
        "scenarios/zones.toml",
        "--containers-per-node",
        "1",
        "--count",
        "2",
        "--reads",
        "1",
        "--idle",
        "1ms",
        "--strategy",
        "binpack",
        "--format",
        "json",
        "--quiet",
        "--out",
        &results,
    ]);
    assert_eq!((code, errors.as_str()), (0, ""));
    let found: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!((&found["nodes"], &found["strategy"]), (&24.into(), &"binpack".into()));
    let manager = found["manager"].to_string();
    assert!(manager.contains("\"--strategy\",\"binpack\""), "{manager}");
}

#[test]
fn a_command_that_cannot_be_a_manager_is_wrong_usage() {
    for (command, expected) in [
        ("", "is empty"),
        ("swarm -H {listen} {discovry}", "{discovry} stands for nothing"),
        ("swarm {discovery}", "where it listens"),
        ("swarm -H {listen} '{discovery}", "without a second one"),
    ] {
        let (code, _, errors) = bench(&["live", "--manager-cmd", command]);
        assert!(code == 2 && errors.contains(expected), "{command}: {code} {errors}");
    }
    let (code, _, errors) = bench(&["live", "--network", "10.0.0.0"]);
    assert!(code == 1 && errors.contains("10.0.0.1") || code == 2, "{errors}");
}

#[cfg(unix)]
#[test]
fn a_manager_that_dies_leaves_its_last_words() {
    let out = scratch();
    let results = path(&out, "results");
    let command = "sh -c 'echo no cluster for you; exit 3' {listen} {discovery}";
    let (code, table, errors) = bench(&[&SMALL[..], &["--manager-cmd", command, "--out", &results]].concat());
    assert_eq!((code, table.as_str()), (1, ""), "{errors}");
    assert!(
        errors.contains("the manager ended (exit code 3)") && errors.contains("\n  no cluster for you"),
        "{errors}"
    );
    assert!(!answers(&first_engine(Path::new(&results))), "the engines have ended");
    let absent = [
        &SMALL[..],
        &[
            "--manager-cmd",
            "/nowhere/swarm {listen} {discovery}",
            "--out",
            &results,
        ],
    ]
    .concat();
    let (code, _, errors) = bench(&absent);
    assert!(code == 1 && errors.contains("/nowhere/swarm: No such file"), "{errors}");
}

#[cfg(unix)]
#[test]
fn a_manager_that_never_answers_is_given_up() {
    let out = scratch();
    let command = "sh -c 'echo deaf; exec sleep 1000' {listen} {discovery-file}";
    let wait = ["--manager-cmd", command, "--patience", "1s", "--out"];
    let (code, _, errors) = bench(&[&SMALL[..], &wait, &[&path(&out, "results")]].concat());
    assert_eq!(code, 1, "{errors}");
    assert!(
        errors.contains("the manager does not answer at tcp://127.0.0.1:")
            && errors.contains("within 1s; wait longer with --patience")
            && errors.contains("\n  deaf"),
        "{errors}"
    );
}

/// A test whose manager says its number and is never ready, once both are there.
#[cfg(unix)]
fn waiting(out: &TempDir) -> (Child, String, String) {
    let (results, number) = (path(out, "results"), path(out, "number"));
    let command =
        format!("sh -c 'echo $$ > {number}.new; mv {number}.new {number}; exec sleep 1000' {{listen}} {{discovery}}");
    let child = Command::new(env!("CARGO_BIN_EXE_swarmlab"))
        .arg("bench")
        .args(SMALL)
        .args(["--manager-cmd", &command, "--out", &results])
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    until("the manager does not start", || Path::new(&number).exists());
    let manager = fs::read_to_string(&number).expect("a number").trim().to_owned();
    let engine = first_engine(Path::new(&results));
    assert!(answers(&engine), "the engines run");
    (child, manager, engine)
}

#[cfg(unix)]
fn signal(signal: &str, process: &str) -> bool {
    let sent = Command::new("kill")
        .args([signal, process])
        .stderr(Stdio::null())
        .status();
    sent.expect("kill").success()
}

#[cfg(unix)]
#[test]
fn an_interrupt_ends_manager_and_engines_and_says_so() {
    let out = scratch();
    let (child, manager, engine) = waiting(&out);
    assert!(signal("-INT", &child.id().to_string()));
    let output = child.wait_with_output().expect("it ends");
    let errors = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(130), "{errors}");
    assert!(
        errors.contains("interrupted; manager and engines have been ended"),
        "{errors}"
    );
    assert!(!answers(&engine) && !signal("-0", &manager), "nothing is left");
}

#[cfg(target_os = "linux")]
#[test]
fn manager_and_engines_do_not_outlive_a_test_that_is_killed() {
    let out = scratch();
    let (mut child, manager, engine) = waiting(&out);
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    until("the engines live on", || !answers(&engine));
    // Nobody may have waited for it yet, so it may still have its number.
    let gone = || {
        let state = fs::read_to_string(format!("/proc/{manager}/stat")).unwrap_or_default();
        state.is_empty() || state.contains(") Z ")
    };
    until("the manager lives on", gone);
}
