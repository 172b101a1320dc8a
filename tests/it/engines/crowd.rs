//! Engines in a process that may open few files.
#![cfg(unix)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The program with a hard limit, until it is dropped.
struct Limited(std::process::Child);

impl Limited {
    fn start(limit: u32, network: &str) -> Limited {
        let program = env!("CARGO_BIN_EXE_swarmlab");
        let line =
            format!("ulimit -n {limit}; exec {program} engines scenarios/zones.toml --network {network} --port 23754");
        let mut command = Command::new("sh");
        command.args(["-c", &line]).current_dir(env!("CARGO_MANIFEST_DIR"));
        Limited(
            command
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .expect("a shell"),
        )
    }
}

impl Drop for Limited {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A network that no other test has, nor another process that tests.
fn network(third: u32) -> String {
    format!("127.{}.{third}.0", 180 + std::process::id() % 60)
}

/// Asks, and gives the head of the answer and the connection.
fn ping(address: &str) -> (String, TcpStream) {
    let begun = Instant::now();
    let mut stream = loop {
        match TcpStream::connect(address) {
            Ok(stream) => break stream,
            Err(error) => assert!(begun.elapsed() < Duration::from_secs(60), "{error}"),
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a time");
    stream
        .write_all(b"GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n")
        .expect("sent");
    let mut heard = [0; 1024];
    let length = stream.read(&mut heard).expect("an answer");
    (String::from_utf8_lossy(&heard[..length]).to_lowercase(), stream)
}

#[test]
fn clients_keep_no_connections_for_later_when_there_are_too_many() {
    let network = network(1);
    let _engines = Limited::start(200, &network);
    let address = |number: u32| format!("{}{}:23754", network.trim_end_matches('0'), 1 + number % 24);
    let (first, kept) = ping(&address(0));
    assert!(
        first.starts_with("http/1.1 200") && !first.contains("connection: close"),
        "{first}"
    );
    let mut all = vec![kept];
    // More than there can be: those that are closed make room.
    for number in 0..400 {
        let (answer, stream) = ping(&address(number));
        assert!(answer.starts_with("http/1.1 200"), "{number}: {answer}");
        if !answer.contains("connection: close") {
            all.push(stream);
        }
    }
    assert!((100..160).contains(&all.len()), "{}", all.len());
}

#[test]
fn a_limit_that_is_too_low_is_told_with_what_to_do() {
    let mut engines = Limited::start(100, &network(2));
    let begun = Instant::now();
    while engines.0.try_wait().expect("a child").is_none() {
        if begun.elapsed() > Duration::from_secs(3) {
            // Root may go beyond the limit, where the system lets it.
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let mut errors = String::new();
    engines
        .0
        .stderr
        .take()
        .expect("a pipe")
        .read_to_string(&mut errors)
        .expect("text");
    assert_eq!(engines.0.wait().expect("its end").code(), Some(1));
    for expected in [
        "136 open files are needed and the hard limit is 100",
        "ulimit -n 136",
        "LimitNOFILE=136",
    ] {
        assert!(errors.contains(expected), "{errors}");
    }
}
