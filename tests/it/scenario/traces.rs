//! Recorded workloads and node lists.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
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

/// The warnings of a scenario whose run and trace are these, and its trace.
fn windowed(run: &str, trace: &str, rows: &str) -> (Vec<String>, Arc<Trace>) {
    let directory = tempfile::tempdir().expect("temporary directories can be made");
    fs::write(directory.path().join("t.csv"), rows).expect("it is writable");
    let text =
        format!("[run]\n{run}\n{NODES}[workload.traced]\ntrace = {{ format = \"csv\", file = \"t.csv\"{trace} }}\n");
    let scenario = parse("test.toml", &text, directory.path(), &Options::default());
    let scenario = scenario.unwrap_or_else(|complaints| panic!("{complaints}"));
    let told = scenario.warnings.iter().map(|warning| {
        assert_eq!(warning.code, Code::OutsideRun);
        format!("{}: {}", warning.message, warning.help.as_deref().unwrap_or_default())
    });
    (told.collect(), trace_of(&scenario, 0))
}

/// Times from the epoch, as most systems record them.
const EPOCH: &str = "arrival_s,cpus\n1570000000,1\n1570000100.5,1\n";
const SHIFT: &str = "times of a trace count from the start of the run: write origin = \"first\" in `trace` to count from \
                     its first row";

#[test]
fn rows_that_a_run_does_not_reach_are_counted_with_the_first_time_and_what_to_write() {
    let (told, _) = windowed("duration = \"1h\"", "", EPOCH);
    let expected =
        format!("all 2 rows are after the end of the run, at 1h; the first of them is at 1570000000 s: {SHIFT}");
    assert_eq!(told, [expected]);

    let (told, _) = windowed("duration = \"1h\"", "", "arrival_s\n3599\n3600\n4000\n");
    let expected = "2 of 3 rows are after the end of the run, at 1h; the first of them is at 3600 s: make `duration` longer, \
                    or cut the trace with `stop`";
    assert_eq!(told, [expected]);

    let (told, _) = windowed("duration = \"1h\"\nuntil = \"drained\"", "", "arrival_s\n0\n3600\n");
    assert_eq!(told.len(), 1, "{told:?}");
}

#[test]
fn a_run_that_waits_for_years_for_its_trace_is_doubted() {
    let (told, _) = windowed("", "", EPOCH);
    let expected = format!(
        "nothing of the trace happens for 18171d7h6m40s, which is longer than the trace itself; its first row is at \
         1570000000 s: {SHIFT}"
    );
    assert_eq!(told, [expected]);
    // A late start is nothing to be doubted where more follows.
    let (told, _) = windowed("", "", "arrival_s\n172800\n999999\n");
    assert!(told.is_empty(), "{told:?}");
}

#[test]
fn the_origin_of_a_trace_is_its_first_row_or_a_given_time() {
    let times = |trace: &Arc<Trace>| trace.rows.iter().map(|row| row.at).collect::<Vec<_>>();
    for run in ["duration = \"1h\"", ""] {
        for origin in ["\"first\"", "1570000000", "1570000000.0"] {
            let (told, trace) = windowed(run, &format!(", origin = {origin}"), EPOCH);
            assert!(told.is_empty(), "{told:?}");
            assert_eq!(times(&trace), [Time(0), Time(100_500_000_000)], "{origin}");
        }
    }
    let (told, trace) = windowed("", ", origin = 1570000000.25", EPOCH);
    assert_eq!(times(&trace), [Time(100_250_000_000)]);
    assert_eq!(
        told,
        [
            "1 of 2 rows is before the origin and left out; the first is at 1570000000 s: write an earlier origin, or \
          \"first\", to have them too"
        ]
    );
    for (origin, class, expected) in [
        (
            "2000000000",
            "",
            "all 2 rows are before the origin; the first is at 1570000000 s",
        ),
        ("-5", "", "-5 is too small"),
        ("\"last\"", "", "\"first\""),
        ("1e30", "", "is not a time of a trace"),
    ] {
        let directory = tempfile::tempdir().expect("temporary directories can be made");
        fs::write(directory.path().join("t.csv"), EPOCH).expect("it is writable");
        let text = format!(
            "{NODES}[workload.traced]\ntrace = {{ format = \"csv\", file = \"t.csv\", origin = {origin} }}\n{class}"
        );
        let complaints = parse("test.toml", &text, directory.path(), &Options::default()).expect_err("it is faulty");
        assert!(complaints.to_string().contains(expected), "{origin}: {complaints}");
    }
    // What the class cuts away is cut on purpose, unless nothing is left.
    let complaints = read(EPOCH.as_bytes(), "stop = \"1h\"", false).expect_err("nothing is left");
    assert!(
        complaints.contains("all 2 rows are outside `start` and `stop`; the first is at 1570000000 s"),
        "{complaints}"
    );
}

#[test]
fn traces_of_many_programs_are_read() {
    let expected = sound("arrival_s,cpus,labels,resource.GPU\n0,1.5,\"a=b;c=d\",2\n10,2,,\n", "");
    let utf16 = |text: &str, unit: fn(u16) -> [u8; 2]| -> Vec<u8> {
        format!("\u{feff}{text}").encode_utf16().flat_map(unit).collect()
    };
    let commas = "Arrival S, CPUs ,LABELS,Resource.GPU\r\n0,1.5,a=b;c=d,2\r\n10,2,,\r\n";
    let semicolons = "arrival-s;cpus;labels;resource.GPU\n0;1.5;\"a=b;c=d\";2\n10;2;;\n";
    let tabs = "ARRIVAL_S\tcpus\tlabels\tRESOURCE.GPU\n0\t1.5\ta=b;c=d\t2\n10\t2\t\t\n";
    for text in [commas, semicolons, tabs] {
        let packed = |bytes: &[u8]| {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(bytes).expect("memory does not fill up");
            encoder.finish().expect("memory does not fill up")
        };
        for bytes in [
            text.as_bytes().to_vec(),
            [b"\xef\xbb\xbf", text.as_bytes()].concat(),
            utf16(text, u16::to_le_bytes),
            utf16(text, u16::to_be_bytes),
            packed(text.as_bytes()),
            [packed(&text.as_bytes()[..20]), packed(&text.as_bytes()[20..])].concat(),
            packed(&utf16(text, u16::to_le_bytes)),
        ] {
            let scenario = read(&bytes, "", false).unwrap_or_else(|complaints| panic!("{text}\n{complaints}"));
            let trace = trace_of(&scenario, 0);
            assert_eq!(trace.requests, expected.requests, "{text}");
            assert_eq!(trace.rows.len(), 2);
        }
    }
}

#[test]
fn what_is_not_read_is_refused_in_one_sentence_that_says_what_to_do() {
    let zeros = {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        for _ in 0..70 {
            encoder.write_all(&[b'0'; 1 << 20]).expect("memory does not fill up");
        }
        encoder.finish().expect("memory does not fill up")
    };
    for (bytes, expected) in [
        (
            &b"arrival_s;cpus;lifetime_s\n0;1,5;10\n1;2,5;10\n"[..],
            "`cpus` is \"1,5\", with a decimal comma: write decimal points in the whole file, such as \"1.5\"",
        ),
        (
            b"arrival_s\tcpus\n0,5\t1\n",
            "`arrival_s` is \"0,5\", with a decimal comma",
        ),
        (
            b"arrival_s|cpus\n0|1\n",
            "the columns seem to be separated by `|`: separate them by commas",
        ),
        (
            b"arrival_s cpus lifetime_s\n0 1 2\n",
            "the columns seem to be separated by spaces",
        ),
        (
            b"sep=;\narrival_s;cpus\n0;1\n",
            "the first line, `sep=;`, is for spreadsheets: remove it",
        ),
        (
            b"a\0r\0r\0",
            "is not text: it has zero bytes, as UTF-16 without a byte order mark has; save it as UTF-8",
        ),
        (b"\xff\xfea\0b", "is in UTF-16 and damaged: save it as UTF-8"),
        (b"\xff\xfe\0\0a\0\0\0", "is in UTF-32: save it as UTF-8"),
        (
            b"PK\x03\x04rest",
            "is a ZIP archive or a spreadsheet such as .xlsx: unpack it, or save the sheet as CSV",
        ),
        (b"\x28\xb5\x2f\xfdrest", "is compressed with zstd: unpack it"),
        (b"\xfd7zXZ\0rest", "is compressed with xz: unpack it"),
        (b"BZh9rest", "is compressed with bzip2: unpack it"),
        (
            b"\x1f\x8b\x08\0\0",
            "is gzipped and breaks off in the middle: fetch or write it again",
        ),
        (b"\x1f\x8b\x09nonsense", "is gzipped and damaged"),
        (&zeros, "unpacks to more than 64 MiB, which no table does"),
    ] {
        for lenient in [false, true] {
            let complaints = read(bytes, "", lenient).expect_err(expected);
            assert!(complaints.contains(expected), "{expected}: {complaints}");
            assert_eq!(complaints.matches("error[").count(), 1, "{complaints}");
        }
    }
    // Between commas a number in quotes is a fault of its row.
    assert!(sound_but_skipped("arrival_s,cpus\n0,\"1,5\"\n1,2\n") == 1);
}

/// How many rows are skipped.
fn sound_but_skipped(text: &str) -> u64 {
    trace_of(&read(text.as_bytes(), "", true).expect("the others are sound"), 0).skipped
}
