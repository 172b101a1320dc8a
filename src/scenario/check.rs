//! Holds a tree of values against the JSON Schema of the format and collects everything that does not fit.
//!
//! Understands the part of JSON Schema that [`schema`](super::schema) consists of, which a test makes sure of, and the
//! `format` names that stand for our own grammars.

mod words;

use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::diagnostic::{Code, Diagnostic};
use super::document::Spot;
use super::format::{TextFormat, number_text};
use super::path::Path;
use super::schema;
use super::suggest::{enumerate, nearest};

use words::{expected, forms, missing_key, unknown_key, unknown_name, wrong_type};

/// Something that does not fit.
pub(super) struct Fault {
    /// Where.
    pub path: Path,
    /// Whether the key or the value is at fault.
    pub spot: Spot,
    /// What is wrong; without a place as yet.
    pub diagnostic: Diagnostic,
}

/// Everything in the tree that does not fit the format.
pub(super) fn check(value: &Value) -> Vec<Fault> {
    let mut checker = Checker { faults: Vec::new() };
    checker.value(schema::shared(), value, &Path::root());
    checker.faults
}

/// The place in the format that a path leads to, whether or not a scenario has anything there.
pub(super) struct Step {
    branches: Vec<&'static Value>,
    is_entry: bool,
}

/// The place of the whole scenario.
pub(super) fn root() -> Step {
    Step {
        branches: branches(schema::shared()),
        is_entry: false,
    }
}

impl Step {
    /// Into a table.
    pub fn key(&self, key: &str) -> Step {
        let find = |name: &'static str| self.branches.iter().filter_map(move |branch| branch.get(name));
        let known: Vec<_> = find("properties")
            .filter_map(|properties| properties.get(key))
            .collect();
        let is_entry = known.is_empty();
        let next = if is_entry {
            find("additionalProperties").collect()
        } else {
            known
        };
        Step {
            is_entry: is_entry && next.iter().any(|schema| schema.is_object()),
            branches: next.into_iter().flat_map(branches).collect(),
        }
    }

    /// Into a list.
    pub fn index(&self) -> Step {
        let items = self.branches.iter().filter_map(|branch| branch.get("items"));
        Step {
            branches: items.flat_map(branches).collect(),
            is_entry: false,
        }
    }

    /// Whether a string may stand here.
    pub fn takes_strings(&self) -> bool {
        let text = Value::from("");
        self.branches.iter().any(|branch| takes_type(branch, &text))
    }

    /// Whether this is an entry with a name of the user's choice, such as a class.
    pub fn is_entry(&self) -> bool {
        self.is_entry
    }
}

/// The alternatives of a schema, references resolved.
fn branches(schema: &'static Value) -> Vec<&'static Value> {
    if let Some(Value::String(reference)) = schema.get("$ref") {
        let name = reference.rsplit('/').next().unwrap_or_default();
        let target = schema::shared()
            .get("$defs")
            .and_then(|definitions| definitions.get(name));
        return target.map(branches).unwrap_or_default();
    }
    let alternatives = ["anyOf", "oneOf"]
        .into_iter()
        .filter_map(|key| schema.get(key)?.as_array());
    let found: Vec<_> = alternatives.flatten().flat_map(branches).collect();
    if found.is_empty() { vec![schema] } else { found }
}

struct Checker {
    faults: Vec<Fault>,
}

impl Checker {
    fn fault(&mut self, path: &Path, spot: Spot, diagnostic: Diagnostic) {
        self.faults.push(Fault {
            path: path.clone(),
            spot,
            diagnostic,
        });
    }

    fn value(&mut self, schema: &'static Value, value: &Value, path: &Path) {
        if value.is_null() {
            // It could not be represented and has been complained about.
            return;
        }
        let all = branches(schema);
        let fitting: Vec<_> = all.iter().copied().filter(|branch| takes_type(branch, value)).collect();
        match value {
            _ if fitting.is_empty() => self.fault(path, Spot::Value, wrong_type(&all, value)),
            Value::Object(table) => self.table(&fitting, table, path),
            Value::Array(items) => {
                for branch in fitting {
                    if items.is_empty() && branch.get("minItems").is_some() {
                        let message = format!("`{path}` is empty");
                        self.fault(path, Spot::Value, Diagnostic::error(Code::Impossible, message));
                    }
                    for (index, item) in items.iter().enumerate() {
                        if let Some(schema) = branch.get("items") {
                            self.value(schema, item, &path.index(index));
                        }
                    }
                }
            }
            Value::String(text) => {
                if let Some(diagnostic) = text_fault(&fitting, text) {
                    self.fault(path, Spot::Value, diagnostic);
                }
            }
            scalar => {
                let found: Option<Vec<_>> = fitting.iter().map(|branch| scalar_fault(branch, scalar)).collect();
                if let Some(diagnostic) = found.and_then(|faults| faults.into_iter().next()) {
                    self.fault(path, Spot::Value, diagnostic);
                }
            }
        }
    }

    fn table(&mut self, alternatives: &[&'static Value], table: &Map<String, Value>, path: &Path) {
        let Some(branch) = self.choose(alternatives, table, path) else {
            return;
        };
        static EMPTY: LazyLock<Map<String, Value>> = LazyLock::new(Map::new);
        let properties = branch.get("properties").and_then(Value::as_object).unwrap_or(&EMPTY);
        let mut meant = Vec::new();
        for (key, value) in table {
            if let Some(schema) = properties.get(key) {
                self.value(schema, value, &path.key(key));
                continue;
            }
            match branch.get("additionalProperties") {
                Some(Value::Bool(false)) => {
                    let absent = properties.keys().filter(|name| !table.contains_key(*name));
                    let near = nearest(key, absent.map(String::as_str));
                    // An override may be meant for a key that the file has.
                    let near = near.or_else(|| nearest(key, properties.keys().map(String::as_str)));
                    meant.extend(near);
                    let diagnostic = unknown_key(key, near, properties, alternatives, path);
                    self.fault(&path.key(key), Spot::Key, diagnostic);
                }
                Some(schema) => self.value(schema, value, &path.key(key)),
                None => {}
            }
        }
        let required = branch.get("required").and_then(Value::as_array);
        for name in required.into_iter().flatten().filter_map(Value::as_str) {
            // A misspelt key has been complained about and is not missing as well.
            if !table.contains_key(name) && !meant.contains(&name) {
                self.fault(path, Spot::Value, missing_key(name, properties.get(name), path));
            }
        }
    }

    /// The alternative that the table is meant to be, by its tag or else by its keys.
    fn choose(
        &mut self,
        alternatives: &[&'static Value],
        table: &Map<String, Value>,
        path: &Path,
    ) -> Option<&'static Value> {
        if let [single] = alternatives {
            return Some(single);
        }
        let tagged: Vec<_> = alternatives
            .iter()
            .filter_map(|branch| Some((tag(branch)?, *branch)))
            .collect();
        let tags: Vec<&str> = tagged.iter().map(|((_, value), _)| *value).collect();
        if let Some(((key, _), _)) = tagged.first()
            && let Some(given) = table.get(*key)
        {
            let path = path.key(key);
            match given {
                Value::String(text) => match tagged.iter().find(|((_, value), _)| value == text) {
                    Some((_, branch)) => return Some(branch),
                    None => self.fault(&path, Spot::Value, unknown_name(text, &tags)),
                },
                Value::Null => {}
                other => self.fault(&path, Spot::Value, expected("a string", other)),
            }
            return None;
        }
        let known = |branch: &Value| {
            let properties = branch.get("properties").and_then(Value::as_object);
            table
                .keys()
                .filter(|key| properties.is_some_and(|all| all.contains_key(*key)))
                .count()
        };
        // The first of the best, hence the reversal.
        let best = alternatives.iter().copied().rev().max_by_key(|branch| known(branch))?;
        if known(best) == 0 && tagged.len() < alternatives.len() {
            let mut diagnostic = Diagnostic::error(Code::WrongType, format!("expected {}", forms(alternatives)));
            let keys = alternatives
                .iter()
                .filter_map(|branch| branch.get("properties")?.as_object());
            let keys: Vec<&str> = keys.flat_map(Map::keys).map(String::as_str).collect();
            let near = table.keys().find_map(|key| nearest(key, keys.iter().copied()));
            diagnostic.help = near.map(|near| format!("did you mean `{near}`?"));
            self.fault(path, Spot::Value, diagnostic);
            return None;
        }
        let Some((key, _)) = tag(best) else {
            return Some(best);
        };
        let quoted: Vec<String> = tags.iter().map(|value| format!("{value:?}")).collect();
        let help = format!("`{key}` is one of {}", enumerate(&quoted));
        let properties = best.get("properties").and_then(Value::as_object);
        let is_unknown = |name: &str| properties.is_none_or(|properties| !properties.contains_key(name));
        let misspelt = table
            .keys()
            .find(|name| is_unknown(name) && nearest(name, [key]).is_some());
        match misspelt {
            Some(name) => {
                let message = format!("unknown key `{name}` in `{path}`");
                let help = format!("did you mean `{key}`? {help}");
                let diagnostic = Diagnostic::error(Code::UnknownKey, message).with_help(help);
                self.fault(&path.key(name), Spot::Key, diagnostic);
            }
            None => {
                let message = format!("the key `{key}` is missing in `{path}`");
                let diagnostic = Diagnostic::error(Code::MissingKey, message).with_help(help);
                self.fault(path, Spot::Value, diagnostic);
            }
        }
        None
    }
}

/// The key and the value by which a variant is told from its sisters.
fn tag(branch: &'static Value) -> Option<(&'static str, &'static str)> {
    let mut properties = branch.get("properties")?.as_object()?.iter();
    properties.find_map(|(key, schema)| Some((key.as_str(), schema.get("const")?.as_str()?)))
}

fn takes_type(branch: &Value, value: &Value) -> bool {
    let takes = |name: &Value| match name.as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        Some("number") => value.is_number(),
        Some("integer") => value.is_i64() || value.is_u64(),
        _ => false,
    };
    match branch.get("type") {
        Some(Value::Array(names)) => names.iter().any(takes),
        Some(name) => takes(name),
        None => true,
    }
}

/// What is wrong with a text, if no alternative takes it.
fn text_fault(alternatives: &[&'static Value], text: &str) -> Option<Diagnostic> {
    let mut names = Vec::new();
    let mut complaint = None;
    for branch in alternatives {
        let list = branch.get("enum").and_then(Value::as_array).into_iter().flatten();
        let allowed: Vec<&str> = list.chain(branch.get("const")).filter_map(Value::as_str).collect();
        let format = branch.get("format").and_then(Value::as_str).and_then(TextFormat::find);
        match format {
            Some(format) => match (format.check)(text) {
                Ok(()) => return None,
                Err(found) => complaint = Some(found),
            },
            None if allowed.is_empty() => return None,
            None => names.extend(allowed),
        }
    }
    if names.contains(&text) {
        return None;
    }
    let Some(complaint) = complaint else {
        return Some(unknown_name(text, &names));
    };
    let mut diagnostic = Diagnostic::from_complaint(Code::BadText, complaint);
    if let Some(name) = nearest(text, names.iter().copied()) {
        diagnostic.help = Some(format!("did you mean {name:?}?"));
    } else if let (Some(help), false) = (&mut diagnostic.help, names.is_empty()) {
        let quoted: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
        help.push_str(&format!(", or {}", enumerate(&quoted)));
    }
    Some(diagnostic)
}

/// What is wrong with a number or a truth value, if anything.
fn scalar_fault(branch: &Value, value: &Value) -> Option<Diagnostic> {
    if let Some(wanted) = branch.get("const").filter(|wanted| *wanted != value) {
        return Some(Diagnostic::error(
            Code::Impossible,
            format!("expected {wanted}, found {value}"),
        ));
    }
    let Value::Number(number) = value else {
        return None;
    };
    let name = branch.get("format").and_then(Value::as_str).unwrap_or_default();
    if let Some(format) = TextFormat::find(name) {
        let complaint = (format.check)(&number_text(number)).err()?;
        return Some(Diagnostic::from_complaint(Code::BadText, complaint));
    }
    let most = match name {
        "uint8" => Some(f64::from(u8::MAX)),
        "uint32" => Some(f64::from(u32::MAX)),
        _ => None,
    };
    let given = number.as_f64()?;
    let bound = |key: &str| branch.get(key).and_then(Value::as_f64);
    let maximum = bound("maximum").or(most);
    if let Some(least) = bound("minimum").filter(|least| given < *least) {
        return Some(Diagnostic::error(
            Code::Impossible,
            format!("{number} is too small: the least is {least}"),
        ));
    }
    let most = maximum.filter(|most| given > *most)?;
    Some(Diagnostic::error(
        Code::Impossible,
        format!("{number} is too large: the most is {most}"),
    ))
}
