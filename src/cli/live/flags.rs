//! Flags as Go's `flag` package reads them, rewritten into the form that clap reads.
//!
//! The live commands keep the original's command lines: long names with one dash, flags before the first argument
//! only, the last of a repeated flag wins, and `--tls=false` for what is on. Which flags there are, and which of them
//! take a value, comes from the description that clap has of the command.

use clap::{Arg, ArgAction, Command};

use super::go;

/// What is wrong with a flag, in Go's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FlagFault {
    /// There is no such flag.
    #[error("flag provided but not defined: -{0}")]
    NotDefined(String),
    /// The last word is a flag that takes a value.
    #[error("flag needs an argument: -{0}")]
    NeedsArgument(String),
    /// Dashes, but no name behind them.
    #[error("bad flag syntax: {0}")]
    BadSyntax(String),
    /// A flag that is on or off was given something else.
    #[error("invalid boolean value {value:?} for -{name}: {source}")]
    NotBoolean {
        /// The flag.
        name: String,
        /// What it was given.
        value: String,
        /// Why that is neither on nor off.
        source: go::SyntaxError,
    },
}

/// The flags at the beginning of a command line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// Long names with their values, if they take any.
    flags: Vec<(String, Option<String>)>,
    /// How many words were read; the rest are arguments, or a command with its own flags.
    pub words: usize,
}

fn has_name(argument: &Arg, name: &str) -> bool {
    let is_short = |short: char| name.strip_prefix(short).is_some_and(str::is_empty);
    argument.get_long() == Some(name)
        || argument.get_short().is_some_and(is_short)
        || argument
            .get_all_aliases()
            .is_some_and(|aliases| aliases.contains(&name))
        || argument
            .get_all_short_aliases()
            .is_some_and(|aliases| aliases.into_iter().any(is_short))
}

/// Whether the flag is on or off and takes no value.
pub fn is_switch(argument: &Arg) -> bool {
    !matches!(argument.get_action(), ArgAction::Set | ArgAction::Append)
}

/// Reads the flags before the first word that is none. The command must have been built, so that it knows its help.
pub fn read(command: &Command, words: &[String]) -> Result<Given, FlagFault> {
    let mut given = Given::default();
    let mut rest = words.iter();
    while let Some(word) = rest.as_slice().first() {
        let Some(name) = word.strip_prefix('-').filter(|name| !name.is_empty()) else {
            break;
        };
        rest.next();
        let name = name.strip_prefix('-').unwrap_or(name);
        if name.is_empty() {
            // `--` ends the flags and is no argument itself.
            break;
        }
        if name.starts_with(['-', '=']) {
            return Err(FlagFault::BadSyntax(word.clone()));
        }
        let (name, value) = match name.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (name, None),
        };
        let not_defined = || FlagFault::NotDefined(name.to_owned());
        let argument = command
            .get_arguments()
            .find(|argument| has_name(argument, name))
            .ok_or_else(not_defined)?;
        let long = argument.get_long().ok_or_else(not_defined)?;
        if is_switch(argument) {
            let value = value.unwrap_or_else(|| "true".to_owned());
            let on = go::parse_bool(&value).map_err(|source| FlagFault::NotBoolean {
                name: name.to_owned(),
                value,
                source,
            })?;
            given.flags.retain(|(other, _)| other != long);
            if on {
                given.flags.push((long.to_owned(), None));
            }
        } else {
            let value = value
                .or_else(|| rest.next().cloned())
                .ok_or_else(|| FlagFault::NeedsArgument(name.to_owned()))?;
            if !matches!(argument.get_action(), ArgAction::Append) {
                given.flags.retain(|(other, _)| other != long);
            }
            given.flags.push((long.to_owned(), Some(value)));
        }
    }
    given.words = words.len() - rest.len();
    Ok(given)
}

impl Given {
    /// Whether a flag was given, by its long name.
    pub fn has(&self, name: &str) -> bool {
        self.flags.iter().any(|(other, _)| other == name)
    }

    /// The flags in the form that leaves no doubt: `--name` or `--name=value`.
    pub fn rewritten(&self) -> impl Iterator<Item = String> {
        self.flags.iter().map(|(name, value)| match value {
            Some(value) => format!("--{name}={value}"),
            None => format!("--{name}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory, Parser};
    use proptest::prelude::*;

    use crate::cli::args::Arguments;

    fn command(name: &str) -> Command {
        let mut program = Arguments::command();
        program.build();
        program.find_subcommand(name).cloned().expect("a command")
    }

    fn words(line: &str) -> Vec<String> {
        line.split(' ')
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect()
    }

    fn rewritten(line: &str) -> String {
        match read(&command("manage"), &words(line)) {
            Ok(given) => {
                let flags: Vec<String> = given.rewritten().collect();
                format!("{} | {}", flags.join(" "), words(line)[given.words..].join(" "))
            }
            Err(fault) => fault.to_string(),
        }
    }

    #[test]
    fn flags_have_one_dash_or_two_and_end_at_the_first_argument() {
        for (line, expected) in [
            ("-strategy binpack x", "--strategy=binpack | x"),
            ("--strategy=binpack -tls", "--strategy=binpack --tls | "),
            (
                "-f health --filter port -f=x",
                "--filter=health --filter=port --filter=x | ",
            ),
            ("-heartbeat 1s -heartbeat=2s", "--heartbeat=2s | "),
            ("--tls --tls=false", " | "),
            ("-addr -x", "--advertise=-x | "),
            ("--cors -- --tls", "--api-enable-cors | --tls"),
            ("--H a=b", "--host=a=b | "),
            ("x --tls", " | x --tls"),
            ("- --tls", " | - --tls"),
            ("", " | "),
            ("-h", "--help | "),
        ] {
            assert_eq!(rewritten(line), expected, "{line}");
        }
    }

    #[test]
    fn faults_are_in_gos_words() {
        for (line, expected) in [
            ("--bogus", "flag provided but not defined: -bogus"),
            ("-Hx", "flag provided but not defined: -Hx"),
            ("-strategy", "flag needs an argument: -strategy"),
            ("---tls", "bad flag syntax: ---tls"),
            ("-=x", "bad flag syntax: -=x"),
            (
                "--tls=maybe",
                "invalid boolean value \"maybe\" for -tls: strconv.ParseBool: parsing \"maybe\": invalid syntax",
            ),
            ("-discovery x", "flag provided but not defined: -discovery"),
        ] {
            assert_eq!(rewritten(line), expected, "{line}");
        }
    }

    proptest! {
        #[test]
        fn any_words_are_read_or_refused(words in proptest::collection::vec(any::<String>(), 0..4)) {
            if let Ok(given) = read(&command("manage"), &words) {
                prop_assert!(given.words <= words.len());
            }
        }

        #[test]
        fn what_is_rewritten_reads_the_same_and_clap_takes_it(
            flags in proptest::collection::vec(
                prop_oneof!["--?(host|H|filter|f|advertise|addr|tlskey|strategy)", "-(tls|cors)=(true|0)"],
                0..5,
            ),
            values in proptest::collection::vec("[-a=é ]{0,4}", 5),
        ) {
            let command = command("manage");
            let takes = |flag: &String| !flag.contains("=");
            let words: Vec<String> = flags
                .iter()
                .zip(values)
                .flat_map(|(flag, value)| if takes(flag) { vec![flag.clone(), value] } else { vec![flag.clone()] })
                .collect();
            let given = read(&command, &words).expect("flags that exist");
            prop_assert_eq!(given.words, words.len());
            let again: Vec<String> = given.rewritten().collect();
            prop_assert_eq!(&read(&command, &again).expect("the same").flags, &given.flags);
            let line = ["swarmlab", "manage"].into_iter().map(str::to_owned).chain(again);
            prop_assert!(Arguments::try_parse_from(line).is_ok());
        }
    }
}
