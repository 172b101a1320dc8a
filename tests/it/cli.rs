//! The program as a user meets it: exit codes, output, files, and what is left behind when it is stopped.

mod faults;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

fn swarmlab() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_swarmlab"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> Output {
    swarmlab().args(arguments).output().expect("the program starts")
}

/// Exit code, standard output, error output.
fn outcome(arguments: &[&str]) -> (i32, String, String) {
    let output = run(arguments);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is text");
    (
        output.status.code().expect("not killed"),
        text(output.stdout),
        text(output.stderr),
    )
}

fn scratch() -> TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

fn write(directory: &TempDir, name: &str, text: &str) -> String {
    let path = directory.path().join(name);
    fs::write(&path, text).expect("a scratch file");
    path.display().to_string()
}

fn path(directory: &TempDir, name: &str) -> String {
    directory.path().join(name).display().to_string()
}

/// Names of the files in a directory, hidden ones included.
fn listing(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
        .collect();
    names.sort();
    names
}

/// A scenario that takes minutes, so that it can be stopped in the middle.
const ENDLESS: &str = r#"
[run]
duration = "100000h"
sample = "1h"
[cluster.nodes.n]
count = 50
cpus = 8
memory = "32GiB"
[workload.w]
arrivals = { process = "poisson", rate = "10/s" }
lifetime = "20s"
cpus = "0.5"
"#;

#[test]
fn a_comparison_prints_a_table_and_leaves_every_file() {
    let out = scratch();
    let results = path(&out, "results");
    let (code, table, errors) = outcome(&[
        "compare",
        "scenarios/quickstart.toml",
        "--seeds",
        "3",
        "--out",
        &results,
    ]);
    assert_eq!((code, errors.as_str()), (0, ""), "quiet when not on a terminal");
    for expected in [
        "spread",
        "binpack",
        "random",
        "Containers placed",
        "95 % interval over 3 seeds",
        &results,
    ] {
        assert!(table.contains(expected), "{expected} is missing in\n{table}");
    }
    let mut expected = vec![
        "comparison.csv",
        "decisions.csv",
        "manifest.json",
        "placements.csv",
        "summary.csv",
        "timeseries.csv",
    ];
    let pictures = [
        "comparison",
        "containers-per-node",
        "latency",
        "load",
        "nodes",
        "rejections",
        "utilisation",
    ];
    let pictures: Vec<String> = pictures
        .iter()
        .flat_map(|stem| ["svg", "png"].map(|end| format!("{stem}.{end}")))
        .collect();
    expected.extend(pictures.iter().map(String::as_str));
    expected.sort_unstable();
    assert_eq!(listing(Path::new(&results)), expected);
    let manifest: serde_json::Value =
        serde_json::from_slice(&fs::read(Path::new(&results).join("manifest.json")).expect("a manifest"))
            .expect("JSON");
    assert_eq!(manifest["seeds"], serde_json::json!([1, 2, 3]));
    assert_eq!(manifest["runs_finished"], 9);
}

/// A job of 64 CPUs on nodes of 4.
#[test]
fn one_impossible_job_blocks_no_queue_and_makes_no_winner() {
    let out = scratch();
    fs::write(
        out.path().join("jobs.csv"),
        "arrival_s,lifetime_s,cpus\n0,60,1\n10,60,64\n20,60,1\n30,60,1\n40,60,1\n",
    )
    .expect("the trace can be written");
    let scenario = path(&out, "jobs.toml");
    fs::write(
        &scenario,
        r#"
[run]
on-rejection = { action = "queue" }
[cluster.nodes.n]
count = 2
cpus = 4
memory = "8GiB"
[workload.jobs]
trace = { format = "csv", file = "jobs.csv" }
"#,
    )
    .expect("the scenario can be written");
    let results = path(&out, "results");
    let (code, table, errors) = outcome(&["compare", &scenario, "--seeds", "3", "--out", &results]);
    assert_eq!(code, 0, "{errors}");
    assert!(
        errors.contains("1 of 5 containers ask for more than any node offers"),
        "{errors}"
    );
    assert!(table.contains("\nqueue: fifo, "), "{table}");
    assert!(table.contains("no-resources"), "{table}");
    let compared = fs::read_to_string(Path::new(&results).join("comparison.csv")).expect("a comparison");
    let mean = |metric: &str| -> Vec<&str> {
        let rows = compared.lines().filter(|line| line.starts_with(&format!("{metric},")));
        rows.filter_map(|row| row.split(',').nth(3)).collect()
    };
    assert_eq!(
        mean("placed"),
        ["4", "4", "5"],
        "random takes what no node has room for"
    );
    assert_eq!(mean("rejected"), ["1", "1", "0"]);
    let won = compared
        .lines()
        .filter(|line| line.contains(",random,") && line.contains(",true,"));
    assert_eq!(won.collect::<Vec<_>>(), [""; 0]);
    let manifest = fs::read(Path::new(&results).join("manifest.json")).expect("a manifest");
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).expect("JSON");
    assert_eq!(manifest["queue"], serde_json::json!(["fifo"]));
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let out = scratch();
    let (one, two) = (path(&out, "one"), path(&out, "two"));
    for (jobs, directory) in [("1", &one), ("4", &two)] {
        let arguments = [
            "compare",
            "scenarios/zones.toml",
            "--seeds",
            "4",
            "--no-plots",
            "--jobs",
            jobs,
            "--out",
        ];
        let (code, _, errors) = outcome(&[&arguments[..], &[directory]].concat());
        assert_eq!(code, 0, "{errors}");
    }
    for name in ["summary.csv", "timeseries.csv", "placements.csv", "comparison.csv"] {
        let read = |directory: &str| fs::read(Path::new(directory).join(name)).expect("a result");
        assert!(read(&one) == read(&two), "{name} differs");
    }
}

#[test]
fn json_is_for_programs() {
    let out = scratch();
    let results = path(&out, "results");
    let common = ["--no-plots", "--format", "json", "--out", &results];
    let (code, text, _) = outcome(&[&["compare", "scenarios/quickstart.toml", "--seeds", "2"], &common[..]].concat());
    let compared: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(code, 0);
    assert_eq!(
        compared[0]["comparison"]["strategies"],
        serde_json::json!(["spread", "binpack", "random"])
    );
    let (_, text, _) = outcome(
        &[
            &["run", "scenarios/quickstart.toml", "--strategy", "binpack"],
            &common[..],
        ]
        .concat(),
    );
    let ran: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(ran[0]["strategy"], "binpack");
    assert!(ran[0]["metrics"]["placed"].as_f64().expect("a number") > 100.0);
    let explain = [
        "explain",
        "scenarios/zones.toml",
        "--class",
        "database",
        "--at",
        "3h",
        "--format",
        "json",
    ];
    let (_, text, _) = outcome(&explain);
    let explained: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(explained["nodes"].as_array().expect("a list").len(), 24);
}

#[test]
fn an_explanation_says_what_every_node_says() {
    let (code, table, errors) = outcome(&["explain", "scenarios/zones.toml", "--class", "database", "--at", "3h"]);
    assert_eq!(code, 0, "{errors}");
    assert!(table.contains("disk==ssd: its label disk is hdd"), "{table}");
    assert!(table.contains("weight"), "{table}");
    assert!(table.contains("spread places it on"), "{table}");
}

#[test]
fn a_log_replays_to_the_same_result() {
    let out = scratch();
    let (log, first, second) = (path(&out, "run.jsonl"), path(&out, "first"), path(&out, "second"));
    for strategy in ["spread", "random"] {
        let common = ["--no-plots", "--set", "run.duration=8h"];
        let run = [
            "run",
            "scenarios/rolling-failures.toml",
            "--strategy",
            strategy,
            "--log",
            &log,
            "--out",
            &first,
        ];
        let (code, _, errors) = outcome(&[&run[..], &common].concat());
        assert_eq!(code, 0, "{errors}");
        let (code, _, errors) = outcome(&["replay", &log, "--no-plots", "--out", &second]);
        assert_eq!((code, errors.as_str()), (0, "every line came out as logged\n"));
        for name in ["summary.csv", "timeseries.csv", "placements.csv"] {
            let read = |directory: &str| fs::read(Path::new(directory).join(name)).expect("a result");
            assert!(read(&first) == read(&second), "{name} differs for {strategy}");
        }
    }
    // The same arrivals and failures under another strategy.
    let (code, table, errors) = outcome(&["replay", &log, "--strategy", "binpack", "--no-plots", "--out", &second]);
    assert_eq!(code, 0, "{errors}");
    assert!(table.contains("binpack"));
}

#[test]
fn a_log_that_does_not_replay_says_where() {
    let out = scratch();
    let (log, results) = (path(&out, "run.jsonl"), path(&out, "results"));
    let (code, _, errors) = outcome(&[
        "run",
        "scenarios/quickstart.toml",
        "--no-plots",
        "--log",
        &log,
        "--out",
        &results,
    ]);
    assert_eq!(code, 0, "{errors}");
    let whole = fs::read_to_string(&log).expect("the log");
    let replay = |text: String| {
        fs::write(&log, text).expect("the log");
        outcome(&["replay", &log, "--no-plots", "--out", &results])
    };

    let (line, placed) = whole
        .lines()
        .enumerate()
        .find(|(_, line)| line.contains("\"place\""))
        .expect("a container is placed");
    let moved = placed.replace("\"attempt\":1", "\"attempt\":7");
    let (code, _, errors) = replay(whole.replacen(placed, &moved, 1));
    assert_eq!(code, 1);
    assert!(
        errors.contains("came out differently") && errors.contains(&format!("line {}", line + 1)),
        "{errors}"
    );

    let torn: String = whole.lines().take(20).map(|line| format!("{line}\n")).collect();
    let (code, _, errors) = replay(torn);
    assert_eq!(code, 1);
    assert!(errors.contains("did not finish"), "{errors}");

    let (code, _, errors) = replay(whole.replacen("\"submit\"", "\"sbmit\"", 1));
    assert_eq!(code, 1);
    assert!(errors.contains("line 3: unknown variant `sbmit`"), "{errors}");

    for text in ["", "nonsense\n", "{}\n"] {
        let (code, _, errors) = replay(text.to_owned());
        assert_eq!(code, 1, "{errors}");
    }
    let (code, _, errors) = outcome(&["replay", &path(&out, "absent.jsonl")]);
    assert_eq!(code, 1);
    assert!(errors.contains("cannot read"), "{errors}");
}

#[test]
fn wrong_usage_exits_with_2_and_says_what_to_do() {
    let faulty = [
        (&["frobnicate"][..], "unrecognized subcommand"),
        (&["run"], "required"),
        (
            &["run", "scenarios/quickstart.toml", "--strategy", "tetris"],
            "strategy not supported",
        ),
        (&["compare", "scenarios/quickstart.toml", "--seeds", "0"], "0 is not in"),
        (&["run", "absent.toml"], "absent.toml"),
        (&["run", "scenarios"], "scenarios"),
        (&["run", "scenarios/quickstart.toml", "--set", "nonsense"], "KEY=VALUE"),
        (
            &["run", "scenarios/quickstart.toml", "--set", "run.durration=1h"],
            "duration",
        ),
        (
            &["explain", "scenarios/quickstart.toml", "--class", "absent"],
            "there are:",
        ),
        (
            &["explain", "scenarios/zones.toml", "--class", "front", "--at", "noon"],
            "--at",
        ),
        (&["validate", "scenarios/quickstart.toml", "absent.toml"], "absent.toml"),
        (&["run", "scenarios/openb.toml"], "openb_node_list_all_node.csv"),
    ];
    for (arguments, expected) in faulty {
        let (code, _, errors) = outcome(arguments);
        assert_eq!(code, 2, "{arguments:?}: {errors}");
        assert!(errors.contains(expected), "{arguments:?}: {errors}");
    }
}

#[test]
fn a_faulty_scenario_among_several_stops_all_before_anything_runs() {
    let out = scratch();
    let faulty = write(
        &out,
        "faulty.toml",
        "[run]\nduration = \"1 hour\"\n[cluster.nodes.n]\ncpus = -1\n",
    );
    let results = path(&out, "results");
    let (code, _, errors) = outcome(&["compare", "scenarios/quickstart.toml", &faulty, "--out", &results]);
    assert_eq!(code, 2);
    assert!(
        errors.contains("faulty.toml:2") && errors.contains("faulty.toml:4"),
        "{errors}"
    );
    assert!(!Path::new(&results).exists());
}

#[test]
fn results_that_cannot_be_written_are_an_error_before_the_run() {
    let out = scratch();
    let file = write(&out, "file", "in the way");
    let scenario = write(&out, "endless.toml", ENDLESS);
    let begin = Instant::now();
    let (code, _, errors) = outcome(&["run", &scenario, "--no-placements", "--out", &format!("{file}/results")]);
    assert_eq!(code, 1);
    assert!(
        errors.contains("cannot make the output directory") && errors.contains("file/results"),
        "{errors}"
    );
    let (code, _, errors) = outcome(&[
        "run",
        &scenario,
        "--no-placements",
        "--log",
        &format!("{file}/log"),
        "--out",
        &path(&out, "r"),
    ]);
    assert_eq!(code, 1);
    assert!(errors.contains("cannot write the event log"), "{errors}");
    assert!(begin.elapsed() < Duration::from_secs(60), "nothing was run");
}

/// A file system of one mebibyte, if this machine lets us have one.
fn tiny_disk(directory: &TempDir) -> Option<TinyDisk> {
    let path = directory.path().join("tiny");
    fs::create_dir(&path).expect("a mount point");
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"])
        .arg(&path)
        .output();
    mounted
        .is_ok_and(|output| output.status.success())
        .then_some(TinyDisk { path })
}

struct TinyDisk {
    path: PathBuf,
}

impl Drop for TinyDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(&self.path).status();
        assert!(
            unmounted.is_ok_and(|status| status.success()),
            "the scratch file system is unmounted"
        );
    }
}

#[test]
fn a_full_disk_is_an_error_before_the_run() {
    let out = scratch();
    let Some(disk) = tiny_disk(&out) else {
        crate::skip::skip("may not mount a small file system");
        return;
    };
    let results = disk.path.join("results").display().to_string();
    let (code, _, errors) = outcome(&["run", "scenarios/quickstart.toml", "--out", &results]);
    assert_eq!(code, 1);
    assert!(
        errors.contains("not enough room") && errors.contains("--out"),
        "{errors}"
    );
    fs::write(disk.path.join("filler"), vec![0; 2 << 20]).expect_err("the disk is full now");
    let (code, _, errors) = outcome(&["run", "scenarios/quickstart.toml", "--out", &results]);
    assert_eq!(code, 1);
    assert!(errors.contains("cannot") && errors.contains("results"), "{errors}");
}

#[cfg(unix)]
mod stopped {
    use std::os::unix::process::ExitStatusExt;
    use std::process::Child;

    use super::*;

    fn signal(child: &Child, name: &str) {
        let status = Command::new("kill").args([name, &child.id().to_string()]).status();
        assert!(status.is_ok_and(|status| status.success()), "the signal is sent");
    }

    /// Waits until the program has begun, which it shows by its probe of the directory.
    fn wait_for(directory: &Path) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !directory.is_dir() {
            assert!(Instant::now() < deadline, "the program begins");
            std::thread::sleep(Duration::from_millis(20));
        }
        std::thread::sleep(Duration::from_millis(300));
    }

    fn start(scenario: &str, results: &str, more: &[&str]) -> Child {
        let mut command = swarmlab();
        command
            .args(["compare", scenario, "--no-placements", "--out", results])
            .args(more);
        let child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        wait_for(Path::new(results));
        child
    }

    #[test]
    fn ctrl_c_ends_at_once_with_130() {
        let out = scratch();
        let scenario = write(&out, "endless.toml", ENDLESS);
        let results = path(&out, "results");
        let child = start(&scenario, &results, &[]);
        signal(&child, "-INT");
        let begin = Instant::now();
        let output = child.wait_with_output().expect("it ends");
        assert!(begin.elapsed() < Duration::from_secs(10));
        assert_eq!(output.status.code(), Some(130));
        assert_eq!(
            listing(Path::new(&results)),
            [""; 0],
            "nothing was finished, so nothing is there"
        );
    }

    #[test]
    fn what_is_finished_is_kept() {
        let out = scratch();
        let scenario = write(&out, "short.toml", &ENDLESS.replace("100000h", "10m"));
        let results = path(&out, "results");
        let child = start(&scenario, &results, &["--seeds", "100000", "--jobs", "1", "--no-plots"]);
        std::thread::sleep(Duration::from_secs(2));
        signal(&child, "-TERM");
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(output.status.code(), Some(130));
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(errors.contains("the finished ones are kept"), "{errors}");
        let summary = fs::read_to_string(Path::new(&results).join("summary.csv")).expect("a summary");
        assert!(summary.lines().count() > 3, "{summary}");
    }

    #[test]
    fn a_killed_run_leaves_no_half_file() {
        let out = scratch();
        let scenario = write(&out, "endless.toml", ENDLESS);
        let results = path(&out, "results");
        let child = start(&scenario, &results, &[]);
        signal(&child, "-KILL");
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(output.status.signal(), Some(9));
        let left = listing(Path::new(&results));
        assert!(left.iter().all(|name| name.starts_with(".swarmlab-")), "{left:?}");
    }

    #[test]
    fn who_stops_reading_ends_the_program_quietly() {
        let shell = format!("{} schema | head -c 10", env!("CARGO_BIN_EXE_swarmlab"));
        let output = Command::new("bash")
            .args(["-c", &format!("set -o pipefail; {shell}")])
            .output()
            .expect("a shell");
        assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
    }
}

/// The examples of the help texts and the commands of the README do what they say, but for those with a placeholder or
/// a pager.
#[cfg(unix)]
#[test]
fn every_example_runs_as_written() {
    let commands = ["", "run", "compare", "bench", "explain", "replay", "validate"];
    let mut texts: Vec<String> = commands
        .iter()
        .map(|command| {
            outcome(
                &[command, "--help"]
                    .map(str::trim)
                    .into_iter()
                    .filter(|word| !word.is_empty())
                    .collect::<Vec<_>>(),
            )
            .1
        })
        .collect();
    texts.push(fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("the README"));
    let example = |line: &str| {
        let line = line.trim_start().trim_start_matches("$ ");
        // In the overview of all commands, what an example is for stands beside it.
        let command = line.split("   ").next().unwrap_or_default();
        let placeholder = [
            "DIR",
            "FILE",
            "~",
            "<COMMAND>",
            "my.toml",
            "man -l",
            "c1m",
            "c10m",
            "run.jsonl --",
        ]
        .iter()
        .any(|word| command.contains(word));
        // What runs until somebody ends it, or needs something that does, has tests of its own.
        let endless = [
            "engines",
            "load",
            "manage",
            "join",
            "list",
            "discovery-service",
            "bench live",
        ]
        .iter()
        .any(|word| command.starts_with(&format!("swarmlab {word}")));
        let endless = endless && !command.ends_with("--print-discovery");
        (command.starts_with("swarmlab ") && !placeholder && !endless).then(|| command.to_owned())
    };
    let mut examples: Vec<String> = texts.iter().flat_map(|text| text.lines()).filter_map(example).collect();
    examples.sort();
    examples.dedup();
    assert!(examples.len() >= 9, "{examples:#?}");

    let out = scratch();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    std::os::unix::fs::symlink(root.join("scenarios"), out.path().join("scenarios")).expect("a link");
    let programs = Path::new(env!("CARGO_BIN_EXE_swarmlab"))
        .parent()
        .expect("a directory")
        .display()
        .to_string();
    let search = format!("{programs}:{}", std::env::var("PATH").unwrap_or_default());
    // A log to replay, for the examples that begin with one.
    examples.insert(
        0,
        "swarmlab run scenarios/quickstart.toml --no-plots --log run.jsonl".to_owned(),
    );
    for example in examples {
        let inside = example.replace("/tmp/", &format!("{}/", out.path().display()));
        let mut shell = Command::new("bash");
        shell
            .args(["-c", &inside])
            .current_dir(&out)
            .env("PATH", &search)
            .stdin(Stdio::null());
        let output = shell.output().expect("a shell");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{example}: {errors}");
    }
}

#[test]
fn help_has_examples_and_everything_is_generated() {
    for arguments in [
        &["--help"][..],
        &["run", "--help"],
        &["compare", "--help"],
        &["bench", "--help"],
        &["bench", "live", "--help"],
        &["engines", "--help"],
        &["load", "--help"],
        &["explain", "--help"],
        &["replay", "--help"],
    ] {
        let (code, help, _) = outcome(arguments);
        assert_eq!(code, 0);
        assert!(help.contains("Examples:"), "{arguments:?}");
    }
    let (code, version, _) = outcome(&["--version"]);
    assert_eq!(
        (code, version),
        (
            0,
            format!(
                "swarmlab version {} (compatible with swarm 1.2.9)\n",
                env!("CARGO_PKG_VERSION")
            )
        )
    );
    for shell in ["bash", "zsh", "fish"] {
        let (code, completions, _) = outcome(&["completions", shell]);
        assert_eq!(code, 0);
        assert!(completions.contains("swarmlab") && completions.contains("compare"));
        assert!(
            !completions.contains("bench-worker") && !completions.contains("bench-guard"),
            "what programs use is not offered to people"
        );
    }
    for arguments in [&["man"][..], &["man", "compare"]] {
        let (code, page, _) = outcome(arguments);
        assert_eq!(code, 0);
        assert!(page.contains(".TH swarmlab"), "{page}");
    }
    let (code, schema, _) = outcome(&["schema"]);
    let schema: serde_json::Value = serde_json::from_str(&schema).expect("JSON");
    assert_eq!(code, 0);
    assert!(schema["properties"]["workload"].is_object());
}
