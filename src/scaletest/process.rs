//! Processes that are ended with this one, whatever happens to it, and whose last words are kept.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// The first argument that makes the program become another one, which does not outlive who started it.
pub const GUARD_COMMAND: &str = "bench-guard";

/// How long a process may take to end after it was told to.
const FAREWELL: Duration = Duration::from_secs(5);
/// Time between two looks at whether it has.
const GLANCE: Duration = Duration::from_millis(10);
/// What is shown of the end of a log.
const LAST_BYTES: u64 = 4096;
const LAST_LINES: usize = 12;

/// A process that was started here. It is ended, with what it started in its turn, when this is dropped.
#[derive(Debug)]
pub struct Child {
    what: &'static str,
    log: PathBuf,
    process: std::process::Child,
}

/// Why a process is not there.
#[derive(Debug, thiserror::Error)]
pub enum ChildError {
    /// It could not be started.
    #[error("cannot start the {what}: {source}")]
    Start {
        /// Which.
        what: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// It has ended.
    #[error("the {what} ended ({status}){}", told(last, log))]
    Ended {
        /// Which.
        what: &'static str,
        /// How.
        status: String,
        /// The last lines of its log.
        last: String,
        /// Where its log is.
        log: PathBuf,
    },
    /// It is not what it should be within its time.
    #[error(
        "the {what} {wrong} within {patience:?}; wait longer with --patience{}",
        told(last, log)
    )]
    Late {
        /// Which.
        what: &'static str,
        /// What it has not done.
        wrong: String,
        /// Its time.
        patience: Duration,
        /// The last lines of its log.
        last: String,
        /// Where its log is.
        log: PathBuf,
    },
}

fn told(last: &str, log: &Path) -> String {
    let log = log.display();
    match last.is_empty() {
        true => format!("; it wrote nothing to {log}"),
        false => format!("; the last of what it wrote to {log}:\n{last}"),
    }
}

impl Child {
    /// Starts a command line whose output goes to a file. `program` is this program, which watches over it.
    ///
    /// # Errors
    ///
    /// If it cannot be started.
    pub fn start(what: &'static str, program: &Path, line: &[String], log: &Path) -> Result<Child, ChildError> {
        let start = |source| ChildError::Start { what, source };
        let output = File::create(log).map_err(start)?;
        let errors = output.try_clone().map_err(start)?;
        let mut command = Command::new(program);
        command
            .arg(GUARD_COMMAND)
            .arg(std::process::id().to_string())
            .args(line)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors);
        // Ctrl-C is for this process, which then ends the other.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        Ok(Child {
            what,
            log: log.to_owned(),
            process: command.spawn().map_err(start)?,
        })
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// That it still runs.
    ///
    /// # Errors
    ///
    /// How it has ended, with its last words.
    pub fn check(&mut self) -> Result<(), ChildError> {
        match self.process.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(self.ended(&described(status))),
            Err(error) => Err(self.ended(&error.to_string())),
        }
    }

    fn ended(&self, status: &str) -> ChildError {
        ChildError::Ended {
            what: self.what,
            status: status.to_owned(),
            last: self.last_words(),
            log: self.log.clone(),
        }
    }

    /// That it has not done something in time.
    pub fn late(&self, wrong: impl Into<String>, patience: Duration) -> ChildError {
        ChildError::Late {
            what: self.what,
            wrong: wrong.into(),
            patience,
            last: self.last_words(),
            log: self.log.clone(),
        }
    }

    /// Whether it has written this.
    pub fn has_written(&self, text: &str) -> bool {
        tail(&self.log).is_ok_and(|written| written.contains(text))
    }

    fn last_words(&self) -> String {
        let text = tail(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let shown = &lines[lines.len().saturating_sub(LAST_LINES)..];
        shown
            .iter()
            .map(|line| format!("  {line}"))
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// Ends it: first it is asked to, then it is killed.
    pub fn end(&mut self) {
        if matches!(self.process.try_wait(), Ok(None)) {
            self.signal(false);
            let begun = Instant::now();
            while begun.elapsed() < FAREWELL && matches!(self.process.try_wait(), Ok(None)) {
                std::thread::sleep(GLANCE);
            }
        }
        // What it has started may still be there, in its group.
        self.signal(true);
        // It may have ended before it could be killed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    #[cfg(unix)]
    fn signal(&self, kill: bool) {
        use rustix::process::{Pid, Signal, kill_process_group};
        let signal = if kill { Signal::KILL } else { Signal::TERM };
        if let Some(group) = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw) {
            // There may be nobody left.
            let _ = kill_process_group(group, signal);
        }
    }

    #[cfg(not(unix))]
    fn signal(&self, _kill: bool) {}
}

impl Drop for Child {
    fn drop(&mut self) {
        self.end();
    }
}

fn described(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("exit code {code}"),
        None => status.to_string(),
    }
}

/// The end of a file, as text.
fn tail(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LAST_BYTES)))?;
    let mut bytes = Vec::new();
    file.take(LAST_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Becomes the program that the words name, after asking the system to kill it when the process with the number in the
/// first word, which has started it, ends in whatever way. Comes back only if that cannot be.
pub fn guard(words: &[std::ffi::OsString]) -> io::Error {
    let wrong = |text: &str| io::Error::new(io::ErrorKind::InvalidInput, text);
    let [parent, program, arguments @ ..] = words else {
        return wrong("a process and a command are needed");
    };
    let Some(parent) = parent.to_str().and_then(|text| text.parse::<i32>().ok()) else {
        return wrong("the first word is no process");
    };
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Signal, getppid, set_parent_process_death_signal};
        if let Err(error) = set_parent_process_death_signal(Some(Signal::KILL)) {
            return error.into();
        }
        // It may have ended before it could be watched.
        if getppid().map(|own| own.as_raw_nonzero().get()) != Some(parent) {
            return wrong("who started this has ended");
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = parent;
    become_program(program, arguments)
}

#[cfg(unix)]
fn become_program(program: &std::ffi::OsStr, arguments: &[std::ffi::OsString]) -> io::Error {
    use std::os::unix::process::CommandExt;
    let error = Command::new(program).args(arguments).exec();
    io::Error::new(error.kind(), format!("{}: {error}", program.display()))
}

#[cfg(not(unix))]
fn become_program(program: &std::ffi::OsStr, arguments: &[std::ffi::OsString]) -> io::Error {
    match Command::new(program).args(arguments).status() {
        Ok(status) => std::process::exit(status.code().unwrap_or(1)),
        Err(error) => error,
    }
}
