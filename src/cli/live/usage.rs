//! The help of the live commands, in the layout that the original meant to have (it crashed instead).

use std::fmt::Write as _;

use clap::{Arg, ArgAction, Command};

use super::flags::is_switch;

const DISCOVERY_FORMS: [&str; 7] = [
    "token://<token>",
    "token://<host>/<path>/<token>",
    "consul://<ip>/<path>",
    "etcd://<ip1>,<ip2>/<path>",
    "file://path/to/file",
    "zk://<ip1>,<ip2>/<path>",
    "[nodes://]<ip1>,<ip2>",
];

/// `--advertise, --addr "value"`.
fn names(argument: &Arg) -> Option<String> {
    let long = argument.get_long()?;
    let mut text = format!("--{long}");
    for alias in argument.get_visible_aliases().unwrap_or_default() {
        let _ = write!(text, ", --{alias}");
    }
    if let Some(short) = argument.get_short() {
        let _ = write!(text, ", -{short}");
    }
    if matches!(argument.get_action(), ArgAction::Append) {
        let _ = write!(text, " [--{long} option --{long} option]");
    } else if !is_switch(argument) {
        for value in argument.get_default_values().iter().filter(|value| !value.is_empty()) {
            let _ = write!(text, " {:?}", value.to_string_lossy());
        }
    }
    Some(text)
}

fn help(argument: &Arg) -> String {
    argument.get_help().map(ToString::to_string).unwrap_or_default()
}

/// The help of a command that has been built.
pub fn usage(program: &str, command: &Command) -> String {
    let discovery = command.get_positionals().find(|argument| !argument.is_hide_set());
    let mut text = format!("Usage: {program} {}", command.get_name());
    let options: Vec<(String, String)> = command
        .get_arguments()
        .filter_map(|argument| Some((names(argument)?, help(argument))))
        .collect();
    text.push_str(" [OPTIONS]");
    if discovery.is_some() {
        text.push_str(" <discovery>");
    }
    text.push_str("\n\n");
    if let Some(about) = command.get_about() {
        let _ = writeln!(text, "{about}");
    }
    if let Some(discovery) = discovery {
        let _ = writeln!(text, "\nArguments:\n   <discovery>    {}", help(discovery));
        for form in DISCOVERY_FORMS {
            let _ = writeln!(text, "                   * {form}");
        }
    }
    text.push_str("\nOptions:\n");
    let width = options
        .iter()
        .map(|(names, _)| names.chars().count())
        .max()
        .unwrap_or(0);
    for (names, help) in options {
        let _ = writeln!(text, "   {names:width$}   {help}");
    }
    text
}
