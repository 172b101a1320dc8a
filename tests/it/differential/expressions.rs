//! Expressions: valid ones about things that may exist, soft ones, globs, regular expressions, and faulty ones.

use super::choices::Choices;
use super::domain::{CONTAINER_NAMES, IDS, IMAGE_IDS, IMAGE_TAGS, LABEL_KEYS, LABEL_VALUES, NODE_IDS, NODE_NAMES};

/// Pieces of patterns; several of them make anything from a plain text to nonsense.
const PIECES: [&str; 60] = [
    "a",
    "b",
    "c",
    "1",
    "x",
    "k",
    ".",
    "*",
    "|",
    "?",
    "+",
    "(",
    ")",
    "[",
    "]",
    "^",
    "$",
    "-",
    "\\",
    "/",
    ":",
    " ",
    "_",
    "us",
    "\\d",
    "\\D",
    "\\w",
    "\\W",
    "\\s",
    "\\S",
    "\\b",
    "\\B",
    "\\A",
    "\\z",
    "\\.",
    "\\*",
    "\\x61",
    "\\141",
    "\\1",
    "\\0",
    "\\Q",
    "\\E",
    "\\pL",
    "\\PN",
    "(?i)",
    "(?i:",
    "(?-i)",
    "(?s)",
    "(?m)",
    "(?)",
    "(?x)",
    "(?U)",
    "(?i-s:",
    "[ab]",
    "[^a]",
    "[[:digit:]]",
    "[[:foo:]]",
    "[a-c]",
    "[+--]",
    "[]a]",
];

pub fn constraint(c: &mut impl Choices) -> String {
    let key = c.text(&["node", "region", "rack", "os.type", "tt"]);
    let value = match key.as_str() {
        "node" if c.one_in(3) => c.text(&NODE_IDS),
        "node" => c.text(&NODE_NAMES),
        _ => c.text(&LABEL_VALUES),
    };
    expression(c, key, value)
}

pub fn affinity(c: &mut impl Choices) -> String {
    let key = c.text(&["container", "image", "tt", "region", "node"]);
    let value = match key.as_str() {
        "container" if c.one_in(2) => c.text(&IDS),
        "container" => c.text(&CONTAINER_NAMES),
        "image" if c.one_in(4) => c.text(&IMAGE_IDS),
        "image" => c.text(&IMAGE_TAGS),
        _ => c.text(&LABEL_VALUES),
    };
    expression(c, key, value)
}

pub fn whitelist(c: &mut impl Choices) -> String {
    let count = 1 + c.below(4);
    let names: Vec<String> = (0..count).map(|_| c.text(&NODE_NAMES)).collect();
    let key = c.text(&["node", "any", "region"]);
    expression(c, key, names.join("|"))
}

/// Mostly well-formed: `value` as it is, as a glob or as a regular expression, hard or soft.
pub fn expression(c: &mut impl Choices, key: String, value: String) -> String {
    if c.one_in(30) {
        return any_text(c);
    }
    let key = if c.one_in(20) {
        c.text(&["NoDe", "n", "1a", "", "a!", "_x", "container.id", LABEL_KEYS[4]])
    } else {
        key
    };
    let operator = if c.one_in(20) {
        c.text(&["=", "!==", "===", "=~", "==!", "!="])
    } else {
        c.text(&["==", "==", "!="])
    };
    let soft = if c.one_in(3) { "~" } else { "" };
    let start: String = value.chars().take(2).collect();
    let value = match c.below(10) {
        0..=3 => value,
        4 => format!("{start}*"),
        5 => format!("*{}", value.chars().skip(1).collect::<String>()),
        6 => format!("/{start}/"),
        7 => format!("/^(?i){value}$/"),
        8 => format!("{value}{}", c.text(&["*", "|", "~", ",", "++", "|us"])),
        _ => pattern(c),
    };
    format!("{key}{operator}{soft}{value}")
}

/// A value from pieces of patterns.
pub fn pattern(c: &mut impl Choices) -> String {
    let count = 1 + c.below(6);
    let pieces: String = (0..count).map(|_| c.pick(&PIECES)).collect();
    if c.one_in(2) { format!("/{pieces}/") } else { pieces }
}

/// Any text at all around operators.
pub fn any_text(c: &mut impl Choices) -> String {
    const CHARACTERS: [&str; 24] = [
        "a", "=", "!", "~", "/", "=", "b", "Z", "0", "_", ".", "-", " ", "\t", "\u{b}", "\n", ":", "*", ",", "@", "é",
        "{", "(", "\\",
    ];
    (0..c.below(9)).map(|_| c.pick(&CHARACTERS)).collect()
}
