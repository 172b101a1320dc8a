//! Commands that run until they are ended.

use super::*;

use std::io::{BufRead, BufReader};
use std::process::Child;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

/// Longest wait for anything; ends only on failure.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A running command and the lines that it prints.
pub struct Running {
    child: Child,
    lines: Receiver<String>,
}

impl Running {
    pub fn start(line: &str) -> Running {
        Running::of(swarmlab(&words(line)))
    }

    pub fn of(mut command: Command) -> Running {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the program starts");
        let output = child.stdout.take().expect("a pipe");
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Running { child, lines }
    }

    /// Waits for a line with this text.
    pub fn expect(&self, text: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("no line with {text}"));
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Ends it and returns its exit code.
    pub fn end(self, signal: &str) -> Option<i32> {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status().expect("kill");
        assert!(sent.success());
        self.wait()
    }

    /// Waits until it has ended by itself, and returns its exit code.
    pub fn wait(mut self) -> Option<i32> {
        self.child.wait().expect("it ends").code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended unless the test has failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn case_13_join_goes_on_where_nothing_can_be_registered() {
    for (discovery, signal) in [("file:///x", "-TERM"), ("a:1", "-INT")] {
        let join = Running::start(&format!(
            "join --advertise 1.2.3.4:2375 --heartbeat 1s --ttl 2s {discovery}"
        ));
        let line = join.expect("Registering");
        let fields = "level=info msg=\"Registering on the discovery service every 1s...\" addr=\"1.2.3.4:2375\" ";
        assert!(line.contains(&format!("{fields}discovery=\"{discovery}\"")), "{line}");
        for _ in 0..2 {
            join.expect("level=error msg=\"not implemented in this discovery service\"");
        }
        assert_eq!(join.end(signal), Some(0));
    }
}

#[test]
fn join_waits_for_a_random_while_and_can_be_ended_meanwhile() {
    let join = Running::start("--log-level=info join --advertise h:1 --delay 1000h a:1");
    let line = join.expect("Add a random delay ");
    assert!(line.contains("to avoid synchronized registration"), "{line}");
    assert_eq!(join.end("-TERM"), Some(0));
}
