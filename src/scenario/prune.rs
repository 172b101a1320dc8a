//! What is left of a scenario without the parts that do not fit the format, so that the faults in the meaning of the
//! rest can be told together with those.

use std::collections::HashSet;

use indexmap::IndexMap;
use serde_json::Value;

use super::check;
use super::diagnostic::{Code, Diagnostic, Severity};
use super::path::{Path, Segment};

/// Parts that have been left out.
#[derive(Debug, Default)]
pub(super) struct Pruned {
    paths: HashSet<Vec<Segment>>,
    /// The paths to all of them, and every path on the way.
    ways: HashSet<Vec<Segment>>,
    /// Whether one is a class, a group or an image.
    has_entry: bool,
}

/// The rest of the tree and what was left out; nothing if nothing fits.
pub(super) fn prune(value: &Value) -> Option<(Value, Pruned)> {
    let mut rest = value.clone();
    let mut pruned = Pruned::default();
    loop {
        let faults = check::check(&rest);
        if faults.is_empty() {
            return Some((rest, pruned));
        }
        let before = pruned.paths.len();
        // Of a table, everything is left out at one go: each removal alone takes as long as the table is large.
        let mut of_tables: IndexMap<Vec<Segment>, HashSet<String>> = IndexMap::new();
        for fault in &faults {
            let path = removable(fault.path.segments())?;
            if let Some((Segment::Key(last), table)) = path.segments().split_last() {
                of_tables.entry(table.to_vec()).or_default().insert(last.clone());
            }
        }
        // A table that is left out takes what is in it along.
        of_tables.sort_by_key(|table, _| table.len());
        for (table, keys) in of_tables {
            pruned.add_all(remove_all(&mut rest, &table, &keys), &table);
        }
        if pruned.paths.len() == before {
            // What is missing cannot be left out; what it is missing from can.
            let path = enclosing(&mut rest, faults.first()?.path.segments())?;
            pruned.add(path.segments().to_vec());
        }
    }
}

/// Removes keys of a table; returns those that were there.
fn remove_all(rest: &mut Value, table: &[Segment], keys: &HashSet<String>) -> Vec<String> {
    let table = table.iter().try_fold(rest, |value, segment| match segment {
        Segment::Key(key) => value.get_mut(key),
        Segment::Index(index) => value.get_mut(index),
    });
    let mut removed = Vec::new();
    if let Some(table) = table.and_then(Value::as_object_mut) {
        table.retain(|key, _| {
            let stays = !keys.contains(key);
            if !stays {
                removed.push(key.clone());
            }
            stays
        });
    }
    removed
}

/// Leaves out the nearest part around something that is not there.
fn enclosing(rest: &mut Value, segments: &[Segment]) -> Option<Path> {
    let mut path = removable(segments)?;
    while !remove(rest, &path) {
        let (_, around) = path.segments().split_last()?;
        path = removable(around)?;
    }
    Some(path)
}

/// The path up to its last key: items of a list are not left out alone, since those after them would change places.
fn removable(segments: &[Segment]) -> Option<Path> {
    let last_key = segments
        .iter()
        .rposition(|segment| matches!(segment, Segment::Key(_)))?;
    let segments = segments[..=last_key].iter().cloned();
    Some(segments.fold(Path::root(), |path, segment| path.then(segment)))
}

fn remove(value: &mut Value, path: &Path) -> bool {
    let Some((Segment::Key(last), before)) = path.segments().split_last() else {
        return false;
    };
    let parent = before.iter().try_fold(value, |value, segment| match segment {
        Segment::Key(key) => value.get_mut(key),
        Segment::Index(index) => value.get_mut(index),
    });
    let table = parent.and_then(Value::as_object_mut);
    table.is_some_and(|table| table.shift_remove(last).is_some())
}

impl Pruned {
    fn add_all(&mut self, keys: Vec<String>, table: &[Segment]) {
        for key in keys {
            let last = std::iter::once(Segment::Key(key));
            self.add(table.iter().cloned().chain(last).collect());
        }
    }

    fn add(&mut self, path: Vec<Segment>) {
        let depth = match path.first() {
            Some(Segment::Key(key)) if key == "cluster" => 3,
            Some(Segment::Key(key)) if key == "workload" || key == "images" => 2,
            _ => 0,
        };
        self.has_entry |= path.len() <= depth;
        for length in 0..=path.len() {
            self.ways.insert(path[..length].to_vec());
        }
        self.paths.insert(path);
    }

    /// Whether a complaint about the rest would also be one about the whole: it is a fault, and not the consequence of
    /// what was left out.
    pub fn is_meant(&self, complaint: &Diagnostic, path: &Path) -> bool {
        if self.paths.is_empty() {
            return true;
        }
        let path = path.segments();
        let touches = self.ways.contains(path) || (0..=path.len()).any(|length| self.paths.contains(&path[..length]));
        let may_follow = match complaint.code {
            Code::Endless => true,
            // Without a class, group or image, what refers to it seems to refer to nothing.
            Code::Dangling => self.has_entry,
            _ => false,
        };
        complaint.severity == Severity::Error && !may_follow && !touches
    }
}
