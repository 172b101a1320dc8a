//! The parts of ARCHITECTURE.md that a test can check.

use std::fs;
use std::path::{Path, PathBuf};

/// Modules by floor: a module may use its own floor and those below.
const FLOORS: [(&str, u32); 19] = [
    ("model", 0),
    ("net", 0),
    ("cluster", 1),
    ("docker", 1),
    ("discovery", 1),
    ("scheduler", 2),
    ("tokens", 2),
    ("sim", 3),
    ("scenario", 4),
    ("metrics", 4),
    ("eventlog", 4),
    ("experiment", 5),
    ("manager", 5),
    ("bench", 5),
    ("engines", 5),
    ("load", 5),
    ("report", 6),
    ("scaletest", 6),
    ("cli", 7),
];

/// Modules in which nothing but the arguments may have an influence.
const STILL: [&str; 4] = ["model", "cluster", "scheduler", "sim"];

/// What would let something else in, and why it is not there.
const FORBIDDEN_WHEN_STILL: [(&str, &str); 10] = [
    ("std::fs", "files are for floors above"),
    ("std::io", "input and output are for floors above"),
    ("std::net::Tcp", "sockets are for floors above"),
    ("std::env", "the environment is no argument"),
    ("std::thread", "parallelism is between runs only"),
    ("Instant", "the clock is handed in"),
    ("SystemTime", "the clock is handed in"),
    ("println!", "printing is for the command line"),
    ("async ", "nothing here waits"),
    ("HashSet", "hash maps are for look-up, and their order must not show"),
];

/// Longest file that is surely about one thing.
const LINES_MAX: usize = 600;

fn sources(below: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(below).expect("a directory of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Every source file: its path below `src`, its module and its text.
fn files() -> Vec<(String, String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    sources(&root, &mut paths);
    paths.sort();
    let describe = |path: &PathBuf| {
        let name = path
            .strip_prefix(&root)
            .expect("below src")
            .to_string_lossy()
            .into_owned();
        let module = name
            .split('/')
            .next()
            .unwrap_or_default()
            .trim_end_matches(".rs")
            .to_owned();
        (name, module, fs::read_to_string(path).expect("a source file"))
    };
    paths.iter().map(describe).collect()
}

fn floor(module: &str) -> Option<u32> {
    FLOORS.iter().find(|(name, _)| *name == module).map(|(_, floor)| *floor)
}

/// The text before the tests in the file, if it has any.
fn code(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(text)
}

#[test]
fn every_module_has_a_floor() {
    for (name, module, _) in files() {
        assert!(
            module == "lib" || module == "main" || floor(&module).is_some(),
            "{name} is on no floor"
        );
    }
}

#[test]
fn modules_use_only_what_is_below_them() {
    let mut faults = Vec::new();
    for (name, module, text) in files() {
        let Some(own) = floor(&module) else { continue };
        for (line, code) in code(&text).lines().enumerate() {
            let uses = code.split("crate::").skip(1);
            for used in uses {
                let used: String = used.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                if floor(&used).is_some_and(|other| other > own || (other == own && used != module)) {
                    faults.push(format!("src/{name}:{}: {module} uses {used}", line + 1));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_still_floors_are_still() {
    let mut faults = Vec::new();
    for (name, module, text) in files() {
        if !STILL.contains(&module.as_str()) || name.ends_with("tests.rs") {
            continue;
        }
        for (line, code) in code(&text)
            .lines()
            .enumerate()
            .filter(|(_, code)| !code.trim_start().starts_with("//"))
        {
            for (word, reason) in FORBIDDEN_WHEN_STILL {
                if code.contains(word) {
                    faults.push(format!("src/{name}:{}: {word}: {reason}", line + 1));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_file_says_what_it_is_for_and_is_about_one_thing() {
    for (name, _, text) in files() {
        assert!(
            text.starts_with("//! "),
            "src/{name} does not begin with what it is for"
        );
        let lines = code(&text).lines().count();
        assert!(
            lines <= LINES_MAX,
            "src/{name} has {lines} lines: which two things is it?"
        );
    }
}

#[test]
fn nothing_panics_without_a_proof() {
    let mut faults = Vec::new();
    for (name, _, text) in files() {
        for (line, code) in code(&text).lines().enumerate() {
            let bare = code.contains(".unwrap()") || code.contains("todo!(") || code.contains("unimplemented!(");
            if bare && !code.trim_start().starts_with("//") && !code.contains("//") {
                faults.push(format!("src/{name}:{}: {}", line + 1, code.trim()));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_documents_name_what_there_is() {
    let read = |name: &str| fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).expect("a document");
    let architecture = read("ARCHITECTURE.md");
    for (module, floor) in FLOORS {
        assert!(
            architecture.contains(&format!("| {floor} | `{module}` |")),
            "ARCHITECTURE.md does not place {module}"
        );
    }
    assert!(read("CHANGELOG.md").contains("## Unreleased"));
    let readme = read("README.md");
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")).expect("the scenarios") {
        let name = entry.expect("an entry").file_name().to_string_lossy().into_owned();
        assert!(readme.contains(&name), "README.md does not mention scenarios/{name}");
    }
}
