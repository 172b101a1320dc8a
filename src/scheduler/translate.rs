//! From what a client sends to what the scheduler reads: scheduling expressions move from the environment into labels
//! (`scheduling.md` §2).

use crate::model::{Labels, ReschedulePolicy};

pub(super) const CONSTRAINTS: &str = "com.docker.swarm.constraints";
pub(super) const AFFINITIES: &str = "com.docker.swarm.affinities";
const WHITELISTS: &str = "com.docker.swarm.whitelists";
const RESCHEDULE: &str = "com.docker.swarm.reschedule-policies";

/// The kinds of expressions: the word before the colon in the environment, and the label that carries them.
pub const EXPRESSION_KINDS: [(&str, &str); 4] = [
    ("constraint", CONSTRAINTS),
    ("affinity", AFFINITIES),
    ("whitelist", WHITELISTS),
    ("reschedule", RESCHEDULE),
];

/// The expression in an entry of the environment, if it is one of this kind.
pub fn expression_in_env<'a>(entry: &'a str, kind: &str) -> Option<&'a str> {
    let (word, expression) = entry.split_once(':')?;
    (word == kind).then_some(expression)
}

/// The expressions in a label; `None` if it is no JSON array of texts, which is then ignored.
pub fn expressions_in_label(text: &str) -> Option<Vec<String>> {
    serde_json::from_str(text).ok()
}

/// The expressions of a container, label-provided ones first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expressions {
    /// Constraint expressions.
    pub constraints: Vec<String>,
    /// Affinity expressions.
    pub affinities: Vec<String>,
    /// Whitelist expressions.
    pub whitelists: Vec<String>,
    /// Reschedule policies as written; see [`reschedule_policy`].
    pub reschedule: Vec<String>,
}

/// Why a container's reschedule policies are refused. The texts are the original's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReschedulePolicyError {
    /// More than one, equal ones counted.
    #[error("too many reschedule policies")]
    TooMany,
    /// Neither `off` nor `on-node-failure`.
    #[error("invalid reschedule policy: {0}")]
    Invalid(String),
}

/// Moves the expressions among `env` into `labels`, where they stay visible on the container, and returns all of them.
///
/// Entries of `env` that are no expressions keep their order. A label that is no JSON array of texts is ignored, and
/// overwritten if `env` adds expressions of its kind.
pub fn translate(env: &mut Vec<String>, labels: &mut Labels) -> Expressions {
    let [constraints, affinities, whitelists, reschedule] = EXPRESSION_KINDS.map(|(kind, label)| {
        let written = labels.get(label);
        let mut all = written.and_then(|text| expressions_in_label(text)).unwrap_or_default();
        env.retain(|entry| match expression_in_env(entry, kind) {
            Some(expression) => {
                all.push(expression.to_owned());
                false
            }
            None => true,
        });
        if !all.is_empty() {
            write_label(labels, label, &all);
        }
        all
    });
    Expressions {
        constraints,
        affinities,
        whitelists,
        reschedule,
    }
}

/// Writes the label that keeps expressions visible on the container: a JSON array.
pub(super) fn write_label(labels: &mut Labels, label: &str, expressions: &[String]) {
    labels.insert(label.to_owned(), serde_json::Value::from(expressions).to_string());
}

/// The one policy among those written, `off` if there is none (§2.4).
pub fn reschedule_policy(written: &[String]) -> Result<ReschedulePolicy, ReschedulePolicyError> {
    match written {
        [] => Ok(ReschedulePolicy::Off),
        [one] => match one.as_str() {
            "off" => Ok(ReschedulePolicy::Off),
            "on-node-failure" => Ok(ReschedulePolicy::OnNodeFailure),
            _ => Err(ReschedulePolicyError::Invalid(one.clone())),
        },
        _ => Err(ReschedulePolicyError::TooMany),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_words_are_expressions() {
        let mut env: Vec<String> = ["Constraint:x==1", "FOO=constraint:x", "affinity:", "A=b"]
            .map(String::from)
            .into();
        let mut labels = Labels::from([(CONSTRAINTS.to_owned(), "not json".to_owned())]);
        let expressions = translate(&mut env, &mut labels);
        assert_eq!(env, ["Constraint:x==1", "FOO=constraint:x", "A=b"]);
        assert_eq!(expressions.affinities, [""]);
        assert_eq!(expressions.constraints, [""; 0]);
        assert_eq!(labels[CONSTRAINTS], "not json", "nothing of its kind was added");
        env.push("constraint:x==1".into());
        translate(&mut env, &mut labels);
        assert_eq!(labels[CONSTRAINTS], r#"["x==1"]"#);
    }
}
