//! `swarmlab validate`: check scenarios without running them.

use std::io::{self, Write};

use super::Outcome;
use super::args::ValidateArguments;
use super::input::{self, Refused};

pub fn validate(arguments: &ValidateArguments) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::Done;
    for path in &arguments.scenarios {
        match input::load(path, &arguments.input) {
            Ok(loaded) => {
                let plan = &loaded.scenario.plan;
                writeln!(
                    io::stdout(),
                    "{}: valid: {} nodes, {} classes of containers",
                    path.display(),
                    plan.nodes.len(),
                    plan.classes.len()
                )?;
            }
            Err(Refused::Faulty) => outcome = Outcome::Invalid,
            Err(Refused::Usage(error)) => return Ok(super::usage(&error)),
        }
    }
    Ok(outcome)
}
