//! The words in which misfits are complained about.

use serde_json::{Map, Value};

use crate::scenario::diagnostic::{Code, Diagnostic};
use crate::scenario::format::TextFormat;
use crate::scenario::path::Path;
use crate::scenario::schema;
use crate::scenario::suggest::{enumerate, nearest, there_are, ticked};

use super::{branches, root, tag};

/// A text that is none of the names.
pub(super) fn unknown_name(text: &str, names: &[&str]) -> Diagnostic {
    let quoted: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
    let help = match nearest(text, names.iter().copied()) {
        Some(name) if names.len() > 1 => format!("did you mean {name:?}? There are {}", enumerate(&quoted)),
        Some(name) => format!("did you mean {name:?}?"),
        None => there_are(&quoted),
    };
    Diagnostic::error(Code::UnknownName, format!("unknown name {text:?}")).with_help(help)
}

/// A key that is not there, and where it may belong.
pub(super) fn unknown_key(
    key: &str,
    near: Option<&str>,
    properties: &Map<String, Value>,
    alternatives: &[&'static Value],
    path: &Path,
) -> Diagnostic {
    let place = if path.is_root() {
        String::new()
    } else {
        format!(" in `{path}`")
    };
    let diagnostic = Diagnostic::error(
        Code::UnknownKey,
        format!("unknown key `{}`{place}", Path::root().key(key)),
    );
    if let Some(near) = near {
        return diagnostic.with_help(format!("did you mean `{near}`?"));
    }
    let has = |schema: &Value| {
        schema
            .get("properties")
            .is_some_and(|properties| properties.get(key).is_some())
    };
    if let Some((tag, value)) = alternatives
        .iter()
        .find(|branch| has(branch))
        .and_then(|branch| tag(branch))
    {
        return diagnostic.with_help(format!("`{key}` goes with `{tag} = {value:?}`"));
    }
    if has(schema::shared()) {
        let help = if schema::shared()["properties"][key]
            .get("additionalProperties")
            .is_some()
        {
            format!("`{key}` is a table of its own, not part of `{path}`")
        } else {
            format!("`{key}` belongs at the top of the file, before the first table")
        };
        return diagnostic.with_help(help);
    }
    let section = ["run", "cluster"]
        .into_iter()
        .find(|section| root().key(section).branches.iter().any(|part| has(part)));
    if let Some(section) = section {
        return diagnostic.with_help(format!("`{key}` belongs in `[{section}]`"));
    }
    let names: Vec<String> = properties.keys().map(|name| ticked(name)).collect();
    diagnostic.with_help(there_are(&names))
}

/// A key that has to be there.
pub(super) fn missing_key(name: &str, schema: Option<&'static Value>, path: &Path) -> Diagnostic {
    let place = if path.is_root() {
        String::new()
    } else {
        format!(" in `{path}`")
    };
    let diagnostic = Diagnostic::error(Code::MissingKey, format!("the key `{name}` is missing{place}"));
    let format = schema.into_iter().flat_map(branches).find_map(|branch| {
        let name = branch.get("format").and_then(Value::as_str)?;
        TextFormat::find(name)
    });
    match format {
        Some(format) => diagnostic.with_help(format!("it takes {}: {name} = {:?}", format.noun, format.example)),
        None => diagnostic,
    }
}

/// A value of a type that nothing takes, and how it may have been meant.
pub(super) fn wrong_type(alternatives: &[&'static Value], found: &Value) -> Diagnostic {
    let mut diagnostic = expected(&forms(alternatives), found);
    let takes = |name: &str| {
        let named = |branch: &&&Value| {
            branch
                .get("type")
                .is_some_and(|types| types == name || types[0] == name)
        };
        alternatives.iter().find(named)
    };
    let format = takes("string").and_then(|branch| TextFormat::find(branch.get("format")?.as_str()?));
    diagnostic.help = match (found, format) {
        (Value::Number(_) | Value::Bool(_), Some(format)) => {
            Some(format!("write {} in quotes, such as {:?}", format.noun, format.example))
        }
        (Value::Number(_) | Value::Bool(_), None) if takes("string").is_some() => {
            Some(format!("write it in quotes: \"{found}\""))
        }
        (Value::String(text), _) if takes("array").is_some() => Some(format!("write a list: [{text:?}]")),
        (Value::String(text), _) if takes("integer").is_some() || takes("number").is_some() => text
            .parse::<f64>()
            .is_ok()
            .then(|| format!("write it without quotes: {text}")),
        (Value::String(text), _) if takes("boolean").is_some() && ["true", "false"].contains(&text.as_str()) => {
            Some(format!("write it without quotes: {text}"))
        }
        _ => None,
    };
    diagnostic
}

/// What was wanted and what was found.
pub(super) fn expected(wanted: &str, found: &Value) -> Diagnostic {
    let found = match found {
        Value::String(_) => "a string",
        Value::Number(number) if number.is_f64() => "a float",
        Value::Number(_) => "an integer",
        Value::Bool(_) => "a boolean",
        Value::Array(_) => "a list",
        Value::Object(_) | Value::Null => "a table",
    };
    Diagnostic::error(Code::WrongType, format!("expected {wanted}, found {found}"))
}

/// What the alternatives look like.
pub(super) fn forms(alternatives: &[&'static Value]) -> String {
    let mut words: Vec<String> = Vec::new();
    for branch in alternatives {
        let format = branch.get("format").and_then(Value::as_str).and_then(TextFormat::find);
        let kind = match branch.get("type") {
            Some(Value::Array(kinds)) => kinds.first().and_then(Value::as_str),
            kind => kind.and_then(Value::as_str),
        };
        let required = branch
            .get("required")
            .and_then(Value::as_array)
            .and_then(|names| names.first()?.as_str());
        let word = match (format, branch.get("const"), kind) {
            (Some(format), _, _) => format.noun.to_owned(),
            (_, Some(word), _) => word.to_string(),
            (_, _, Some("string")) => "a string".to_owned(),
            (_, _, Some("integer")) => "an integer".to_owned(),
            (_, _, Some("number")) => "a number".to_owned(),
            (_, _, Some("boolean")) => "true or false".to_owned(),
            (_, _, Some("array")) => "a list".to_owned(),
            _ => match tag(branch).map(|(key, _)| key).or(required) {
                Some(key) if alternatives.len() > 1 => format!("a table with `{key}`"),
                _ => "a table".to_owned(),
            },
        };
        if !words.contains(&word) {
            words.push(word);
        }
    }
    match words.as_slice() {
        [] => "something else".to_owned(),
        [single] => single.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}
