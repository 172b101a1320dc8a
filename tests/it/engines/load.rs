//! `swarmlab load` as a user meets it, with our manager and simulated engines at the other end.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::manager::Managed;
use super::{Cluster, plan};

const SCENARIO: &str = r#"
[run]
seed = 5
duration = "10m"

[cluster.nodes.small]
count = 4
cpus = 4
memory = "8GiB"

[workload.web]
arrivals = { process = "poisson", rate = "20/min" }
image = "web"
cpus = 0.5
memory = "1GiB"
lifetime = "1m"

[workload.cache]
arrivals = { process = "fixed", interval = "2m" }
image = "cache"
cpus = 1
memory = "1GiB"
affinities = ["container!=cache-*"]
"#;

/// Everything that a run of `load` needs.
struct Bench {
    managed: Managed,
    scratch: TempDir,
    scenario: PathBuf,
}

impl Bench {
    async fn start(scenario: &str) -> Bench {
        let scratch = tempfile::tempdir().expect("a temporary directory");
        let path = scratch.path().join("played.toml");
        fs::write(&path, scenario).expect("a scratch file");
        Bench {
            managed: Managed::start(Cluster::start(plan(scenario)).await).await,
            scratch,
            scenario: path,
        }
    }

    fn command(&self, flags: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_swarmlab"));
        command
            .arg("load")
            .arg(&self.scenario)
            .args(flags)
            .arg("--out")
            .arg(self.results());
        command.args(["--target", &self.managed.address.to_string()]);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn results(&self) -> PathBuf {
        self.scratch.path().join("results")
    }

    /// Exit code, standard output, error output.
    async fn load(&self, flags: &[&str]) -> (Option<i32>, String, String) {
        let mut command = self.command(flags);
        let output = tokio::task::spawn_blocking(move || command.output());
        told(output.await.expect("no panic").expect("the program starts"))
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.results().join(name)).expect("a file")
    }
}

fn told(output: Output) -> (Option<i32>, String, String) {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// What became of each container, by the name of who placed it.
fn placed(csv: &str, label: &str) -> BTreeSet<[String; 4]> {
    let rows = csv.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let own = rows.filter(|row| row[0] == label);
    own.map(|row| [row[3], row[5], row[6], row[7]].map(str::to_owned))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_measured_is_shown_beside_what_is_simulated() {
    let bench = Bench::start(SCENARIO).await;
    let flags = [
        "--speed",
        "200",
        "--connections",
        "1",
        "--compare",
        "spread,binpack",
        "--label",
        "measured",
    ];
    let (code, table, errors) = bench.load(&flags).await;
    assert_eq!(code, Some(0), "{errors}");
    for expected in [
        "create+start",
        "Containers placed",
        "measured",
        "spread",
        "binpack",
        "their names begin with",
    ] {
        assert!(table.contains(expected), "{expected} is missing in\n{table}");
    }
    let csv = bench.read("placements.csv");
    let measured = placed(&csv, "measured");
    assert!(measured.len() > 100, "{csv}");
    assert_eq!(
        measured,
        placed(&csv, "spread"),
        "the simulated and the played scenario place alike"
    );
    assert!(
        measured
            .iter()
            .any(|[_, outcome, _, reason]| outcome == "rejected" && reason == "affinity")
    );
    assert_ne!(measured, placed(&csv, "binpack"));
    for name in ["summary.csv", "timeseries.csv", "comparison.csv"] {
        assert!(bench.read(name).contains("measured"), "{name}");
    }
    for name in ["utilisation.svg", "load.png", "comparison.svg", "latency.svg"] {
        assert!(bench.results().join(name).is_file(), "{name}");
    }
    let manifest: Value = serde_json::from_str(&bench.read("manifest.json")).expect("JSON");
    assert_eq!(manifest["strategies"].as_array().map(Vec::len), Some(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_runs_do_not_collide_unless_they_are_made_to() {
    let bench = Bench::start(SCENARIO).await;
    let closed = ["--closed", "2", "--count", "4", "--format", "json"];
    for _ in 0..2 {
        let (code, text, errors) = bench.load(&closed).await;
        let found: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text} {errors}"));
        assert_eq!((code, &found["placed"]), (Some(0), &4.into()), "{text}");
    }
    let named = [&closed[..], &["--name-prefix", "mine-"]].concat();
    let (_, text, _) = bench.load(&named).await;
    let found: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!((&found["placed"], &found["name_prefix"]), (&4.into(), &"mine-".into()));
    let all = bench.managed.get("/containers/json?all=1").await.to_string();
    assert!(all.contains("/mine-web-1\""), "{all}");
    let (_, text, _) = bench.load(&named).await;
    let found: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(found["placed"], 0, "{text}");
    assert!(found["errors"].to_string().contains("create: 409 Conflict"), "{text}");
    let (code, _, errors) = bench.load(&["--name-prefix=-x"]).await;
    assert!(
        code == Some(2) && errors.contains("cannot begin the name of a container"),
        "{errors}"
    );
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_keeps_what_was_measured() {
    let bench = Bench::start(&SCENARIO.replace("10m", "1000h")).await;
    let child = bench
        .command(&["--speed", "60", "--no-plots"])
        .spawn()
        .expect("the program starts");
    tokio::time::sleep(Duration::from_secs(2)).await;
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(sent.expect("kill").success());
    let output = tokio::task::spawn_blocking(move || child.wait_with_output());
    let (code, table, errors) = told(output.await.expect("no panic").expect("it ends"));
    assert_eq!(code, Some(130), "{errors}");
    assert!(
        errors.contains("interrupted; what had been answered is kept"),
        "{errors}"
    );
    assert!(
        table.contains("create+start") && bench.read("placements.csv").lines().count() > 10,
        "{table}"
    );
    let manifest: Value = serde_json::from_str(&bench.read("manifest.json")).expect("JSON");
    assert_eq!(manifest["interrupted"], true);
    assert!(!Path::new(&bench.results()).join("utilisation.svg").exists());
}
