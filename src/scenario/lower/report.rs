//! Complaints about the meaning of a scenario, by path.

use crate::scenario::diagnostic::{Code, Diagnostic};
use crate::scenario::document::{Document, Spot};
use crate::scenario::path::Path;
use crate::scenario::suggest::Suggestions;

/// Complaints as they are found.
pub(in crate::scenario) struct Report<'d> {
    document: &'d Document,
    /// What was probably meant by names that do not exist.
    pub suggestions: Suggestions,
    list: Vec<(Path, Diagnostic)>,
}

impl<'d> Report<'d> {
    /// No complaints yet.
    pub fn new(document: &'d Document) -> Report<'d> {
        Report {
            document,
            suggestions: Suggestions::default(),
            list: Vec::new(),
        }
    }

    /// Complains about the value at the path.
    pub fn error(&mut self, code: Code, path: &Path, message: impl Into<String>) -> &mut Diagnostic {
        self.add(Diagnostic::error(code, message), path, Spot::Value)
    }

    /// Complains about the key at the path.
    pub fn error_at_key(&mut self, code: Code, path: &Path, message: impl Into<String>) -> &mut Diagnostic {
        self.add(Diagnostic::error(code, message), path, Spot::Key)
    }

    /// Doubts the value at the path.
    pub fn warning(&mut self, code: Code, path: &Path, message: impl Into<String>) -> &mut Diagnostic {
        self.add(Diagnostic::error(code, message).into_warning(), path, Spot::Value)
    }

    /// A value that makes no sense; `help` says what would.
    pub fn impossible(&mut self, path: &Path, message: impl Into<String>, help: &str) {
        self.error(Code::Impossible, path, message).help = Some(help.to_owned());
    }

    /// A key that is missing in the table at the path.
    pub fn missing(&mut self, path: &Path, key: &str, help: impl Into<String>) {
        let message = format!("the key `{key}` is missing in `{path}`");
        self.error(Code::MissingKey, path, message).help = Some(help.into());
    }

    /// Complaints that already have their places, or get that of the value at the path.
    pub fn extend(&mut self, complaints: impl IntoIterator<Item = Diagnostic>, path: &Path) {
        for complaint in complaints {
            match complaint.place {
                Some(_) => self.list.push((path.clone(), complaint)),
                None => {
                    self.add(complaint, path, Spot::Value);
                }
            }
        }
    }

    fn add(&mut self, diagnostic: Diagnostic, path: &Path, spot: Spot) -> &mut Diagnostic {
        let (source, span) = self.document.place(path, spot);
        self.list.push((path.clone(), diagnostic.with_place(source, span)));
        let last = self.list.len() - 1;
        &mut self.list[last].1
    }

    /// Whether the value at the path was given on the command line.
    pub fn is_overridden(&self, path: &Path) -> bool {
        self.document.is_overridden(path)
    }

    /// Whether there is a value at the path, or a default is used.
    pub fn is_given(&self, path: &Path) -> bool {
        self.document.has(path)
    }

    /// The complaints, each with the path that it is about.
    pub fn into_list(self) -> Vec<(Path, Diagnostic)> {
        self.list
    }
}
