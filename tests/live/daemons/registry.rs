//! A registry in the laboratory, from which all nodes can pull.

use std::fs::{self, File};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::network::{self, OWN_ADDRESS};
use crate::{guardian, programs};

/// How long it may take until it listens.
const START_MAX: Duration = Duration::from_secs(30);

/// Where it listens. Nodes speak plain HTTP with it, as their configuration says.
pub const PORT: u16 = 5000;

/// A registry that runs, empty at first. There is one at a time; tests that use it say `needs Registry`.
pub struct Registry {
    process: Child,
    directory: PathBuf,
}

impl Registry {
    pub fn start() -> Self {
        network::open();
        let directory = guardian::laboratory().expect("in the laboratory").join("registry");
        fs::create_dir(&directory).expect("the registry's directory");
        let settings = format!(
            "version: 0.1\nlog:\n  accesslog:\n    disabled: true\nstorage:\n  filesystem:\n    rootdirectory: {}\n\
             http:\n  addr: {OWN_ADDRESS}:{PORT}\n",
            directory.join("data").display()
        );
        fs::write(directory.join("settings.yml"), settings).expect("the registry's settings");
        let log = File::create(directory.join("log")).expect("the registry's log");
        let program = programs::find("docker-registry").expect("the test says that it needs a registry");
        let process = Command::new(program)
            .arg("serve")
            .arg(directory.join("settings.yml"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the registry starts");
        let registry = Self { process, directory };
        let until = Instant::now() + START_MAX;
        while TcpStream::connect((OWN_ADDRESS, PORT)).is_err() {
            let log = fs::read_to_string(registry.directory.join("log")).unwrap_or_default();
            assert!(Instant::now() < until, "the registry does not listen: {log}");
            thread::sleep(Duration::from_millis(30));
        }
        registry
    }

    /// The full name of an image in it: `10.231.0.1:5000/app:1` for `app:1`.
    pub fn image(&self, name: &str) -> String {
        format!("{OWN_ADDRESS}:{PORT}/{name}")
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
        fs::remove_dir_all(&self.directory).ok();
    }
}
