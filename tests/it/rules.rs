//! References to the rules: each names a document of the repository, and a section and cases that the document has.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The documents with numbered sections, below `src`, as references name them.
const DOCUMENTS: [&str; 4] = [
    "scheduler/RULES.md",
    "manager/RULES.md",
    "manager/API.md",
    "manager/DISCOVERY.md",
];

/// What introduces the number of a section of these documents, and of nothing else.
const SIGN: char = '\u{a7}';

/// What may stand between two numbers that belong to one reference.
const BETWEEN: [&str; 4] = [", and ", ", ", " and ", " to "];

/// The sections of a document by number, each with the numbers of its list.
type Sections = BTreeMap<String, BTreeSet<u32>>;

/// A section that a text refers to.
#[derive(Debug, PartialEq)]
struct Reference {
    /// As it is written; `None` if no document is named.
    document: Option<&'static str>,
    section: String,
    items: Vec<u32>,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn find(below: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(below).expect("a directory of the repository") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && !name.starts_with('.') && name != "target" {
            find(&path, extension, found);
        } else if path.extension().is_some_and(|own| own == extension) {
            found.push(path);
        }
    }
}

/// Every file with this extension: its path in the repository and its text.
fn files(tops: &[&str], extension: &str) -> Vec<(String, String)> {
    let mut paths = Vec::new();
    for top in tops {
        find(&root().join(top), extension, &mut paths);
    }
    paths.sort();
    let read = |path: PathBuf| {
        let name = path
            .strip_prefix(root())
            .expect("below the root")
            .to_string_lossy()
            .into_owned();
        (name, fs::read_to_string(path).expect("a text"))
    };
    paths.into_iter().map(read).collect()
}

fn sources() -> Vec<(String, String)> {
    files(&["src", "tests", "benches"], "rs")
}

fn markdown() -> Vec<(String, String)> {
    files(&["."], "md")
}

/// The comment in a line of Rust, if there is one.
fn comment(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let text = line
        .strip_prefix("//")
        .or_else(|| line.split_once(" // ").map(|(_, text)| text))?;
    Some(text.trim_start_matches(['/', '!']).trim())
}

/// Texts that may be wrapped, each with the number of its first line: comments in Rust, paragraphs in Markdown.
fn texts(name: &str, text: &str) -> Vec<(usize, String)> {
    let is_rust = name.ends_with(".rs");
    let mut texts: Vec<(usize, String)> = Vec::new();
    let mut goes_on = false;
    for (number, line) in text.lines().enumerate() {
        let own = line.trim_start();
        let said = if is_rust { comment(line).unwrap_or(own) } else { own };
        let is_wrapped = if is_rust {
            own.starts_with("//")
        } else {
            !own.starts_with(['|', '#', '*'])
        };
        match texts.last_mut() {
            Some((_, last)) if goes_on && is_wrapped && !said.is_empty() => {
                last.push(' ');
                last.push_str(said);
            }
            _ => texts.push((number + 1, said.to_owned())),
        }
        goes_on = !said.is_empty() && (!is_rust || own.starts_with("//")) && !own.starts_with(['|', '#']);
    }
    texts
}

/// The number at the beginning of a text, and what follows it.
fn number(text: &str) -> Option<(u32, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..end].parse().ok()?, &text[end..]))
}

/// What follows the words between two numbers, if there are any.
fn after_between(text: &str) -> Option<(&'static str, &str)> {
    BETWEEN.iter().find_map(|word| Some((*word, text.strip_prefix(*word)?)))
}

/// A section's number with the items of its list, such as `18, 10 to 14`, and what follows them.
fn section(text: &str) -> Option<(String, Vec<u32>, &str)> {
    let mut end = 0;
    for (at, c) in text.char_indices() {
        let is_inside = c == '.' && text[at + 1..].starts_with(|next: char| next.is_ascii_digit());
        if !c.is_ascii_digit() && !is_inside {
            break;
        }
        end = at + 1;
    }
    let mut after = text[end..].chars();
    if after.next().is_some_and(|c| c.is_ascii_lowercase()) && !after.next().is_some_and(char::is_alphanumeric) {
        end += 1;
    }
    let (own, mut rest) = text.split_at(end);
    let mut items: Vec<u32> = Vec::new();
    while let Some((word, after)) = after_between(rest) {
        let Some((item, after)) = number(after.strip_prefix("step ").unwrap_or(after)) else {
            break;
        };
        if word == " to " {
            let from = items.last().map_or(item, |last| last + 1);
            items.extend(from..item);
        }
        items.push(item);
        rest = after;
    }
    (!own.is_empty()).then(|| (own.to_owned(), items, rest))
}

/// All references in a text.
///
/// # Errors
///
/// What stands behind a sign that no number follows.
fn references(text: &str) -> Result<Vec<Reference>, String> {
    let mut found = Vec::new();
    let mut rest = text;
    loop {
        let sign = rest.find(SIGN);
        let named = DOCUMENTS
            .iter()
            .filter_map(|name| Some((rest.find(name)?, *name)))
            .min();
        let (document, mut chain) = match (sign, named) {
            (None, None) => return Ok(found),
            (Some(sign), Some((at, name))) if at < sign => (Some(name), &rest[at + name.len()..]),
            (None, Some((at, name))) => (Some(name), &rest[at + name.len()..]),
            (Some(sign), _) => (None, &rest[sign..]),
        };
        if document.is_some() {
            chain = chain.strip_prefix('`').unwrap_or(chain);
            chain = chain.strip_prefix(' ').unwrap_or(chain);
        }
        while let Some(numbers) = chain.strip_prefix(SIGN) {
            let (section, items, after) =
                section(numbers).ok_or_else(|| numbers.chars().take(20).collect::<String>())?;
            found.push(Reference {
                document,
                section,
                items,
            });
            chain = after;
            if let Some((_, after)) = after_between(chain)
                && after.starts_with(SIGN)
            {
                chain = after;
            }
        }
        rest = chain;
    }
}

/// The sections of a document: those whose heading begins with a number.
fn sections(text: &str) -> Sections {
    let mut sections = Sections::new();
    let mut current = None;
    for line in text.lines() {
        let heading = line.strip_prefix("##").map(|rest| rest.trim_start_matches('#'));
        if let Some((own, _)) = heading
            .and_then(|rest| rest.strip_prefix(' '))
            .and_then(|rest| rest.split_once(' '))
        {
            if own.starts_with(|c: char| c.is_ascii_digit()) {
                assert!(!sections.contains_key(own), "there are two sections {own}");
                current = Some(sections.entry(own.to_owned()).or_default());
            }
        } else if let (Some(items), Some((item, rest))) = (current.as_mut(), number(line))
            && rest.starts_with(". ")
        {
            items.insert(item);
        }
    }
    sections
}

fn documents() -> BTreeMap<&'static str, Sections> {
    let read = |name| fs::read_to_string(root().join("src").join(name)).expect("the rules");
    DOCUMENTS.map(|name| (name, sections(&read(name)))).into()
}

#[test]
fn every_reference_finds_its_section() {
    let documents = documents();
    let mut faults = Vec::new();
    for (name, text) in sources().into_iter().chain(markdown()) {
        // In a document, a section without the name of one is its own.
        let own = DOCUMENTS
            .into_iter()
            .find(|document| name.strip_prefix("src/") == Some(document));
        for (line, text) in texts(&name, &text) {
            let mut fault = |what: &str| faults.push(format!("{name}:{line}: {what}"));
            match references(&text) {
                Ok(found) => {
                    for reference in found {
                        let Some(document) = reference.document.or(own) else {
                            fault(&format!("section {} of which document?", reference.section));
                            continue;
                        };
                        match documents[document].get(&reference.section) {
                            None => fault(&format!("{document} has no section {}", reference.section)),
                            Some(items) => {
                                for item in reference.items.iter().filter(|item| !items.contains(item)) {
                                    fault(&format!("section {} of {document} has no {item}", reference.section));
                                }
                            }
                        }
                    }
                }
                Err(what) => fault(&format!("no section has the number {what:?}")),
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_markdown_file_that_is_named_is_there() {
    let markdown = markdown();
    let is_there = |named: &str| {
        let mut names = markdown.iter().map(|(name, _)| Path::new(name));
        names.any(|name| name.ends_with(named))
    };
    let mut faults = Vec::new();
    let part_of_name = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
    for (name, text) in sources().iter().chain(&markdown) {
        for (number, line) in text.lines().enumerate() {
            let said = if name.ends_with(".rs") {
                comment(line).unwrap_or_default()
            } else {
                line
            };
            for word in said.split(|c| !part_of_name(c)).map(|word| word.trim_end_matches('.')) {
                if word.ends_with(".md") && !word.starts_with("//") && !is_there(word.trim_start_matches("./")) {
                    faults.push(format!("{name}:{}: there is no {word}", number + 1));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn references_are_read_as_they_are_written() {
    let read = |text: &str| references(&text.replace('$', &SIGN.to_string()));
    let reference = |document, section: &str, items: &[u32]| Reference {
        document,
        section: section.to_owned(),
        items: items.to_vec(),
    };
    let (scheduler, api) = (Some(DOCUMENTS[0]), Some(DOCUMENTS[2]));
    assert_eq!(
        read("(`scheduler/RULES.md` $1.1a and $9; `manager/API.md` $11, 7 to 9, 11 and 12), 3 times. $4.2."),
        Ok(vec![
            reference(scheduler, "1.1a", &[]),
            reference(scheduler, "9", &[]),
            reference(api, "11", &[7, 8, 9, 11, 12]),
            reference(None, "4.2", &[]),
        ])
    );
    assert_eq!(
        read("`scheduler/RULES.md` $1, step 3"),
        Ok(vec![reference(scheduler, "1", &[3])])
    );
    assert_eq!(read("`scheduler/RULES.md`, and nothing else"), Ok(vec![]));
    assert!(read("$ 5").is_err());
}
