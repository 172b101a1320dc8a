//! Expressions: valid ones about things that may exist, soft ones, globs, regular expressions, and faulty ones.

use super::choices::Choices;
use super::domain::{CONTAINER_NAMES, IDS, IMAGE_IDS, IMAGE_TAGS, LABEL_KEYS, LABEL_VALUES, NODE_IDS, NODE_NAMES};

/// Pieces of patterns; several of them make anything from a plain text to nonsense.
const PIECES: [&str; 62] = [
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
    "\u{212a}",
    "[\u{17f}-\u{212a}]",
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
    if c.one_in(20) {
        let value = c.text(&["/", "//", "/|/", "/(/"]);
        return expression(c, "node".to_owned(), value);
    }
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
        c.text(&[
            "NoDe",
            "n",
            "1a",
            "",
            "a!",
            "_x",
            "container.id",
            "rac\u{212a}",
            "\u{17f}\u{17f}",
            LABEL_KEYS[4],
        ])
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
    if c.one_in(200) {
        return large_pattern(c);
    }
    let count = 1 + c.below(6);
    let pieces: String = (0..count).map(|_| c.pick(&PIECES)).collect();
    if c.one_in(2) { format!("/{pieces}/") } else { pieces }
}

/// A regular expression near what is granted to one: in levels, in classes of characters, in length.
fn large_pattern(c: &mut impl Choices) -> String {
    let class = || r"\pL".to_owned();
    let (open, inner, close) = match c.below(7) {
        0 => ("(", "us".to_owned(), ")"),
        1 => ("(?:", "us".to_owned(), ")"),
        2 => ("(x|", "us".to_owned(), ")"),
        3 => ("(u?", "s".to_owned(), ")"),
        4 => ("((?i)a*(", "US".to_owned(), ")*)"),
        5 => ("(", class().repeat(c.pick(&[2, 24, 25, 30])), ")"),
        _ => ("", "u?".repeat(c.pick(&[100, 8000, 8190, 8192, 9000])), "s"),
    };
    let levels = if inner.starts_with('\\') {
        1
    } else {
        c.pick(&[250, 251, 332, 333, 334, 499, 500, 501, 998, 999, 1000, 1001])
    };
    format!("/{}{inner}{}/", open.repeat(levels), close.repeat(levels))
}

/// Any text at all around operators.
pub fn any_text(c: &mut impl Choices) -> String {
    const CHARACTERS: [&str; 26] = [
        "a", "=", "!", "~", "/", "=", "b", "Z", "0", "_", ".", "-", " ", "\t", "\u{b}", "\n", ":", "*", ",", "@", "é",
        "{", "(", "\\", "\u{212a}", "\u{17f}",
    ];
    (0..c.below(9)).map(|_| c.pick(&CHARACTERS)).collect()
}

/// A label with a JSON array, or with something else, and the expressions that are in it.
pub fn label(c: &mut impl Choices) -> (String, Option<Vec<String>>) {
    const ELEMENTS: [(&str, &str); 14] = [
        (r#""zone==a""#, "zone==a"),
        (r#""""#, ""),
        ("null", ""),
        ("-1.5e999", ""),
        ("true", ""),
        (r#"["zone==a"]"#, ""),
        (r#"{"zone":["a",{}],"]":"}"}"#, ""),
        (r#""a,b]""#, "a,b]"),
        (r#""\"\\\/\n""#, "\"\\/\n"),
        (r#""zone==\ud800""#, "zone==\u{fffd}"),
        (r#""\udc00\ud800x""#, "\u{fffd}\u{fffd}x"),
        (r#""\ud83d\ude00\u00e9""#, "😀é"),
        (r#""\ud800\ud83d\ude00""#, "\u{fffd}😀"),
        ("\"\u{212a}😀\"", "\u{212a}😀"),
    ];
    let elements = c.some(5, |c| (c.pick(&ELEMENTS), c.pick(&["", " ", "\n\t "])));
    let texts: Vec<String> = elements
        .iter()
        .map(|((text, _), space)| format!("{space}{text}{space}"))
        .collect();
    let label = format!("{}[{}]", c.pick(&["", " "]), texts.join(","));
    let read = elements.iter().map(|((_, read), _)| read.to_string()).collect();
    match c.below(12) {
        0 => (format!("{label},"), None),
        1 => (label.trim_end_matches(']').to_owned() + "}", None),
        2 => (format!("{{\"a\":{label}}}"), None),
        3 => (format!("{label}{label}"), None),
        4 => (format!("[{label}"), None),
        5 => (format!("[{},]", texts.join(",")), None),
        _ => (label, Some(read)),
    }
}
