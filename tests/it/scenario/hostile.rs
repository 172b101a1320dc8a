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

/// What is pasted from web pages, word processors and terminals: all white space of Unicode, characters without width,
/// byte order marks, combining marks, wide and right-to-left characters, and some that case mapping makes longer.
const UNUSUAL: [char; 64] = [
    '\t',
    '\n',
    '\u{b}',
    '\u{c}',
    '\r',
    ' ',
    '\u{85}',
    '\u{a0}',
    '\u{1680}',
    '\u{2000}',
    '\u{2001}',
    '\u{2002}',
    '\u{2003}',
    '\u{2004}',
    '\u{2005}',
    '\u{2006}',
    '\u{2007}',
    '\u{2008}',
    '\u{2009}',
    '\u{200a}',
    '\u{2028}',
    '\u{2029}',
    '\u{202f}',
    '\u{205f}',
    '\u{3000}',
    '\u{180e}',
    '\u{200b}',
    '\u{200c}',
    '\u{200d}',
    '\u{2060}',
    '\u{feff}',
    '\u{fffe}',
    '\u{ffff}',
    '\u{fffd}',
    '\u{0}',
    '\u{7f}',
    '\u{1b}',
    '\u{ad}',
    '\u{300}',
    '\u{308}',
    '\u{20dd}',
    '\u{fe0f}',
    '\u{e0001}',
    '\u{3042}',
    '\u{4e2d}',
    '\u{ff11}',
    '\u{ff1d}',
    '\u{1f600}',
    '\u{1f1e9}',
    '\u{5d0}',
    '\u{661}',
    '\u{202e}',
    '\u{2066}',
    '\u{130}',
    '\u{df}',
    '\u{17f}',
    '\u{212a}',
    '\u{fb01}',
    '\u{201c}',
    '\u{2018}',
    '\u{2212}',
    '\u{10ffff}',
    '\u{10000}',
    '\u{7ff}',
];

fn unusual() -> impl Strategy<Value = String> {
    proptest::collection::vec(proptest::sample::select(UNUSUAL.to_vec()), 1..4).prop_map(String::from_iter)
}

/// Reads the text as a scenario's trace of every format, leniently and not, and shows the complaints.
fn survive_traced(bytes: &[u8]) {
    let directory = tempfile::tempdir().expect("temporary directories can be made");
    let file = directory.path().join("t.csv");
    std::fs::write(&file, bytes).expect("it is writable");
    for format in ["csv", "openb"] {
        let text = format!(
            "[cluster.nodes.a]\ncpus = 1\nmemory = 1\n[cluster.nodes.b]\ntrace = {{ format = \"openb\", file = \"t.csv\" }}\n\
             [workload.a]\ntrace = {{ format = \"{format}\", file = \"t.csv\" }}\n"
        );
        for lenient in [false, true] {
            let options = Options {
                lenient,
                ..Options::default()
            };
            let shown = parse("test.toml", &text, directory.path(), &options)
                .map_or_else(|complaints| complaints.to_string(), |_| String::new());
            assert!(!shown.contains("S090"), "{shown}");
        }
    }
}

proptest! {
    #[test]
    fn with_unusual_characters_anywhere(edits in proptest::collection::vec((0..=QUICKSTART.len(), unusual(), 0..3_usize), 1..4)) {
        let mut text = QUICKSTART.to_owned();
        for (at, piece, gone) in edits {
            let start = text.floor_char_boundary(at);
            let end = text.floor_char_boundary(start + gone).max(start);
            text.replace_range(start..end, &piece);
        }
        survive(&text, Vec::new());
    }

    #[test]
    fn with_unusual_characters_in_overrides(key in unusual(), value in unusual(), at in 0..20_usize) {
        let path = "workload.web.replicas";
        let key = format!("{}{key}{}", &path[..at], &path[at..]);
        for value in [value.clone(), format!("\"{value}"), format!("[{value}1{value}")] {
            survive(QUICKSTART, vec![Override { key: key.clone(), value: value.clone() }]);
            survive(QUICKSTART, vec![Override { key: path.to_owned(), value }]);
        }
    }

    #[test]
    fn with_unusual_characters_in_traces(edits in proptest::collection::vec((0..200_usize, unusual(), 0..3_usize), 1..4)) {
        for whole in [
            "arrival_s,lifetime_s,cpus,memory_mib,name,labels,ports\n0,5,1,10,a,x=y;z=1,8080:80\n1.5,,2,,b,,\n",
            "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,creation_time,deletion_time,scheduled_time\n\
             a,1000,10,1,500,V100,0,10,1\n",
            "sn,cpu_milli,memory_mib,gpu,model\nn1,1000,1024,2,T4\n",
        ] {
            let mut text = whole.to_owned();
            for (at, piece, gone) in &edits {
                let start = text.floor_char_boundary(*at);
                let end = text.floor_char_boundary(start + gone).max(start);
                text.replace_range(start..end, piece);
            }
            survive_traced(text.as_bytes());
        }
    }

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
fn a_no_break_space_instead_of_a_value_is_pointed_at() {
    // As pasted from a web page.
    let complaints = parse(
        "test.toml",
        "[run]\nstrategies = \u{a0}\n",
        Path::new(""),
        &Options::default(),
    )
    .expect_err("there is no value");
    let complaint = complaints.iter().next().expect("a complaint");
    assert_eq!(complaint.position(), Some(("test.toml", 2, 14)));
    assert!(
        complaint.render(false).contains("strategies = \u{a0}\n"),
        "{complaints}"
    );
}

#[test]
fn every_unusual_character_is_survived_in_every_place_of_a_value() {
    for character in UNUSUAL {
        for line in [
            "strategies = X",
            "strategies =X",
            "strategiesX = []",
            "Xstrategies = []",
            "[rXun]",
            "seed = 1X",
            "X",
        ] {
            for end in ["", "\n", "\r\n", "\nduration = \"1h\"\n"] {
                survive(
                    &format!("[run]\n{}{end}", line.replace('X', &character.to_string())),
                    Vec::new(),
                );
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
