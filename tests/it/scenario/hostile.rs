//! Texts that nobody would write must be refused, never crash.

use std::path::Path;

use proptest::prelude::*;
use swarmlab::scenario::{Diagnostics, Options, Override, load, parse};

const QUICKSTART: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/quickstart.toml"));

/// Reads the text, and shows the complaints, since showing them must not crash either.
fn survive(text: &str, overrides: Vec<Override>) {
    let options = Options {
        overrides,
        ..Options::default()
    };
    if let Err(complaints) = parse("test.toml", text, Path::new(""), &options) {
        assert!(!complaints.is_empty());
        let _ = (complaints.render(true), complaints.render(false));
        for complaint in &complaints {
            assert_ne!(complaint.code.id(), "S090", "{complaints}");
            let _ = complaint.position();
        }
    }
}

/// Pieces that mean something in a scenario, to replace others with.
fn piece() -> impl Strategy<Value = String> {
    let words = [
        "",
        "0",
        "-1",
        "1e400",
        "nan",
        "true",
        "\"\"",
        "\"forever\"",
        "\"1s\"",
        "\"9999999999d\"",
        "\"{index}\"",
        "[]",
        "{}",
        "[[]]",
        "[{}]",
        "{ choice = [] }",
        "2020-01-01",
        "18446744073709551615",
        "\"\u{202e}\u{0}\"",
        "\"é\"",
        "[",
        "}",
        "\"",
        "{ distribution = \"uniform\", low = 1, high = 0 }",
        "\"container:x\"",
        "\"*\"",
        "\"/\"",
    ];
    prop_oneof![
        proptest::sample::select(words.to_vec()).prop_map(str::to_owned),
        "\\PC{0,8}"
    ]
}

proptest! {
    #[test]
    fn cut_anywhere(at in 0..QUICKSTART.len()) {
        survive(&QUICKSTART[..QUICKSTART.floor_char_boundary(at)], Vec::new());
        survive(&QUICKSTART[QUICKSTART.floor_char_boundary(at)..], Vec::new());
    }

    #[test]
    fn with_values_replaced(replacements in proptest::collection::vec((any::<prop::sample::Index>(), piece()), 1..4)) {
        let mut lines: Vec<String> = QUICKSTART.lines().map(str::to_owned).collect();
        let assignments: Vec<usize> = (0..lines.len()).filter(|line| lines[*line].contains(" = ")).collect();
        for (index, piece) in replacements {
            let line = &mut lines[assignments[index.index(assignments.len())]];
            let key = line.split(" = ").next().unwrap_or_default();
            *line = format!("{key} = {piece}");
        }
        survive(&lines.join("\n"), Vec::new());
    }

    #[test]
    fn with_bytes_replaced(edits in proptest::collection::vec((0..QUICKSTART.len(), "\\PC{0,3}"), 1..6)) {
        let mut text = QUICKSTART.to_owned();
        for (at, piece) in edits {
            let start = text.floor_char_boundary(at);
            let end = text.floor_char_boundary(start + 3);
            text.replace_range(start..end, &piece);
        }
        survive(&text, Vec::new());
    }

    #[test]
    fn with_lines_mixed(order in proptest::collection::vec(0..QUICKSTART.lines().count(), 0..60)) {
        let lines: Vec<&str> = QUICKSTART.lines().collect();
        let mixed: Vec<&str> = order.into_iter().map(|line| lines[line]).collect();
        survive(&mixed.join("\n"), Vec::new());
    }

    #[test]
    fn with_any_override(key in "[a-z0-9.\"'-]{0,20}|workload\\.(web|batch)\\.[a-z]{1,8}(\\.[a-z0-9]{1,6}){0,2}|events\\.[01]\\.[a-z]{2,6}", value in piece()) {
        survive(QUICKSTART, vec![Override { key, value }]);
    }

    #[test]
    fn with_any_trace(bytes in proptest::collection::vec(any::<u8>(), 0..200), rows in "[0-9.,;:=\"\n e-]{0,80}") {
        let directory = tempfile::tempdir().expect("temporary directories can be made");
        let file = directory.path().join("t.csv");
        let scenario = directory.path().join("s.toml");
        let text = "[cluster.nodes.a]\ncpus = 1\nmemory = 1\n[workload.a]\ntrace = { format = \"csv\", file = \"t.csv\" }\n";
        std::fs::write(&scenario, text).expect("it is writable");
        let header = "arrival_s,lifetime_s,cpus,memory_mib,name,labels,ports\n";
        for content in [bytes, [header.as_bytes(), rows.as_bytes()].concat()] {
            std::fs::write(&file, content).expect("it is writable");
            for lenient in [false, true] {
                let options = Options { lenient, ..Options::default() };
                let shown = load(&scenario, &options).map_or_else(|complaints| complaints.to_string(), |_| String::new());
                assert!(!shown.contains("S090"), "{shown}");
            }
        }
    }
}

#[test]
fn deep_wide_and_long_texts_are_refused() {
    survive(&"[".repeat(100_000), Vec::new());
    survive(&format!("x = {}", "[".repeat(100_000)), Vec::new());
    survive(&format!("{}b = 1", "a.".repeat(100_000)), Vec::new());
    survive(&format!("title = \"{}\"", "x".repeat(1_000_000)), Vec::new());
    let many: String = (0..5_000).map(|number| format!("key{number} = {number}\n")).collect();
    let complaints = parse("test.toml", &many, Path::new(""), &Options::default()).expect_err("there are no such keys");
    assert_eq!(
        (complaints.len(), complaints.iter().count()),
        (5_002, Diagnostics::LIMIT)
    );
    assert!(complaints.to_string().ends_with("… and 4902 more\n"));
}
