//! The manager in front of real daemons, driven as people drive it.

mod cluster;
mod compose;
mod containers;
mod faults;
mod filters;
mod parity;
mod placement;
mod podman;
mod readme;
mod rescue;
mod secure;
pub mod stores;

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use crate::clients::Client;
use crate::daemons::{Daemons, OWN_ADDRESS};
use crate::guardian;
use crate::runner::Case;

/// All cases, by subject.
pub const CASES: [&[Case]; 12] = [
    &compose::CASES,
    &containers::CASES,
    &filters::CASES,
    &placement::CASES,
    &cluster::CASES,
    &parity::CASES,
    &faults::CASES,
    &rescue::CASES,
    &secure::CASES,
    &podman::CASES,
    &stores::CASES,
    &readme::CASES,
];

/// Long enough on a machine that is busy with other things, too.
const SOON: Duration = Duration::from_secs(20);

/// Where the manager listens unless a test says otherwise.
const PORT: u16 = 3375;

/// Flags that make it notice soon what daemons do.
const QUICK: [&str; 8] = [
    "--engine-refresh-min-interval",
    "1s",
    "--engine-refresh-max-interval",
    "2s",
    "--engine-failure-retry",
    "2",
    "--heartbeat",
    "1s",
];

/// A manager that runs. Dropping it ends it, and shows its log if the test has failed.
pub struct Manager {
    process: Child,
    log: PathBuf,
    port: u16,
}

/// The answer to a request that no client program makes.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Manager {
    /// In front of these daemons, all of which are healthy.
    #[track_caller]
    pub fn over(daemons: &Daemons) -> Self {
        Self::with(daemons, &[])
    }

    /// The same with further flags.
    #[track_caller]
    pub fn with(daemons: &Daemons, flags: &[&str]) -> Self {
        let manager = Self::start(flags, &daemons.addresses());
        manager.wait_for_healthy(daemons.iter().count());
        manager
    }

    /// In front of whatever the discovery finds. Its API answers.
    #[track_caller]
    pub fn start(flags: &[&str], discovery: &str) -> Self {
        Self::start_at(PORT, flags, discovery)
    }

    /// The same beside others, at another port.
    #[track_caller]
    pub fn start_at(port: u16, flags: &[&str], discovery: &str) -> Self {
        Self::launch(port, &[&QUICK, flags].concat(), discovery)
    }

    /// With these flags only.
    #[track_caller]
    fn launch(port: u16, flags: &[&str], discovery: &str) -> Self {
        let name = format!("manager-{port}.log");
        let log = guardian::laboratory().expect("in the laboratory").join(name);
        let (out, err) = File::create(&log)
            .and_then(|file| Ok((file.try_clone()?, file)))
            .expect("the manager's log");
        let process = Command::new(env!("CARGO_BIN_EXE_swarmlab"))
            .args(["--debug", "manage", "-H", &format!("tcp://{OWN_ADDRESS}:{port}")])
            .args(flags)
            .arg(discovery)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn()
            .expect("the manager starts");
        let manager = Self { process, log, port };
        let listens = || TcpStream::connect((OWN_ADDRESS, port)).is_ok();
        eventually(listens, |listens| *listens);
        manager
    }

    #[track_caller]
    fn wait_for_healthy(&self, count: usize) {
        let info = || self.docker().ok(["info"]);
        eventually(info, |info| info.matches("Status: Healthy").count() == count);
    }

    pub fn endpoint(&self) -> String {
        format!("tcp://{}", self.address())
    }

    /// `host:port`
    pub fn address(&self) -> String {
        format!("{OWN_ADDRESS}:{}", self.port)
    }

    fn signal(&self, signal: Signal) {
        rustix::process::kill_process(Pid::from_child(&self.process), signal).expect("it runs");
    }

    pub fn docker(&self) -> Client {
        Client::docker(&self.endpoint())
    }

    pub fn every_docker(&self) -> Vec<Client> {
        Client::every_docker(&self.endpoint())
    }

    fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Sends a request, and leaves the answer to be read.
    fn send(&self, method: &str, path: &str, body: &str) -> TcpStream {
        let mut stream = TcpStream::connect((OWN_ADDRESS, self.port)).expect("the manager listens");
        stream.set_read_timeout(Some(SOON)).expect("a deadline");
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        )
        .expect("the manager reads");
        stream
    }

    #[track_caller]
    fn ask(&self, method: &str, path: &str, body: &str) -> Answer {
        let mut text = String::new();
        self.send(method, path, body)
            .read_to_string(&mut text)
            .unwrap_or_else(|error| panic!("{method} {path}: {error} after {text:?}"));
        let (head, body) = text.split_once("\r\n\r\n").expect("a whole head");
        let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
        Answer {
            status: status.expect("a status"),
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }

    /// The status of the answer and what it says about a failure.
    #[track_caller]
    fn told(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let answer = self.ask(method, path, body);
        let told: serde_json::Value = serde_json::from_str(&answer.body).unwrap_or_default();
        let message = told["message"].as_str().unwrap_or(answer.body.trim());
        (answer.status, message.to_owned())
    }

    /// A list of objects.
    #[track_caller]
    fn listed(&self, path: &str) -> Vec<serde_json::Value> {
        let answer = self.ask("GET", path, "");
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        serde_json::from_str(&answer.body).expect("a list")
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        rustix::process::kill_process(Pid::from_child(&self.process), Signal::KILL).ok();
        self.process.wait().ok();
        if thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!(
                "the manager said:\n{}",
                lines[lines.len().saturating_sub(20)..].join("\n")
            );
        }
    }
}

/// Asks again until the answer is right, for things that take a moment.
#[track_caller]
pub fn eventually<T: std::fmt::Debug>(ask: impl FnMut() -> T, right: impl Fn(&T) -> bool) -> T {
    within(SOON, ask, right)
}

#[track_caller]
fn within<T: std::fmt::Debug>(deadline: Duration, mut ask: impl FnMut() -> T, right: impl Fn(&T) -> bool) -> T {
    let until = Instant::now() + deadline;
    loop {
        let answer = ask();
        if right(&answer) {
            return answer;
        }
        assert!(Instant::now() < until, "still {answer:?}");
        thread::sleep(Duration::from_millis(30));
    }
}

/// The words of a command line without quotes.
fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

/// Text in the query of a request.
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    let one = |byte: u8| {
        if plain(byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    text.bytes().map(one).collect()
}

/// Reads the head of an answer and nothing of its body.
fn read_head(stream: &mut TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}
