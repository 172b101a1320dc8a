//! `scheduler/RULES.md` §3: expressions and what they match.

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
    LazyLock::new(|| Regex::new(r"\A(?i:[a-z_][a-z0-9_.\-]+)\z").expect("the pattern is valid"));
static VALUE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\A(?i:[=!/]?~?[a-z0-9\t\n\f\r :\-_.*/()?+\[\]\\^$|]+)\z").expect("the pattern is valid")
});

impl RefExpression {
    /// A constraint or an affinity. `scheduler/RULES.md` §3.1: a single slash is rejected instead of crashing, and so
    /// is a pattern that is too large.
    pub fn parse(text: &str, strict_globs: bool) -> Result<RefExpression, String> {
        let parsed = RefExpression::parse_whitelist(text)?;
        let value = &parsed.value;
        if value == "/" {
            return Err(format!("Value '{}/' is invalid", if parsed.soft { "~" } else { "" }));
        }
        let is_regex = is_regex(value);
        let too_large = |reason: &str| {
            let beginning: String = value.chars().take(40).collect();
            let dots = if beginning.len() < value.len() { "..." } else { "" };
            Err(format!(
                "Value '{beginning}{dots}' is too large a regular expression: {reason}"
            ))
        };
        if !is_regex && !value.contains(|c| r".*?+[]()|\^$".contains(c)) {
            return Ok(parsed);
        }
        if value.len() > 16_384 {
            return too_large("it is longer than 16384 bytes");
        }
        if (is_regex || !strict_globs) && regexp::levels(&regex_of(value)).is_some_and(|levels| levels > 1000) {
            return too_large("it is nested more than 1000 levels deep");
        }
        Ok(parsed)
    }

    /// A whitelist, whose value is compared as it is.
    pub fn parse_whitelist(text: &str) -> Result<RefExpression, String> {
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
        if !VALUE.is_match(written) {
            return Err(format!("Value '{written}' is invalid"));
        }
        Ok(RefExpression {
            key: key.to_owned(),
            equal,
            value: value.to_owned(),
            soft,
        })
    }

    /// `scheduler/RULES.md` §3.1: `==` is true iff any candidate matches, `!=` is the negation.
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
    if strict_globs && !is_regex(value) {
        return glob(
            &value.chars().collect::<Vec<_>>(),
            &candidate.chars().collect::<Vec<_>>(),
        );
    }
    regexp::is_match(&regex_of(value), candidate)
}

fn is_regex(value: &str) -> bool {
    value.len() >= 2 && value.starts_with('/') && value.ends_with('/')
}

fn regex_of(value: &str) -> String {
    if is_regex(value) {
        return value[1..value.len() - 1].to_owned();
    }
    format!("^{}$", value.replace('*', ".*"))
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
