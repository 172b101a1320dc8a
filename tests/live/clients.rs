//! The programs that people drive Docker with, run as people run them: `docker` and `docker-compose`.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use rustix::pty::OpenptFlags;
use rustix::termios::Winsize;

use crate::programs::Language;
use crate::{guardian, programs};

/// How long a command may take unless the test says otherwise.
const DEADLINE: Duration = Duration::from_secs(60);

/// A client program with the endpoint it talks to. Its configuration directory holds nothing of the user's.
#[derive(Clone, Debug)]
pub struct Client {
    program: PathBuf,
    environment: Vec<(OsString, OsString)>,
    directory: PathBuf,
    deadline: Duration,
}

/// What a command came to.
#[derive(Debug)]
pub struct Output {
    /// None if it was ended by a signal, as it is at its deadline.
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
    pub took: Duration,
}

impl Client {
    /// The distribution's `docker`, with the same version as its daemon.
    pub fn docker(host: &str) -> Self {
        Self::new(&programs::find("docker").expect("docker was installed"), host)
    }

    /// Every `docker` on this machine, for tests that several versions must pass.
    pub fn every_docker(host: &str) -> Vec<Self> {
        programs::find_all("docker")
            .iter()
            .map(|program| Self::new(program, host))
            .collect()
    }

    /// `docker-compose`, run in the directory of its file. Tests that use it say `needs Compose`.
    pub fn compose(host: &str, directory: &Path) -> Self {
        let program = programs::find("docker-compose").expect("the test says that it needs docker-compose");
        let client = Self::new(&program, host);
        Self {
            directory: directory.to_owned(),
            ..client
        }
    }

    /// What runs scripts of a language, with its libraries. Tests that use it say which they need.
    pub fn script(language: Language, host: &str) -> Self {
        let program = language
            .interpreter()
            .expect("the test says that it needs the language");
        let (variable, place) = language.search_path();
        Self::new(&program, host)
            .environment(variable, &place.display().to_string())
            // It would be a container from a registry.
            .environment("TESTCONTAINERS_RYUK_DISABLED", "true")
    }

    fn new(program: &Path, host: &str) -> Self {
        let home = guardian::laboratory().expect("in the laboratory").join("home");
        let configuration = home.join("docker");
        fs::create_dir_all(&configuration).expect("a directory for the client's configuration");
        let environment = [
            ("DOCKER_HOST", OsString::from(host)),
            ("DOCKER_CONFIG", configuration.into_os_string()),
            ("HOME", home.clone().into_os_string()),
        ];
        let environment = environment.map(|(key, value)| (OsString::from(key), value)).to_vec();
        Self {
            program: program.to_owned(),
            environment,
            directory: home,
            deadline: DEADLINE,
        }
    }

    /// A different deadline: after it a command is killed, and `ok` and `fails` fail.
    pub fn within(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    pub fn environment(mut self, key: &str, value: &str) -> Self {
        self.environment.push((key.into(), value.into()));
        self
    }

    /// Runs a command to its end or its deadline.
    pub fn run<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Output {
        self.fed(b"", arguments)
    }

    /// The same with something on its standard input.
    pub fn fed<A: AsRef<OsStr>>(&self, input: &[u8], arguments: impl IntoIterator<Item = A>) -> Output {
        let mut session = self.start(arguments);
        // Written beside the reading of the output, or both sides might wait for each other.
        let (mut pipe, input) = (session.input.take().expect("its input"), input.to_vec());
        thread::spawn(move || pipe.write_all(&input).ok());
        session.finish()
    }

    /// What a command that must succeed prints.
    #[track_caller]
    pub fn ok<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> String {
        let arguments = collect(arguments);
        let output = self.run(&arguments);
        assert_eq!(output.code, Some(0), "{}: {output:?}", self.line(&arguments));
        output.out.trim_end().to_owned()
    }

    /// What a command that must fail says about it.
    #[track_caller]
    pub fn fails<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> String {
        let arguments = collect(arguments);
        let output = self.run(&arguments);
        assert!(
            output.code.is_some_and(|code| code != 0),
            "{}: {output:?}",
            self.line(&arguments)
        );
        output.err.trim_end().to_owned()
    }

    /// Starts a command and leaves it running.
    pub fn start<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Session {
        let arguments = collect(arguments);
        let mut command = self.command(self.program.as_os_str());
        command.args(&arguments).process_group(0);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", self.line(&arguments)));
        let out = Stream::read(child.stdout.take().expect("its output"));
        let err = Stream::read(child.stderr.take().expect("its error output"));
        let input = child.stdin.take().expect("its input");
        self.session(child, Some(File::from(OwnedFd::from(input))), None, out, err)
    }

    /// Starts a command on a pseudo-terminal of 80 columns and 24 lines, as in `docker run -it`.
    pub fn terminal<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Session {
        let arguments = collect(arguments);
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let ours = rustix::pty::openpt(flags).expect("a pseudo-terminal");
        rustix::pty::grantpt(&ours).expect("its permissions");
        rustix::pty::unlockpt(&ours).expect("its lock");
        let name = rustix::pty::ptsname(&ours, Vec::new()).expect("its name");
        let name = name.into_string().expect("its name is text");
        let noctty = i32::try_from(rustix::fs::OFlags::NOCTTY.bits()).expect("a flag");
        let theirs = || {
            File::options()
                .read(true)
                .write(true)
                .custom_flags(noctty)
                .open(&name)
                .expect("its other end")
        };
        let ours = File::from(ours);
        resize(&ours, 80, 24);
        // A session of its own, so that the terminal is its terminal, and Ctrl-C and resizing reach it.
        let mut command = self.command(OsStr::new("setsid"));
        command
            .arg("--ctty")
            .arg(&self.program)
            .args(&arguments)
            .env("TERM", "xterm");
        command.stdin(theirs()).stdout(theirs()).stderr(theirs());
        let child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", self.line(&arguments)));
        let out = Stream::read(ours.try_clone().expect("the terminal"));
        let input = ours.try_clone().expect("the terminal");
        self.session(child, Some(input), Some(ours), out, Stream::default())
    }

    fn command(&self, program: &OsStr) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.directory);
        for inherited in [
            "DOCKER_CONTEXT",
            "DOCKER_TLS_VERIFY",
            "DOCKER_CERT_PATH",
            "DOCKER_API_VERSION",
        ] {
            command.env_remove(inherited);
        }
        command.envs(self.environment.iter().map(|(key, value)| (key, value)));
        command
    }

    fn session(&self, child: Child, input: Option<File>, terminal: Option<File>, out: Stream, err: Stream) -> Session {
        let since = Instant::now();
        Session {
            child,
            input,
            terminal,
            out,
            err,
            since,
            deadline: self.deadline,
            status: None,
        }
    }

    fn line(&self, arguments: &[OsString]) -> String {
        let words = arguments.iter().map(|word| format!(" {}", word.to_string_lossy()));
        format!("{}{}", self.program.display(), words.collect::<String>())
    }
}

/// A command that runs. Dropping it kills it.
pub struct Session {
    child: Child,
    input: Option<File>,
    terminal: Option<File>,
    out: Stream,
    err: Stream,
    since: Instant,
    deadline: Duration,
    status: Option<ExitStatus>,
}

impl Session {
    /// Types something. A line ends with `\n`.
    pub fn send(&mut self, text: &str) {
        let input = self.input.as_mut().expect("its input is open");
        input.write_all(text.as_bytes()).expect("it reads");
    }

    /// Ends its input, as Ctrl-D does. (Of a terminal the input ends with what is typed: send `\u{4}`.)
    pub fn end_input(&mut self) {
        self.input = None;
    }

    /// Gives its terminal another size.
    pub fn resize(&self, columns: u16, rows: u16) {
        resize(self.terminal.as_ref().expect("it has a terminal"), columns, rows);
    }

    /// Waits until its output contains a text, at most for the given time, and returns all output up to now.
    #[track_caller]
    pub fn expect(&self, text: &str, deadline: Duration) -> String {
        let (out, found) = self.out.wait(text, deadline);
        assert!(
            found,
            "no {text:?} within {deadline:?}, but {out:?} and {:?}",
            self.err.text()
        );
        out
    }

    /// What it has printed up to now.
    pub fn out(&self) -> String {
        self.out.text()
    }

    pub fn signal(&self, signal: Signal) {
        rustix::process::kill_process(Pid::from_child(&self.child), signal).expect("it still runs");
    }

    /// Waits for its end, at most until its deadline, and then kills it.
    pub fn finish(mut self) -> Output {
        self.input = None;
        while self.status.is_none() && self.since.elapsed() < self.deadline {
            self.status = self.child.try_wait().expect("its state");
            if self.status.is_none() {
                thread::sleep(Duration::from_millis(3));
            }
        }
        self.kill();
        let took = self.since.elapsed();
        // Its own output ends with it; a child that it left behind must not keep us.
        self.out.wait_for_end(Duration::from_secs(2));
        self.err.wait_for_end(if self.terminal.is_some() {
            Duration::ZERO
        } else {
            Duration::from_secs(2)
        });
        let code = self.status.and_then(|status| status.code());
        Output {
            code,
            out: self.out.text(),
            err: self.err.text(),
            took,
        }
    }

    fn kill(&mut self) {
        if self.status.is_none() {
            rustix::process::kill_process_group(Pid::from_child(&self.child), Signal::KILL).ok();
            self.child.kill().ok();
            self.status = self.child.wait().ok();
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What comes out of a command, gathered by a thread.
#[derive(Clone, Default)]
struct Stream(Arc<(Mutex<Gathered>, Condvar)>);

#[derive(Default)]
struct Gathered {
    bytes: Vec<u8>,
    ended: bool,
}

impl Stream {
    fn read(mut source: impl Read + Send + 'static) -> Self {
        let stream = Self::default();
        let writer = stream.clone();
        thread::spawn(move || {
            let mut buffer = [0; 16 * 1024];
            loop {
                // A terminal whose other end is closed reports an error: for us the end.
                let read = source.read(&mut buffer).unwrap_or(0);
                let mut gathered = writer.lock();
                gathered.bytes.extend_from_slice(&buffer[..read]);
                gathered.ended = read == 0;
                writer.0.1.notify_all();
                if read == 0 {
                    return;
                }
            }
        });
        stream
    }

    fn lock(&self) -> MutexGuard<'_, Gathered> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.lock().bytes).into_owned()
    }

    fn wait(&self, text: &str, deadline: Duration) -> (String, bool) {
        let waiting =
            |gathered: &mut Gathered| !gathered.ended && !String::from_utf8_lossy(&gathered.bytes).contains(text);
        let waited = self.0.1.wait_timeout_while(self.lock(), deadline, waiting);
        let (gathered, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let seen = String::from_utf8_lossy(&gathered.bytes).into_owned();
        let found = seen.contains(text);
        (seen, found)
    }

    fn wait_for_end(&self, deadline: Duration) {
        drop(
            self.0
                .1
                .wait_timeout_while(self.lock(), deadline, |gathered| !gathered.ended),
        );
    }
}

fn collect<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Vec<OsString> {
    arguments
        .into_iter()
        .map(|argument| argument.as_ref().to_owned())
        .collect()
}

fn resize(terminal: &File, columns: u16, rows: u16) {
    let size = Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    rustix::termios::tcsetwinsize(terminal, size).expect("the terminal's size");
}
