//! Scheduling expressions in environment and labels.

use std::sync::LazyLock;

use regex::Regex;

/// The kinds of expressions: the word before the colon in the environment, and the label that carries them.
pub(super) const KINDS: [(&str, &str); 4] = [
    ("constraint", "com.docker.swarm.constraints"),
    ("affinity", "com.docker.swarm.affinities"),
    ("whitelist", "com.docker.swarm.whitelists"),
    ("reschedule", "com.docker.swarm.reschedule-policies"),
];

/// The expressions in a label's value; `None` if it is not a JSON array of strings, which is then ignored.
pub(super) fn expressions_in_label(text: &str) -> Option<Vec<String>> {
    serde_json::from_str(text).ok()
}

/// The expression in an environment entry, if it is of that kind.
pub(super) fn expression_in_env<'e>(entry: &'e str, word: &str) -> Option<&'e str> {
    entry
        .split_once(':')
        .filter(|(before, _)| *before == word)
        .map(|(_, after)| after)
}

/// An expression taken apart as far as is needed to doubt it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parts<'e> {
    pub key: &'e str,
    /// Whether the operator is `==`.
    pub is_equal: bool,
    pub value: &'e str,
}

/// Takes an expression apart, or says what the scheduler will say to it (`scheduling.md` §3).
pub(super) fn parts(expression: &str) -> Result<Parts<'_>, String> {
    static KEY: LazyLock<Regex> =
        LazyLock::new(|| Regex::new("^[A-Za-z_][A-Za-z0-9_.-]+$").expect("the pattern is constant and valid"));
    let equal = expression.split_once("==").map(|parts| (parts, true));
    let split = equal.or_else(|| expression.split_once("!=").map(|parts| (parts, false)));
    let Some(((key, value), is_equal)) = split else {
        return Err("One of operator ==, != is expected".to_owned());
    };
    if !KEY.is_match(key) {
        return Err(format!("Key '{key}' is invalid"));
    }
    if value.is_empty() || value == "~" {
        return Err(format!("Value '{value}' is invalid"));
    }
    Ok(Parts { key, is_equal, value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_that_cannot_be_parsed_are_told_apart() {
        assert!(parts("zone==a").is_ok_and(|parts| parts.key == "zone" && parts.is_equal));
        assert!(parts("zone!=~a").is_ok_and(|parts| !parts.is_equal));
        assert_eq!(parts("zone=a"), Err("One of operator ==, != is expected".to_owned()));
        assert_eq!(parts("a!=b==c"), Err("Key 'a!=b' is invalid".to_owned()));
        assert_eq!(parts("n==x"), Err("Key 'n' is invalid".to_owned()));
        assert_eq!(parts("node=="), Err("Value '' is invalid".to_owned()));
    }
}
