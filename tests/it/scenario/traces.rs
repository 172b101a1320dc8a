//! Recorded workloads and node lists.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use swarmlab::model::{Bytes, Cpus, Resources, Time};
use swarmlab::scenario::{Code, Options, Scenario, parse};
use swarmlab::sim::{Source, Trace};

use crate::skip::{rows, traces};

use super::NODES;

/// Reads a scenario with one class that is read from a trace with this text.
fn read(text: &[u8], class: &str, lenient: bool) -> Result<Scenario, String> {
    let directory = tempfile::tempdir().expect("temporary directories can be made");
    fs::write(directory.path().join("t.csv"), text).expect("it is writable");
    let scenario = format!("{NODES}[workload.traced]\ntrace = {{ format = \"csv\", file = \"t.csv\" }}\n{class}");
    let options = Options {
        lenient,
        ..Options::default()
    };
    let prefix = format!("{}/", directory.path().display());
    let result = parse("test.toml", &scenario, directory.path(), &options);
    result.map_err(|complaints| complaints.to_string().replace(&prefix, ""))
}

fn trace_of(scenario: &Scenario, class: usize) -> Arc<Trace> {
    match &scenario.plan.classes[class].source {
        Source::Trace(trace) => Arc::clone(trace),
        other => panic!("not a trace: {other:?}"),
    }
}

#[track_caller]
fn sound(text: &str, class: &str) -> Arc<Trace> {
    let scenario = read(text.as_bytes(), class, false).unwrap_or_else(|complaints| panic!("{complaints}"));
    trace_of(&scenario, 0)
}

#[track_caller]
fn check(text: &[u8], expected: &str) {
    let complaints = read(text, "", false).expect_err("it is faulty");
    assert_eq!(complaints.trim_end(), expected.trim());
}

const FULL: &str = "\
arrival_s,lifetime_s,cpus,memory_mib,name,image,constraints,affinities,labels,ports,resource.gpu
5.5,10,0.5,256.5,a,nginx,zone==a;disk!=hdd,tier!=web,k=v;x=y,80:80;443:443/tcp,1

1,,0.50,256.50,b,nginx,zone==a; disk!=hdd,tier!=web,k=v;x=y,80:80;443:443/tcp,1
1,1e-3,,,,,,,,,
";

#[test]
fn rows_are_sorted_and_equal_requests_are_shared() {
    let trace = sound(FULL, "");
    let rows: Vec<_> = trace
        .rows
        .iter()
        .map(|row| (row.at, row.lifetime, row.request, row.name.as_deref()))
        .collect();
    let expected = [
        (Time(1_000_000_000), None, 0, Some("b")),
        (Time(1_000_000_000), Some(Duration::from_millis(1)), 1, None),
        (Time(5_500_000_000), Some(Duration::from_secs(10)), 0, Some("a")),
    ];
    assert_eq!(rows, expected, "equal arrivals stay in order");
    assert_eq!(trace.requests.len(), 2);
    let request = &trace.requests[0];
    assert_eq!(
        request.resources,
        Resources::new(Cpus::from_millis(500), Bytes::new(256 * 1024 * 1024 + 512 * 1024))
    );
    assert_eq!(request.extra, [("gpu".to_owned(), 1)]);
    assert_eq!(request.image, "nginx");
    assert_eq!(request.constraints, ["zone==a", "disk!=hdd"]);
    assert_eq!(request.affinities, ["tier!=web"]);
    assert_eq!((request.labels["k"].as_str(), request.labels["x"].as_str()), ("v", "y"));
    assert_eq!(request.port_bindings.len(), 2);
    assert_eq!(trace.requests[1].resources, Resources::ZERO);
}

#[test]
fn what_a_class_says_applies_to_every_row() {
    let class = "image = \"base\"\nconstraints = [\"node!=web-9\"]\nlabels = { k = \"own\", more = \"1\" }\n\
                 resources = { gpu = 9, fpga = 1 }\nexpose = [\"9\"]\nlimit = 2\nstop = \"5s\"\n";
    let trace = sound(FULL, class);
    assert_eq!(trace.rows.len(), 2, "`stop` and `limit` cut the rows");
    let [full, bare] = trace.requests.as_slice() else {
        panic!("{} requests", trace.requests.len());
    };
    assert_eq!(full.constraints, ["node!=web-9", "zone==a", "disk!=hdd"]);
    assert_eq!((full.image.as_str(), bare.image.as_str()), ("nginx", "base"));
    assert_eq!(
        (full.labels["k"].as_str(), full.labels["more"].as_str()),
        ("v", "1"),
        "the row wins"
    );
    assert_eq!(full.extra, [("fpga".to_owned(), 1), ("gpu".to_owned(), 1)]);
    assert_eq!(full.exposed_ports, ["443/tcp", "80/tcp", "9/tcp"]);
}

#[test]
fn faulty_rows_are_named_by_line_and_all_reported() {
    check(
        b"arrival_s,lifetime_s,cpus,memory_mib,name,labels,ports,resource.gpu\r\n\
          0,,1,1,a,k=v,80,\r\n\
          \r\n\
          abc,,1,1,a,,,\r\n\
          ,,1,1,a,,,\r\n\
          -1,,1,1,a,,,\r\n\
          1,\"1,5\",1,1,a,,,\r\n\
          1,,1,99999999999999999999,a,,,\r\n\
          1,,1,1,\xff,,,\r\n\
          1,,1,1,a,k,,\r\n\
          1,,1,1,a,,99999:1,\r\n\
          1,,1,1,a,,,1.5\r\n\
          1,,1",
        r#"
error[S041]: `arrival_s` is "abc", not a number
 --> t.csv:4:1
  |
4 | abc,,1,1,a,,,
  | ^^^

error[S041]: `arrival_s` is empty
 --> t.csv:5:1
  |
5 | ,,1,1,a,,,
  | ^

error[S041]: `arrival_s` is negative: -1
 --> t.csv:6:1
  |
6 | -1,,1,1,a,,,
  | ^^

error[S041]: `lifetime_s` is "1,5", not a number
 --> t.csv:7:1
  |
7 | 1,"1,5",1,1,a,,,
  | ^^^^^^^^^^^^^^^^

error[S041]: `memory_mib` is too large
 --> t.csv:8:6
  |
8 | 1,,1,99999999999999999999,a,,,
  |      ^^^^^^^^^^^^^^^^^^^^

error[S041]: `name` is not text in UTF-8
 --> t.csv:9:1
  |
9 | 1,,1,1,�,,,
  | ^^^^^^^^^^^

error[S041]: `labels` has "k", which is not KEY=VALUE
  --> t.csv:10:10
   |
10 | 1,,1,1,a,k,,
   |          ^

error[S041]: `ports` is wrong: 99999 in "99999:1" is not a port number
  --> t.csv:11:11
   |
11 | 1,,1,1,a,,99999:1,
   |           ^^^^^^^

error[S041]: `resource.gpu` is "1.5", not a whole number
  --> t.csv:12:12
   |
12 | 1,,1,1,a,,,1.5
   |            ^^^

error[S041]: the row has 3 fields instead of 8
  --> t.csv:13:1
   |
13 | 1,,1
   | ^^^^
"#,
    );
}

#[test]
fn faulty_headers_are_refused() {
    check(
        b"arrival_s,cpu,name,name\n",
        r#"
error[S040]: unknown column `cpu`
 --> t.csv:1:11
  |
1 | arrival_s,cpu,name,name
  |           ^^^

  = help: did you mean `cpus`?

error[S040]: the column `name` is there twice
 --> t.csv:1:20
  |
1 | arrival_s,cpu,name,name
  |                    ^^^^
"#
        .replace("^^^\n\n  = help", "^^^\n  |\n  = help")
        .as_str(),
    );
    check(
        b"cpus\n1\n",
        r#"
error[S040]: there is no column `arrival_s`
 --> t.csv:1:1
  |
1 | cpus
  | ^^^^
  |
  = help: it says when each container is asked for, in seconds from the start
"#,
    );
    check(
        b"",
        "error[S040]: the file is empty: its first line must name the columns\n--> t.csv",
    );
    let complaints = read(b"arrival_s\n", "", false).expect_err("there are no rows");
    assert!(
        complaints.contains("error[S020]: the trace has no rows\n --> test.toml:7:34"),
        "{complaints}"
    );
}

#[test]
fn many_faulty_rows_are_counted_and_may_be_skipped() {
    let text = format!("arrival_s\n3\n{}4\n", "x\n".repeat(50));
    let complaints = read(text.as_bytes(), "", false).expect_err("it is faulty");
    assert_eq!(complaints.matches("error[S041]: `arrival_s` is \"x\"").count(), 20);
    assert!(
        complaints.contains("error[S041]: … and 30 more rows that make no sense\n--> t.csv"),
        "{complaints}"
    );
    let scenario = read(text.as_bytes(), "", true).expect("faulty rows are skipped");
    let trace = trace_of(&scenario, 0);
    assert_eq!((trace.rows.len(), trace.skipped), (2, 50));
    let warnings: Vec<_> = scenario
        .warnings
        .iter()
        .map(|doubt| (doubt.code, doubt.message.as_str()))
        .collect();
    assert_eq!(warnings, [(Code::SkippedRows, "50 rows were skipped")]);
}

fn openb(directory: &Path, pods: &str) -> Scenario {
    let text = format!(
        "[run]\nfilters = [\"constraint\", \"resources\"]\n\
         [cluster.nodes.openb]\ntrace = {{ format = \"openb\", file = \"openb_node_list_all_node.csv\" }}\n\
         [workload.pods]\ntrace = {{ format = \"openb\", file = \"{pods}\" }}\n"
    );
    let options = Options {
        traces: Some(directory.to_owned()),
        ..Options::default()
    };
    parse("openb.toml", &text, Path::new(""), &options).unwrap_or_else(|complaints| panic!("{complaints}"))
}

#[test]
fn real_nodes_add_up() {
    let Some(directory) = traces("openb") else { return };
    let nodes = openb(&directory, "openb_pod_list_default.csv").plan.nodes;
    let rows = rows(&directory.join("openb_node_list_all_node.csv"));
    assert_eq!(nodes.len(), rows.len());
    for (node, row) in nodes.iter().zip(&rows) {
        assert_eq!(node.name, row["sn"]);
        assert_eq!(
            node.capacity.cpus.nanos(),
            row["cpu_milli"].parse::<u64>().expect("a number") * 1_000_000
        );
        assert_eq!(
            node.capacity.memory.get(),
            row["memory_mib"].parse::<u64>().expect("a number") << 20
        );
        assert_eq!(node.labels.get("model").map_or("", String::as_str), row["model"]);
    }
    let gpus: u64 = nodes
        .iter()
        .flat_map(|node| &node.extra)
        .map(|(_, amount)| amount)
        .sum();
    assert_eq!((nodes.len(), gpus), (1_523, 6_212_000));
    let cpus: u64 = nodes
        .iter()
        .map(|node| node.capacity.cpus.nanos() / 1_000_000_000)
        .sum();
    assert_eq!(cpus, 125_514);
    assert_eq!(
        nodes
            .iter()
            .filter(|node| node.labels.get("model").is_some_and(|model| model == "G2"))
            .count(),
        549
    );
}

#[test]
fn real_pods_add_up() {
    let Some(directory) = traces("openb") else { return };
    let scenario = openb(&directory, "openb_pod_list_default.csv");
    let trace = trace_of(&scenario, 0);
    let number = |row: &BTreeMap<String, String>, column: &str| row[column].parse::<u64>().unwrap_or(0);
    let mut rows = rows(&directory.join("openb_pod_list_default.csv"));
    rows.sort_by_key(|row| number(row, "creation_time"));
    assert_eq!((trace.rows.len(), rows.len()), (8_152, 8_152));
    for (row, expected) in trace.rows.iter().zip(&rows) {
        assert_eq!(row.name.as_deref(), Some(expected["name"].as_str()));
        let creation = number(expected, "creation_time");
        assert_eq!(row.at, Time::from(Duration::from_secs(creation)));
        let start = expected["scheduled_time"].parse().unwrap_or(creation);
        let lifetime = number(expected, "deletion_time").saturating_sub(start);
        assert_eq!(row.lifetime, Some(Duration::from_secs(lifetime)));
        let request = &trace.requests[row.request as usize];
        assert_eq!(request.resources.cpus, Cpus::from_millis(number(expected, "cpu_milli")));
        assert_eq!(
            request.resources.memory,
            Bytes::from_mib(number(expected, "memory_mib"))
        );
        let gpus: u64 = request.extra.iter().map(|(_, amount)| amount).sum();
        assert_eq!(gpus, number(expected, "num_gpu") * number(expected, "gpu_milli"));
        let models = Some(&expected["gpu_spec"]).filter(|models| !models.is_empty());
        let constraints: Vec<String> = models.iter().map(|models| format!("model==/^({models})$/")).collect();
        assert_eq!(request.constraints, constraints);
    }
    let asked: u64 = trace
        .rows
        .iter()
        .flat_map(|row| &trace.requests[row.request as usize].extra)
        .map(|(_, gpu)| gpu)
        .sum();
    assert_eq!((asked + 50) / 100, 60_868, "6,086.8 GPUs");
    assert!(
        trace.requests.len() < 1_000,
        "{} different requests",
        trace.requests.len()
    );
}

#[test]
fn all_real_pod_lists_load() {
    let Some(directory) = traces("openb") else { return };
    let listed = fs::read_dir(&directory).expect("it is a directory");
    let mut names: Vec<String> = listed
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.retain(|name| name.starts_with("openb_pod_list_"));
    names.sort();
    assert_eq!(names.len(), 17);
    for name in names {
        let scenario = openb(&directory, &name);
        let trace = trace_of(&scenario, 0);
        let text = fs::read_to_string(directory.join(&name)).expect("it is there");
        assert_eq!(trace.rows.len(), text.lines().count() - 1, "{name}");
        assert!(trace.rows.is_sorted_by_key(|row| row.at), "{name}");
        if name.contains("multigpu") {
            let early = trace
                .rows
                .iter()
                .all(|row| row.at == Time::ZERO && row.lifetime.is_none());
            assert!(early, "{name} has no times");
        }
    }
}
