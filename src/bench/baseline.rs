//! Figures that are kept to be compared with later.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rustc_hash::FxHashSet;
use serde::{Deserialize, Serialize};

use super::case::{Case, Figures, Unit};
use super::origin::Origin;

/// What a baseline says it is.
const FORMAT: &str = "swarmlab-bench-1";

/// A larger file is no baseline.
const BYTES_MAX: u64 = 64 << 20;

/// Figures of some cases, and where they come from.
#[derive(Clone, Debug, PartialEq)]
pub struct Baseline {
    /// What they are measured in.
    pub unit: Unit,
    /// What they were measured on: a scenario's name, or `built-in`.
    pub subject: String,
    /// What identifies the subject: the scenario's hash, time and seed.
    pub fingerprint: String,
    /// What measured them.
    pub origin: Origin,
    /// The figures.
    pub cases: Vec<Recorded>,
}

/// A case and its figures.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// Which.
    pub case: Case,
    /// What was measured of it.
    pub figures: Figures,
}

/// Why there is no baseline.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// The file cannot be read.
    #[error("cannot read the baseline {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is no baseline.
    #[error("{} is not a baseline of swarmlab bench: {reason}", path.display())]
    Malformed {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// The file, field by field.
#[derive(Serialize, Deserialize)]
struct Document {
    format: String,
    unit: Unit,
    subject: String,
    fingerprint: String,
    origin: Origin,
    cases: Vec<Row>,
}

#[derive(Serialize, Deserialize)]
struct Row {
    #[serde(flatten)]
    case: Case,
    samples: Vec<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    p99: Option<f64>,
}

impl Baseline {
    /// Reads one from a file.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or is no baseline.
    pub fn read(path: &Path) -> Result<Baseline, BaselineError> {
        let read = |source| BaselineError::Read {
            path: path.to_owned(),
            source,
        };
        let mut text = String::new();
        let file = File::open(path).map_err(read)?;
        file.take(BYTES_MAX).read_to_string(&mut text).map_err(read)?;
        Baseline::parse(&text).map_err(|reason| BaselineError::Malformed {
            path: path.to_owned(),
            reason,
        })
    }

    /// Reads one from a text.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Baseline, String> {
        let document: Document = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if document.format != FORMAT {
            return Err(format!("its format is {:?}, not {FORMAT:?}", document.format));
        }
        let mut cases: Vec<Recorded> = Vec::new();
        let mut seen = FxHashSet::default();
        for row in document.cases {
            let is_figure = |value: &f64| value.is_finite() && *value > 0.0;
            if row.samples.is_empty() || !row.samples.iter().all(is_figure) {
                return Err(format!("the samples of {} are not all above zero", row.case));
            }
            if !seen.insert(row.case.clone()) {
                return Err(format!("{} is in it twice", row.case));
            }
            cases.push(Recorded {
                case: row.case,
                figures: Figures {
                    samples: row.samples,
                    p99: row.p99,
                },
            });
        }
        Ok(Baseline {
            unit: document.unit,
            subject: document.subject,
            fingerprint: document.fingerprint,
            origin: document.origin,
            cases,
        })
    }

    /// The text of its file: a line for each case, so that a change of one is a change of one line.
    ///
    /// # Errors
    ///
    /// If a figure is no number.
    pub fn to_text(&self) -> Result<String, serde_json::Error> {
        let head = Document {
            format: FORMAT.to_owned(),
            unit: self.unit,
            subject: self.subject.clone(),
            fingerprint: self.fingerprint.clone(),
            origin: self.origin.clone(),
            cases: Vec::new(),
        };
        let row = |recorded: &Recorded| {
            serde_json::to_string(&Row {
                case: recorded.case.clone(),
                samples: recorded.figures.samples.iter().map(|sample| rounded(*sample)).collect(),
                p99: recorded.figures.p99.map(rounded),
            })
        };
        let rows: Result<Vec<String>, serde_json::Error> = self.cases.iter().map(row).collect();
        let rows = rows?.join(",\n    ");
        let head = serde_json::to_string_pretty(&head)?;
        Ok(head.replace("\"cases\": []", &format!("\"cases\": [\n    {rows}\n  ]")) + "\n")
    }

    /// The figures of a case.
    pub fn figures(&self, case: &Case) -> Option<&Figures> {
        let recorded = self.cases.iter().find(|recorded| recorded.case == *case);
        recorded.map(|recorded| &recorded.figures)
    }
}

/// To a thousandth, but never to zero.
fn rounded(figure: f64) -> f64 {
    ((figure * 1e3).round() / 1e3).max(1e-3)
}
