//! Scheduling expressions in environment and labels.

use std::sync::LazyLock;

use regex::Regex;

use crate::model::Labels;

/// The kinds of expressions: the word before the colon in the environment, and the label that carries them.
pub(super) const KINDS: [(&str, &str); 4] = [
    ("constraint", "com.docker.swarm.constraints"),
    ("affinity", "com.docker.swarm.affinities"),
    ("whitelist", "com.docker.swarm.whitelists"),
    ("reschedule", "com.docker.swarm.reschedule-policies"),
];

/// What environment and labels ask of the scheduler.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Expressions {
    pub constraints: Vec<String>,
    pub affinities: Vec<String>,
    pub whitelists: Vec<String>,
    pub reschedule: Vec<String>,
}

/// Moves expressions from the environment to the labels, those of the labels first (`scheduling.md` §2.1).
// Stands in for `scheduler::translate`, whose signature it has, until that is there.
pub(super) fn translate(env: &mut Vec<String>, labels: &mut Labels) -> Expressions {
    let mut lists = KINDS.map(|(word, label)| {
        let mut list = labels
            .get(label)
            .and_then(|text| expressions_in_label(text))
            .unwrap_or_default();
        list.extend(
            env.iter()
                .filter_map(|entry| expression_in_env(entry, word))
                .map(str::to_owned),
        );
        if !list.is_empty() {
            labels.insert(label.to_owned(), serde_json::Value::from(list.clone()).to_string());
        }
        list
    });
    env.retain(|entry| KINDS.iter().all(|(word, _)| expression_in_env(entry, word).is_none()));
    let [constraints, affinities, whitelists, reschedule] = lists.each_mut().map(std::mem::take);
    Expressions {
        constraints,
        affinities,
        whitelists,
        reschedule,
    }
}

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
    fn labels_come_first_and_the_environment_is_cleared_of_expressions() {
        let mut env = ["A=b", "constraint:node==n1", "Constraint:x==1", "affinity:"]
            .map(str::to_owned)
            .to_vec();
        let label = (
            "com.docker.swarm.constraints".to_owned(),
            r#"["region==us"]"#.to_owned(),
        );
        let mut labels = Labels::from([label]);
        let found = translate(&mut env, &mut labels);
        assert_eq!(found.constraints, ["region==us", "node==n1"]);
        assert_eq!(found.affinities, [""]);
        assert_eq!(env, ["A=b", "Constraint:x==1"]);
        assert_eq!(labels["com.docker.swarm.constraints"], r#"["region==us","node==n1"]"#);
        assert_eq!(labels["com.docker.swarm.affinities"], r#"[""]"#);
    }

    #[test]
    fn a_label_that_is_no_list_is_ignored_unless_overwritten() {
        let mut labels = Labels::from([("com.docker.swarm.constraints".to_owned(), "zone==a".to_owned())]);
        assert_eq!(translate(&mut Vec::new(), &mut labels), Expressions::default());
        assert_eq!(labels["com.docker.swarm.constraints"], "zone==a");
        let found = translate(&mut vec!["constraint:zone==b".to_owned()], &mut labels);
        assert_eq!(found.constraints, ["zone==b"]);
        assert_eq!(labels["com.docker.swarm.constraints"], r#"["zone==b"]"#);
    }

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
