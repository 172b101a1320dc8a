//! What is left of a scenario without the parts that do not fit the format, so that the faults in the meaning of the
//! rest can be told together with those.

use serde_json::Value;

use super::check;
use super::diagnostic::{Code, Diagnostic, Severity};
use super::path::{Path, Segment};

/// Parts that have been left out.
#[derive(Debug, Default)]
pub(super) struct Pruned {
    paths: Vec<Path>,
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
        for fault in &faults {
            let path = removable(fault.path.segments())?;
            // An earlier fault may have taken it along.
            if remove(&mut rest, &path) {
                pruned.paths.push(path);
            }
        }
        if pruned.paths.len() == before {
            // What is missing cannot be left out; what it is missing from can.
            let path = enclosing(&mut rest, faults.first()?.path.segments())?;
            pruned.paths.push(path);
        }
    }
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
    /// Whether a complaint about the rest would also be one about the whole: it is a fault, and not the consequence of
    /// what was left out.
    pub fn is_meant(&self, complaint: &Diagnostic, path: &Path) -> bool {
        if self.paths.is_empty() {
            return true;
        }
        let touches = |pruned: &Path| {
            let (pruned, path) = (pruned.segments(), path.segments());
            pruned.starts_with(path) || path.starts_with(pruned)
        };
        // Without a class, group or image, what refers to it seems to refer to nothing.
        let is_entry = |pruned: &Path| {
            let depth = match pruned.segments().first() {
                Some(Segment::Key(key)) if key == "cluster" => 3,
                Some(Segment::Key(key)) if key == "workload" || key == "images" => 2,
                _ => 0,
            };
            pruned.segments().len() <= depth
        };
        let may_follow = match complaint.code {
            Code::Endless => true,
            Code::Dangling => self.paths.iter().any(is_entry),
            _ => false,
        };
        complaint.severity == Severity::Error && !may_follow && !self.paths.iter().any(touches)
    }
}
