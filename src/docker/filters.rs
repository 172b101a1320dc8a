//! The `filters` of list requests.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use regex::{Regex, RegexBuilder};
use serde_json::Value;

use crate::model::Labels;

/// Bytes of a filters text; a list of a thousand full IDs fits.
const TEXT_BYTES_MAX: usize = 128 << 10;

/// Values that are more than plain text, over all names: each may become a regular expression, which costs memory.
const PATTERNS_MAX: usize = 64;

/// Compiled programs above this many bytes count as bad expressions: they come from clients. What a search keeps for
/// speed has the same bound.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// What makes a text more than plain, as an expression.
const SPECIAL: [char; 14] = ['\\', '.', '+', '*', '?', '(', ')', '|', '[', ']', '{', '}', '^', '$'];

/// What a client wants to see, by name of filter.
#[derive(Clone, Debug, Default)]
pub struct Filters {
    values: BTreeMap<String, Vec<Wanted>>,
}

/// One value, and what it means as an expression, which is found out when it matters.
#[derive(Clone, Debug)]
struct Wanted {
    text: String,
    pattern: OnceLock<Option<Regex>>,
}

/// Why a text is no set of filters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FiltersError {
    /// Not JSON.
    #[error("invalid filters: {0}")]
    Syntax(String),
    /// JSON, but neither `{"name":{"value":true}}` nor `{"name":["value"]}`.
    #[error("invalid filters: neither {{\"name\":{{\"value\":true}}}} nor {{\"name\":[\"value\"]}}")]
    Form,
    /// More than anybody needs.
    #[error("invalid filters: more than {TEXT_BYTES_MAX} bytes or {PATTERNS_MAX} expressions")]
    TooLarge,
    /// A value that has to be a number.
    #[error("invalid filter: '{name}'='{value}' is no number")]
    Number {
        /// Name of the filter.
        name: String,
        /// What it says.
        value: String,
    },
}

impl Filters {
    /// Reads either form; an empty text is no filter. In the form with flags every value counts, whatever its flag.
    ///
    /// # Errors
    ///
    /// See [`FiltersError`].
    pub fn parse(text: &str) -> Result<Filters, FiltersError> {
        if text.is_empty() {
            return Ok(Filters::default());
        }
        if text.len() > TEXT_BYTES_MAX {
            return Err(FiltersError::TooLarge);
        }
        let value: Value = serde_json::from_str(text).map_err(|error| FiltersError::Syntax(error.to_string()))?;
        let named = match value {
            Value::Object(named) => named,
            Value::Null => return Ok(Filters::default()),
            _ => return Err(FiltersError::Form),
        };
        let flags = named.values().all(|value| value.is_null() || value.is_object());
        let mut values = BTreeMap::new();
        let mut patterns = 0;
        for (name, value) in named {
            let texts: Vec<String> = match value {
                Value::Null => Vec::new(),
                Value::Object(flagged) if flags => {
                    let bad = flagged.values().any(|flag| !flag.is_boolean() && !flag.is_null());
                    if bad {
                        return Err(FiltersError::Form);
                    }
                    flagged.into_iter().map(|(text, _)| text).collect()
                }
                Value::Array(list) if !flags => {
                    let text = |value| match value {
                        Value::String(text) => Ok(text),
                        _ => Err(FiltersError::Form),
                    };
                    list.into_iter().map(text).collect::<Result<_, _>>()?
                }
                _ => return Err(FiltersError::Form),
            };
            patterns += texts.iter().filter(|text| text.contains(SPECIAL)).count();
            if patterns > PATTERNS_MAX {
                return Err(FiltersError::TooLarge);
            }
            let wanted = texts.into_iter().map(|text| Wanted {
                text,
                pattern: OnceLock::new(),
            });
            values.insert(name, wanted.collect());
        }
        Ok(Filters { values })
    }

    /// The values of a filter in the order in which they were given; none if it is not asked for.
    pub fn values(&self, name: &str) -> impl ExactSizeIterator<Item = &str> {
        self.wanted(name).iter().map(|wanted| wanted.text.as_str())
    }

    /// Whether a filter has a value.
    pub fn has(&self, name: &str) -> bool {
        !self.wanted(name).is_empty()
    }

    /// Whether a filter has exactly this value among others.
    pub fn asks_for(&self, name: &str, value: &str) -> bool {
        self.values(name).any(|wanted| wanted == value)
    }

    /// The names of the filters that are there, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    /// Whether `text` equals a value, or a value as an unanchored regular expression occurs in it. An expression that
    /// is none never occurs. A filter that is not there lets everything pass.
    pub fn matches(&self, name: &str, text: &str) -> bool {
        let wanted = self.wanted(name);
        wanted.is_empty()
            || wanted
                .iter()
                .any(|wanted| wanted.text == text || wanted.occurs_in(text))
    }

    /// Whether `text` equals a value; a filter that is not there lets everything pass.
    pub fn equals(&self, name: &str, text: &str) -> bool {
        !self.has(name) || self.asks_for(name, text)
    }

    /// Whether all of the values `key` and `key=value` are true of `labels`.
    pub fn labels_match(&self, name: &str, labels: &Labels) -> bool {
        self.values(name).all(|wanted| match wanted.split_once('=') {
            Some((key, value)) => labels.get(key).is_some_and(|found| found == value),
            None => labels.contains_key(wanted),
        })
    }

    /// The values as whole numbers.
    ///
    /// # Errors
    ///
    /// A value that is none.
    pub fn numbers(&self, name: &str) -> Result<Vec<i64>, FiltersError> {
        let number = |value: &str| {
            let fault = |_| FiltersError::Number {
                name: name.to_owned(),
                value: value.to_owned(),
            };
            value.parse().map_err(fault)
        };
        self.values(name).map(number).collect()
    }

    fn wanted(&self, name: &str) -> &[Wanted] {
        self.values.get(name).map_or(&[], Vec::as_slice)
    }
}

impl Wanted {
    fn occurs_in(&self, text: &str) -> bool {
        if !self.text.contains(SPECIAL) {
            return text.contains(&self.text);
        }
        let compile = || {
            let mut builder = RegexBuilder::new(&self.text);
            builder.size_limit(PATTERN_BYTES_MAX).dfa_size_limit(PATTERN_BYTES_MAX);
            builder.build().ok()
        };
        self.pattern
            .get_or_init(compile)
            .as_ref()
            .is_some_and(|pattern| pattern.is_match(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filters(text: &str) -> Filters {
        Filters::parse(text).expect(text)
    }

    #[test]
    fn both_forms_say_the_same() {
        for text in [
            r#"{"name":{"web":true,"db":false},"x":{}}"#,
            r#"{"name":["web","db"],"x":null}"#,
        ] {
            let filters = filters(text);
            assert_eq!(filters.values("name").collect::<Vec<_>>(), ["web", "db"]);
            assert!(filters.asks_for("name", "db") && !filters.has("x") && !filters.has("y"));
        }
        for text in ["", "{}", "null"] {
            assert_eq!(filters(text).names().count(), 0);
        }
    }

    #[test]
    fn other_forms_are_refused() {
        for text in [
            "bad",
            "[]",
            "7",
            r#"{"a":"b"}"#,
            r#"{"a":["b"],"c":{"d":true}}"#,
            r#"{"a":[1]}"#,
            r#"{"a":{"b":1}}"#,
        ] {
            assert!(Filters::parse(text).is_err(), "{text}");
        }
        assert_eq!(
            Filters::parse(&" ".repeat(TEXT_BYTES_MAX + 1)).err(),
            Some(FiltersError::TooLarge)
        );
    }

    #[test]
    fn a_value_is_an_expression_or_the_text_itself() {
        let filters = filters(r#"{"name":["^p3$","a(b","we"],"exited":["1","x"]}"#);
        for (text, expected) in [
            ("p3", true),
            ("node-0/p3", false),
            ("a(b", true),
            ("xa(b", false),
            ("power", true),
        ] {
            // "power" has "we" inside.
            assert_eq!(filters.matches("name", text), expected, "{text}");
        }
        assert!(filters.matches("id", "anything") && filters.equals("id", "anything"));
        assert!(filters.equals("name", "we") && !filters.equals("name", "web"));
        assert_eq!(
            filters.numbers("exited").expect_err("x is none").to_string(),
            "invalid filter: 'exited'='x' is no number"
        );
    }

    #[test]
    fn an_expression_that_would_take_much_memory_never_matches() {
        assert!(!filters(r#"{"name":["(a{1000}){1000}"]}"#).matches("name", "a"));
    }

    #[test]
    fn many_plain_values_are_fine_and_many_expressions_are_not() {
        let listed = |value: &str, count: usize| {
            let values: Vec<String> = (0..count).map(|number| format!("{value}{number}")).collect();
            Filters::parse(&serde_json::json!({ "id": values }).to_string())
        };
        assert!(
            listed("0123456789ab", 5000)
                .expect("plain values")
                .matches("id", "x0123456789ab4999")
        );
        assert!(listed("a.", PATTERNS_MAX).is_ok());
        assert_eq!(listed("a.", PATTERNS_MAX + 1).err(), Some(FiltersError::TooLarge));
    }

    #[test]
    fn labels_are_anded() {
        let labels = Labels::from([("a".to_owned(), "1".to_owned()), ("b".to_owned(), "2=2".to_owned())]);
        for (text, expected) in [
            (r#"{"label":["a"]}"#, true),
            (r#"{"label":["a=1","b=2=2"]}"#, true),
            (r#"{"label":["a=1","b=3"]}"#, false),
            (r#"{"label":["c"]}"#, false),
            (r#"{}"#, true),
        ] {
            assert_eq!(filters(text).labels_match("label", &labels), expected, "{text}");
        }
    }
}
