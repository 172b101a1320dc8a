//! What is made from descriptions: the schema, shell completions and manual pages.

use std::io::{self, Write};

use anyhow::Context;
use clap::CommandFactory;

use crate::scenario;

use super::Outcome;
use super::args::Arguments;

pub fn schema() -> anyhow::Result<Outcome> {
    let text = serde_json::to_string_pretty(&scenario::schema())?;
    writeln!(io::stdout(), "{text}")?;
    Ok(Outcome::Done)
}

pub fn completions(shell: clap_complete::Shell) -> anyhow::Result<Outcome> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "swarmlab", &mut text);
    io::stdout().write_all(&text)?;
    Ok(Outcome::Done)
}

pub fn man(command: Option<&str>) -> anyhow::Result<Outcome> {
    let program = Arguments::command();
    let page = match command {
        None => program,
        Some(name) => {
            let found = program.get_subcommands().find(|command| command.get_name() == name);
            let found = found.with_context(|| format!("there is no command {name:?}; see swarmlab --help"))?;
            // The name of a manual page has no spaces.
            let title: &'static str = Box::leak(format!("swarmlab-{name}").into_boxed_str());
            found.clone().name(title)
        }
    };
    let mut text = Vec::new();
    clap_mangen::Man::new(page).render(&mut text)?;
    io::stdout().write_all(&text)?;
    Ok(Outcome::Done)
}
