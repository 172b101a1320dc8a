//! Which cases run, in order, and what is said about each: the arguments and the output of Rust's own test runner.

use std::io::Write;
use std::panic;
use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::guardian;
use crate::programs::Need;
use crate::skip;

/// After this a case counts as hanging. Those that wait for less have deadlines of their own.
const CASE_MAX: Duration = Duration::from_secs(300);

/// One test.
#[derive(Clone, Copy)]
pub struct Case {
    pub name: &'static str,
    /// What it needs beside an engine.
    pub needs: &'static [Need],
    pub run: fn(),
}

/// The cases of a module, named after its functions: `cases!(harness: one, another needs Podman)`.
macro_rules! cases {
    ($module:ident: $($function:ident $(needs $need:ident)*),+ $(,)?) => {
        [$($crate::runner::Case {
            name: concat!(stringify!($module), "::", stringify!($function)),
            needs: &[$($crate::programs::Need::$need),*],
            run: $function,
        }),+]
    };
}
pub(crate) use cases;

/// What was asked for on the command line.
#[derive(Default)]
struct Wanted {
    filters: Vec<String>,
    skipped: Vec<String>,
    exact: bool,
    list: bool,
    ignored_only: bool,
}

impl Wanted {
    fn read(arguments: impl Iterator<Item = String>) -> Self {
        let mut wanted = Self::default();
        let mut arguments = arguments;
        while let Some(argument) = arguments.next() {
            let (flag, value) = match argument.split_once('=') {
                Some((flag, value)) if flag.starts_with("--") => (flag.to_owned(), Some(value.to_owned())),
                _ => (argument, None),
            };
            match flag.as_str() {
                "--skip" => wanted.skipped.extend(value.or_else(|| arguments.next())),
                "--exact" => wanted.exact = true,
                "--list" => wanted.list = true,
                "--ignored" => wanted.ignored_only = true,
                "--test-threads" | "--color" | "--format" | "--logfile" | "--shuffle-seed" | "-Z"
                    if value.is_none() =>
                {
                    arguments.next();
                }
                _ if flag.starts_with('-') => (),
                _ => wanted.filters.push(flag),
            }
        }
        wanted
    }

    fn takes(&self, name: &str) -> bool {
        let matches = |text: &String| {
            if self.exact {
                name == text
            } else {
                name.contains(text.as_str())
            }
        };
        !self.ignored_only
            && (self.filters.is_empty() || self.filters.iter().any(matches))
            && !self.skipped.iter().any(matches)
    }
}

pub fn main(all: &[Case]) -> ExitCode {
    let wanted = Wanted::read(std::env::args().skip(1));
    let cases: Vec<Case> = all.iter().filter(|case| wanted.takes(case.name)).copied().collect();
    if wanted.list {
        cases.iter().for_each(|case| say(&format!("{}: test\n", case.name)));
        return ExitCode::SUCCESS;
    }
    let filtered = all.len() - cases.len();
    if cases.is_empty() || guardian::laboratory().is_some() {
        return run(&cases, filtered);
    }
    let needs: Vec<Need> = cases.iter().flat_map(|case| case.needs.iter().copied()).collect();
    let reason = match guardian::guard(&needs) {
        Ok(code) => return code,
        Err(reason) => format!("no docker engine ({reason})"),
    };
    say(&format!("\nrunning {} tests\n", cases.len()));
    for case in &cases {
        say(&format!("test {}\n", skip::line(case.name, &reason)));
    }
    let mut tally = Tally::new(filtered);
    tally.skipped = cases.len();
    tally.close()
}

struct Tally {
    passed: usize,
    skipped: usize,
    filtered: usize,
    failed: Vec<&'static str>,
    since: Instant,
}

impl Tally {
    fn new(filtered: usize) -> Self {
        let since = Instant::now();
        Self {
            passed: 0,
            skipped: 0,
            filtered,
            failed: Vec::new(),
            since,
        }
    }

    fn close(&self) -> ExitCode {
        if !self.failed.is_empty() {
            say(&format!("\nfailures:\n    {}\n", self.failed.join("\n    ")));
        }
        let word = if self.failed.is_empty() { "ok" } else { "FAILED" };
        say(&format!(
            "\ntest result: {word}. {} passed; {} failed; {} ignored; 0 measured; {} filtered out; finished in {:.2}s\n\n",
            self.passed,
            self.failed.len(),
            self.skipped,
            self.filtered,
            self.since.elapsed().as_secs_f64()
        ));
        ExitCode::from(if self.failed.is_empty() { 0 } else { 101 })
    }
}

/// Runs the cases in this process, which is the laboratory.
fn run(cases: &[Case], filtered: usize) -> ExitCode {
    let mut tally = Tally::new(filtered);
    say(&format!("\nrunning {} tests\n", cases.len()));
    let mut hung = false;
    for case in cases {
        if let Some(need) = case.needs.iter().find(|need| need.is_missing()) {
            say(&format!(
                "test {}\n",
                skip::line(case.name, &format!("no {}", need.name()))
            ));
            tally.skipped += 1;
            continue;
        }
        say(&format!("test {} ... ", case.name));
        let verdict = if hung {
            Err("not run, after one that hangs")
        } else {
            judge(case)
        };
        hung |= verdict == Err("hangs");
        match verdict {
            Ok(()) => {
                tally.passed += 1;
                say("ok\n");
            }
            Err(why) => {
                tally.failed.push(case.name);
                say(&format!("FAILED: {why}\n"));
            }
        }
    }
    tally.close()
}

fn judge(case: &Case) -> Result<(), &'static str> {
    let (done, ended) = mpsc::channel();
    let run = case.run;
    let thread = thread::Builder::new().name(case.name.to_owned()).spawn(move || {
        let outcome = panic::catch_unwind(run);
        // Nobody listens any more only when the case has taken too long already.
        done.send(outcome.is_ok()).ok();
    });
    thread.expect("a thread for the case");
    match ended.recv_timeout(CASE_MAX) {
        Ok(true) => Ok(()),
        Ok(false) => Err("see above"),
        Err(_) => Err("hangs"),
    }
}

fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    // A reader that has gone away is no reason to stop testing.
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).ok();
}
