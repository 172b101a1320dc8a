//! The command line: what was typed, made into calls of the library, and its outcome into an exit code.
//!
//! Owns arguments, progress, and every text on the terminal that is no table or diagnostic. Everything else is asked
//! of the other modules.

/// A line on the standard error. If nobody reads that any more, it is no reason to end, as it is for `eprintln!`.
macro_rules! tell {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), $($text)*);
    }};
}

mod args;
mod bench;
mod compare;
mod engines;
mod explain;
mod generate;
mod input;
mod interrupt;
mod live;
mod load;
mod progress;
mod replay;
mod run;
mod session;
mod validate;
mod write;

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use args::{Arguments, Command, LabCommand};

use crate::bench::WORKER_COMMAND;
use crate::scaletest::GUARD_COMMAND;

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
    if env::args_os().nth(1).is_some_and(|first| first == WORKER_COMMAND) {
        return conclude(bench::work());
    }
    if env::args_os().nth(1).is_some_and(|first| first == GUARD_COMMAND) {
        return conclude(bench::guard(&env::args_os().skip(2).collect::<Vec<_>>()));
    }
    // The live commands have their own way with flags and faults.
    let words = match live::take(env::args_os().collect()) {
        Ok(code) => return code,
        Err(words) => words,
    };
    let arguments = match Arguments::try_parse_from(words) {
        Ok(arguments) => arguments,
        Err(error) if error.kind() == ErrorKind::DisplayVersion => {
            // Nobody listens any more if this fails.
            let _ = writeln!(io::stdout(), "{}", live::version());
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            // The same. An unknown command, or none, ends here as a fault with exit code 2: the original shows its help
            // and succeeds, which hides mistakes in scripts, and this program has commands that are not the original's.
            let _ = error.print();
            return match error.kind() {
                ErrorKind::DisplayHelp => ExitCode::SUCCESS,
                _ => ExitCode::from(USAGE),
            };
        }
    };
    let global = &arguments.global;
    match &arguments.command {
        Command::Live(command) => live::perform(global, command),
        Command::Lab(_) if global.debug || global.experimental || global.log_level.is_some() => {
            tell!(
                "swarmlab: --debug, --log-level and --experimental are for manage, join, list, create and discovery-service"
            );
            ExitCode::from(USAGE)
        }
        Command::Lab(command) => conclude(execute(command)),
    }
}

/// Exit code of what has ended, after its last words.
fn conclude(outcome: anyhow::Result<Outcome>) -> ExitCode {
    match outcome {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Differs | Outcome::Slower) => ExitCode::from(FAILURE),
        Ok(Outcome::Invalid) => ExitCode::from(USAGE),
        Ok(Outcome::Interrupted) => ExitCode::from(INTERRUPTED),
        // Who reads our output has enough of it, as `head` does.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            tell!("swarmlab: {}", told(&error));
            ExitCode::from(FAILURE)
        }
    }
}

/// An error and its causes in one line. Many errors, ours and those of libraries, name their cause themselves: what a
/// text already ends with is not said again.
fn told(error: &anyhow::Error) -> String {
    let mut line = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        if !line.ends_with(&cause) {
            line.push_str(": ");
            line.push_str(&cause);
        }
    }
    line
}

/// Says what is wrong with the arguments.
fn usage(error: &anyhow::Error) -> Outcome {
    tell!("swarmlab: {}", told(error));
    Outcome::Invalid
}

fn execute(command: &LabCommand) -> anyhow::Result<Outcome> {
    match command {
        LabCommand::Run(arguments) => run::run(arguments),
        LabCommand::Compare(arguments) => compare::compare(arguments),
        LabCommand::Bench(arguments) => bench::bench(arguments),
        LabCommand::Explain(arguments) => explain::explain(arguments),
        LabCommand::Replay(arguments) => replay::replay(arguments),
        LabCommand::Validate(arguments) => validate::validate(arguments),
        LabCommand::Engines(arguments) => engines::engines(arguments),
        LabCommand::Load(arguments) => load::load(arguments),
        LabCommand::Schema => generate::schema(),
        LabCommand::Completions { shell } => generate::completions(*shell),
        LabCommand::Man { command } => generate::man(command.as_deref()),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_that_is_in_the_text_is_not_told_again() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot write {file}: {source}")]
        struct Failed {
            file: &'static str,
            source: io::Error,
        }
        let missing = || io::Error::from_raw_os_error(2);
        let failed = anyhow::Error::new(Failed {
            file: "x",
            source: missing(),
        });
        assert_eq!(
            told(&failed.context("in a")),
            format!("in a: cannot write x: {}", missing())
        );
        let plain = anyhow::Error::new(missing()).context("cannot read y");
        assert_eq!(told(&plain), format!("cannot read y: {}", missing()));
    }
}
