//! Libraries of other languages that speak to Docker, from the registries of their languages: fetched beside the tests, in
//! fixed versions, and not installed.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::{find, find_all};
use crate::guardian;

/// A registry that takes longer is taken for one that cannot be reached.
const FETCH_MAX: Duration = Duration::from_secs(300);

/// The name of the file that says which packages a directory has, written when all of them are there.
const LIST: &str = "packages";

/// A language with a registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    Python,
    Node,
}

impl Language {
    /// The packages, in versions that Debian's stable release can run.
    fn packages(self) -> &'static [&'static str] {
        match self {
            Self::Python => &["docker==7.1.0", "testcontainers==4.10.0"],
            Self::Node => &["dockerode@4.0.9", "testcontainers@10.28.0"],
        }
    }

    /// What runs programs in it.
    pub fn interpreter(self) -> Option<PathBuf> {
        match self {
            // Several may be there, and not each can fetch packages.
            Self::Python => find_all("python3").into_iter().find(|python| {
                let tried = Command::new(python)
                    .args(["-m", "pip", "--version"])
                    .stdin(Stdio::null())
                    .output();
                tried.is_ok_and(|output| output.status.success())
            }),
            Self::Node => find("node").filter(|_| find("npm").is_some()),
        }
    }

    /// Debian's packages with the interpreter and what fetches packages.
    pub fn debian(self) -> &'static [&'static str] {
        match self {
            Self::Python => &["python3", "python3-pip"],
            Self::Node => &["nodejs", "npm"],
        }
    }

    /// Where the packages are, as the interpreter is told.
    pub fn search_path(self) -> (&'static str, PathBuf) {
        match self {
            Self::Python => ("PYTHONPATH", self.place()),
            Self::Node => ("NODE_PATH", self.place().join("node_modules")),
        }
    }

    fn place(self) -> PathBuf {
        let name = match self {
            Self::Python => "python",
            Self::Node => "node",
        };
        guardian::parent_path().join(name)
    }

    /// Whether the packages are not there in these versions.
    pub fn is_missing(self) -> bool {
        let listed = fs::read_to_string(self.place().join(LIST)).unwrap_or_default();
        listed != self.packages().join("\n") || self.interpreter().is_none()
    }

    /// Fetches the packages.
    pub fn fetch(self, scratch: &Path) -> Result<(), String> {
        let place = self.place();
        let say = |error: std::io::Error| format!("{}: {error}", place.display());
        eprintln!(
            "swarmlab: fetching {} for the tests with other clients",
            self.packages().join(" ")
        );
        match fs::remove_dir_all(&place) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(say(error)),
            _ => fs::create_dir_all(&place).map_err(say)?,
        }
        let missing = || format!("there is no {self:?} with a program that fetches packages");
        let mut command = match self {
            Self::Python => {
                let mut command = Command::new(self.interpreter().ok_or_else(missing)?);
                command.args(["-m", "pip", "install", "--quiet", "--no-input", "--retries", "1"]);
                command.args(["--only-binary", ":all:", "--root-user-action", "ignore", "--target"]);
                command
            }
            Self::Node => {
                let mut command = Command::new(find("npm").ok_or_else(missing)?);
                // Scripts would compile what is faster and not needed.
                command.args([
                    "install",
                    "--ignore-scripts",
                    "--no-audit",
                    "--no-fund",
                    "--fetch-retries",
                    "1",
                ]);
                command.arg("--prefix");
                command
            }
        };
        command.arg(&place).args(self.packages()).current_dir(&place);
        run(command, &scratch.join("fetch.log"))?;
        fs::write(place.join(LIST), self.packages().join("\n")).map_err(say)
    }
}

/// Runs a command to its end or for so long, and says what it said last if it fails.
fn run(mut command: Command, log: &Path) -> Result<(), String> {
    let out = File::create(log).map_err(|error| error.to_string())?;
    let errors = out.try_clone().map_err(|error| error.to_string())?;
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(errors)
        .spawn()
        .map_err(|error| format!("{name} does not start: {error}"))?;
    let until = Instant::now() + FETCH_MAX;
    let status = loop {
        match child.try_wait().map_err(|error| error.to_string())? {
            Some(status) => break status,
            None if Instant::now() > until => {
                child.kill().ok();
                child.wait().ok();
                return Err(format!("{name} took over {} s", FETCH_MAX.as_secs()));
            }
            None => thread::sleep(Duration::from_millis(50)),
        }
    };
    let text = fs::read_to_string(log).unwrap_or_default();
    let last = text.lines().rfind(|line| !line.trim().is_empty());
    match status.success() {
        true => Ok(()),
        false => Err(format!("{name} failed: {}", last.unwrap_or("without a word"))),
    }
}
