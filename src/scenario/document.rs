//! A scenario as a tree of values, each with the place it came from: the file or an override.

use std::ops::Range;
use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::{Map, Number, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::{Code, Diagnostic, SourceText};
use super::path::{Path, Segment};

/// The tree.
pub(super) struct Document {
    /// The values. One that could not even be represented, and was complained about, is null.
    pub value: Value,
    origins: Origin,
    /// The file first, then the overrides.
    pub sources: Vec<Arc<SourceText>>,
}

/// Where a value came from, and the values in it.
pub(super) struct Origin {
    /// Index into [`Document::sources`].
    pub source: usize,
    /// Its key, if it has one.
    pub key: Option<Range<usize>>,
    /// The value, or a table's header.
    pub span: Option<Range<usize>>,
    pub children: Children,
}

/// The origins of the parts of a value.
pub(super) enum Children {
    None,
    Table(IndexMap<String, Origin>),
    List(Vec<Origin>),
}

/// Which part of an entry is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spot {
    Key,
    Value,
}

impl Document {
    /// Parses the text of a file. Complains about each value that no key could take.
    ///
    /// # Errors
    ///
    /// If the text is not TOML: every fault that the parser finds.
    pub fn parse(name: &str, text: &str) -> Result<(Document, Vec<Diagnostic>), Vec<Diagnostic>> {
        let source = Arc::new(SourceText {
            name: name.to_owned(),
            text: text.to_owned(),
            first_line: 1,
            rank: 0,
        });
        let (table, errors) = DeTable::parse_recoverable(text);
        if !errors.is_empty() {
            return Err(errors.iter().map(|error| syntax_fault(error, &source)).collect());
        }
        let mut faults = Vec::new();
        let mut reader = Reader {
            source: &source,
            index: 0,
            faults: &mut faults,
        };
        let (value, children) = reader.table(table.get_ref());
        let origins = Origin {
            source: 0,
            key: None,
            span: None,
            children,
        };
        let document = Document {
            value,
            origins,
            sources: vec![source],
        };
        Ok((document, faults))
    }

    /// Where the path, or the nearest part of it that exists, came from.
    pub fn place(&self, path: &Path, spot: Spot) -> (&Arc<SourceText>, Option<Range<usize>>) {
        let mut origin = &self.origins;
        let mut spot = spot;
        for segment in path.segments() {
            match origin.child(segment) {
                Some(child) => origin = child,
                None => {
                    spot = Spot::Value;
                    break;
                }
            }
        }
        let span = match spot {
            Spot::Key => origin.key.as_ref().or(origin.span.as_ref()),
            Spot::Value => origin.span.as_ref(),
        };
        // The source exists: origins are only made together with theirs.
        (&self.sources[origin.source], span.cloned())
    }

    /// Whether the value at exactly this path was given by an override.
    pub fn is_overridden(&self, path: &Path) -> bool {
        self.origin(path).is_some_and(|origin| origin.source > 0)
    }

    /// Whether there is a value at exactly this path.
    pub fn has(&self, path: &Path) -> bool {
        self.origin(path).is_some()
    }

    fn origin(&self, path: &Path) -> Option<&Origin> {
        path.segments()
            .iter()
            .try_fold(&self.origins, |origin, segment| origin.child(segment))
    }

    /// The value and the origins at the root, to be changed together.
    pub fn root_mut(&mut self) -> (&mut Value, &mut Origin) {
        (&mut self.value, &mut self.origins)
    }
}

impl Origin {
    fn child(&self, segment: &Segment) -> Option<&Origin> {
        match (&self.children, segment) {
            (Children::Table(table), Segment::Key(key)) => table.get(key),
            (Children::List(list), Segment::Index(index)) => list.get(*index),
            _ => None,
        }
    }
}

/// Turns TOML's tree into ours.
pub(super) struct Reader<'a> {
    pub source: &'a Arc<SourceText>,
    pub index: usize,
    pub faults: &'a mut Vec<Diagnostic>,
}

impl Reader<'_> {
    /// The value, and where it and its parts came from. `offset` is the place of the parsed text in the source.
    pub fn value(&mut self, value: &Spanned<DeValue<'_>>, key: Option<Range<usize>>, offset: usize) -> (Value, Origin) {
        let span = shift(value.span(), offset);
        let mut refuse = |message: String, help: &str| {
            let fault = Diagnostic::error(Code::WrongType, message).with_help(help);
            self.faults.push(fault.with_place(self.source, Some(span.clone())));
            Value::Null
        };
        let (plain, children) = match value.get_ref() {
            DeValue::String(text) => (Value::from(text.as_ref()), Children::None),
            DeValue::Boolean(flag) => (Value::from(*flag), Children::None),
            DeValue::Integer(integer) => {
                let (digits, radix) = (integer.as_str(), integer.radix());
                let signed = i64::from_str_radix(digits, radix).map(Value::from);
                let number = signed.or_else(|_| u64::from_str_radix(digits, radix).map(Value::from));
                let number = number.unwrap_or_else(|_| {
                    refuse(
                        format!("{integer} is too large for a whole number"),
                        "whole numbers have 64 bits",
                    )
                });
                (number, Children::None)
            }
            DeValue::Float(float) => {
                let number = float
                    .as_str()
                    .parse()
                    .ok()
                    .and_then(Number::from_f64)
                    .map(Value::Number);
                let number = number.unwrap_or_else(|| {
                    refuse(
                        format!("{float} is not a number that can be used here"),
                        "write a finite number",
                    )
                });
                (number, Children::None)
            }
            DeValue::Datetime(datetime) => {
                let value = refuse(
                    format!("{datetime} is a date or a time of day"),
                    "a scenario starts at zero: write the time since its start, such as \"10m\"",
                );
                (value, Children::None)
            }
            DeValue::Array(items) => {
                let (values, origins) = items.iter().map(|item| self.value(item, None, offset)).unzip();
                (Value::Array(values), Children::List(origins))
            }
            DeValue::Table(table) => self.table_at(table, offset),
        };
        let origin = Origin {
            source: self.index,
            key,
            span: Some(span),
            children,
        };
        (plain, origin)
    }

    fn table(&mut self, table: &DeTable<'_>) -> (Value, Children) {
        self.table_at(table, 0)
    }

    fn table_at(&mut self, table: &DeTable<'_>, offset: usize) -> (Value, Children) {
        let mut values = Map::new();
        let mut origins = IndexMap::new();
        for (key, value) in table {
            let (plain, origin) = self.value(value, Some(shift(key.span(), offset)), offset);
            values.insert(key.get_ref().to_string(), plain);
            origins.insert(key.get_ref().to_string(), origin);
        }
        (Value::Object(values), Children::Table(origins))
    }
}

fn shift(span: Range<usize>, offset: usize) -> Range<usize> {
    span.start + offset..span.end + offset
}

fn syntax_fault(error: &toml::de::Error, source: &Arc<SourceText>) -> Diagnostic {
    let mut fault = Diagnostic::error(Code::Syntax, error.message());
    let span = error.span();
    if let Some(span) = &span {
        fault.help =
            unquoted_value(&source.text, span.start).map(|value| format!("strings stand in quotes: {value:?}"));
    }
    fault.with_place(source, span)
}

/// The commonest mistake: `duration = 2h`. Returns what stands after the equals sign on the line of the fault.
fn unquoted_value(text: &str, at: usize) -> Option<&str> {
    let at = text.floor_char_boundary(at.min(text.len()));
    let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let line = text[start..].lines().next()?;
    let (key, value) = line.split_once('=')?;
    let value = value.split('#').next()?.trim();
    let is_word = |text: &str| !text.is_empty() && !text.contains(['"', '\'', '=', '[', '{', ',']);
    (is_word(key.trim()) && is_word(value) && DeValue::parse(value).is_err()).then_some(value)
}
