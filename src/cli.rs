//! The command line: what was typed, made into calls of the library, and its outcome into an exit code.
//!
//! Owns arguments, progress, and every text on the terminal that is no table or diagnostic. Everything else is asked
//! of the other modules.

mod args;
mod bench;
mod compare;
mod explain;
mod generate;
mod input;
mod interrupt;
mod progress;
mod replay;
mod run;
mod session;
mod validate;
mod write;

use std::io;
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use args::{Arguments, Command};

use crate::bench::WORKER_COMMAND;

/// How a command ended.
enum Outcome {
    /// Everything was done.
    Done,
    /// A replay came out differently.
    Differs,
    /// Decisions take longer than is allowed.
    Slower,
    /// A scenario or an argument is faulty; its faults have been shown.
    Invalid,
    /// Stopped by the user; what was finished is kept.
    Interrupted,
}

/// Exit code of a failure while running: input or output, a replay that differs, or decisions that take longer.
const FAILURE: u8 = 1;
/// Exit code of wrong usage and of a faulty scenario.
const USAGE: u8 = 2;
/// Exit code after Ctrl-C, as shells have it.
const INTERRUPTED: u8 = 130;

/// Runs the program with the arguments of the process.
pub fn main() -> ExitCode {
    // Not for people, and so in no help text, completion or manual page.
    if std::env::args_os().nth(1).is_some_and(|first| first == WORKER_COMMAND) {
        return code(bench::work());
    }
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Printing fails only if nobody listens any more.
            let _ = error.print();
            return match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::SUCCESS,
                _ => ExitCode::from(USAGE),
            };
        }
    };
    code(execute(&arguments.command))
}

/// The exit code of a command that has ended.
fn code(outcome: anyhow::Result<Outcome>) -> ExitCode {
    match outcome {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Differs | Outcome::Slower) => ExitCode::from(FAILURE),
        Ok(Outcome::Invalid) => ExitCode::from(USAGE),
        Ok(Outcome::Interrupted) => ExitCode::from(INTERRUPTED),
        // Who reads our output has enough of it, as `head` does.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("swarmlab: {error:#}");
            ExitCode::from(FAILURE)
        }
    }
}

/// Says what is wrong with the arguments.
fn usage(error: &anyhow::Error) -> Outcome {
    eprintln!("swarmlab: {error:#}");
    Outcome::Invalid
}

fn execute(command: &Command) -> anyhow::Result<Outcome> {
    match command {
        Command::Run(arguments) => run::run(arguments),
        Command::Compare(arguments) => compare::compare(arguments),
        Command::Bench(arguments) => bench::bench(arguments),
        Command::Explain(arguments) => explain::explain(arguments),
        Command::Replay(arguments) => replay::replay(arguments),
        Command::Validate(arguments) => validate::validate(arguments),
        Command::Schema => generate::schema(),
        Command::Completions { shell } => generate::completions(*shell),
        Command::Man { command } => generate::man(command.as_deref()),
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let is_broken = |cause: &(dyn std::error::Error + 'static)| {
        cause
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    };
    error.chain().any(is_broken)
}
