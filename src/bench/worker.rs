//! A measuring process as the one that started it sees it.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use super::case::Case;
use super::measure::Timed;
use super::origin::Origin;
use super::protocol::{Answer, Ask, LINE_MAX, PROTOCOL, SubjectSpec};

/// The first argument that makes the program a measuring process.
pub const COMMAND: &str = "bench-worker";

/// How long a program may take to say who it is.
const GREETING: Duration = Duration::from_secs(15);
/// How long it may take to build a cluster, which may need a simulation, or to run a batch.
const WORK: Duration = Duration::from_secs(1800);
/// How long it may take to end after its input has.
const FAREWELL: Duration = Duration::from_secs(30);
/// Time between two looks at whether the user has seen enough.
const GLANCE: Duration = Duration::from_millis(20);
/// What is kept of its error output.
const COMPLAINT_MAX: u64 = 4096;

/// Why a process does not measure.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// It could not be started.
    #[error("cannot start {}", program.display())]
    Start {
        /// Which.
        program: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It answers something else than this program would, or nothing.
    #[error("{} is no swarmlab, or one that cannot measure yet: {said}", program.display())]
    NotOurs {
        /// Which.
        program: PathBuf,
        /// What it said or did instead.
        said: String,
    },
    /// It speaks another version of the protocol.
    #[error("{} cannot be measured together with this one: it speaks version {theirs} of the protocol, not {PROTOCOL}", program.display())]
    Protocol {
        /// Which.
        program: PathBuf,
        /// Its version.
        theirs: u32,
    },
    /// It said that it cannot.
    #[error("{} cannot measure this: {said}", program.display())]
    Refused {
        /// Which.
        program: PathBuf,
        /// Its reason.
        said: String,
    },
    /// It ended, or fell silent, in the middle.
    #[error("{} stopped measuring: {said}", program.display())]
    Lost {
        /// Which.
        program: PathBuf,
        /// What is known of it.
        said: String,
    },
    /// The user has seen enough.
    #[error("interrupted")]
    Interrupted,
}

/// A measuring process. It is ended when dropped.
pub struct Worker<'a> {
    program: PathBuf,
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<io::Result<String>>,
    complaint: Receiver<String>,
    interrupted: &'a (dyn Fn() -> bool + Sync),
    origin: Origin,
}

impl<'a> Worker<'a> {
    /// Starts a program and shows it what is measured. `interrupted` is asked while waiting for it.
    ///
    /// # Errors
    ///
    /// If it cannot be started, is no swarmlab, or cannot find the subject.
    pub fn start(
        program: &Path,
        subject: &SubjectSpec,
        interrupted: &'a (dyn Fn() -> bool + Sync),
    ) -> Result<Worker<'a>, WorkerError> {
        Worker::start_with(Command::new(program), program, subject, interrupted)
    }

    /// The same through a command that runs the program: the argument that makes it measure is added.
    pub(super) fn start_with(
        mut command: Command,
        program: &Path,
        subject: &SubjectSpec,
        interrupted: &'a (dyn Fn() -> bool + Sync),
    ) -> Result<Worker<'a>, WorkerError> {
        command.arg(COMMAND);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        // Ctrl-C is for this process, which then ends the other.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let start = |source| WorkerError::Start {
            program: program.to_owned(),
            source,
        };
        let mut child = command.spawn().map_err(start)?;
        let (input, output, errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let mut worker = Worker {
            program: program.to_owned(),
            child,
            input,
            lines: read_lines(output),
            complaint: read_complaint(errors),
            interrupted,
            origin: Origin::default(),
        };
        match worker.ask(&Ask::Greet, GREETING) {
            Ok(Answer::Greeted { protocol, origin }) if protocol == PROTOCOL => worker.origin = origin,
            Ok(Answer::Greeted { protocol: theirs, .. }) => {
                return Err(WorkerError::Protocol {
                    program: program.to_owned(),
                    theirs,
                });
            }
            Ok(other) => return Err(worker.not_ours(format!("it answered {other:?}"))),
            // Until it has greeted, it is somebody else's program, which does not understand.
            Err(WorkerError::Lost { said, .. } | WorkerError::Refused { said, .. }) => {
                return Err(worker.not_ours(said));
            }
            Err(other) => return Err(other),
        }
        match worker.ask(&Ask::Open(subject.clone()), WORK)? {
            Answer::Opened => Ok(worker),
            other => Err(worker.lost(format!("it answered {other:?}"))),
        }
    }

    /// What it was built by, as it says.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Has it set up a case and warm it up.
    ///
    /// # Errors
    ///
    /// If it cannot.
    pub fn prepare(&mut self, case: &Case) -> Result<(), WorkerError> {
        match self.ask(&Ask::Prepare(case.clone()), WORK)? {
            Answer::Prepared => Ok(()),
            other => Err(self.lost(format!("it answered {other:?}"))),
        }
    }

    /// Has it time iterations one by one: at most so many, and no more once they have taken so long.
    ///
    /// # Errors
    ///
    /// If it cannot.
    pub fn time_singly(&mut self, at_most: u64, span: Duration) -> Result<Vec<u64>, WorkerError> {
        let nanoseconds = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        match self.ask(&Ask::TimeSingly { at_most, nanoseconds }, WORK)? {
            Answer::TimedSingly { nanoseconds } => Ok(nanoseconds),
            other => Err(self.lost(format!("it answered {other:?}"))),
        }
    }

    /// Has it run iterations of the case with their instructions counted.
    pub(super) fn count(&mut self, iterations: u64) -> Result<(), WorkerError> {
        match self.ask(&Ask::Count { iterations }, WORK)? {
            Answer::Counted => Ok(()),
            other => Err(self.lost(format!("it answered {other:?}"))),
        }
    }

    /// Lets it end by itself, and says how it did.
    pub(super) fn end(mut self) -> Result<ExitStatus, WorkerError> {
        self.input = None;
        let begin = Instant::now();
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Ok(status),
                Ok(None) if begin.elapsed() < FAREWELL => self.glance()?,
                Ok(None) => return Err(self.lost("it does not end".to_owned())),
                Err(error) => return Err(self.lost(error.to_string())),
            }
            thread::sleep(GLANCE);
        }
    }

    fn ask(&mut self, ask: &Ask, patience: Duration) -> Result<Answer, WorkerError> {
        let mut line = serde_json::to_string(ask).map_err(|error| self.lost(error.to_string()))?;
        line.push('\n');
        let written = match &mut self.input {
            Some(input) => input.write_all(line.as_bytes()).and_then(|()| input.flush()),
            None => Ok(()),
        };
        // One that has ended takes no more input; why it has is more worth knowing.
        if written.is_err() {
            let said = self.how_it_ended();
            return Err(self.lost(said));
        }
        let begin = Instant::now();
        loop {
            match self.lines.recv_timeout(GLANCE) {
                Ok(Ok(line)) => return self.understand(&line),
                Ok(Err(error)) => return Err(self.lost(format!("what it says cannot be read: {error}"))),
                Err(RecvTimeoutError::Disconnected) => {
                    self.glance()?;
                    let said = self.how_it_ended();
                    return Err(self.lost(said));
                }
                Err(RecvTimeoutError::Timeout) => self.glance()?,
            }
            if begin.elapsed() >= patience {
                return Err(self.lost(format!("it has said nothing for {} s", patience.as_secs())));
            }
        }
    }

    fn understand(&self, line: &str) -> Result<Answer, WorkerError> {
        match serde_json::from_str(line) {
            Ok(Answer::Failed(said)) => Err(WorkerError::Refused {
                program: self.program.clone(),
                said,
            }),
            Ok(answer) => Ok(answer),
            Err(_) => {
                let shown: String = line.trim_end().chars().take(60).collect();
                Err(self.lost(format!("it says {shown:?}")))
            }
        }
    }

    fn glance(&self) -> Result<(), WorkerError> {
        if (self.interrupted)() {
            Err(WorkerError::Interrupted)
        } else {
            Ok(())
        }
    }

    /// What is known of a process that has closed its output.
    fn how_it_ended(&mut self) -> String {
        let begin = Instant::now();
        let mut status = None;
        while status.is_none() && begin.elapsed() < Duration::from_secs(1) {
            status = self.child.try_wait().ok().flatten();
            thread::sleep(GLANCE);
        }
        let ended = status.map_or("it closed its output".to_owned(), |status| {
            format!("it ended ({status})")
        });
        let complaint = self
            .complaint
            .recv_timeout(Duration::from_millis(200))
            .unwrap_or_default();
        match complaint.lines().find(|line| !line.trim().is_empty()) {
            Some(line) => format!("{ended}, saying: {}", line.trim()),
            None => ended,
        }
    }

    fn lost(&self, said: String) -> WorkerError {
        WorkerError::Lost {
            program: self.program.clone(),
            said,
        }
    }

    fn not_ours(&self, said: String) -> WorkerError {
        WorkerError::NotOurs {
            program: self.program.clone(),
            said,
        }
    }
}

impl Timed for Worker<'_> {
    type Error = WorkerError;

    fn time(&mut self, iterations: u64) -> Result<u64, WorkerError> {
        match self.ask(&Ask::Time { iterations }, WORK)? {
            Answer::Timed { nanoseconds } => Ok(nanoseconds),
            other => Err(self.lost(format!("it answered {other:?}"))),
        }
    }
}

impl Drop for Worker<'_> {
    fn drop(&mut self) {
        // It may have ended by itself, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads lines as they come. Whoever says more than is asked for waits, and ends with the receiver.
fn read_lines(output: Option<impl Read + Send + 'static>) -> Receiver<io::Result<String>> {
    let (sender, receiver) = sync_channel(1);
    if let Some(output) = output {
        thread::spawn(move || {
            let mut reader = BufReader::new(output);
            loop {
                let mut line = String::new();
                let read = reader.by_ref().take(LINE_MAX).read_line(&mut line);
                let message = match read {
                    Ok(0) => return,
                    Ok(_) => Ok(line),
                    Err(error) => Err(error),
                };
                let last = message.is_err();
                if sender.send(message).is_err() || last {
                    return;
                }
            }
        });
    }
    receiver
}

/// Reads all of the error output, so that nobody waits to write it, and keeps its beginning.
fn read_complaint(errors: Option<impl Read + Send + 'static>) -> Receiver<String> {
    let (sender, receiver) = sync_channel(1);
    if let Some(mut errors) = errors {
        thread::spawn(move || {
            let mut kept = Vec::new();
            // Neither failure has a remedy: the complaint is a courtesy.
            let _ = errors.by_ref().take(COMPLAINT_MAX).read_to_end(&mut kept);
            let _ = io::copy(&mut errors, &mut io::sink());
            let _ = sender.send(String::from_utf8_lossy(&kept).into_owned());
        });
    }
    receiver
}
