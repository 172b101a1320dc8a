//! §3: expressions and what they match.

use std::sync::LazyLock;

use regex::Regex;

use super::regexp;

#[derive(Clone, Debug, PartialEq)]
pub struct RefExpression {
    pub key: String,
    /// `==` rather than `!=`.
    pub equal: bool,
    /// Without the soft marker.
    pub value: String,
    pub soft: bool,
}

static KEY: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\A[A-Za-z_][A-Za-z0-9_.\-]+\z").expect("the pattern is valid"));
static VALUE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\A[=!/]?~?[A-Za-z0-9\t\n\f\r :\-_.*/()?+\[\]\\^$|]+\z").expect("the pattern is valid")
});

impl RefExpression {
    pub fn parse(text: &str) -> Result<RefExpression, String> {
        let (equal, at) = match (text.find("=="), text.find("!=")) {
            (Some(at), _) => (true, at),
            (None, Some(at)) => (false, at),
            (None, None) => return Err("One of operator ==, != is expected".to_owned()),
        };
        let (key, written) = (&text[..at], &text[at + 2..]);
        if !KEY.is_match(key) {
            return Err(format!("Key '{key}' is invalid"));
        }
        let soft = written.starts_with('~');
        let value = if soft { &written[1..] } else { written };
        // §3.1: a single slash is rejected instead of crashing.
        if !VALUE.is_match(written) || value == "/" {
            return Err(format!("Value '{written}' is invalid"));
        }
        Ok(RefExpression {
            key: key.to_owned(),
            equal,
            value: value.to_owned(),
            soft,
        })
    }

    /// §3.1: `==` is true iff any candidate matches, `!=` is the negation.
    pub fn holds(&self, candidates: &[&str], strict_globs: bool) -> bool {
        let matched = candidates
            .iter()
            .any(|candidate| matches(&self.value, candidate, strict_globs));
        matched == self.equal
    }

    /// As error texts show it.
    pub fn text(&self) -> String {
        format!("{}{}{}", self.key, if self.equal { "==" } else { "!=" }, self.value)
    }
}

/// Whether one candidate matches a value.
pub fn matches(value: &str, candidate: &str, strict_globs: bool) -> bool {
    let is_regex = value.len() >= 2 && value.starts_with('/') && value.ends_with('/');
    if is_regex {
        return regexp::is_match(&value[1..value.len() - 1], candidate);
    }
    if strict_globs {
        return glob(
            &value.chars().collect::<Vec<_>>(),
            &candidate.chars().collect::<Vec<_>>(),
        );
    }
    regexp::is_match(&format!("^{}$", value.replace('*', ".*")), candidate)
}

/// A glob in which only the star is special; as in the original, it stops at the end of a line.
fn glob(value: &[char], text: &[char]) -> bool {
    match (value.split_first(), text.split_first()) {
        (None, None) => true,
        (Some(('*', rest)), None) => glob(rest, text),
        (Some(('*', rest)), Some((c, after))) => glob(rest, text) || (*c != '\n' && glob(value, after)),
        (Some((wanted, rest)), Some((c, after))) => wanted == c && glob(rest, after),
        _ => false,
    }
}
