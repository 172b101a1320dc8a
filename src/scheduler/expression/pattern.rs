//! Regular expressions as Go's `regexp` reads them, for the `regex` crate.
//!
//! The two share one ancestor and differ in few places: in Go `\d`, `\w`, `\s` and `\b` are ASCII, an opening bracket
//! inside a class is a literal, and stacked repetitions such as `a**` or `c++` are errors.

use regex::{Regex, RegexBuilder};

/// Compiled programs above this many bytes are refused: expressions come from clients.
const SIZE_LIMIT: usize = 1 << 20;

/// Compiles a pattern that is already in our dialect.
pub(super) fn compile(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern).size_limit(SIZE_LIMIT).build()
}

/// Rewrites a Go pattern, or `None` if Go would refuse it for a reason for which `regex` would not.
pub(super) fn from_go(pattern: &str) -> Option<String> {
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut characters = pattern.chars().peekable();
    // Whether the last item was a repetition, which Go does not let us repeat.
    let mut repeated = false;
    while let Some(c) = characters.next() {
        let mut repeats = false;
        match c {
            '\\' => escape(characters.next()?, &mut out),
            '[' => class(&mut characters, &mut out)?,
            '*' | '+' | '?' => {
                if repeated {
                    return None;
                }
                repeats = true;
                out.push(c);
                out.extend(characters.next_if_eq(&'?'));
            }
            '(' => {
                out.push(c);
                if characters.next_if_eq(&'?').is_some() {
                    out.push('?');
                    // Go knows fewer flags.
                    if !characters.peek().is_some_and(|flag| "imsU-:".contains(*flag)) {
                        return None;
                    }
                }
            }
            _ => out.push(c),
        }
        repeated = repeats;
    }
    Some(out)
}

fn escape(c: char, out: &mut String) {
    match c {
        'd' => out.push_str("[0-9]"),
        'D' => out.push_str("[^0-9]"),
        'w' => out.push_str("[0-9A-Za-z_]"),
        'W' => out.push_str("[^0-9A-Za-z_]"),
        's' => out.push_str(r"[\t\n\f\r ]"),
        'S' => out.push_str(r"[^\t\n\f\r ]"),
        'b' => out.push_str(r"(?-u:\b)"),
        _ => {
            out.push('\\');
            out.push(c);
        }
    }
}

/// Copies a class up to its closing bracket, which `regex` may nest and Go may not.
fn class(characters: &mut std::iter::Peekable<std::str::Chars<'_>>, out: &mut String) -> Option<()> {
    out.push('[');
    out.extend(characters.next_if_eq(&'^'));
    // A closing bracket in first place is a literal.
    if characters.next_if_eq(&']').is_some() {
        out.push_str(r"\]");
    }
    loop {
        match characters.next()? {
            ']' => {
                out.push(']');
                return Some(());
            }
            '\\' => escape(characters.next()?, out),
            '[' if characters.peek() == Some(&':') => out.push('['),
            '[' => out.push_str(r"\["),
            // Two of them would be a set operation.
            '-' if characters.peek() == Some(&'-') => out.push_str(r"\-"),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &str) -> Option<bool> {
        Some(compile(&from_go(pattern)?).ok()?.is_match(text))
    }

    #[test]
    fn classes_of_characters_are_ascii_as_in_go() {
        assert_eq!(matches(r"^\d$", "7"), Some(true));
        assert_eq!(matches(r"^\d$", "٣"), Some(false));
        assert_eq!(matches(r"^[\w-]+$", "a-b_c"), Some(true));
        assert_eq!(matches(r"^\W$", "é"), Some(true));
        assert_eq!(matches(r"^[^\d]$", "x"), Some(true));
        assert_eq!(matches(r"\bweb\b", "my web"), Some(true));
    }

    #[test]
    fn brackets_do_not_nest() {
        assert_eq!(matches("^[[a]$", "["), Some(true));
        assert_eq!(matches("^[]a]$", "]"), Some(true));
        assert_eq!(matches("^[[:digit:]]$", "5"), Some(true));
        assert_eq!(matches("[", "x"), None);
    }

    #[test]
    fn repetitions_do_not_stack() {
        for pattern in ["c++", "a**", "a*+", "a??+", "(?x)a", "*a"] {
            assert_eq!(matches(pattern, "a"), None, "{pattern}");
        }
        assert_eq!(matches("^a+?$", "aa"), Some(true));
        assert_eq!(matches("(?i)^US", "us-east"), Some(true));
    }
}
