//! The command as a user meets it.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// Exit code, standard output, error output.
pub fn bench(arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_swarmlab"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null());
    let output = command
        .arg("bench")
        .args(arguments)
        .output()
        .expect("the program starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is text");
    (
        output.status.code().expect("not killed"),
        text(output.stdout),
        text(output.stderr),
    )
}

pub fn scratch() -> TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

pub fn path(directory: &TempDir, name: &str) -> String {
    directory.path().join(name).display().to_string()
}

/// One small case, quickly.
pub const QUICK: [&str; 11] = [
    "--nodes",
    "10",
    "--kind",
    "plain",
    "--strategy",
    "spread",
    "--samples",
    "10",
    "--time-per-case",
    "5ms",
    "--no-plots",
];

/// A baseline of the quick case on this machine.
fn baseline(out: &TempDir) -> Value {
    let (file, results) = (path(out, "baseline.json"), path(out, "results"));
    let (code, _, errors) = bench(&[&QUICK[..], &["--save-baseline", &file, "--out", &results]].concat());
    assert_eq!(code, 0, "{errors}");
    assert!(errors.contains("saved the baseline"), "{errors}");
    serde_json::from_slice(&fs::read(&file).expect("the baseline")).expect("JSON")
}

/// Compares with a baseline that something was done to.
fn compare(out: &TempDir, baseline: &Value, more: &[&str]) -> (i32, String, String) {
    let (file, results) = (path(out, "doctored.json"), path(out, "results"));
    fs::write(&file, baseline.to_string()).expect("a scratch file");
    bench(&[&QUICK[..], &["--baseline", &file, "--out", &results], more].concat())
}

/// The baseline as if decisions had taken so many times as long.
fn scaled(baseline: &Value, factor: f64) -> Value {
    let mut scaled = baseline.clone();
    for sample in scaled["cases"][0]["samples"].as_array_mut().expect("samples") {
        *sample = (sample.as_f64().expect("a number") * factor).into();
    }
    scaled
}

#[test]
fn figures_come_as_table_json_csv_and_picture() {
    let out = scratch();
    let results = path(&out, "results");
    let grid = [
        "scenarios/zones.toml",
        "--at",
        "1h",
        "--nodes",
        "24,48",
        "--samples",
        "10",
        "--time-per-case",
        "2ms",
        "--out",
        &results,
    ];
    let (code, table, errors) = bench(&[&grid[..], &["--strategy", "spread,random"]].concat());
    assert_eq!(code, 0, "{errors}");
    for expected in [
        "database",
        "front",
        "report",
        "first-sight",
        "spread",
        "random",
        "median",
        "99th",
        "48",
        &results,
    ] {
        assert!(table.contains(expected), "{expected} is missing in\n{table}");
    }
    let csv = fs::read_to_string(Path::new(&results).join("bench.csv")).expect("a file");
    assert_eq!(csv.lines().count(), 1 + 2 * 4 * 2, "{csv}");
    assert!(
        csv.starts_with("strategy,request,nodes,unit,median,low_95,high_95,p99,samples,"),
        "{csv}"
    );
    for name in ["latency.svg", "latency.png"] {
        assert!(Path::new(&results).join(name).is_file(), "{name}");
    }
    let quick = [&QUICK[..], &["--out", &results]].concat();
    let (code, text, _) = bench(&[&quick[..], &["--format", "json"]].concat());
    let document: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!((code, &document["unit"]), (0, &"nanoseconds".into()));
    assert_eq!(document["cases"][0]["samples"], 10);
    assert!(document["cases"][0]["low_95"].as_f64() <= document["cases"][0]["high_95"].as_f64());
    assert!(
        !Path::new(&results).join("latency.svg").exists(),
        "no outdated picture is left"
    );
    let (_, text, _) = bench(&[&quick[..], &["--format", "csv"]].concat());
    assert_eq!(text.lines().count(), 2, "{text}");
}

#[test]
fn a_regression_exits_with_1_and_none_with_0() {
    let out = scratch();
    let baseline = baseline(&out);
    let (code, table, errors) = compare(&out, &scaled(&baseline, 0.01), &["--max-regression", "10%"]);
    assert_eq!(code, 1, "{errors}");
    assert!(table.contains("1 of 1 cases take more than 10 % longer"), "{table}");
    let (code, table, errors) = compare(&out, &scaled(&baseline, 100.0), &["--max-regression", "0.1"]);
    assert_eq!(code, 0, "{errors}");
    assert!(table.contains("No decision takes more than 10 % longer"), "{table}");
    let (code, text, _) = compare(&out, &scaled(&baseline, 0.01), &["--format", "json"]);
    let document: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!((code, &document["regressions"]), (1, &1.into()));
    assert_eq!(document["cases"][0]["comparison"]["regression"], true);
    assert_eq!(document["max_regression"], 0.1);
    let (code, ..) = compare(&out, &scaled(&baseline, 0.01), &["--max-regression", "100000000%"]);
    assert_eq!(code, 0);
}

#[test]
fn a_regression_does_not_become_the_next_baseline() {
    let out = scratch();
    let baseline = baseline(&out);
    let next = path(&out, "next.json");
    let (code, _, errors) = compare(&out, &scaled(&baseline, 0.01), &["--save-baseline", &next]);
    assert_eq!(code, 1);
    assert!(
        errors.contains("no baseline was saved") && !Path::new(&next).exists(),
        "{errors}"
    );
    let (code, ..) = compare(&out, &scaled(&baseline, 100.0), &["--save-baseline", &next]);
    assert!(code == 0 && Path::new(&next).exists());
}

#[test]
fn a_baseline_of_something_else_is_said_to_be() {
    let out = scratch();
    let baseline = scaled(&baseline(&out), 100.0);
    let altered = |path: &str, value: Value| {
        let mut altered = baseline.clone();
        *altered.pointer_mut(path).expect("a field") = value;
        altered
    };
    let mut more = baseline.clone();
    let mut row = baseline["cases"][0].clone();
    row["nodes"] = 77.into();
    more["cases"].as_array_mut().expect("cases").push(row);
    let told = [
        (altered("/fingerprint", "other".into()), 0, "of another scenario"),
        (
            altered("/origin/processor", "Z80".into()),
            0,
            "timed on another machine (2 × Z80)",
        ),
        (more, 0, "one case is not compared: spread/plain/77"),
        (
            altered("/origin/profile", "other".into()),
            2,
            "was built with the profile other",
        ),
        (altered("/unit", "instructions".into()), 2, "add --instructions"),
        (altered("/cases/0/nodes", 11.into()), 2, "has none of these cases"),
        (altered("/cases", Value::Array(Vec::new())), 2, "with no cases"),
    ];
    for (baseline, expected_code, expected) in told {
        let (code, _, errors) = compare(&out, &baseline, &[]);
        assert_eq!(code, expected_code, "{expected}: {errors}");
        let expected = expected.replace("(2 ×", &format!("({} ×", baseline["origin"]["processors"]));
        assert!(errors.contains(&expected), "{expected}: {errors}");
    }
}

#[test]
fn files_that_cannot_be_used_are_told_before_anything_is_measured() {
    let out = scratch();
    let file = path(&out, "file");
    fs::write(&file, "in the way").expect("a scratch file");
    let long = ["--time-per-case", "10h"];
    let refused = [
        (
            vec!["--baseline", "absent.json"],
            "cannot read the baseline absent.json: No such file",
        ),
        (vec!["--baseline", "absent"], "results/bench/baselines/absent.json"),
        (vec!["--baseline", "Cargo.lock/x"], "cannot read the baseline"),
        (
            vec!["--baseline", "./Cargo.toml"],
            "is not a baseline of swarmlab bench",
        ),
        (vec!["--baseline", "src/"], "cannot read the baseline"),
        (vec!["--save-baseline", "src/"], "is a directory"),
        (vec!["--save-baseline", "./src"], "is a directory"),
        (vec!["--out", "Cargo.toml/results"], "cannot make the output directory"),
    ];
    for (arguments, expected) in refused {
        let (code, _, errors) = bench(&[&long[..], &arguments].concat());
        assert_eq!(code, 1, "{arguments:?}: {errors}");
        assert!(errors.contains(expected), "{arguments:?}: {errors}");
    }
    let (code, _, errors) = bench(&[
        "--out",
        &path(&out, "results"),
        "--save-baseline",
        &format!("{file}/b.json"),
    ]);
    assert_eq!(code, 1);
    assert!(errors.contains("cannot make the output directory"), "{errors}");
}

#[test]
fn wrong_usage_exits_with_2_and_says_what_to_do() {
    let refused = [
        (&["--nodes", "0"][..], "0 is not in 1..=1000000"),
        (&["--nodes", "10,many"], "many"),
        (&["--nodes", "1000000000000"], "is not in"),
        (&["--kind", "plian"], "did you mean \"plain\"?"),
        (&["--kind", ""], "there are plain, constraint"),
        (
            &["scenarios/zones.toml", "--kind", "databse"],
            "did you mean \"database\"?",
        ),
        (&["--strategy", "tetris"], "strategy not supported"),
        (&["--samples", "3"], "a number from 10 to 1000"),
        (&["--time-per-case", "0s"], "no time at all"),
        (&["--time-per-case", "soon"], "--time-per-case"),
        (&["--at", "3h"], "required"),
        (&["scenarios/zones.toml", "--at", "noon"], "in --at"),
        (&["--set", "run.duration=1h"], "--set is about a scenario"),
        (&["--max-regression", "10%"], "required"),
        (&["--baseline", "b", "--max-regression", "10"], "write per cent"),
        (&["--baseline", "b", "--max-regression=-1%"], "write per cent"),
        (&["--baseline", "b", "--max-regression", "NaN"], "write per cent"),
        (&["--baseline", "b", "--against", "p"], "cannot be used with"),
        (&["--save-baseline", "b", "--against", "p"], "cannot be used with"),
        (&["--instructions", "--samples", "10"], "cannot be used with"),
        (&["absent.toml"], "absent.toml"),
        (&["scenarios"], "scenarios"),
    ];
    for (arguments, expected) in refused {
        let (code, _, errors) = bench(arguments);
        assert_eq!(code, 2, "{arguments:?}: {errors}");
        assert!(errors.contains(expected), "{arguments:?}: {errors}");
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_it_with_130_and_keeps_whole_rounds() {
    let out = scratch();
    let results = path(&out, "results");
    let child = Command::new(env!("CARGO_BIN_EXE_swarmlab"))
        .args([
            "bench",
            "--nodes",
            "10",
            "--kind",
            "plain",
            "--strategy",
            "spread",
            "--samples",
            "1000",
        ])
        .args(["--time-per-case", "1000s", "--no-plots", "--out", &results])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    std::thread::sleep(std::time::Duration::from_secs(4));
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(sent.is_ok_and(|status| status.success()));
    let output = child.wait_with_output().expect("it ends");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{errors}");
    assert!(errors.contains("of 1000 rounds"), "{errors}");
}
