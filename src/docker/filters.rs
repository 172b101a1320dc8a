//! The `filters` of list requests: how they are written, and what dockerd (20.10) takes them for in each list. Both the
//! manager and simulated engines answer with these.

mod containers;
mod events;
mod images;
mod networks;
mod ports;
mod prune;
mod volumes;

pub use containers::{ContainerFilters, FilteredContainer};
pub use events::{FilteredEvent, wants_event};
pub use images::{FilteredImage, ImageFilters, ShownNames};
pub use networks::{FilteredNetwork, NetworkFilters};
pub use prune::PruneFilters;
pub use volumes::{FilteredVolume, VolumeFilters};

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
    /// Whether it is there to be equal to something: false only in the form with flags, for a flag that is false.
    is_set: bool,
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
    /// A filter that this list does not have.
    #[error("Invalid filter '{0}'")]
    Unknown(String),
    /// A value that a filter cannot have.
    #[error("Invalid filter '{name}={value}'")]
    Value {
        /// Name of the filter.
        name: &'static str,
        /// What it says.
        value: String,
    },
    /// A value that is no state of health.
    #[error("Unrecognised filter value for health: {0}")]
    Health(String),
    /// A value that has to be a number.
    #[error("invalid filter '{name}={value}': \"{value}\" is no number")]
    Number {
        /// Name of the filter.
        name: String,
        /// What it says.
        value: String,
    },
    /// A value that has to be ports.
    #[error(
        "invalid filter '{name}={value}': a port or a range of ports is expected, with or without a protocol, such as 80, \
         8000-8010 or 53/udp"
    )]
    Ports {
        /// Name of the filter.
        name: &'static str,
        /// What it says.
        value: String,
    },
    /// A pattern of shells that is none.
    #[error("invalid filter 'reference={0}': syntax error in pattern")]
    Pattern(String),
    /// Whether networks are used, answered in another way than yes or no.
    #[error("invalid value for filter 'dangling', must be \"true\" (or \"1\"), or \"false\" (or \"0\")")]
    Dangling,
    /// Whether networks are used, answered in more than one way.
    #[error("got more than one value for filter key \"dangling\"")]
    DanglingTwice,
    /// A time that is none.
    #[error(
        "invalid filter 'until={0}': a date such as 2026-01-31T12:00:00Z, seconds since 1970, or how long ago, such as \
         24h, is expected"
    )]
    Until(String),
    /// More than one time.
    #[error("more than one until filter specified")]
    UntilTwice,
    /// A type that networks do not have.
    #[error("Invalid filter: 'type'='{0}'")]
    NetworkType(String),
}

impl FiltersError {
    /// The status with which dockerd 20.10 refuses such a request. Where it takes a client's mistake for its own fault,
    /// this does as well, since clients compare; except for what is no JSON.
    pub fn status(&self) -> u16 {
        match self {
            FiltersError::Number { .. }
            | FiltersError::Ports { .. }
            | FiltersError::Pattern(_)
            | FiltersError::Until(_)
            | FiltersError::UntilTwice => 500,
            _ => 400,
        }
    }
}

impl Filters {
    /// Reads either form; an empty text is no filter. In the form with flags a value whose flag is false equals nothing,
    /// and counts in every other respect.
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
            let texts: Vec<(String, bool)> = match value {
                Value::Null => Vec::new(),
                Value::Object(flagged) if flags => {
                    let flag = |(text, flag)| match flag {
                        Value::Bool(flag) => Ok((text, flag)),
                        Value::Null => Ok((text, false)),
                        _ => Err(FiltersError::Form),
                    };
                    flagged.into_iter().map(flag).collect::<Result<_, _>>()?
                }
                Value::Array(list) if !flags => {
                    let text = |value| match value {
                        Value::String(text) => Ok((text, true)),
                        Value::Null => Ok((String::new(), true)),
                        _ => Err(FiltersError::Form),
                    };
                    list.into_iter().map(text).collect::<Result<_, _>>()?
                }
                _ => return Err(FiltersError::Form),
            };
            patterns += texts.iter().filter(|(text, _)| text.contains(SPECIAL)).count();
            if patterns > PATTERNS_MAX {
                return Err(FiltersError::TooLarge);
            }
            let wanted = texts.into_iter().map(|(text, is_set)| Wanted {
                text,
                is_set,
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

    /// Whether a filter is there, with or without values.
    pub fn contains(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// Refuses filters that are not among those of a list.
    ///
    /// # Errors
    ///
    /// The first of them in the order of their names.
    pub fn accept(&self, own: &[&str]) -> Result<(), FiltersError> {
        match self.names().find(|name| !own.contains(name)) {
            Some(unknown) => Err(FiltersError::Unknown(unknown.to_owned())),
            None => Ok(()),
        }
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

    /// Whether `text` equals a value; a filter without values lets everything pass.
    pub fn equals(&self, name: &str, text: &str) -> bool {
        let wanted = self.wanted(name);
        wanted.is_empty() || wanted.iter().any(|wanted| wanted.is_set && wanted.text == text)
    }

    /// Whether `text` begins with a value; a filter without values lets everything pass.
    pub fn begins(&self, name: &str, text: &str) -> bool {
        let wanted = self.wanted(name);
        wanted.is_empty() || wanted.iter().any(|wanted| text.starts_with(&wanted.text))
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
            value.parse::<i64>().map_err(fault)
        };
        self.values(name).map(number).collect()
    }

    /// That the values of a filter are none that it can have.
    fn bad_values(&self, name: &'static str) -> FiltersError {
        let values: Vec<&str> = self.values(name).collect();
        FiltersError::Value {
            name,
            value: format!("[{}]", values.join(" ")),
        }
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
            assert!(filters.contains("x") && !filters.contains("y"));
        }
        // As dockerd does: a value whose flag is false is no value to be equal to.
        let flagged = filters(r#"{"name":{"web":true,"db":false}}"#);
        assert!(flagged.equals("name", "web") && !flagged.equals("name", "db") && flagged.matches("name", "db"));
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
            "invalid filter 'exited=x': \"x\" is no number"
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
