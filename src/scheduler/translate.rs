//! From what a client sends to what the scheduler reads: scheduling expressions move from the environment into labels
//! (`scheduler/RULES.md` §2).

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

/// The expressions in a label; `None` if it is no JSON array, which is then ignored.
///
/// As in the original an element that is no text counts as an empty expression, which no filter can read, and half of a
/// surrogate pair as the replacement character: a list that is in part wrong is refused, and never just dropped, or a
/// container could go where the rest of the list forbids it.
pub fn expressions_in_label(text: &str) -> Option<Vec<String>> {
    serde_json::from_str(text).ok().or_else(|| elements(text))
}

/// The elements of a JSON array that has others than texts.
fn elements(text: &str) -> Option<Vec<String>> {
    // Without recursion, however deep it is nested.
    serde_json::from_str::<serde::de::IgnoredAny>(text).ok()?;
    let inner = text.trim().strip_prefix('[')?.strip_suffix(']')?;
    let mut found = Vec::new();
    let (mut depth, mut in_text, mut escaped, mut from) = (0_usize, false, false, 0);
    for (at, byte) in inner.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            _ if in_text => {}
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth -= 1,
            b',' if depth == 0 => {
                found.push(element(&inner[from..at]));
                from = at + 1;
            }
            _ => {}
        }
    }
    let last = inner[from..].trim();
    if !(last.is_empty() && found.is_empty()) {
        found.push(element(last));
    }
    Some(found)
}

/// The text that a valid JSON value is, empty if it is none.
fn element(value: &str) -> String {
    let inner = value.trim().strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let mut units = Vec::new();
    let mut characters = inner.unwrap_or_default().chars();
    while let Some(c) = characters.next() {
        let c = match c {
            '\\' => match characters.next() {
                Some('b') => '\u{8}',
                Some('f') => '\u{c}',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('t') => '\t',
                Some('u') => {
                    let digits: u16 = (0..4).fold(0, |number, _| {
                        let digit = characters.next().and_then(|digit| digit.to_digit(16));
                        // A digit has four bits, and there are four.
                        number << 4 | digit.unwrap_or_default() as u16
                    });
                    units.push(digits);
                    continue;
                }
                other => other.unwrap_or('\\'),
            },
            c => c,
        };
        units.extend_from_slice(c.encode_utf16(&mut [0; 2]));
    }
    String::from_utf16_lossy(&units)
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
/// Entries of `env` that are no expressions keep their order. A label that is no JSON array is ignored, and overwritten if `env` adds expressions of its kind.
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

/// The one policy among those written, `off` if there is none (`scheduler/RULES.md` §2.4).
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

    #[test]
    fn an_array_in_a_label_keeps_every_element_in_its_place() {
        let read = |text: &str| expressions_in_label(text);
        let some = |texts: &[&str]| Some(texts.iter().map(|text| text.to_string()).collect::<Vec<_>>());
        assert_eq!(read(r#"["zone==a",null]"#), some(&["zone==a", ""]));
        assert_eq!(
            read(r#" [1, "a,]\"b", {"c": ["d", "e"]}, [[]], true ,"f"] "#),
            some(&["", "a,]\"b", "", "", "", "f"])
        );
        assert_eq!(
            read(r#"["\ud800","\udc00x\ud83d\ude00","\ud800\u0041\n\u00e9\/"]"#),
            some(&["\u{fffd}", "\u{fffd}x😀", "\u{fffd}A\né/"])
        );
        let deep = format!("[\"a\",{}{}]", "[".repeat(5000), "]".repeat(5000));
        assert_eq!(read(&deep), some(&["a", ""]));
        assert_eq!(read("[ ]"), some(&[]));
        for text in [
            "",
            "zone==a",
            r#""zone==a""#,
            "null",
            "{}",
            "1",
            r#"["a",]"#,
            r#"["a"]x"#,
            r#"["a""#,
            "[1 2]",
            r#"["\x"]"#,
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
