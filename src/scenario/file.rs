//! Reads files, and says why it could not in words that help.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::diagnostic::{Code, Diagnostic};
use super::suggest::nearest;

/// Reads a whole file of at most `limit` bytes. Pipes and the like are read too, as far as the limit.
pub(super) fn read(path: &Path, limit: u64) -> Result<Vec<u8>, Diagnostic> {
    let fault = |error: io::Error| unreadable(path, &error);
    let file = File::open(path).map_err(fault)?;
    let metadata = file.metadata().map_err(fault)?;
    if metadata.is_dir() {
        return Err(fault(ErrorKind::IsADirectory.into()));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len().min(limit)).unwrap_or(0));
    file.take(limit + 1).read_to_end(&mut bytes).map_err(fault)?;
    if bytes.len() as u64 > limit {
        let message = format!("{} is larger than {} MiB", path.display(), limit >> 20);
        return Err(Diagnostic::error(Code::TooLarge, message));
    }
    Ok(bytes)
}

fn unreadable(path: &Path, error: &io::Error) -> Diagnostic {
    let name = path.display();
    let message = match error.kind() {
        ErrorKind::NotFound => format!("there is no file {name}"),
        ErrorKind::PermissionDenied => format!("{name} may not be read"),
        ErrorKind::IsADirectory => format!("{name} is a directory"),
        ErrorKind::NotADirectory => format!("a part of the path {name} is not a directory"),
        _ => format!("{name} cannot be read: {error}"),
    };
    let diagnostic = Diagnostic::error(Code::Unreadable, message);
    match (error.kind(), neighbour(path)) {
        (ErrorKind::NotFound, Some(near)) => diagnostic.with_help(format!("did you mean {near}?")),
        _ => diagnostic,
    }
}

/// A file in the same directory whose name is much the same.
fn neighbour(path: &Path) -> Option<String> {
    /// A directory with more entries than this is no place to look for a misspelt name.
    const MOST_ENTRIES: usize = 10_000;
    let directory = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let entries = directory.read_dir().ok()?.take(MOST_ENTRIES).flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    // Directories are listed in no order.
    names.sort();
    let wanted = path.file_name()?.to_str()?;
    let near = nearest(wanted, names.iter().map(String::as_str))?;
    Some(path.with_file_name(near).display().to_string())
}

/// The SHA-256 of the bytes, in hexadecimal.
pub(super) fn fingerprint(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
