//! What the program does with damaged logs, files that cannot be written, a sudden end, and numbers that are too large.

use std::io::{BufRead, BufReader};

use super::*;

#[test]
fn a_log_from_which_a_line_was_removed_is_refused_even_if_nothing_else_differs() {
    let out = scratch();
    // No other line follows from the drain of a node that nothing is on and nothing comes to.
    let scenario = write(
        &out,
        "s.toml",
        "[run]\nduration = \"10s\"\n[cluster.nodes.n]\ncount = 2\ncpus = 4\nmemory = \"8GiB\"\n[workload.w]\n\
         arrivals = { process = \"at-start\", count = 1 }\n[[events]]\nnodes = \"n-2\"\nat = \"9s\"\naction = \"drain\"\n",
    );
    let (log, results) = (path(&out, "run.jsonl"), path(&out, "results"));
    let common = ["--no-plots", "--out", &results];
    let (code, _, errors) = outcome(&[&["run", &scenario, "--log", &log][..], &common].concat());
    assert_eq!(code, 0, "{errors}");
    let whole = fs::read_to_string(&log).expect("the log");
    let replay = |text: &str, further: &[&str]| {
        fs::write(&log, text).expect("the log");
        outcome(&[&["replay", &log][..], &common, further].concat())
    };
    let (code, _, errors) = replay(&whole, &[]);
    assert_eq!((code, errors.as_str()), (0, "every line came out as logged\n"));

    let removed: String = whole
        .split_inclusive('\n')
        .filter(|line| !line.contains("drain\""))
        .collect();
    assert_ne!(removed, whole);
    for further in [&[][..], &["--strategy", "binpack"]] {
        let (code, _, errors) = replay(&removed, further);
        assert_eq!(code, 1);
        assert!(errors.contains("is not as it was written"), "{errors}");
    }

    // Older versions wrote no checksum.
    let (lines, _) = whole.split_once("{\"event\":\"end\"").expect("an end");
    let older = format!("{lines}{{\"event\":\"end\",\"t\":10000000000}}\n").replacen(
        "swarmlab-events/2",
        "swarmlab-events/1",
        1,
    );
    let (code, _, errors) = replay(&older, &[]);
    assert_eq!(code, 0, "{errors}");
    assert!(errors.contains("wrote no checksum"), "{errors}");
}

#[test]
fn what_the_system_says_is_told_once() {
    let out = scratch();
    let file = write(&out, "file", "");
    let below = path(&out, "file/results");
    let absent = path(&out, "absent/x");
    let scenario = "scenarios/quickstart.toml";
    let faults: &[&[&str]] = &[
        &["run", scenario, "--out", &below],
        &[
            "run",
            scenario,
            "--out",
            &out.path().join("results").display().to_string(),
            "--log",
            &absent,
        ],
        &[
            "run",
            scenario,
            "--out",
            &out.path().join("results").display().to_string(),
            "--log",
            "/proc/x",
        ],
        &["compare", scenario, "--out", &below],
        &["replay", &absent],
        &["bench", "--baseline", &absent, "--out", &below],
        &[
            "bench",
            "--nodes",
            "1",
            "--samples",
            "6",
            "--against",
            &absent,
            "--out",
            &out.path().join("bench").display().to_string(),
        ],
        &["load", scenario, "--target", "tcp://127.0.0.1:1", "--out", &below],
        &["engines", scenario, "--ready-file", &absent],
        &["list", &format!("file://{absent}")],
        &["manage", "-H", &format!("unix://{absent}"), "127.0.0.1:1"],
        &["discovery-service", "--data", &format!("{file}/x")],
        &["validate", &absent],
    ];
    for arguments in faults {
        let (code, said, errors) = outcome(arguments);
        assert_ne!(code, 0, "{arguments:?} {said}");
        for line in said.lines().chain(errors.lines()) {
            for said in ["os error", "No such file", "Not a directory", "Permission denied"] {
                assert!(line.matches(said).count() <= 1, "{arguments:?}: {line}");
            }
        }
    }
}

#[test]
fn a_manifest_never_lies_beside_files_of_another_run() {
    let out = scratch();
    let results = out.path().join("results");
    let compare = |seeds: &str| {
        let mut command = swarmlab();
        command.args(["compare", "scenarios/quickstart.toml", "--quiet", "--seeds", seeds]);
        command.args(["--set", "run.duration=30m", "--out"]).arg(&results);
        command.stdout(Stdio::null());
        command
    };
    assert!(compare("1").status().expect("the program starts").success());
    let manifest = || fs::read(results.join("manifest.json")).ok();
    let whole = |name: &str| fs::read(results.join(name)).expect("results");
    let (first, summary) = (manifest().expect("a manifest"), whole("summary.csv"));

    // Killed as soon as the first file of the new results is there, while others are still those of the old ones.
    let mut child = compare("2").spawn().expect("the program starts");
    let deadline = Instant::now() + Duration::from_secs(120);
    while whole("summary.csv") == summary && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().expect("it can be killed");
    child.wait().expect("it has ended");
    assert_ne!(whole("summary.csv"), summary, "the new results have begun");
    assert_ne!(
        manifest(),
        Some(first),
        "the manifest of the old results is beside the new ones"
    );

    assert!(compare("2").status().expect("the program starts").success());
    assert!(manifest().is_some_and(|text| String::from_utf8_lossy(&text).contains("\"runs_finished\": ")));
}

#[test]
fn many_jobs_take_no_more_threads_than_a_few_for_each_processor() {
    let out = scratch();
    let scenario = write(&out, "endless.toml", ENDLESS);
    let mut child = swarmlab()
        .args([
            "compare",
            &scenario,
            "--seeds",
            "1000",
            "--jobs",
            "100000",
            "--no-placements",
            "--quiet",
            "--out",
        ])
        .arg(out.path().join("results"))
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // Said before anything runs.
    let mut said = String::new();
    let mut errors = BufReader::new(child.stderr.take().expect("it is piped"));
    errors.read_line(&mut said).expect("text");
    assert!(
        said.contains("--jobs 100000 is more than this machine makes use of"),
        "{said}"
    );
    let threads = || fs::read_dir(format!("/proc/{}/task", child.id())).map_or(0, Iterator::count);
    let most = 4 * std::thread::available_parallelism().map_or(1, usize::from) + 8;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(500) {
        assert!(threads() <= most, "{} threads", threads());
        std::thread::sleep(Duration::from_millis(20));
    }
    let id = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &id])
            .status()
            .is_ok_and(|status| status.success())
    );
    let code = child.wait().expect("it ends").code();
    assert_eq!(code, Some(130), "at the first SIGTERM");
}

#[test]
fn nobody_who_reads_what_went_wrong_is_no_fault_of_its_own() {
    let out = scratch();
    let faulty = write(&out, "s.toml", "[run]\nduration = \"2 hours\"\n");
    for (arguments, code) in [(["validate", &faulty], 2), (["replay", "nosuch.jsonl"], 1)] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let ended = Command::new(env!("CARGO_BIN_EXE_swarmlab"))
            .args(arguments)
            .stderr(writer)
            .status()
            .expect("it runs");
        assert_eq!(ended.code(), Some(code), "{arguments:?}");
    }
}
