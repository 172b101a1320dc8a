//! Complaints with positions, and how they are shown.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Element, Group, Level, Origin, Renderer, Snippet};

use super::units::Complaint;

/// What kind of complaint it is. The identifiers are stable, so that they can be searched for and written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    /// The file cannot be read.
    Unreadable,
    /// The file is not text in UTF-8.
    NotText,
    /// The text is not TOML.
    Syntax,
    /// The file is too large.
    TooLarge,
    /// A key that does not exist.
    UnknownKey,
    /// A required key is missing.
    MissingKey,
    /// A value of another type than the key takes.
    WrongType,
    /// A name out of a list that does not exist.
    UnknownName,
    /// A text that does not follow its grammar.
    BadText,
    /// A value that makes no sense.
    Impossible,
    /// Keys that exclude each other.
    Conflict,
    /// A name that refers to nothing.
    Dangling,
    /// A name given twice.
    Duplicate,
    /// The run would never end.
    Endless,
    /// An override that cannot be applied.
    BadOverride,
    /// A trace that cannot be read.
    BadTrace,
    /// A row of a trace that makes no sense.
    BadRow,
    /// A fault in swarmlab itself.
    Internal,
    /// An expression that the scheduler will reject.
    BadExpression,
    /// A name that refers to nothing, where that is allowed, but is probably misspelt.
    Suspicious,
    /// Something that never fits on any node.
    NeverFits,
    /// Something that has no effect.
    NoEffect,
    /// Rows of a trace were skipped.
    SkippedRows,
    /// Rows of a trace are at times that the run does not reach, or only after a long time.
    OutsideRun,
}

impl Code {
    /// Every code, faults before warnings.
    pub const ALL: [Code; 24] = [
        Code::Unreadable,
        Code::NotText,
        Code::Syntax,
        Code::TooLarge,
        Code::UnknownKey,
        Code::MissingKey,
        Code::WrongType,
        Code::UnknownName,
        Code::BadText,
        Code::Impossible,
        Code::Conflict,
        Code::Dangling,
        Code::Duplicate,
        Code::Endless,
        Code::BadOverride,
        Code::BadTrace,
        Code::BadRow,
        Code::Internal,
        Code::BadExpression,
        Code::Suspicious,
        Code::NeverFits,
        Code::NoEffect,
        Code::SkippedRows,
        Code::OutsideRun,
    ];

    /// The identifier, `S` and three digits; warnings start at `S100`.
    pub const fn id(self) -> &'static str {
        self.entry().0
    }

    /// One sentence on what it means.
    pub const fn meaning(self) -> &'static str {
        self.entry().1
    }

    const fn entry(self) -> (&'static str, &'static str) {
        match self {
            Code::Unreadable => ("S001", "A file cannot be read."),
            Code::NotText => ("S002", "The scenario is not text in UTF-8."),
            Code::Syntax => ("S003", "The scenario is not valid TOML."),
            Code::TooLarge => ("S004", "A file is too large."),
            Code::UnknownKey => ("S010", "There is no such key here."),
            Code::MissingKey => ("S011", "A required key is missing."),
            Code::WrongType => ("S012", "The key takes a value of another type."),
            Code::UnknownName => ("S013", "The key takes one of several names, and this is none of them."),
            Code::BadText => ("S014", "The text does not follow the grammar of its key."),
            Code::Impossible => ("S020", "The value makes no sense."),
            Code::Conflict => ("S021", "These keys exclude each other."),
            Code::Dangling => ("S022", "The name refers to nothing."),
            Code::Duplicate => ("S023", "The name is given twice."),
            Code::Endless => ("S024", "The run would never end."),
            Code::BadOverride => ("S030", "An override cannot be applied."),
            Code::BadTrace => ("S040", "A trace cannot be read as what it is said to be."),
            Code::BadRow => ("S041", "A row of a trace makes no sense."),
            Code::Internal => ("S090", "A fault in swarmlab itself; please report it."),
            Code::BadExpression => ("S101", "The scheduler will reject every request with this expression."),
            Code::Suspicious => ("S102", "The name refers to nothing and is probably misspelt."),
            Code::NeverFits => ("S103", "No node can ever take this."),
            Code::NoEffect => ("S104", "This has no effect."),
            Code::SkippedRows => ("S105", "Rows of a trace were skipped."),
            Code::OutsideRun => ("S106", "Rows of a trace lie outside the run, or far from its start."),
        }
    }
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The scenario cannot be used.
    Error,
    /// The scenario can be used but is probably not what was meant.
    Warning,
}

/// A text that a complaint can point into: a scenario, an override, a line of a trace.
#[derive(Debug)]
pub struct SourceText {
    /// What people call it, usually a path.
    pub name: String,
    /// The text.
    pub text: String,
    /// The number of the text's first line in what `name` stands for, from 1.
    pub first_line: usize,
    /// Complaints are sorted by this first: the scenario, then overrides, then traces.
    pub(super) rank: u32,
}

impl SourceText {
    /// The smallest span of whole characters of the text that has all of the given one that lies in the text.
    fn whole_characters(&self, span: Range<usize>) -> Range<usize> {
        let start = self.text.floor_char_boundary(span.start);
        start..self.text.ceil_char_boundary(span.end.max(start))
    }
}

/// A part of a source.
#[derive(Clone, Debug)]
pub struct Place {
    /// The text.
    pub source: Arc<SourceText>,
    /// The bytes of it that are meant, always whole characters; `None` for the whole.
    pub span: Option<Range<usize>>,
}

/// One complaint.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    /// What kind it is.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, without a final stop.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Where it is.
    pub place: Option<Place>,
}

impl Diagnostic {
    /// A complaint that makes the scenario unusable.
    pub(super) fn error(code: Code, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            code,
            severity: Severity::Error,
            message: message.into(),
            help: None,
            place: None,
        }
    }

    /// The complaint of a parser.
    pub(super) fn from_complaint(code: Code, complaint: Complaint) -> Diagnostic {
        Diagnostic {
            help: complaint.help,
            ..Diagnostic::error(code, complaint.message)
        }
    }

    pub(super) fn with_help(mut self, help: impl Into<String>) -> Diagnostic {
        self.help = Some(help.into());
        self
    }

    /// Says where it is. A span that does not lie on the boundaries of characters is widened to them, since parsers of
    /// bytes end theirs anywhere, and whoever shows it slices the text there.
    pub(super) fn with_place(mut self, source: &Arc<SourceText>, span: Option<Range<usize>>) -> Diagnostic {
        self.place = Some(Place {
            span: span.map(|span| source.whole_characters(span)),
            source: Arc::clone(source),
        });
        self
    }

    pub(super) fn into_warning(mut self) -> Diagnostic {
        self.severity = Severity::Warning;
        self
    }

    /// File or other source, line and column, both from 1, of what is meant.
    pub fn position(&self) -> Option<(&str, usize, usize)> {
        let place = self.place.as_ref()?;
        let before = &place.source.text[..place.span.as_ref()?.start];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = place.source.first_line + before.matches('\n').count();
        Some((&place.source.name, line, before[line_start..].chars().count() + 1))
    }

    /// What complaints are sorted by.
    fn key(&self) -> impl Ord + '_ {
        let place = self.place.as_ref().map(|place| {
            let start = place.span.as_ref().map_or(0, |span| span.start);
            let source = place.source.as_ref();
            (source.rank, source.name.as_str(), source.first_line, start)
        });
        (place, self.code, self.message.as_str())
    }

    /// Shows the complaint in the manner of rustc, without a final line break.
    pub fn render(&self, colour: bool) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let title = level.primary_title(&self.message).id(self.code.id());
        let mut group = Group::with_title(title);
        if let Some(place) = &self.place {
            group = group.element(locate(place));
        }
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(help));
        }
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        renderer.render(&[group])
    }
}

/// The lines that are meant, or the name of the source alone.
fn locate(place: &Place) -> Element<'_> {
    let SourceText {
        name, text, first_line, ..
    } = place.source.as_ref();
    let Some(span) = &place.span else {
        return Origin::path(name).into();
    };
    let start = span.start;
    let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
    let line_end = text[start..].find('\n').map_or(text.len(), |newline| start + newline);
    // Of something that spans lines only the first is shown, and of that line not the white space at its end, unless
    // there is nothing else.
    let rest = &text[start..line_end];
    let shown = match rest.trim_end() {
        "" => rest.chars().next().map_or(0, char::len_utf8),
        word => word.len(),
    };
    let end = span.end.min(start + shown);
    let line = &text[line_start..line_end];
    Snippet::source(line)
        .path(name.as_str())
        .line_start(first_line + text[..line_start].matches('\n').count())
        .annotation(AnnotationKind::Primary.span(start - line_start..end - line_start))
        .into()
}

/// Complaints, sorted by position.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
    omitted: usize,
}

impl Diagnostics {
    /// More complaints than this are only counted: nobody reads them, and they usually have one cause.
    pub const LIMIT: usize = 100;

    /// Sorts the complaints, errors and warnings together, and keeps the first [`LIMIT`](Self::LIMIT).
    pub(super) fn new(mut list: Vec<Diagnostic>) -> Diagnostics {
        list.sort_by(|a, b| a.key().cmp(&b.key()));
        // Two classes may read the same trace.
        list.dedup_by(|a, b| a.key() == b.key());
        // Errors are never crowded out by warnings.
        if list.len() > Diagnostics::LIMIT {
            list.sort_by_key(|diagnostic| diagnostic.severity);
        }
        let omitted = list.len().saturating_sub(Diagnostics::LIMIT);
        list.truncate(Diagnostics::LIMIT);
        Diagnostics { list, omitted }
    }

    /// The complaints.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.list.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len() + self.omitted
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether one of them makes the scenario unusable.
    pub fn has_errors(&self) -> bool {
        self.list
            .iter()
            .any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// Shows all of them, each followed by an empty line.
    pub fn render(&self, colour: bool) -> String {
        let mut text = String::new();
        for diagnostic in &self.list {
            text.push_str(&diagnostic.render(colour));
            text.push_str("\n\n");
        }
        if self.omitted > 0 {
            text.push_str(&format!("… and {} more\n", self.omitted));
        }
        text
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Diagnostics {
    /// Without colour.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Diagnostics {}
