//! Two programs measured in turn, and instructions counted.

use std::fs;
use std::path::Path;

use super::program::{QUICK, bench, path, scratch};

const THIS: &str = env!("CARGO_BIN_EXE_swarmlab");

#[test]
fn two_programs_are_measured_in_turn() {
    let out = scratch();
    let results = path(&out, "results");
    let common = ["--against", THIS, "--max-regression", "1000000%", "--out", &results];
    let (code, table, errors) = bench(&[&QUICK[..], &common].concat());
    assert_eq!(code, 0, "{errors}");
    assert!(table.contains("Wilcoxon's signed-rank test"), "{table}");
    let csv = fs::read_to_string(Path::new(&results).join("bench.csv")).expect("a file");
    assert!(csv.lines().nth(1).is_some_and(|row| row.ends_with(",false")), "{csv}");
    let scenario = [
        "scenarios/zones.toml",
        "--at",
        "10m",
        "--nodes",
        "24",
        "--strategy",
        "binpack",
        "--samples",
        "10",
    ];
    let (code, table, errors) = bench(&[&scenario[..], &["--time-per-case", "2ms"], &common].concat());
    assert_eq!(code, 0, "{errors}");
    assert!(table.contains("database"), "{table}");
}

#[cfg(unix)]
#[test]
fn what_is_no_swarmlab_is_said_to_be_none() {
    use std::os::unix::fs::PermissionsExt;

    let out = scratch();
    let results = path(&out, "results");
    let script = |name: &str, text: &str| {
        let file = path(&out, name);
        fs::write(&file, format!("#!/bin/sh\n{text}\n")).expect("a scratch file");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("a mode");
        file
    };
    let greeted = r#"{"greeted":{"protocol":1,"origin":{"profile":"PROFILE"}}}"#
        .replace("PROFILE", if cfg!(debug_assertions) { "debug" } else { "release" });
    let other = greeted.replace("debug", "other").replace("release", "other");
    let refused = [
        (
            "/nonexistent/swarmlab".to_owned(),
            2,
            "cannot start /nonexistent/swarmlab",
        ),
        (path(&out, ""), 2, "cannot start"),
        (script("ends", "exit 0"), 2, "is no swarmlab"),
        (
            script("fails", "echo no such thing >&2; exit 3"),
            2,
            "saying: no such thing",
        ),
        (script("echoes", "cat"), 2, "is no swarmlab"),
        (script("babbles", "exec yes hello"), 2, "it says \"hello\""),
        (script("binary", "exec cat /dev/urandom"), 2, "is no swarmlab"),
        (script("hangs", "exec sleep 60"), 2, "it has said nothing for"),
        (
            script("newer", r#"read line; echo '{"greeted":{"protocol":99,"origin":{}}}'"#),
            2,
            "it speaks version 99",
        ),
        (
            script(
                "debug",
                &format!("read line; echo '{other}'; read line; echo '\"opened\"'; cat >/dev/null"),
            ),
            2,
            "the other program was built with the profile other",
        ),
        (
            script(
                "cannot",
                &format!("read line; echo '{greeted}'; read line; echo '{{\"failed\":\"no idea\"}}'"),
            ),
            1,
            "cannot measure this: no idea",
        ),
        (
            script("dies", &format!("read line; echo '{greeted}'; read line; exit 7")),
            1,
            "stopped measuring: it ended (exit status: 7)",
        ),
    ];
    for (program, expected_code, expected) in refused {
        let (code, _, errors) = bench(&[&QUICK[..], &["--against", &program, "--out", &results]].concat());
        assert!(errors.contains(expected), "{program}: {errors}");
        assert_eq!(code, expected_code, "{program}: {errors}");
    }
}

#[test]
fn instructions_are_counted_alike_every_time() {
    let out = scratch();
    let (file, results) = (path(&out, "counts.json"), path(&out, "results"));
    let common = [
        "--instructions",
        "--nodes",
        "10",
        "--kind",
        "plain,first-sight",
        "--no-plots",
        "--out",
        &results,
    ];
    let (code, table, errors) = bench(&[&common[..], &["--save-baseline", &file]].concat());
    if code == 1 && errors.contains("needs valgrind") {
        crate::skip::skip("no valgrind");
        return;
    }
    assert_eq!(code, 0, "{errors}");
    assert!(table.contains("instructions"), "{table}");
    let first = fs::read_to_string(&file).expect("a baseline");
    let (code, table, errors) = bench(&[&common[..], &["--baseline", &file, "--max-regression", "0%"]].concat());
    assert_eq!(code, 0, "{table}{errors}");
    assert_eq!(table.matches("±0.0 %").count(), 6, "{table}");

    let again = |baseline: &serde_json::Value| {
        fs::write(&file, baseline.to_string()).expect("a scratch file");
        bench(&[&common[..], &["--baseline", &file]].concat())
    };
    let mut small: serde_json::Value = serde_json::from_str(&first).expect("JSON");
    for case in small["cases"].as_array_mut().expect("cases") {
        case["samples"] = serde_json::json!([1]);
    }
    let (code, table, errors) = again(&small);
    assert_eq!(code, 1, "{errors}");
    assert!(table.contains("6 of 6 cases take more than 10 % longer"), "{table}");
    small["origin"]["rustc"] = "rustc 0.1".into();
    let (code, table, errors) = again(&small);
    assert_eq!(code, 0, "{errors}");
    assert!(
        errors.contains("built by another compiler") && table.contains("That is no failure"),
        "{errors}{table}"
    );

    let against = ["--against", THIS, "--max-regression", "0%"];
    let (code, table, errors) = bench(&[&common[..], &against].concat());
    assert_eq!(code, 0, "{table}{errors}");
}

#[test]
fn without_valgrind_counting_says_what_is_missing() {
    let output = std::process::Command::new(THIS)
        .args(["bench", "--instructions", "--nodes", "10", "--out"])
        .arg(scratch().path().join("results"))
        .env("PATH", "/nonexistent")
        .output()
        .expect("the program starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        errors.contains("needs valgrind") && errors.contains("apt-get install valgrind"),
        "{errors}"
    );
}
