//! Values given on the command line, `--set workload.web.replicas=3`, in place of those in the file.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;
use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::{Map, Value};
use toml::de::DeValue;

use super::check;
use super::diagnostic::{Code, Diagnostic, SourceText};
use super::document::{Children, Document, Origin, Reader};
use super::path::{Path, Segment};
use super::suggest::{enumerate, nearest, ticked};

/// One value given on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// Path of the key: segments between dots, such as `events.0.at`. A segment that has a dot itself stands in quotes:
    /// `images."nginx:1.27".size`.
    pub key: String,
    /// The value as in a scenario. What is not valid TOML is a string, so that most quotes can be left out.
    pub value: String,
}

impl FromStr for Override {
    type Err = String;

    /// Splits `KEY=VALUE` at the first equals sign outside quotes.
    fn from_str(text: &str) -> Result<Override, String> {
        let mut quote = None;
        for (at, c) in text.char_indices() {
            match (quote, c) {
                (None, '=') => {
                    return Ok(Override {
                        key: text[..at].trim().to_owned(),
                        value: text[at + 1..].trim().to_owned(),
                    });
                }
                (None, '"' | '\'') => quote = Some(c),
                (Some(open), _) if open == c => quote = None,
                _ => {}
            }
        }
        Err(format!("{text:?} is not of the form KEY=VALUE, such as run.seed=7"))
    }
}

impl fmt::Display for Override {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.key, self.value)
    }
}

/// How an override is shown: as it was typed.
const PREFIX: &str = "--set ";

/// Puts the value into the document, over what is there.
pub(super) fn apply(document: &mut Document, given: &Override) -> Result<(), Diagnostic> {
    let index = document.sources.len();
    let source = Arc::new(SourceText {
        name: "command line".to_owned(),
        text: format!("{PREFIX}{given}"),
        first_line: 1,
        rank: u32::try_from(index).unwrap_or(u32::MAX),
    });
    document.sources.push(Arc::clone(&source));
    let segments = split_key(&given.key).map_err(|(message, at)| {
        Diagnostic::error(Code::BadOverride, message)
            .with_help(
                "write segments between dots, those with dots of their own in quotes: images.\"nginx:1.27\".size",
            )
            .with_place(
                &source,
                Some(PREFIX.len() + at..PREFIX.len() + given.key.len().max(at + 1)),
            )
    })?;
    let (value, origin) = read_value(given, &source, index)?;
    insert(document, &source, &segments, value, origin)
}

/// Takes the value of the last override of this path literally, as a string. Returns whether it was anything else.
pub(super) fn take_as_string(document: &mut Document, given: &[Override], path: &Path) -> bool {
    let raw = given.iter().rev().find_map(|given| {
        let segments = split_key(&given.key).ok()?;
        let same = segments.len() == path.segments().len()
            && segments
                .iter()
                .zip(path.segments())
                .all(|((text, _), segment)| match segment {
                    Segment::Key(key) => key == text,
                    Segment::Index(index) => text.parse() == Ok(*index),
                });
        same.then(|| given.value.clone())
    });
    let step = path
        .segments()
        .iter()
        .fold(check::root(), |step, segment| match segment {
            Segment::Key(key) => step.key(key),
            Segment::Index(_) => step.index(),
        });
    if !step.takes_strings() {
        return false;
    }
    let (value, _) = document.root_mut();
    let target = path.segments().iter().try_fold(value, |value, segment| match segment {
        Segment::Key(key) => value.get_mut(key),
        Segment::Index(index) => value.get_mut(*index),
    });
    match (raw, target) {
        (Some(raw), Some(target @ (Value::Bool(_) | Value::Number(_)))) => {
            *target = Value::from(raw);
            true
        }
        _ => false,
    }
}

fn read_value(given: &Override, source: &Arc<SourceText>, index: usize) -> Result<(Value, Origin), Diagnostic> {
    let offset = PREFIX.len() + given.key.len() + 1;
    let span = offset..offset + given.value.len();
    let literal = || {
        let origin = Origin {
            source: index,
            key: None,
            span: Some(span.clone()),
            children: Children::None,
        };
        (Value::from(given.value.as_str()), origin)
    };
    match DeValue::parse(&given.value) {
        Ok(value) if value.get_ref().is_datetime() => Ok(literal()),
        Ok(value) => {
            let mut faults = Vec::new();
            let mut reader = Reader {
                source,
                index,
                faults: &mut faults,
            };
            let read = reader.value(&value, None, offset);
            match faults.into_iter().next() {
                Some(fault) => Err(fault),
                None => Ok(read),
            }
        }
        // Whoever opens a quote or a bracket means TOML.
        Err(error) if given.value.starts_with(['"', '\'', '[']) => {
            Err(Diagnostic::error(Code::Syntax, error.message()).with_place(source, Some(span)))
        }
        Err(_) => Ok(literal()),
    }
}

/// Goes down the segments, makes tables that the format foresees, and sets the last.
fn insert(
    document: &mut Document,
    source: &Arc<SourceText>,
    segments: &[(String, Range<usize>)],
    new_value: Value,
    mut new_origin: Origin,
) -> Result<(), Diagnostic> {
    let fault = |message: String, segment: &Range<usize>| {
        let span = PREFIX.len() + segment.start..PREFIX.len() + segment.end;
        Diagnostic::error(Code::BadOverride, message).with_place(source, Some(span))
    };
    let source_index = document.sources.len() - 1;
    let mut step = check::root();
    let mut path = Path::root();
    let (mut value, mut origin) = document.root_mut();
    for (position, (text, span)) in segments.iter().enumerate() {
        let is_last = position + 1 == segments.len();
        let here = path.clone();
        match (value, &mut origin.children) {
            (Value::Object(table), Children::Table(origins)) => {
                path = path.key(text);
                step = step.key(text);
                let absent = !table.contains_key(text);
                if absent && !is_last && step.is_entry() {
                    let names: Vec<&str> = table.keys().map(String::as_str).collect();
                    let mut fault = fault(format!("there is no `{path}` to be changed"), span);
                    fault.help = Some(match nearest(text, names.iter().copied()) {
                        Some(name) => format!("did you mean `{name}`?"),
                        None => {
                            let names: Vec<String> = names.iter().map(|name| ticked(name)).collect();
                            format!("`{here}` has {}", enumerate(&names))
                        }
                    });
                    return Err(fault);
                }
                let key = PREFIX.len() + span.start..PREFIX.len() + span.end;
                if is_last {
                    new_origin.key = Some(key);
                    table.insert(text.clone(), new_value);
                    origins.insert(text.clone(), new_origin);
                    return Ok(());
                }
                value = table.entry(text.clone()).or_insert_with(|| Value::Object(Map::new()));
                origin = origins.entry(text.clone()).or_insert_with(|| Origin {
                    source: source_index,
                    key: Some(key.clone()),
                    span: Some(key),
                    children: Children::Table(IndexMap::new()),
                });
            }
            (Value::Array(items), Children::List(origins)) => {
                let length = items.len();
                let Some(index) = text.parse().ok().filter(|index| *index < length + usize::from(is_last)) else {
                    let help = match length {
                        0 => format!("`{here}` is an empty list"),
                        _ => format!("`{here}` is a list, numbered from 0 to {}", length - 1),
                    };
                    return Err(fault(format!("there is no `{text}` in `{here}`"), span).with_help(help));
                };
                path = path.index(index);
                step = step.index();
                if is_last {
                    if index == length {
                        items.push(new_value);
                        origins.push(new_origin);
                    } else {
                        items[index] = new_value;
                        origins[index] = new_origin;
                    }
                    return Ok(());
                }
                value = &mut items[index];
                origin = &mut origins[index];
            }
            _ => {
                let message = format!("`{here}` is neither a table nor a list");
                return Err(fault(message, span).with_help(format!("it is one value: {PREFIX}{here}=VALUE")));
            }
        }
    }
    Ok(())
}

/// The segments of a key with their places in it, or a message and the place of the fault.
#[allow(clippy::type_complexity)]
fn split_key(key: &str) -> Result<Vec<(String, Range<usize>)>, (String, usize)> {
    let mut segments = Vec::new();
    let mut at = 0;
    loop {
        let rest = &key[at..];
        let (segment, length) = match rest.chars().next() {
            Some(quote @ ('"' | '\'')) => {
                let end = rest[1..]
                    .find(quote)
                    .ok_or_else(|| ("the quote is not closed".to_owned(), at))?;
                (&rest[1..=end], end + 2)
            }
            _ => {
                let end = rest.find('.').unwrap_or(rest.len());
                (&rest[..end], end)
            }
        };
        if length == 0 {
            return Err(("a segment of the key is empty".to_owned(), at));
        }
        segments.push((segment.to_owned(), at..at + length));
        at += length;
        match key[at..].chars().next() {
            None => return Ok(segments),
            Some('.') => at += 1,
            Some(_) => return Err(("a dot must follow the quote".to_owned(), at)),
        }
    }
}
