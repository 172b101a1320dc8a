//! The commands that deal with real daemons, with the command lines, logs and last words of Docker's standalone Swarm.
//!
//! They live in one program with the commands for simulations, but read their flags as Go does and end with exit code 1
//! on any fault, so that scripts written for the original go on working.

mod announcement;
pub mod args;
mod checks;
mod create;
mod duration;
mod flags;
mod go;
mod join;
mod list;
mod log;
mod manage;
mod service;
mod usage;

use std::env;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::error::{ContextKind, ErrorKind};
use clap::{Command, CommandFactory, Parser, Subcommand};
use tracing::level_filters::LevelFilter;

use super::args::{Arguments, Command as AnyCommand};
use super::{FAILURE, is_broken_pipe, told};
use crate::discovery;
pub(super) use announcement::Announcement;
use args::{GlobalArguments, LiveCommand};
use checks::Environment;
use flags::Given;
pub(super) use join::stopped;

/// An error that ends a live command.
enum Fatal {
    /// It goes to the log, which is standard output.
    Logged(anyhow::Error),
    /// It goes to standard error, with a time: what `list` and `create` have to say themselves.
    Plain(anyhow::Error),
}

impl From<anyhow::Error> for Fatal {
    fn from(error: anyhow::Error) -> Fatal {
        Fatal::Logged(error)
    }
}

/// What `--version` prints. The original prints `swarm version 1.2.9 (<commit>)`. That is what clients are compatible
/// with, so its number is kept, but it is not what this program is.
pub fn version() -> String {
    format!(
        "swarmlab version {} (compatible with swarm 1.2.9)",
        env!("CARGO_PKG_VERSION")
    )
}

/// Begins to log what goes wrong, for commands that otherwise say little.
pub(super) fn log_warnings() {
    log::start(LevelFilter::WARN);
}

/// An announcement of simulated engines, as `join` makes one of a daemon, and a log on standard output of what is wrong
/// with it.
pub(super) fn announcement(
    url: &str,
    advertise: Vec<String>,
    spans: [&str; 2],
    options: &[String],
    service: Option<&String>,
) -> anyhow::Result<Announcement> {
    log::start(LevelFilter::WARN);
    if matches!(url.split_once("://"), None | Some(("nodes" | "file" | "unix", _))) {
        anyhow::bail!("nothing is registered in {url}; take etcd://, consul://, zk:// or token://");
    }
    let [heartbeat, ttl] = spans;
    let heartbeat = checks::heartbeat(heartbeat)?;
    let options = checks::discovery_options(options, service, &Environment::read())?;
    Ok(Announcement {
        discovery: discovery::open(url, &options)?,
        url: url.to_owned(),
        advertise,
        heartbeat,
        ttl: checks::ttl(ttl, heartbeat)?,
        delay: Duration::ZERO,
    })
}

/// Runs a live command if the words are one, the first of them being the name of the program. Otherwise they come back
/// in a form that clap reads.
pub fn take(words: Vec<OsString>) -> Result<ExitCode, Vec<OsString>> {
    // Text that is no UTF-8 is no live command; clap complains about it where it is not welcome.
    let Some(texts) = words
        .iter()
        .map(|word| word.to_str().map(str::to_owned))
        .collect::<Option<Vec<_>>>()
    else {
        return Err(words);
    };
    let mut program = Arguments::command();
    program.build();
    let Some((name, texts)) = texts.split_first() else {
        return Err(words);
    };
    let Ok(global) = flags::read(&program, texts) else {
        return Err(words);
    };
    let rewritten = |rest: &[String]| -> Vec<OsString> {
        let given = global.rewritten().map(OsString::from);
        let name = [OsString::from(name)].into_iter();
        name.chain(given).chain(rest.iter().map(OsString::from)).collect()
    };
    let rest = texts.get(global.words..).unwrap_or_default();
    if global.has("help") || global.has("version") {
        return Err(rewritten(&[]));
    }
    let topic = match rest {
        [help, topic, ..] if help == "help" => find(&program, topic).map(|command| (command, None)),
        [topic, rest @ ..] => find(&program, topic).map(|command| (command, Some(rest))),
        [] => None,
    };
    match topic {
        Some((command, None)) => Ok(show_help(command)),
        Some((command, Some(flags))) => Ok(run(&rewritten(&[]), command, flags)),
        None => Err(rewritten(rest)),
    }
}

/// The live command with this name, short or long.
fn find<'a>(program: &'a Command, name: &str) -> Option<&'a Command> {
    let command = program.find_subcommand(name)?;
    LiveCommand::has_subcommand(command.get_name()).then_some(command)
}

/// Reads the flags of a live command and does what it says. `front` is the program with its global options.
fn run(front: &[OsString], command: &Command, words: &[String]) -> ExitCode {
    let given: Given = match flags::read(command, words) {
        Ok(given) => given,
        Err(fault) => return incorrect_usage(command, fault.into()),
    };
    if given.has("help") {
        return show_help(command);
    }
    let positional = words.get(given.words..).unwrap_or_default();
    let line = front
        .iter()
        .cloned()
        .chain([OsString::from(command.get_name())])
        .chain(given.rewritten().map(OsString::from))
        .chain([OsString::from("--")])
        .chain(positional.iter().map(OsString::from));
    match Arguments::try_parse_from(line) {
        Ok(Arguments {
            global,
            command: AnyCommand::Live(command),
        }) => perform(&global, &command),
        // The words name a live command.
        Ok(_) => ExitCode::from(FAILURE),
        Err(error) => incorrect_usage(command, value_fault(&error)),
    }
}

/// What clap found wrong with a value, in Go's words.
fn value_fault(error: &clap::Error) -> anyhow::Error {
    let text = |kind| error.get(kind).map(ToString::to_string).unwrap_or_default();
    let source = std::error::Error::source(error);
    match (error.kind(), source) {
        (ErrorKind::ValueValidation, Some(source)) => {
            let flag = text(ContextKind::InvalidArg);
            let flag = flag.split(' ').next().unwrap_or_default().trim_start_matches('-');
            let value = text(ContextKind::InvalidValue);
            anyhow::anyhow!("invalid value {value:?} for flag -{flag}: {source}")
        }
        _ => anyhow::anyhow!("{}", error.to_string().trim_end()),
    }
}

fn show_help(command: &Command) -> ExitCode {
    print(&usage::usage(&program_name(), command))
}

fn incorrect_usage(command: &Command, fault: anyhow::Error) -> ExitCode {
    let usage = usage::usage(&program_name(), command);
    // The exit code is that of a fault in any case.
    print(&format!("Incorrect Usage.\n\n{usage}\n"));
    log::fatal(&fault);
    ExitCode::from(FAILURE)
}

/// Prints a text as a whole. Who does not want to read it may say so by closing the pipe.
fn print(text: &str) -> ExitCode {
    let mut output = io::stdout().lock();
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            complain(&format!("swarmlab: cannot write to standard output: {error}"));
            ExitCode::from(FAILURE)
        }
        _ => ExitCode::SUCCESS,
    }
}

/// Prints a line on standard error, if anybody listens.
fn complain(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// The name under which the program was started: hints about its use repeat it.
fn program_name() -> String {
    let first = env::args_os().next().unwrap_or_default();
    let name = Path::new(&first).file_name().unwrap_or_default().to_string_lossy();
    match name.is_empty() {
        true => "swarmlab".to_owned(),
        false => name.into_owned(),
    }
}

/// Does what a live command says.
pub fn perform(global: &GlobalArguments, command: &LiveCommand) -> ExitCode {
    let environment = Environment::read();
    let debug = global.debug || environment.debug;
    let level = match &global.log_level {
        Some(name) => log::level(name),
        None if debug => Ok(LevelFilter::DEBUG),
        None => Ok(LevelFilter::INFO),
    };
    let outcome = match level {
        Ok(level) => {
            log::start(level);
            match command {
                LiveCommand::Manage(arguments) => manage::manage(arguments, global.experimental, debug, &environment),
                LiveCommand::Join(arguments) => join::join(arguments, &environment),
                LiveCommand::List(arguments) => list::list(arguments, &environment),
                LiveCommand::Create(arguments) => create::create(arguments, &environment),
                LiveCommand::DiscoveryService(arguments) => service::service(arguments),
            }
        }
        Err(error) => Err(Fatal::Logged(error.into())),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Fatal::Logged(error) | Fatal::Plain(error)) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(Fatal::Logged(error)) => {
            log::fatal(&error);
            ExitCode::from(FAILURE)
        }
        Err(Fatal::Plain(error)) => {
            complain(&format!("{} {}", log::stamp(), told(&error)));
            ExitCode::from(FAILURE)
        }
    }
}
