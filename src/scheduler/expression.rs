//! One `key==value` or `key!=value` of a constraint, affinity or whitelist (`scheduler/RULES.md` §3).

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
    /// The pattern is no regular expression: nothing matches, as in the original. Also what is never compared at all.
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
    /// The value is a regular expression that takes too much: the one text that is not the original's. There, some of
    /// these match nothing, so that `!=` holds everywhere, and others take hundreds of megabytes.
    #[error("Value '{value}' is too large a regular expression: {limit}")]
    PatternTooLarge {
        /// How the value begins.
        value: String,
        /// What it exceeds.
        limit: PatternLimit,
    },
}

/// What a regular expression may not exceed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternLimit {
    /// Its text.
    #[error("it is longer than {PATTERN_BYTES_MAX} bytes")]
    Length,
    /// Groups, repetitions, sequences and alternatives within each other.
    #[error("it is nested more than {PATTERN_LEVELS_MAX} levels deep")]
    Nesting,
    /// Its program.
    #[error("compiled, it takes more than {} MiB", COMPILED_BYTES_MAX >> 20)]
    Size,
}

/// Matching takes as many steps for each character of a candidate as the pattern has characters, at worst.
pub(super) const PATTERN_BYTES_MAX: usize = 1 << 14;

/// The same as in Go's `regexp`.
pub(super) const PATTERN_LEVELS_MAX: usize = 1000;

/// As large a program as Go makes of such a text is a thousand times smaller, for its classes of characters are shared.
pub(super) const COMPILED_BYTES_MAX: usize = 1 << 24;

impl Expression {
    /// Parses one expression of a constraint or an affinity.
    pub fn parse(text: &str, strict: Strict) -> Result<Expression, ExpressionError> {
        Expression::parse_with(text, strict, &mut CompiledPatterns::default())
    }

    /// Parses one expression of a whitelist: its value is a list of names, and never a pattern.
    pub fn parse_whitelist(text: &str) -> Result<Expression, ExpressionError> {
        Expression::read(text)
    }

    /// Whether a text is a soft expression of any kind. Nothing is compiled.
    pub fn is_soft_text(text: &str) -> bool {
        Expression::read(text).is_ok_and(|expression| expression.soft)
    }

    /// Parses one expression with the patterns that others had under the same settings.
    pub(super) fn parse_with(
        text: &str,
        strict: Strict,
        patterns: &mut CompiledPatterns,
    ) -> Result<Expression, ExpressionError> {
        let mut expression = Expression::read(text)?;
        // Comparing with a single slash crashes the original for good.
        if expression.value == "/" {
            let soft = if expression.soft { "~" } else { "" };
            return Err(ExpressionError::InvalidValue(format!("{soft}/")));
        }
        let matcher = Matcher::new(&expression.value, strict.globs, patterns);
        expression.matcher = matcher.map_err(|limit| ExpressionError::PatternTooLarge {
            value: beginning(&expression.value),
            limit,
        })?;
        Ok(expression)
    }

    /// The parts of an expression, by the grammar alone.
    fn read(text: &str) -> Result<Expression, ExpressionError> {
        let equal = text.split_once("==").map(|parts| (Operator::Equal, parts));
        let (operator, (key, written)) = equal
            .or_else(|| text.split_once("!=").map(|parts| (Operator::NotEqual, parts)))
            .ok_or(ExpressionError::NoOperator)?;
        if !is_key(key) {
            return Err(ExpressionError::InvalidKey(key.to_owned()));
        }
        if !is_value(written) {
            return Err(ExpressionError::InvalidValue(written.to_owned()));
        }
        let (soft, value) = match written.strip_prefix('~') {
            Some(rest) => (true, rest),
            None => (false, written),
        };
        Ok(Expression {
            key: key.to_owned(),
            operator,
            value: value.to_owned(),
            text: format!("{key}{operator}{value}"),
            soft,
            matcher: Matcher::Nothing,
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
    fn new(value: &str, literal_globs: bool, patterns: &mut CompiledPatterns) -> Result<Matcher, PatternLimit> {
        let written_out = value.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
        if written_out.is_none() && !value.contains(|c: char| regex_syntax_character(c)) {
            return Ok(Matcher::Literal);
        }
        if value.len() > PATTERN_BYTES_MAX {
            return Err(PatternLimit::Length);
        }
        let compiled = patterns.of(value, || {
            let regex = match written_out {
                Some(inner) => pattern::from_go(inner)?,
                None if literal_globs => Some(format!("^{}$", regex::escape(value).replace(r"\*", ".*"))),
                None => pattern::from_go(&format!("^{}$", value.replace('*', ".*")))?,
            };
            regex.map_or(Ok(None), |regex| pattern::compile(&regex))
        })?;
        Ok(compiled.map_or(Matcher::Nothing, Matcher::Pattern))
    }
}

/// `[A-Za-z_][A-Za-z0-9_.-]+`, as a whole.
fn is_key(text: &str) -> bool {
    let mut characters = text.chars();
    let first = characters.next().is_some_and(|c| is_letter(c) || c == '_');
    let rest = characters.as_str();
    first
        && !rest.is_empty()
        && rest
            .chars()
            .all(|c| is_letter(c) || c.is_ascii_digit() || "_.-".contains(c))
}

/// An optional `=`, `!` or `/`, an optional `~`, then one or more of the characters that values may have.
fn is_value(text: &str) -> bool {
    let allowed = |c: char| is_letter(c) || c.is_ascii_digit() || " \t\n\x0c\r:-_.*/()?+[]\\^$|".contains(c);
    let body = |text: &str| !text.is_empty() && text.chars().all(allowed);
    let after_tilde = |text: &str| body(text) || text.strip_prefix('~').is_some_and(body);
    after_tilde(text) || text.strip_prefix(['=', '!', '/']).is_some_and(after_tilde)
}

/// The original asks for letters by a class that ignores case, which has two letters beyond ASCII: the long s and the
/// Kelvin sign are other cases of s and k.
fn is_letter(c: char) -> bool {
    c.is_ascii_alphabetic() || matches!(c, '\u{17f}' | '\u{212a}')
}

fn regex_syntax_character(c: char) -> bool {
    r".*?+[](){}|\^$".contains(c)
}

/// How a long value begins, for messages.
fn beginning(value: &str) -> String {
    const SHOWN: usize = 40;
    let mut shown: String = value.chars().take(SHOWN).collect();
    if shown.len() < value.len() {
        shown.push_str("...");
    }
    shown
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
    fn the_grammar_table_of_the_rules() {
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
        assert_eq!(
            parse("zone\u{17f}==\u{212a}"),
            ok("zone\u{17f}", "==", "\u{212a}", false)
        );
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

    #[test]
    fn a_pattern_beyond_the_limits_is_refused_with_the_reason() {
        let nested = |open: &str, inner: &str, close: &str, levels: usize| {
            format!("/{}{inner}{}/", open.repeat(levels), close.repeat(levels))
        };
        let refused = |value: &str| {
            let error = Expression::parse(&format!("zone!={value}"), Strict::default()).err()?;
            let ExpressionError::PatternTooLarge { value: shown, limit } = error else {
                panic!("{error}");
            };
            assert!(shown.len() < 50);
            Some(limit)
        };
        // As many levels as Go grants, be they groups alone or also what is in them.
        for (open, close, most) in [
            ("(", ")", 999),
            ("(x|a(?:y|", "))", 249),
            ("(x(?i)y*|", ")", 498),
            ("(a*(", ")*)", 249),
        ] {
            assert_eq!(refused(&nested(open, "a", close, most)), None, "{open}");
            let beyond = nested(open, "a", close, most + 1);
            assert_eq!(refused(&beyond), Some(PatternLimit::Nesting), "{open}");
        }
        assert_eq!(
            refused(&nested("(?:", "a", ")", 4000)),
            None,
            "what does not capture is no level"
        );
        assert_eq!(refused(&format!("/{}/", r"\pL".repeat(100))), None);
        assert_eq!(refused(&format!("/{}/", r"\pL".repeat(5000))), Some(PatternLimit::Size));
        let long = "a".repeat(PATTERN_BYTES_MAX);
        assert_eq!(refused(&long), None, "a text that is no pattern may be of any length");
        assert_eq!(refused(&format!("{long}*")), Some(PatternLimit::Length));
        assert!(
            Expression::parse_whitelist(&format!("node=={long}*")).is_ok(),
            "a whitelist compares texts only"
        );
        assert_eq!(
            refused(&nested("(", "a", "]", 2000)),
            None,
            "what is no regular expression matches nothing"
        );
    }
}
