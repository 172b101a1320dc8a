//! Faults of structure and of meaning are told together, and none that only follows from another.

use super::read;

/// The places and messages of all complaints, in order.
fn complaints(text: &str) -> Vec<String> {
    let faults = read(text).expect_err("the scenario is faulty");
    let line = |complaint: &swarmlab::scenario::Diagnostic| {
        let line = complaint.position().map_or(0, |(_, line, _)| line);
        format!("{line}: {}", complaint.message)
    };
    faults.iter().map(line).collect()
}

#[test]
fn unknown_keys_wrong_units_impossible_values_and_dangling_names() {
    let text = r#"[run]
duration = "2 hours"
warm-up = "30m"
[cluster.nodes.web]
count = 3
cpus = -4
memroy = "8GiB"
memory = "8GiB"
[cluster.nodes.big]
count = 2
cpus = 8
memory = "8 gigs"
[workload.front]
arrivals = { process = "poison", rate = "2/s" }
links = ["dp-1"]
failure = 2.5
[workload.back]
arrivals = { process = "diurnal", rate = "1/s", amplitude = 7, period = "24h", peak = "1h" }
trace = { format = "csv", file = "absent.csv" }
[[events]]
at = "1h"
action = "fail"
nodes = "wbe-*"
"#;
    let found = complaints(text);
    let expected = [
        "2: \"2 hours\" is not a duration",
        "6: ",
        "7: unknown key `memroy`",
        "12: \"8 gigs\" is not an amount",
        "14: unknown name \"poison\"",
        "15: ",
        "16: ",
        "18: ",
        "23: ",
    ];
    for expected in expected {
        assert!(
            found.iter().any(|complaint| complaint.starts_with(expected)),
            "{expected:?} is not among {found:#?}"
        );
    }
}

#[test]
fn what_only_follows_is_not_told() {
    // Without its arrivals the class has none, without its process there are no arrivals, and the run has no end.
    let found = complaints(
        "[run]\nduration = 7\n[cluster.nodes.n]\ncpus = 1\nmemory = \"1GiB\"\n[workload.w]\narrivals = { rate = \"1/s\" }\n",
    );
    assert_eq!(found.len(), 2, "{found:#?}");
    // A class that cannot be read is still the one that the other links to.
    let found = complaints(
        "[run]\nduration = \"1h\"\n[cluster.nodes.n]\ncpus = 1\nmemory = \"1GiB\"\n[workload]\ndb = 5\n[workload.w]\n\
         arrivals = { process = \"at-start\", count = 1 }\nlinks = [\"db-1\"]\n",
    );
    assert_eq!(found.len(), 1, "{found:#?}");
}
