//! The directory that a command writes its results into.
//!
//! Every file is written under a temporary name beside its place and renamed when it is whole, so that a run that is
//! killed leaves no half file. The manifest says which files belong together: it is removed before the first of them is
//! replaced and written after the last, so that none ever lies beside files of another run. What would stop a run at its end is found at its start: the directory is made, written
//! to and measured before anything runs.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};

/// A directory that can be written to.
#[derive(Clone, Debug)]
pub struct OutputDir {
    path: PathBuf,
}

/// Results that are taking the place of others. Until they are finished the directory has no manifest.
#[derive(Debug)]
pub struct ResultSet<'a> {
    directory: &'a OutputDir,
}

/// A file that appears under its name once it is finished.
#[derive(Debug)]
pub struct PendingFile {
    writer: BufWriter<NamedTempFile>,
    path: PathBuf,
}

/// Why results cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// A file or directory cannot be made, written or renamed.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The disk has less room than the results need.
    #[error(
        "not enough room in {}: the results need about {needed_mib} MiB and {free_mib} MiB are free; choose another \
         directory with --out, or write fewer files (see --help)",
        path.display()
    )]
    Full {
        /// Where.
        path: PathBuf,
        /// Estimate of what is needed.
        needed_mib: u64,
        /// What is free.
        free_mib: u64,
    },
}

/// The file that says what the others in its directory are the results of.
const MANIFEST: &str = "manifest.json";
const PREFIX: &str = ".swarmlab-";
/// Enough to find out that a disk is full.
const PROBE_BYTES: usize = 1 << 16;

impl OutputDir {
    /// Makes the directory if need be, and makes sure that about so many bytes can be written into it.
    pub fn create(path: &Path, needed_bytes: u64) -> Result<OutputDir, OutputError> {
        let error = |action| {
            move |source| OutputError::Io {
                action,
                path: path.to_owned(),
                source,
            }
        };
        fs::create_dir_all(path).map_err(error("make the output directory"))?;
        let mut probe = temporary(path).map_err(error("write into the output directory"))?;
        let written = probe
            .write_all(&[0; PROBE_BYTES])
            .and_then(|()| probe.as_file().sync_all());
        written.map_err(error("write into the output directory"))?;
        let disk = rustix::fs::statvfs(path).map_err(io::Error::from);
        let disk = disk.map_err(error("measure the room in"))?;
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        if free < needed_bytes {
            return Err(OutputError::Full {
                path: path.to_owned(),
                needed_mib: needed_bytes >> 20,
                free_mib: free >> 20,
            });
        }
        Ok(OutputDir { path: path.to_owned() })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Begins to replace the results of an earlier run. From now on the directory has no manifest.
    pub fn replace(&self) -> Result<ResultSet<'_>, OutputError> {
        self.discard(MANIFEST)?;
        Ok(ResultSet { directory: self })
    }

    fn begin(&self, name: &str) -> Result<PendingFile, OutputError> {
        let path = self.path.join(name);
        match temporary(&self.path) {
            Ok(file) => Ok(PendingFile {
                writer: BufWriter::with_capacity(1 << 18, file),
                path,
            }),
            Err(source) => Err(OutputError::Io {
                action: "begin",
                path,
                source,
            }),
        }
    }

    /// Writes a whole file that belongs to no set of results.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), OutputError> {
        let mut file = self.begin(name)?;
        match file.write_all(bytes) {
            Ok(()) => file.finish(),
            Err(source) => Err(OutputError::Io {
                action: "write",
                path: file.path,
                source,
            }),
        }
    }

    fn discard(&self, name: &str) -> Result<(), OutputError> {
        let path = self.path.join(name);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(OutputError::Io {
                action: "remove the outdated",
                path,
                source,
            }),
            _ => Ok(()),
        }
    }
}

impl ResultSet<'_> {
    /// Begins a file.
    pub fn begin(&self, name: &str) -> Result<PendingFile, OutputError> {
        self.directory.begin(name)
    }

    /// Writes a whole file.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), OutputError> {
        self.directory.write(name, bytes)
    }

    /// Removes a result of an earlier run that this one does not write, so that what lies together belongs together.
    pub fn discard(&self, name: &str) -> Result<(), OutputError> {
        self.directory.discard(name)
    }

    /// Writes the manifest, once everything else is there.
    pub fn finish(self, manifest: &[u8]) -> Result<(), OutputError> {
        self.directory.write(MANIFEST, manifest)
    }
}

fn temporary(directory: &Path) -> io::Result<NamedTempFile> {
    let mut builder = Builder::new();
    builder.prefix(PREFIX);
    // Results are for others to read, unlike most temporary files.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o644));
    }
    builder.tempfile_in(directory)
}

impl PendingFile {
    /// Gives the file its name.
    pub fn finish(self) -> Result<(), OutputError> {
        let path = self.path;
        let error = |action, source| OutputError::Io {
            action,
            path: path.clone(),
            source,
        };
        let file = self
            .writer
            .into_inner()
            .map_err(|failed| error("write", failed.into_error()))?;
        file.persist(&path)
            .map_err(|failed| error("rename a finished file to", failed.error))?;
        Ok(())
    }
}

impl Write for PendingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}
