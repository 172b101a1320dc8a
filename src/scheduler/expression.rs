//! One `key==value` or `key!=value` of a constraint, affinity or whitelist (`scheduling.md` §3).

mod compiled;
mod pattern;

use std::fmt;

use regex::Regex;

use super::Strict;

pub(super) use compiled::CompiledPatterns;

/// A parsed expression. Its regular expression, if it needs one, is compiled once, here.
#[derive(Clone, Debug)]
pub struct Expression {
    key: String,
    operator: Operator,
    value: String,
    /// All three together, as tables of answers are asked for it.
    text: String,
    soft: bool,
    matcher: Matcher,
}

/// Whether a match is wanted or unwanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `==`: some candidate matches.
    Equal,
    /// `!=`: no candidate matches.
    NotEqual,
}

#[derive(Clone, Debug)]
enum Matcher {
    /// The whole candidate is this text.
    Literal,
    Pattern(Regex),
    /// The pattern does not compile: nothing matches, as in the original.
    Nothing,
}

/// Why a text is no expression. The texts are the original's, since clients see them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpressionError {
    /// Neither `==` nor `!=` occurs.
    #[error("One of operator ==, != is expected")]
    NoOperator,
    /// The key is too short or has a character that keys may not have.
    #[error("Key '{0}' is invalid")]
    InvalidKey(String),
    /// The value is empty, has a character that values may not have, or is a single slash.
    #[error("Value '{0}' is invalid")]
    InvalidValue(String),
}

impl Expression {
    /// Parses one expression.
    pub fn parse(text: &str, strict: Strict) -> Result<Expression, ExpressionError> {
        Expression::parse_with(text, strict, &mut CompiledPatterns::default())
    }

    /// Parses one expression with the patterns that others had under the same settings.
    pub(super) fn parse_with(
        text: &str,
        strict: Strict,
        patterns: &mut CompiledPatterns,
    ) -> Result<Expression, ExpressionError> {
        let equal = text.split_once("==").map(|parts| (Operator::Equal, parts));
        let (operator, (key, written)) = equal
            .or_else(|| text.split_once("!=").map(|parts| (Operator::NotEqual, parts)))
            .ok_or(ExpressionError::NoOperator)?;
        if !is_key(key) {
            return Err(ExpressionError::InvalidKey(key.to_owned()));
        }
        let (soft, value) = match written.strip_prefix('~') {
            Some(rest) => (true, rest),
            None => (false, written),
        };
        // A single slash would crash the original for good; §3.1 asks to reject it.
        if !is_value(written) || value == "/" {
            return Err(ExpressionError::InvalidValue(written.to_owned()));
        }
        Ok(Expression {
            key: key.to_owned(),
            operator,
            value: value.to_owned(),
            text: format!("{key}{operator}{value}"),
            soft,
            matcher: Matcher::new(value, strict.globs, patterns),
        })
    }

    /// What is looked at: `node`, `container`, `image` or a label.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Whether a match is wanted.
    pub fn operator(&self) -> Operator {
        self.operator
    }

    /// The value without the soft marker.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Key, operator and value, without the soft marker.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Whether it may be dropped when no node satisfies everything.
    pub fn is_soft(&self) -> bool {
        self.soft
    }

    /// Whether the expression holds for these candidate texts.
    pub fn holds<'a>(&self, candidates: impl Iterator<Item = &'a str>) -> bool {
        self.is_matched_by(candidates) == (self.operator == Operator::Equal)
    }

    /// Whether any of these texts matches, wanted or not.
    pub(super) fn is_matched_by<'a>(&self, mut candidates: impl Iterator<Item = &'a str>) -> bool {
        candidates.any(|candidate| self.matches(candidate))
    }

    /// The one text that matches, unless the value is a pattern.
    pub(super) fn literal(&self) -> Option<&str> {
        matches!(self.matcher, Matcher::Literal).then_some(&self.value)
    }

    fn matches(&self, candidate: &str) -> bool {
        match &self.matcher {
            Matcher::Literal => candidate == self.value,
            Matcher::Pattern(regex) => regex.is_match(candidate),
            Matcher::Nothing => false,
        }
    }
}

impl fmt::Display for Expression {
    /// Key, operator and value as error texts show them: the soft marker is gone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Operator::Equal => "==",
            Operator::NotEqual => "!=",
        })
    }
}

impl Matcher {
    fn new(value: &str, literal_globs: bool, patterns: &mut CompiledPatterns) -> Matcher {
        let written_out = value.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
        if written_out.is_none() && !value.contains(|c: char| regex_syntax_character(c)) {
            return Matcher::Literal;
        }
        let compiled = patterns.of(value, || {
            let regex = match written_out {
                Some(inner) => pattern::from_go(inner)?,
                None if literal_globs => format!("^{}$", regex::escape(value).replace(r"\*", ".*")),
                None => pattern::from_go(&format!("^{}$", value.replace('*', ".*")))?,
            };
            pattern::compile(&regex).ok()
        });
        compiled.map_or(Matcher::Nothing, Matcher::Pattern)
    }
}

/// `[A-Za-z_][A-Za-z0-9_.-]+`, as a whole.
fn is_key(text: &str) -> bool {
    let mut characters = text.chars();
    let first = characters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    let rest = characters.as_str();
    first && !rest.is_empty() && rest.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
}

/// An optional `=`, `!` or `/`, an optional `~`, then one or more of the characters that values may have.
fn is_value(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || " \t\n\x0c\r:-_.*/()?+[]\\^$|".contains(c);
    let body = |text: &str| !text.is_empty() && text.chars().all(allowed);
    let after_tilde = |text: &str| body(text) || text.strip_prefix('~').is_some_and(body);
    after_tilde(text) || text.strip_prefix(['=', '!', '/']).is_some_and(after_tilde)
}

fn regex_syntax_character(c: char) -> bool {
    r".*?+[](){}|\^$".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `Ok((key, operator, value, soft))` or the error text.
    fn parse(text: &str) -> Result<(String, String, String, bool), String> {
        Expression::parse(text, Strict::default())
            .map(|e| (e.key().into(), e.operator().to_string(), e.value().into(), e.is_soft()))
            .map_err(|error| error.to_string())
    }

    fn holds(expression: &str, candidate: &str) -> bool {
        let parsed = Expression::parse(expression, Strict::default()).expect("the expression is valid");
        parsed.holds([candidate].into_iter())
    }

    #[test]
    fn the_grammar_table_of_the_specification() {
        let ok = |key: &str, op: &str, value: &str, soft| Ok((key.into(), op.into(), value.into(), soft));
        let value_error = |value: &str| Err(format!("Value '{value}' is invalid"));
        assert_eq!(parse("node==n1"), ok("node", "==", "n1", false));
        assert_eq!(parse("node==~n1"), ok("node", "==", "n1", true));
        assert_eq!(parse("node!=~n*"), ok("node", "!=", "n*", true));
        assert_eq!(parse("node==/n[12]/"), ok("node", "==", "/n[12]/", false));
        assert_eq!(parse("node==~/x/"), ok("node", "==", "/x/", true));
        assert_eq!(parse("node==/~x/"), ok("node", "==", "/~x/", false));
        assert_eq!(parse("node===x"), ok("node", "==", "=x", false));
        assert_eq!(parse("node==!x"), ok("node", "==", "!x", false));
        assert_eq!(parse("NoDe==x"), ok("NoDe", "==", "x", false));
        for value in ["", "~", "~~x", "us~", "a,b", "a{2}", "/", "~/", "a@b", "é"] {
            assert_eq!(parse(&format!("node=={value}")), value_error(value), "{value:?}");
        }
        assert_eq!(parse("n==x"), Err("Key 'n' is invalid".into()));
        assert_eq!(parse("node!==x"), Err("Key 'node!' is invalid".into()));
        assert_eq!(parse("aa!=b==c"), Err("Key 'aa!=b' is invalid".into()));
        for text in ["node=x", "node=~x", "node=!x", ""] {
            assert_eq!(parse(text), Err("One of operator ==, != is expected".into()));
        }
    }

    #[test]
    fn globs_are_anchored_and_leave_other_metacharacters_active() {
        assert!(holds("zone==us*", "us-east") && !holds("zone==us*", "eus"));
        assert!(holds("zone==a.b", "axb"));
        assert!(holds("zone==aa|b", "aax") && holds("zone==aa|b", "xb"));
        assert!(
            !holds("language==c++", "c++"),
            "the pattern does not compile, so nothing matches"
        );
        assert!(holds("language!=c++", "c++"));
        assert!(holds("zone==*", ""));
    }

    #[test]
    fn strict_globs_know_only_the_star() {
        let strict = Strict {
            globs: true,
            ..Strict::default()
        };
        let holds = |text: &str, candidate: &str| {
            let parsed = Expression::parse(text, strict).expect("the expression is valid");
            parsed.holds([candidate].into_iter())
        };
        assert!(!holds("zone==a.b", "axb") && holds("zone==a.b", "a.b"));
        assert!(holds("language==c++", "c++"));
        assert!(holds("zone==a.*", "a.b") && !holds("zone==a.*", "ab"));
        assert!(holds("zone==/a.b/", "xaxbx"), "a regular expression stays one");
    }
}
