//! Recorded workloads and lists of nodes, read from CSV.
//!
//! A file is read whole and row by row as bytes; only what is looked at has to be UTF-8. Rows that ask for the same
//! share one request, which is built once. All faulty rows are complained about together.

mod csv;
mod encoding;
mod field;
mod openb;

use std::collections::hash_map::Entry;
use std::hash::BuildHasher;
use std::path::Path;
use std::sync::Arc;

use ::csv::{ByteRecord, ReaderBuilder};
use rustc_hash::{FxBuildHasher, FxHashMap};

use crate::model::{Name, PortBinding, Request, Resources, Time};
use crate::sim::{Trace, TraceRow};

use super::diagnostic::{Code, Diagnostic, SourceText};
use super::file;

pub(super) use openb::read_nodes;

/// A file larger than this would not fit into memory several times over.
const LARGEST_FILE: u64 = 4 << 30;
/// Complaints about more rows than this are only counted: they usually have one cause.
const MOST_FAULTS: usize = 20;
/// A longer line is cut where a complaint shows it.
const LONGEST_EXCERPT: usize = 400;

/// What a row asks for, over and above what its class asks for.
#[derive(Debug, Default)]
pub(super) struct RowRequest {
    pub resources: Resources,
    pub extra: Vec<(String, u64)>,
    pub image: Option<String>,
    pub labels: Vec<(String, String)>,
    pub constraints: Vec<String>,
    pub affinities: Vec<String>,
    pub ports: Vec<PortBinding>,
}

/// A fault in one field, or in the row as a whole.
#[derive(Debug)]
pub(super) struct FieldFault {
    /// Its place in the row.
    pub column: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// What to say instead, once for the whole file, if its columns are not separated by commas.
    pub with_commas: Option<String>,
}

/// How the columns of a recorded workload are read.
trait Columns {
    /// The fields that determine the request.
    fn request_fields(&self) -> &[usize];
    /// What the row asks for.
    fn request(&self, row: &ByteRecord) -> Result<RowRequest, FieldFault>;
    /// When it asks, and for how long.
    fn times(&self, row: &ByteRecord) -> Result<(Time, Option<std::time::Duration>), FieldFault>;
    /// What the container is called.
    fn name(&self, row: &ByteRecord) -> Result<Option<Name>, FieldFault>;
}

/// Formats of recorded workloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WorkloadFormat {
    Csv,
    Openb,
}

/// A trace file in memory.
pub(super) struct TraceFile {
    name: String,
    fingerprint: String,
    /// What it says, in UTF-8.
    bytes: Vec<u8>,
    /// What stands between its columns.
    separator: u8,
}

/// What was read, and the complaints about it.
pub(super) struct Read<T> {
    pub content: T,
    pub complaints: Vec<Diagnostic>,
}

impl TraceFile {
    /// Reads the file.
    pub fn open(path: &Path) -> Result<TraceFile, Diagnostic> {
        let name = path.display().to_string();
        let raw = file::read(path, LARGEST_FILE)?;
        let fingerprint = file::fingerprint(&raw);
        let bytes = encoding::text(raw, LARGEST_FILE)
            .map_err(|what| Diagnostic::error(Code::BadTrace, format!("{name} {what}")))?;
        Ok(TraceFile {
            separator: encoding::separator(&bytes),
            name,
            fingerprint,
            bytes,
        })
    }

    /// The SHA-256 of the file.
    pub fn fingerprint(&self) -> String {
        self.fingerprint.clone()
    }

    /// Reads a recorded workload; `build` turns what a row asks for into a request.
    pub fn read_workload(
        &self,
        format: WorkloadFormat,
        lenient: bool,
        build: &dyn Fn(RowRequest) -> Result<Request, String>,
    ) -> Read<Trace> {
        let mut table = Table::new(self, lenient);
        let columns: Option<Box<dyn Columns>> = match (table.header(), format) {
            (None, _) => None,
            (Some(header), WorkloadFormat::Csv) => {
                csv::CsvColumns::new(&header, &mut table).map(|columns| Box::new(columns) as Box<dyn Columns>)
            }
            (Some(header), WorkloadFormat::Openb) => {
                openb::PodColumns::new(&header, &mut table).map(|columns| Box::new(columns) as Box<dyn Columns>)
            }
        };
        let mut rows = Rows::default();
        if let Some(columns) = columns {
            table.for_each_row(|row| rows.add(columns.as_ref(), row, build));
        }
        rows.list.sort_by_key(|row| row.at);
        let (complaints, skipped) = table.finish();
        let content = Trace {
            requests: rows.requests,
            rows: rows.list,
            skipped,
        };
        Read { content, complaints }
    }
}

/// Rows as they are read.
#[derive(Default)]
struct Rows {
    list: Vec<TraceRow>,
    requests: Vec<Request>,
    /// Requests by the bytes of the fields that determine them, which spares building most of them.
    by_fields: FxHashMap<Box<[u8]>, u32>,
    /// Requests by their hashes, since different bytes may mean the same; those with equal hashes are numbered.
    by_hash: FxHashMap<(u64, u32), u32>,
    key: Vec<u8>,
}

impl Rows {
    fn add(
        &mut self,
        columns: &dyn Columns,
        row: &ByteRecord,
        build: &dyn Fn(RowRequest) -> Result<Request, String>,
    ) -> Result<(), FieldFault> {
        let (at, lifetime) = columns.times(row)?;
        let name = columns.name(row)?;
        self.key.clear();
        for field in columns.request_fields() {
            self.key.extend_from_slice(row.get(*field).unwrap_or_default());
            // A byte that occurs in no UTF-8, so that fields cannot run into one another.
            self.key.push(0xff);
        }
        let request = match self.by_fields.get(self.key.as_slice()) {
            Some(known) => *known,
            None => {
                let message = |message| FieldFault {
                    column: None,
                    message,
                    with_commas: None,
                };
                let request = build(columns.request(row)?).map_err(message)?;
                let index = self
                    .intern(request)
                    .ok_or_else(|| message("too many different rows".to_owned()))?;
                self.by_fields.insert(self.key.as_slice().into(), index);
                index
            }
        };
        self.list.push(TraceRow {
            at,
            lifetime,
            request,
            name,
        });
        Ok(())
    }

    /// The index of the request among the different ones; `None` if there are more of them than indices.
    fn intern(&mut self, request: Request) -> Option<u32> {
        let hash = FxBuildHasher.hash_one(&request);
        for number in 0.. {
            match self.by_hash.entry((hash, number)) {
                Entry::Occupied(known) if self.requests[*known.get() as usize] == request => return Some(*known.get()),
                Entry::Occupied(_) => {}
                Entry::Vacant(place) => {
                    let next = u32::try_from(self.requests.len()).ok()?;
                    place.insert(next);
                    self.requests.push(request);
                    return Some(next);
                }
            }
        }
        None
    }
}

/// A file's rows, and the complaints about them.
pub(super) struct Table<'a> {
    file: &'a TraceFile,
    reader: ::csv::Reader<&'a [u8]>,
    width: usize,
    header_line: ByteRecord,
    lenient: bool,
    complaints: Vec<Diagnostic>,
    faulty_rows: u64,
}

impl<'a> Table<'a> {
    fn new(file: &'a TraceFile, lenient: bool) -> Table<'a> {
        let reader = ReaderBuilder::new()
            .has_headers(false)
            .delimiter(file.separator)
            // Rows of another length are complained about by line, like any other fault.
            .flexible(true)
            .from_reader(file.bytes.as_slice());
        Table {
            file,
            reader,
            width: 0,
            header_line: ByteRecord::new(),
            lenient,
            complaints: Vec::new(),
            faulty_rows: 0,
        }
    }

    /// The names of the columns; `None`, with a complaint, if there are none.
    fn header(&mut self) -> Option<Vec<String>> {
        let mut row = ByteRecord::new();
        let found = self.reader.read_byte_record(&mut row);
        if !matches!(found, Ok(true)) {
            self.refuse(
                "the file is empty: its first line must name the columns".to_owned(),
                None,
            );
            return None;
        }
        self.width = row.len();
        let names = row
            .iter()
            .map(|name| encoding::column_name(&String::from_utf8_lossy(name), csv::RESOURCE))
            .collect();
        self.header_line = row;
        let line = self.excerpt(&self.header_line, None).0;
        if let Some(message) = encoding::unusual_header(&line.text, self.width) {
            self.refuse_header(None, message, None);
            return None;
        }
        Some(names)
    }

    /// Complains about the header, whether or not rows may be skipped.
    fn refuse_header(&mut self, column: Option<usize>, message: String, help: Option<String>) {
        let (source, span) = self.excerpt(&self.header_line, column);
        let mut complaint = Diagnostic::error(Code::BadTrace, message);
        complaint.help = help;
        self.complaints.push(complaint.with_place(&source, Some(span)));
    }

    /// Complains about the file as a whole.
    fn refuse(&mut self, message: String, help: Option<String>) {
        let mut complaint = Diagnostic::error(Code::BadTrace, message);
        complaint.help = help;
        self.complaints.push(complaint.with_place(&self.whole(0), None));
    }

    fn whole(&self, line: usize) -> Arc<SourceText> {
        Arc::new(SourceText {
            name: self.file.name.clone(),
            text: String::new(),
            first_line: line,
            rank: u32::MAX,
        })
    }

    fn for_each_row(&mut self, mut add: impl FnMut(&ByteRecord) -> Result<(), FieldFault>) {
        let mut row = ByteRecord::new();
        loop {
            let fault = match self.reader.read_byte_record(&mut row) {
                Ok(false) => return,
                Ok(true) if row.len() != self.width => Err(FieldFault {
                    column: None,
                    with_commas: None,
                    message: format!("the row has {} fields instead of {}", row.len(), self.width),
                }),
                Ok(true) => add(&row),
                // The bytes are in memory and the reader is flexible, so that nothing is left to go wrong.
                Err(error) => {
                    self.refuse(format!("the file cannot be read on: {error}"), None);
                    return;
                }
            };
            let Err(mut fault) = fault else {
                continue;
            };
            // The numbers of all rows are written so: there is nothing to be skipped.
            match fault.with_commas.take().filter(|_| self.file.separator != b',') {
                Some(message) => {
                    let (source, span) = self.excerpt(&row, fault.column);
                    let complaint = Diagnostic::error(Code::BadTrace, message);
                    self.complaints.push(complaint.with_place(&source, Some(span)));
                    return;
                }
                None => self.refuse_row(&row, fault),
            }
        }
    }

    fn refuse_row(&mut self, row: &ByteRecord, fault: FieldFault) {
        self.faulty_rows += 1;
        let most = if self.lenient { 1 } else { MOST_FAULTS };
        if self.complaints.len() < most {
            let (source, span) = self.excerpt(row, fault.column);
            let complaint = Diagnostic::error(Code::BadRow, fault.message);
            self.complaints.push(complaint.with_place(&source, Some(span)));
        }
    }

    /// The line on which a row starts, and the place of a field in it.
    fn excerpt(&self, row: &ByteRecord, column: Option<usize>) -> (Arc<SourceText>, std::ops::Range<usize>) {
        let (byte, line) = row.position().map_or((0, 1), |at| (at.byte(), at.line()));
        let rest = self
            .file
            .bytes
            .get(usize::try_from(byte).unwrap_or(usize::MAX)..)
            .unwrap_or_default();
        // What precedes the row, blank lines and half of a line break, still counts as belonging to it.
        let blank = rest.iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
        let line = line + rest[..blank].iter().filter(|byte| **byte == b'\n').count() as u64;
        let rest = &rest[blank..];
        let end = rest
            .iter()
            .position(|byte| matches!(byte, b'\n' | b'\r'))
            .unwrap_or(rest.len());
        let raw = &rest[..end];
        let text = String::from_utf8_lossy(&raw[..raw.len().min(LONGEST_EXCERPT)]).into_owned();
        // Where quotes are involved, separators do not tell fields apart; then the whole row is shown.
        let column = column.filter(|_| !text.contains('"') && !text.contains(char::REPLACEMENT_CHARACTER));
        let span = column.and_then(|column| {
            let mut start = 0;
            let mut fields = text.split(char::from(self.file.separator)).map(|field| {
                let span = start..start + field.len();
                start = span.end + 1;
                span
            });
            fields.nth(column)
        });
        let span = span.unwrap_or(0..text.len());
        let source = SourceText {
            name: self.file.name.clone(),
            text,
            first_line: usize::try_from(line).unwrap_or(usize::MAX),
            rank: u32::MAX,
        };
        (Arc::new(source), span)
    }

    /// The complaints and the number of skipped rows.
    fn finish(mut self) -> (Vec<Diagnostic>, u64) {
        if self.faulty_rows == 0 {
            return (self.complaints, 0);
        }
        if self.lenient {
            let example = self
                .complaints
                .iter_mut()
                .find(|complaint| complaint.code == Code::BadRow);
            if let Some(example) = example {
                let rows = if self.faulty_rows == 1 { "row was" } else { "rows were" };
                example.help = Some(format!("the first of them: {}", example.message));
                example.message = format!("{} {rows} skipped", self.faulty_rows);
                example.code = Code::SkippedRows;
                *example = example.clone().into_warning();
            }
            return (self.complaints, self.faulty_rows);
        }
        let shown = self
            .complaints
            .iter()
            .filter(|complaint| complaint.code == Code::BadRow)
            .count() as u64;
        if self.faulty_rows > shown {
            let message = format!("… and {} more rows that make no sense", self.faulty_rows - shown);
            let more = Diagnostic::error(Code::BadRow, message).with_help("read the trace leniently to skip such rows");
            self.complaints.push(more.with_place(&self.whole(usize::MAX), None));
        }
        (self.complaints, 0)
    }
}
